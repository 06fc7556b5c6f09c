# SPDX-License-Identifier: Apache-2.0
"""What her sign-in provider signed: ID tokens, verified by hand (RFC 7515, OpenID Connect Core).

The keys are the provider's JWKS (RFC 7517), as it publishes them; get them from the provider, not
from the operator. Beside `keys` the file may hold `issuer`, `client_id` and `sub`: each token must
then be of that issuer, for that program, of that person; who has several sign-ins is a list of
`sub`. Without all three, anybody at her provider could have signed in, or signed in to another
site, and nobody has said who she is. Keys for ES256, EdDSA and RS256 count.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from clients.auditor.canonical import PRINTABLE_ASCII, FormError, unb64

SMALLEST_RSA_BITS: Final = 2048
_KEY_TYPES: Final = {"ES256": "EC", "EdDSA": "OKP", "Ed25519": "OKP", "RS256": "RSA"}
_TYPES: Final = ("", "jwt")
"""An access token is no ID token."""
_COORDINATE_BYTES: Final = 32
LATEST_SECONDS: Final = 253_402_300_799
"""The end of the year 9999."""


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider's keys by their id, and what its tokens must name; "" if that is not known."""

    keys: Mapping[str, tuple[str, Any]] = field(default_factory=dict)
    issuer: str = ""
    client_id: str = ""
    subs: frozenset[str] = frozenset()

    @property
    def is_pinned(self) -> bool:
        """Say whether it is known which sign-ins are hers, where, and for which program."""
        return bool(self.issuer and self.client_id and self.subs)


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signed in, where, and for which program."""

    issuer: str
    client_id: str
    sub: str

    def __str__(self) -> str:
        return f"{self.sub} at {self.issuer}, for {self.client_id}"


@dataclass(frozen=True, slots=True)
class Token:
    """What an ID token says whose signature is good. Times are seconds since 1970."""

    signer: Signer
    nonce: str
    issued: float
    signed_in: float


@lru_cache(maxsize=8)
def read_provider(data: bytes) -> Provider:
    """Read a JWKS.

    Raises:
        FormError: if it is none.
    """
    told = _object(data)
    keys = told.get("keys")
    if not isinstance(keys, list):
        raise FormError("is not a JSON Web Key Set")
    usable = {}
    for key in keys:
        if isinstance(key, dict) and isinstance(key.get("kid"), str) and (found := _usable(key)):
            usable[key["kid"]] = found
    issuer, client_id, sub = (told.get(name, "") for name in ("issuer", "client_id", "sub"))
    subs = sub if isinstance(sub, list) else [sub]
    if not all(isinstance(name, str) for name in (issuer, client_id, *subs)):
        raise FormError("has an issuer, client_id or sub that is no text")
    return Provider(usable, issuer, client_id, frozenset(filter(None, subs)))


def open_token(provider: Provider, text: str) -> Token:
    """Return what an ID token says, its signature verified.

    Raises:
        FormError: if it is none of this provider.
    """
    parts = text.split(".")
    if len(parts) != 3:
        raise FormError("is not an ID token")
    header, claims = (_object(unb64(part)) for part in parts[:2])
    kind = str(header.get("typ", "")).lower()
    if kind not in _TYPES or not {"crit", "b64", "jwk", "jku", "x5c", "x5u"}.isdisjoint(header):
        raise FormError("is a token of another kind")
    key_type, key = provider.keys.get(str(header.get("kid")), ("", None))
    algorithm = str(header.get("alg"))
    if key is None or _KEY_TYPES.get(algorithm) != key_type:
        raise FormError("is signed with a key that is not among the provider's")
    try:
        _verify(key_type, key, unb64(parts[2]), f"{parts[0]}.{parts[1]}".encode())
    except (InvalidSignature, ValueError):
        raise FormError("is not signed by the provider") from None
    return _token(provider, claims)


def _token(provider: Provider, claims: dict[str, Any]) -> Token:
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    client_id = claims.get("azp", named[0] if len(named) == 1 else None)
    signer = Signer(
        issuer=_text(claims.get("iss")),
        client_id=_text(client_id),
        sub=_text(claims.get("sub")),
    )
    token = Token(
        signer=signer,
        nonce=_text(claims.get("nonce")),
        issued=_seconds(claims.get("iat")),
        signed_in=_seconds(claims.get("auth_time")),
    )
    if signer.client_id not in named:
        raise FormError("is for somebody who did not ask for it")
    if signer.issuer != (provider.issuer or signer.issuer):
        raise FormError("is of another provider")
    if signer.client_id != (provider.client_id or signer.client_id):
        raise FormError("is for another program than the vault's")
    if signer.sub not in (provider.subs or {signer.sub}):
        raise FormError("is somebody else's")
    return token


def _verify(key_type: str, key: Any, signature: bytes, signed: bytes) -> None:
    match key_type:
        case "EC":
            if len(signature) != 2 * _COORDINATE_BYTES:
                raise InvalidSignature
            numbers = (signature[:_COORDINATE_BYTES], signature[_COORDINATE_BYTES:])
            r, s = (int.from_bytes(number, "big") for number in numbers)
            key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(SHA256()))
        case "OKP":
            key.verify(signature, signed)
        case _:
            key.verify(signature, signed, padding.PKCS1v15(), SHA256())


def _usable(key: dict[str, Any]) -> tuple[str, Any] | None:
    """Return a key of the set and its type; None if it does not verify signatures for us."""
    if key.get("use", "sig") != "sig":
        return None
    try:
        match key.get("kty"), key.get("crv"):
            case "EC", "P-256":
                x, y = (_number(key[name]) for name in ("x", "y"))
                return "EC", ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
            case "OKP", "Ed25519":
                return "OKP", ed25519.Ed25519PublicKey.from_public_bytes(unb64(key["x"], 32))
            case "RSA", _:
                found = rsa.RSAPublicNumbers(_number(key["e"]), _number(key["n"])).public_key()
                return ("RSA", found) if found.key_size >= SMALLEST_RSA_BITS else None
            case _:
                return None
    except (FormError, ValueError, KeyError, TypeError):
        return None


def _number(text: str) -> int:
    return int.from_bytes(unb64(text), "big")


def _object(data: bytes) -> dict[str, Any]:
    # A provider may say more than we need, and say it in numbers that we would not.
    try:
        value = json.loads(data.decode(), object_pairs_hook=_without_repetition)
    except (ValueError, RecursionError):
        raise FormError("is not JSON") from None
    if not isinstance(value, dict):
        raise FormError("is not a JSON object")
    return value


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _text(value: object) -> str:
    # All of it is ASCII by its own standards, and who signed is printed.
    if not isinstance(value, str) or not value or not PRINTABLE_ASCII.fullmatch(value):
        raise FormError("is an ID token that does not say all that it must")
    return value


def _seconds(value: object) -> float:
    # Neither endless nor no number at all, nor beyond what a time can be.
    if not isinstance(value, int | float) or not 0 <= value <= LATEST_SECONDS:
        raise FormError("is an ID token that does not say when she signed in")
    return float(value)
