# SPDX-License-Identifier: Apache-2.0
"""Disclosures on the wire: a service's attempt."""

from __future__ import annotations

from vault.api.v1 import disclosure_service_pb2 as pb
from vault.application.commands import Particulars
from vault.domain.disclosure import Attempt, Selection


def attempt_from(request: pb.DiscloseEvidenceRequest, service_id: str) -> Attempt:
    """Return what a service wants; the service is the caller, never one that a message names."""
    return Attempt(
        service=service_id,
        subject=request.subject_id.lower(),
        consent_id=request.authority.consent_id.lower(),
        purpose_code=request.purpose_code,
        selections=tuple(
            Selection(
                item=fields.item,
                evidence_type=fields.evidence_type,
                names=tuple(sorted(fields.names)),
            )
            for fields in request.fields
        ),
    )


def said_from(request: pb.DiscloseEvidenceRequest) -> Particulars:
    """Return what a service says beside its attempt; whoever records it adds the digest."""
    return Particulars(
        digest="",
        case_ref=request.case_ref,
        staff_ref=request.staff_ref,
        external_reference=request.external_reference,
    )
