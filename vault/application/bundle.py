# SPDX-License-Identifier: Apache-2.0
"""The bundle: what leaves. Deterministic bytes, so that a repeat sends the same.

Canonical JSON, UTF-8. It holds values, where each comes from, how fresh and how sensitive it is and
whether she says that it is wrong, and the obligations that travel with them; never its receipt or
proof.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from vault.domain.canonical import encode
from vault.domain.values import later

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vault.domain.disclosure import Opening, Plan
    from vault.domain.evidence import Dispute
    from vault.domain.values import BasisCode, Method, Source, Terms, Time


@dataclass(frozen=True, slots=True)
class Opened:
    """An opening's whole revision, and what goes with it.

    Attributes:
        values: canonical JSON.
        sensitivities: of each field, by its name.
        statements: what she said in each dispute whose statement travels, by its id.
    """

    values: bytes
    sensitivities: Mapping[str, str]
    statements: Mapping[str, str]


class BundleField(Struct, frozen=True, kw_only=True):
    """One field: its value, when that last changed, and whether she says that it is wrong."""

    name: str
    value: Any
    updated: str
    sensitivity: str
    is_disputed: bool


class BundleDispute(Struct, frozen=True, kw_only=True):
    """What she says is wrong; `statement` is "" unless she lets it travel."""

    names: tuple[str, ...]
    time: str
    statement: str


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
    disputes: tuple[BundleDispute, ...]


class Obligations(Struct, frozen=True, kw_only=True):
    """What the receiver owes for having it; `retain_until` is "" if it may keep no copy."""

    basis: BasisCode
    statute: str
    method: Method
    retention_days: int
    retain_until: str
    storage: str
    jurisdiction: str


class Bundle(Struct, frozen=True, kw_only=True):
    """What leaves under one consent at once."""

    type: Literal["bundle.2"]
    service: str
    subject: str
    consent_id: str
    purpose: str
    items: tuple[BundleItem, ...]
    obligations: Obligations
    salt: str


def bundle_bytes(plan: Plan, opened: tuple[Opened, ...], time: Time, salt: str) -> bytes:
    """Return the bundle of a plan.

    Args:
        opened: each opening's revision, in the plan's order.
        time: of the disclosure, or of the one that it repeats: from then it may be retained.
        salt: 16 bytes as base64url, the same for every repeat of one `request_id`.
    """
    consent = plan.consent
    bundle = Bundle(
        type="bundle.2",
        service=consent.service,
        subject=consent.subject,
        consent_id=plan.consent_id,
        purpose=consent.terms.purpose.name,
        items=tuple(
            _item(opening, revision)
            for opening, revision in zip(plan.openings, opened, strict=True)
        ),
        obligations=_obligations(consent.terms, time),
        salt=salt,
    )
    return encode(bundle)


def _obligations(terms: Terms, time: Time) -> Obligations:
    days = terms.retention_days
    return Obligations(
        basis=terms.basis.code,
        statute=terms.basis.statute,
        method=terms.method,
        retention_days=days,
        retain_until=later(time, days=days) if days else "",
        storage=terms.storage,
        jurisdiction=terms.jurisdiction,
    )


def _item(opening: Opening, opened: Opened) -> BundleItem:
    revision = opening.revision
    values: dict[str, Any] = json.loads(opened.values)
    disputed = opening.evidence.disputed_in(revision)
    return BundleItem(
        item=opening.item,
        evidence_type=opening.evidence.evidence_type,
        schema_version=revision.schema_version,
        source=revision.source,
        issuer=revision.issuer,
        issued_date=revision.issued_date,
        provided=revision.time,
        fields=tuple(
            BundleField(
                name=name,
                value=values[name],
                updated=revision.updated[name],
                sensitivity=opened.sensitivities[name],
                is_disputed=name in disputed,
            )
            for name in opening.names
        ),
        disputes=tuple(
            _dispute(dispute, opening, opened)
            for dispute in opening.evidence.disputes
            if set(dispute.names_in(revision)) & set(opening.names)
        ),
    )


def _dispute(dispute: Dispute, opening: Opening, opened: Opened) -> BundleDispute:
    return BundleDispute(
        # Only of what leaves: the names of other fields are not this service's to know.
        names=tuple(n for n in dispute.names_in(opening.revision) if n in opening.names),
        time=dispute.time,
        statement=opened.statements.get(dispute.dispute_id, ""),
    )
