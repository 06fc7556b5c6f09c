# SPDX-License-Identifier: Apache-2.0
"""Calls over gRPC: bytes in, bytes out, and failures as `google.rpc.Status`.

A single message is read by us, too, as if it came on a stream: gRPC would wait for it as long as
the caller likes, without asking who that is, and each who waits so has the place of a call.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from itertools import groupby
from typing import Any, Final, NoReturn, TypeAlias

import grpc

from vault.domain.errors import DeadlinePassedError
from vault.server import passage as limits
from vault.server.errors import MessageMalformedError
from vault.server.methods import Method
from vault.server.passage import CALL_ID, CallFailedError, Passage, Passing

STATUS_DETAILS: Final = "grpc-status-details-bin"

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


def add_methods(server: grpc.aio.Server, passage: Passage, methods: Iterable[Method]) -> None:
    """Let a server answer methods. Without serializers gRPC hands over bytes, and takes them."""
    for service, its in groupby(methods, key=lambda method: method.name.split("/")[1]):
        handlers = {method.name.split("/")[2]: _handler(passage, method) for method in its}
        generic = grpc.method_handlers_generic_handler(service, handlers)
        server.add_generic_rpc_handlers((generic,))


def _handler(passage: Passage, method: Method) -> Handler:
    if method.gives_stream and method.takes_stream:
        return _stream_stream(passage, method)
    if method.gives_stream:
        return _unary_stream(passage, method)
    if method.takes_stream:
        return _stream_unary(passage, method)
    return _unary_unary(passage, method)


def _unary_unary(passage: Passage, method: Method) -> Handler:
    async def answer(_messages: AsyncIterable[bytes], context: Context) -> bytes:
        passing = _begin(passage, method, context)
        try:
            answer = await passing.answer(_only(context))
        except CallFailedError as error:
            await _fail(context, error)
        context.set_trailing_metadata(((CALL_ID, passing.call_id),))
        return answer

    return grpc.stream_unary_rpc_method_handler(answer)


def _stream_unary(passage: Passage, method: Method) -> Handler:
    async def gather(messages: AsyncIterable[bytes], context: Context) -> bytes:
        passing = _begin(passage, method, context)
        try:
            answer = await passing.gather(messages)
        except CallFailedError as error:
            await _fail(context, error)
        context.set_trailing_metadata(((CALL_ID, passing.call_id),))
        return answer

    return grpc.stream_unary_rpc_method_handler(gather)


def _unary_stream(passage: Passage, method: Method) -> Handler:
    async def stream(_messages: AsyncIterable[bytes], context: Context) -> None:
        passing = _begin(passage, method, context)
        # A stream may last: its name comes first too. Elsewhere that costs 70 µs a call.
        await context.send_initial_metadata(((CALL_ID, passing.call_id),))
        try:
            # Written, not yielded: a reader that stops reading is told so, too, when time is up.
            await passing.stream(_only(context), context.write)
        except CallFailedError as error:
            await _fail(context, error)
        context.set_trailing_metadata(((CALL_ID, passing.call_id),))

    return grpc.stream_stream_rpc_method_handler(stream)


def _stream_stream(passage: Passage, method: Method) -> Handler:
    async def converse(messages: AsyncIterable[bytes], context: Context) -> None:
        passing = _begin(passage, method, context)
        await context.send_initial_metadata(((CALL_ID, passing.call_id),))
        try:
            await passing.converse(messages, context.write)
        except CallFailedError as error:
            await _fail(context, error)
        context.set_trailing_metadata(((CALL_ID, passing.call_id),))

    return grpc.stream_stream_rpc_method_handler(converse)


def _only(context: Context) -> Callable[[float], Awaitable[bytes]]:
    """Return what receives the message of a call that has one."""

    async def receive(deadline: float) -> bytes:
        seconds = min(deadline - time.monotonic(), limits.LONGEST_SILENCE_SECONDS)
        try:
            async with asyncio.timeout(seconds):
                data = await context.read()
        except TimeoutError:
            raise DeadlinePassedError from None
        if not isinstance(data, bytes):
            raise MessageMalformedError(detail="There is none.")
        return data

    return receive


def _begin(passage: Passage, method: Method, context: Context) -> Passing:
    return passage.begin(method, context.invocation_metadata() or (), context.time_remaining())


async def _fail(context: Context, error: CallFailedError) -> NoReturn:
    metadata = ((STATUS_DETAILS, error.status.SerializeToString()), (CALL_ID, error.call_id))
    await context.abort(error.code, error.status.message, metadata)
