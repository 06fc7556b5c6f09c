# SPDX-License-Identifier: Apache-2.0
"""How a service's requests, consents and bundles are shown to the people who run it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from clients.cli.errors import CommandError
from clients.cli.request import often
from clients.cli.times import exact, last_day, moment
from clients.cli.values import shown
from clients.receipts import SignedRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clients.cli.session import Session
    from vault.api.v1.consent_pb2 import Consent, ConsentRequest
    from vault.api.v1.disclosure_service_pb2 import DiscloseEvidenceResponse


def show_request(session: Session, asked: ConsentRequest) -> None:
    """Print a request: its state, what it asks, and what came of it."""
    from vault.api.v1.consent_pb2 import ConsentRequestState  # noqa: PLC0415

    words, output = session.words, session.output
    once = not asked.HasField("frequency")
    output.facts(
        [
            ("Request", asked.consent_request_id),
            ("State", spoken(ConsentRequestState.Name(asked.state), "CONSENT_REQUEST_STATE_")),
            ("Purpose", asked.purpose),
            *(
                (f"Asks {scope.evidence_type}", _named(scope.required, scope.optional))
                for scope in asked.scope
            ),
            ("Latest end", last_day(asked.end_time, words)),
            ("How often", "once" if once else often(asked.frequency, words)),
            ("Largest age", f"{asked.largest_age_days} days" if asked.largest_age_days else ""),
            ("Kept", _kept(asked.method, asked.retention_days)),
            ("Asked", moment(asked.request_time, words)),
            ("Lapses", moment(asked.expire_time, words)),
            ("Reference", asked.external_reference),
            ("Subject", asked.subject_id or "not told before the code is redeemed"),
            ("Consent", asked.consent_id or "none yet, or not told yet"),
        ]
    )


def show_consent(session: Session, consent: Consent) -> None:
    """Print a consent as the service that was given it sees it."""
    from vault.api.v1.consent_pb2 import ConsentState, EvidenceMode  # noqa: PLC0415
    from vault.api.v1.registry_pb2 import LegalBasisCode  # noqa: PLC0415

    words, output = session.words, session.output
    basis = spoken(LegalBasisCode.Name(consent.legal_basis.code), "LEGAL_BASIS_CODE_")
    statute = f", {consent.legal_basis.statute}" if consent.legal_basis.statute else ""
    revoked = exact(consent.revoke_time, words) if consent.HasField("revoke_time") else ""
    used = (
        f"{consent.disclosure_count}, last {exact(consent.last_disclosure_time, words)}"
        if consent.HasField("last_disclosure_time")
        else "0"
    )
    output.facts(
        [
            ("Consent", consent.consent_id),
            ("State", spoken(ConsentState.Name(consent.state), "CONSENT_STATE_")),
            ("Revoked", revoked),
            ("Subject", consent.subject_id),
            ("Purpose", consent.purpose),
            ("Legal basis", f"{basis}{statute}"),
            ("From", moment(consent.start_time, words)),
            ("Until", last_day(consent.end_time, words)),
            ("How often", "once" if consent.one_time else often(consent.frequency, words)),
            ("Largest age", f"{consent.largest_age_days} days" if consent.largest_age_days else ""),
            ("Kept", _kept(consent.method, consent.retention_days)),
            ("Fetched", used),
            ("Request", consent.consent_request_id),
        ]
    )
    output.table(
        ["Item", "Type", "Required", "Optional", "Revisions"],
        [
            (
                str(item.item),
                item.evidence_type,
                ", ".join(item.required),
                ", ".join(item.optional),
                spoken(EvidenceMode.Name(item.mode), "EVIDENCE_MODE_"),
            )
            for item in consent.scope
        ],
        right=(0,),
    )


def show_fetched(
    session: Session, response: DiscloseEvidenceResponse, record: SignedRecord, trust: str
) -> None:
    """Print a bundle that was verified, and what its receipt shows."""
    rows = []
    for item in _items(response.bundle):
        kind = session.published.kind(item["evidence_type"])
        rows += [
            (
                str(item["item"]),
                kind.title,
                kind.label(field["name"]),
                shown(kind, field["name"], field["value"], session.words),
                item["source"].replace("_", " "),
                field["updated"][:10],
            )
            for field in item["fields"]
        ]
    session.output.table(
        ["Item", "Evidence", "Field", "Value", "Source", "Updated"],
        rows,
        unbroken=(4, 5),
        right=(0,),
    )
    facts = json.loads(record.facts)
    session.output.facts(
        [
            ("Recorded", f"{facts['time']}, before it left"),
            ("Entry", f"{record.leaf_index} of {record.origin}"),
            ("Receipt", "verified: leaf, signature, and the digest of this bundle"),
            ("Signed with", f"{record.key_id}, {trust}"),
            ("Repeated", "the same bytes as before" if response.repeated else ""),
            ("Reference", response.external_reference),
        ]
    )


def _kept(method: int, days: int) -> str:
    from vault.api.v1.registry_pb2 import PROCESSING_METHOD_VIEW  # noqa: PLC0415

    return "viewed only" if method == PROCESSING_METHOD_VIEW else f"{days} days"


def _items(bundle: bytes) -> list[dict[str, Any]]:
    found = json.loads(bundle)
    if found.get("type") != "bundle.1":
        raise CommandError(
            "The bundle is of a newer form.", "Write it with --bundle FILE, or use --json."
        )
    return list(found["items"])


def _named(required: Sequence[str], optional: Sequence[str]) -> str:
    parts = [*required, *(f"{name} (optional)" for name in optional)]
    return ", ".join(parts)


def spoken(name: str, prefix: str) -> str:
    """Return the name of an enum's value in words: "public task"."""
    return name.removeprefix(prefix).lower().replace("_", " ")
