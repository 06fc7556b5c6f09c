# SPDX-License-Identifier: Apache-2.0
"""Merkle trees as RFC 6962 section 2.1 makes them: a root, and the path from a leaf to it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


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
