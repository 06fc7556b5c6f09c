# SPDX-License-Identifier: Apache-2.0
"""The one connection that appends to a SQLite event store: batches, and the write-ahead log's size.

A batch costs the same few statements whatever its size. Each statement lets go of the interpreter's
lock, and under a busy event loop it takes milliseconds to get it back: one INSERT for each event
made a batch of 32 take 200 ms there where this takes 30.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from time import monotonic
from typing import Any, Final

import apsw

from vault.store.admission import Admission, questions
from vault.store.append import Append, BatchResult, Verdict, conflict
from vault.store.errors import AppendFailedError, CommitFailedError, StoreClosedError
from vault.store.record import entry_of
from vault.store.sqlite_file import open_writer

CHECKPOINT_BYTES: Final = 64 * 1024 * 1024
"""The write-ahead log is moved into the database above this size, however busy the writer is."""

_FRAME_BYTES: Final = 4096 + 24
_MOST_ROWS: Final = 128

_Row = tuple[int | str | bytes, ...]

_SITUATION: Final = """
SELECT (SELECT coalesce(max(position) + 1, 0) FROM entries WHERE lane = ?1),
    json_group_array((SELECT max(version) FROM entries WHERE lane = ?1 AND stream = value ->> 0)
        ORDER BY key),
    json_group_array(EXISTS (SELECT 1 FROM entries WHERE lane = ?1 AND stream = value ->> 0
        AND request_key = value ->> 1 AND request_key <> '') ORDER BY key)
FROM json_each(?2)
"""

_logger = logging.getLogger(__name__)


class SQLiteWriter:
    """Appends to one lane, one batch at a time; any thread may call it.

    What was admitted is on the disk when `insert_batch` returns. Positions are assigned inside the
    transaction, so several processes may write one file.
    """

    def __init__(self, path: Path, lane: int, patience_seconds: float) -> None:
        self._lane = lane
        self._connection = open_writer(path, patience_seconds)
        self._writing = threading.Lock()
        self._is_usable = True
        self._log_bytes = 0
        self._checkpoint_above = CHECKPOINT_BYTES
        self._connection.set_wal_hook(self._notice_log_size)

    def insert_batch(self, batch: Sequence[Append]) -> BatchResult:
        """Store the appends of a batch in one transaction; see `SQLiteRecorder`."""
        with self._writing:
            if not self._is_usable:
                raise StoreClosedError
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                verdicts = self._insert(batch)
            except BaseException as error:
                self._roll_back()
                if isinstance(error, apsw.Error):
                    raise AppendFailedError from error
                raise
            commit_sent = monotonic()
            try:
                self._connection.execute("COMMIT")
            except apsw.Error as error:
                self._is_usable = False
                raise CommitFailedError from error
        return BatchResult(verdicts, commit_sent)

    def maintain(self, *, is_idle: bool) -> None:
        """Move the write-ahead log into the database if it is large, or if there is time."""
        with self._writing:
            is_due = self._log_bytes > (0 if is_idle else self._checkpoint_above)
            if not self._is_usable or not is_due:
                return
            try:
                frames, moved = self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            except apsw.Error as error:
                # Nothing is lost, it stays in the log; to end on a full disk would help nobody.
                _logger.warning("checkpoint failed: %s", type(error).__name__)
                frames, moved = 1, 0
            if moved == frames:
                self._log_bytes, self._checkpoint_above = 0, CHECKPOINT_BYTES
            else:
                # Someone still reads an old state: not again before it has grown noticeably.
                self._checkpoint_above = self._log_bytes + CHECKPOINT_BYTES

    def close(self) -> None:
        """Finish what is under way and close the connection. Closing twice is no error."""
        with self._writing:
            self._is_usable = False
            self._connection.close()

    def _insert(self, batch: Sequence[Append]) -> tuple[Verdict, ...]:
        position, admission = self._read_situation(batch)
        verdicts: list[Verdict] = []
        entries: list[_Row] = []
        records: list[_Row] = []
        payloads: list[_Row] = []
        lane = self._lane
        for append in batch:
            if not admission.admits(append):
                verdicts.append(conflict())
                continue
            first, request_key = position, append.request_key
            for event in append.events:
                stream, version = str(event.originator_id), event.originator_version
                entry = entry_of(event.state)
                entries.append((lane, position, stream, version, entry, request_key))
                records.append((lane, position, event.topic, event.state))
                # The key names the first event of an append.
                position, request_key = position + 1, ""
            for beside, here in enumerate(append.payloads, first):
                payloads.extend((lane, beside, n, p.kind, p.content) for n, p in enumerate(here))
            verdicts.append(tuple(range(first, position)))
        # An entry seals its position, so it comes last.
        self._insert_rows("payloads", payloads)
        self._insert_rows("records", records)
        self._insert_rows("entries", entries)
        return tuple(verdicts)

    def _read_situation(self, batch: Sequence[Append]) -> tuple[int, Admission]:
        """Return the next position, and what the batch's streams admit."""
        asked = questions(batch)
        cursor = self._connection.execute(_SITUATION, (self._lane, json.dumps(asked)))
        rows: list[Any] = cursor.fetchall()
        ((position, heads, taken),) = rows
        streams = [stream for stream, _ in asked]
        return position, Admission(
            dict(zip(streams, json.loads(heads), strict=True)),
            {pair for pair, is_taken in zip(asked, json.loads(taken), strict=True) if is_taken},
        )

    def _insert_rows(self, table: str, rows: Sequence[_Row]) -> None:
        start = 0
        while start < len(rows):
            # Powers of two, so that few statements serve every batch and stay prepared.
            count = min(_MOST_ROWS, 1 << ((len(rows) - start).bit_length() - 1))
            chunk = rows[start : start + count]
            statement = _insert_statement(table, len(chunk[0]), count)
            self._connection.execute(statement, tuple(chain.from_iterable(chunk)))
            start += count

    def _roll_back(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except apsw.Error:
            self._is_usable = False

    def _notice_log_size(self, connection: apsw.Connection, name: str, pages: int) -> int:
        del connection, name
        self._log_bytes = pages * _FRAME_BYTES
        return apsw.SQLITE_OK


@cache
def _insert_statement(table: str, columns: int, rows: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return f"INSERT INTO {table} VALUES {', '.join([row] * rows)}"  # noqa: S608  # our own tables
