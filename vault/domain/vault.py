# SPDX-License-Identifier: Apache-2.0
"""A citizen's vault itself: opened once, her ways to it, and every look by anybody but herself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec.structs import replace

from vault.domain.errors import (
    ExportInvalidError,
    HistoryBrokenError,
    NotFoundError,
    VaultNotOpenError,
)
from vault.domain.events import Draft, Event, Facts
from vault.domain.values import Means, Time, Value

if TYPE_CHECKING:
    from vault.domain.state import VaultState
    from vault.domain.values import Acting, Stamp

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


class SignInLinked(Facts, frozen=True, tag="sign-in-linked.1"):
    """Another way to her vault: a code on paper, which she gives to an official who helps her."""

    sign_in: str
    means: Means


class SignInUnlinked(Facts, frozen=True, tag="sign-in-unlinked.1"):
    """That way is closed."""

    sign_in: str


class SignIn(Value, frozen=True):
    """A way to her vault besides the one with which it was opened."""

    sign_in: str
    means: Means
    linked: Time
    unlinked: Time = Time("")


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


def link_sign_in(stamp: Stamp, sign_in: str, means: Means) -> Draft:
    """Open another way to her vault."""
    facts = SignInLinked(time=stamp.time, salt=stamp.salt, sign_in=sign_in, means=means)
    return Draft(facts=facts)


def unlink_sign_in(state: VaultState | None, stamp: Stamp, sign_in: str) -> Draft:
    """Close a way to her vault. As with revoking, a broken history does not stop her.

    Raises:
        NotFoundError: if there is no such way, or none any more.
    """
    known = state.sign_ins.get(sign_in) if state else None
    if known is None or known.unlinked:
        raise NotFoundError
    return Draft(facts=SignInUnlinked(time=stamp.time, salt=stamp.salt, sign_in=sign_in))


def must_be_admitted(state: VaultState, acting: Acting) -> None:
    """Check that whoever acts for her comes by a way that is open.

    Raises:
        NotFoundError: if it is closed, or never was.
    """
    if acting.capacity != "official":
        return
    known = state.sign_ins.get(acting.mandate)
    if known is None or known.unlinked:
        raise NotFoundError


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


def sign_in_linked(state: VaultState, event: Event, facts: SignInLinked) -> VaultState:
    """Fold `SignInLinked`."""
    del event
    sign_in = SignIn(sign_in=facts.sign_in, means=facts.means, linked=facts.time)
    return replace(state, sign_ins={**state.sign_ins, facts.sign_in: sign_in})


def sign_in_unlinked(state: VaultState, event: Event, facts: SignInUnlinked) -> VaultState:
    """Fold `SignInUnlinked`."""
    del event
    known = state.sign_ins.get(facts.sign_in)
    if known is None:
        return state
    closed = replace(known, unlinked=facts.time)
    return replace(state, sign_ins={**state.sign_ins, facts.sign_in: closed})
