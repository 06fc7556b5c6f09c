# SPDX-License-Identifier: Apache-2.0
"""The independent checker: replays a history into files, and has another program judge them.

That program, `clients.auditor`, runs as a process of its own: it shares no code with the server,
and none with this story. The forms of the files and of its report are in its own docstrings.
"""

import datetime as dt
import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from clients.connection import CallError, Connection
from clients.demo.story import new_id, wait_for
from clients.demo.witness import Trust
from clients.receipts import SignedRecord, b64
from vault.api.v1.audit_pb2 import VaultState
from vault.api.v1.audit_service_pb2 import (
    GetCheckpointRequest,
    GetCheckpointResponse,
    GetInclusionProofRequest,
    GetVaultStateRequest,
    ReplayLaneRequest,
    ReplayLaneResponse,
    ReplayRegistryRequest,
    ReplayRegistryResponse,
    ReplayVaultRequest,
    ReplayVaultResponse,
)
from vault.api.v1.consent_pb2 import Consent
from vault.api.v1.log_pb2 import Receipt

CASE: Final = "yearly check"
_JUDGE_SECONDS: Final = 60.0
_ANSWERED: Final = frozenset({0, 1, 3})
HONEST: Final = "WITHHELD"
"""What it says of an honest history: proofs that decisions are hers are sealed from a checker."""
ASSISTED: Final = "NOT SHOWN TO BE HERS"
"""What it says where an official alone says that somebody agreed."""


class CheckerError(Exception):
    """The checker's program gave no report."""


class Where(msgspec.Struct, frozen=True):
    """Where something is wrong."""

    stream: str
    version: int | None
    leaf_index: int | None


class Finding(msgspec.Struct, frozen=True):
    """Something that must not be."""

    where: Where
    what: str
    why: str


class Use(msgspec.Struct, frozen=True):
    """A use, and whether it was allowed."""

    leaf_index: int
    time: str
    service: str
    consent_id: str
    allowed: bool
    why: str


class Standing(msgspec.Struct, frozen=True):
    """Whether a use would have been allowed."""

    allowed: bool
    why: str


class Judged(msgspec.Struct, frozen=True):
    """What somebody was permitted, as of the time that was asked for and at the end."""

    consent_id: str
    allowed: bool
    why: str
    at_end: Standing


class Held(msgspec.Struct, frozen=True):
    """Whether a confirmation holds, numbered from 1 as given."""

    number: int
    leaf_index: int | None
    about: str
    holds: bool
    why: str


class Decision(msgspec.Struct, frozen=True):
    """A decision of hers, and whether it is shown to be: "shown", "not shown" or "sealed"."""

    leaf_index: int
    time: str
    consent_id: str
    hers: str
    why: str

    @property
    def moment(self) -> dt.datetime:
        """Return when it was made."""
        return dt.datetime.fromisoformat(self.time)


class Report(msgspec.Struct, frozen=True):
    """The parts of the checker's report on one history that the story shows."""

    verdict: str
    line: str
    trust: str
    version: int
    uses: tuple[Use, ...]
    decisions: tuple[Decision, ...]
    findings: tuple[Finding, ...]
    consents: tuple[Judged, ...]
    receipts: tuple[Held, ...]


class LogReport(msgspec.Struct, frozen=True):
    """The parts of the checker's report on a whole log that the story shows."""

    verdict: str
    line: str
    size: int
    findings: tuple[Finding, ...]


R = TypeVar("R", Report, LogReport)


@dataclass(frozen=True, slots=True)
class Kept:
    """What was kept of a log, as files: confirmations with their proofs, and its newest head."""

    confirmations: tuple[Path, ...]
    head: Path
    size: int


@dataclass(frozen=True, slots=True)
class Replayed:
    """The files of a replay, and how many records of hers they hold."""

    vault: Path
    registry: Path
    records: int


def replay(checker: Connection, vault_id: str, folder: Path) -> Replayed:
    """Replay one person's history and the registry into files in a new folder."""
    folder.mkdir(mode=0o700)
    vault, registry = folder / "vault.jsonl", folder / "registry.jsonl"
    history = checker.audits.ReplayVault(ReplayVaultRequest(vault_id=vault_id, case_ref=CASE))
    records = _write(vault, history)
    _write(registry, checker.audits.ReplayRegistry(ReplayRegistryRequest()))
    return Replayed(vault=vault, registry=registry, records=records)


def permission(
    checker: Connection, vault_id: str, consent_id: str, as_of_token: str = ""
) -> Consent:
    """Return what a permission was at a place in history, or is now, as the server replays it."""
    answer = checker.audits.GetVaultState(
        GetVaultStateRequest(vault_id=vault_id, as_of_token=as_of_token, case_ref=CASE)
    )
    state: VaultState = answer.state
    return next(consent for consent in state.consents if consent.consent_id == consent_id)


def head_of(connection: Connection) -> GetCheckpointResponse:
    """Return the newest signed head of the log, and its key."""
    answer: GetCheckpointResponse = connection.audits.GetCheckpoint(
        GetCheckpointRequest(origin=_origin(connection))
    )
    return answer


def log_key_of(connection: Connection) -> str:
    """Return the key of the log, as soon as something was signed with it.

    Raises:
        CheckerError: if nothing is.
    """

    def signed() -> GetCheckpointResponse | None:
        try:
            return head_of(connection)
        except CallError as error:
            if error.reason != "NOT_FOUND":
                raise
            return None

    head = wait_for(signed)
    if head is None:
        raise CheckerError("The log is not signed.")
    return head.log_key


