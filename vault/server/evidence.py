# SPDX-License-Identifier: Apache-2.0
"""`EvidenceService`: keeps evidence, which a citizen gives once."""

from __future__ import annotations

from vault.api.v1 import evidence_service_pb2
from vault.server.call import Call
from vault.server.convert.evidence import evidence_message, provided_from
from vault.server.convert.log import receipt_message
from vault.server.convert.vault import acting_from
from vault.server.services import UseCases


class EvidenceHandler:
    """Handles `vault.api.v1.EvidenceService`."""

    def __init__(self, use_cases: UseCases) -> None:
        self._use = use_cases

    async def ProvideEvidence(
        self, request: evidence_service_pb2.ProvideEvidenceRequest, call: Call
    ) -> evidence_service_pb2.ProvideEvidenceResponse:
        """Provide a new piece of evidence."""
        answer = await self._use.evidence.provide(
            call.caller,
            acting_from(request.acting),
            request.request_id,
            request.evidence_type,
            provided_from(request),
        )
        return evidence_service_pb2.ProvideEvidenceResponse(
            evidence=evidence_message(answer.value),
            receipt=receipt_message(answer.receipt),
            position_token=self._use.positions.write(answer.tree_size),
        )

    async def ReplaceEvidence(
        self, request: evidence_service_pb2.ReplaceEvidenceRequest, call: Call
    ) -> evidence_service_pb2.ReplaceEvidenceResponse:
        """Replace a piece of evidence by a new revision."""
        answer = await self._use.evidence.replace(
            call.caller,
            acting_from(request.acting),
            request.request_id,
            request.evidence_id.lower(),
            provided_from(request),
        )
        return evidence_service_pb2.ReplaceEvidenceResponse(
            evidence=evidence_message(answer.value),
            receipt=receipt_message(answer.receipt),
            position_token=self._use.positions.write(answer.tree_size),
        )

    async def GetEvidence(
        self, request: evidence_service_pb2.GetEvidenceRequest, call: Call
    ) -> evidence_service_pb2.GetEvidenceResponse:
        """Return one piece of evidence with its values."""
        await self._use.seen(request.position_token, call)
        view = await self._use.evidence.get(
            call.caller, acting_from(request.acting), request.evidence_id.lower()
        )
        return evidence_service_pb2.GetEvidenceResponse(evidence=evidence_message(view))

    async def ListEvidence(
        self, request: evidence_service_pb2.ListEvidenceRequest, call: Call
    ) -> evidence_service_pb2.ListEvidenceResponse:
        """List the caller's evidence without values, oldest first."""
        await self._use.seen(request.position_token, call)
        views = await self._use.evidence.list(call.caller, acting_from(request.acting))
        page, token = await self._use.pages.page(
            views, lambda view: view.evidence.evidence_id, request, call, evidence_message
        )
        return evidence_service_pb2.ListEvidenceResponse(evidence=page, next_page_token=token)
