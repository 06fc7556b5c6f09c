# SPDX-License-Identifier: Apache-2.0
"""Disclosure: whether fields may leave under a consent now, and the record of it.

A disclosure is an event on the same stream as every revocation, so it can never follow one (P1).
It is decided, the bundle is built, it is recorded with the bundle's digest; only then it leaves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from vault.domain import consent as consents
from vault.domain import evidence
from vault.domain.consent import Consent, Refusals, Release
from vault.domain.errors import (
    ConsentExpiredError,
    ConsentNotStartedError,
    ConsentPausedError,
    ConsentRevokedError,
    EvidenceChangedError,
    EvidenceTooOldError,
    FieldInvalidError,
    FieldNotGrantedError,
    FrequencyExhaustedError,
    NotFoundError,
    PurposeDiffersError,
    VaultError,
)
from vault.domain.events import Draft, Event, Facts
from vault.domain.values import (
    DisclosedFields,
    GrantedFields,
    Item,
    Stamp,
    Time,
    TypeFields,
    later,
    seconds_between,
)
from vault.domain.vault import must_be_sound

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vault.domain.evidence import Evidence, Revision
    from vault.domain.registry import RegistryState
    from vault.domain.state import VaultState

LISTED_REFUSALS = 3
"""Refusals recorded for one consent, reason and UTC day; the last says that more are not listed."""


class EvidenceDisclosed(Facts, frozen=True, tag="evidence-disclosed.1"):
    """Fields left. `repeats` is the leaf of the first disclosure of the same bytes, or ""."""

    service: str
    subject: str
    consent_id: str
    purpose: str
    fields: tuple[DisclosedFields, ...]
    bundle_hash: str
    repeats: str


class DisclosureRefused(Facts, frozen=True, tag="disclosure-refused.1"):
    """The service tried on its own consent and was refused. `more_unlisted`: no more that day."""

    service: str
    subject: str
    consent_id: str
    purpose: str
    fields: tuple[TypeFields, ...]
    reason: str
    more_unlisted: bool


class Selection(Struct, frozen=True, kw_only=True):
    """Fields that a service wants; item 0 is the consent's only item of that type."""

    item: int
    evidence_type: str
    names: tuple[str, ...]


class Attempt(Struct, frozen=True, kw_only=True):
    """A service's well-formed attempt."""

    service: str
    subject: str
    consent_id: str
    purpose_code: str
    selections: tuple[Selection, ...]


class Opening(Struct, frozen=True, kw_only=True):
    """One item to open: exactly these fields of this revision."""

    item: int
    evidence: Evidence
    revision: Revision
    names: tuple[str, ...]


class Plan(Struct, frozen=True, kw_only=True):
    """What may leave now, before it is opened."""

    consent: Consent
    consent_id: str
    openings: tuple[Opening, ...]

    @property
    def items(self) -> tuple[Item, ...]:
        """Return the revisions that leave."""
        return tuple(
            Item(
                item=opening.item,
                evidence_id=opening.evidence.evidence_id,
                revision=opening.revision.revision,
            )
            for opening in self.openings
        )

    @property
    def fields(self) -> tuple[DisclosedFields, ...]:
        """Return the fields that leave."""
        return tuple(DisclosedFields(item=o.item, names=o.names) for o in self.openings)


def plan(
    state: VaultState | None,
    registry: RegistryState,
    time: Time,
    attempt: Attempt,
    *,
    first: Event | None = None,
) -> Plan:
    """Decide whether the fields may leave now.

    Args:
        first: the recorded disclosure that this one repeats; the same bytes or nothing, decided
            under the terms of now, not counted in the frequency.

    Raises:
        NotFoundError: if the consent is not this service's and subject's.
        FieldInvalidError: if nothing is wanted.
        A `StateError` with the reason otherwise; the attempt may then be recorded by `refuse`.
    """
    vault = must_be_sound(state)
    consent = find_own(vault, attempt)
    terms = consent.terms
    match consent.status(time):
        case "revoked":
            raise ConsentRevokedError
        case "expired":
            raise ConsentExpiredError
        case "paused":
            raise ConsentPausedError
    if time < terms.start:
        raise ConsentNotStartedError
    if attempt.purpose_code != terms.purpose.code:
        raise PurposeDiffersError("purpose_code")
    openings = _openings(vault, consent, attempt)
    registry.service(attempt.service)
    registry.purpose(terms.purpose.code, attempt.service, terms.purpose.version)
    decided = Plan(consent=consent, consent_id=attempt.consent_id, openings=openings)
    if first is None:
        _within_frequency(consent, time)
    elif first.link.items != decided.items or not _same_fields(first, decided):
        raise EvidenceChangedError
    _fresh_enough(decided, time)
    return decided


