# SPDX-License-Identifier: Apache-2.0
"""A citizen's vault itself: opened once, brought along, and every look by anybody but herself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec.structs import replace

from vault.domain.errors import (
    ExportInvalidError,
    HistoryBrokenError,
    VaultNotOpenError,
)
from vault.domain.events import Draft, Event, Facts
from vault.domain.values import Value

if TYPE_CHECKING:
    from vault.domain.state import VaultState
    from vault.domain.values import Stamp

What = Literal["evidence", "history", "proof", "export"]


class VaultOpened(Facts, frozen=True, tag="vault-opened.1"):
    """She opened her vault."""


class VaultRead(Facts, frozen=True, tag="vault-read.1"):
    """Somebody other than herself looked, or a proof was closed."""

    what: What


class VaultImported(Facts, frozen=True, tag="vault-imported.1"):
    """Her history of another deployment was brought here; this names where that one ended.

    What she gave there is provided again after it: so many revisions. What she shared there stays
    there: so many consents, whose services are that deployment's.
    """

    origin: str
    vault: str
    version: int
    leaf: str
    evidence: int
    consents: int


class Imported(Value, frozen=True):
    """Where a history ended that was brought here, and how much came along or stayed.

    `recorded` is the version of the event that says so, 0 before there is one.
    """

    origin: str
    vault: str
    version: int
    leaf: str
    evidence: int
    consents: int
    recorded: int = 0


def open_vault(stamp: Stamp) -> Draft:
    """Open a vault."""
    return Draft(facts=VaultOpened(time=stamp.time, salt=stamp.salt))


def read(stamp: Stamp, what: What) -> Draft:
    """Record that somebody looks."""
    return Draft(facts=VaultRead(time=stamp.time, salt=stamp.salt, what=what))


def bring(state: VaultState | None, stamp: Stamp, imported: Imported) -> Draft:
    """Record that her history of another deployment is brought here, once.

    Raises:
        VaultNotOpenError: if there is no vault.
        ExportInvalidError: if it was brought here before, by another export.
    """
    vault = must_be_sound(state)
    if any(one.vault == imported.vault for one in vault.imports):
        raise ExportInvalidError("header", "It was brought here before, by an earlier export.")
    facts = VaultImported(
        time=stamp.time,
        salt=stamp.salt,
        origin=imported.origin,
        vault=imported.vault,
        version=imported.version,
        leaf=imported.leaf,
        evidence=imported.evidence,
        consents=imported.consents,
    )
    return Draft(facts=facts)


def must_be_open(state: VaultState | None) -> VaultState:
    """Return the state of an open vault.

    Raises:
        VaultNotOpenError: if there is none.
    """
    if state is None or not state.open_time:
        raise VaultNotOpenError
    return state


def must_be_sound(state: VaultState | None) -> VaultState:
    """Return the state of an open vault on which something may be decided.

    Raises:
        VaultNotOpenError: if there is none.
        HistoryBrokenError: if its history does not hold together.
    """
    vault = must_be_open(state)
    if vault.broken_at:
        raise HistoryBrokenError
    return vault


def opened(state: VaultState, event: Event, facts: VaultOpened) -> VaultState:
    """Fold `VaultOpened`."""
    del event
    return replace(state, open_time=facts.time)


def brought(state: VaultState, event: Event, facts: VaultImported) -> VaultState:
    """Fold `VaultImported`."""
    imported = Imported(
        origin=facts.origin,
        vault=facts.vault,
        version=facts.version,
        leaf=facts.leaf,
        evidence=facts.evidence,
        consents=facts.consents,
        recorded=event.link.version,
    )
    return replace(state, imports=(*state.imports, imported))
