# SPDX-License-Identifier: Apache-2.0
"""Other ways to her vault: opened, closed, and no way in for an official but by an open one."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.builders import (
    ABSENT,
    OTHER_SIGN_IN,
    SALT,
    SIGN_IN,
    a_stamp,
    at,
    happened,
    sign_in_linked,
    sign_in_unlinked,
    vault_opened,
)
from vault.domain import vault
from vault.domain.errors import NotFoundError
from vault.domain.events import Draft
from vault.domain.state import VaultState
from vault.domain.values import Acting, Capacity, Channel
from vault.domain.vault import SignIn, SignInLinked, SignInUnlinked

OPENED = (vault_opened(),)
LINKED = (vault_opened(), sign_in_linked())
UNLINKED = (*LINKED, sign_in_unlinked())


def unlink(state: VaultState | None) -> Draft:
    return vault.unlink_sign_in(state, a_stamp(at(7)), SIGN_IN)


def acting(
    mandate: str = SIGN_IN, capacity: Capacity = "official", channel: Channel = "counter"
) -> Acting:
    return Acting(actor=ABSENT, capacity=capacity, mandate=mandate, channel=channel)


# --- Opening and closing a way -------------------------------------------------------------------


def test_linking_names_the_way_and_by_what_means() -> None:
    draft = vault.link_sign_in(a_stamp(at(1)), SIGN_IN, "assistance-code")

    assert draft.facts == SignInLinked(
        time=at(1), salt=SALT, sign_in=SIGN_IN, means="assistance-code"
    )
    assert draft.items == ()


def test_unlinking_names_the_way() -> None:
    draft = unlink(happened(*LINKED))

    assert draft.facts == SignInUnlinked(time=at(7), salt=SALT, sign_in=SIGN_IN)
    assert draft.items == ()


@pytest.mark.parametrize("given", [OPENED, (*OPENED, sign_in_linked(OTHER_SIGN_IN)), UNLINKED])
def test_what_is_not_open_cannot_be_closed(given: tuple[Draft, ...]) -> None:
    with pytest.raises(NotFoundError):
        unlink(happened(*given))


def test_nothing_is_closed_without_a_vault() -> None:
    with pytest.raises(NotFoundError):
        unlink(None)


def test_a_broken_history_does_not_stop_her_from_closing_a_way() -> None:
    draft = unlink(replace(happened(*LINKED), broken_at=1))

    assert isinstance(draft.facts, SignInUnlinked)


def test_a_way_knows_since_when_it_is_open_and_closed() -> None:
    way = SignIn(sign_in=SIGN_IN, means="assistance-code", linked=at(1))

    assert happened(*LINKED).sign_ins == {SIGN_IN: way}
    assert happened(*UNLINKED).sign_ins == {SIGN_IN: replace(way, unlinked=at(7))}


def test_closing_a_way_that_a_history_lost_is_folded_over() -> None:
    assert happened(*OPENED, sign_in_unlinked()).sign_ins == {}


# --- Coming by it --------------------------------------------------------------------------------


@pytest.mark.parametrize("channel", ["counter", "phone", "letter"])
def test_an_official_comes_by_an_open_way(channel: Channel) -> None:
    vault.must_be_admitted(happened(*LINKED), acting(channel=channel))


@pytest.mark.parametrize("given", [OPENED, (*OPENED, sign_in_linked(OTHER_SIGN_IN)), UNLINKED])
def test_an_official_does_not_come_by_any_other(given: tuple[Draft, ...]) -> None:
    with pytest.raises(NotFoundError):
        vault.must_be_admitted(happened(*given), acting())


@pytest.mark.parametrize("mandate", ["", ABSENT])
def test_an_official_who_names_no_way_of_hers_is_not_admitted(mandate: str) -> None:
    with pytest.raises(NotFoundError):
        vault.must_be_admitted(happened(*LINKED), acting(mandate))


def test_closing_one_way_leaves_the_other_open() -> None:
    given = happened(*LINKED, sign_in_linked(OTHER_SIGN_IN), sign_in_unlinked())

    vault.must_be_admitted(given, acting(OTHER_SIGN_IN))
    with pytest.raises(NotFoundError):
        vault.must_be_admitted(given, acting(SIGN_IN))


@pytest.mark.parametrize("given", [OPENED, LINKED, UNLINKED])
def test_she_herself_needs_no_such_way(given: tuple[Draft, ...]) -> None:
    vault.must_be_admitted(happened(*given), acting("", "self", "web"))
