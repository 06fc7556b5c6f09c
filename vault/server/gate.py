# SPDX-License-Identifier: Apache-2.0
"""A gate for one kind of call, so that a flood of it leaves room for all others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from vault.domain.errors import LimitExceededError


class Gate:
    """Lets so many through at once; so many more may wait, in order; the rest is turned away."""

    def __init__(self, width: int, waiting: int) -> None:
        self._places = asyncio.Semaphore(width)
        self._most = width + waiting
        self._inside = 0

    @asynccontextmanager
    async def passage(self) -> AsyncIterator[None]:
        """Wait for a place and hold it.

        Raises:
            LimitExceededError: if too many wait already.
        """
        if self._inside >= self._most:
            raise LimitExceededError(detail="Too many disclosures wait.")
        self._inside += 1
        try:
            async with self._places:
                yield
        finally:
            self._inside -= 1
