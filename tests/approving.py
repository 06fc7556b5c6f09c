# SPDX-License-Identifier: Apache-2.0
"""How a citizen approves in tests: a software authenticator, and a provider that signs her nonce.

Every part of what is signed can be said otherwise, so that a test makes one thing wrong.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from vault.api.v1 import vault_pb2
from vault.application.webauthn import Assertion
from vault.domain.canonical import b64

if TYPE_CHECKING:
    from tests.issuer import Issuer
    from vault.domain.passkey import Algorithm

RP_ID: Final = "localhost"
ORIGIN: Final = "http://localhost:8000"
PRESENT: Final = 0x01
VERIFIED: Final = 0x04
ALGORITHMS: Final[tuple[Algorithm, ...]] = ("ES256", "EdDSA", "RS256")


class Authenticator:
    """One passkey in software (W3C Web Authentication, section 6)."""

    def __init__(self, algorithm: Algorithm = "ES256") -> None:
        self.algorithm = algorithm
        self.credential = secrets.token_bytes(16)
        self._key = _new_key(algorithm)

    @property
    def public_key(self) -> bytes:
        """Return the public key as SubjectPublicKeyInfo."""
        return self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def sign(
        self,
        challenge: bytes,
        /,
        *,
        rp_id: str = RP_ID,
        flags: int = PRESENT | VERIFIED,
        **client_data: Any,
    ) -> Assertion:
        """Sign a challenge; anything of the client data can be said otherwise."""
        said = {
            "type": "webauthn.get",
            "challenge": b64(challenge),
            "origin": ORIGIN,
            "crossOrigin": False,
            **client_data,
        }
        return self.sign_client_data(json.dumps(said).encode(), rp_id=rp_id, flags=flags)

    def sign_client_data(
        self, client_data_json: bytes, *, rp_id: str = RP_ID, flags: int = PRESENT | VERIFIED
    ) -> Assertion:
        """Sign whatever a page says."""
        data = hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + bytes(4)
        return Assertion(
            credential=self.credential,
            authenticator_data=data,
            client_data_json=client_data_json,
            signature=self._signature(data + hashlib.sha256(client_data_json).digest()),
        )

    def _signature(self, signed: bytes) -> bytes:
        key = self._key
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return key.sign(signed, ec.ECDSA(SHA256()))
        if isinstance(key, rsa.RSAPrivateKey):
            return key.sign(signed, padding.PKCS1v15(), SHA256())
        return key.sign(signed)


def by_step_up(issuer: Issuer, sub: str, challenge: bytes, /, **changed: Any) -> vault_pb2.Approval:
    """Return the approval of somebody who signed in once more; any claim can be changed."""
    token = issuer.id_token(sub, b64(challenge), **changed)
    return vault_pb2.Approval(kind=vault_pb2.APPROVAL_KIND_OIDC_STEP_UP, proof=token.encode())


def by_passkey(assertion: Assertion) -> vault_pb2.Approval:
    """Return the approval that a passkey signed."""
    return vault_pb2.Approval(
        kind=vault_pb2.APPROVAL_KIND_WEBAUTHN,
        assertion=vault_pb2.PasskeyAssertion(
            credential=assertion.credential,
            authenticator_data=assertion.authenticator_data,
            client_data_json=assertion.client_data_json,
            signature=assertion.signature,
        ),
    )


def _new_key(
    algorithm: Algorithm,
) -> ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey:
    match algorithm:
        case "ES256":
            return ec.generate_private_key(ec.SECP256R1())
        case "EdDSA":
            return ed25519.Ed25519PrivateKey.generate()
        case "RS256":
            return rsa.generate_private_key(65537, 2048)
