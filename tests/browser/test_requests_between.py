# SPDX-License-Identifier: Apache-2.0
"""What comes between her reading and her deciding: told plainly, and nothing is shared by it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import pytest

from clients.demo.story import new_id
from clients.web.sessions import Sessions
from tests.browser import asks
from tests.browser.site import Person, Site
from tests.browser.visiting import Answer, Visitor
from vault.api.v1.consent_service_pb2 import ListConsentsRequest
from vault.api.v1.evidence_pb2 import EVIDENCE_SOURCE_SELF_DECLARED
from vault.api.v1.evidence_service_pb2 import (
    ListEvidenceRequest,
    ProtectEvidenceRequest,
    ReplaceEvidenceRequest,
)
from vault.server.development.issuer import DevelopmentIssuer

NEW_ADDRESS = {
    "addressCountry": "GB",
    "addressLocality": "Aber",
    "buildingNumber": "2",
    "postalCode": "SY29 4ZZ",
    "streetName": "Stryd Fawr",
}
AUDIENCE = "citizen-vault"
ISSUER_KEY = "development-issuer.json"
CHOICE = [("versions", "follow")]


@dataclass(frozen=True)
class Asked:
    """Somebody who opened a link and chose, in a browser of hers."""

    person: Person
    visitor: Visitor
    link: asks.Link
    path: str

    def send(self, page: str, *more: tuple[str, str]) -> Answer:
        """Send the form of a page as it stands there."""
        form = next(
            one for one in self.visitor.forms(self.path + page) if one.action == self.path + page
        )
        fields = [*form.fields, *more]
        return self.visitor.post(form.action, fields)

    def checked(self) -> list[tuple[str, str]]:
        """Return the fields of the page on which she checks what is sent."""
        return next(
            one.fields
            for one in self.visitor.forms(f"{self.path}/check")
            if one.action == f"{self.path}/check"
        )

    def shared(self) -> bool:
        """Say whether it is shared."""
        request = ListConsentsRequest(page_size=500)
        found = self.person.story.mair.consents.ListConsents(request).consents
        asked = self.link.request.consent_request_id
        return asked in {one.consent_request_id for one in found}


@pytest.fixture
def asked(site: Site) -> Asked:
    person, visitor = site.person(), Visitor(site.url)
    visitor.sign_in(person.sub)
    link = asks.link(person.story)
    path = f"/requests/{link.request.consent_request_id}"
    answer = visitor.post(link.path, [("csrf", visitor.csrf()), ("once", new_id())])
    assert answer.location == path
    found = Asked(person, visitor, link, path)
    token = [("csrf", visitor.csrf())]
    assert visitor.post(path, [*token, *CHOICE]).location == f"{path}/check"
    return found


def approve(asked: Asked, fields: list[tuple[str, str]]) -> str:
    """Press "share" and sign in once more; return where that leads."""
    sent = asked.visitor.post(f"{asked.path}/check", fields)
    back = asked.visitor.approved(sent.location, asked.person.sub)
    return asked.visitor.get(back).location


def replace_address(person: Person) -> None:
    """Let her move, in another window."""
    evidence = person.story.mair.evidence
    pieces = evidence.ListEvidence(ListEvidenceRequest(page_size=500)).evidence
    address = next(piece for piece in pieces if piece.evidence_type == "postal_address")
    evidence.ReplaceEvidence(
        ReplaceEvidenceRequest(
            request_id=new_id(),
            evidence_id=address.evidence_id,
            values=json.dumps(NEW_ADDRESS).encode(),
            source=EVIDENCE_SOURCE_SELF_DECLARED,
        )
    )


def test_it_is_shared_where_nothing_comes_between(asked: Asked) -> None:
    assert not asked.shared()
    assert approve(asked, asked.checked()) == f"{asked.path}/done"
    assert asked.shared()


def test_nothing_is_shared_before_she_signed_in_again(asked: Asked) -> None:
    sent = asked.visitor.post(f"{asked.path}/check", asked.checked())

    assert "/authorize?" in sent.location
    assert "prompt=login" in sent.location
    assert not asked.shared()


def test_somebody_else_who_signs_in_there_shares_nothing(asked: Asked, site: Site) -> None:
    sent = asked.visitor.post(f"{asked.path}/check", asked.checked())
    back = asked.visitor.approved(sent.location, site.newcomer())

    assert asked.visitor.get(back).status == 400
    assert not asked.shared()


def test_a_page_that_another_window_made_old_shares_nothing(asked: Asked) -> None:
    old = asked.checked()
    asked.checked()

    sent = asked.visitor.post(f"{asked.path}/check", old)

    assert sent.location == f"{asked.path}/check"
    assert "Something changed while you were deciding." in asked.visitor.get(sent.location).text
    # It is said once: the page after that is as before.
    assert "Something changed" not in asked.visitor.get(sent.location).text
    assert not asked.shared()


def test_what_she_changed_meanwhile_is_shown_again(asked: Asked) -> None:
    token = [("csrf", asked.visitor.csrf())]
    asked.visitor.post(asked.path, [*token, ("versions", "this")])
    fields = asked.checked()
    replace_address(asked.person)

    where = approve(asked, fields)

    page = asked.visitor.get(where).text
    assert where == f"{asked.path}/check"
    assert "Something changed while you were deciding. Nothing is shared." in page
    assert "Stryd Fawr" in page
    assert not asked.shared()
    assert approve(asked, asked.checked()) == f"{asked.path}/done"


def test_a_request_that_is_taken_back_can_no_longer_be_answered(asked: Asked) -> None:
    fields = asked.checked()
    asked.link.cancel()

    where = approve(asked, fields)

    page = asked.visitor.get(where).text
    assert where == asked.path
    assert "They took this back. There is nothing left to answer." in page
    assert "They took it back" in page
    assert asked.path + "/no" not in page
    assert asked.visitor.get(f"{asked.path}/check").location == asked.path
    assert asked.visitor.get(f"{asked.path}/no").location == asked.path
    assert asked.visitor.get(f"{asked.path}/done").location == asked.path


def test_no_after_yes_changes_nothing(asked: Asked) -> None:
    no = next(
        one for one in asked.visitor.forms(f"{asked.path}/no") if one.action == f"{asked.path}/no"
    )
    approve(asked, asked.checked())

    where = asked.visitor.post(no.action, no.fields).location

    assert "You have answered this already." in asked.visitor.get(where).text
    assert asked.shared()


def test_a_link_of_hers_opens_twice_and_leads_back_the_same(asked: Asked) -> None:
    token = [("csrf", asked.visitor.csrf())]
    address = way_back(asked)
    other = Visitor(asked.visitor.url)
    other.sign_in(asked.person.sub)
    # Where it was not opened there is no way back.
    assert "way-back" not in other.get(asked.path).text

    assert asked.visitor.post(asked.link.path, token).location == asked.path
    assert way_back(asked) == address
    assert asked.link.redeemed(address).subject_id


def test_somebody_elses_link_is_told_plainly(asked: Asked, site: Site) -> None:
    nia, visitor = site.person("nia"), Visitor(site.url)
    visitor.sign_in(nia.sub)

    answer = visitor.post(asked.link.path, [("csrf", visitor.csrf())])

    assert answer.status == 409
    assert "Somebody else has already opened this link." in answer.text
    assert visitor.get(asked.path).status == 404


def test_an_address_leads_nowhere_but_where_they_said(asked: Asked) -> None:
    page = asked.visitor.get(f"{asked.path}?return_uri=https://evil.example&back=//evil.example")

    # The link to the other language keeps what was asked for: that is no address of another site.
    assert not re.search(r'(href|action|src)="(https?:)?/[^"?]*evil', page.text)
    assert way_back(asked).startswith(f"{asks.BACK}&code=")


def test_what_is_kept_specially_safe_is_read_only_just_after_signing_in(
    asked: Asked, site: Site
) -> None:
    evidence = asked.person.story.mair.evidence
    for piece in evidence.ListEvidence(ListEvidenceRequest(page_size=500)).evidence:
        if piece.evidence_type == "postal_address":
            request = ProtectEvidenceRequest(
                request_id=new_id(), evidence_id=piece.evidence_id, is_protected=True
            )
            evidence.ProtectEvidence(request)
    assert "Heol yr Afon" in asked.visitor.get(asked.path).text

    signed_in_long_ago(asked, site)
    page = asked.visitor.get(asked.path).text
    check = asked.visitor.get(f"{asked.path}/check")
    again = asked.visitor.get(f"/sign-in/again?back={asked.path}").location

    assert "Heol yr Afon" not in page
    assert f'href="/sign-in/again?back={asked.path}"' in page
    assert "kept specially safe: not shown here now" in page
    assert (check.status, "Heol yr Afon" in check.text) == (403, False)
    back = asked.visitor.approved(again, asked.person.sub)
    assert asked.visitor.get(back).location == asked.path
    assert "Heol yr Afon" in asked.visitor.get(asked.path).text


def signed_in_long_ago(asked: Asked, site: Site) -> None:
    """Let it be long ago that she showed who she is."""
    sessions = Sessions(site.folder / "web" / "sessions.db")
    session = sessions.find(asked.visitor.secret)
    assert session is not None
    issuer = DevelopmentIssuer("development", AUDIENCE, site.folder / "data" / ISSUER_KEY)
    session.token = issuer.token("citizen", asked.person.sub, auth_time=1_700_000_000)
    issuer.close()
    sessions.keep(session)
    sessions.close()


def way_back(asked: Asked) -> str:
    """Return where the page of the request leads back to."""
    found = re.search(r'id="way-back"[^>]* href="([^"]+)"', asked.visitor.get(asked.path).text)
    assert found
    return found[1].replace("&amp;", "&")
