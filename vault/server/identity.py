# SPDX-License-Identifier: Apache-2.0
"""Who calls: verifies OAuth access tokens in the JWT profile (RFC 9068, RFC 8725).

A verified token is remembered until it expires, under its digest. What its bearer may do is left to
`authorization.py`. The token of an auditor of one service (role `service-auditor`) and of a member
of its staff (`staff`) names that service in its claim `service_id`.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Final, cast, get_args

from vault.application.caller import Caller, Role
from vault.domain.errors import VaultError
from vault.domain.values import Time, time_of
from vault.server.issuer_keys import IssuerKeys
from vault.server.jwt import LEEWAY_SECONDS, TokenRefusedError, instant, is_name, read_jwt

LONGEST_TOKEN: Final = 8192
REMEMBERED_TOKENS: Final = 10_000

_ROLES: Final = frozenset(get_args(Role))
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_OF_SERVICE: Final = frozenset({"service-auditor", "staff"})
"""Roles whose token names the service of which they are."""
_TYPES: Final = frozenset({"at+jwt", "application/at+jwt"})


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
        try:
            return self._read_claims(await read_jwt(token, self._keys, _TYPES))
        except TokenRefusedError:
            raise CredentialInvalidError from None

    def _read_claims(self, claims: dict[str, Any]) -> tuple[Caller, float]:
        audience = claims.get("aud")
        roles = claims.get("roles")
        scope = claims.get("scope")
        now = self._now()
        if (
            claims.get("iss") != self._issuer
            or self._audience not in (audience if isinstance(audience, list) else [audience])
            or not all(is_name(claims.get(name)) for name in ("sub", "client_id", "jti"))
            or not isinstance(scope, str)
            or not isinstance(roles, list)
            or len(roles) != 1
            or not isinstance(roles[0], str)
            or roles[0] not in _ROLES
            or (roles[0] in _OF_SERVICE and not _is_uuid(claims.get("service_id")))
            or instant(claims.get("iat")) > now + LEEWAY_SECONDS
            or instant(claims.get("nbf", 0)) > now + LEEWAY_SECONDS
            or instant(claims.get("auth_time", 0)) > now + LEEWAY_SECONDS
        ):
            raise CredentialInvalidError
        expiry = instant(claims.get("exp"))
        caller = Caller(
            role=cast("Role", roles[0]),
            issuer=self._issuer,
            sub=claims["sub"],
            scopes=frozenset(scope.split()),
            audited_service=claims["service_id"] if roles[0] == "service-auditor" else "",
            staffed_service=claims["service_id"] if roles[0] == "staff" else "",
            issued=_time(claims["iat"]),
            signed_in=_time(claims["auth_time"]) if "auth_time" in claims else Time(""),
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


def _time(claim: object) -> Time:
    """Return a claim that is a moment, in the form in which events say it.

    Raises:
        TokenRefusedError: if it is none.
    """
    try:
        return time_of(datetime.fromtimestamp(instant(claim), UTC))
    except (ValueError, OverflowError, OSError):
        raise TokenRefusedError from None


def _is_uuid(value: object) -> bool:
    return isinstance(value, str) and _UUID.fullmatch(value) is not None
