# SPDX-License-Identifier: Apache-2.0
"""Merkle trees as RFC 6962 section 2.1 makes them: roots, and what proves a leaf or a growth.

A node is named by its level (0 for leaves) and its index in that level. It is whole if all its
leaves are there; the path to a leaf and the proof of a growth need whole nodes only, wherever
those come from: a list of levels, tiles, a table.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence

Nodes = Callable[[int, int], bytes]
"""Returns the 32-byte hash of the whole node at a level and an index."""

EMPTY_ROOT = hashlib.sha256(b"").digest()
"""The root of a tree without leaves."""


def leaf_hash(data: bytes) -> bytes:
    """Return the 32-byte hash of a leaf: SHA-256(0x00 ‖ data)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the 32-byte hash of a node: SHA-256(0x01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def levels_of(leaves: Sequence[bytes]) -> list[Sequence[bytes]]:
    """Return a tree of at least one leaf, level by level: hashes of leaves first, the root last.

    Who has no sibling goes up as it is: the tree is that of RFC 6962, whose left half is whole.
    """
    levels: list[Sequence[bytes]] = [leaves]
    while len(level := levels[-1]) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        above = [node_hash(left, right) for left, right in pairs]
        levels.append(above + [level[-1]] * (len(level) % 2))
    return levels


def path_of(levels: Sequence[Sequence[bytes]], index: int) -> tuple[bytes, ...]:
    """Return the siblings on the way from a leaf to the root (RFC 6962 section 2.1.1)."""
    path = []
    for level in levels[:-1]:
        sibling = index ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        index >>= 1
    return tuple(path)


class Frontier:
    """A tree that grows, of which only the roots of its largest whole nodes are kept.

    Args:
        size: how many leaves it has.
        hashes: the roots of its largest whole nodes, from the left: one for each bit of `size`.

    Raises:
        ValueError: if no tree of that size has as many.
    """

    __slots__ = ("_hashes", "_size")

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        self._size = size
        self._hashes = list(hashes)
        if size < 0 or len(self._hashes) != size.bit_count() or not _are_hashes(self._hashes):
            raise ValueError("the hashes are not those of a tree of that size")

    @classmethod
    def of(cls, nodes: Nodes, size: int) -> Frontier:
        """Return the frontier of a tree of `size` leaves from its nodes."""
        return cls(size, [nodes(level, index) for level, index in _whole_nodes(0, size)])

    @property
    def size(self) -> int:
        """How many leaves the tree has."""
        return self._size

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """The roots of its largest whole nodes, from the left."""
        return tuple(self._hashes)

    def append(self, leaf: bytes) -> None:
        """Let the tree grow by a leaf, given by its 32-byte hash."""
        self.extend((leaf,))

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Let the tree grow by leaves, given by their 32-byte hashes, in order."""
        # A million leaves come this way, so the hash is computed here without a further call.
        sha256, hashes, size = hashlib.sha256, self._hashes, self._size
        pop, push = hashes.pop, hashes.append
        for leaf in leaves:
            found, full = leaf, size
            while full & 1:
                found = sha256(b"\x01" + pop() + found).digest()
                full >>= 1
            push(found)
            size += 1
        self._size = size

    def root(self) -> bytes:
        """Return the root of the tree as it stands."""
        return _fold(self._hashes)

    def copy(self) -> Frontier:
        """Return another one, which grows on its own."""
        return Frontier(self._size, self._hashes)


def root_of(nodes: Nodes, size: int) -> bytes:
    """Return the root of a tree of `size` leaves from its whole nodes."""
    return Frontier.of(nodes, size).root()


def inclusion_path(nodes: Nodes, index: int, size: int) -> tuple[bytes, ...]:
    """Return the siblings on the way from a leaf to the root (RFC 6962 section 2.1.1).

    Raises:
        ValueError: if the leaf is not in a tree of that size.
    """
    if not 0 <= index < size:
        raise ValueError("the place is not in the tree")
    return tuple(_siblings(nodes, 0, index, size))


def consistency_path(nodes: Nodes, old_size: int, size: int) -> tuple[bytes, ...]:
    """Return what shows that a tree grew out of a smaller one (RFC 6962 section 2.1.2).

    Args:
        nodes: those of the larger tree.
        old_size: how many leaves it had.
        size: how many it has.

    Raises:
        ValueError: unless 0 < old_size <= size: nothing can be shown of an empty tree.
    """
    if not 0 < old_size <= size:
        raise ValueError("no tree of the one size grows out of the other")
    if old_size == size:
        return ()
    level = _whole_level(old_size)
    index = (old_size - 1) >> level
    # A whole tree is a node of the larger one by itself: the verifier knows its hash.
    begin = [nodes(level, index)] if index else []
    return (*begin, *_siblings(nodes, level, index, size))


def root_of_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """Return the root to which a path leads from a leaf.

    Args:
        leaf: the leaf's hash.
        index: its place, from 0.
        size: how many leaves the tree has.

    Raises:
        ValueError: if no tree of that size has such a path there.
    """
    if not 0 <= index < size:
        raise ValueError("the place is not in the tree")
    if not _are_hashes((leaf, *path)):
        raise ValueError("the path has what is no hash")
    siblings = iter(path)
    found, last = leaf, size - 1
    try:
        while last:
            if index % 2:
                found = node_hash(next(siblings), found)
            elif index < last:
                found = node_hash(found, next(siblings))
            index, last = index >> 1, last >> 1
    except StopIteration:
        raise ValueError("the path is too short") from None
    if next(siblings, None) is not None:
        raise ValueError("the path is too long")
    return found


def consistent(
    old_size: int, old_root: bytes, size: int, root: bytes, path: Sequence[bytes]
) -> None:
    """Verify that a tree grew out of a smaller one (RFC 6962 section 2.1.2).

    Args:
        old_size: how many leaves it had, at least 1: every tree grows out of the empty one.
        old_root: its root then.
        size: how many it has.
        root: its root.
        path: the proof, as `consistency_path` returns it.

    Raises:
        ValueError: if the path does not show it.
    """
    if not 0 < old_size <= size:
        raise ValueError("no tree of the one size grows out of the other")
    if not _are_hashes(path):
        raise ValueError("the proof has what is no hash")
    if old_size == size:
        if path:
            raise ValueError("the proof is too long")
        found = old_root, old_root
    else:
        found = _roots_of_path(old_size, old_root, size, path)
    if found != (old_root, root):
        raise ValueError("the proof leads to other roots")


def _roots_of_path(
    old_size: int, old_root: bytes, size: int, path: Sequence[bytes]
) -> tuple[bytes, bytes]:
    """Return the roots, old and new, to which a proof of growth leads."""
    level = _whole_level(old_size)
    index, last = (old_size - 1) >> level, (size - 1) >> level
    siblings = iter(path)
    try:
        old = new = next(siblings) if index else old_root
        while last:
            if index % 2:
                sibling = next(siblings)
                old, new = node_hash(sibling, old), node_hash(sibling, new)
            elif index < last:
                new = node_hash(new, next(siblings))
            index, last = index >> 1, last >> 1
    except StopIteration:
        raise ValueError("the proof is too short") from None
    if next(siblings, None) is not None:
        raise ValueError("the proof is too long")
    return old, new


def _siblings(nodes: Nodes, level: int, index: int, size: int) -> Iterator[bytes]:
    """Yield the siblings on the way from a whole node to the root of a tree of `size` leaves."""
    last = (size - 1) >> level
    while last:
        sibling = index ^ 1
        if sibling <= last:
            start = sibling << level
            end = min(start + (1 << level), size)
            yield _fold([nodes(*place) for place in _whole_nodes(start, end)])
        level, index, last = level + 1, index >> 1, last >> 1


def _whole_nodes(start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield level and index of the largest whole nodes between two leaves, from the left.

    Requires that `start` is the first leaf of a node that reaches to `end` or beyond.
    """
    while start < end:
        level = (end - start).bit_length() - 1
        yield level, start >> level
        start += 1 << level


def _whole_level(size: int) -> int:
    """Return the level of the smallest of the largest whole nodes: the last one."""
    return (size & -size).bit_length() - 1


def _fold(hashes: Sequence[bytes]) -> bytes:
    """Return the root above whole nodes that stand side by side, each smaller than its left."""
    if not hashes:
        return EMPTY_ROOT
    found = hashes[-1]
    for left in hashes[-2::-1]:
        found = node_hash(left, found)
    return found


def _are_hashes(values: Iterable[bytes]) -> bool:
    return all(len(value) == 32 for value in values)
