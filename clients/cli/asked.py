# SPDX-License-Identifier: Apache-2.0
"""What somebody asks, as a citizen reads it: who, why, whose choice it is, and what if not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clients.cli.numbers import short
from clients.cli.pieces import pieces
from clients.wording.published import whole_list
from clients.wording.terms import asked_terms, law, whose_choice
from clients.wording.times import moment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clients.cli.session import Session
    from vault.api.v1.consent_pb2 import ConsentRequest
    from vault.api.v1.consent_service_pb2 import ListRequestsResponse
    from vault.api.v1.evidence_pb2 import Evidence
    from vault.api.v1.registry_pb2 import PurposeTexts

REQUEST_STATES: Final = {1: "PENDING", 2: "GRANTED", 3: "EXPIRED", 4: "REFUSED", 5: "CANCELLED"}


def all_requests(session: Session, *, only_waiting: bool = False) -> ListRequestsResponse:
    """Return who asks and who asked, newest first."""
    from vault.api.v1.consent_service_pb2 import ListRequestsRequest  # noqa: PLC0415

    request = ListRequestsRequest(acting=session.acting, only_pending=only_waiting)
    whole: ListRequestsResponse = whole_list(
        session.connection.consents.ListRequests, request, "consent_requests"
    )
    return whole


def is_waiting(asked: ConsentRequest) -> bool:
    """Say whether a request waits for her answer."""
    return REQUEST_STATES.get(asked.state) == "PENDING"


def texts_of(session: Session, purpose: str) -> PurposeTexts | None:
    """Return the texts of a purpose by "code@version", in her language."""
    found = session.published.purpose(purpose)
    return session.published.purpose_texts(found) if found else None


def show_request(session: Session, asked: ConsentRequest, *, tells_how: bool = True) -> None:
    """Print who asks, why, whose choice it is, what, until when, and what if she says no.

    Args:
        tells_how: end with the commands that answer it.
    """
    words, output = session.words, session.output
    is_open = is_waiting(asked)
    who = session.published.who(asked.service_id)
    output.say(words("asking" if is_open else "asked", who=who), "bold")
    purpose = session.published.purpose(asked.purpose)
    texts = texts_of(session, asked.purpose)
    if texts is not None:
        output.facts(
            [
                (words("for"), texts.title),
                (words("why"), texts.why),
                (words("needed.by"), texts.needed_by),
                (words("choice"), whose_choice(asked.decision_form, words)),
                (words("if.refused"), texts.if_refused),
                (words("if.stopped"), texts.if_stopped),
                (words("other.ways"), texts.other_ways),
                (words("help.line"), texts.help_line),
            ]
        )
        output.say()
    output.facts(
        [
            *asked_terms(asked, words),
            (words("law"), law(purpose.bounds.legal_basis, words) if purpose else ""),
            (words("answer.by"), moment(asked.expire_time, words) if is_open else ""),
            (words("column.state"), "" if is_open else state_of(session, asked)),
        ]
    )
    output.heading(words("they.ask"))
    _say_parts(session, asked)
    if is_open:
        output.say(words("nothing.chosen"))
    if is_open and tells_how:
        output.say(words("to.answer", id=short(asked.consent_request_id)))


def state_of(session: Session, asked: ConsentRequest) -> str:
    """Return what became of a request."""
    return session.words(f"request.{REQUEST_STATES.get(asked.state, 'EXPIRED')}")


def say_if_not(session: Session, asked: ConsentRequest) -> None:
    """Print what happens now that she said no, and what she can do instead."""
    words = session.words
    texts = texts_of(session, asked.purpose)
    if texts is not None:
        session.output.facts(
            [
                (words("if.refused.now"), texts.if_refused),
                (words("other.ways"), texts.other_ways),
                (words("help.line"), texts.help_line),
            ]
        )


def _say_parts(session: Session, asked: ConsentRequest) -> None:
    words, published = session.words, session.published
    yours: dict[str, list[Evidence]] = {}
    for piece in pieces(session).evidence:
        yours.setdefault(piece.evidence_type, []).append(piece)
    for scope in asked.scope:
        kind = published.kind(scope.evidence_type)
        session.output.say(f"{kind.title} ({scope.evidence_type})")
        session.output.table(
            [
                words("column.part"),
                words("column.needed"),
                words("column.yours"),
                words("column.choose"),
            ],
            [
                (
                    kind.label(name),
                    words("needed.yes" if name in scope.required else "needed.no"),
                    _has(session, yours, scope.evidence_type, name),
                    name,
                )
                for name in kind.in_order([*scope.required, *scope.optional])
            ],
            unbroken=(1,),
        )


def _has(
    session: Session, yours: Mapping[str, list[Evidence]], evidence_type: str, name: str
) -> str:
    words = session.words
    fields = [
        field
        for piece in yours.get(evidence_type, ())
        for field in piece.fields
        if field.name == name
    ]
    if not fields:
        return words("have.no")
    return words("have.disputed" if any(field.is_disputed for field in fields) else "have.yes")
