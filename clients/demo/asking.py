# SPDX-License-Identifier: Apache-2.0
"""How one asks and she answers: the hand-off of a request, her choice, the code that goes back.

The steps of the link are those of the OAuth code flow (RFC 6749 section 4.1, RFC 7636): whoever
asks learns who she is from the code that came back through her browser, and from nothing else.
Whoever knows her already asks her directly; whoever has no link for her gives her a short code.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from clients import approving
from clients.connection import Connection
from clients.demo.expectations import Expectations
from clients.demo.giving import HERSELF, list_evidence
from clients.demo.story import new_id, new_secret
from clients.demo.things import LANGUAGE, Thing
from vault.api.v1 import consent_service_pb2 as wire
from vault.api.v1.consent_pb2 import (
    Consent,
    ConsentChoice,
    ConsentRequest,
    Frequency,
    ItemChoice,
    RequestedScope,
)
from vault.api.v1.evidence_pb2 import Evidence
from vault.api.v1.registry_pb2 import Purpose
from vault.api.v1.registry_service_pb2 import GetPurposeRequest
from vault.api.v1.vault_pb2 import Acting, Approval


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody asks to see, for which purpose, how often, and who of theirs asks."""

    purpose_code: str
    scope: tuple[RequestedScope, ...]
    frequency: Frequency
    retention_days: int
    case_ref: str
    staff_ref: str


@dataclass(frozen=True, slots=True)
class Handed:
    """A question that was made and handed to her as a link, with the asker's own secrets."""

    request: ConsentRequest
    token: str
    state: str
    verifier: str


@dataclass(frozen=True, slots=True)
class Opened:
    """The question as she sees it, and what her browser takes back."""

    request: ConsentRequest
    code: str


def ask(asker: Connection, question: Question) -> Handed:
    """Make a question and the link to it."""
    state, verifier = new_secret(), new_secret()
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
    challenge_text = challenge.rstrip(b"=").decode("ascii")
    answer = _request(asker, question, code_challenge=challenge_text, state=state)
    return Handed(
        request=answer.consent_request,
        token=answer.handoff_token,
        state=state,
        verifier=verifier,
    )


def ask_directly(asker: Connection, question: Question, subject_id: str) -> ConsentRequest:
    """Ask somebody whom the asker knows already."""
    request: ConsentRequest = _request(asker, question, subject_id=subject_id).consent_request
    return request


def ask_by_short_code(asker: Connection, question: Question) -> tuple[ConsentRequest, str]:
    """Make a question, and the short code by which whoever helps her finds it."""
    answer = _request(asker, question, with_short_code=True)
    return answer.consent_request, answer.short_code


def open_link(mair: Connection, handed: Handed, expect: Expectations) -> Opened:
    """Open the link that was handed to her."""
    claimed = mair.consents.ClaimRequest(
        wire.ClaimRequestRequest(request_id=new_id(), acting=HERSELF, handoff_token=handed.token)
    )
    expect.true("her browser takes the asker's state back", came=claimed.state == handed.state)
    return Opened(request=claimed.consent_request, code=claimed.code)


def share(
    mair: Connection,
    request: ConsentRequest,
    things: Iterable[Thing],
    expect: Expectations,
    end_time: Timestamp | None = None,
    *,
    acting: Acting = HERSELF,
    approval: Approval | None = None,
    language: str = LANGUAGE,
) -> Consent:
    """Share some of what a question asks for, exactly as it is shown to her.

    Args:
        acting: how somebody else acts for her, who then needs an approval.
    """
    pieces = list_evidence(mair, acting)
    choice = _choice(pieces, things, end_time, language)
    request_id = request.consent_request_id
    shown = mair.consents.PreviewConsent(
        wire.PreviewConsentRequest(acting=acting, consent_request_id=request_id, choice=choice)
    )
    by_id = {piece.evidence_id: piece for piece in pieces.values()}
    purpose = purpose_of(mair, request.purpose)
    challenge = approving.to_grant(shown, request, choice, by_id, purpose)
    granted = mair.consents.GrantConsent(
        wire.GrantConsentRequest(
            request_id=new_id(),
            acting=acting,
            approval=approval or mair.approve(challenge),
            consent_request_id=request_id,
            choice=choice,
            shown=shown.shown,
        )
    )
    consent: Consent = granted.consent
    expect.true("she shares what was shown", came=consent.scope == shown.consent.scope)
    expect.true("it ends when it was shown to", came=consent.end_time == shown.consent.end_time)
    return consent


def purpose_of(mair: Connection, name: str) -> Purpose:
    """Return a purpose and its texts by "code@version"."""
    code, _, version = name.partition("@")
    asked = GetPurposeRequest(purpose_code=code, version=int(version))
    purpose: Purpose = mair.registry.GetPurpose(asked).purpose
    return purpose


def preview(mair: Connection, request: ConsentRequest, things: Iterable[Thing]) -> bytes:
    """Return exactly what would be sent if she shared things now."""
    answer = mair.consents.PreviewConsent(
        wire.PreviewConsentRequest(
            acting=HERSELF,
            consent_request_id=request.consent_request_id,
            choice=_choice(list_evidence(mair), things, None, LANGUAGE),
        )
    )
    return bytes(answer.bundle)


def known(asker: Connection, request: ConsentRequest) -> tuple[str, str]:
    """Return what the asker is told of its question now: whom it reached, what came of it."""
    answer = asker.consents.GetRequest(
        wire.GetRequestRequest(consent_request_id=request.consent_request_id)
    )
    return answer.consent_request.subject_id, answer.consent_request.consent_id


def redeem(asker: Connection, handed: Handed, code: str) -> ConsentRequest:
    """Give the code that came back for the id by which the asker knows her."""
    redeemed = asker.consents.RedeemCode(
        wire.RedeemCodeRequest(
            request_id=new_id(),
            consent_request_id=handed.request.consent_request_id,
            code=code,
            code_verifier=handed.verifier,
        )
    )
    request: ConsentRequest = redeemed.consent_request
    return request


def _request(asker: Connection, question: Question, **way: Any) -> wire.RequestConsentResponse:
    """Ask, in one of the three ways."""
    answer: wire.RequestConsentResponse = asker.consents.RequestConsent(
        wire.RequestConsentRequest(
            request_id=new_id(),
            purpose_code=question.purpose_code,
            scope=question.scope,
            frequency=question.frequency,
            retention_days=question.retention_days,
            external_reference=question.case_ref,
            case_ref=question.case_ref,
            staff_ref=question.staff_ref,
            **way,
        )
    )
    return answer


def _choice(
    pieces: Mapping[str, Evidence],
    things: Iterable[Thing],
    end_time: Timestamp | None,
    language: str,
) -> ConsentChoice:
    names: dict[str, list[str]] = {}
    for thing in things:
        names.setdefault(thing.evidence_type, []).extend(thing.names)
    return ConsentChoice(
        items=[
            ItemChoice(evidence_id=pieces[kind].evidence_id, names=chosen)
            for kind, chosen in names.items()
        ],
        end_time=end_time,
        language=language,
    )
