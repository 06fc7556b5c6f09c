# SPDX-License-Identifier: Apache-2.0
"""Protected evidence: its values are for herself alone, and only just after she signed in."""

from __future__ import annotations

import pytest

from tests.builders import (
    ABSENT,
    ADDRESS,
    SALT,
    a_stamp,
    at,
    drafted,
    evidence_provided,
    evidence_replaced,
    happened,
    vault_opened,
)
from vault.domain import protection
from vault.domain.errors import (
    CapacityNotAllowedError,
    FreshSignInRequiredError,
    NotFoundError,
    VaultNotOpenError,
)
from vault.domain.events import Draft
from vault.domain.protection import FRESH_SECONDS, EvidenceProtected, ProtectionLifted
from vault.domain.values import Acting, Item, Time, later

NOW = at(5)
HERSELF = Acting(actor="", capacity="self", mandate="", channel="web")
OFFICIAL = Acting(actor=ABSENT, capacity="official", mandate="way", channel="counter")
GIVEN = (vault_opened(), evidence_provided())
WHOLE = Item(item=0, evidence_id=ADDRESS, revision=0)


def protected(time: Time | None = None) -> Draft:
    return drafted(EvidenceProtected(time=time or at(4), salt=SALT), WHOLE)


def lifted() -> Draft:
    return drafted(ProtectionLifted(time=at(4), salt=SALT), WHOLE)


def test_protecting_names_the_piece_and_nothing_of_it() -> None:
    draft = protection.protect(happened(*GIVEN), a_stamp(NOW), ADDRESS)

    assert draft.facts == EvidenceProtected(time=NOW, salt=SALT)
    assert draft.items == (WHOLE,)


def test_lifting_names_the_piece() -> None:
    draft = protection.lift(happened(*GIVEN, protected()), a_stamp(NOW), HERSELF, NOW, ADDRESS)

    assert draft.facts == ProtectionLifted(time=NOW, salt=SALT)
    assert draft.items == (WHOLE,)


@pytest.mark.parametrize("given", [GIVEN, (*GIVEN, protected(), lifted())])
def test_a_piece_is_protected_by_her_alone(given: tuple[Draft, ...]) -> None:
    assert not happened(*given).evidence[ADDRESS].is_protected


@pytest.mark.parametrize("more", [(), (evidence_replaced(),)])
def test_a_piece_stays_protected_also_when_it_is_replaced(more: tuple[Draft, ...]) -> None:
    assert happened(*GIVEN, protected(), *more).evidence[ADDRESS].is_protected


def test_protecting_a_piece_that_a_history_lost_is_folded_over() -> None:
    assert happened(vault_opened(), protected()).evidence == {}


@pytest.mark.parametrize(
    "signed_in",
    [
        pytest.param(later(NOW, seconds=-FRESH_SECONDS), id="five minutes ago"),
        pytest.param(NOW, id="now"),
    ],
)
def test_she_sees_it_just_after_she_signed_in(signed_in: Time) -> None:
    piece = happened(*GIVEN, protected()).evidence[ADDRESS]

    protection.must_be_visible(piece, HERSELF, signed_in, NOW)


@pytest.mark.parametrize(
    "signed_in",
    [
        pytest.param(later(NOW, seconds=-FRESH_SECONDS, microseconds=-1), id="too long ago"),
        pytest.param(Time(""), id="nobody says when"),
    ],
)
def test_otherwise_she_has_to_sign_in_again(signed_in: Time) -> None:
    state = happened(*GIVEN, protected())

    with pytest.raises(FreshSignInRequiredError):
        protection.must_be_visible(state.evidence[ADDRESS], HERSELF, signed_in, NOW)
    with pytest.raises(FreshSignInRequiredError):
        protection.lift(state, a_stamp(NOW), HERSELF, signed_in, ADDRESS)


def test_an_official_never_sees_it() -> None:
    state = happened(*GIVEN, protected())

    with pytest.raises(CapacityNotAllowedError):
        protection.must_be_visible(state.evidence[ADDRESS], OFFICIAL, NOW, NOW)
    with pytest.raises(CapacityNotAllowedError):
        protection.lift(state, a_stamp(NOW), OFFICIAL, NOW, ADDRESS)


def test_an_official_lifts_nothing_whether_or_not_it_is_protected() -> None:
    with pytest.raises(CapacityNotAllowedError):
        protection.lift(happened(*GIVEN), a_stamp(NOW), OFFICIAL, NOW, ADDRESS)


@pytest.mark.parametrize("acting", [HERSELF, OFFICIAL])
def test_what_is_not_protected_is_seen_as_before(acting: Acting) -> None:
    piece = happened(*GIVEN).evidence[ADDRESS]

    protection.must_be_visible(piece, acting, Time(""), NOW)


def test_there_must_be_something_to_protect() -> None:
    with pytest.raises(NotFoundError):
        protection.protect(happened(*GIVEN), a_stamp(NOW), ABSENT)
    with pytest.raises(NotFoundError):
        protection.lift(happened(*GIVEN), a_stamp(NOW), HERSELF, NOW, ABSENT)
    with pytest.raises(VaultNotOpenError):
        protection.protect(None, a_stamp(NOW), ADDRESS)
