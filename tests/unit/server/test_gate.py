# SPDX-License-Identifier: Apache-2.0
"""The gate: so many inside, so many waiting, the rest turned away, and no place ever lost."""

from __future__ import annotations

import asyncio

import pytest

from vault.domain.errors import LimitExceededError
from vault.server.gate import BATCHES_AT_ONCE, Gate, gates_of

SERVICE = "/vault.api.v1.DisclosureService"
NAMES = ("DiscloseEvidence", "DiscloseEvidenceBatch")


class Crowd:
    """Passes a gate again and again, and stays inside until let go."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.inside = 0
        self.leave = asyncio.Event()

    async def enter(self) -> None:
        async with self.gate.place():
            self.inside += 1
            await self.leave.wait()

    async def come(self, number: int) -> list[asyncio.Task[None]]:
        tasks = [asyncio.create_task(self.enter()) for _ in range(number)]
        await asyncio.sleep(0)
        return tasks


async def test_so_many_pass_at_once() -> None:
    crowd = Crowd(Gate(2, 5))

    tasks = await crowd.come(4)

    assert crowd.inside == 2
    crowd.leave.set()
    await asyncio.gather(*tasks)


async def test_who_comes_beyond_those_that_wait_is_turned_away() -> None:
    crowd = Crowd(Gate(1, 1))
    tasks = await crowd.come(2)

    with pytest.raises(LimitExceededError):
        await crowd.enter()

    crowd.leave.set()
    await asyncio.gather(*tasks)


async def test_who_waits_passes_when_a_place_is_free() -> None:
    crowd = Crowd(Gate(1, 1))
    tasks = await crowd.come(2)

    crowd.leave.set()
    await asyncio.gather(*tasks)

    assert crowd.inside == 2


@pytest.mark.parametrize("cancelled", [0, 1])
async def test_who_gives_up_leaves_a_place(cancelled: int) -> None:
    crowd = Crowd(Gate(1, 1))
    tasks = await crowd.come(2)
    tasks[cancelled].cancel()
    await asyncio.wait([tasks[cancelled]])

    tasks += await crowd.come(1)
    crowd.leave.set()
    await asyncio.gather(*tasks, return_exceptions=True)

    assert [task.cancelled() for task in tasks].count(False) == 2
    assert not tasks[2].exception()


async def test_messages_of_many_have_a_narrow_gate_of_their_own() -> None:
    gates = gates_of(100, 0)
    single, batch = (Crowd(gates[f"{SERVICE}/{name}"]) for name in NAMES)

    tasks = [*await single.come(100), *await batch.come(BATCHES_AT_ONCE)]

    assert (single.inside, batch.inside) == (100, BATCHES_AT_ONCE)
    for crowd in (single, batch):
        with pytest.raises(LimitExceededError):
            await crowd.enter()
        crowd.leave.set()
    await asyncio.gather(*tasks)
