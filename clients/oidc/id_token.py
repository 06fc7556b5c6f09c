# SPDX-License-Identifier: Apache-2.0
"""What an ID token says, its signature and every claim verified (OpenID Connect Core, 3.1.3.7).

The keys are the provider's (RFC 7517), fetched again when a token names an unknown one. Algorithms
are those that the vault and its independent checker take, too: else she would sign in, and what she
then approves would count nowhere.
"""

from __future__ import annotations

import binascii
import dataclasses
import math
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey

from clients.oidc.http import SignInError, fetched_json, json_object

LEEWAY_SECONDS: Final = 5
REFRESH_SECONDS: Final = 60.0
"""How often, at most, an unknown key sends us to the provider."""
SMALLEST_RSA_BITS: Final = 2048

_KEY_TYPES: Final[dict[str, type]] = {
    "ES256": ECKey,
    "EdDSA": OKPKey,
    "Ed25519": OKPKey,
    "RS256": RSAKey,
}
_REGISTRY: Final = jws.JWSRegistry(algorithms=list(_KEY_TYPES), strict_check_header=False)
# A key that the token brings itself, or a rule that we might not know (RFC 8725 section 3.10).
_REFUSED_HEADERS: Final = frozenset({"jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "enc"})
_TYPES: Final = frozenset({"", "jwt"})
"""An access token is no ID token (RFC 8725 section 3.11)."""


@dataclasses.dataclass(frozen=True)
class Expected:
    """What an ID token has to say.

    Attributes:
        since: she signed in no earlier than that, in seconds since 1970; None: whenever.
    """

    issuer: str
    client_id: str
    nonce: str
    since: int | None = None


@dataclasses.dataclass(frozen=True)
class Said:
    """What a verified ID token says; `auth_time` is 0 if it does not."""

    sub: str
    auth_time: int
    expires_at: int


class ProviderKeys:
    """A provider's public keys. Threads may share it."""

    def __init__(self, url: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._monotonic = monotonic
        self._keys: dict[str, Key] = {}
        self._asked: float | None = None
        self._asking = threading.Lock()

    def find(self, kid: str) -> Key | None:
        """Return the key of this id, asking the provider at most once a minute.

        Raises:
            SignInError: if the provider cannot be asked.
        """
        with self._asking:
            if kid not in self._keys and self._may_ask():
                self._keys = _read_keys(fetched_json(self._url))
            return self._keys.get(kid)

    def _may_ask(self) -> bool:
        now = self._monotonic()
        if self._asked is not None and now - self._asked < REFRESH_SECONDS:
            return False
        self._asked = now
        return True


def verified(token: str, keys: ProviderKeys, expected: Expected) -> Said:
    """Return what an ID token says.

    Raises:
        SignInError: "unproved" if it does not show who signed in, for us and for this sign-in.
    """
    claims = _signed_claims(token, keys)
    now = time.time()
    issued, expires = (_seconds(claims.get(name)) for name in ("iat", "exp"))
    auth_time = _seconds(claims.get("auth_time", 0))
    sub = claims.get("sub")
    if (
        claims.get("iss") != expected.issuer
        or claims.get("nonce") != expected.nonce
        or not _is_for(expected.client_id, claims)
        or not isinstance(sub, str)
        or not 0 < len(sub) <= 255
        or expires + LEEWAY_SECONDS <= now
        or max(issued, auth_time) > now + LEEWAY_SECONDS
        or (expected.since is not None and auth_time + LEEWAY_SECONDS < expected.since)
    ):
        raise SignInError("unproved")
    return Said(sub, int(auth_time), int(expires))


def _is_for(client_id: str, claims: dict[str, Any]) -> bool:
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    # A token for several names the one that asked for it.
    party = claims.get("azp", client_id if len(named) == 1 else "")
    return client_id in named and party == client_id


def _signed_claims(token: str, keys: ProviderKeys) -> dict[str, Any]:
    """Return the claims of a token whose signature is good."""
    try:
        with warnings.catch_warnings():
            # RFC 9864 renames EdDSA; providers will be sending the old name for years.
            warnings.simplefilter("ignore", SecurityWarning)
            said = jws.extract_compact(token.encode("ascii"))
            key = _key_for(said.headers(), keys)
            opened = jws.deserialize_compact(token, key, registry=_REGISTRY)
    except (JoseError, ValueError, TypeError, KeyError, binascii.Error):
        raise SignInError("unproved") from None
    return json_object(opened.payload, "unproved")


def _key_for(header: dict[str, Any], keys: ProviderKeys) -> Key:
    algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ", "")
    if (
        not isinstance(algorithm, str)
        or algorithm not in _KEY_TYPES
        or not isinstance(kid, str)
        or not isinstance(kind, str)
        or kind.lower() not in _TYPES
        or not _REFUSED_HEADERS.isdisjoint(header)
    ):
        raise SignInError("unproved")
    key = keys.find(kid)
    if key is None or not isinstance(key, _KEY_TYPES[algorithm]):
        raise SignInError("unproved")
    return key


def _read_keys(found: dict[str, Any]) -> dict[str, Key]:
    listed = found.get("keys")
    if not isinstance(listed, list):
        raise SignInError("provider")
    keys = [key for data in listed if (key := _usable(data)) is not None]
    return {str(key.kid): key for key in keys}


def _usable(data: object) -> Key | None:
    """Return a key of the set; None if it does not verify signatures for us."""
    if (
        not isinstance(data, dict)
        or not isinstance(data.get("kid"), str)
        or data.get("use", "sig") != "sig"
    ):
        return None
    try:
        key = JWKRegistry.import_key({name: it for name, it in data.items() if name != "key_ops"})
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    is_strong = (
        (isinstance(key, ECKey) and key.curve_name == "P-256")
        or (isinstance(key, OKPKey) and key.curve_name == "Ed25519")
        or (isinstance(key, RSAKey) and key.public_key.key_size >= SMALLEST_RSA_BITS)
    )
    return key if is_strong else None


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SignInError("unproved")
    try:
        seconds = float(value)
    except OverflowError:
        raise SignInError("unproved") from None
    if not math.isfinite(seconds) or seconds < 0:
        raise SignInError("unproved")
    return seconds
