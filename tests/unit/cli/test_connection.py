# SPDX-License-Identifier: Apache-2.0
"""The connection: one request id through every try, a deadline over all, errors for people."""

from __future__ import annotations

import time
from collections.abc import Iterator

import grpc
import pytest

from clients import connection as module
from clients.connection import CallError, CallRecord, Connection, development_token
from tests.unit.cli.fake_server import CALL_ID, FakeServer, Refusal
from vault.api.v1.audit_service_pb2 import (
    CaughtUp,
    ReplayRegistryRequest,
    ReplayRegistryResponse,
)
from vault.api.v1.evidence_service_pb2 import (
    DocumentHeader,
    UploadDocumentRequest,
    UploadDocumentResponse,
)
from vault.api.v1.log_pb2 import Receipt
from vault.api.v1.vault_service_pb2 import OpenVaultRequest, OpenVaultResponse

UNAVAILABLE = Refusal(grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
ABORTED = Refusal(grpc.StatusCode.ABORTED, "CONCURRENT_CHANGE")
OPENED = OpenVaultResponse(position_token="p")
REQUEST = OpenVaultRequest(request_id="5c1d3f5e-3f43-4dfc-9a58-a0a8f3c8cf64")


@pytest.fixture(autouse=True)
def _no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 0.001)


@pytest.fixture
def records() -> list[CallRecord]:
    return []


@pytest.fixture
def connection(server: FakeServer, records: list[CallRecord]) -> Iterator[Connection]:
    with Connection(
        server.target, "a-token", timeout_seconds=5, on_call=records.append
    ) as connected:
        yield connected


def refused(connection: Connection) -> CallError:
    with pytest.raises(CallError) as caught:
        connection.vaults.OpenVault(REQUEST)
    return caught.value


def test_the_token_travels_as_a_bearer_token(server: FakeServer, connection: Connection) -> None:
    server.says("OpenVault", OPENED)

    connection.vaults.OpenVault(REQUEST)

    assert server.metadata[0]["authorization"] == "Bearer a-token"


def test_a_token_that_is_a_function_is_asked_for_each_try(server: FakeServer) -> None:
    server.says("OpenVault", UNAVAILABLE, OPENED)
    tokens = iter(["first", "second"])

    with Connection(server.target, lambda: next(tokens)) as connection:
        connection.vaults.OpenVault(REQUEST)

    assert [one["authorization"] for one in server.metadata] == ["Bearer first", "Bearer second"]


@pytest.mark.parametrize("failure", [UNAVAILABLE, ABORTED])
def test_a_call_that_lost_is_repeated_with_the_same_request_id(
    server: FakeServer, connection: Connection, failure: Refusal
) -> None:
    server.says("OpenVault", failure, failure, OPENED)

    response = connection.vaults.OpenVault(REQUEST)

    assert response == OPENED
    assert server.requests("OpenVault") == [REQUEST] * 3


def test_a_call_is_tried_four_times_at_most(server: FakeServer, connection: Connection) -> None:
    server.says("OpenVault", UNAVAILABLE)

    error = refused(connection)

    assert error.reason == "STORE_UNAVAILABLE"
    assert len(server.asked) == 4


def test_a_refusal_is_not_repeated(server: FakeServer, connection: Connection) -> None:
    server.says("OpenVault", Refusal(grpc.StatusCode.FAILED_PRECONDITION, "CONSENT_REVOKED"))

    refused(connection)

    assert len(server.asked) == 1


def test_the_deadline_covers_all_tries(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 10.0)
    server.says("OpenVault", UNAVAILABLE)
    begun = time.monotonic()

    with Connection(server.target, "", timeout_seconds=0.5) as connection:
        refused(connection)

    assert time.monotonic() - begun < 2
    assert len(server.asked) == 1


def test_a_server_that_does_not_answer_is_given_up_at_the_deadline(server: FakeServer) -> None:
    def slow(_: object) -> OpenVaultResponse:
        time.sleep(0.5)
        return OPENED

    server.says("OpenVault", slow)

    with Connection(server.target, "", timeout_seconds=0.1) as connection:
        error = refused(connection)

    assert error.code == "DEADLINE_EXCEEDED"


def test_an_error_is_read_from_its_status(server: FakeServer, connection: Connection) -> None:
    receipt = Receipt(leaf_index=7)
    server.says(
        "OpenVault",
        Refusal(
            grpc.StatusCode.INVALID_ARGUMENT,
            "FIELD_INVALID",
            "A field is not valid.",
            (("acting.vault_id", "It is no UUID."),),
            receipt,
        ),
    )

    error = refused(connection)

    assert (error.code, error.reason, error.message) == (
        "INVALID_ARGUMENT",
        "FIELD_INVALID",
        "A field is not valid.",
    )
    assert error.fields == (("acting.vault_id", "It is no UUID."),)
    assert error.call_id == CALL_ID
    assert error.receipt == receipt


