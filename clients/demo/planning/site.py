# SPDX-License-Identifier: Apache-2.0
"""The council's planning page, on loopback: apply, answer on one's own pages, see it decided.

`/office` is the other side of the desk. It asks for no sign-in: nobody but this machine reaches it.
"""

from __future__ import annotations

import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, cast, get_args

import jinja2

from clients.connection import CallError, Connection
from clients.demo.planning.office import NotOursError, Office, Stage

COOKIE: Final = "planning"
LARGEST_FORM_BYTES: Final = 4096
_LOOPBACK: Final = "127.0.0.1"
_POLICY: Final = (
    "default-src 'none'; style-src 'self'; form-action 'self' http: https:; "
    "frame-ancestors 'none'; base-uri 'none'"
)
_TEMPLATES: Final = jinja2.Environment(
    autoescape=True,
    loader=jinja2.PackageLoader("clients.demo.planning", "."),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@contextmanager
def opened(council: Connection, pages: str = "", port: int = 0) -> Iterator[str]:
    """Serve the planning page until the end; yield its address.

    Args:
        council: the connection of the council's planning team.
        pages: where people's own pages are; "": where the vault says that they are.
        port: on loopback; 0: any free one.
    """
    server = _Server((_LOOPBACK, port), _Answers)
    # Not `localhost`, where her pages are: cookies know hosts, and no ports.
    url = f"http://{_LOOPBACK}:{server.server_port}"
    server.office = Office(council, f"{url}/back", pages)
    thread = threading.Thread(target=server.serve_forever, name="planning-page", daemon=True)
    thread.start()
    try:
        yield url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    office: Office


class _Answers(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10

    def do_GET(self) -> None:
        if not self._is_for_us():
            return
        address = urllib.parse.urlsplit(self.path)
        said = {name: values[0] for name, values in urllib.parse.parse_qs(address.query).items()}
        match address.path:
            case "/":
                self._page("apply.html")
            case "/back":
                self._back(said)
            case "/application" if application := self.server.office.of(self._browser):
                self._page("application.html", application=application)
            case "/office":
                self._page("office.html", applications=self.server.office.all())
            case "/council.css":
                self._style()
            case _:
                self._wrong(HTTPStatus.NOT_FOUND, "There is no such page.")

    def do_POST(self) -> None:
        if not self._is_for_us() or not self._is_from_us():
            return
        length = self.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > LARGEST_FORM_BYTES:
            self._wrong(HTTPStatus.BAD_REQUEST, "That is no form of ours.")
            return
        form = urllib.parse.parse_qs(self.rfile.read(int(length)).decode("utf-8", "replace"))
        said = {name: values[0] for name, values in form.items()}
        match self.path:
            case "/apply":
                self._apply(said.get("plans", "").strip()[:200])
            case "/office" if said.get("stage") in get_args(Stage):
                self.server.office.decide(said.get("number", ""), cast("Stage", said["stage"]))
                self._to("/office")
            case _:
                self._wrong(HTTPStatus.NOT_FOUND, "There is no such page.")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Say nothing: a line would hold the code that came back."""

    def _apply(self, plans: str) -> None:
        if not plans:
            self._page("apply.html", status=HTTPStatus.UNPROCESSABLE_ENTITY, is_empty=True)
            return
        browser, link = self.server.office.begin(plans)
        self._to(link, f"{COOKIE}={browser}; Path=/; HttpOnly; SameSite=Lax")

    def _back(self, said: dict[str, str]) -> None:
        try:
            self.server.office.came_back(self._browser, said.get("state", ""), said.get("code", ""))
        except NotOursError:
            self._wrong(
                HTTPStatus.BAD_REQUEST,
                "This answer belongs to no application that you began in this browser.",
            )
        except CallError as error:
            self._wrong(HTTPStatus.CONFLICT, error.message)
        else:
            self._to("/application")

    @property
    def _browser(self) -> str:
        try:
            found = SimpleCookie(self.headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return ""
        return found.value if found else ""

    def _is_for_us(self) -> bool:
        # A page from elsewhere may have its name resolve to loopback; it cannot change this header.
        port = self.server.server_port
        if self.headers.get("host") in {f"{_LOOPBACK}:{port}", f"localhost:{port}"}:
            return True
        self._wrong(HTTPStatus.MISDIRECTED_REQUEST, "This is another site.")
        return False

    def _is_from_us(self) -> bool:
        if self.headers.get("origin") in {None, f"http://{self.headers.get('host')}"}:
            return True
        self._wrong(HTTPStatus.FORBIDDEN, "That form is not ours.")
        return False

    def _page(self, template: str, status: HTTPStatus = HTTPStatus.OK, **shown: Any) -> None:
        page = _TEMPLATES.get_template(template).render(**{"is_empty": False, **shown})
        self._answer(status, page.encode(), "text/html; charset=utf-8")

    def _style(self) -> None:
        loader = cast("jinja2.BaseLoader", _TEMPLATES.loader)
        text = loader.get_source(_TEMPLATES, "council.css")[0]
        self._answer(HTTPStatus.OK, text.encode(), "text/css; charset=utf-8")

    def _wrong(self, status: HTTPStatus, what: str) -> None:
        self._page("wrong.html", status=status, what=what)

    def _to(self, address: str, cookie: str = "") -> None:
        self.send_response(HTTPStatus.SEE_OTHER)
        self.send_header("location", address)
        if cookie:
            self.send_header("set-cookie", cookie)
        self.send_header("content-length", "0")
        self.send_header("cache-control", "no-store")
        self.end_headers()

    def _answer(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.send_header("cache-control", "no-store")
        self.send_header("content-security-policy", _POLICY)
        # The code that came back stands in an address: no other site is told of it. Not
        # "no-referrer": then browsers hide from us that a form of ours is ours.
        self.send_header("referrer-policy", "same-origin")
        self.send_header("x-content-type-options", "nosniff")
        self.end_headers()
        self.wfile.write(body)
