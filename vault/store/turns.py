# SPDX-License-Identifier: Apache-2.0
"""Turns at streams: one holder each at a time, in the order of asking; those that lead come first.

A stop that waited behind every attempt would be stopped by a flood of them; so it leads.
"""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType
from typing import Self


class Turns:
    """Hands out turns to the coroutines of one event loop."""

    def __init__(self) -> None:
        # A stream stands here while somebody holds its turn; who waits for it stands beside it.
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    def at(self, stream: str) -> Turn:
        """Return a turn at a stream, not yet taken."""
        return Turn(self._waiting, stream)


class Turn:
    """A turn at one stream: `async with` takes it, and passes it on in the end."""

    __slots__ = ("_is_held", "_stream", "_turns")

    def __init__(self, turns: dict[str, deque[asyncio.Future[None]]], stream: str) -> None:
        self._turns = turns
        self._stream = stream
        self._is_held = False

    async def __aenter__(self) -> Self:
        await self.take()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.pass_on()

    async def take(self, *, leads: bool = False) -> None:
        """Wait for the turn and hold it.

        Args:
            leads: goes before all that wait already.
        """
        waiting = self._turns.get(self._stream)
        if waiting is None:
            self._turns[self._stream] = deque()
            self._is_held = True
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
            self._is_held = not turn.cancelled()
            self.pass_on()
            raise
        self._is_held = True

    def pass_on(self) -> None:
        """Let the next one have it; one that is not held is no error."""
        if not self._is_held:
            return
        self._is_held = False
        waiting = self._turns[self._stream]
        while waiting:
            turn = waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        del self._turns[self._stream]
