# SPDX-License-Identifier: Apache-2.0
"""The auditor's rule for what became of a consent: stopped, paused, resumed, less, or for longer.

Everything of it happens to a consent that has not ended. Narrowed terms give nothing that those
before did not; extended ones end later and are otherwise the same, and she alone extends.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Final

from clients.auditor.canonical import microseconds
from clients.auditor.consents import SHOWN_WITHIN
from clients.auditor.facts import (
    ConsentExtended,
    ConsentNarrowed,
    ConsentPaused,
    ConsentResumed,
    GrantedFields,
    Link,
    OfConsent,
    Terms,
)
from clients.auditor.history import Consent, Vault
from clients.auditor.problem import Problem
from clients.auditor.registry import Registry

CHANGEABLE: Final = {"scope", "end", "frequency", "shown_time", "salt"}


def judge_change(
    vault: Vault, registry: Registry, link: Link, facts: OfConsent, consent: Consent
) -> Iterator[Problem]:
    """Say why a consent could not be changed so."""
    # Other terms may have come between, in a record that was withheld.
    unsure = vault.withheld_after(consent.terms_version)
    if consent.revoked:
        yield Problem(f"the consent was revoked already at {consent.revoked}")
    if facts.time >= consent.terms.end:
        yield Problem(f"the consent had ended on {consent.terms.end}", unsure)
    match facts:
        case ConsentPaused() if consent.paused:
            yield Problem(f"the consent was paused already at {consent.paused}", needs_more=True)
        case ConsentResumed():
            if not consent.paused:
                yield Problem("the consent was not paused", needs_more=True)
            yield from _permitted(registry, link, consent.terms, facts.time, consent.decided)
        case ConsentNarrowed():
            yield from _within(link, facts.terms, consent)
            if facts.terms.end > consent.terms.end:
                yield Problem("it gives more than before: end", unsure)
        case ConsentExtended():
            yield from _within(link, facts.terms, consent)
            yield from _extended(link, facts, consent, unsure=unsure)
            yield from _permitted(registry, link, facts.terms, facts.time, facts.time)
        case _:
            pass


def _permitted(
    registry: Registry, link: Link, terms: Terms, time: str, decided: str
) -> Iterator[Problem]:
    for why in registry.permission(terms, link.registry.size or registry.size_at(time), decided):
        yield Problem(why)


def _within(link: Link, terms: Terms, consent: Consent) -> Iterator[Problem]:
    """Say where other terms give more than those before, their end left out."""
    before = consent.terms
    for part in fields(Terms):
        if part.name not in CHANGEABLE and getattr(before, part.name) != getattr(terms, part.name):
            yield Problem(f"it changes what stays as it is: {part.name}")
    now, then = terms.frequency, before.frequency
    if now.period_seconds != then.period_seconds or now.count > then.count:
        yield Problem("it gives more than before: frequency")
    granted = {given.item: given for given in before.scope}
    for given in terms.scope:
        if not _is_part(given, granted.get(given.item)):
            yield Problem(f"it gives more than before: item {given.item} ({given.evidence_type})")
    numbers = [given.item for given in terms.scope]
    remaining = tuple(item for item in consent.items.values() if item.item in numbers)
    if not numbers or numbers != [item.item for item in remaining] or link.items != remaining:
        yield Problem("its items are not those that remain, each with the evidence as granted")


def _is_part(given: GrantedFields, granted: GrantedFields | None) -> bool:
    return (
        granted is not None
        and (given.evidence_type, given.mode) == (granted.evidence_type, granted.mode)
        and set(given.required).issubset(granted.required)
        and set(given.optional).issubset(granted.optional)
    )


def _extended(
    link: Link, facts: ConsentExtended, consent: Consent, *, unsure: bool
) -> Iterator[Problem]:
    before, terms = consent.terms, facts.terms
    if (terms.scope, terms.frequency) != (before.scope, before.frequency):
        yield Problem("it changes more than the end", unsure)
    if terms.end <= before.end:
        yield Problem(f"it does not end later than {before.end}", unsure)
    known_since = max(consent.facts.time, before.shown_time)
    shown = microseconds(facts.time) - microseconds(terms.shown_time)
    if not 0 <= shown <= SHOWN_WITHIN or not known_since <= terms.shown_time:
        yield Problem("it was not shown to her within the day before, after the terms last changed")
    if terms.one_time and consent.uses_left(facts.time) <= 0:
        yield Problem("it was for one use, which was made")
    if link.acting.capacity != "self":
        yield Problem(f"she alone may extend, not somebody who acts as {link.acting.capacity}")
