# SPDX-License-Identifier: Apache-2.0
"""Values on the wire and back: times in whole microseconds, and enums that forget no word."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from vault.api.v1 import consent_pb2, evidence_pb2, registry_pb2, vault_pb2
from vault.domain.consent import ConsentStatus
from vault.domain.errors import FieldInvalidError
from vault.domain.passkey import Algorithm
from vault.domain.request import RequestStatus
from vault.domain.values import (
    LATEST_TIME,
    ApprovalKind,
    BasisCode,
    Capacity,
    Channel,
    Method,
    Mode,
    Source,
    time_of,
)
from vault.evidence_types import Sensitivity
from vault.server.convert import approval, consent, evidence, registry, vault
from vault.server.convert.times import date_from, time_from, timestamp

MOMENTS = st.datetimes(timezones=st.just(UTC))


@given(MOMENTS)
def test_a_time_survives_the_wire(moment: datetime) -> None:
    time = time_of(moment)
    sent = timestamp(time)

    assert sent is not None
    assert time_from(Timestamp.FromString(sent.SerializeToString()), "end_time") == time


def test_the_latest_time_survives_the_wire() -> None:
    sent = timestamp(LATEST_TIME)

    assert sent is not None
    assert time_from(sent, "end_time") == LATEST_TIME


@pytest.mark.parametrize(
    ("seconds", "nanos"),
    [
        (0, 1),
        (0, 999),
        (0, -1000),
        (0, 1_000_000_000),
        (0, -(2**31)),
        (253_402_300_800, 0),
        (-62_135_596_801, 0),
        (2**63 - 1, 0),
        (-(2**63), 0),
    ],
)
def test_a_time_that_cannot_be_stored_is_named(seconds: int, nanos: int) -> None:
    with pytest.raises(FieldInvalidError) as caught:
        time_from(Timestamp(seconds=seconds, nanos=nanos), "choice.end_time")

    assert caught.value.field == "choice.end_time"


def test_no_time_is_no_timestamp() -> None:
    assert timestamp("") is None


@pytest.mark.parametrize(
    "text", ["2026-02-30", "0000-01-01", "2026-13-01", "20260101", "2026-W01-1"]
)
def test_a_day_that_is_not_in_the_calendar_is_named(text: str) -> None:
    with pytest.raises(FieldInvalidError) as caught:
        date_from(text, "issued_date")

    assert caught.value.field == "issued_date"


@pytest.mark.parametrize("text", ["", "2024-02-29"])
def test_a_day_of_the_calendar_is_taken(text: str) -> None:
    assert date_from(text, "issued_date") == text


ENUMS: list[tuple[Any, Mapping[Any, Any], Any]] = [
    (vault_pb2.Capacity, vault.CAPACITIES, Capacity),
    (vault_pb2.Channel, vault.CHANNELS, Channel),
    (vault_pb2.ApprovalKind, approval.APPROVAL_KINDS, ApprovalKind),
    (vault_pb2.PasskeyAlgorithm, approval.ALGORITHMS, Algorithm),
    (evidence_pb2.EvidenceSource, evidence.SOURCES, Source),
    (evidence_pb2.Sensitivity, evidence.SENSITIVITIES, Sensitivity),
    (consent_pb2.EvidenceMode, consent.MODES, Mode),
    (consent_pb2.ConsentState, consent.CONSENT_STATES, ConsentStatus),
    (consent_pb2.ConsentRequestState, consent.REQUEST_STATES, RequestStatus),
    (registry_pb2.LegalBasisCode, registry.BASES, BasisCode),
    (registry_pb2.ProcessingMethod, registry.METHODS, Method),
]


@pytest.mark.parametrize(("table", "words"), [(table, words) for _, table, words in ENUMS])
def test_every_word_has_its_value(table: Mapping[Any, Any], words: Any) -> None:
    known = {*table, *table.values()}

    assert set(get_args(words)) - {""} == {word for word in known if isinstance(word, str)}


@pytest.mark.parametrize(("enum", "table"), [(enum, table) for enum, table, _ in ENUMS])
def test_every_value_has_its_word(enum: Any, table: Mapping[Any, Any]) -> None:
    known = {*table, *table.values()}

    assert set(enum.values()) - {0} == {value for value in known if isinstance(value, int)}


def test_what_is_not_said_is_herself_by_api() -> None:
    acting = vault.acting_from(vault_pb2.Acting())

    assert (acting.vault_id, acting.capacity, acting.channel) == ("", "self", "api")


def test_a_sign_in_alone_has_no_proof() -> None:
    with pytest.raises(FieldInvalidError) as caught:
        approval.agreement_from(vault_pb2.Approval(proof=b"proof"))

    assert caught.value.field == "approval.proof"


def test_ids_are_taken_in_any_spelling() -> None:
    choice = consent_pb2.ConsentChoice(language="en")
    choice.items.add(evidence_id="6D5B8B0E-57A1-4D9F-8A3E-0B9D3E8F5A11", names=["b", "a"])

    taken = consent.choice_from(choice)

    assert taken.items[0].evidence_id == "6d5b8b0e-57a1-4d9f-8a3e-0b9d3e8f5a11"


def test_a_language_twice_is_refused() -> None:
    text = registry_pb2.LocalizedText(language="en", text="Aber")

    with pytest.raises(FieldInvalidError):
        registry.texts_from([text, text], "name")


def test_english_is_required() -> None:
    with pytest.raises(FieldInvalidError):
        registry.texts_from([registry_pb2.LocalizedText(language="cy", text="Aber")], "name")
