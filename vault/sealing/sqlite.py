# SPDX-License-Identifier: Apache-2.0
"""The key store in a SQLite file of its own, beside the event database and never in its backups.

Deleting a row is not erasing it: SQLite's write-ahead log keeps the old page until it is truncated,
and truncating waits for readers (sqlite.org/wal.html; `PRAGMA secure_delete` covers the database
file alone). So every change that replaces a row ends with a truncated log, or says that it did not.
"""

import os
import threading
import time
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

import apsw
import msgspec

from vault.sealing.errors import (
    KeyRemnantError,
    KeyringConflictError,
    KeyStoreError,
    SealError,
)
from vault.sealing.keyring import Keyring, StoredKeyring
from vault.sealing.keystore import Identity, Secrets, identity_name, new_secrets
from vault.sealing.private_file import new_private_file, privacy_fault
from vault.sealing.row import Place, Row, open_row, seal_row
from vault.sealing.wrapper import KeyWrapper, WrappedKey

_APPLICATION_ID: Final = 0x43564B53
"""Marks the file as a key store ("CVKS")."""

_SCHEMA_VERSION: Final = 1

# When SQLite balances its tree it leaves copies of moved rows in the gaps of pages, whatever
# `secure_delete` says (seen: 1 of 4,400 replaced rows). Only what does not fit beside the tree is
# zeroed reliably when it is freed: with pages this small, and the filler, at least the last 439
# bytes of a row (sqlite.org/fileformat2.html §1.6). So the key that opens a row stands last.
_PAGE_BYTES: Final = 512
_SEALED_COLUMNS: Final = """
    epoch TEXT NOT NULL,
    sealed BLOB NOT NULL,
    filler BLOB NOT NULL DEFAULT (zeroblob(128)),
    wrapped_key BLOB NOT NULL
"""
_SCHEMA: Final = f"""
CREATE TABLE keyrings (
    stream TEXT NOT NULL PRIMARY KEY,
    number INTEGER NOT NULL CHECK (number > 0),
    {_SEALED_COLUMNS}
) STRICT;
CREATE TABLE identities (
    name TEXT NOT NULL PRIMARY KEY,
    {_SEALED_COLUMNS}
) STRICT;
CREATE TABLE secrets (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    {_SEALED_COLUMNS}
) STRICT;
"""

# What the promises stand on: read back, for SQLite ignores what it does not know.
_WRITER_SETTINGS: Final = (
    ("secure_delete", "ON", 1),
    ("synchronous", "FULL", 2),
    ("journal_mode", "WAL", "wal"),
    ("temp_store", "MEMORY", 2),
)

_PAUSE_SECONDS: Final = 0.002

_Identity = TypeVar("_Identity", Identity, str)
_Bindings = tuple[str | int | bytes, ...]


