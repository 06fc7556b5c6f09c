# SPDX-License-Identifier: Apache-2.0
"""Where an address can lead: never to another site, into another site's frame, or past the host.

The parameters that are tried are all that the pages read, found in their source.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlencode, urlsplit

import pytest

from clients.web.room import Route
from tests.browser.belongings import ASKED, TYPED, names_in, path_of, routes
from tests.browser.rules import HEADERS
from tests.browser.site import Site
from tests.browser.visiting import Answer, Visitor

_ELSEWHERE: Final = (
    "https://evil.example/",
    "//evil.example/",
    "/\\evil.example/",
    "\\\\evil.example",
    "https:evil.example",
    "/\t/evil.example/",
    "javascript:alert(1)",
    "/%0d%0aset-cookie:evil=1",
    "/\r\nset-cookie: evil=1",
    "localhost.evil.example",
    "@evil.example/",
    "/@evil.example",
)


@pytest.fixture(scope="module")
def visitors(site: Site) -> tuple[Visitor, Visitor]:
    """Nobody in particular, and Mair."""
    mair = Visitor(site.url)
    mair.sign_in(site.person().sub)
    return Visitor(site.url), mair


def test_the_parameters_are_found() -> None:
    assert {"back", "shared", "as"} <= names_in(ASKED)
    assert "back" in names_in(TYPED)


@pytest.mark.parametrize("place", _ELSEWHERE)
def test_no_parameter_of_a_page_leads_away(
    place: str, site: Site, visitors: tuple[Visitor, Visitor]
) -> None:
    query = urlencode([(name, place) for name in sorted(names_in(ASKED) - {"language"})])
    for visitor in visitors:
        for route in routes():
            if route.method == "GET" and not route.path.startswith(("/exit", "/signed-in")):
                path = path_of(route, None)
                kept = dict(visitor.cookies)
                answer = visitor.get(f"{path}?{query}")
                visitor.cookies.update(kept)
                _stays(answer, site, path)
                switched = visitor.get(f"{path}?{query}&language=cy")
                visitor.cookies.update(kept)
                _stays(switched, site, path)


def test_no_field_of_a_form_leads_away(site: Site) -> None:
    for route in routes():
        if route.method != "POST":
            continue
        visitor = Visitor(site.url)
        visitor.sign_in(site.newcomer())
        token = visitor.csrf("/about")
        for place in _ELSEWHERE[:3]:
            typed = [(name, place) for name in sorted(names_in(TYPED))]
            _stays(visitor.post(path_of(route, None), [("csrf", token), *typed]), site, route.path)


def test_coming_back_from_the_provider_leads_to_our_own_page_only(site: Site) -> None:
    for place in _ELSEWHERE:
        visitor = Visitor(site.url)
        asked = visitor.get("/sign-in?" + urlencode({"back": place})).location
        _stays(visitor.get(visitor.approved(asked, site.newcomer())), site, place)


def test_coming_back_leads_to_the_page_that_was_asked_for(site: Site) -> None:
    visitor = Visitor(site.url)
    asked = visitor.get("/sign-in?back=/seen").location

    assert visitor.get(visitor.approved(asked, site.newcomer())).location == "/seen"


@pytest.mark.parametrize("route", routes(), ids=lambda route: f"{route.method} {route.path}")
def test_no_answer_can_be_framed_or_sniffed(
    route: Route, visitors: tuple[Visitor, Visitor]
) -> None:
    for visitor in visitors:
        kept = dict(visitor.cookies)
        _is_headed(visitor.send(route.method, path_of(route, None), b"", {}))
        visitor.cookies.update(kept)


@pytest.mark.parametrize("path", ["/nowhere", "/static/house.css", "/static/nowhere", "/%2e%2e/x"])
def test_nor_can_what_is_no_page(path: str, visitors: tuple[Visitor, Visitor]) -> None:
    _is_headed(visitors[0].get(path))


@pytest.mark.parametrize(
    "path",
    ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static//etc/passwd"],
)
def test_nothing_but_static_files_is_served(path: str, visitors: tuple[Visitor, Visitor]) -> None:
    assert visitors[0].get(path).status == 404


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", ""])
def test_another_host_is_not_answered(host: str, visitors: tuple[Visitor, Visitor]) -> None:
    answer = visitors[0].get("/", {"host": host})

    assert answer.status == 400
    assert "evil" not in answer.text


def test_a_forwarded_host_is_not_believed(visitors: tuple[Visitor, Visitor]) -> None:
    said = {"x-forwarded-host": "evil.example", "forwarded": "host=evil.example"}

    for path in ("/", "/sign-in", "/nowhere"):
        answer = visitors[0].get(path, said)
        assert "evil" not in answer.text + answer.location


def _stays(answer: Answer, site: Site, where: str) -> None:
    """Assert that an answer leads nowhere, to a page of ours, or to the provider."""
    assert not any("evil" in cookie for cookie in answer.cookies), where
    assert answer.status < 500, where
    address = urlsplit(answer.location)
    if not (address.scheme or address.netloc):
        assert not answer.location.startswith(("//", "/\\", "\\")), where
        assert not re.search(r"[\x00-\x1f]", answer.location), where
        return
    assert f"{address.scheme}://{address.netloc}" in {site.url, site.server.issuer}, where
    assert "evil.example" not in address.netloc, where


def _is_headed(answer: Answer) -> None:
    headers = {name: answer.header(name) for name in HEADERS}
    if answer.header("cache-control").startswith("public"):
        headers["cache-control"] = HEADERS["cache-control"]
    assert headers == HEADERS
    assert "frame-ancestors 'none'" in answer.header("content-security-policy")
    assert "unsafe" not in answer.header("content-security-policy")
