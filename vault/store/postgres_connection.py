# SPDX-License-Identifier: Apache-2.0
"""Connections to an event store on PostgreSQL: to the primary alone, with settings of our own.

Whatever a promise depends on is looked at before a connection is used. A connection that is lost is
replaced, and the new one is counted: the database behind it may hold less.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from queue import LifoQueue
from typing import Any, Final, TypeAlias

import psycopg
from eventsourcing.persistence import OperationalError
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from vault.store.errors import StoreClosedError, StoreUnfitError
from vault.store.postgres_schema import (
    SCHEMA,
    require_format,
    require_no_more_rights_than_needed,
)

Connection: TypeAlias = psycopg.Connection[Any]

# A host that vanished is noticed within seconds, not hours.
_NETWORK: Final = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "application_name": "citizen-vault",
}

# Each query of ours goes along one index. A plan is made once and kept, so it must not depend on
# how little was in the tables when it was made.
_SETTINGS: Final = {
    "search_path": f"{SCHEMA}, pg_temp",
    "client_min_messages": "warning",
    "statement_timeout": "0",
    "default_transaction_isolation": "read committed",
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}

_SET: Final = (
    "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS s (name, value)"
)
_READ_BACK: Final = "SELECT name, current_setting(name) FROM unnest(%s::text[]) AS s (name)"

# What one run of a server and one database are told by: a copy, a standby that was promoted and a
# server that was restored and started again have others.
_RUN: Final = """
SELECT pg_postmaster_start_time(), oid FROM pg_database WHERE datname = current_database()
"""


class Database:
    """Opens connections to one database, and counts how often another may have been behind one."""

    def __init__(self, conninfo: str, patience_seconds: float) -> None:
        """Take where the database is, and how long a connection and a lock may take."""
        self._patience_seconds = patience_seconds
        ours: dict[str, Any] = {**_NETWORK, "connect_timeout": max(2, round(patience_seconds))}
        given = {name: value for name, value in conninfo_to_dict(conninfo).items() if value}
        # Not read-write, which a session that only reads never is.
        self._conninfo = make_conninfo(**{**ours, **given, "target_session_attrs": "primary"})
        self._counting = threading.Lock()
        self._incarnation = 0
        self._run: tuple[Any, ...] | None = None

    @property
    def incarnation(self) -> int:
        """How often a connection was replaced, or led to another database than the one before."""
        return self._incarnation

    def connect(self, *, writes: bool, replaces: bool) -> Connection:
        """Open a connection; it is counted before anything is read or written on it.

        Args:
            writes: whether anything is to be written on it.
            replaces: whether there was one in its place before, however long ago it was lost.

        Raises:
            psycopg.Error: if the database cannot be reached, or is no primary.
            StoreUnfitError: if it is not an event store of ours, or we may do more than we need.
        """
        connection = psycopg.connect(self._conninfo, autocommit=True)
        try:
            self._set(connection, writes=writes)
            require_format(connection)
            require_no_more_rights_than_needed(connection)
            self._count(connection, replaces=replaces)
        except BaseException:
            connection.close()
            raise
        return connection

    def _count(self, connection: Connection, *, replaces: bool) -> None:
        run = connection.execute(_RUN).fetchone()
        with self._counting:
            if replaces or self._run not in (None, run):
                self._incarnation += 1
            self._run = run

    def _set(self, connection: Connection, *, writes: bool) -> None:
        milliseconds = round(self._patience_seconds * 1000)
        settings: Mapping[str, str] = {
            **_SETTINGS,
            "lock_timeout": f"{milliseconds}ms",
            "default_transaction_read_only": "off" if writes else "on",
        }
        names = list(settings)
        connection.execute(_SET, (names, list(settings.values())))
        found = dict(connection.execute(_READ_BACK, (names,)).fetchall())
        for name, value in settings.items():
            if name != "lock_timeout" and found[name] != value:
                message = f"PostgreSQL has {name} = {found[name]} where {value} is needed."
                raise StoreUnfitError(message)


class Readers:
    """A few connections that read what is committed, each lent to one thread at a time."""

    def __init__(self, database: Database, size: int) -> None:
        self._database = database
        self._size = size
        self._is_closed = False
        # None stands for a connection that is not open yet.
        self._idle: LifoQueue[Connection | None] = LifoQueue()
        # Under which incarnation each was opened.
        self._opened: dict[Connection | None, int] = {}
        for _ in range(size):
            self._idle.put(None)

    def select(self, query: str, bindings: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """Run a query; wait while all connections are out.

        Raises:
            OperationalError: if the database cannot be read.
            StoreClosedError: if the connections were closed.
        """
        if self._is_closed:
            raise StoreClosedError
        connection = self._idle.get()
        try:
            if self._is_closed:
                raise StoreClosedError
            if connection is not None:
                try:
                    return _rows(connection, query, bindings)
                except psycopg.OperationalError:
                    if not connection.broken:
                        raise
            # One that was lost keeps its place until it is replaced, so that this is not forgotten.
            connection = self._replaced(connection)
            return _rows(connection, query, bindings)
        except psycopg.Error as error:
            raise failure(error) from None
        finally:
            self._idle.put(connection)

    def _replaced(self, lost: Connection | None) -> Connection:
        # Several that were lost with one server count once: each time callers have to retry.
        opened = self._opened.get(lost, -1) if lost else -1
        connection = self._database.connect(
            writes=False, replaces=opened == self._database.incarnation
        )
        self._opened.pop(lost, None)
        self._opened[connection] = self._database.incarnation
        return connection

    def close(self) -> None:
        """Close all connections, once those that are out have come back."""
        self._is_closed = True
        returned = [self._idle.get() for _ in range(self._size)]
        for connection in returned:
            if connection is not None:
                connection.close()
            # Who was waiting for a connection finds out that there is none any more.
            self._idle.put(None)


def _rows(connection: Connection, query: str, bindings: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    cursor = connection.cursor(binary=True)
    return cursor.execute(query.encode(), bindings, prepare=True).fetchall()


def failure(error: psycopg.Error) -> OperationalError:
    """Return an error of the library's for one of the driver's.

    It is not to be chained: what the database says may quote what was found.
    """
    return OperationalError(f"The database failed ({error.sqlstate or type(error).__name__}).")
