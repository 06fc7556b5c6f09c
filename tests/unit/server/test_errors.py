# SPDX-License-Identifier: Apache-2.0
"""How errors are told: the table is complete, and agrees with what the contract says of reasons."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status

import vault.application
import vault.domain
import vault.server
from vault.api.v1.error_reason_pb2 import ErrorReason
from vault.api.v1.log_pb2 import Receipt as ReceiptMessage
from vault.application.receipts import Receipt
from vault.domain.errors import (
    ConsentRevokedError,
    EvidenceInvalidError,
    FieldNotGrantedError,
    NotFoundError,
    VaultError,
)
from vault.server.errors import CODES, INTERNAL_REASON, code_of, internal_status, status_of

T = TypeVar("T", bound=Message)
PROTO = Path(__file__).parents[3] / "protos/vault/api/v1/error_reason.proto"


def below(kind: type[VaultError]) -> Iterator[type[VaultError]]:
    for child in kind.__subclasses__():
        yield child
        yield from below(child)


def all_errors() -> list[type[VaultError]]:
    for package in (vault.domain, vault.application, vault.server):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    return sorted(
        {kind for kind in below(VaultError) if hasattr(kind, "reason")}, key=lambda k: k.__name__
    )


ERRORS = all_errors()
DOCUMENTED = {
    reason: code
    for code, reason in re.findall(
        r"// ([A-Z_]+)\. (?:(?!ERROR_REASON).)*?ERROR_REASON_([A-Z_]+) = [0-9]+;",
        PROTO.read_text(encoding="utf-8"),
        re.DOTALL,
    )
}


def detail(status: Status, kind: type[T]) -> T | None:
    for found in status.details:
        if found.Is(kind.DESCRIPTOR):
            message = kind()
            found.Unpack(message)
            return message
    return None


@pytest.mark.parametrize("kind", ERRORS)
def test_every_error_has_a_code_that_the_contract_documents(kind: type[VaultError]) -> None:
    assert code_of(kind).name == DOCUMENTED[kind.reason]


@pytest.mark.parametrize("kind", ERRORS)
def test_every_reason_is_in_the_contract(kind: type[VaultError]) -> None:
    assert f"ERROR_REASON_{kind.reason}" in set(ErrorReason.keys())


def test_every_reason_of_the_contract_can_be_told() -> None:
    told = {f"ERROR_REASON_{kind.reason}" for kind in ERRORS}
    told |= {"ERROR_REASON_UNSPECIFIED", f"ERROR_REASON_{INTERNAL_REASON}"}

    assert set(ErrorReason.keys()) == told


def test_every_row_of_the_table_is_of_use() -> None:
    used = {next(above for above in kind.__mro__ if above in CODES) for kind in ERRORS}

    assert used == set(CODES)


def test_reason_and_domain_are_told_without_metadata() -> None:
    _, status = status_of(ConsentRevokedError())

    info = detail(status, ErrorInfo)
    assert info == ErrorInfo(reason="CONSENT_REVOKED", domain="vault.api.v1")


def test_an_offending_field_is_named() -> None:
    _, status = status_of(FieldNotGrantedError("fields[0].names", "The evidence no longer has it."))

    bad = detail(status, BadRequest)
    assert bad is not None
    assert bad.field_violations[0].field == "fields[0].names"
    assert bad.field_violations[0].description == "The evidence no longer has it."


def test_every_place_where_evidence_is_invalid_is_named() -> None:
    _, status = status_of(EvidenceInvalidError((("/a", "Wrong."), ("/b", "Missing."))))

    bad = detail(status, BadRequest)
    assert bad is not None
    assert [found.field for found in bad.field_violations] == ["/a", "/b"]


def test_what_is_not_found_has_one_answer_byte_for_byte() -> None:
    _, first = status_of(NotFoundError())
    _, second = status_of(NotFoundError())

    assert first.SerializeToString() == second.SerializeToString()


def test_the_first_receipt_comes_with_a_refused_repeat() -> None:
    error = ConsentRevokedError()
    error.receipt = Receipt(
        facts=b"{}",
        link_hash=b"l" * 32,
        origin="o/0",
        leaf_index=7,
        leaf_hash=b"h" * 32,
        key_id="k",
        signature=b"s" * 64,
    )

    _, status = status_of(error)

    receipt = detail(status, ReceiptMessage)
    assert receipt is not None
    assert receipt.leaf_index == 7


def test_a_fault_of_ours_is_told_by_its_call_alone() -> None:
    code, status = internal_status("abcdef")

    assert code is grpc.StatusCode.INTERNAL
    assert status.message == "This is a fault of ours. Quote call_id abcdef."
