# SPDX-License-Identifier: Apache-2.0
"""How often, and how old: limits within which a consent lets fields leave."""

from __future__ import annotations

from typing import Any

import pytest

from tests.builders import (
    BUNDLE,
    CONSENT,
    DAY,
    INCOME,
    ONCE,
    OTHER_CONSENT,
    a_consent,
    a_selection,
    a_stamp,
    an_attempt,
    an_item,
    at,
    consent_extended,
    consent_granted,
    consent_narrowed,
    consent_paused,
    consent_requested,
    consent_resumed,
    evidence_disclosed,
    evidence_provided,
    evidence_replaced,
    granted_fields,
    happened,
    income_provided,
    registered,
    vault_opened,
)
from vault.domain import disclosure
from vault.domain.disclosure import Attempt, Plan
from vault.domain.errors import EvidenceTooOldError, FrequencyExhaustedError
from vault.domain.events import Draft
from vault.domain.state import VaultState
from vault.domain.values import Frequency, Time, later


def plan(state: VaultState, attempt: Attempt | None = None, time: Time | None = None) -> Plan:
    return disclosure.plan(state, registered(), time or at(10), attempt or an_attempt())


# --- How often -----------------------------------------------------------------------------------


def once() -> tuple[Draft, ...]:
    return a_consent(one_time=True, frequency=ONCE)


def twice_a_minute() -> tuple[Draft, ...]:
    """Return a consent with windows from its start, second 3: [3, 63), [63, 123) and so on."""
    return a_consent(frequency=Frequency(count=2, period_seconds=60))


def test_a_one_time_consent_yields_one_disclosure() -> None:
    assert plan(happened(*once())).items


@pytest.mark.parametrize("time", [at(11), at(days=19)])
def test_a_one_time_consent_yields_no_second_one(time: Time) -> None:
    with pytest.raises(FrequencyExhaustedError):
        plan(happened(*once(), evidence_disclosed()), time=time)


def test_a_window_holds_as_many_as_the_terms_say() -> None:
    assert plan(happened(*twice_a_minute(), evidence_disclosed(at(10))), time=at(11)).items


@pytest.mark.parametrize("time", [at(11), later(at(63), microseconds=-1)])
def test_a_full_window_yields_nothing_more_until_it_ends(time: Time) -> None:
    given = happened(*twice_a_minute(), *map(evidence_disclosed, (at(3), at(10))))

    with pytest.raises(FrequencyExhaustedError):
        plan(given, time=time)


def test_windows_begin_with_the_consent_and_not_with_the_first_use() -> None:
    given = happened(*twice_a_minute(), *map(evidence_disclosed, (at(61), at(62))))

    assert plan(given, time=at(63)).items


def test_a_new_window_counts_anew() -> None:
    given = happened(*twice_a_minute(), *map(evidence_disclosed, (at(10), at(11), at(63))))

    assert plan(given, time=at(64)).items


def test_a_later_window_can_be_full_as_well() -> None:
    given = happened(
        *twice_a_minute(), *map(evidence_disclosed, (at(10), at(11), at(200), at(201)))
    )

    with pytest.raises(FrequencyExhaustedError):
        plan(given, time=at(202))


def from_tomorrow() -> tuple[Draft, ...]:
    """Return a consent with windows of a minute from tomorrow, 9 o'clock, once in each."""
    frequency = Frequency(count=1, period_seconds=60)
    return a_consent(start=at(days=1), frequency=frequency)


@pytest.mark.parametrize(
    ("time", "is_full"),
    [
        (at(days=1), True),
        (later(at(60, days=1), microseconds=-1), True),
        (at(60, days=1), False),
    ],
)
def test_windows_begin_when_the_consent_starts_and_not_when_it_was_granted(
    time: Time, *, is_full: bool
) -> None:
    given = happened(*from_tomorrow(), evidence_disclosed(at(days=1)))

    if is_full:
        with pytest.raises(FrequencyExhaustedError):
            plan(given, time=time)
    else:
        assert plan(given, time=time).items


def test_pausing_neither_fills_nor_empties_a_window() -> None:
    given = happened(
        *twice_a_minute(), evidence_disclosed(at(4)), consent_paused(), consent_resumed()
    )

    assert plan(given).items
    with pytest.raises(FrequencyExhaustedError):
        plan(happened(*twice_a_minute(), *map(evidence_disclosed, (at(4), at(7)))))


def test_a_lower_frequency_counts_what_left_before_it() -> None:
    less = consent_narrowed(frequency=Frequency(count=1, period_seconds=60))
    given = happened(*twice_a_minute(), evidence_disclosed(at(4)), less)

    with pytest.raises(FrequencyExhaustedError):
        plan(given)
    assert plan(given, time=at(63)).items


