# SPDX-License-Identifier: Apache-2.0
"""Health over gRPC: whoever asks is unknown, so nobody may hold the place of a call for long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable
from typing import Any, Final, TypeAlias

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1 import health
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from vault.server import passage

WATCHERS: Final = 16
"""So many may watch at once; whoever only asks is always answered."""

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


def add_health(server: grpc.aio.Server, servicer: health.aio.HealthServicer, calls: int) -> None:
    """Let a server tell its health.

    Args:
        calls: so many may be under way, of whatever kind.
    """
    # Their message is read here, as in `grpc_methods`: it may never come.
    health_of = _Health(servicer, min(WATCHERS, max(1, calls // 16)))
    write = HealthCheckResponse.SerializeToString
    handlers: dict[str, Handler] = {
        "Check": grpc.stream_unary_rpc_method_handler(health_of.check, response_serializer=write),
        "Watch": grpc.stream_stream_rpc_method_handler(health_of.watch, response_serializer=write),
    }
    generic = grpc.method_handlers_generic_handler(health.SERVICE_NAME, handlers)
    server.add_generic_rpc_handlers((generic,))


class _Health:
    def __init__(self, servicer: health.aio.HealthServicer, most_watchers: int) -> None:
        self._servicer = servicer
        self._most_watchers = most_watchers
        self._watchers = 0

    async def check(self, _messages: AsyncIterable[bytes], context: Context) -> HealthCheckResponse:
        answer: HealthCheckResponse = await self._servicer.Check(await _asked(context), context)
        return answer

    async def watch(self, _messages: AsyncIterable[bytes], context: Context) -> None:
        request = await _asked(context)
        if self._watchers >= self._most_watchers:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "Too many watch: use Check.")
        self._watchers += 1
        try:
            await self._servicer.Watch(request, context)
        finally:
            self._watchers -= 1


async def _asked(context: Context) -> HealthCheckRequest:
    try:
        async with asyncio.timeout(passage.LONGEST_SILENCE_SECONDS):
            data = await context.read()
    except TimeoutError:
        await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "No message came.")
    try:
        return HealthCheckRequest.FromString(data if isinstance(data, bytes) else b"\xff")
    except DecodeError:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "This is no HealthCheckRequest.")
