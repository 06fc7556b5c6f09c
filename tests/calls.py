# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: ARG002, N802 - gRPC fixes a handler's names and parameters
"""A real server in this process, over gRPC and HTTP, with handlers made for tests."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status

from tests.json_wire import JsonCaller
from tests.wire import METHODS
from vault.api.v1 import audit_service_pb2, vault_service_pb2
from vault.api.v1.consent_service_pb2 import RevokeConsentRequest, RevokeConsentResponse
from vault.api.v1.disclosure_service_pb2 import (
    DiscloseDocumentRequest,
    DiscloseDocumentResponse,
    DiscloseEvidenceBatchRequest,
    DiscloseEvidenceBatchResponse,
    DiscloseEvidenceRequest,
    DiscloseEvidenceResponse,
)
from vault.api.v1.evidence_pb2 import Evidence
from vault.api.v1.evidence_service_pb2 import (
    GetEvidenceResponse,
    UploadDocumentRequest,
    UploadDocumentResponse,
)
from vault.configuration.config import read_config
from vault.domain.errors import NotFoundError
from vault.server.call import Call
from vault.server.call_logging import make_logger
from vault.server.connect import Connect, refuse
from vault.server.development.issuer import ISSUER, DevelopmentIssuer
from vault.server.gate import gates_of, streams_of
from vault.server.grpc_methods import add_methods
from vault.server.http import HttpServer
from vault.server.identity import Verifier
from vault.server.issuer_keys import FixedKeys
from vault.server.methods import methods_of
from vault.server.passage import LARGEST_MESSAGE_BYTES, Passage

SECRET: Final = "the value that nobody may see"
ID: Final = "6d5b8b0e-57a1-4d9f-8a3e-0b9d3e8f5a11"
WIDTH: Final = 2
CALLS: Final = 128
OPEN: Final = "/vault.api.v1.VaultService/OpenVault"
GET: Final = "/vault.api.v1.VaultService/GetVault"
REVOKE: Final = "/vault.api.v1.ConsentService/RevokeConsent"
GET_EVIDENCE: Final = "/vault.api.v1.EvidenceService/GetEvidence"
HISTORY: Final = "/vault.api.v1.VaultService/ListHistory"
DISCLOSE: Final = "/vault.api.v1.DisclosureService/DiscloseEvidence"
DISCLOSE_BATCH: Final = "/vault.api.v1.DisclosureService/DiscloseEvidenceBatch"
DISCLOSE_DOCUMENT: Final = "/vault.api.v1.DisclosureService/DiscloseDocument"
UPLOAD: Final = "/vault.api.v1.EvidenceService/UploadDocument"
REPLAY: Final = "/vault.api.v1.AuditService/ReplayVault"


@dataclass
class Seen:
    """What handlers were given, and the door that keeps disclosures waiting."""

    calls: list[Call] = field(default_factory=list)
    parts: list[UploadDocumentRequest] = field(default_factory=list)
    part: asyncio.Event = field(default_factory=asyncio.Event)
    full: asyncio.Event = field(default_factory=asyncio.Event)
    door: asyncio.Event = field(default_factory=asyncio.Event)
    batches: list[DiscloseEvidenceBatchRequest] = field(default_factory=list)
    disclosing: int = 0
    is_closed: bool = False


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

    async def RevokeConsent(self, request: Any, call: Call) -> Any:
        return RevokeConsentResponse(position_token="revoked")

    async def GetEvidence(self, request: Any, call: Call) -> Any:
        values = bytes(LARGEST_MESSAGE_BYTES - 1000)
        return GetEvidenceResponse(evidence=Evidence(values=values))

    async def DiscloseEvidence(self, request: Any, call: Call) -> Any:
        self.seen.disclosing += 1
        if self.seen.disclosing == WIDTH:
            self.seen.full.set()
        await self.seen.door.wait()
        return DiscloseEvidenceResponse()

    async def DiscloseEvidenceBatch(self, request: Any, call: Call) -> Any:
        self.seen.batches.append(request)
        first = request.disclosures[0].case_ref
        if first == "wait":
            await self.seen.door.wait()
        padding = "x" * LARGEST_MESSAGE_BYTES if first == "much" else str(len(self.seen.batches))
        return DiscloseEvidenceBatchResponse(position_token=padding)

    async def DiscloseDocument(self, request: Any, call: Call) -> AsyncIterator[Any]:
        try:
            yield DiscloseDocumentResponse(disclosure=DiscloseEvidenceResponse())
            while request.case_ref == "endless":
                yield DiscloseDocumentResponse(chunk=bytes(131_072))
            await self.seen.door.wait()
        finally:
            self.seen.is_closed = True

    async def UploadDocument(self, requests: AsyncIterator[Any], call: Call) -> Any:
        self.seen.calls.append(call)
        async for request in requests:
            self.seen.parts.append(request)
            self.seen.part.set()
        return UploadDocumentResponse(position_token=str(len(self.seen.parts)))

    async def ReplayVault(self, request: Any, call: Call) -> AsyncIterator[Any]:
        if request.case_ref == "nothing":
            return
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
    http: HttpServer
    passage: Passage
    issuer: DevelopmentIssuer
    log: io.BytesIO
    seen: Seen

    def bearer(self, role: str, scope: str = "", sub: str = "mair") -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self.issuer.token(role, sub, scope)}"),)

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

    def over_http(self, role: str) -> JsonCaller:
        """Return a caller over HTTP, which blocks: call it in a thread."""
        return JsonCaller(self.http.url, self.issuer.token(role, "mair"))

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


@asynccontextmanager
async def calls() -> AsyncIterator[Running]:
    """Run a server, and a channel to it."""
    prefix = "CITIZEN_VAULT_"
    config = read_config({f"{prefix}DATA": "/nowhere", f"{prefix}ENVIRONMENT": "development"})
    issuer = DevelopmentIssuer(config.environment, config.audience)
    log, seen = io.BytesIO(), Seen()
    verifier = Verifier(ISSUER, config.audience, FixedKeys(issuer.jwks))
    passage = Passage(verifier, gates_of(WIDTH, 0, CALLS), streams_of(CALLS), make_logger(log))
    services = {method.containing_service for method in METHODS.values()}
    methods = methods_of(services, {service.name: Handler(seen) for service in services})
    server = grpc.aio.server(maximum_concurrent_rpcs=CALLS)
    add_methods(server, passage, methods)
    port = server.add_insecure_port("127.0.0.1:0")
    connect = Connect(passage, methods, b"{}")
    http = HttpServer(config.http_address, connect.answer, refuse, 100, make_logger(log))
    await server.start()
    await http.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Running(channel, http, passage, issuer, log, seen)
        seen.door.set()
    await http.drain(0)
    await server.stop(0)
    issuer.close()


def opening() -> bytes:
    """Return what opens a vault."""
    return vault_service_pb2.OpenVaultRequest(request_id=ID).SerializeToString()


def revoking() -> bytes:
    """Return what revokes a consent."""
    return RevokeConsentRequest(request_id=ID, consent_id=ID).SerializeToString()


def disclosing() -> bytes:
    """Return what discloses evidence."""
    request = DiscloseEvidenceRequest(request_id=ID, subject_id=ID, purpose_code="care")
    request.authority.consent_id = ID
    request.fields.add(evidence_type="income", names=["amount"])
    return request.SerializeToString()


def batching(case_ref: str = "", count: int = 1) -> bytes:
    """Return what discloses evidence so many times."""
    request = DiscloseEvidenceBatchRequest()
    for _ in range(count):
        request.disclosures.add().ParseFromString(disclosing())
    request.disclosures[0].case_ref = case_ref
    return request.SerializeToString()


def disclosing_document(case_ref: str = "") -> bytes:
    """Return what discloses a document."""
    request = DiscloseDocumentRequest(
        request_id=ID, subject_id=ID, purpose_code="care", case_ref=case_ref
    )
    request.authority.consent_id = ID
    request.fields.evidence_type = "document"
    request.fields.names.append("content")
    return request.SerializeToString()
