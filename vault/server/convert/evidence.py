# SPDX-License-Identifier: Apache-2.0
"""Evidence on the wire: what a citizen provides, and what she is shown of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from vault.api.v1 import evidence_pb2 as pb
from vault.api.v1 import evidence_service_pb2 as service_pb
from vault.application.evidence import Provided, View
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
    """Return a piece of evidence as it is now, its fields in the order of the type."""
    piece, current = view.evidence, view.evidence.current
    source = _SOURCE_VALUES[current.source]
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
            )
            for field in view.type.fields
            if field.name in current.updated
        ],
        values=view.values,
    )
