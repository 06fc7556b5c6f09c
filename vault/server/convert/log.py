# SPDX-License-Identifier: Apache-2.0
"""Receipts and records on the wire: bytes exactly as hashed."""

from __future__ import annotations

from vault.api.v1 import log_pb2
from vault.application.receipts import Receipt, SignedTogether
from vault.store.append import StoredRecord


def receipt_message(receipt: Receipt | None) -> log_pb2.Receipt | None:
    """Return a receipt for the wire."""
    if receipt is None:
        return None
    return log_pb2.Receipt(
        facts=receipt.facts,
        link_hash=receipt.link_hash,
        origin=receipt.origin,
        leaf_index=receipt.leaf_index,
        leaf_hash=receipt.leaf_hash,
        key_id=receipt.key_id,
        signature=receipt.signature,
        batch=_batch_message(receipt.batch) if receipt.batch else None,
    )


def _batch_message(batch: SignedTogether) -> log_pb2.ReceiptBatch:
    return log_pb2.ReceiptBatch(index=batch.index, size=batch.size, path=batch.path)


def record_message(record: StoredRecord) -> log_pb2.Record:
    """Return a record for the wire; link and facts are empty if it was deleted."""
    link, _, facts = (record.state or b"").partition(b"\n")
    return log_pb2.Record(
        leaf_index=record.position,
        stream_id=record.stream,
        version=record.version,
        entry=record.entry,
        link=link,
        facts=facts,
    )
