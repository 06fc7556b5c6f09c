# SPDX-License-Identifier: Apache-2.0
"""The envelope: bytes sealed under one key, for one place, and opened nowhere else.

AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce. GCM does not commit to its key, so that
one ciphertext could be made to open to two plaintexts under two keys: every key has a commitment
that is kept beside what it seals and is compared before opening. Sizes are padded with Padmé
(Nikitin et al., PETS 2019) because the length of sealed bytes is seen by everyone who stores them.
Where keys and sealed bytes are kept, is left to others.
"""

import hmac
import os
import uuid
from functools import cached_property
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from vault.domain import canonical
from vault.drawing import draw
from vault.sealing.errors import SealError

ALGORITHM = "AES-256-GCM"
SECRET_BYTES = 32

_FORM = b"\x01"
_NONCE_BYTES = 12
_TAG_BYTES = 16
_HEADER_BYTES = len(_FORM) + _NONCE_BYTES

# Padmé says much about small sizes: 9 bytes become 10. Most values are smaller than this.
_SMALLEST_BUCKET = 256
# ISO/IEC 9797-1, padding method 2: a plaintext that ends in zeros stays unambiguous.
_END_OF_CONTENT = b"\x80"


class Context(msgspec.Struct, frozen=True):
    """Where sealed bytes belong. Moved elsewhere, they do not open.

    Attributes:
        stream: The id of the stream.
        kind: What is sealed ("evidence", "command", ...).
        evidence_id: The piece of evidence, or "" where it is none.
        revision: Its revision from 1, or 0 where it is none.
        schema: The schema of what is sealed (`type@version`), or "".
        key_id: The id of the key; "" stands for the id of the key that is used.
    """

    stream: str
    kind: str
    evidence_id: str = ""
    revision: int = 0
    schema: str = ""
    key_id: str = ""


class Key(msgspec.Struct, frozen=True, dict=True):
    """A secret of 32 random bytes and the id by which events name it. `repr` hides the secret."""

    key_id: str
    secret: bytes

    def __post_init__(self) -> None:
        if len(self.secret) != SECRET_BYTES:
            raise ValueError(f"a key has {SECRET_BYTES} bytes")

    def mac(self, message: bytes) -> bytes:
        """Return HMAC-SHA256 of a message under this key, 32 bytes."""
        mac = self._mac.copy()
        mac.update(message)
        return mac.digest()

    @cached_property
    def _mac(self) -> hmac.HMAC:
        # Copied, it lets go of the interpreter's lock nowhere, unlike `hmac.digest`.
        return hmac.new(self.secret, digestmod="sha256")

    @cached_property
    def commitment(self) -> str:
        """What binds sealed bytes to this key and no other, without telling the key.

        HMAC-SHA256 of "commit/1", as base64url without padding.
        """
        return canonical.b64(self.mac(b"commit/1"))

    def __repr__(self) -> str:
        return f"Key(key_id={self.key_id!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Hide the secret from rich, too, which does not ask `repr`."""
        return [("key_id", self.key_id)]


def new_key() -> Key:
    """Draw a new key with a new id (UUIDv4)."""
    return Key(str(uuid.uuid4()), os.urandom(SECRET_BYTES))


def require_commitment(key: Key, expected: str) -> None:
    """Refuse a key that is not the one which was committed to.

    Raises:
        SealError: It is another.
    """
    # In bytes: `compare_digest` refuses text that is not ASCII with an error of its own.
    expected_bytes = expected.encode("ascii", "replace")
    if not hmac.compare_digest(key.commitment.encode("ascii"), expected_bytes):
        raise SealError


def seal(key: Key, context: Context, plaintext: bytes) -> bytes:
    """Seal a plaintext for this context; sealed twice, it gives different bytes.

    Returns:
        0x01 ‖ nonce (12 bytes) ‖ ciphertext and tag of the padded plaintext.

    Raises:
        SealError: The context names another key.
    """
    return seal_under(key.secret, associated_data_of(key, context), plaintext)


def open_sealed(key: Key, context: Context, sealed: bytes, expected_commitment: str) -> bytes:
    """Open what `seal` made with the same key in the same context.

    Args:
        key: The key that the sealed bytes' record names.
        context: Where they stand, from the record, never from the sealed bytes' own surroundings.
        sealed: The sealed bytes.
        expected_commitment: The key's commitment as the record has it.

    Raises:
        SealError: Another key, another context, or bytes that were changed.
    """
    require_commitment(key, expected_commitment)
    return open_under(key.secret, associated_data_of(key, context), sealed)


def seal_under(secret: bytes, associated_data: bytes, plaintext: bytes) -> bytes:
    """Seal under a bare secret, for a key that needs no commitment since a wrapper vouches for it.

    A secret that has sealed 2^32 times is worn out (SP 800-38D §8.3, random nonces); every key
    here seals once or for one citizen.
    """
    nonce = draw(_NONCE_BYTES)
    # A cipher object costs less than 1 µs: not worth a cache that would keep erased keys alive.
    return _FORM + nonce + AESGCM(secret).encrypt(nonce, _pad(plaintext), associated_data)


def open_under(secret: bytes, associated_data: bytes, sealed: bytes) -> bytes:
    """Open what `seal_under` made with the same secret and associated data.

    Raises:
        SealError: Another secret, other associated data, or bytes that were changed.
    """
    if len(sealed) < _HEADER_BYTES + _TAG_BYTES or not sealed.startswith(_FORM):
        raise SealError
    nonce, ciphertext = sealed[len(_FORM) : _HEADER_BYTES], sealed[_HEADER_BYTES:]
    try:
        padded = AESGCM(secret).decrypt(nonce, ciphertext, associated_data)
    except InvalidTag:
        raise SealError from None
    return _unpad(padded)


def associated_data_of(key: Key, context: Context) -> bytes:
    """Return what is authenticated beside whatever is sealed with this key in this context.

    Raises:
        SealError: The context names another key.
    """
    if context.key_id not in {"", key.key_id}:
        raise SealError
    return canonical.encode(
        [
            ALGORITHM,
            context.stream,
            context.kind,
            context.evidence_id,
            context.revision or "",
            context.schema,
            key.key_id,
        ]
    )


def _pad(plaintext: bytes) -> bytes:
    content = plaintext + _END_OF_CONTENT
    return content.ljust(padded_size(len(content)), b"\0")


def _unpad(padded: bytes) -> bytes:
    content = padded.rstrip(b"\0")
    if not content.endswith(_END_OF_CONTENT) or len(padded) != padded_size(len(content)):
        raise SealError
    return content[:-1]


def padded_size(size: int) -> int:
    """Return the padded size: at most 12 % more, and few different ones (Padmé, algorithm 1)."""
    if size <= _SMALLEST_BUCKET:
        return _SMALLEST_BUCKET
    exponent = size.bit_length() - 1
    step = 1 << (exponent - exponent.bit_length())
    return -(-size // step) * step