def disclose(stamp: Stamp, decided: Plan, bundle_hash: str, repeats: str = "") -> Draft:
    """Record that the bundle leaves."""
    consent = decided.consent
    facts = EvidenceDisclosed(
        time=stamp.time,
        salt=stamp.salt,
        service=consent.service,
        subject=consent.subject,
        consent_id=decided.consent_id,
        purpose=consent.terms.purpose.name,
        fields=decided.fields,
        bundle_hash=bundle_hash,
        repeats=repeats,
    )
    return Draft(facts=facts, items=decided.items)


def refuse(state: VaultState | None, stamp: Stamp, attempt: Attempt, reason: str) -> Draft | None:
    """Record a refused attempt on the service's own consent, or nothing if enough are listed."""
    vault = must_be_sound(state)
    consent = find_own(vault, attempt)
    listed = consent.refusals.get(reason)
    count = listed.count if listed and listed.day == stamp.time[:10] else 0
    if count >= LISTED_REFUSALS:
        return None
    names: dict[str, set[str]] = {}
    for selection in attempt.selections:
        names.setdefault(selection.evidence_type, set()).update(selection.names)
    facts = DisclosureRefused(
        time=stamp.time,
        salt=stamp.salt,
        service=consent.service,
        subject=consent.subject,
        consent_id=attempt.consent_id,
        purpose=consent.terms.purpose.name,
        fields=tuple(
            TypeFields(evidence_type=kind, names=tuple(sorted(names[kind])))
            for kind in sorted(names)
        ),
        reason=reason,
        more_unlisted=count + 1 == LISTED_REFUSALS,
    )
    return Draft(facts=facts)


def find_own(vault: VaultState, attempt: Attempt) -> Consent:
    """Return the consent, if it is this service's and this subject's.

    Raises:
        NotFoundError: if it is not.
    """
    consent = consents.find(vault, attempt.consent_id)
    if consent.service != attempt.service or consent.subject != attempt.subject:
        raise NotFoundError
    return consent


def _openings(vault: VaultState, consent: Consent, attempt: Attempt) -> tuple[Opening, ...]:
    if not attempt.selections:
        raise FieldInvalidError("fields", "It names no field.")
    openings: dict[int, Opening] = {}
    for index, selection in enumerate(attempt.selections):
        path = f"fields[{index}]"
        matching = [
            granted
            for granted in consent.terms.scope
            if granted.evidence_type == selection.evidence_type
            and selection.item in (0, granted.item)
        ]
        if len(matching) != 1:
            raise FieldNotGrantedError(path)
        granted = matching[0]
        if granted.item in openings:
            raise FieldNotGrantedError(path, "This item is named twice.")
        if not selection.names or not granted.names.issuperset(selection.names):
            raise FieldNotGrantedError(f"{path}.names")
        openings[granted.item] = _opening(vault, consent, granted, selection.names, path)
    return tuple(openings[number] for number in sorted(openings))


def _opening(
    vault: VaultState, consent: Consent, granted: GrantedFields, names: Iterable[str], path: str
) -> Opening:
    item = consent.item(granted.item)
    piece = evidence.find(vault, item.evidence_id)
    revision = piece.revision(item.revision)
    # A replacement may have dropped a field; then what is granted is not there to be sent.
    if not revision.updated.keys() >= set(names):
        raise FieldNotGrantedError(f"{path}.names", "The evidence no longer has it.")
    return Opening(
        item=granted.item, evidence=piece, revision=revision, names=tuple(sorted(set(names)))
    )


def everything(vault: VaultState, consent: Consent) -> Plan:
    """Return what would leave if every field of a consent were fetched at once: for a preview."""
    return Plan(
        consent=consent,
        consent_id=consent.terms.consent_id,
        openings=tuple(
            _opening(vault, consent, granted, granted.names, f"scope[{index}]")
            for index, granted in enumerate(consent.terms.scope)
        ),
    )


