# SPDX-License-Identifier: Apache-2.0
"""One holder at a time, in the order of asking, and nobody who leads waits for a crowd."""

from __future__ import annotations

import asyncio

from vault.store.turns import Turns


class Crowd:
    """Coroutines that take their turn at one stream and say so."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.order: list[str] = []
        self.holding = 0
        self.most = 0

    async def take(self, name: str, stream: str = "stream", *, leads: bool = False) -> None:
        turn = self.turns.at(stream)
        try:
            await turn.take(leads=leads)
            self.order.append(name)
            self.holding += 1
            self.most = max(self.most, self.holding)
            await asyncio.sleep(0.001)
            self.holding -= 1
        finally:
            turn.pass_on()


async def test_turns_come_in_the_order_of_asking_one_at_a_time() -> None:
    crowd = Crowd()

    await asyncio.gather(*(crowd.take(name) for name in "abcd"))

    assert (crowd.order, crowd.most) == (list("abcd"), 1)


async def test_who_leads_comes_next() -> None:
    crowd = Crowd()

    await asyncio.gather(*(crowd.take(name) for name in "abcd"), crowd.take("stop", leads=True))

    assert crowd.order == ["a", "stop", "b", "c", "d"]


async def test_streams_do_not_wait_for_each_other() -> None:
    crowd = Crowd()

    await asyncio.gather(crowd.take("a", "one"), crowd.take("b", "other"))

    assert crowd.most == 2


async def test_who_leaves_while_waiting_is_passed_over() -> None:
    crowd = Crowd()
    tasks = [asyncio.create_task(crowd.take(name)) for name in "abc"]
    await asyncio.sleep(0)

    tasks[1].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    assert crowd.order == ["a", "c"]


async def test_who_leaves_just_when_given_a_turn_passes_it_on() -> None:
    crowd = Crowd()
    waiting: list[asyncio.Task[None]] = []

    async def hold_and_cancel_the_next() -> None:
        async with crowd.turns.at("stream"):
            waiting.extend(asyncio.create_task(crowd.take(name)) for name in "bc")
            await asyncio.sleep(0)
        waiting[0].cancel()

    await hold_and_cancel_the_next()
    await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 1)

    assert crowd.order == ["c"]


async def test_a_holder_that_fails_passes_its_turn_on() -> None:
    crowd = Crowd()

    async def fail() -> None:
        async with crowd.turns.at("stream"):
            await asyncio.sleep(0)
            raise ConnectionError

    await asyncio.wait_for(asyncio.gather(fail(), crowd.take("b"), return_exceptions=True), 1)

    assert crowd.order == ["b"]


async def test_nothing_is_left_of_a_crowd() -> None:
    crowd = Crowd()
    tasks = [asyncio.create_task(crowd.take(name)) for name in "abc"]
    await asyncio.sleep(0)
    tasks[2].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    assert vars(crowd.turns) == {"_waiting": {}}