def test_nobody_there_is_told_in_words_for_people() -> None:
    with Connection("127.0.0.1:1", "", timeout_seconds=1) as connection:
        error = refused(connection)

    assert (error.code, error.message) == ("UNAVAILABLE", "The server cannot be reached.")


def test_each_call_is_told_once_whatever_its_tries(
    server: FakeServer, connection: Connection, records: list[CallRecord]
) -> None:
    server.says("OpenVault", UNAVAILABLE, OPENED)

    connection.vaults.OpenVault(REQUEST)

    (record,) = records
    assert (record.service, record.method) == ("VaultService", "OpenVault")
    assert (record.request, record.response, record.error) == (REQUEST, OPENED, None)
    assert record.milliseconds > 0


def test_a_failed_call_is_told_with_its_error(
    server: FakeServer, connection: Connection, records: list[CallRecord]
) -> None:
    server.says("OpenVault", Refusal(grpc.StatusCode.NOT_FOUND, "NOT_FOUND"))

    error = refused(connection)

    assert [record.error for record in records] == [error]


def test_a_stream_that_breaks_raises_what_went_wrong(
    server: FakeServer, connection: Connection, records: list[CallRecord]
) -> None:
    one = ReplayRegistryResponse(caught_up=CaughtUp(record_count=1))
    broken = Refusal(grpc.StatusCode.DATA_LOSS, "HISTORY_BROKEN")
    server.says("ReplayRegistry", lambda _: iter([one, broken]))
    stream = connection.audits.ReplayRegistry(ReplayRegistryRequest())

    assert next(stream) == one
    with pytest.raises(CallError, match="refused"):
        next(stream)

    assert [record.error and record.error.reason for record in records] == ["HISTORY_BROKEN"]


def test_a_stream_is_not_repeated(server: FakeServer, connection: Connection) -> None:
    server.says("ReplayRegistry", UNAVAILABLE)

    with pytest.raises(CallError):
        list(connection.audits.ReplayRegistry(ReplayRegistryRequest()))

    assert len(server.asked) == 1


def uploading(*chunks: bytes) -> list[UploadDocumentRequest]:
    header = DocumentHeader(request_id=REQUEST.request_id, media_type="application/pdf")
    return [
        UploadDocumentRequest(header=header),
        *(UploadDocumentRequest(chunk=chunk) for chunk in chunks),
    ]


def test_a_stream_up_arrives_whole_and_with_its_token(
    server: FakeServer, connection: Connection, records: list[CallRecord]
) -> None:
    answer = UploadDocumentResponse(position_token="p")
    server.says("UploadDocument", answer)
    sent = uploading(b"one", b"two")

    response = connection.evidence.UploadDocument(iter(sent))

    assert response == answer
    assert server.requests("UploadDocument") == [sent]
    assert server.metadata[0]["authorization"] == "Bearer a-token"
    assert [(one.method, one.request, one.response) for one in records] == [
        ("UploadDocument", sent[0], answer)
    ]


def test_a_stream_up_that_is_refused_is_told_and_not_repeated(
    server: FakeServer, connection: Connection, records: list[CallRecord]
) -> None:
    server.says("UploadDocument", UNAVAILABLE)

    with pytest.raises(CallError) as caught:
        connection.evidence.UploadDocument(iter(uploading(b"one")))

    assert caught.value.reason == "STORE_UNAVAILABLE"
    assert [one.error for one in records] == [caught.value]
    assert len(server.asked) == 1


def test_the_development_issuer_is_not_spoken_to_elsewhere_in_plain_text() -> None:
    with pytest.raises(CallError, match="on this machine only"):
        development_token("http://issuer.example", "citizen", "mair")


def test_an_issuer_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(CallError) as caught:
        development_token("http://127.0.0.1:1", "citizen", "mair")

    assert caught.value.code == "UNAVAILABLE"


@pytest.mark.parametrize(
    ("host", "is_here"),
    [
        ("127.0.0.1", True),
        ("localhost", True),
        ("[::1]", True),
        ("ipv4:127.0.0.1", True),
        ("127.0.0.1.example.org", False),
        ("10.0.0.1", False),
        ("", False),
    ],
)
def test_plain_text_is_for_this_machine(host: str, *, is_here: bool) -> None:
    assert module.is_loopback(host) is is_here
