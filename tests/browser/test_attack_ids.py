# SPDX-License-Identifier: Apache-2.0
"""Another citizen's ids, in every address and every form that there is: not there.

Routes and forms are found, not listed: a new one is tried without being named.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from clients.web.room import Route
from tests.browser.belongings import (
    NOWHERE,
    Belongings,
    belongings_of,
    names_somebody,
    path_of,
    paths_of,
    routes,
)
from tests.browser.riches import enrich
from tests.browser.site import Person, Site
from tests.browser.visiting import Answer, FormOnPage, Visitor, forms_of
from vault.api.v1.vault_service_pb2 import ListHistoryRequest

NAMING = [route for route in routes() if names_somebody(route) and "citizen" in route.roles]


@dataclass(frozen=True)
class Two:
    """Mair, signed in, and Nia, who never let her see anything."""

    mair: Visitor
    hers: Belongings
    nia: Person
    nias: Belongings

    def history(self) -> list[int]:
        """Return the entries of Nia's history."""
        asked = ListHistoryRequest(page_size=500)
        listed = self.nia.story.mair.vaults.ListHistory(asked)
        return [entry.version for entry in listed.entries]


@pytest.fixture(scope="module")
def two(site: Site) -> Two:
    mair, nia = enrich(site.person()), enrich(site.person("nia"))
    visitor = Visitor(site.url)
    visitor.sign_in(mair.sub)
    return Two(visitor, belongings_of(mair), nia, belongings_of(nia))


def test_there_is_much_to_try(two: Two) -> None:
    assert {"consent_id", "consent_request_id", "evidence_id"} <= two.nias.ids.keys()
    assert not two.hers.all & two.nias.all
    assert len(NAMING) > 8


@pytest.mark.parametrize("route", NAMING, ids=lambda route: f"{route.method} {route.path}")
def test_another_citizens_ids_are_not_there(route: Route, two: Two) -> None:
    before = two.history()
    token = [("csrf", two.mair.csrf())]
    for path in paths_of(route, two.nias):
        answer = two.mair.get(path) if route.method == "GET" else two.mair.post(path, token)

        assert _ends_at(two.mair, answer) == 404
    assert two.history() == before


@pytest.mark.parametrize(
    "route", [route for route in NAMING if route.method == "GET"], ids=lambda route: route.path
)
def test_her_own_are(route: Route, two: Two) -> None:
    # Which of what she said is wrong, the one page asks that needs to know.
    which = f"?which={two.hers.of('dispute_id')}"

    assert {two.mair.get(path + which).status for path in paths_of(route, two.hers)} != {404}


def test_what_is_not_there_is_answered_as_what_is_not_hers(two: Two) -> None:
    for route in NAMING:
        if route.method == "GET":
            nowhere = two.mair.get(path_of(route, None))
            nias = two.mair.get(path_of(route, two.nias))
            assert _without_secrets(nowhere.text) == _without_secrets(nias.text), route.path


def test_no_form_takes_another_citizens_ids(two: Two) -> None:
    """A field that may only have what was offered is refused (422) for anything else alike."""
    before, tried = two.history(), set[str]()
    for path, form in forms_of(two.mair):
        for field, value in form.fields:
            nias = two.hers.in_place_of(value, two.nias)
            if nias != value:
                tried.add(field)
                answers = [
                    two.mair.post(form.action, _swapped(form, field, value, other))
                    for other in (nias, NOWHERE)
                ]
                statuses = {answer.status for answer in answers}
                assert statuses in ({404}, {422}), f"{field} in {form.action} on {path}"
    assert two.history() == before
    assert tried


def _swapped(form: FormOnPage, field: str, value: str, other: str) -> list[tuple[str, str]]:
    return [
        (name, other) if (name, said) == (field, value) else (name, said)
        for name, said in form.fields
    ]


def _ends_at(visitor: Visitor, answer: Answer) -> int:
    """Return with which status it ends where an answer leads, a few pages on."""
    for _ in range(3):
        if answer.status != 303:
            break
        answer = visitor.get(answer.location)
    return answer.status


def _without_secrets(text: str) -> list[str]:
    """Return the lines of a page that are the same for every visit."""
    return [line for line in text.splitlines() if "csrf" not in line and "language=" not in line]
