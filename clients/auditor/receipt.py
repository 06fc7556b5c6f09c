# SPDX-License-Identifier: Apache-2.0
"""Receipts: what somebody was promised, and whether it was kept.

A receipt signs canonical `["citizen-vault/receipt/1", origin, leaf_index, leaf_hash]` with Ed25519
(RFC 8032), by a key that the registry lists. Receipts that were signed together share the signature
of canonical `["citizen-vault/receipts/1", size, root]`, where those messages are the leaves of a
tree. With its `proof` (C2SP tlog-proof) it shows by itself that its record is in the log. Held
against a history, one that names no record of it says what is missing and where.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from clients.auditor.canonical import FormError, b64, encode, parse, unb64
from clients.auditor.chain import Place, around
from clients.auditor.facts import (
    REGISTRY_FACTS,
    VAULT_FACTS,
    DisclosureRefused,
    EvidenceDisclosed,
    Facts,
    OfConsent,
    OfRequest,
)
from clients.auditor.forms import Hash, read
from clients.auditor.history import Vault
from clients.auditor.record import entry_of, read_facts
from clients.auditor.tree import leaf_hash, root_from
from clients.auditor.trust import Signed, Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptFile:
    """The fields of a receipt file that every one has."""

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
class Receipt:
    """A receipt that was read.

    `batch` is None if it was signed alone, `proof` "" if it has none.
    """

    origin: str
    leaf_index: int
    entry: bytes
    leaf_hash: str
    key_id: str
    signature: bytes
    batch: PlaceFile | None
    proof: str
    facts: Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A receipt that was judged: it holds if nothing is invalid or contradicted.

    `signed` is the checkpoint that its proof leads to, None if it has no proof. `version` is that
    of the record which stands at its place, None if no history was shown, or nothing stands there.
    """

    receipt: Receipt | None = None
    leaf_index: int | None = None
    about: str = ""
    version: int | None = None
    signed: Signed | None = None
    signature: str = ""
    """By which key it is signed, in words."""
    invalid: str = ""
    contradicted: str = ""


def read_receipt(data: bytes) -> Receipt:
    """Read a receipt file.

    Raises:
        FormError: if it is none.
    """
    value = parse(data)
    found = dict(value) if isinstance(value, dict) else {}
    batch, proof = found.pop("batch", None), found.pop("proof", "")
    file = read(ReceiptFile, found, "the receipt")
    if not isinstance(proof, str):
        raise FormError("the receipt.proof is no text")
    return Receipt(
        origin=file.origin,
        leaf_index=file.leaf_index,
        entry=entry_of(unb64(file.link_hash, 32), file.facts.encode()),
        leaf_hash=file.leaf_hash,
        key_id=file.key_id,
        signature=unb64(file.signature, 64),
        batch=None if batch is None else read(PlaceFile, batch, "the receipt.batch"),
        proof=proof,
        facts=read_facts(file.facts, VAULT_FACTS | REGISTRY_FACTS),
    )


def judge_receipt(data: bytes, trust: Trust, listed: Mapping[str, str] | None = None) -> Held:
    """Judge a receipt by itself.

    Args:
        listed: the registry's receipt keys, by id; None if no registry was shown.
    """
    try:
        receipt = read_receipt(data)
    except FormError as error:
        return Held(invalid=str(error))
    held = Held(receipt=receipt, leaf_index=receipt.leaf_index, about=describe(receipt.facts, None))
    leaf = leaf_hash(receipt.entry)
    if b64(leaf) != receipt.leaf_hash:
        return replace(held, invalid="its leaf is not that of its facts and link")
    try:
        signature = _check_signature(receipt, trust, listed)
        if not receipt.proof:
            return replace(held, signature=signature)
        signed = trust.prove(receipt.proof, receipt.origin, receipt.leaf_index, leaf)
    except FormError as error:
        return replace(held, invalid=str(error))
    return replace(held, signature=signature, signed=signed)


def hold(held: Held, places: Mapping[int, Place], origin: str, vault: Vault | None) -> Held:
    """Hold a receipt that was judged against a history that was read.

    Args:
        places: where the history has records; `origin` is its log.
        vault: that of the record at the receipt's place, at its end.
    """
    receipt = held.receipt
    if receipt is None:
        return held
    place = places.get(receipt.leaf_index)
    return replace(
        held,
        about=describe(receipt.facts, vault),
        version=place.version if place else None,
        contradicted=_contradicted(receipt, places, origin, vault),
    )


def describe(facts: Facts, vault: Vault | None) -> str:
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
            types = vault.types_of(facts.consent_id) if vault else {}
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


def _check_signature(receipt: Receipt, trust: Trust, listed: Mapping[str, str] | None) -> str:
    """Return by which key it is signed, in words.

    Raises:
        FormError: if it is not signed as it should be.
    """
    keys = trust.receipt_keys
    if listed is not None:
        if receipt.key_id not in listed:
            raise FormError("its key is not one of the registry's")
        key = unb64(listed[receipt.key_id], 32)
        if keys and key not in keys:
            raise FormError("its key is one of the registry's, but no pinned one")
        keys = (key,)
    elif not keys:
        return "its signature was not judged: pin a receipt key with --receipt-key"
    message = _signed(receipt)
    if not any(_has_signed(key, receipt.signature, message) for key in keys):
        raise FormError("its signature does not verify")
    return "receipt key pinned" if trust.receipt_keys else "by a key that only the registry names"


def _has_signed(key: bytes, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _signed(receipt: Receipt) -> bytes:
    """Return what was signed for a receipt, alone or together with others."""
    own = ["citizen-vault/receipt/1", receipt.origin, receipt.leaf_index, receipt.leaf_hash]
    message = encode(own).encode()
    if receipt.batch is None:
        return message
    path = [unb64(sibling, 32) for sibling in receipt.batch.path]
    root = root_from(leaf_hash(message), receipt.batch.index, receipt.batch.size, path)
    return encode(["citizen-vault/receipts/1", receipt.batch.size, b64(root)]).encode()


def _contradicted(
    receipt: Receipt, places: Mapping[int, Place], origin: str, vault: Vault | None
) -> str:
    """Say what in a history stands against a receipt, "" if nothing."""
    if receipt.origin != origin:
        return "it is of another log than this history"
    place = places.get(receipt.leaf_index)
    if place is None:
        where = around(places, receipt.leaf_index)
        return f"nothing stands at leaf index {receipt.leaf_index}, {where}"
    if place.entry == receipt.entry:
        # Records go by whole ended consents: one of a consent that is shown may not be deleted.
        consents = vault.consents if vault else {}
        is_cut_out = place.is_withheld and getattr(receipt.facts, "consent_id", "") in consents
        return "its contents were deleted, although its consent is shown" if is_cut_out else ""
    if place.entry[33:] == receipt.entry[33:]:
        return "the record there says the same, but its link was changed"
    return "another record stands there"
