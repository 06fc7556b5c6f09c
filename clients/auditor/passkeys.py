# SPDX-License-Identifier: Apache-2.0
"""What her passkey signed, verified by hand (W3C Web Authentication Level 3, section 7.2).

The public key, and the site for which it signs, stand in the history, in the record in which she
added it; whether she did is for whoever asks. The signature counter is not judged: passkeys are
copied between devices by design, and no challenge is good twice.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from clients.auditor.canonical import FormError, parse, unb64
from clients.auditor.facts import PasskeyAdded

USER_PRESENT: Final = 0x01
USER_VERIFIED: Final = 0x04
SMALLEST_RSA_BITS: Final = 2048
_HASH_BYTES: Final = 32
_SHORTEST_BYTES: Final = 37


def verify_assertion(
    passkey: PasskeyAdded, challenge: str, *, data: bytes, client_data: bytes, signature: bytes
) -> None:
    """Check that a passkey signed a challenge, its owner being there and known to it.

    Args:
        challenge: base64url.
        data: the authenticator data.

    Raises:
        FormError: if it did not.
    """
    _check_client_data(client_data, passkey.rp_id, challenge)
    if len(data) < _SHORTEST_BYTES:
        raise FormError("is cut short")
    if data[:_HASH_BYTES] != hashlib.sha256(passkey.rp_id.encode()).digest():
        raise FormError("was signed for another site")
    if data[_HASH_BYTES] & (USER_PRESENT | USER_VERIFIED) != USER_PRESENT | USER_VERIFIED:
        raise FormError("was signed by a passkey that did not make sure who uses it")
    signed = data + hashlib.sha256(client_data).digest()
    try:
        key = load_der_public_key(unb64(passkey.public_key))
        _verify(passkey.algorithm, key, signature, signed)
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        raise FormError("is not signed by the passkey that it names") from None


def _check_client_data(client_data: bytes, rp_id: str, challenge: str) -> None:
    try:
        said = parse(client_data.decode())
    except UnicodeDecodeError:
        raise FormError("is not JSON") from None
    if not isinstance(said, dict) or said.get("type") != "webauthn.get":
        raise FormError("is not what a passkey signs when it is used")
    if said.get("challenge") != challenge:
        raise FormError("is signed for another decision")
    host = _host(said.get("origin"))
    if said.get("crossOrigin", False) is not False or not _is_under(host, rp_id):
        raise FormError("was signed on a page of another site")


def _host(origin: object) -> str:
    try:
        address = urlsplit(origin if isinstance(origin, str) else "")
        host = address.hostname or ""
    except ValueError:
        return ""
    return host if address.scheme == "https" or host == "localhost" else ""


def _is_under(host: str, rp_id: str) -> bool:
    return bool(host) and (host == rp_id or host.endswith(f".{rp_id}"))


def _verify(algorithm: str, key: Any, signature: bytes, signed: bytes) -> None:
    match algorithm, key:
        case "ES256", ec.EllipticCurvePublicKey() if isinstance(key.curve, ec.SECP256R1):
            key.verify(signature, signed, ec.ECDSA(SHA256()))
        case "EdDSA", ed25519.Ed25519PublicKey():
            key.verify(signature, signed)
        case "RS256", rsa.RSAPublicKey() if key.key_size >= SMALLEST_RSA_BITS:
            key.verify(signature, signed, padding.PKCS1v15(), SHA256())
        case _:
            raise InvalidSignature
