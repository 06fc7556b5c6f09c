# SPDX-License-Identifier: Apache-2.0
"""Merkle trees as RFC 6962 section 2.1 defines them, word for word: slow, and plainly right."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def leaf(data: bytes) -> bytes:
    """Return the hash of a leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """Return MTH(D[n]) of at least one leaf's hashes."""
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return hashlib.sha256(b"\x01" + root(leaves[:k]) + root(leaves[k:])).digest()


def path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """Return PATH(m, D[n])."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if index < k:
        return [*path(index, leaves[:k]), root(leaves[k:])]
    return [*path(index - k, leaves[k:]), root(leaves[:k])]


def split(n: int) -> int:
    """Return the largest power of two that is smaller than `n`, which is at least 2."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k


class Tree:
    """The same of ranges of one list of leaves, each hashed once: for trees of many sizes."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.leaves = leaves
        self._roots: dict[tuple[int, int], bytes] = {}

    def root(self, start: int, end: int) -> bytes:
        """Return MTH(D[start:end]) of at least one leaf."""
        if end - start == 1:
            return self.leaves[start]
        if (start, end) not in self._roots:
            k = start + split(end - start)
            joined = self.root(start, k) + self.root(k, end)
            self._roots[start, end] = hashlib.sha256(b"\x01" + joined).digest()
        return self._roots[start, end]

    def path(self, m: int, start: int, end: int) -> list[bytes]:
        """Return PATH(m, D[start:end])."""
        if end - start == 1:
            return []
        k = split(end - start)
        if m < k:
            return [*self.path(m, start, start + k), self.root(start + k, end)]
        return [*self.path(m - k, start + k, end), self.root(start, start + k)]

    def proof(self, m: int, n: int) -> list[bytes]:
        """Return PROOF(m, D[n])."""
        return self._subproof(m, 0, n, whole=True)

    def _subproof(self, m: int, start: int, end: int, *, whole: bool) -> list[bytes]:
        n = end - start
        if m == n:
            return [] if whole else [self.root(start, end)]
        k = split(n)
        if m <= k:
            left = self._subproof(m, start, start + k, whole=whole)
            return [*left, self.root(start + k, end)]
        return [*self._subproof(m - k, start + k, end, whole=False), self.root(start, start + k)]
