# SPDX-License-Identifier: Apache-2.0
"""The record: bytes that never change their meaning, read in one form or not at all."""

from __future__ import annotations

import hashlib
import json
import traceback
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from eventsourcing.persistence import MapperDeserialisationError, StoredEvent
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from clients.auditor.facts import REGISTRY_FACTS, VAULT_FACTS
from clients.auditor.record import read_record
from tests.builders import ORIGIN, VAULT, a_consent, linked, vault_opened
from vault.domain.stored_names import STORED_NAMES
from vault.store.record import (
    ENTRY_BYTES,
    RecordMapper,
    entry_of,
    first_leaf,
    leaf_of,
    link_event,
    read_event,
)

FOLDER: Final = Path(__file__).parents[2] / "vectors" / "events"
SAMPLES: Final = {
    path.stem: json.loads(path.read_text(encoding="ascii")) for path in FOLDER.glob("*.json")
}
OF_VAULT_OR_REGISTRY: Final = {**VAULT_FACTS, **REGISTRY_FACTS}

every_sample = pytest.mark.parametrize("name", sorted(SAMPLES))
some_sample = st.sampled_from(sorted(SAMPLES))


def unpadded(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def padded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def state_of(name: str) -> bytes:
    """Return the bytes of a sample as they lie in a database."""
    return f"{SAMPLES[name]['link']}\n{SAMPLES[name]['facts']}".encode()


def stored(name: str, **changes: Any) -> StoredEvent:
    """Return the row of a sample."""
    link = json.loads(SAMPLES[name]["link"])
    row = {
        "originator_id": link["stream"],
        "originator_version": link["version"],
        "topic": name,
        "state": state_of(name),
    }
    return StoredEvent(**{**row, **changes})


# --- Known answers -------------------------------------------------------------------------------


def test_an_entry_names_both_lines_by_their_digest() -> None:
    # SHA-256 of "a" and of "b", as any other program computes them.
    assert entry_of(b"a\nb").hex() == (
        "01"
        "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
        "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d"
    )


def test_a_leaf_is_hashed_as_rfc_6962_says() -> None:
    # RFC 6962 section 2.1: the leaf of the empty string, from certificate-transparency's vectors.
    assert leaf_of(b"").hex() == (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    )


def test_the_first_event_of_a_stream_names_deployment_and_stream() -> None:
    text = '["citizen-vault/1","demo/0","00000000-1111-8000-8000-00000000000a"]'

    assert first_leaf("demo/0", VAULT) == unpadded(hashlib.sha256(text.encode()).digest())


def test_streams_and_deployments_begin_differently() -> None:
    begins = {first_leaf(ORIGIN, VAULT), first_leaf(ORIGIN, "other"), first_leaf("other", VAULT)}

    assert len(begins) == 3


# --- Stored samples ------------------------------------------------------------------------------


def test_every_stored_name_has_a_sample() -> None:
    assert set(SAMPLES) >= STORED_NAMES


def test_every_name_that_was_ever_stored_can_be_read() -> None:
    assert set(SAMPLES) <= STORED_NAMES


@every_sample
def test_a_sample_reads_back_as_its_own_event(name: str) -> None:
    event = read_event(state_of(name))

    assert type(event.facts).__struct_config__.tag == name
    assert msgspec.json.encode(event.link, order="sorted").decode() == SAMPLES[name]["link"]
    assert msgspec.json.encode(event.facts, order="sorted").decode() == SAMPLES[name]["facts"]


@every_sample
def test_a_sample_is_written_again_to_the_same_bytes(name: str) -> None:
    mapper = RecordMapper()
    row = stored(name)

    assert mapper.to_stored_event(mapper.to_domain_event(row)) == row


@every_sample
def test_entry_and_leaf_of_a_sample_stand_for_ever(name: str) -> None:
    sample = SAMPLES[name]
    entry = (
        b"\x01"
        + hashlib.sha256(sample["link"].encode()).digest()
        + hashlib.sha256(sample["facts"].encode()).digest()
    )

    assert padded(sample["entry"]) == entry == entry_of(state_of(name))
    assert len(entry) == ENTRY_BYTES
    assert padded(sample["leaf"]) == hashlib.sha256(b"\x00" + entry).digest() == leaf_of(entry)
    assert read_event(state_of(name)).leaf == sample["leaf"]


@every_sample
def test_a_sample_holds_no_null_and_no_float(name: str) -> None:
    def refuse(text: str) -> None:
        raise AssertionError(text)

    for part in ("link", "facts"):
        value = json.loads(SAMPLES[name][part], parse_float=refuse, parse_constant=refuse)
        assert None not in value.values()


@pytest.mark.parametrize("name", sorted(OF_VAULT_OR_REGISTRY))
def test_the_auditors_own_reader_reads_the_sample(name: str) -> None:
    sample, link = SAMPLES[name], json.loads(SAMPLES[name]["link"])
    line = {
        "leaf_index": 0,
        "stream_id": link["stream"],
        "version": link["version"],
        "entry": sample["entry"],
        "link": sample["link"],
        "facts": sample["facts"],
    }

    record = read_record(json.dumps(line).encode(), OF_VAULT_OR_REGISTRY)

    assert record.faults == ()


# --- One form and no other -----------------------------------------------------------------------


def spaced(value: dict[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, separators=(", ", ":"))


def turned(value: dict[str, Any]) -> str:
    return json.dumps(dict(sorted(value.items(), reverse=True)), separators=(",", ":"))


def with_more(value: dict[str, Any]) -> str:
    return canonical({**value, "zzz": ""})


def doubled(value: dict[str, Any]) -> str:
    name = min(value)
    return "{" + canonical({name: value[name]})[1:-1] + "," + canonical(value)[1:]


def with_accent(value: dict[str, Any]) -> str:
    return canonical({**value, "salt": "é"})


def with_escape(value: dict[str, Any]) -> str:
    return canonical(value).replace("salt", "s\\u0061lt")


def with_null(value: dict[str, Any]) -> str:
    return canonical({**value, "salt": None})


def without_one(value: dict[str, Any]) -> str:
    return canonical({name: value[name] for name in value if name != "salt"})


def with_a_number_for_text(value: dict[str, Any]) -> str:
    return canonical({**value, "salt": 1})


def with_line_break(value: dict[str, Any]) -> str:
    return canonical({**value, "salt": "a\nb"})


def with_del(value: dict[str, Any]) -> str:
    return canonical({**value, "salt": "\x7f"})


def with_space_before(value: dict[str, Any]) -> str:
    return " " + canonical(value)


def with_space_behind(value: dict[str, Any]) -> str:
    return canonical(value) + " "


def with_mark(value: dict[str, Any]) -> str:
    return "\ufeff" + canonical(value)


def canonical(value: dict[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


OTHER_FORMS: Final[list[Callable[[dict[str, Any]], str]]] = [
    spaced,
    turned,
    with_more,
    doubled,
    with_accent,
    with_escape,
    with_null,
    without_one,
    with_a_number_for_text,
    with_line_break,
    with_del,
    with_space_before,
    with_space_behind,
    with_mark,
]


@given(name=some_sample, part=st.sampled_from(["link", "facts"]), form=st.sampled_from(OTHER_FORMS))
def test_another_form_of_the_same_record_is_refused(
    name: str, part: str, form: Callable[[dict[str, Any]], str]
) -> None:
    sample = {key: SAMPLES[name][key] for key in ("link", "facts")}
    sample[part] = form(json.loads(sample[part]))
    state = f"{sample['link']}\n{sample['facts']}".encode()

    with pytest.raises(MapperDeserialisationError):
        RecordMapper().to_domain_event(stored(name, state=state))


@every_sample
@pytest.mark.parametrize("number", ["{}.0", "{}e0", "0{}", "+{}", '"{}"'])
def test_a_number_in_another_form_is_refused(name: str, number: str) -> None:
    version = json.loads(SAMPLES[name]["link"])["version"]
    state = state_of(name).replace(
        f'"version":{version}}}\n'.encode(), f'"version":{number.format(version)}}}\n'.encode()
    )
    assert state != state_of(name)

    with pytest.raises(MapperDeserialisationError):
        RecordMapper().to_domain_event(stored(name, state=state))


@given(name=some_sample, index=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_a_changed_byte_changes_the_leaf_or_is_refused(name: str, index: int, byte: int) -> None:
    state = bytearray(state_of(name))
    index %= len(state)
    if state[index] == byte:
        return
    state[index] = byte

    try:
        event = RecordMapper().to_domain_event(stored(name, state=bytes(state)))
    except MapperDeserialisationError:
        return
    assert event.leaf != SAMPLES[name]["leaf"]


@given(name=some_sample, cut=st.integers(0, 10_000))
def test_a_record_that_is_cut_short_is_refused(name: str, cut: int) -> None:
    state = state_of(name)

    with pytest.raises(MapperDeserialisationError):
        RecordMapper().to_domain_event(stored(name, state=state[: cut % len(state)]))


@given(st.binary(max_size=200))
def test_what_is_no_record_is_refused_and_nothing_else_is_raised(state: bytes) -> None:
    with pytest.raises(MapperDeserialisationError):
        RecordMapper().to_domain_event(stored("vault-opened.1", state=state))


def test_a_third_line_is_refused() -> None:
    state = state_of("vault-opened.1") + b"\n"

    with pytest.raises(MapperDeserialisationError):
        RecordMapper().to_domain_event(stored("vault-opened.1", state=state))


def test_quotes_and_backslashes_are_printable_too() -> None:
    (event,) = linked([vault_opened()])

    assert link_event(replace(event.link, salt='a"b\\c'), event.facts).leaf


@pytest.mark.parametrize("text", ["é", "\n", "\x7f", "\u202e", "a\x00"])
def test_what_is_not_printable_ascii_is_never_written(text: str) -> None:
    (event,) = linked([vault_opened()])

    with pytest.raises(ValueError, match="printable ASCII"):
        link_event(replace(event.link, salt=text), event.facts)


# --- The row and the record say the same ---------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"topic": "os:system"},
        {"topic": "vault.domain.vault:VaultOpened"},
        {"topic": "vault-opened.2"},
        {"topic": "vault-opened"},
        {"topic": ""},
        {"topic": "vault-read.1"},
        {"originator_version": 2},
        {"originator_version": 0},
        {"originator_id": "00000000-1111-8000-8000-00000000000b"},
        {"originator_id": ""},
    ],
)
def test_a_row_that_says_otherwise_than_its_record_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(MapperDeserialisationError):
        RecordMapper().to_domain_event(stored("vault-opened.1", **changes))


def test_a_name_inside_the_record_that_is_not_listed_is_refused() -> None:
    state = state_of("vault-opened.1").replace(b"vault-opened.1", b"vault-opened.2")

    with pytest.raises(MapperDeserialisationError):
        RecordMapper().to_domain_event(stored("vault-opened.1", state=state))


def test_what_is_refused_is_named_by_its_place_and_never_quoted() -> None:
    state = state_of("vault-opened.1").replace(b'"self"', b'"CANARY"')

    with pytest.raises(MapperDeserialisationError) as refused:
        RecordMapper().to_domain_event(stored("vault-opened.1", state=state))

    assert "CANARY" not in "".join(traceback.format_exception(refused.value))
    assert VAULT in str(refused.value)


def test_an_event_survives_the_mapper_whole() -> None:
    mapper = RecordMapper()

    for event in linked(a_consent()):
        assert mapper.to_domain_event(mapper.to_stored_event(event)) == event
