# SPDX-License-Identifier: Apache-2.0
"""Streams, sent and answered, on a real server in this process, with handlers made for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from tests.calls import (
    CALLS,
    DISCLOSE,
    DISCLOSE_DOCUMENT,
    ID,
    OPEN,
    REPLAY,
    UPLOAD,
    WIDTH,
    Refusal,
    Running,
    calls,
    disclosing,
    disclosing_document,
)
from vault.api.v1.audit_service_pb2 import ReplayVaultRequest
from vault.api.v1.evidence_service_pb2 import (
    DocumentHeader,
    UploadDocumentRequest,
    UploadDocumentResponse,
)
from vault.server import passage
from vault.server.passage import LARGEST_MESSAGE_BYTES

CHUNK = UploadDocumentRequest(chunk=b"bytes").SerializeToString()
HEADER = UploadDocumentRequest(
    header=DocumentHeader(request_id=ID, values=b"{}", media_type="image/png")
).SerializeToString()


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    async with calls() as started:
        yield started


def upload(running: Running) -> Any:
    """Begin an upload."""
    return running.channel.stream_unary(UPLOAD)(metadata=running.bearer("citizen"), timeout=5)


async def refused(
    running: Running, *parts: bytes, metadata: Any = None, seconds: float | None = 5
) -> Refusal:
    """Return the refusal of an upload of parts, whose end is never said."""

    async def sent() -> AsyncIterator[bytes]:
        for part in parts:
            yield part
        await asyncio.Event().wait()

    metadata = running.bearer("citizen") if metadata is None else metadata
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await running.channel.stream_unary(UPLOAD)(sent(), metadata=metadata, timeout=seconds)
    return Refusal.of(caught.value)


def fetch(running: Running, case_ref: str = "") -> Any:
    """Begin to fetch a document."""
    return running.channel.unary_stream(DISCLOSE_DOCUMENT)(
        disclosing_document(case_ref), metadata=running.bearer("service")
    )


async def test_parts_are_answered_with_one(running: Running) -> None:
    call = upload(running)
    for part in (HEADER, CHUNK, CHUNK):
        await call.write(part)
    await call.done_writing()

    answer = UploadDocumentResponse.FromString(await call)

    assert answer.position_token == "3"
    assert dict(await call.trailing_metadata())["call_id"] == running.seen.calls[0].call_id


async def test_a_part_is_seen_as_it_comes(running: Running) -> None:
    call = upload(running)
    await call.write(HEADER)

    async with asyncio.timeout(5):
        await running.seen.part.wait()

    assert running.seen.parts[0].WhichOneof("part") == "header"
    call.cancel()


async def test_no_part_at_all_is_a_stream_too(running: Running) -> None:
    call = upload(running)
    await call.done_writing()

    assert UploadDocumentResponse.FromString(await call).position_token == "0"


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (b"\xff", "MESSAGE_MALFORMED"),
        (b"", "FIELD_INVALID"),
        (UploadDocumentRequest(chunk=bytes(131_073)).SerializeToString(), "FIELD_INVALID"),
        (b"\xa2\x06\x80\x80\x10" + bytes(LARGEST_MESSAGE_BYTES), "LIMIT_EXCEEDED"),
    ],
)
async def test_each_part_is_judged(running: Running, part: bytes, reason: str) -> None:
    refusal = await refused(running, HEADER, CHUNK, part)

    assert refusal.reason == reason
    assert len(running.seen.parts) == 2


async def test_uploads_and_documents_take_places_too(running: Running) -> None:
    running.passage.streams.most = 0

    told = [await refused(running, HEADER)]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await fetch(running).read()
    told.append(Refusal.of(caught.value))

    assert [refusal.reason for refusal in told] == ["LIMIT_EXCEEDED"] * 2


async def test_an_upload_without_token_is_not_read(running: Running) -> None:
    refusal = await refused(running, HEADER, metadata=())

    assert refusal.reason == "CREDENTIAL_MISSING"
    assert running.seen.parts == []


async def test_an_upload_is_closed_to_other_roles(running: Running) -> None:
    refusal = await refused(running, HEADER, metadata=running.bearer("service"))

    assert refusal.reason == "ROLE_NOT_ALLOWED"
    assert running.seen.calls == []


async def test_a_part_that_does_not_come_in_time_is_not_waited_for(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passage, "LONGEST_CALL_SECONDS", 0.2)

    async with asyncio.timeout(5):
        refusal = await refused(running, HEADER, seconds=None)

    assert (refusal.code, refusal.reason) == ("DEADLINE_EXCEEDED", "DEADLINE_PASSED")


@pytest.mark.parametrize(("method", "role"), [(OPEN, "citizen"), (DISCLOSE_DOCUMENT, "service")])
async def test_a_single_message_that_does_not_come_is_not_waited_for(
    running: Running, monkeypatch: pytest.MonkeyPatch, method: str, role: str
) -> None:
    monkeypatch.setattr(passage, "LONGEST_SILENCE_SECONDS", 0.2)
    call: Any = running.channel.stream_stream(method)(metadata=running.bearer(role))

    async with asyncio.timeout(5):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()

    assert Refusal.of(caught.value).reason == "DEADLINE_PASSED"


async def test_a_single_message_of_nobody_is_not_waited_for(running: Running) -> None:
    begun: list[Any] = [running.channel.stream_stream(OPEN)() for _ in range(CALLS)]

    for call in begun:
        async with asyncio.timeout(5):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call.read()
        assert Refusal.of(caught.value).reason == "CREDENTIAL_MISSING"


async def test_a_call_without_its_message_is_malformed(running: Running) -> None:
    call: Any = running.channel.stream_stream(OPEN)(metadata=running.bearer("citizen"))
    await call.done_writing()

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()

    assert Refusal.of(caught.value).reason == "MESSAGE_MALFORMED"


async def test_a_draining_server_takes_no_upload(running: Running) -> None:
    running.passage.drain()

    assert (await refused(running, HEADER)).reason == "STORE_UNAVAILABLE"


async def test_a_stream_of_nothing_ends_well(running: Running) -> None:
    request = ReplayVaultRequest(vault_id=ID, case_ref="nothing").SerializeToString()
    call = running.channel.unary_stream(REPLAY)(request, metadata=running.bearer("auditor"))

    assert [item async for item in call] == []
    assert await call.code() is grpc.StatusCode.OK


async def test_a_document_waits_at_the_gate_too(running: Running) -> None:
    service = running.bearer("service")
    waiting = [
        asyncio.create_task(running.call(DISCLOSE, disclosing(), service)) for _ in range(WIDTH)
    ]
    await running.seen.full.wait()

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await fetch(running).read()

    assert Refusal.of(caught.value).reason == "LIMIT_EXCEEDED"
    running.seen.door.set()
    await asyncio.gather(*waiting)


async def test_slow_readers_of_documents_keep_nobody_out(running: Running) -> None:
    """What is decided and recorded is done: the place at the gate is another's."""
    reading = [fetch(running) for _ in range(WIDTH + 2)]
    for call in reading:
        assert await call.read()
    running.seen.door.set()

    await running.call(DISCLOSE, disclosing(), running.bearer("service"))


async def test_who_stops_reading_does_not_stay_for_ever(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passage, "LONGEST_STREAM_SECONDS", 0.3)
    reading = aiter(fetch(running, "endless"))
    assert await anext(reading)

    await asyncio.sleep(1)

    assert running.seen.is_closed
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        _ = [item async for item in reading]
    assert Refusal.of(caught.value).reason == "LIMIT_EXCEEDED"


async def test_who_gives_up_ends_the_stream(running: Running) -> None:
    call = fetch(running)
    assert await call.read()

    call.cancel()

    async with asyncio.timeout(5):
        while not running.seen.is_closed:  # noqa: ASYNC110 - the server's side tells nobody
            await asyncio.sleep(0.01)
    assert running.lines()[-1]["code"] == "CANCELLED"
