# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault request`: who asks a citizen; she opens their links, looks, and says no."""

from __future__ import annotations

import urllib.parse
import uuid
from typing import TYPE_CHECKING, Annotated

import typer

from clients.cli import answer
from clients.cli.asked import all_requests, show_request, state_of
from clients.cli.command import command, noun
from clients.cli.deciding import refused
from clients.cli.each import each_of
from clients.cli.errors import UsageError
from clients.cli.numbers import short, whole_id
from clients.cli.output import as_json
from clients.cli.past import AsOf, state_as_of
from clients.cli.session import Session
from clients.wording.times import moment

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clients.wording.words import Words
    from vault.api.v1.consent_pb2 import ConsentRequest
    from vault.api.v1.consent_service_pb2 import ClaimRequestResponse

app = noun("Who is asking to see your information, and why.")
app.add_typer(answer.top)

Number = Annotated[
    str, typer.Argument(metavar="NUMBER", help="As in the list; its beginning will do.")
]


@command(app, "open", for_citizens=True)
def open_request(
    session: Session,
    link: Annotated[
        list[str],
        typer.Argument(metavar="LINK...", help="The link that they gave you; several if you like."),
    ],
) -> None:
    """Open the link of somebody who asks, and see what they ask. Nothing is shared."""

    def claim(one: str) -> None:
        response = _claim(session, one)
        if session.output.is_json:
            answers.append(as_json(response))
            return
        show_request(session, response.consent_request)
        _say_way_back(session, response)

    answers: list[object] = []
    try:
        each_of(session, link, claim)
    finally:
        if answers:
            session.output.json(answers if len(link) > 1 else answers[0])


@command(app, "list", for_citizens=True)
def list_requests(
    session: Session,
    *,
    waiting: Annotated[
        bool, typer.Option("--waiting", help="Only those that wait for your answer.")
    ] = False,
    as_of: AsOf = "",
) -> None:
    """Show who is asking, and who asked before."""
    if as_of:
        past = state_as_of(session, as_of)
        if past is not None:
            _say_requests(session, reversed(past.consent_requests))
        return
    whole = all_requests(session, only_waiting=waiting)
    if session.output.is_json:
        session.output.message(whole)
        return
    _say_requests(session, whole.consent_requests)


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


@command(app, "refuse", for_citizens=True)
def refuse(
    session: Session,
    number: Annotated[
        list[str],
        typer.Argument(metavar="NUMBER...", help="As in the list; several if you like."),
    ],
) -> None:
    """Say no to somebody who asks. They learn that, and nothing else."""

    def say_no(one: str) -> None:
        response = refused(session, request_id_of(session, one))
        if session.output.is_json:
            answers.append(as_json(response))

    answers: list[object] = []
    try:
        each_of(session, number, say_no)
    finally:
        if answers:
            session.output.json(answers if len(number) > 1 else answers[0])


def request_id_of(session: Session, number: str) -> str:
    """Return the id of a request by the number that was typed."""
    return whole_id(
        number,
        lambda: [one.consent_request_id for one in all_requests(session).consent_requests],
        session.words,
    )


def _claim(session: Session, link: str) -> ClaimRequestResponse:
    from vault.api.v1.consent_service_pb2 import ClaimRequestRequest  # noqa: PLC0415

    request = ClaimRequestRequest(
        request_id=str(uuid.uuid4()),
        acting=session.acting,
        handoff_token=_token_of(link, session.words),
    )
    response: ClaimRequestResponse = session.opening_place(
        session.connection.consents.ClaimRequest, request
    )
    return response


def _say_requests(session: Session, found: Iterable[ConsentRequest]) -> None:
    words, published = session.words, session.published
    listed = list(found)
    if not listed:
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
                state_of(session, one),
            )
            for one in listed
        ],
        unbroken=(0,),
    )


def _say_way_back(session: Session, response: ClaimRequestResponse) -> None:
    words, output = session.words, session.output
    if not response.code:
        return
    output.say()
    if not response.return_uri:
        output.line(words("give.code", code=response.code))
        return
    query = urllib.parse.urlencode({"code": response.code, "state": response.state})
    joint = "&" if "?" in response.return_uri else "?"
    output.say(words("go.back"))
    output.line(f"{response.return_uri}{joint}{query}")


def _token_of(link: str, words: Words) -> str:
    """Return the secret part of a hand-off link: its last piece, wherever it stands in it."""
    try:
        parts = urllib.parse.urlsplit(link.strip())
    except ValueError:
        raise UsageError(words("wrong.link")) from None
    query = urllib.parse.parse_qs(parts.fragment or parts.query)
    named = [values[0] for name, values in query.items() if name in {"token", "handoff_token"}]
    token = named[0] if named else parts.fragment or parts.path.rstrip("/").rpartition("/")[2]
    if not token:
        raise UsageError(words("wrong.link"))
    return token
