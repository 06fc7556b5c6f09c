# SPDX-License-Identifier: Apache-2.0
"""Turns at streams: one holder each at a time, in the order of asking; those that lead come first.

A stop that waited behind every attempt would be stopped by a flood of them; so it leads.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Turns:
    """Hands out turns to the coroutines of one event loop."""

    def __init__(self) -> None:
        # A stream stands here while somebody holds its turn; who waits for it stands beside it.
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def at(self, stream: str, *, leads: bool = False) -> AsyncIterator[None]:
        """Hold the turn at a stream.

        Args:
            leads: goes before all that wait already.
        """
        await self._take(stream, leads=leads)
        try:
            yield
        finally:
            self._pass_on(stream)

    async def _take(self, stream: str, *, leads: bool) -> None:
        waiting = self._waiting.get(stream)
        if waiting is None:
            self._waiting[stream] = deque()
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if leads:
            waiting.appendleft(turn)
        else:
            waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            # Cancelled just after it was given: somebody else must have it.
            if not turn.cancelled():
                self._pass_on(stream)
            raise

    def _pass_on(self, stream: str) -> None:
        waiting = self._waiting[stream]
        while waiting:
            turn = waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        del self._waiting[stream]
