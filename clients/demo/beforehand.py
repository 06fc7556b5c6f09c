# SPDX-License-Identifier: Apache-2.0
"""What has happened before somebody first opens the pages as Mair, so that there is much to see.

She has given her information. BrightCare sees her address, has used it once and tried for more;
an earlier permission of theirs she stopped, and they tried again. Aber Council is waiting.
"""

from typing import Final

from clients.demo import asking, council, fetching, provider
from clients.demo.giving import HERSELF, begin, fill_in, list_evidence
from clients.demo.people import BRIGHTCARE_CASE, BRIGHTCARE_STAFF, forms
from clients.demo.story import Story, new_id
from clients.demo.things import Thing, things_of
from vault.api.v1.consent_pb2 import RequestedScope
from vault.api.v1.consent_service_pb2 import ListRequestsRequest, RevokeConsentRequest
from vault.api.v1.contact_pb2 import Contact
from vault.api.v1.vault_service_pb2 import SetContactRequest

CONTACT: Final = Contact(email="mair@post.example", language="en")
"""Where she is told what happens."""

_BANK_ACCOUNT: Final = (Thing("bank_account", ("accountNumber", "sortCode")),)


def live(story: Story) -> str:
    """Let it all happen, unless it has; return the id of her vault."""
    vault_id = begin(story.mair)
    if not list_evidence(story.mair):
        story.mair.vaults.SetContact(
            SetContactRequest(request_id=new_id(), acting=HERSELF, contact=CONTACT)
        )
        fill_in(story.mair, forms(story.today))
    if not story.mair.consents.ListRequests(ListRequestsRequest(page_size=1)).consent_requests:
        _stop_one(story)
        _share_one(story)
        be_asked(story)
    return vault_id


def be_asked(story: Story) -> asking.Opened:
    """Let Aber Council ask her; she has opened the link, and not decided."""
    handed = asking.ask(story.council, council.QUESTION)
    return asking.open_link(story.mair, handed, story.expect)


def _stop_one(story: Story) -> None:
    permission = _share(story, provider.ADDRESS)
    _fetch(story, permission)
    story.mair.consents.RevokeConsent(
        RevokeConsentRequest(request_id=new_id(), acting=HERSELF, consent_id=permission.consent_id)
    )
    story.expect.refused(
        "their next fetch is refused", "CONSENT_REVOKED", lambda: _fetch(story, permission)
    )


def _share_one(story: Story) -> None:
    permission = _share(story, provider.ADDRESS)
    _fetch(story, permission)
    story.expect.refused(
        "a bank account was not shared with them",
        "FIELD_NOT_GRANTED",
        lambda: fetching.fetch(story.brightcare, permission, _BANK_ACCOUNT),
    )
    story.attempt("FIELD_NOT_GRANTED")


def _fetch(story: Story, permission: fetching.Permission) -> None:
    fetching.fetch(story.brightcare, permission, things_of([provider.ADDRESS]))


def _share(story: Story, scope: RequestedScope) -> fetching.Permission:
    handed = asking.ask(story.brightcare, provider.question(scope))
    opened = asking.open_link(story.mair, handed, story.expect)
    asking.share(story.mair, opened.request, things_of(opened.request.scope), story.expect)
    redeemed = asking.redeem(story.brightcare, handed, opened.code)
    return fetching.Permission(
        consent_id=redeemed.consent_id,
        subject_id=redeemed.subject_id,
        purpose_code=story.brightcare_team.purpose.purpose_code,
        case_ref=BRIGHTCARE_CASE,
        staff_ref=BRIGHTCARE_STAFF,
    )
