# SPDX-License-Identifier: Apache-2.0
"""A service's request: in a stream of its own until it reaches a citizen, then in her vault.

It reaches her by a hand-off link, by a short code that she hands to an official, or at once if the
service knows her. The link is the OAuth code pattern (RFC 6749 section 4.1, RFC 7636): the subject
reaches the service only for the code that came back through the browser that claimed the request.
Forms of stored events that are not today's are in `request_forms.py`.
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
    HistoryBrokenError,
    LimitExceededError,
    NotFoundError,
    PurposeExceededError,
    RequestAlreadyClaimedError,
    RequestAlreadyDecidedError,
    RequestCancelledError,
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

RequestStatus = Literal["pending", "granted", "refused", "cancelled", "expired"]

DEFAULT_END_DAYS = 90
DEFAULT_EXPIRY_DAYS = 30
LONGEST_EXPIRY_DAYS = 90
PENDING_OF_ONE_SERVICE = 20
"""Requests that one service puts into her vault and that may wait at once: nobody can bloat it.

What she claims herself does not count, or the count would tell the service what she claimed.
"""


class RequestMade(Facts, frozen=True, tag="request-made.2"):
    """A service asked; `expires` is when the request lapses unanswered.

    `subject` is whom it asks, "" if it does not know her yet. `code_challenge` is "" where no
    browser brings a code back: the subject is known, or an official claims by a short code.
    """

    asked: AskedTerms
    subject: str
    code_challenge: str
    expires: Time


class RequestClaimed(Facts, frozen=True, tag="request-claimed.1"):
    """A citizen took it into her vault; the service will know her as `subject`."""

    subject: str
    code_hash: str


class RequestRedeemed(Facts, frozen=True, tag="request-redeemed.1"):
    """The service redeemed the code that came back."""


class RequestCancelled(Facts, frozen=True, tag="request-cancelled.1"):
    """The service took its request back."""


class ConsentRequested(Facts, frozen=True, tag="consent-requested.2"):
    """A request entered her vault: claimed, or of a service that knows her."""

    service: str
    subject: str
    consent_request_id: str
    asked: AskedTerms
    expires: Time


class ConsentRequestCancelled(Facts, frozen=True, tag="consent-request-cancelled.1"):
    """The service took its request back, before she decided, perhaps before it got here."""

    service: str
    subject: str
    consent_request_id: str


class ConsentRefused(Facts, frozen=True, tag="consent-refused.1"):
    """She said no."""

    service: str
    subject: str
    consent_request_id: str


class Request(Value, frozen=True):
    """A request in her vault: `is_delivered` if the service put it there, not a claim of hers.

    `consent_id` is "" until she granted it.
    """

    consent_request_id: str
    subject: str
    asked: AskedTerms
    time: Time
    expires: Time
    is_delivered: bool = False
    consent_id: str = ""
    refused: Time = Time("")
    cancelled: Time = Time("")

    def status(self, time: Time) -> RequestStatus:
        """Return what it is at a time."""
        if self.consent_id:
            return "granted"
        if self.refused:
            return "refused"
        if self.cancelled:
            return "cancelled"
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
    cancelled: Time = Time("")

    @property
    def is_known(self) -> bool:
        """Say whether the service may know whom the request reached, and what became of it."""
        return self.is_redeemed or (bool(self.subject) and not self.code_challenge)

    def status(self, time: Time) -> RequestStatus:
        """Return what it is at a time, as far as this stream tells."""
        if self.cancelled:
            return "cancelled"
        return "expired" if time >= self.expires else "pending"


class Question(Struct, frozen=True, kw_only=True):
    """What a service wants to ask: absent times and frequency take the defaults.

    `subject` is whom it asks, "" if it does not know her; `code_challenge` is "" where no browser
    brings a code back.
    """

    purpose_code: str
    scope: tuple[RequestedFields, ...]
    start: Time | None
    end: Time | None
    frequency: Frequency | None
    largest_age_days: int
    retention_days: int
    expires: Time | None
    subject: str
    code_challenge: str


def make(registry: RegistryState, stamp: Stamp, service_id: str, question: Question) -> Draft:
    """Make a request, within the bounds of its purpose; see `proposed` for what it raises."""
    return Draft(facts=proposed(registry, stamp, service_id, question))


def proposed(
    registry: RegistryState, stamp: Stamp, service_id: str, question: Question
) -> RequestMade:
    """Return what a request would be, within the bounds of its purpose.

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
    start = question.start or stamp.time
    if not stamp.time <= start < end:
        raise FieldInvalidError("start_time", "It must lie between now and the end.")

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
        start=start,
        end=end,
        frequency=frequency,
        one_time=question.frequency is None,
        largest_age_days=question.largest_age_days,
        retention_days=question.retention_days,
        storage=bounds.storage,
        jurisdiction=bounds.jurisdiction,
        notice_hash=purpose.notice_hash,
    )
    return RequestMade(
        time=stamp.time,
        salt=stamp.salt,
        asked=asked,
        subject=question.subject,
        code_challenge=question.code_challenge,
        expires=min(expires, end),
    )


def claim(state: RequestState, stamp: Stamp, subject: str, code_hash: str) -> Draft:
    """Claim a request for a subject; a compare-and-set on the request's stream.

    Raises:
        HistoryBrokenError: if its history does not hold together.
        RequestAlreadyClaimedError: if another subject claimed it.
        RequestCancelledError, RequestExpiredError: if it waits for nobody any more.
    """
    if state.broken_at:
        raise HistoryBrokenError
    if state.subject:
        raise RequestAlreadyClaimedError
    if state.cancelled:
        raise RequestCancelledError
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
        RequestCancelledError: if the service took the request back.
        CodeAlreadyRedeemedError: if it was redeemed before.
        HistoryBrokenError: if its history does not hold together.
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
    if state.broken_at:
        raise HistoryBrokenError
    if state.cancelled:
        raise RequestCancelledError
    if state.is_redeemed:
        raise CodeAlreadyRedeemedError
    return Draft(facts=RequestRedeemed(time=stamp.time, salt=stamp.salt))


