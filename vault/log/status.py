# SPDX-License-Identifier: Apache-2.0
"""What a process knows of one log: what is published, why nothing is signed, what is unwitnessed.

One thread learns, the event loop asks and waits.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from vault.domain.errors import DeadlinePassedError, LogUnsignedError
from vault.log.age import UnwitnessedAge

if TYPE_CHECKING:
    from vault.log.errors import LogRefusesError
    from vault.log.integrator import Published


class LogStatus:
    """The state of one log, as far as it is known here."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, changed: Callable[[], None] = lambda: None
    ) -> None:
        """Begin to know nothing.

        Args:
            loop: where others ask and wait.
            changed: called there when the log refuses, or does so no more.
        """
        self._loop = loop
        self._changed = changed
        self._age = UnwitnessedAge()
        self._noticed = time.monotonic()
        self._waiting: set[asyncio.Future[None]] = set()
        self.published: Published | None = None
        self.refusal: LogRefusesError | None = None

    # --- For the thread

    def publish(self, published: Published) -> None:
        """Take note of a published checkpoint."""
        if published.has_quorum:
            self._age.witness(published.checkpoint.size)
        self.published = published
        self._tell(self._wake)

    def notice(self, size: int, seconds: float = 0.0) -> None:
        """Take note of how many entries there are, the oldest of the new ones so old."""
        now = time.monotonic()
        self._age.notice(size, now - max(0.0, seconds))
        self._noticed = now

    def refuse(self, refusal: LogRefusesError) -> None:
        """Take note that nothing is signed any more."""
        self.refusal = refusal
        self._tell(self._wake)
        self._tell(self._changed)

    @property
    def is_waited_for(self) -> bool:
        """Whether somebody here waits for a later checkpoint."""
        return bool(self._waiting)

    # --- For the loop

    @property
    def unwitnessed_seconds(self) -> float:
        """How old the oldest entry is that no quorum has signed; 0 if there is none."""
        return self._age.seconds(time.monotonic())

    @property
    def unseen_seconds(self) -> float:
        """How long nobody has looked how many entries there are, because a step does not end."""
        return time.monotonic() - self._noticed

    async def covering(self, size: int, deadline: float) -> Published:
        """Return a published checkpoint of at least so many entries.

        Args:
            deadline: on the monotonic clock.

        Raises:
            LogUnsignedError: nothing is signed any more.
            DeadlinePassedError: there is none in time.
        """
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                while (published := self.published) is None or published.checkpoint.size < size:
                    if self.refusal is not None:
                        raise LogUnsignedError
                    await self._next()
        except TimeoutError:
            raise DeadlinePassedError from None
        return published

    async def _next(self) -> None:
        learned = self._loop.create_future()
        self._waiting.add(learned)
        try:
            await learned
        finally:
            self._waiting.discard(learned)

    def _wake(self) -> None:
        for learned in self._waiting:
            if not learned.done():
                learned.set_result(None)

    def _tell(self, what: Callable[[], None]) -> None:
        # A loop that is closed has nobody who waits.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(what)
