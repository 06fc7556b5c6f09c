# SPDX-License-Identifier: Apache-2.0
"""Tiles, C2SP tlog-tiles: a log's tree and its entries as files that never change.

A tile holds up to 256 hashes side by side; those of level 0 are leaves, each of the levels above
is the root of a full tile below. The last tile of a level may be partial; its file has another
name for each width, so a file once written stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from vault.transparency.encoding import LARGEST_NUMBER, FormError
from vault.transparency.tree import EMPTY_ROOT, levels_of

HEIGHT = 8
WIDTH = 1 << HEIGHT
ENTRIES = -1
"""The level of the bundles of entries, which stand beside the tiles of level 0."""

LARGEST_ENTRY = 2**16 - 1

_PATH = re.compile(
    "tile/(?P<level>entries|[0-9]{1,2})"
    "/(?P<index>(?:x[0-9]{3}/){0,6}[0-9]{3})"
    r"(?:\.p/(?P<width>[0-9]{1,3}))?"
)


@dataclass(frozen=True)
class Tile:
    """The place of a tile or of a bundle of entries.

    Args:
        level: 0 for hashes of leaves, 1 for roots of 256 leaves each, and so on; or ENTRIES.
        index: its place in the level, from 0.
        width: how many it holds, 1 to 256. Less than 256: partial.

    Raises:
        FormError: if there is no such place.
    """

    level: int
    index: int
    width: int = WIDTH

    def __post_init__(self) -> None:
        if not (
            ENTRIES <= self.level < 64
            and 0 <= self.index <= LARGEST_NUMBER
            and 1 <= self.width <= WIDTH
        ):
            raise FormError("there is no such tile")

    @property
    def is_full(self) -> bool:
        """Whether it holds all that it ever will."""
        return self.width == WIDTH

    @property
    def full(self) -> Tile:
        """The same place, when it is full."""
        return Tile(self.level, self.index)

    @property
    def path(self) -> str:
        """Where it is served, below the log's prefix."""
        level = "entries" if self.level == ENTRIES else self.level
        partial = "" if self.is_full else f".p/{self.width}"
        return f"tile/{level}/{_encode_index(self.index)}{partial}"

    @classmethod
    def parse(cls, path: str) -> Self:
        """Return the place that a path names.

        Raises:
            FormError: if it is not the one path of a tile.
        """
        found = _PATH.fullmatch(path)
        if not found:
            raise FormError("the path is not that of a tile")
        level = ENTRIES if found["level"] == "entries" else int(found["level"])
        index = int(re.sub("[x/]", "", found["index"]))
        tile = cls(level, index, int(found["width"] or WIDTH))
        if tile.path != path:
            raise FormError("the path is not that of a tile")
        return tile


def tiles_between(old_size: int, new_size: int) -> Iterator[Tile]:
    """Yield the tiles of hashes to write when a log grows, from the leaves up."""
    level = 0
    while new_size >> (level * HEIGHT):
        yield from _between(level, old_size >> (level * HEIGHT), new_size >> (level * HEIGHT))
        level += 1


def bundles_between(old_size: int, new_size: int) -> Iterator[Tile]:
    """Yield the bundles of entries to write when a log grows."""
    return _between(ENTRIES, old_size, new_size)


def encode_entries(entries: Iterable[bytes]) -> bytes:
    """Return a bundle: each entry behind its length in two bytes.

    Raises:
        FormError: if an entry is longer than 65,535 bytes.
    """
    parts = []
    for entry in entries:
        if len(entry) > LARGEST_ENTRY:
            raise FormError("an entry is longer than 65,535 bytes")
        parts += [len(entry).to_bytes(2, "big"), entry]
    return b"".join(parts)


def parse_entries(data: bytes) -> tuple[bytes, ...]:
    """Return the entries of a bundle.

    Raises:
        FormError: if the bytes are no bundle of 1 to 256 entries.
    """
    entries, at = [], 0
    while at < len(data):
        start = at + 2
        at = start + int.from_bytes(data[at:start], "big")
        entries.append(data[start:at])
    if at != len(data) or not 1 <= len(entries) <= WIDTH:
        raise FormError("the bytes are no bundle of entries")
    return tuple(entries)


def parse_hashes(tile: Tile, data: bytes) -> tuple[bytes, ...]:
    """Return the hashes of a tile.

    Raises:
        FormError: if the bytes are not as many as the tile is wide.
    """
    if len(data) != tile.width * 32:
        raise FormError("a tile is not as wide as its name says")
    return tuple(data[at : at + 32] for at in range(0, len(data), 32))


