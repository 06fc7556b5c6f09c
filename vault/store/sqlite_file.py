# SPDX-License-Identifier: Apache-2.0
"""The SQLite file of an event store: its tables, and connections on which they keep their promises.

A file that is not an event store, or was written by a newer program, is refused untouched. Whatever
a promise depends on is set on the connection and read back (sqlite.org/pragma.html).
"""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import LifoQueue
from typing import Any, Final

import apsw

from vault.store.errors import StoreClosedError, StoreFileError

APPLICATION_ID: Final = int.from_bytes(b"CVES")
"""Marks a SQLite file as an event store (`PRAGMA application_id`)."""

FORMAT: Final = 1
"""The form of the tables (`PRAGMA user_version`)."""

# Every key starts with the lane: a lane can move to another database whole.
# With a rowid, because 1 KiB of state is large for an index: without one, the file was three times
# as large and appends took half as long again. Entries gain nothing either way.
# An entry seals its position: records and payloads go in before it and never after, so that not
# even INSERT OR REPLACE, or DELETE and INSERT, can put anything else beside it.
_SCHEMA: Final = """
CREATE TABLE entries (
    lane INTEGER NOT NULL,
    position INTEGER NOT NULL CHECK (position >= 0),
    stream TEXT NOT NULL,
    version INTEGER NOT NULL CHECK (version >= 0),
    entry BLOB NOT NULL CHECK (length(entry) = 65),
    request_key TEXT NOT NULL,
    PRIMARY KEY (lane, position)
) STRICT;
CREATE UNIQUE INDEX entries_by_stream ON entries (lane, stream, version);
CREATE UNIQUE INDEX entries_by_request ON entries (lane, stream, request_key)
    WHERE request_key <> '';
CREATE TABLE records (
    lane INTEGER NOT NULL,
    position INTEGER NOT NULL,
    topic TEXT NOT NULL,
    state BLOB NOT NULL,
    PRIMARY KEY (lane, position)
) STRICT;
CREATE TABLE payloads (
    lane INTEGER NOT NULL,
    position INTEGER NOT NULL,
    ordinal INTEGER NOT NULL CHECK (ordinal >= 0),
    kind TEXT NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (lane, position, ordinal)
) STRICT;
CREATE TRIGGER entries_are_never_updated BEFORE UPDATE ON entries
    BEGIN SELECT RAISE(ABORT, 'entries are never updated'); END;
CREATE TRIGGER entries_are_never_deleted BEFORE DELETE ON entries
    BEGIN SELECT RAISE(ABORT, 'entries are never deleted'); END;
CREATE TRIGGER records_are_never_updated BEFORE UPDATE ON records
    BEGIN SELECT RAISE(ABORT, 'records are never updated'); END;
CREATE TRIGGER records_precede_their_entry BEFORE INSERT ON records
    WHEN EXISTS (SELECT 1 FROM entries WHERE lane = NEW.lane AND position = NEW.position)
    BEGIN SELECT RAISE(ABORT, 'records precede their entry'); END;
CREATE TRIGGER payloads_are_never_updated BEFORE UPDATE ON payloads
    BEGIN SELECT RAISE(ABORT, 'payloads are never updated'); END;
CREATE TRIGGER payloads_precede_their_entry BEFORE INSERT ON payloads
    WHEN EXISTS (SELECT 1 FROM entries WHERE lane = NEW.lane AND position = NEW.position)
    BEGIN SELECT RAISE(ABORT, 'payloads precede their entry'); END;
"""

_IDENTITY: Final = """
SELECT application_id, user_version, EXISTS (SELECT 1 FROM sqlite_schema)
FROM pragma_application_id, pragma_user_version
"""

_WRITER_SETTINGS: Final = (
    ("journal_mode", "WAL", "wal"),
    ("synchronous", "FULL", 2),  # fsync before COMMIT returns
    ("fullfsync", "ON", 1),  # on macOS fsync alone does not reach the disk
    ("wal_autocheckpoint", "0", 0),  # the writer checkpoints between batches, not within COMMIT
    ("secure_delete", "ON", 1),
    ("recursive_triggers", "ON", 1),  # or INSERT OR REPLACE deletes without asking the triggers
    ("temp_store", "MEMORY", 2),
    ("trusted_schema", "OFF", 0),
    ("cache_size", "-32768", -32768),  # KiB: the indexes' leaves, which appends touch at random
)

_READER_SETTINGS: Final = (
    ("query_only", "ON", 1),
    ("temp_store", "MEMORY", 2),
    ("trusted_schema", "OFF", 0),
)

_making: Final = threading.Lock()


