# SPDX-License-Identifier: Apache-2.0
"""Other terms for one consent: less is a stop, longer is a decision on what was shown."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tests.builders import (
    ABSENT,
    ADDRESS,
    CONSENT,
    DAY,
    INCOME,
    ONCE,
    OTHER_SERVICE,
    SALT,
    SERVICE,
    SUBJECT,
    a_consent,
    a_page,
    a_stamp,
    an_item,
    at,
    consent_extended,
    consent_granted,
    consent_narrowed,
    consent_paused,
    consent_revoked,
    drafted,
    evidence_disclosed,
    granted_fields,
    happened,
    purpose_published,
    registered,
    registry_of,
    some_terms,
    the_registry,
    vault_opened,
)
from vault.domain import amendment
from vault.domain.amendment import (
    ConsentExtended,
    ConsentNarrowed,
    Difference,
    FieldsDifference,
    Narrowing,
    Remaining,
    difference,
)
from vault.domain.canonical import digest
from vault.domain.choice import Shown, shown_bytes
from vault.domain.errors import (
    CapacityNotAllowedError,
    ConsentExpiredError,
    ConsentRevokedError,
    FieldInvalidError,
    FrequencyExhaustedError,
    HistoryBrokenError,
    NarrowingWidensError,
    NotFoundError,
    PurposeExceededError,
    PurposeNotAllowedError,
    ServiceSuspendedError,
    ShownDiffersError,
    VaultError,
    VaultNotOpenError,
)
from vault.domain.events import Draft
from vault.domain.registry import PurposeWithdrawn, RegistryState, ServiceSuspended
from vault.domain.state import VaultState
from vault.domain.values import Capacity, Frequency, Terms, Time, later

TWO_ITEMS: tuple[Draft, ...] = (
    *a_consent()[:4],
    consent_granted(
        an_item(),
        an_item(2, INCOME),
        scope=(
            granted_fields(),
            granted_fields(2, evidence_type="income", required=("amount",), optional=("payer",)),
        ),
    ),
)
STREET = Remaining(item=1, names=("streetName",))
POSTCODE = Remaining(item=1, names=("postalCode",))
BOTH = Remaining(item=1, names=("postalCode", "streetName"))
AMOUNT = Remaining(item=2, names=("amount",))


def narrowing(*items: Remaining, end: Time | None = None, frequency_count: int = 0) -> Narrowing:
    return Narrowing(items=items or None, end=end, frequency_count=frequency_count)


def narrow(
    state: VaultState | None, what: Narrowing, time: Time | None = None, consent_id: str = CONSENT
) -> Draft:
    return amendment.narrow(state, a_stamp(time or at(6)), consent_id, what)


def narrowed_terms(given: tuple[Draft, ...], what: Narrowing, time: Time | None = None) -> Terms:
    facts = narrow(happened(*given), what, time).facts
    assert isinstance(facts, ConsentNarrowed)
    return facts.terms


def shared(terms: Terms) -> dict[int, set[str]]:
    return {fields.item: set(fields.names) for fields in terms.scope}


# --- Narrowing -----------------------------------------------------------------------------------


def test_narrowing_records_all_terms_from_now_on() -> None:
    draft = narrow(happened(*a_consent()), narrowing(POSTCODE))

    assert draft.facts == ConsentNarrowed(
        time=at(6),
        salt=SALT,
        service=SERVICE,
        subject=SUBJECT,
        consent_id=CONSENT,
        terms=some_terms(scope=(granted_fields(optional=()),), shown_time=at(6)),
    )
    assert draft.items == (an_item(),)
    assert draft == consent_narrowed()


def test_a_required_field_may_be_taken_back_too() -> None:
    """What a service requires binds her when she grants; stopping is never harder (Art. 7(3))."""
    terms = narrowed_terms(a_consent(), narrowing(STREET))

    assert terms.scope == (granted_fields(required=()),)


def test_an_item_that_is_not_named_is_shared_no_more() -> None:
    draft = narrow(happened(*TWO_ITEMS), narrowing(AMOUNT))

    assert isinstance(draft.facts, ConsentNarrowed)
    assert shared(draft.facts.terms) == {2: {"amount"}}
    assert draft.items == (an_item(2, INCOME),)


def test_items_stay_in_their_order_whatever_order_they_are_named_in() -> None:
    terms = narrowed_terms(TWO_ITEMS, narrowing(AMOUNT, BOTH))

    assert shared(terms) == {1: {"postalCode", "streetName"}, 2: {"amount"}}
    assert [fields.item for fields in terms.scope] == [1, 2]


def test_a_consent_may_end_earlier() -> None:
    terms = narrowed_terms(a_consent(), narrowing(end=at(days=2)))

    assert terms == some_terms(end=at(days=2), shown_time=at(6))


def test_a_consent_may_end_a_microsecond_from_now() -> None:
    end = later(at(6), microseconds=1)

    assert narrowed_terms(a_consent(), narrowing(end=end)).end == end


def test_a_consent_may_be_used_less_often() -> None:
    terms = narrowed_terms(a_consent(), narrowing(frequency_count=1))

    assert terms.frequency == Frequency(count=1, period_seconds=DAY)
    assert terms == replace(some_terms(shown_time=at(6)), frequency=terms.frequency)


def test_everything_may_be_narrowed_at_once() -> None:
    terms = narrowed_terms(TWO_ITEMS, narrowing(STREET, end=at(days=2), frequency_count=2), at(7))

    assert terms == some_terms(
        scope=(granted_fields(required=()),),
        end=at(days=2),
        frequency=Frequency(count=2, period_seconds=DAY),
        shown_time=at(7),
    )


def test_a_narrowed_consent_may_be_narrowed_further() -> None:
    given = (*TWO_ITEMS, narrow(happened(*TWO_ITEMS), narrowing(STREET, AMOUNT)))

    assert narrowed_terms(given, narrowing(AMOUNT)).scope == (
        granted_fields(2, evidence_type="income", required=("amount",), optional=()),
    )
    with pytest.raises(NarrowingWidensError):
        narrow(happened(*given), narrowing(POSTCODE))


@pytest.mark.parametrize(
    "what",
    [
        narrowing(),
        narrowing(BOTH),
        narrowing(Remaining(item=1, names=("streetName", "postalCode", "streetName"))),
        narrowing(end=at(days=20)),
        narrowing(frequency_count=4),
        narrowing(BOTH, end=at(days=20), frequency_count=4),
    ],
)
def test_a_narrowing_that_changes_nothing_is_refused(what: Narrowing) -> None:
    with pytest.raises(FieldInvalidError) as refused:
        narrow(happened(*a_consent()), what)

    assert refused.value.field == "narrowing"


@pytest.mark.parametrize(
    ("what", "field"),
    [
        (narrowing(Remaining(item=1, names=("addressCountry",))), "items[0]"),
        (narrowing(Remaining(item=1, names=("postalCode", "addressCountry"))), "items[0]"),
        (narrowing(Remaining(item=1, names=("*",))), "items[0]"),
        (narrowing(Remaining(item=1, names=("amount",))), "items[0]"),
        (narrowing(POSTCODE, AMOUNT), "items[1]"),
        (narrowing(Remaining(item=0, names=("postalCode",))), "items[0]"),
        (narrowing(end=later(at(days=20), microseconds=1)), "end_time"),
        (narrowing(POSTCODE, end=at(days=21)), "end_time"),
        (narrowing(frequency_count=5), "frequency_count"),
        (narrowing(POSTCODE, frequency_count=5), "frequency_count"),
    ],
)
def test_a_narrowing_never_gives_more(what: Narrowing, field: str) -> None:
    with pytest.raises(NarrowingWidensError) as refused:
        narrow(happened(*a_consent()), what)

    assert refused.value.field == field


def test_what_happens_once_cannot_happen_less_often() -> None:
    with pytest.raises(NarrowingWidensError):
        narrow(happened(*a_consent(one_time=True, frequency=ONCE)), narrowing(frequency_count=1))


@pytest.mark.parametrize(
    ("what", "field"),
    [
        (narrowing(POSTCODE, STREET), "items[1]"),
        (narrowing(Remaining(item=1, names=())), "items[0].names"),
        (Narrowing(items=(), end=None, frequency_count=0), "items"),
        (narrowing(end=at(6)), "end_time"),
        (narrowing(end=at(5)), "end_time"),
    ],
)
def test_a_narrowing_to_nothing_or_in_two_ways_is_refused(what: Narrowing, field: str) -> None:
    with pytest.raises(FieldInvalidError) as refused:
        narrow(happened(*a_consent()), what)

    assert refused.value.field == field


@pytest.mark.parametrize("end", [at(days=1), at(7)])
def test_a_consent_that_has_not_started_cannot_end_before_it_starts(end: Time) -> None:
    given = happened(*a_consent(start=at(days=1)))

    with pytest.raises(FieldInvalidError) as refused:
        narrow(given, narrowing(end=end))

    assert refused.value.field == "end_time"
    assert narrow(given, narrowing(end=later(at(days=1), microseconds=1))).items


@pytest.mark.parametrize(
    ("given", "time", "error"),
    [
        ((vault_opened(),), at(6), NotFoundError),
        ((*a_consent(), consent_revoked()), at(9), ConsentRevokedError),
        (a_consent(), at(days=20), ConsentExpiredError),
        ((*a_consent(), consent_narrowed(end=at(days=2))), at(days=2), ConsentExpiredError),
    ],
)
def test_what_has_ended_cannot_be_narrowed(
    given: tuple[Draft, ...], time: Time, error: type[VaultError]
) -> None:
    with pytest.raises(error):
        narrow(happened(*given), narrowing(POSTCODE), time)


def test_nothing_is_narrowed_without_a_vault() -> None:
    with pytest.raises(NotFoundError):
        narrow(None, narrowing(POSTCODE))


def test_a_broken_history_does_not_stop_her_from_narrowing() -> None:
    broken = replace(happened(*a_consent()), broken_at=2)

    assert isinstance(narrow(broken, narrowing(POSTCODE)).facts, ConsentNarrowed)


def test_a_paused_consent_may_be_narrowed_and_stays_paused() -> None:
    given = (*a_consent(), consent_paused())

    found = happened(*given, narrow(happened(*given), narrowing(POSTCODE))).consents[CONSENT]

    assert found.status(at(7)) == "paused"
    assert found.terms.scope == (granted_fields(optional=()),)


def test_a_narrowed_consent_is_the_same_consent() -> None:
    """What was used up stays used up."""
    given = (*a_consent(), evidence_disclosed(at(4)))

    before = happened(*given).consents[CONSENT]
    after = happened(*given, consent_narrowed()).consents[CONSENT]

    assert after == replace(before, terms=after.terms)


def test_a_dropped_item_is_known_no_more() -> None:
    given = happened(*TWO_ITEMS, narrow(happened(*TWO_ITEMS), narrowing(AMOUNT)))

    assert given.consents[CONSENT].items == (an_item(2, INCOME),)


# --- Extending -----------------------------------------------------------------------------------


END = at(days=25)


def extend(
    state: VaultState | None,
    end: Time = END,
    *,
    time: Time | None = None,
    page: Shown | None = None,
    shown_hash: str = "",
    registry: RegistryState | None = None,
    capacity: Capacity = "self",
    consent_id: str = CONSENT,
) -> Draft:
    """Extend what a page showed; by default just what the end comes to."""
    page = page or a_page(at(6))
    return amendment.extend(
        state,
        registry or registered(),
        a_stamp(time or at(7)),
        consent_id=consent_id,
        end=end,
        shown=page,
        shown_hash=shown_hash or shown(state, end, page),
        capacity=capacity,
    )


def shown(state: VaultState | None, end: Time, page: Shown) -> str:
    found = state.consents.get(CONSENT) if state else None
    if found is None:
        return ""
    return digest(shown_bytes(amendment.extended_terms(found, end, page), found.items))


def test_extending_records_all_terms_as_they_stood_on_her_page() -> None:
    draft = extend(happened(*a_consent()))

    assert draft.facts == ConsentExtended(
        time=at(7),
        salt=SALT,
        service=SERVICE,
        subject=SUBJECT,
        consent_id=CONSENT,
        terms=some_terms(end=END, shown_time=at(6)),
    )
    assert (draft.facts, draft.items) == (consent_extended().facts, consent_extended().items)


def test_an_extension_changes_the_end_and_nothing_else() -> None:
    given = (*TWO_ITEMS, evidence_disclosed(at(4)), consent_paused())
    before = happened(*given).consents[CONSENT]

    after = happened(*given, extend(happened(*given))).consents[CONSENT]

    assert after == replace(
        before, terms=replace(before.terms, end=END, shown_time=at(6), salt=SALT)
    )
    assert difference(before.terms, after.terms) == Difference(
        removed=(), end=(at(days=20), END), frequency=None
    )


def test_a_consent_may_be_extended_again() -> None:
    given = happened(*a_consent(), consent_extended())

    facts = extend(given, at(days=26), page=a_page(at(8)), time=at(9)).facts

    assert isinstance(facts, ConsentExtended)
    assert facts.terms.end == at(days=26)


def test_a_consent_may_reach_as_far_from_now_as_the_purpose_allows() -> None:
    assert extend(happened(*a_consent()), at(7, days=30), time=at(7)).items


@pytest.mark.parametrize(
    ("end", "error"),
    [
        (later(at(7, days=30), microseconds=1), PurposeExceededError),
        (at(days=20), FieldInvalidError),
        (at(days=19), FieldInvalidError),
    ],
)
def test_an_end_beyond_the_purpose_or_none_the_later_is_refused(
    end: Time, error: type[VaultError]
) -> None:
    with pytest.raises(error) as refused:
        extend(happened(*a_consent()), end)

    assert refused.value.field == "end_time"


def test_an_extension_stands_on_the_bounds_of_the_version_that_she_granted() -> None:
    longer = registered(purpose_published(version=2, longest_days=400))
    shorter = registered(purpose_published(version=2, longest_days=1, services=()))

    with pytest.raises(PurposeExceededError):
        extend(happened(*a_consent()), at(days=31), registry=longer)
    assert extend(happened(*a_consent()), registry=shorter).items


@pytest.mark.parametrize(
    "capacity", ["helper", "attorney", "deputy", "appointee", "parent", "official", "service"]
)
def test_nobody_but_herself_extends(capacity: Capacity) -> None:
    with pytest.raises(CapacityNotAllowedError):
        extend(happened(*a_consent()), capacity=capacity)


def test_an_official_is_not_told_what_is_there() -> None:
    with pytest.raises(CapacityNotAllowedError):
        extend(None, capacity="official")


def once(*more: Draft) -> tuple[Draft, ...]:
    return (*a_consent(one_time=True, frequency=ONCE), *more)


def test_a_consent_for_once_may_be_extended_until_it_is_used() -> None:
    assert extend(happened(*once())).items
    with pytest.raises(FrequencyExhaustedError):
        extend(happened(*once(evidence_disclosed(at(4)))))


@pytest.mark.parametrize(
    ("given", "time", "error"),
    [
        ((vault_opened(),), at(7), NotFoundError),
        ((*a_consent(), consent_revoked()), at(9), ConsentRevokedError),
        (a_consent(), at(days=20), ConsentExpiredError),
        ((*a_consent(), consent_narrowed(end=at(days=2))), at(days=2), ConsentExpiredError),
    ],
)
def test_what_has_ended_cannot_be_extended(
    given: tuple[Draft, ...], time: Time, error: type[VaultError]
) -> None:
    with pytest.raises(error):
        extend(happened(*given), at(days=28), time=time, page=a_page(later(time, seconds=-1)))


def test_nothing_is_extended_without_a_vault() -> None:
    with pytest.raises(VaultNotOpenError):
        extend(None)


def test_nothing_is_extended_in_a_broken_history() -> None:
    with pytest.raises(HistoryBrokenError):
        extend(replace(happened(*a_consent()), broken_at=2))


def test_a_consent_that_is_not_there_is_not_extended() -> None:
    with pytest.raises(NotFoundError):
        extend(happened(*a_consent()), consent_id=ABSENT)


def test_nothing_is_extended_for_a_suspended_service() -> None:
    suspended = registered(drafted(ServiceSuspended(time=at(), salt=SALT, service=SERVICE)))

    with pytest.raises(ServiceSuspendedError):
        extend(happened(*a_consent()), registry=suspended)


def test_nothing_is_extended_for_a_withdrawn_purpose() -> None:
    withdrawn = registered(drafted(PurposeWithdrawn(time=at(), salt=SALT, code="care")))

    with pytest.raises(PurposeNotAllowedError):
        extend(happened(*a_consent()), registry=withdrawn)


def test_nothing_is_extended_for_a_purpose_of_another_service() -> None:
    elsewhere = registry_of(*the_registry()[:-1], purpose_published(services=(OTHER_SERVICE,)))

    with pytest.raises(PurposeNotAllowedError):
        extend(happened(*a_consent()), registry=elsewhere)


@pytest.mark.parametrize(
    "changes",
    [
        {"end": at(days=26)},
        {"page": Shown(time=at(6.5), salt=SALT)},
        {"page": Shown(time=at(6), salt=SALT[::-1])},
        {"shown_hash": digest(b"")},
    ],
)
def test_an_extension_of_anything_but_what_was_shown_is_refused(changes: dict[str, Any]) -> None:
    given = happened(*a_consent())
    seen = shown(given, END, a_page(at(6)))

    with pytest.raises(ShownDiffersError) as refused:
        extend(given, **{"shown_hash": seen, **changes})

    assert refused.value.field == "shown"


@pytest.mark.parametrize(
    "changes",
    [
        {"scope": (granted_fields(optional=()),)},
        {"frequency": Frequency(count=1, period_seconds=DAY)},
    ],
)
def test_what_was_narrowed_since_it_was_shown_must_be_shown_again(
    changes: dict[str, Any],
) -> None:
    seen = shown(happened(*a_consent()), END, a_page(at(5)))
    given = happened(*a_consent(), consent_narrowed(**{"scope": (granted_fields(),), **changes}))

    with pytest.raises(ShownDiffersError):
        extend(given, page=a_page(at(5)), shown_hash=seen)
    assert extend(given, page=a_page(at(6))).items


def test_a_page_from_before_she_shortened_it_is_not_decided_on() -> None:
    """It told her of another end than the one that would change."""
    seen = shown(happened(*a_consent()), END, a_page(at(5)))
    given = happened(*a_consent(), consent_narrowed(scope=(granted_fields(),), end=at(days=2)))

    with pytest.raises(ShownDiffersError):
        extend(given, page=a_page(at(5)), shown_hash=seen)
    assert extend(given, page=a_page(at(6))).items


def test_items_are_part_of_what_was_shown() -> None:
    given = happened(*a_consent())
    terms = amendment.extended_terms(given.consents[CONSENT], END, a_page(at(6)))
    other = digest(shown_bytes(terms, (an_item(revision=1),)))

    with pytest.raises(ShownDiffersError):
        extend(given, shown_hash=other)


@pytest.mark.parametrize("time", [at(6), at(6 + DAY)])
def test_what_was_shown_may_be_decided_on_for_a_day(time: Time) -> None:
    assert extend(happened(*a_consent()), time=time).items


@pytest.mark.parametrize(
    "time", [later(at(6), microseconds=-1), later(at(6 + DAY), microseconds=1)]
)
def test_what_was_shown_later_or_longer_ago_is_not_decided_on(time: Time) -> None:
    with pytest.raises(ShownDiffersError):
        extend(happened(*a_consent()), time=time)


def test_what_was_shown_before_it_was_granted_is_not_decided_on() -> None:
    with pytest.raises(ShownDiffersError):
        extend(happened(*a_consent()), page=a_page(later(at(3), microseconds=-1)))


# --- The difference ------------------------------------------------------------------------------


def test_terms_do_not_differ_from_themselves() -> None:
    nothing = Difference(removed=(), end=None, frequency=None)

    assert difference(some_terms(), some_terms(shown_time=at(9))) == nothing


def test_the_difference_tells_what_is_shared_no_more() -> None:
    before = happened(*TWO_ITEMS).consents[CONSENT].terms
    after = narrowed_terms(TWO_ITEMS, narrowing(POSTCODE, end=at(days=2), frequency_count=3))

    assert difference(before, after) == Difference(
        removed=(
            FieldsDifference(item=1, evidence_type="postal_address", names=("streetName",)),
            FieldsDifference(item=2, evidence_type="income", names=("amount", "payer")),
        ),
        end=(at(days=20), at(days=2)),
        frequency=(
            Frequency(count=4, period_seconds=DAY),
            Frequency(count=3, period_seconds=DAY),
        ),
    )


# --- What it folds to ----------------------------------------------------------------------------


@pytest.mark.parametrize("draft", [consent_narrowed(), consent_extended()])
def test_new_terms_of_what_a_history_lost_are_folded_over(draft: Draft) -> None:
    assert happened(vault_opened(), draft).consents == {}


def test_new_terms_leave_the_evidence_alone() -> None:
    state = happened(*a_consent(), consent_narrowed(), consent_extended())

    assert state.evidence == happened(*a_consent()).evidence
    assert state.evidence[ADDRESS].disputes == ()
