# SPDX-License-Identifier: Apache-2.0
"""The independent checker: replays a history into files, and has another program judge them.

That program, `clients.auditor`, runs as a process of its own: it shares no code with the server,
and none with this story. The forms of the files and of its report are in its own docstrings.
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from clients.connection import Connection
from clients.receipts import SignedRecord, b64
from vault.api.v1.audit_pb2 import VaultState
from vault.api.v1.audit_service_pb2 import (
    GetVaultStateRequest,
    ReplayRegistryRequest,
    ReplayRegistryResponse,
    ReplayVaultRequest,
    ReplayVaultResponse,
)
from vault.api.v1.consent_pb2 import Consent
from vault.api.v1.log_pb2 import Receipt

CASE: Final = "yearly check"
_JUDGE_SECONDS: Final = 60.0
_ANSWERED: Final = frozenset({0, 1})


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


class Report(msgspec.Struct, frozen=True):
    """The parts of the checker's report that the story shows."""

    verdict: str
    version: int
    uses: tuple[Use, ...]
    findings: tuple[Finding, ...]
    consents: tuple[Judged, ...]
    receipts: tuple[Held, ...]


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


def judge(replayed: Replayed, receipts: Sequence[Receipt], as_of: str = "") -> Report:
    """Have the checker's own program judge a replay, and the confirmations that people kept.

    Raises:
        CheckerError: if it gives no report.
    """
    command = [sys.executable, "-m", "clients.auditor", str(replayed.vault)]
    command += ["--registry", str(replayed.registry), "--json"]
    for number, receipt in enumerate(receipts, start=1):
        kept = replayed.vault.with_name(f"confirmation-{number}.json")
        kept.write_bytes(SignedRecord.of(receipt).as_file())
        command += ["--receipt", str(kept)]
    if as_of:
        command += ["--as-of", as_of]
    done = subprocess.run(  # noqa: S603 - our own program, no shell, our own arguments
        command, capture_output=True, timeout=_JUDGE_SECONDS, check=False
    )
    if done.returncode not in _ANSWERED:
        raise CheckerError(done.stderr.decode(errors="replace"))
    return msgspec.json.decode(done.stdout, type=Report)


def _write(
    path: Path, answers: Iterable[ReplayVaultResponse] | Iterable[ReplayRegistryResponse]
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
