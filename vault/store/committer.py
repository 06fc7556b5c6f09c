# SPDX-License-Identifier: Apache-2.0
"""Group commit: many appends share one COMMIT, each caller gets its own verdict after it.

Batches form naturally: whatever waits while one batch is being committed is the next. One batch is
in flight at a time, on one thread of its own, so that the event loop never waits for the disk. The
recorder decides what is admitted; who may wait how long is decided here.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Final, Protocol, TypeAlias

from eventsourcing.persistence import IntegrityError

from vault.store.append import Append, BatchResult, Commit
from vault.store.errors import (
    AppendFailedError,
    CommitFailedError,
    DeadlinePassedError,
    QueueFullError,
    StoreClosedError,
)

_logger = logging.getLogger(__name__)

LONGEST_GATHERING_SECONDS: Final = 0.004
"""How long a batch is gathered while the loop is busy: a COMMIT costs as much as ten appends."""
QUIET_SECONDS: Final = 0.0002
"""A loop that comes back within this time has nothing else to do."""

IDLE_SECONDS: Final = 0.5
"""How long nothing is appended before the recorder is told that there is time for upkeep."""


class BatchRecorder(Protocol):
    """What a committer needs of a recorder; both are called on the committer's thread alone."""

    def insert_batch(self, batch: Sequence[Append]) -> BatchResult:
        """Store a batch, durable on return.

        Raises:
            CommitFailedError: if it is unknown what is stored, and only a restart can tell.
            Exception: on anything else; nothing of the batch is stored.
        """

    def maintain(self, *, is_idle: bool) -> None:
        """Do upkeep: between batches what cannot wait, in idle times what can."""


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    append: Append
    future: asyncio.Future[Commit]
    deadline: float | None
    committed: Callable[[Commit], None] | None


@dataclass(frozen=True, slots=True)
class _Stored:
    result: BatchResult
    returned: float


_Batch: TypeAlias = list[_Waiting]


