# SPDX-License-Identifier: Apache-2.0
"""Consent: a choice within the request, granted exactly as shown, revoked whatever happens."""

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
    OTHER_ADDRESS,
    OTHER_CONSENT,
    OTHER_REQUEST,
    REQUEST,
    SALT,
    SERVICE,
    SUBJECT,
    a_choice,
    a_consent,
    a_page,
    a_stamp,
    an_item_choice,
    asked_terms,
    at,
    consent_granted,
    consent_requested,
    consent_revoked,
    drafted,
    evidence_provided,
    evidence_replaced,
    happened,
    income_provided,
    purpose_published,
    registered,
    requested_fields,
    some_terms,
    vault_opened,
)
from vault.domain import choice as her_choice
from vault.domain import consent, request
from vault.domain.canonical import digest, encode
from vault.domain.choice import Choice, Shown
from vault.domain.consent import ConsentGranted, ConsentRevoked
from vault.domain.errors import (
    ChoiceNotOfferedError,
    ConsentExpiredError,
    ConsentRevokedError,
    FieldInvalidError,
    HistoryBrokenError,
    NotFoundError,
    PurposeNotAllowedError,
    RequestAlreadyClaimedError,
    RequestAlreadyDecidedError,
    RequestExpiredError,
    ServiceSuspendedError,
    ShownDiffersError,
    VaultError,
    VaultNotOpenError,
)
from vault.domain.events import Draft
from vault.domain.registry import PurposeWithdrawn, RegistryState, ServiceSuspended
from vault.domain.request import ConsentRequested
from vault.domain.state import VaultState
from vault.domain.values import GrantedFields, Item, Terms, Time, later

ASKED = (vault_opened(), evidence_provided(), income_provided(), consent_requested())


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


def grant(
    state: VaultState,
    *,
    time: Time | None = None,
    choice: Choice | None = None,
    page: Shown | None = None,
    shown_hash: str = "",
    registry: RegistryState | None = None,
) -> Draft:
    """Grant what a page showed; by default just what the choice comes to."""
    choice, page = choice or a_choice(), page or a_page()
    return consent.grant(
        state,
        registry or registered(),
        a_stamp(time or at(4)),
        consent_request_id=REQUEST,
        consent_id=CONSENT,
        choice=choice,
        shown=page,
        shown_hash=shown_hash or shown(state, choice, page),
    )


def shown(state: VaultState, choice: Choice, page: Shown) -> str:
    return digest(her_choice.shown_bytes(*terms_of(state, choice, page)))


def receive(state: VaultState | None, request_id: str = REQUEST) -> Draft:
    return request.receive(
        state,
        a_stamp(at(2)),
        consent_request_id=request_id,
        subject=SUBJECT,
        asked=asked_terms(),
        expires=at(2, days=30),
    )


# --- A request enters her vault ------------------------------------------------------------------


def test_a_claimed_request_enters_her_vault_as_it_was_asked() -> None:
    draft = receive(happened(vault_opened()))

    assert draft == consent_requested()
    assert isinstance(draft.facts, ConsentRequested)


def test_a_request_enters_a_vault_once() -> None:
    with pytest.raises(RequestAlreadyClaimedError):
        receive(happened(vault_opened(), consent_requested()))


def test_a_second_request_enters_beside_the_first() -> None:
    draft = receive(happened(vault_opened(), consent_requested()), OTHER_REQUEST)

    assert isinstance(draft.facts, ConsentRequested)


def test_no_request_enters_where_there_is_no_vault() -> None:
    with pytest.raises(VaultNotOpenError):
        receive(None)


@pytest.mark.parametrize(
    ("time", "status"), [(at(2), "pending"), (later(at(2, days=30), microseconds=-1), "pending")]
)
def test_a_request_waits_until_it_lapses(time: Time, status: str) -> None:
    assert happened(*ASKED).requests[REQUEST].status(time) == status


def test_a_request_lapses_at_the_very_instant() -> None:
    assert happened(*ASKED).requests[REQUEST].status(at(2, days=30)) == "expired"


