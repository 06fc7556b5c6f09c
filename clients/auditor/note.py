# SPDX-License-Identifier: Apache-2.0
"""Signed notes, the checkpoints that logs write as such, and the cosignatures of witnesses.

C2SP signed-note (Ed25519, type 0x01), tlog-checkpoint, and tlog-cosignature v1 (Ed25519 with a
time, type 0x04). A signature by a key that is not known says nothing; one that names a known key
and does not verify makes the whole note worthless.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from clients.auditor.canonical import FormError

ED25519: Final = 0x01
COSIGNATURE: Final = 0x04
_MOST_SIGNATURES: Final = 100
_LARGEST: Final = 2**63 - 1
_NAME: Final = re.compile(r"[^\s+]+")
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")


@dataclass(frozen=True)
class Key:
    """A public key by whose name and id a note says who signed."""

    name: str
    type: int
    public_key: bytes

    @cached_property
    def id(self) -> bytes:
        """The first four bytes of SHA-256(name ‖ newline ‖ type ‖ public key)."""
        named = self.name.encode() + b"\n" + bytes([self.type]) + self.public_key
        return hashlib.sha256(named).digest()[:4]

    @cached_property
    def vkey(self) -> str:
        """The key as text."""
        encoded = base64.b64encode(bytes([self.type]) + self.public_key).decode()
        return f"{self.name}+{self.id.hex()}+{encoded}"

    @classmethod
    def parse(cls, vkey: str, key_type: int) -> Key:
        """Read a vkey of a type.

        Raises:
            FormError: if it is none.
        """
        name, _, rest = vkey.partition("+")
        key_id, _, encoded = rest.partition("+")
        data = decode(encoded)
        if not _NAME.fullmatch(name) or data[:1] != bytes([key_type]) or len(data) != 33:
            raise FormError(f"is no Ed25519 vkey of type {key_type:#04x}")
        key = cls(name, key_type, data[1:])
        if key_id != key.id.hex():
            raise FormError("is a vkey whose id is not that of its key")
        return key

    def has_signed(self, text: str, signature: bytes) -> bool:
        """Say whether a signature of a note's text is this key's."""
        message = text.encode()
        if self.type == COSIGNATURE:
            time, signature = int.from_bytes(signature[:8]), signature[8:]
            if time > _LARGEST:
                return False
            message = f"cosignature/v1\ntime {time}\n".encode() + message
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class Note:
    """A text with lines of name, key id and signature."""

    text: str
    signatures: tuple[tuple[str, bytes, bytes], ...]

    def signers(self, known: Iterable[Key]) -> list[Key]:
        """Return which of the known keys signed.

        Raises:
            FormError: if a signature that names one of them does not verify.
        """
        keys = {(key.name, key.id): key for key in known}
        found = []
        for name, key_id, signature in self.signatures:
            if key := keys.get((name, key_id)):
                if not key.has_signed(self.text, signature):
                    raise FormError(f"a signature of {name} does not verify")
                found.append(key)
        return found


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a log: how many entries it had, and the root of the tree of them."""

    origin: str
    size: int
    root: bytes

    def __str__(self) -> str:
        return f"{self.origin}, {self.size} entries"


def parse_note(data: bytes) -> Note:
    """Read a signed note.

    Raises:
        FormError: if it is none.
    """
    try:
        text, blank, lines = data.decode().rpartition("\n\n")
    except UnicodeDecodeError:
        raise FormError("is not UTF-8") from None
    if not blank or not lines.endswith("\n") or _CONTROL.search(text + lines):
        raise FormError("is no signed note")
    split = lines[:-1].split("\n")
    if len(split) > _MOST_SIGNATURES:
        raise FormError(f"has more than {_MOST_SIGNATURES} signatures")
    return Note(text + "\n", tuple(_signature(line) for line in split))


def parse_checkpoint(text: str) -> Checkpoint:
    """Read the text of a note as a checkpoint.

    Raises:
        FormError: if it is none.
    """
    lines = text.split("\n")
    if lines.pop() or len(lines) < 3 or not all(lines):
        raise FormError("is no checkpoint: it has not three lines and more, none empty")
    root = decode(lines[2])
    if len(root) != 32:
        raise FormError("is no checkpoint: its root has not 32 bytes")
    return Checkpoint(lines[0], number(lines[1]), root)


def number(text: str) -> int:
    """Read a decimal number below 2^63 without leading zeroes.

    Raises:
        FormError: if it is none.
    """
    if not _NUMBER.fullmatch(text) or int(text) > _LARGEST:
        raise FormError("holds a number that is none, or too large")
    return int(text)


def decode(text: str) -> bytes:
    """Decode base64 (RFC 4648 section 4), in the one way in which it is written.

    Raises:
        FormError: if it is anything else.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise FormError("holds what is not base64") from None
    if base64.b64encode(data).decode() != text:
        raise FormError("holds base64 in another form than the one way")
    return data


def _signature(line: str) -> tuple[str, bytes, bytes]:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    data = decode(encoded)
    if dash != "\N{EM DASH}" or not _NAME.fullmatch(name) or len(data) < 5:
        raise FormError("has a line that is no signature")
    return name, data[:4], data[4:]
