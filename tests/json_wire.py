# SPDX-License-Identifier: Apache-2.0
"""The same calls as JSON over HTTP/1.1, and what comes back in the form that gRPC's has.

An error is put together again from its details, so that two answers can be compared whole.
"""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from typing import Any, Final
from urllib.parse import urlsplit

import grpc
from google.protobuf import json_format, message_factory
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status

from tests.wire import METHODS, PACKAGE, Answer

JSON: Final = {"content-type": "application/json"}
NUMBERS: Final = {code.name.lower(): code.value[0] for code in grpc.StatusCode}


@dataclass(frozen=True)
class Reply:
    """An HTTP response; names of headers in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Return what the body says."""
        return json.loads(self.body)

    @property
    def reasons(self) -> list[str]:
        """Return the reasons that an error names."""
        details = self.json.get("details", [])
        return [one["debug"]["reason"] for one in details if "reason" in one["debug"]]

    @property
    def status_bytes(self) -> bytes:
        """Return the error as the google.rpc.Status that gRPC sends."""
        error = self.json
        status = Status(code=NUMBERS[error["code"]], message=error["message"])
        for detail in error.get("details", []):
            value = base64.b64decode(detail["value"] + "=" * (-len(detail["value"]) % 4))
            status.details.add(type_url=f"type.googleapis.com/{detail['type']}", value=value)
        return status.SerializeToString()


class JsonCaller:
    """Calls one server with one credential; "" sends none."""

    def __init__(self, url: str, token: str | Callable[[], str]) -> None:
        """Call by an address; a token that is made for each call was issued just before it."""
        self._at = str(urlsplit(url).netloc)
        self._token = token

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers that say who calls."""
        token = self._token if isinstance(self._token, str) else self._token()
        return {"authorization": f"Bearer {token}"} if token else {}

    def send(
        self,
        path: str,
        body: bytes | Iterator[bytes] = b"{}",
        headers: Mapping[str, str] = JSON,
        method: str = "POST",
    ) -> Reply:
        """Send one request on a connection of its own."""
        connection = HTTPConnection(self._at, timeout=20)
        try:
            connection.request(method, path, body=body, headers={**self.headers, **headers})
            return reply_of(connection.getresponse())
        finally:
            connection.close()

    def post(self, method: str, value: Any, **headers: str) -> Reply:
        """Send a value as JSON to `Service/Method`."""
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return self.send(path_of(method), body, {**JSON, **named})

    def call(self, method: str, request: Message) -> Answer:
        """Call an RPC by `Service/Method` and return whatever it came to, as gRPC would."""
        reply = self.send(path_of(method), json_format.MessageToJson(request).encode())
        if reply.status != 200:
            code = reply.json["code"].upper()
            return Answer(method, code, reply.json["message"], reply.status_bytes, ())
        kind = message_factory.GetMessageClass(METHODS[method].output_type)
        answer = json_format.Parse(reply.body, kind())
        return Answer(method, "OK", "", b"", (answer.SerializeToString(),))


def path_of(method: str) -> str:
    """Return the path of `Service/Method`."""
    return f"/{PACKAGE}.{method}"


def reply_of(response: HTTPResponse) -> Reply:
    """Read a response to its end."""
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Reply(response.status, headers, response.read())


def reply_to(url: str, data: bytes) -> Reply:
    """Send bytes as they are on a connection of their own, and read one response."""
    address = urlsplit(url)
    assert address.hostname
    assert address.port
    with socket.create_connection((address.hostname, address.port), timeout=10) as line:
        line.sendall(data)
        with HTTPResponse(line) as response:
            response.begin()
            return reply_of(response)
