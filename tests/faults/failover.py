# SPDX-License-Identifier: Apache-2.0
"""A failover of PostgreSQL under a real server: the standby takes over, and the load goes on.

To kill the primary alone shows nothing: what it had sent is on its way all the same. So the link is
cut first, and the load goes on for a while; what is acknowledged then would be lost. A primary that
is paused instead comes back when the standby has taken its place, and knows nothing of that.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import grpc
from psycopg.conninfo import conninfo_to_dict

from tests.faults.books import Books
from tests.faults.campaign import Report
from tests.faults.load import answered, load, settle
from tests.faults.prefork import ForkedServer, forks
from tests.postgres import Cluster, run_sql
from tests.postgres_standby import Pair, name_standby, pair, paused
from tests.server import DEVELOPMENT, Server, running
from tests.world import Shared, World, connected

VAULTS: Final = 3
WRITES_BEFORE: Final = (80, 140)
"""Answered writes before anything happens."""
WRITES_MEANWHILE: Final = 30
MEANWHILE_SECONDS: Final = 0.6
"""How long the load goes on before the standby takes over, or until so many more are answered."""
SERVES_AGAIN_SECONDS: Final = 20.0
SUCCESSOR: Final = "successor"
"""The name of the standby of the standby that took over."""

_DURABILITY: Final = "CITIZEN_VAULT_DURABILITY"
_EVENTS: Final = "CITIZEN_VAULT_POSTGRES"
_COUNTED: Final = """
SELECT topic, count(*) FROM citizen_vault.records
WHERE convert_from(state, 'UTF8') !~ '"repeats":"[^"]' GROUP BY topic
"""
_POSITIONS: Final = "SELECT position FROM citizen_vault.entries"

Mishap: TypeAlias = Literal["killed", "paused"]


@dataclass
class Failover:
    """One failover under load, and the books of it.

    Attributes:
        mishap: what becomes of the primary.
        waits: commits wait for a standby, and the server needs one.
        meanwhile: writes that were answered while the standby could not have them.
    """

    server: Server
    mishap: Mishap
    waits: bool = True
    books: Books = field(default_factory=Books)
    meanwhile: int = 0

    def run(self, seed: str) -> Books:
        """Fail over, settle what is unknown, and read what the new primary holds."""
        drawn = random.Random(f"failover/{seed}")
        books, server = self.books, self.server
        books.is_lenient = not self.waits
        with ExitStack() as parts:
            here = parts.enter_context(pair())
            durability = "standby" if self.waits else "local"
            server.settings = {**here.settings(), _DURABILITY: durability}
            if self.waits:
                here.name_standby()
            parts.enter_context(running(server))
            shared = _shared(server)
            books.before = self._counted(here.primary)
            asyncio.run(
                load(server, shared, books, drawn, partial(self._fail_over, here, drawn, parts))
            )
            if server.process is not None and server.process.poll() is not None:
                server.start()
            if self.waits:
                # Without, what is unknown may depend on what was lost.
                asyncio.run(settle(server, books))
            books.after = self._counted(here.standby)
            books.positions = [place for (place,) in self._ask(here.standby, _POSITIONS)]
            with connected(server.target) as channel:
                books.read(_world(server, channel), shared)
        return books

    async def _fail_over(self, here: Pair, drawn: random.Random, parts: ExitStack) -> None:
        loop = asyncio.get_running_loop()
        await answered(self.books, drawn.randint(*WRITES_BEFORE))
        if self.mishap == "killed":
            await loop.run_in_executor(None, here.link.cut)
            await self._go_on()
            await loop.run_in_executor(None, here.primary.kill)
            await loop.run_in_executor(None, here.standby.promote)
        else:
            with paused(here.primary):
                await loop.run_in_executor(None, here.standby.promote)
            await self._go_on()
            await loop.run_in_executor(None, here.primary.kill)
        self.books.is_closed = True
        if self.waits:
            successor = await loop.run_in_executor(None, here.standby.standby, SUCCESSOR)
            parts.callback(successor.close)
            await loop.run_in_executor(None, name_standby, here.standby, SUCCESSOR)

    async def _go_on(self) -> None:
        before = self.books.answered
        await answered(self.books, WRITES_MEANWHILE, MEANWHILE_SECONDS)
        self.meanwhile = self.books.answered - before

    def _counted(self, cluster: Cluster) -> Counter[str]:
        return Counter(dict(self._ask(cluster, _COUNTED)))

    def _ask(self, cluster: Cluster, statement: str) -> list[tuple[Any, ...]]:
        database = conninfo_to_dict(self.server.settings[_EVENTS])["dbname"]
        return run_sql(cluster.conninfo(str(database)), statement)


def campaign(seconds: float, seed: str) -> Report:
    """Fail over and fail over, in the one way and in the other."""
    until, done, findings = time.monotonic() + seconds, 0, list[str]()
    with forks() as forked:
        while not done or time.monotonic() < until:
            here = f"{seed}/{done}"
            with tempfile.TemporaryDirectory(prefix="failover-") as folder:
                server = ForkedServer(Path(folder), forks=forked)
                mishap: Mishap = "paused" if done % 2 else "killed"
                books = Failover(server, mishap).run(here)
            findings += (f"{mishap}: {fault} (seed {here!r})" for fault in books.faults())
            done += 1
    return Report(done, "failovers", findings)


def _world(server: Server, channel: grpc.Channel) -> World:
    # What was decided before the loss is refused once; whoever tries again is served.
    give_up = time.monotonic() + SERVES_AGAIN_SECONDS
    while True:
        try:
            return World(server, channel)
        except AssertionError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.1)


def _shared(server: Server) -> list[Shared]:
    """Let a running server have some consents, and keep its address."""
    server.options = (*DEVELOPMENT, "--listen", server.target)
    with connected(server.target) as channel:
        world = World(server, channel)
        return [world.share(world.citizen(), world.service()) for _ in range(VAULTS)]
