# SPDX-License-Identifier: Apache-2.0
"""Paused, nothing leaves; resumed, it goes on as if it had never been paused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from tests.builders import (
    ABSENT,
    CONSENT,
    OTHER_CONSENT,
    SALT,
    SERVICE,
    SUBJECT,
    a_consent,
    a_stamp,
    at,
    consent_granted,
    consent_narrowed,
    consent_paused,
    consent_resumed,
    consent_revoked,
    drafted,
    evidence_disclosed,
    happened,
    purpose_published,
    registered,
    vault_opened,
)
from vault.domain import consent
from vault.domain.canonical import b64, digest, encode
from vault.domain.choice import Shown, shown_bytes
from vault.domain.consent import ConsentPaused, ConsentResumed, ConsentRevoked
from vault.domain.errors import (
    ConsentExpiredError,
    ConsentNotPausedError,
    ConsentPausedError,
    ConsentRevokedError,
    HistoryBrokenError,
    NotFoundError,
    PurposeNotAllowedError,
    ServiceSuspendedError,
    ShownDiffersError,
    VaultError,
    VaultNotOpenError,
)
from vault.domain.events import Draft
from vault.domain.registry import PurposeWithdrawn, RegistryState, ServiceSuspended
from vault.domain.state import VaultState
from vault.domain.values import Time, later

PAUSED = (*a_consent(), consent_paused())
OTHER_SALT = b64(bytes(16))


def pause(state: VaultState | None, time: Time | None = None, consent_id: str = CONSENT) -> Draft:
    return consent.pause(state, a_stamp(time or at(5)), consent_id)


def resume(
    state: VaultState | None,
    time: Time | None = None,
    consent_id: str = CONSENT,
    registry: RegistryState | None = None,
) -> Draft:
    return consent.resume(state, registry or registered(), a_stamp(time or at(6)), consent_id)


# --- Pausing -------------------------------------------------------------------------------------


def test_pausing_names_the_consent_and_nothing_of_its_terms() -> None:
    draft = pause(happened(*a_consent()))

    assert draft.facts == ConsentPaused(
        time=at(5), salt=SALT, service=SERVICE, subject=SUBJECT, consent_id=CONSENT
    )
    assert draft.items == ()


def test_a_paused_consent_is_paused_until_it_ends() -> None:
    found = happened(*PAUSED).consents[CONSENT]

    assert found.status(later(at(days=20), microseconds=-1)) == "paused"
    assert found.status(at(days=20)) == "expired"


def test_a_consent_can_be_paused_before_it_starts() -> None:
    given = happened(*a_consent(start=at(days=2)))

    assert isinstance(pause(given).facts, ConsentPaused)


def test_a_consent_can_be_paused_until_the_last_microsecond() -> None:
    given = happened(*a_consent())

    assert isinstance(pause(given, later(at(days=20), microseconds=-1)).facts, ConsentPaused)


def test_pausing_leaves_other_consents_alone() -> None:
    state = happened(
        *a_consent(), consent_granted(consent_id=OTHER_CONSENT), consent_paused(OTHER_CONSENT)
    )

    assert state.consents[CONSENT].status(at(8)) == "active"
    assert state.consents[OTHER_CONSENT].status(at(8)) == "paused"


@pytest.mark.parametrize(
    ("given", "time", "error"),
    [
        ((vault_opened(),), at(5), NotFoundError),
        (PAUSED, at(6), ConsentPausedError),
        ((*a_consent(), consent_revoked()), at(9), ConsentRevokedError),
        ((*PAUSED, consent_revoked()), at(9), ConsentRevokedError),
        (a_consent(), at(days=20), ConsentExpiredError),
        (PAUSED, at(days=20), ConsentExpiredError),
    ],
)
def test_what_is_paused_or_has_ended_cannot_be_paused(
    given: tuple[Draft, ...], time: Time, error: type[VaultError]
) -> None:
    with pytest.raises(error):
        pause(happened(*given), time)


def test_nothing_is_paused_without_a_vault() -> None:
    with pytest.raises(NotFoundError):
        pause(None)


def test_a_broken_history_does_not_stop_her_from_pausing() -> None:
    broken = replace(happened(*a_consent()), broken_at=2)

    assert isinstance(pause(broken).facts, ConsentPaused)


def test_a_paused_consent_can_be_revoked_at_once() -> None:
    draft = consent.revoke(happened(*PAUSED), a_stamp(at(6)), CONSENT)

    assert isinstance(draft.facts, ConsentRevoked)
    assert happened(*PAUSED, draft).consents[CONSENT].status(at(6)) == "revoked"


# --- Resuming ------------------------------------------------------------------------------------


def test_resuming_names_the_consent_and_nothing_of_its_terms() -> None:
    draft = resume(happened(*PAUSED))

    assert draft.facts == ConsentResumed(
        time=at(6), salt=SALT, service=SERVICE, subject=SUBJECT, consent_id=CONSENT
    )
    assert draft.items == ()


def test_a_resumed_consent_is_what_it_was_before() -> None:
    """What was used up stays used up: pausing is no way to more."""
    before = (*a_consent(), evidence_disclosed(at(4)))

    resumed = happened(*before, consent_paused(), consent_resumed())

    assert resumed.consents == happened(*before).consents


def test_a_consent_can_be_paused_again() -> None:
    given = happened(*PAUSED, consent_resumed())

    assert isinstance(pause(given, at(7)).facts, ConsentPaused)


@pytest.mark.parametrize(
    ("given", "time", "error"),
    [
        ((vault_opened(),), at(6), NotFoundError),
        (a_consent(), at(6), ConsentNotPausedError),
        ((*PAUSED, consent_resumed()), at(7), ConsentNotPausedError),
        ((*PAUSED, consent_revoked()), at(9), ConsentRevokedError),
        (PAUSED, at(days=20), ConsentExpiredError),
    ],
)
def test_what_is_not_paused_or_has_ended_cannot_be_resumed(
    given: tuple[Draft, ...], time: Time, error: type[VaultError]
) -> None:
    with pytest.raises(error):
        resume(happened(*given), time)


def test_nothing_is_resumed_without_a_vault() -> None:
    with pytest.raises(VaultNotOpenError):
        resume(None)


def test_nothing_is_resumed_in_a_broken_history() -> None:
    with pytest.raises(HistoryBrokenError):
        resume(replace(happened(*PAUSED), broken_at=2))


def test_nothing_is_resumed_for_a_suspended_service() -> None:
    suspended = registered(drafted(ServiceSuspended(time=at(), salt=SALT, service=SERVICE)))

    with pytest.raises(ServiceSuspendedError):
        resume(happened(*PAUSED), registry=suspended)


def test_nothing_is_resumed_for_a_withdrawn_purpose() -> None:
    withdrawn = registered(drafted(PurposeWithdrawn(time=at(), salt=SALT, code="care")))

    with pytest.raises(PurposeNotAllowedError):
        resume(happened(*PAUSED), registry=withdrawn)


def test_a_newer_version_of_the_purpose_does_not_keep_it_paused() -> None:
    newer = registered(purpose_published(version=2, services=()))

    assert isinstance(resume(happened(*PAUSED), registry=newer).facts, ConsentResumed)


# --- What it folds to ----------------------------------------------------------------------------


@pytest.mark.parametrize("fact", [consent_paused, consent_resumed])
def test_a_pause_of_what_a_history_lost_is_folded_over(fact: Callable[[str], Draft]) -> None:
    assert happened(vault_opened(), fact(ABSENT)).consents == {}


# --- Resuming what was shown ---------------------------------------------------------------------


def shown_resume(
    state: VaultState, shown_time: Time, time: Time, *, told: VaultState | None = None
) -> Draft:
    """Resume at a time what stood on her page at another, as the consent was then."""
    page = Shown(time=shown_time, salt=OTHER_SALT)
    found = (told or state).consents[CONSENT]
    shown_hash = digest(shown_bytes(consent.terms_as_shown(found, page), found.items))
    return consent.resume(
        state, registered(), a_stamp(time), CONSENT, shown=page, shown_hash=shown_hash
    )


def test_what_goes_on_is_what_stood_on_her_page() -> None:
    state = happened(*PAUSED)

    draft = shown_resume(state, at(5), at(6))

    terms = replace(state.consents[CONSENT].terms, shown_time=at(5), salt=OTHER_SALT)
    assert draft.shown == encode([terms, state.consents[CONSENT].items])
    assert draft.facts == resume(state).facts


@pytest.mark.parametrize(
    ("shown_time", "time"),
    [
        pytest.param(at(4), at(6), id="before the pause"),
        pytest.param(at(7), at(6), id="in the future"),
        pytest.param(at(5), later(at(5), seconds=86_401), id="more than a day ago"),
    ],
)
def test_what_was_shown_at_another_time_does_not_resume(shown_time: Time, time: Time) -> None:
    with pytest.raises(ShownDiffersError):
        shown_resume(happened(*PAUSED), shown_time, time)


def test_what_was_shown_in_one_pause_does_not_end_the_next() -> None:
    twice = (*PAUSED, consent_resumed(time=at(6)), consent_paused(time=at(7)))

    with pytest.raises(ShownDiffersError):
        shown_resume(happened(*twice), at(5), at(8))


def test_what_was_narrowed_since_it_was_shown_does_not_resume() -> None:
    narrowed = consent_narrowed(end=at(days=10))
    state = happened(*PAUSED, narrowed)

    with pytest.raises(ShownDiffersError):
        shown_resume(state, at(8), at(9), told=happened(*PAUSED))
