# SPDX-License-Identifier: Apache-2.0
"""People sign in at their provider by a browser, which comes back to this machine (RFC 8252).

The command line is a public program: it has no secret, only PKCE, and listens on loopback for one
answer. The address is printed as well as opened, so that it can be opened in any browser here.
"""

from __future__ import annotations

import os
import time
import urllib.parse
import webbrowser
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any, Final

from clients.cli.errors import CommandError, ExitCode
from clients.oidc.access_token import role_in, service_in
from clients.oidc.provider import Provider, SignInError, Tokens, new_secret
from clients.receipts import b64

if TYPE_CHECKING:
    from clients.cli.session import Session
    from clients.cli.state import SignIn
    from clients.wording.words import Words
    from vault.api.v1.vault_pb2 import Approval, ApprovalChallenge

DEVELOPMENT_CLIENT: Final = "citizen-vault-development"
SCOPE: Final = "vault evidence consent disclosure audit registry"
WAITING_SECONDS: Final = 600.0

_PATH: Final = "/signed-in"
_STEP_SECONDS: Final = 1.0


def client_id() -> str:
    """Return as what the provider knows this command line."""
    return os.environ.get("CITIZEN_VAULT_CLIENT_ID", "") or DEVELOPMENT_CLIENT


def signed_in(session: Session) -> Tokens:
    """Have somebody sign in, and return what the provider gives for it.

    Raises:
        CommandError: if nobody does, or the provider is none.
    """
    return _come_back(session, session.issuer, client_id())


def approval(session: Session, sign_in: SignIn, challenge: ApprovalChallenge) -> Approval | None:
    """Return the provider's signature under a decision: she signs in once more for it.

    None where the server does not take it: then her sign-in alone stands for the decision.

    Raises:
        CommandError: as `signed_in` does.
    """
    from vault.api.v1 import vault_pb2  # noqa: PLC0415

    kind = vault_pb2.APPROVAL_KIND_OIDC_STEP_UP
    if kind not in challenge.accepted_kinds:
        return None
    nonce = b64(challenge.challenge)
    tokens = _come_back(
        session,
        sign_in.issuer,
        challenge.step_up_client_id,
        nonce=nonce,
        login_hint=sign_in.sub,
        acr_values=" ".join(challenge.step_up_acr_values),
    )
    return vault_pb2.Approval(kind=kind, proof=tokens.id_token.encode())


def role_of(token: str) -> tuple[str, str]:
    """Return the role in an access token, and the service that it names; the server judges them."""
    return role_in(token) or "citizen", service_in(token)


def _come_back(
    session: Session, issuer: str, client: str, *, nonce: str = "", **asked: str
) -> Tokens:
    """Send the browser to the provider, and wait for its answer.

    Args:
        nonce: what is to be approved by signing in once more; "": nothing.
    """
    state, verifier = new_secret(), new_secret()
    is_again, since = bool(nonce), int(time.time())
    nonce = nonce or new_secret()
    try:
        resource = os.environ.get("CITIZEN_VAULT_RESOURCE", "")
        provider = Provider.discover(issuer, client, resource=resource)
        with _Waiting(session.words) as waiting:
            url = provider.authorization_url(
                waiting.address,
                SCOPE,
                state,
                nonce,
                verifier,
                prompt="login" if is_again else "",
                max_age=0 if is_again else None,
                ui_locales=session.words.language,
                **asked,
            )
            _open(session, url, is_again=is_again)
            answer = waiting.answer(state)
        code = provider.code_of(answer, state)
        return provider.tokens(
            code, verifier, waiting.address, nonce, since=since if is_again else None
        )
    except SignInError as error:
        message = session.words(f"sign.in.{error.reason}")
        exit_code = ExitCode.UNREACHABLE if error.reason == "unreachable" else ExitCode.NOT_ALLOWED
        raise CommandError(message, "", exit_code) from None


def _open(session: Session, url: str, *, is_again: bool) -> None:
    words, output = session.words, session.output
    output.tell(words("browser.again" if is_again else "browser.open"))
    output.tell_line(url)
    if output.is_interactive:
        webbrowser.open(url)


class _Waiting(HTTPServer):
    """Listens on this machine until the browser comes back."""

    def __init__(self, words: Words) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.timeout = _STEP_SECONDS
        self.words = words
        self.found: dict[str, str] = {}

    @property
    def address(self) -> str:
        """Return where the browser comes back to."""
        return f"http://127.0.0.1:{self.server_port}{_PATH}"

    def answer(self, state: str) -> dict[str, str]:
        """Return the answer that belongs to a state.

        Raises:
            SignInError: if nobody comes back for a long time.
        """
        give_up = time.monotonic() + WAITING_SECONDS
        # Whatever else calls on this machine does not end the wait.
        while self.found.get("state") != state:
            if time.monotonic() > give_up:
                raise SignInError("stale")
            self.handle_request()
        return self.found

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a browser that hangs up is no concern of hers."""


class _Answers(BaseHTTPRequestHandler):
    server: _Waiting
    timeout = 5

    def do_GET(self) -> None:
        address = urllib.parse.urlsplit(self.path)
        if address.path != _PATH:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        answer = urllib.parse.parse_qs(address.query)
        self.server.found = {name: said[0] for name, said in answer.items() if len(said) == 1}
        words = self.server.words
        text = escape(words("browser.back"))
        page = (
            f'<!DOCTYPE html><html lang="{words.language}"><meta charset="utf-8">'
            f"<title>{text}</title><p>{text}</p></html>"
        ).encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("content-type", "text/html; charset=utf-8")
        self.send_header("content-length", str(len(page)))
        self.send_header("content-security-policy", "default-src 'none'; frame-ancestors 'none'")
        self.send_header("referrer-policy", "no-referrer")
        self.send_header("cache-control", "no-store")
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Say nothing: the line would hold a code."""
