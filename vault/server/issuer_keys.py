# SPDX-License-Identifier: Apache-2.0
"""The public keys of a token issuer (RFC 7517): fixed, or fetched from its address.

Symmetric keys, weak ones and those for encryption are left out, so that no token can choose them.
"""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey

REFRESH_SECONDS: Final = 60.0
"""How often, at most, an unknown key sends us to the issuer."""
FETCH_SECONDS: Final = 5.0
LARGEST_SET_BYTES: Final = 256 * 1024
SMALLEST_RSA_BITS: Final = 2048


class KeySetError(Exception):
    """What should be a set of public keys is none; the message never holds its content."""


class IssuerKeys(Protocol):
    """Finds an issuer's public key."""

    async def find(self, kid: str) -> Key | None:
        """Return the key of this id, or None: then no token that names it is good."""


class FixedKeys:
    """Keys that do not change while the server runs."""

    def __init__(self, jwks: bytes) -> None:
        """Read a JSON Web Key Set.

        Raises:
            KeySetError: if it is none, or holds no usable key.
        """
        self._keys = read_key_set(jwks)

    async def find(self, kid: str) -> Key | None:
        """Return the key of this id, if it is in the set."""
        return self._keys.get(kid)


class FetchedKeys:
    """Keys fetched from the issuer's address, again when a token names an unknown one.

    If the issuer cannot be reached, what was fetched last stands, and unknown keys stay unknown.
    """

    def __init__(
        self,
        url: str,
        fetch: Callable[[str], bytes] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._fetch = fetch or _fetch
        self._monotonic = monotonic
        self._keys: Mapping[str, Key] = {}
        self._asked: float | None = None
        self._asking = asyncio.Lock()

    async def find(self, kid: str) -> Key | None:
        """Return the key of this id, asking the issuer at most once a minute."""
        key = self._keys.get(kid)
        if key is not None:
            return key
        async with self._asking:
            now = self._monotonic()
            if self._asked is None or now - self._asked >= REFRESH_SECONDS:
                self._asked = now
                await self._refresh()
        return self._keys.get(kid)

    async def _refresh(self) -> None:
        try:
            content = await asyncio.get_running_loop().run_in_executor(None, self._fetch, self._url)
            self._keys = read_key_set(content)
        except (OSError, ValueError, KeySetError):
            return


def read_key_set(jwks: bytes) -> Mapping[str, Key]:
    """Return the usable keys of a JSON Web Key Set by their id.

    Raises:
        KeySetError: if it is none, or holds no usable key.
    """
    try:
        found = json.loads(jwks)["keys"]
        keys = [key for data in found if (key := _usable(data)) is not None]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise KeySetError("This is not a JSON Web Key Set.") from None
    if not keys:
        raise KeySetError(
            "No key in the set can verify a token: EC P-256, Ed25519 or RSA, with kid."
        )
    return {str(key.kid): key for key in keys}


def _usable(data: object) -> Key | None:
    if (
        not isinstance(data, dict)
        or not isinstance(data.get("kid"), str)
        or data.get("use", "sig") != "sig"
    ):
        return None
    try:
        key = JWKRegistry.import_key({k: v for k, v in data.items() if k != "key_ops"})
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    is_strong = (
        (isinstance(key, ECKey) and key.curve_name == "P-256")
        or (isinstance(key, OKPKey) and key.curve_name == "Ed25519")
        or (isinstance(key, RSAKey) and key.public_key.key_size >= SMALLEST_RSA_BITS)
    )
    return key if is_strong else None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Keys come from the configured address or not at all."""

    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None


def _fetch(url: str) -> bytes:
    # The address comes from the configuration, which takes https or loopback alone.
    with urllib.request.build_opener(_NoRedirect).open(url, timeout=FETCH_SECONDS) as answer:
        content: bytes = answer.read(LARGEST_SET_BYTES + 1)
    if len(content) > LARGEST_SET_BYTES:
        raise ValueError("The key set is too large.")
    return content
