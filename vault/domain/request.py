# SPDX-License-Identifier: Apache-2.0
"""A service's request: in a stream of its own until a citizen claims it, then in her vault.

The web flow is the OAuth code pattern (RFC 6749 section 4.1, RFC 7636): the subject reaches the
service only for the code that came back through the browser that claimed the request.
"""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING, Literal

from msgspec import Struct
from msgspec.structs import replace

from vault.domain.canonical import digest
from vault.domain.errors import (
    CodeAlreadyRedeemedError,
    FieldInvalidError,
    NotFoundError,
    PurposeExceededError,
    RequestAlreadyClaimedError,
    RequestExpiredError,
)
from vault.domain.events import Draft, Event, Facts, StreamState
from vault.domain.registry import Bounds, RegistryState
from vault.domain.values import (
    AskedTerms,
    Frequency,
    Recipient,
    RequestedFields,
    Stamp,
    Time,
    Value,
    later,
)
from vault.domain.vault import must_be_sound

if TYPE_CHECKING:
    from vault.domain.state import VaultState

RequestStatus = Literal["pending", "granted", "expired"]

DEFAULT_END_DAYS = 90
DEFAULT_EXPIRY_DAYS = 30
LONGEST_EXPIRY_DAYS = 90


class RequestMade(Facts, frozen=True, tag="request-made.1"):
    """A service asked; `expires` is when the request lapses unanswered."""

    asked: AskedTerms
    code_challenge: str
    expires: Time


class RequestClaimed(Facts, frozen=True, tag="request-claimed.1"):
    """A citizen took it into her vault; the service will know her as `subject`."""

    subject: str
    code_hash: str


class RequestRedeemed(Facts, frozen=True, tag="request-redeemed.1"):
    """The service redeemed the code that came back."""


class ConsentRequested(Facts, frozen=True, tag="consent-requested.1"):
    """A request entered her vault when she claimed it."""

    service: str
    subject: str
    consent_request_id: str
    asked: AskedTerms
    expires: Time


class Request(Value, frozen=True):
    """A request in her vault; `consent_id` is "" until she granted it."""

    consent_request_id: str
    subject: str
    asked: AskedTerms
    time: Time
    expires: Time
    consent_id: str = ""

    def status(self, time: Time) -> RequestStatus:
        """Return what it is at a time."""
        if self.consent_id:
            return "granted"
        return "expired" if time >= self.expires else "pending"


class RequestState(StreamState, frozen=True, kw_only=True):
    """What is true of a request in its own stream."""

    asked: AskedTerms
    code_challenge: str
    made: Time
    expires: Time
    subject: str = ""
    code_hash: str = ""
    is_redeemed: bool = False


class Question(Struct, frozen=True, kw_only=True):
    """What a service wants to ask: absent times and frequency take the defaults."""

    purpose_code: str
    scope: tuple[RequestedFields, ...]
    end: Time | None
    frequency: Frequency | None
    largest_age_days: int
    retention_days: int
    expires: Time | None
    code_challenge: str


def make(registry: RegistryState, stamp: Stamp, service_id: str, question: Question) -> Draft:
    """Make a request, within the bounds of its purpose.

    Raises:
        NotFoundError, ServiceSuspendedError, PurposeNotAllowedError: see the registry.
        FieldUnknownError: if a field is not published.
        PurposeExceededError: naming the field that goes beyond the purpose.
        FieldInvalidError: if a time does not make sense.
    """
    service = registry.service(service_id)
    purpose = registry.purpose(question.purpose_code, service_id)
    bounds = purpose.bounds
    _scope_within(registry, question.scope, bounds)

    latest_end = later(stamp.time, days=bounds.longest_days)
    end = question.end or min(latest_end, later(stamp.time, days=DEFAULT_END_DAYS))
    if end <= stamp.time:
        raise FieldInvalidError("end_time", "It does not lie in the future.")
    if end > latest_end:
        raise PurposeExceededError("end_time", "It ends too late.")

    frequency = question.frequency or Frequency(count=0, period_seconds=0)
    if question.frequency and _is_denser(question.frequency, bounds.frequency):
        raise PurposeExceededError("frequency", "It fetches too often.")
    if question.retention_days > bounds.retention_days:
        raise PurposeExceededError("retention_days", "It is kept too long.")

    expires = question.expires or later(stamp.time, days=DEFAULT_EXPIRY_DAYS)
    if not stamp.time < expires <= later(stamp.time, days=LONGEST_EXPIRY_DAYS):
        raise FieldInvalidError("expire_time", "It must lie within the next 90 days.")

    asked = AskedTerms(
        recipient=Recipient(service=service_id, organisation=service.organisation),
        purpose=purpose.purpose,
        basis=bounds.basis,
        method=bounds.method,
        scope=question.scope,
        end=end,
        frequency=frequency,
        one_time=question.frequency is None,
        largest_age_days=question.largest_age_days,
        retention_days=question.retention_days,
        storage=bounds.storage,
        jurisdiction=bounds.jurisdiction,
        notice_hash=purpose.notice_hash,
    )
    facts = RequestMade(
        time=stamp.time,
        salt=stamp.salt,
        asked=asked,
        code_challenge=question.code_challenge,
        expires=min(expires, end),
    )
    return Draft(facts=facts)


