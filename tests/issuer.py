# SPDX-License-Identifier: Apache-2.0
"""A token issuer for tests: the server is given its public key, so that tests sign what they like.

Access tokens have the JWT profile of RFC 9068, ID tokens that of OpenID Connect; each claim can be
changed or left out.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from joserfc import jwt
from joserfc.jwk import ECKey

NAME: Final = "https://issuer.example"
AUDIENCE: Final = "citizen-vault"
CLIENT: Final = "citizen-vault-pages"
SCOPES: Final = {
    "citizen": "vault evidence consent audit registry",
    "official": "vault evidence consent registry",
    "service": "consent disclosure registry",
    "staff": "consent disclosure registry",
    "auditor": "audit registry",
    "service-auditor": "audit registry",
    "operator": "registry",
}


class Issuer:
    """Signs access tokens for whomever a test needs."""

    def __init__(self) -> None:
        self._key = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, auto_kid=True)

    def settings(self, folder: Path) -> dict[str, str]:
        """Return the settings by which a server believes this issuer."""
        path = folder / "jwks.json"
        path.write_bytes(self.jwks)
        return {
            "CITIZEN_VAULT_ISSUER": NAME,
            "CITIZEN_VAULT_JWKS_FILE": str(path),
            "CITIZEN_VAULT_STEP_UP_CLIENT_ID": CLIENT,
            "CITIZEN_VAULT_PASSKEY_RP_ID": "localhost",
        }

    @property
    def jwks(self) -> bytes:
        """Return its public key as a JSON Web Key Set."""
        return json.dumps({"keys": [self._key.as_dict(private=False)]}).encode()

    def id_token(self, sub: str, nonce: str, /, **changed: Any) -> str:
        """Return an ID token of somebody who signed in just now; None leaves a claim out."""
        now = int(time.time())
        claims = {
            "iss": NAME,
            "sub": sub,
            "aud": CLIENT,
            "exp": now + 300,
            "iat": now,
            "auth_time": now,
            "nonce": nonce,
            **changed,
        }
        header = {"alg": "ES256", "typ": "JWT", "kid": self._key.kid}
        said = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(header, said, self._key, algorithms=["ES256"])

    def token(self, role: str, sub: str, /, **changed: Any) -> str:
        """Return an access token; a claim that is changed to None is left out."""
        now = time.time()
        claims = {
            "iss": NAME,
            "sub": sub,
            "aud": AUDIENCE,
            "exp": now + 3600,
            "iat": now,
            **({"auth_time": now} if role == "citizen" else {}),
            "jti": str(uuid4()),
            "client_id": "tests",
            "scope": SCOPES.get(role, ""),
            "roles": [role],
            **changed,
        }
        header = {"alg": "ES256", "typ": "at+jwt", "kid": self._key.kid}
        said = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(header, said, self._key, algorithms=["ES256"])