class Committer:
    """Appends for the coroutines of one event loop.

    Appends of one stream are stored in the order in which they were made, but those that lead come
    before all others. After a failed COMMIT nothing is appended any more.
    """

    def __init__(
        self,
        recorder: BatchRecorder,
        *,
        max_batch: int = 256,
        max_waiting: int = 4096,
        on_fatal: Callable[[BaseException], None],
    ) -> None:
        """Make a committer, which begins with `start`.

        Args:
            max_batch: appends in one transaction.
            max_waiting: appends that may wait for their batch, and as many more that lead.
            on_fatal: called on the event loop once nothing can be appended any more; the process
                should end, and recover on start.
        """
        self._recorder = recorder
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._on_fatal = on_fatal
        self._leading: deque[_Waiting] = deque()
        self._following: deque[_Waiting] = deque()
        self._batches: SimpleQueue[_Batch | None] = SimpleQueue()
        self._is_open = False
        self._is_idle = asyncio.Event()
        self._is_idle.set()
        self._stopped = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to append, for the event loop that is running."""
        self._loop = asyncio.get_running_loop()
        # A daemon: a process that has to end does not wait for a disk that hangs.
        self._thread = threading.Thread(
            target=self._work, args=(self._loop,), name="committer", daemon=True
        )
        self._is_open = True
        self._thread.start()

    async def close(self) -> None:
        """Refuse further appends, finish those that wait, and stop. Closing twice is no error."""
        self._is_open = False
        if self._thread is None:
            return
        await self._is_idle.wait()
        self._batches.put(None)
        await self._stopped.wait()
        self._thread.join()

    async def append(
        self,
        append: Append,
        *,
        leads: bool = False,
        deadline: float | None = None,
        committed: Callable[[Commit], None] | None = None,
    ) -> Commit:
        """Append, and return once it is durable.

        A caller that is cancelled while its batch is in flight has appended all the same. One that
        is cancelled earlier has not, unless it leads: a stop counts even if nobody waits for it.

        Args:
            leads: goes before everything that waits and does not lead.
            deadline: in seconds of `time.monotonic()`; looked at when the batch is formed.
            committed: called on the event loop as soon as the append is durable, before anyone
                learns of it, and even if the caller was cancelled.

        Raises:
            IntegrityError: if the stream does not admit it.
            DeadlinePassedError: if the deadline passed first; nothing is stored.
            QueueFullError: if too many wait already; nothing is stored.
            AppendFailedError: if the database failed; nothing is stored.
            CommitFailedError: if COMMIT failed: whether it is stored is unknown.
            StoreClosedError: if the committer is not open; nothing is stored.
        """
        if self._loop is None or not self._is_open:
            raise StoreClosedError
        line = self._leading if leads else self._following
        if len(line) >= self._max_waiting:
            raise QueueFullError
        future: asyncio.Future[Commit] = self._loop.create_future()
        line.append(_Waiting(append, future, deadline, committed))
        if self._is_idle.is_set():
            self._is_idle.clear()
            self._gather()
        return await future

    def _gather(self) -> None:
        """Form the next batch once the loop has nothing else to do: till then more may join."""
        if self._loop is not None:
            now = monotonic()
            self._loop.call_soon(self._gather_until, now + LONGEST_GATHERING_SECONDS, now)

    def _gather_until(self, latest: float, asked: float) -> None:
        now = monotonic()
        has_other_work = now - asked > QUIET_SECONDS
        may_wait = now < latest and not self._leading
        if self._loop is not None and has_other_work and may_wait:
            self._loop.call_soon(self._gather_until, latest, now)
        else:
            self._form_batch()

    def _form_batch(self) -> None:
        batch: _Batch = []
        now = monotonic()
        while len(batch) < self._max_batch and (self._leading or self._following):
            if self._leading:
                waiting = self._leading.popleft()
            else:
                waiting = self._following.popleft()
                if waiting.future.cancelled():
                    continue
            if waiting.deadline is not None and waiting.deadline <= now:
                _fail(waiting, DeadlinePassedError())
            else:
                batch.append(waiting)
        if batch:
            self._batches.put(batch)
        else:
            self._is_idle.set()

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        """Commit batches until there are no more; runs on the committer's own thread."""
        while (batch := self._next_batch(loop)) is not None:
            outcome = self._commit(batch)
            loop.call_soon_threadsafe(self._conclude, batch, outcome)
            self._maintain(loop, is_idle=False)
        loop.call_soon_threadsafe(self._stopped.set)

    def _next_batch(self, loop: asyncio.AbstractEventLoop) -> _Batch | None:
        try:
            return self._batches.get(timeout=IDLE_SECONDS)
        except Empty:
            self._maintain(loop, is_idle=True)
            return self._batches.get()

    def _commit(self, batch: _Batch) -> _Stored | BaseException:
        try:
            result = self._recorder.insert_batch([waiting.append for waiting in batch])
        except BaseException as error:  # noqa: BLE001  # it is told to the callers, who would wait
            return error
        return _Stored(result, monotonic())

    def _maintain(self, loop: asyncio.AbstractEventLoop, *, is_idle: bool) -> None:
        try:
            self._recorder.maintain(is_idle=is_idle)
        except Exception as error:  # noqa: BLE001  # what was appended is durable without it
            context = {"message": "upkeep of the store failed", "exception": error}
            loop.call_soon_threadsafe(loop.call_exception_handler, context)

    def _conclude(self, batch: _Batch, outcome: _Stored | BaseException) -> None:
        """Tell each caller its verdict, and go on with what has come meanwhile."""
        if isinstance(outcome, _Stored):
            result = outcome.result
            for waiting, verdict in zip(batch, result.verdicts, strict=True):
                if isinstance(verdict, IntegrityError):
                    _fail(waiting, verdict)
                else:
                    commit = Commit(verdict, result.commit_sent, outcome.returned)
                    _succeed(waiting, commit)
        elif isinstance(outcome, CommitFailedError):
            for waiting in batch:
                _fail(waiting, CommitFailedError(), cause=outcome)
            self._abandon(outcome)
        else:
            kind = type(outcome) if isinstance(outcome, AppendFailedError) else AppendFailedError
            _logger.error("nothing of a batch was stored: %s", kind.__name__)
            for waiting in batch:
                _fail(waiting, kind(), cause=outcome)
        if self._leading:
            self._form_batch()
        else:
            self._gather()

    def _abandon(self, error: BaseException) -> None:
        """Give up for good: only a restart tells what the database holds."""
        self._is_open = False
        for waiting in (*self._leading, *self._following):
            _fail(waiting, StoreClosedError(), cause=error)
        self._leading.clear()
        self._following.clear()
        self._on_fatal(error)


def _succeed(waiting: _Waiting, commit: Commit) -> None:
    if waiting.committed is not None:
        try:
            waiting.committed(commit)
        except Exception as error:  # noqa: BLE001  # a fault of one caller, not of the batch
            context = {"message": "the callback after a commit failed", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)
    if not waiting.future.done():
        waiting.future.set_result(commit)


def _fail(waiting: _Waiting, error: Exception, cause: BaseException | None = None) -> None:
    if waiting.future.done():
        return
    error.__cause__ = cause
    waiting.future.set_exception(error)
