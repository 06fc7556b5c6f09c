# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault sharing`: with whom a citizen shares; she looks at it, pauses it, stops it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clients import approving
from clients.cli import sharing_less, sharing_longer
from clients.cli.asked import texts_of
from clients.cli.command import command, noun
from clients.cli.numbers import short
from clients.cli.past import AsOf, state_as_of
from clients.cli.session import Session
from clients.cli.sharings import Number, all_sharings, id_of, sharing_of
from clients.wording.entries import last_told
from clients.wording.terms import parts_of, state_key, state_of, terms_of
from clients.wording.times import exact, last_day, moment

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vault.api.v1.consent_pb2 import Consent
    from vault.api.v1.consent_service_pb2 import ResumeConsentRequest

app = noun("Who you share with: look at it, share less or for longer, pause it, stop it.")
app.add_typer(sharing_less.top)
app.add_typer(sharing_longer.top)


@command(app, "list", for_citizens=True)
def list_sharing(session: Session, *, as_of: AsOf = "") -> None:
    """Show who you share with, and whom you shared with before."""
    if as_of:
        past = state_as_of(session, as_of)
        if past is not None:
            _say_sharings(session, reversed(past.consents))
        return
    whole = all_sharings(session)
    if session.output.is_json:
        session.output.message(whole)
        return
    _say_sharings(session, whole.consents)


@command(app, "show", for_citizens=True)
def show(session: Session, number: Number) -> None:
    """Show what somebody can see, until when, and how often they looked."""
    from vault.api.v1.consent_service_pb2 import GetConsentResponse  # noqa: PLC0415

    sharing = sharing_of(session, number)
    if session.output.is_json:
        session.output.message(GetConsentResponse(consent=sharing))
        return
    words, output = session.words, session.output
    state = state_key(sharing)
    output.say(words("sharing.with", who=session.published.who(sharing.service_id)), "bold")
    output.facts(
        [
            (words("column.state"), state_of(session, sharing)),
            (words("stopped.on"), exact(sharing.revoke_time, words) if state == "REVOKED" else ""),
            (words("paused.on"), exact(sharing.pause_time, words) if state == "PAUSED" else ""),
            (words("for"), session.published.purpose_title(sharing.purpose)),
            *terms_of(session, sharing),
            (words("used"), _used(session, sharing)),
            (words("told.last"), last_told(session, sharing)),
        ]
    )
    output.heading(words("they.see" if state == "ACTIVE" else "they.saw"))
    output.facts(parts_of(session, sharing))
    number = short(sharing.consent_id)
    if state == "PAUSED":
        output.say()
        output.say(words("to.resume", id=number))
        output.say(words("to.stop", id=number))
    elif state == "ACTIVE":
        output.say()
        output.say(words("to.change", id=number))


@command(app, "pause", for_citizens=True)
def pause(session: Session, number: Number) -> None:
    """Pause it, at once: nothing is seen until you let it go on."""
    from vault.api.v1.consent_service_pb2 import PauseConsentRequest  # noqa: PLC0415

    response = session.connection.consents.PauseConsent(
        PauseConsentRequest(
            request_id=session.request_id,
            acting=session.acting,
            consent_id=id_of(session, number),
        )
    )
    if session.output.is_json:
        session.output.message(response)
        return
    words, output, sharing = session.words, session.output, response.consent
    who, time = session.published.who(sharing.service_id), exact(sharing.pause_time, words)
    output.say(words("paused", who=who, time=time), "bold")
    output.say(words("entry", entry=response.receipt.leaf_index) + ".")
    output.say(words("to.resume", id=short(sharing.consent_id)))


@command(app, "resume", for_citizens=True)
def resume(session: Session, number: Number) -> None:
    """Let it go on after a pause: they can see again what they could see before."""
    from vault.api.v1.consent_service_pb2 import ResumeConsentRequest  # noqa: PLC0415

    request = ResumeConsentRequest(
        request_id=session.request_id,
        acting=session.acting,
        approval=session.approval,
        consent_id=id_of(session, number),
    )
    if session.assistance is None:
        _approve(session, request)
    response = session.connection.consents.ResumeConsent(request)
    if session.output.is_json:
        session.output.message(response)
        return
    words, output, sharing = session.words, session.output, response.consent
    who, end = session.published.who(sharing.service_id), last_day(sharing.end_time, words)
    output.say(words("resumed", who=who, until=end), "bold")
    if session.assistance is not None:
        output.facts(parts_of(session, sharing))
    output.say(words("entry", entry=response.receipt.leaf_index) + ".")
    output.say(words("to.stop", id=short(sharing.consent_id)))


@command(app, "stop", for_citizens=True)
def stop(session: Session, number: Number) -> None:
    """Stop sharing, at once. Nothing more is seen from then on."""
    from vault.api.v1.consent_service_pb2 import RevokeConsentRequest  # noqa: PLC0415

    response = session.connection.consents.RevokeConsent(
        RevokeConsentRequest(
            request_id=session.request_id,
            acting=session.acting,
            consent_id=id_of(session, number),
        )
    )
    if session.output.is_json:
        session.output.message(response)
        return
    words, output, sharing = session.words, session.output, response.consent
    who, time = session.published.who(sharing.service_id), exact(sharing.revoke_time, words)
    output.say(words("stopped", who=who, time=time), "bold")
    texts = texts_of(session, sharing.purpose)
    if texts is not None:
        output.say(texts.if_stopped)
    output.say(words("entry", entry=response.receipt.leaf_index) + ".")


def _approve(session: Session, request: ResumeConsentRequest) -> None:
    """Add to a request what goes on, as it stands now, and what shows that it is her decision."""
    standing = sharing_of(session, request.consent_id)
    request.validate_only = True
    preview = session.connection.consents.ResumeConsent(request)
    request.validate_only = False
    purpose = session.published.purpose(standing.purpose)
    challenge = approving.to_resume(preview, standing, purpose)
    if not session.output.is_json:
        _say_what_goes_on(session, preview.consent)
    request.shown.CopyFrom(preview.shown)
    if approval := session.approval_of(challenge):
        request.approval.CopyFrom(approval)


def _say_what_goes_on(session: Session, sharing: Consent) -> None:
    words, output = session.words, session.output
    output.say(words("sharing.with", who=session.published.who(sharing.service_id)), "bold")
    title = session.published.purpose_title(sharing.purpose)
    output.facts([(words("for"), title), *terms_of(session, sharing)])
    output.heading(words("they.see"))
    output.facts(parts_of(session, sharing))
    output.say()


def _say_sharings(session: Session, found: Iterable[Consent]) -> None:
    words, published = session.words, session.published
    listed = list(found)
    if not listed:
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
                state_of(session, one),
                last_day(one.end_time, words),
                str(one.disclosure_count),
            )
            for one in listed
        ],
        unbroken=(0,),
        right=(5,),
    )


def _used(session: Session, sharing: Consent) -> str:
    words, count = session.words, sharing.disclosure_count
    if count == 0:
        return words("used.never")
    last = moment(sharing.last_disclosure_time, words)
    return (
        words("used.once", time=last) if count == 1 else words("used.times", count=count, time=last)
    )
