# SPDX-License-Identifier: Apache-2.0
"""Two independent readings of one rule: the domain decides beforehand, the auditor judges after.

Every history that the domain makes is found in order; and a use that is recorded whatever the
domain says is found allowed exactly if the domain would have allowed it.
"""

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.auditor.stories import (
    ADDRESS_NAMES,
    CARE,
    COUNCIL,
    INCOME_NAMES,
    Story,
    asked_terms,
    asks,
    chooses,
    wants,
)
from vault.domain import disclosure, registry
from vault.domain.disclosure import EvidenceDisclosed, Opening, Plan
from vault.domain.errors import StateError, VaultError
from vault.domain.values import Frequency, Mode

NAMES = {"postal_address": ADDRESS_NAMES, "income": INCOME_NAMES}
CODES = {COUNCIL: "care-plan", CARE: "home-care"}

kinds = st.sampled_from(sorted(NAMES))
services = st.sampled_from([COUNCIL, CARE])
numbers = st.integers(0, 3)
some_names = st.sets(st.sampled_from([*ADDRESS_NAMES, *INCOME_NAMES]), min_size=1, max_size=3)
dates = st.sampled_from(["", "2026-02-25", "2026-03-02"])
frequencies = st.sampled_from([None, Frequency(count=2, period_seconds=43_200)])


def _nth(mapping: dict[str, Any], number: int) -> str:
    return list(mapping)[number % len(mapping)] if mapping else "none"


def provide(kind: str, date: str) -> Callable[[Story], object]:
    return lambda story: story.provide(f"evidence-{story.positions}", kind, NAMES[kind], date)


def replace(number: int, names: set[str]) -> Callable[[Story], object]:
    def act(story: Story) -> object:
        evidence_id = _nth(story.state.evidence, number)
        kind = story.state.evidence[evidence_id].evidence_type if story.state.evidence else "income"
        kept = tuple(sorted(names & set(NAMES[kind]))) or NAMES[kind]
        return story.replace(evidence_id, kept)

    return act


def share(
    service: str,
    number: int,
    names: set[str],
    *,
    frequency: Frequency | None = None,
    age: int = 0,
    mode: Mode = "following",
) -> Callable[[Story], object]:
    """Ask for what is there and grant it."""

    def act(story: Story) -> object:
        evidence_id = _nth(story.state.evidence, number)
        kind = story.state.evidence[evidence_id].evidence_type if story.state.evidence else "income"
        chosen = sorted(names & set(NAMES[kind])) or [NAMES[kind][0]]
        asked = asked_terms(
            service,
            CODES[service],
            asks(kind, tuple(chosen[:1]), tuple(n for n in NAMES[kind] if n not in chosen[:1])),
            frequency=frequency,
            largest_age_days=age,
        )
        request = f"request-{story.positions}"
        story.ask(request, asked)
        return story.grant(
            request, f"consent-{story.positions}", chooses(evidence_id, *chosen, mode=mode)
        )

    return act


def fetch(number: int, names: set[str]) -> Callable[[Story], object]:
    """Fetch some fields, or all that were granted; a refusal is recorded."""

    def act(story: Story) -> object:
        consent_id = _nth(story.state.consents, number)
        if consent_id == "none":
            return None
        granted = story.state.consents[consent_id].terms.scope[0]
        kind = granted.evidence_type
        selection = wants(kind, *sorted(names & set(NAMES[kind]) or granted.names))
        try:
            return story.disclose(consent_id, selection)
        except StateError as refused:
            return story.refuse(consent_id, refused.reason, selection)

    return act


def again(number: int) -> Callable[[Story], object]:
    """Repeat an earlier fetch."""

    def act(story: Story) -> object:
        firsts = [
            placed
            for placed in story.vault
            if isinstance(placed.event.facts, EvidenceDisclosed) and not placed.event.facts.repeats
        ]
        if not firsts:
            return None
        first = firsts[number % len(firsts)]
        facts = first.event.facts
        assert isinstance(facts, EvidenceDisclosed)
        granted = story.state.consents[facts.consent_id].terms.scope[0]
        selection = wants(granted.evidence_type, *facts.fields[0].names)
        return story.disclose(facts.consent_id, selection, repeats=first)

    return act


def stop(number: int) -> Callable[[Story], object]:
    return lambda story: story.revoke(_nth(story.state.consents, number))


def wait(days: int, seconds: int) -> Callable[[Story], object]:
    return lambda story: story.wait(days=days, seconds=seconds)


def suspend(service: str) -> Callable[[Story], object]:
    return lambda story: story.register(
        registry.suspend_service(story.registered, story.stamp, service)
    )


def reinstate(service: str) -> Callable[[Story], object]:
    return lambda story: story.register(
        registry.reinstate_service(story.registered, story.stamp, service)
    )


def withdraw(service: str) -> Callable[[Story], object]:
    return lambda story: story.register(
        registry.withdraw_purpose(story.registered, story.stamp, CODES[service])
    )


modes = st.sampled_from(["pinned", "following"])
shares = st.builds(
    share,
    services,
    numbers,
    some_names,
    frequency=frequencies,
    age=st.sampled_from([0, 5]),
    mode=modes,
)
fetches = st.builds(fetch, numbers, st.just(set()) | some_names)
acts = st.one_of(
    st.builds(provide, kinds, dates),
    st.builds(replace, numbers, some_names),
    shares,
    shares,
    fetches,
    fetches,
    st.builds(again, numbers),
    st.builds(stop, numbers),
    st.builds(wait, st.sampled_from([0, 0, 1, 30]), st.integers(1, 50_000)),
    st.builds(suspend, services),
    st.builds(reinstate, services),
    st.builds(withdraw, services),
)
stories = st.lists(acts, min_size=1, max_size=14)


def told(acts: list[Callable[[Story], object]]) -> Story:
    """Return the history of what could be done, beginning with evidence and one consent."""
    story = Story()
    story.found()
    first = [provide("postal_address", ""), share(CARE, 0, {"line1", "town"})]
    for act in first + acts:
        try:
            act(story)
        except VaultError:
            continue
    return story


@settings(max_examples=60, deadline=None)
@given(acts=stories)
def test_every_history_that_the_domain_makes_is_in_order(
    acts: list[Callable[[Story], object]],
) -> None:
    report = told(acts).audit()

    assert report.findings == ()
    assert all(use.allowed for use in report.uses)


@settings(max_examples=100, deadline=None)
@given(acts=stories, number=numbers, names=some_names, days=st.sampled_from([0, 0, 1, 29]))
def test_a_use_is_found_allowed_exactly_if_the_domain_allows_it(
    acts: list[Callable[[Story], object]], number: int, names: set[str], days: int
) -> None:
    story = told(acts)
    story.wait(days=days)
    state = story.state
    consent_id = _nth(state.consents, number)
    found = state.consents[consent_id]
    kind = found.terms.scope[0].evidence_type
    wanted = tuple(sorted(names & set(NAMES[kind])))
    attempt = story.attempt(consent_id, wants(kind, *wanted))
    piece = state.evidence[found.items[0].evidence_id]
    revision = piece.revision(found.items[0].revision)
    opening = Opening(item=1, evidence=piece, revision=revision, names=wanted)
    try:
        disclosure.plan(state, story.registered, story.time, attempt)
        is_allowed = True
    except VaultError:
        is_allowed = False

    story.record_use(Plan(consent=found, consent_id=consent_id, openings=(opening,)))

    report = story.audit()
    assert report.uses[-1].allowed == is_allowed
    assert report.exit == (0 if is_allowed else 1)
