# SPDX-License-Identifier: Apache-2.0
"""Room for documents on their way in: each is held in memory, however slowly it comes."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MOST_UPLOADS: Final = 8
"""Documents that are taken in at the same time, for everybody together."""


class Uploads:
    """So many places for everybody, and one for each person; whoever comes then waits."""

    def __init__(self, most: int = MOST_UPLOADS) -> None:
        self._places = asyncio.Semaphore(most)
        self._turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def place(self, who: tuple[str, str]) -> AsyncIterator[None]:
        """Hold a place for somebody."""
        turn = self._turns.setdefault(who, asyncio.Lock())
        async with turn, self._places:
            yield
