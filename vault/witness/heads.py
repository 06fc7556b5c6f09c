# SPDX-License-Identifier: Apache-2.0
"""What a witness has cosigned: the last head of each log, in a SQLite file.

Comparing a head and replacing it are one transaction, and nothing is told before its COMMIT.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import apsw

from vault.sealing.private_file import new_private_file, privacy_fault
from vault.transparency.checkpoint import Checkpoint
from vault.transparency.witness import Head

_APPLICATION_ID: Final = 0x43565749
"""Marks the file as a witness's ("CVWI")."""
_SCHEMA: Final = """
CREATE TABLE heads (
    origin TEXT NOT NULL PRIMARY KEY,
    size INTEGER NOT NULL CHECK (size >= 0),
    root BLOB NOT NULL CHECK (length(root) = 32),
    note BLOB NOT NULL
) STRICT;
CREATE TRIGGER heads_grow BEFORE UPDATE ON heads
WHEN new.size < old.size OR new.origin <> old.origin
    OR (new.size = old.size AND new.root <> old.root)
BEGIN SELECT RAISE(ABORT, 'a head never goes back'); END;
CREATE TRIGGER heads_stay BEFORE DELETE ON heads
BEGIN SELECT RAISE(ABORT, 'a head is never deleted'); END;
"""
_PATIENCE_MILLISECONDS: Final = 5_000
_SETTINGS: Final = (("journal_mode", "WAL", "wal"), ("synchronous", "FULL", 2))

Cosign = Callable[[Callable[[str], Head]], tuple[Checkpoint, bytes]]
"""Given what is kept of an origin, returns what is to be kept: a checkpoint and its note."""


class HeadsFileError(Exception):
    """The file of heads cannot be used; the message says why."""


class Heads:
    """The last head of each log. Several threads and processes may use one file."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it.

        Raises:
            HeadsFileError: it is open to others, or is something else.
        """
        self._path = path
        self._lock = threading.Lock()
        try:
            if not path.exists():
                _create(path)
            if fault := privacy_fault(path.stat()):
                raise HeadsFileError(f"{path} {fault}.")
            flags = apsw.SQLITE_OPEN_READWRITE
            self._connection = apsw.Connection(os.fspath(path), flags=flags)
            self._prepare()
        except (OSError, apsw.Error) as error:
            raise HeadsFileError(f"{path} cannot be used: {error}") from error

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def advance(self, cosign: Cosign) -> None:
        """Replace the head of a log by the one that `cosign` returns, durable on return.

        Whatever `cosign` raises leaves everything as it was.
        """
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                checkpoint, note = cosign(self._head_of)
                self._connection.execute(
                    "INSERT INTO heads (origin, size, root, note) VALUES (?, ?, ?, ?)"
                    " ON CONFLICT (origin) DO UPDATE SET size = excluded.size,"
                    " root = excluded.root, note = excluded.note",
                    (checkpoint.origin, checkpoint.size, checkpoint.root, note),
                )
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def note_of(self, origin: str) -> bytes | None:
        """Return the last checkpoint of a log, cosigned; None if none was."""
        with self._lock:
            found = self._select("SELECT note FROM heads WHERE origin = ?", origin)
        return found[0][0] if found else None

    def _head_of(self, origin: str) -> Head:
        found = self._select("SELECT size, root FROM heads WHERE origin = ?", origin)
        return Head(*found[0]) if found else Head()

    def _select(self, statement: str, origin: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement, (origin,)).fetchall()

    def _prepare(self) -> None:
        self._connection.set_busy_timeout(_PATIENCE_MILLISECONDS)
        if self._connection.pragma("application_id") != _APPLICATION_ID:
            self._connection.close()
            raise HeadsFileError(f"{self._path} is another program's file.")
        for name, value, expected in _SETTINGS:
            self._connection.pragma(name, value)
            if self._connection.pragma(name) != expected:
                self._connection.close()
                raise HeadsFileError(f"{self._path} does not take the setting {name} = {value}.")


def _create(path: Path) -> None:
    with (
        new_private_file(path) as unfinished,
        closing(apsw.Connection(os.fspath(unfinished), apsw.SQLITE_OPEN_READWRITE)) as connection,
    ):
        connection.pragma("application_id", _APPLICATION_ID)
        connection.execute(_SCHEMA)
