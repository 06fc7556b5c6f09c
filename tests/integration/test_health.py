# SPDX-License-Identifier: Apache-2.0
"""Health, on a real server in this process that has few places: nobody unknown may take them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from vault.server import passage
from vault.server.health import add_health

CALLS = 16
CHECK = f"/{health.SERVICE_NAME}/Check"
WATCH = f"/{health.SERVICE_NAME}/Watch"
ASKED = HealthCheckRequest().SerializeToString()
SERVING = HealthCheckResponse(status=HealthCheckResponse.SERVING).SerializeToString()


@pytest.fixture
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    server = grpc.aio.server(maximum_concurrent_rpcs=CALLS)
    add_health(server, health.aio.HealthServicer(), CALLS)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as opened:
        yield opened
    await server.stop(0)


async def ended(call: Any) -> grpc.StatusCode:
    """Return how a call ended whose next answer does not come."""
    async with asyncio.timeout(5):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
    return caught.value.code()


async def test_who_asks_is_answered(channel: grpc.aio.Channel) -> None:
    assert await channel.unary_unary(CHECK)(ASKED) == SERVING


async def test_what_is_no_question_is_refused(channel: grpc.aio.Channel) -> None:
    for method in (CHECK, WATCH):
        call: Any = channel.unary_stream(method)(b"\xff")
        assert await ended(call) is grpc.StatusCode.INVALID_ARGUMENT


async def test_so_many_watch_at_once(channel: grpc.aio.Channel) -> None:
    watching: Any = channel.unary_stream(WATCH)(ASKED)
    assert await watching.read() == SERVING

    another: Any = channel.unary_stream(WATCH)(ASKED)

    assert await ended(another) is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert await channel.unary_unary(CHECK)(ASKED) == SERVING


async def test_who_watches_no_more_leaves_the_place(channel: grpc.aio.Channel) -> None:
    watching: Any = channel.unary_stream(WATCH)(ASKED)
    assert await watching.read() == SERVING
    watching.cancel()

    async with asyncio.timeout(5):
        while True:
            another: Any = channel.unary_stream(WATCH)(ASKED)
            try:
                assert await another.read() == SERVING
            except grpc.aio.AioRpcError:
                continue
            break


@pytest.mark.parametrize("method", [CHECK, WATCH])
async def test_who_asks_nothing_is_not_waited_for(
    channel: grpc.aio.Channel, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.setattr(passage, "LONGEST_SILENCE_SECONDS", 0.2)
    silent: list[Any] = [channel.stream_stream(method)() for _ in range(CALLS)]

    assert {await ended(call) for call in silent} == {grpc.StatusCode.DEADLINE_EXCEEDED}
    assert await channel.unary_unary(CHECK)(ASKED) == SERVING
