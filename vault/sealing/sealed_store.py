# SPDX-License-Identifier: Apache-2.0
"""What every key store does above its database: values become sealed rows, rows become values.

A database keeps rows, finds them and compares their numbers. What is in them, and which place they
are bound to, is decided here, once for all databases.
"""

from abc import ABC, abstractmethod
from typing import TypeVar

import msgspec

from vault.sealing.errors import (
    KeyringConflictError,
    KeyStoreError,
    LogConflictError,
    SealError,
)
from vault.sealing.keyring import Keyring, StoredKeyring
from vault.sealing.keystore import Identity, Secrets, identity_name, new_secrets
from vault.sealing.log import Log, StoredLog
from vault.sealing.row import Place, Row, open_row, seal_row
from vault.sealing.wrapper import KeyWrapper

_Identity = TypeVar("_Identity", Identity, str)

_SECRETS = Place("secrets")


class SealedKeyStore(ABC):
    """A `KeyStore` over a database of sealed rows, which a subclass reads and writes."""

    _wrapper: KeyWrapper
    _secrets: Secrets
    _where: str
    """Names the database in messages."""

    def load_keyring(self, stream: str) -> Keyring | None:
        """Return the keyring as last stored; see `KeyStore`."""
        found = self._select_keyring(stream)
        if found is None:
            return None
        number, row = found
        place = Place("keyrings", stream, number)
        return open_row(self._wrapper, place, row, StoredKeyring).keyring(number)

    def store_keyring(self, stream: str, keyring: Keyring) -> Keyring:
        """Store a keyring by compare-and-set on its number; see `KeyStore`."""
        number = keyring.number + 1
        place = Place("keyrings", stream, number)
        row = seal_row(self._wrapper, place, StoredKeyring.of(keyring))
        if not self._store_keyring(stream, number, row):
            raise KeyringConflictError
        return msgspec.structs.replace(keyring, number=number)

    def find_identity(self, issuer: str, sub: str) -> Identity | None:
        """Return what a sign-in leads to, if anything; see `KeyStore`."""
        return self._find(self._place("sign-ins", issuer, sub), Identity)

    def add_identity(self, issuer: str, sub: str, identity: Identity) -> Identity:
        """Store what a sign-in leads to, if it leads nowhere yet; see `KeyStore`."""
        return self._add(self._place("sign-ins", issuer, sub), identity)

    def find_subject(self, service_id: str, subject_id: str) -> str | None:
        """Return the vault that a service knows by a subject; see `KeyStore`."""
        return self._find(self._place("subjects", service_id, subject_id), str)

    def add_subject(self, service_id: str, subject_id: str, vault_id: str) -> str:
        """Store the vault that a service knows by a subject, if none yet; see `KeyStore`."""
        return self._add(self._place("subjects", service_id, subject_id), vault_id)

    def load_log(self, origin: str) -> Log | None:
        """Return the key and the last head of a log; see `KeyStore`."""
        found = self._select_log(origin)
        if found is None:
            return None
        number, row = found
        return open_row(self._wrapper, Place("logs", origin, number), row, StoredLog).log(number)

    def store_log(self, origin: str, log: Log) -> Log:
        """Store the key and the head of a log by compare-and-set on its number; see `KeyStore`."""
        number = log.number + 1
        row = seal_row(self._wrapper, Place("logs", origin, number), StoredLog.of(log))
        if not self._store_log(origin, number, row):
            raise LogConflictError
        return msgspec.structs.replace(log, number=number)

    def secrets(self) -> Secrets:
        """Return the deployment's secrets; see `KeyStore`."""
        return self._secrets

    @abstractmethod
    def _select_keyring(self, stream: str) -> tuple[int, Row] | None:
        """Return the number and the row of a keyring, if there is one."""

    @abstractmethod
    def _store_keyring(self, stream: str, number: int, row: Row) -> bool:
        """Insert row 1 if there is none, or put row n in the place of row n - 1; say whether."""

    @abstractmethod
    def _select_log(self, origin: str) -> tuple[int, Row] | None:
        """Return the number and the row of a log, if there is one."""

    @abstractmethod
    def _store_log(self, origin: str, number: int, row: Row) -> bool:
        """Insert row 1 if there is none, or put row n in the place of row n - 1; say whether."""

    @abstractmethod
    def _select_identity(self, name: str) -> Row | None:
        """Return the row of an identity, if there is one."""

    @abstractmethod
    def _insert_identity(self, name: str, row: Row) -> bool:
        """Insert the row of an identity if there is none; say whether."""

    def _place(self, kind: str, authority: str, name: str) -> Place:
        return Place(kind, identity_name(self._secrets, authority, name))

    def _find(self, place: Place, form: type[_Identity]) -> _Identity | None:
        row = self._select_identity(place.name)
        return None if row is None else open_row(self._wrapper, place, row, form)

    def _add(self, place: Place, value: _Identity) -> _Identity:
        if self._insert_identity(place.name, seal_row(self._wrapper, place, value)):
            return value
        standing = self._find(place, type(value))
        if standing is None:
            raise KeyStoreError(f"{self._where}: an identity was deleted meanwhile: ask again.")
        return standing

    def _open_secrets(self, row: Row | None) -> Secrets:
        if row is None:
            raise KeyStoreError(f"{self._where} has lost its secrets: restore it from a backup.")
        try:
            return open_row(self._wrapper, _SECRETS, row, Secrets)
        except SealError:
            raise KeyStoreError(
                f"{self._where} is sealed under the epoch {row.key.epoch}, which the wrapping key"
                f" of {self._wrapper.epoch} does not open: give the key it was made with."
            ) from None


def draw_secrets(wrapper: KeyWrapper) -> Row:
    """Draw the secrets of a new deployment, as the row that keeps them."""
    return seal_row(wrapper, _SECRETS, new_secrets())
