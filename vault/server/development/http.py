# SPDX-License-Identifier: Apache-2.0
"""How the development issuer is spoken to, over HTTP on loopback: its page, tokens and keys."""

from __future__ import annotations

import json
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

from vault.server.development.codes import Asked, AskedWrongError, GrantError, NobodyToTellError
from vault.server.development.page import (
    broken_page,
    chosen,
    content_security_policy,
    sign_in_page,
)

if TYPE_CHECKING:
    from vault.server.development.issuer import DevelopmentIssuer

LARGEST_FORM_BYTES: Final = 8192


class Server(ThreadingHTTPServer):
    """Listens on a free port of this machine."""

    daemon_threads = True

    def __init__(self, issuer: DevelopmentIssuer) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.issuer = issuer


class _Answers(BaseHTTPRequestHandler):
    server: Server
    timeout = 5

    def do_GET(self) -> None:
        if not self._is_for_us():
            return
        issuer, address = self.server.issuer, urlsplit(self.path)
        match address.path:
            case "/.well-known/openid-configuration":
                self._answer(HTTPStatus.OK, json.dumps(issuer.discovery()).encode())
            case "/jwks":
                self._answer(HTTPStatus.OK, issuer.jwks)
            case "/authorize":
                self._authorize(_read(address.query))
            case _:
                self._answer(HTTPStatus.NOT_FOUND, b"{}")

    def do_POST(self) -> None:
        if not self._is_for_us():
            return
        length = self.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > LARGEST_FORM_BYTES:
            self._refuse("invalid_request")
            return
        form = _read(self.rfile.read(int(length)).decode("utf-8", "replace"))
        match self.path:
            case "/authorize":
                self._authorize(form)
            case "/token":
                self._give_tokens(form)
            case _:
                self._refuse("invalid_request")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Say nothing: a line would hold what was asked."""

    def _authorize(self, form: dict[str, str]) -> None:
        """Show the page, or take what was chosen on it and send the browser back."""
        try:
            asked = Asked.read(form)
        except NobodyToTellError:
            self._show(HTTPStatus.BAD_REQUEST, broken_page(form.get("ui_locales", "")))
            return
        except AskedWrongError as error:
            self._send_back(error.location)
            return
        if self.command == "GET":
            self._show(HTTPStatus.OK, sign_in_page(asked, self.server.issuer.people), asked)
        elif "cancel" in form:
            self._send_back(asked.answer(error="access_denied"))
        elif (person := chosen(form)) is not None:
            self._send_back(asked.answer(code=self.server.issuer.code(asked, person)))
        else:
            page = sign_in_page(asked, self.server.issuer.people, is_wrong=True)
            self._show(HTTPStatus.UNPROCESSABLE_ENTITY, page, asked)

    def _give_tokens(self, form: dict[str, str]) -> None:
        try:
            tokens = self.server.issuer.tokens_for(form)
        except GrantError as error:
            self._refuse(str(error))
        else:
            self._answer(HTTPStatus.OK, json.dumps(tokens).encode())

    def _is_for_us(self) -> bool:
        # A page from elsewhere may have its name resolve to loopback; it cannot change this header.
        port = self.server.server_port
        if self.headers.get("host") in {f"127.0.0.1:{port}", f"localhost:{port}"}:
            return True
        self._answer(HTTPStatus.MISDIRECTED_REQUEST, b"{}")
        return False

    def _refuse(self, error: str) -> None:
        self._answer(HTTPStatus.BAD_REQUEST, json.dumps({"error": error}).encode())

    def _show(self, status: HTTPStatus, page: str, asked: Asked | None = None) -> None:
        policy = content_security_policy(asked.redirect_uri if asked else "")
        self._answer(status, page.encode(), "text/html; charset=utf-8", policy)

    def _send_back(self, location: str) -> None:
        self.send_response(HTTPStatus.SEE_OTHER)
        self.send_header("location", location)
        self.send_header("content-length", "0")
        self.send_header("cache-control", "no-store")
        self.send_header("referrer-policy", "no-referrer")
        self.end_headers()

    def _answer(
        self,
        status: HTTPStatus,
        body: bytes,
        kind: str = "application/json",
        policy: str = "default-src 'none'",
    ) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.send_header("cache-control", "no-store")
        self.send_header("content-security-policy", policy)
        self.send_header("referrer-policy", "no-referrer")
        self.send_header("x-content-type-options", "nosniff")
        self.end_headers()
        self.wfile.write(body)


def _read(text: str) -> dict[str, str]:
    """Return the fields of a form that stand in it once."""
    form = parse_qs(text)
    return {name: values[0] for name, values in form.items() if len(values) == 1}
