# SPDX-License-Identifier: Apache-2.0
"""Connections of a key store to PostgreSQL: few, shared by threads, replaced when they die.

Nobody waits for ever: a primary that lost its synchronous standby would let every COMMIT wait. And
nobody trusts a COMMIT that came with a warning: then the standby may not have it.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from queue import LifoQueue
from typing import Any, Final

import psycopg
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus

from vault.sealing.errors import KeyStoreError

_SHORTEST_CONNECT_SECONDS: Final = 2


class ConnectionLostError(KeyStoreError):
    """The connection died: whatever was under way on it may have happened or not."""


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that waits only so long for an answer, and remembers that it was warned."""

    patience_seconds: float = math.inf
    was_warned: bool = False

    def wait(self, gen: PQGen[Any], interval: float = 0.1, timeout: float | None = None) -> Any:
        """Wait for an answer; see the base class."""
        return super().wait(gen, interval=interval, timeout=timeout or self.patience_seconds)


class Connections:
    """A few connections, each lent to one thread at a time; opened when they are first needed."""

    def __init__(self, conninfo: str, *, size: int, patience_seconds: float, where: str) -> None:
        """Take note of where to connect; nothing is opened yet.

        Args:
            where: names the database in messages.
        """
        given = {name: value for name, value in conninfo_to_dict(conninfo).items() if value}
        # Of several hosts the primary, wherever it is by now, whatever the operator says: a standby
        # may lag behind, and would tell an older floor.
        ours = {"target_session_attrs": "read-write"}
        self._conninfo = make_conninfo(**_defaults(patience_seconds) | given | ours)
        self._size = size
        self._patience_seconds = patience_seconds
        self._where = where
        self._is_closed = False
        # None stands for a connection that is not open yet, or died.
        self._idle: LifoQueue[Connection | None] = LifoQueue()
        for _ in range(size):
            self._idle.put(None)

    @contextmanager
    def lend(self, *, is_new: bool = False) -> Iterator[Connection]:
        """Lend a connection; wait while all are out.

        Args:
            is_new: one that was opened for this, since those that are open may be dead.

        Raises:
            ConnectionLostError: It died meanwhile.
            KeyStoreError: There is no connection, no answer in time, or the database refuses.
        """
        connection = self._idle.get()
        try:
            if self._is_closed:
                raise KeyStoreError(f"{self._where} is closed.")
            if connection is not None and is_new:
                connection.close()
                connection = None
            if connection is None:
                connection = self._open()
            yield connection
        except psycopg.Error as error:
            raise self._error(connection, error) from error
        finally:
            if connection is not None and not _is_idle(connection):
                connection.close()
                connection = None
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

    def _open(self) -> Connection:
        connection = Connection.connect(self._conninfo, autocommit=True)
        connection.patience_seconds = self._patience_seconds

        def remember(notice: psycopg.errors.Diagnostic) -> None:
            connection.was_warned |= notice.severity_nonlocalized == "WARNING"

        connection.add_notice_handler(remember)
        return connection

    def _error(self, connection: Connection | None, error: psycopg.Error) -> KeyStoreError:
        if connection is None:
            return KeyStoreError(f"{self._where} cannot be reached: {error}")
        if connection.closed:
            return ConnectionLostError(f"{self._where} was lost: ask again.")
        if not _is_idle(connection):
            return KeyStoreError(f"{self._where} gave no answer in time: ask again.")
        # Without the details, which quote rows.
        said = error.diag.message_primary or type(error).__name__
        return KeyStoreError(f"{self._where} refuses: {said}")


def _is_idle(connection: Connection) -> bool:
    return connection.pgconn.transaction_status == TransactionStatus.IDLE


def _defaults(patience_seconds: float) -> dict[str, Any]:
    """Return what holds unless the operator says otherwise."""
    return {
        "application_name": "citizen-vault-keys",
        "connect_timeout": max(_SHORTEST_CONNECT_SECONDS, math.ceil(patience_seconds)),
    }
