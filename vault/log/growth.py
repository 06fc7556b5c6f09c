# SPDX-License-Identifier: Apache-2.0
"""The growing end of a log: its tree's right edge, and the files that further entries make.

A full tile is made once. A partial one has another file for each size that is signed, so it is made
only when somebody asks for what a checkpoint of the present size needs.
"""

from __future__ import annotations

from collections.abc import Sequence

from vault.transparency.tiles import (
    WIDTH,
    Tile,
    TileEdge,
    bundles_between,
    encode_entries,
)
from vault.transparency.tree import leaf_hash

File = tuple[Tile, bytes]


class Growth:
    """The tree of the entries that were taken so far, from the first."""

    def __init__(self) -> None:
        self._edge = TileEdge()
        self._entries: list[bytes] = []
        self._partial: dict[int, File] = {}

    @property
    def size(self) -> int:
        """How many entries were taken."""
        return self._edge.size

    def root(self) -> bytes:
        """Return the root of the tree, 32 bytes."""
        return self._edge.root()

    def take(self, entries: Sequence[bytes]) -> list[File]:
        """Take the entries that follow, and return the files that these have filled."""
        files = self._bundles(entries) + self._edge.extend([leaf_hash(entry) for entry in entries])
        full = []
        for tile, data in files:
            if tile.is_full:
                self._partial.pop(tile.level, None)
                full.append((tile, data))
            else:
                self._partial[tile.level] = (tile, data)
        return full

    def partial(self) -> list[File]:
        """Return the files beside the full ones that a checkpoint of this size needs."""
        return list(self._partial.values())

    def _bundles(self, entries: Sequence[bytes]) -> list[File]:
        first = self.size - len(self._entries)
        pending = [*self._entries, *entries]
        files = [
            (tile, encode_entries(pending[start : start + tile.width]))
            for tile in bundles_between(self.size, self.size + len(entries))
            if (start := tile.index * WIDTH - first) >= 0
        ]
        self._entries = pending[len(pending) // WIDTH * WIDTH :]
        return files
