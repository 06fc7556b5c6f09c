# SPDX-License-Identifier: Apache-2.0
"""The same calls as JSON over HTTP/1.1, with nothing but the standard library.

As any program in any language would make them; the protocol is Connect's for unary calls. What it
takes to type a call into a terminal stands here too.
"""

import json
import shlex
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any, Final
from urllib.parse import urlsplit

_TIMEOUT_SECONDS: Final = 20.0
_MOST_TRIES: Final = 4
_PAUSE_SECONDS: Final = 0.1
_UNAVAILABLE: Final = 503


@dataclass(frozen=True, slots=True)
class Exchange:
    """One call: `method` is `Service/Method`, what was asked and answered is JSON."""

    method: str
    asked: dict[str, Any]
    status: int
    answered: dict[str, Any]
    milliseconds: float

    @property
    def reason(self) -> str:
        """Return the reason that a refusal names; "" of an answer."""
        found = [detail["debug"].get("reason", "") for detail in self.answered.get("details", [])]
        return str(found[0]) if found else ""


class HttpCaller:
    """Calls one server for one caller, each time on a connection of its own.

    Args:
        url: where it speaks HTTP, for instance `http://127.0.0.1:8080`.
        on_call: told of each call when it has ended.
    """

    def __init__(self, url: str, token: str, on_call: Callable[[Exchange], None]) -> None:
        self.url = url
        self._token = token
        self._on_call = on_call

    def post(self, method: str, asked: dict[str, Any]) -> Exchange:
        """Call `Service/Method`; what the server cannot take now is sent again."""
        begun = time.monotonic()
        status, answered = self._send(method, asked)
        for _ in range(1, _MOST_TRIES):
            if status != _UNAVAILABLE:
                break
            time.sleep(_PAUSE_SECONDS)
            status, answered = self._send(method, asked)
        milliseconds = (time.monotonic() - begun) * 1000
        exchange = Exchange(method, asked, status, answered, milliseconds)
        self._on_call(exchange)
        return exchange

    def _send(self, method: str, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        headers = {"content-type": "application/json", "authorization": f"Bearer {self._token}"}
        connection = HTTPConnection(urlsplit(self.url).netloc, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request("POST", _path(method), json.dumps(asked).encode(), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()


def curl(url: str, method: str, asked: dict[str, Any]) -> Iterator[str]:
    """Yield the lines that make the same call from a shell; `$TOKEN` holds the access token."""
    body = [json.dumps({name: value})[1:-1] for name, value in asked.items()]
    quoted = shlex.quote("{\n    " + ",\n    ".join(body) + "}")
    yield 'curl -sS -H "authorization: Bearer $TOKEN" \\'
    yield f"  {url}{_path(method)} \\"
    yield from f"  --json {quoted}".splitlines()


def _path(method: str) -> str:
    return f"/vault.api.v1.{method}"
