# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 on a loopback address: connections, their limits, and how they end.

h11 reads and writes the protocol and knows no sockets; here stand the sockets, the time-outs and
the sizes. What a request comes to is left to whoever answers. A caller that hangs up is not noticed
before its answer is written: what was begun ends within its deadline.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import Final, TypeAlias

import h11
from structlog.typing import FilteringBoundLogger

from vault.server.call_logging import trace_of

LARGEST_HEAD_BYTES: Final = 16 * 1024
"""Request line and headers together, as large as gRPC's metadata."""
HEAD_SECONDS: Final = 10.0
"""How long a request's head may take to come; on a new connection from its start."""
IDLE_SECONDS: Final = 60.0
"""How long a connection may wait for its next request."""
WRITE_SECONDS: Final = 30.0
"""How long an answer may take to be taken."""
LINGER_SECONDS: Final = 2.0
"""How long what is still sent is thrown away, so that an answer before its end can be read."""

_READ_BYTES: Final = 16 * 1024
_ORIGIN: Final = re.compile(r"https?://[^/?]*", re.IGNORECASE)
# Nothing is for a cache unless its answer says so, and nothing for a browser to guess about.
_ALWAYS: Final = (("cache-control", "no-store"), ("x-content-type-options", "nosniff"))

Headers: TypeAlias = tuple[tuple[str, str], ...]


class BodyError(Exception):
    """The body is not what its headers say, or did not come whole."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request whose body is still on its way.

    Attributes:
        path: without a query.
        headers: names in lower case.
        read: returns the body, or raises `BodyError`; of a body that is longer than the number
            given, only a part that is longer too.
    """

    method: str
    path: str
    headers: Headers
    read: Callable[[int], Awaitable[bytes]]

    def values(self, name: str) -> list[str]:
        """Return every value of a header."""
        return [value for known, value in self.headers if known == name]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request came to."""

    status: HTTPStatus
    headers: Headers
    body: bytes


class HttpServer:
    """Accepts connections and has their requests answered, one after another.

    Args:
        answer: answers a request.
        refuse: returns how it is told that a status is the answer, and no more.
        most: so many connections at once; what comes beyond is told 503 and closed.
        shares_port: other processes of ours listen there, too.
    """

    def __init__(
        self,
        address: tuple[str, int],
        answer: Callable[[Request], Awaitable[Answer]],
        refuse: Callable[[HTTPStatus], Answer],
        most: int,
        log: FilteringBoundLogger,
        *,
        shares_port: bool = False,
    ) -> None:
        """Bind the address.

        Raises:
            OSError: if it cannot be listened on.
        """
        host, port = address
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        name = f"[{host}]" if ":" in host else host
        try:
            self._socket = socket.create_server(
                (host, port), family=family, backlog=512, reuse_port=shares_port
            )
        except OSError:
            message = f"{name}:{port} cannot be listened on. Is another program there?"
            raise OSError(message) from None
        self.url = f"http://{name}:{self._socket.getsockname()[1]}"
        self.answer = answer
        self.refuse = refuse
        self.is_draining = False
        self._log = log
        self._most = most
        self._conversations: dict[asyncio.Task[None], _Conversation] = {}
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Begin to accept connections."""
        self._server = await asyncio.start_server(self._accept, sock=self._socket)

    async def drain(self, seconds: float) -> None:
        """Accept no connections, close those that wait, and give the others time to end."""
        self.is_draining = True
        if self._server is not None:
            self._server.close()
        self._cancel(lambda conversation: conversation.is_waiting)
        for so_long in (seconds, LINGER_SECONDS):
            if self._conversations:
                await asyncio.wait(list(self._conversations), timeout=so_long)
            self._cancel(lambda _: True)

    def tell_fault(self, error: Exception) -> None:
        """Log an error that nobody foresaw."""
        self._log.error("fault", error=type(error).__name__, trace=trace_of(error))

    def _cancel(self, which: Callable[[_Conversation], bool]) -> None:
        for task, conversation in self._conversations.items():
            if which(conversation):
                task.cancel()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversation = _Conversation(self, reader, writer)
        is_full = len(self._conversations) >= self._most
        going_on = conversation.turn_away() if is_full else conversation.go_on()
        task = asyncio.get_running_loop().create_task(going_on)
        self._conversations[task] = conversation
        task.add_done_callback(self._conversations.pop)


