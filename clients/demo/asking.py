# SPDX-License-Identifier: Apache-2.0
"""How one asks and she answers: the hand-off of a request, her choice, the code that goes back.

The steps are those of the OAuth code flow (RFC 6749 section 4.1, RFC 7636): whoever asks learns who
she is from the code that came back through her browser, and from nothing else.
"""

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from google.protobuf.timestamp_pb2 import Timestamp

from clients.connection import Connection
from clients.demo.expectations import Expectations
from clients.demo.giving import HERSELF, list_evidence
from clients.demo.story import new_id, new_secret
from clients.demo.things import Thing
from vault.api.v1 import consent_service_pb2 as wire
from vault.api.v1.consent_pb2 import (
    Consent,
    ConsentChoice,
    ConsentRequest,
    Frequency,
    ItemChoice,
    RequestedScope,
)


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
    answer = asker.consents.RequestConsent(
        wire.RequestConsentRequest(
            request_id=new_id(),
            purpose_code=question.purpose_code,
            scope=question.scope,
            frequency=question.frequency,
            retention_days=question.retention_days,
            code_challenge=challenge.rstrip(b"=").decode("ascii"),
            state=state,
            external_reference=question.case_ref,
            case_ref=question.case_ref,
            staff_ref=question.staff_ref,
        )
    )
    return Handed(
        request=answer.consent_request,
        token=answer.handoff_token,
        state=state,
        verifier=verifier,
    )


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
) -> Consent:
    """Share some of what a question asks for, exactly as it is shown to her."""
    pieces = list_evidence(mair)
    names: dict[str, list[str]] = {}
    for thing in things:
        names.setdefault(thing.evidence_type, []).extend(thing.names)
    choice = ConsentChoice(
        items=[
            ItemChoice(evidence_id=pieces[kind].evidence_id, names=chosen)
            for kind, chosen in names.items()
        ],
        end_time=end_time,
        language="en",
    )
    request_id = request.consent_request_id
    shown = mair.consents.PreviewConsent(
        wire.PreviewConsentRequest(acting=HERSELF, consent_request_id=request_id, choice=choice)
    )
    digest = hashlib.sha256(shown.shown_bytes).digest()
    expect.true("what is shown has the digest", came=digest == shown.shown.shown_hash)
    granted = mair.consents.GrantConsent(
        wire.GrantConsentRequest(
            request_id=new_id(),
            acting=HERSELF,
            consent_request_id=request_id,
            choice=choice,
            shown=shown.shown,
        )
    )
    consent: Consent = granted.consent
    expect.true("she shares what was shown", came=consent.scope == shown.consent.scope)
    expect.true("it ends when it was shown to", came=consent.end_time == shown.consent.end_time)
    return consent


def known(asker: Connection, handed: Handed) -> tuple[str, str]:
    """Return what the asker is told of its question now: whom it reached, what came of it."""
    answer = asker.consents.GetRequest(
        wire.GetRequestRequest(consent_request_id=handed.request.consent_request_id)
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
