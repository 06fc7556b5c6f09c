# SPDX-License-Identifier: Apache-2.0
"""Appends to SQLite: by the product, by one connection alone, by the library's own recorder.

python -m tests.benchmarks.append_sqlite HOW FOLDER CALLERS SECONDS
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, Final

import apsw
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore

from tests.benchmarks.appending import TOPIC, Written, alone, by_coroutines, by_threads
from vault.store.sqlite import SQLiteRecorder
from vault.store.sqlite_file import open_writer
from vault.store.sqlite_writer import CHECKPOINT_BYTES

_FULL: Final = 2
_POOL_SECONDS: Final = 60


def product(path: Path, callers: int, seconds: float, *, keyed: bool = True) -> dict[str, Any]:
    """Append through the shipped recorder and committer."""
    recorder = SQLiteRecorder(path)
    figures = asyncio.run(by_coroutines(recorder, callers, seconds, keyed=keyed))
    _must_be(recorder.tree_size(), figures["appended"])
    recorder.close()
    return figures


def unkeyed(path: Path, callers: int, seconds: float) -> dict[str, Any]:
    """Append through the same, without request keys."""
    return product(path, callers, seconds, keyed=False)


def raw(path: Path, callers: int, seconds: float) -> dict[str, Any]:
    """Append to the same tables, with the same settings, on one connection, 64 a commit."""
    connection = open_writer(path, 5.0)
    log = [0]

    def notice(_connection: apsw.Connection, _name: str, pages: int) -> int:
        log[0] = pages * 4096
        return apsw.SQLITE_OK

    connection.set_wal_hook(notice)
    position = 0

    def commit(batch: list[Written]) -> None:
        nonlocal position
        rows = list(enumerate(batch, position))
        connection.execute("BEGIN IMMEDIATE")
        _insert(connection, "records", [(0, at, TOPIC, w.state) for at, w in rows])
        entries = [(0, at, w.stream, w.version, w.entry, w.request_key) for at, w in rows]
        _insert(connection, "entries", entries)
        connection.execute("COMMIT")
        position += len(batch)
        if log[0] > CHECKPOINT_BYTES:
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            log[0] = 0

    figures = alone(commit, callers, seconds)
    ((stored,),) = connection.execute("SELECT count(*) FROM entries").fetchall()
    _must_be(int(str(stored)), figures["appended"])
    connection.close()
    return figures


def stock(path: Path, callers: int, seconds: float) -> dict[str, Any]:
    """Append through the library's own recorder, one thread for each caller."""
    datastore = SQLiteDatastore(str(path), lock_timeout=_POOL_SECONDS, pool_timeout=_POOL_SECONDS)
    recorder = SQLiteApplicationRecorder(datastore)
    recorder.create_table()
    with datastore.get_connection(commit=False) as connection:
        cursor = connection.cursor()
        for name, expected in (("synchronous", _FULL), ("journal_mode", "wal")):
            cursor.execute(f"PRAGMA {name}")
            if (found := cursor.fetchone()[0]) != expected:
                raise RuntimeError(f"the stock recorder is not durable: {name} = {found}")
    figures = by_threads(recorder.insert_events, callers, seconds)
    _must_be(recorder.max_notification_id(), figures["appended"])
    datastore.close()
    return figures


HOW: Final[dict[str, Callable[[Path, int, float], dict[str, Any]]]] = {
    "product": product,
    "unkeyed": unkeyed,
    "raw": raw,
    "stock": stock,
}


def _insert(
    connection: apsw.Connection, table: str, rows: Sequence[tuple[int | str | bytes, ...]]
) -> None:
    statement = _statement(table, len(rows[0]), len(rows))
    connection.execute(statement, tuple(chain.from_iterable(rows)))


@cache
def _statement(table: str, columns: int, rows: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return f"INSERT INTO {table} VALUES {', '.join([row] * rows)}"  # noqa: S608 - our own tables


def _must_be(stored: int | None, appended: int) -> None:
    if stored != appended:
        raise RuntimeError(f"{appended} appended, but {stored} stored")


if __name__ == "__main__":
    _how, _folder, _callers, _seconds = sys.argv[1:]
    _path = Path(_folder) / "events.db"
    json.dump(HOW[_how](_path, int(_callers), float(_seconds)), sys.stdout)
