# SPDX-License-Identifier: Apache-2.0
"""A service that asks somebody by a link, and takes back what her browser brings."""

from __future__ import annotations

import base64
import hashlib
import urllib.parse
from dataclasses import dataclass
from typing import Any

from clients.demo import asking, provider
from clients.demo.story import Story, new_id, new_secret
from vault.api.v1 import consent_service_pb2 as wire
from vault.api.v1.consent_pb2 import ConsentRequest, RequestedScope

BACK = "https://brightcare.example/back?case=17"


@dataclass(frozen=True)
class Link:
    """A request that was made, and the link to it."""

    story: Story
    request: ConsentRequest
    path: str
    state: str
    verifier: str

    def redeemed(self, address: str) -> ConsentRequest:
        """Redeem the code in the address to which her browser was led back."""
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(address).query))
        assert query["state"] == self.state
        response = self.story.brightcare.consents.RedeemCode(
            wire.RedeemCodeRequest(
                request_id=new_id(),
                consent_request_id=self.request.consent_request_id,
                code=query["code"],
                code_verifier=self.verifier,
            )
        )
        request: ConsentRequest = response.consent_request
        return request

    def cancel(self) -> None:
        """Take the request back."""
        self.story.brightcare.consents.CancelRequest(
            wire.CancelRequestRequest(
                request_id=new_id(), consent_request_id=self.request.consent_request_id
            )
        )


def link(
    story: Story, scope: RequestedScope = provider.ADDRESS, back: str = BACK, **more: Any
) -> Link:
    """Let BrightCare ask by a link that leads back to them."""
    question: asking.Question = provider.question(scope)
    state, verifier = new_secret(), new_secret()
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
    made = story.brightcare.consents.RequestConsent(
        wire.RequestConsentRequest(
            request_id=new_id(),
            purpose_code=question.purpose_code,
            scope=question.scope,
            retention_days=question.retention_days,
            code_challenge=challenge.decode("ascii"),
            state=state,
            return_uri=back,
            **{"frequency": question.frequency, **more},
        )
    )
    path = urllib.parse.urlsplit(made.handoff_uri).path
    return Link(story, made.consent_request, path, state, verifier)
