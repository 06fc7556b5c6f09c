# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault information protect` and `unprotect`: what nobody is to see over her shoulder."""

from __future__ import annotations

import typer

from clients.cli.command import command
from clients.cli.pieces import Number, id_of
from clients.cli.session import Session

top = typer.Typer()


@command(top, "protect", for_citizens=True)
def protect(session: Session, number: Number) -> None:
    """Protect something: what it says is shown only after you signed in just now."""
    _protect(session, number, is_protected=True)


@command(top, "unprotect", for_citizens=True)
def unprotect(session: Session, number: Number) -> None:
    """Protect it no more. You sign in again for it."""
    _protect(session, number, is_protected=False)


def _protect(session: Session, number: str, *, is_protected: bool) -> None:
    from vault.api.v1.evidence_service_pb2 import ProtectEvidenceRequest  # noqa: PLC0415

    response = session.connection.evidence.ProtectEvidence(
        ProtectEvidenceRequest(
            request_id=session.request_id,
            acting=session.acting,
            evidence_id=id_of(session, number),
            is_protected=is_protected,
        )
    )
    if session.output.is_json:
        session.output.message(response)
        return
    session.output.say(session.words("protected" if is_protected else "unprotected"))