def cancel_unclaimed(state: RequestState | None, stamp: Stamp, service_id: str) -> Draft:
    """Take a request back in its own stream.

    Raises:
        NotFoundError: if the request is not this service's.
        RequestCancelledError, RequestExpiredError: if it waits for nobody any more.
    """
    if state is None or state.asked.recipient.service != service_id:
        raise NotFoundError
    if state.cancelled:
        raise RequestCancelledError
    if not state.subject and stamp.time >= state.expires:
        raise RequestExpiredError
    return Draft(facts=RequestCancelled(time=stamp.time, salt=stamp.salt))


def cancel(
    state: VaultState | None,
    stamp: Stamp,
    *,
    consent_request_id: str,
    service_id: str,
    subject: str,
) -> Draft:
    """Take a request back in her vault, even if it has not got there yet: then it never will.

    Raises:
        VaultNotOpenError: if there is no vault.
        RequestAlreadyDecidedError, RequestCancelledError, RequestExpiredError: if it waits for no
            answer.
    """
    vault = must_be_sound(state)
    if consent_request_id in vault.cancelled:
        raise RequestCancelledError
    request = vault.requests.get(consent_request_id)
    if request is not None:
        must_be_pending(request, stamp.time)
    facts = ConsentRequestCancelled(
        time=stamp.time,
        salt=stamp.salt,
        service=service_id,
        subject=subject,
        consent_request_id=consent_request_id,
    )
    return Draft(facts=facts)


def refuse(state: VaultState | None, stamp: Stamp, consent_request_id: str) -> Draft:
    """Say no to a request.

    Raises:
        VaultNotOpenError, NotFoundError: if there is no such request.
        RequestAlreadyDecidedError, RequestCancelledError, RequestExpiredError: if it waits for no
            answer.
    """
    request = find_request(must_be_sound(state), consent_request_id)
    must_be_pending(request, stamp.time)
    facts = ConsentRefused(
        time=stamp.time,
        salt=stamp.salt,
        service=request.asked.recipient.service,
        subject=request.subject,
        consent_request_id=consent_request_id,
    )
    return Draft(facts=facts)


def must_be_pending(request: Request, time: Time) -> None:
    """Check that a request waits for an answer.

    Raises:
        RequestAlreadyDecidedError, RequestCancelledError, RequestExpiredError: if it does not.
    """
    match request.status(time):
        case "granted" | "refused":
            raise RequestAlreadyDecidedError
        case "cancelled":
            raise RequestCancelledError
        case "expired":
            raise RequestExpiredError


def receive(
    state: VaultState | None,
    stamp: Stamp,
    *,
    consent_request_id: str,
    subject: str,
    asked: AskedTerms,
    expires: Time,
    is_delivered: bool = False,
) -> Draft:
    """Take a request into her vault.

    Args:
        is_delivered: the service puts it there itself.

    Raises:
        VaultNotOpenError: if there is no vault.
        RequestAlreadyClaimedError: if it is there already.
        RequestCancelledError: if the service took it back meanwhile.
        LimitExceededError: if too many that this service delivered wait already.
    """
    vault = must_be_sound(state)
    if consent_request_id in vault.requests:
        raise RequestAlreadyClaimedError
    if consent_request_id in vault.cancelled:
        raise RequestCancelledError
    if is_delivered:
        must_have_room(vault, asked.recipient.service, stamp.time)
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


def must_have_room(vault: VaultState, service_id: str, time: Time) -> None:
    """Check that a service may put one more request into her vault.

    Raises:
        LimitExceededError: if too many do already.
    """
    waiting = sum(
        request.is_delivered
        and request.asked.recipient.service == service_id
        and request.status(time) == "pending"
        for request in vault.requests.values()
    )
    if waiting >= PENDING_OF_ONE_SERVICE:
        raise LimitExceededError(detail="Too many requests of this service wait for an answer.")


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
    request = Request(
        consent_request_id=facts.consent_request_id,
        subject=facts.subject,
        asked=facts.asked,
        time=facts.time,
        expires=facts.expires,
        is_delivered=event.link.acting.capacity == "service",
    )
    return replace(state, requests={**state.requests, facts.consent_request_id: request})


def cancelled(state: VaultState, event: Event, facts: ConsentRequestCancelled) -> VaultState:
    """Fold `ConsentRequestCancelled`."""
    del event
    after = replace(state, cancelled=state.cancelled | {facts.consent_request_id})
    return _answered(after, facts.consent_request_id, cancelled=facts.time)


def refused(state: VaultState, event: Event, facts: ConsentRefused) -> VaultState:
    """Fold `ConsentRefused`."""
    del event
    return _answered(state, facts.consent_request_id, refused=facts.time)


def _answered(state: VaultState, consent_request_id: str, **times: Time) -> VaultState:
    request = state.requests.get(consent_request_id)
    if request is None:
        return state
    requests = {**state.requests, consent_request_id: replace(request, **times)}
    return replace(state, requests=requests)


def fold(state: RequestState | None, event: Event) -> RequestState | None:
    """Return what is true of a request after an event."""
    facts = event.facts.upcast()
    if isinstance(facts, RequestMade):
        made = RequestState(
            stream=event.link.stream,
            asked=facts.asked,
            subject=facts.subject,
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
        case RequestCancelled(time=time):
            return replace(after, cancelled=time)
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
