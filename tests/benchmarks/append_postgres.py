# SPDX-License-Identifier: Apache-2.0
"""Appends to PostgreSQL: by the product, by one connection alone, by the library's own recorder.

    python -m tests.benchmarks.append_postgres HOW SERVER OWNER CALLERS SECONDS

SERVER and OWNER are how the two roles connect to a fresh event database.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict

from tests.benchmarks.appending import TOPIC, Written, alone, by_coroutines, by_threads
from vault.store.postgres import PostgresRecorder
from vault.store.postgres_schema import SCHEMA

_DURABLE: Final = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
_PLANS: Final = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}
"""As the product has it: without, triggers read whole tables, and half of the speed is gone."""
_RECORDS: Final = """
INSERT INTO records SELECT 0, r.position, %s, r.state
FROM unnest(%b::bigint[], %b::bytea[]) AS r (position, state)
"""
_ENTRIES: Final = """
INSERT INTO entries SELECT 0, e.position, e.stream, e.version, e.entry, e.request_key
FROM unnest(%b::bigint[], %b::text[], %b::bigint[], %b::bytea[], %b::text[])
    AS e (position, stream, version, entry, request_key)
"""


def product(
    server: str, owner: str, callers: int, seconds: float, *, keyed: bool = True
) -> dict[str, Any]:
    """Append through the shipped recorder and committer."""
    del owner
    recorder = PostgresRecorder(server)
    figures = asyncio.run(by_coroutines(recorder, callers, seconds, keyed=keyed))
    _must_be(recorder.tree_size(), figures["appended"])
    recorder.close()
    return figures


def unkeyed(server: str, owner: str, callers: int, seconds: float) -> dict[str, Any]:
    """Append through the same, without request keys."""
    return product(server, owner, callers, seconds, keyed=False)


def raw(server: str, owner: str, callers: int, seconds: float) -> dict[str, Any]:
    """Append to the same tables on one connection, 64 a commit, all of it in one round trip."""
    del server
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute(f"SET search_path = {SCHEMA}")
        for name, value in _PLANS.items():
            connection.execute(f"SET {name} = {value}")
        _must_be_durable(connection)
        position = 0

        def commit(batch: list[Written]) -> None:
            nonlocal position
            at = list(range(position, position + len(batch)))
            states = [w.state for w in batch]
            entries = (
                at,
                [w.stream for w in batch],
                [w.version for w in batch],
                [w.entry for w in batch],
                [w.request_key for w in batch],
            )
            with connection.pipeline(), connection.transaction():
                connection.execute(_RECORDS, (TOPIC, at, states), prepare=True)
                connection.execute(_ENTRIES, entries, prepare=True)
            position += len(batch)

        figures = alone(commit, callers, seconds)
        _must_be(_count(connection, "entries"), figures["appended"])
    return figures


def stock(server: str, owner: str, callers: int, seconds: float) -> dict[str, Any]:
    """Append through the library's own recorder, one thread and one connection for each caller."""
    # The library's own pool of connections is nothing that the product needs.
    from eventsourcing.postgres import (  # noqa: PLC0415
        PostgresApplicationRecorder,
        PostgresDatastore,
    )

    del server
    where = conninfo_to_dict(owner)
    with psycopg.connect(owner, autocommit=True) as connection:
        _must_be_durable(connection)
        datastore = PostgresDatastore(
            dbname=str(where["dbname"]),
            host=str(where["host"]),
            port=str(where["port"]),
            user=str(where["user"]),
            password=str(where.get("password", "")),
            pool_size=callers,
            connect_timeout=30,
        )
        recorder = PostgresApplicationRecorder(datastore)
        recorder.create_table()
        figures = by_threads(recorder.insert_events, callers, seconds)
        _must_be(_count(connection, "stored_events"), figures["appended"])
        datastore.close()
    return figures


HOW: Final[dict[str, Callable[[str, str, int, float], dict[str, Any]]]] = {
    "product": product,
    "unkeyed": unkeyed,
    "raw": raw,
    "stock": stock,
}


def _must_be_durable(connection: psycopg.Connection[Any]) -> None:
    for name, expected in _DURABLE.items():
        ((found,),) = connection.execute(f"SHOW {name}").fetchall()
        if found != expected:
            raise RuntimeError(f"the server is not durable: {name} = {found}")


def _count(connection: psycopg.Connection[Any], table: str) -> int:
    ((count,),) = connection.execute(f"SELECT count(*) FROM {table}").fetchall()  # noqa: S608
    return int(count)


def _must_be(stored: int, appended: int) -> None:
    if stored != appended:
        raise RuntimeError(f"{appended} appended, but {stored} stored")


if __name__ == "__main__":
    _how, _server, _owner, _callers, _seconds = sys.argv[1:]
    json.dump(HOW[_how](_server, _owner, int(_callers), float(_seconds)), sys.stdout)
