# SPDX-License-Identifier: Apache-2.0
"""A slow line takes little at once, and tells how a transfer ended."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.protobuf.any_pb2 import Any as Packed
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from clients.connection import CallError, CallRecord
from clients.demo.slow_line import SlowLine
from vault.api.v1.disclosure_service_pb2 import DiscloseDocumentRequest, DiscloseDocumentResponse
from vault.api.v1.disclosure_service_pb2_grpc import (
    DisclosureServiceServicer,
    add_DisclosureServiceServicer_to_server,
)

_CHUNK = bytes(128 * 1024)
_PIECES = 200


class _Service(DisclosureServiceServicer):
    """Sends pieces, or refuses in the middle."""

    def __init__(self) -> None:
        self.sent = 0
        self.refuses_after = _PIECES
        self.metadata: dict[str, Any] = {}

    def DiscloseDocument(  # noqa: N802 - the RPC's name
        self, request: Any, context: Any
    ) -> Iterator[DiscloseDocumentResponse]:
        del request
        self.metadata = dict(context.invocation_metadata())
        for _ in range(self.refuses_after):
            yield DiscloseDocumentResponse(chunk=_CHUNK)
            self.sent += 1
        if self.refuses_after < _PIECES:
            context.abort_with_status(rpc_status.to_status(_refusal()))


def _refusal() -> Status:
    status = Status(code=grpc.StatusCode.FAILED_PRECONDITION.value[0], message="It was stopped.")
    detail = Packed()
    detail.Pack(ErrorInfo(reason="CONSENT_REVOKED"))
    status.details.append(detail)
    return status


@pytest.fixture
def service() -> _Service:
    return _Service()


@pytest.fixture
def told() -> list[CallRecord]:
    return []


@pytest.fixture
def line(service: _Service, told: list[CallRecord]) -> Iterator[SlowLine]:
    server = grpc.server(ThreadPoolExecutor(1))
    add_DisclosureServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    opened = SlowLine(f"127.0.0.1:{port}", "secret", told.append)
    yield opened
    opened.close()
    server.stop(None).wait()


def test_little_is_on_its_way_to_whoever_does_not_read(line: SlowLine, service: _Service) -> None:
    parts = line.disclose_document(DiscloseDocumentRequest())

    next(parts)
    time.sleep(0.5)

    assert 0 < service.sent < 10


def test_everything_comes_to_whoever_reads(line: SlowLine, told: list[CallRecord]) -> None:
    parts = list(line.disclose_document(DiscloseDocumentRequest(case_ref="HD-2046")))

    assert len(parts) == _PIECES
    assert [(call.method, call.request.case_ref, call.error) for call in told] == [
        ("DiscloseDocument", "HD-2046", None)
    ]


def test_whoever_calls_shows_who_it_is(line: SlowLine, service: _Service) -> None:
    list(line.disclose_document(DiscloseDocumentRequest()))

    assert service.metadata["authorization"] == "Bearer secret"


def test_what_is_broken_off_says_why(
    line: SlowLine, service: _Service, told: list[CallRecord]
) -> None:
    service.refuses_after = 2
    received = []

    with pytest.raises(CallError) as caught:
        received.extend(line.disclose_document(DiscloseDocumentRequest()))

    assert (caught.value.code, caught.value.reason) == ("FAILED_PRECONDITION", "CONSENT_REVOKED")
    assert [call.error for call in told] == [caught.value]
