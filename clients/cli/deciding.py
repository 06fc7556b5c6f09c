# SPDX-License-Identifier: Apache-2.0
"""A citizen's decision on what somebody asks: chosen, shown, shared; or refused.

What is agreed to is exactly what was shown: the preview's digest goes back with the decision.
"""

from __future__ import annotations

import dataclasses
import uuid
from typing import TYPE_CHECKING

from clients import approving
from clients.cli import choice
from clients.cli.asked import say_if_not
from clients.cli.errors import UsageError
from clients.cli.numbers import short
from clients.cli.pieces import pieces
from clients.cli.preview import show_preview
from clients.cli.times import end_of, start_of
from clients.wording.terms import has_begun
from clients.wording.times import last_day, moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clients.cli.session import Session
    from vault.api.v1.consent_pb2 import ConsentChoice, ConsentRequest
    from vault.api.v1.consent_service_pb2 import (
        GrantConsentResponse,
        PreviewConsentResponse,
        RefuseConsentResponse,
    )
    from vault.api.v1.vault_pb2 import ApprovalChallenge


class NothingChosenError(UsageError):
    """She was asked, and left everything out."""


@dataclasses.dataclass(frozen=True)
class Wishes:
    """What she typed with the command; what is not there she is asked, or it stays as asked."""

    choose: Sequence[str] = ()
    start: str = ""
    until: str = ""
    is_pinned: bool = False


@dataclasses.dataclass(frozen=True)
class Offer:
    """What she chose of what is asked, what it would come to, and what may be signed for it."""

    asked: ConsentRequest
    choice: ConsentChoice
    preview: PreviewConsentResponse
    challenge: ApprovalChallenge


def offer_of(session: Session, asked: ConsentRequest, wishes: Wishes) -> Offer:
    """Let her choose, and show her what it would come to. Nothing is shared.

    Raises:
        UsageError: if she chose nothing, or something that is not asked.
        NotAsShownError: if something else than what is shown would be signed.
    """
    from vault.api.v1.consent_service_pb2 import PreviewConsentRequest  # noqa: PLC0415

    chosen = _chosen(session, asked, wishes)
    request = PreviewConsentRequest(
        acting=session.acting,
        consent_request_id=asked.consent_request_id,
        choice=_choice(session, chosen, wishes),
    )
    preview = session.connection.consents.PreviewConsent(request)
    challenge = approving.to_grant(
        preview,
        asked,
        request.choice,
        {one.piece.evidence_id: one.piece for one in chosen},
        session.published.purpose(asked.purpose),
    )
    if not session.output.is_json:
        show_preview(session, asked, chosen, preview)
    return Offer(asked, request.choice, preview, challenge)


def granted(session: Session, offer: Offer, *, is_agreed: bool) -> GrantConsentResponse | None:
    """Ask whether she agrees, unless she did already, and share; None if she does not."""
    from vault.api.v1.consent_service_pb2 import GrantConsentRequest  # noqa: PLC0415

    words, output = session.words, session.output
    if not is_agreed and not session.agrees(words("share.ask")):
        output.tell(words("not.shared"))
        return None
    response = session.connection.consents.GrantConsent(
        GrantConsentRequest(
            request_id=str(uuid.uuid4()),
            acting=session.acting,
            approval=session.approval_of(offer.challenge),
            consent_request_id=offer.asked.consent_request_id,
            choice=offer.choice,
            shown=offer.preview.shown,
        )
    )
    if not output.is_json:
        _say_shared(session, response)
    return response


def refused(session: Session, request_id: str) -> RefuseConsentResponse:
    """Say no to a request, and print what happens now and which other ways there are."""
    from vault.api.v1.consent_service_pb2 import RefuseConsentRequest  # noqa: PLC0415

    response = session.connection.consents.RefuseConsent(
        RefuseConsentRequest(
            request_id=str(uuid.uuid4()),
            acting=session.acting,
            approval=session.approval,
            consent_request_id=request_id,
        )
    )
    if not session.output.is_json:
        words, asked = session.words, response.consent_request
        session.output.say(words("refused", who=session.published.who(asked.service_id)), "bold")
        say_if_not(session, asked)
        session.output.say(words("entry", entry=response.receipt.leaf_index) + ".")
    return response


def _say_shared(session: Session, response: GrantConsentResponse) -> None:
    words, output, sharing = session.words, session.output, response.consent
    who = session.published.who(sharing.service_id)
    end = last_day(sharing.end_time, words)
    output.say()
    if has_begun(sharing):
        output.say(words("shared", who=who, until=end), "bold")
    else:
        start = moment(sharing.start_time, words)
        output.say(words("shared.later", who=who, start=start, until=end), "bold")
    output.say(words("entry", entry=response.receipt.leaf_index) + ".")
    output.say(words("to.stop", id=short(sharing.consent_id)))


def _chosen(session: Session, asked: ConsentRequest, wishes: Wishes) -> tuple[choice.Chosen, ...]:
    words, is_pinned = session.words, wishes.is_pinned
    yours = pieces(session).evidence
    if wishes.choose:
        return choice.named(session, asked, yours, wishes.choose, is_pinned=is_pinned)
    if not session.output.is_interactive:
        raise UsageError(words("choose.something"))
    chosen = choice.asked_for(session, asked, yours, is_pinned=is_pinned)
    if not chosen:
        raise NothingChosenError(words("choose.nothing"))
    return chosen


def _choice(session: Session, chosen: Sequence[choice.Chosen], wishes: Wishes) -> ConsentChoice:
    from vault.api.v1 import consent_pb2  # noqa: PLC0415

    words = session.words
    return consent_pb2.ConsentChoice(
        items=[
            consent_pb2.ItemChoice(
                evidence_id=one.piece.evidence_id,
                names=one.names,
                mode=(
                    consent_pb2.EVIDENCE_MODE_PINNED
                    if one.is_pinned
                    else consent_pb2.EVIDENCE_MODE_FOLLOWING
                ),
            )
            for one in chosen
        ],
        start_time=start_of(wishes.start, words) if wishes.start else None,
        end_time=end_of(wishes.until, words) if wishes.until else None,
        language=words.language,
    )
