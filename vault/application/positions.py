# SPDX-License-Identifier: Apache-2.0
"""Position tokens: an opaque, versioned, authenticated place in history, on the wire."""

from __future__ import annotations

import asyncio
import binascii
import hmac
from typing import TYPE_CHECKING

from vault.domain.canonical import b64, unb64
from vault.domain.errors import DeadlinePassedError, TokenInvalidError

if TYPE_CHECKING:
    from vault.sealing.keystore import Secrets
    from vault.store.vaults import Vaults

_VERSION = b"\x01"
_SIZE_BYTES = 8
_TAG_BYTES = 16
_POLL_SECONDS = 0.01


class PositionTokens:
    """Makes and reads tokens: version, one tree size per lane, HMAC-SHA256 cut to 16 bytes."""

    def __init__(self, secrets: Secrets) -> None:
        self._key = secrets.token_key

    def write(self, tree_size: int) -> str:
        """Return the token of a tree size."""
        body = _VERSION + tree_size.to_bytes(_SIZE_BYTES, "big")
        return b64(body + self._tag(body))

    def read(self, token: str, field: str = "position_token") -> int:
        """Return the tree size of a token.

        Raises:
            TokenInvalidError: if it is not one of ours.
        """
        try:
            data = unb64(token)
        except (ValueError, binascii.Error):
            raise TokenInvalidError(field) from None
        body, tag = data[:-_TAG_BYTES], data[-_TAG_BYTES:]
        is_ours = hmac.compare_digest(tag, self._tag(body))
        if not is_ours or body[:1] != _VERSION or len(body) != 1 + _SIZE_BYTES:
            raise TokenInvalidError(field)
        return int.from_bytes(body[1:], "big")

    async def wait(self, token: str, vaults: Vaults, deadline: float) -> None:
        """Return once the place of a token is visible; at once if there is no token.

        Args:
            deadline: on the monotonic clock.

        Raises:
            TokenInvalidError: if it is not one of ours.
            DeadlinePassedError: if the place is not visible in time.
        """
        if not token:
            return
        tree_size = self.read(token)
        while await vaults.tree_size() < tree_size:
            if vaults.clock.monotonic() > deadline:
                raise DeadlinePassedError
            await asyncio.sleep(_POLL_SECONDS)

    def _tag(self, body: bytes) -> bytes:
        return hmac.digest(self._key, b"position/1" + body, "sha256")[:_TAG_BYTES]
