# SPDX-License-Identifier: Apache-2.0
"""Cosignatures of witnesses, C2SP tlog-cosignature, the Ed25519 form (type 0x04).

A witness states: as of this time, this is the largest tree of this log that I saw, and it grew
out of every one that I saw before.
"""

from __future__ import annotations

from typing import ClassVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from vault.transparency.checkpoint import Checkpoint
from vault.transparency.encoding import LARGEST_NUMBER, FormError
from vault.transparency.note import Signature, SignatureError, Verifier


class CosignatureVerifier(Verifier):
    """The public key of a witness."""

    signature_type: ClassVar[int] = 0x04

    def verify(self, text: str, value: bytes) -> None:
        """Verify the value of a cosignature of a checkpoint's text.

        Raises:
            SignatureError: if it is not this key's.
        """
        time, signature = _split(value)
        self._verify(signature, _message(text, time))


class CosignatureSigner:
    """The private key of a witness.

    Args:
        name: of the key: what the witness is known by.
        seed: 32 bytes, the private key of RFC 8032. No other key's, of the log's least of all.
    """

    def __init__(self, name: str, seed: bytes) -> None:
        if len(seed) != 32:
            raise FormError("a private key has not 32 bytes")
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.verifier = CosignatureVerifier(name, self._key.public_key().public_bytes_raw())

    def cosign(self, checkpoint: Checkpoint, time: int) -> Signature:
        """Return the cosignature of a checkpoint.

        Args:
            checkpoint: what was seen, and is consistent with all that was seen before.
            time: of now, in seconds since 1970; the witness protocol allows no zero.

        Raises:
            ValueError: if that is no time.
        """
        if not 0 < time <= LARGEST_NUMBER:
            raise ValueError("a cosignature's time is not between 1 and 2^63 - 1")
        signature = self._key.sign(_message(checkpoint.body(), time))
        value = time.to_bytes(8, "big") + signature
        return Signature(self.verifier.name, self.verifier.key_id, value)


def time_of(signature: Signature) -> int:
    """Return when a verified cosignature was made, in seconds since 1970.

    Raises:
        SignatureError: if it is no cosignature of this form.
    """
    return _split(signature.value)[0]


def _split(value: bytes) -> tuple[int, bytes]:
    time = int.from_bytes(value[:8], "big")
    if len(value) != 72 or time > LARGEST_NUMBER:
        raise SignatureError("a cosignature has not a time of 8 bytes and a signature of 64")
    return time, value[8:]


def _message(body: str, time: int) -> bytes:
    return f"cosignature/v1\ntime {time}\n{body}".encode()
