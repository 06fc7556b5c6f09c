# SPDX-License-Identifier: Apache-2.0
"""Checkpoints, C2SP tlog-checkpoint: the head of a log's tree as the text of a signed note."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from vault.transparency.encoding import (
    LARGEST_NUMBER,
    FormError,
    encode_base64,
    parse_base64,
    parse_decimal,
    require_lines,
)
from vault.transparency.note import Note, SignatureError, Verifier


@dataclass(frozen=True)
class Checkpoint:
    """The head of a log: how many leaves it has, and their root.

    Args:
        origin: which log; here always the name of its key.
        size: how many leaves.
        root: 32 bytes.
        extensions: further lines. We write none, but others may.

    Raises:
        FormError: if no checkpoint can hold them.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for line in (self.origin, *self.extensions):
            require_lines(line)
            if not line or "\n" in line:
                raise FormError("a line of a checkpoint is empty, or more than one")
        if not 0 <= self.size <= LARGEST_NUMBER or len(self.root) != 32:
            raise FormError("a checkpoint has no such size, or a root that has not 32 bytes")

    def body(self) -> str:
        """Return the text that is signed, with its last newline."""
        lines = (self.origin, str(self.size), encode_base64(self.root), *self.extensions)
        return "\n".join(lines) + "\n"

    @classmethod
    def parse(cls, body: str) -> Self:
        """Return the checkpoint that the text of a note writes.

        Raises:
            FormError: if it writes none.
        """
        lines = body.split("\n")
        if len(lines) < 4 or lines[-1]:
            raise FormError("a checkpoint has not three lines, each with its newline")
        origin, size, root, *extensions = lines[:-1]
        return cls(origin, parse_decimal(size), parse_base64(root), tuple(extensions))


def open_checkpoint(note: Note, logs: Iterable[Verifier]) -> Checkpoint:
    """Return the checkpoint of a note that its log has signed.

    Args:
        note: the checkpoint, signed.
        logs: the keys of the logs that are known; a log's key bears the log's origin as its name.

    Raises:
        SignatureError: if no known key of that origin signed it, or one is named and did not.
        FormError: if the note's text is no checkpoint.
    """
    checkpoint = Checkpoint.parse(note.text)
    signatures = note.verify(logs)
    if checkpoint.origin not in {signature.name for signature in signatures}:
        raise SignatureError("the checkpoint is not signed by the log that it names")
    return checkpoint
