# SPDX-License-Identifier: Apache-2.0
"""A token issuer for development: it believes everybody, so it binds loopback and nothing else.

Access tokens have the JWT profile of RFC 9068, discovery that of OpenID Connect Discovery 1.0. Who
asks with a `nonce` gets an ID token besides, as if she had signed in once more (OpenID Connect Core
1.0 section 2): that is how a decision is approved here. The key lies in the data folder and the
name stays, so that a sign-in finds its vault again, and what was approved can be verified later.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, get_args
from urllib.parse import parse_qs

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from vault.application.caller import Role
from vault.configuration.approvals import DEVELOPMENT_CLIENT
from vault.configuration.config import Environment

ISSUER: Final = "urn:citizen-vault:development"
GRANT_TYPE: Final = "urn:citizen-vault:development"
LIFETIME_SECONDS: Final = 3600
LARGEST_FORM_BYTES: Final = 4096
SCOPES: Final[dict[str, str]] = {
    "citizen": "vault evidence consent audit registry",
    "official": "vault evidence consent registry",
    "service": "consent disclosure registry",
    "auditor": "audit registry",
    "service-auditor": "audit registry",
    "operator": "registry",
}


class DevelopmentOnlyError(Exception):
    """Something that is for development was asked for in production."""


class DevelopmentIssuer:
    """Issues access tokens for whomever somebody on this machine says to be."""

    def __init__(
        self, environment: Environment, audience: str, key_file: Path | None = None
    ) -> None:
        """Read or make a key and bind a free port on loopback; `start` begins to answer.

        Args:
            key_file: where the key stays; without it, it goes with the process.

        Raises:
            DevelopmentOnlyError: anywhere but in development.
        """
        if environment != "development":
            raise DevelopmentOnlyError("The development issuer signs in everybody.")
        self._audience = audience
        self._key = _key_in(key_file) if key_file else _new_key()
        self._server = _Server(("127.0.0.1", 0), _Answers)
        self._server.issuer = self
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
        lifetime: int = LIFETIME_SECONDS,
        service_id: str = "",
    ) -> str:
        """Return an access token.

        Args:
            scope: fewer scopes than the role has; empty: all of them.
            service_id: the service whose auditor it is; "" for others.
        """
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": sub,
            "aud": self._audience,
            "exp": now + lifetime,
            "iat": now,
            "jti": secrets.token_urlsafe(16),
            "client_id": sub if role == "service" else "development",
            "scope": scope or SCOPES[role],
            "roles": [role],
            **({"service_id": service_id} if service_id else {}),
        }
        header = {"alg": "ES256", "typ": "at+jwt", "kid": self._key.kid}
        return jwt.encode(header, claims, self._key, algorithms=["ES256"])

    def id_token(self, sub: str, nonce: str, client_id: str = DEVELOPMENT_CLIENT) -> str:
        """Return an ID token of somebody who signed in just now."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": sub,
            "aud": client_id,
            "exp": now + LIFETIME_SECONDS,
            "iat": now,
            "auth_time": now,
            "nonce": nonce,
        }
        header = {"alg": "ES256", "typ": "JWT", "kid": self._key.kid}
        return jwt.encode(header, claims, self._key, algorithms=["ES256"])

    def discovery(self) -> dict[str, Any]:
        """Return what OpenID Connect Discovery tells."""
        return {
            "issuer": ISSUER,
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
            "grant_types_supported": [GRANT_TYPE],
            "token_endpoint_auth_methods_supported": ["none"],
            "response_types_supported": [],
        }


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


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    issuer: DevelopmentIssuer


class _Answers(BaseHTTPRequestHandler):
    server: _Server
    timeout = 5

    def do_GET(self) -> None:
        issuer = self.server.issuer
        if not self._is_for_us():
            return
        match self.path:
            case "/.well-known/openid-configuration":
                self._answer(HTTPStatus.OK, json.dumps(issuer.discovery()).encode())
            case "/jwks":
                self._answer(HTTPStatus.OK, issuer.jwks)
            case _:
                self._answer(HTTPStatus.NOT_FOUND, b"{}")

    def do_POST(self) -> None:
        if not self._is_for_us():
            return
        length = self.headers.get("content-length", "")
        if self.path != "/token" or not length.isdecimal() or int(length) > LARGEST_FORM_BYTES:
            self._refuse("invalid_request")
            return
        form = parse_qs(self.rfile.read(int(length)).decode("utf-8", "replace"))
        one = {name: values[0] for name, values in form.items() if len(values) == 1}
        role, sub, scope = one.get("role", ""), one.get("sub", ""), one.get("scope", "")
        nonce = one.get("nonce", "")
        service_id = one.get("service_id", "")
        if one.get("grant_type") != GRANT_TYPE:
            self._refuse("unsupported_grant_type")
        elif (
            role not in get_args(Role)
            or not 0 < len(sub) <= 255
            or not sub.isprintable()
            or (role == "service-auditor") != bool(service_id)
        ):
            self._refuse("invalid_request")
        elif not set(scope.split()).issubset(SCOPES[role].split()):
            self._refuse("invalid_scope")
        else:
            token = self.server.issuer.token(role, sub, scope, service_id=service_id)
            answer = {
                "access_token": token,
                "token_type": "Bearer",
                "expires_in": LIFETIME_SECONDS,
            }
            if nonce:
                answer["id_token"] = self.server.issuer.id_token(
                    sub, nonce, one.get("client_id", DEVELOPMENT_CLIENT)
                )
            self._answer(HTTPStatus.OK, json.dumps(answer).encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Say nothing: a line would hold what was asked."""

    def _is_for_us(self) -> bool:
        # A page from elsewhere may have its name resolve to loopback; it cannot change this header.
        port = self.server.server_port
        if self.headers.get("host") in {f"127.0.0.1:{port}", f"localhost:{port}"}:
            return True
        self._answer(HTTPStatus.MISDIRECTED_REQUEST, b"{}")
        return False

    def _refuse(self, error: str) -> None:
        self._answer(HTTPStatus.BAD_REQUEST, json.dumps({"error": error}).encode())

    def _answer(self, status: HTTPStatus, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.send_header("cache-control", "no-store")
        self.end_headers()
        self.wfile.write(body)
