# SPDX-License-Identifier: Apache-2.0
"""What is sealed, opened with the key that came with it: AES-256-GCM (NIST SP 800-38D).

    sealed   0x01 ‖ nonce (12 bytes) ‖ ciphertext and tag of: content ‖ 0x80 ‖ zeros

The context is authenticated beside it: where it stands, as a list in canonical JSON. A key and its
context come from an export; whether they are the ones that the record names is for the auditor's
program to say.
"""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

ALGORITHM: Final = "AES-256-GCM"
_FORM: Final = b"\x01"
_NONCE_BYTES: Final = 12
_END_OF_CONTENT: Final = b"\x80"


class SealedError(Exception):
    """It does not open: another key, another context, or bytes that were changed."""


@dataclasses.dataclass(frozen=True)
class Sealed:
    """Sealed bytes, the key that opens them, and their context; without a key they are public."""

    content: bytes
    key: bytes = dataclasses.field(repr=False)
    context: Sequence[str | int]

    @property
    def is_public(self) -> bool:
        """Say whether everybody may read it: its context names no key."""
        return not self.context[-1]

    def open(self) -> bytes:
        """Return what was sealed; b"" where it was deleted, or its key destroyed.

        Raises:
            SealedError: if it does not open.
        """
        if not self.content or self.is_public:
            return self.content
        if not self.key:
            return b""
        # It takes longer to import than most commands take to run.
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

        start = len(_FORM)
        nonce, rest = self.content[start : start + _NONCE_BYTES], self.content[start:]
        beside = json.dumps(list(self.context), separators=(",", ":")).encode("ascii")
        try:
            padded = AESGCM(self.key).decrypt(nonce, rest[_NONCE_BYTES:], beside)
        except (InvalidTag, ValueError):
            raise SealedError from None
        content = padded.rstrip(b"\0")
        if not self.content.startswith(_FORM) or not content.endswith(_END_OF_CONTENT):
            raise SealedError
        return content.removesuffix(_END_OF_CONTENT)
