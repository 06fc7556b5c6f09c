# SPDX-License-Identifier: Apache-2.0
"""The key that wraps keys: the port, and a wrapper whose key lies in a file.

Every row of the key store is sealed under a key of its own, wrapped by the key-encryption key of
an epoch. Old copies of rows in backups die with their epoch's key, so that key is kept apart from
the key store. The file is for development: a file can be copied unnoticed, what a device holds
cannot. Layout and custody after NIST SP 800-57 part 1 §5.3.
"""

import hmac
import os
from pathlib import Path
from typing import Protocol

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from vault.domain import canonical
from vault.sealing.errors import KeyFileError, SealError
from vault.sealing.private_file import new_private_file, privacy_fault

_KEY_BYTES = 32
_NONCE_BYTES = 12


class WrappedKey(msgspec.Struct, frozen=True):
    """A key that only its epoch's wrapper can read.

    Attributes:
        epoch: The name of the epoch whose key-encryption key wraps it.
        data: The wrapped key, in the wrapper's own form; at most 512 bytes.
    """

    epoch: str
    data: bytes


class KeyWrapper(Protocol):
    """Wraps keys under a key-encryption key that the caller never sees.

    What an adapter for PKCS#11 or a cloud's key management must promise:

    - The key-encryption key of `epoch` is durable before the first `wrap` under it returns, and
      never leaves the device or service.
    - `context` is authenticated, not stored: as associated data of AES-GCM (PKCS#11
      `CKM_AES_GCM`), as the service's encryption context or additional authenticated data.
      AES key wrap (RFC 3394) has no place for it and does not do.
    - An earlier epoch's keys unwrap until that epoch is destroyed. Destroyed means nobody can
      undo it, the provider's backups and waiting periods included: the instant that a receipt of
      erasure names lies after the longest of them.
    - Both methods may be called from several threads at once, and may block.
    - A device or service that cannot be reached raises `ConnectionError` or `TimeoutError`, never
      `SealError`: that one says that a key is lost.
    """

    @property
    def epoch(self) -> str:
        """The name of the epoch that `wrap` uses now: ASCII, and not reused for another key."""

    def wrap(self, secret: bytes, context: bytes) -> WrappedKey:
        """Wrap a 32-byte key for one context under the current epoch."""

    def unwrap(self, wrapped: WrappedKey, context: bytes) -> bytes:
        """Return the key that was wrapped for the same context.

        Raises:
            SealError: An unknown or destroyed epoch, another context, or changed bytes.
        """


def create_key_file(path: Path) -> None:
    """Create a file with a new key-encryption key, readable by its owner alone.

    It is complete or absent, whatever interrupts; durable on return.

    Raises:
        KeyFileError: There is such a file already, or the folder cannot be written.
    """
    try:
        with new_private_file(path) as unfinished:
            unfinished.write_bytes(os.urandom(_KEY_BYTES))
    except FileExistsError:
        raise KeyFileError(f"{path} exists already; a key file is never overwritten.") from None
    except OSError as error:
        raise KeyFileError(f"{path} cannot be created: {error.strerror}.") from None


class FileKeyWrapper:
    """Wraps with a key from a file of 32 bytes: one file, one epoch. For development.

    The epoch's name is derived from the key, so that a file put in another's place is noticed.
    """

    def __init__(self, path: Path) -> None:
        """Read the key file.

        Raises:
            KeyFileError: Missing, not a file, open to group or others, or of a wrong size.
        """
        key = _read_key_file(path)
        self._cipher = AESGCM(key)
        self._epoch = "file-" + canonical.b64(hmac.digest(key, b"epoch/1", "sha256")[:12])

    @property
    def epoch(self) -> str:
        """The name of this file's key."""
        return self._epoch

    def wrap(self, secret: bytes, context: bytes) -> WrappedKey:
        """Wrap a key; see `KeyWrapper`. Good for 2^32 keys (SP 800-38D §8.3, random nonces)."""
        nonce = os.urandom(_NONCE_BYTES)
        return WrappedKey(self._epoch, nonce + self._cipher.encrypt(nonce, secret, context))

    def unwrap(self, wrapped: WrappedKey, context: bytes) -> bytes:
        """Unwrap a key; see `KeyWrapper`."""
        nonce, ciphertext = wrapped.data[:_NONCE_BYTES], wrapped.data[_NONCE_BYTES:]
        if wrapped.epoch != self._epoch or len(nonce) != _NONCE_BYTES:
            raise SealError
        try:
            return self._cipher.decrypt(nonce, ciphertext, context)
        except InvalidTag:
            raise SealError from None


def _read_key_file(path: Path) -> bytes:
    try:
        # Not blocking, so that a pipe in the file's place is refused instead of waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            # Asked of what was opened: the name may lead elsewhere by now.
            if fault := privacy_fault(os.fstat(file.fileno())):
                raise KeyFileError(f"{path} {fault}.")
            key = file.read(_KEY_BYTES + 1)
    except FileNotFoundError:
        raise KeyFileError(f"{path} does not exist: create a key file first.") from None
    except OSError as error:
        raise KeyFileError(f"{path} cannot be read: {error.strerror}.") from None
    if len(key) != _KEY_BYTES:
        raise KeyFileError(f"{path} is not a key file: it must have exactly {_KEY_BYTES} bytes.")
    return key
