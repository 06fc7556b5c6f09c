# SPDX-License-Identifier: Apache-2.0
"""Proofs out of the published logs, for whoever knows the leaf that they are about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from vault.domain.errors import NotFoundError
from vault.log.logs import Checkpoint
from vault.store.record import leaf_of

if TYPE_CHECKING:
    from vault.application.desk import Desk


class PublishedLogs(Protocol):
    """What the published logs of the lanes are asked."""

    async def of(self, lane: int, leaf_index: int, leaf_hash: bytes, deadline: float) -> str:
        """Return a proof of inclusion, as C2SP tlog-proof writes it.

        Raises:
            DeadlinePassedError: if no published checkpoint covers the leaf in time.
        """

    async def checkpoint(self, lane: int) -> Checkpoint:
        """Return the newest published checkpoint.

        Raises:
            NotFoundError: if nothing was published yet.
        """


class LogProofs:
    """Gives proofs, to everybody who is signed in."""

    def __init__(self, desk: Desk, logs: PublishedLogs) -> None:
        self._vaults = desk.vaults
        self._logs = logs

    async def inclusion(
        self, origin: str, leaf_index: int, leaf_hash: bytes, *, deadline: float
    ) -> str:
        """Return the proof that a record stands in a log.

        Raises:
            NotFoundError: if there is no such log, or another leaf stands there: who does not know
                the leaf learns nothing.
            DeadlinePassedError: if no published checkpoint covers it in time.
        """
        lane = await self._vaults.lane_named(origin)
        if leaf_index >= await lane.tree_size():
            raise NotFoundError
        found = await lane.range(leaf_index, leaf_index + 1, limit=1)
        if not found or leaf_of(found[0].entry) != leaf_hash:
            raise NotFoundError
        return await self._logs.of(lane.number, leaf_index, leaf_hash, deadline)

    async def checkpoint(self, origin: str) -> Checkpoint:
        """Return the newest checkpoint of a log.

        Raises:
            NotFoundError: if there is no such log, or nothing was published yet.
        """
        lane = await self._vaults.lane_named(origin)
        return await self._logs.checkpoint(lane.number)
