# SPDX-License-Identifier: Apache-2.0
"""What every call passes, on a real server in this process, with handlers made for the purpose."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf import json_format

from tests.calls import (
    DISCLOSE,
    GET,
    GET_EVIDENCE,
    HISTORY,
    ID,
    OPEN,
    REPLAY,
    SECRET,
    WIDTH,
    Refusal,
    Running,
    calls,
    disclosing,
    opening,
)
from tests.json_wire import Reply
from vault.api.v1 import audit_service_pb2, vault_service_pb2
from vault.api.v1.disclosure_service_pb2 import DiscloseEvidenceRequest
from vault.server import passage
from vault.server.passage import LARGEST_MESSAGE_BYTES


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    async with calls() as started:
        yield started


async def test_a_good_call_is_answered(running: Running) -> None:
    answer = vault_service_pb2.OpenVaultResponse.FromString(await running.call(OPEN, opening()))

    assert answer.position_token == "here"


async def test_the_handler_learns_who_calls_and_until_when(running: Running) -> None:
    before = time.monotonic()

    await running.call(OPEN, opening(), seconds=5)

    call = running.seen.calls[0]
    assert (call.caller.role, call.caller.sub) == ("citizen", "mair")
    assert before + 4 < call.deadline < time.monotonic() + 5.1


async def test_a_call_without_deadline_has_one_all_the_same(running: Running) -> None:
    await running.call(OPEN, opening(), seconds=None)

    assert running.seen.calls[0].deadline < time.monotonic() + 61


async def test_an_answer_names_its_call(running: Running) -> None:
    call = running.channel.unary_unary(OPEN)(opening(), metadata=running.bearer("citizen"))

    await call

    assert dict(await call.trailing_metadata())["call_id"] == running.seen.calls[0].call_id


@pytest.mark.parametrize(
    "data",
    [
        b"\xff",
        b"\x0a\xff",
        b"\x0a\x05abc",
        b"\x0a\x02\xff\xfe",
        b"\x0b" * 10_000,
        b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x00",
    ],
)
async def test_malformed_bytes_are_told_so(running: Running, data: bytes) -> None:
    refusal = await running.refused(OPEN, data)

    assert (refusal.code, refusal.reason) == ("INVALID_ARGUMENT", "MESSAGE_MALFORMED")


@pytest.mark.parametrize(
    "data", [b"", b"\x08\x01", b"\x0a\x01x", b"\x0a\x28" + ID.encode() + b"\r\n x"]
)
async def test_a_broken_constraint_names_its_field(running: Running, data: bytes) -> None:
    refusal = await running.refused(OPEN, data)

    assert (refusal.reason, refusal.fields) == ("FIELD_INVALID", ["request_id"])


async def test_a_field_within_a_list_is_named_by_its_path(running: Running) -> None:
    request = DiscloseEvidenceRequest.FromString(disclosing())
    request.fields.add(evidence_type="income", names=["*"])

    refusal = await running.refused(
        DISCLOSE, request.SerializeToString(), running.bearer("service")
    )

    assert refusal.fields == ["fields[1].names[0]"]


async def test_of_a_large_message_one_violation_is_told(running: Running) -> None:
    """Looking for all of a hundred thousand would keep everybody waiting."""
    request = DiscloseEvidenceRequest.FromString(disclosing())
    told = []
    for count in (100, 50_000):
        request.fields[0].names.extend(["*"] * count)
        service = running.bearer("service")
        told.append(await running.refused(DISCLOSE, request.SerializeToString(), service))

    assert [len(refusal.fields) for refusal in told] == [20, 1]


async def test_what_was_sent_is_not_repeated(running: Running) -> None:
    request = vault_service_pb2.OpenVaultRequest(request_id=SECRET)

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await running.call(OPEN, request.SerializeToString())

    assert SECRET not in str(caught.value)
    assert SECRET.encode() not in dict(caught.value.trailing_metadata())["grpc-status-details-bin"]


async def test_a_message_beyond_the_limit_is_refused(running: Running) -> None:
    padded = opening() + b"\xa2\x06\x80\x80\x10" + b"x" * LARGEST_MESSAGE_BYTES

    refusal = await running.refused(OPEN, padded)

    assert (refusal.code, refusal.reason) == ("RESOURCE_EXHAUSTED", "LIMIT_EXCEEDED")


async def test_an_answer_beyond_the_limit_is_not_sent(running: Running) -> None:
    refusal = await running.refused(HISTORY, b"")

    assert (refusal.code, refusal.reason) == ("RESOURCE_EXHAUSTED", "LIMIT_EXCEEDED")


async def test_a_call_without_token_is_not_read(running: Running) -> None:
    refusal = await running.refused(OPEN, b"\xff", ())

    assert (refusal.code, refusal.reason) == ("UNAUTHENTICATED", "CREDENTIAL_MISSING")


@pytest.mark.parametrize("role", ["service", "auditor", "operator"])
async def test_another_role_is_not_let_through(running: Running, role: str) -> None:
    refusal = await running.refused(OPEN, opening(), running.bearer(role))

    assert (refusal.code, refusal.reason) == ("PERMISSION_DENIED", "ROLE_NOT_ALLOWED")


async def test_a_token_without_the_scope_is_not_let_through(running: Running) -> None:
    refusal = await running.refused(OPEN, opening(), running.bearer("citizen", "consent"))

    assert refusal.reason == "ROLE_NOT_ALLOWED"


async def test_an_error_of_the_domain_is_told(running: Running) -> None:
    request = vault_service_pb2.ListHistoryRequest(page_size=1)

    refusal = await running.refused(HISTORY, request.SerializeToString())

    assert (refusal.code, refusal.reason) == ("NOT_FOUND", "NOT_FOUND")


async def test_an_unknown_exception_is_told_by_its_call_id_alone(running: Running) -> None:
    refusal = await running.refused(GET, b"")

    assert (refusal.code, refusal.reason) == ("INTERNAL", "INTERNAL")
    assert refusal.message == f"This is a fault of ours. Quote call_id {refusal.call_id}."


async def test_an_unknown_exception_is_logged_without_what_it_holds(running: Running) -> None:
    refusal = await running.refused(GET, b"")

    fault = next(line for line in running.lines() if line["event"] == "fault")
    assert (fault["call_id"], fault["error"]) == (refusal.call_id, "KeyError")
    assert any(frame.endswith("GetVault") for frame in fault["trace"])
    assert SECRET.encode() not in running.log.getvalue()


async def test_logging_names_no_caller(running: Running) -> None:
    await running.call(OPEN, opening())

    line = running.lines()[-1]
    assert set(line) == {
        "event", "level", "time", "call_id", "method", "code", "reason", "role", "milliseconds",
    }  # fmt: skip
    assert b"mair" not in running.log.getvalue()


async def test_a_stream_begins_and_ends_with_its_call_id(running: Running) -> None:
    request = audit_service_pb2.ReplayVaultRequest(vault_id=ID)
    call = running.channel.unary_stream(REPLAY)(
        request.SerializeToString(), metadata=running.bearer("auditor")
    )

    first = dict(await call.initial_metadata())
    items = [item async for item in call]
    last = dict(await call.trailing_metadata())

    assert len(items) == 1
    assert first["call_id"] == last["call_id"]


async def test_a_stream_that_fails_tells_nothing_of_why(running: Running) -> None:
    request = audit_service_pb2.ReplayVaultRequest(vault_id=ID, case_ref="fail")
    call = running.channel.unary_stream(REPLAY)(
        request.SerializeToString(), metadata=running.bearer("auditor")
    )

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        _ = [item async for item in call]

    assert Refusal.of(caught.value).reason == "INTERNAL"
    assert SECRET not in str(caught.value)


async def test_a_stream_is_closed_to_other_roles(running: Running) -> None:
    request = audit_service_pb2.ReplayVaultRequest(vault_id=ID)
    call = running.channel.unary_stream(REPLAY)(
        request.SerializeToString(), metadata=running.bearer("service")
    )

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        _ = [item async for item in call]

    assert Refusal.of(caught.value).reason == "ROLE_NOT_ALLOWED"


async def test_a_flood_of_disclosures_leaves_room_for_other_calls(running: Running) -> None:
    service = running.bearer("service")
    waiting = [
        asyncio.create_task(running.call(DISCLOSE, disclosing(), service)) for _ in range(WIDTH)
    ]
    await running.seen.full.wait()

    await running.call(OPEN, opening())
    refusal = await running.refused(DISCLOSE, disclosing(), service)

    assert refusal.reason == "LIMIT_EXCEEDED"
    assert running.seen.disclosing == WIDTH
    running.seen.door.set()
    await asyncio.gather(*waiting)


async def test_a_draining_server_refuses_calls(running: Running) -> None:
    running.passage.drain()

    refusal = await running.refused(OPEN, opening())

    assert (refusal.code, refusal.reason) == ("UNAVAILABLE", "STORE_UNAVAILABLE")


async def test_an_unknown_method_is_unimplemented(running: Running) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await running.call("/vault.api.v1.VaultService/DropVault", b"")

    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


# --- The same over HTTP --------------------------------------------------------------------------


async def posted(running: Running, path: str, value: Any, role: str = "citizen") -> Reply:
    caller = running.over_http(role)
    return await asyncio.to_thread(caller.post, path.removeprefix("/vault.api.v1."), value)


async def test_a_call_over_http_is_answered(running: Running) -> None:
    before = time.monotonic()

    reply = await posted(running, OPEN, {"requestId": ID})

    call = running.seen.calls[0]
    assert reply.json == {"positionToken": "here"}
    assert (call.caller.role, call.caller.sub) == ("citizen", "mair")
    assert reply.headers["trailer-call_id"] == call.call_id
    assert before + 59 < call.deadline < time.monotonic() + 61


async def test_the_time_out_of_a_request_is_the_deadline_of_its_call(running: Running) -> None:
    caller = running.over_http("citizen")

    await asyncio.to_thread(
        caller.post, "VaultService/OpenVault", {"requestId": ID}, connect_timeout_ms="5000"
    )

    assert 0 < running.seen.calls[0].deadline - time.monotonic() < 5


async def test_a_body_that_does_not_come_in_time_is_not_waited_for(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passage, "LONGEST_CALL_SECONDS", 0.2)
    (_, token), *_ = running.bearer("citizen")
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", int(running.http.url.rpartition(":")[2])
    )
    writer.write(
        f"POST {OPEN} HTTP/1.1\r\nhost: x\r\nauthorization: {token}\r\n"
        "content-type: application/json\r\ncontent-length: 100\r\n\r\n{".encode()
    )

    async with asyncio.timeout(5):
        answer = await reader.read()
    writer.close()

    assert answer.startswith(b"HTTP/1.1 504 ")
    assert b"DEADLINE_PASSED" in answer
    assert running.seen.calls == []


async def test_an_unknown_exception_is_told_over_http_by_its_call_id_alone(
    running: Running,
) -> None:
    reply = await posted(running, GET, {})

    assert (reply.status, reply.reasons) == (500, ["INTERNAL"])
    assert reply.json["message"].endswith(f"call_id {reply.headers['trailer-call_id']}.")
    assert SECRET.encode() not in reply.body + running.log.getvalue()


async def test_an_answer_beyond_the_limit_is_not_sent_over_http(running: Running) -> None:
    reply = await posted(running, HISTORY, {})

    assert (reply.status, reply.reasons) == (429, ["LIMIT_EXCEEDED"])


async def test_what_fits_over_grpc_fits_as_json(running: Running) -> None:
    """Base64 is a third longer than what it says."""
    reply = await posted(running, GET_EVIDENCE, {"evidenceId": ID})

    assert reply.status == 200
    assert len(reply.body) > LARGEST_MESSAGE_BYTES


async def test_a_call_is_logged_alike_over_both(running: Running) -> None:
    await posted(running, HISTORY, {"pageSize": 1})
    await running.refused(
        HISTORY, vault_service_pb2.ListHistoryRequest(page_size=1).SerializeToString()
    )

    lines = running.lines()
    own = {"call_id", "time", "milliseconds"}
    first, second = ({k: v for k, v in line.items() if k not in own} for line in lines)
    assert first == second


async def test_the_gate_is_one_for_both(running: Running) -> None:
    service = running.bearer("service")
    waiting = [
        asyncio.create_task(running.call(DISCLOSE, disclosing(), service)) for _ in range(WIDTH)
    ]
    await running.seen.full.wait()
    request = json_format.MessageToDict(DiscloseEvidenceRequest.FromString(disclosing()))

    reply = await posted(running, DISCLOSE, request, "service")

    assert reply.reasons == ["LIMIT_EXCEEDED"]
    running.seen.door.set()
    await asyncio.gather(*waiting)


async def test_a_draining_server_refuses_calls_over_http(running: Running) -> None:
    running.passage.drain()

    reply = await posted(running, OPEN, {"requestId": ID})

    assert (reply.status, reply.reasons) == (503, ["STORE_UNAVAILABLE"])
