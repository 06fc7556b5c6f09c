# SPDX-License-Identifier: Apache-2.0
"""`EvidenceService`: keeps evidence, which a citizen gives once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from vault.api.v1 import evidence_service_pb2
from vault.application.evidence import View
from vault.domain.errors import FieldInvalidError
from vault.server.call import Call
from vault.server.convert.evidence import (
    OUTCOMES,
    evidence_message,
    header_from,
    holder_messages,
    provided_from,
)
from vault.server.convert.log import receipt_message
from vault.server.convert.paths import of_header, renamed
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
            position_token=self._use.positions.write(answer.sizes),
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
            position_token=self._use.positions.write(answer.sizes),
            holders=holder_messages(answer.value.holders),
        )

    async def UploadDocument(
        self, requests: AsyncIterator[evidence_service_pb2.UploadDocumentRequest], call: Call
    ) -> evidence_service_pb2.UploadDocumentResponse:
        """Take a document in."""
        first = await anext(requests, None)
        if first is None or not first.HasField("header"):
            raise FieldInvalidError("header", "The first message is the header.")
        with renamed(of_header):
            answer = await self._use.documents.upload(
                call.caller,
                acting_from(first.header.acting),
                header_from(first.header),
                _chunks(requests),
            )
        return evidence_service_pb2.UploadDocumentResponse(
            evidence=evidence_message(answer.value),
            receipt=receipt_message(answer.receipt),
            position_token=self._use.positions.write(answer.sizes),
            holders=holder_messages(answer.value.holders),
        )

    async def DownloadDocument(
        self, request: evidence_service_pb2.DownloadDocumentRequest, call: Call
    ) -> AsyncIterator[evidence_service_pb2.DownloadDocumentResponse]:
        """Bring a document to its citizen."""
        await self._use.seen(request.position_token, call)
        parts = self._use.documents.download(
            call.caller,
            acting_from(request.acting),
            request.evidence_id.lower(),
            request.revision,
        )
        async with aclosing(parts):
            async for part in parts:
                if isinstance(part, View):
                    evidence = evidence_message(part)
                    yield evidence_service_pb2.DownloadDocumentResponse(evidence=evidence)
                else:
                    yield evidence_service_pb2.DownloadDocumentResponse(chunk=part)

    async def DisputeEvidence(
        self, request: evidence_service_pb2.DisputeEvidenceRequest, call: Call
    ) -> evidence_service_pb2.DisputeEvidenceResponse:
        """Take down what she says is wrong."""
        answer = await self._use.disputes.dispute(
            call.caller,
            acting_from(request.acting),
            request.request_id,
            evidence_id=request.evidence_id.lower(),
            names=tuple(sorted(request.names)),
            statement=request.statement,
            is_shared=request.is_shared,
        )
        view = await self._use.evidence.view(answer.value.state, answer.value.evidence)
        return evidence_service_pb2.DisputeEvidenceResponse(
            evidence=evidence_message(view),
            dispute_id=answer.value.dispute_id,
            receipt=receipt_message(answer.receipt),
            position_token=self._use.positions.write(answer.sizes),
            holders=holder_messages(view.holders),
        )

    async def ResolveDispute(
        self, request: evidence_service_pb2.ResolveDisputeRequest, call: Call
    ) -> evidence_service_pb2.ResolveDisputeResponse:
        """Settle a dispute."""
        answer = await self._use.disputes.resolve(
            call.caller,
            acting_from(request.acting),
            request.request_id,
            evidence_id=request.evidence_id.lower(),
            dispute_id=request.dispute_id.lower(),
            outcome=OUTCOMES[request.outcome],
        )
        view = await self._use.evidence.view(answer.value.state, answer.value.evidence)
        return evidence_service_pb2.ResolveDisputeResponse(
            evidence=evidence_message(view),
            receipt=receipt_message(answer.receipt),
            position_token=self._use.positions.write(answer.sizes),
        )

    async def ProtectEvidence(
        self, request: evidence_service_pb2.ProtectEvidenceRequest, call: Call
    ) -> evidence_service_pb2.ProtectEvidenceResponse:
        """Protect a piece of evidence, or protect it no more."""
        answer = await self._use.evidence.protect(
            call.caller,
            acting_from(request.acting),
            request.request_id,
            request.evidence_id.lower(),
            is_protected=request.is_protected,
        )
        return evidence_service_pb2.ProtectEvidenceResponse(
            evidence=evidence_message(answer.value),
            receipt=receipt_message(answer.receipt),
            position_token=self._use.positions.write(answer.sizes),
        )

    async def GetEvidence(
        self, request: evidence_service_pb2.GetEvidenceRequest, call: Call
    ) -> evidence_service_pb2.GetEvidenceResponse:
        """Return one piece of evidence with its values."""
        await self._use.seen(request.position_token, call)
        view = await self._use.evidence.get(
            call.caller,
            acting_from(request.acting),
            request.evidence_id.lower(),
            request.revision,
            without_values=request.without_values,
        )
        return evidence_service_pb2.GetEvidenceResponse(
            evidence=evidence_message(view), holders=holder_messages(view.holders)
        )

    async def ListEvidence(
        self, request: evidence_service_pb2.ListEvidenceRequest, call: Call
    ) -> evidence_service_pb2.ListEvidenceResponse:
        """List the caller's evidence without values, oldest first."""
        await self._use.seen(request.position_token, call)
        # Refused before an official's look is recorded.
        self._use.pages.read(request.page_token, call)
        views = await self._use.evidence.list(call.caller, acting_from(request.acting))
        page, token = await self._use.pages.page(
            views, lambda view: view.evidence.evidence_id, request, call, evidence_message
        )
        return evidence_service_pb2.ListEvidenceResponse(evidence=page, next_page_token=token)


async def _chunks(
    requests: AsyncIterator[evidence_service_pb2.UploadDocumentRequest],
) -> AsyncIterator[bytes]:
    async for request in requests:
        if not request.HasField("chunk"):
            raise FieldInvalidError("header", "Only the first message is a header.")
        yield request.chunk
