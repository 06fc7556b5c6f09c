# SPDX-License-Identifier: Apache-2.0
"""Other terms for the same consent: narrowed, which is a stop, or extended, which is a decision.

A narrowing never lets through what the terms before it would not have; an extension changes the end
and nothing else. The terms stand whole in either event, and the difference is computed from them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from vault.domain import consent as consents
from vault.domain.canonical import digest
from vault.domain.choice import Shown, shown_bytes
from vault.domain.errors import (
    CapacityNotAllowedError,
    FieldInvalidError,
    FrequencyExhaustedError,
    NarrowingWidensError,
    NotFoundError,
    PurposeExceededError,
    ShownDiffersError,
)
from vault.domain.events import Draft, Event, Facts
from vault.domain.values import (
    Capacity,
    Frequency,
    GrantedFields,
    Stamp,
    Terms,
    Time,
    later,
)
from vault.domain.vault import must_be_sound

if TYPE_CHECKING:
    from vault.domain.consent import Consent
    from vault.domain.registry import RegistryState
    from vault.domain.state import VaultState

MAY_EXTEND: frozenset[Capacity] = frozenset({"self"})
"""Whoever acts for her may stop things, but not prolong them (as in Estonia)."""


class ConsentNarrowed(Facts, frozen=True, tag="consent-narrowed.1"):
    """She shares less under the same consent; `terms` are those from now on."""

    service: str
    subject: str
    consent_id: str
    terms: Terms


class ConsentExtended(Facts, frozen=True, tag="consent-extended.1"):
    """She shares for longer under the same consent; `terms` are those from now on."""

    service: str
    subject: str
    consent_id: str
    terms: Terms


class Remaining(Struct, frozen=True, kw_only=True):
    """The fields of one item that stay shared."""

    item: int
    names: tuple[str, ...]


class Narrowing(Struct, frozen=True, kw_only=True):
    """What stays: `items` None, `end` None and `frequency_count` 0 leave that part as it is."""

    items: tuple[Remaining, ...] | None
    end: Time | None
    frequency_count: int


class FieldsDifference(Struct, frozen=True, kw_only=True):
    """Fields of one item that are shared no more, sorted."""

    item: int
    evidence_type: str
    names: tuple[str, ...]


class Difference(Struct, frozen=True, kw_only=True):
    """What changed between two terms of one consent; what did not is None or empty."""

    removed: tuple[FieldsDifference, ...]
    end: tuple[Time, Time] | None
    frequency: tuple[Frequency, Frequency] | None


def narrow(state: VaultState | None, stamp: Stamp, consent_id: str, narrowing: Narrowing) -> Draft:
    """Share less. As with revoking, a broken history does not stop her.

    Raises:
        NotFoundError: if there is no such consent.
        ConsentRevokedError, ConsentExpiredError: if it has ended already.
        NarrowingWidensError: naming what would give more than now.
        FieldInvalidError: if nothing would change, or nothing would be left.
    """
    if state is None:
        raise NotFoundError
    consent = consents.find(state, consent_id)
    consent.must_not_have_ended(stamp.time)
    before = consent.terms
    scope = _remaining(before.scope, narrowing.items)
    after = replace(
        before,
        scope=scope,
        end=_earlier_end(before, stamp.time, narrowing.end),
        frequency=_lower_frequency(before, narrowing.frequency_count),
    )
    if after == before:
        raise FieldInvalidError("narrowing", "It changes nothing.")
    numbers = {granted.item for granted in scope}
    facts = ConsentNarrowed(
        time=stamp.time,
        salt=stamp.salt,
        service=consent.service,
        subject=consent.subject,
        consent_id=consent_id,
        terms=replace(after, shown_time=stamp.time, salt=stamp.salt),
    )
    return Draft(facts=facts, items=tuple(i for i in consent.items if i.item in numbers))


def extended_terms(consent: Consent, end: Time, shown: Shown) -> Terms:
    """Return the terms of a consent with a later end, as they stood on her page."""
    return replace(consent.terms, end=end, shown_time=shown.time, salt=shown.salt)


def may_extend(
    state: VaultState | None,
    registry: RegistryState,
    time: Time,
    *,
    consent_id: str,
    end: Time,
    capacity: Capacity,
) -> Consent:
    """Return the consent that may be extended to an end.

    Raises:
        CapacityNotAllowedError: if somebody else would extend it.
        VaultNotOpenError, NotFoundError: if there is no such consent.
        ConsentRevokedError, ConsentExpiredError: if it has ended: then a new request is needed.
        FrequencyExhaustedError: if it was for one disclosure, which was made.
        FieldInvalidError: if the end is not later.
        PurposeExceededError: if the end lies beyond the purpose.
        ServiceSuspendedError, PurposeNotAllowedError: if the registry forbids it by now.
    """
    if capacity not in MAY_EXTEND:
        raise CapacityNotAllowedError
    consent = consents.find(must_be_sound(state), consent_id)
    consent.must_not_have_ended(time)
    terms = consent.terms
    registry.service(consent.service)
    purpose = registry.purpose(terms.purpose.code, consent.service, terms.purpose.version)
    if terms.one_time and consent.disclosures:
        raise FrequencyExhaustedError
    if end <= terms.end:
        raise FieldInvalidError("end_time", "It is not later than the end now.")
    if end > later(time, days=purpose.bounds.longest_days):
        raise PurposeExceededError("end_time", "It ends too late.")
    return consent


def extend(
    state: VaultState | None,
    registry: RegistryState,
    stamp: Stamp,
    *,
    consent_id: str,
    end: Time,
    shown: Shown,
    shown_hash: str,
    capacity: Capacity,
) -> Draft:
    """Extend a consent exactly as it was shown.

    Raises:
        ShownDiffersError: if the digest is not that of the terms now, or they were shown before
            the consent was granted or last changed, in the future, or too long ago.
        See `may_extend` for the others.
    """
    consent = may_extend(
        state, registry, stamp.time, consent_id=consent_id, end=end, capacity=capacity
    )
    terms = extended_terms(consent, end, shown)
    shown_until = later(shown.time, seconds=consents.SHOWN_FOR_HOURS * 3600)
    # She may have shortened it since: then the page did not tell her what would change.
    known_since = max(consent.granted, consent.terms.shown_time)
    if not known_since <= shown.time <= stamp.time <= shown_until:
        raise ShownDiffersError("shown")
    page = shown_bytes(terms, consent.items)
    if digest(page) != shown_hash:
        raise ShownDiffersError("shown")
    facts = ConsentExtended(
        time=stamp.time,
        salt=stamp.salt,
        service=consent.service,
        subject=consent.subject,
        consent_id=consent_id,
        terms=terms,
    )
    return Draft(facts=facts, items=consent.items, shown=page)


def difference(before: Terms, after: Terms) -> Difference:
    """Return what changed between two terms of one consent."""
    left = {granted.item: granted.names for granted in after.scope}
    removed = tuple(
        FieldsDifference(
            item=granted.item,
            evidence_type=granted.evidence_type,
            names=tuple(sorted(granted.names - left.get(granted.item, frozenset()))),
        )
        for granted in before.scope
        if granted.names - left.get(granted.item, frozenset())
    )
    same_frequency = before.frequency == after.frequency
    return Difference(
        removed=removed,
        end=None if before.end == after.end else (before.end, after.end),
        frequency=None if same_frequency else (before.frequency, after.frequency),
    )


def _remaining(
    scope: tuple[GrantedFields, ...], items: tuple[Remaining, ...] | None
) -> tuple[GrantedFields, ...]:
    if items is None:
        return scope
    left: dict[int, frozenset[str]] = {}
    granted_names = {granted.item: granted.names for granted in scope}
    for index, remaining in enumerate(items):
        path = f"items[{index}]"
        names = frozenset(remaining.names)
        if remaining.item in left:
            raise FieldInvalidError(path, "This item is named twice.")
        if not names:
            raise FieldInvalidError(f"{path}.names", "It names no field; leave the item out.")
        if not names <= granted_names.get(remaining.item, frozenset()):
            raise NarrowingWidensError(path)
        left[remaining.item] = names
    if not left:
        raise FieldInvalidError("items", "Nothing would be left; revoke the consent instead.")
    return tuple(
        replace(
            granted,
            required=tuple(n for n in granted.required if n in left[granted.item]),
            optional=tuple(n for n in granted.optional if n in left[granted.item]),
        )
        for granted in scope
        if granted.item in left
    )


def _earlier_end(before: Terms, time: Time, end: Time | None) -> Time:
    if end is None:
        return before.end
    if end > before.end:
        raise NarrowingWidensError("end_time")
    if end <= max(time, before.start):
        raise FieldInvalidError("end_time", "Nothing would be left; revoke the consent instead.")
    return end


def _lower_frequency(before: Terms, count: int) -> Frequency:
    if not count:
        return before.frequency
    if before.one_time or count > before.frequency.count:
        raise NarrowingWidensError("frequency_count")
    return Frequency(count=count, period_seconds=before.frequency.period_seconds)


def difference_made(state: VaultState, event: Event) -> Difference | None:
    """Return what an event of a vault changed in a consent's terms; None if it is no such event."""
    facts = event.facts
    if not isinstance(facts, ConsentNarrowed | ConsentExtended):
        return None
    before = state.earlier_terms.get(event.link.version)
    return difference(before, facts.terms) if before else None


def amended(
    state: VaultState, event: Event, facts: ConsentNarrowed | ConsentExtended
) -> VaultState:
    """Fold `ConsentNarrowed` or `ConsentExtended`."""
    consent = state.consents.get(facts.consent_id)
    if consent is None:
        return state
    earlier = {**state.earlier_terms, event.link.version: consent.terms}
    return consents.changed(
        replace(state, earlier_terms=earlier),
        facts.consent_id,
        terms=facts.terms,
        items=event.link.items,
    )
