# SPDX-License-Identifier: Apache-2.0
"""JSON over HTTP: what is sent and read, and the line for a terminal that sends the same."""

import json
import shlex
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from clients.demo.over_http import Exchange, HttpCaller, curl

_METHOD = "DisclosureService/DiscloseEvidence"
_ASKED = {"purposeCode": "it's", "fields": [{"names": ["postalCode"]}], "staffRef": "Dafydd Rees"}


class _Server(HTTPServer):
    """Answers with what it was given, and remembers what came."""

    def __init__(self, answers: list[tuple[int, Any]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = answers
        self.came: list[tuple[str, dict[str, str], Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.came.append((self.path, headers, json.loads(body)))
        status, answer = self.server.answers.pop(0)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        pass


@contextmanager
def _answering(*answers: tuple[int, Any]) -> Iterator[_Server]:
    with _Server(list(answers)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def _refusal(reason: str) -> dict[str, Any]:
    return {"code": "failed_precondition", "details": [{"debug": {"reason": reason}}]}


def test_a_call_is_posted_as_json_with_the_access_token() -> None:
    with _answering((200, {"position": "1"})) as server:
        exchange = HttpCaller(server.url, "secret", lambda _: None).post(_METHOD, _ASKED)

    path, headers, body = server.came[0]
    assert path == f"/vault.api.v1.{_METHOD}"
    assert headers["authorization"] == "Bearer secret"
    assert headers["content-type"] == "application/json"
    assert body == _ASKED
    assert (exchange.status, exchange.answered, exchange.reason) == (200, {"position": "1"}, "")


def test_a_refusal_names_its_reason() -> None:
    with _answering((400, _refusal("FIELD_NOT_GRANTED"))) as server:
        exchange = HttpCaller(server.url, "", lambda _: None).post(_METHOD, _ASKED)

    assert (exchange.status, exchange.reason) == (400, "FIELD_NOT_GRANTED")


def test_what_cannot_be_taken_now_is_sent_again_as_it_is() -> None:
    with _answering((503, _refusal("RELEASE_TOO_LATE")), (200, {})) as server:
        exchange = HttpCaller(server.url, "", lambda _: None).post(_METHOD, _ASKED)

    assert exchange.status == 200
    assert [body for _, _, body in server.came] == [_ASKED, _ASKED]


def test_a_refusal_is_not_sent_again() -> None:
    with _answering((400, _refusal("CONSENT_PAUSED"))) as server:
        HttpCaller(server.url, "", lambda _: None).post(_METHOD, _ASKED)

    assert len(server.came) == 1


def test_each_call_is_told_of_once() -> None:
    told: list[Exchange] = []
    with _answering((503, {}), (200, {})) as server:
        exchange = HttpCaller(server.url, "", told.append).post(_METHOD, _ASKED)

    assert told == [exchange]


def test_the_line_for_a_terminal_sends_the_same() -> None:
    with _answering((200, {})) as server:
        HttpCaller(server.url, "$TOKEN", lambda _: None).post(_METHOD, _ASKED)

    # A shell takes a line that ends so together with the next one.
    typed = shlex.split("\n".join(curl(server.url, _METHOD, _ASKED)).replace("\\\n", ""))

    path, headers, body = server.came[0]
    assert typed[:3] == ["curl", "-sS", "-H"]
    assert typed[3] == f"authorization: {headers['authorization']}"
    assert typed[4] == server.url + path
    assert typed[5] == "--json"
    assert json.loads(typed[6]) == body


def test_the_line_for_a_terminal_holds_no_token() -> None:
    assert "$TOKEN" in "".join(curl("http://127.0.0.1:1", _METHOD, {}))
