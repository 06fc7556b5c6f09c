# SPDX-License-Identifier: Apache-2.0
"""Reads signed JSON Web Tokens of an issuer, strictly (RFC 7519, RFC 8725).

Only the signature and the form are looked at here; what the claims must say is left to whoever
asks: access tokens (`identity.py`), ID tokens (`step_up.py`).
"""

from __future__ import annotations

import binascii
import json
import math
import warnings
from typing import TYPE_CHECKING, Any, Final, cast

from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from vault.domain.canonical import unb64

if TYPE_CHECKING:
    from collections.abc import Collection

    from vault.server.issuer_keys import IssuerKeys

LEEWAY_SECONDS: Final = 5
LONGEST_NAME: Final = 255
NO_TYPE: Final = ""

_KEY_TYPES: Final[dict[str, type]] = {
    "ES256": ECKey,
    "EdDSA": OKPKey,
    "Ed25519": OKPKey,
    "RS256": RSAKey,
}
# A key that the token brings itself, or a rule that we might not know (RFC 8725 section 3.10).
_REFUSED_HEADERS: Final = frozenset({"jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "enc"})
_REGISTRY: Final = jws.JWSRegistry(algorithms=list(_KEY_TYPES), strict_check_header=False)


class TokenRefusedError(Exception):
    """This is no token of the issuer, or not of the type that is asked for."""


async def read_jwt(token: str, keys: IssuerKeys, types: Collection[str]) -> dict[str, Any]:
    """Return the claims of a token whose signature is good.

    Args:
        types: what its header may say that it is, in lower case; `NO_TYPE`: nothing.

    Raises:
        TokenRefusedError: if it is malformed, of another type, or badly signed.
    """
    algorithm, kid = _read_header(token, types)
    key = await keys.find(kid)
    if key is None or not isinstance(key, _KEY_TYPES[algorithm]):
        raise TokenRefusedError
    return _json_object(_open(token, key, algorithm))


def is_name(value: object) -> bool:
    """Say whether a claim is a name as we take it: printable, not empty, not long."""
    return isinstance(value, str) and 0 < len(value) <= LONGEST_NAME and value.isprintable()


def instant(value: object) -> float:
    """Return a claim that is a moment (RFC 7519 section 2, NumericDate).

    Raises:
        TokenRefusedError: if it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenRefusedError
    try:
        seconds = float(value)
    except OverflowError:
        raise TokenRefusedError from None
    if not math.isfinite(seconds) or seconds < 0:
        raise TokenRefusedError
    return seconds


def _read_header(token: str, types: Collection[str]) -> tuple[str, str]:
    """Return the algorithm and key id, if both and the type are as they must be."""
    header = _json_object(_decoded(token.partition(".")[0]))
    algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ", NO_TYPE)
    if (
        not isinstance(algorithm, str)
        or algorithm not in _KEY_TYPES
        or not is_name(kid)
        or not isinstance(kind, str)
        or kind.lower() not in types
        or not _REFUSED_HEADERS.isdisjoint(header)
    ):
        raise TokenRefusedError
    return algorithm, cast("str", kid)


def _open(token: str, key: Key, algorithm: str) -> bytes:
    try:
        with warnings.catch_warnings():
            # RFC 9864 renames EdDSA; issuers will be sending the old name for years.
            warnings.simplefilter("ignore", SecurityWarning)
            opened = jws.deserialize_compact(token, key, algorithms=[algorithm], registry=_REGISTRY)
    except Exception:  # noqa: BLE001 - whatever a hostile token makes a library raise, it is none
        raise TokenRefusedError from None
    # Parts are decoded once more, strictly: the library ignores stray characters.
    parts = token.split(".")
    if opened.payload != _decoded(parts[1]) or not _decoded(parts[2]):
        raise TokenRefusedError
    return opened.payload


def _decoded(part: str) -> bytes:
    try:
        return unb64(part)
    except (ValueError, binascii.Error):
        raise TokenRefusedError from None


def _json_object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(
            data.decode(), object_pairs_hook=_without_duplicates, parse_constant=_refuse
        )
    except (ValueError, RecursionError):
        raise TokenRefusedError from None
    if not isinstance(value, dict):
        raise TokenRefusedError
    return value


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise TokenRefusedError
    return found


def _refuse(_constant: str) -> Any:
    raise TokenRefusedError
