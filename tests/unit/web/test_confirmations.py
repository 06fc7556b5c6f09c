# SPDX-License-Identifier: Apache-2.0
"""A confirmation is found by its number in its log, and checked against all that it claims."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from clients.connection import CallError
from clients.receipts import b64
from clients.web.confirmations.records import address, checked, entry_here, is_genuine
from clients.web.failure import NotThereError
from vault.api.v1.registry_pb2 import ReceiptKey
from vault.api.v1.registry_service_pb2 import ListReceiptKeysResponse
from vault.api.v1.vault_pb2 import HistoryEntry
from vault.api.v1.vault_service_pb2 import ListHistoryResponse

HERS, OTHER = "here/1", "here/0"


def entry(place: int, version: int = 0, origin: str = HERS) -> HistoryEntry:
    found = HistoryEntry(version=version)
    found.receipt.leaf_index, found.receipt.origin = place, origin
    return found


PAGES = [
    [entry(90, 4), entry(40, origin=OTHER), entry(70, 3)],
    [entry(900, origin=OTHER), entry(50, 2), entry(70, origin=OTHER), entry(20, 1)],
]


class Visit:
    """A visit to a confirmation, with a record of two pages."""

    def __init__(self, place: int, log: str = "") -> None:
        self.acting, self.asked_pages, self._place, self._log = None, 0, place, log
        self.vault = SimpleNamespace(vaults=self)

    def path(self, _: str) -> str:
        return str(self._place)

    def asked(self, _: str) -> str:
        return self._log

    def ListHistory(self, request: Any) -> ListHistoryResponse:  # noqa: N802 - as on the wire
        page = int(request.page_token or 0)
        self.asked_pages += 1
        more = str(page + 1) if page + 1 < len(PAGES) else ""
        return ListHistoryResponse(entries=PAGES[page], next_page_token=more)


def found(visit: Visit) -> HistoryEntry:
    return entry_here(visit)  # type: ignore[arg-type]


@pytest.mark.parametrize(("place", "version"), [(90, 4), (70, 3), (50, 2), (20, 1)])
def test_her_own_are_found_by_their_number(place: int, version: int) -> None:
    assert found(Visit(place)).version == version


@pytest.mark.parametrize("place", [40, 70, 900])
def test_what_stands_in_another_log_is_found_there(place: int) -> None:
    one = found(Visit(place, OTHER))

    assert (one.version, one.receipt.origin) == (0, OTHER)
    assert address(one) == f"/confirmations/{place}?log=here%2F0"


@pytest.mark.parametrize(("place", "log"), [(80, ""), (900, ""), (40, ""), (50, OTHER), (1, "x")])
def test_what_is_not_there_is_not(place: int, log: str) -> None:
    with pytest.raises(NotThereError):
        found(Visit(place, log))


def test_no_more_is_read_than_is_needed() -> None:
    visit = Visit(80)

    with pytest.raises(NotThereError):
        found(visit)

    assert visit.asked_pages == 1


KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()


def signed() -> HistoryEntry:
    """Return a line of her record, with a receipt that is good."""
    found = entry(7, 1)
    receipt = found.receipt
    receipt.facts, receipt.link_hash, receipt.key_id = b'{"type":"x.1"}', bytes(32), "key"
    stands = b"\x01" + receipt.link_hash + hashlib.sha256(receipt.facts).digest()
    receipt.leaf_hash = hashlib.sha256(b"\x00" + stands).digest()
    message = ["citizen-vault/receipt/1", HERS, 7, b64(receipt.leaf_hash)]
    receipt.signature = KEY.sign(json.dumps(message, separators=(",", ":")).encode())
    return found


def visit_with(proof: str | CallError) -> Any:
    """Return a visit whose log answers with a proof, or with an error."""

    def answer(*_: Any, **__: Any) -> Any:
        if isinstance(proof, CallError):
            raise proof
        return SimpleNamespace(proof=proof, log_key="none")

    known = ListReceiptKeysResponse(
        receipt_keys=[ReceiptKey(key_id="key", algorithm="Ed25519", public_key=PUBLIC)]
    )
    registry = SimpleNamespace(ListReceiptKeys=lambda _: known)
    audits = SimpleNamespace(GetInclusionProof=answer, GetCheckpoint=answer)
    return SimpleNamespace(vault=SimpleNamespace(registry=registry, audits=audits))


NOT_YET = CallError("DEADLINE_EXCEEDED", "DEADLINE_PASSED", "Not yet.")


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (lambda _: None, ""),
        (lambda receipt: setattr(receipt, "facts", b'{"type":"y.1"}'), "leaf"),
        (lambda receipt: setattr(receipt, "leaf_index", 8), "signature"),
        (lambda receipt: setattr(receipt, "key_id", "another"), "key"),
    ],
    ids=["as it was", "facts", "place", "key"],
)
def test_what_was_changed_is_not_genuine(change: Callable[[Any], None], wrong: str) -> None:
    one = signed()
    change(one.receipt)

    assert checked(visit_with(NOT_YET), one).wrong == wrong
    assert is_genuine(one, {"key": PUBLIC}) is (wrong == "")


@pytest.mark.parametrize(
    ("proof", "wrong"),
    [
        (NOT_YET, ""),
        (CallError("NOT_FOUND", "NOT_FOUND", "Another leaf."), "contradicted"),
        ("no proof at all", "proof"),
    ],
    ids=["not yet", "another leaf", "no proof"],
)
def test_its_place_in_the_log_is_looked_at(proof: str | CallError, wrong: str) -> None:
    found = checked(visit_with(proof), signed())

    assert (found.wrong, found.log_size) == (wrong, 0)


def test_any_other_trouble_is_not_taken_for_a_good_record() -> None:
    with pytest.raises(CallError):
        checked(visit_with(CallError("INTERNAL", "INTERNAL", "Ours.")), signed())
