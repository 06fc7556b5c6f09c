# SPDX-License-Identifier: Apache-2.0
"""What can go wrong while data leaves, tried on a real server: at every step, and on its disk.

Each trial returns what left and what the log says (`releases.py`), the server up and well again.
"""

from __future__ import annotations

import asyncio
import resource
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, Protocol, TypeAlias

from tests.faults import disk, steps
from tests.faults.campaign import Report
from tests.faults.prefork import ForkedServer, forks
from tests.faults.releases import Callers, Releases, kept_up, prepared
from tests.faults.steps import FAILPOINTS, Failpoint
from tests.server import running
from tests.world import World, connected

FAILING_CHANCE: Final = 0.05
"""Of each single write or sync."""
BLOCKED_CALLS: Final = 60
"""So many in a row without an answer, and nothing can be stored."""

_WANTED: Final = {"raise": 6, "delay": 3, "exit": 1}
"""How often something shall have happened at a failpoint."""
_LONGEST_SECONDS: Final = 20.0
_LIMIT_BYTES: Final = 64 * 1024
_TMPFS_BYTES: Final = 64 * 1024 * 1024
"""Enough for a write-ahead log that nobody had time to move into the database."""

_PAGE: Final = bytes(4096)

_Course: TypeAlias = Callable[[Callers], Awaitable[None]]


@dataclass
class Trial:
    """What came of a trial.

    Attributes:
        unreached: failpoints at which nothing happened, though there was time.
        blocked: payloads that came while nothing could be stored; None if that never was so.
        resumed: payloads that came after it could again.
    """

    releases: Releases = field(default_factory=Releases)
    unreached: list[str] = field(default_factory=list)
    blocked: int | None = None
    resumed: int = 0


class Space(Protocol):
    """Room for data that can be taken away and given back."""

    def take(self) -> None:
        """Let nothing more be stored."""

    def give_back(self) -> None:
        """Let things be stored again."""


def at_failpoints(
    server: ForkedServer, failpoints: Sequence[Failpoint], seed: str, mutant: str = ""
) -> Trial:
    """Have things go wrong at each failpoint in turn, under load."""
    server.program = steps.program(server.folder, mutant)
    trial = Trial()

    async def course(callers: Callers) -> None:
        for failpoint in failpoints:
            steps.set_failpoint(server.folder, failpoint)
            reached, in_time = partial(_is_reached, server, failpoint), _passed(_LONGEST_SECONDS)
            await callers.call_until(lambda: reached() or in_time())  # noqa: B023
            if not _hits(server, failpoint):
                trial.unreached.append(str(failpoint))
        steps.set_failpoint(server.folder, None)

    _run(server, trial, seed, course)
    return trial


def on_failing_disk(server: ForkedServer, seconds: float, seed: str) -> Trial:
    """Have writes and syncs fail now and then, under load."""
    server.program = disk.program(server.folder)
    trial = Trial()

    async def course(callers: Callers) -> None:
        disk.set_chance(server.folder, FAILING_CHANCE)
        await callers.call_until(_passed(seconds))
        disk.set_chance(server.folder, 0)
        await _resume(callers, trial)

    _run(server, trial, seed, course)
    return trial


def without_space(server: ForkedServer, space: Space, seed: str) -> Trial:
    """Have no room left for a while, under load."""
    trial = Trial()

    async def course(callers: Callers) -> None:
        await callers.call_until(_passed(0.5))
        space.take()
        try:
            await _block(callers, trial)
        finally:
            space.give_back()
        await _resume(callers, trial)

    _run(server, trial, seed, course)
    return trial


@dataclass
class BrokenDisk:
    """A disk that writes nothing any more, below the program `disk`."""

    folder: Path

    def take(self) -> None:
        """Have each write and sync fail."""
        disk.set_chance(self.folder, 1.0)

    def give_back(self) -> None:
        """Have none fail."""
        disk.set_chance(self.folder, 0.0)


