# SPDX-License-Identifier: Apache-2.0
"""What every call passes before its handler, and every answer after it.

In this order: the server is not stopping; who calls; whether the role may; the message's size, form
and constraints; the gate for disclosures. Errors are told in one place, so that handlers hold no
`try`. Bytes are parsed in here, not by gRPC, which would answer INTERNAL to malformed ones.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from typing import Any, Final, NoReturn, TypeAlias, cast

import grpc
from google.protobuf.message import DecodeError, Message
from structlog.typing import FilteringBoundLogger

from vault.application.caller import Caller
from vault.domain.errors import (
    DeadlinePassedError,
    LimitExceededError,
    StoreUnavailableError,
    VaultError,
)
from vault.server.authorization import PACKAGE, authorize
from vault.server.call import Call
from vault.server.call_logging import trace_of
from vault.server.constraints import check
from vault.server.errors import (
    INTERNAL_REASON,
    MessageMalformedError,
    internal_status,
    status_of,
)
from vault.server.gate import Gate
from vault.server.identity import Verifier

LARGEST_MESSAGE_BYTES: Final = 256 * 1024
LONGEST_CALL_SECONDS: Final = 60.0
"""The deadline of a call that names none, or a later one."""
DISCLOSURES: Final = frozenset({f"/{PACKAGE}.DisclosureService/DiscloseEvidence"})
CALL_ID: Final = "call_id"
STATUS_DETAILS: Final = "grpc-status-details-bin"

_OURS: Final = f"/{PACKAGE}."

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Continuation: TypeAlias = "Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]"


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Stands before every handler of ours; health and reflection pass untouched."""

    def __init__(self, verifier: Verifier, gate: Gate, log: FilteringBoundLogger) -> None:
        self._verifier = verifier
        self._gate = gate
        self._log = log
        self._is_draining = False
        self._handlers: dict[str, Handler] = {}

    def drain(self) -> None:
        """Refuse every call from now on; those under way go on."""
        self._is_draining = True

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler | None:
        """Return the handler of a method, with everything before and after it."""
        method = handler_call_details.method
        known = self._handlers.get(method)
        if known is not None:
            return known
        handler = await continuation(handler_call_details)
        if handler is None or not method.startswith(_OURS):
            return handler
        # Methods are as many as the contract has: gRPC found a handler.
        self._handlers[method] = guarded = self._guarded(method, handler)
        return guarded

    def _guarded(self, method: str, handler: Handler) -> Handler:
        parse = cast("Callable[[bytes], Message]", handler.request_deserializer)
        serialize = cast("Callable[[Message], bytes]", handler.response_serializer)
        # Our handlers take a `Call` where gRPC's own take its context.
        behave: Any = handler.unary_stream or handler.unary_unary
        is_gated = method in DISCLOSURES

        async def unary(data: bytes, context: Context) -> bytes:
            passing = _Passing(method, self._log)
            try:
                call = await self._admit(passing, context)
                request = _read(data, parse)
                async with self._passage(is_gated):
                    answer = _written(await behave(request, call), serialize)
            except asyncio.CancelledError:
                passing.ended("CANCELLED")
                raise
            except Exception as error:  # noqa: BLE001 - the one place where errors are told
                await passing.refuse(context, error)
            context.set_trailing_metadata(((CALL_ID, passing.call_id),))
            passing.ended("OK")
            return answer

        async def stream(data: bytes, context: Context) -> AsyncIterator[bytes]:
            passing = _Passing(method, self._log)
            try:
                # A stream may last: its name comes first too. Elsewhere that costs 70 µs a call.
                await context.send_initial_metadata(((CALL_ID, passing.call_id),))
                call = await self._admit(passing, context)
                request = _read(data, parse)
                async with aclosing(behave(request, call)) as items:
                    async for item in items:
                        yield _written(item, serialize)
            except (asyncio.CancelledError, GeneratorExit):
                passing.ended("CANCELLED")
                raise
            except Exception as error:  # noqa: BLE001 - the one place where errors are told
                await passing.refuse(context, error)
            context.set_trailing_metadata(((CALL_ID, passing.call_id),))
            passing.ended("OK")

        if handler.unary_stream is not None:
            return grpc.unary_stream_rpc_method_handler(stream)
        return grpc.unary_unary_rpc_method_handler(unary)

    async def _admit(self, passing: _Passing, context: Context) -> Call:
        if self._is_draining:
            raise StoreUnavailableError(detail="The server is stopping.")
        caller = await self._verifier.caller(context.invocation_metadata() or ())
        passing.caller = caller
        authorize(caller, passing.method)
        remaining: float | None = context.time_remaining()
        seconds = (
            LONGEST_CALL_SECONDS if remaining is None else min(remaining, LONGEST_CALL_SECONDS)
        )
        if seconds <= 0:
            raise DeadlinePassedError
        return Call(
            call_id=passing.call_id,
            method=passing.method,
            caller=caller,
            deadline=time.monotonic() + seconds,
        )

    def _passage(self, is_gated: bool) -> AbstractAsyncContextManager[None]:  # noqa: FBT001
        return self._gate.passage() if is_gated else nullcontext()


class _Passing:
    """One call on its way: its name, when it began, and the one line that is logged of it."""

    __slots__ = ("_began", "_log", "call_id", "caller", "method")

    def __init__(self, method: str, log: FilteringBoundLogger) -> None:
        self._began = time.perf_counter()
        self._log = log
        self.method = method
        self.call_id = secrets.token_hex(8)
        self.caller: Caller | None = None

    async def refuse(self, context: Context, error: Exception) -> NoReturn:
        if isinstance(error, VaultError):
            code, status = status_of(error)
            self.ended(code.name, error.reason)
        else:
            code, status = internal_status(self.call_id)
            self._log.error(
                "fault",
                call_id=self.call_id,
                method=self.method,
                error=type(error).__name__,
                trace=trace_of(error),
            )
            self.ended(code.name, INTERNAL_REASON)
        metadata = ((STATUS_DETAILS, status.SerializeToString()), (CALL_ID, self.call_id))
        await context.abort(code, status.message, metadata)

    def ended(self, code: str, reason: str = "") -> None:
        self._log.info(
            "call",
            call_id=self.call_id,
            method=self.method,
            code=code,
            reason=reason,
            role=self.caller.role if self.caller else "",
            milliseconds=round((time.perf_counter() - self._began) * 1000, 3),
        )


def _read(data: bytes, parse: Callable[[bytes], Message]) -> Message:
    if len(data) > LARGEST_MESSAGE_BYTES:
        raise LimitExceededError(detail="A message has at most 256 KiB.")
    try:
        message = parse(data)
    except DecodeError:
        raise MessageMalformedError from None
    check(message)
    return message


def _written(message: Message, serialize: Callable[[Message], bytes]) -> bytes:
    data = serialize(message)
    if len(data) > LARGEST_MESSAGE_BYTES:
        raise LimitExceededError(detail="The answer has more than 256 KiB: ask for fewer at once.")
    return data
