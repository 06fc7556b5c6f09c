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
from typing import Any, Final

import apsw

from vault.sealing.errors import KeyRemnantError, KeyStoreError
from vault.sealing.private_file import new_private_file, privacy_fault
from vault.sealing.row import Row
from vault.sealing.sealed_store import SealedKeyStore, draw_secrets
from vault.sealing.wrapper import KeyWrapper, WrappedKey

_APPLICATION_ID: Final = 0x43564B53
"""Marks the file as a key store ("CVKS")."""

SCHEMA_VERSION: Final = 3

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
_FLOORS: Final = """
CREATE TABLE floors (
    stream TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL CHECK (version > 0)
) STRICT;
"""
_FLOORS_RISE: Final = """
CREATE TRIGGER IF NOT EXISTS floors_rise BEFORE UPDATE ON floors
WHEN new.version < old.version OR new.stream <> old.stream
BEGIN SELECT RAISE(ABORT, 'floors are never lowered'); END;
CREATE TRIGGER IF NOT EXISTS floors_stay BEFORE DELETE ON floors
BEGIN SELECT RAISE(ABORT, 'floors are never deleted'); END;
"""
_LOGS: Final = f"""
CREATE TABLE logs (
    origin TEXT NOT NULL PRIMARY KEY,
    number INTEGER NOT NULL CHECK (number > 0),
    {_SEALED_COLUMNS}
) STRICT;
CREATE TRIGGER IF NOT EXISTS logs_go_on BEFORE UPDATE ON logs
WHEN new.number <= old.number OR new.origin <> old.origin
BEGIN SELECT RAISE(ABORT, 'the head of a log never goes back'); END;
CREATE TRIGGER IF NOT EXISTS logs_stay BEFORE DELETE ON logs
BEGIN SELECT RAISE(ABORT, 'the key of a log is never deleted'); END;
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
{_FLOORS}
{_FLOORS_RISE}
{_LOGS}
"""
_CHANGES: Final = {1: _FLOORS + _FLOORS_RISE, 2: _LOGS}
"""What brings a file of a version up to the next."""

# What the promises stand on: read back, for SQLite ignores what it does not know.
_WRITER_SETTINGS: Final = (
    ("secure_delete", "ON", 1),
    ("synchronous", "FULL", 2),
    ("journal_mode", "WAL", "wal"),
    ("temp_store", "MEMORY", 2),
)

_PAUSE_SECONDS: Final = 0.002

_Bindings = tuple[str | int | bytes, ...]


