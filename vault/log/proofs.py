# SPDX-License-Identifier: Apache-2.0
"""Proofs that a leaf is in a log (C2SP tlog-proof), made from its files: to be verified offline."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from vault.domain.errors import NotFoundError
from vault.transparency.proof import InclusionProof
from vault.transparency.tiles import TileReader
from vault.transparency.tree import inclusion_path

if TYPE_CHECKING:
    from vault.log.folder import LogFolder
    from vault.log.integrator import Published
    from vault.log.status import LogStatus


class Proofs:
    """Proves what stands in one log."""

    def __init__(
        self, folder: LogFolder, status: LogStatus, tree_size: Callable[[], Awaitable[int]]
    ) -> None:
        """Make proofs from what is published.

        Args:
            tree_size: returns how many entries the lane holds.
        """
        self._folder = folder
        self._status = status
        self._tree_size = tree_size

    async def of(self, leaf_index: int, leaf_hash: bytes, deadline: float) -> str:
        """Return the proof of a leaf, once a published checkpoint covers it.

        Args:
            leaf_hash: 32 bytes; who does not know it is told nothing.
            deadline: on the monotonic clock.

        Raises:
            NotFoundError: there is no such place in the lane, or another leaf stands there.
            LogUnsignedError: it is not covered, and nothing is signed any more.
            DeadlinePassedError: it is not covered in time.
            StoreUnavailableError: the lane cannot be read.
        """
        known = self._status.published
        if known is None or known.checkpoint.size <= leaf_index:
            # What is not in the lane will never be covered.
            if await self._tree_size() <= leaf_index:
                raise NotFoundError
            known = await self._status.covering(leaf_index + 1, deadline)
        return await asyncio.to_thread(self._prove, known, leaf_index, leaf_hash)

    def _prove(self, published: Published, leaf_index: int, leaf_hash: bytes) -> str:
        size = published.checkpoint.size
        nodes = TileReader(self._folder.read, size).nodes
        if nodes(0, leaf_index) != leaf_hash:
            raise NotFoundError
        path = inclusion_path(nodes, leaf_index, size)
        return InclusionProof(leaf_index, path, published.note).encode().decode()
