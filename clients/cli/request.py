# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault request`: who asks a citizen, why, for what, and what if she says no."""

from __future__ import annotations

import urllib.parse
from typing import TYPE_CHECKING, Annotated, Final

import typer

from clients.cli.command import command, noun
from clients.cli.errors import UsageError
from clients.cli.information import pieces
from clients.cli.numbers import short, whole_id
from clients.cli.published import whole_list
from clients.cli.session import Session
from clients.cli.times import last_day, moment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clients.cli.words import Words
    from vault.api.v1.consent_pb2 import ConsentRequest, Frequency
    from vault.api.v1.consent_service_pb2 import ClaimRequestResponse, ListRequestsResponse
    from vault.api.v1.evidence_pb2 import Evidence
    from vault.api.v1.registry_pb2 import Purpose

app = noun("Who is asking to see your information, and why.")

REQUEST_STATES: Final = {1: "PENDING", 2: "GRANTED", 3: "EXPIRED"}
_VIEW: Final = 1
_HOUR: Final = 3600
_DAY: Final = 24 * _HOUR

Number = Annotated[
    str, typer.Argument(metavar="NUMBER", help="As in the list; its beginning will do.")
]


@command(app, "open", for_citizens=True)
def open_request(
    session: Session,
    link: Annotated[str, typer.Argument(metavar="LINK", help="The link that they gave you.")],
) -> None:
    """Open the link of somebody who asks, and see what they ask. Nothing is shared."""
    from vault.api.v1.consent_service_pb2 import ClaimRequestRequest  # noqa: PLC0415

    request = ClaimRequestRequest(
        request_id=session.request_id,
        acting=session.acting,
        handoff_token=_token_of(link, session.words),
    )
    response = session.opening_place(session.connection.consents.ClaimRequest, request)
    if session.output.is_json:
        session.output.message(response)
        return
    show_request(session, response.consent_request)
    _say_way_back(session, response)


@command(app, "list", for_citizens=True)
def list_requests(session: Session) -> None:
    """Show who is asking, and who asked before."""
    whole = _list(session)
    if session.output.is_json:
        session.output.message(whole)
        return
    words, published = session.words, session.published
    if not whole.consent_requests:
        session.output.say(words("no.requests"))
        return
    session.output.say(words("requests"), "bold")
    session.output.table(
        [
            words("column.number"),
            words("column.who"),
            words("column.why"),
            words("column.when"),
            words("column.state"),
        ],
        [
            (
                short(one.consent_request_id),
                published.who(one.service_id),
                published.purpose_title(one.purpose),
                moment(one.request_time, words),
                words(f"request.{REQUEST_STATES.get(one.state, 'EXPIRED')}"),
            )
            for one in whole.consent_requests
        ],
        unbroken=(0,),
    )


@command(app, "show", for_citizens=True)
def show(session: Session, number: Number) -> None:
    """Show what somebody asks, why, until when, and what happens if you say no."""
    from vault.api.v1.consent_service_pb2 import GetRequestRequest  # noqa: PLC0415

    request = GetRequestRequest(
        acting=session.acting, consent_request_id=request_id_of(session, number)
    )
    response = session.connection.consents.GetRequest(request)
    if session.output.is_json:
        session.output.message(response)
        return
    show_request(session, response.consent_request)


def request_id_of(session: Session, number: str) -> str:
    """Return the id of a request by the number that was typed."""
    return whole_id(
        number,
        lambda: [one.consent_request_id for one in _list(session).consent_requests],
        session.words,
    )


