# SPDX-License-Identifier: Apache-2.0
"""The event store on SQLite: a recorder of the `eventsourcing` library that appends whole batches.

One transaction carries a batch, each append in it is stored whole or refused by its own verdict.
Positions are dense from 0 in each lane and assigned inside the transaction, so several processes
may write one file. Who forms batches is `committer.py`; what the bytes mean is `record.py`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from eventsourcing.persistence import InfrastructureFactoryError, Notification, StoredEvent
from eventsourcing.utils import Environment, EnvType

from vault.store.append import Append, BatchResult, Payload, StoredRecord
from vault.store.recorder import LARGEST, Recorder, RecorderFactory
from vault.store.sqlite_file import Readers
from vault.store.sqlite_writer import SQLiteWriter
from vault.store.subscription import CommitSignal, PollingSubscription

_EVENTS: Final = """
SELECT stream, version, topic, state
FROM entries JOIN records USING (lane, position)
WHERE lane = ? AND stream = ? AND version > ? AND version <= ?
ORDER BY version {order} LIMIT ?
"""
_EVENTS_UP: Final = _EVENTS.format(order="ASC")
_EVENTS_DOWN: Final = _EVENTS.format(order="DESC")

# CROSS JOIN keeps SQLite to this order: along the positions.
_NOTIFICATIONS: Final = """
SELECT stream, version, topic, state, position + 1
FROM records CROSS JOIN entries USING (lane, position)
WHERE lane = ?1 AND position >= ?2 AND position <= ?3
    AND (?4 = '[]' OR topic IN (SELECT value FROM json_each(?4)))
