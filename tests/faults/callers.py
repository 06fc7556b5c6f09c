# SPDX-License-Identifier: Apache-2.0
"""Callers in a race: each call comes to one of the outcomes that the checker knows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
from google.protobuf import message_factory
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status

from tests.faults.linearizability import DONE, UNKNOWN
from tests.wire import METHODS, PACKAGE, Answer, failed
from tests.world import batching
from vault.api.v1 import disclosure_service_pb2 as disclosure

AWAY_SECONDS: Final = 0.25
"""How long a caller waits that found nobody there."""

OPTIONS: Final = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 100),
)

_BATCH: Final = "DisclosureService/DiscloseEvidenceBatch"
_REFUSALS: Final = frozenset({
    "CONSENT_EXPIRED", "CONSENT_NOT_PAUSED", "CONSENT_PAUSED", "CONSENT_REVOKED",
    "FIELD_INVALID", "FIELD_NOT_GRANTED", "NOT_FOUND",
})  # fmt: skip
_UNKNOWN: Final = frozenset({"DEADLINE_EXCEEDED", "CANCELLED", "UNAVAILABLE", "ABORTED"})
_GIVEN_UP: Final = "Internal error from Core"
"""What gRPC's client calls it, as INTERNAL, if a stream's time is up while it still writes."""
_CODES: Final = {code.value[0]: code.name for code in grpc.StatusCode}


@dataclass(frozen=True)
class Said:
    """What a call came to: its outcome, and its message, if one came.

    Attributes:
        returned: when it came, in nanoseconds of the monotonic clock.
    """

    outcome: str
    message: Any = None
    returned: float = field(default_factory=time.monotonic_ns)


class Caller:
    """Calls any of several servers with one credential."""

    def __init__(self, channels: Sequence[grpc.aio.Channel], token: str) -> None:
        self._channels = channels
        self._metadata = (("authorization", f"Bearer {token}"),)

    async def call(self, process: int, method: str, request: Message, seconds: float) -> Said:
        """Call an RPC with one answer; what nobody answered is an unknown outcome."""
        call: Any = self._channels[process].unary_unary(f"/{PACKAGE}.{method}")
        data = request.SerializeToString()
        try:
            answer = await call(data, metadata=self._metadata, timeout=seconds)
        except grpc.aio.AioRpcError as error:
            return await _said(failed(method, error))
        kind = message_factory.GetMessageClass(METHODS[method].output_type)
        return Said(DONE, kind.FromString(answer))

    async def disclose_batch(
        self,
        process: int,
        requests: Sequence[disclosure.DiscloseEvidenceRequest],
        seconds: float,
    ) -> list[Said]:
        """Disclose several in one message, and return what became of each."""
        call: Any = self._channels[process].stream_stream(f"/{PACKAGE}.{_BATCH}")
        data = batching(*requests).SerializeToString()
        try:
            answers = [
                (answer, time.monotonic_ns())
                async for answer in call([data], metadata=self._metadata, timeout=seconds)
            ]
        except grpc.aio.AioRpcError as error:
            # What came before it broke off is given up too: unknown says least.
            return [await _said(failed(_BATCH, error))] * len(requests)
        except asyncio.CancelledError:
            # gRPC's client does this, too, if a stream's time is up while it still writes.
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return [Said(UNKNOWN)] * len(requests)
        ((answer, returned),) = answers
        results = disclosure.DiscloseEvidenceBatchResponse.FromString(answer).results
        assert len(results) == len(requests)
        return [await _said_of(result, returned) for result in results]


async def _said_of(result: disclosure.DisclosureResult, returned: int) -> Said:
    if result.WhichOneof("outcome") == "disclosed":
        return Said(DONE, result.disclosed, returned)
    status = Status.FromString(result.failed)
    return await _said(Answer(_BATCH, _CODES[status.code], status.message, result.failed, ()))


async def _said(answer: Answer) -> Said:
    if answer.reason in _REFUSALS:
        return Said(answer.reason)
    # Recorded, though nothing came: it took effect.
    if answer.reason == "RELEASE_TOO_LATE":
        return Said(DONE)
    assert answer.code in _UNKNOWN or answer.message == _GIVEN_UP, (answer.method, answer.told)
    if answer.code == "UNAVAILABLE":
        await asyncio.sleep(AWAY_SECONDS)
    return Said(UNKNOWN)
