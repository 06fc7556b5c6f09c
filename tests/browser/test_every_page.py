# SPDX-License-Identifier: Apache-2.0
"""What holds for every page that a link leads to: a new page is looked at without being named."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.crawling import crawl
from tests.browser.kinds import DESKTOP, MOBILE, MOBILE_NO_JS, NO_JS, OpenPage, SignIn
from tests.browser.looking import LARGEST_PAGE_BYTES, transferred
from tests.browser.rules import broken
from tests.browser.site import Person
from vault.api.v1.vault_service_pb2 import ListHistoryRequest

ROOMS = ("/", "/account", "/information", "/seen", "/sharing", "/requests/*")
"""What the crawl has to come by, so that it cannot succeed at the door."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("settings", "language"),
    # Every two of device, scripts and language together, in four rounds.
    [(DESKTOP, "en"), (MOBILE, "cy"), (MOBILE_NO_JS, "en"), (NO_JS, "cy")],
    ids=["desktop-en", "mobile-cy", "mobile-no-js-en", "desktop-no-js-cy"],
)
def test_her_pages_are_as_pages_have_to_be(
    open_page: OpenPage, signed_in: SignIn, mair: Person, settings: Any, language: str
) -> None:
    page = signed_in(open_page(**settings), mair, language)
    before = _versions(mair)

    kinds, wrong = _looked_at(page, language)

    assert not wrong, "\n".join(sorted(wrong))
    assert set(ROOMS) <= kinds
    assert _versions(mair) == before, "a link has changed something"


@pytest.mark.parametrize("language", ["en", "cy"])
def test_pages_before_one_signs_in_are_too(mobile: Page, language: str) -> None:
    mobile.goto(f"/?language={language}")

    kinds, wrong = _looked_at(mobile, language)

    assert not wrong, "\n".join(sorted(wrong))
    assert "/" in kinds


@pytest.mark.timeout(120)
def test_no_page_weighs_more_than_a_slow_line_bears(
    page: Page, open_page: OpenPage, signed_in: SignIn, mair: Person
) -> None:
    signed_in(page, mair)
    scale = open_page(storage_state=page.context.storage_state())

    weights = {kind: transferred(scale, page.url) for kind, _ in crawl(page)}

    assert len(weights) >= len(ROOMS)
    assert {kind: size for kind, size in weights.items() if size >= LARGEST_PAGE_BYTES} == {}


def _looked_at(page: Page, language: str) -> tuple[set[str], list[str]]:
    kinds, wrong = set[str](), list[str]()
    for kind, response in crawl(page):
        kinds.add(kind)
        wrong.extend(broken(page, response, language))
    return kinds, wrong


def _versions(person: Person) -> list[int]:
    asked = ListHistoryRequest(page_size=500)
    return [entry.version for entry in person.story.mair.vaults.ListHistory(asked).entries]
