# SPDX-License-Identifier: Apache-2.0
"""One or several servers on one store, perhaps wrong ones; who dies is started again."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import Final

from tests.faults.failpoints import Plan
from tests.faults.prefork import ForkedServer, Forks
from tests.server import DEVELOPMENT

LOOK_SECONDS: Final = 0.03
START_SECONDS: Final = 15.0
"""How long it is tried again to start a server that does not."""


@dataclass
class Site:
    """Servers on one store.

    Attributes:
        deaths: how often one of them was found dead.
    """

    servers: list[ForkedServer]
    plan: Plan
    deaths: int = 0
    _lives: int = 0

    def start(self) -> None:
        """Start them, one after the other, for each says in the same file where it is."""
        for server in self.servers:
            self._start(server)

    def hits(self) -> Counter[str]:
        """Count what happened at failpoints, as `point mode`."""
        return self.plan.hits()

    @asynccontextmanager
    async def kept_up(self) -> AsyncIterator[None]:
        """Arm the failpoints, and start again whoever dies; at the end all are there, disarmed."""
        is_over = asyncio.Event()
        # Whoever calls a server that cannot be started again would wait for ever: they are ended.
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_up(is_over))
            self.plan.armed.touch()
            try:
                yield
            finally:
                self.plan.armed.unlink()
                is_over.set()

    async def _keep_up(self, is_over: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        while True:
            was_over = is_over.is_set()
            for server in self.servers:
                if server.process is not None and server.process.poll() is not None:
                    self.deaths += 1
                    await loop.run_in_executor(None, self._start, server)
            if was_over:
                return
            await asyncio.sleep(LOOK_SECONDS)

    def _start(self, server: ForkedServer) -> None:
        """Start it; one to which something happens while it starts is started again."""
        left = self.plan.endings[self._lives :]
        give_up = time.monotonic() + START_SECONDS
        for attempt in itertools.count():
            life = f"{self._lives}.{attempt}"
            server.program = self.plan.program(life, left[0] if left else None)
            try:
                server.start()
                break
            except AssertionError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(LOOK_SECONDS)
        self._lives += 1
        # Those who know where it was find it there again.
        server.options = (*DEVELOPMENT, "--listen", server.target)


@contextmanager
def running(
    plan: Plan, forked: Forks, *, processes: int, settings: Mapping[str, str] | None = None
) -> Iterator[Site]:
    """Run servers to which happens what is planned; they are stopped in the end.

    Args:
        settings: of the store; by default it is in the plan's folder.
    """
    first = ForkedServer(plan.folder, forks=forked, settings=dict(settings or {}))
    site = Site([first, *(replace(first) for _ in range(processes - 1))], plan)
    try:
        site.start()
        yield site
    finally:
        for server in site.servers:
            if server.process is not None and server.process.poll() is None:
                server.stop()
