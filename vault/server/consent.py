# SPDX-License-Identifier: Apache-2.0
"""`ConsentService`: services ask, citizens decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vault.api.v1 import consent_service_pb2
from vault.server.call import Call
from vault.server.convert import consent as convert
from vault.server.convert.log import receipt_message
from vault.server.convert.vault import acting_from, approval_from
from vault.server.services import UseCases

if TYPE_CHECKING:
    from vault.application.caller import Answer
    from vault.application.consents import ConsentView


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
        )
        token = answer.value.handoff_token
        return consent_service_pb2.RequestConsentResponse(
            consent_request=convert.request_message(answer.value.view),
            handoff_token=token,
            handoff_uri=f"{self._handoff_base_uri}/{token}",
            position_token=self._use.positions.write(answer.tree_size),
        )

    async def ClaimRequest(
        self, request: consent_service_pb2.ClaimRequestRequest, call: Call
    ) -> consent_service_pb2.ClaimRequestResponse:
        """Take a request into the caller's vault."""
        answer = await self._use.requests.claim(
            call.caller,
            acting_from(request.acting),
            request.request_id,
            request.handoff_token,
        )
        claimed = answer.value
        return consent_service_pb2.ClaimRequestResponse(
            consent_request=convert.request_message(claimed.view),
            code=claimed.code,
            state=claimed.state,
            return_uri=claimed.return_uri,
            position_token=self._use.positions.write(answer.tree_size),
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
            position_token=self._use.positions.write(answer.tree_size),
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
        """List the requests that the caller claimed, newest first."""
        await self._use.seen(request.position_token, call)
        views = await self._use.requests.list(call.caller, acting_from(request.acting))
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
        )
        return consent_service_pb2.PreviewConsentResponse(
            consent=convert.preview_message(preview),
            shown=convert.shown_message(preview),
            shown_bytes=preview.shown_bytes,
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
            approval=approval_from(request.approval),
        )
        return consent_service_pb2.GrantConsentResponse(
            consent=convert.consent_message(answer.value),
            receipt=receipt_message(answer.receipt),
            position_token=self._use.positions.write(answer.tree_size),
        )

    async def RevokeConsent(
        self, request: consent_service_pb2.RevokeConsentRequest, call: Call
    ) -> consent_service_pb2.RevokeConsentResponse:
        """Revoke a consent."""
        answer: Answer[ConsentView] = await self._use.consents.revoke(
            call.caller,
            acting_from(request.acting),
            request.request_id,
            request.consent_id.lower(),
        )
        return consent_service_pb2.RevokeConsentResponse(
            consent=convert.consent_message(answer.value),
            receipt=receipt_message(answer.receipt),
            position_token=self._use.positions.write(answer.tree_size),
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
        """List the caller's consents, newest first."""
        await self._use.seen(request.position_token, call)
        views = await self._use.consents.list(call.caller, acting_from(request.acting))
        page, token = await self._use.pages.page(
            views, lambda view: view.consent_id, request, call, convert.consent_message
        )
        return consent_service_pb2.ListConsentsResponse(consents=page, next_page_token=token)
