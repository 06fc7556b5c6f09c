# SPDX-License-Identifier: Apache-2.0
"""Unary calls as JSON, or as bytes of protobuf, over HTTP/1.1: the Connect protocol, version 1.

Streams are gRPC's alone. Nothing is compressed. There is no CORS: pages of other origins have no
business here.
"""

from __future__ import annotations

import asyncio
import re
import time
from base64 import b64encode
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final

import msgspec
from google.protobuf import json_format
from google.rpc.status_pb2 import Status

from vault.domain.errors import DeadlinePassedError
from vault.server.codec import JSON, PROTOBUF
from vault.server.errors import MessageMalformedError
from vault.server.http import Answer, BodyError, Headers, Request
from vault.server.methods import Method
from vault.server.passage import CALL_ID, LARGEST_MESSAGE_BYTES, CallFailedError, Passage
from vault.server.statuses import STATUSES

DESCRIPTION: Final = "/openapi.json"
"""The path of the description of all this."""

_CODECS: Final = {"application/json": JSON, "application/proto": PROTOBUF}
_PARAMETERS: Final = frozenset({"", "charset=utf-8", 'charset="utf-8"'})
_JSON_TYPE: Final = ("content-type", "application/json")
_TIMEOUT: Final = re.compile(r"[0-9]{1,10}")
_ENCODER: Final = msgspec.json.Encoder()

# What is no call has no reason of the contract. "unknown" is what clients make of 405 and 415 too.
_PLAIN: Final = {
    HTTPStatus.BAD_REQUEST: ("invalid_argument", "This is no request of HTTP/1.1."),
    HTTPStatus.NOT_FOUND: (
        "unimplemented",
        f"There is no such method. They are POST /vault.api.v1.Service/Method: see {DESCRIPTION}.",
    ),
    HTTPStatus.METHOD_NOT_ALLOWED: ("unknown", "Send POST to a method, GET to the description."),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: ("unknown", f"Send one of the types {', '.join(_CODECS)}."),
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: (
        "resource_exhausted",
        "The headers have more than 16 KiB.",
    ),
    HTTPStatus.NOT_IMPLEMENTED: ("unimplemented", "The only transfer coding is chunked."),
    HTTPStatus.SERVICE_UNAVAILABLE: ("unavailable", "Too many connections. Try again later."),
}


class _NoCallError(Exception):
    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Connect:
    """Takes requests to methods.

    Args:
        description: the OpenAPI description, JSON.
    """

    def __init__(self, passage: Passage, methods: Iterable[Method], description: bytes) -> None:
        self._passage = passage
        self._methods = {method.name: method for method in methods}
        self._description = Answer(HTTPStatus.OK, (_JSON_TYPE,), description)

    async def answer(self, request: Request) -> Answer:
        """Answer one request."""
        if request.path == DESCRIPTION:
            return self._describe(request)
        try:
            method = self._method(request)
            kind = _content_type(request)
            seconds = _seconds(request)
        except _NoCallError as error:
            return error.answer
        return await self._call(request, method, kind, seconds)

    def _method(self, request: Request) -> Method:
        method = self._methods.get(request.path)
        if method is None:
            raise _NoCallError(refuse(HTTPStatus.NOT_FOUND))
        if request.method != "POST":
            raise _NoCallError(refuse(HTTPStatus.METHOD_NOT_ALLOWED, ("allow", "POST")))
        if method.takes_stream or method.gives_stream:
            raise _unimplemented("This method has a stream, which is for gRPC alone. Use gRPC.")
        return method

    async def _call(
        self, request: Request, method: Method, kind: str, seconds: float | None
    ) -> Answer:
        async def receive(deadline: float) -> bytes:
            try:
                async with asyncio.timeout(deadline - time.monotonic()):
                    return await request.read(LARGEST_MESSAGE_BYTES)
            except TimeoutError:
                raise DeadlinePassedError from None
            except BodyError:
                raise MessageMalformedError(detail="The body did not come whole.") from None

        passing = self._passage.begin(method, request.headers, seconds)
        name = (f"trailer-{CALL_ID}", passing.call_id)
        try:
            body = await passing.answer(receive, _CODECS[kind])
        except CallFailedError as error:
            return _failed(error, name)
        return Answer(HTTPStatus.OK, (("content-type", kind), name), body)

    def _describe(self, request: Request) -> Answer:
        if request.method not in {"GET", "HEAD"}:
            return refuse(HTTPStatus.METHOD_NOT_ALLOWED, ("allow", "GET, HEAD"))
        return self._description


def refuse(status: HTTPStatus, *headers: tuple[str, str]) -> Answer:
    """Return the answer to what is no call."""
    code, message = _PLAIN[status]
    return _told(status, headers, code, message)


def _unimplemented(message: str) -> _NoCallError:
    return _NoCallError(_told(HTTPStatus.NOT_IMPLEMENTED, (), "unimplemented", message))


def _invalid(message: str) -> _NoCallError:
    return _NoCallError(_told(HTTPStatus.BAD_REQUEST, (), "invalid_argument", message))


def _failed(error: CallFailedError, name: tuple[str, str]) -> Answer:
    status = STATUSES[error.code]
    headers: Headers = (name,)
    if status is HTTPStatus.UNAUTHORIZED:
        headers = (name, ("www-authenticate", "Bearer"))
    details = _details(error.status)
    return _told(status, headers, error.code.name.lower(), error.status.message, details)


def _told(
    status: HTTPStatus, headers: Headers, code: str, message: str, details: Any = ()
) -> Answer:
    error = {"code": code, "message": message, **({"details": details} if details else {})}
    return Answer(status, (_JSON_TYPE, *headers), _ENCODER.encode(error))


def _details(status: Status) -> list[dict[str, Any]]:
    """Return details with their bytes, and for people what is in them."""
    return [
        {
            "type": detail.TypeName(),
            "value": b64encode(detail.value).rstrip(b"=").decode(),
            "debug": {
                name: value
                for name, value in json_format.MessageToDict(detail).items()
                if name != "@type"
            },
        }
        for detail in status.details
    ]


def _content_type(request: Request) -> str:
    values = request.values("content-type")
    kind, _, parameter = "".join(values).lower().replace(" ", "").partition(";")
    if len(values) != 1 or kind not in _CODECS or parameter not in _PARAMETERS:
        unsupported = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
        raise _NoCallError(refuse(unsupported, ("accept-post", ", ".join(_CODECS))))
    if set(request.values("content-encoding")) - {"identity"}:
        raise _unimplemented("Nothing is decompressed. The only encoding is identity.")
    return kind


def _seconds(request: Request) -> float | None:
    if set(request.values("connect-protocol-version")) - {"1"}:
        raise _invalid("The only Connect-Protocol-Version is 1.")
    values = request.values("connect-timeout-ms")
    if len(values) > 1 or not all(map(_TIMEOUT.fullmatch, values)):
        raise _invalid("Connect-Timeout-Ms is a number of at most 10 digits, said once.")
    return int(values[0]) / 1000 if values else None
