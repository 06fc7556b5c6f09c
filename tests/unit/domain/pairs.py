# SPDX-License-Identifier: Apache-2.0
"""Random pairs of terms and an attempt, with what happened in between.

Most of a pair fits, so that often a single rule stands between an attempt and the evidence. A pair
is drawn from a seeded `Random`: that takes a tenth of a millisecond, and Hypothesis several.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final, TypeVar

from msgspec.structs import replace

from tests.builders import (
    ADDRESS,
    ADDRESS_NAMES,
    DAY,
    INCOME,
    INCOME_NAMES,
    ONCE,
    OTHER_ADDRESS,
    OTHER_CONSENT,
    OTHER_SERVICE,
    OTHER_SUBJECT,
    SALT,
    SERVICE,
    an_attempt,
    an_item,
    at,
    consent_extended,
    consent_granted,
    consent_narrowed,
    consent_paused,
    consent_requested,
    consent_resumed,
    consent_revoked,
    drafted,
    evidence_disclosed,
    evidence_provided,
    evidence_replaced,
    income_provided,
    purpose_published,
    registered,
    some_terms,
    vault_opened,
)
from vault.domain.disclosure import Attempt, Selection
from vault.domain.events import Draft
from vault.domain.registry import PurposeWithdrawn, RegistryState, ServiceSuspended
from vault.domain.values import (
    DisclosedFields,
    Frequency,
    GrantedFields,
    Item,
    Terms,
    Time,
    later,
    seconds_between,
)

T = TypeVar("T")
HOUR: Final = 3_600
TYPES: Final = {ADDRESS: "postal_address", OTHER_ADDRESS: "postal_address", INCOME: "income"}
NAMES: Final = {"postal_address": ADDRESS_NAMES, "income": INCOME_NAMES}
PROVIDED: Final = (
    vault_opened(),
    evidence_provided(ADDRESS),
    evidence_provided(OTHER_ADDRESS, names=("postalCode", "streetName")),
    income_provided(issued_date="2026-03-01"),
    consent_requested(),
)
OPEN: Final = registered()
REGISTRIES: Final = (
    *[OPEN] * 16,
    registered(purpose_published(version=2, services=())),
    registered(drafted(ServiceSuspended(time=at(), salt=SALT, service=SERVICE))),
    registered(drafted(PurposeWithdrawn(time=at(), salt=SALT, code="care"))),
)


@dataclass(frozen=True)
class Pair:
    """Terms as granted, all that happened, and an attempt at a time after that."""

    terms: Terms
    history: tuple[Draft, ...]
    registry: RegistryState
    time: Time
    attempt: Attempt


def some(random: Random, things: Sequence[T], least: int = 1) -> list[T]:
    """Return some of the things, in their order."""
    chosen = random.sample(range(len(things)), random.randint(least, len(things)))
    return [things[index] for index in sorted(chosen)]


def seldom(random: Random, one_in: int) -> bool:
    return random.randrange(one_in) == 0


def a_pair(random: Random) -> Pair:
    """Return a random pair."""
    terms, items = _terms(random)
    time = _time(random, terms)
    then = max(time, terms.start)
    between = [
        *_disclosures(random, terms, items, then),
        *_pauses(random, terms, then),
        *_replacements(random, terms, then),
    ]
    latest, amended = terms, []
    for number in range(random.choice([0, 0, 1, 2])):
        latest, draft = _amended(random, latest, items, later(then, microseconds=number))
        amended.append(draft)
    between.sort(key=lambda draft: draft.facts.time)
    history = (*PROVIDED, consent_granted(*items, **_fields(terms)), *between, *amended)
    attempt = _attempt(random, terms if seldom(random, 8) else latest)
    return Pair(terms, history, random.choice(REGISTRIES), time, attempt)


def _terms(random: Random) -> tuple[Terms, tuple[Item, ...]]:
    scope, items = [], []
    for number, evidence_id in enumerate(some(random, list(TYPES)), start=1):
        names = some(random, NAMES[TYPES[evidence_id]])
        required = some(random, names, least=0)
        is_pinned = seldom(random, 3)
        scope.append(
            GrantedFields(
                item=number,
                evidence_type=TYPES[evidence_id],
                mode="pinned" if is_pinned else "following",
                required=tuple(required),
                optional=tuple(name for name in names if name not in required),
            )
        )
        items.append(an_item(number, evidence_id, 1 if is_pinned else 0))
    start = at(random.randint(1, 48) * HOUR)
    is_once = seldom(random, 4)
    terms = some_terms(
        scope=tuple(scope),
        start=start,
        end=later(start, seconds=random.randint(1, 200) * HOUR),
        one_time=is_once,
        frequency=ONCE
        if is_once
        else Frequency(
            count=random.randint(1, 3), period_seconds=random.choice([HOUR, 6 * HOUR, DAY])
        ),
        largest_age_days=random.choice([0, 0, 0, 0, 1, 3, 7]),
    )
    return terms, tuple(items)


def _fields(terms: Terms) -> dict[str, Any]:
    return {name: getattr(terms, name) for name in terms.__struct_fields__}


def _time(random: Random, terms: Terms) -> Time:
    """Return a time within the terms, more often than not, or just at an edge of them."""
    length = int(seconds_between(terms.start, terms.end))
    within = later(terms.start, seconds=random.randrange(length))
    edge = random.choice([terms.start, terms.end, later(terms.end, seconds=HOUR)])
    just_before = later(edge, microseconds=-1)
    windows = random.randrange(length) // HOUR
    window = later(terms.start, seconds=windows * HOUR, microseconds=random.choice([-1, 0]))
    return random.choice([*[within] * 9, edge, just_before, window])


def _between(random: Random, start: Time, end: Time) -> Time:
    seconds = int(seconds_between(start, end))
    return later(start, seconds=random.randint(0, max(0, seconds)))


def _disclosures(random: Random, terms: Terms, items: tuple[Item, ...], time: Time) -> list[Draft]:
    """Return what left before: more often lately, so that it counts."""
    lately = max(terms.start, later(time, seconds=-2 * HOUR))
    drafts = []
    for _ in range(random.choice([0, 0, 0, 1, 2, 4])):
        fields = random.choice(terms.scope)
        left = DisclosedFields(item=fields.item, names=tuple(sorted(fields.names)))
        item = next(item for item in items if item.item == fields.item)
        draft = evidence_disclosed(
            _between(random, random.choice([lately, terms.start]), time),
            fields=(left,),
            repeats="an earlier one" if seldom(random, 4) else "",
        )
        drafts.append(replace(draft, items=(replace(item, revision=1),)))
    return drafts


def _pauses(random: Random, terms: Terms, time: Time) -> list[Draft]:
    times = sorted(_between(random, terms.start, time) for _ in range(3))
    verbs = (consent_paused, consent_resumed, consent_paused)
    count = random.choice([*[0] * 10, 1, 2, 2, 2])
    drafts = [verb(time=when) for verb, when in zip(verbs, times, strict=True)][:count]
    if seldom(random, 16):
        drafts.append(consent_revoked(time=_between(random, terms.start, time)))
    return drafts


def _replacements(random: Random, terms: Terms, time: Time) -> list[Draft]:
    drafts = []
    for evidence_id in some(random, list(TYPES), least=0)[: random.randint(0, 2)]:
        kind = TYPES[evidence_id]
        names = some(random, NAMES[kind]) if seldom(random, 3) else NAMES[kind]
        when = _between(random, terms.start, time)
        draft = evidence_replaced(
            evidence_id,
            time=when,
            evidence_type=kind,
            names=tuple(names),
            changed=tuple(names),
            issued_date=random.choice(["", when[:10], "2026-03-01"]),
        )
        drafts.append(draft)
    return drafts


def _amended(
    random: Random, terms: Terms, items: tuple[Item, ...], time: Time
) -> tuple[Terms, Draft]:
    """Return other terms, and that she made them so."""
    if seldom(random, 3):
        end = later(terms.end, seconds=random.randint(1, 100) * HOUR)
        after = replace(terms, end=end)
        extended = consent_extended(time, **_fields(after))
        return after, replace(extended, items=_kept(after, items))
    scope = []
    for fields in some(random, terms.scope):
        left = some(random, sorted(fields.names))
        scope.append(
            replace(
                fields,
                required=tuple(name for name in fields.required if name in left),
                optional=tuple(name for name in fields.optional if name in left),
            )
        )
    count = random.randint(1, terms.frequency.count) if terms.frequency.count else 0
    after = replace(
        terms,
        scope=tuple(scope),
        end=min(terms.end, later(time, seconds=random.randint(1, 200) * HOUR)),
        frequency=replace(terms.frequency, count=count),
    )
    return after, consent_narrowed(*_kept(after, items), time=time, **_fields(after))


def _kept(terms: Terms, items: tuple[Item, ...]) -> tuple[Item, ...]:
    numbers = {fields.item for fields in terms.scope}
    return tuple(item for item in items if item.item in numbers)


def _names(random: Random, fields: GrantedFields, of: Sequence[str]) -> list[str]:
    """Return some of the names, and seldom one that is not among them."""
    names = some(random, of)
    if seldom(random, 20):
        names.append(random.choice([*NAMES[fields.evidence_type], "*"]))
    return names


def _attempt(random: Random, terms: Terms) -> Attempt:
    """Return an attempt that mostly fits terms."""
    selections = []
    for fields in some(random, terms.scope):
        names = _names(random, fields, sorted(fields.names))
        kind = fields.evidence_type
        number = random.choice([0, *[fields.item] * 5])
        if seldom(random, 25):
            names, kind, number = random.choice(
                [([], kind, number), (names, "income", number), (names, kind, number + 1)]
            )
        selections.append(Selection(item=number, evidence_type=kind, names=tuple(names)))
    stray: dict[str, str] = {}
    if seldom(random, 12):
        stray = random.choice(
            [
                {"service": OTHER_SERVICE},
                {"subject": OTHER_SUBJECT},
                {"consent_id": OTHER_CONSENT},
                {"purpose_code": "loan"},
                {"purpose_code": "care@1"},
            ]
        )
    return an_attempt(*selections, **stray)
