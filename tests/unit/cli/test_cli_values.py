# SPDX-License-Identifier: Apache-2.0
"""Small things that commands stand on: JSON, clean texts, receipts, what is kept."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.cli.errors import CommandError
from clients.cli.numbers import whole_id
from clients.cli.output import as_json, clean
from clients.cli.state import SignIn, State, config_home
from clients.receipts import ReceiptError, SignedRecord, b64, unb64, verify_bundle
from clients.wording.words import Words
from tests.unit.cli import world
from vault.api.v1.consent_service_pb2 import PreviewConsentResponse
from vault.api.v1.evidence_service_pb2 import ListEvidenceResponse
from vault.api.v1.log_pb2 import Receipt

KEYS = {world.KEY_ID: world.PUBLIC_KEY}
RECORD = SignedRecord.of(world.a_receipt())
EN = Words("en")


def test_bytes_are_base64url_wherever_they_stand() -> None:
    preview = PreviewConsentResponse(shown_bytes=b"\xfb\xff", consent=world.a_consent())
    preview.shown.salt = b"\xff" * 16

    found = as_json(preview)

    assert found["shown_bytes"] == "-_8"
    assert found["shown"]["salt"] == "_" * 21 + "w"


def test_bytes_in_lists_of_messages_are_base64url_too() -> None:
    piece = world.a_piece()
    piece.values = b"\xfb\xff"

    found = as_json(ListEvidenceResponse(evidence=[world.a_piece(), piece]))

    assert [one["values"] for one in found["evidence"]] == ["", "-_8"]


def test_fields_have_their_names_in_the_protos_and_are_all_there() -> None:
    assert as_json(Receipt(leaf_index=7)) == {
        "facts": "",
        "link_hash": "",
        "origin": "",
        "leaf_index": "7",
        "leaf_hash": "",
        "key_id": "",
        "signature": "",
    }


@given(st.text())
def test_a_clean_text_has_no_control_or_direction_character(text: str) -> None:
    for character in clean(text):
        assert character in "\n\t\u200c\u200d" or unicodedata.category(character) not in {
            *("Cc", "Cf", "Cs", "Co"),
        }


@given(st.binary())
def test_base64url_comes_back(data: bytes) -> None:
    assert unb64(b64(data)) == data


@given(st.binary(min_size=1))
def test_base64url_has_one_form(data: bytes) -> None:
    padded = base64.urlsafe_b64encode(data).decode()

    if padded.endswith("="):
        with pytest.raises(ValueError, match=re.escape(padded)):
            unb64(padded)


def test_a_receipt_verifies_and_tells_its_facts() -> None:
    assert RECORD.verify(KEYS)["type"] == "consent-granted.1"


def test_a_receipt_survives_its_file() -> None:
    assert SignedRecord.read(RECORD.as_file()) == RECORD


@given(st.sampled_from(["facts", "link_hash", "leaf_hash", "signature"]), st.data())
def test_a_receipt_with_one_changed_bit_never_verifies(field: str, data: st.DataObject) -> None:
    before: bytes = getattr(RECORD, field)
    place = data.draw(st.integers(0, len(before) * 8 - 1))
    after = bytearray(before)
    after[place // 8] ^= 1 << place % 8

    with pytest.raises(ReceiptError):
        dataclasses.replace(RECORD, **{field: bytes(after)}).verify(KEYS)


@pytest.mark.parametrize("change", [{"origin": "other/0"}, {"leaf_index": 42}, {"key_id": "other"}])
def test_a_receipt_of_another_place_never_verifies(change: dict[str, str]) -> None:
    with pytest.raises(ReceiptError):
        dataclasses.replace(RECORD, **change).verify(KEYS)  # type: ignore[arg-type]


def test_a_receipt_with_another_key_never_verifies() -> None:
    with pytest.raises(ReceiptError, match="signature"):
        RECORD.verify({world.KEY_ID: bytes(32)})


def test_a_longer_link_hash_cannot_stand_for_facts() -> None:
    moved = dataclasses.replace(RECORD, link_hash=RECORD.link_hash + b"x")

    with pytest.raises(ReceiptError, match="leaf"):
        moved.verify(KEYS)


def test_a_bundle_is_that_of_its_receipt_alone() -> None:
    record = SignedRecord.of(world.a_disclosure().receipt)

    assert verify_bundle(record, world.a_bundle(), KEYS)["consent_id"] == world.CONSENT
    with pytest.raises(ReceiptError, match="something else"):
        verify_bundle(record, world.a_bundle()[:-1], KEYS)


@given(st.one_of(st.binary(), st.recursive(st.none() | st.text(), st.lists).map(json.dumps)))
def test_what_is_no_receipt_is_told_as_such(data: bytes | str) -> None:
    with pytest.raises(ReceiptError, match="form"):
        SignedRecord.read(data if isinstance(data, bytes) else data.encode())


def test_the_beginning_of_an_id_is_enough() -> None:
    assert whole_id("A0", lambda: [world.ADDRESS, world.INCOME], EN) == world.ADDRESS


@pytest.mark.parametrize("typed", ["", "9", "a0x"])
def test_a_number_that_begins_nothing_is_refused(typed: str) -> None:
    with pytest.raises(CommandError):
        whole_id(typed, lambda: [world.ADDRESS, world.INCOME], EN)


def a_sign_in(name: str) -> SignIn:
    return SignIn(name, "citizen", name, "http://127.0.0.1:1", "secret-token", 1)


def test_whoever_signed_in_last_is_current(tmp_path: Path) -> None:
    state = State(tmp_path / "home")
    state.keep_sign_in(a_sign_in("mair"))
    state.keep_sign_in(a_sign_in("nia"))

    assert state.sign_in() == a_sign_in("nia")
    assert state.sign_in("mair") == a_sign_in("mair")


def test_whoever_signs_out_is_forgotten(tmp_path: Path) -> None:
    state = State(tmp_path / "home")
    state.keep_sign_in(a_sign_in("mair"))

    assert state.forget_sign_in() == "mair"
    assert state.sign_in("mair") is None
    assert state.forget_sign_in("mair") == ""


def test_a_token_is_not_in_a_representation() -> None:
    assert "secret-token" not in repr(a_sign_in("mair"))


def test_a_state_that_cannot_be_read_is_told_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "sign-ins.json").write_text("{")

    with pytest.raises(CommandError, match=r"sign-ins\.json"):
        State(tmp_path).sign_in()


@pytest.mark.parametrize(
    ("environment", "home"),
    [
        ({}, "/u/.config/citizen-vault"),
        ({"XDG_CONFIG_HOME": "/x"}, "/x/citizen-vault"),
        ({"XDG_CONFIG_HOME": "/x", "CITIZEN_VAULT_HOME": "/h"}, "/h"),
    ],
)
def test_what_is_remembered_lies_where_the_environment_says(
    environment: dict[str, str], home: str
) -> None:
    assert config_home(environment, Path("/u")) == Path(home)