@dataclass
class SizeLimit:
    """A limit of the process: no file may grow beyond a few bytes (`RLIMIT_FSIZE`)."""

    server: ForkedServer

    def take(self) -> None:
        """Limit the server, and those that are started in its place."""
        self._limit(_LIMIT_BYTES)

    def give_back(self) -> None:
        """Limit nothing."""
        self._limit(resource.RLIM_INFINITY)

    def _limit(self, size: int) -> None:
        for process in (self.server.forks, self.server.process):
            if process is not None and process.poll() is None:
                limits = (size, resource.RLIM_INFINITY)
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, limits)


@dataclass
class SmallDisk:
    """A file system of its own, in memory."""

    folder: Path

    def take(self) -> None:
        """Fill it to the last byte."""
        with suppress(OSError), self._filler.open("wb", buffering=0) as filler:
            while True:
                filler.write(_PAGE)

    def give_back(self) -> None:
        """Remove what fills it."""
        self._filler.unlink()

    @property
    def _filler(self) -> Path:
        return self.folder / "filler"


@contextmanager
def small_disk(folder: Path) -> Iterator[SmallDisk | None]:
    """Mount a small disk at a folder; None where that is not permitted."""
    folder.mkdir(mode=0o700, parents=True)
    options = f"size={_TMPFS_BYTES},mode=700"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=False, capture_output=True
    )
    if mounted.returncode:
        yield None
        return
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", folder], check=True)


def campaign(seconds: float, seed: str) -> Report:
    """Go through all failpoints, a failing disk and a full one, round after round."""
    until, payloads, findings = time.monotonic() + seconds, 0, list[str]()
    with forks() as forked:
        while not payloads or time.monotonic() < until:
            here = f"{seed}/{payloads}"
            with tempfile.TemporaryDirectory(prefix="mishaps-") as name:
                folder = Path(name)
                servers = [ForkedServer(folder / str(n), forks=forked) for n in range(3)]
                trials = (
                    at_failpoints(servers[0], FAILPOINTS, here),
                    on_failing_disk(servers[1], 10.0, here),
                    without_space(servers[2], SizeLimit(servers[2]), here),
                )
            for trial in trials:
                payloads += len(trial.releases.received())
                findings += (f"{fault} (seed {here!r})" for fault in trial.releases.faults())
    return Report(payloads, "payloads", findings)


def _run(server: ForkedServer, trial: Trial, seed: str, course: _Course) -> None:
    """Let a course be run, the server started again whenever it ends; settle, and read the log."""
    with running(server):
        shared = prepared(server)
        callers = Callers(server, shared, trial.releases, seed)

        async def live() -> None:
            async with kept_up(server, trial.releases):
                await course(callers)
            await callers.settle()

        asyncio.run(live())
        with connected(server.target) as channel:
            trial.releases.read(World(server, channel), shared)


async def _block(callers: Callers, trial: Trial) -> None:
    """Call until there are no answers any more, and then as often again."""
    releases, in_time = trial.releases, _passed(_LONGEST_SECONDS)
    await callers.call_until(lambda: releases.is_silent(BLOCKED_CALLS) or in_time())
    if not releases.is_silent(BLOCKED_CALLS):
        return
    calls, payloads = len(releases.writes), len(releases.received())
    await callers.call_until(lambda: len(releases.writes) > calls + BLOCKED_CALLS)
    trial.blocked = len(releases.received()) - payloads


async def _resume(callers: Callers, trial: Trial) -> None:
    """Call until there are answers again."""
    releases, in_time = trial.releases, _passed(_LONGEST_SECONDS)
    before = len(releases.received())
    await callers.call_until(lambda: len(releases.received()) > before + 5 or in_time())
    trial.resumed = len(releases.received()) - before


def _is_reached(server: ForkedServer, failpoint: Failpoint) -> bool:
    return _hits(server, failpoint) >= _WANTED[failpoint.mode]


def _hits(server: ForkedServer, failpoint: Failpoint) -> int:
    return steps.hits(server.folder)[str(failpoint)]


def _passed(seconds: float) -> Callable[[], bool]:
    until = time.monotonic() + seconds
    return lambda: time.monotonic() > until
