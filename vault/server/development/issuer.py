# SPDX-License-Identifier: Apache-2.0
"""A token issuer for development: it believes everybody, so it binds loopback and nothing else.

Access tokens have the JWT profile of RFC 9068, discovery that of OpenID Connect Discovery 1.0.
People sign in on a page (`page.py`), programs by a grant of our own. Who asks with a
`nonce` gets it back in an ID token, as somebody who signed in just now (OpenID Connect Core 1.0
section 2): that is how a decision is approved here. The key lies in the data folder and the name
stays, so that a sign-in finds its vault again, and what was approved can be verified later.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from vault.configuration.approvals import DEVELOPMENT_CLIENT
from vault.configuration.config import Environment
from vault.server.development.codes import (
    ISSUER,
    Asked,
    Codes,
    GrantError,
    Person,
    SignedIn,
)
from vault.server.development.http import Server
from vault.server.development.page import LONGEST_NAME, Known, read_people

__all__ = ["ISSUER", "DevelopmentIssuer", "DevelopmentOnlyError"]

GRANT_TYPE: Final = "urn:citizen-vault:development"
LIFETIME_SECONDS: Final = 3600
SCOPES: Final[dict[str, str]] = {
    "citizen": "vault evidence consent audit registry",
    "official": "vault evidence consent registry",
    "service": "consent disclosure registry",
    "staff": "consent disclosure registry",
    "auditor": "audit registry",
    "service-auditor": "audit registry",
    "operator": "registry",
}
_OF_A_SERVICE: Final = frozenset({"service-auditor", "staff"})


class DevelopmentOnlyError(Exception):
    """Something that is for development was asked for in production."""


class DevelopmentIssuer:
    """Issues access tokens for whomever somebody on this machine says to be."""

    def __init__(
        self,
        environment: Environment,
        audience: str,
        key_file: Path | None = None,
        people_file: Path | None = None,
    ) -> None:
        """Read or make a key and bind a free port on loopback; `start` begins to answer.

        Args:
            key_file: where the key stays; without it, it goes with the process.
            people_file: who is offered by name on its page, read each time; see `Known`.

        Raises:
            DevelopmentOnlyError: anywhere but in development.
        """
        if environment != "development":
            raise DevelopmentOnlyError("The development issuer signs in everybody.")
        self._audience = audience
        self._key = _key_in(key_file) if key_file else _new_key()
        self._people_file = people_file
        self._codes = Codes()
        self._server = Server(self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="development-issuer", daemon=True
        )

    @property
    def url(self) -> str:
        """Return where it answers."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def jwks(self) -> bytes:
        """Return its public key as a JSON Web Key Set, and whose it is."""
        keys = [self._key.as_dict(private=False)]
        return json.dumps({"issuer": ISSUER, "keys": keys}).encode()

    @property
    def people(self) -> tuple[Known, ...]:
        """Return who is offered by name."""
        return read_people(self._people_file)

    def start(self) -> None:
        """Begin to answer, on a thread of its own."""
        self._thread.start()

    def close(self) -> None:
        """Stop answering. Tokens stay good as long as the key is believed."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def token(
        self,
        role: str,
        sub: str,
        scope: str = "",
        *,
        service_id: str = "",
        client_id: str = "",
        auth_time: int | None = None,
    ) -> str:
        """Return an access token.

        Args:
            scope: fewer scopes than the role has; empty: all of them.
            service_id: the service whose auditor or staff it is; "" for others.
            client_id: the program for which somebody signed in; "": the usual one.
            auth_time: when she signed in; None: just now.
        """
        now = int(time.time())
        usual_client = sub if role == "service" else "development"
        claims = {
            "iss": ISSUER,
            "sub": sub,
            "aud": self._audience,
            "exp": now + LIFETIME_SECONDS,
            "iat": now,
            "jti": secrets.token_urlsafe(16),
            "client_id": client_id or usual_client,
            "auth_time": now if auth_time is None else auth_time,
            "scope": scope or SCOPES[role],
            "roles": [role],
            **({"service_id": service_id} if service_id else {}),
        }
        header = {"alg": "ES256", "typ": "at+jwt", "kid": self._key.kid}
        return jwt.encode(header, claims, self._key, algorithms=["ES256"])

    def id_token(
        self,
        sub: str,
        nonce: str,
        client_id: str = DEVELOPMENT_CLIENT,
        auth_time: int | None = None,
    ) -> str:
        """Return an ID token of somebody who signed in: at that time, or just now."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": sub,
            "aud": client_id,
            "exp": now + LIFETIME_SECONDS,
            "iat": now,
            "auth_time": now if auth_time is None else auth_time,
            **({"nonce": nonce} if nonce else {}),
        }
        header = {"alg": "ES256", "typ": "JWT", "kid": self._key.kid}
        return jwt.encode(header, claims, self._key, algorithms=["ES256"])

    def code(self, asked: Asked, person: Person) -> str:
        """Return a code for somebody who says who she is, just now."""
        return self._codes.give(SignedIn(asked, person, int(time.time())))

    def tokens_for(self, form: Mapping[str, str]) -> dict[str, Any]:
        """Return what the token endpoint gives for a form.

        Raises:
            GrantError: if it gives nothing.
        """
        match form.get("grant_type"):
            case "authorization_code":
                return self._redeemed(form)
            case grant if grant == GRANT_TYPE:
                return self._believed(form)
            case _:
                raise GrantError("unsupported_grant_type")

    def _redeemed(self, form: Mapping[str, str]) -> dict[str, Any]:
        """Return the tokens of somebody who said on the page who she is."""
        found = self._codes.redeem(form)
        asked, person, signed_in = found.asked, found.person, found.auth_time
        scope = _granted_scope(person.role, asked.scope)
        access_token = self.token(
            person.role,
            person.sub,
            scope,
            service_id=person.service_id,
            client_id=asked.client_id,
            auth_time=signed_in,
        )
        id_token = self.id_token(person.sub, asked.nonce, asked.client_id, signed_in)
        return {**_given(access_token), "scope": scope, "id_token": id_token}

    def _believed(self, form: Mapping[str, str]) -> dict[str, Any]:
        """Return the tokens of a program that says who it is."""
        role, sub, scope = (form.get(name, "") for name in ("role", "sub", "scope"))
        service_id = form.get("service_id", "")
        if (
            role not in SCOPES
            or not 0 < len(sub) <= LONGEST_NAME
            or not sub.isprintable()
            or (role in _OF_A_SERVICE) != bool(service_id)
        ):
            raise GrantError("invalid_request")
        if not set(scope.split()).issubset(SCOPES[role].split()):
            raise GrantError("invalid_scope")
        tokens = _given(self.token(role, sub, scope, service_id=service_id))
        if nonce := form.get("nonce", ""):
            client_id = form.get("client_id", DEVELOPMENT_CLIENT)
            tokens["id_token"] = self.id_token(sub, nonce, client_id)
        return tokens

    def discovery(self) -> dict[str, Any]:
        """Return what OpenID Connect Discovery tells."""
        return {
            "issuer": ISSUER,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
            "scopes_supported": ["openid", *sorted(set(" ".join(SCOPES.values()).split()))],
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", GRANT_TYPE],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "token_endpoint_auth_methods_supported": ["none"],
            "code_challenge_methods_supported": ["S256"],
            "prompt_values_supported": ["login"],
            "claims_supported": ["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce"],
            "ui_locales_supported": ["en", "cy"],
            "authorization_response_iss_parameter_supported": True,
        }


def _given(access_token: str) -> dict[str, Any]:
    return {
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": LIFETIME_SECONDS,
    }


def _granted_scope(role: str, asked: str) -> str:
    """Return what somebody of a role is given of the scopes that a program asks for.

    A program asks before it knows who comes. "openid" alone asks for all that the role has.
    """
    wanted = set(asked.split()) - {"openid"}
    return " ".join(one for one in SCOPES[role].split() if one in wanted or not wanted)


def _new_key() -> ECKey:
    return ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, auto_kid=True)


def _key_in(file: Path) -> ECKey:
    """Return the key in a file, made if there is none, or none any more."""
    try:
        return ECKey.import_key(json.loads(file.read_bytes()))
    except (OSError, ValueError, JoseError):
        key = _new_key()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as opened:
        json.dump(key.as_dict(private=True), opened)
    return key
