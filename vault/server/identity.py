# SPDX-License-Identifier: Apache-2.0
"""Who calls: verifies OAuth access tokens in the JWT profile (RFC 9068, RFC 8725).

A verified token is remembered until it expires, under its digest. What its bearer may do is left to
`authorization.py`.
"""

from __future__ import annotations

import binascii
import hashlib
import json
import math
import time
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, Final, cast, get_args

from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from vault.application.caller import Caller, Role
from vault.domain.canonical import unb64
from vault.domain.errors import VaultError
from vault.server.issuer_keys import IssuerKeys

LEEWAY_SECONDS: Final = 5
LONGEST_TOKEN: Final = 8192
REMEMBERED_TOKENS: Final = 10_000
LONGEST_NAME: Final = 255

_ROLES: Final = frozenset(get_args(Role))
_KEY_TYPES: Final[dict[str, type]] = {
    "ES256": ECKey,
    "EdDSA": OKPKey,
    "Ed25519": OKPKey,
    "RS256": RSAKey,
}
_TYPES: Final = frozenset({"at+jwt", "application/at+jwt"})
# A key that the token brings itself, or a rule that we might not know (RFC 8725 section 3.10).
_REFUSED_HEADERS: Final = frozenset({"jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "enc"})
_REGISTRY: Final = jws.JWSRegistry(algorithms=list(_KEY_TYPES), strict_check_header=False)


class CredentialError(VaultError):
    """Nobody knows who calls."""


class CredentialMissingError(CredentialError):
    """The call carries no access token."""

    reason = "CREDENTIAL_MISSING"
    message = "The call carries no access token. Send it as `authorization: Bearer ...`."


class CredentialInvalidError(CredentialError):
    """The access token is malformed, badly signed, or meant for somebody else."""

    reason = "CREDENTIAL_INVALID"
    message = "The access token is not valid here. Fetch one from this server's issuer."


class CredentialExpiredError(CredentialError):
    """The access token has expired."""

    reason = "CREDENTIAL_EXPIRED"
    message = "The access token has expired. Fetch a new one."


class Verifier:
    """Verifies the access tokens of one issuer."""

    def __init__(
        self,
        issuer: str,
        audience: str,
        keys: IssuerKeys,
        *,
        now: Callable[[], float] = time.time,
        remembered: int = REMEMBERED_TOKENS,
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = keys
        self._now = now
        self._most = remembered
        self._verified: OrderedDict[bytes, tuple[Caller, float]] = OrderedDict()

    async def verify(self, metadata: Iterable[tuple[str, str | bytes]]) -> tuple[Caller, float]:
        """Return who calls, by the call's metadata, and for how many seconds the token says so.

        Raises:
            CredentialMissingError, CredentialInvalidError, CredentialExpiredError: if nobody knows.
        """
        token = _bearer_token(metadata)
        name = hashlib.sha256(token.encode()).digest()
        known = self._verified.get(name)
        if known is None:
            known = await self._verify(token)
            self._verified[name] = known
            if len(self._verified) > self._most:
                self._verified.popitem(last=False)
        caller, expiry = known
        seconds = expiry + LEEWAY_SECONDS - self._now()
        if seconds <= 0:
            del self._verified[name]
            raise CredentialExpiredError
        return caller, seconds

    async def _verify(self, token: str) -> tuple[Caller, float]:
        algorithm, kid = _read_header(token)
        key = await self._keys.find(kid)
        if key is None or not isinstance(key, _KEY_TYPES[algorithm]):
            raise CredentialInvalidError
        return self._read_claims(_open(token, key, algorithm))

    def _read_claims(self, payload: bytes) -> tuple[Caller, float]:
        claims = _json_object(payload)
        audience = claims.get("aud")
        roles = claims.get("roles")
        scope = claims.get("scope")
        now = self._now()
        if (
            claims.get("iss") != self._issuer
            or self._audience not in (audience if isinstance(audience, list) else [audience])
            or not all(_is_name(claims.get(name)) for name in ("sub", "client_id", "jti"))
            or not isinstance(scope, str)
            or not isinstance(roles, list)
            or len(roles) != 1
            or not isinstance(roles[0], str)
            or roles[0] not in _ROLES
            or _instant(claims.get("iat")) > now + LEEWAY_SECONDS
            or _instant(claims.get("nbf", 0)) > now + LEEWAY_SECONDS
        ):
            raise CredentialInvalidError
        expiry = _instant(claims.get("exp"))
        caller = Caller(
            role=cast("Role", roles[0]),
            issuer=self._issuer,
            sub=claims["sub"],
            scopes=frozenset(scope.split()),
        )
        return caller, expiry


def _bearer_token(metadata: Iterable[tuple[str, str | bytes]]) -> str:
    values = [value for key, value in metadata if key == "authorization"]
    if not values:
        raise CredentialMissingError
    value = values[0]
    if len(values) > 1 or not isinstance(value, str):
        raise CredentialInvalidError
    scheme, _, token = value.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise CredentialMissingError
    if len(token) > LONGEST_TOKEN or not token.isascii():
        raise CredentialInvalidError
    return token


def _read_header(token: str) -> tuple[str, str]:
    """Return the algorithm and key id, if both and the type are as they must be."""
    header = _json_object(_decoded(token.partition(".")[0]))
    algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ")
    if (
        not isinstance(algorithm, str)
        or algorithm not in _KEY_TYPES
        or not _is_name(kid)
        or not isinstance(kind, str)
        or kind.lower() not in _TYPES
        or not _REFUSED_HEADERS.isdisjoint(header)
    ):
        raise CredentialInvalidError
    return algorithm, cast("str", kid)


def _open(token: str, key: Key, algorithm: str) -> bytes:
    try:
        with warnings.catch_warnings():
            # RFC 9864 renames EdDSA; issuers will be sending the old name for years.
            warnings.simplefilter("ignore", SecurityWarning)
            opened = jws.deserialize_compact(token, key, algorithms=[algorithm], registry=_REGISTRY)
    except Exception:  # noqa: BLE001 - whatever a hostile token makes a library raise, it is none
        raise CredentialInvalidError from None
    # Parts are decoded once more, strictly: the library ignores stray characters.
    parts = token.split(".")
    if opened.payload != _decoded(parts[1]) or not _decoded(parts[2]):
        raise CredentialInvalidError
    return opened.payload


def _decoded(part: str) -> bytes:
    try:
        return unb64(part)
    except (ValueError, binascii.Error):
        raise CredentialInvalidError from None


def _json_object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(
            data.decode(), object_pairs_hook=_without_duplicates, parse_constant=_refuse
        )
    except (ValueError, RecursionError):
        raise CredentialInvalidError from None
    if not isinstance(value, dict):
        raise CredentialInvalidError
    return value


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise CredentialInvalidError
    return found


def _refuse(_constant: str) -> Any:
    raise CredentialInvalidError


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= LONGEST_NAME and value.isprintable()


def _instant(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CredentialInvalidError
    try:
        seconds = float(value)
    except OverflowError:
        raise CredentialInvalidError from None
    if not math.isfinite(seconds) or seconds < 0:
        raise CredentialInvalidError
    return seconds