def window_of(consent: Consent, time: Time) -> int:
    """Return the number of the frequency window `[start + k·period, start + (k+1)·period)`."""
    period = consent.terms.frequency.period_seconds
    return int(seconds_between(consent.terms.start, time) // period) if period else 0


def _within_frequency(consent: Consent, time: Time) -> None:
    if consent.terms.one_time:
        if consent.disclosures:
            raise FrequencyExhaustedError
        return
    used = consent.window_count if consent.window == window_of(consent, time) else 0
    if used >= consent.terms.frequency.count:
        raise FrequencyExhaustedError


def _fresh_enough(decided: Plan, time: Time) -> None:
    days = decided.consent.terms.largest_age_days
    if days and any(
        later(opening.revision.issued_time, days=days) < time for opening in decided.openings
    ):
        raise EvidenceTooOldError


def _same_fields(first: Event, decided: Plan) -> bool:
    facts = first.facts
    return (
        isinstance(facts, EvidenceDisclosed)
        and facts.consent_id == decided.consent_id
        and facts.fields == decided.fields
    )


def disclosed(state: VaultState, event: Event, facts: EvidenceDisclosed) -> VaultState:
    """Fold `EvidenceDisclosed`."""
    before = state.consents.get(facts.consent_id)
    if before is None:
        return state
    after = replace(
        before,
        last_disclosure=facts.time,
        releases={**before.releases, **_releases(before, event, facts)},
    )
    if not facts.repeats:
        window = window_of(before, facts.time)
        count = before.window_count if window == before.window else 0
        after = replace(
            after, disclosures=before.disclosures + 1, window=window, window_count=count + 1
        )
    return replace(state, consents={**state.consents, facts.consent_id: after})


def _releases(consent: Consent, event: Event, facts: EvidenceDisclosed) -> dict[str, Release]:
    """Return what left now, together with what left of the same revisions before."""
    items = {item.item: item for item in event.link.items}
    releases: dict[str, Release] = {}
    for fields in facts.fields:
        item = items.get(fields.item)
        if item is None:
            continue
        key = f"{item.item}/{item.revision}"
        known = consent.releases.get(key)
        names = set(fields.names).union(known.names if known else ())
        releases[key] = Release(item=item, names=tuple(sorted(names)), time=facts.time)
    return releases


def again(
    before: VaultState | None, registry: RegistryState, event: Event, first: Event | None
) -> bool:
    """Decide a recorded disclosure again, from the state before it; say whether it comes out same.

    Args:
        registry: as it stood at the size that the link names.
        first: the disclosure that it repeats, if it does.
    """
    facts = event.facts
    if not isinstance(facts, EvidenceDisclosed) or before is None:
        return False
    consent = before.consents.get(facts.consent_id)
    if consent is None:
        return False
    types = {granted.item: granted.evidence_type for granted in consent.terms.scope}
    attempt = Attempt(
        service=facts.service,
        subject=facts.subject,
        consent_id=facts.consent_id,
        purpose_code=facts.purpose.partition("@")[0],
        selections=tuple(
            Selection(item=f.item, evidence_type=types.get(f.item, ""), names=f.names)
            for f in facts.fields
        ),
    )
    try:
        decided = plan(before, registry, facts.time, attempt, first=first)
    except VaultError:
        return False
    # A repeat sends the bytes of the first; what they were otherwise is not decided here.
    bundle_hash, repeats = facts.bundle_hash, ""
    if first is not None and isinstance(first.facts, EvidenceDisclosed):
        bundle_hash, repeats = first.facts.bundle_hash, first.leaf
    stamp = Stamp(time=facts.time, salt=facts.salt)
    expected = disclose(stamp, decided, bundle_hash, repeats)
    return expected == Draft(facts=facts, items=event.link.items)


def refused(state: VaultState, event: Event, facts: DisclosureRefused) -> VaultState:
    """Fold `DisclosureRefused`."""
    del event
    before = state.consents.get(facts.consent_id)
    if before is None:
        return state
    listed = before.refusals.get(facts.reason)
    day = facts.time[:10]
    count = listed.count if listed and listed.day == day else 0
    refusals = {**before.refusals, facts.reason: Refusals(day=day, count=count + 1)}
    after = replace(before, refusals=refusals)
    return replace(state, consents={**state.consents, facts.consent_id: after})
