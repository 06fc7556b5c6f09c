# SPDX-License-Identifier: Apache-2.0
"""A client of an OpenID provider: people sign in there, and approve there what they decide here.

OpenID Connect Core 1.0, the authorization code flow alone, with PKCE (RFC 7636), `state` and
`nonce`; the answer's `iss` (RFC 9207), resource indicators (RFC 8707), RP-Initiated Logout 1.0. The
program shows itself by nothing, being public, or by a signed assertion (`private_key_jwt`). No
refresh token is asked for or kept: a sign-in ends when its access token does.

    provider = Provider.discover("https://sign-in.example", "the-client")
    state, nonce, verifier = new_secret(), new_secret(), new_secret()
    url = provider.authorization_url(redirect_uri, "vault evidence", state, nonce, verifier)
    ...                                      # the browser goes there, and comes back with an answer
    code = provider.code_of(answer, state)
    tokens = provider.tokens(code, verifier, redirect_uri, nonce)
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import secrets
import time
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

from clients.connection import is_loopback
from clients.oidc.assertion import ClientKey
from clients.oidc.http import SignInError, fetched_json, is_private
from clients.oidc.id_token import Expected, ProviderKeys, verified

__all__ = ["Provider", "SignInError", "Tokens", "new_secret"]

DEVELOPMENT_ISSUER: Final = "urn:citizen-vault:development"
"""The one issuer whose name is not its address: it keeps the name, and takes a free port."""

_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclasses.dataclass(frozen=True)
class Tokens:
    """What a provider gave for a code; `sub` and `auth_time` are those of the verified ID token.

    Attributes:
        expires_at: when the access token ends; like `auth_time` in seconds since 1970.
        auth_time: when she last showed who she is; 0 if the provider does not say.
    """

    access_token: str = dataclasses.field(repr=False)
    id_token: str = dataclasses.field(repr=False)
    expires_at: int
    sub: str
    auth_time: int


class Provider:
    """One OpenID provider, as its discovery document describes it. Threads may share it."""

    def __init__(
        self,
        metadata: Mapping[str, Any],
        client_id: str,
        *,
        key: ClientKey | None = None,
        resource: str = "",
    ) -> None:
        """Take what discovery told; see `discover`."""
        self.issuer = str(metadata["issuer"])
        self.client_id = client_id
        self._authorization_endpoint = _address(metadata, "authorization_endpoint")
        self._token_endpoint = _address(metadata, "token_endpoint")
        ends = "end_session_endpoint"
        self._end_session_endpoint = _address(metadata, ends) if ends in metadata else ""
        self._says_issuer = metadata.get("authorization_response_iss_parameter_supported") is True
        self._keys = ProviderKeys(_address(metadata, "jwks_uri"))
        self._key = key
        self._resource = resource

    @classmethod
    def discover(
        cls, issuer_url: str, client_id: str, *, key_file: Path | None = None, resource: str = ""
    ) -> Self:
        """Return the provider at an address (OpenID Connect Discovery 1.0, section 4).

        Args:
            key_file: the private JWK by which this program shows itself; None: it is public.
            resource: for which server access tokens are asked, where the provider wants to know.

        Raises:
            SignInError: if it cannot be reached, or is not what it should be.
            ValueError: if the file holds no key with which we can sign.
        """
        key = ClientKey.read(key_file) if key_file else None
        metadata = fetched_json(f"{issuer_url.rstrip('/')}/.well-known/openid-configuration")
        if not _is_issuer(metadata.get("issuer"), issuer_url) or not _can_prove(metadata):
            raise SignInError("provider")
        return cls(metadata, client_id, key=key, resource=resource)

    @property
    def origin(self) -> str:
        """Return the origin of the pages where people sign in: a page's `form-action` names it."""
        address = urllib.parse.urlsplit(self._authorization_endpoint)
        return f"{address.scheme}://{address.netloc}"

    def authorization_url(
        self,
        redirect_uri: str,
        scope: str,
        state: str,
        nonce: str,
        verifier: str,
        *,
        prompt: str = "",
        max_age: int | None = None,
        login_hint: str = "",
        ui_locales: str = "",
        acr_values: str = "",
    ) -> str:
        """Return where the browser goes to sign in.

        Args:
            scope: what the access token is for; "openid" is added.
            nonce: what the ID token will say. To approve a decision: its challenge, base64url.
            verifier: of which the provider is shown the digest alone (RFC 7636, S256).
            prompt: "login": to sign in once more, however she is signed in already.
            max_age: how many seconds ago at most she signed in; 0 with `prompt` "login".
            ui_locales: the languages of the provider's pages, the best first.
            acr_values: how well she has to be recognised, the best first.
        """
        asked = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(dict.fromkeys(["openid", *scope.split()])),
            "state": state,
            "nonce": nonce,
            "code_challenge": _challenge_of(verifier),
            "code_challenge_method": "S256",
            "prompt": prompt,
            "max_age": "" if max_age is None else str(max_age),
            "login_hint": login_hint,
            "ui_locales": ui_locales,
            "acr_values": acr_values,
            "resource": self._resource,
        }
        return _with_query(self._authorization_endpoint, asked)

    def code_of(self, answer: Mapping[str, str], state: str) -> str:
        """Return the code with which the browser came back.

        Args:
            answer: the parameters of the redirection.
            state: the one that was sent; "" if none is known in this browser.

        Raises:
            SignInError: if the answer belongs to another sign-in or another provider, or she did
                not sign in.
        """
        said = answer.get("state", "")
        if not state or not hmac.compare_digest(said.encode(), state.encode()):
            raise SignInError("stale")
        issuer = answer.get("iss", "")
        if (issuer or self._says_issuer) and issuer != self.issuer:
            raise SignInError("unproved")
        if error := answer.get("error", ""):
            raise SignInError("declined" if error == "access_denied" else "provider")
        if not answer.get("code", ""):
            raise SignInError("provider")
        return answer["code"]

    def tokens(
        self, code: str, verifier: str, redirect_uri: str, nonce: str, *, since: int | None = None
    ) -> Tokens:
        """Return the tokens for a code, the ID token verified.

        Args:
            since: she signed in no earlier than that, in seconds since 1970: when she was sent to
                sign in once more. None: whenever it was.

        Raises:
            SignInError: if the provider does not give them, or they are not for her and us.
        """
        asked_at = int(time.time())
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
            "client_id": self.client_id,
            "resource": self._resource,
        }
        if self._key is not None:
            form["client_assertion_type"] = _ASSERTION_TYPE
            form["client_assertion"] = self._key.assertion(self.client_id, self._token_endpoint)
        answer = fetched_json(self._token_endpoint, {k: v for k, v in form.items() if v})
        access, id_token = (answer.get(name) for name in ("access_token", "id_token"))
        if (
            not isinstance(access, str)
            or not isinstance(id_token, str)
            or str(answer.get("token_type")).lower() != "bearer"
        ):
            raise SignInError("provider")
        expected = Expected(self.issuer, self.client_id, nonce, since)
        said = verified(id_token, self._keys, expected)
        lifetime = answer.get("expires_in")
        ends = asked_at + lifetime if type(lifetime) is int else said.expires_at
        return Tokens(access, id_token, ends, said.sub, said.auth_time)

    def sign_out_url(self, id_token: str, return_uri: str) -> str:
        """Return where the browser goes to sign out at the provider, too; "" if it offers none."""
        if not self._end_session_endpoint:
            return ""
        asked = {
            "id_token_hint": id_token,
            "client_id": self.client_id,
            "post_logout_redirect_uri": return_uri,
        }
        return _with_query(self._end_session_endpoint, asked)


def new_secret() -> str:
    """Return a new `state`, `nonce` or `verifier`: 256 bits, as a URL takes them."""
    return secrets.token_urlsafe(32)


def _is_issuer(named: object, url: str) -> bool:
    """Say whether an issuer is the one that was looked for: else its tokens name another."""
    if named == DEVELOPMENT_ISSUER:
        address = urllib.parse.urlsplit(url)
        return address.scheme == "http" and is_loopback(address.hostname or "")
    return isinstance(named, str) and named.rstrip("/") == url.rstrip("/")


def _can_prove(metadata: Mapping[str, Any]) -> bool:
    # A provider that does not know PKCE ignores the challenge, and whoever has a code can use it.
    known = metadata.get("code_challenge_methods_supported")
    return isinstance(known, list) and "S256" in known


def _address(metadata: Mapping[str, Any], name: str) -> str:
    url = metadata.get(name)
    if not isinstance(url, str) or not is_private(url):
        raise SignInError("provider")
    return url


def _challenge_of(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def _with_query(url: str, said: Mapping[str, str]) -> str:
    query = urllib.parse.urlencode({name: value for name, value in said.items() if value})
    return f"{url}{'&' if '?' in url else '?'}{query}"