def keep(connection: Connection, receipts: Sequence[Receipt], folder: Path) -> Kept:
    """Keep confirmations in a new folder, each with the proof that it stands in the log."""
    folder.mkdir(mode=0o700)
    confirmations = []
    for number, receipt in enumerate(receipts, start=1):
        signed = replace(SignedRecord.of(receipt), proof=_proof(connection, receipt))
        kept = folder / f"confirmation-{number}.json"
        kept.write_bytes(signed.as_file())
        confirmations.append(kept)
    head = folder / "head"
    text = head_of(connection).checkpoint
    head.write_text(text, encoding="utf-8")
    return Kept(confirmations=tuple(confirmations), head=head, size=_size_of(text))


def log_size(checker: Connection, vault_id: str) -> int:
    """Look at a history once more, which is recorded, and return how long the log is then."""
    checker.audits.GetVaultState(GetVaultStateRequest(vault_id=vault_id, case_ref=CASE))
    looked = checker.audits.ReplayVault(ReplayVaultRequest(vault_id=vault_id, case_ref=CASE))
    return max(a.record.leaf_index for a in looked if a.WhichOneof("item") == "record") + 1


def replay_log(checker: Connection, file: Path) -> str:
    """Replay the whole log into a new file; return the signed head that covers all of it."""
    asked = ReplayLaneRequest(request_id=new_id(), origin=_origin(checker), case_ref=CASE)
    answers = list(checker.audits.ReplayLane(asked))
    _write(file, answers)
    # The look itself is the last that it recorded; its proof waits until a head covers it.
    _proof(checker, answers[0].range.receipt)
    head: str = head_of(checker).checkpoint
    return head


def _proof(connection: Connection, receipt: Receipt) -> str:
    proven: str = connection.audits.GetInclusionProof(
        GetInclusionProofRequest(
            origin=receipt.origin, leaf_index=receipt.leaf_index, leaf_hash=receipt.leaf_hash
        )
    ).proof
    return proven


def judge(replayed: Replayed, receipts: Sequence[Receipt]) -> Report:
    """Have the checker's own program judge a replay, and the confirmations that people kept.

    Raises:
        CheckerError: if it gives no report.
    """
    files = []
    for number, receipt in enumerate(receipts, start=1):
        files.append(replayed.vault.with_name(f"confirmation-{number}.json"))
        files[-1].write_bytes(SignedRecord.of(receipt).as_file())
    history = [str(replayed.vault), "--registry", str(replayed.registry)]
    return _judge(Report, ["history", *history, *_all("--receipt", files)])


def judge_log(log: Path, kept: Kept | None, trust: Trust) -> LogReport:
    """Have it judge a whole log, by what was kept of it if anything was.

    Raises:
        CheckerError: if it gives no report.
    """
    return _judge(LogReport, ["log", str(log), *_known(kept, trust)])


def judge_export(
    export: Path, kept: Kept, trust: Trust, provider_keys: Path, as_of: str = ""
) -> Report:
    """Have it judge what a person took away, by what was kept of it.

    Args:
        provider_keys: of the provider by which she signs in.

    Raises:
        CheckerError: if it gives no report.
    """
    arguments = ["history", str(export), *_known(kept, trust)]
    arguments += ["--provider-keys", str(provider_keys)]
    return _judge(Report, [*arguments, *(["--as-of", as_of] if as_of else [])])


def _judge(form: type[R], arguments: Sequence[str]) -> R:
    done = subprocess.run(  # noqa: S603 - our own program, no shell, our own arguments
        [sys.executable, "-m", "clients.auditor", *arguments, "--json"],
        capture_output=True,
        timeout=_JUDGE_SECONDS,
        check=False,
    )
    if done.returncode not in _ANSWERED:
        raise CheckerError(done.stderr.decode(errors="replace"))
    return msgspec.json.decode(done.stdout, type=form)


def _known(kept: Kept | None, trust: Trust) -> list[str]:
    known = ["--log-key", trust.log_key, "--policy", str(trust.policy)]
    if kept is None:
        return known
    return [*known, "--checkpoint", str(kept.head), *_all("--receipt", kept.confirmations)]


def _all(option: str, files: Iterable[Path]) -> list[str]:
    return [argument for file in files for argument in (option, str(file))]


def _origin(connection: Connection) -> str:
    """Return the name of the log, by that of the registry's first record."""
    stream: Any = connection.audits.ReplayRegistry(ReplayRegistryRequest())
    first = next(stream)
    stream.close()
    return str(json.loads(first.record.link)["origin"])


def _size_of(checkpoint: str) -> int:
    # C2SP tlog-checkpoint: the second line.
    return int(checkpoint.splitlines()[1])


def _write(
    path: Path,
    answers: Iterable[ReplayVaultResponse]
    | Iterable[ReplayRegistryResponse]
    | Iterable[ReplayLaneResponse],
) -> int:
    records = [answer.record for answer in answers if answer.WhichOneof("item") == "record"]
    with path.open("w", encoding="utf-8") as file:
        for record in records:
            line = {
                "leaf_index": record.leaf_index,
                "stream_id": record.stream_id,
                "version": record.version,
                "entry": b64(record.entry),
                "link": record.link.decode("ascii"),
                "facts": record.facts.decode("ascii"),
            }
            file.write(json.dumps(line) + "\n")
    return len(records)
