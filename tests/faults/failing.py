# SPDX-License-Identifier: Apache-2.0
"""The server with failpoints on.

`python -m tests.faults.failing PLAN serve ...` is `citizen-vault-server serve ...` but for that.
The points are reached by wrapping the real methods; the product knows nothing of it.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from typing import Any

import grpc

from tests.faults.failpoints import AFTER_COMMIT, CHANCES, Mode, Plan, Point, read_plan
from tests.faults.mutant import MUTANTS
from vault import main
from vault.domain.errors import StoreUnavailableError
from vault.store.append import Append, BatchResult, Commit
from vault.store.command import Command, Recorded
from vault.store.committer import BatchRecorder, Committer
from vault.store.errors import AppendFailedError, CommitFailedError
from vault.store.lane import Lane

_call: ContextVar[asyncio.Task[Any] | None] = ContextVar("call", default=None)
"""The task of a call that came in: that one may be cancelled, not what it leaves behind."""


class Failpoints:
    """The failpoints of one server."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._drawn = random.Random(plan.seed)
        self._passed = 0
        self._noted = os.open(plan.noted, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def install(self) -> None:
        """Wrap what the server is made of."""
        _around_loads(self)
        _around_commits(self)
        _around_sending(self)

    async def pass_by(self, point: Point) -> None:
        """Pass a point on the event loop.

        Raises:
            StoreUnavailableError: if it fails there.
            CancelledError: if the caller has gone.
        """
        self.end(point, StoreUnavailableError)
        if self.happens(point, "cancel") and _is_call():
            self.note(point, "cancel")
            raise asyncio.CancelledError
        await asyncio.sleep(self.linger(point, StoreUnavailableError))

    def linger(self, point: Point, failure: type[Exception]) -> float:
        """Return how long to wait at a point: mostly not at all.

        Raises:
            Exception: `failure`, if it fails there.
        """
        if self.happens(point, "raise"):
            self.note(point, "raise")
            raise failure
        if self.happens(point, "delay"):
            self.note(point, "delay")
            return self._seconds(point)
        return 0.0

    def end(self, point: Point, failure: type[Exception]) -> None:
        """End the server, if that is due here.

        Raises:
            Exception: `failure`, if that is how it ends.
        """
        for ending in self._plan.endings:
            if ending.point != point or not self._plan.armed.exists():
                continue
            self._passed += 1
            if self._passed == ending.passed:
                self.note(point, ending.mode)
                if ending.mode == "kill":
                    os.kill(os.getpid(), signal.SIGKILL)
                raise failure

    def happens(self, point: Point, mode: Mode) -> bool:
        """Draw whether it happens now."""
        chance = CHANCES[point]
        if mode == "delay":
            probability = chance.delays
        elif self._plan.only_delays:
            return False
        else:
            probability = chance.raises if mode == "raise" else chance.cancels
        return self._drawn.random() < probability and self._plan.armed.exists()

    def cancel_soon(self) -> asyncio.TimerHandle | None:
        """Have the call cancelled in a moment, perhaps: while its batch is on its way."""
        task = asyncio.current_task()
        if task is None or not _is_call() or not self.happens("before-commit", "cancel"):
            return None
        seconds = self._drawn.uniform(0, CHANCES["before-commit"].seconds)
        return asyncio.get_running_loop().call_later(seconds, task.cancel)

    def note(self, point: Point, mode: Mode) -> None:
        """Note what happened at a point."""
        os.write(self._noted, f"{point} {mode}\n".encode())

    def _seconds(self, point: Point) -> float:
        drawn, span = self._drawn.random(), (0.0, CHANCES[point].seconds)
        if point == "after-commit":
            for above, least, most in AFTER_COMMIT:
                span = (least, most) if drawn > above else span
        return self._drawn.uniform(*span)


def _is_call() -> bool:
    return asyncio.current_task() is _call.get()


def _around_loads(failpoints: Failpoints) -> None:
    def wrapped(load: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def loaded(self: Lane, stream: str, fold: Any) -> Any:
            await failpoints.pass_by("before-load")
            state = await load(self, stream, fold)
            await failpoints.pass_by("after-load")
            return state

        return loaded

    for name in ("cached", "current"):
        setattr(Lane, name, wrapped(getattr(Lane, name)))


def _around_commits(failpoints: Failpoints) -> None:
    begin, append, execute = Committer.__init__, Committer.append, Lane.execute

    def init(self: Committer, recorder: BatchRecorder, **kwargs: Any) -> None:
        begin(self, _Recorder(recorder, failpoints), **kwargs)

    async def appended(self: Committer, given: Append, **kwargs: Any) -> Commit:
        cancelling = failpoints.cancel_soon()
        try:
            commit: Commit = await append(self, given, **kwargs)
        except asyncio.CancelledError:
            if cancelling:
                failpoints.note("before-commit", "cancel")
            raise
        finally:
            if cancelling:
                cancelling.cancel()
        return commit

    async def executed(self: Lane, command: Command, fold: Any, decide: Any) -> Recorded:
        recorded: Recorded = await execute(self, command, fold, decide)
        # What delays each caller after COMMIT must not delay those who share the batch.
        if failpoints.happens("after-commit", "cancel") and _is_call():
            failpoints.note("after-commit", "cancel")
            raise asyncio.CancelledError
        if command.acting.capacity == "service":
            await asyncio.sleep(failpoints.linger("after-commit", StoreUnavailableError))
        return recorded

    Committer.__init__ = init  # type: ignore[method-assign, assignment]
    Committer.append = appended  # type: ignore[method-assign]
    Lane.execute = executed  # type: ignore[method-assign]


class _Recorder:
    """A recorder that is delayed and fails."""

    def __init__(self, recorder: BatchRecorder, failpoints: Failpoints) -> None:
        self._recorder = recorder
        self._failpoints = failpoints

    def insert_batch(self, batch: Sequence[Append]) -> BatchResult:
        """Store a batch, perhaps."""
        self._failpoints.end("before-commit", AppendFailedError)
        time.sleep(self._failpoints.linger("before-commit", AppendFailedError))
        result = self._recorder.insert_batch(batch)
        self._failpoints.end("after-commit", CommitFailedError)
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self._recorder, name)


def _around_sending(failpoints: Failpoints) -> None:
    make = grpc.aio.server

    def made(**kwargs: Any) -> grpc.aio.Server:
        return make(**kwargs, interceptors=[_Sending(failpoints)])

    grpc.aio.server = made


class _Sending(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Delays answers, or loses them."""

    def __init__(self, failpoints: Failpoints) -> None:
        self._failpoints = failpoints

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        """Wrap the handler of calls that have one answer; it takes what is sent by itself."""
        handler = await continuation(details)
        if handler is None or handler.stream_unary is None:
            return handler

        async def answer(messages: Any, context: Any) -> bytes:
            _call.set(asyncio.current_task())
            context.add_done_callback(lambda _: self._failpoints.end("after-send", SystemExit))
            try:
                given: bytes = await handler.stream_unary(messages, context)
                await self._failpoints.pass_by("before-send")
            except StoreUnavailableError:
                await context.abort(grpc.StatusCode.UNAVAILABLE)
            except asyncio.CancelledError:
                if context.cancelled():
                    raise
                # Nobody has gone but by our doing: tell whoever waits.
                await context.abort(grpc.StatusCode.CANCELLED)
            return given

        return grpc.stream_unary_rpc_method_handler(answer)


if __name__ == "__main__":
    plan = read_plan(sys.argv.pop(1))
    if plan.mutant:
        MUTANTS[plan.mutant]()
    Failpoints(plan).install()
    main.main()