def show_request(session: Session, asked: ConsentRequest) -> None:
    """Print who asks, why, what, until when, and what happens if she says no."""
    words, published, output = session.words, session.published, session.output
    is_open = REQUEST_STATES.get(asked.state) == "PENDING"
    who = published.who(asked.service_id)
    output.say(words("asking" if is_open else "asked", who=who), "bold")
    purpose = published.purpose(asked.purpose)
    texts = published.purpose_texts(purpose) if purpose else None
    if texts is not None:
        output.facts(
            [
                (words("for"), texts.title),
                (words("why"), texts.why),
                (words("needed.by"), texts.needed_by),
                (words("if.refused"), texts.if_refused),
                (words("if.stopped"), texts.if_stopped),
                (words("other.ways"), texts.other_ways),
                (words("help.line"), texts.help_line),
            ]
        )
    output.say()
    age = words("too.old", days=asked.largest_age_days) if asked.largest_age_days else ""
    output.facts(
        [
            (words("until"), words("until.latest", time=last_day(asked.end_time, words))),
            (words("how.often"), how_often(asked, words)),
            (words("age"), age),
            (words("kept"), kept(asked.method, asked.retention_days, words)),
            (words("law"), _law(purpose, words) if purpose else ""),
            (words("answer.by"), moment(asked.expire_time, words) if is_open else ""),
        ]
    )
    output.heading(words("they.ask"))
    _say_asked_parts(session, asked)
    if is_open:
        output.say(words("nothing.chosen"))
        output.say(words("to.answer", id=short(asked.consent_request_id)))


def how_often(asked: ConsentRequest, words: Words) -> str:
    """Return how often they would look."""
    return often(asked.frequency, words) if asked.HasField("frequency") else words("once")


def often(frequency: Frequency, words: Words) -> str:
    """Return a frequency in days, or hours where it is no whole number of days."""
    if frequency.count == 0:
        return words("once")
    days, seconds = divmod(frequency.period_seconds, _DAY)
    if seconds:
        period = words("often.hours", hours=max(frequency.period_seconds // _HOUR, 1))
    else:
        period = words("often.daily") if days == 1 else words("often.days", days=days)
    count = words("once") if frequency.count == 1 else words("often.times", count=frequency.count)
    return words("often", count=count, period=period)


def kept(method: int, days: int, words: Words) -> str:
    """Return what they keep, and how long."""
    return words("keep.view") if method == _VIEW else words("keep.days", days=days)


def _law(purpose: Purpose, words: Words) -> str:
    from vault.api.v1.registry_pb2 import LegalBasisCode  # noqa: PLC0415

    basis = purpose.bounds.legal_basis
    name = LegalBasisCode.Name(basis.code).removeprefix("LEGAL_BASIS_CODE_")
    text = words.maybe(f"law.{name}")
    return f"{text} ({basis.statute})" if basis.statute else text


def _say_asked_parts(session: Session, asked: ConsentRequest) -> None:
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
                    words("have.yes" if _has(yours, scope.evidence_type, name) else "have.no"),
                    name,
                )
                for name in kind.in_order([*scope.required, *scope.optional])
            ],
            unbroken=(1, 2),
        )


def _has(yours: Mapping[str, list[Evidence]], evidence_type: str, name: str) -> bool:
    return any(
        name == field.name for piece in yours.get(evidence_type, ()) for field in piece.fields
    )


def _say_way_back(session: Session, response: ClaimRequestResponse) -> None:
    words, output = session.words, session.output
    output.say()
    if not response.return_uri:
        output.say(words("give.code", code=response.code))
        return
    query = urllib.parse.urlencode({"code": response.code, "state": response.state})
    joint = "&" if "?" in response.return_uri else "?"
    output.say(words("go.back"))
    output.line(f"{response.return_uri}{joint}{query}")


def _list(session: Session) -> ListRequestsResponse:
    from vault.api.v1.consent_service_pb2 import ListRequestsRequest  # noqa: PLC0415

    request = ListRequestsRequest(acting=session.acting)
    whole: ListRequestsResponse = whole_list(
        session.connection.consents.ListRequests, request, "consent_requests"
    )
    return whole


def _token_of(link: str, words: Words) -> str:
    """Return the secret part of a hand-off link: its last piece, wherever it stands in it."""
    parts = urllib.parse.urlsplit(link.strip())
    query = urllib.parse.parse_qs(parts.fragment or parts.query)
    named = [values[0] for name, values in query.items() if name in {"token", "handoff_token"}]
    token = named[0] if named else parts.fragment or parts.path.rstrip("/").rpartition("/")[2]
    if not token:
        raise UsageError(words("wrong.link"))
    return token
