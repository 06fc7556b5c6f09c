# SPDX-License-Identifier: Apache-2.0
"""Killing the server under load, again and again, and keeping the books of what it acknowledged."""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Final

from tests.faults.books import Books
from tests.faults.campaign import Report
from tests.faults.load import answered, load, settle
from tests.faults.prefork import ForkedServer, forks
from tests.server import Server, running
from tests.world import World, connected

VAULTS: Final = 3
CAMPAIGN_CYCLES: Final = 50
LOAD_WRITES: Final = (12, 12, 12, 80)
"""The most answered writes before a kill: on a slow machine it takes longer, and reaches as far."""


def run(server: Server, cycles: int, *, seed: str) -> Books:
    """Kill a server so many times under load, settle what is unknown, and read what it holds."""
    drawn = random.Random(f"crash/{seed}")
    books = Books()
    with running(server):
        with connected(server.target) as channel:
            world = World(server, channel)
            shared = [world.share(world.citizen(), world.service()) for _ in range(VAULTS)]
        books.before = _recorded(server)
        for _ in range(cycles):

            async def kill() -> None:
                await answered(books, drawn.randint(2, drawn.choice(LOAD_WRITES)))
                await asyncio.get_running_loop().run_in_executor(None, server.kill)

            asyncio.run(load(server, shared, books, drawn, kill))
            server.start()
            books.damage += _damage(server)
            asyncio.run(settle(server, books))
        books.after = _recorded(server)
        with connected(server.target) as channel:
            books.read(World(server, channel), shared)
        books.positions = [
            int(str(position)) for (position,) in server.sql("SELECT position FROM entries")
        ]
        assert server.stop() == 0
    return books


def campaign(seconds: float, seed: str) -> Report:
    """Go on killing, a new server each round."""
    until, kills, findings = time.monotonic() + seconds, 0, list[str]()
    with forks() as forked:
        while not kills or time.monotonic() < until:
            here = f"{seed}/{kills}"
            with tempfile.TemporaryDirectory(prefix="kill-") as folder:
                books = run(ForkedServer(Path(folder), forks=forked), CAMPAIGN_CYCLES, seed=here)
            findings += (f"{fault} (seed {here!r})" for fault in books.faults())
            kills += CAMPAIGN_CYCLES
    return Report(kills, "kills", findings)


def _recorded(server: Server) -> Counter[str]:
    """Count records by kind; the repeat of a disclosure is none of its own."""
    counted = server.sql(
        'SELECT topic, count(*) FROM records WHERE instr(state, \'"repeats":"\') = 0'
        ' OR instr(state, \'"repeats":""\') > 0 GROUP BY topic'
    )
    return Counter({str(topic): int(str(count)) for topic, count in counted})


def _damage(server: Server) -> list[str]:
    return [
        str(said)
        for file in ("events.db", "keys.db")
        for (said,) in server.sql("PRAGMA integrity_check", file=file)
        if said != "ok"
    ]
