# SPDX-License-Identifier: Apache-2.0
"""JSON that no message can hold: refused as the caller's, never a fault of ours."""

from __future__ import annotations

import pytest

from vault.api.v1 import consent_service_pb2 as consents
from vault.domain.errors import LimitExceededError
from vault.server.codec import JSON, MOST_VALUES, PROTOBUF
from vault.server.errors import MessageMalformedError


def read(data: bytes) -> consents.GetRequestRequest:
    message = JSON.read(consents.GetRequestRequest, data)
    assert isinstance(message, consents.GetRequestRequest)
    return message


@pytest.mark.parametrize(
    "data",
    [
        b'{"\\ud800":1}',
        b'{"acting":{"\\udfff":1}}',
        b'{"consentRequestId":"\\ud800"}',
        b'{"acting":{"channel":"\\ud800"}}',
        b'{"acting":{"channel":["\\ud800"]}}',
    ],
)
def test_half_a_character_is_no_text(data: bytes) -> None:
    with pytest.raises(MessageMalformedError):
        read(data)


@pytest.mark.parametrize("number", [b"1e400", b"-1e400", b"Infinity", b"-Infinity", b"NaN"])
def test_a_number_beyond_all_bounds_is_none(number: bytes) -> None:
    with pytest.raises(MessageMalformedError):
        read(b'{"acting":{"capacity":' + number + b"}}")
    with pytest.raises(MessageMalformedError):
        read(b'{"consentRequestId":' + number + b"}")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"7",
        b"\xff",
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        b"[" * 5_000,
        b'{"acting":' * 5_000,
        b'{"consentRequestId":1' + b"0" * 5_000 + b"}",
    ],
    ids=range(11),
)
def test_what_is_no_object_of_json_is_no_message(data: bytes) -> None:
    with pytest.raises(MessageMalformedError):
        read(data)


@pytest.mark.parametrize(
    "data",
    [
        b'{"noSuchField":"x"}',
        b'{"consentRequestId":"x","consentRequestId":"y"}',
        b'{"consentRequestId":"x","consent_request_id":"y"}',
        b'{"consentRequestId":"x","consent_request_id":null}',
        b'{"acting":[]}',
        b'{"acting":{"capacity":"NO_SUCH_CAPACITY"}}',
    ],
)
def test_what_the_message_does_not_say_is_not_read_over(data: bytes) -> None:
    with pytest.raises(MessageMalformedError):
        read(data)


def test_what_is_told_repeats_nothing_that_was_sent() -> None:
    with pytest.raises(MessageMalformedError) as refused:
        read(b'{"acting":{"capacity":"CANARY-SY23-2AA"}}')

    assert "CANARY" not in f"{refused.value!s}{refused.value!r}{vars(refused.value)}"
    assert refused.value.__suppress_context__


def test_more_values_than_anybody_needs_are_not_even_read() -> None:
    with pytest.raises(LimitExceededError):
        read(b"," * (MOST_VALUES + 1))


@pytest.mark.parametrize(
    "data", [rb'{"acting":{"vaultId":"\ud83d\ude00"}}', '{"acting":{"vaultId":"😀"}}'.encode()]
)
def test_whole_characters_are_read_however_they_are_written(data: bytes) -> None:
    message = read(data)

    assert message.acting.vault_id == "😀"
    assert read(JSON.write(message)) == message
    assert PROTOBUF.read(consents.GetRequestRequest, PROTOBUF.write(message)) == message
