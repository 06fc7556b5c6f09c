# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault audit`: an auditor streams history into a file and asks for the state at a moment.

The file is JSON lines, one record a line, exactly as stored: what `citizen-vault-auditor` reads.
Judging it is left to that program, which shares no code with this one.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Final

import typer

from clients.cli.command import command, noun
from clients.cli.errors import CommandError, UsageError
from clients.cli.output import console
from clients.cli.service_views import spoken
from clients.cli.session import Session
from clients.cli.times import utc
from clients.receipts import b64

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from google.protobuf.timestamp_pb2 import Timestamp

    from vault.api.v1.audit_service_pb2 import CaughtUp
    from vault.api.v1.log_pb2 import Record

app = noun("For auditors: replay history into a file, see what was true at a moment.")

REPLAY_SECONDS: Final = 3600.0

VaultId = Annotated[str, typer.Option("--vault", metavar="VAULT_ID")]
AsOf = Annotated[
    str,
    typer.Option(
        "--as-of", metavar="TOKEN", help="A position token; without it, everything until now."
    ),
]
CaseRef = Annotated[str, typer.Option("--case", metavar="REF", help="Your case.")]


@command(app, "replay")
def replay(
    session: Session,
    *,
    out: Annotated[str, typer.Option("--out", metavar="FILE", help="A new file.")],
    vault: VaultId = "",
    is_registry: Annotated[
        bool, typer.Option("--registry", help="The history of the registry instead of a vault's.")
    ] = False,
    as_of: AsOf = "",
    case: CaseRef = "",
) -> None:
    """Write the history of one vault, or of the registry, to a file, exactly as stored.

    A look at a vault is itself recorded in it before anything is sent.
    """
    from vault.api.v1.audit_service_pb2 import (  # noqa: PLC0415
        ReplayRegistryRequest,
        ReplayVaultRequest,
    )

    if bool(vault) == is_registry:
        raise UsageError("Say which history.", "--vault VAULT_ID, or --registry")
    if Path(out).exists():
        raise UsageError(f"{out} is there already.", "Name another file.")
    audits = session.connection.audits

    def begin() -> Iterable[Any]:
        if is_registry:
            of_registry = ReplayRegistryRequest(as_of_token=as_of)
            return audits.ReplayRegistry(of_registry, timeout=REPLAY_SECONDS)
        of_vault = ReplayVaultRequest(vault_id=vault, as_of_token=as_of, case_ref=case)
        return audits.ReplayVault(of_vault, timeout=REPLAY_SECONDS)

    caught_up = _write_whole(Path(out), begin)
    if session.output.is_json:
        session.output.message(caught_up)
        return
    session.output.facts(
        [
            ("Written", out),
            ("Records", str(caught_up.record_count)),
            ("As of", caught_up.position_token),
        ]
    )


@command(app, "state")
def state(
    session: Session,
    *,
    vault: Annotated[str, typer.Option("--vault", metavar="VAULT_ID")],
    as_of: AsOf = "",
    case: CaseRef = "",
) -> None:
    """Show what was true of a vault, in pseudonyms and digests. The look is recorded in it."""
    from vault.api.v1.audit_service_pb2 import GetVaultStateRequest  # noqa: PLC0415
    from vault.api.v1.consent_pb2 import ConsentState  # noqa: PLC0415

    response = session.connection.audits.GetVaultState(
        GetVaultStateRequest(vault_id=vault, as_of_token=as_of, case_ref=case)
    )
    if session.output.is_json:
        session.output.message(response)
        return
    found = response.state
    session.output.facts(
        [
            ("Vault", found.vault_id),
            ("Events", str(found.version)),
            ("Last leaf", b64(found.leaf_hash)),
            ("Opened", utc(found.open_time)),
            ("Last event", utc(found.last_time)),
        ]
    )
    session.output.table(
        ["Evidence", "Type", "Revision", "Since"],
        [
            (
                piece.evidence_id,
                piece.evidence_type,
                str(piece.revision),
                _stacked(piece.update_time),
            )
            for piece in found.evidence
        ],
        unbroken=(0, 1),
        right=(2,),
    )
    session.output.table(
        ["Consent", "State", "Purpose", "Until", "Fetched"],
        [
            (
                consent.consent_id,
                spoken(ConsentState.Name(consent.state), "CONSENT_STATE_"),
                consent.purpose,
                _stacked(consent.end_time),
                str(consent.disclosure_count),
            )
            for consent in found.consents
        ],
        unbroken=(0,),
        right=(4,),
    )


def line_of(record: Record) -> bytes:
    """Return a record's line in the export file."""
    line = {
        "leaf_index": record.leaf_index,
        "stream_id": record.stream_id,
        "version": record.version,
        "entry": b64(record.entry),
        "link": _text(record.link),
        "facts": _text(record.facts),
    }
    return json.dumps(line, separators=(",", ":")).encode("ascii") + b"\n"


def _stacked(time: Timestamp) -> str:
    """Return a time in two lines: beside two ids there is no room for one."""
    return utc(time).replace("T", "\n")


def _write_whole(path: Path, begin: Callable[[], Iterable[Any]]) -> CaughtUp:
    """Write a replay beside its place and move it there once all of it has come.

    It begins when the file is open: a look is recorded, and should not be in vain.
    """
    partial = path.with_name(f"{path.name}.part")
    try:
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        raise UsageError(f"{partial} cannot be written: {error.strerror}.") from None
    try:
        with os.fdopen(handle, "wb") as file:
            caught_up = _copy(begin(), file)
        partial.rename(path)
    except BaseException:
        partial.unlink()
        raise
    return caught_up


def _copy(stream: Iterable[Any], file: BinaryIO) -> CaughtUp:
    count = 0
    with console(is_error=True).status("Replaying ...") as status:
        for response in stream:
            if response.HasField("caught_up"):
                caught_up: CaughtUp = response.caught_up
                if caught_up.record_count != count:
                    raise CommandError(
                        f"{caught_up.record_count} records were announced and {count} came.",
                        "Nothing was written. Try again; if it stays so, that is a finding.",
                    )
                return caught_up
            file.write(line_of(response.record))
            count += 1
            if count % 100 == 0:
                status.update(f"Replaying ... {count:,} records")
    raise CommandError(
        "The replay broke off before it had caught up.", "Nothing was written. Try again."
    )


def _text(stored: bytes) -> str:
    # What somebody tampered with must still reach the auditor, who finds that it does not hash.
    return stored.decode("utf-8", "backslashreplace")
