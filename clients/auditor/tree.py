# SPDX-License-Identifier: Apache-2.0
"""Trees as RFC 6962 hashes them, and the way from a leaf to the root (RFC 9162 section 2.1.3.2)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from clients.auditor.canonical import FormError


def root_from(data: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """Return the root to which a path leads.

    Args:
        data: what the leaf is the hash of.
        index: the place of the leaf, from 0.
        size: how many leaves the tree has.
        path: the hashes on the way, 32 bytes each.

    Raises:
        FormError: if no tree of that size has such a path there.
    """
    if index >= size:
        raise FormError("its place is not in the tree that was signed")
    place, last = index, size - 1
    found = hashlib.sha256(b"\x00" + data).digest()
    for sibling in path:
        if last == 0:
            raise FormError("its path is too long for the tree that was signed")
        if place % 2 or place == last:
            found = hashlib.sha256(b"\x01" + sibling + found).digest()
            # Who has no sibling went up as it is: so far there is nothing on the way.
            while place and not place % 2:
                place, last = place // 2, last // 2
        else:
            found = hashlib.sha256(b"\x01" + found + sibling).digest()
        place, last = place // 2, last // 2
    if last:
        raise FormError("its path is too short for the tree that was signed")
    return found
