# SPDX-License-Identifier: Apache-2.0
"""How a confidential program shows a provider which one it is: `private_key_jwt` (RFC 7523)."""

from __future__ import annotations

import json
import secrets
import time
import warnings
from pathlib import Path
from typing import Any, Final, Self

from joserfc import jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey

LIFETIME_SECONDS: Final = 60
_ALGORITHMS: Final[dict[type, str]] = {ECKey: "ES256", OKPKey: "EdDSA", RSAKey: "RS256"}


class ClientKey:
    """The private key of a program that a provider knows by its public one."""

    def __init__(self, key: Key) -> None:
        """Take a key.

        Raises:
            ValueError: if it is not one with which we can sign.
        """
        if type(key) not in _ALGORITHMS or not key.is_private:
            raise ValueError("This is no private key of P-256, Ed25519 or RSA.")
        key.ensure_kid()
        self._key: Any = key
        self._algorithm = _ALGORITHMS[type(key)]

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read a private JWK (RFC 7517).

        Raises:
            ValueError: if the file cannot be read, or holds none.
        """
        try:
            return cls(JWKRegistry.import_key(json.loads(file.read_bytes())))
        except (OSError, JoseError, TypeError, KeyError, ValueError):
            raise ValueError(f"{file} holds no private JWK.") from None

    def assertion(self, client_id: str, audience: str) -> str:
        """Return what shows that this program asks, once and only now."""
        now = int(time.time())
        claims = {
            "iss": client_id,
            "sub": client_id,
            "aud": audience,
            "jti": secrets.token_urlsafe(16),
            "iat": now,
            "exp": now + LIFETIME_SECONDS,
        }
        header = {"alg": self._algorithm, "typ": "JWT", "kid": self._key.kid}
        with warnings.catch_warnings():
            # RFC 9864 renames EdDSA; providers will be wanting the old name for years.
            warnings.simplefilter("ignore", SecurityWarning)
            return jwt.encode(header, claims, self._key, algorithms=[self._algorithm])