class SQLiteKeyStore:
    """A `KeyStore` in one SQLite file, readable by its owner alone.

    One connection writes and one reads, each under a lock of its own: a read waits for no fsync.
    """

    def __init__(self, path: Path, wrapper: KeyWrapper, *, patience_seconds: float = 5.0) -> None:
        """Open the store, or make it with new secrets if the file is absent.

        Args:
            path: The file; its folder must exist.
            wrapper: Wraps the keys of rows.
            patience_seconds: How long a change waits for other processes that use the file.

        Raises:
            KeyStoreError: The file is open to group or others, is something else than a key store,
                was written by a newer program, or was made with another wrapping key.
        """
        self._path = path
        self._wrapper = wrapper
        self._patience_seconds = patience_seconds
        self._writing = threading.Lock()
        self._reading = threading.Lock()
        with ExitStack() as opened:
            try:
                if not path.exists():
                    # Who comes second takes what the first one made.
                    with suppress(FileExistsError):
                        _create(path, wrapper)
                self._check_file()
                self._writer = self._connect(apsw.SQLITE_OPEN_READWRITE, opened)
                self._check_schema()
                self._apply_settings()
                self._truncate_log()
                self._reader = self._connect(apsw.SQLITE_OPEN_READONLY, opened)
            except (apsw.Error, OSError) as error:
                raise self._error("cannot be opened", error) from error
            self._secrets = self._load_secrets()
            self._connections = opened.pop_all()

    def close(self) -> None:
        """Close the store; further calls fail. Closing twice is no error."""
        with self._writing, self._reading:
            self._connections.close()

    def load_keyring(self, stream: str) -> Keyring | None:
        """Return the keyring as last stored; see `KeyStore`."""
        found = self._read(
            "SELECT number, epoch, wrapped_key, sealed FROM keyrings WHERE stream = ?", (stream,)
        )
        if found is None:
            return None
        number, *columns = found
        place = Place("keyrings", stream, number)
        return open_row(self._wrapper, place, _row(*columns), StoredKeyring).keyring(number)

    def store_keyring(self, stream: str, keyring: Keyring) -> Keyring:
        """Store a keyring by compare-and-set on its number; see `KeyStore`."""
        number = keyring.number + 1
        place = Place("keyrings", stream, number)
        row = _columns(seal_row(self._wrapper, place, StoredKeyring.of(keyring)))
        if keyring.number == 0:
            changes = self._write(
                "INSERT INTO keyrings (stream, number, epoch, wrapped_key, sealed)"
                " VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (stream, number, *row),
            )
        else:
            changes = self._write(
                "UPDATE keyrings SET number = ?, epoch = ?, wrapped_key = ?, sealed = ?"
                " WHERE stream = ? AND number = ?",
                (number, *row, stream, keyring.number),
                replaces=True,
            )
        if changes != 1:
            raise KeyringConflictError
        return msgspec.structs.replace(keyring, number=number)

    def delete_keyring(self, stream: str) -> None:
        """Delete a keyring; see `KeyStore`."""
        self._write("DELETE FROM keyrings WHERE stream = ?", (stream,), replaces=True)

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

    def secrets(self) -> Secrets:
        """Return the deployment's secrets; see `KeyStore`."""
        return self._secrets

    def _place(self, kind: str, authority: str, name: str) -> Place:
        return Place(kind, identity_name(self._secrets, authority, name))

    def _find(self, place: Place, form: type[_Identity]) -> _Identity | None:
        found = self._read(
            "SELECT epoch, wrapped_key, sealed FROM identities WHERE name = ?", (place.name,)
        )
        return None if found is None else open_row(self._wrapper, place, _row(*found), form)

    def _add(self, place: Place, value: _Identity) -> _Identity:
        changes = self._write(
            "INSERT INTO identities (name, epoch, wrapped_key, sealed)"
            " VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (place.name, *_columns(seal_row(self._wrapper, place, value))),
        )
        standing = value if changes == 1 else self._find(place, type(value))
        if standing is None:
            raise KeyStoreError(f"{self._path}: an identity was deleted meanwhile: ask again.")
        return standing

    def _read(self, statement: str, bindings: _Bindings) -> tuple[Any, ...] | None:
        try:
            with self._reading:
                # To the end, or the open statement would be a reader that truncating waits for.
                rows = self._reader.execute(statement, bindings).fetchall()
        except apsw.Error as error:
            raise self._error("cannot be read", error) from error
        return rows[0] if rows else None

    def _write(self, statement: str, bindings: _Bindings, *, replaces: bool = False) -> int:
        """Execute one statement, durable on return, and return how many rows it changed."""
        try:
            with self._writing:
                self._writer.execute(statement, bindings)
                changes = self._writer.changes()
                if replaces:
                    self._truncate_log()
        except apsw.Error as error:
            raise self._error("cannot be written", error) from error
        return changes

    def _truncate_log(self) -> None:
        deadline = time.monotonic() + self._patience_seconds
        while True:
            busy, *_ = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()[0]
            if not busy:
                return
            if time.monotonic() >= deadline:
                raise KeyRemnantError(
                    f"{self._path}: another program reads this key store, so that a row that was"
                    " replaced is still in its log. Close that program."
                )
            # SQLite itself waits for readers, but not for another process's checkpoint.
            time.sleep(_PAUSE_SECONDS)

    def _connect(self, flags: int, opened: ExitStack) -> apsw.Connection:
        connection = apsw.Connection(os.fspath(self._path), flags=flags)
        opened.callback(connection.close)
        connection.set_busy_timeout(int(self._patience_seconds * 1000))
        return connection

    def _check_file(self) -> None:
        if fault := privacy_fault(self._path.stat()):
            raise KeyStoreError(f"{self._path} {fault}.")

    def _check_schema(self) -> None:
        if self._writer.pragma("application_id") != _APPLICATION_ID:
            raise KeyStoreError(f"{self._path} is another program's file, not a key store.")
        version = self._writer.pragma("user_version")
        if version != _SCHEMA_VERSION:
            raise KeyStoreError(
                f"{self._path} has the form {version} of a key store; this program knows"
                f" {_SCHEMA_VERSION}: use the program that wrote it, or a newer one."
            )

    def _apply_settings(self) -> None:
        for name, value, expected in _WRITER_SETTINGS:
            self._writer.pragma(name, value)
            if self._writer.pragma(name) != expected:
                raise KeyStoreError(f"{self._path} does not take the setting {name} = {value}.")

    def _load_secrets(self) -> Secrets:
        found = self._read("SELECT epoch, wrapped_key, sealed FROM secrets WHERE id = 1", ())
        if found is None:
            raise KeyStoreError(f"{self._path} has lost its secrets: restore it from a backup.")
        row = _row(*found)
        try:
            return open_row(self._wrapper, Place("secrets"), row, Secrets)
        except SealError:
            raise KeyStoreError(
                f"{self._path} is sealed under the epoch {row.key.epoch}, which the wrapping key of"
                f" {self._wrapper.epoch} does not open: give the key it was made with."
            ) from None

    def _error(self, what: str, error: Exception) -> KeyStoreError:
        # SQLite's own messages name tables and reasons, never values.
        return KeyStoreError(f"{self._path} {what}: {error}")


def _create(path: Path, wrapper: KeyWrapper) -> None:
    """Make a key store with new secrets, whole or not at all.

    Its secrets are drawn here and never again: others would orphan every identity and retry.
    """
    with (
        new_private_file(path) as unfinished,
        closing(apsw.Connection(os.fspath(unfinished), apsw.SQLITE_OPEN_READWRITE)) as connection,
    ):
        connection.pragma("page_size", _PAGE_BYTES)
        connection.pragma("journal_mode", "WAL")
        connection.pragma("application_id", _APPLICATION_ID)
        connection.pragma("user_version", _SCHEMA_VERSION)
        connection.execute(_SCHEMA)
        connection.execute(
            "INSERT INTO secrets (id, epoch, wrapped_key, sealed) VALUES (1, ?, ?, ?)",
            _columns(seal_row(wrapper, Place("secrets"), new_secrets())),
        )


def _columns(row: Row) -> tuple[str, bytes, bytes]:
    return row.key.epoch, row.key.data, row.sealed


def _row(epoch: str, wrapped_key: bytes, sealed: bytes) -> Row:
    return Row(WrappedKey(epoch, wrapped_key), sealed)
