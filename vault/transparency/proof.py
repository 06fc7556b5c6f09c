# SPDX-License-Identifier: Apache-2.0
"""Log proofs, C2SP tlog-proof: a leaf's place, its path and a checkpoint, to verify offline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from vault.transparency.checkpoint import Checkpoint
from vault.transparency.encoding import (
    LARGEST_NUMBER,
    FormError,
    encode_base64,
    parse_base64,
    parse_decimal,
    parse_utf8,
)
from vault.transparency.note import Note, Verifier
from vault.transparency.policy import Judgement, Policy
from vault.transparency.tree import root_of_path

HEADER = "c2sp.org/tlog-proof@v1"
LONGEST_PATH = 63


@dataclass(frozen=True)
class InclusionProof:
    """That a leaf is in a log. Nothing of it may be believed before it is verified.

    Args:
        index: the leaf's place, from 0.
        path: the siblings on the way from the leaf to the root, 32 bytes each.
        note: the log's checkpoint, signed and cosigned.
        extra: whatever the application puts beside it; nobody signed that.

    Raises:
        FormError: if no proof can hold them.
    """

    index: int
    path: tuple[bytes, ...]
    note: Note
    extra: bytes = b""

    def __post_init__(self) -> None:
        if not 0 <= self.index <= LARGEST_NUMBER:
            raise FormError("there is no such place in a log")
        if len(self.path) > LONGEST_PATH or any(len(sibling) != 32 for sibling in self.path):
            raise FormError("a path is longer than 63 hashes, or has what is no hash")
        Checkpoint.parse(self.note.text)

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Return the proof that a text writes.

        Raises:
            FormError: if it writes none.
        """
        head, separator, note = parse_utf8(data).partition("\n\n")
        lines = head.split("\n", LONGEST_PATH + 4)
        if not separator or lines.pop(0) != HEADER:
            raise FormError("the text is no log proof of version 1, or has no checkpoint")
        extra = b""
        if lines and lines[0].startswith("extra "):
            extra = parse_base64(lines.pop(0).removeprefix("extra "))
            if not extra:
                raise FormError("the line of extra data is empty")
        if not lines or not lines[0].startswith("index "):
            raise FormError("a log proof has no index")
        index = parse_decimal(lines.pop(0).removeprefix("index "))
        path = tuple(parse_base64(line) for line in lines)
        return cls(index, path, Note.parse(note.encode()), extra)

    def encode(self) -> bytes:
        """Return the proof as a text."""
        extra = [f"extra {encode_base64(self.extra)}"] if self.extra else []
        path = [encode_base64(sibling) for sibling in self.path]
        lines = [HEADER, *extra, f"index {self.index}", *path]
        return "\n".join([*lines, "", ""]).encode() + self.note.encode()

    def judge(self, leaf: bytes, policy: Policy, log: Verifier | None = None) -> Judgement:
        """Verify that the leaf is in the log; find out who cosigned.

        Args:
            leaf: its hash, 32 bytes, computed from what is to be proved.
            policy: which witnesses are known, and how many are enough.
            log: the key of the one log it may be in; without it, any of the policy's logs.

        Raises:
            ValueError: if the log has not signed the checkpoint, a known key is named and did
                not, or the path does not lead from the leaf to the checkpoint's root.
        """
        judgement = policy.judge(self.note, log)
        checkpoint = judgement.checkpoint
        if root_of_path(leaf, self.index, checkpoint.size, self.path) != checkpoint.root:
            raise ValueError("the path leads to another root than the checkpoint's")
        return judgement

    def verify(self, leaf: bytes, policy: Policy, log: Verifier | None = None) -> Judgement:
        """Verify that the leaf is in the log, and that enough witnesses cosigned.

        Args: as of `judge`.

        Raises:
            QuorumError: if too few witnesses cosigned; all else is right.
            ValueError: as `judge` does.
        """
        judgement = self.judge(leaf, policy, log)
        judgement.require_quorum()
        return judgement
