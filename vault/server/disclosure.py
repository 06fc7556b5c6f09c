# SPDX-License-Identifier: Apache-2.0
"""`DisclosureService`: hands evidence to services, recorded before any data leaves."""

from __future__ import annotations

from vault.api.v1 import disclosure_service_pb2
from vault.server.call import Call
from vault.server.convert.disclosure import attempt_from, said_from
from vault.server.convert.log import receipt_message
from vault.server.services import UseCases


class DisclosureHandler:
    """Handles `vault.api.v1.DisclosureService`."""

    def __init__(self, use_cases: UseCases) -> None:
        self._use = use_cases

    async def DiscloseEvidence(
        self, request: disclosure_service_pb2.DiscloseEvidenceRequest, call: Call
    ) -> disclosure_service_pb2.DiscloseEvidenceResponse:
        """Disclose fields of a subject's evidence."""
        disclosed = await self._use.disclosures.disclose(
            call.caller,
            request.request_id,
            attempt_from(request, call.caller.sub),
            said_from(request),
            call.deadline,
        )
        return disclosure_service_pb2.DiscloseEvidenceResponse(
            bundle=disclosed.bundle,
            receipt=receipt_message(disclosed.receipt),
            repeated=disclosed.is_repeat,
            external_reference=disclosed.external_reference,
            position_token=self._use.positions.write(disclosed.tree_size),
        )