class TileReader:
    """The tree of a log of a certain size, out of its tiles, each read at most once.

    What it returns is as true as the tiles are: whoever does not trust these verifies the root.

    Args:
        read: returns the bytes at a path below the log's prefix; FileNotFoundError if none are.
        size: the log's, as a checkpoint says.
    """

    def __init__(self, read: Callable[[str], bytes], size: int) -> None:
        self._read = read
        self._size = size
        self._levels: dict[tuple[int, int], list[Sequence[bytes]]] = {}

    def nodes(self, level: int, index: int) -> bytes:
        """Return the hash of a whole node; see `tree.Nodes`.

        Raises:
            ValueError: if the tree has no such whole node, or a tile is not as its name says.
            FileNotFoundError: if neither the tile nor the full one that replaced it is there.
        """
        if level < 0 or not 0 <= index < self._size >> level:
            raise ValueError("the tree has no such whole node")
        tile_level, height = divmod(level, HEIGHT)
        tile_index, place = divmod(index, WIDTH >> height)
        return self._tile(tile_level, tile_index)[height][place]

    def hashes(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the hashes of the leaves from `start` to before `end`.

        Raises:
            ValueError: if the tree has not so many, or a tile is not as its name says.
            FileNotFoundError: as `nodes` does.
        """
        if not 0 <= start <= end <= self._size:
            raise ValueError("the tree has no such leaves")
        for index in range(start // WIDTH, -(-end // WIDTH)):
            first = index * WIDTH
            leaves = self._hashes(0, index)
            yield from leaves[max(start - first, 0) : end - first]

    def edge(self) -> TileEdge:
        """Return the right edge of the tiles, from which the log can grow.

        Raises:
            ValueError: if a tile is not as its name says.
            FileNotFoundError: as `nodes` does.
        """
        rows = []
        for level, width in enumerate(_widths(self._size)):
            index = self._size >> ((level + 1) * HEIGHT)
            rows.append(self._hashes(level, index) if width else ())
        return TileEdge(self._size, rows)

    def _tile(self, level: int, index: int) -> list[Sequence[bytes]]:
        if (level, index) not in self._levels:
            self._levels[level, index] = levels_of(self._hashes(level, index))
        return self._levels[level, index]

    def _hashes(self, level: int, index: int) -> tuple[bytes, ...]:
        width = min((self._size >> (level * HEIGHT)) - index * WIDTH, WIDTH)
        tile = Tile(level, index, width)
        try:
            data = self._read(tile.path)
        except FileNotFoundError:
            # A log may delete a partial tile once the full one is there.
            return parse_hashes(tile.full, self._read(tile.full.path))[:width]
        return parse_hashes(tile, data)


class TileEdge:
    """The right edge of a log's tiles: all that has to be kept so that the log can grow.

    Args:
        size: how many leaves the log has.
        rows: of each level from the leaves up, the hashes in its last tile, if that is partial.

    Raises:
        FormError: if no log of that size has such an edge.
    """

    def __init__(self, size: int = 0, rows: Iterable[Iterable[bytes]] = ()) -> None:
        self._size = size
        self._rows = [list(row) for row in rows]
        if size < 0 or [len(row) for row in self._rows] != _widths(size):
            raise FormError("the hashes are not those at the edge of a log of that size")

    @property
    def size(self) -> int:
        """How many leaves the log has."""
        return self._size

    def extend(self, leaves: Sequence[bytes]) -> list[tuple[Tile, bytes]]:
        """Let the log grow by leaves, given by their 32-byte hashes, in order.

        Returns:
            The tiles to write, from the leaves up: those of `tiles_between`, with their bytes.
        """
        written: list[tuple[Tile, bytes]] = []
        rows = self._rows.copy()
        level, added = 0, leaves
        while added:
            row = [*(rows[level] if level < len(rows) else ()), *added]
            tiles = [row[at : at + WIDTH] for at in range(0, len(row), WIDTH)]
            first = (self._size >> (level * HEIGHT)) // WIDTH
            written += [
                (Tile(level, index, len(tile)), b"".join(tile))
                for index, tile in enumerate(tiles, first)
            ]
            full = tiles[: len(row) // WIDTH]
            rows[level:] = [row[len(full) * WIDTH :], *rows[level + 1 :]]
            level, added = level + 1, [levels_of(tile)[-1][0] for tile in full]
        self._rows, self._size = rows, self._size + len(leaves)
        return written

    def root(self) -> bytes:
        """Return the root of the log's tree as it stands."""
        found: list[bytes] = []
        for row in self._rows:
            # What the lower rows make is the last node of this one, as far as it goes.
            nodes = [*row, *found]
            found = [levels_of(nodes)[-1][0]] if nodes else []
        return found[0] if found else EMPTY_ROOT


def _between(level: int, old: int, new: int) -> Iterator[Tile]:
    """Yield the tiles of a level that `old` to before `new` of what it holds are in."""
    if old < new:
        for index in range(old // WIDTH, -(-new // WIDTH)):
            yield Tile(level, index, min(new - index * WIDTH, WIDTH))


def _widths(size: int) -> list[int]:
    """Return how wide the partial tile of each level is."""
    widths = []
    while size:
        size, width = divmod(size, WIDTH)
        widths.append(width)
    return widths


def _encode_index(index: int) -> str:
    digits = str(index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    parts = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    return "/".join([*(f"x{part}" for part in parts[:-1]), parts[-1]])
