# SPDX-License-Identifier: Apache-2.0
"""Verifies what a passkey signed (W3C Web Authentication Level 3, sections 7.1 and 7.2).

Attestation is not asked for: which make an authenticator is says nothing about whose it is. The
signature counter is not kept either: it tells copies of a key apart, which synchronised passkeys
are, and guards against replays, which the challenge does.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from vault.domain.canonical import strict_json, unb64
from vault.domain.errors import ApprovalInvalidError, FieldInvalidError

if TYPE_CHECKING:
    from collections.abc import Container

    from vault.domain.passkey import Algorithm, NewPasskey

RSA_BITS: Final = range(2048, 4096 + 1)
_LARGEST_EXPONENT: Final = 65537
_RP_ID_HASH_BYTES: Final = 32
_SHORTEST_DATA_BYTES: Final = 37
_USER_PRESENT: Final = 0x01
_USER_VERIFIED: Final = 0x04


@dataclass(frozen=True, slots=True)
class Assertion:
    """What a passkey signed: of which credential, and the three parts of the answer."""

    credential: bytes
    authenticator_data: bytes = field(repr=False)
    client_data_json: bytes = field(repr=False)
    signature: bytes = field(repr=False)


def check_public_key(algorithm: Algorithm, public_key: bytes) -> None:
    """Check that a key is one of the algorithm's, strong, and written in the one form.

    Raises:
        FieldInvalidError: if not.
    """
    try:
        key: Any = load_der_public_key(public_key)
        same = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) == public_key
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise FieldInvalidError("public_key", "It is not a SubjectPublicKeyInfo.") from None
    if not same or not _is_strong(algorithm, key):
        raise FieldInvalidError(
            "public_key",
            "It is not a key of that algorithm: P-256, Ed25519, or RSA from 2048 bits.",
        )


def verify(assertion: Assertion, key: NewPasskey, origins: Container[str], challenge: str) -> None:
    """Check that a passkey signed a challenge, its owner being there and known to it.

    Args:
        origins: of the pages that may ask for it.
        challenge: base64url.

    Raises:
        ApprovalInvalidError: if not.
    """
    _check_client_data(assertion.client_data_json, origins, challenge)
    data = assertion.authenticator_data
    if len(data) < _SHORTEST_DATA_BYTES:
        raise ApprovalInvalidError("What the passkey answered is cut short.")
    if data[:_RP_ID_HASH_BYTES] != hashlib.sha256(key.rp_id.encode()).digest():
        raise ApprovalInvalidError("It was signed for another site.")
    flags = data[_RP_ID_HASH_BYTES]
    if not flags & _USER_PRESENT or not flags & _USER_VERIFIED:
        raise ApprovalInvalidError("The passkey did not make sure who uses it.")
    signed = data + hashlib.sha256(assertion.client_data_json).digest()
    try:
        _verify_signature(key.algorithm, unb64(key.public_key), assertion.signature, signed)
    except InvalidSignature:
        raise ApprovalInvalidError("The signature is not this passkey's.") from None


def _check_client_data(data: bytes, origins: Container[str], challenge: str) -> None:
    try:
        said = strict_json(data)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict) or said.get("type") != "webauthn.get":
        raise ApprovalInvalidError("This is not what a passkey signs when it is used.")
    if said.get("challenge") != challenge:
        raise ApprovalInvalidError("Another challenge was signed.")
    origin = said.get("origin")
    is_ours = isinstance(origin, str) and origin in origins
    if not is_ours or said.get("crossOrigin", False) is not False:
        raise ApprovalInvalidError("It was signed on a page that is none of ours.")


def _is_strong(algorithm: Algorithm, key: object) -> bool:
    match algorithm:
        case "ES256":
            return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(
                key.curve, ec.SECP256R1
            )
        case "EdDSA":
            return isinstance(key, ed25519.Ed25519PublicKey)
        case "RS256":
            return (
                isinstance(key, rsa.RSAPublicKey)
                and key.key_size in RSA_BITS
                # A large one would make each look at a signature slow.
                and key.public_numbers().e <= _LARGEST_EXPONENT
            )


def _verify_signature(
    algorithm: Algorithm, public_key: bytes, signature: bytes, signed: bytes
) -> None:
    key: Any = load_der_public_key(public_key)
    match algorithm:
        case "ES256":
            key.verify(signature, signed, ec.ECDSA(SHA256()))
        case "EdDSA":
            key.verify(signature, signed)
        case "RS256":
            key.verify(signature, signed, padding.PKCS1v15(), SHA256())
