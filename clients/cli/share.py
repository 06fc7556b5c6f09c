# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault share`: a citizen chooses, sees what they would see, and shares it.

What is agreed to is exactly what was shown: the preview's digest goes back with the decision.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from clients.cli import choice
from clients.cli.command import FOR_CITIZENS, command
from clients.cli.errors import UsageError
from clients.cli.information import piece_values, pieces
from clients.cli.numbers import short
from clients.cli.request import request_id_of
from clients.cli.session import Session
from clients.cli.sharing import terms_of
from clients.cli.times import end_of, last_day
from clients.cli.values import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vault.api.v1.consent_pb2 import ConsentChoice, ConsentRequest
    from vault.api.v1.consent_service_pb2 import PreviewConsentResponse

top = typer.Typer()


@command(top, "share", for_citizens=True, panel=FOR_CITIZENS)
def share(
    session: Session,
    number: Annotated[
        str, typer.Argument(metavar="NUMBER", help="Whose question you answer; see request list.")
    ],
    *,
    choose: Annotated[
        list[str] | None,
        typer.Option(
            "--choose",
            metavar="KIND:PART,PART",
            help="What may be seen; repeat it for more. KIND alone is every part they ask for.",
        ),
    ] = None,
    until: Annotated[
        str,
        typer.Option("--until", metavar="YYYY-MM-DD", help="Until the end of an earlier day."),
    ] = "",
    this_version: Annotated[
        bool, typer.Option("--this-version", help="Only as it is now, not what you change later.")
    ] = False,
    only_show: Annotated[
        bool, typer.Option("--only-show", help="Show what they would see, and share nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Share it without asking again.")] = False,
) -> None:
    """Choose what to share, see what they would see, and share it.

    Without --choose you are asked, part by part. Nothing is chosen for you.
    """
    from vault.api.v1.consent_service_pb2 import (  # noqa: PLC0415
        GetRequestRequest,
        GrantConsentRequest,
        PreviewConsentRequest,
    )

    words, output, consents = session.words, session.output, session.connection.consents
    request_id = request_id_of(session, number)
    asked = consents.GetRequest(
        GetRequestRequest(acting=session.acting, consent_request_id=request_id)
    ).consent_request
    chosen = _chosen(session, asked, choose or [])
    preview_request = PreviewConsentRequest(
        acting=session.acting,
        consent_request_id=request_id,
        choice=_choice(session, chosen, until, is_pinned=this_version),
    )
    preview = consents.PreviewConsent(preview_request)
    if only_show and output.is_json:
        output.message(preview)
        return
    if not output.is_json:
        _show_preview(session, asked, chosen, preview)
    if only_show:
        return
    if not yes and not _agrees(session):
        output.tell(words("not.shared"))
        return
    response = consents.GrantConsent(
        GrantConsentRequest(
            request_id=session.request_id,
            acting=session.acting,
            consent_request_id=request_id,
            choice=preview_request.choice,
            shown=preview.shown,
        )
    )
    if output.is_json:
        output.message(response)
        return
    who = session.published.who(response.consent.service_id)
    end = last_day(response.consent.end_time, words)
    output.say()
    output.say(words("shared", who=who, until=end), "bold")
    output.say(words("entry", entry=response.receipt.leaf_index) + ".")
    output.say(words("to.stop", id=short(response.consent.consent_id)))


def _chosen(
    session: Session, asked: ConsentRequest, typed: Sequence[str]
) -> tuple[choice.Chosen, ...]:
    words = session.words
    yours = pieces(session).evidence
    if typed:
        return choice.named(session, asked, yours, typed)
    if not session.output.is_interactive:
        raise UsageError(words("choose.something"))
    chosen = choice.asked_for(session, asked, yours)
    if not chosen:
        raise UsageError(words("choose.nothing"))
    return chosen


def _choice(
    session: Session, chosen: Sequence[choice.Chosen], until: str, *, is_pinned: bool
) -> ConsentChoice:
    from vault.api.v1 import consent_pb2  # noqa: PLC0415

    return consent_pb2.ConsentChoice(
        items=[
            consent_pb2.ItemChoice(
                evidence_id=one.piece.evidence_id,
                names=one.names,
                mode=(
                    consent_pb2.EVIDENCE_MODE_PINNED
                    if is_pinned
                    else consent_pb2.EVIDENCE_MODE_FOLLOWING
                ),
            )
            for one in chosen
        ],
        end_time=end_of(until) if until else None,
        language=session.words.language,
    )


def _agrees(session: Session) -> bool:
    words, output = session.words, session.output
    if not output.is_interactive:
        raise UsageError(words("say.yes"))
    return output.ask(words("share.ask")).lower() in words.yes_letters


def _show_preview(
    session: Session,
    asked: ConsentRequest,
    chosen: Sequence[choice.Chosen],
    preview: PreviewConsentResponse,
) -> None:
    words, published, output = session.words, session.published, session.output
    who = published.who(asked.service_id)
    output.say(words("would.see", who=who), "bold")
    rows = []
    for one in chosen:
        kind = published.kind(one.piece.evidence_type)
        values = piece_values(session, one.piece.evidence_id)
        rows += [
            (f"{kind.title}: {kind.label(name)}", shown(kind, name, values.get(name, ""), words))
            for name in one.names
        ]
    output.table([words("column.part"), words("column.value")], rows)
    output.say(words("would.not.see"), "bold")
    for evidence_type, names in choice.left_out(asked, chosen).items():
        kind = published.kind(evidence_type)
        parts = ", ".join(kind.label(name) for name in kind.in_order(names))
        output.say(f"  {kind.title}: {parts}")
    output.say(f"  {words('would.not.see.rest')}")
    output.say()
    purpose = published.purpose(asked.purpose)
    texts = published.purpose_texts(purpose) if purpose else None
    output.facts(
        [
            (words("for"), texts.title if texts else ""),
            *terms_of(session, preview.consent),
            (words("if.stopped"), texts.if_stopped if texts else ""),
        ]
    )
