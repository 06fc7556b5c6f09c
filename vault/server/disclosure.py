# SPDX-License-Identifier: Apache-2.0
"""`DisclosureService`: hands evidence to services, recorded before any data leaves."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import aclosing

from vault.api.v1 import disclosure_service_pb2
from vault.application.disclosures import Disclosed, Order
from vault.application.positions import latest
from vault.domain.errors import VaultError
from vault.server.call import Call
from vault.server.call_logging import trace_of
from vault.server.convert.changes import change_message, cursor_from, cursor_name
from vault.server.convert.disclosure import (
    attempt_from,
    disclosed_message,
    result_messages,
    said_from,
)
from vault.server.convert.log import receipt_message
from vault.server.convert.paths import of_check, of_one_selection, renamed
from vault.server.convert.report import REPORT_STATUSES, report_message, reported_from
from vault.server.paging import DEFAULT_SIZE, exceeds_page
from vault.server.services import UseCases

_log = logging.getLogger(__name__)


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
            attempt_from(request, call.caller.service),
            said_from(request),
            call.deadline,
        )
        return self._message(disclosed)

    async def DiscloseEvidenceBatch(
        self, request: disclosure_service_pb2.DiscloseEvidenceBatchRequest, call: Call
    ) -> disclosure_service_pb2.DiscloseEvidenceBatchResponse:
        """Disclose fields of many subjects' evidence."""
        orders = [
            Order(one.request_id, attempt_from(one, call.caller.service), said_from(one))
            for one in request.disclosures
        ]
        results = await self._use.disclosures.disclose_many(call.caller, orders, call.deadline)
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, VaultError):
                _log.error("fault in one of a batch: %s", trace_of(result))
        sizes = [result.sizes for result in results if isinstance(result, Disclosed)]
        return disclosure_service_pb2.DiscloseEvidenceBatchResponse(
            results=result_messages(results, call.call_id),
            position_token=self._use.positions.write(latest(sizes)) if sizes else "",
        )

    async def DiscloseDocument(
        self, request: disclosure_service_pb2.DiscloseDocumentRequest, call: Call
    ) -> AsyncIterator[disclosure_service_pb2.DiscloseDocumentResponse]:
        """Disclose a document of a subject."""
        parts = self._use.disclosures.disclose_document(
            call.caller,
            request.request_id,
            attempt_from(request, call.caller.service),
            said_from(request),
            call.deadline,
        )
        with renamed(of_one_selection):
            async with aclosing(parts):
                async for part in parts:
                    yield self._part(part)

    async def CheckDisclosures(
        self, request: disclosure_service_pb2.CheckDisclosuresRequest, call: Call
    ) -> disclosure_service_pb2.CheckDisclosuresResponse:
        """Say which disclosures would be permitted now."""
        await self._use.seen(request.position_token, call)
        reasons: list[str] = []
        for index, check in enumerate(request.checks):
            with renamed(of_check(index)):
                attempt = attempt_from(check, call.caller.service)
                reasons += await self._use.disclosures.check((attempt,))
        return disclosure_service_pb2.CheckDisclosuresResponse(
            results=[
                disclosure_service_pb2.DisclosureCheckResult(is_permitted=not reason, reason=reason)
                for reason in reasons
            ]
        )

    async def ReportOutcome(
        self, request: disclosure_service_pb2.ReportOutcomeRequest, call: Call
    ) -> disclosure_service_pb2.ReportOutcomeResponse:
        """Tell her how far a matter is."""
        answer = await self._use.reports.report(
            call.caller,
            request.request_id,
            subject=request.subject_id.lower(),
            consent_id=request.authority.consent_id.lower(),
            status=REPORT_STATUSES[request.status],
            said=reported_from(request),
            deadline=call.deadline,
        )
        told = answer.value
        return disclosure_service_pb2.ReportOutcomeResponse(
            report=report_message(told.kind, told.status, told.time),
            receipt=receipt_message(answer.receipt),
            position_token=self._use.positions.write(answer.sizes),
        )

    async def ListChanges(
        self, request: disclosure_service_pb2.ListChangesRequest, call: Call
    ) -> disclosure_service_pb2.ListChangesResponse:
        """List what became of the service's requests and consents."""
        feed = await self._use.changes.wait(
            self._use.seen_sizes(request.position_token), call.deadline
        )
        last = self._use.pages.read(request.cursor, call, field="cursor")
        found = await feed.changes(
            call.caller.service, cursor_from(last), request.page_size or DEFAULT_SIZE
        )
        messages = [
            change_message(change, await self._use.requests.reference(change.consent_request_id))
            for change in found.changes
        ]
        cursor, has_more = found.cursor, found.has_more
        while exceeds_page(messages):
            messages.pop()
            cursor, has_more = found.changes[len(messages) - 1].cursor, True
        return disclosure_service_pb2.ListChangesResponse(
            changes=messages,
            cursor=self._use.pages.write(cursor_name(cursor), call),
            has_more=has_more,
        )

    def _part(self, part: Disclosed | bytes) -> disclosure_service_pb2.DiscloseDocumentResponse:
        if isinstance(part, Disclosed):
            return disclosure_service_pb2.DiscloseDocumentResponse(disclosure=self._message(part))
        return disclosure_service_pb2.DiscloseDocumentResponse(chunk=part)

    def _message(self, disclosed: Disclosed) -> disclosure_service_pb2.DiscloseEvidenceResponse:
        return disclosed_message(disclosed, self._use.positions.write(disclosed.sizes))
