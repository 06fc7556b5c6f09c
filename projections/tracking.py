# SPDX-License-Identifier: Apache-2.0
"""Where a projection keeps its rows and its place: one file, one transaction (SQLite).

Nothing here is the truth: it is built from the events, and can be built again. So COMMIT waits for
no disk (`synchronous=NORMAL`): after a power failure the last rows are missing together with their
place, and are followed once more. Rows hold ids, times, terms and digests, and never plaintext.
"""

from __future__ import annotations

import asyncio
import threading
from abc import ABC
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, TypeAlias

import apsw
from eventsourcing.persistence import IntegrityError, PersistenceError, Tracking, TrackingRecorder
from eventsourcing.projection import Projection

from vault.domain.errors import StoreUnavailableError
from vault.domain.stored_names import STORED_NAMES
from vault.store.command import Sizes
from vault.store.errors import StoreFileError
from vault.store.sqlite_file import Readers

Row: TypeAlias = tuple[Any, ...]
Bindings: TypeAlias = Mapping[str, str | int | bool]

APPLICATION_ID: Final = int.from_bytes(b"CVVW")
"""Marks a SQLite file as a view (`PRAGMA application_id`)."""

_READERS: Final = 2
_PATIENCE_SECONDS: Final = 5.0

# A name is in `whole` once everything that was recorded under it was followed for a first time.
_TRACKING: Final = """
CREATE TABLE whole (application_name TEXT PRIMARY KEY);
CREATE TABLE tracking (
    application_name TEXT PRIMARY KEY,
    notification_id BIGINT NOT NULL,
    stream TEXT NOT NULL,
    version BIGINT NOT NULL,
    leaf TEXT NOT NULL
);
"""

_PLACE: Final = """
SELECT application_name, notification_id, stream, version, leaf FROM tracking
WHERE application_name = :application
"""

_TRACK: Final = """
INSERT INTO tracking (application_name, notification_id, stream, version, leaf)
VALUES (:application, :position, :stream, :version, :leaf)
ON CONFLICT (application_name) DO UPDATE SET notification_id = excluded.notification_id,
    stream = excluded.stream, version = excluded.version, leaf = excluded.leaf
    WHERE excluded.notification_id > tracking.notification_id
"""


_PLACES: Final = "SELECT application_name, notification_id FROM tracking"

_WHOLE: Final = "INSERT INTO whole VALUES (:application) ON CONFLICT DO NOTHING"

_IS_WHOLE: Final = "SELECT EXISTS (SELECT 1 FROM whole WHERE application_name = :application)"


def name_of(lane: int) -> str:
    """Return the name under which the place in a lane is tracked."""
    return f"vaults/{lane}"


@dataclass(frozen=True)
class Place(Tracking):
    """How far a projection came, and which record it found there: another store has another."""

    stream: str = ""
    version: int = 0
    leaf: str = ""


