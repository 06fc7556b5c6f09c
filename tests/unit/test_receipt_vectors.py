# SPDX-License-Identifier: Apache-2.0
"""The cases of `tests/vectors/receipts`, held against whoever makes or verifies receipts."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from clients.auditor.receipt import judge_receipt
from clients.auditor.trust import Trust
from clients.receipts import ReceiptError, SignedRecord
from tests.vectors.generate_receipts import (
    EVENTS,
    FIRST,
    FOLDER,
    KEY_ID,
    NAMES,
    ORIGIN,
    SEED,
    alone,
    b64,
    cases,
    together,
)
from vault.application.receipts import Receipt, Receipts
from vault.sealing.keystore import Secrets
from vault.store.command import Recorded
from vault.store.record import read_event

FILES = {path.stem: json.loads(path.read_bytes()) for path in FOLDER.glob("*.json")}
PUBLIC_KEY = Ed25519PrivateKey.from_private_bytes(SEED).public_key().public_bytes_raw()

each = pytest.mark.parametrize("name", sorted(FILES))


def test_every_case_can_still_be_made() -> None:
    assert cases() == FILES


def test_the_page_names_the_key() -> None:
    page = (FOLDER / "README.md").read_text(encoding="utf-8")

    assert KEY_ID in page
    assert b64(PUBLIC_KEY) in page


@each
def test_what_a_client_says_of_it(name: str) -> None:
    case = FILES[name]

    assert verifies(json.dumps(case["receipt"]).encode()) == case["verifies"]


@each
def test_what_the_auditor_says_of_it(name: str) -> None:
    case = FILES[name]
    data = json.dumps(case["receipt"]).encode()

    held = judge_receipt(data, Trust(), {KEY_ID: b64(PUBLIC_KEY)})

    assert (held.invalid == "") == case["verifies"], held.invalid


@pytest.mark.parametrize("size", range(1, len(NAMES) + 1))
def test_the_server_signs_together_what_the_cases_say(size: int) -> None:
    made = server().of_all([recorded(number) for number in range(size)])

    assert [filed(receipt) for receipt in made] == together(size)


def test_the_server_signs_alone_what_the_case_says() -> None:
    assert filed(server().of(recorded(0))) == alone()


def test_the_server_signs_nothing_for_nobody() -> None:
    assert server().of_all([]) == ()


@pytest.mark.parametrize("name", ["alone", "batch-of-seven-third"])
def test_a_file_is_written_as_it_was_read(name: str) -> None:
    receipt = FILES[name]["receipt"]

    record = SignedRecord.read(json.dumps(receipt).encode())

    assert json.loads(record.as_file()) == {**receipt, "proof": ""}


def verifies(data: bytes) -> bool:
    """Say whether a client takes a receipt; whatever it raises is an error of receipts."""
    try:
        SignedRecord.read(data).verify({KEY_ID: PUBLIC_KEY})
    except ReceiptError:
        return False
    return True


def server() -> Receipts:
    """Return the server's own, with the key of the cases."""
    none = bytes(32)
    return Receipts(Secrets(none, none, none, SEED, KEY_ID))


def recorded(number: int) -> Recorded:
    """Return a record of the cases as it stands in the store."""
    sample = json.loads((EVENTS / f"{NAMES[number]}.json").read_bytes())
    event = read_event(f"{sample['link']}\n{sample['facts']}".encode())
    return Recorded(event, FIRST + number, ORIGIN)


def filed(receipt: Receipt) -> object:
    """Return the form of a receipt's file."""
    place = receipt.batch
    form = {
        "facts": receipt.facts.decode(),
        "link_hash": b64(receipt.link_hash),
        "origin": receipt.origin,
        "leaf_index": receipt.leaf_index,
        "leaf_hash": b64(receipt.leaf_hash),
        "key_id": receipt.key_id,
        "signature": b64(receipt.signature),
    }
    if place is None:
        return form
    path = [b64(one) for one in place.path]
    return {**form, "batch": {"index": place.index, "size": place.size, "path": path}}
