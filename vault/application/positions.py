# SPDX-License-Identifier: Apache-2.0
"""Position tokens: an opaque, versioned, authenticated place in history, on the wire.

A place has one size for each lane that matters: a write names the lanes in which it wrote.
"""

from __future__ import annotations

import asyncio
import binascii
import hmac
import struct
from itertools import chain
from typing import TYPE_CHECKING, Final

from vault.domain.canonical import b64, unb64
from vault.domain.errors import DeadlinePassedError, StoreUnavailableError, TokenInvalidError
from vault.domain.lane import FIRST_LANE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vault.sealing.keystore import Secrets
    from vault.store.command import Sizes
    from vault.store.vaults import Vaults

_FIRST_FORM: Final = 1
"""One size, of lane 0; tokens of this form are still read."""
_FORM: Final = 2
"""A lane and its size, for each lane, ascending."""
_SIZE: Final = struct.Struct(">Q")
_LANE_SIZE: Final = struct.Struct(">HQ")
_TAG_BYTES: Final = 16
_POLL_SECONDS: Final = 0.01


class PositionTokens:
    """Makes and reads tokens: form, sizes by lane, HMAC-SHA256 cut to 16 bytes."""

    def __init__(self, secrets: Secrets) -> None:
        self._key = secrets.token_key

    def write(self, sizes: Sizes) -> str:
        """Return the token of a place."""
        places = (_LANE_SIZE.pack(lane, size) for lane, size in sorted(sizes.items()))
        body = bytes([_FORM]) + b"".join(places)
        return b64(body + self._tag(body))

    def read(self, token: str, field: str = "position_token") -> Sizes:
        """Return the place of a token.

        Raises:
            TokenInvalidError: if it is not one of ours.
        """
        try:
            data = unb64(token)
        except (ValueError, binascii.Error):
            raise TokenInvalidError(field) from None
        body, tag = data[:-_TAG_BYTES], data[-_TAG_BYTES:]
        if not body or not hmac.compare_digest(tag, self._tag(body)):
            raise TokenInvalidError(field)
        try:
            return _sizes(body[0], body[1:])
        except struct.error:
            raise TokenInvalidError(field) from None

    async def wait(self, token: str, vaults: Vaults, deadline: float) -> None:
        """Return once the place of a token is visible; at once if there is no token.

        Args:
            deadline: on the monotonic clock.

        Raises:
            TokenInvalidError: if it is not one of ours.
            StoreUnavailableError: if one of its lanes is not served here.
            DeadlinePassedError: if the place is not visible in time.
        """
        for number, size in (self.read(token) if token else {}).items():
            lane = vaults.lanes.get(number)
            if lane is None:
                raise StoreUnavailableError
            while await lane.tree_size() < size:
                if vaults.clock.monotonic() > deadline:
                    raise DeadlinePassedError
                await asyncio.sleep(_POLL_SECONDS)

    def _tag(self, body: bytes) -> bytes:
        return hmac.digest(self._key, b"position/1" + body, "sha256")[:_TAG_BYTES]


def latest(places: Iterable[Sizes]) -> Sizes:
    """Return the first place at which all of several are reached."""
    sizes: dict[int, int] = {}
    for lane, size in chain.from_iterable(place.items() for place in places):
        sizes[lane] = max(size, sizes.get(lane, 0))
    return sizes


def _sizes(form: int, data: bytes) -> Sizes:
    if form == _FORM:
        return dict(_LANE_SIZE.iter_unpack(data))
    if form == _FIRST_FORM:
        return {FIRST_LANE: _SIZE.unpack(data)[0]}
    raise struct.error
