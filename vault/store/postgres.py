# SPDX-License-Identifier: Apache-2.0
"""The event store on PostgreSQL: a recorder of the `eventsourcing` library, as on SQLite.

`postgres_schema.py` prepares a database and says who may do what there, `postgres_writer.py`
appends. High availability is PostgreSQL's own: with `needs_standby` nothing is acknowledged that a
synchronous standby has not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import psycopg
from eventsourcing.persistence import (
    InfrastructureFactoryError,
    Notification,
    StoredEvent,
)
from eventsourcing.utils import Environment, EnvType

from vault.store.append import Append, BatchResult, Payload, StoredRecord
from vault.store.postgres_connection import Database, Readers, failure
from vault.store.postgres_writer import PostgresWriter
from vault.store.recorder import LARGEST, Recorder, RecorderFactory
from vault.store.subscription import CommitSignal, PollingSubscription

_EVENTS: Final = """
SELECT stream, version, topic, state
FROM entries JOIN records USING (lane, position)
WHERE lane = %s AND stream = %s AND version > %s AND version <= %s
ORDER BY version {order} LIMIT %s
"""
_EVENTS_UP: Final = _EVENTS.format(order="ASC")
_EVENTS_DOWN: Final = _EVENTS.format(order="DESC")

_NOTIFICATIONS: Final = """
SELECT stream, version, topic, state, position + 1
FROM records JOIN entries USING (lane, position)
WHERE lane = %s AND position >= %s AND position <= %s
    AND (%s::text[] IS NULL OR topic = ANY (%s::text[]))
ORDER BY position LIMIT %s
"""

_RECORDS: Final = """
SELECT position, stream, version, entry, request_key, topic, state
FROM entries LEFT JOIN records USING (lane, position)
WHERE lane = %s AND stream = %s AND version > %s AND position >= %s AND position < %s
ORDER BY version LIMIT %s
"""

_RANGE: Final = """
SELECT position, stream, version, entry, request_key, topic, state
FROM entries LEFT JOIN records USING (lane, position)
WHERE lane = %s AND position >= %s AND position < %s
ORDER BY position LIMIT %s
"""

_ENTRIES: Final = """
SELECT entry FROM entries WHERE lane = %s AND position >= %s ORDER BY position LIMIT %s
"""

_REQUEST: Final = """
SELECT position, stream, version, entry, request_key, topic, state
FROM entries LEFT JOIN records USING (lane, position)
WHERE lane = %s AND stream = %s AND request_key = %s AND request_key <> ''
"""

_PAYLOADS: Final = """
SELECT kind, content FROM entries JOIN payloads USING (lane, position)
WHERE lane = %s AND stream = %s AND version = %s ORDER BY ordinal
"""

_TREE_SIZE: Final = "SELECT coalesce(max(head), 0) FROM lanes WHERE lane = %s"


class PostgresRecorder(Recorder):
    """One lane of an event store in one database, which may hold other lanes as well.

    Several processes may append to one lane. Reads go to the primary.
    """

    def __init__(
        self,
        conninfo: str,
        *,
        lane: int = 0,
        reader_connections: int = 4,
        patience_seconds: float = 5.0,
        needs_standby: bool = False,
    ) -> None:
        """Connect to a database that its owner has prepared (`postgres_schema.prepare`).

        Args:
            conninfo: libpq's, with several hosts where a standby may take over.
            reader_connections: how many threads can read at a time; more wait.
            patience_seconds: how long to wait for a connection, for another process that is
                appending, for a standby, and for the outcome of a batch that none acknowledged.
            needs_standby: append only while a synchronous standby is configured.

        Raises:
            StoreUnfitError: if it is not an event store, is of another form, or this role may do
                more than append and read.
            OperationalError: if the database cannot be reached, or is no primary.
        """
        self._lane = lane
        self._database = Database(conninfo, patience_seconds)
        try:
            self._writer = PostgresWriter(
                self._database, lane, patience_seconds, needs_standby=needs_standby
            )
        except psycopg.Error as error:
            raise failure(error) from error
        self._readers = Readers(self._database, reader_connections)
        self._signal = CommitSignal()

    @property
    def incarnation(self) -> int:
        """How often a connection was replaced: the database behind a new one may hold less."""
        return self._database.incarnation

    def insert_batch(self, batch: Sequence[Append]) -> BatchResult:
        """Store the appends of a batch by one call, which commits."""
        result = self._writer.insert_batch(batch)
        self._signal.announce()
        return result

    def maintain(self, *, is_idle: bool) -> None:
        """Do nothing: upkeep is the server's."""

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
            limit,
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
        wanted = list(topics) or None
        rows = self._select(
            _NOTIFICATIONS,
            first if inclusive_of_start or start is None else first + 1,
            LARGEST if stop is None else stop - 1,
            wanted,
            wanted,
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
        """Have a standby prove, where one is needed, that it has the record as well."""
        self._writer.prove(record)

    def select_payloads(self, stream: str, version: int) -> Sequence[Payload]:
        """Return what lies beside a record, in the order in which it was appended."""
        return [Payload(*row) for row in self._select(_PAYLOADS, stream, version)]

    def tree_size(self) -> int:
        """Return how many entries the lane holds: the position of the next."""
        return int(self._select(_TREE_SIZE)[0][0])

    def close(self) -> None:
        """Finish what is under way and close all connections. Closing twice is no error."""
        self._signal.close()
        self._readers.close()
        self._writer.close()

    def _select(self, query: str, *bindings: Any) -> list[tuple[Any, ...]]:
        return self._readers.select(query, (self._lane, *bindings))


class PostgresFactory(RecorderFactory[PostgresRecorder]):
    """Makes an application's recorder: `PERSISTENCE_MODULE=vault.store.postgres`.

    `POSTGRES_CONNINFO` names the database; `POSTGRES_LANE` (0) and `POSTGRES_NEEDS_STANDBY` (no)
    are optional.
    """

    POSTGRES_CONNINFO = "POSTGRES_CONNINFO"
    POSTGRES_LANE = "POSTGRES_LANE"
    POSTGRES_NEEDS_STANDBY = "POSTGRES_NEEDS_STANDBY"
    database = "PostgreSQL"

    def __init__(self, env: Environment | EnvType | None) -> None:
        super().__init__(env)
        conninfo = self.env.get(self.POSTGRES_CONNINFO)
        if not conninfo:
            message = f"Set {self.POSTGRES_CONNINFO} to where the event store's database is."
            raise InfrastructureFactoryError(message)
        self._conninfo = conninfo
        lane = self.env.get(self.POSTGRES_LANE) or "0"
        if not lane.isdecimal():
            message = f"Set {self.POSTGRES_LANE} to the number of a lane."
            raise InfrastructureFactoryError(message)
        self._lane = int(lane)
        needs_standby = self.env.get(self.POSTGRES_NEEDS_STANDBY) or "no"
        if needs_standby not in ("yes", "no"):
            message = f"Set {self.POSTGRES_NEEDS_STANDBY} to yes or no."
            raise InfrastructureFactoryError(message)
        self._needs_standby = needs_standby == "yes"

    def open_recorder(self) -> PostgresRecorder:
        """Connect to the database that the environment names."""
        return PostgresRecorder(self._conninfo, lane=self._lane, needs_standby=self._needs_standby)
