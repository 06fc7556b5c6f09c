# SPDX-License-Identifier: Apache-2.0
"""Receipts: what somebody was promised, held against what the history shows.

A receipt signs canonical `["citizen-vault/receipt/1", origin, leaf_index, leaf_hash]` with Ed25519
(RFC 8032), by a key that the registry lists. Receipts that were signed together share the signature
of canonical `["citizen-vault/receipts/1", size, root]`, where those messages are the leaves of a
tree. One that names no record of the history says what is missing and where: it carries the facts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from clients.auditor.canonical import FormError, Hash, b64, encode, parse, read, unb64
from clients.auditor.chain import Chain, Place
from clients.auditor.facts import (
    REGISTRY_FACTS,
    VAULT_FACTS,
    DisclosureRefused,
    EvidenceDisclosed,
    Facts,
    OfConsent,
    OfRequest,
)
from clients.auditor.history import Vault
from clients.auditor.record import entry_of, leaf_of, read_facts
from clients.auditor.tree import root_from


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptFile:
    """The fields of a receipt file."""

    facts: str
    link_hash: Hash
    origin: str
    leaf_index: int
    leaf_hash: Hash
    key_id: str
    signature: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceFile:
    """The place of a receipt among those that were signed with it."""

    index: int
    size: int
    path: tuple[Hash, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchReceiptFile(ReceiptFile):
    """The fields of the file of a receipt that was not signed alone."""

    batch: PlaceFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A receipt that was read; `batch` is None if it was signed alone."""

    origin: str
    leaf_index: int
    entry: bytes
    leaf_hash: str
    key_id: str
    signature: bytes
    batch: PlaceFile | None
    facts: Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A receipt held against a history: it holds if nothing is invalid or contradicted.

    `version` is that of the record which stands at its place, None if there is none.
    """

    leaf_index: int | None = None
    about: str = ""
    version: int | None = None
    invalid: str = ""
    contradicted: str = ""


def hold(
    data: bytes, chain: Chain, vault: Vault, listed: Mapping[str, str], pinned: Collection[bytes]
) -> Held:
    """Hold a receipt file against the history that was read.

    Args:
        listed: the registry's receipt keys, by id.
        pinned: the public keys that the auditor brought along; if none, the registry's word counts.
    """
    try:
        receipt = read_receipt(data)
    except FormError as error:
        return Held(invalid=str(error))
    place = chain.places.get(receipt.leaf_index)
    return Held(
        leaf_index=receipt.leaf_index,
        about=describe(receipt.facts, vault),
        version=place.version if place else None,
        invalid=_invalid(receipt, listed, pinned),
        contradicted=_contradicted(receipt, place, chain, vault),
    )


def read_receipt(data: bytes) -> Receipt:
    """Read a receipt file.

    Raises:
        FormError: if it is none.
    """
    value = parse(data)
    is_batch = isinstance(value, dict) and "batch" in value
    file = read(BatchReceiptFile if is_batch else ReceiptFile, value, "the receipt")
    return Receipt(
        origin=file.origin,
        leaf_index=file.leaf_index,
        entry=entry_of(unb64(file.link_hash, 32), file.facts.encode()),
        leaf_hash=file.leaf_hash,
        key_id=file.key_id,
        signature=unb64(file.signature, 64),
        batch=file.batch if isinstance(file, BatchReceiptFile) else None,
        facts=read_facts(file.facts, VAULT_FACTS | REGISTRY_FACTS),
    )


def describe(facts: Facts, vault: Vault) -> str:
    """Say in one line what a record was about: ids, field names and times."""
    parts = [facts.type]
    match facts:
        case OfConsent():
            parts.append(f"service {facts.service}, consent {facts.consent_id}")
        case OfRequest():
            parts.append(f"service {facts.service}, request {facts.consent_request_id}")
        case _:
            pass
    match facts:
        case EvidenceDisclosed():
            types = vault.types_of(facts.consent_id)
            left = [
                f"{types.get(fields.item, f'item {fields.item}')}: {', '.join(fields.names)}"
                for fields in facts.fields
            ]
            parts.append(f"purpose {facts.purpose}, fields {'; '.join(left)}")
        case DisclosureRefused():
            parts.append(f"refused: {facts.reason}")
        case _:
            pass
    return f"{', '.join(parts)}, at {facts.time}"


def _invalid(receipt: Receipt, listed: Mapping[str, str], pinned: Collection[bytes]) -> str:
    """Say why a receipt itself shows nothing, "" if it is good."""
    if leaf_of(receipt.entry) != receipt.leaf_hash:
        return "its leaf is not that of its facts and link"
    if receipt.key_id not in listed:
        return "its key is not one of the registry's"
    key = unb64(listed[receipt.key_id], 32)
    if pinned and key not in pinned:
        return "its key is one of the registry's, but no pinned one"
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(receipt.signature, _signed(receipt))
    except FormError as error:
        return str(error)
    except (InvalidSignature, ValueError):
        return "its signature does not verify"
    return ""


def _signed(receipt: Receipt) -> bytes:
    """Return what was signed for a receipt, alone or together with others."""
    own = ["citizen-vault/receipt/1", receipt.origin, receipt.leaf_index, receipt.leaf_hash]
    message = encode(own).encode()
    if receipt.batch is None:
        return message
    path = [unb64(sibling, 32) for sibling in receipt.batch.path]
    root = root_from(message, receipt.batch.index, receipt.batch.size, path)
    return encode(["citizen-vault/receipts/1", receipt.batch.size, b64(root)]).encode()


def _contradicted(receipt: Receipt, place: Place | None, chain: Chain, vault: Vault) -> str:
    """Say what in a history stands against a receipt, "" if nothing."""
    if receipt.origin != chain.origin:
        return "it is of another log than this history"
    if place is None:
        return (
            f"nothing stands at leaf index {receipt.leaf_index}, {chain.around(receipt.leaf_index)}"
        )
    if place.entry == receipt.entry:
        # Records go by whole ended consents: one of a consent that is shown may not be deleted.
        is_cut_out = (
            place.is_withheld and getattr(receipt.facts, "consent_id", "") in vault.consents
        )
        return "its contents were deleted, although its consent is shown" if is_cut_out else ""
    if place.entry[33:] == receipt.entry[33:]:
        return "the record there says the same, but its link was changed"
    return "another record stands there"