ORDER BY position LIMIT ?5
"""

_RECORDS: Final = """
SELECT position, stream, version, entry, request_key, topic, state
FROM entries LEFT JOIN records USING (lane, position)
WHERE lane = ? AND stream = ? AND version > ? AND position >= ? AND position < ?
ORDER BY version LIMIT ?
"""

_RANGE: Final = """
SELECT position, stream, version, entry, request_key, topic, state
FROM entries LEFT JOIN records USING (lane, position)
WHERE lane = ? AND position >= ? AND position < ?
ORDER BY position LIMIT ?
"""

_ENTRIES: Final = """
SELECT entry FROM entries WHERE lane = ? AND position >= ? ORDER BY position LIMIT ?
"""

_REQUEST: Final = """
SELECT position, stream, version, entry, request_key, topic, state
FROM entries LEFT JOIN records USING (lane, position)
WHERE lane = ? AND stream = ? AND request_key = ? AND request_key <> ''
"""

_PAYLOADS: Final = """
SELECT kind, content FROM entries JOIN payloads USING (lane, position)
WHERE lane = ? AND stream = ? AND version = ? ORDER BY ordinal
"""

_TREE_SIZE: Final = "SELECT coalesce(max(position) + 1, 0) FROM entries WHERE lane = ?"


class SQLiteRecorder(Recorder):
    """One lane of an event store in one SQLite file; what was appended is on the disk."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        lane: int = 0,
        reader_connections: int = 4,
        patience_seconds: float = 5.0,
    ) -> None:
        """Open the file, or make it; its folder must exist.

        Args:
            reader_connections: how many threads can read at a time; more wait.
            patience_seconds: how long a batch waits for another process that is writing.

        Raises:
            StoreFileError: if it is not an event store, is of a newer form, or others may read it.
        """
        absolute = Path(path).absolute()
        self._lane = lane
        self._writer = SQLiteWriter(absolute, lane, patience_seconds)
        self._readers = Readers(absolute, reader_connections, patience_seconds)
        self._signal = CommitSignal()

    @property
    def incarnation(self) -> int:
        """Always 0: a file is not lost while it is open."""
        return 0

    def insert_batch(self, batch: Sequence[Append]) -> BatchResult:
        """Store the appends of a batch in one transaction, and return after COMMIT did."""
        result = self._writer.insert_batch(batch)
        self._signal.announce()
        return result

    def maintain(self, *, is_idle: bool) -> None:
        """Move the write-ahead log into the database, when there is time or it grows large."""
        self._writer.maintain(is_idle=is_idle)

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """Return events of a stream; those whose record was deleted are left out."""
        rows = self._select(
            _EVENTS_DOWN if desc else _EVENTS_UP,
            str(originator_id),
            -1 if gt is None else gt,
            LARGEST if lte is None else lte,
            -1 if limit is None else limit,
        )
        return [StoredEvent(*row) for row in rows]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """Return notifications in the order of their ids; deleted records are left out."""
        first = 0 if start is None else start - 1
        rows = self._select(
            _NOTIFICATIONS,
            first if inclusive_of_start or start is None else first + 1,
            LARGEST if stop is None else stop - 1,
            json.dumps(list(topics)),
            limit,
        )
        return [Notification(*row) for row in rows]

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> PollingSubscription:
        """Return an iterator of notifications after `gt`, which waits for further ones."""
        return PollingSubscription(self, self._signal, gt, topics)

    def select_records(
        self,
        stream: str,
        *,
        after_version: int = 0,
        from_position: int = 0,
        below_position: int | None = None,
        limit: int,
    ) -> Sequence[StoredRecord]:
        """Return records of a stream exactly as stored, oldest first, deleted ones as gaps."""
        below = LARGEST if below_position is None else below_position
        rows = self._select(_RECORDS, stream, after_version, from_position, below, limit)
        return [StoredRecord(*row) for row in rows]

    def select_range(self, first: int, end: int, *, limit: int) -> Sequence[StoredRecord]:
        """Return the records of all streams in a range of positions, exactly as stored."""
        return [StoredRecord(*row) for row in self._select(_RANGE, first, end, limit)]

    def select_entries(self, first: int, limit: int) -> Sequence[bytes]:
        """Return entries in the order of their positions, from `first` on."""
        return [entry for (entry,) in self._select(_ENTRIES, first, limit)]

    def find_request(self, stream: str, request_key: str) -> StoredRecord | None:
        """Return the record that was appended under this request key; none was under ""."""
        rows = self._select(_REQUEST, stream, request_key)
        return StoredRecord(*rows[0]) if rows else None

    def prove_durable(self, record: StoredRecord) -> None:
        """Do nothing: what can be read is on the disk."""

    def select_payloads(self, stream: str, version: int) -> Sequence[Payload]:
        """Return what lies beside a record, in the order in which it was appended."""
        return [Payload(*row) for row in self._select(_PAYLOADS, stream, version)]

    def tree_size(self) -> int:
        """Return how many entries the lane holds: the position of the next."""
        return int(self._select(_TREE_SIZE)[0][0])

    def close(self) -> None:
        """Finish what is under way and close the file. Closing twice is no error."""
        self._signal.close()
        self._readers.close()
        # Last, so that the writer and nobody else moves the log into the database.
        self._writer.close()

    def _select(self, statement: str, *bindings: int | str) -> list[tuple[Any, ...]]:
        with self._readers.lend() as reader:
            return reader.execute(statement, (self._lane, *bindings)).fetchall()


class SQLiteFactory(RecorderFactory[SQLiteRecorder]):
    """Makes an application's recorder: `PERSISTENCE_MODULE=vault.store.sqlite`.

    `SQLITE_DBNAME` names the file; `SQLITE_LANE` (0) is optional.
    """

    SQLITE_DBNAME = "SQLITE_DBNAME"
    SQLITE_LANE = "SQLITE_LANE"
    database = "SQLite"

    def __init__(self, env: Environment | EnvType | None) -> None:
        super().__init__(env)
        path = self.env.get(self.SQLITE_DBNAME)
        if not path:
            message = f"Set {self.SQLITE_DBNAME} to the path of the event store's file."
            raise InfrastructureFactoryError(message)
        self._path = path
        lane = self.env.get(self.SQLITE_LANE) or "0"
        if not lane.isdecimal():
            message = f"Set {self.SQLITE_LANE} to the number of a lane."
            raise InfrastructureFactoryError(message)
        self._lane = int(lane)

    def open_recorder(self) -> SQLiteRecorder:
        """Open the file that the environment names."""
        return SQLiteRecorder(self._path, lane=self._lane)
