# SPDX-License-Identifier: Apache-2.0
"""Evidence on the wire: what a citizen provides, and what she is shown of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from vault.api.v1 import evidence_pb2 as pb
from vault.api.v1 import evidence_service_pb2 as service_pb
from vault.application.documents import Header
from vault.application.evidence import Holder, Provided, View
from vault.domain.canonical import b64
from vault.domain.dispute import Outcome
from vault.domain.values import Source
from vault.server.convert.times import date_from, timestamp

SOURCES: Final[Mapping[pb.EvidenceSource.ValueType, Source]] = {
    pb.EVIDENCE_SOURCE_SELF_DECLARED: "self-declared",
    pb.EVIDENCE_SOURCE_DOCUMENT: "document",
    pb.EVIDENCE_SOURCE_ISSUER: "issuer",
}
SENSITIVITIES: Final[Mapping[str, pb.Sensitivity.ValueType]] = {
    "ordinary": pb.SENSITIVITY_ORDINARY,
    "sensitive": pb.SENSITIVITY_SENSITIVE,
    "special": pb.SENSITIVITY_SPECIAL,
}
OUTCOMES: Final[Mapping[pb.DisputeOutcome.ValueType, Outcome]] = {
    pb.DISPUTE_OUTCOME_WITHDRAWN: "withdrawn",
    pb.DISPUTE_OUTCOME_CORRECTED: "corrected",
}

_SOURCE_VALUES: Final = {value: key for key, value in SOURCES.items()}


def provided_from(
    request: service_pb.ProvideEvidenceRequest | service_pb.ReplaceEvidenceRequest,
) -> Provided:
    """Return what a citizen provides.

    Raises:
        FieldInvalidError: if the date it was issued is no day.
    """
    return Provided(
        values=request.values,
        issued_date=date_from(request.issued_date, "issued_date"),
        source=SOURCES[request.source],
    )


def evidence_message(view: View) -> pb.Evidence:
    """Return one revision of a piece of evidence, its fields in the order of the type."""
    piece, current = view.evidence, view.revision
    source, disputed = _SOURCE_VALUES[current.source], piece.disputed_in(current)
    return pb.Evidence(
        evidence_id=piece.evidence_id,
        evidence_type=piece.evidence_type,
        schema_version=current.schema_version,
        revision=current.revision,
        provide_time=timestamp(piece.revisions[0].time),
        update_time=timestamp(current.time),
        issued_date=current.issued_date,
        source=source,
        fields=[
            pb.EvidenceField(
                name=field.name,
                sensitivity=SENSITIVITIES[field.sensitivity],
                source=source,
                update_time=timestamp(current.updated[field.name]),
                is_disputed=field.name in disputed,
            )
            for field in view.type.fields
            if field.name in current.updated
        ],
        values=view.values,
        disputes=[
            pb.Dispute(
                dispute_id=dispute.dispute_id,
                names=dispute.names,
                dispute_time=timestamp(dispute.time),
                statement=view.statements.get(dispute.dispute_id, ""),
                is_shared=dispute.is_shared,
                resolve_time=timestamp(dispute.resolved),
            )
            for dispute in piece.disputes
        ],
        is_protected=piece.is_protected,
    )


def holder_messages(holders: Iterable[Holder]) -> list[pb.EvidenceHolder]:
    """Return who holds which revision of a piece of evidence."""
    return [
        pb.EvidenceHolder(
            service_id=holder.service,
            consent_id=holder.consent_id,
            purpose=holder.purpose,
            revision=holder.revision,
            names=holder.names,
            last_disclosure_time=timestamp(holder.time),
            is_current=holder.is_current,
        )
        for holder in holders
    ]


def header_from(header: service_pb.DocumentHeader) -> Header:
    """Return what is said before a document's bytes.

    Raises:
        FieldInvalidError: if the date it was issued is no day.
    """
    return Header(
        request_id=header.request_id,
        evidence_id=header.evidence_id.lower(),
        values=header.values,
        media_type=header.media_type,
        sha256=b64(header.sha256),
        issued_date=date_from(header.issued_date, "issued_date"),
    )
