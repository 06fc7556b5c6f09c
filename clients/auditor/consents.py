# SPDX-License-Identifier: Apache-2.0
"""The auditor's rule for consents: a grant that fits its request; and how a consent stands.

A consent says what the request asked for or less, and each of its items is evidence that exists.
Whether an approval proves that she decided is judged in `approvals.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from clients.auditor.canonical import microseconds
from clients.auditor.facts import (
    AskedTerms,
    ConsentGranted,
    GrantedFields,
    Item,
    Link,
    Terms,
)
from clients.auditor.history import Consent, Vault
from clients.auditor.problem import Problem
from clients.auditor.registry import DAY, Registry
from clients.auditor.requests import judge_answer

SHOWN_WITHIN: Final = DAY
SAME_AS_ASKED: Final = (
    "recipient",
    "purpose",
    "basis",
    "method",
    "frequency",
    "one_time",
    "largest_age_days",
    "retention_days",
    "storage",
    "jurisdiction",
    "notice_hash",
)

State = Literal["not granted", "active", "paused", "expired", "revoked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Whether a consent was in force at a time, and how many more uses would have fitted."""

    state: State
    allowed: bool
    why: str
    uses: int = 0
    uses_left: int = 0


def judge_grant(
    vault: Vault, registry: Registry, link: Link, facts: ConsentGranted
) -> Iterator[Problem]:
    """Say why a consent was not granted as it should be."""
    terms, time = facts.terms, facts.time
    if facts.consent_id in vault.consents:
        yield Problem(f"consent {facts.consent_id} is granted already")
    if (facts.consent_id, facts.service) != (terms.consent_id, terms.recipient.service):
        yield Problem("its terms name another consent or service")
    shown = microseconds(time) - microseconds(terms.shown_time)
    if not 0 <= shown <= SHOWN_WITHIN or terms.start < terms.shown_time:
        yield Problem("it was not shown to her within the day before, or starts before that")
    if terms.end <= max(time, terms.start):
        yield Problem("it had ended before it was granted, or ends before it starts")
    yield from _mapping(vault, link.items, terms)
    for why in registry.permission(terms, link.registry.size or registry.size_at(time), time):
        yield Problem(why)
    yield from judge_answer(vault, facts)
    if request := vault.requests.get(facts.consent_request_id):
        if terms.shown_time < request.facts.time:
            yield Problem("it was shown to her before it was asked for")
        for part in _wider(terms, request.facts.asked):
            yield Problem(f"it is not what the request asked for: {part}")


def _wider(terms: Terms, asked: AskedTerms) -> Iterator[str]:
    """Name the parts of terms that differ from what was asked, or go beyond it."""
    for part in SAME_AS_ASKED:
        if getattr(terms, part) != getattr(asked, part):
            yield part
    if terms.start < asked.start:
        yield "start"
    if terms.end > asked.end:
        yield "end"
    still_asked = list(asked.scope)
    for fields in terms.scope:
        fitting = [
            wanted
            for wanted in still_asked
            if wanted.evidence_type == fields.evidence_type
            and wanted.required == fields.required
            and set(wanted.optional).issuperset(fields.optional)
        ]
        if fitting:
            still_asked.remove(fitting[0])
        else:
            yield f"item {fields.item} ({fields.evidence_type})"
    for wanted in still_asked:
        if wanted.required:
            yield f"{wanted.evidence_type} is required and missing"


def _mapping(vault: Vault, items: tuple[Item, ...], terms: Terms) -> Iterator[Problem]:
    """Say where the items of a consent do not map to evidence with the granted fields."""
    numbers = list(range(1, len(terms.scope) + 1))
    is_numbered = [fields.item for fields in terms.scope] == numbers
    if not numbers or not is_numbered or [item.item for item in items] != numbers:
        yield Problem("its items are not numbered 1, 2, 3, each with its evidence")
        return
    if len({item.evidence_id for item in items}) != len(items):
        yield Problem("a piece of evidence is named twice")
    for fields, item in zip(terms.scope, items, strict=True):
        yield from _mapped(vault, fields, item)


def _mapped(vault: Vault, fields: GrantedFields, item: Item) -> Iterator[Problem]:
    piece = vault.evidence.get(item.evidence_id)
    if piece is None:
        yield Problem(f"item {item.item} is evidence that does not exist", needs_more=True)
        return
    if piece.evidence_type != fields.evidence_type:
        yield Problem(f"item {item.item} is evidence of another type")
    if (fields.mode == "following") != (item.revision == 0):
        yield Problem(f"item {item.item} is {fields.mode}, its revision {item.revision}")
    revision = piece.revisions.get(item.revision or piece.current)
    if revision is None:
        yield Problem(f"item {item.item} has no revision {item.revision}", needs_more=True)
    elif not fields.names or not revision.names.issuperset(fields.names):
        # A later revision that was withheld may have had the field; a pinned one has what it has.
        needs_more = fields.mode == "following"
        yield Problem(f"item {item.item} does not have every granted field", needs_more)


def standing(consent: Consent, registry: Registry, time: str) -> Standing:
    """Say whether a consent is in force at a time, as far as the vault was folded."""
    terms = consent.terms
    state: State = "active"
    why = next(registry.permission(terms, registry.size_at(time), consent.decided), "")
    if consent.revoked:
        state, why = "revoked", f"revoked at {consent.revoked}"
    elif time >= terms.end:
        state, why = "expired", f"ended {terms.end}"
    elif consent.paused:
        state, why = "paused", f"paused since {consent.paused}"
    elif time < terms.start:
        why = f"starts {terms.start}"
    return Standing(
        state=state,
        allowed=not why,
        why=why or consent.why,
        uses=consent.uses.total(),
        uses_left=consent.uses_left(time) if not why else 0,
    )
