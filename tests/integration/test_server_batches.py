# SPDX-License-Identifier: Apache-2.0
"""Streams on both sides, on a real server in this process, with handlers made for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from tests.calls import (
    CALLS,
    DISCLOSE,
    DISCLOSE_BATCH,
    REVOKE,
    WIDTH,
    Refusal,
    Running,
    batching,
    calls,
    disclosing,
    revoking,
)
from vault.api.v1.consent_service_pb2 import RevokeConsentResponse
from vault.api.v1.disclosure_service_pb2 import DiscloseEvidenceBatchResponse
from vault.server import passage
from vault.server.gate import streams_of
from vault.server.identity import LEEWAY_SECONDS
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


async def test_who_is_silent_between_messages_gives_the_place_back(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passage, "LONGEST_SILENCE_SECONDS", 0.2)
    call = begin(running, seconds=None)
    await call.write(batching())
    assert await read(call) == "1"

    async with asyncio.timeout(5):
        told = await refusal(call)

    assert (told.code, told.reason) == ("DEADLINE_EXCEEDED", "DEADLINE_PASSED")
    assert not running.passage.streams.open


async def test_a_draining_server_answers_no_further_message(running: Running) -> None:
    call = begin(running)
    await call.write(batching())
    assert await read(call) == "1"

    running.passage.drain()
    await call.write(batching())

    assert (await refusal(call)).reason == "STORE_UNAVAILABLE"
    assert len(running.seen.batches) == 1


async def test_a_message_is_as_good_as_its_token_when_it_comes(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = begin(running)
    await call.write(batching())
    assert await read(call) == "1"

    monkeypatch.setattr(passage, "time", Later(3600.0 + LEEWAY_SECONDS))
    await call.write(batching())

    told = await refusal(call)
    assert (told.code, told.reason) == ("UNAUTHENTICATED", "CREDENTIAL_EXPIRED")
    assert len(running.seen.batches) == 1


async def test_who_waits_is_told_when_the_token_expires(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passage, "LONGEST_SILENCE_SECONDS", 60.0)
    verify = running.passage.verifier.verify

    async def about_to_expire(metadata: Any) -> Any:
        caller, _ = await verify(metadata)
        return caller, 0.2

    monkeypatch.setattr(running.passage.verifier, "verify", about_to_expire)
    call = begin(running, seconds=None)

    async with asyncio.timeout(5):
        assert (await refusal(call)).reason == "CREDENTIAL_EXPIRED"


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


class Later:
    """The clock, so many seconds from now."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.perf_counter = time.perf_counter

    def monotonic(self) -> float:
        return time.monotonic() + self._seconds


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


# --- Open streams --------------------------------------------------------------------------------


async def crowded(running: Running) -> list[Any]:
    """Return the conversations of one caller who begins one for every call that there may be."""
    begun = [begin(running, seconds=None) for _ in range(CALLS)]
    most = streams_of(CALLS).most_of_one
    ending = {asyncio.create_task(refusal(call)): call for call in begun}
    refused: set[asyncio.Task[Refusal]] = set()
    async with asyncio.timeout(5):
        while len(refused) < CALLS - most:
            refused, _ = await asyncio.wait(ending, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(0)
    assert {task.result().reason for task in refused} == {"LIMIT_EXCEEDED"}
    for task in ending:
        task.cancel()
    return [call for task, call in ending.items() if task not in refused]


async def test_idle_conversations_leave_room_to_revoke(running: Running) -> None:
    begun = await crowded(running)

    answer = await running.call(REVOKE, revoking())

    assert RevokeConsentResponse.FromString(answer).position_token == "revoked"
    assert len(begun) == streams_of(CALLS).most_of_one


async def test_one_callers_conversations_leave_room_for_anothers(running: Running) -> None:
    await crowded(running)

    call = begin(running, running.bearer("service", sub="other"))
    await call.write(batching())

    assert await read(call) == "1"


async def test_a_stream_that_ended_leaves_its_place(running: Running) -> None:
    for call in await crowded(running):
        call.cancel()
    async with asyncio.timeout(5):
        while running.passage.streams.open:  # noqa: ASYNC110 - the server's side tells nobody
            await asyncio.sleep(0.005)

    call = begin(running)
    await call.write(batching())

    assert await read(call) == "1"
