# SPDX-License-Identifier: Apache-2.0
"""Expects of a receipt what whoever holds one would: digest, leaf and signature."""

from collections.abc import Mapping

from clients.demo.expectations import Expectations, UnexpectedError
from clients.receipts import ReceiptError, SignedRecord
from vault.api.v1.log_pb2 import Receipt


def check(expect: Expectations, receipt: Receipt, keys: Mapping[str, bytes]) -> dict[str, object]:
    """Expect that a receipt holds in itself and is signed; return its facts."""
    try:
        facts = SignedRecord.of(receipt).verify(keys)
    except ReceiptError as error:
        raise UnexpectedError("the receipt", "it verifies.", error) from error
    expect.true("the receipt verifies", came=True)
    return facts
