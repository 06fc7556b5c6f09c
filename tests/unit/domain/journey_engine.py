# SPDX-License-Identifier: Apache-2.0
"""How journeys run the domain: as the application runs it, each step held against the model.

A verb decides on the folded state; what it decided is linked, stored, read back and folded.
`RuleBrokenError` says where the domain did other than the model says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import ClassVar, TypeAlias, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec.structs import replace

from tests.builders import (
    ADDRESS_NAMES,
    INCOME_NAMES,
    NOTICE,
    ORIGIN,
    OTHER_SERVICE,
    REGISTRY,
    SALT,
    SERVICE,
    VAULT,
    at,
)
from tests.unit.domain.journey_model import DAY, SECOND, Model, Permission
from vault.domain import consent, disclosure, registry, state
from vault.domain.canonical import encode
from vault.domain.consent import Consent
from vault.domain.disclosure import EvidenceDisclosed, Plan
from vault.domain.errors import VaultError
from vault.domain.events import Draft, Event, Link, StreamState
from vault.domain.registry import RegistryState
from vault.domain.state import VaultState
from vault.domain.values import (
    NO_APPROVAL,
    Acting,
    DisclosedFields,
    PayloadMark,
    RegistryMark,
    Stamp,
    Time,
    later,
    moment_of,
)
from vault.store.record import first_leaf, link_event, read_event

T = TypeVar("T")
NAMES: Mapping[str, tuple[str, ...]] = {"postal_address": ADDRESS_NAMES, "income": INCOME_NAMES}
PURPOSES: Mapping[str, str] = {SERVICE: "care", OTHER_SERVICE: "loan"}
Decide: TypeAlias = Callable[..., Plan]
Again: TypeAlias = Callable[[VaultState | None, RegistryState, Event, Event | None], bool]


class RuleBrokenError(AssertionError):
    """The domain did other than the model says."""


def must(claim: bool, says: str) -> None:  # noqa: FBT001 - it reads as a sentence
    if not claim:
        raise RuleBrokenError(says)


def time_at(microseconds: int) -> Time:
    return later(at(), microseconds=microseconds)


def micros(time: Time) -> int:
    return (moment_of(time) - moment_of(at())) // timedelta(microseconds=1)


def day_of(microseconds: int) -> int:
    return moment_of(time_at(microseconds)).toordinal()


MOST_INDEX = 5
indexes = st.integers(0, MOST_INDEX)
kinds = st.sampled_from(sorted(NAMES))
some_of_each = st.fixed_dictionaries(
    {kind: st.sets(st.sampled_from(names), min_size=1) for kind, names in NAMES.items()}
)
often = st.sampled_from([True, True, True, False])
waits = st.sampled_from([1, 2 * 3600 * SECOND, DAY // 2, DAY - 1, DAY, 2 * DAY + 1, 6 * DAY])


class Engine(RuleBasedStateMachine):
    """A vault, a registry, the time, and the model of them all."""

    steps: ClassVar[int] = 0
    disclosures: ClassVar[int] = 0
    outcomes: ClassVar[Counter[str]] = Counter()
    decide: ClassVar[Decide] = staticmethod(disclosure.plan)
    again: ClassVar[Again] = staticmethod(disclosure.again)

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.model = Model()
        self.events: list[Event] = []
        self.state: VaultState | None = None
        self.registries = [RegistryState(stream=REGISTRY)]
        self.repeated: dict[int, Event] = {}

    @property
    def registry(self) -> RegistryState:
        return self.registries[-1]

    @property
    def stamp(self) -> Stamp:
        return Stamp(time=time_at(self.now), salt=SALT)

    def link(self, draft: Draft, before: StreamState | None, stream: str) -> Event:
        size = self.registry.version
        link = Link(
            origin=ORIGIN,
            stream=stream,
            version=before.version + 1 if before else 1,
            previous_leaf=before.last_leaf
            if before and before.version
            else first_leaf(ORIGIN, stream),
            request_key="",
            acting=Acting(actor="", capacity="self", mandate="", channel="api"),
            approval=NO_APPROVAL,
            items=draft.items,
            registry=RegistryMark(size=size, confirmed_time=time_at(self.now)),
            payloads=(PayloadMark(kind="texts", hash=NOTICE, key_id="", commitment=""),),
            salt=SALT,
        )
        event = link_event(link, draft.facts)
        must(read_event(stored(event)) == event, "what was stored reads back otherwise")
        self.now += 1
        return event

    def append(self, draft: Draft) -> Event:
        event = self.link(draft, self.state, VAULT)
        is_later = self.state is None or event.facts.time > self.state.last_time
        must(is_later, "two events have one time, or time went back")
        self.events.append(event)
        self.state = state.fold(self.state, event)
        return event

    def register(self, draft: Draft) -> None:
        event = self.link(draft, self.registry, REGISTRY)
        self.registries.append(registry.fold(self.registry, event))

    @contextmanager
    def expected(self, reason: str) -> Iterator[None]:
        """Hold what the domain does against what the model says."""
        told = ""
        try:
            yield
        except VaultError as error:
            told = error.reason
        self.outcomes[told] += 1
        must(told == reason, f"told {told or 'yes'} instead of {reason or 'yes'}")

    @staticmethod
    def pick(things: Sequence[T], index: int) -> int:
        return index % len(things)

    def permission(self, index: int) -> Permission:
        """Return a consent: mostly one that she has not stopped, and the latest first."""
        going_on = [each for each in self.model.permissions if not each.is_stopped]
        among = going_on if going_on and index < MOST_INDEX else self.model.permissions
        return among[-1 - self.pick(among, index)]

    def consent_id(self, permission: Permission) -> str:
        number = next(n for n, a in enumerate(self.model.requests) if a is permission.asked)
        return f"consent-{number}"

    @rule(wait=waits)
    def time_passes(self, wait: int) -> None:
        self.now += wait

    # --- What holds after every step -------------------------------------------------------------

    @invariant()
    def the_state_is_as_the_model_says(self) -> None:
        if self.state is None:
            return
        type(self).steps += 1
        must(self.state.version == len(self.events), "a version is missing")
        must(self.state.broken_at == 0, "an honest history is called broken")
        time = time_at(self.now)
        for number, asked in enumerate(self.model.requests):
            request = self.state.requests.get(f"request-{number}")
            must((request is not None) == asked.has_arrived, "a request is lost")
            is_told = request is None or request.status(time) == asked.status(self.now)
            must(is_told, "a request is not what it should be")
        for permission in self.model.permissions:
            found = self.state.consents[self.consent_id(permission)]
            is_told = found.status(time) == permission.status(self.now)
            must(is_told, "a consent is not what it should be")
            must(self.terms_of(found) == permission.terms, "other terms stand than she made")
        for number, piece in enumerate(self.model.pieces):
            disputed = self.state.evidence[f"evidence-{number}"].disputed
            must(disputed == piece.disputed, "other fields are disputed than she said")

    @staticmethod
    def terms_of(found: Consent) -> tuple[object, ...]:
        """Return the terms of a consent as the model says them."""
        terms = found.terms
        period = terms.frequency.period_seconds * SECOND
        return (
            micros(terms.start),
            micros(terms.end),
            None if terms.one_time else (terms.frequency.count, period),
            {fields.item: fields.names for fields in terms.scope},
        )

    # --- What holds in the end -------------------------------------------------------------------

    def teardown(self) -> None:
        """Replay what was stored: it comes to the same state, and decides the same again."""
        replayed: VaultState | None = None
        for event in map(read_event, map(stored, self.events)):
            if isinstance(event.facts, EvidenceDisclosed):
                self.decides_again(replayed, event, event.facts)
            replayed = state.fold(replayed, event)
        must(replayed == self.state, "a replay comes to another state")

    def decides_again(
        self, before: VaultState | None, event: Event, facts: EvidenceDisclosed
    ) -> None:
        """Decide a disclosure again as of its day, and three that were written otherwise."""
        type(self).disclosures += 1
        registered = self.registries[event.link.registry.size]
        first = self.repeated.get(event.link.version)
        again = type(self).again
        must(again(before, registered, event, first), "an honest disclosure is not believed")

        left = facts.fields[0]
        more = DisclosedFields(item=left.item, names=tuple(sorted([*left.names, "colour"])))
        added = replace(event, facts=replace(facts, fields=(more, *facts.fields[1:])))
        must(not again(before, registered, added, first), "a field that was added is believed")

        item = event.link.items[0]
        other = (replace(item, revision=item.revision + 1), *event.link.items[1:])
        replaced = replace(event, link=replace(event.link, items=other))
        must(not again(before, registered, replaced, first), "another revision is believed")

        stop = consent.revoke(before, Stamp(time=facts.time, salt=SALT), facts.consent_id)
        stopped = state.fold(before, self.link(stop, before, VAULT))
        must(not again(stopped, registered, event, first), "what she stopped is believed")


def stored(event: Event) -> bytes:
    return encode(event.link) + b"\n" + encode(event.facts)
