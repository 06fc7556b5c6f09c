# SPDX-License-Identifier: Apache-2.0
"""Receipts: a signed promise, after COMMIT, that a record stands at a position of the log.

Ed25519 (RFC 8032) over canonical `["citizen-vault/receipt/1", origin, position, leaf]`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from vault.domain.canonical import b64, encode, unb64

if TYPE_CHECKING:
    from vault.sealing.keystore import Secrets
    from vault.store.vaults import Recorded


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt: facts exactly as hashed, and what ties them to the log. Hashes are raw bytes."""

    facts: bytes
    link_hash: bytes
    origin: str
    leaf_index: int
    leaf_hash: bytes
    key_id: str
    signature: bytes


class Receipts:
    """Signs receipts with the deployment's receipt key."""

    def __init__(self, secrets: Secrets, origin: str) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(secrets.receipt_seed)
        self.key_id = secrets.receipt_key_id
        self.public_key = b64(self._key.public_key().public_bytes_raw())
        self._origin = origin

    def of(self, recorded: Recorded) -> Receipt:
        """Return the receipt of a record."""
        event = recorded.event
        message = ["citizen-vault/receipt/1", self._origin, recorded.position, event.leaf]
        return Receipt(
            facts=encode(event.facts),
            link_hash=hashlib.sha256(encode(event.link)).digest(),
            origin=self._origin,
            leaf_index=recorded.position,
            leaf_hash=unb64(event.leaf),
            key_id=self.key_id,
            signature=self._key.sign(encode(message)),
        )
