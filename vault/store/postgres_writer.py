# SPDX-License-Identifier: Apache-2.0
"""The one connection that appends to an event store on PostgreSQL: a batch is one call.

One round trip carries a batch, its COMMIT and its verdicts, by a function on the server
(`postgres_schema.sql`). If the connection is lost meanwhile, it is first found out what became of
the batch; nobody is told what is not known. What cannot be found out in time ends the process, as a
failed COMMIT does on SQLite: its supervisor starts it again once the database is back, and a caller
who repeats a request learns from its key what became of it.
"""

from __future__ import annotations

import logging
import select
import struct
import threading
import time
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID, uuid4

import psycopg
from eventsourcing.persistence import PersistenceError
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus
from psycopg.pq.abc import PGresult

from vault.store.append import Append, BatchResult, StoredRecord
from vault.store.errors import (
    AppendFailedError,
    ClockDepartsError,
    CommitFailedError,
    DurabilityWeakError,
    StoreClosedError,
    StoreUnfitError,
)
from vault.store.postgres_batch import (
    APPEND,
    APPEND_TYPES,
    SETTLE,
    append_parameters,
    first_positions,
    settle_parameters,
    settled_positions,
    verdicts_of,
)
from vault.store.postgres_connection import Connection, Database, failure
from vault.store.postgres_watchdog import Watchdog

_STATEMENT: Final = b"append"
_BINARY: Final = 1
_WEAK: Final = "CV001"
_CLOCK: Final = "CV003"
_PAUSE_SECONDS: Final = 0.05

_REQUIRE_DURABILITY: Final = "SELECT require_durability(%s)"
_PROVE: Final = "SELECT prove_entry(%s, %s, %s, %s)"
_LAST: Final = "SELECT coalesce(max(head), 0) - 1 FROM lanes WHERE lane = %s"
_HAS_STANDBY: Final = "SELECT current_setting('synchronous_standby_names') <> ''"

_logger = logging.getLogger(__name__)


class _UnprovenError(Exception):
    """The connection was lost, or no standby answered: nothing tells what is stored for good."""


