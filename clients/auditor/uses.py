# SPDX-License-Identifier: Apache-2.0
"""The auditor's rule for uses and refused attempts.

Every use finds, in the state before it, its consent in force, with the same service, subject and
purpose, within what was granted, its time, its frequency and the largest age; and a registry that
permitted it, confirmed within a second. A repeat is what the first was, and is not counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from clients.auditor.canonical import microseconds
from clients.auditor.facts import (
    DisclosureRefused,
    EvidenceDisclosed,
    Item,
    Link,
    RegistryMark,
)
from clients.auditor.history import Consent, Vault
from clients.auditor.problem import Problem
from clients.auditor.record import Record
from clients.auditor.registry import CLOCKS_APART, DAY, SECOND, Registry

CONFIRMED_WITHIN: Final = 1 * SECOND
LISTED_REFUSALS: Final = 3


def judge_use(
    vault: Vault, registry: Registry, record: Record, link: Link, facts: EvidenceDisclosed
) -> Iterator[Problem]:
    """Say why a use was not allowed by the terms of its consent at that moment."""
    consent = vault.consents[facts.consent_id]
    terms, time = consent.terms, facts.time
    if consent.revoked:
        yield Problem(f"consent {facts.consent_id} was revoked at {consent.revoked}")
    if consent.paused:
        why = f"consent {facts.consent_id} was paused since {consent.paused}"
        yield Problem(why, vault.withheld_after(consent.paused.version))
    if not terms.start <= time < terms.end:
        # It may have been extended, in a record that was withheld.
        unsure = time >= terms.end and vault.withheld_after(consent.terms_version)
        yield Problem(f"it lies outside the consent's time, {terms.start} to {terms.end}", unsure)
    if facts.purpose != terms.purpose.name:
        yield Problem(f"the consent is for purpose {terms.purpose.name}")
    yield from _fields(vault, consent, link, facts)
    if facts.repeats:
        yield from _repeat(vault, link, facts)
    elif consent.uses_left(time) <= 0:
        limit = "one use" if terms.one_time else f"{terms.frequency.count} uses in this window"
        yield Problem(f"the consent allows {limit}, and they were made")
    for why in _authority(registry, record, link.registry, consent, time):
        yield Problem(why)


def _fields(
    vault: Vault, consent: Consent, link: Link, facts: EvidenceDisclosed
) -> Iterator[Problem]:
    numbers = [fields.item for fields in facts.fields]
    is_ordered = numbers == sorted(set(numbers))
    if not numbers or not is_ordered or [item.item for item in link.items] != numbers:
        yield Problem("its items are not in order, each with its evidence")
        return
    for fields, item in zip(facts.fields, link.items, strict=True):
        allowed = consent.granted.get(fields.item)
        if allowed is None:
            yield Problem(f"item {fields.item} was not granted")
            continue
        if not fields.names or not allowed.issuperset(fields.names):
            listed = ", ".join(sorted(set(fields.names) - allowed)) or "no field at all"
            kind = vault.types_of(facts.consent_id).get(fields.item, "")
            yield Problem(f"item {fields.item} ({kind}): not granted: {listed}")
        yield from _revision(vault, consent, item, fields.names, facts.time)


def _revision(
    vault: Vault, consent: Consent, item: Item, names: Iterable[str], time: str
) -> Iterator[Problem]:
    """Say why one item is not the evidence that was granted, in the right revision."""
    granted = consent.items.get(item.item)
    if granted is None or item.evidence_id != granted.evidence_id:
        yield Problem(f"item {item.item} is another piece of evidence than the granted one")
        return
    piece = vault.evidence.get(item.evidence_id)
    current = piece.current if piece else 0
    expected = granted.revision or current
    if item.revision != expected:
        # Only a later one can have been withheld, and only where the consent follows.
        needs_more = not granted.revision and item.revision > current
        why = f"item {item.item} is revision {item.revision}, allowed was {expected}"
        yield Problem(why, needs_more)
    revision = piece.revisions.get(item.revision) if piece else None
    if revision is None:
        yield Problem(f"item {item.item} has no revision {item.revision}", needs_more=True)
        return
    if not revision.names.issuperset(names):
        yield Problem(f"item {item.item} does not have every field that left")
    days = consent.terms.largest_age_days
    if days and microseconds(time) - microseconds(revision.issued_time) > days * DAY:
        yield Problem(f"item {item.item} was older than {days} days")


def _repeat(vault: Vault, link: Link, facts: EvidenceDisclosed) -> Iterator[Problem]:
    first = vault.first_uses.get(facts.repeats)
    if first is None:
        yield Problem("it repeats a use that is not there", needs_more=True)
        return
    if first != (facts.consent_id, facts.bundle_hash, facts.fields, link.items):
        yield Problem("it is not what the use that it repeats was")


def _authority(
    registry: Registry, record: Record, mark: RegistryMark, consent: Consent, time: str
) -> Iterator[str]:
    """Say why the registry did not permit a use when it was recorded."""
    if not mark.size or not mark.confirmed_time:
        yield "it names no version of the registry"
        return
    if mark.size not in consent.permitted:
        asked = registry.permission(consent.terms, mark.size, consent.decided)
        consent.permitted[mark.size] = tuple(asked)
    yield from consent.permitted[mark.size]
    # Positions are one sequence where both streams lie in one lane; in others this shows nothing.
    if registry.origin == (record.link.origin if record.link else ""):
        decided_on = registry.leaf_indexes.get(mark.size, -1)
        if decided_on >= record.leaf_index:
            yield f"it names version {mark.size} of the registry, which came later"
    confirmed = microseconds(mark.confirmed_time)
    if confirmed < microseconds(time) - CONFIRMED_WITHIN:
        yield f"the registry was last confirmed {mark.confirmed_time}, more than a second before"
    concerned = {consent.terms.recipient.service, consent.terms.purpose.code}
    for stop in registry.stops_after(mark.size):
        is_earlier = microseconds(stop.time) <= confirmed - CLOCKS_APART
        if is_earlier and stop.name in concerned:
            yield f"the registry stopped {stop.name} at its version {stop.version}, {stop.time}"


def judge_refusal(facts: DisclosureRefused, consent: Consent) -> Iterator[Problem]:
    """Say why a recorded refusal does not fit."""
    if facts.purpose != consent.terms.purpose.name:
        yield Problem(f"the consent is for purpose {consent.terms.purpose.name}")
    number = consent.refusals[facts.reason, facts.time[:10]] + 1
    if number > LISTED_REFUSALS:
        yield Problem(f"more than {LISTED_REFUSALS} are recorded for one reason and day")
    elif facts.more_unlisted != (number == LISTED_REFUSALS):
        needs_more = facts.more_unlisted
        yield Problem("whether more were not listed is wrong", needs_more)
