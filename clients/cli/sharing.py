# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault sharing`: with whom a citizen shares; she looks at it, and stops it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from clients.cli.command import command, noun
from clients.cli.numbers import short, whole_id
from clients.cli.published import whole_list
from clients.cli.request import kept, often
from clients.cli.session import Session
from clients.cli.times import exact, last_day, moment

if TYPE_CHECKING:
    from vault.api.v1.consent_pb2 import Consent
    from vault.api.v1.consent_service_pb2 import (
        ListConsentsResponse,
    )

app = noun("Who you share with: look at it, stop it.")

STATES: Final = {1: "ACTIVE", 2: "EXPIRED", 3: "REVOKED"}
_PINNED: Final = 1

Number = Annotated[
    str, typer.Argument(metavar="NUMBER", help="As in the list; its beginning will do.")
]


@command(app, "list", for_citizens=True)
def list_sharing(session: Session) -> None:
    """Show who you share with, and whom you shared with before."""
    whole = _list(session)
    if session.output.is_json:
        session.output.message(whole)
        return
    words, published = session.words, session.published
    if not whole.consents:
        session.output.say(words("no.sharing"))
        return
    session.output.say(words("sharing"), "bold")
    session.output.table(
        [
            words("column.number"),
            words("column.who"),
            words("column.why"),
            words("column.state"),
            words("column.until"),
            words("column.used"),
        ],
        [
            (
                short(one.consent_id),
                published.who(one.service_id),
                published.purpose_title(one.purpose),
                words(f"sharing.{STATES.get(one.state, 'EXPIRED')}"),
                last_day(one.end_time, words),
                str(one.disclosure_count),
            )
            for one in whole.consents
        ],
        unbroken=(0,),
        right=(5,),
    )


@command(app, "show", for_citizens=True)
def show(session: Session, number: Number) -> None:
    """Show what somebody can see, until when, and how often they looked."""
    from vault.api.v1.consent_service_pb2 import GetConsentRequest  # noqa: PLC0415

    request = GetConsentRequest(acting=session.acting, consent_id=_id_of(session, number))
    response = session.connection.consents.GetConsent(request)
    if session.output.is_json:
        session.output.message(response)
        return
    words, published, output = session.words, session.published, session.output
    sharing = response.consent
    state = STATES.get(sharing.state, "EXPIRED")
    output.say(words("sharing.with", who=published.who(sharing.service_id)), "bold")
    output.facts(
        [
            (words("column.state"), words(f"sharing.{state}")),
            (words("stopped.on"), exact(sharing.revoke_time, words) if state == "REVOKED" else ""),
            (words("for"), published.purpose_title(sharing.purpose)),
            *terms_of(session, sharing),
            (words("used"), _used(session, sharing)),
        ]
    )
    output.heading(words("they.see" if state == "ACTIVE" else "they.saw"))
    output.facts(_parts(session, sharing))
    if state == "ACTIVE":
        output.say()
        output.say(words("to.stop", id=short(sharing.consent_id)))


@command(app, "stop", for_citizens=True)
def stop(session: Session, number: Number) -> None:
    """Stop sharing, at once. Nothing more is seen from then on."""
    from vault.api.v1.consent_service_pb2 import RevokeConsentRequest  # noqa: PLC0415

    request = RevokeConsentRequest(
        request_id=session.request_id,
        acting=session.acting,
        consent_id=_id_of(session, number),
    )
    response = session.connection.consents.RevokeConsent(request)
    if session.output.is_json:
        session.output.message(response)
        return
    words, published, output = session.words, session.published, session.output
    sharing = response.consent
    output.say(
        words(
            "stopped",
            who=published.who(sharing.service_id),
            time=exact(sharing.revoke_time, words),
        ),
        "bold",
    )
    purpose = published.purpose(sharing.purpose)
    if purpose is not None:
        output.say(published.purpose_texts(purpose).if_stopped)
    output.say(words("entry", entry=response.receipt.leaf_index) + ".")


def terms_of(session: Session, sharing: Consent) -> list[tuple[str, str]]:
    """Return until when, how often and what is kept, as they are agreed."""
    words = session.words
    modes = {item.mode for item in sharing.scope}
    versions = "versions.PINNED" if modes == {_PINNED} else "versions.FOLLOWING"
    rate = words("once") if sharing.one_time else often(sharing.frequency, words)
    return [
        (words("from"), moment(sharing.start_time, words)),
        (words("until"), last_day(sharing.end_time, words)),
        (words("how.often"), rate),
        (words("versions"), words(versions)),
        (words("kept"), kept(sharing.method, sharing.retention_days, words)),
    ]


def _parts(session: Session, sharing: Consent) -> list[tuple[str, str]]:
    rows = []
    for item in sharing.scope:
        kind = session.published.kind(item.evidence_type)
        names = kind.in_order([*item.required, *item.optional])
        rows.append((kind.title, ", ".join(kind.label(name) for name in names)))
    return rows


def _used(session: Session, sharing: Consent) -> str:
    words, count = session.words, sharing.disclosure_count
    if count == 0:
        return words("used.never")
    last = moment(sharing.last_disclosure_time, words)
    return (
        words("used.once", time=last) if count == 1 else words("used.times", count=count, time=last)
    )


def _list(session: Session) -> ListConsentsResponse:
    from vault.api.v1.consent_service_pb2 import ListConsentsRequest  # noqa: PLC0415

    request = ListConsentsRequest(acting=session.acting)
    whole: ListConsentsResponse = whole_list(
        session.connection.consents.ListConsents, request, "consents"
    )
    return whole


def _id_of(session: Session, number: str) -> str:
    return whole_id(
        number, lambda: [one.consent_id for one in _list(session).consents], session.words
    )