def test_an_extension_does_not_move_the_windows() -> None:
    longer = consent_extended(frequency=Frequency(count=2, period_seconds=60))
    given = happened(*twice_a_minute(), *map(evidence_disclosed, (at(4), at(5))), longer)

    with pytest.raises(FrequencyExhaustedError):
        plan(given, time=later(at(63), microseconds=-1))
    assert plan(given, time=at(63)).items


def test_refusals_do_not_count() -> None:
    refused = disclosure.refuse(
        happened(*twice_a_minute()), a_stamp(at(9)), an_attempt(), "FIELD_NOT_GRANTED"
    )
    assert refused is not None

    given = happened(*twice_a_minute(), refused, refused, evidence_disclosed(at(10)))

    assert plan(given, time=at(11)).items


def test_repeats_do_not_count() -> None:
    given = happened(
        *twice_a_minute(), evidence_disclosed(at(10)), evidence_disclosed(at(11), repeats=BUNDLE)
    )

    assert plan(given, time=at(12)).items
    assert given.consents[CONSENT].disclosures == 1
    assert given.consents[CONSENT].last_disclosure == at(11)


def test_each_consent_counts_for_itself() -> None:
    other = consent_granted(consent_id=OTHER_CONSENT)
    given = happened(*once(), other, evidence_disclosed(consent_id=OTHER_CONSENT))

    assert plan(given, time=at(11)).items


def test_a_window_is_counted_by_its_number() -> None:
    given = happened(*twice_a_minute(), *map(evidence_disclosed, (at(10), at(130), at(131))))

    found = given.consents[CONSENT]
    assert (found.window, found.window_count, found.disclosures) == (2, 2, 3)


@pytest.mark.parametrize("days", [0, 1, 100, 3_650])
def test_a_windows_edge_is_exact_to_the_microsecond(days: int) -> None:
    found = happened(*a_consent(frequency=Frequency(count=1, period_seconds=DAY))).consents[CONSENT]
    edge = at(3, days=days)

    assert disclosure.window_of(found, edge) == days
    assert disclosure.window_of(found, later(edge, microseconds=-1)) == days - 1


# --- How old -------------------------------------------------------------------------------------


def fresh_for_a_week(**evidence: Any) -> tuple[Draft, ...]:
    return (
        vault_opened(),
        evidence_provided(**evidence),
        consent_requested(),
        consent_granted(largest_age_days=7),
    )


def test_evidence_may_be_as_old_as_the_consent_says() -> None:
    assert plan(happened(*fresh_for_a_week()), time=at(1, days=7)).items


def test_evidence_a_microsecond_older_does_not_leave() -> None:
    with pytest.raises(EvidenceTooOldError):
        plan(happened(*fresh_for_a_week()), time=later(at(1, days=7), microseconds=1))


def test_age_counts_from_the_date_of_issue() -> None:
    given = happened(*fresh_for_a_week(issued_date="2026-02-22"))

    with pytest.raises(EvidenceTooOldError):
        plan(given)


def test_a_replacement_makes_following_evidence_young_again() -> None:
    given = happened(*fresh_for_a_week(), evidence_replaced(time=at(days=8)))

    assert plan(given, time=at(1, days=8)).items


def test_a_replacement_leaves_pinned_evidence_as_old_as_it_is() -> None:
    pinned = consent_granted(
        an_item(revision=1), scope=(granted_fields(mode="pinned"),), largest_age_days=7
    )
    given = happened(*fresh_for_a_week()[:3], pinned, evidence_replaced(time=at(days=8)))

    with pytest.raises(EvidenceTooOldError):
        plan(given, time=at(1, days=8))


def test_one_item_that_is_too_old_keeps_the_others_back() -> None:
    given = happened(
        vault_opened(),
        evidence_provided(),
        income_provided(issued_date="2026-01-01"),
        consent_requested(),
        consent_granted(
            an_item(),
            an_item(2, INCOME),
            scope=(
                granted_fields(),
                granted_fields(2, evidence_type="income", required=("amount",), optional=()),
            ),
            largest_age_days=7,
        ),
    )
    both = an_attempt(a_selection(), a_selection("amount", evidence_type="income"))

    assert plan(given).items
    with pytest.raises(EvidenceTooOldError):
        plan(given, both)


def test_a_consent_that_says_no_age_takes_evidence_of_any() -> None:
    given = happened(vault_opened(), evidence_provided(issued_date="1944-12-24"), *a_consent()[3:])

    assert plan(given).items