def open_writer(path: Path, patience_seconds: float) -> apsw.Connection:
    """Open the connection that appends; make the file and its tables if they are not there.

    Args:
        patience_seconds: how long a transaction waits for a writer in another process.

    Raises:
        StoreFileError: if this is not an event store of ours, or others may read it.
    """
    try:
        with _making:
            _make_private(path)
            connection = _connect(path, patience_seconds)
        try:
            _prepare_tables(connection, path)
            for setting in _WRITER_SETTINGS:
                _set(connection, path, setting, patience_seconds)
            _sync_what_is_read(connection)
        except BaseException:
            connection.close()
            raise
    except (apsw.Error, OSError) as error:
        message = f"{path} cannot be opened as an event store: {error}"
        raise StoreFileError(message) from error
    return connection


def _sync_what_is_read(connection: apsw.Connection) -> None:
    # Whoever was killed between writing the log and syncing it left a commit that can be read, and
    # acknowledged to a retry, and could still be lost. A checkpoint syncs the log first.
    with suppress(apsw.BusyError):
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)


class Readers:
    """A few connections that read what is committed, each lent to one thread at a time.

    In WAL mode they wait for no writer. The file may be written by another process.
    """

    def __init__(self, path: Path, size: int, patience_seconds: float) -> None:
        self._path = path
        self._size = size
        self._patience_seconds = patience_seconds
        self._is_closed = False
        # None stands for a connection that is not open yet.
        self._idle: LifoQueue[apsw.Connection | None] = LifoQueue()
        for _ in range(size):
            self._idle.put(None)

    @contextmanager
    def lend(self) -> Iterator[apsw.Connection]:
        """Lend a connection; wait while all are out."""
        if self._is_closed:
            raise StoreClosedError
        connection = self._idle.get()
        try:
            if self._is_closed:
                raise StoreClosedError
            if connection is None:
                connection = self._open()
            yield connection
        finally:
            self._idle.put(connection)

    def close(self) -> None:
        """Close all connections, once those that are out have come back."""
        self._is_closed = True
        returned = [self._idle.get() for _ in range(self._size)]
        for connection in returned:
            if connection is not None:
                connection.close()
            # Who was waiting for a connection finds out that there is none any more.
            self._idle.put(None)

    def _open(self) -> apsw.Connection:
        connection = _connect(self._path, self._patience_seconds)
        try:
            for setting in _READER_SETTINGS:
                _set(connection, self._path, setting, self._patience_seconds)
        except BaseException:
            connection.close()
            raise
        return connection


def _connect(path: Path, patience_seconds: float) -> apsw.Connection:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.set_busy_timeout(int(patience_seconds * 1000))
    return connection


def _make_private(path: Path) -> None:
    # Opened only if it is new, and before any other thread connects: closing a descriptor of a
    # database in use would drop SQLite's locks on it (sqlite.org/howtocorrupt.html, section 2.2).
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            message = f"{path} is open to group or others: chmod 600 it."
            raise StoreFileError(message) from None
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _prepare_tables(connection: apsw.Connection, path: Path) -> None:
    if _is_ours(connection, path):
        return
    connection.execute("BEGIN IMMEDIATE")
    # Another process may have been first.
    if not _is_ours(connection, path):
        connection.execute(_SCHEMA)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {FORMAT}")
    connection.execute("COMMIT")


def _is_ours(connection: apsw.Connection, path: Path) -> bool:
    """Tell whether the tables are there; False if the file is empty."""
    # One statement, so that all is seen at one moment: another process may be making the tables.
    rows: list[Any] = connection.execute(_IDENTITY).fetchall()
    ((application, form, has_tables),) = rows
    if application == APPLICATION_ID and form == FORMAT:
        return True
    if application == APPLICATION_ID:
        message = f"{path} has format {form}, this program reads {FORMAT}: use the newer program."
        raise StoreFileError(message)
    if application or form or has_tables:
        message = f"{path} is a database of something else: name another file."
        raise StoreFileError(message)
    return False


def _set(
    connection: apsw.Connection,
    path: Path,
    setting: tuple[str, str, str | int],
    patience_seconds: float,
) -> None:
    name, value, expected = setting
    give_up = time.monotonic() + patience_seconds
    # The change to WAL asks for the whole file, and does so without waiting.
    while not _try_set(connection, name, value, is_last=time.monotonic() > give_up):
        time.sleep(0.01)
    found = connection.pragma(name)
    if found != expected:
        message = f"{path}: SQLite has {name} = {found} where {value} is needed."
        raise StoreFileError(message)


def _try_set(connection: apsw.Connection, name: str, value: str, *, is_last: bool) -> bool:
    try:
        connection.execute(f"PRAGMA {name} = {value}").fetchall()
    except apsw.BusyError:
        if is_last:
            raise
        return False
    return True
