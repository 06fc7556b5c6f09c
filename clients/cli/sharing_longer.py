# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault sharing longer`: the same for longer; what is agreed to is what was shown."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Annotated

import typer

from clients import approving
from clients.cli.asked import texts_of
from clients.cli.command import command
from clients.cli.errors import UsageError
from clients.cli.numbers import short
from clients.cli.session import Session
from clients.cli.sharings import Number, sharing_of
from clients.cli.times import end_of
from clients.wording.terms import difference_rows, parts_of, terms_of
from clients.wording.times import last_day

if TYPE_CHECKING:
    from vault.api.v1.consent_service_pb2 import ExtendConsentResponse

top = typer.Typer()


@command(top, "longer", for_citizens=True)
def longer(
    session: Session,
    number: Number,
    *,
    until: Annotated[
        str, typer.Option("--until", metavar="YYYY-MM-DD", help="Until the end of a later day.")
    ],
    only_show: Annotated[
        bool, typer.Option("--only-show", help="Show what would change, and change nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking again.")] = False,
) -> None:
    """Share the same for longer. You see it first, and only you can do it, nobody for you."""
    from vault.api.v1.consent_service_pb2 import ExtendConsentRequest  # noqa: PLC0415

    words, output, consents = session.words, session.output, session.connection.consents
    now, end = sharing_of(session, number), end_of(until, words)
    if end.ToNanoseconds() <= now.end_time.ToNanoseconds():
        raise UsageError(words("longer.not", time=last_day(now.end_time, words)))
    request = ExtendConsentRequest(
        request_id=str(uuid.uuid4()),
        acting=session.acting,
        consent_id=now.consent_id,
        end_time=end,
        validate_only=True,
    )
    preview = consents.ExtendConsent(request)
    purpose = session.published.purpose(now.purpose)
    challenge = approving.to_extend(preview, now, end, purpose)
    if output.is_json and only_show:
        output.message(preview)
    if not output.is_json:
        _show(session, preview)
    if only_show:
        return
    if not yes and not session.agrees(words("longer.ask")):
        output.tell(words("nothing.changed"))
        return
    request.request_id = session.request_id
    request.validate_only = False
    request.shown.CopyFrom(preview.shown)
    if approval := session.approval_of(challenge):
        request.approval.CopyFrom(approval)
    response = consents.ExtendConsent(request)
    if output.is_json:
        output.message(response)
        return
    sharing = response.consent
    who, until = session.published.who(sharing.service_id), last_day(sharing.end_time, words)
    output.say(words("shared", who=who, until=until), "bold")
    output.say(words("entry", entry=response.receipt.leaf_index) + ".")
    output.say(words("to.stop", id=short(sharing.consent_id)))


def _show(session: Session, preview: ExtendConsentResponse) -> None:
    words, output, sharing = session.words, session.output, preview.consent
    output.say(words("longer.with", who=session.published.who(sharing.service_id)), "bold")
    texts = texts_of(session, sharing.purpose)
    rest = [row for row in terms_of(session, sharing) if row[0] != words("until")]
    output.facts(
        [
            *difference_rows(session, preview.difference),
            (words("for"), texts.title if texts else ""),
            *rest,
            (words("if.stopped"), texts.if_stopped if texts else ""),
        ]
    )
    output.heading(words("they.see"))
    output.facts(parts_of(session, sharing))
    output.say()
