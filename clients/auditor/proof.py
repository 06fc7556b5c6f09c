# SPDX-License-Identifier: Apache-2.0
"""A proof that an entry is in a log, as C2SP tlog-proof writes it: a path, and a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from clients.auditor.canonical import FormError
from clients.auditor.note import decode, number
from clients.auditor.tree import root_from

_FIRST_LINE: Final = "c2sp.org/tlog-proof@v1"
_LONGEST_PATH: Final = 63


@dataclass(frozen=True, slots=True)
class Proof:
    """Where an entry stands, the way from it to a root, and the note that signs that root."""

    index: int
    path: tuple[bytes, ...]
    note: str

    def leads_to(self, leaf: bytes, size: int, root: bytes) -> bool:
        """Say whether the way leads from a leaf to the root of a tree of a size.

        Raises:
            FormError: if no tree of that size has such a way.
        """
        return root_from(leaf, self.index, size, self.path) == root


def parse_proof(text: str) -> Proof:
    """Read a proof.

    Raises:
        FormError: if it is none.
    """
    head, blank, note = text.partition("\n\n")
    lines = head.split("\n")
    if not blank or lines.pop(0) != _FIRST_LINE:
        raise FormError("is no proof")
    if lines and lines[0].startswith("extra "):
        decode(lines.pop(0).removeprefix("extra "))
    if not lines or not lines[0].startswith("index "):
        raise FormError("is a proof without an index")
    index = number(lines.pop(0).removeprefix("index "))
    path = tuple(decode(line) for line in lines)
    if len(path) > _LONGEST_PATH or any(len(each) != 32 for each in path):
        raise FormError("is a proof with a path that is too long, or not of digests")
    return Proof(index, path, note)
