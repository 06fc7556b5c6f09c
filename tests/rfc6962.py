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
