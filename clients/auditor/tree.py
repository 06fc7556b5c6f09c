# SPDX-License-Identifier: Apache-2.0
"""Trees as RFC 6962 hashes them: a root from all leaves, or from one leaf and the way up.

leaf = SHA-256(0x00 ‖ data)      node = SHA-256(0x01 ‖ left ‖ right)      no leaf: SHA-256("")
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

from clients.auditor.canonical import FormError

EMPTY_ROOT: Final = hashlib.sha256().digest()
_sha256: Final = hashlib.sha256


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf, 32 bytes."""
    return _sha256(b"\x00" + data).digest()


class Tree:
    """A tree that grows at its right end.

    It keeps the roots of the largest whole subtrees, left to right: one for each bit of its size.
    """

    def __init__(self) -> None:
        self.size = 0
        self._roots: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        """Add the hash of a leaf: each one bit at the end of the size is a subtree now whole."""
        roots, size = self._roots, self.size
        while size & 1:
            leaf = _sha256(b"\x01" + roots.pop() + leaf).digest()
            size >>= 1
        roots.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """Return the root, 32 bytes."""
        if not self._roots:
            return EMPTY_ROOT
        root = self._roots[-1]
        for left in reversed(self._roots[:-1]):
            root = _sha256(b"\x01" + left + root).digest()
        return root


def root_from(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """Return the root to which a path leads (RFC 9162 section 2.1.3.2).

    Args:
        leaf: the hash of the leaf.
        index: its place, from 0.
        size: how many leaves the tree has.
        path: the hashes on the way, 32 bytes each, from the leaf up.

    Raises:
        FormError: if no tree of that size has such a path there.
    """
    if {len(leaf), *map(len, path)} != {32}:
        raise FormError("its path has a hash that has not 32 bytes")
    if index >= size:
        raise FormError("its place is not in the tree that was signed")
    place, last, found = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise FormError("its path is too long for the tree that was signed")
        if place % 2 or place == last:
            found = _sha256(b"\x01" + sibling + found).digest()
            # Who has no sibling went up as it is: so far there is nothing on the way.
            while place and not place % 2:
                place, last = place // 2, last // 2
        else:
            found = _sha256(b"\x01" + found + sibling).digest()
        place, last = place // 2, last // 2
    if last:
        raise FormError("its path is too short for the tree that was signed")
    return found
