# SPDX-License-Identifier: Apache-2.0
"""The vault itself: opened, looked at, and nothing decided on a history that does not hold."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import pytest
from msgspec.structs import replace

from tests.builders import (
    SALT,
    VAULT,
    a_consent,
    a_stamp,
    at,
    consent_revoked,
    evidence_provided,
    happened,
    linked,
    vault_opened,
)
from vault.domain import vault
from vault.domain.errors import HistoryBrokenError, VaultNotOpenError
from vault.domain.state import VaultState, fold
from vault.domain.vault import VaultOpened, VaultRead


def test_opening_says_when_and_nothing_else() -> None:
    draft = vault.open_vault(a_stamp(at(1)))

    assert draft.facts == VaultOpened(time=at(1), salt=SALT)
    assert draft.items == ()


def test_a_look_says_at_what() -> None:
    draft = vault.read(a_stamp(at(1)), "history")

    assert draft.facts == VaultRead(time=at(1), salt=SALT, what="history")


def test_an_opened_vault_knows_since_when() -> None:
    assert happened(vault_opened()).open_time == at()


def test_a_look_changes_nothing_but_the_head() -> None:
    looked = happened(vault_opened(), vault.read(a_stamp(at(4)), "evidence"))

    before = happened(vault_opened())
    head = {"version": 2, "last_time": at(4), "last_leaf": looked.last_leaf}
    assert looked == replace(before, **head)


either = pytest.mark.parametrize("check", [vault.must_be_open, vault.must_be_sound])


@either
@pytest.mark.parametrize("state", [None, VaultState(stream=VAULT)])
def test_nothing_is_decided_where_no_vault_was_opened(
    check: Callable[[VaultState | None], VaultState], state: VaultState | None
) -> None:
    with pytest.raises(VaultNotOpenError):
        check(state)


@either
def test_a_whole_vault_may_be_decided_on(
    check: Callable[[VaultState | None], VaultState],
) -> None:
    state = happened(vault_opened())

    assert check(state) is state


def test_a_broken_vault_is_open_but_not_sound() -> None:
    broken = replace(happened(vault_opened()), broken_at=1)

    assert vault.must_be_open(broken) is broken
    with pytest.raises(HistoryBrokenError):
        vault.must_be_sound(broken)


def test_the_head_follows_the_events() -> None:
    events = linked(a_consent())

    state = reduce(fold, events, None)

    assert state is not None
    assert (state.version, state.last_time, state.last_leaf) == (
        5,
        events[-1].facts.time,
        events[-1].leaf,
    )
    assert state.broken_at == 0


@pytest.mark.parametrize("missing", [2, 3, 4])
def test_a_history_with_a_hole_is_broken_after_it(missing: int) -> None:
    events = linked(a_consent())
    del events[missing - 1]

    state = reduce(fold, events, None)

    assert state is not None
    assert state.broken_at == missing + 1
    with pytest.raises(HistoryBrokenError):
        vault.must_be_sound(state)


def test_a_history_without_its_beginning_is_broken() -> None:
    state = reduce(fold, linked(a_consent())[1:], None)

    assert state is not None
    assert state.broken_at == 2


def test_a_history_with_a_changed_event_is_broken_after_it() -> None:
    events = linked(a_consent())
    changed = linked([vault_opened(), evidence_provided(source="document")])[1]
    events[1] = changed

    state = reduce(fold, events, None)

    assert state is not None
    assert state.broken_at == 3


def test_a_broken_history_stays_broken_at_its_first_place() -> None:
    events = linked((*a_consent(), consent_revoked()))
    del events[3], events[1]

    state = reduce(fold, events, None)

    assert state is not None
    assert state.broken_at == 3
