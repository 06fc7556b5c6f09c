# SPDX-License-Identifier: Apache-2.0
"""Forms that did not come from a page of ours, and requests that no page of ours makes."""

from __future__ import annotations

import socket
import time
from urllib.parse import urlsplit

import pytest

from clients.web.forms import LONGEST_BODY, LONGEST_UPLOAD, MOST_FIELDS
from clients.web.room import Route
from tests.browser.belongings import path_of, routes
from tests.browser.site import Site
from tests.browser.visiting import COOKIE, Visitor, send

POSTS = [route for route in routes() if route.method == "POST"]
every_form = pytest.mark.parametrize("route", POSTS, ids=lambda route: route.path)


@pytest.fixture(scope="module")
def mair(site: Site) -> Visitor:
    visitor = Visitor(site.url)
    visitor.sign_in(site.person().sub)
    return visitor


@pytest.fixture(scope="module")
def nia(site: Site) -> Visitor:
    visitor = Visitor(site.url)
    visitor.sign_in(site.person("nia").sub)
    return visitor


@pytest.fixture
def watched(mair: Visitor) -> Visitor:
    """Mair, as signed in as before however a form ends."""
    return Visitor(mair.url, dict(mair.cookies))


def test_there_are_forms() -> None:
    assert len(POSTS) > 5
    assert any(route.takes_files for route in POSTS)


@every_form
def test_a_form_without_its_token_is_refused(route: Route, watched: Visitor) -> None:
    assert watched.post(path_of(route, None)).status == 403


@every_form
def test_a_form_with_somebody_elses_token_is_refused(
    route: Route, watched: Visitor, nia: Visitor
) -> None:
    stolen = [("csrf", nia.csrf())]

    assert watched.post(path_of(route, None), stolen).status == 403


@every_form
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
    ids=str,
)
def test_a_form_from_elsewhere_is_refused_even_with_its_token(
    route: Route, headers: dict[str, str], watched: Visitor
) -> None:
    token = [("csrf", watched.csrf())]

    assert watched.post(path_of(route, None), token, headers).status == 403


def test_the_same_form_from_our_page_is_taken(site: Site) -> None:
    visitor = Visitor(site.url)
    visitor.sign_in(site.newcomer())

    assert visitor.post("/sign-out", [("csrf", visitor.csrf("/about"))]).status == 303


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"])
@pytest.mark.parametrize("path", ["/", "/sign-out", "/sharing", "/information"])
def test_other_methods_do_nothing(method: str, path: str, watched: Visitor) -> None:
    assert watched.send(method, path, b"", {}).status in {404, 405}


@pytest.mark.parametrize("route", [r for r in routes() if r.method == "GET"], ids=lambda r: r.path)
def test_a_page_takes_no_form_unless_it_says_so(route: Route, watched: Visitor) -> None:
    if any(post.path == route.path for post in POSTS):
        return
    token = [("csrf", watched.csrf())]

    assert watched.post(path_of(route, None), token).status in {404, 405}


def test_a_form_that_is_too_large_is_refused_before_it_is_read(watched: Visitor) -> None:
    for route in POSTS:
        length = (LONGEST_UPLOAD if route.takes_files else LONGEST_BODY) + 1
        path = path_of(route, None)
        head = f"POST {path} HTTP/1.1\r\nhost: {urlsplit(watched.url).netloc}\r\n"
        # Of a stranger nothing so large is asked for at all.
        head += f"cookie: {COOKIE}={watched.secret}\r\n"
        kind = "content-type: application/x-www-form-urlencoded\r\n"
        who = f"cookie: {COOKIE}={watched.secret}\r\norigin: {watched.url}\r\n"
        with _connected(watched) as line:
            line.sendall(f"{head}{kind}{who}content-length: {length}\r\n\r\n".encode())
            assert line.recv(64).split()[1] == b"413", path


def test_a_form_of_no_length_or_of_countless_fields_is_refused(watched: Visitor) -> None:
    many = [(f"field-{number}", "x") for number in range(MOST_FIELDS + 1)]
    chunked = {"transfer-encoding": "chunked"}

    assert watched.post("/sign-out", many).status == 400
    # As RFC 9112 has it, a length beside chunks is none: what came would have no bound.
    both = chunked | {"content-length": "5", "content-type": "application/x-www-form-urlencoded"}
    assert send(watched.url, "POST", "/sign-out", b"5\r\na=bcd\r\n0\r\n\r\n", both).status == 411
    assert send(watched.url, "POST", "/sign-out", b"0\r\n\r\n", chunked).status in {400, 411}


def test_a_form_that_is_none_is_refused(watched: Visitor) -> None:
    for kind in ("multipart/form-data", "multipart/form-data; boundary=x", "application/json", ""):
        answer = watched.post("/sign-out", [("a", "b")], {"content-type": kind})
        assert answer.status in {400, 403}, kind


def test_nothing_large_is_read_of_a_stranger(watched: Visitor) -> None:
    for route in POSTS:
        if not route.takes_files:
            continue
        path, netloc = path_of(route, None), urlsplit(watched.url).netloc
        head = f"POST {path} HTTP/1.1\r\nhost: {netloc}\r\ncontent-length: {LONGEST_UPLOAD}\r\n"
        with _connected(watched) as line:
            line.sendall(f"{head}content-type: multipart/form-data; boundary=x\r\n\r\n".encode())
            # Answered though nothing of it has come.
            assert line.recv(64).split()[1] == b"303", path


def test_files_are_taken_only_where_a_form_asks_for_one(watched: Visitor) -> None:
    body = b'--x\r\ncontent-disposition: form-data; name="f"; filename="f"\r\n\r\nf\r\n--x--\r\n'
    headers = {"content-type": "multipart/form-data; boundary=x", "origin": watched.url}

    for route in POSTS:
        if not route.takes_files:
            assert watched.send("POST", path_of(route, None), body, headers).status == 400


def test_who_sends_slowly_keeps_nobody_waiting(watched: Visitor) -> None:
    lines = [_connected(watched) for _ in range(60)]
    try:
        for number, line in enumerate(lines):
            head = f"POST /sign-out HTTP/1.1\r\nhost: {urlsplit(watched.url).netloc}\r\n"
            rest = "content-length: 1000\r\n\r\na=" if number % 2 else ""
            line.sendall((head + rest).encode())
        began = time.monotonic()
        assert watched.get("/").status == 200
        assert time.monotonic() - began < 5
    finally:
        for line in lines:
            line.close()


def _connected(visitor: Visitor) -> socket.socket:
    address = urlsplit(visitor.url)
    return socket.create_connection((address.hostname or "", address.port or 0), timeout=10)
