# SPDX-License-Identifier: Apache-2.0
"""Signed notes, C2SP signed-note: a text, an empty line, and a line for each signature.

Ed25519 keys of type 0x01. A key is named by its name and an id of four bytes; a signature that
names a known key must verify, one of an unknown key says nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from vault.transparency.encoding import (
    FormError,
    encode_base64,
    parse_base64,
    parse_utf8,
    require_lines,
)

MOST_SIGNATURES = 100
"""Of one note. The specification asks for 16 at least."""

_DASH = "\N{EM DASH} "
_NAME = re.compile(r"[^\s+]+")
_KEY_ID = re.compile(r"[0-9a-f]{8}")


class SignatureError(ValueError):
    """A signature is not that of the key it names, or none is of a known key."""


@dataclass(frozen=True)
class Signature:
    """A signature as a line of a note has it.

    Args:
        name: of the key.
        key_id: the key's, 4 bytes.
        value: what the key's type makes of the text: 64 bytes for Ed25519.

    Raises:
        FormError: if no line can hold it.
    """

    name: str
    key_id: bytes
    value: bytes

    def __post_init__(self) -> None:
        _require_name(self.name)
        if len(self.key_id) != 4 or not self.value:
            raise FormError("a signature has no id of four bytes, or no value")

    def line(self) -> str:
        """Return the line, with its newline."""
        return f"{_DASH}{self.name} {encode_base64(self.key_id + self.value)}\n"

    @classmethod
    def parse(cls, line: str) -> Self:
        """Return the signature of a line without its newline.

        Raises:
            FormError: if the line is none.
        """
        if not line.startswith(_DASH):
            raise FormError("a line of a signature does not begin with an em dash")
        name, _, encoded = line.removeprefix(_DASH).partition(" ")
        data = parse_base64(encoded)
        return cls(name, data[:4], data[4:])


@dataclass(frozen=True)
class Verifier:
    """A public key that verifies signatures of notes.

    Args:
        name: of the key.
        public_key: 32 bytes, Ed25519.

    Raises:
        FormError: if no key has such a name or such bytes.
    """

    signature_type: ClassVar[int] = 0x01

    name: str
    public_key: bytes

    def __post_init__(self) -> None:
        _require_name(self.name)
        if len(self.public_key) != 32:
            raise FormError("a public key has not 32 bytes")

    @classmethod
    def of(cls, vkey: str) -> Self:
        """Return the key of a vkey: name, id in hexadecimal, type and public key in base64.

        Raises:
            FormError: if the text is no vkey of this type, or the id is not this key's.
        """
        name, _, rest = vkey.partition("+")
        key_id, _, encoded = rest.partition("+")
        material = parse_base64(encoded)
        if material[:1] != bytes([cls.signature_type]):
            raise FormError(f"a vkey is not of type 0x{cls.signature_type:02x}")
        verifier = cls(name, material[1:])
        if not _KEY_ID.fullmatch(key_id) or bytes.fromhex(key_id) != verifier.key_id:
            raise FormError("the id in a vkey is not that of its key")
        return verifier

    @property
    def _material(self) -> bytes:
        return bytes([self.signature_type]) + self.public_key

    @cached_property
    def key_id(self) -> bytes:
        """The first four bytes of SHA-256(name ‖ newline ‖ type ‖ public key)."""
        return hashlib.sha256(self.name.encode() + b"\n" + self._material).digest()[:4]

    @property
    def vkey(self) -> str:
        """The key as text, to be handed to whoever verifies."""
        return f"{self.name}+{self.key_id.hex()}+{encode_base64(self._material)}"

    @cached_property
    def _key(self) -> Ed25519PublicKey:
        return Ed25519PublicKey.from_public_bytes(self.public_key)

    def verify(self, text: str, value: bytes) -> None:
        """Verify the value of a signature of a note's text.

        Raises:
            SignatureError: if it is not this key's.
        """
        self._verify(value, text.encode())

    def _verify(self, signature: bytes, message: bytes) -> None:
        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            raise SignatureError("a signature is not that of the key it names") from None


class Signer:
    """A private key that signs notes.

    Args:
        name: of the key.
        seed: 32 bytes, the private key of RFC 8032.
    """

    def __init__(self, name: str, seed: bytes) -> None:
        if len(seed) != 32:
            raise FormError("a private key has not 32 bytes")
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.verifier = Verifier(name, self._key.public_key().public_bytes_raw())

    def sign(self, text: str) -> Signature:
        """Return the signature of a note's text."""
        value = self._key.sign(text.encode())
        return Signature(self.verifier.name, self.verifier.key_id, value)


@dataclass(frozen=True)
class Note:
    """A text and its signatures. Nothing of it may be believed before it is verified.

    Args:
        text: lines, the last newline included.
        signatures: 1 to 100 of them.

    Raises:
        FormError: if no note can hold them.
    """

    text: str
    signatures: tuple[Signature, ...]

    def __post_init__(self) -> None:
        require_lines(self.text)
        if not self.text.endswith("\n"):
            raise FormError("the text of a note does not end with a newline")
        if not 1 <= len(self.signatures) <= MOST_SIGNATURES:
            raise FormError(f"a note has no signature, or more than {MOST_SIGNATURES}")

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Return the note that the bytes write.

        Raises:
            FormError: if they write none.
        """
        text, separator, lines = parse_utf8(data).rpartition("\n\n")
        if not separator or not lines.endswith("\n"):
            raise FormError("a note has no empty line and lines of signatures after it")
        split = lines[:-1].split("\n", MOST_SIGNATURES)
        return cls(text + "\n", tuple(Signature.parse(line) for line in split))

    def encode(self) -> bytes:
        """Return the note as bytes."""
        return "".join(
            [self.text, "\n", *(signature.line() for signature in self.signatures)]
        ).encode()

    def adding(self, *signatures: Signature) -> Note:
        """Return the note with further signatures."""
        return Note(self.text, (*self.signatures, *signatures))

    def verify(self, verifiers: Iterable[Verifier]) -> tuple[Signature, ...]:
        """Verify every signature that names a known key, and return these.

        Args:
            verifiers: the known keys.

        Raises:
            SignatureError: if one is not that of the key it names, or there is none.
        """
        known = _by_name(verifiers)
        verified = []
        for signature in self.signatures:
            if verifier := known.get((signature.name, signature.key_id)):
                verifier.verify(self.text, signature.value)
                verified.append(signature)
        if not verified:
            raise SignatureError("no signature is of a known key")
        return tuple(verified)


def _by_name(verifiers: Iterable[Verifier]) -> dict[tuple[str, bytes], Verifier]:
    known: dict[tuple[str, bytes], Verifier] = {}
    for verifier in verifiers:
        if known.setdefault((verifier.name, verifier.key_id), verifier) != verifier:
            raise FormError("two known keys have the same name and the same id")
    return known


def _require_name(name: str) -> None:
    require_lines(name)
    if not _NAME.fullmatch(name):
        raise FormError("the name of a key is empty, or has a space or a plus sign")
