# SPDX-License-Identifier: Apache-2.0
"""Bytes that are no message, messages that are too large, and messages made at random.

Where a stream is sent, its first message is tried and the others follow as they were.

Whether bytes are a message is judged by the same parser on this side: if they are none, the answer
is MESSAGE_MALFORMED; if they are one, any answer of the contract will do, a fault never.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from typing import Any, Final

import grpc
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.samples import KEYS, SETTLING, Samples
from tests.server import Server
from tests.verdict import CANARY, head, is_recorded, must_be_told, untouched
from tests.wire import METHODS, PACKAGE, Answer, failed, message_of, places, written
from tests.world import new_id

LIMIT_BYTES: Final = 256 * 1024
FRAME_BYTES: Final = 4 * 1024 * 1024
VARINT, LENGTH = 0, 2
NUMERIC: Final = {
    FieldDescriptor.TYPE_BOOL,
    FieldDescriptor.TYPE_ENUM,
    FieldDescriptor.TYPE_UINT32,
    FieldDescriptor.TYPE_UINT64,
}
METHOD_KEYS: Final = list({method: (method, role) for method, role in KEYS}.values())
"""Every method once, with one role that may send it."""

each = pytest.mark.parametrize(("method", "role"), METHOD_KEYS)


def judge(
    samples: Samples, key: tuple[str, str], data: bytes, others: Sequence[bytes] = ()
) -> Answer:
    """Send bytes, then other messages, and check that the contract has such an answer."""
    method, role = key
    before = head(samples.world.server)
    answer = samples.caller(role).call(method, [data, *others])
    if is_message(method, data):
        if not answer.is_ok:
            must_be_told(answer)
    else:
        assert (answer.code, answer.reason) == ("INVALID_ARGUMENT", "MESSAGE_MALFORMED")
        must_be_told(answer)
    if not is_recorded(answer):
        assert head(samples.world.server) == before
    return answer


def is_message(method: str, data: bytes) -> bool:
    try:
        message_of(method).ParseFromString(data)
    except DecodeError:
        return False
    return True


def tag(number: int, wire_type: int) -> bytes:
    return varint(number << 3 | wire_type)


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def padded(data: bytes, size: int) -> bytes:
    """Return a message with an unknown field that makes it so large."""
    filling = max(size - len(data) - 8, 0)
    return data + tag(15_000, 2) + varint(filling) + b"x" * filling


@each
def test_a_truncated_message_is_refused(samples: Samples, method: str, role: str) -> None:
    data, *others = written(samples.make(method, role))

    answers = [
        judge(samples, (method, role), data[:length], others)
        for length in range(0, len(data), max(1, len(data) // 24))
    ]

    assert not data or "MESSAGE_MALFORMED" in {answer.reason for answer in answers}


@each
def test_random_bytes_are_refused(samples: Samples, method: str, role: str) -> None:
    drawn = random.Random(f"bytes for {method}")

    for _ in range(24):
        judge(samples, (method, role), drawn.randbytes(drawn.randrange(1, 64)))


@each
def test_flipped_bits_break_nothing(samples: Samples, method: str, role: str) -> None:
    drawn = random.Random(f"bits for {method}")
    data, *others = written(samples.make(method, role))
    if not data:
        return

    for _ in range(8 if method in SETTLING else 24):
        flipped = bytearray(data)
        flipped[drawn.randrange(len(data))] ^= 1 << drawn.randrange(8)
        judge(samples, (method, role), bytes(flipped), others)


@each
def test_wrong_wire_forms_are_refused(samples: Samples, method: str, role: str) -> None:
    numbers = [field.number for field in METHODS[method].input_type.fields]
    forms = {
        "number nought": b"\x02\x00",
        "wire type six": b"\x0e",
        "wire type seven": b"\x0f",
        "a group that never ends": tag(numbers[0], 3),
        "a group that never began": tag(numbers[0], 4),
        "ten thousand groups": tag(15_000, 3) * 10_000,
        "ten thousand messages": b"".join(tag(numbers[0], 2) + varint(9_999) for _ in range(5_000)),
        "a number of eleven bytes": tag(numbers[0], 0) + b"\xff" * 10 + b"\x01",
        "a length beyond the end": tag(numbers[0], 2) + varint(2**31),
        "a length of all": tag(numbers[0], 2) + varint(2**64 - 1),
    }

    answers = {what: judge(samples, (method, role), data) for what, data in forms.items()}

    assert {answer.reason for answer in answers.values()} == {"MESSAGE_MALFORMED"}


@each
def test_every_field_in_another_wire_type_is_absent(
    samples: Samples, method: str, role: str
) -> None:
    """It is an unknown field then, which changes nothing."""
    data, *others = written(samples.make(method, role))
    values = {VARINT: b"\x01", 1: bytes(8), LENGTH: b"\x01x", 5: bytes(4)}
    unexpected = b"".join(
        tag(field.number, wire_type) + value
        for field in METHODS[method].input_type.fields
        for wire_type, value in values.items()
        if wire_type != (VARINT if field.type in NUMERIC else LENGTH)
    )

    answer = judge(samples, (method, role), data + unexpected, others)

    assert answer.is_ok, answer.told


@each
def test_a_field_that_nobody_knows_is_left_out(samples: Samples, method: str, role: str) -> None:
    """A newer client may send more; what is not understood is not kept and not answered."""
    data, *others = written(samples.make(method, role))
    # Other tests publish the canary itself, where everybody may read it.
    unknown = f"{CANARY} of tomorrow".encode()
    data = padded(data, 600) + tag(15_001, 2) + varint(len(unknown)) + unknown

    answer = samples.caller(role).call(method, [data, *others])

    assert answer.is_ok, answer.told
    assert unknown not in b"".join(answer.answers)


@each
def test_half_a_character_is_no_text(samples: Samples, method: str, role: str) -> None:
    marker = "surrogate!!!"
    texts = [
        place
        for place in places(METHODS[method].input_type)
        if place.field.type == FieldDescriptor.TYPE_STRING
    ]

    for place in texts:
        changed = written(place.put(message_of(method), marker))[0]
        data = changed.replace(marker.encode(), b"\xed\xa0\x80" + CANARY.encode())
        assert judge(samples, (method, role), data).reason == "MESSAGE_MALFORMED"


@each
def test_a_message_beyond_the_limit_is_refused(
    server: Server, samples: Samples, method: str, role: str
) -> None:
    data, *others = written(samples.make(method, role))

    with untouched(server):
        larger = samples.caller(role).call(method, [padded(data, LIMIT_BYTES + 16), *others])

    assert (larger.code, larger.reason) == ("RESOURCE_EXHAUSTED", "LIMIT_EXCEEDED")


def test_a_message_at_the_limit_is_taken(samples: Samples) -> None:
    method = "VaultService/GetVault"
    data = padded(samples.make(method, "citizen").SerializeToString(), LIMIT_BYTES - 16)

    assert len(data) <= LIMIT_BYTES
    assert samples.citizen.caller.call(method, data).is_ok


def test_a_frame_beyond_the_limit_is_not_even_read(server: Server, samples: Samples) -> None:
    """Four megabytes are refused by gRPC itself, which knows no reasons of ours."""
    method = "EvidenceService/ProvideEvidence"

    with untouched(server):
        answer = samples.citizen.caller.call(method, bytes(FRAME_BYTES + 1))

    assert answer.code == "RESOURCE_EXHAUSTED"


def test_metadata_beyond_the_limit_is_refused(server: Server, samples: Samples) -> None:
    call: Any = samples.world.channel.unary_unary(f"/{PACKAGE}.VaultService/GetVault")
    token = server.issuer.token("citizen", samples.citizen.sub)
    metadata = (("authorization", f"Bearer {token}"), ("x-much", CANARY * 4_000))

    with pytest.raises(grpc.RpcError) as caught:
        call(b"", metadata=metadata, timeout=10)

    answer = failed("VaultService/GetVault", caught.value)
    assert answer.code == "RESOURCE_EXHAUSTED"
    assert CANARY not in answer.message


@pytest.mark.parametrize(
    "header",
    [
        "",
        CANARY,
        f"Basic {CANARY}",
        "Bearer",
        "Bearer ",
        f"Bearer {CANARY}",
        f"Bearer {CANARY}.{CANARY}.{CANARY}",
        f"Bearer {'A' * 9_000}",
        "bearer eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.e30.",
    ],
)
def test_a_credential_that_is_none_is_refused(samples: Samples, header: str) -> None:
    call: Any = samples.world.channel.unary_unary(f"/{PACKAGE}.VaultService/GetVault")

    with pytest.raises(grpc.RpcError) as caught:
        call(b"", metadata=(("authorization", header),), timeout=10)

    answer = failed("VaultService/GetVault", caught.value)
    assert answer.code == "UNAUTHENTICATED"
    must_be_told(answer)


def test_two_credentials_are_none(server: Server, samples: Samples) -> None:
    call: Any = samples.world.channel.unary_unary(f"/{PACKAGE}.VaultService/GetVault")
    token = server.issuer.token("citizen", samples.citizen.sub)
    twice = (("authorization", f"Bearer {token}"),) * 2

    with pytest.raises(grpc.RpcError) as caught:
        call(b"", metadata=twice, timeout=10)

    assert failed("VaultService/GetVault", caught.value).reason == "CREDENTIAL_INVALID"


def test_a_method_that_nobody_has_is_told_so(samples: Samples) -> None:
    call: Any = samples.world.channel.unary_unary(f"/{PACKAGE}.VaultService/CloseVault")

    with pytest.raises(grpc.RpcError) as caught:
        call(b"", timeout=10)

    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("seconds", [0.000001, 0.001])
def test_a_deadline_that_has_passed_changes_nothing_unseen(
    samples: Samples, seconds: float
) -> None:
    """Too late is an unknown outcome; the same id settles it, once."""
    request = samples.make("EvidenceService/ProvideEvidence", "citizen")
    answer = samples.citizen.caller.call("EvidenceService/ProvideEvidence", request, seconds)
    time.sleep(0.05)

    settled = samples.citizen.caller.ask("EvidenceService/ProvideEvidence", request)
    again = samples.citizen.caller.ask("EvidenceService/ProvideEvidence", request)

    assert answer.is_ok or answer.code == "DEADLINE_EXCEEDED"
    assert settled == again


def test_calls_that_are_given_up_break_nothing(samples: Samples) -> None:
    path = f"/{PACKAGE}.EvidenceService/ProvideEvidence"
    token = samples.world.server.issuer.token("citizen", samples.citizen.sub)
    metadata = (("authorization", f"Bearer {token}"),)
    done = threading.Event()

    for number in range(40):
        request = samples.make("EvidenceService/ProvideEvidence", "citizen")
        call: Any = samples.world.channel.unary_unary(path).future(
            request.SerializeToString(), metadata=metadata, timeout=10
        )
        done.wait(number / 10_000)
        call.cancel()

    assert samples.citizen.caller.call(
        "EvidenceService/ProvideEvidence",
        samples.make("EvidenceService/ProvideEvidence", "citizen"),
    ).is_ok


# --- Messages made at random ---------------------------------------------------------------------

TEXTS: Final = st.one_of(
    st.builds(new_id),
    st.sampled_from(("postal_address", "income", "postalCode", "amountPence", "en", "*", "GB")),
    st.text(max_size=40),
    st.text(max_size=300).map(lambda text: text + CANARY),
)


_SIMPLE: Final[dict[int, st.SearchStrategy[Any]]] = {
    FieldDescriptor.TYPE_STRING: TEXTS,
    FieldDescriptor.TYPE_BYTES: st.binary(max_size=80),
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_ENUM: st.integers(-2, 12),
    FieldDescriptor.TYPE_UINT32: st.integers(0, 400) | st.integers(0, 2**32 - 1),
    FieldDescriptor.TYPE_UINT64: st.integers(0, 400) | st.integers(0, 2**64 - 1),
    FieldDescriptor.TYPE_INT32: st.integers(-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: st.integers(0, 2**33) | st.integers(-(2**63), 2**63 - 1),
}


def values_of(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    """Return what may be put into a field, likely and unlikely."""
    kind = field.type
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    assert field.message_type is not None, field.full_name
    return messages(field.message_type)


def messages(descriptor: Descriptor) -> st.SearchStrategy[dict[str, Any]]:
    """Return messages, as the keyword arguments that make them."""
    fields = {
        field.name: st.lists(values_of(field), max_size=3)
        if field.is_repeated
        else values_of(field)
        for field in descriptor.fields
    }
    return st.fixed_dictionaries({}, optional=fields)


RANDOM: Final = st.sampled_from(METHOD_KEYS).flatmap(
    lambda key: st.tuples(st.just(key), messages(METHODS[key[0]].input_type))
)


@given(made=RANDOM)
@settings(
    max_examples=300,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_a_random_message_breaks_nothing(
    samples: Samples, made: tuple[tuple[str, str], dict[str, Any]]
) -> None:
    key, fields = made
    data = type(message_of(key[0]))(**fields).SerializeToString()

    judge(samples, key, data)


@given(made=RANDOM, data=st.data())
@settings(
    max_examples=150,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_a_good_message_with_random_parts_breaks_nothing(
    samples: Samples, made: tuple[tuple[str, str], dict[str, Any]], data: st.DataObject
) -> None:
    key, fields = made
    sent = samples.make(*key)
    request, *others = sent if isinstance(sent, list) else [sent]
    kept = data.draw(st.sets(st.sampled_from(sorted(fields)))) if fields else set()
    changed = type(request)(**{name: fields[name] for name in kept})
    for name in kept:
        request.ClearField(name)
    request.MergeFrom(changed)

    judge(samples, key, request.SerializeToString(), written(others))