class _Conversation:
    """One connection."""

    def __init__(
        self, server: HttpServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._protocol = h11.Connection(h11.SERVER, max_incomplete_event_size=LARGEST_HEAD_BYTES)
        self._is_head_only = False
        self.is_waiting = True

    async def go_on(self) -> None:
        """Answer requests until one side has had enough."""
        try:
            while await self._one():
                self._protocol.start_next_cycle()
        except (TimeoutError, OSError):
            pass
        except Exception as error:  # noqa: BLE001 - told without what it holds
            self._server.tell_fault(error)
        finally:
            await self._close()

    async def turn_away(self) -> None:
        """Say that there are too many connections."""
        try:
            await self._send(self._server.refuse(HTTPStatus.SERVICE_UNAVAILABLE), is_last=True)
        except (TimeoutError, OSError):
            pass
        finally:
            await self._close()

    async def _one(self) -> bool:
        """Answer one request, and say whether another may follow."""
        try:
            head = await self._next_head()
            if head is None:
                return False
            self.is_waiting = False
            self._is_head_only = head.method == b"HEAD"
            request = self._request(head)
        except h11.RemoteProtocolError as error:
            # What follows may be taken for anything.
            await self._send(self._server.refuse(HTTPStatus(error.error_status_hint)), is_last=True)
            return False
        await self._send(await self._server.answer(request))
        self.is_waiting = True
        return self._protocol.our_state is h11.DONE and self._protocol.their_state is h11.DONE

    async def _next_head(self) -> h11.Request | None:
        is_first = self._protocol.their_http_version is None
        has_more, _ = self._protocol.trailing_data
        if not is_first and not has_more:
            async with asyncio.timeout(IDLE_SECONDS):
                self._protocol.receive_data(await self._reader.read(_READ_BYTES))
        async with asyncio.timeout(HEAD_SECONDS):
            event = await self._next_event()
        return event if isinstance(event, h11.Request) else None

    async def _next_event(self) -> object:
        while (event := self._protocol.next_event()) is h11.NEED_DATA:
            if self._protocol.they_are_waiting_for_100_continue:
                go_on = h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")
                self._writer.write(self._protocol.send(go_on) or b"")
            self._protocol.receive_data(await self._reader.read(_READ_BYTES))
        return event

    def _request(self, head: h11.Request) -> Request:
        names = {name for name, _ in head.headers}
        length = len(head.target) + sum(len(name) + len(value) for name, value in head.headers)
        if length > LARGEST_HEAD_BYTES:
            raise h11.RemoteProtocolError("too large", error_status_hint=431)
        if {b"content-length", b"transfer-encoding"} <= names:
            # Two lengths: a proxy might see another end of this request (RFC 9112 section 6.1).
            raise h11.RemoteProtocolError("two lengths")
        if head.http_version not in {b"1.0", b"1.1"}:
            raise h11.RemoteProtocolError("another version")
        target = head.target.decode("latin-1")
        origin = _ORIGIN.match(target)
        return Request(
            method=head.method.decode("latin-1"),
            path=target[origin.end() if origin else 0 :].partition("?")[0],
            headers=tuple(
                (name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers
            ),
            read=self._read,
        )

    async def _read(self, most: int) -> bytes:
        body = bytearray()
        try:
            while len(body) <= most and isinstance(event := await self._next_event(), h11.Data):
                body += event.data
        except (h11.RemoteProtocolError, OSError):
            raise BodyError from None
        return bytes(body)

    async def _send(self, answer: Answer, *, is_last: bool = False) -> None:
        is_last = is_last or self._is_still_sending() or self._server.is_draining
        said = {name for name, _ in answer.headers}
        headers = [
            *answer.headers,
            *(header for header in _ALWAYS if header[0] not in said),
            ("date", formatdate(usegmt=True)),
            ("content-length", str(len(answer.body))),
            *([("connection", "close")] if is_last else []),
        ]
        events = [
            h11.Response(
                status_code=answer.status, headers=headers, reason=answer.status.phrase.encode()
            ),
            *([] if self._is_head_only else [h11.Data(data=answer.body)]),
            h11.EndOfMessage(),
        ]
        self._writer.write(b"".join(self._protocol.send(event) or b"" for event in events))
        async with asyncio.timeout(WRITE_SECONDS):
            await self._writer.drain()

    def _is_still_sending(self) -> bool:
        """Say whether the request has not come to its end, after what came already."""
        try:
            while isinstance(self._protocol.next_event(), h11.Data):
                pass
        except h11.RemoteProtocolError:
            return True
        return self._protocol.their_state is not h11.DONE

    async def _close(self) -> None:
        try:
            if self._protocol.their_state in {h11.SEND_BODY, h11.ERROR}:
                # Closing on bytes that were not read would reset the connection under the answer.
                self._writer.write_eof()
                async with asyncio.timeout(LINGER_SECONDS):
                    while await self._reader.read(_READ_BYTES):
                        pass
            self._writer.close()
            async with asyncio.timeout(LINGER_SECONDS):
                await self._writer.wait_closed()
        except (TimeoutError, OSError):
            pass
        finally:
            self._writer.transport.abort()
