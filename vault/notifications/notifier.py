# SPDX-License-Identifier: Apache-2.0
"""The round that is made again and again: follow, look for ends, settle, send.

What goes wrong with one lane, one vault or one message stops no other: it is logged, without a word
of hers, and tried again.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from vault.domain.errors import StoreUnavailableError, VaultError
from vault.domain.values import later, time_of
from vault.notifications.ends import notice_ends

if TYPE_CHECKING:
    from collections.abc import Callable

    from vault.domain.values import Time
    from vault.notifications.following import Follower
    from vault.notifications.outbox import Outbox
    from vault.notifications.sending import Sender
    from vault.notifications.settling import Settler
    from vault.store.vaults import Vaults

PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 30.0
ENDS_SECONDS: Final = 3600
"""How often ends are looked for."""
UNREADABLE_SECONDS: Final = 3600
"""How long a vault that cannot be read is left alone."""
STREAMS: Final = 100

_logger = logging.getLogger(__name__)


def _now() -> Time:
    # Not the clock that stamps events: after a jump of the wall clock that one tells nothing.
    return time_of(datetime.now(UTC))


class Notifier:
    """Tells citizens what happened, until it is stopped."""

    def __init__(
        self,
        vaults: Vaults,
        outbox: Outbox,
        follower: Follower,
        settler: Settler,
        sender: Sender,
        *,
        clock: Callable[[], Time] = _now,
    ) -> None:
        self._vaults = vaults
        self._outbox = outbox
        self._follower = follower
        self._settler = settler
        self._sender = sender
        self._clock = clock
        self._next_ends = ""
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Stop after the round under way."""
        self._stopping.set()

    async def run(self) -> None:
        """Make rounds until stopped."""
        trouble = PAUSE_SECONDS
        while not self._stopping.is_set():
            try:
                pause = 0.0 if await self.round(self._clock()) else PAUSE_SECONDS
                trouble = PAUSE_SECONDS
            except Exception as error:  # noqa: BLE001 - whatever it is, the next round may go well
                # Nothing of the message: it may quote what was found.
                _logger.error("notifications stand still: %s", type(error).__name__)  # noqa: TRY400
                pause = trouble
                trouble = min(2 * trouble, LONGEST_PAUSE_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._stopping.wait()

    async def round(self, now: Time) -> bool:
        """Tell what there is to tell by now, and say whether there may be more."""
        for lane in self._vaults.lanes.values():
            try:
                await self._follower.catch_up(lane, now)
            except VaultError as error:
                _logger.warning("a lane is not followed now: %s", error.reason)
        if now >= self._next_ends:
            await notice_ends(self._outbox, self._vaults, now)
            self._next_ends = later(now, seconds=ENDS_SECONDS)
        streams = self._outbox.due_streams(now, STREAMS)
        for stream in streams:
            await self._settle(stream, now)
        return await self._sender.send_due(now) or len(streams) == STREAMS

    async def _settle(self, stream: str, now: Time) -> None:
        try:
            await self._settler.settle(stream, now)
        except StoreUnavailableError:
            # No vault can be read: none is to wait longer for that than the store does.
            raise
        except VaultError as error:
            # It must not stand before all others for ever.
            _logger.warning("a vault cannot be read for notifications: %s", error.reason)
            with self._outbox.transaction():
                for one in self._outbox.due_notices(stream, now):
                    self._outbox.postpone(one.number, later(now, seconds=UNREADABLE_SECONDS))
