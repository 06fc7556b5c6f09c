# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault audit log` and `checkpoint`: an auditor takes a log away, and what it signed last.

A range is read in as many calls as it takes. What came is kept beside the file until all is there,
and the same command goes on after whatever cut it off; the look is recorded once.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Final

import typer

from clients.cli.audit import REPLAY_SECONDS, CaseRef
from clients.cli.command import command
from clients.cli.errors import CommandError, UsageError
from clients.cli.files import must_be_new
from clients.cli.progress import progress
from clients.cli.receipt import write_new
from clients.cli.session import Session
from clients.connection import CallError
from clients.export.form import line_of

if TYPE_CHECKING:
    from vault.api.v1.audit_service_pb2 import LaneRange, ReplayLaneRequest

top = typer.Typer()

_CUT_OFF: Final = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "UNKNOWN"})
MOST_CUTS: Final = 5
"""So often in a row without a single record between, and somebody has to look."""
PAUSE_SECONDS: Final = 1.0

LaneNumber = Annotated[
    int, typer.Option("--lane", metavar="NUMBER", min=0, max=65_535, help="Which lane's log.")
]
Origin = Annotated[
    str, typer.Option("--origin", metavar="NAME", help="The log's name, instead of --lane.")
]


@dataclasses.dataclass(frozen=True)
class Wanted:
    """A range of a log that is being read, and the id under which its reading is recorded."""

    request_id: str
    origin: str
    first: int
    end: int
    case: str


class Partial:
    """What has come of a file: records in one file beside it, in another what is wanted."""

    def __init__(self, out: str) -> None:
        self._out = out
        self._records = Path(f"{out}.part")
        self._wanted = Path(f"{out}.wanted")
        self.next_index = 0
        """The leaf index from which on nothing has come."""

    def begin(self, wanted: Wanted) -> Wanted:
        """Begin, or go on with what was begun before.

        Raises:
            UsageError: if something else was.
        """
        if self._wanted.exists():
            begun = Wanted(**json.loads(self._wanted.read_bytes()))
            if dataclasses.replace(begun, request_id=wanted.request_id) != wanted:
                raise UsageError(
                    f"{self._wanted} is what is left of the reading of another range.",
                    "Name that range, or another file; or delete what is left of it.",
                )
            self.next_index = self._last_index() + 1
            return begun
        write_new(str(self._wanted), json.dumps(dataclasses.asdict(wanted)).encode())
        return wanted

    def opened(self) -> BinaryIO:
        """Return the file to which what comes is added; the begun line of a crash is cut off."""
        handle = os.open(self._records, os.O_RDWR | os.O_CREAT, 0o600)
        file = os.fdopen(handle, "r+b")
        file.seek(self._whole_bytes())
        file.truncate()
        return file

    def finish(self) -> None:
        """Move what has come to its place."""
        must_be_new(self._out)
        self._records.replace(self._out)
        self._wanted.unlink()

    def forget_if_empty(self) -> None:
        """Leave nothing of what was refused before anything came."""
        if not self.next_index:
            self._records.unlink(missing_ok=True)
            self._wanted.unlink(missing_ok=True)

    def _whole_bytes(self) -> int:
        if not self._records.exists():
            return 0
        size = 0
        with self._records.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    size += len(line)
        return size

    def _last_index(self) -> int:
        last = b""
        if self._records.exists():
            with self._records.open("rb") as file:
                for line in file:
                    last = line if line.endswith(b"\n") else last
        return int(json.loads(last)["leaf_index"]) if last else -1


@command(top, "log")
def log(
    session: Session,
    *,
    out: Annotated[str, typer.Option("--out", metavar="FILE", help="A new file.")],
    lane: LaneNumber = 0,
    origin: Origin = "",
    first: Annotated[
        int, typer.Option("--from", metavar="INDEX", min=0, help="The first leaf; 0.")
    ] = 0,
    end: Annotated[
        int, typer.Option("--to", metavar="INDEX", min=0, help="The leaf after the last; 0: all.")
    ] = 0,
    case: CaseRef = "",
) -> None:
    """Write a range of a lane's log to a file, all streams in it, exactly as stored.

    It is recorded before anything is sent, and everybody whom it concerns finds it in her history.
    After whatever cut it off, the same command goes on. An auditor of one service gets the facts of
    that service, and the digests of all else.
    """
    must_be_new(out)
    named = origin or origin_of(session, lane)
    partial = Partial(out)
    wanted = partial.begin(Wanted(session.request_id, named, first, end, case))
    try:
        with partial.opened() as file:
            found = _read(session, wanted, partial, file)
            file.flush()
            os.fsync(file.fileno())
        partial.finish()
    except OSError as error:
        raise CommandError(f"{out} cannot be written: {error.strerror}.") from None
    if session.output.is_json:
        session.output.message(found)
        return
    session.output.facts(
        [
            ("Written", out),
            ("Log", found.origin),
            ("Leaves", f"{found.first_leaf_index} to {found.end_leaf_index - 1}"),
            ("Facts of", found.service_id),
            ("Recorded", f"entry {found.receipt.leaf_index} of {found.receipt.origin}"),
        ]
    )


