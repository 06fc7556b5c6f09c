# SPDX-License-Identifier: Apache-2.0
"""What a log and its witnesses say to each other: C2SP tlog-witness, `add-checkpoint`.

Here are the bytes of request and answer, and what a witness has to find out before it cosigns.
Keeping the heads that were cosigned, in one step with the comparison, is left to the witness.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

from vault.transparency.checkpoint import Checkpoint
from vault.transparency.cosignature import CosignatureVerifier, time_of
from vault.transparency.encoding import (
    LARGEST_NUMBER,
    FormError,
    encode_base64,
    parse_base64,
    parse_decimal,
    parse_utf8,
)
from vault.transparency.note import MOST_SIGNATURES, Note, Signature, SignatureError, Verifier
from vault.transparency.tree import EMPTY_ROOT, consistent

LONGEST_PATH = 63
SIZE_CONTENT_TYPE = "text/x.tlog.size"
"""Of the answer 409, whose body is the size that the witness has."""


class RefusedError(ValueError):
    """A witness does not cosign. `status` is that of its HTTP answer."""

    status: ClassVar[int] = 400
    body: bytes = b""


class OriginUnknownError(RefusedError):
    """The witness knows no log of that origin."""

    status = 404


class NotSignedError(RefusedError):
    """No known key of the log signed the checkpoint, or one is named and did not."""

    status = 403


class SizeConflictError(RefusedError):
    """The witness has another size than the log thinks.

    Args:
        size: of the head that the witness cosigned last.
    """

    status = 409

    def __init__(self, size: int) -> None:
        super().__init__("the witness has a head of another size: prove growth from that")
        self.size = size
        self.body = encode_size(size)


class InconsistentError(RefusedError):
    """The checkpoint does not show that the log grew out of what the witness saw."""

    status = 422


@dataclass(frozen=True)
class Head:
    """What a witness keeps of a log: size and root that it cosigned last."""

    size: int = 0
    root: bytes = EMPTY_ROOT


@dataclass(frozen=True)
class AddCheckpoint:
    """The request that asks a witness to cosign.

    Args:
        old_size: what the witness has, as the log thinks; 0 if nothing.
        path: the proof that the tree grew out of that, 32 bytes each; empty for 0.
        note: the checkpoint, signed by its log.

    Raises:
        FormError: if no request can hold them.
    """

    old_size: int
    path: tuple[bytes, ...]
    note: Note

    def __post_init__(self) -> None:
        if not 0 <= self.old_size <= LARGEST_NUMBER:
            raise FormError("there is no such size")
        if len(self.path) > LONGEST_PATH or any(len(sibling) != 32 for sibling in self.path):
            raise FormError("a proof is longer than 63 hashes, or has what is no hash")
        Checkpoint.parse(self.note.text)

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Return the request that a body writes.

        Raises:
            FormError: if it writes none: the answer is 400.
        """
        head, separator, note = parse_utf8(data).partition("\n\n")
        old, *path = head.split("\n", LONGEST_PATH + 1)
        if not separator or not old.startswith("old "):
            raise FormError("the request has no old size, or no checkpoint")
        size = parse_decimal(old.removeprefix("old "))
        return cls(size, tuple(parse_base64(line) for line in path), Note.parse(note.encode()))

    def encode(self) -> bytes:
        """Return the request's body."""
        path = [encode_base64(sibling) for sibling in self.path]
        lines = [f"old {self.old_size}", *path, "", ""]
        return "\n".join(lines).encode() + self.note.encode()


def admit(
    request: AddCheckpoint,
    logs: Mapping[str, Collection[Verifier]],
    head_of: Callable[[str], Head],
) -> Checkpoint:
    """Return the checkpoint that a witness may cosign once it has kept it.

    Args:
        request: what a log asks.
        logs: the known logs' keys, by origin.
        head_of: what the witness keeps of an origin; `Head()` if nothing.

    Raises:
        RefusedError: if it must not, with the status of the answer.
    """
    checkpoint = Checkpoint.parse(request.note.text)
    verifiers = logs.get(checkpoint.origin)
    if not verifiers:
        raise OriginUnknownError("this witness knows no log of that origin")
    try:
        # Not `open_checkpoint`: a log whose key has another name than its origin may be known, too.
        request.note.verify(verifiers)
    except SignatureError as error:
        raise NotSignedError(str(error)) from None
    if request.old_size > checkpoint.size:
        raise RefusedError("the old size is larger than the checkpoint's")
    head = head_of(checkpoint.origin)
    if request.old_size != head.size:
        raise SizeConflictError(head.size)
    _require_growth(head, checkpoint, request.path)
    return checkpoint


def _require_growth(head: Head, checkpoint: Checkpoint, path: tuple[bytes, ...]) -> None:
    if checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT:
        raise InconsistentError("the root of an empty tree is another one")
    if head.size == 0:
        if path:
            raise InconsistentError("what grows out of an empty tree has no proof")
        return
    try:
        consistent(head.size, head.root, checkpoint.size, checkpoint.root, path)
    except ValueError as error:
        raise InconsistentError(str(error)) from None


def encode_signatures(signatures: Iterable[Signature]) -> bytes:
    """Return the body of the answer 200."""
    return "".join(signature.line() for signature in signatures).encode()


def cosignature_of(answer: bytes, note: Note, witness: CosignatureVerifier) -> Signature:
    """Return what a witness signed, out of its answer 200; other keys' lines are left.

    Args:
        answer: its body.
        note: the checkpoint that was sent.
        witness: its key.

    Raises:
        SignatureError: if there is no cosignature of this key, or one that is not, or no time.
        FormError: if the body is no answer.
    """
    text = parse_utf8(answer)
    if not text.endswith("\n"):
        raise FormError("an answer does not end with a newline")
    lines = text[:-1].split("\n", MOST_SIGNATURES)
    answered = Note(note.text, tuple(Signature.parse(line) for line in lines))
    latest = max(answered.verify([witness]), key=time_of)
    if not time_of(latest):
        raise SignatureError("a witness cosigned without a time")
    return latest


def encode_size(size: int) -> bytes:
    """Return the body of the answer 409."""
    return b"%d\n" % size


def parse_size(answer: bytes) -> int:
    """Return the size that a witness has, out of its answer 409.

    Raises:
        FormError: if the body is none.
    """
    text = parse_utf8(answer)
    if not text.endswith("\n"):
        raise FormError("a size does not end with a newline")
    return parse_decimal(text[:-1])


def checkpoint_path(origin: str) -> str:
    """Return where a witness serves the last checkpoint it cosigned, below its prefix."""
    return f"{hashlib.sha256(origin.encode()).hexdigest()}/checkpoint"
