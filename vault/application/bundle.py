# SPDX-License-Identifier: Apache-2.0
"""The bundle: what leaves. Deterministic bytes, so that a repeat sends the same.

Canonical JSON, UTF-8. It holds values, where each comes from and how fresh it is, and the
obligations that travel with them; never its receipt or proof.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from vault.domain.canonical import encode

if TYPE_CHECKING:
    from vault.domain.disclosure import Opening, Plan
    from vault.domain.values import Method, Source


class BundleField(Struct, frozen=True, kw_only=True):
    """One field: its value, and when that value last changed."""

    name: str
    value: Any
    updated: str


class BundleItem(Struct, frozen=True, kw_only=True):
    """One piece of evidence, by its number in the consent."""

    item: int
    evidence_type: str
    schema_version: int
    source: Source
    issuer: str
    issued_date: str
    provided: str
    fields: tuple[BundleField, ...]


class Obligations(Struct, frozen=True, kw_only=True):
    """What the receiver owes for having it."""

    method: Method
    retention_days: int
    storage: str
    jurisdiction: str


class Bundle(Struct, frozen=True, kw_only=True):
    """What leaves under one consent at once."""

    type: Literal["bundle.1"]
    service: str
    subject: str
    consent_id: str
    purpose: str
    items: tuple[BundleItem, ...]
    obligations: Obligations
    salt: str


def bundle_bytes(plan: Plan, values: tuple[bytes, ...], salt: str) -> bytes:
    """Return the bundle of a plan.

    Args:
        values: canonical JSON of each opening's whole revision, in the plan's order.
        salt: 16 bytes as base64url, the same for every repeat of one `request_id`.
    """
    consent = plan.consent
    terms = consent.terms
    bundle = Bundle(
        type="bundle.1",
        service=consent.service,
        subject=consent.subject,
        consent_id=plan.consent_id,
        purpose=terms.purpose.name,
        items=tuple(
            _item(opening, json.loads(opened))
            for opening, opened in zip(plan.openings, values, strict=True)
        ),
        obligations=Obligations(
            method=terms.method,
            retention_days=terms.retention_days,
            storage=terms.storage,
            jurisdiction=terms.jurisdiction,
        ),
        salt=salt,
    )
    return encode(bundle)


def _item(opening: Opening, values: dict[str, Any]) -> BundleItem:
    revision = opening.revision
    return BundleItem(
        item=opening.item,
        evidence_type=opening.evidence.evidence_type,
        schema_version=revision.schema_version,
        source=revision.source,
        issuer=revision.issuer,
        issued_date=revision.issued_date,
        provided=revision.time,
        fields=tuple(
            BundleField(name=name, value=values[name], updated=revision.updated[name])
            for name in opening.names
        ),
    )
