# SPDX-License-Identifier: Apache-2.0
"""Rows as they lie in the databases, read and never written: the same questions to each kind.

Not through the stores: these refuse, mend or count what they open, and here even what no store
would open is to be looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import apsw

Select = Callable[[str, Sequence[Any]], Iterable[Sequence[Any]]]
"""Asks a database; places for values are written `?`."""

PAGE: Final = 1_000

_ENTRIES: Final = """
SELECT e.position, e.stream, e.version, e.entry, e.request_key, r.topic, r.state
FROM entries AS e LEFT JOIN records AS r ON r.lane = e.lane AND r.position = e.position
WHERE e.lane = ? AND e.position >= ? AND e.position < ? ORDER BY e.position LIMIT ?
"""
_PAYLOADS: Final = """
SELECT position, kind, content FROM payloads
WHERE lane = ? AND position >= ? AND position <= ? ORDER BY position, ordinal
"""
_SIZE: Final = "SELECT max(position) FROM entries WHERE lane = ?"
_WITHOUT_ENTRY: Final = """
SELECT {table}.position FROM {table} LEFT JOIN entries
ON entries.lane = {table}.lane AND entries.position = {table}.position
WHERE {table}.lane = ? AND entries.position IS NULL AND {table}.position < ?
ORDER BY {table}.position LIMIT ?
"""


_KEYRING: Final = "SELECT number, epoch, wrapped_key, sealed FROM keyrings WHERE stream = ?"
_LOG: Final = "SELECT number, epoch, wrapped_key, sealed FROM logs WHERE origin = ?"
_KEYRINGS: Final = """
SELECT stream, number, epoch, wrapped_key, sealed FROM keyrings
WHERE stream > ? ORDER BY stream LIMIT ?
"""
_IDENTITIES: Final = """
SELECT name, 0, epoch, wrapped_key, sealed FROM identities
WHERE name > ? ORDER BY name LIMIT ?
"""


class RowsError(Exception):
    """A database cannot be read; the message says which and why."""


@dataclass(frozen=True, slots=True)
class StoredRow:
    """An entry with its record and payloads; topic and state are None if the record was deleted."""

    position: int
    stream: str
    version: int
    entry: bytes
    request_key: str
    topic: str | None
    state: bytes | None
    payloads: tuple[tuple[str, bytes], ...]


class LaneRows:
    """The rows of one lane."""

    def __init__(self, select: Select, lane: int) -> None:
        self._select = select
        self.lane = lane

    def size(self) -> int:
        """Return the position after the last."""
        ((last,),) = self._select(_SIZE, [self.lane])
        return 0 if last is None else int(last) + 1

    def up_to(self, size: int) -> Iterator[StoredRow]:
        """Yield the rows below a position, in order."""
        position = 0
        while True:
            rows = list(self._select(_ENTRIES, [self.lane, position, size, PAGE]))
            if not rows:
                return
            last = int(rows[-1][0])
            beside: dict[int, list[tuple[str, bytes]]] = {}
            for at, kind, content in self._select(_PAYLOADS, [self.lane, position, last]):
                beside.setdefault(at, []).append((kind, bytes(content)))
            for at, stream, version, entry, request_key, topic, state in rows:
                yield StoredRow(
                    position=at,
                    stream=stream,
                    version=version,
                    entry=bytes(entry),
                    request_key=request_key,
                    topic=topic,
                    state=None if state is None else bytes(state),
                    payloads=tuple(beside.get(at, ())),
                )
            position = last + 1

    def without_entry(self, size: int) -> Iterator[tuple[str, int]]:
        """Yield the table and position of what lies beside no entry."""
        for table in ("records", "payloads"):
            asked = _WITHOUT_ENTRY.format(table=table)
            for (position,) in self._select(asked, [self.lane, size, PAGE]):
                yield table, int(position)


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A sealed row of the key store; `number` is 0 where rows are not rewritten."""

    table: str
    name: str
    number: int
    epoch: str
    wrapped_key: bytes
    sealed: bytes


class KeyRows:
    """The rows of the key store."""

    def __init__(self, select: Select) -> None:
        self._select = select

    def floors(self) -> dict[str, int]:
        """Return how far streams are known to have come."""
        rows = self._select("SELECT stream, version FROM floors", [])
        return {str(stream): int(version) for stream, version in rows}

    def secrets(self) -> KeyRow | None:
        """Return the row of the deployment's secrets."""
        rows = self._select("SELECT epoch, wrapped_key, sealed FROM secrets WHERE id = 1", [])
        return next((_key_row("secrets", "", 0, row) for row in rows), None)

    def keyring(self, stream: str) -> KeyRow | None:
        """Return the row of a keyring."""
        rows = self._select(_KEYRING, [stream])
        return next((_key_row("keyrings", stream, row[0], row[1:]) for row in rows), None)

    def log(self, origin: str) -> KeyRow | None:
        """Return the row of a log's key and head."""
        rows = self._select(_LOG, [origin])
        return next((_key_row("logs", origin, row[0], row[1:]) for row in rows), None)

    def keyrings(self) -> Iterator[KeyRow]:
        """Yield the rows of all keyrings."""
        return self._all("keyrings", _KEYRINGS)

    def identities(self) -> Iterator[KeyRow]:
        """Yield the rows of all identities."""
        return self._all("identities", _IDENTITIES)

    def _all(self, table: str, asked: str) -> Iterator[KeyRow]:
        after = ""
        while rows := list(self._select(asked, [after, PAGE])):
            for name, number, *row in rows:
                yield _key_row(table, name, int(number), row)
            after = rows[-1][0]


def _key_row(table: str, name: str, number: int, row: Sequence[Any]) -> KeyRow:
    epoch, wrapped_key, sealed = row
    return KeyRow(table, name, number, epoch, bytes(wrapped_key), bytes(sealed))


def sqlite_rows(path: Path, parts: ExitStack) -> Select:
    """Open a SQLite file to be read.

    Raises:
        RowsError: if it is not there, or is none.
    """
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        parts.callback(connection.close)
        connection.set_busy_timeout(5000)
        connection.execute("SELECT 1 FROM sqlite_schema").fetchall()
    except apsw.Error as error:
        raise RowsError(f"{path} cannot be read: {error}.") from error

    def select(asked: str, values: Sequence[Any]) -> Iterable[Sequence[Any]]:
        try:
            return connection.execute(asked, tuple(values)).fetchall()
        except apsw.Error as error:
            raise RowsError(f"{path} cannot be read: {error}.") from error

    return select


def postgres_rows(conninfo: str, schema: str, parts: ExitStack) -> Select:
    """Connect to a PostgreSQL database, to read it.

    Raises:
        RowsError: if that is not possible.
    """
    import psycopg  # noqa: PLC0415 - an extra of the package

    try:
        connection = psycopg.connect(conninfo, autocommit=True)
        parts.callback(connection.close)
        connection.execute("SET default_transaction_read_only = on")
        connection.execute("SELECT set_config('search_path', %s, false)", (schema,))
    except psycopg.Error as error:
        raise RowsError(f"A database cannot be reached: {error}") from error

    def select(asked: str, values: Sequence[Any]) -> Iterable[Sequence[Any]]:
        try:
            return connection.execute(asked.replace("?", "%s").encode(), values).fetchall()
        except psycopg.Error as error:
            raise RowsError(f"A database cannot be read: {error}") from error

    return select