def test_a_granted_request_stays_granted_after_it_would_have_lapsed() -> None:
    assert happened(*a_consent()).requests[REQUEST].status(at(days=400)) == "granted"


# --- What a choice comes to ----------------------------------------------------------------------


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


# --- Granting ------------------------------------------------------------------------------------


def test_granting_records_the_terms_as_they_stood_on_her_page() -> None:
    given = happened(*ASKED)
    terms, items = terms_of(given, a_choice())

    draft = grant(given)

    assert draft.facts == ConsentGranted(
        time=at(4),
        salt=SALT,
        service=SERVICE,
        subject=SUBJECT,
        consent_id=CONSENT,
        consent_request_id=REQUEST,
        terms=terms,
    )
    assert draft.items == items


def test_what_is_shown_is_the_canonical_list_of_terms_and_items() -> None:
    terms, items = terms_of(happened(*ASKED), a_choice())

    assert her_choice.shown_bytes(terms, items) == encode([terms, items])


@pytest.mark.parametrize(
    "changes",
    [
        {"choice": a_choice(an_item_choice(names=("postalCode", "streetName")))},
        {"choice": a_choice(an_item_choice(mode="pinned"))},
        {"choice": a_choice(an_item_choice(OTHER_ADDRESS))},
        {"choice": a_choice(end=at(days=2))},
        {"choice": a_choice(language="cy")},
        {"page": Shown(time=at(3.5), salt=SALT)},
        {"page": Shown(time=at(3), salt=SALT[::-1])},
    ],
)
def test_a_grant_of_anything_but_what_was_shown_is_refused(changes: dict[str, Any]) -> None:
    given = happened(*ASKED, evidence_provided(OTHER_ADDRESS))
    seen = shown(given, a_choice(), a_page())

    with pytest.raises(ShownDiffersError) as refused:
        grant(given, shown_hash=seen, **changes)

    assert refused.value.field == "shown"


@pytest.mark.parametrize(
    "asked",
    [
        {"retention_days": 31},
        {"largest_age_days": 7},
        {"storage": "IE"},
        {"one_time": True},
        {"end": at(days=19)},
    ],
)
def test_a_grant_under_other_terms_than_shown_is_refused(asked: dict[str, Any]) -> None:
    seen = shown(happened(*ASKED), a_choice(), a_page())
    changed = happened(*ASKED[:3], consent_requested(**asked))

    with pytest.raises(ShownDiffersError):
        grant(changed, shown_hash=seen)


def test_a_pinned_piece_that_was_replaced_meanwhile_must_be_shown_again() -> None:
    choice = a_choice(an_item_choice(mode="pinned"))
    seen = shown(happened(*ASKED), choice, a_page())

    with pytest.raises(ShownDiffersError):
        grant(happened(*ASKED, evidence_replaced()), choice=choice, shown_hash=seen)


def test_a_following_piece_that_was_replaced_meanwhile_need_not_be_shown_again() -> None:
    seen = shown(happened(*ASKED), a_choice(), a_page())

    assert grant(happened(*ASKED, evidence_replaced()), shown_hash=seen).items


@pytest.mark.parametrize("time", [at(3), at(3 + DAY)])
def test_what_was_shown_may_be_decided_on_for_a_day(time: Time) -> None:
    assert grant(happened(*ASKED), time=time).items


@pytest.mark.parametrize(
    "time", [later(at(3), microseconds=-1), later(at(3 + DAY), microseconds=1)]
)
def test_what_was_shown_later_or_longer_ago_is_not_decided_on(time: Time) -> None:
    with pytest.raises(ShownDiffersError):
        grant(happened(*ASKED), time=time)


def test_what_was_shown_before_it_was_asked_is_not_decided_on() -> None:
    with pytest.raises(ShownDiffersError):
        grant(happened(*ASKED), page=a_page(at(1)))


def test_a_consent_that_would_have_ended_by_now_is_not_granted() -> None:
    with pytest.raises(ShownDiffersError):
        grant(happened(*ASKED), choice=a_choice(end=at(10)), time=at(10))


