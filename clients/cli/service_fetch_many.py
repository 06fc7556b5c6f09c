# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault service fetch-many`: for many subjects at once, each verified, into a folder.

The folder is the run. Every line of the file has its `request_id`, made of the folder's own id and
the line: run again, what is there is left alone, and what was recorded but did not arrive is
repeated, the same bytes; nothing is fetched twice.
"""

from __future__ import annotations

import dataclasses
import json
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import typer

from clients.cli.command import command
from clients.cli.each import exit_of
from clients.cli.errors import CommandError, UsageError
from clients.cli.files import write_whole
from clients.cli.progress import progress
from clients.cli.service_bundle import verified
from clients.cli.service_fetch import KeyFile, trusted_keys
from clients.cli.service_permission import Permission
from clients.cli.session import Session
from clients.connection import CallError

if TYPE_CHECKING:
    from vault.api.v1.disclosure_service_pb2 import (
        DiscloseEvidenceRequest,
        DiscloseEvidenceResponse,
        DisclosureResult,
    )

top = typer.Typer()

MOST_IN_MESSAGE: Final = 64
MESSAGES_IN_STREAM: Final = 100
STREAM_SECONDS: Final = 600.0
MOST_TRIES: Final = 4
PAUSE_SECONDS: Final = 0.2
MOST_SHOWN: Final = 50
RUN_FILE: Final = "run.json"

_FOR_NOW: Final = frozenset({"UNAVAILABLE", "ABORTED", "RESOURCE_EXHAUSTED"})
_FAILING: Final = "disclosures["

Failures: TypeAlias = "dict[Line, CallError | CommandError]"


@dataclasses.dataclass(frozen=True)
class Line:
    """One line of the file: where it stands, what it asks for, and where that is written."""

    number: int
    request_id: str
    permission: Permission
    bundle: Path
    receipt: Path
    request: DiscloseEvidenceRequest = dataclasses.field(compare=False, repr=False)

    @property
    def is_there(self) -> bool:
        """Return whether it was fetched; the bundle is written last."""
        return self.bundle.exists()


@command(top, "fetch-many")
def fetch_many(
    session: Session,
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="A DiscloseEvidenceRequest as JSON on each line."),
    ],
    *,
    out: Annotated[
        str,
        typer.Option("--out", metavar="FOLDER", help="A new folder, or that of an earlier run."),
    ],
    key_file: KeyFile = "",
) -> None:
    """Fetch evidence of many subjects, verify each receipt, and write all into a folder.

    Each is recorded in her vault before it leaves; what fails stops no other. Run it again with the
    same folder: it fetches what is missing, and nothing twice.
    """
    folder = Path(out)
    requests = _requests_in(file)
    lines = _lines_of(requests, folder, _run_of(folder))
    keys = trusted_keys(session, key_file)
    there = {line for line in lines if line.is_there}
    missing = [line for line in lines if line not in there]
    with progress(session.output, "Fetching", len(missing), of_bytes=False) as step:
        failures = _fetched(session, missing, keys, step)
    if session.output.is_json:
        _print_lines(lines, there, failures)
    else:
        _show(session, folder, lines, there, failures)
    if failures:
        raise CommandError(
            f"{len(failures)} of {len(lines)} failed.",
            "Run the same command again: what is there is not fetched again.",
            exit_of(next(iter(failures.values()))),
        )


def _run_of(folder: Path) -> uuid.UUID:
    """Return the id of the run whose folder it is; a new folder is a new run."""
    kept = folder / RUN_FILE
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if not any(folder.iterdir()):
            write_whole(kept, json.dumps({"run_id": str(uuid.uuid4())}).encode("ascii"))
        return uuid.UUID(json.loads(kept.read_bytes())["run_id"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise UsageError(
            f"{folder} is no folder of an earlier run, and cannot be made one.", "A new folder."
        ) from None


def _requests_in(file: str) -> dict[int, DiscloseEvidenceRequest]:
    """Return what the lines of a file ask for, by their numbers.

    Raises:
        UsageError: if it cannot be read, or a line is something else.
    """
    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise UsageError(f"{file} cannot be read: {why}.") from None
    numbered = enumerate(text.splitlines(), 1)
    found = {number: _request_in(line, number) for number, line in numbered if line.strip()}
    if not found:
        raise UsageError(f"{file} holds nothing to fetch.", '{"subject_id": "...", ...}')
    return found


def _request_in(line: str, number: int) -> DiscloseEvidenceRequest:
    from google.protobuf.json_format import Parse, ParseError  # noqa: PLC0415

    from vault.api.v1.disclosure_service_pb2 import DiscloseEvidenceRequest  # noqa: PLC0415

    try:
        request = Parse(line, DiscloseEvidenceRequest())
        if request.request_id:
            request.request_id = str(uuid.UUID(request.request_id))
    except ParseError as error:
        message = f"Line {number} is no DiscloseEvidenceRequest: {error}"
        raise UsageError(message) from None
    except ValueError:
        raise UsageError(f"The request_id in line {number} is no UUID.") from None
    return request


def _lines_of(
    requests: Mapping[int, DiscloseEvidenceRequest], folder: Path, run: uuid.UUID
) -> list[Line]:
    """Return the lines, each with its id; those that say the same have one each."""
    seen: Counter[bytes] = Counter()
    lines = []
    for number, request in requests.items():
        said = request.SerializeToString(deterministic=True)
        seen[said] += 1
        named = request.request_id or str(uuid.uuid5(run, f"{seen[said]} {said.hex()}"))
        request.request_id = named
        under = Permission(request.authority.consent_id, request.subject_id, request.purpose_code)
        bundle, receipt = folder / f"{named}.bundle.json", folder / f"{named}.receipt.json"
        lines.append(Line(number, named, under, bundle, receipt, request))
    return lines


def _fetched(session: Session, missing: list[Line], keys: dict[str, bytes], step: Any) -> Failures:
    """Fetch lines, write them, and return those that failed, after some tries."""
    failures: Failures = {}
    for tries in range(1, MOST_TRIES + 1):
        again = []
        for line, result in _answered(session, missing):
            failures.pop(line, None)
            error = _kept(line, result, keys)
            if error is None:
                step(1)
                continue
            failures[line] = error
            if isinstance(error, CallError) and error.code in _FOR_NOW:
                again.append(line)
        if not again:
            break
        missing = again
        time.sleep(PAUSE_SECONDS * tries)
    return dict(sorted(failures.items(), key=lambda failure: failure[0].number))


def _answered(
    session: Session, missing: Sequence[Line]
) -> Iterator[tuple[Line, DisclosureResult | CallError]]:
    """Yield what became of each; where a call fails, that of those it left without an answer."""
    waiting, at = list(missing), 0
    while at < len(waiting):
        try:
            some = waiting[at : at + MOST_IN_MESSAGE * MESSAGES_IN_STREAM]
            for line, result in _streamed(session, some):
                at += 1
                yield line, result
        except CallError as error:
            named = _named_in(error)
            if named is None or at + named >= len(waiting):
                yield from ((line, error) for line in waiting[at:])
                return
            # A message with one line that breaks a constraint: the others go without it.
            yield waiting.pop(at + named), error


def _streamed(session: Session, lines: Sequence[Line]) -> Iterator[tuple[Line, DisclosureResult]]:
    from vault.api.v1.disclosure_service_pb2 import DiscloseEvidenceBatchRequest  # noqa: PLC0415

    several = [
        lines[first : first + MOST_IN_MESSAGE] for first in range(0, len(lines), MOST_IN_MESSAGE)
    ]
    messages = (
        DiscloseEvidenceBatchRequest(disclosures=[line.request for line in some])
        for some in several
    )
    answers = session.connection.disclosures.DiscloseEvidenceBatch(messages, timeout=STREAM_SECONDS)
    for some, answer in zip(several, answers, strict=True):
        yield from zip(some, answer.results, strict=True)


def _named_in(error: CallError) -> int | None:
    """Return which disclosure of the first message without an answer an error is about."""
    for field, _ in error.fields:
        number = field.removeprefix(_FAILING).partition("]")[0]
        if field.startswith(_FAILING) and number.isdecimal():
            return int(number)
    return None


def _kept(
    line: Line, result: DisclosureResult | CallError, keys: dict[str, bytes]
) -> CallError | CommandError | None:
    """Write what was fetched, if it verifies; else return why not."""
    if isinstance(result, CallError):
        return result
    if result.WhichOneof("outcome") != "disclosed":
        return CallError.of_status(result.failed)
    try:
        _write(line, result.disclosed, keys)
    except CommandError as error:
        return error
    return None


def _write(line: Line, response: DiscloseEvidenceResponse, keys: dict[str, bytes]) -> None:
    record = verified(line.permission, response, keys)
    try:
        write_whole(line.receipt, record.as_file())
        write_whole(line.bundle, response.bundle)
    except OSError as error:
        raise CommandError(f"{line.bundle} cannot be written: {error.strerror}.") from None


def _print_lines(lines: Sequence[Line], there: set[Line], failures: Failures) -> None:
    for line in lines:
        error = failures.get(line)
        found: dict[str, Any] = {
            "line": line.number,
            "request_id": line.request_id,
            "subject_id": line.permission.subject_id,
            "consent_id": line.permission.consent_id,
            "outcome": "failed" if error else "there" if line in there else "fetched",
        }
        if error:
            found["error"] = {"reason": getattr(error, "reason", ""), "message": error.message}
        else:
            found |= {"bundle": str(line.bundle), "receipt": str(line.receipt)}
        print(json.dumps(found))


def _show(
    session: Session, folder: Path, lines: Sequence[Line], there: set[Line], failures: Failures
) -> None:
    output = session.output
    fetched = len(lines) - len(there) - len(failures)
    output.facts(
        [
            ("Fetched", f"{fetched}, verified, into {folder}"),
            ("There already", str(len(there)) if there else ""),
            ("Failed", str(len(failures)) if failures else ""),
        ]
    )
    if failures:
        shown = list(failures.items())[:MOST_SHOWN]
        output.table(
            ["Line", "Consent", "Why"],
            [(str(line.number), line.permission.consent_id, why.message) for line, why in shown],
            unbroken=(0, 1),
            right=(0,),
        )
    if len(failures) > MOST_SHOWN:
        output.say(f"And {len(failures) - MOST_SHOWN} more: --json tells of each.")
