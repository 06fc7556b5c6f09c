# SPDX-License-Identifier: Apache-2.0
"""All that she gave; one thing of it; who still has what was before; keeping it specially safe."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

from clients.web.information.holders import old_holders, organisations, sharings_with
from clients.web.information.piece import ADDRESS, Piece, closed_piece, open_piece, piece_of
from clients.web.room import Room
from clients.wording.times import day

if TYPE_CHECKING:
    from starlette.responses import Response

    from clients.web.here import Here
    from clients.wording.published import Kind

room = Room(__name__)

_ON_A_PAGE: Final = 25
_HIGHEST_REVISION: Final = 1_000_000


@room.get("/information")
def information(here: Here) -> Response:
    """Return all that she gave, by kind."""
    from vault.api.v1.evidence_service_pb2 import ListEvidenceRequest  # noqa: PLC0415

    listed = here.vault.evidence.ListEvidence(
        ListEvidenceRequest(
            acting=here.acting, page_size=_ON_A_PAGE, page_token=here.asked("page")[:1024]
        )
    )
    # Each look of somebody who helps is written down: one for the list is enough.
    pieces = [
        _listed(here, one) if not here.is_assisted else Piece(here, _alone(one), is_open=False)
        for one in listed.evidence
    ]
    by_kind: dict[str, list[Piece]] = {}
    for piece in pieces:
        by_kind.setdefault(piece.evidence.evidence_type, []).append(piece)
    kinds: list[tuple[Kind, list[Piece]]] = sorted(
        ((here.published.kind(name), found) for name, found in by_kind.items()),
        key=lambda one: one[0].title.casefold(),
    )
    return here.page(
        "information/information.html",
        kinds=kinds,
        next_page=listed.next_page_token,
        is_first=not here.asked("page"),
    )


@room.get("/information/{evidence_id:uuid}")
def piece(here: Here) -> Response:
    """Return one thing that she gave: its values, who has it, and what can be done."""
    revision = here.asked("version")
    number = int(revision) if revision.isascii() and revision.isdecimal() else 0
    found = piece_of(here, here.path("evidence_id"), revision=min(number, _HIGHEST_REVISION))
    now = closed_piece(here, here.path("evidence_id")) if number else found
    is_old = found.evidence.revision != now.evidence.revision
    return here.page(
        "information/piece.html",
        piece=found,
        newest=now.evidence.revision,
        is_old=is_old,
        issued=_issued(here, found),
        holders=found.found.holders,
        sharing=_may_see(here, found),
        **_old(here, now),
    )


def _issued(here: Here, piece: Piece) -> str:
    text = piece.evidence.issued_date
    return day(dt.date.fromisoformat(text), here.words) if text else ""


@room.get("/information/{evidence_id:uuid}/changed")
def changed(here: Here) -> Response:
    """Return who still has what was before, and what she can do about each."""
    found = closed_piece(here, here.path("evidence_id"))
    return here.page("information/changed.html", piece=found, **_old(here, found))


@room.get("/information/{evidence_id:uuid}/protect")
def protection(here: Here) -> Response:
    """Say what it means to keep something specially safe, and let her choose."""
    return here.page("information/protect.html", piece=closed_piece(here, here.path("evidence_id")))


@room.post("/information/{evidence_id:uuid}/protect")
def protect(here: Here) -> Response:
    """Keep something specially safe, or no longer."""
    from vault.api.v1.evidence_service_pb2 import ProtectEvidenceRequest  # noqa: PLC0415

    is_protected = here.form.text("protected") == "yes"
    found = closed_piece(here, here.path("evidence_id"))
    here.vault.evidence.ProtectEvidence(
        ProtectEvidenceRequest(
            request_id=here.once,
            acting=here.acting,
            evidence_id=found.evidence.evidence_id,
            is_protected=is_protected,
        )
    )
    here.tell(here.words("protected.done" if is_protected else "protected.no.more"))
    return here.to(found.path)


def _listed(here: Here, one: Any) -> Piece:
    get = closed_piece if one.is_protected else open_piece
    return get(here, one.evidence_id)


def _alone(one: Any) -> Any:
    from vault.api.v1.evidence_service_pb2 import GetEvidenceResponse  # noqa: PLC0415

    return GetEvidenceResponse(evidence=one)


def _may_see(here: Here, found: Piece) -> list[Any]:
    from vault.api.v1 import consent_pb2  # noqa: PLC0415

    states = {consent_pb2.CONSENT_STATE_ACTIVE, consent_pb2.CONSENT_STATE_PAUSED}
    shared = sharings_with(here, found.evidence.evidence_id)
    return [sharing for sharing in shared if sharing.state in states]


def _old(here: Here, found: Piece) -> dict[str, Any]:
    holders = old_holders(here, found)
    return {
        "old": holders,
        "old_count": organisations(here, holders),
        "has_moved": found.evidence.evidence_type == ADDRESS,
    }
