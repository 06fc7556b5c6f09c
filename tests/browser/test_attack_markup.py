# SPDX-License-Identifier: Apache-2.0
"""Markup in everything that others can write stands on the pages as text, and as nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from html import escape
from typing import Final
from urllib.parse import urlencode

import pytest

from clients.demo import asking, fetching, letter, provider, transfer
from clients.demo.giving import HERSELF, begin, fill_in
from clients.demo.people import EMLYN, OPERATOR
from clients.demo.story import new_id
from clients.demo.things import things_of
from tests.browser.belongings import ASKED, names_in, path_of, routes
from tests.browser.crawling import crawl
from tests.browser.kinds import DESKTOP, OpenPage, SignIn
from tests.browser.site import Person, Site, opened
from tests.browser.visiting import Visitor, forms_of
from vault.api.v1 import registry_pb2, registry_service_pb2
from vault.api.v1.consent_pb2 import RequestedScope
from vault.api.v1.evidence_service_pb2 import DisputeEvidenceRequest, ListEvidenceRequest

_MARKUP: Final = (
    "</title></textarea>'\"><evil-mark onclick=evil()>{{7*7}}</evil-mark><script>evil()</script>"
)
_MARK: Final = "<evil-mark onclick=evil()>{{7*7}}</evil-mark>"
_ADDRESS: Final = RequestedScope(evidence_type="postal_address", required=["streetName"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site of its own: what is registered here would stand on everybody's pages."""
    with opened(tmp_path_factory.mktemp("marked")) as running:
        yield running


@pytest.fixture(scope="module")
def marked(site: Site) -> Person:
    """Somebody who types markup wherever she can, asked by an organisation that does so, too."""
    service_id = _register(site)
    asker = site.stage.enter("service", service_id, "Evil")
    sub = site.newcomer("marked")
    story = replace(site.story, mair=site.stage.enter("citizen", sub, "Mair"), brightcare=asker)
    person = Person(sub, story, begin(story.mair))
    fill_in(story.mair, (replace(EMLYN, answers={**EMLYN.answers, "streetName": _MARKUP}),))
    _say_wrong(person)
    said = {"title": _MARKUP, "kind": "medical_letter", "issuedBy": _MARKUP}
    transfer.upload(story.mair, letter.scan(story.today), said, letter.MEDIA_TYPE)
    question = replace(
        provider.question(_ADDRESS), purpose_code="marked", case_ref=_MARKUP, staff_ref=_MARKUP
    )
    handed = asking.ask(asker, question)
    opened_link = asking.open_link(story.mair, handed, story.expect)
    asking.share(story.mair, opened_link.request, things_of([_ADDRESS]), story.expect)
    redeemed = asking.redeem(asker, handed, opened_link.code)
    permission = fetching.Permission(
        redeemed.consent_id, redeemed.subject_id, "marked", _MARKUP, _MARKUP
    )
    fetching.fetch(asker, permission, things_of([_ADDRESS]))
    asking.open_link(story.mair, asking.ask(asker, question), story.expect)
    return person


@pytest.mark.timeout(180)
@pytest.mark.parametrize("language", ["en", "cy"])
def test_markup_of_others_stands_there_as_text(
    open_page: OpenPage, signed_in: SignIn, marked: Person, language: str
) -> None:
    page = signed_in(open_page(**DESKTOP), marked, language)
    spoken: list[str] = []
    page.on("dialog", lambda dialog: (spoken.append(dialog.message), dialog.dismiss()))
    shown = set()

    for kind, response in crawl(page, most=2):
        assert page.locator("evil-mark").count() == 0, kind
        assert page.locator("script", has_text="evil()").count() == 0, kind
        assert "49" not in page.title(), kind
        if _MARK in page.inner_text("main"):
            shown.add(kind)
        assert response.status == 200

    assert spoken == []
    # The request, what is shared, what was seen, the information: it does stand there.
    assert len(shown) >= 4


def test_markup_in_addresses_and_forms_comes_back_as_text(site: Site) -> None:
    mair = Visitor(site.url)
    mair.sign_in(site.person().sub)
    query = urlencode(dict.fromkeys(names_in(ASKED) - {"language"}, _MARKUP))
    forms = list(forms_of(mair))
    came_back = 0

    for route in routes():
        if route.method == "GET" and not route.path.startswith(("/exit", "/signed-in")):
            assert "<evil-mark" not in mair.get(f"{path_of(route, None)}?{query}").text, route.path
    for path, form in forms:
        if form.action == "/sign-out" or "everywhere" in form.action:
            continue
        kept = {"csrf", "once", "shown"}
        fields = [(name, said if name in kept else _MARKUP) for name, said in form.fields]
        answer = mair.post(form.action, fields)
        assert "<evil-mark" not in answer.text, f"{form.action} on {path}"
        came_back += escape(_MARK) in answer.text
    # Where what was typed is wrong, the form is shown again with it.
    assert came_back > 0


def _register(site: Site) -> str:
    """Register an organisation, a service and a purpose, each with markup wherever text can be."""
    registry = site.stage.enter("operator", OPERATOR, "Operator").registry
    text = [registry_pb2.LocalizedText(language=one, text=_MARKUP) for one in ("en", "cy")]
    organisation = registry.RegisterOrganisation(
        registry_service_pb2.RegisterOrganisationRequest(
            request_id=new_id(), name=text, contact=text
        )
    ).organisation
    service_id = registry.RegisterService(
        registry_service_pb2.RegisterServiceRequest(
            request_id=new_id(), organisation_id=organisation.organisation_id, name=text
        )
    ).service.service_id
    bounds = registry_pb2.PurposeBounds()
    bounds.CopyFrom(site.story.brightcare_team.purpose.bounds)
    del bounds.service_ids[:]
    bounds.service_ids.append(service_id)
    said = dict.fromkeys(
        ("title", "why", "if_refused", "if_stopped", "other_ways", "help_line", "needed_by"),
        _MARKUP,
    )
    registry.PublishPurpose(
        registry_service_pb2.PublishPurposeRequest(
            request_id=new_id(),
            purpose_code="marked",
            version=1,
            bounds=bounds,
            texts=[registry_pb2.PurposeTexts(language=one, **said) for one in ("en", "cy")],
        )
    )
    return str(service_id)


def _say_wrong(person: Person) -> None:
    mair = person.story.mair
    (piece,) = mair.evidence.ListEvidence(ListEvidenceRequest(acting=HERSELF)).evidence
    mair.evidence.DisputeEvidence(
        DisputeEvidenceRequest(
            request_id=new_id(),
            acting=HERSELF,
            evidence_id=piece.evidence_id,
            names=["streetName"],
            statement=_MARKUP,
            is_shared=True,
        )
    )