class SQLiteView(TrackingRecorder):
    """The file of one projection: one connection writes, a few read.

    Followers' threads write, one at a time; `ask` may be awaited by anyone at any time. Two
    processes may follow into one file: each page is taken at the place that the file has.
    """

    def __init__(self, path: Path, schema: str) -> None:
        """Open the file, or make it; its folder must exist.

        Raises:
            StoreFileError: if the file is not a view, or cannot be opened.
        """
        self._schema = _TRACKING + schema
        self._writing = threading.RLock()
        self._generation = 0
        self.asked_generation = 0
        """The generation whose rows may be shown: who follows says when they are whole."""
        self._writer = _open(path, self._schema)
        self._readers = Readers(path, _READERS, _PATIENCE_SECONDS)
        self._threads = ThreadPoolExecutor(_READERS, thread_name_prefix="view")

    @property
    def generation(self) -> int:
        """How often it was cleared by this process."""
        return self._generation

    def is_whole(self, application_name: str) -> bool:
        """Say whether it once held everything that was recorded under a name.

        Read each time: another process may have finished or cleared it.
        """
        with self._writing:
            answer = self._writer.execute(_IS_WHOLE, {"application": application_name}).get
            return bool(answer)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep all that is written meanwhile, or nothing; others wait."""
        with self._writing:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    def write(self, statement: str, **bindings: str | int | bool) -> None:
        """Run a statement that changes rows."""
        with self._writing:
            self._writer.execute(statement, bindings)

    def insert_tracking(self, tracking: Tracking) -> None:
        """Track how far the projection came.

        Raises:
            IntegrityError: if it came as far before.
        """
        place = tracking if isinstance(tracking, Place) else Place(**vars(tracking))
        with self._writing:
            self.write(
                _TRACK,
                application=place.application_name,
                position=place.notification_id,
                stream=place.stream,
                version=place.version,
                leaf=place.leaf,
            )
            if not self._writer.changes():
                raise IntegrityError("The projection came as far before.")

    def max_tracking_id(self, application_name: str) -> int | None:
        """Return how far the projection came, or None if it has seen nothing."""
        place = self.place(application_name)
        return place.notification_id if place else None

    def place(self, application_name: str) -> Place | None:
        """Return how far the projection came."""
        with self._writing:
            cursor = self._writer.execute(_PLACE, {"application": application_name})
            rows: list[Row] = cursor.fetchall()
        return Place(*rows[0]) if rows else None

    def mark_whole(self, application_name: str) -> None:
        """Say that it holds all under a name, from now on and after every restart."""
        self.write(_WHOLE, application=application_name)

    def clear(self, found: Place) -> None:
        """Forget all rows and places; nothing is whole until it was followed again.

        Nothing is done if the place is not the one that was found: another was first.
        """
        with self.transaction():
            if self.place(found.application_name) != found:
                return
            # Before the rows go: whoever finds them gone finds this, too.
            self._generation += 1
            tables = "SELECT name FROM sqlite_schema WHERE type = 'table'"
            for (name,) in self._writer.execute(tables).fetchall():
                self._writer.execute(f'DROP TABLE "{name}"')
            self._writer.execute(self._schema)

    async def sizes(self) -> Sizes:
        """Return how much of each lane is in the view, and tracked.

        Raises:
            StoreUnavailableError: if the file cannot be read.
        """
        places = await self.ask(_PLACES)
        return {int(name.rpartition("/")[2]): position for name, position in places}

    async def ask(self, question: str, **bindings: str | int | bool) -> list[Row]:
        """Return the rows that answer a question; on a thread, so that nobody waits meanwhile.

        Raises:
            StoreUnavailableError: if the file cannot be read, or was cleared meanwhile.
        """
        loop, generation = asyncio.get_running_loop(), self.asked_generation
        try:
            rows = await loop.run_in_executor(self._threads, self._select, question, bindings)
        except (PersistenceError, apsw.Error) as error:
            raise StoreUnavailableError from error
        if self._generation != generation:
            raise StoreUnavailableError
        return rows

    def close(self) -> None:
        """Finish what is being asked and close the file."""
        self._threads.shutdown()
        self._readers.close()
        self._writer.close()

    def _select(self, question: str, bindings: Bindings) -> list[Row]:
        with self._readers.lend() as reader:
            return reader.execute(question, bindings).fetchall()


class VersionedProjection(Projection[SQLiteView], ABC):
    """A projection that knows its tables.

    `version` names the form of the tables and of what events make of them: who changes either gives
    a new number, and the rows are built anew in a new file.
    """

    version: ClassVar[int]
    schema: ClassVar[str]


def forms_of(*kinds: str) -> tuple[str, ...]:
    """Return the stored names of kinds of events in every form that they ever had."""
    return tuple(sorted(name for name in STORED_NAMES if name.rpartition(".")[0] in kinds))


def _open(path: Path, schema: str) -> apsw.Connection:
    try:
        # For its owner alone from the first moment; a file that is there is not even opened.
        path.touch(mode=0o600)
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            connection.set_busy_timeout(int(_PATIENCE_SECONDS * 1000))
            _is_ours(connection, path)
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
            connection.execute("PRAGMA synchronous = NORMAL; PRAGMA trusted_schema = OFF")
            connection.execute("BEGIN IMMEDIATE")
            # Another process may have been first.
            if not _is_ours(connection, path):
                connection.execute(schema)
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
    except (apsw.Error, OSError) as error:
        message = f"{path} cannot be opened as a view: {error}. Remove it, and it is built again."
        raise StoreFileError(message) from error
    return connection


def _is_ours(connection: apsw.Connection, path: Path) -> bool:
    """Tell whether the tables are there; False if the file is empty."""
    if connection.pragma("application_id") == APPLICATION_ID:
        return True
    if connection.execute("SELECT EXISTS (SELECT 1 FROM sqlite_schema)").get:
        message = f"{path} is a database of something else: move it away."
        raise StoreFileError(message)
    return False
