# SPDX-License-Identifier: Apache-2.0
"""The supervisor, with small programs in the place of servers."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vault.server import supervisor as supervisors
from vault.server.address import Address
from vault.server.call_logging import make_logger
from vault.server.supervised import VARIABLE, Orders, take_line
from vault.server.supervisor import Program, Supervisor

ROOT = Path(__file__).parents[3]
ORDERS = Orders(0, 443, 80, "issuer", "keys")
SERVES = """
import json, os, signal, sys
from pathlib import Path
from vault.server.address import Address
from vault.server.supervised import take_line

line = take_line(os.environ)
folder = Path(sys.argv[1])
number = line.orders.process
with (folder / "started").open("a") as file:
    file.write(f"{number} {os.getpid()}\\n")
"""
TELLS = 'line.tell(Address("here", "there", line.orders.issuer))\n'
WAITS = "signal.pause()\n"
IS_DEAF = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"


class Watched:
    """A supervisor of two processes, and what it did."""

    def __init__(self, folder: Path, *script: str) -> None:
        self.announced: list[Address] = []
        self._folder = folder
        self._log = io.BytesIO()
        command = (sys.executable, "-c", SERVES + "".join(script), str(folder))
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.supervisor = Supervisor(
            2,
            Program(command, environment, ORDERS),
            self.announced.append,
            make_logger(self._log),
            drain_seconds=0,
        )

    @property
    def started(self) -> list[tuple[int, int]]:
        """Return number and id of each process that was started."""
        file = self._folder / "started"
        lines = file.read_text().splitlines() if file.exists() else []
        return [(int(number), int(pid)) for number, pid in map(str.split, lines)]

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Return what was logged of an event."""
        lines = map(json.loads, self._log.getvalue().splitlines())
        return [line for line in lines if line["event"] == event]

    async def until_started(self, count: int) -> None:
        """Wait until so many processes were started."""
        await until(lambda: len(self.started) >= count)

    async def until_announced(self) -> None:
        """Wait until all processes accept calls."""
        await until(lambda: self.announced)


async def until(is_so: Callable[[], object]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(20):
        while True:
            if is_so():
                return
            await asyncio.sleep(0.01)


async def test_what_all_accept_is_announced_once(tmp_path: Path) -> None:
    watched = Watched(tmp_path, TELLS, WAITS)
    running = asyncio.create_task(watched.supervisor.run())
    await watched.until_announced()
    watched.supervisor.stop()

    assert await running == 0
    assert watched.announced == [Address("here", "there", "issuer")]
    assert [number for number, _ in watched.started] == [0, 1]


async def test_the_first_that_fails_at_the_start_ends_everything(tmp_path: Path) -> None:
    watched = Watched(tmp_path, "sys.exit(3)")

    assert await watched.supervisor.run() == 3
    assert [number for number, _ in watched.started] == [0]
    assert watched.announced == []


async def test_another_that_fails_at_the_start_ends_everything(tmp_path: Path) -> None:
    watched = Watched(tmp_path, "if number: sys.exit(4)\n", TELLS, WAITS)

    assert await watched.supervisor.run() == 4
    assert watched.announced == []


async def test_who_is_killed_at_the_start_is_a_failure(tmp_path: Path) -> None:
    watched = Watched(tmp_path, "os.kill(os.getpid(), signal.SIGKILL)")

    assert await watched.supervisor.run() == 1


async def test_who_fails_later_is_started_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisors, "FIRST_PAUSE_SECONDS", 0.001)
    begun = "if number and (folder / 'begun').exists(): sys.exit(5)\n"
    watched = Watched(tmp_path, begun, TELLS, WAITS)
    running = asyncio.create_task(watched.supervisor.run())
    await watched.until_announced()
    (tmp_path / "begun").touch()
    os.kill(watched.started[-1][1], signal.SIGKILL)
    await watched.until_started(5)
    watched.supervisor.stop()

    assert await running == 0
    assert [number for number, _ in watched.started][:5] == [0, 1, 1, 1, 1]
    ended = [line["code"] for line in watched.logged("process ended")]
    assert ended[:3] == ["-9", "5", "5"]


async def test_who_does_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisors, "STOP_SECONDS", 0.2)
    watched = Watched(tmp_path, "if number: ", IS_DEAF, TELLS, "while True: ", WAITS)
    running = asyncio.create_task(watched.supervisor.run())
    await watched.until_announced()
    watched.supervisor.stop()

    assert await running == 0
    assert [line["process"] for line in watched.logged("process killed")] == [1]
    with pytest.raises(ProcessLookupError):
        os.kill(watched.started[-1][1], 0)


async def test_who_answers_nonsense_ends_everything_with_an_error(tmp_path: Path) -> None:
    watched = Watched(tmp_path, 'line._line.sendall(b"{}\\n")\n', WAITS)

    with pytest.raises(ValueError, match="target"):
        await watched.supervisor.run()


async def test_a_line_brings_the_orders_and_ends() -> None:
    ours, theirs = socket.socketpair()
    ours.sendall(b'{"process":1,"port":2,"http_port":3,"issuer":"","jwks":""}\n')
    environment = {VARIABLE: str(theirs.detach())}
    line = take_line(environment)
    assert line is not None
    stopped = asyncio.Event()
    line.watch(stopped.set)
    ours.close()

    async with asyncio.timeout(5):
        await stopped.wait()
    line.close()

    assert line.orders == Orders(1, 2, 3, "", "")
    assert environment == {}


def test_without_a_supervisor_there_is_no_line() -> None:
    assert take_line({}) is None


def test_a_line_that_is_none_is_refused() -> None:
    with pytest.raises(OSError, match="for a supervisor to set"):
        take_line({VARIABLE: "yes"})
