# SPDX-License-Identifier: Apache-2.0
"""What a citizen has added: the list of it, one piece, what she says is wrong, and who holds it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from clients.cli.numbers import short, whole_id
from clients.wording.published import whole_list
from clients.wording.terms import labels
from clients.wording.times import date_of, moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clients.cli.session import Session
    from vault.api.v1.evidence_pb2 import Dispute, Evidence, EvidenceHolder
    from vault.api.v1.evidence_service_pb2 import GetEvidenceResponse, ListEvidenceResponse

SOURCES: Final = {1: "self", 2: "document", 3: "issuer"}
CARES: Final = {1: "ordinary", 2: "sensitive", 3: "special"}

Revision = Annotated[
    int,
    typer.Option(
        "--revision", min=0, max=1_000_000, help="An older version, by its number from 1."
    ),
]
Number = Annotated[
    str, typer.Argument(metavar="NUMBER", help="As in the list; its beginning will do.")
]


def pieces(session: Session) -> ListEvidenceResponse:
    """Return the list of everything she added."""
    from vault.api.v1.evidence_service_pb2 import ListEvidenceRequest  # noqa: PLC0415

    request = ListEvidenceRequest(acting=session.acting)
    whole: ListEvidenceResponse = whole_list(
        session.connection.evidence.ListEvidence, request, "evidence"
    )
    return whole


def piece_of(session: Session, number: str, revision: int = 0) -> GetEvidenceResponse:
    """Return one piece by the number that was typed; revision 0 is the current one."""
    from vault.api.v1.evidence_service_pb2 import GetEvidenceRequest  # noqa: PLC0415

    request = GetEvidenceRequest(
        acting=session.acting, evidence_id=id_of(session, number), revision=revision
    )
    return session.connection.evidence.GetEvidence(request)


def piece_values(session: Session, evidence_id: str) -> Any:
    """Return what one piece says, by the names of its parts."""
    return json.loads(piece_of(session, evidence_id).evidence.values)


def id_of(session: Session, number: str, evidence_type: str = "") -> str:
    """Return the id of a piece by the number that was typed; of one kind only, if it is named."""
    return whole_id(
        number,
        lambda: [
            piece.evidence_id
            for piece in pieces(session).evidence
            if evidence_type in {"", piece.evidence_type}
        ],
        session.words,
    )


def open_disputes(piece: Evidence) -> list[Dispute]:
    """Return what she says is wrong in it, as far as it is not settled."""
    return [dispute for dispute in piece.disputes if not dispute.HasField("resolve_time")]


def say_disputes(session: Session, piece: Evidence) -> None:
    """Print what she says is wrong, in her words, and how to settle it."""
    words, output = session.words, session.output
    found = open_disputes(piece)
    for dispute in found:
        output.say()
        parts = labels(session, piece.evidence_type, dispute.names)
        output.say(words("wrong.you.said", parts=parts, date=date_of(dispute.dispute_time, words)))
        if dispute.statement:
            output.say(f"  {words('quoted', text=dispute.statement)}")
        output.say(f"  {words('wrong.travels' if dispute.is_shared else 'wrong.stays')}")
    if found:
        output.say(words("to.settle", id=short(piece.evidence_id)))


def say_holders(
    session: Session, heading: str, piece: Evidence, holders: Sequence[EvidenceHolder]
) -> None:
    """Print which services have which version; nothing where nobody has any."""
    if not holders:
        return
    words, published, output = session.words, session.published, session.output
    output.heading(heading)
    output.table(
        [
            words("column.who.why"),
            words("column.parts"),
            words("column.version"),
            words("column.when.last"),
        ],
        [
            (
                f"{published.who(holder.service_id)}\n{published.purpose_title(holder.purpose)}",
                labels(session, piece.evidence_type, holder.names),
                words(
                    "version.now" if holder.is_current else "version.old", number=holder.revision
                ),
                moment(holder.last_disclosure_time, words),
            )
            for holder in holders
        ],
    )