@command(top, "checkpoint")
def checkpoint(
    session: Session,
    *,
    lane: LaneNumber = 0,
    origin: Origin = "",
    out: Annotated[str, typer.Option("--out", metavar="FILE", help="Keep it in a new file.")] = "",
) -> None:
    """Show the newest checkpoint of a log, signed. Keep it: the log must always contain it."""
    from vault.api.v1.audit_service_pb2 import GetCheckpointRequest  # noqa: PLC0415

    named = origin or origin_of(session, lane)
    newest = session.connection.audits.GetCheckpoint(GetCheckpointRequest(origin=named))
    if out:
        write_new(out, newest.checkpoint.encode())
    if session.output.is_json:
        session.output.message(newest)
        return
    for line in newest.checkpoint.splitlines():
        session.output.line(line)
    session.output.say("Its key, as it says itself; pin one that you know from elsewhere:")
    session.output.line(newest.log_key)
    session.output.facts([("Written", out)])


def origin_of(session: Session, lane: int) -> str:
    """Return the name of a lane's log, by that of the registry's.

    Raises:
        CommandError: if the registry tells none.
    """
    from vault.api.v1.audit_service_pb2 import ReplayRegistryRequest  # noqa: PLC0415

    stream: Any = session.connection.audits.ReplayRegistry(ReplayRegistryRequest())
    first = next(stream, None)
    stream.close()
    try:
        found = str(json.loads(first.record.link)["origin"]) if first else ""
    except (ValueError, KeyError, TypeError):
        found = ""
    if not found:
        raise CommandError("The registry does not say what its log is called.", "--origin NAME")
    return f"{found.rpartition('/')[0]}/{lane}"


def _read(session: Session, wanted: Wanted, partial: Partial, file: BinaryIO) -> LaneRange:
    """Read a range to its end, in as many calls as it takes, and return it as it was recorded."""
    from vault.api.v1.audit_service_pb2 import ReplayLaneRequest  # noqa: PLC0415

    request = ReplayLaneRequest(
        request_id=wanted.request_id,
        origin=wanted.origin,
        first_leaf_index=wanted.first,
        end_leaf_index=wanted.end,
        case_ref=wanted.case,
    )
    cuts = 0
    while True:
        before = partial.next_index
        request.resume_leaf_index = before
        try:
            return _copy(session, request, partial, file)
        except CallError as error:
            if error.code not in _CUT_OFF:
                partial.forget_if_empty()
                raise
            cuts = 1 if partial.next_index > before else cuts + 1
            if cuts > MOST_CUTS:
                raise
            file.flush()
            session.output.tell(f"Cut off at leaf {partial.next_index}: {error.message} Going on.")
            time.sleep(PAUSE_SECONDS)


def _copy(
    session: Session, request: ReplayLaneRequest, partial: Partial, file: BinaryIO
) -> LaneRange:
    stream: Any = session.connection.audits.ReplayLane(request, timeout=REPLAY_SECONDS)
    found: LaneRange = next(stream).range
    at = partial.next_index or found.first_leaf_index
    with progress(session.output, "Reading", found.end_leaf_index - at, of_bytes=False) as step:
        for item in stream:
            if item.HasField("caught_up"):
                break
            if item.record.leaf_index != at:
                stream.close()
                raise CommandError(
                    f"Leaf {at} was to come, and leaf {item.record.leaf_index} came.",
                    "Nothing was written. If it stays so, that is a finding.",
                )
            file.write(line_of(item.record))
            at += 1
            partial.next_index = at
            step(1)
    if at != found.end_leaf_index:
        raise CommandError(
            f"The range ends at leaf {found.end_leaf_index}, and leaf {at} did not come.",
            "Run the same command again. If it stays so, that is a finding.",
        )
    return found
