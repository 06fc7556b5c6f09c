# SPDX-License-Identifier: Apache-2.0
"""Consent: granted exactly as it was shown, revoked whatever happens."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tests.builders import (
    CONSENT,
    DAY,
    OTHER_ADDRESS,
    OTHER_CONSENT,
    REQUEST,
    SALT,
    SERVICE,
    SUBJECT,
    a_choice,
    a_consent,
    a_page,
    a_stamp,
    an_item_choice,
    at,
    consent_granted,
    consent_refused,
    consent_request_cancelled,
    consent_requested,
    consent_revoked,
    drafted,
    evidence_provided,
    evidence_replaced,
    happened,
    income_provided,
    purpose_published,
    registered,
    vault_opened,
)
from vault.domain import choice as her_choice
from vault.domain import consent
from vault.domain.canonical import digest, encode
from vault.domain.choice import Choice, Shown
from vault.domain.consent import ConsentGranted, ConsentRevoked
from vault.domain.errors import (
    ConsentExpiredError,
    ConsentRevokedError,
    HistoryBrokenError,
    NotFoundError,
    PurposeNotAllowedError,
    RequestAlreadyDecidedError,
    RequestCancelledError,
    ServiceSuspendedError,
    ShownDiffersError,
    VaultError,
)
from vault.domain.events import Draft
from vault.domain.registry import PurposeWithdrawn, RegistryState, ServiceSuspended
from vault.domain.state import VaultState
from vault.domain.values import Item, Terms, Time, later

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
        {"choice": a_choice(start=at(days=2))},
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
        {"start": at(days=1)},
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


def test_a_consent_may_be_granted_before_it_starts() -> None:
    given = happened(*ASKED[:3], consent_requested(start=at(days=1)))

    facts = grant(given).facts

    assert isinstance(facts, ConsentGranted)
    assert (facts.time, facts.terms.start) == (at(4), at(days=1))


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (a_consent(), RequestAlreadyDecidedError),
        ((*ASKED, consent_refused()), RequestAlreadyDecidedError),
        ((*ASKED, consent_request_cancelled()), RequestCancelledError),
    ],
)
def test_a_request_that_waits_for_no_answer_is_not_granted(
    given: tuple[Draft, ...], error: type[VaultError]
) -> None:
    with pytest.raises(error):
        grant(happened(*given), shown_hash=digest(b""))


def test_nothing_is_granted_in_a_broken_history() -> None:
    with pytest.raises(HistoryBrokenError):
        grant(replace(happened(*ASKED), broken_at=2), shown_hash=digest(b""))


def test_a_granted_consent_is_active_and_answers_its_request() -> None:
    state = happened(*a_consent())

    assert state.consents[CONSENT].status(at(4)) == "active"
    assert state.consents[CONSENT].granted == at(3)
    assert state.requests[REQUEST].consent_id == CONSENT


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
