# SPDX-License-Identifier: Apache-2.0
"""Eleri of the library helps somebody: by her code, or with a new place and a letter."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from clients.demo import asking, council
from clients.demo.people import OFFICIAL
from tests.browser.kinds import OpenPage
from tests.browser.signing_in import say_who
from tests.browser.site import Person, Site
from vault.api.v1.vault_pb2 import (
    APPROVAL_KIND_STAFF_ASSISTED,
    CAPACITY_OFFICIAL,
    CHANNEL_COUNTER,
    CHANNEL_PHONE,
)
from vault.api.v1.vault_service_pb2 import CreateAssistanceCodeRequest, ListHistoryRequest

BANNER = ".house-assisting"


def official(page: Page, site: Site) -> Page:
    """Sign the official in."""
    page.goto(f"{site.url}/sign-in?as=official")
    say_who(page, OFFICIAL, "official")
    page.wait_for_url("**/help")
    return page


def code_of(person: Person) -> str:
    """Have a person make a code for officials."""
    request = CreateAssistanceCodeRequest(request_id="8b0cf1ff-6b23-4b1d-9b77-2a8f5a3a3f11")
    return str(person.story.mair.vaults.CreateAssistanceCode(request).assistance_code)


def begin(page: Page, code: str, channel: str = "On the phone") -> None:
    """Begin to help somebody by her code."""
    page.get_by_label(channel).check()
    page.get_by_label("Their code").fill(code)
    page.get_by_role("button", name="Begin to help").click()


def open_place(page: Page, site: Site) -> str:
    """Make a place for somebody, and return the code in her letter."""
    page.goto(f"{site.url}/help/open")
    page.get_by_label("At a counter").check()
    page.get_by_role("button", name="Make the place").click()
    return page.locator(".house-reference").first.inner_text()


def test_she_is_helped_by_her_code_and_sees_who_did(
    site: Site, page: Page, mair: Person, axe: Callable[[Page], None]
) -> None:
    official(page, site)
    axe(page)
    begin(page, "AAAAA-AAAAA-AAAAA-AAAAA")
    expect(page.locator(".govuk-error-summary")).to_contain_text("This code opens nothing.")
    begin(page, code_of(mair).lower().replace("-", " "))

    expect(page.locator(BANNER)).to_contain_text("You are helping somebody.")
    expect(page.locator("h1")).to_be_visible()
    axe(page)

    lines = mair.story.mair.vaults.ListHistory(ListHistoryRequest(page_size=1)).entries
    acting = lines[0].acting
    assert (acting.capacity, acting.channel) == (CAPACITY_OFFICIAL, CHANNEL_PHONE)
    assert lines[0].staff_ref == OFFICIAL


def test_what_she_says_is_shared_for_her(
    site: Site, page: Page, mair: Person, axe: Callable[[Page], None]
) -> None:
    official(page, site)
    page.get_by_label("Where is it noted that they agree?").fill("Note 17")
    begin(page, code_of(mair), "At a counter")
    page.goto(f"{site.url}/requests")
    expect(page.locator(BANNER)).to_be_visible()
    page.locator("main a[href^='/requests/']").first.click()
    axe(page)
    page.locator("input[name=versions][value=follow]").check()
    page.locator(".house-decide button").click()
    axe(page)
    page.locator("main form[action$='/check'] button[type=submit]").click()
    page.wait_for_url("**/done")
    expect(page.locator(BANNER)).to_be_visible()
    axe(page)

    lines = mair.story.mair.vaults.ListHistory(ListHistoryRequest(page_size=20)).entries
    granted = next(line for line in lines if line.type == "consent-granted.1")
    assert (granted.acting.capacity, granted.acting.channel) == (
        CAPACITY_OFFICIAL,
        CHANNEL_COUNTER,
    )
    assert granted.approval_kind == APPROVAL_KIND_STAFF_ASSISTED
    assert granted.staff_ref == OFFICIAL

    page.goto(f"{site.url}/sharing")
    expect(page.locator(BANNER)).to_be_visible()
    axe(page)


def test_the_letter_of_a_new_place_opens_it_again(
    site: Site, page: Page, axe: Callable[[Page], None]
) -> None:
    official(page, site)
    code = open_place(page, site)
    axe(page)
    expect(page.locator("article")).to_have_count(2)
    assert set(page.locator(".house-reference").all_inner_texts()) == {code}
    page.emulate_media(media="print")
    expect(page.get_by_role("link", name="Go on helping")).to_be_hidden()
    expect(page.locator(".house-reference").first).to_be_visible()
    page.emulate_media(media="screen")

    page.goto(f"{site.url}/help")
    axe(page)
    page.get_by_role("button", name="Finish helping").click()
    begin(page, code, "At a counter")

    expect(page.locator(BANNER)).to_be_visible()


def test_nothing_of_hers_is_there_after_helping(
    site: Site, page: Page, open_page: OpenPage
) -> None:
    official(page, site)
    code = open_place(page, site)
    page.goto(f"{site.url}/help/asked")
    form = page.locator("input[name=csrf]").first.input_value()
    cookies = "; ".join(f"{one['name']}={one['value']}" for one in page.context.cookies())
    elsewhere = open_page(extra_http_headers={"cookie": cookies})
    elsewhere.goto(f"{site.url}/help")
    expect(elsewhere.locator(BANNER)).to_be_visible()
    page.goto(f"{site.url}/help")
    with page.expect_response("**/help/finish") as finished:
        page.get_by_role("button", name="Finish helping").click()

    expect(page.locator(BANNER)).to_have_count(0)
    expect(page.locator("main")).to_contain_text("Nothing of theirs is kept here.")
    assert finished.value.all_headers()["clear-site-data"] == '"cache"'
    page.goto(f"{site.url}/help/letter")
    assert page.url == f"{site.url}/help"
    assert code not in page.content()
    page.goto(f"{site.url}/sharing")
    assert page.url == f"{site.url}/help"
    elsewhere.goto(f"{site.url}/help")
    expect(elsewhere.locator(BANNER)).to_have_count(0)
    assert form != page.locator("input[name=csrf]").first.input_value()


def test_a_question_is_taken_in_by_its_short_code_without_scripts(
    site: Site, no_js: Page, axe: Callable[[Page], None]
) -> None:
    _, short_code = asking.ask_by_short_code(site.story.council, council.QUESTION)
    official(no_js, site)
    open_place(no_js, site)
    no_js.goto(f"{site.url}/help/asked")
    axe(no_js)
    no_js.get_by_label("The short code, or the link").fill("no such code")
    no_js.get_by_role("button", name="See what is asked").click()
    expect(no_js.locator(".govuk-error-summary")).to_contain_text("Nobody asks under this code.")
    no_js.get_by_label("The short code, or the link").fill(short_code)
    no_js.get_by_role("button", name="See what is asked").click()

    expect(no_js.locator(BANNER)).to_be_visible()
    expect(no_js.locator("main")).to_contain_text("Aber Council")


@pytest.mark.parametrize("path", ["/", "/sharing", "/information", "/seen", "/requests"])
def test_an_official_who_helps_nobody_sees_nobody_s_pages(
    site: Site, open_page: OpenPage, path: str
) -> None:
    page = official(open_page(), site)

    page.goto(f"{site.url}{path}")

    assert page.url == f"{site.url}/help"


def test_nobody_else_comes_here(site: Site, page: Page, signed_in: Callable[..., Page]) -> None:
    signed_in(page)

    for path in ("/help", "/help/open", "/help/letter"):
        answer = page.goto(f"{site.url}{path}")
        assert answer is not None
        assert answer.status == 404


def test_it_fits_a_telephone_and_is_there_in_welsh(site: Site, mobile: Page) -> None:
    official(mobile, site)
    mobile.goto(f"{site.url}/help?language=cy")

    expect(mobile.locator("h1")).to_have_text("Helpu rhywun")
    assert mobile.evaluate("document.documentElement.scrollWidth") <= 390
