# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: ARG002, N802 - gRPC fixes a handler's names and parameters
"""What every call passes, on a real server in this process, with handlers made for the purpose."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status

from vault.api.v1 import (
    audit_service_pb2,
    audit_service_pb2_grpc,
    disclosure_service_pb2_grpc,
    vault_service_pb2,
    vault_service_pb2_grpc,
)
from vault.api.v1.disclosure_service_pb2 import DiscloseEvidenceRequest, DiscloseEvidenceResponse
from vault.config import Config, read_config
from vault.domain.errors import NotFoundError
from vault.server.call import Call
from vault.server.call_logging import make_logger
from vault.server.development_issuer import ISSUER, DevelopmentIssuer
from vault.server.gate import Gate
from vault.server.identity import Verifier
from vault.server.interceptors import LARGEST_MESSAGE_BYTES, CallInterceptor
from vault.server.issuer_keys import FixedKeys

SECRET = "the value that nobody may see"
ID = "6d5b8b0e-57a1-4d9f-8a3e-0b9d3e8f5a11"
WIDTH = 2
OPEN = "/vault.api.v1.VaultService/OpenVault"
GET = "/vault.api.v1.VaultService/GetVault"
HISTORY = "/vault.api.v1.VaultService/ListHistory"
DISCLOSE = "/vault.api.v1.DisclosureService/DiscloseEvidence"
REPLAY = "/vault.api.v1.AuditService/ReplayVault"


@dataclass
class Seen:
    """What handlers were given, and the door that keeps disclosures waiting."""

    calls: list[Call] = field(default_factory=list)
    full: asyncio.Event = field(default_factory=asyncio.Event)
    door: asyncio.Event = field(default_factory=asyncio.Event)
    disclosing: int = 0


class Handler:
    """Answers, fails, or waits, as its methods' tests want it."""

    def __init__(self, seen: Seen) -> None:
        self.seen = seen

    async def OpenVault(self, request: Any, call: Call) -> Any:
        self.seen.calls.append(call)
        return vault_service_pb2.OpenVaultResponse(position_token="here")

    async def GetVault(self, request: Any, call: Call) -> Any:
        raise KeyError(SECRET)

    async def ListHistory(self, request: Any, call: Call) -> Any:
        if request.page_size == 1:
            raise NotFoundError
        return vault_service_pb2.ListHistoryResponse(next_page_token="x" * LARGEST_MESSAGE_BYTES)

    async def DiscloseEvidence(self, request: Any, call: Call) -> Any:
        self.seen.disclosing += 1
        if self.seen.disclosing == WIDTH:
            self.seen.full.set()
        await self.seen.door.wait()
        return DiscloseEvidenceResponse()

    async def ReplayVault(self, request: Any, call: Call) -> AsyncIterator[Any]:
        yield audit_service_pb2.ReplayVaultResponse(
            caught_up=audit_service_pb2.CaughtUp(record_count=1)
        )
        if request.case_ref == "fail":
            raise ValueError(SECRET)

    def __getattr__(self, name: str) -> Any:
        return None


@dataclass
class Running:
    """A running server, and how to call it."""

    channel: grpc.aio.Channel
    interceptor: CallInterceptor
    issuer: DevelopmentIssuer
    log: io.BytesIO
    seen: Seen

    def bearer(self, role: str, scope: str = "") -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self.issuer.token(role, 'mair', scope)}"),)

    async def call(
        self, method: str, data: bytes, metadata: Any = None, seconds: float | None = 5
    ) -> bytes:
        metadata = self.bearer("citizen") if metadata is None else metadata
        answer: bytes = await self.channel.unary_unary(method)(
            data, metadata=metadata, timeout=seconds
        )
        return answer

    async def refused(self, method: str, data: bytes, metadata: Any = None) -> Refusal:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.call(method, data, metadata)
        return Refusal.of(caught.value)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.getvalue().splitlines()]


@dataclass
class Refusal:
    code: str
    reason: str
    message: str
    fields: list[str]
    call_id: str

    @classmethod
    def of(cls, error: grpc.aio.AioRpcError) -> Refusal:
        trailing = dict(error.trailing_metadata())
        status = Status.FromString(trailing["grpc-status-details-bin"])
        info, bad = ErrorInfo(), BadRequest()
        for found in status.details:
            found.Unpack(info)
            found.Unpack(bad)
        return cls(
            error.code().name,
            info.reason,
            error.details() or "",
            [violation.field for violation in bad.field_violations],
            trailing["call_id"],
        )


@pytest.fixture
def config() -> Config:
    prefix = "CITIZEN_VAULT_"
    return read_config({f"{prefix}DATA": "/nowhere", f"{prefix}ENVIRONMENT": "development"})


@pytest.fixture
async def running(config: Config) -> AsyncIterator[Running]:
    issuer = DevelopmentIssuer(config.environment, config.audience)
    log, seen = io.BytesIO(), Seen()
    verifier = Verifier(ISSUER, config.audience, FixedKeys(issuer.jwks))
    interceptor = CallInterceptor(verifier, Gate(WIDTH, 0), make_logger(log))
    server = grpc.aio.server(interceptors=(interceptor,))
    handler: Any = Handler(seen)
    vault_service_pb2_grpc.add_VaultServiceServicer_to_server(handler, server)
    disclosure_service_pb2_grpc.add_DisclosureServiceServicer_to_server(handler, server)
    audit_service_pb2_grpc.add_AuditServiceServicer_to_server(handler, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Running(channel, interceptor, issuer, log, seen)
        seen.door.set()
    await server.stop(0)
    issuer.close()


def opening() -> bytes:
    return vault_service_pb2.OpenVaultRequest(request_id=ID).SerializeToString()


def disclosing() -> bytes:
    request = DiscloseEvidenceRequest(request_id=ID, subject_id=ID, purpose_code="care")
    request.authority.consent_id = ID
    request.fields.add(evidence_type="income", names=["amount"])
    return request.SerializeToString()


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
        request.SerializeToString(), metadata=running.bearer("citizen")
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
    running.interceptor.drain()

    refusal = await running.refused(OPEN, opening())

    assert (refusal.code, refusal.reason) == ("UNAVAILABLE", "STORE_UNAVAILABLE")


async def test_an_unknown_method_is_unimplemented(running: Running) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await running.call("/vault.api.v1.VaultService/DropVault", b"")

    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