class PostgresWriter:
    """Appends to one lane, one batch at a time; any thread may call it.

    Positions are assigned under the lane's lock, so several processes may write one lane.
    """

    def __init__(
        self, database: Database, lane: int, patience_seconds: float, *, needs_standby: bool
    ) -> None:
        self._database = database
        self._lane = lane
        self._patience_seconds = patience_seconds
        self._needs_standby = needs_standby
        self._writing = threading.Lock()
        self._is_usable = True
        self._warned = False
        self._last = -1
        # Names the connection, so that what it may still send once it is given up can be barred.
        self._name = uuid4()
        self._connection: Connection | None = None
        self._open(replaces=False)
        self._watchdog = Watchdog(patience_seconds)

    def insert_batch(self, batch: Sequence[Append]) -> BatchResult:
        """Store the appends of a batch in one transaction; see `Recorder`."""
        with self._writing:
            if not self._is_usable:
                raise StoreClosedError
            parameters = append_parameters(batch)
            connection = self._connected()
            current = (None, self._database.incarnation)
            if any(append.incarnation not in current for append in batch):
                # Decided on what may be gone: where it lay, something else may lie by now.
                raise AppendFailedError
            commit_sent = time.monotonic()
            try:
                firsts = self._append(connection, parameters)
            except _UnprovenError:
                _logger.warning("a batch was not acknowledged: finding out what is stored")
                firsts = self._settle(batch)
            self._last = max(self._last, *firsts)
        return BatchResult(verdicts_of(batch, firsts), commit_sent)

    def prove(self, record: StoredRecord) -> None:
        """Return once a record that was read is durable; see `Recorder.prove_durable`."""
        if not self._needs_standby:
            return
        # Bounded: whoever asks holds up others that only read.
        if not self._writing.acquire(timeout=self._patience_seconds):
            raise AppendFailedError
        try:
            if not self._is_usable:
                raise StoreClosedError
            is_stored = self._prove(self._connected(), record)
        except (psycopg.Error, _UnprovenError) as error:
            raise AppendFailedError from _cause(error)
        finally:
            self._writing.release()
        if not is_stored:
            raise AppendFailedError

    def close(self) -> None:
        """Finish what is under way and close the connection. Closing twice is no error."""
        with self._writing:
            self._is_usable = False
            if self._connection is not None:
                self._connection.close()
                self._connection = None
        self._watchdog.close()

    # --- The call

    def _append(self, connection: Connection, arrays: Sequence[bytes]) -> Sequence[int]:
        """Send a batch, and return the first position of each append, or -1 if it is refused.

        Raises:
            AppendFailedError: if nothing is stored.
            _UnprovenError: if it is unknown what is stored.
        """
        lane = self._lane.to_bytes(4, "big", signed=True)
        standby, now = bytes([self._needs_standby]), struct.pack("!d", time.time())
        parameters = [lane, self._name.bytes, standby, now, *arrays]
        self._warned = False
        try:
            with self._watchdog.watch(connection):
                # Not through a cursor, which lets go of the interpreter's lock each time it waits:
                # under a busy event loop it takes long to get it back.
                result = connection.pgconn.exec_prepared(
                    _STATEMENT, parameters, [_BINARY] * len(parameters), _BINARY
                )
                if result.status != ExecStatus.TUPLES_OK:
                    raise _refusal(connection, result)
                self._require_proof(connection)
        except psycopg.Error as error:
            raise _UnprovenError from error
        return first_positions(result.get_value(0, 0) or b"")

    def _prove(self, connection: Connection, record: StoredRecord) -> bool:
        parameters = (self._lane, self._needs_standby, record.position, record.entry)
        self._warned = False
        with self._watchdog.watch(connection):
            row = connection.execute(_PROVE, parameters).fetchone()
            self._require_proof(connection)
        return row == (True,)

    def _require_proof(self, connection: Connection) -> None:
        """Check that a commit that returned is as durable as it should be.

        Raises:
            _UnprovenError: if it may not be.
        """
        # "Might not have been replicated" is a warning, and our functions give no other.
        if self._warned:
            raise _UnprovenError
        # Whoever unnames the last standby lets all commits that wait for it go, as if it had
        # answered.
        if self._needs_standby and connection.execute(_HAS_STANDBY).fetchone() != (True,):
            raise _UnprovenError

    # --- The connection

    def _connected(self) -> Connection:
        """Return a connection on which a batch can be sent.

        Raises:
            AppendFailedError: if there is none; nothing was sent.
        """
        if self._connection is not None and _is_alive(self._connection):
            return self._connection
        self._drop()
        try:
            return self._open(replaces=True)
        except (psycopg.Error, StoreUnfitError) as error:
            raise AppendFailedError from _cause(error)

    def _open(self, *, replaces: bool) -> Connection:
        connection = self._database.connect(writes=True, replaces=replaces)
        connection.add_notice_handler(self._notice)
        try:
            connection.execute(_REQUIRE_DURABILITY, (self._needs_standby,))
            # Not what was known of another database, which may have held more.
            (self._last,) = connection.execute(_LAST, (self._lane,)).fetchone() or (-1,)
        except psycopg.Error as error:
            connection.close()
            if error.sqlstate == _WEAK:
                raise DurabilityWeakError from None
            raise
        result = connection.pgconn.prepare(_STATEMENT, APPEND, APPEND_TYPES)
        if result.status != ExecStatus.COMMAND_OK:
            connection.close()
            raise psycopg.OperationalError(result.get_error_message())
        self._name = uuid4()
        self._connection = connection
        return connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _notice(self, diagnostic: psycopg.errors.Diagnostic) -> None:
        if diagnostic.severity_nonlocalized == "WARNING":
            self._warned = True

    # --- What became of a batch

    def _settle(self, batch: Sequence[Append]) -> Sequence[int]:
        """Find out on a new connection what became of a batch; see `_append`.

        A batch is one transaction: if anything of it is stored, then what is not was refused.

        Raises:
            AppendFailedError: if nothing of it is stored.
            CommitFailedError: if it cannot be found out in time.
        """
        lost, after = self._name, self._last
        self._drop()
        give_up = time.monotonic() + self._patience_seconds
        while True:
            try:
                firsts = self._ask(batch, lost, after)
            except (psycopg.Error, PersistenceError, _UnprovenError) as error:
                self._drop()
                if time.monotonic() > give_up:
                    self._is_usable = False
                    raise CommitFailedError from _cause(error)
                time.sleep(_PAUSE_SECONDS)
            else:
                if max(firsts) < 0:
                    raise AppendFailedError
                return firsts

    def _ask(self, batch: Sequence[Append], lost: UUID, after: int) -> Sequence[int]:
        connection = self._connection or self._open(replaces=True)
        self._warned = False
        parameters = (self._lane, lost, self._needs_standby, *settle_parameters(batch))
        with self._watchdog.watch(connection):
            cursor = connection.cursor(binary=True)
            rows: list[Any] = cursor.execute(SETTLE, parameters).fetchall()
            self._require_proof(connection)
        return settled_positions(batch, rows, after=after)


def _refusal(connection: Connection, result: PGresult) -> Exception:
    """Return what an error means that came instead of an answer."""
    state = result.error_field(DiagnosticField.SQLSTATE)
    severity = result.error_field(DiagnosticField.SEVERITY_NONLOCALIZED)
    # An error of the call undid it. One of the connection may have come after the commit.
    if state is None or severity != b"ERROR" or connection.pgconn.status != ConnStatus.OK:
        return _UnprovenError()
    if state == _WEAK.encode():
        return DurabilityWeakError()
    if state == _CLOCK.encode():
        return ClockDepartsError()
    error = AppendFailedError()
    error.__cause__ = RuntimeError(f"SQLSTATE {state.decode()}")
    return error


def _cause(error: Exception) -> Exception:
    """Return what a caller may learn of an error."""
    return failure(error) if isinstance(error, psycopg.Error) else error


def _is_alive(connection: Connection) -> bool:
    """Tell whether a connection that nothing was asked of is still there."""
    if connection.closed:
        return False
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    if not waiting.poll(0):
        return True
    # A message that nobody asked for: perhaps farewell, perhaps that a setting changed.
    try:
        connection.execute("SELECT")
    except psycopg.Error:
        return False
    return True
