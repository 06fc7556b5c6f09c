# SPDX-License-Identifier: Apache-2.0
"""Streams on both sides, on a real server in this process, with handlers made for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from tests.calls import (
    DISCLOSE,
    DISCLOSE_BATCH,
    WIDTH,
    Refusal,
    Running,
    batching,
    calls,
    disclosing,
)
from vault.api.v1.disclosure_service_pb2 import DiscloseEvidenceBatchResponse
from vault.server import passage
from vault.server.passage import LARGEST_MESSAGE_BYTES

MUCH = b"\xa2\x06\x80\x80\x10" + bytes(LARGEST_MESSAGE_BYTES)


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    async with calls() as started:
        yield started


def begin(running: Running, metadata: Any = None, seconds: float | None = 5) -> Any:
    """Begin to send messages."""
    metadata = running.bearer("service") if metadata is None else metadata
    return running.channel.stream_stream(DISCLOSE_BATCH)(metadata=metadata, timeout=seconds)


async def read(call: Any) -> str:
    """Return what tells the answers of the tests' handler apart."""
    return DiscloseEvidenceBatchResponse.FromString(await call.read()).position_token


async def refusal(call: Any) -> Refusal:
    """Return how a call ended whose next answer does not come."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    return Refusal.of(caught.value)


async def test_each_message_is_answered_as_it_comes(running: Running) -> None:
    call = begin(running)

    for number in ("1", "2", "3"):
        await call.write(batching())
        assert await read(call) == number
    await call.done_writing()

    assert await call.read() is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK


async def test_what_is_sent_at_once_is_answered_in_its_order(running: Running) -> None:
    call = begin(running)
    for count in (1, 2, 3):
        await call.write(batching(count=count))
    await call.done_writing()

    assert [await read(call) for _ in range(3)] == ["1", "2", "3"]
    assert [len(request.disclosures) for request in running.seen.batches] == [1, 2, 3]


async def test_a_conversation_of_nothing_ends_well(running: Running) -> None:
    call = begin(running)
    await call.done_writing()

    assert await call.read() is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK


async def test_a_conversation_is_named_at_its_beginning_and_at_its_end(running: Running) -> None:
    call = begin(running)
    first = dict(await call.initial_metadata())
    await call.done_writing()

    last = dict(await call.trailing_metadata())

    assert first["call_id"] == last["call_id"] == running.lines()[-1]["call_id"]


@pytest.mark.parametrize(
    ("message", "reason", "fields"),
    [
        (b"\xff", "MESSAGE_MALFORMED", []),
        (b"", "FIELD_INVALID", ["disclosures"]),
        (batching(count=65), "FIELD_INVALID", ["disclosures"]),
        (batching("x" * 201), "FIELD_INVALID", ["disclosures[0].case_ref"]),
        (MUCH, "LIMIT_EXCEEDED", []),
    ],
    ids=["malformed", "none", "sixty-five", "one that is wrong", "too much"],
)
async def test_each_message_is_judged(
    running: Running, message: bytes, reason: str, fields: list[str]
) -> None:
    """What came before it is answered; it reaches nobody, and ends the call."""
    call = begin(running)
    await call.write(batching())
    await call.write(message)

    assert await read(call) == "1"
    told = await refusal(call)

    assert (told.reason, told.fields) == (reason, fields)
    assert len(running.seen.batches) == 1


async def test_sixty_four_are_one_message(running: Running) -> None:
    call = begin(running)
    await call.write(batching(count=64))

    assert await read(call) == "1"
    call.cancel()


@pytest.mark.parametrize(
    ("role", "reason"), [("citizen", "ROLE_NOT_ALLOWED"), ("", "CREDENTIAL_MISSING")]
)
async def test_others_are_not_listened_to(running: Running, role: str, reason: str) -> None:
    call = begin(running, running.bearer(role) if role else ())

    assert (await refusal(call)).reason == reason
    assert running.seen.batches == []


async def test_a_draining_server_begins_no_conversation(running: Running) -> None:
    running.passage.drain()

    assert (await refusal(begin(running))).reason == "STORE_UNAVAILABLE"


async def test_who_sends_nothing_more_does_not_stay_for_ever(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passage, "LONGEST_STREAM_SECONDS", 0.2)
    call = begin(running, seconds=None)

    async with asyncio.timeout(5):
        told = await refusal(call)

    assert told.reason in {"DEADLINE_PASSED", "LIMIT_EXCEEDED"}


async def test_who_reads_nothing_does_not_stay_for_ever(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passage, "LONGEST_STREAM_SECONDS", 0.3)
    call = begin(running, seconds=None)
    sending = asyncio.create_task(_send_for_ever(call, batching("much")))

    async with asyncio.timeout(5):
        while not any(line.get("event") == "call" for line in running.lines()):  # noqa: ASYNC110 - the server's side tells nobody
            await asyncio.sleep(0.01)

    assert running.lines()[-1]["reason"] in {"DEADLINE_PASSED", "LIMIT_EXCEEDED"}
    call.cancel()
    await asyncio.gather(sending, return_exceptions=True)


async def _send_for_ever(call: Any, message: bytes) -> None:
    while True:
        await call.write(message)


# --- The gate ------------------------------------------------------------------------------------


async def waiting(running: Running, count: int) -> list[Any]:
    """Return conversations whose first message is with the handler, which waits."""
    begun = [begin(running) for _ in range(count)]
    for call in begun:
        await call.write(batching("wait"))
    async with asyncio.timeout(5):
        while len(running.seen.batches) < count:  # noqa: ASYNC110 - the handler's side tells nobody
            await asyncio.sleep(0.005)
    return begun


async def test_messages_beyond_those_at_once_are_turned_away(running: Running) -> None:
    begun = await waiting(running, WIDTH)

    call = begin(running)
    await call.write(batching())

    assert (await refusal(call)).reason == "LIMIT_EXCEEDED"
    running.seen.door.set()
    assert [await read(one) for one in begun] == [str(WIDTH)] * WIDTH


async def test_a_flood_of_messages_leaves_room_for_single_disclosures(running: Running) -> None:
    await waiting(running, WIDTH)

    single = asyncio.create_task(running.call(DISCLOSE, disclosing(), running.bearer("service")))
    async with asyncio.timeout(5):
        while not running.seen.disclosing:  # noqa: ASYNC110 - the handler's side tells nobody
            await asyncio.sleep(0.005)

    running.seen.door.set()
    await single


async def test_a_flood_of_single_disclosures_leaves_room_for_messages(running: Running) -> None:
    service = running.bearer("service")
    singles = [
        asyncio.create_task(running.call(DISCLOSE, disclosing(), service)) for _ in range(WIDTH)
    ]
    await running.seen.full.wait()

    call = begin(running)
    await call.write(batching())

    assert await read(call) == "1"
    running.seen.door.set()
    await asyncio.gather(*singles)


async def test_a_conversation_between_messages_holds_no_place(running: Running) -> None:
    begun = [begin(running) for _ in range(WIDTH + 2)]
    for call in begun:
        await call.write(batching())
        assert await read(call)

    for call in begun:
        await call.write(batching())
        assert await read(call)