class SQLiteKeyStore(SealedKeyStore):
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
        self._where = str(path)
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
                version = self._check_schema()
                self._apply_settings()
                if version < SCHEMA_VERSION:
                    self._bring_up()
                self._truncate_log()
                self._reader = self._connect(apsw.SQLITE_OPEN_READONLY, opened)
            except (apsw.Error, OSError) as error:
                raise self._error("cannot be opened", error) from error
            found = self._read("SELECT epoch, wrapped_key, sealed FROM secrets WHERE id = 1", ())
            self._secrets = self._open_secrets(_row(*found) if found else None)
            self._connections = opened.pop_all()

    def close(self) -> None:
        """Close the store; further calls fail. Closing twice is no error."""
        with self._writing, self._reading:
            self._connections.close()

    def delete_keyring(self, stream: str) -> None:
        """Delete a keyring; see `KeyStore`."""
        self._write("DELETE FROM keyrings WHERE stream = ?", (stream,), replaces=True)

    def confirm(self) -> None:
        """Do nothing: in WAL mode with `synchronous = FULL` nobody reads what is not durable."""

    def raise_floor(self, stream: str, version: int) -> None:
        """Keep that a stream has reached a version; see `KeyStore`."""
        self._write(
            "INSERT INTO floors (stream, version) VALUES (?, ?)"
            " ON CONFLICT (stream) DO UPDATE SET version = max(version, excluded.version)",
            (stream, version),
        )

    def floor(self, stream: str) -> int:
        """Return the version that a stream is known to have reached; see `KeyStore`."""
        found = self._read("SELECT version FROM floors WHERE stream = ?", (stream,))
        return found[0] if found else 0

    def _select_keyring(self, stream: str) -> tuple[int, Row] | None:
        found = self._read(
            "SELECT number, epoch, wrapped_key, sealed FROM keyrings WHERE stream = ?", (stream,)
        )
        return (found[0], _row(*found[1:])) if found else None

    def _store_keyring(self, stream: str, number: int, row: Row) -> bool:
        if number == 1:
            changes = self._write(
                "INSERT INTO keyrings (stream, number, epoch, wrapped_key, sealed)"
                " VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (stream, number, *_columns(row)),
            )
        else:
            changes = self._write(
                "UPDATE keyrings SET number = ?, epoch = ?, wrapped_key = ?, sealed = ?"
                " WHERE stream = ? AND number = ?",
                (number, *_columns(row), stream, number - 1),
                replaces=True,
            )
        return changes == 1

    def _select_log(self, origin: str) -> tuple[int, Row] | None:
        found = self._read(
            "SELECT number, epoch, wrapped_key, sealed FROM logs WHERE origin = ?", (origin,)
        )
        return (found[0], _row(*found[1:])) if found else None

    def _store_log(self, origin: str, number: int, row: Row) -> bool:
        if number == 1:
            changes = self._write(
                "INSERT INTO logs (origin, number, epoch, wrapped_key, sealed)"
                " VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (origin, number, *_columns(row)),
            )
        else:
            # Nothing is erased with the row before: what it held stands in this one, too.
            changes = self._write(
                "UPDATE logs SET number = ?, epoch = ?, wrapped_key = ?, sealed = ?"
                " WHERE origin = ? AND number = ?",
                (number, *_columns(row), origin, number - 1),
            )
        return changes == 1

    def _select_identity(self, name: str) -> Row | None:
        found = self._read(
            "SELECT epoch, wrapped_key, sealed FROM identities WHERE name = ?", (name,)
        )
        return _row(*found) if found else None

    def _insert_identity(self, name: str, row: Row) -> bool:
        changes = self._write(
            "INSERT INTO identities (name, epoch, wrapped_key, sealed)"
            " VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (name, *_columns(row)),
        )
        return changes == 1

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

    def _check_schema(self) -> int:
        """Return the version of the file's form, which is one that this program can use."""
        if self._writer.pragma("application_id") != _APPLICATION_ID:
            raise KeyStoreError(f"{self._path} is another program's file, not a key store.")
        version = self._writer.pragma("user_version")
        if version != SCHEMA_VERSION and version not in _CHANGES:
            raise KeyStoreError(
                f"{self._path} has the form {version} of a key store; this program knows"
                f" {SCHEMA_VERSION}: use the program that wrote it, or a newer one."
            )
        return int(version)

    def _bring_up(self) -> None:
        """Bring a file of an earlier form up to this one, whole or not at all."""
        # A transaction from the start: another process may be doing the same.
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            for version in range(self._check_schema(), SCHEMA_VERSION):
                self._writer.execute(_CHANGES[version])
            self._writer.pragma("user_version", SCHEMA_VERSION)
            self._writer.execute("COMMIT")
        except BaseException:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            raise

    def _apply_settings(self) -> None:
        for name, value, expected in _WRITER_SETTINGS:
            self._writer.pragma(name, value)
            if self._writer.pragma(name) != expected:
                raise KeyStoreError(f"{self._path} does not take the setting {name} = {value}.")

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
        connection.pragma("user_version", SCHEMA_VERSION)
        connection.execute(_SCHEMA)
        connection.execute(
            "INSERT INTO secrets (id, epoch, wrapped_key, sealed) VALUES (1, ?, ?, ?)",
            _columns(draw_secrets(wrapper)),
        )


def _columns(row: Row) -> tuple[str, bytes, bytes]:
    return row.key.epoch, row.key.data, row.sealed


def _row(epoch: str, wrapped_key: bytes, sealed: bytes) -> Row:
    return Row(WrappedKey(epoch, wrapped_key), sealed)
