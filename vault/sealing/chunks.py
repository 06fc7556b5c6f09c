# SPDX-License-Identifier: Apache-2.0
"""Long content sealed in chunks, so that a document is opened piece by piece and never held whole.

The STREAM construction (Hoang, Reyhanitabar, Rogaway and Vizard, CRYPTO 2015) over AES-256-GCM:
the nonce counts the chunks and marks the last, so that none is dropped, moved, repeated or added.

    object   0x02 ‖ prefix (7 random bytes) ‖ chunks
    chunk    ciphertext and tag of: content ‖ 0x80 ‖ zeros; 64 KiB, only the last may be shorter
    nonce    prefix ‖ number of the chunk, from 0 (4 bytes) ‖ 0x01 if it is the last, else 0x00

Each chunk is full of content until the content ends. The total is padded with Padmé, and context
and commitment are the envelope's. So the context's `kind` must be none that envelopes have, or a
chunk could pass for one.
"""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from vault.sealing.envelope import (
    Context,
    Key,
    associated_data_of,
    padded_size,
    require_commitment,
)
from vault.sealing.errors import SealError

CHUNK_BYTES = 64 * 1024

_FORM = b"\x02"
_PREFIX_BYTES = 7
_HEADER_BYTES = len(_FORM) + _PREFIX_BYTES
_TAG_BYTES = 16
_SEALED_CHUNK_BYTES = CHUNK_BYTES + _TAG_BYTES

# In every chunk, so that none has to wait for the next to know what of it is content.
_END_OF_CONTENT = b"\x80"
_CONTENT_BYTES = CHUNK_BYTES - len(_END_OF_CONTENT)


class ChunkSealer:
    """Seals one piece of long content after the other; `finish` gives the end.

    Two of 4,096 objects under one key share a prefix with a probability of 2^-33; every key here
    seals one.
    """

    def __init__(self, key: Key, context: Context) -> None:
        """Begin an object.

        Raises:
            SealError: The context names another key.
        """
        self._associated_data = associated_data_of(key, context)
        self._cipher = AESGCM(key.secret)
        self._prefix = os.urandom(_PREFIX_BYTES)
        self._number = 0
        self._content = bytearray()
        self._sealed = bytearray(_FORM + self._prefix)
        self._is_finished = False

    def update(self, content: bytes) -> bytes:
        """Take the next piece of content, of any size.

        Returns:
            The next bytes of the object, perhaps none: what does not fill a chunk is kept.
        """
        _refuse_if(is_finished=self._is_finished)
        self._content += content
        while len(self._content) >= _CONTENT_BYTES:
            self._seal(CHUNK_BYTES, is_last=False)
        return self._drain()

    def finish(self) -> bytes:
        """End the object.

        Returns:
            Its last bytes: what was kept, and the padding (for 25 MiB, at most 512 KiB).
        """
        _refuse_if(is_finished=self._is_finished)
        self._is_finished = True
        before = self._number * CHUNK_BYTES
        left = padded_size(before + len(self._content) + len(_END_OF_CONTENT)) - before
        while left > CHUNK_BYTES:
            self._seal(CHUNK_BYTES, is_last=False)
            left -= CHUNK_BYTES
        self._seal(left, is_last=True)
        return self._drain()

    def _seal(self, size: int, *, is_last: bool) -> None:
        content = bytes(self._content[: size - len(_END_OF_CONTENT)])
        del self._content[: len(content)]
        padded = (content + _END_OF_CONTENT).ljust(size, b"\0")
        nonce = _nonce(self._prefix, self._number, is_last=is_last)
        self._sealed += self._cipher.encrypt(nonce, padded, self._associated_data)
        self._number += 1

    def _drain(self) -> bytes:
        sealed = bytes(self._sealed)
        self._sealed.clear()
        return sealed


class ChunkOpener:
    """Opens what a `ChunkSealer` made, piece by piece.

    What was given out is a true beginning of the content, whatever is raised later. That it is the
    whole, only `finish` says.
    """

    def __init__(self, key: Key, context: Context, expected_commitment: str) -> None:
        """Begin to open an object; the arguments are those of `envelope.open_sealed`.

        Raises:
            SealError: Another key than was committed to, or the context names another.
        """
        require_commitment(key, expected_commitment)
        self._associated_data = associated_data_of(key, context)
        self._cipher = AESGCM(key.secret)
        self._prefix = b""
        self._number = 0
        self._sealed = bytearray()
        self._padded_size = 0
        self._content_size = 0
        self._is_finished = False

    def update(self, sealed: bytes) -> bytes:
        """Take the next bytes of the object, of any number.

        Returns:
            The next bytes of the content, perhaps none; each was verified.

        Raises:
            SealError: Another context, or bytes that were changed, left out, moved or added. What
                does not open stays where it is: every later call raises, too.
        """
        _refuse_if(is_finished=self._is_finished)
        self._sealed += sealed
        if not self._prefix and len(self._sealed) >= _HEADER_BYTES:
            if not self._sealed.startswith(_FORM):
                raise SealError
            self._prefix = bytes(self._sealed[len(_FORM) : _HEADER_BYTES])
            del self._sealed[:_HEADER_BYTES]
        content = bytearray()
        # Only the end of the object tells which chunk is the last: a full one waits for more.
        while self._prefix and len(self._sealed) > _SEALED_CHUNK_BYTES:
            content += self._open(bytes(self._sealed[:_SEALED_CHUNK_BYTES]), is_last=False)
        return bytes(content)

    def finish(self) -> bytes:
        """Say that the object ends here.

        Returns:
            The last bytes of the content; now it is whole.

        Raises:
            SealError: It does not end here, or as in `update`.
        """
        _refuse_if(is_finished=self._is_finished)
        if not self._prefix:
            raise SealError
        content = self._open(bytes(self._sealed), is_last=True)
        ends = self._content_size // _CONTENT_BYTES + 1
        if self._padded_size != padded_size(self._content_size + ends * len(_END_OF_CONTENT)):
            raise SealError
        self._is_finished = True
        return content

    def _open(self, sealed: bytes, *, is_last: bool) -> bytes:
        nonce = _nonce(self._prefix, self._number, is_last=is_last)
        try:
            padded = self._cipher.decrypt(nonce, sealed, self._associated_data)
        except InvalidTag:
            raise SealError from None
        content = padded.rstrip(b"\0")
        if not content.endswith(_END_OF_CONTENT):
            raise SealError
        content = content.removesuffix(_END_OF_CONTENT)
        del self._sealed[: len(sealed)]
        self._number += 1
        self._padded_size += len(padded)
        self._content_size += len(content)
        return content


def _nonce(prefix: bytes, number: int, *, is_last: bool) -> bytes:
    # The 4 bytes overflow, with an error, after 256 TiB.
    return prefix + number.to_bytes(4, "big") + is_last.to_bytes(1, "big")


def _refuse_if(*, is_finished: bool) -> None:
    if is_finished:
        raise ValueError("this object is finished: begin another")
