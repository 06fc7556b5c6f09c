# SPDX-License-Identifier: Apache-2.0
"""Several server processes on one port: starts them, replaces those that die, stops them.

Each is this same program, started anew and not forked, so that no thread or lock of gRPC is copied.
The first one makes what is missing and finds what is wrong; the others follow once it accepts
calls. Until all of them do, the end of one is the end of all; later it costs that process alone.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import msgspec
from msgspec.structs import replace
from structlog.typing import FilteringBoundLogger

from vault.server.address import Address
from vault.server.supervised import VARIABLE, Orders

FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 30.0
STEADY_SECONDS: Final = 60.0
"""After so long in service the next pause is short again."""
STOP_SECONDS: Final = 15.0
"""How much longer than draining a process may take to end, before it is killed."""

_FAILED: Final = 1


@dataclass(frozen=True, slots=True)
class Program:
    """What each process runs."""

    command: Sequence[str]
    environment: Mapping[str, str]
    orders: Orders
    """For all of them, but for the number."""


@dataclass(frozen=True, slots=True)
class _Process:
    """A process that was started, and our end of its line."""

    process: asyncio.subprocess.Process
    line: socket.socket

    async def address(self) -> Address | None:
        """Return where it accepts calls, or None if it ended before it did."""
        received = b""
        loop = asyncio.get_running_loop()
        while not received.endswith(b"\n"):
            part = await loop.sock_recv(self.line, 4096)
            if not part:
                return None
            received += part
        return msgspec.json.decode(received, type=Address)

    def end(self) -> None:
        """Have it drain and end; the end of the line says so, too, if it hears no signal yet."""
        with suppress(OSError):
            self.line.shutdown(socket.SHUT_WR)
        with suppress(ProcessLookupError):
            self.process.terminate()

    def kill(self) -> None:
        """End it at once."""
        with suppress(ProcessLookupError):
            self.process.kill()


class Supervisor:
    """Keeps a number of processes serving, from `run` until `stop`."""

    def __init__(
        self,
        count: int,
        program: Program,
        announce: Callable[[Address], None],
        log: FilteringBoundLogger,
        *,
        drain_seconds: float,
    ) -> None:
        """Make a supervisor, on the event loop that is running.

        Args:
            announce: told where calls are accepted, once all processes do.
            drain_seconds: how long calls under way may take when a process stops.
        """
        self._count = count
        self._program = program
        self._announce = announce
        self._log = log
        self._patience = drain_seconds + STOP_SECONDS
        self._processes: dict[int, _Process] = {}
        self._keepers: set[asyncio.Task[None]] = set()
        self._accepting = 0
        self._stopping = asyncio.Event()
        self._outcome: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def run(self) -> int:
        """Keep processes serving, and return the exit code when all have ended."""
        self._keep_on(0)
        try:
            return await self._outcome
        finally:
            await self._end_all()

    def stop(self, code: int = 0) -> None:
        """Have all processes drain and end. Stopping twice is no error."""
        self._stopping.set()
        if not self._outcome.done():
            self._outcome.set_result(code)

    def _keep_on(self, number: int) -> None:
        keeper = asyncio.create_task(self._keep(number))
        self._keepers.add(keeper)
        keeper.add_done_callback(self._kept)

    def _kept(self, keeper: asyncio.Task[None]) -> None:
        self._keepers.discard(keeper)
        error = None if keeper.cancelled() else keeper.exception()
        if error is not None and not self._outcome.done():
            self._outcome.set_exception(error)

    async def _keep(self, number: int) -> None:
        """Start a process, and another whenever it has ended, after a pause that grows."""
        pause = FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            began = time.monotonic()
            code = await self._run_once(number)
            if self._stopping.is_set():
                return
            if self._accepting < self._count:
                # It has said why.
                self.stop(code if code > 0 else _FAILED)
                return
            self._log.error("process ended", process=number, code=str(code))
            if time.monotonic() - began >= STEADY_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _run_once(self, number: int) -> int:
        """Run a process, and return its exit code."""
        process = await self._start(number)
        try:
            address = await process.address()
            if address is not None:
                self._accepts(number, address)
            return await process.process.wait()
        except BaseException:
            process.kill()
            await process.process.wait()
            raise
        finally:
            process.line.close()
            del self._processes[number]

    def _accepts(self, number: int, address: Address) -> None:
        if self._accepting == self._count:
            return
        self._accepting += 1
        if self._accepting == self._count:
            self._announce(address)
        elif number == 0:
            for other in range(1, self._count):
                self._keep_on(other)

    async def _start(self, number: int) -> _Process:
        ours, theirs = socket.socketpair()
        ours.settimeout(0)
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *self._program.command,
                env={**self._program.environment, VARIABLE: str(theirs.fileno())},
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
            )
        started = _Process(process, ours)
        self._processes[number] = started
        if self._stopping.is_set():
            started.end()
        orders = msgspec.json.encode(replace(self._program.orders, process=number)) + b"\n"
        # Who ended already reads nothing.
        with suppress(OSError):
            await asyncio.get_running_loop().sock_sendall(ours, orders)
        return started

    async def _end_all(self) -> None:
        self._stopping.set()
        for process in self._processes.values():
            process.end()
        if self._keepers:
            _, late = await asyncio.wait(self._keepers, timeout=self._patience)
            for number, process in self._processes.items():
                self._log.error("process killed", process=number)
                process.kill()
            if late:
                await asyncio.wait(late)
