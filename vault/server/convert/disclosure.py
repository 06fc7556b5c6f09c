# SPDX-License-Identifier: Apache-2.0
"""Disclosures on the wire: a service's attempts, and what it receives."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from vault.api.v1 import disclosure_pb2
from vault.api.v1 import disclosure_service_pb2 as pb
from vault.application.commands import Particulars
from vault.application.disclosures import Disclosed
from vault.domain.disclosure import Attempt, Selection
from vault.domain.errors import LimitExceededError, VaultError
from vault.server.convert.log import receipt_message
from vault.server.errors import internal_status, status_of

LARGEST_RESULTS_BYTES: Final = 3 * 1024 * 1024
"""Leaves room in the 4 MiB that a gRPC client takes unless it is told otherwise."""

_FULL: Final = "The answer is full: ask for this one again with the same request_id."


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


def result_messages(
    results: Iterable[Disclosed | Exception], call_id: str
) -> list[pb.DisclosureResult]:
    """Return what became of each disclosure of one message, as far as they fit into one answer.

    What does not fit is recorded, and told to be asked for again: the same bytes, as a repeat. A
    fault of ours is told by the call alone.
    """
    messages: list[pb.DisclosureResult] = []
    left_bytes = LARGEST_RESULTS_BYTES
    for result in results:
        message = _result_message(result, call_id)
        if isinstance(result, Disclosed) and message.ByteSize() > left_bytes:
            message = _result_message(LimitExceededError(detail=_FULL), call_id)
        left_bytes -= message.ByteSize()
        messages.append(message)
    return messages


def _result_message(result: Disclosed | Exception, call_id: str) -> pb.DisclosureResult:
    if isinstance(result, Disclosed):
        return pb.DisclosureResult(disclosed=disclosed_message(result, ""))
    _, status = status_of(result) if isinstance(result, VaultError) else internal_status(call_id)
    return pb.DisclosureResult(failed=status.SerializeToString())


def _selections(fields: Iterable[disclosure_pb2.FieldSelection]) -> tuple[Selection, ...]:
    return tuple(
        Selection(
            item=selection.item,
            evidence_type=selection.evidence_type,
            names=tuple(sorted(selection.names)),
        )
        for selection in fields
    )
