# SPDX-License-Identifier: Apache-2.0
"""Who saw it, who tried, and all that happened: looked through, read, taken to whom it is for."""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.kinds import OpenPage, SignIn
from tests.browser.site import Person, Site
from tests.browser.test_help import begin, code_of, official

Axe = Callable[[Page], None]

NOBODY = "Nothing like that happened."


def headlines(page: Page) -> list[str]:
    return page.locator(".house-line h2").all_inner_texts()


def test_everything_stands_in_one_list_and_refusals_stand_out(
    page: Page, mair: Person, signed_in: SignIn, axe: Axe
) -> None:
    signed_in(page, mair)
    page.goto("/seen")

    lines = headlines(page)
    assert "BrightCare, Visits at home saw this" in lines
    assert lines[-1] == "A place was made for your information"
    refused = page.locator(".house-line--refused").first
    expect(refused).to_contain_text("They tried and were refused")
    expect(refused).to_contain_text("Nothing was sent.")
    expect(refused.locator("svg")).to_be_visible()
    expect(page.get_by_text("signed, and unchanged since")).to_have_count(len(lines))
    axe(page)


@pytest.mark.parametrize("kind", ["page", "no_js", "mobile"])
def test_she_looks_for_refused_attempts_of_one_organisation_in_a_time(
    kind: str, request: pytest.FixtureRequest, mair: Person, signed_in: SignIn, axe: Axe
) -> None:
    page = signed_in(request.getfixturevalue(kind), mair)
    page.goto("/seen")
    every = len(headlines(page))
    page.locator("summary", has_text="Look for something").click()
    page.get_by_label("Who", exact=True).select_option(label="BrightCare, Visits at home")
    page.get_by_label("What happened").select_option(label="Somebody tried and was refused")
    page.get_by_role("button", name="Show", exact=True).click()

    lines = headlines(page)
    assert lines
    assert set(lines) == {"BrightCare, Visits at home tried and was refused"}
    assert len(lines) < every
    axe(page)

    for part, text in (("day", "1"), ("month", "1"), ("year", "2020")):
        page.locator(f"#until-{part}").fill(text)
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_text(NOBODY)).to_be_visible()
    page.locator("#until-day").fill("31")
    page.locator("#until-month").fill("2")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("There is no such day.")
    axe(page)


def test_a_line_verifies_and_says_why_it_was_allowed(
    page: Page, mair: Person, signed_in: SignIn, axe: Axe
) -> None:
    signed_in(page, mair)
    page.goto("/seen")
    page.get_by_role("link", name="BrightCare, Visits at home saw this").first.click()

    expect(page.get_by_text("Yes: it is signed, and was not changed since.")).to_be_visible()
    expect(page.get_by_text("Why they could see it")).to_be_visible()
    expect(page.get_by_text("Decided again now, by the same rules: the same.")).to_be_visible()
    for summary in page.locator("main summary").all():
        summary.click()
    expect(page.get_by_text("These are the very texts that you were shown")).to_be_visible()
    axe(page)

    page.get_by_role("link", name="Your confirmation, to keep or to check elsewhere").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert "/confirmations/" in page.url


@pytest.mark.parametrize("kind", ["page", "no_js"])
def test_a_line_is_taken_to_the_authority_by_herself_in_either_language(
    kind: str, request: pytest.FixtureRequest, mair: Person, signed_in: SignIn, axe: Axe
) -> None:
    page = signed_in(request.getfixturevalue(kind), mair)
    page.goto("/seen")
    page.get_by_role("link", name="BrightCare, Visits at home tried and was refused").first.click()
    entry = page.url
    page.get_by_role("link", name="Report this to the data protection authority").click()

    letter = page.locator("#letter")
    expect(letter).to_contain_text("To: Information Commissioner's Office")
    expect(letter).to_contain_text("They tried and were refused")
    expect(page.get_by_text("Nothing is sent by us.")).to_be_visible()
    axe(page)
    mail = page.get_by_role("button", name="Open it as an e-mail").get_attribute("href") or ""
    address = urllib.parse.urlsplit(mail)
    said = urllib.parse.parse_qs(address.query)
    assert (address.scheme, address.path) == ("mailto", "icocasework@ico.org.uk")
    assert said["body"][0].replace("\r\n", "\n") == letter.text_content()

    page.get_by_role("link", name="Write it in Welsh").click()
    expect(letter).to_contain_text("At: Swyddfa'r Comisiynydd Gwybodaeth")
    expect(letter).to_have_attribute("lang", "cy")

    page.goto(f"{entry}/wrong")
    expect(letter).to_contain_text("To: BrightCare")
    expect(letter).to_contain_text("within one month")
    axe(page)


def test_a_letter_is_copied(open_page: OpenPage, mair: Person, signed_in: SignIn) -> None:
    permissions = ["clipboard-read", "clipboard-write"]
    page = signed_in(open_page(permissions=permissions), mair)
    page.goto("/seen/1/report")
    page.get_by_role("button", name="Copy it").click()

    expect(page.get_by_text("Copied.")).to_be_visible()
    copied: str = page.evaluate("navigator.clipboard.readText()")
    assert copied.replace("\r\n", "\n") == page.locator("#letter").text_content()


def test_an_official_reads_the_lines_and_their_own_look_is_one(
    page: Page, site: Site, mair: Person, axe: Axe
) -> None:
    official(page, site)
    begin(page, code_of(mair))
    page.goto(f"{site.url}/seen?kind=looked")

    expect(page.locator(".house-line").first).to_contain_text("An official looked")
    page.goto(f"{site.url}/seen?kind=seen")
    page.locator(".house-line a").first.click()
    expect(page.get_by_text("it is signed, and was not changed since")).to_be_visible()
    # Why it was allowed she reads herself.
    expect(page.get_by_text("Why they could see it")).to_have_count(0)
    axe(page)


def test_what_is_no_line_of_hers_is_not_there(page: Page, site: Site, signed_in: SignIn) -> None:
    signed_in(page, site.person())

    for path in ("/seen/999999", "/seen/0", "/seen/999999/report", "/seen/999999/wrong"):
        assert page.request.get(site.url + path).status == 404, path
