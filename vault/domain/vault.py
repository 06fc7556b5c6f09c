# SPDX-License-Identifier: Apache-2.0
"""A citizen's vault itself: opened once, and every look by anybody but herself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec.structs import replace

from vault.domain.errors import HistoryBrokenError, VaultNotOpenError
from vault.domain.events import Draft, Event, Facts

if TYPE_CHECKING:
    from vault.domain.state import VaultState
    from vault.domain.values import Stamp

What = Literal["evidence", "history", "proof"]


class VaultOpened(Facts, frozen=True, tag="vault-opened.1"):
    """She opened her vault."""


class VaultRead(Facts, frozen=True, tag="vault-read.1"):
    """Somebody other than herself looked, or a proof was closed."""

    what: What


def open_vault(stamp: Stamp) -> Draft:
    """Open a vault."""
    return Draft(facts=VaultOpened(time=stamp.time, salt=stamp.salt))


def read(stamp: Stamp, what: What) -> Draft:
    """Record that somebody looks."""
    return Draft(facts=VaultRead(time=stamp.time, salt=stamp.salt, what=what))


def must_be_sound(state: VaultState | None) -> VaultState:
    """Return the state of an open vault on which something may be decided.

    Raises:
        VaultNotOpenError: if there is none.
        HistoryBrokenError: if its history does not hold together.
    """
    if state is None or not state.open_time:
        raise VaultNotOpenError
    if state.broken_at:
        raise HistoryBrokenError
    return state


def opened(state: VaultState, event: Event, facts: VaultOpened) -> VaultState:
    """Fold `VaultOpened`."""
    del event
    return replace(state, open_time=facts.time)
