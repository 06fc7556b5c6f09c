# SPDX-License-Identifier: Apache-2.0
"""Disclosures on the wire: a service's attempts, and what it receives."""

from __future__ import annotations

from collections.abc import Iterable

from vault.api.v1 import disclosure_pb2
from vault.api.v1 import disclosure_service_pb2 as pb
from vault.application.commands import Particulars
from vault.application.disclosures import Disclosed
from vault.domain.disclosure import Attempt, Selection
from vault.server.convert.log import receipt_message


def attempt_from(
    request: pb.DiscloseEvidenceRequest | pb.DiscloseDocumentRequest | pb.DisclosureCheck,
    service_id: str,
) -> Attempt:
    """Return what a service wants; the service is the caller, never one that a message names."""
    if isinstance(request, pb.DiscloseDocumentRequest):
        selections = _selections((request.fields,))
    else:
        selections = _selections(request.fields)
    return Attempt(
        service=service_id,
        subject=request.subject_id.lower(),
        consent_id=request.authority.consent_id.lower(),
        purpose_code=request.purpose_code,
        selections=selections,
    )


def said_from(request: pb.DiscloseEvidenceRequest | pb.DiscloseDocumentRequest) -> Particulars:
    """Return what a service says beside its attempt; whoever records it adds the digest."""
    return Particulars(
        digest="",
        case_ref=request.case_ref,
        staff_ref=request.staff_ref,
        external_reference=request.external_reference,
    )


def disclosed_message(disclosed: Disclosed, position_token: str) -> pb.DiscloseEvidenceResponse:
    """Return what a service receives."""
    return pb.DiscloseEvidenceResponse(
        bundle=disclosed.bundle,
        receipt=receipt_message(disclosed.receipt),
        repeated=disclosed.is_repeat,
        external_reference=disclosed.external_reference,
        position_token=position_token,
    )


def _selections(fields: Iterable[disclosure_pb2.FieldSelection]) -> tuple[Selection, ...]:
    return tuple(
        Selection(
            item=selection.item,
            evidence_type=selection.evidence_type,
            names=tuple(sorted(selection.names)),
        )
        for selection in fields
    )
