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
    consent_extended,
    consent_granted,
    consent_narrowed,
    consent_paused,
    consent_requested,
    consent_resumed,
    consent_revoked,
    drafted,
    evidence_disclosed,
    evidence_disputed,
    evidence_provided,
    evidence_replaced,
    granted_fields,
    happened,
    purpose_published,
    registered,
    vault_opened,
    vault_read,
)
from vault.domain import disclosure
from vault.domain.consent import Release
from vault.domain.disclosure import Attempt, EvidenceDisclosed, Plan
from vault.domain.errors import (
    ConsentExpiredError,
    ConsentNotStartedError,
    ConsentPausedError,
    ConsentRevokedError,
    FieldInvalidError,
    FieldNotGrantedError,
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
from vault.domain.values import DisclosedFields, Item, Time, later


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


def test_a_consent_that_is_to_start_tomorrow_yields_nothing_today() -> None:
    given = happened(*a_consent(start=at(days=1)))

    with pytest.raises(ConsentNotStartedError):
        plan(given, time=later(at(days=1), microseconds=-1))
    assert plan(given, time=at(days=1)).items


def test_a_paused_consent_yields_nothing() -> None:
    with pytest.raises(ConsentPausedError):
        plan(happened(*a_consent(), consent_paused()))


def test_a_resumed_consent_yields_again() -> None:
    assert plan(happened(*a_consent(), consent_paused(), consent_resumed())).items


def test_a_paused_consent_says_that_it_is_paused_and_nothing_more() -> None:
    """Neither that it has not started nor what it covers."""
    given = happened(*a_consent(start=at(days=1)), consent_paused())

    with pytest.raises(ConsentPausedError):
        plan(given, an_attempt(a_selection("*"), purpose_code="war"))


@pytest.mark.parametrize(
    ("more", "time", "error"),
    [
        (consent_revoked(), at(9), ConsentRevokedError),
        (vault_read(), at(days=20), ConsentExpiredError),
    ],
)
def test_a_paused_consent_that_has_ended_says_so(
    more: Draft, time: Time, error: type[VaultError]
) -> None:
    with pytest.raises(error):
        plan(happened(*a_consent(), consent_paused(), more), time=time)


def test_what_was_taken_back_does_not_leave() -> None:
    given = happened(*a_consent(), consent_narrowed())

    assert plan(given).items
    with pytest.raises(FieldNotGrantedError):
        plan(given, an_attempt(a_selection("streetName")))


def test_an_item_that_was_taken_back_does_not_leave() -> None:
    narrowed = consent_narrowed(an_item(2, OTHER_ADDRESS), scope=(granted_fields(2, optional=()),))
    given = happened(*two_addresses(), narrowed)

    with pytest.raises(FieldNotGrantedError):
        plan(given, an_attempt(a_selection(item=1)))
    assert plan(given, an_attempt(a_selection())).items == (an_item(2, OTHER_ADDRESS, 1),)


def test_a_consent_that_was_shortened_or_extended_ends_by_its_new_terms() -> None:
    shortened = happened(*a_consent(), consent_narrowed(end=at(days=2)))
    extended = happened(*a_consent(), consent_extended())

    with pytest.raises(ConsentExpiredError):
        plan(shortened, time=at(days=2))
    assert plan(extended, time=at(days=24)).items
    with pytest.raises(ConsentExpiredError):
        plan(extended, time=at(days=25))


def test_a_dispute_keeps_nothing_back() -> None:
    """What she says is wrong goes out marked, for she also said that it may."""
    decided = plan(happened(*a_consent(), evidence_disputed()))

    assert decided.openings[0].evidence.disputed == {"postalCode"}


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


# --- Everything at once, for a preview ----------------------------------------------------------


def everything(*drafts: Draft) -> Plan:
    state = happened(*drafts)
    return disclosure.everything(state, state.consents[CONSENT])


def test_a_preview_shows_every_granted_field_of_every_item() -> None:
    decided = everything(*two_addresses(), evidence_replaced(OTHER_ADDRESS))

    assert decided.consent_id == CONSENT
    assert decided.items == (an_item(1, ADDRESS, 1), an_item(2, OTHER_ADDRESS, 2))
    assert decided.fields == (
        DisclosedFields(item=1, names=("postalCode",)),
        DisclosedFields(item=2, names=("postalCode", "streetName")),
    )


def test_a_preview_shows_what_would_leave_if_all_were_fetched() -> None:
    given = (*two_addresses(), evidence_replaced())
    all_of_it = an_attempt(a_selection(item=1), a_selection("postalCode", "streetName", item=2))

    assert everything(*given) == plan(happened(*given), all_of_it)


def test_a_preview_says_that_a_field_is_no_longer_there() -> None:
    with pytest.raises(FieldNotGrantedError) as refused:
        everything(*a_consent(), evidence_replaced(names=("streetName",), changed=()))

    assert refused.value.field == "scope[0].names"


# --- What it folds to ----------------------------------------------------------------------------


def test_a_disclosure_of_what_a_history_lost_is_folded_over() -> None:
    assert happened(vault_opened(), evidence_disclosed()).consents == {}


def releases(*drafts: Draft) -> dict[str, Release]:
    return happened(*drafts).consents[CONSENT].releases


def test_what_left_is_remembered_by_item_and_revision() -> None:
    assert releases(*a_consent()) == {}
    assert releases(*a_consent(), evidence_disclosed(at(10))) == {
        "1/1": Release(item=an_item(revision=1), names=("postalCode",), time=at(10))
    }


def test_what_left_of_one_revision_adds_up() -> None:
    street = (DisclosedFields(item=1, names=("streetName",)),)

    found = releases(
        *a_consent(), evidence_disclosed(at(10)), evidence_disclosed(at(11), fields=street)
    )

    assert found == {
        "1/1": Release(item=an_item(revision=1), names=("postalCode", "streetName"), time=at(11))
    }


def test_each_revision_and_each_item_that_left_is_remembered() -> None:
    drafts = (
        *two_addresses(),
        evidence_disclosed(at(4)),
        evidence_replaced(),
        replace(evidence_disclosed(at(6)), items=(an_item(revision=2),)),
        replace(
            evidence_disclosed(at(7), fields=(DisclosedFields(item=2, names=("postalCode",)),)),
            items=(an_item(2, OTHER_ADDRESS, 1),),
        ),
    )

    assert {key: known.time for key, known in releases(*drafts).items()} == {
        "1/1": at(4),
        "1/2": at(6),
        "2/1": at(7),
    }


def test_a_repeat_is_remembered_as_having_left_again() -> None:
    found = releases(
        *a_consent(), evidence_disclosed(at(10)), evidence_disclosed(at(11), repeats=BUNDLE)
    )

    assert found["1/1"].time == at(11)


def test_what_left_stays_remembered_after_it_was_taken_back() -> None:
    left = (*two_addresses(), evidence_disclosed(at(4)))
    narrowed = consent_narrowed(an_item(2, OTHER_ADDRESS), scope=(granted_fields(2),))

    assert releases(*left, narrowed, consent_revoked()) == releases(*left)


def test_a_disclosure_that_names_no_revision_is_not_remembered_as_one() -> None:
    """The fold takes what a stored history holds, whatever wrote it."""
    nameless = replace(evidence_disclosed(), items=())

    assert releases(*a_consent(), nameless) == {}
