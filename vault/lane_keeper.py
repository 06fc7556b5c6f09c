# SPDX-License-Identifier: Apache-2.0
"""Serves a further lane for as long as the process runs, whenever its database can be reached.

A lane whose database is gone stops no other: what lies in it is `STORE_UNAVAILABLE` meanwhile, and
it is opened anew until it is there again. So a process also starts while a lane is away.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

from eventsourcing.persistence import OperationalError, PersistenceError

from projections.runner import Runner
from vault.application.lanes import Lanes
from vault.domain.errors import VaultError
from vault.store.lane import Lane
from vault.store.vaults import Vaults

RETRY_SECONDS: Final = 2.0

OpenLane = Callable[[Callable[[BaseException], None]], Lane]
"""Opens a lane; what it is given is told when nothing can be appended to it any more."""

_logger = logging.getLogger(__name__)


class LaneKeeper:
    """Keeps one lane served."""

    def __init__(
        self,
        number: int,
        open_lane: OpenLane,
        lanes: Lanes,
        vaults: Vaults,
        views: Sequence[Runner[Any]],
    ) -> None:
        self._number = number
        self._open_lane = open_lane
        self._lanes = lanes
        self._vaults = vaults
        self._views = views
        self._lost = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Serve the lane from now on, or as soon as it can be reached.

        Raises:
            StoreUnfitError: if its database is not the one that was listed.
        """
        is_served = await self._serve()
        self._keeping = asyncio.create_task(self._keep(is_served=is_served))

    async def aclose(self) -> None:
        """Stop looking after it; who closes the vaults closes the lane."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)

    async def _serve(self) -> bool:
        """Open the lane and serve it; say whether that was possible."""
        self._lost.clear()
        try:
            lane = await asyncio.to_thread(self._open_lane, self._lose)
        except OperationalError:
            _logger.warning("lane %d cannot be reached: it is tried again", self._number)
            return False
        lane.start()
        try:
            await self._lanes.admit(lane)
        except VaultError as error:
            _logger.warning(
                "lane %d cannot be served, %s: it is tried again", self._number, error.reason
            )
            await lane.aclose()
            return False
        except BaseException:
            await lane.aclose()
            raise
        for view in self._views:
            view.follow(lane)
        return True

    def _lose(self, error: BaseException) -> None:
        # Only opening it anew tells what it holds.
        _logger.error("lane %d is lost: %s", self._number, type(error).__name__)
        self._lost.set()

    async def _keep(self, *, is_served: bool) -> None:
        while True:
            if is_served:
                await self._lost.wait()
            try:
                if is_served:
                    is_served = False
                    await self._vaults.withdraw(self._number).aclose()
                is_served = await self._serve()
            except (PersistenceError, VaultError) as error:
                _logger.error("lane %d cannot be served: %s", self._number, error)  # noqa: TRY400
            if not is_served:
                await asyncio.sleep(RETRY_SECONDS)
