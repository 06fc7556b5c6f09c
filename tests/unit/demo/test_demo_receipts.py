# SPDX-License-Identifier: Apache-2.0
"""Receipts are checked as whoever holds one would: leaf, key, signature."""

import base64
import hashlib
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from clients.demo import receipts
from clients.demo.expectations import Expectations, UnexpectedError
from clients.receipts import SignedRecord
from vault.api.v1.log_pb2 import Receipt

_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
_KEYS = {"key": _KEY.public_key().public_bytes_raw()}


def _receipt() -> Receipt:
    facts, link_hash = b'{"type":"evidence-disclosed.1"}', bytes(32)
    entry = b"\x01" + link_hash + hashlib.sha256(facts).digest()
    leaf = hashlib.sha256(b"\x00" + entry).digest()
    text = base64.urlsafe_b64encode(leaf).rstrip(b"=").decode()
    signed = f'["citizen-vault/receipt/1","demo/0",7,"{text}"]'.encode()
    return Receipt(
        facts=facts,
        link_hash=link_hash,
        origin="demo/0",
        leaf_index=7,
        leaf_hash=leaf,
        key_id="key",
        signature=_KEY.sign(signed),
    )


def test_a_good_receipt_gives_its_facts() -> None:
    assert receipts.check(Expectations(), _receipt(), _KEYS) == {"type": "evidence-disclosed.1"}


@pytest.mark.parametrize(
    "changed",
    [
        {"facts": b"{}"},
        {"link_hash": bytes(31) + b"\x01"},
        {"leaf_hash": bytes(32)},
        {"leaf_index": 8},
        {"origin": "demo/1"},
        {"key_id": "other"},
        {"signature": bytes(64)},
        {"signature": b"short"},
    ],
)
def test_a_receipt_that_was_changed_is_found_out(changed: dict[str, bytes | str | int]) -> None:
    receipt = _receipt()
    for name, value in changed.items():
        setattr(receipt, name, value)

    with pytest.raises(UnexpectedError):
        receipts.check(Expectations(), receipt, _KEYS)


def test_a_receipt_is_kept_in_the_form_that_the_checker_reads() -> None:
    kept = json.loads(SignedRecord.of(_receipt()).as_file())

    assert (kept["facts"], kept["leaf_index"]) == ('{"type":"evidence-disclosed.1"}', 7)
    assert [len(kept[name]) for name in ("link_hash", "leaf_hash", "signature")] == [43, 43, 86]
