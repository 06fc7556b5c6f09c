# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests in a browser: the site, browsers of each kind, and how one signs in.

Playwright has an event loop of its own in the thread of the tests for as long as it runs, so it
begins and ends with a file of tests: those of other files have coroutines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.chromium import NONE_HERE, found, options
from tests.browser.kinds import DESKTOP, MOBILE, NO_JS, OpenPage, SignIn
from tests.browser.looking import LARGEST_PAGE_BYTES, Troubles, axe_violations, transferred
from tests.browser.signing_in import sign_in
from tests.browser.site import Person, Site, opened


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A running site, shared by the tests of a process: take a person of your own in it."""
    with opened(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium. Without one on the machine its tests fail, and say what to do."""
    with sync_playwright() as playwright:
        program = found(playwright)
        if program is None:
            pytest.fail(NONE_HERE, pytrace=False)
        started = playwright.chromium.launch(**options(program))
        yield started
        started.close()


@pytest.fixture
def open_page(browser: Browser, site: Site) -> Iterator[OpenPage]:
    """Open a page with cookies of its own, with settings of Playwright's `new_context`.

    Whatever the test looks at: no script may break, nothing may be refused by the content
    security policy or asked of anybody else, and no answer may be an error of the server.
    """
    troubles = Troubles(frozenset({site.url, site.server.issuer}))
    with ExitStack() as open_contexts:

        def open_one(**settings: Any) -> Page:
            context = browser.new_context(
                base_url=site.url, locale="en-GB", timezone_id="Europe/London", **settings
            )
            open_contexts.callback(context.close)
            context.set_default_timeout(10_000)
            page = context.new_page()
            troubles.listen(page)
            return page

        yield open_one
    assert not troubles.found, "\n".join(troubles.found)


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    """A desktop's browser, 1280 pixels wide."""
    return open_page(**DESKTOP)


@pytest.fixture
def mobile(open_page: OpenPage) -> Page:
    """A telephone's browser, 390 pixels wide."""
    return open_page(**MOBILE)


@pytest.fixture
def no_js(open_page: OpenPage) -> Page:
    """A browser that runs no scripts."""
    return open_page(**NO_JS)


@pytest.fixture
def mair(site: Site) -> Person:
    """A Mair for this test alone: with information, a request waiting, and what was before."""
    return site.person()


@pytest.fixture
def signed_in(site: Site) -> SignIn:
    """Sign a person in, by the pages; return the page, which then shows the start page."""

    def enter(page: Page, who: Person | str = "mair", language: str = "en") -> Page:
        sign_in(page, site.url, who if isinstance(who, str) else who.sub, language)
        return page

    return enter


@pytest.fixture
def axe() -> Callable[[Page], None]:
    """Assert that nothing on a page breaks WCAG 2.2 A or AA."""

    def check(page: Page) -> None:
        assert axe_violations(page) == []

    return check


@pytest.fixture
def weight() -> Callable[[Page], None]:
    """Assert that the page which is shown comes in less than 200 KB to who was never here."""

    def check(page: Page) -> None:
        assert transferred(page, page.url) < LARGEST_PAGE_BYTES

    return check
