# SPDX-License-Identifier: Apache-2.0
"""“This is wrong”: saying so of what she gave, and settling it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clients.connection import CallError
from clients.web.failure import NotThereError
from clients.web.information.piece import Piece, piece_of
from clients.web.room import Room

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response

    from clients.web.here import Here
    from vault.api.v1.evidence_pb2 import Dispute

room = Room(__name__)

LONGEST_STATEMENT: Final = 2000


@room.get("/information/{evidence_id:uuid}/wrong")
def wrong(here: Here) -> Response:
    """Ask what is wrong, in her own words."""
    piece = piece_of(here, here.path("evidence_id"))
    return _wrong_page(here, piece, (here.asked("part"),), "", is_shared=False)


@room.post("/information/{evidence_id:uuid}/wrong")
def said(here: Here) -> Response:
    """Write down what she says is wrong."""
    from vault.api.v1.evidence_service_pb2 import DisputeEvidenceRequest  # noqa: PLC0415

    piece = piece_of(here, here.path("evidence_id"))
    form, words = here.form, here.words
    known = [field.name for field in piece.evidence.fields]
    names = [name for name in known if name in form.texts("part")]
    statement, is_shared = form.text("statement"), form.has("shared")
    errors: dict[str, str] = {}
    if not names:
        errors["part"] = words("wrong.which.part")
    if not statement:
        errors["statement"] = words("wrong.why")
    elif len(statement) > LONGEST_STATEMENT:
        errors["statement"] = words("wrong.long", most=LONGEST_STATEMENT)
    if errors:
        return _wrong_page(here, piece, names, statement, is_shared=is_shared, errors=errors)
    here.vault.evidence.DisputeEvidence(
        DisputeEvidenceRequest(
            request_id=here.once,
            acting=here.acting,
            evidence_id=piece.evidence.evidence_id,
            names=names,
            statement=statement,
            is_shared=is_shared,
        )
    )
    here.tell(words("wrong.done"))
    return here.to(f"{piece.path}#wrong")


@room.get("/information/{evidence_id:uuid}/settle")
def settling(here: Here) -> Response:
    """Ask how something that was wrong is settled."""
    piece = piece_of(here, here.path("evidence_id"))
    dispute = _open_dispute(piece, here.asked("which"))
    return here.page("information/settle.html", piece=piece, dispute=dispute)


@room.post("/information/{evidence_id:uuid}/settle")
def settled(here: Here) -> Response:
    """Settle what she said is wrong."""
    from vault.api.v1 import evidence_pb2  # noqa: PLC0415
    from vault.api.v1.evidence_service_pb2 import ResolveDisputeRequest  # noqa: PLC0415

    outcomes = {
        "corrected": evidence_pb2.DISPUTE_OUTCOME_CORRECTED,
        "taken-back": evidence_pb2.DISPUTE_OUTCOME_WITHDRAWN,
    }
    piece = piece_of(here, here.path("evidence_id"))
    dispute = _open_dispute(piece, here.form.text("which"))
    outcome = outcomes.get(here.form.text("how"))
    if outcome is None:
        errors = {"how": here.words("page.needed")}
        return here.page("information/settle.html", piece=piece, dispute=dispute, errors=errors)
    try:
        here.vault.evidence.ResolveDispute(
            ResolveDisputeRequest(
                request_id=here.once,
                acting=here.acting,
                evidence_id=piece.evidence.evidence_id,
                dispute_id=dispute.dispute_id,
                outcome=outcome,
            )
        )
    except CallError as error:
        # It is as she wants it: somebody who helps her was faster.
        if error.reason != "DISPUTE_RESOLVED":
            raise
    here.tell(here.words("settle.done"))
    return here.to(piece.path)


def _wrong_page(
    here: Here,
    piece: Piece,
    names: tuple[str, ...] | list[str],
    statement: str,
    *,
    is_shared: bool,
    errors: Mapping[str, str] | None = None,
) -> Response:
    parts = [
        (field.name, piece.kind.label(field.name))
        for field in piece.evidence.fields
        if not field.is_disputed
    ]
    return here.page(
        "information/wrong.html",
        piece=piece,
        parts=parts,
        chosen=names,
        statement=statement,
        is_shared=is_shared,
        longest=LONGEST_STATEMENT,
        errors=errors,
    )


def _open_dispute(piece: Piece, dispute_id: str) -> Dispute:
    found = next((one for one in piece.open_disputes if one.dispute_id == dispute_id), None)
    if found is None:
        raise NotThereError
    return found
