# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault audit`: an auditor streams history into a file and asks for the state at a moment.

The file is JSON lines, one record a line, exactly as stored: what `citizen-vault-auditor` reads.
Judging it is left to that program, which shares no code with this one. One disclosure is explained
in `audit_explain.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Final

import typer

from clients.cli.command import command, noun
from clients.cli.errors import CommandError, UsageError
from clients.cli.files import must_be_new, new_file
from clients.cli.output import console
from clients.cli.service_views import spoken
from clients.cli.session import Session
from clients.cli.times import is_typed_time, moment_of
from clients.export.form import line_of
from clients.receipts import b64
from clients.wording.times import utc

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.protobuf.timestamp_pb2 import Timestamp

    from vault.api.v1.audit_pb2 import EvidenceState, VaultState
    from vault.api.v1.audit_service_pb2 import CaughtUp

app = noun("For auditors: replay history into a file, see what was true at a moment.")

REPLAY_SECONDS: Final = 3600.0

VaultId = Annotated[str, typer.Option("--vault", metavar="VAULT_ID")]
AsOf = Annotated[
    str,
    typer.Option(
        "--as-of",
        metavar="TIME|TOKEN",
        help="A day, a time, or a position token; without it, everything until now.",
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
    token, time = _moment(session, as_of)
    if is_registry and time is not None:
        raise UsageError("The registry is replayed up to a token, not a time.", "--as-of TOKEN")
    must_be_new(out)
    audits = session.connection.audits
    # Begun when the file is open: a look is recorded, and should not be in vain.
    with new_file(out) as file:
        if is_registry:
            of_registry = ReplayRegistryRequest(as_of_token=token)
            caught_up = _copy(audits.ReplayRegistry(of_registry, timeout=REPLAY_SECONDS), file)
        else:
            of_vault = ReplayVaultRequest(
                vault_id=vault, as_of_token=token, as_of_time=time, case_ref=case
            )
            caught_up = _copy(audits.ReplayVault(of_vault, timeout=REPLAY_SECONDS), file)
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

    token, time = _moment(session, as_of)
    response = session.connection.audits.GetVaultState(
        GetVaultStateRequest(vault_id=vault, as_of_token=token, as_of_time=time, case_ref=case)
    )
    if session.output.is_json:
        session.output.message(response)
        return
    _show_state(session, response.state)


def _moment(session: Session, typed: str) -> tuple[str, Timestamp | None]:
    """Return what was typed after `--as-of`, as a token or a time."""
    if is_typed_time(typed):
        return "", moment_of(typed, session.words)
    return typed, None


def _show_state(session: Session, found: VaultState) -> None:
    from vault.api.v1.consent_pb2 import ConsentRequestState, ConsentState  # noqa: PLC0415

    session.output.facts(
        [
            ("Vault", found.vault_id),
            ("As of", utc(found.as_of_time)),
            ("Events", str(found.version)),
            ("Last leaf", b64(found.leaf_hash)),
            ("Opened", utc(found.open_time)),
            ("Last event", utc(found.last_time)),
        ]
    )
    session.output.table(
        ["Evidence, type", "Revision", "Since"],
        [
            (
                f"{piece.evidence_id}\n{piece.evidence_type}{_disputed(piece)}",
                str(piece.revision),
                _stacked(piece.update_time),
            )
            for piece in found.evidence
        ],
        unbroken=(0, 2),
        right=(1,),
    )
    session.output.table(
        ["Request, purpose", "State", "Asked"],
        [
            (
                f"{asked.consent_request_id}\n{asked.purpose}",
                spoken(ConsentRequestState.Name(asked.state), "CONSENT_REQUEST_STATE_"),
                _stacked(asked.request_time),
            )
            for asked in found.consent_requests
        ],
        unbroken=(1, 2),
    )
    session.output.table(
        ["Consent, purpose", "State", "Until", "Fetched"],
        [
            (
                f"{consent.consent_id}\n{consent.purpose}",
                spoken(ConsentState.Name(consent.state), "CONSENT_STATE_"),
                _stacked(consent.end_time),
                str(consent.disclosure_count),
            )
            for consent in found.consents
        ],
        unbroken=(1, 2),
        right=(3,),
    )


def _disputed(piece: EvidenceState) -> str:
    names = ", ".join(piece.disputed_names)
    return f"\ndisputed: {names}" if names else ""


def _stacked(time: Timestamp) -> str:
    """Return a time in two lines: beside two ids there is no room for one."""
    return utc(time).replace("T", "\n")


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
