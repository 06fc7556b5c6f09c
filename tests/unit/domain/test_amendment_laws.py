# SPDX-License-Identifier: Apache-2.0
"""Laws of narrowing: never more than before, twice comes to the same as once, told as it is.

Hypothesis draws the narrowings, and by its seed the pair that they are tried on (`pairs.py`). How
they come out is counted, so that no law holds for want of a case.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import TypeAlias

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.builders import CONSENT, a_stamp, happened
from tests.unit.domain.pairs import HOUR, Pair, a_pair
from vault.domain import amendment, disclosure
from vault.domain.amendment import ConsentNarrowed, Narrowing, Remaining, difference
from vault.domain.disclosure import Attempt, Opening, Selection
from vault.domain.errors import FieldInvalidError, NarrowingWidensError, VaultError
from vault.domain.events import Draft
from vault.domain.state import VaultState
from vault.domain.values import GrantedFields, Terms, Time, later, seconds_between

PAIRS = 400
Law: TypeAlias = Callable[[Pair, st.DataObject], None]
Openings: TypeAlias = tuple[Opening, ...]


pairs = st.integers(0, 2**32).map(lambda seed: a_pair(Random(seed)))


def hold(law: Law) -> None:
    """Hold a law against random pairs, the same ones every time."""
    configured = settings(
        max_examples=PAIRS,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    configured(given(pairs, st.data())(law))()


def narrowings(terms: Terms, time: Time) -> st.SearchStrategy[Narrowing]:
    """Draw narrowings of terms; some widen, some change nothing."""
    hours = int(seconds_between(time, terms.end)) // HOUR
    ends = st.integers(1, max(1, hours + hours // 8))
    count = terms.frequency.count
    return st.builds(
        Narrowing,
        items=st.none() | st.tuples(*map(remaining, terms.scope)).map(those_left),
        end=st.none() | ends.map(lambda after: later(time, seconds=after * HOUR)),
        frequency_count=st.sampled_from([0, 1, count, count + 1]) if count else st.just(0),
    )


def remaining(fields: GrantedFields) -> st.SearchStrategy[Remaining | None]:
    granted = sorted(fields.names)
    names = st.lists(st.sampled_from([*granted * 8, "*"]), min_size=1, max_size=3)
    return st.none() | names.map(lambda left: Remaining(item=fields.item, names=tuple(left)))


def those_left(items: Sequence[Remaining | None]) -> tuple[Remaining, ...] | None:
    return tuple(one for one in items if one) or None


def narrow(pair: Pair, what: Narrowing, *before: Draft) -> Draft:
    given_state = happened(*pair.history, *before)
    return amendment.narrow(given_state, a_stamp(pair.time), CONSENT, what)


def terms_now(pair: Pair) -> Terms:
    return happened(*pair.history).consents[CONSENT].terms


def terms_of(draft: Draft) -> Terms:
    assert isinstance(draft.facts, ConsentNarrowed)
    return draft.facts.terms


def openings(state: VaultState, pair: Pair, time: Time, attempt: Attempt) -> Openings | None:
    """Return what may leave, None if nothing may."""
    try:
        return disclosure.plan(state, pair.registry, time, attempt).openings
    except VaultError:
        return None


def by_number(attempt: Attempt, found: Openings) -> Attempt:
    """Return the same attempt with each item named by its number.

    Without, an item is meant as the only one of its type; it may be the only one since she dropped
    the other.
    """
    selections = tuple(
        Selection(item=o.item, evidence_type=o.evidence.evidence_type, names=o.names) for o in found
    )
    return replace(attempt, selections=selections)


def is_wider(what: Narrowing, terms: Terms) -> bool:
    """Say whether a narrowing names anything beyond terms."""
    granted = {(fields.item, name) for fields in terms.scope for name in fields.names}
    named = {(one.item, name) for one in what.items or () for name in one.names}
    most = 0 if terms.one_time else terms.frequency.count
    return (
        not named <= granted
        or (what.end is not None and what.end > terms.end)
        or what.frequency_count > most
    )


def test_what_may_leave_after_a_narrowing_could_leave_before_it() -> None:
    outcomes: Counter[str] = Counter()

    def law(pair: Pair, data: st.DataObject) -> None:
        what = data.draw(narrowings(terms_now(pair), pair.time))
        try:
            draft = narrow(pair, what)
        except VaultError as refused:
            outcomes[refused.reason] += 1
            return
        before, after = happened(*pair.history), happened(*pair.history, draft)
        for time in (pair.time, later(pair.time, seconds=data.draw(st.integers(1, 48)) * HOUR)):
            left = openings(after, pair, time, pair.attempt)
            could = openings(before, pair, time, pair.attempt)
            outcomes[f"{could is not None} to {left is not None}"] += 1
            if left is not None:
                assert left == openings(before, pair, time, by_number(pair.attempt, left))

    hold(law)

    assert min(outcomes[key] for key in ("True to True", "True to False", "False to False")) > 20


def test_a_narrowing_is_refused_for_widening_exactly_if_it_names_more() -> None:
    outcomes: Counter[str] = Counter()

    def law(pair: Pair, data: st.DataObject) -> None:
        terms = terms_now(pair)
        what = data.draw(narrowings(terms, pair.time))
        told = ""
        try:
            narrow(pair, what)
        except NarrowingWidensError:
            told = "wider"
            assert is_wider(what, terms)
        except FieldInvalidError:
            # Something else is wrong too; that may be told first.
            told = "invalid"
        except VaultError:
            told = "ended"
        else:
            assert not is_wider(what, terms)
        outcomes[told] += 1

    hold(law)

    assert min(outcomes[told] for told in ("", "wider", "invalid", "ended")) > 20


def test_narrowing_twice_comes_to_the_same_as_narrowing_once_by_both() -> None:
    outcomes: Counter[str] = Counter()

    def law(pair: Pair, data: st.DataObject) -> None:
        one = data.draw(narrowings(terms_now(pair), pair.time))
        try:
            first = narrow(pair, one)
            other = data.draw(narrowings(terms_of(first), pair.time))
            second = narrow(pair, other, first)
        except VaultError:
            outcomes["refused"] += 1
            return
        both = Narrowing(
            items=one.items if other.items is None else other.items,
            end=other.end or one.end,
            frequency_count=other.frequency_count or one.frequency_count,
        )
        assert narrow(pair, both) == second
        outcomes["narrowed twice"] += 1

    hold(law)

    assert outcomes["narrowed twice"] > 40


def test_a_narrowing_leaves_what_it_names_and_what_is_told_is_all_that_changed() -> None:
    outcomes: Counter[str] = Counter()

    def law(pair: Pair, data: st.DataObject) -> None:
        before = terms_now(pair)
        what = data.draw(narrowings(before, pair.time))
        try:
            after = terms_of(narrow(pair, what))
        except VaultError:
            return
        named = {(one.item, name) for one in what.items or () for name in one.names}
        assert fields_of(after) == (named or fields_of(before))
        assert after.end == (what.end or before.end)
        assert after.frequency.count == (what.frequency_count or before.frequency.count)
        told = difference(before, after)

        removed = {(fields.item, name) for fields in told.removed for name in fields.names}
        assert fields_of(before) - removed == fields_of(after)
        assert removed <= fields_of(before)
        assert (told.end or (before.end, before.end)) == (before.end, after.end)
        unchanged = (before.frequency, before.frequency)
        assert (told.frequency or unchanged) == (before.frequency, after.frequency)
        assert told.removed or told.end or told.frequency
        same = replace(after, scope=before.scope, end=before.end, frequency=before.frequency)
        assert replace(same, shown_time=before.shown_time, salt=before.salt) == before
        outcomes.update(name for name in ("removed", "end", "frequency") if getattr(told, name))

    hold(law)

    assert min(outcomes[name] for name in ("removed", "end", "frequency")) > 15


def fields_of(terms: Terms) -> set[tuple[int, str]]:
    return {(fields.item, name) for fields in terms.scope for name in fields.names}
