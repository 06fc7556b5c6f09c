# SPDX-License-Identifier: Apache-2.0
"""`ConsentService`: services ask, citizens decide."""

from __future__ import annotations

from projections.consent_register import NEWEST, ConsentRow, RequestRow, RowKey
from vault.api.v1 import consent_pb2, consent_service_pb2
from vault.application.consents import ConsentView
from vault.domain.errors import TokenInvalidError
from vault.server.call import Call
from vault.server.convert import consent as convert
from vault.server.convert.approval import agreement_from, challenge_message
from vault.server.convert.log import receipt_message
from vault.server.convert.paths import of_narrowing, renamed
from vault.server.convert.times import time_from
from vault.server.convert.vault import acting_from
from vault.server.paging import DEFAULT_SIZE
from vault.server.services import UseCases


class ConsentHandler:
    """Handles `vault.api.v1.ConsentService`."""

    def __init__(self, use_cases: UseCases, handoff_base_uri: str) -> None:
        self._use = use_cases
        self._handoff_base_uri = handoff_base_uri.rstrip("/")

    async def RequestConsent(
        self, request: consent_service_pb2.RequestConsentRequest, call: Call
    ) -> consent_service_pb2.RequestConsentResponse:
        """Ask a citizen for evidence."""
        answer = await self._use.requests.ask(
            call.caller,
            request.request_id,
            convert.question_from(request),
            convert.said_from(request),
            validate_only=request.validate_only,
        )
        token = answer.value.handoff_token
        return consent_service_pb2.RequestConsentResponse(
            consent_request=convert.request_message(answer.value.view),
            handoff_token=token,
            handoff_uri=f"{self._handoff_base_uri}/{token}" if token else "",
            position_token=self._use.positions.write(answer.sizes),
            short_code=answer.value.short_code,
        )

    async def CancelRequest(
        self, request: consent_service_pb2.CancelRequestRequest, call: Call
    ) -> consent_service_pb2.CancelRequestResponse:
        """Take a request back."""
        answer = await self._use.requests.cancel(
            call.caller, request.request_id, request.consent_request_id.lower()
        )
        return consent_service_pb2.CancelRequestResponse(
            consent_request=convert.request_message(answer.value),
            position_token=self._use.positions.write(answer.sizes),
        )

    async def ClaimRequest(
        self, request: consent_service_pb2.ClaimRequestRequest, call: Call
    ) -> consent_service_pb2.ClaimRequestResponse:
        """Take a request into the caller's vault."""
        answer = await self._use.claims.claim(
            call.caller,
            acting_from(request.acting),
            request.request_id,
            handoff_token=request.handoff_token,
            short_code=request.short_code,
        )
        claimed = answer.value
        return consent_service_pb2.ClaimRequestResponse(
            consent_request=convert.request_message(claimed.view),
            code=claimed.code,
            state=claimed.state,
            return_uri=claimed.return_uri,
            position_token=self._use.positions.write(answer.sizes),
        )

    async def RedeemCode(
        self, request: consent_service_pb2.RedeemCodeRequest, call: Call
    ) -> consent_service_pb2.RedeemCodeResponse:
        """Redeem the code that came back."""
        answer = await self._use.requests.redeem(
            call.caller,
            request.request_id,
            request.consent_request_id.lower(),
            request.code,
            request.code_verifier,
        )
        return consent_service_pb2.RedeemCodeResponse(
            consent_request=convert.request_message(answer.value),
            position_token=self._use.positions.write(answer.sizes),
        )

    async def GetRequest(
        self, request: consent_service_pb2.GetRequestRequest, call: Call
    ) -> consent_service_pb2.GetRequestResponse:
        """Return a request."""
        await self._use.seen(request.position_token, call)
        view = await self._use.requests.get(
            call.caller, acting_from(request.acting), request.consent_request_id.lower()
        )
        return consent_service_pb2.GetRequestResponse(consent_request=convert.request_message(view))

    async def ListRequests(
        self, request: consent_service_pb2.ListRequestsRequest, call: Call
    ) -> consent_service_pb2.ListRequestsResponse:
        """List requests, newest first."""
        if call.caller.service:
            return await self._requests_of_service(request, call)
        await self._use.seen(request.position_token, call)
        # Refused before an official's look is recorded.
        self._use.pages.read(request.page_token, call)
        views = await self._use.requests.list(
            call.caller, acting_from(request.acting), only_pending=request.only_pending
        )
        page, token = await self._use.pages.page(
            views, lambda view: view.consent_request_id, request, call, convert.request_message
        )
        return consent_service_pb2.ListRequestsResponse(
            consent_requests=page, next_page_token=token
        )

    async def PreviewConsent(
        self, request: consent_service_pb2.PreviewConsentRequest, call: Call
    ) -> consent_service_pb2.PreviewConsentResponse:
        """Return what a choice would come to."""
        await self._use.seen(request.position_token, call)
        preview = await self._use.consents.preview(
            call.caller,
            acting_from(request.acting),
            request.consent_request_id.lower(),
            convert.choice_from(request.choice),
            without_values=request.without_values,
        )
        return consent_service_pb2.PreviewConsentResponse(
            consent=convert.preview_message(preview),
            shown=convert.shown_message(preview),
            shown_bytes=preview.shown_bytes,
            bundle=preview.bundle,
            approval_challenge=challenge_message(preview.challenge),
        )

    async def GrantConsent(
        self, request: consent_service_pb2.GrantConsentRequest, call: Call
    ) -> consent_service_pb2.GrantConsentResponse:
        """Grant a consent exactly as it was shown."""
        shown, shown_hash = convert.shown_from(request.shown)
        answer = await self._use.consents.grant(
            call.caller,
            acting_from(request.acting),
            request.request_id,
            consent_request_id=request.consent_request_id.lower(),
            choice=convert.choice_from(request.choice),
            shown=shown,
            shown_hash=shown_hash,
            agreement=agreement_from(request.approval),
        )
        return consent_service_pb2.GrantConsentResponse(
            consent=convert.consent_message(answer.value),
            receipt=receipt_message(answer.receipt),
            position_token=self._use.positions.write(answer.sizes),
        )

    async def RefuseConsent(
        self, request: consent_service_pb2.RefuseConsentRequest, call: Call
    ) -> consent_service_pb2.RefuseConsentResponse:
        """Say no to a request."""
        answer = await self._use.consents.refuse(
            call.caller,
            acting_from(request.acting),
            request.request_id,
            request.consent_request_id.lower(),
            agreement_from(request.approval),
        )
        return consent_service_pb2.RefuseConsentResponse(
            consent_request=convert.request_as_of(answer.value, self._use.store.clock.now()),
            receipt=receipt_message(answer.receipt),
            position_token=self._use.positions.write(answer.sizes),
        )

    async def NarrowConsent(
        self, request: consent_service_pb2.NarrowConsentRequest, call: Call
    ) -> consent_service_pb2.NarrowConsentResponse:
        """Share less under the same consent."""
        with renamed(of_narrowing):
            answer = await self._use.amendments.narrow(
                call.caller,
                acting_from(request.acting),
                request.request_id,
                consent_id=request.consent_id.lower(),
                narrowing=convert.narrowing_from(request),
                agreement=agreement_from(request.approval),
                validate_only=request.validate_only,
            )
        return consent_service_pb2.NarrowConsentResponse(
            consent=convert.consent_message(answer.value.view),
            difference=convert.difference_message(answer.value.difference),
            receipt=receipt_message(answer.receipt),
            position_token=self._use.positions.write(answer.sizes),
        )

    async def ExtendConsent(
        self, request: consent_service_pb2.ExtendConsentRequest, call: Call
    ) -> consent_service_pb2.ExtendConsentResponse:
        """Share for longer under the same consent, or show what that would come to."""
        acting, consent_id = acting_from(request.acting), request.consent_id.lower()
        end = time_from(request.end_time, "end_time")
        if request.validate_only:
            answer = await self._use.amendments.preview_extension(
                call.caller, acting, consent_id, end
            )
        else:
            shown, shown_hash = convert.shown_from(request.shown)
            answer = await self._use.amendments.extend(
                call.caller,
                acting,
                request.request_id,
                consent_id=consent_id,
                end=end,
                shown=shown,
                shown_hash=shown_hash,
                agreement=agreement_from(request.approval),
            )
        preview = answer.value.preview
        return consent_service_pb2.ExtendConsentResponse(
            consent=convert.consent_message(answer.value.view),
            difference=convert.difference_message(answer.value.difference),
            shown=convert.shown_message(preview) if preview else None,
            shown_bytes=preview.shown_bytes if preview else b"",
            receipt=receipt_message(answer.receipt),
            position_token=self._use.positions.write(answer.sizes),
            approval_challenge=challenge_message(preview.challenge) if preview else None,
        )

    async def PauseConsent(
        self, request: consent_service_pb2.PauseConsentRequest, call: Call
    ) -> consent_service_pb2.PauseConsentResponse:
        """Pause a consent."""
        answer = await self._use.amendments.pause(
            call.caller,
            acting_from(request.acting),
            request.request_id,
            request.consent_id.lower(),
            agreement_from(request.approval),
        )
        return consent_service_pb2.PauseConsentResponse(
            consent=convert.consent_message(answer.value),
            receipt=receipt_message(answer.receipt),
            position_token=self._use.positions.write(answer.sizes),
        )

    async def ResumeConsent(
        self, request: consent_service_pb2.ResumeConsentRequest, call: Call
    ) -> consent_service_pb2.ResumeConsentResponse:
        """Let a paused consent go on, or show what that would be."""
        acting, consent_id = acting_from(request.acting), request.consent_id.lower()
        if request.validate_only:
            found = await self._use.amendments.preview_resumption(call.caller, acting, consent_id)
            preview = found.value.preview
            return consent_service_pb2.ResumeConsentResponse(
                consent=convert.consent_message(found.value.view),
                position_token=self._use.positions.write(found.sizes),
                shown=convert.shown_message(preview),
                shown_bytes=preview.shown_bytes,
                approval_challenge=challenge_message(preview.challenge),
            )
        answer = await self._use.amendments.resume(
            call.caller,
            acting,
            request.request_id,
            consent_id,
            agreement_from(request.approval),
            shown=convert.shown_from(request.shown) if request.HasField("shown") else None,
        )
        return consent_service_pb2.ResumeConsentResponse(
            consent=convert.consent_message(answer.value),
            receipt=receipt_message(answer.receipt),
            position_token=self._use.positions.write(answer.sizes),
        )

    async def RevokeConsent(
        self, request: consent_service_pb2.RevokeConsentRequest, call: Call
    ) -> consent_service_pb2.RevokeConsentResponse:
        """Revoke a consent."""
        answer = await self._use.amendments.revoke(
            call.caller,
            acting_from(request.acting),
            request.request_id,
            request.consent_id.lower(),
            agreement_from(request.approval),
        )
        return consent_service_pb2.RevokeConsentResponse(
            consent=convert.consent_message(answer.value),
            receipt=receipt_message(answer.receipt),
            position_token=self._use.positions.write(answer.sizes),
        )

    async def GetConsent(
        self, request: consent_service_pb2.GetConsentRequest, call: Call
    ) -> consent_service_pb2.GetConsentResponse:
        """Return a consent."""
        await self._use.seen(request.position_token, call)
        view = await self._use.consents.get(
            call.caller,
            acting_from(request.acting),
            request.consent_id.lower(),
            request.subject_id.lower(),
        )
        return consent_service_pb2.GetConsentResponse(consent=convert.consent_message(view))

    async def ListConsents(
        self, request: consent_service_pb2.ListConsentsRequest, call: Call
    ) -> consent_service_pb2.ListConsentsResponse:
        """List consents, newest first."""
        if call.caller.service:
            return await self._consents_of_service(request, call)
        await self._use.seen(request.position_token, call)
        self._use.pages.read(request.page_token, call)
        views = await self._use.consents.list(call.caller, acting_from(request.acting))
        page, token = await self._use.pages.page(
            views, lambda view: view.consent_id, request, call, convert.consent_message
        )
        return consent_service_pb2.ListConsentsResponse(consents=page, next_page_token=token)

    async def GetConsentReceipt(
        self, request: consent_service_pb2.GetConsentReceiptRequest, call: Call
    ) -> consent_service_pb2.GetConsentReceiptResponse:
        """Return the receipt of a consent, for other programs to read."""
        await self._use.seen(request.position_token, call)
        has_time = request.HasField("as_of_time")
        receipt = await self._use.consent_receipts.get(
            call.caller,
            acting_from(request.acting),
            request.consent_id.lower(),
            request.subject_id.lower(),
            time_from(request.as_of_time, "as_of_time") if has_time else None,
        )
        return consent_service_pb2.GetConsentReceiptResponse(receipt=receipt)

    async def _requests_of_service(
        self, request: consent_service_pb2.ListRequestsRequest, call: Call
    ) -> consent_service_pb2.ListRequestsResponse:
        now = self._use.store.clock.now()
        kind = "pending" if request.only_pending else ""
        before = _key_from(self._use.pages.read(request.page_token, call, kind))
        register = await self._use.register.wait(
            self._use.seen_sizes(request.position_token), call.deadline
        )
        rows = await register.requests(
            call.caller.service,
            (request.page_size or DEFAULT_SIZE) + 1,
            before,
            pending_at=now if request.only_pending else None,
        )

        async def build(row: RequestRow) -> consent_pb2.ConsentRequest:
            message = convert.request_as_of(row.request, now)
            message.external_reference = await self._use.requests.reference(
                row.request.consent_request_id
            )
            return message

        page, token = await self._use.pages.rows(rows, _name, request, call, build, kind=kind)
        return consent_service_pb2.ListRequestsResponse(
            consent_requests=page, next_page_token=token
        )

    async def _consents_of_service(
        self, request: consent_service_pb2.ListConsentsRequest, call: Call
    ) -> consent_service_pb2.ListConsentsResponse:
        now = self._use.store.clock.now()
        before = _key_from(self._use.pages.read(request.page_token, call))
        register = await self._use.register.wait(
            self._use.seen_sizes(request.position_token), call.deadline
        )
        rows = await register.consents(
            call.caller.service,
            (request.page_size or DEFAULT_SIZE) + 1,
            before,
        )

        def build(row: ConsentRow) -> consent_pb2.Consent:
            view = ConsentView(
                consent_id=row.consent.terms.consent_id,
                consent=row.consent,
                status=row.consent.status(now),
                shows_evidence=False,
            )
            return convert.consent_message(view)

        page, token = await self._use.pages.rows(rows, _name, request, call, build)
        return consent_service_pb2.ListConsentsResponse(consents=page, next_page_token=token)


def _name(row: ConsentRow | RequestRow) -> str:
    return f"{row.key.time}/{row.key.lane}/{row.key.position}"


def _key_from(name: str) -> RowKey:
    """Return where a page begins; a token from before there were lanes is not read any more.

    Raises:
        TokenInvalidError: if it is such a one.
    """
    if not name:
        return NEWEST
    time, _, place = name.partition("/")
    lane, _, position = place.partition("/")
    if not position:
        raise TokenInvalidError("page_token")
    return RowKey(time, int(lane), int(position))
