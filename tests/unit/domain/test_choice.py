# SPDX-License-Identifier: Apache-2.0
"""Her choice for a request: what it comes to, and what goes beyond what was asked."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.builders import (
    ABSENT,
    ADDRESS,
    CONSENT,
    INCOME,
    OTHER_ADDRESS,
    REQUEST,
    a_choice,
    a_consent,
    a_page,
    an_item_choice,
    at,
    consent_refused,
    consent_request_cancelled,
    consent_requested,
    consent_revoked,
    evidence_provided,
    evidence_replaced,
    happened,
    income_provided,
    requested_fields,
    some_terms,
    vault_opened,
)
from vault.domain import choice as her_choice
from vault.domain.choice import Choice, Shown
from vault.domain.errors import (
    ChoiceNotOfferedError,
    FieldInvalidError,
    HistoryBrokenError,
    NotFoundError,
    RequestAlreadyDecidedError,
    RequestCancelledError,
    RequestExpiredError,
    VaultError,
    VaultNotOpenError,
)
from vault.domain.events import Draft
from vault.domain.state import VaultState
from vault.domain.values import GrantedFields, Item, Terms, Time, later

ASKED = (vault_opened(), evidence_provided(), income_provided(), consent_requested())
FROM_TOMORROW = (*ASKED[:3], consent_requested(start=at(days=1)))
"""What is asked for is to start a day after the request."""


def terms_of(
    state: VaultState | None, choice: Choice, page: Shown | None = None, time: Time | None = None
) -> tuple[Terms, tuple[Item, ...]]:
    return her_choice.terms_of(
        state,
        time or at(3),
        consent_request_id=REQUEST,
        consent_id=CONSENT,
        choice=choice,
        shown=page or a_page(),
    )


# --- What it comes to ----------------------------------------------------------------------------


def test_terms_are_the_requests_with_her_fields_and_her_page() -> None:
    choice = a_choice(an_item_choice(names=("postalCode", "streetName")))

    terms, items = terms_of(happened(*ASKED), choice)

    assert terms == some_terms()
    assert items == (Item(item=1, evidence_id=ADDRESS, revision=0),)


def test_she_may_leave_out_what_is_optional() -> None:
    terms, _ = terms_of(happened(*ASKED), a_choice())

    assert terms.scope[0].optional == ()
    assert terms.scope[0].names == {"postalCode"}


def test_a_pinned_choice_names_the_revision_of_now() -> None:
    given = happened(*ASKED, evidence_replaced())

    terms, items = terms_of(given, a_choice(an_item_choice(mode="pinned")))

    assert terms.scope[0].mode == "pinned"
    assert items == (Item(item=1, evidence_id=ADDRESS, revision=2),)


def test_she_may_choose_an_earlier_end() -> None:
    terms, _ = terms_of(happened(*ASKED), a_choice(end=at(days=2)))

    assert terms.end == at(days=2)


def test_two_pieces_of_one_type_are_two_items_in_the_order_of_her_choice() -> None:
    given = happened(
        vault_opened(),
        evidence_provided(),
        evidence_provided(OTHER_ADDRESS),
        consent_requested(
            scope=(requested_fields(), requested_fields(required=("postalCode", "streetName")))
        ),
    )
    choice = a_choice(
        an_item_choice(OTHER_ADDRESS), an_item_choice(names=("postalCode", "streetName"))
    )

    terms, items = terms_of(given, choice)

    assert items == (
        Item(item=1, evidence_id=OTHER_ADDRESS, revision=0),
        Item(item=2, evidence_id=ADDRESS, revision=0),
    )
    assert [fields.names for fields in terms.scope] == [
        {"postalCode"},
        {"postalCode", "streetName"},
    ]


def test_one_question_is_answered_with_one_piece() -> None:
    given = happened(*ASKED, evidence_provided(OTHER_ADDRESS))

    with pytest.raises(ChoiceNotOfferedError) as refused:
        terms_of(given, a_choice(an_item_choice(), an_item_choice(OTHER_ADDRESS)))

    assert refused.value.field == "choice.items[1]"


def test_what_is_only_optional_may_be_left_out_whole() -> None:
    given = happened(
        vault_opened(),
        evidence_provided(),
        consent_requested(scope=(requested_fields(), requested_fields("income", (), ("amount",)))),
    )

    terms, _ = terms_of(given, a_choice())

    assert [fields.evidence_type for fields in terms.scope] == ["postal_address"]


@pytest.mark.parametrize(
    ("choice", "field"),
    [
        (a_choice(an_item_choice(names=("addressCountry", "postalCode"))), "choice.items[0]"),
        (a_choice(an_item_choice(INCOME, names=("amount",))), "choice.items[0]"),
        (a_choice(an_item_choice(names=("streetName",))), "choice.items[0].names"),
        (a_choice(an_item_choice(), an_item_choice()), "choice.items[1]"),
        (a_choice(end=later(at(days=20), microseconds=1)), "choice.end_time"),
        (a_choice(end=at(3)), "choice.end_time"),
        (a_choice(end=at(-1)), "choice.end_time"),
        (replace(a_choice(), items=()), "choice.items"),
    ],
)
def test_a_choice_beyond_the_request_is_refused(choice: Choice, field: str) -> None:
    with pytest.raises(ChoiceNotOfferedError) as refused:
        terms_of(happened(*ASKED), choice)

    assert refused.value.field == field


def test_a_field_that_her_evidence_lacks_cannot_be_chosen() -> None:
    given = happened(vault_opened(), evidence_provided(names=("streetName",)), consent_requested())

    with pytest.raises(ChoiceNotOfferedError) as refused:
        terms_of(given, a_choice())

    assert refused.value.field == "choice.items[0].names"


@pytest.mark.parametrize(
    ("choice", "field"),
    [
        (replace(a_choice(), items=()), "choice.items"),
        (a_choice(an_item_choice(names=())), "choice.items[0].names"),
    ],
)
def test_a_choice_of_nothing_is_refused_even_if_nothing_is_required(
    choice: Choice, field: str
) -> None:
    given = happened(
        vault_opened(),
        evidence_provided(),
        consent_requested(scope=(requested_fields(required=()),)),
    )

    with pytest.raises(FieldInvalidError) as refused:
        terms_of(given, choice)

    assert refused.value.field == field


def test_evidence_that_is_not_there_cannot_be_chosen() -> None:
    with pytest.raises(NotFoundError):
        terms_of(happened(*ASKED), a_choice(an_item_choice(ABSENT)))


@pytest.mark.parametrize(
    ("given", "time", "error"),
    [
        ((vault_opened(), evidence_provided()), at(3), NotFoundError),
        (a_consent(), at(4), RequestAlreadyDecidedError),
        ((*a_consent(), consent_revoked()), at(9), RequestAlreadyDecidedError),
        ((*ASKED, consent_refused()), at(4), RequestAlreadyDecidedError),
        ((*ASKED, consent_request_cancelled()), at(4), RequestCancelledError),
        ((*ASKED, consent_refused()), at(days=400), RequestAlreadyDecidedError),
        ((*ASKED, consent_request_cancelled()), at(days=400), RequestCancelledError),
        (ASKED, at(2, days=30), RequestExpiredError),
    ],
)
def test_a_request_that_waits_for_no_answer_comes_to_nothing(
    given: tuple[Draft, ...], time: Time, error: type[VaultError]
) -> None:
    with pytest.raises(error):
        terms_of(happened(*given), a_choice(), time=time)


def test_nothing_is_chosen_without_a_vault() -> None:
    with pytest.raises(VaultNotOpenError):
        terms_of(None, a_choice())


def test_nothing_is_chosen_in_a_broken_history() -> None:
    with pytest.raises(HistoryBrokenError):
        terms_of(replace(happened(*ASKED), broken_at=2), a_choice())


def test_granted_fields_keep_apart_what_was_required() -> None:
    terms, _ = terms_of(
        happened(*ASKED), a_choice(an_item_choice(names=("postalCode", "streetName")))
    )

    assert terms.scope == (
        GrantedFields(
            item=1,
            evidence_type="postal_address",
            mode="following",
            required=("postalCode",),
            optional=("streetName",),
        ),
    )


# --- From when ------------------------------------------------------------------------------------


def start_of(given: tuple[Draft, ...], choice: Choice, page: Shown | None = None) -> Time:
    terms, _ = terms_of(happened(*given), choice, page)
    return terms.start


def test_what_starts_at_once_starts_with_her_page() -> None:
    assert start_of(ASKED, a_choice()) == at(3)


def test_what_is_asked_to_start_later_starts_then() -> None:
    assert start_of(FROM_TOMORROW, a_choice()) == at(days=1)


@pytest.mark.parametrize("given", [ASKED, FROM_TOMORROW])
def test_she_may_choose_a_later_start(given: tuple[Draft, ...]) -> None:
    assert start_of(given, a_choice(start=at(days=2))) == at(days=2)


def test_she_may_choose_the_very_start_that_was_asked() -> None:
    assert start_of(FROM_TOMORROW, a_choice(start=at(days=1))) == at(days=1)


@pytest.mark.parametrize("start", [at(), at(2), at(days=2)])
def test_nothing_starts_before_she_saw_it(start: Time) -> None:
    """A page that is made after the start, asked or chosen, shows that it starts at once."""
    page = a_page(at(days=3))

    assert start_of((*ASKED[:3], consent_requested(start=start)), a_choice(), page) == page.time
    assert start_of(ASKED, a_choice(start=start), page) == page.time


def test_she_may_not_choose_an_earlier_start_than_was_asked() -> None:
    with pytest.raises(ChoiceNotOfferedError) as refused:
        start_of(FROM_TOMORROW, a_choice(start=later(at(days=1), microseconds=-1)))

    assert refused.value.field == "choice.start_time"


def test_what_starts_a_microsecond_before_its_end_is_offered() -> None:
    assert start_of(ASKED, a_choice(start=later(at(days=20), microseconds=-1)))


@pytest.mark.parametrize(
    ("given", "choice"),
    [
        (ASKED, a_choice(start=at(days=20))),
        (ASKED, a_choice(start=at(days=21))),
        (ASKED, a_choice(start=at(days=2), end=at(days=2))),
        (ASKED, a_choice(start=at(days=3), end=at(days=2))),
        (FROM_TOMORROW, a_choice(end=at(days=1))),
        (FROM_TOMORROW, a_choice(end=at(3600))),
    ],
)
def test_what_would_start_after_its_end_is_not_offered(
    given: tuple[Draft, ...], choice: Choice
) -> None:
    with pytest.raises(ChoiceNotOfferedError) as refused:
        start_of(given, choice)

    assert refused.value.field == "choice.start_time"