def test_nothing_is_granted_to_a_suspended_service() -> None:
    suspended = registered(drafted(ServiceSuspended(time=at(), salt=SALT, service=SERVICE)))

    with pytest.raises(ServiceSuspendedError):
        grant(happened(*ASKED), registry=suspended)


def test_nothing_is_granted_for_a_withdrawn_purpose() -> None:
    withdrawn = registered(drafted(PurposeWithdrawn(time=at(), salt=SALT, code="care")))

    with pytest.raises(PurposeNotAllowedError):
        grant(happened(*ASKED), registry=withdrawn)


def test_a_grant_stands_on_the_purposes_version_that_was_asked() -> None:
    registry = registered(purpose_published(version=2, services=()))

    assert grant(happened(*ASKED), registry=registry).items


def test_a_request_is_granted_once() -> None:
    with pytest.raises(RequestAlreadyDecidedError):
        grant(happened(*a_consent()), shown_hash=digest(b""))


def test_nothing_is_granted_in_a_broken_history() -> None:
    with pytest.raises(HistoryBrokenError):
        grant(replace(happened(*ASKED), broken_at=2), shown_hash=digest(b""))


def test_a_granted_consent_is_active_and_answers_its_request() -> None:
    state = happened(*a_consent())

    assert state.consents[CONSENT].status(at(4)) == "active"
    assert state.consents[CONSENT].granted == at(3)
    assert state.requests[REQUEST].consent_id == CONSENT


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


# --- Revoking ------------------------------------------------------------------------------------


def revoke(state: VaultState | None, time: Time | None = None) -> Draft:
    return consent.revoke(state, a_stamp(time or at(8)), CONSENT)


def test_revoking_names_the_consent_and_nothing_of_its_terms() -> None:
    draft = revoke(happened(*a_consent()))

    assert draft.facts == ConsentRevoked(
        time=at(8), salt=SALT, service=SERVICE, subject=SUBJECT, consent_id=CONSENT
    )
    assert draft.items == ()


def test_a_revoked_consent_is_revoked_for_ever() -> None:
    state = happened(*a_consent(), consent_revoked())

    assert state.consents[CONSENT].status(at(8)) == "revoked"
    assert state.consents[CONSENT].status(at(days=400)) == "revoked"


def test_revoking_leaves_other_consents_alone() -> None:
    state = happened(
        *a_consent(), consent_granted(consent_id=OTHER_CONSENT), consent_revoked(OTHER_CONSENT)
    )

    assert state.consents[CONSENT].status(at(8)) == "active"
    assert state.consents[OTHER_CONSENT].status(at(8)) == "revoked"


@pytest.mark.parametrize(
    ("given", "time", "error"),
    [
        ((vault_opened(),), at(8), NotFoundError),
        ((*a_consent(), consent_revoked()), at(9), ConsentRevokedError),
        (a_consent(), at(days=20), ConsentExpiredError),
        ((*a_consent(), consent_revoked()), at(days=20), ConsentRevokedError),
    ],
)
def test_what_is_not_in_force_cannot_be_revoked(
    given: tuple[Draft, ...], time: Time, error: type[VaultError]
) -> None:
    with pytest.raises(error):
        revoke(happened(*given), time)


def test_nothing_is_revoked_without_a_vault() -> None:
    with pytest.raises(NotFoundError):
        revoke(None)


def test_a_consent_can_be_revoked_until_the_last_microsecond() -> None:
    assert isinstance(
        revoke(happened(*a_consent()), later(at(days=20), microseconds=-1)).facts, ConsentRevoked
    )


def test_a_broken_history_does_not_stop_her_from_stopping() -> None:
    assert isinstance(revoke(replace(happened(*a_consent()), broken_at=2)).facts, ConsentRevoked)


def test_a_revocation_of_what_a_history_lost_is_folded_over() -> None:
    assert happened(vault_opened(), consent_revoked()).consents == {}
