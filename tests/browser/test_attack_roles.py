# SPDX-License-Identifier: Apache-2.0
"""Each kind of caller on the pages of the others, and one service on the requests of another."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from clients.demo.people import BRIGHTCARE_STAFF, OFFICIAL
from clients.web.room import Route
from tests.browser.belongings import NOWHERE, names_somebody, path_of, routes
from tests.browser.site import Person, Site
from tests.browser.visiting import Answer, Visitor
from vault.api.v1.consent_service_pb2 import ListRequestsRequest

ROLES = ("citizen", "official", "staff")
STAFF = [route for route in routes() if names_somebody(route) and "staff" in route.roles]


@pytest.fixture(scope="module")
def person(site: Site) -> Person:
    return site.person()


@pytest.fixture(scope="module")
def visitors(site: Site, person: Person) -> Mapping[str, Visitor]:
    service_id = site.story.brightcare_team.service_id
    found = {role: Visitor(site.url) for role in ROLES}
    found["citizen"].sign_in(person.sub)
    found["official"].sign_in(OFFICIAL, "official")
    found["staff"].sign_in(BRIGHTCARE_STAFF, "staff", service_id)
    return found


@pytest.fixture(scope="module")
def asked(person: Person) -> Mapping[str, str]:
    """A request of each of two services, by the name of the organisation."""
    story = person.story
    listed = story.mair.consents.ListRequests(ListRequestsRequest(page_size=500))
    by_service = {one.service_id: one.consent_request_id for one in listed.consent_requests}
    return {
        team.organisation: by_service[team.service_id]
        for team in (story.council_team, story.brightcare_team)
    }


@pytest.mark.parametrize("route", routes(), ids=lambda route: f"{route.method} {route.path}")
def test_a_page_is_there_for_those_whom_it_is_for_alone(
    route: Route, visitors: Mapping[str, Visitor]
) -> None:
    for role, visitor in visitors.items():
        if role not in route.roles:
            assert _sent(visitor, route, path_of(route, None)).status == 404, role


@pytest.mark.parametrize("route", routes(), ids=lambda route: f"{route.method} {route.path}")
def test_nobody_comes_in_without_signing_in(route: Route, site: Site) -> None:
    if "" in route.roles:
        return
    answer = Visitor(site.url).send(route.method, path_of(route, None), b"", {})

    assert answer.status in {303, 403, 411}
    assert answer.status != 303 or answer.location.startswith("/welcome-back?")


def test_an_official_sees_nobodys_pages_before_she_opens_them(
    visitors: Mapping[str, Visitor],
) -> None:
    for path in ("/", "/information", "/sharing", "/seen", "/requests"):
        assert visitors["official"].get(path).location == "/help"


@pytest.mark.parametrize("route", STAFF, ids=lambda route: f"{route.method} {route.path}")
def test_staff_find_nothing_of_another_service(
    route: Route, visitors: Mapping[str, Visitor], asked: Mapping[str, str], site: Site
) -> None:
    staff, path = visitors["staff"], path_of(route, None)
    council = path.replace(NOWHERE, asked[site.story.council_team.organisation])
    brightcare = path.replace(NOWHERE, asked[site.story.brightcare_team.organisation])

    assert _sent(staff, route, council).status == 404
    if route.method == "GET":
        assert _sent(staff, route, brightcare).status != 404


def _sent(visitor: Visitor, route: Route, path: str) -> Answer:
    if route.method == "GET":
        return visitor.get(path)
    return visitor.post(path, [("csrf", visitor.csrf("/about"))])
