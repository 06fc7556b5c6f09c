# SPDX-License-Identifier: Apache-2.0
"""The answer to many disclosures: one result each, in order, and as much as a client takes."""

from __future__ import annotations

from typing import Any, Final, cast

from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from vault.api.v1.disclosure_service_pb2 import DiscloseEvidenceBatchResponse, DisclosureResult
from vault.application.disclosures import LARGEST_BUNDLE_BYTES, Disclosed
from vault.application.receipts import Receipt
from vault.domain.errors import ConsentRevokedError, NotFoundError
from vault.server.convert.disclosure import result_messages

MOST: Final = 64
A_CLIENT_TAKES: Final = 4 * 1024 * 1024
EARLIER: Final = Receipt(
    facts=b"{}" * 500,
    link_hash=bytes(32),
    origin="test/0",
    leaf_index=7,
    leaf_hash=bytes(32),
    key_id="key",
    signature=bytes(64),
)


def disclosed(size: int) -> Disclosed:
    return Disclosed(
        bundle=bytes(size),
        receipt=EARLIER,
        is_repeat=False,
        sizes=cast("Any", None),
        external_reference="",
        event=cast("Any", None),
    )


def reason(result: DisclosureResult) -> str:
    """Return the reason of a result that failed, "" of one that did not."""
    info = ErrorInfo()
    for detail in Status.FromString(result.failed).details:
        if detail.Unpack(info):
            return info.reason
    return ""


def test_each_has_its_result_in_order() -> None:
    results = [disclosed(10), NotFoundError(), disclosed(20)]

    messages = result_messages(results, "call")

    assert [reason(message) for message in messages] == ["", "NOT_FOUND", ""]
    assert [len(message.disclosed.bundle) for message in messages] == [10, 0, 20]


def test_a_fault_of_ours_is_told_by_the_call_alone() -> None:
    (message,) = result_messages([RuntimeError("her name")], "0123abcd")

    status = Status.FromString(message.failed)
    assert status.code == 13
    assert "0123abcd" in status.message
    assert b"her name" not in message.failed


def test_a_failure_tells_all_that_the_call_would_have_told() -> None:
    refused = ConsentRevokedError()
    refused.receipt = EARLIER

    (message,) = result_messages([refused], "call")

    status = Status.FromString(message.failed)
    assert status.code == 9
    assert status.message == refused.message
    assert EARLIER.facts in message.failed


def test_what_does_not_fit_is_to_be_asked_for_again_and_the_rest_goes_on() -> None:
    """However large bundles are, a client that was told nothing can read the answer."""
    large = [disclosed(LARGEST_BUNDLE_BYTES) for _ in range(MOST - 1)]

    messages = result_messages([*large, disclosed(10)], "call")

    answer = DiscloseEvidenceBatchResponse(results=messages, position_token="x" * 100)
    reasons = [reason(message) for message in messages]
    assert answer.ByteSize() < A_CLIENT_TAKES
    assert reasons[:10] == [""] * 10
    assert set(reasons[20:-1]) == {"LIMIT_EXCEEDED"}
    assert reasons[-1] == ""


def test_one_always_fits_beside_failures() -> None:
    refused = ConsentRevokedError()
    refused.receipt = EARLIER

    messages = result_messages([*[refused] * (MOST - 1), disclosed(LARGEST_BUNDLE_BYTES)], "call")

    assert messages[-1].disclosed.bundle
