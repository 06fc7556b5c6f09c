# SPDX-License-Identifier: Apache-2.0
"""Receipts: what whoever holds one checks, and the form in which it is kept in a file.

leaf = SHA-256(0x00 ‖ 0x01 ‖ link_hash ‖ SHA-256(facts)), as RFC 6962 section 2.1 hashes a leaf; the
signature is Ed25519 (RFC 8032) over the canonical JSON
["citizen-vault/receipt/1",origin,leaf_index,leaf_hash]. Receipts that were signed together have one
signature, over ["citizen-vault/receipts/1",size,root]: the root of the tree (RFC 6962 section 2.1)
whose leaves are those messages.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from clients.wording.published import whole_list
from vault.transparency.tree import leaf_hash, root_of_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clients.connection import Connection
    from vault.api.v1.log_pb2 import Receipt

ALGORITHM: Final = "Ed25519"
_CONTEXT: Final = "citizen-vault/receipt/1"
_TOGETHER: Final = "citizen-vault/receipts/1"

_SENTENCES: Final = {
    "form": "it is not in the expected form.",
    "leaf": "its leaf is not that of its facts and link.",
    "key": "it names a key that is not among the receipt keys.",
    "signature": "the signature does not verify.",
    "content": "it is the receipt of something else.",
    "proof": "its proof does not show its record in that log.",
}


class ReceiptError(Exception):
    """A receipt that does not verify; `kind` says which check failed."""

    def __init__(self, kind: str) -> None:
        super().__init__(_SENTENCES[kind])
        self.kind = kind


@dataclasses.dataclass(frozen=True)
class SignedTogether:
    """The place of a receipt in the tree of those that were signed together."""

    index: int
    size: int
    path: tuple[bytes, ...]

    @classmethod
    def read(cls, found: Mapping[str, Any]) -> SignedTogether:
        """Return it from its part of a file.

        Raises:
            ValueError: if it is something else; KeyError and TypeError likewise.
        """
        path = tuple(unb64(one) for one in found["path"])
        return cls(index=int(found["index"]), size=int(found["size"]), path=path)

    def as_form(self) -> dict[str, Any]:
        """Return its part of a file."""
        return {"index": self.index, "size": self.size, "path": [b64(one) for one in self.path]}

    def signed(self, message: bytes) -> bytes:
        """Return what was signed, if this is the place of a receipt with that message.

        Raises:
            ValueError: if there is no such place.
        """
        root = root_of_path(leaf_hash(message), self.index, self.size, self.path)
        return _canonical([_TOGETHER, self.size, b64(root)])


@dataclasses.dataclass(frozen=True)
class SignedRecord:
    """A receipt as a value, apart from the wire.

    `batch` is None if it was signed alone; `proof` is that its record stands in the log, as C2SP
    tlog-proof writes it, "" while there is none.
    """

    facts: bytes
    link_hash: bytes
    origin: str
    leaf_index: int
    leaf_hash: bytes
    key_id: str
    signature: bytes
    batch: SignedTogether | None = None
    proof: str = ""

    @classmethod
    def of(cls, receipt: Receipt) -> SignedRecord:
        """Return a receipt from the wire."""
        place = receipt.batch
        return cls(
            facts=receipt.facts,
            link_hash=receipt.link_hash,
            origin=receipt.origin,
            leaf_index=receipt.leaf_index,
            leaf_hash=receipt.leaf_hash,
            key_id=receipt.key_id,
            signature=receipt.signature,
            batch=SignedTogether(place.index, place.size, tuple(place.path))
            if receipt.HasField("batch")
            else None,
        )

    @classmethod
    def read(cls, data: bytes) -> SignedRecord:
        """Return a receipt from the bytes of a file.

        Raises:
            ReceiptError: if they are none.
        """
        try:
            found = json.loads(data)
            return cls(
                facts=found["facts"].encode("utf-8"),
                link_hash=unb64(found["link_hash"]),
                origin=str(found["origin"]),
                leaf_index=int(found["leaf_index"]),
                leaf_hash=unb64(found["leaf_hash"]),
                key_id=str(found["key_id"]),
                signature=unb64(found["signature"]),
                batch=SignedTogether.read(found["batch"]) if "batch" in found else None,
                proof=_text(found.get("proof", "")),
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ReceiptError("form") from None

    def as_file(self) -> bytes:
        """Return the bytes of its file."""
        form: dict[str, Any] = {
            "facts": self.facts.decode("utf-8"),
            "link_hash": b64(self.link_hash),
            "origin": self.origin,
            "leaf_index": self.leaf_index,
            "leaf_hash": b64(self.leaf_hash),
            "key_id": self.key_id,
            "signature": b64(self.signature),
            "proof": self.proof,
        }
        if self.batch:
            form["batch"] = self.batch.as_form()
        return (json.dumps(form, indent=1) + "\n").encode("ascii")

    def verify(self, keys: Mapping[str, bytes]) -> dict[str, Any]:
        """Check it, and return its facts.

        Args:
            keys: raw Ed25519 public keys by their id.

        Raises:
            ReceiptError: naming the first check that fails.
        """
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
            Ed25519PublicKey,
        )

        entry = b"\x01" + self.link_hash + hashlib.sha256(self.facts).digest()
        is_leaf = hashlib.sha256(b"\x00" + entry).digest() == self.leaf_hash
        if len(self.link_hash) != hashlib.sha256().digest_size or not is_leaf:
            raise ReceiptError("leaf")
        key = keys.get(self.key_id)
        if key is None:
            raise ReceiptError("key")
        try:
            public_key = Ed25519PublicKey.from_public_bytes(key)
        except ValueError:
            raise ReceiptError("key") from None
        try:
            public_key.verify(self.signature, self._signed())
        except (InvalidSignature, ValueError):
            raise ReceiptError("signature") from None
        try:
            facts = json.loads(self.facts)
        except ValueError:
            raise ReceiptError("form") from None
        if not isinstance(facts, dict):
            raise ReceiptError("form")
        return facts

    def _signed(self) -> bytes:
        message = _canonical([_CONTEXT, self.origin, self.leaf_index, b64(self.leaf_hash)])
        return self.batch.signed(message) if self.batch else message

    def verify_proof(self, log_key: str) -> int:
        """Check that the proof shows the record in the log, and return how large the log was.

        Args:
            log_key: the log's key, as C2SP signed-note writes it.

        Raises:
            ReceiptError: if it does not, or there is none.
        """
        from vault.transparency.note import Verifier  # noqa: PLC0415
        from vault.transparency.policy import Policy  # noqa: PLC0415
        from vault.transparency.proof import InclusionProof  # noqa: PLC0415

        try:
            log = Verifier.of(log_key)
            proof = InclusionProof.parse(self.proof.encode())
            judged = proof.judge(self.leaf_hash, Policy.parse(b"quorum none\n"), log)
        except ValueError:
            raise ReceiptError("proof") from None
        is_its_place = proof.index == self.leaf_index and judged.checkpoint.origin == self.origin
        if not is_its_place:
            raise ReceiptError("proof")
        return judged.checkpoint.size


def listed_keys(connection: Connection) -> dict[str, bytes]:
    """Return the receipt keys that the registry lists."""
    from vault.api.v1.registry_service_pb2 import ListReceiptKeysRequest  # noqa: PLC0415

    whole = whole_list(
        connection.registry.ListReceiptKeys, ListReceiptKeysRequest(), "receipt_keys"
    )
    return {key.key_id: key.public_key for key in whole.receipt_keys if key.algorithm == ALGORITHM}


def verify_bundle(record: SignedRecord, bundle: bytes, keys: Mapping[str, bytes]) -> dict[str, Any]:
    """Check that a bundle is what a receipt was signed for, and return the receipt's facts.

    Raises:
        ReceiptError: naming the first check that fails.
    """
    facts = record.verify(keys)
    if facts.get("bundle_hash") != b64(hashlib.sha256(bundle).digest()):
        raise ReceiptError("content")
    return facts


def _canonical(value: list[str | int]) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def b64(data: bytes) -> str:
    """Encode bytes as base64url without padding (RFC 4648 section 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def unb64(text: str) -> bytes:
    """Decode base64url without padding (RFC 4648 section 5).

    Raises:
        ValueError: if the text is not exactly what `b64` would have written.
    """
    data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if b64(data) != text:
        raise ValueError(text)
    return data
