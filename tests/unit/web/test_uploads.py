# SPDX-License-Identifier: Apache-2.0
"""Documents on their way in: few at once, and nobody takes all places."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from clients.web.uploads import Uploads

MALLORY = ("https://i", "mallory")


async def test_who_sends_slowly_keeps_one_place_and_not_all() -> None:
    uploads = Uploads(2)
    async with AsyncExitStack() as held:
        await held.enter_async_context(uploads.place(MALLORY))
        more = [asyncio.create_task(_taken(uploads, MALLORY)) for _ in range(5)]

        async with asyncio.timeout(5), uploads.place(("https://i", "mair")):
            pass
    async with asyncio.timeout(5):
        assert all(await asyncio.gather(*more))


async def test_no_more_are_taken_in_at_once_than_there_is_room_for() -> None:
    uploads = Uploads(2)
    async with AsyncExitStack() as held:
        for number in range(2):
            await held.enter_async_context(uploads.place(("https://i", f"somebody-{number}")))
        waiting = asyncio.create_task(_taken(uploads, MALLORY))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not waiting.done()
    async with asyncio.timeout(5):
        assert await waiting


async def _taken(uploads: Uploads, who: tuple[str, str]) -> bool:
    async with uploads.place(who):
        return True
