# SPDX-License-Identifier: Apache-2.0
"""Disclosure: what may leave under a consent now, what may not, and why not."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tests.builders import (
    ADDRESS,
    BUNDLE,
    CONSENT,
    DAY,
    INCOME,
    ONCE,
    OTHER_ADDRESS,
    OTHER_CONSENT,
    OTHER_SERVICE,
    OTHER_SUBJECT,
    SALT,
    SERVICE,
    SUBJECT,
    a_consent,
    a_selection,
    a_stamp,
    an_attempt,
    an_item,
    at,
    consent_granted,
    consent_requested,
    consent_revoked,
    drafted,
    evidence_disclosed,
    evidence_provided,
    evidence_replaced,
    granted_fields,
    happened,
    income_provided,
    purpose_published,
    registered,
    vault_opened,
)
from vault.domain import disclosure
from vault.domain.disclosure import Attempt, EvidenceDisclosed, Plan
from vault.domain.errors import (
    ConsentExpiredError,
    ConsentNotStartedError,
    ConsentRevokedError,
    EvidenceTooOldError,
    FieldInvalidError,
    FieldNotGrantedError,
    FrequencyExhaustedError,
    HistoryBrokenError,
    NotFoundError,
    PurposeDiffersError,
    PurposeNotAllowedError,
    ServiceSuspendedError,
    StateError,
    VaultError,
    VaultNotOpenError,
)
from vault.domain.events import Draft
from vault.domain.registry import (
    PurposeWithdrawn,
    RegistryState,
    ServiceReinstated,
    ServiceSuspended,
)
from vault.domain.state import VaultState
from vault.domain.values import DisclosedFields, Frequency, Item, Time, later


def plan(
    state: VaultState | None,
    attempt: Attempt | None = None,
    time: Time | None = None,
    registry: RegistryState | None = None,
) -> Plan:
    return disclosure.plan(state, registry or registered(), time or at(10), attempt or an_attempt())


def two_addresses(**changes: Any) -> tuple[Draft, ...]:
    """Return a consent for two pieces of one type: of the second one the street as well."""
    return (
        vault_opened(),
        evidence_provided(),
        evidence_provided(OTHER_ADDRESS),
        consent_requested(),
        consent_granted(
            an_item(1, ADDRESS),
            an_item(2, OTHER_ADDRESS),
            scope=(granted_fields(1, optional=()), granted_fields(2)),
            **changes,
        ),
    )


# --- What leaves ---------------------------------------------------------------------------------


def test_an_active_consent_lets_exactly_the_wanted_fields_leave() -> None:
    decided = plan(happened(*a_consent()))

    assert decided.fields == (DisclosedFields(item=1, names=("postalCode",)),)
    assert decided.items == (Item(item=1, evidence_id=ADDRESS, revision=1),)


def test_all_granted_fields_may_leave() -> None:
    decided = plan(
        happened(*a_consent()), an_attempt(a_selection("streetName", "postalCode", "streetName"))
    )

    assert decided.fields == (DisclosedFields(item=1, names=("postalCode", "streetName")),)


def test_the_record_says_what_leaves_to_whom_and_for_what() -> None:
    decided = plan(happened(*a_consent()))

    draft = disclosure.disclose(a_stamp(at(10)), decided, BUNDLE)

    assert draft.facts == EvidenceDisclosed(
        time=at(10),
        salt=SALT,
        service=SERVICE,
        subject=SUBJECT,
        consent_id=CONSENT,
        purpose="care@1",
        fields=(DisclosedFields(item=1, names=("postalCode",)),),
        bundle_hash=BUNDLE,
        repeats="",
    )
    assert draft.items == decided.items


def test_a_following_item_sends_the_current_revision() -> None:
    assert plan(happened(*a_consent(), evidence_replaced())).items[0].revision == 2


def test_a_pinned_item_sends_the_revision_that_she_saw() -> None:
    pinned = consent_granted(an_item(revision=1), scope=(granted_fields(mode="pinned"),))
    given = happened(*a_consent()[:4], pinned, evidence_replaced())

    assert plan(given).items[0].revision == 1


def test_of_two_items_of_one_type_the_named_one_leaves() -> None:
    decided = plan(happened(*two_addresses()), an_attempt(a_selection("streetName", item=2)))

    assert decided.items == (Item(item=2, evidence_id=OTHER_ADDRESS, revision=1),)


def test_two_items_leave_in_the_order_of_their_numbers() -> None:
    attempt = an_attempt(a_selection(item=2), a_selection(item=1))

    decided = plan(happened(*two_addresses()), attempt)

    assert [item.evidence_id for item in decided.items] == [ADDRESS, OTHER_ADDRESS]


# --- What does not -------------------------------------------------------------------------------


def test_a_revoked_consent_yields_no_disclosure() -> None:
    with pytest.raises(ConsentRevokedError):
        plan(happened(*a_consent(), consent_revoked()))


def test_a_revoked_consent_that_also_ended_says_that_it_was_revoked() -> None:
    with pytest.raises(ConsentRevokedError):
        plan(happened(*a_consent(), consent_revoked()), time=at(days=21))


def test_a_consent_may_be_used_until_the_last_microsecond() -> None:
    assert plan(happened(*a_consent()), time=later(at(days=20), microseconds=-1)).items


def test_a_consent_ends_at_the_very_instant() -> None:
    with pytest.raises(ConsentExpiredError):
        plan(happened(*a_consent()), time=at(days=20))


def test_a_consent_starts_at_the_very_instant() -> None:
    assert plan(happened(*a_consent()), time=at(3)).items


def test_a_consent_may_not_be_used_a_microsecond_before_its_start() -> None:
    with pytest.raises(ConsentNotStartedError):
        plan(happened(*a_consent()), time=later(at(3), microseconds=-1))


def test_a_consent_for_another_purpose_yields_nothing() -> None:
    with pytest.raises(PurposeDiffersError) as refused:
        plan(happened(*a_consent()), an_attempt(purpose_code="research"))

    assert refused.value.field == "purpose_code"


@pytest.mark.parametrize(
    ("attempt", "field"),
    [
        (an_attempt(a_selection("addressCountry")), "fields[0].names"),
        (an_attempt(a_selection("postalCode", "addressCountry")), "fields[0].names"),
        (an_attempt(a_selection("*")), "fields[0].names"),
        (an_attempt(replace(a_selection(), names=())), "fields[0].names"),
        (an_attempt(a_selection("amount", evidence_type="income")), "fields[0]"),
        (an_attempt(a_selection(item=2)), "fields[0]"),
        (an_attempt(a_selection(evidence_type="income", item=1)), "fields[0]"),
        (an_attempt(a_selection(), a_selection("streetName")), "fields[1]"),
        (an_attempt(a_selection(), a_selection(item=1)), "fields[1]"),
        (an_attempt(a_selection(), a_selection("amount", evidence_type="income")), "fields[1]"),
    ],
)
def test_what_the_consent_does_not_name_does_not_leave(attempt: Attempt, field: str) -> None:
    with pytest.raises(FieldNotGrantedError) as refused:
        plan(happened(*a_consent()), attempt)

    assert refused.value.field == field


def test_a_field_of_the_second_item_does_not_leave_with_the_first() -> None:
    with pytest.raises(FieldNotGrantedError):
        plan(happened(*two_addresses()), an_attempt(a_selection("streetName", item=1)))


def test_of_two_items_of_one_type_one_must_be_named() -> None:
    with pytest.raises(FieldNotGrantedError) as refused:
        plan(happened(*two_addresses()), an_attempt(a_selection()))

    assert refused.value.field == "fields[0]"


def test_a_field_that_a_replacement_left_out_is_not_there_to_be_sent() -> None:
    given = happened(*a_consent(), evidence_replaced(names=("streetName",), changed=()))

    with pytest.raises(FieldNotGrantedError) as refused:
        plan(given)

    assert refused.value.field == "fields[0].names"


@pytest.mark.parametrize(
    "changes",
    [
        {"service": OTHER_SERVICE},
        {"subject": OTHER_SUBJECT},
        {"consent_id": OTHER_CONSENT},
    ],
)
def test_what_is_not_the_services_own_is_not_there(changes: dict[str, Any]) -> None:
    with pytest.raises(NotFoundError):
        plan(happened(*a_consent()), an_attempt(**changes))


def test_an_attempt_that_wants_nothing_gets_nothing() -> None:
    with pytest.raises(FieldInvalidError) as refused:
        plan(happened(*a_consent()), replace(an_attempt(), selections=()))

    assert refused.value.field == "fields"


def test_nothing_leaves_where_there_is_no_vault() -> None:
    with pytest.raises(VaultNotOpenError):
        plan(None)


def test_nothing_leaves_a_broken_history() -> None:
    with pytest.raises(HistoryBrokenError):
        plan(replace(happened(*a_consent()), broken_at=2))


def test_nothing_leaves_to_a_suspended_service() -> None:
    suspended = drafted(ServiceSuspended(time=at(), salt=SALT, service=SERVICE))

    with pytest.raises(ServiceSuspendedError):
        plan(happened(*a_consent()), registry=registered(suspended))


def test_a_reinstated_service_receives_again() -> None:
    suspended = drafted(ServiceSuspended(time=at(), salt=SALT, service=SERVICE))
    reinstated = drafted(ServiceReinstated(time=at(), salt=SALT, service=SERVICE))

    assert plan(happened(*a_consent()), registry=registered(suspended, reinstated)).items


def test_nothing_leaves_for_a_withdrawn_purpose() -> None:
    withdrawn = drafted(PurposeWithdrawn(time=at(), salt=SALT, code="care"))

    with pytest.raises(PurposeNotAllowedError):
        plan(happened(*a_consent()), registry=registered(withdrawn))


def test_a_newer_version_of_the_purpose_changes_nothing() -> None:
    newer = purpose_published(version=2, services=())

    assert plan(happened(*a_consent()), registry=registered(newer)).items


@pytest.mark.parametrize(
    ("given", "attempt", "error"),
    [
        (
            (*a_consent(), consent_revoked()),
            an_attempt(a_selection("*"), purpose_code="war"),
            ConsentRevokedError,
        ),
        (a_consent(), an_attempt(a_selection("*"), purpose_code="war"), PurposeDiffersError),
        (
            (*a_consent(one_time=True, frequency=ONCE), evidence_disclosed()),
            an_attempt(a_selection("*")),
            FieldNotGrantedError,
        ),
    ],
)
def test_the_first_reason_counts(
    given: tuple[Draft, ...], attempt: Attempt, error: type[VaultError]
) -> None:
    with pytest.raises(error):
        plan(happened(*given), attempt, at(11))


def test_every_reason_but_absence_may_be_recorded() -> None:
    assert not issubclass(NotFoundError, StateError)
    assert issubclass(FieldNotGrantedError, StateError)


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


# --- What it folds to ----------------------------------------------------------------------------


def test_a_disclosure_of_what_a_history_lost_is_folded_over() -> None:
    assert happened(vault_opened(), evidence_disclosed()).consents == {}


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
