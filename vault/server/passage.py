# SPDX-License-Identifier: Apache-2.0
"""What every call passes before its handler, and every answer after it, whatever carries them.

In this order: the server is not stopping; who calls; whether the role may; the gate for streams;
the message's size, form and constraints; the gate for disclosures. In a conversation each message
is decided by itself: when it comes, the server may not be stopping, nor the token have expired.
Errors are told in one place, so that handlers hold no `try`. Bytes are parsed in here, not by gRPC,
which would answer INTERNAL to malformed ones.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, nullcontext
from types import TracebackType
from typing import Final, Self, TypeAlias

import grpc
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status
from structlog.typing import FilteringBoundLogger

from vault.application.caller import Caller
from vault.domain.errors import (
    DeadlinePassedError,
    LimitExceededError,
    StoreUnavailableError,
    VaultError,
)
from vault.drawing import draw
from vault.server.authorization import authorize
from vault.server.call import Call
from vault.server.call_logging import trace_of
from vault.server.codec import PROTOBUF, Codec
from vault.server.constraints import check
from vault.server.errors import INTERNAL_REASON, internal_status, status_of
from vault.server.gate import Gate, Streams
from vault.server.identity import CredentialExpiredError, Verifier
from vault.server.methods import Method

LARGEST_MESSAGE_BYTES: Final = 256 * 1024
LONGEST_CALL_SECONDS: Final = 60.0
"""The deadline of a call that names none, or a later one."""
LONGEST_STREAM_SECONDS: Final = 600.0
"""How long a stream may be sent, so that nobody keeps a place by not reading."""
LONGEST_SILENCE_SECONDS: Final = 5.0
"""How long a single message, and the next one of a conversation, is waited for over gRPC."""
CALL_ID: Final = "call_id"
"""The name by which metadata says how the call is named."""

_NO_PLACE: Final = nullcontext()

Metadata: TypeAlias = Iterable[tuple[str, str | bytes]]


class CallFailedError(Exception):
    """A call that failed, and how that is told; the transport sends it."""

    def __init__(self, code: grpc.StatusCode, status: Status, call_id: str) -> None:
        super().__init__(code.name)
        self.code = code
        self.status = status
        self.call_id = call_id


class Passage:
    """Lets calls through to their handlers. The one way to a handler, for every transport."""

    def __init__(
        self,
        verifier: Verifier,
        gates: Mapping[str, Gate],
        streams: Streams,
        log: FilteringBoundLogger,
    ) -> None:
        """Let calls through.

        Args:
            gates: by the full name of the method that waits there.
            streams: where every stream has a place for as long as it is open.
        """
        self.verifier = verifier
        self.gates = gates
        self.streams = streams
        self.log = log
        self.is_draining = False

    def drain(self) -> None:
        """Refuse calls, and messages of conversations, from now on; those under way go on."""
        self.is_draining = True

    def begin(self, method: Method, metadata: Metadata, seconds: float | None) -> Passing:
        """Return a call that arrives, with a name of its own.

        Args:
            metadata: what came with it; `authorization` is read.
            seconds: how long its caller waits; None if it does not say.
        """
        return Passing(self, method, metadata, seconds)


class Passing:
    """One call on its way: its name, when it began, and the one line that is logged of it.

    One of `answer`, `gather`, `stream` and `converse` is called, once; each raises
    `CallFailedError`.
    """

    __slots__ = (
        "_began", "_caller", "_expiry", "_metadata", "_method", "_passage", "_seconds", "call_id",
    )  # fmt: skip

    def __init__(
        self, passage: Passage, method: Method, metadata: Metadata, seconds: float | None
    ) -> None:
        self._began = time.perf_counter()
        self._passage = passage
        self._method = method
        self._metadata = metadata
        self._seconds = math.inf if seconds is None else seconds
        self._caller: Caller | None = None
        self._expiry = math.inf
        self.call_id = draw(8).hex()

    async def answer(
        self, receive: Callable[[float], Awaitable[bytes]], codec: Codec = PROTOBUF
    ) -> bytes:
        """Answer one message with one.

        Args:
            receive: returns the message, by the deadline it is given; a caller who may not send it
                is not listened to.
        """
        with self:
            call = await self._admit()
            request = self._read(await receive(call.deadline), codec)
            async with self._place():
                return _written(await self._method.handle(request, call), codec)

    async def gather(self, messages: AsyncIterable[bytes]) -> bytes:
        """Answer a stream of messages with one; each is judged as it arrives."""
        with self:
            call = await self._admit()
            with self._passage.streams.place(call.caller, self._method.name):
                requests = self._arriving(messages, call.deadline, LONGEST_CALL_SECONDS)
                return _written(await self._method.handle(requests, call), PROTOBUF)

    async def stream(
        self,
        receive: Callable[[float], Awaitable[bytes]],
        send: Callable[[bytes], Awaitable[None]],
    ) -> None:
        """Answer one message with a stream.

        Args:
            receive: as `answer` has it.
        """
        with self:
            call = await self._admit()
            request = self._read(await receive(call.deadline), PROTOBUF)
            async with (
                self._open(call.caller),
                aclosing(self._method.handle(request, call)) as items,
            ):
                # What floods the store is done when the first is there; its reader may be slow.
                async with self._place():
                    first = await anext(items, None)
                if first is not None:
                    await send(_written(first, PROTOBUF))
                async for item in items:
                    await send(_written(item, PROTOBUF))

    async def converse(
        self, messages: AsyncIterable[bytes], send: Callable[[bytes], Awaitable[None]]
    ) -> None:
        """Answer each message of a stream with one, in their order."""
        with self:
            call = await self._admit(lasts=True)
            requests = self._arriving(messages, call.deadline, LONGEST_SILENCE_SECONDS)
            async with self._open(call.caller):
                async for request in requests:
                    self._must_go_on()
                    async with self._place():
                        answer = await self._method.handle(request, call)
                    # What was done is told: the handler sees to it that it fits.
                    await send(PROTOBUF.write(answer))

    async def _arriving(
        self, messages: AsyncIterable[bytes], deadline: float, silence_seconds: float
    ) -> AsyncIterator[Message]:
        arriving = aiter(messages)
        try:
            while True:
                # Who says nothing for so long gives the place back.
                left_seconds = min(deadline - time.monotonic(), silence_seconds)
                async with asyncio.timeout(left_seconds):
                    data = await anext(arriving)
                yield self._read(data, PROTOBUF)
        except StopAsyncIteration:
            return
        except TimeoutError:
            self._must_go_on()
            raise DeadlinePassedError from None

    async def _admit(self, *, lasts: bool = False) -> Call:
        if self._passage.is_draining:
            raise StoreUnavailableError(detail="The server is stopping.")
        self._caller, valid_seconds = await self._passage.verifier.verify(self._metadata)
        authorize(self._caller, self._method.name)
        if self._seconds <= 0:
            raise DeadlinePassedError
        longest_seconds = LONGEST_STREAM_SECONDS if lasts else LONGEST_CALL_SECONDS
        now = time.monotonic()
        self._expiry = now + valid_seconds
        return Call(
            call_id=self.call_id,
            method=self._method.name,
            caller=self._caller,
            deadline=now + min(self._seconds, longest_seconds, valid_seconds),
        )

    def _must_go_on(self) -> None:
        """Look again at what may have changed since the call began."""
        if self._passage.is_draining:
            raise StoreUnavailableError(detail="The server is stopping.")
        if time.monotonic() >= self._expiry:
            raise CredentialExpiredError

    @asynccontextmanager
    async def _open(self, caller: Caller) -> AsyncIterator[None]:
        with self._passage.streams.place(caller, self._method.name):
            async with _at_most(LONGEST_STREAM_SECONDS):
                yield

    def _place(self) -> AbstractAsyncContextManager[None]:
        gate = self._passage.gates.get(self._method.name)
        return gate.place() if gate else _NO_PLACE

    def _read(self, data: bytes, codec: Codec) -> Message:
        if len(data) > LARGEST_MESSAGE_BYTES:
            raise LimitExceededError(detail="A message has at most 256 KiB.")
        message = codec.read(self._method.request, data)
        check(message)
        return message

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Tell how it ended: the one place where errors are told.

        Raises:
            CallFailedError: if it failed.
        """
        if error is None:
            self._log_end("OK")
        elif isinstance(error, Exception):
            raise self._failed(error) from None
        else:
            self._log_end("CANCELLED")

    def _failed(self, error: Exception) -> CallFailedError:
        if isinstance(error, VaultError):
            code, status = status_of(error)
            self._log_end(code.name, error.reason)
        else:
            code, status = internal_status(self.call_id)
            self._passage.log.error(
                "fault",
                call_id=self.call_id,
                method=self._method.name,
                error=type(error).__name__,
                trace=trace_of(error),
            )
            self._log_end(code.name, INTERNAL_REASON)
        return CallFailedError(code, status, self.call_id)

    def _log_end(self, code: str, reason: str = "") -> None:
        self._passage.log.info(
            "call",
            call_id=self.call_id,
            method=self._method.name,
            code=code,
            reason=reason,
            role=self._caller.role if self._caller else "",
            milliseconds=round((time.perf_counter() - self._began) * 1000, 3),
        )


@asynccontextmanager
async def _at_most(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise LimitExceededError(detail="A stream lasts ten minutes at most.") from None


def _written(message: Message, codec: Codec) -> bytes:
    data = codec.write(message)
    # JSON is longer than what it says: the same answers fit, whoever asks.
    if len(data) > LARGEST_MESSAGE_BYTES and message.ByteSize() > LARGEST_MESSAGE_BYTES:
        raise LimitExceededError(detail="The answer has more than 256 KiB: ask for fewer at once.")
    return data
