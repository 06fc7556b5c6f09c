# SPDX-License-Identifier: Apache-2.0
"""Keyrings and identities, asked off the event loop and remembered for a minute at most.

What is remembered is bounded in time and number: an erased key must not live on here.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from uuid import uuid4

from vault.application.identifiers import read_spoken
from vault.domain.errors import (
    ConcurrentChangeError,
    NotFoundError,
    StoreUnavailableError,
    VaultNotOpenError,
)
from vault.sealing.errors import KeyringConflictError, SealingError
from vault.sealing.keyring import Keyring, new_keyring
from vault.sealing.keystore import Identity
from vault.store.memory import REMEMBERED, Memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from vault.application.caller import Caller
    from vault.sealing.keystore import KeyStore

K = TypeVar("K")
R = TypeVar("R")
V = TypeVar("V")

REMEMBERED_SECONDS = 60.0
ATTEMPTS = 8
ASSISTANCE = "urn:citizen-vault:assistance-code"
SHORT_CODE = "urn:citizen-vault:short-code"
LINK_CODE = "urn:citizen-vault:link-code"
CLOSED_WAY = "urn:citizen-vault:closed-way"
"""Names under which codes are kept where sign-ins are; no provider's issuer begins like them."""


class Remembered(Generic[K, V]):
    """A bounded memory whose entries end after a minute."""

    def __init__(self, most: int) -> None:
        self._entries: Memory[K, tuple[float, V]] = Memory(most)

    def get(self, key: K) -> V | None:
        """Return an entry, unless it has ended."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry[0] < time.monotonic():
            self._entries.forget(key)
            return None
        return entry[1]

    def forget(self, key: K) -> None:
        """Forget an entry."""
        self._entries.forget(key)

    def put(self, key: K, value: V) -> None:
        """Remember an entry."""
        self._entries.put(key, (time.monotonic() + REMEMBERED_SECONDS, value))


def floors_of(key_store: KeyStore) -> Callable[[str], int]:
    """Return what tells the floor of a stream, for `Vaults`; it blocks."""

    def floor_of(stream: str) -> int:
        try:
            return key_store.floor(stream)
        except SealingError as error:
            raise StoreUnavailableError from error

    return floor_of


class Keyrings:
    """The key store, for use cases."""

    def __init__(self, key_store: KeyStore, *, remembered: int = REMEMBERED) -> None:
        """Ask a key store, and remember so many keyrings and subjects."""
        self._store = key_store
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="keys")
        self._keyrings: Remembered[str, Keyring] = Remembered(remembered)
        self._subjects: Remembered[tuple[str, str], str] = Remembered(remembered)

    def close(self) -> None:
        """End the threads; the store is closed by whoever opened it."""
        self._threads.shutdown()

    async def of(self, stream: str) -> Keyring:
        """Return the keyring of a stream.

        Raises:
            NotFoundError: if there is none, or none any more.
        """
        keyring = self._keyrings.get(stream)
        if keyring is None:
            keyring = await self._ask(self._store.load_keyring, stream)
            if keyring is None:
                raise NotFoundError
            self._remember(stream, keyring)
        return keyring

    async def holding(self, stream: str, evidence_id: str, revision: int) -> Keyring:
        """Return the keyring of a stream, asked for again if what is remembered lacks a key.

        A revision may have been provided since then, by this process or another. Its key was
        durable before its event, so that it is there now unless it was erased.

        Raises:
            NotFoundError: if there is no keyring, or none any more.
        """
        keyring = await self.of(stream)
        if keyring.evidence_key(evidence_id, revision) is None:
            self._keyrings.forget(stream)
            keyring = await self.of(stream)
        return keyring

    async def change(self, stream: str, change: Callable[[Keyring], Keyring]) -> Keyring:
        """Change a keyring, or a new one, and store it durably; a change of nothing stores nothing.

        What stands already is durable, too, on return: it may be what a caller gave up on.

        Args:
            change: called again if somebody else stored another change first.
        """
        for _ in range(ATTEMPTS):
            before = await self._ask(self._store.load_keyring, stream) or new_keyring()
            after = change(before)
            if after == before and before.number:
                await self._ask(self._store.confirm)
                return before
            try:
                stored: Keyring = await self._ask(self._store.store_keyring, stream, after)
            except KeyringConflictError:
                continue
            self._remember(stream, stored)
            return stored
        raise ConcurrentChangeError

    async def identity(self, caller: Caller) -> Identity:
        """Return the vault and sign-in of a citizen.

        Raises:
            VaultNotOpenError: if her sign-in leads to none.
        """
        identity = await self.find_identity(caller)
        if identity is None:
            raise VaultNotOpenError
        return identity

    async def find_identity(self, caller: Caller) -> Identity | None:
        """Return the vault and sign-in of a citizen, or None if her sign-in leads to none.

        What a sign-in leads to is never rewritten: a way that was closed leads on to the next.
        """
        return await self._ask(self._last_identity, caller.issuer, caller.sub)

    def _last_identity(self, issuer: str, sub: str) -> Identity | None:
        last, found = None, self._store.find_identity(issuer, sub)
        while found is not None:
            last, found = found, self._store.find_identity(CLOSED_WAY, found.sign_in_id)
        return last

    async def claim_identity(self, caller: Caller, vault_id: str) -> Identity:
        """Store that a citizen's sign-in leads to a vault, and return the one that stands."""
        identity = Identity(vault_id=vault_id, sign_in_id=str(uuid4()))
        stored: Identity = await self._ask(
            self._store.add_identity, caller.issuer, caller.sub, identity
        )
        return stored

    async def lead_on(self, closed: Identity, vault_id: str) -> Identity:
        """Store that a sign-in whose way was closed leads to a vault, by a new way.

        Returns:
            The one that stands: this one, or the one that was first.
        """
        identity = Identity(vault_id=vault_id, sign_in_id=str(uuid4()))
        stored: Identity = await self._ask(
            self._store.add_identity, CLOSED_WAY, closed.sign_in_id, identity
        )
        return stored

    async def find_code(self, kind: str, code: str) -> Identity:
        """Return what a code leads to.

        Raises:
            NotFoundError: if it leads nowhere.
        """
        found = await self._ask(self._store.find_identity, kind, read_spoken(code))
        if found is None:
            raise NotFoundError
        return found

    async def add_code(self, kind: str, code: str, stream: str) -> Identity:
        """Store that a code leads to a stream, and return what it stands for."""
        identity = Identity(vault_id=stream, sign_in_id=str(uuid4()))
        return await self._ask(self._store.add_identity, kind, read_spoken(code), identity)

    async def vault_of(self, service_id: str, subject_id: str) -> str:
        """Return the vault that a service knows by a subject.

        Raises:
            NotFoundError: if it knows none by it, whoever else may.
        """
        vault_id = self._subjects.get((service_id, subject_id))
        if vault_id is None:
            vault_id = await self._ask(self._store.find_subject, service_id, subject_id)
            if vault_id is None:
                raise NotFoundError
            self._subjects.put((service_id, subject_id), vault_id)
        return vault_id

    async def subject_for(self, service_id: str, vault_id: str) -> str:
        """Return the id by which a service knows a vault, drawn on the first occasion.

        Both rows are durable on return: first the keyring, which says which id it is.
        """
        drawn = str(uuid4())

        def with_subject(keyring: Keyring) -> Keyring:
            if service_id in keyring.subjects:
                return keyring
            return keyring.with_subject(service_id, drawn)

        keyring = await self.change(vault_id, with_subject)
        subject = keyring.subjects[service_id]
        await self._ask(self._store.add_subject, service_id, subject, vault_id)
        return subject

    async def raise_floor(self, stream: str, version: int) -> None:
        """Keep, apart from all events, that a stream has reached a version; durable on return."""
        await self._ask(self._store.raise_floor, stream, version)

    def _remember(self, stream: str, keyring: Keyring) -> None:
        """Remember a keyring, unless a later one is remembered already."""
        known = self._keyrings.get(stream)
        if known is None or known.number < keyring.number:
            self._keyrings.put(stream, keyring)

    async def _ask(self, function: Callable[..., R], *args: Any) -> R:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, function, *args)
        except KeyringConflictError:
            raise
        except SealingError as error:
            raise StoreUnavailableError from error
