# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 at the socket: framing, limits, callers who are slow or hostile, and draining."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus

import pytest

from tests.verdict import CANARY
from vault.server import http
from vault.server.call_logging import make_logger
from vault.server.connect import refuse
from vault.server.http import Answer, BodyError, HttpServer, Request

MOST_BYTES = 1000
LARGE_BYTES = 20_000_000
MOST_CONNECTIONS = 3
POST = b"POST /echo HTTP/1.1\r\nhost: x\r\n"
SMALL = POST + b"content-length: 2\r\n\r\nhi"


@dataclass
class Running:
    """A server that sends back what it got, and what it saw."""

    server: HttpServer
    log: io.BytesIO
    requests: list[Request] = field(default_factory=list)
    door: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: Request) -> Answer:
        self.requests.append(request)
        match request.path:
            case "/unread":
                return Answer(HTTPStatus.UNAUTHORIZED, (), b"no")
            case "/fault":
                raise KeyError(CANARY)
            case "/large":
                return Answer(HTTPStatus.OK, (), bytes(LARGE_BYTES))
            case "/wait":
                self.waiting.set()
                await self.door.wait()
        try:
            body = await request.read(MOST_BYTES)
        except BodyError:
            return Answer(HTTPStatus.BAD_REQUEST, (), b"broken")
        return Answer(HTTPStatus.OK, (), body)

    @asynccontextmanager
    async def line(self) -> AsyncIterator[Line]:
        port = int(self.server.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield Line(reader, writer)
        finally:
            writer.close()

    async def told(self, data: bytes) -> Reply:
        """Return what bytes are answered with, on a connection of their own."""
        async with self.line() as line:
            return await line.ask(data)


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Line:
    """A connection without manners."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, data: bytes) -> Reply:
        await self.send(data)
        return await self.reply()

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def reply(self) -> Reply:
        async with asyncio.timeout(10):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value for name, _, value in (s.partition(": ") for s in lines)}
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return Reply(int(first.split(" ")[1]), headers, body)

    async def drip(self, data: bytes) -> None:
        """Send the same again and again, for five seconds."""
        for _ in range(100):
            await self.send(data)
            await asyncio.sleep(0.05)

    async def is_closed(self) -> bool:
        """Say whether the server sends no more."""
        async with asyncio.timeout(10):
            try:
                return await self.reader.read(1) == b""
            except ConnectionResetError:
                return True


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    log = io.BytesIO()

    async def answer(request: Request) -> Answer:
        return await made.answer(request)

    server = HttpServer(("127.0.0.1", 0), answer, refuse, MOST_CONNECTIONS, make_logger(log))
    made = Running(server, log)
    await server.start()
    yield made
    made.door.set()
    await server.drain(1)


async def test_a_request_is_answered(running: Running) -> None:
    reply = await running.told(SMALL)

    assert (reply.status, reply.body) == (200, b"hi")
    assert reply.headers["date"].endswith(" GMT")
    assert reply.headers["cache-control"] == "no-store"


async def test_requests_follow_each_other_on_one_connection(running: Running) -> None:
    async with running.line() as line:
        replies = [await line.ask(SMALL) for _ in range(3)]

    assert [reply.body for reply in replies] == [b"hi"] * 3


async def test_requests_sent_at_once_are_answered_in_order(running: Running) -> None:
    first, second = SMALL, SMALL.replace(b"hi", b"ho")

    async with running.line() as line:
        await line.send(first + second + b"GET /none HTTP/1.1\r\nhost: x\r\n\r\n")
        replies = [await line.reply() for _ in range(3)]

    assert [reply.body for reply in replies] == [b"hi", b"ho", b""]


async def test_a_body_in_chunks_is_put_together(running: Running) -> None:
    chunks = b"2\r\nhi\r\n3;name=value\r\n ho\r\n0\r\ntrailer: x\r\n\r\n"

    reply = await running.told(POST + b"transfer-encoding: chunked\r\n\r\n" + chunks)

    assert reply.body == b"hi ho"


async def test_a_request_that_comes_byte_by_byte_is_read(running: Running) -> None:
    async with running.line() as line:
        for number in range(len(SMALL)):
            await line.send(SMALL[number : number + 1])
            await asyncio.sleep(0)
        reply = await line.reply()

    assert reply.body == b"hi"


async def test_http_1_0_is_answered_and_closed(running: Running) -> None:
    async with running.line() as line:
        reply = await line.ask(b"POST /echo HTTP/1.0\r\ncontent-length: 2\r\n\r\nhi")

        assert (reply.status, reply.body) == (200, b"hi")
        assert reply.headers["connection"] == "close"
        assert await line.is_closed()


async def test_who_waits_for_leave_to_send_gets_it(running: Running) -> None:
    head = POST + b"expect: 100-continue\r\ncontent-length: 2\r\n\r\n"

    async with running.line() as line:
        assert (await line.ask(head)).status == 100
        reply = await line.ask(b"hi")

    assert reply.body == b"hi"


async def test_who_may_not_send_gets_no_leave(running: Running) -> None:
    head = b"POST /unread HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n"

    assert (await running.told(head)).status == 401


async def test_an_answer_to_a_head_request_has_no_body(running: Running) -> None:
    async with running.line() as line:
        await line.send(b"HEAD /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi")
        await line.send(SMALL)
        first = (await line.reader.readuntil(b"\r\n\r\n")).decode()
        second = await line.reply()

    assert "content-length: 2" in first
    assert second.body == b"hi"


async def test_a_path_has_no_query_and_no_origin(running: Running) -> None:
    await running.told(SMALL.replace(b"/echo", b"http://x:80/echo?path=/other"))

    assert running.requests[0].path == "/echo"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x00" * 100 + b"\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
        (b"POST /echo\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\ncontent-length: 2\r\n\r\nhi", 400),
        (POST + b"host: y\r\ncontent-length: 2\r\n\r\nhi", 400),
        (POST + b"content-length: 2\r\ncontent-length: 3\r\n\r\nhi", 400),
        (POST + b"content-length: -2\r\n\r\nhi", 400),
        (POST + b"content-length: 0x2\r\n\r\nhi", 400),
        (
            POST + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            400,
        ),
        (POST + b"transfer-encoding: gzip\r\n\r\nhi", 501),
        (POST + b"x-a : 1\r\ncontent-length: 0\r\n\r\n", 400),
        (POST + b"x-a: 1\r\n folded\x00\r\ncontent-length: 0\r\n\r\n", 400),
        (POST + f"{CANARY}: \x7f\x00\r\n\r\n".encode(), 400),
        (POST + b"x-much: " + b"x" * 40_000 + b"\r\n\r\n", 431),
        (POST + b"x: 1\r\n" * 20_000 + b"\r\n", 431),
        (b"POST /" + b"x" * 40_000, 431),
        (POST + b"x-much: " + b"x" * 16_200 + b"\r\nx-more: " + b"x" * 300 + b"\r\n\r\n", 431),
    ],
)
async def test_what_is_no_request_is_told_so_and_closed(
    running: Running, data: bytes, status: int
) -> None:
    async with running.line() as line:
        reply = await line.ask(data)

        assert reply.status == status
        assert reply.headers["connection"] == "close"
        assert CANARY.encode() not in reply.body
        assert await line.is_closed()
    assert running.requests == []


async def test_a_body_shorter_than_said_is_broken(running: Running) -> None:
    async with running.line() as line:
        await line.send(POST + b"content-length: 10\r\n\r\nhi")
        line.writer.write_eof()
        reply = await line.reply()

    assert reply.body == b"broken"


@pytest.mark.parametrize("chunks", [b"zz\r\nhi\r\n", b"2\r\nhi", b"2\r\nhixx\r\n", b"-1\r\n"])
async def test_broken_chunks_are_broken(running: Running, chunks: bytes) -> None:
    async with running.line() as line:
        await line.send(POST + b"transfer-encoding: chunked\r\n\r\n" + chunks)
        line.writer.write_eof()
        reply = await line.reply()

        assert reply.body == b"broken"
        assert await line.is_closed()


@pytest.mark.parametrize("size", [MOST_BYTES, MOST_BYTES + 1, 5_000_000])
async def test_no_more_is_read_than_asked_for(running: Running, size: int) -> None:
    reply = await running.told(POST + f"content-length: {size}\r\n\r\n".encode() + bytes(size))

    assert len(reply.body) <= MOST_BYTES + http._READ_BYTES  # noqa: SLF001
    assert (len(reply.body) > MOST_BYTES) == (size > MOST_BYTES)


async def test_an_answer_before_the_end_of_a_request_can_be_read(running: Running) -> None:
    """Closing on what was not read would reset the connection, and the answer with it."""
    size = 30_000_000
    head = f"POST /unread HTTP/1.1\r\nhost: x\r\ncontent-length: {size}\r\n\r\n".encode()

    async with running.line() as line:
        reply = await line.ask(head + bytes(size))

        assert (reply.status, reply.headers["connection"]) == (401, "close")


async def test_who_never_ends_is_not_listened_to_for_ever(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "LINGER_SECONDS", 0.2)
    head = b"POST /unread HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"

    async with running.line() as line:
        assert (await line.ask(head)).status == 401
        with pytest.raises(ConnectionError):
            await line.drip(b"5\r\nmore!\r\n")


@pytest.mark.parametrize("data", [b"", b"POST /ec", POST + b"x-slow: "])
async def test_a_head_that_never_ends_is_not_waited_for(
    running: Running, monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    monkeypatch.setattr(http, "HEAD_SECONDS", 0.2)

    async with running.line() as line:
        await line.send(data)
        assert await line.is_closed()
    assert running.requests == []


async def test_a_head_that_drips_is_not_waited_for(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte is prompt; all together are not."""
    monkeypatch.setattr(http, "HEAD_SECONDS", 0.3)

    async with running.line() as line:
        with pytest.raises(ConnectionError):
            await line.drip(b"x")


async def test_an_idle_connection_is_closed(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "IDLE_SECONDS", 0.2)

    async with running.line() as line:
        await line.ask(SMALL)
        assert await line.is_closed()


async def test_an_answer_that_nobody_takes_is_given_up(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "WRITE_SECONDS", 0.2)
    monkeypatch.setattr(http, "LINGER_SECONDS", 0.1)

    async with running.line() as line:
        await line.send(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n")
        await asyncio.sleep(1)
        taken = b""
        with suppress(ConnectionError):
            taken = await line.reader.read()

    assert len(taken) < LARGE_BYTES


async def test_a_fault_closes_and_is_logged_without_what_it_holds(running: Running) -> None:
    async with running.line() as line:
        await line.send(b"GET /fault HTTP/1.1\r\nhost: x\r\n\r\n")
        assert await line.is_closed()

    written = running.log.getvalue()
    assert b'"event":"fault"' in written
    assert b"KeyError" in written
    assert CANARY.encode() not in written


async def test_too_many_connections_are_turned_away(running: Running) -> None:
    async with running.line() as first, running.line() as second, running.line() as third:
        for line in (first, second, third):
            assert (await line.ask(SMALL)).status == 200
        async with running.line() as fourth:
            assert (await fourth.reply()).status == 503
            assert await fourth.is_closed()
        assert (await first.ask(SMALL)).status == 200


async def test_who_leaves_makes_room(running: Running) -> None:
    for _ in range(MOST_CONNECTIONS * 3):
        assert (await running.told(SMALL)).status == 200
        await asyncio.sleep(0.01)


async def test_draining_lets_what_is_under_way_end(running: Running) -> None:
    async with running.line() as waiting, running.line() as idle:
        await waiting.send(SMALL.replace(b"/echo", b"/wait"))
        await idle.ask(SMALL)
        await running.waiting.wait()
        draining = asyncio.create_task(running.server.drain(5))

        assert await idle.is_closed()
        with pytest.raises(ConnectionError):
            await running.told(SMALL)
        running.door.set()
        reply = await waiting.reply()
        await draining

    assert (reply.body, reply.headers["connection"]) == (b"hi", "close")


async def test_draining_ends_when_its_time_is_over(running: Running) -> None:
    async with running.line() as waiting:
        await waiting.send(SMALL.replace(b"/echo", b"/wait"))
        await running.waiting.wait()
        async with asyncio.timeout(5):
            await running.server.drain(0.1)

        assert await waiting.is_closed()


async def test_an_address_that_is_taken_is_told(running: Running) -> None:
    port = int(running.server.url.rpartition(":")[2])

    with pytest.raises(OSError, match="cannot be listened on"):
        HttpServer(
            ("127.0.0.1", port), running.answer, refuse, MOST_CONNECTIONS, make_logger(running.log)
        )
