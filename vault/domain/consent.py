# SPDX-License-Identifier: Apache-2.0
"""Consent: granted exactly as it was shown, paused, resumed, and revoked.

What she decides is bound to what she saw (`choice.py`; GDPR Art. 7(1)). Stopping is never harder
than granting (Art. 7(3)). Other terms for the same consent are in `amendment.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import field
from msgspec.structs import replace

from vault.domain import choice as choices
from vault.domain.canonical import digest
from vault.domain.choice import Choice, Shown
from vault.domain.errors import (
    ConsentExpiredError,
    ConsentNotPausedError,
    ConsentPausedError,
    ConsentRevokedError,
    NotFoundError,
    ShownDiffersError,
)
from vault.domain.events import Draft, Event, Facts
from vault.domain.request import find_request
from vault.domain.values import Item, Stamp, Terms, Time, Value, later
from vault.domain.vault import must_be_sound

if TYPE_CHECKING:
    from vault.domain.registry import RegistryState
    from vault.domain.state import VaultState

SHOWN_FOR_HOURS = 24
"""How long what was shown may be decided on."""

ConsentStatus = Literal["active", "paused", "expired", "revoked"]
ReportKind = Literal["progress", "outcome"]
ReportStatus = Literal[
    "received", "in-progress", "more-needed", "granted", "refused", "withdrawn", "done"
]


class ConsentGranted(Facts, frozen=True, tag="consent-granted.1"):
    """She granted a consent. `link.items` map its items to her evidence."""

    service: str
    subject: str
    consent_id: str
    consent_request_id: str
    terms: Terms


class ConsentRevoked(Facts, frozen=True, tag="consent-revoked.1"):
    """She revoked it."""

    service: str
    subject: str
    consent_id: str


class ConsentPaused(Facts, frozen=True, tag="consent-paused.1"):
    """She paused it: nothing is disclosed until she resumes it."""

    service: str
    subject: str
    consent_id: str


class ConsentResumed(Facts, frozen=True, tag="consent-resumed.1"):
    """She let it go on."""

    service: str
    subject: str
    consent_id: str


class Refusals(Value, frozen=True):
    """How often one reason was recorded on one UTC day."""

    day: str
    count: int


class Release(Value, frozen=True):
    """Fields of one revision that left under a consent, and when they last did."""

    item: Item
    names: tuple[str, ...]
    time: Time


class Report(Value, frozen=True):
    """What the recipient last told of the matter; `count` is its number on its UTC day."""

    kind: ReportKind
    status: ReportStatus
    time: Time
    count: int = 0


class Consent(Value, frozen=True):
    """A consent and what became of it. `window` is the frequency window of the last disclosure."""

    terms: Terms
    items: tuple[Item, ...]
    subject: str
    consent_request_id: str
    granted: Time
    paused: Time = Time("")
    revoked: Time = Time("")
    disclosures: int = 0
    last_disclosure: Time = Time("")
    window: int = 0
    window_count: int = 0
    refusals: dict[str, Refusals] = field(default_factory=dict)
    releases: dict[str, Release] = field(default_factory=dict)
    report: Report | None = None

    @property
    def service(self) -> str:
        """Return the service that may fetch."""
        return self.terms.recipient.service

    def status(self, time: Time) -> ConsentStatus:
        """Return what it is at a time. Expiry is no event: it follows from the terms."""
        if self.revoked:
            return "revoked"
        if time >= self.terms.end:
            return "expired"
        return "paused" if self.paused else "active"

    def must_not_have_ended(self, time: Time) -> None:
        """Check that it has not ended; it may be paused.

        Raises:
            ConsentRevokedError, ConsentExpiredError: if it has.
        """
        match self.status(time):
            case "revoked":
                raise ConsentRevokedError
            case "expired":
                raise ConsentExpiredError

    def item(self, number: int) -> Item:
        """Return an item by its number, which must exist."""
        return next(item for item in self.items if item.item == number)


def grant(
    state: VaultState | None,
    registry: RegistryState,
    stamp: Stamp,
    *,
    consent_request_id: str,
    consent_id: str,
    choice: Choice,
    shown: Shown,
    shown_hash: str,
) -> Draft:
    """Grant a consent exactly as it was shown.

    Raises:
        ShownDiffersError: if the digest is not that of what the choice comes to, or it was shown
            before it was asked, in the future, or too long ago.
        ServiceSuspendedError, PurposeNotAllowedError: if the registry forbids it by now.
        See `choice.terms_of` for the others.
    """
    terms, items = choices.terms_of(
        state,
        stamp.time,
        consent_request_id=consent_request_id,
        consent_id=consent_id,
        choice=choice,
        shown=shown,
    )
    registry.service(terms.recipient.service)
    registry.purpose(terms.purpose.code, terms.recipient.service, terms.purpose.version)
    request = find_request(must_be_sound(state), consent_request_id)
    shown_until = later(shown.time, seconds=SHOWN_FOR_HOURS * 3600)
    if not request.time <= shown.time <= stamp.time <= shown_until or terms.end <= stamp.time:
        raise ShownDiffersError("shown")
    page = choices.shown_bytes(terms, items)
    if digest(page) != shown_hash:
        raise ShownDiffersError("shown")
    facts = ConsentGranted(
        time=stamp.time,
        salt=stamp.salt,
        service=terms.recipient.service,
        subject=request.subject,
        consent_id=consent_id,
        consent_request_id=consent_request_id,
        terms=terms,
    )
    return Draft(facts=facts, items=items, shown=page)


def revoke(state: VaultState | None, stamp: Stamp, consent_id: str) -> Draft:
    """Revoke a consent.

    A broken history does not stop her: stopping must always be possible.

    Raises:
        NotFoundError: if there is none.
        ConsentRevokedError, ConsentExpiredError: if it has ended already.
    """
    if state is None:
        raise NotFoundError
    consent = find(state, consent_id)
    consent.must_not_have_ended(stamp.time)
    facts = ConsentRevoked(
        time=stamp.time,
        salt=stamp.salt,
        service=consent.service,
        subject=consent.subject,
        consent_id=consent_id,
    )
    return Draft(facts=facts)


def pause(state: VaultState | None, stamp: Stamp, consent_id: str) -> Draft:
    """Pause a consent. As with revoking, a broken history does not stop her.

    Raises:
        NotFoundError: if there is none.
        ConsentRevokedError, ConsentExpiredError: if it has ended already.
        ConsentPausedError: if it is paused.
    """
    if state is None:
        raise NotFoundError
    consent = find(state, consent_id)
    consent.must_not_have_ended(stamp.time)
    if consent.paused:
        raise ConsentPausedError
    facts = ConsentPaused(
        time=stamp.time,
        salt=stamp.salt,
        service=consent.service,
        subject=consent.subject,
        consent_id=consent_id,
    )
    return Draft(facts=facts)


def may_resume(
    state: VaultState | None, registry: RegistryState, time: Time, consent_id: str
) -> Consent:
    """Return the paused consent that may go on.

    Raises:
        VaultNotOpenError, NotFoundError: if there is none.
        ConsentRevokedError, ConsentExpiredError: if it has ended.
        ConsentNotPausedError: if it is not paused.
        ServiceSuspendedError, PurposeNotAllowedError: if the registry forbids it by now.
    """
    consent = find(must_be_sound(state), consent_id)
    consent.must_not_have_ended(time)
    if not consent.paused:
        raise ConsentNotPausedError
    registry.service(consent.service)
    registry.purpose(consent.terms.purpose.code, consent.service, consent.terms.purpose.version)
    return consent


def resume(
    state: VaultState | None,
    registry: RegistryState,
    stamp: Stamp,
    consent_id: str,
    *,
    shown: Shown | None = None,
    shown_hash: str = "",
) -> Draft:
    """Let a paused consent go on, exactly as it was shown if it was.

    Raises:
        ShownDiffersError: if the digest is not that of the terms now, or they were shown before
            this pause began, in the future, or too long ago.
        See `may_resume` for the others.
    """
    consent = may_resume(state, registry, stamp.time, consent_id)
    page = b""
    if shown is not None:
        page = choices.shown_bytes(terms_as_shown(consent, shown), consent.items)
        shown_until = later(shown.time, seconds=SHOWN_FOR_HOURS * 3600)
        # What was shown before this pause was approved for another one.
        if not consent.paused <= shown.time <= stamp.time <= shown_until:
            raise ShownDiffersError("shown")
        if digest(page) != shown_hash:
            raise ShownDiffersError("shown")
    facts = ConsentResumed(
        time=stamp.time,
        salt=stamp.salt,
        service=consent.service,
        subject=consent.subject,
        consent_id=consent_id,
    )
    return Draft(facts=facts, shown=page)


def terms_as_shown(consent: Consent, shown: Shown) -> Terms:
    """Return the terms of a consent as they stood on her page when she let it go on."""
    return replace(consent.terms, shown_time=shown.time, salt=shown.salt)


def find(state: VaultState, consent_id: str) -> Consent:
    """Return a consent.

    Raises:
        NotFoundError: if there is none.
    """
    consent = state.consents.get(consent_id)
    if consent is None:
        raise NotFoundError
    return consent


def granted(state: VaultState, event: Event, facts: ConsentGranted) -> VaultState:
    """Fold `ConsentGranted`."""
    consent = Consent(
        terms=facts.terms,
        items=event.link.items,
        subject=facts.subject,
        consent_request_id=facts.consent_request_id,
        granted=facts.time,
    )
    requests = state.requests
    request = requests.get(facts.consent_request_id)
    if request is not None:
        answered = replace(request, consent_id=facts.consent_id)
        requests = {**requests, facts.consent_request_id: answered}
    return replace(state, requests=requests, consents={**state.consents, facts.consent_id: consent})


def revoked(state: VaultState, event: Event, facts: ConsentRevoked) -> VaultState:
    """Fold `ConsentRevoked`."""
    del event
    return changed(state, facts.consent_id, revoked=facts.time)


def paused(state: VaultState, event: Event, facts: ConsentPaused) -> VaultState:
    """Fold `ConsentPaused`."""
    del event
    return changed(state, facts.consent_id, paused=facts.time)


def resumed(state: VaultState, event: Event, facts: ConsentResumed) -> VaultState:
    """Fold `ConsentResumed`."""
    del event
    return changed(state, facts.consent_id, paused=Time(""))


def changed(state: VaultState, consent_id: str, **changes: object) -> VaultState:
    """Return the state with a consent changed, if there is one."""
    consent = state.consents.get(consent_id)
    if consent is None:
        return state
    return replace(state, consents={**state.consents, consent_id: replace(consent, **changes)})
