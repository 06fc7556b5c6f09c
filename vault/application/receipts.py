# SPDX-License-Identifier: Apache-2.0
"""Receipts: a signed promise, after COMMIT, that a record stands at a position of the log.

Ed25519 (RFC 8032) over canonical `["citizen-vault/receipt/1", origin, position, leaf]`. Receipts
that are signed together share one signature, over canonical `["citizen-vault/receipts/1", size,
root]`: the root of the tree (RFC 6962) whose leaves are those messages.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from vault.domain.canonical import b64, encode, unb64
from vault.transparency.tree import leaf_hash, levels_of, path_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vault.sealing.keystore import Secrets
    from vault.store.command import Recorded


@dataclass(frozen=True, slots=True)
class SignedTogether:
    """The place of a receipt in the tree of those that were signed together."""

    index: int
    size: int
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt: facts exactly as hashed, and what ties them to the log. Hashes are raw bytes.

    `batch` is None if it was signed alone.
    """

    facts: bytes
    link_hash: bytes
    origin: str
    leaf_index: int
    leaf_hash: bytes
    key_id: str
    signature: bytes
    batch: SignedTogether | None = None


class Receipts:
    """Signs receipts with the deployment's receipt key."""

    def __init__(self, secrets: Secrets) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(secrets.receipt_seed)
        self.key_id = secrets.receipt_key_id
        self.public_key = b64(self._key.public_key().public_bytes_raw())

    def of(self, recorded: Recorded) -> Receipt:
        """Return the receipt of a record."""
        return self._receipt(recorded, self._key.sign(self._message(recorded)))

    def of_all(self, records: Sequence[Recorded]) -> tuple[Receipt, ...]:
        """Return the receipts of records, in their order, under one signature."""
        if not records:
            return ()
        levels = levels_of([leaf_hash(self._message(recorded)) for recorded in records])
        size, (root,) = len(records), levels[-1]
        signature = self._key.sign(encode(["citizen-vault/receipts/1", size, b64(root)]))
        return tuple(
            self._receipt(recorded, signature, SignedTogether(n, size, path_of(levels, n)))
            for n, recorded in enumerate(records)
        )

    def _message(self, recorded: Recorded) -> bytes:
        leaf = recorded.event.leaf
        return encode(["citizen-vault/receipt/1", recorded.origin, recorded.position, leaf])

    def _receipt(
        self, recorded: Recorded, signature: bytes, batch: SignedTogether | None = None
    ) -> Receipt:
        event = recorded.event
        link, _, facts = event.state.partition(b"\n")
        return Receipt(
            facts=facts,
            link_hash=hashlib.sha256(link).digest(),
            origin=recorded.origin,
            leaf_index=recorded.position,
            leaf_hash=unb64(event.leaf),
            key_id=self.key_id,
            signature=signature,
            batch=batch,
        )