def claim(state: RequestState, stamp: Stamp, subject: str, code_hash: str) -> Draft:
    """Claim a request for a subject; a compare-and-set on the request's stream.

    Raises:
        RequestAlreadyClaimedError: if another subject claimed it.
        RequestExpiredError: if it lapsed.
    """
    if state.subject:
        raise RequestAlreadyClaimedError
    if stamp.time >= state.expires:
        raise RequestExpiredError
    facts = RequestClaimed(time=stamp.time, salt=stamp.salt, subject=subject, code_hash=code_hash)
    return Draft(facts=facts)


def redeem(
    state: RequestState | None, stamp: Stamp, service_id: str, code: str, code_verifier: str
) -> Draft:
    """Redeem the code that came back, once.

    Raises:
        NotFoundError: if the request is not this service's, or code or verifier do not fit it.
        CodeAlreadyRedeemedError: if it was redeemed before.
    """
    # Digests of random values: comparing them in varying time tells nothing about the values.
    if (
        state is None
        or state.asked.recipient.service != service_id
        or not state.code_hash
        or digest(code.encode()) != state.code_hash
        or digest(code_verifier.encode()) != state.code_challenge
    ):
        raise NotFoundError
    if state.is_redeemed:
        raise CodeAlreadyRedeemedError
    return Draft(facts=RequestRedeemed(time=stamp.time, salt=stamp.salt))


def receive(
    state: VaultState | None,
    stamp: Stamp,
    *,
    consent_request_id: str,
    subject: str,
    asked: AskedTerms,
    expires: Time,
) -> Draft:
    """Take a claimed request into her vault.

    Raises:
        VaultNotOpenError: if there is no vault.
        RequestAlreadyClaimedError: if it is there already.
    """
    if consent_request_id in must_be_sound(state).requests:
        raise RequestAlreadyClaimedError
    facts = ConsentRequested(
        time=stamp.time,
        salt=stamp.salt,
        service=asked.recipient.service,
        subject=subject,
        consent_request_id=consent_request_id,
        asked=asked,
        expires=expires,
    )
    return Draft(facts=facts)


def find_request(state: VaultState, consent_request_id: str) -> Request:
    """Return a request.

    Raises:
        NotFoundError: if there is none.
    """
    request = state.requests.get(consent_request_id)
    if request is None:
        raise NotFoundError
    return request


def requested(state: VaultState, event: Event, facts: ConsentRequested) -> VaultState:
    """Fold `ConsentRequested`."""
    del event
    request = Request(
        consent_request_id=facts.consent_request_id,
        subject=facts.subject,
        asked=facts.asked,
        time=facts.time,
        expires=facts.expires,
    )
    return replace(state, requests={**state.requests, facts.consent_request_id: request})


def fold(state: RequestState | None, event: Event) -> RequestState | None:
    """Return what is true of a request after an event."""
    facts = event.facts
    if isinstance(facts, RequestMade):
        made = RequestState(
            stream=event.link.stream,
            asked=facts.asked,
            code_challenge=facts.code_challenge,
            made=facts.time,
            expires=facts.expires,
        )
        return made.advanced(event)
    if state is None:
        return None
    after = state.advanced(event)
    match facts:
        case RequestClaimed(subject=subject, code_hash=code_hash):
            return replace(after, subject=subject, code_hash=code_hash)
        case RequestRedeemed():
            return replace(after, is_redeemed=True)
        case _:
            return after


def _scope_within(
    registry: RegistryState, scope: tuple[RequestedFields, ...], bounds: Bounds
) -> None:
    for index, fields in enumerate(scope):
        allowed = bounds.names_of(fields.evidence_type)
        for part, names in (("required", fields.required), ("optional", fields.optional)):
            path = f"scope[{index}].{part}"
            registry.must_know(fields.evidence_type, names, path)
            if not allowed.issuperset(names):
                raise PurposeExceededError(path, "It asks for a field beyond the purpose.")
        if not fields.required and not fields.optional:
            raise FieldInvalidError(f"scope[{index}]", "It names no field.")
        if set(fields.required) & set(fields.optional):
            raise FieldInvalidError(f"scope[{index}].optional", "A field is required already.")


def _is_denser(asked: Frequency, bound: Frequency) -> bool:
    """Say whether more disclosures than the bound's count could fall into one of its windows.

    Both sorts of window begin with the consent. Unless one period divides the other, some window of
    the bound reaches into one asked window more than fit into it.
    """
    step = gcd(asked.period_seconds, bound.period_seconds)
    reached = 1 + max(0, -(-(bound.period_seconds - step) // asked.period_seconds))
    return asked.count * reached > bound.count
