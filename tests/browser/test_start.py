# SPDX-License-Identifier: Apache-2.0
"""Where everybody begins: signed out, with nothing yet, and with much to see."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.kinds import DESKTOP, MOBILE, MOBILE_NO_JS, OpenPage, SignIn
from tests.browser.looking import NEVER_SAID, sideways, visible_text
from tests.browser.signing_in import say_who
from tests.browser.site import Person, Site
from vault.api.v1.consent_pb2 import CONSENT_STATE_REVOKED
from vault.api.v1.consent_service_pb2 import ListConsentsRequest

Axe = Callable[[Page], None]


def looked_at(page: Page, axe: Axe) -> None:
    """Assert what holds of every page."""
    axe(page)
    assert sideways(page) == 0
    assert NEVER_SAID.findall(visible_text(page)) == []


@pytest.mark.parametrize("language", ["en", "cy"])
def test_whoever_is_not_signed_in_reads_what_this_is(mobile: Page, axe: Axe, language: str) -> None:
    mobile.goto(f"/?language={language}")

    looked_at(mobile, axe)
    assert mobile.locator("html").get_attribute("lang") == language
    assert mobile.locator("main h1").count() == 1
    # Nobody is taken to sit at a device that others use, or not to, before they say so.
    assert mobile.locator("main :checked").count() == 0
    mobile.locator(".govuk-footer a[href='/about'], a[href='/about']").first.click()
    looked_at(mobile, axe)


@pytest.mark.parametrize("settings", [DESKTOP, MOBILE_NO_JS], ids=["desktop", "telephone"])
def test_she_sees_what_waits_what_she_shares_and_who_looked(
    open_page: OpenPage, signed_in: SignIn, mair: Person, axe: Axe, settings: dict[str, object]
) -> None:
    page = signed_in(open_page(**settings), mair)

    looked_at(page, axe)
    expect(page.locator("#waiting h2")).to_have_text("One request waits for you")
    expect(page.locator("#waiting")).to_contain_text("Aber Council, Hospital discharge team")
    expect(page.locator("#waiting")).to_contain_text("Planning your care at home")
    expect(page.locator("#sharing")).to_contain_text("Sharing now, until")
    expect(page.locator("#sharing")).to_contain_text("Last seen by them on")
    # One that she stopped is not shared now.
    assert page.locator("#sharing .house-card").count() == 1
    expect(page.locator("#seen li").first).to_contain_text("They tried and were refused")
    assert page.locator("#seen li").count() == 4


def test_stopping_is_two_clicks_away(page: Page, signed_in: SignIn, mair: Person) -> None:
    signed_in(page, mair)
    page.locator("#sharing a[href$='/stop']").click()
    page.locator("main form button").click()
    page.wait_for_url("**/sharing/**")

    found = mair.story.mair.consents.ListConsents(ListConsentsRequest()).consents
    assert {one.state for one in found} == {CONSENT_STATE_REVOKED}
    page.goto("/")
    expect(page.locator("#sharing")).to_contain_text("You share nothing with anybody.")


def test_whoever_is_new_begins_with_one_button(open_page: OpenPage, site: Site, axe: Axe) -> None:
    page = open_page(**MOBILE)
    page.goto("/")
    page.locator("main form button").click()
    say_who(page, site.newcomer())
    page.wait_for_url("**/welcome?**")
    looked_at(page, axe)
    page.locator("main form button").click()

    page.wait_for_url(f"{site.url}/")
    expect(page.locator("#waiting")).to_contain_text("Nobody waits for your answer.")
    expect(page.locator("#sharing")).to_contain_text("You share nothing with anybody.")
    expect(page.locator("#seen")).to_contain_text("Nobody has seen any of your information.")
    looked_at(page, axe)
