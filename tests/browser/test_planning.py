# SPDX-License-Identifier: Apache-2.0
"""Planning permission: from the council's page to her own, back, and how it ended on both."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from clients.demo.people import OPERATOR
from clients.demo.planning import setting_up
from clients.demo.planning import site as council_page
from tests.browser.kinds import DESKTOP, MOBILE_NO_JS
from tests.browser.looking import sideways
from tests.browser.signing_in import say_who
from tests.browser.site import Person, Site
from vault.api.v1.consent_service_pb2 import ListConsentsRequest
from vault.api.v1.disclosure_pb2 import REPORT_STATUS_GRANTED, REPORT_STATUS_RECEIVED
from vault.api.v1.vault_service_pb2 import ListHistoryRequest

PLANS = "A ramp to the front door"


@pytest.fixture(scope="module")
def council(site: Site) -> Iterator[str]:
    """The council's planning page beside the site."""
    operator = site.stage.enter("operator", OPERATOR, "Operator")
    team = setting_up.register(operator)
    connection = site.stage.enter("service", team.service_id, "Planning team")
    with council_page.opened(connection, pages=site.url) as url:
        yield url


@pytest.fixture
def applicant(mair: Person) -> Person:
    """Somebody who has given everything once."""
    setting_up.give(mair.story.mair)
    return mair


@pytest.mark.parametrize("settings", [DESKTOP, MOBILE_NO_JS], ids=["desktop", "telephone"])
def test_a_ramp_is_applied_for_with_what_she_gave_once(
    site: Site,
    council: str,
    applicant: Person,
    browser: Browser,
    *,
    axe: Callable[[Page], None],
    settings: dict[str, object],
) -> None:
    context = browser.new_context(locale="en-GB", **settings)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(council)
    axe(page)
    page.get_by_label("What do you want to build?").fill(PLANS)
    page.get_by_role("button", name="Apply for planning permission").click()

    # On her own pages now, signed out.
    page.wait_for_url(f"{site.url}/**")
    page.locator("main a[href^='/sign-in']").click()
    say_who(page, applicant.sub)
    page.wait_for_url("**/asked/**")
    page.locator("main form button").click()
    page.wait_for_url("**/requests/**")
    expect(page.locator("#who")).to_contain_text("Aber Council, Planning team")
    expect(page.locator("#what")).to_contain_text("14 Heol yr Afon, Aber, SY29 4ZZ")
    page.locator("input[name=versions][value=follow]").check()
    page.locator(".house-decide button").click()
    page.locator("main form[action$='/check'] button[type=submit]").click()
    say_who(page, applicant.sub)
    page.wait_for_url("**/done")
    page.locator("#way-back").click()

    page.wait_for_url(f"{council}/application")
    expect(page.locator("#stage")).to_have_text("We have received it.")
    expect(page.locator("#name")).to_have_text("Mair Pugh")
    expect(page.locator("#address")).to_have_text("14 Heol yr Afon, Aber, SY29 4ZZ")
    axe(page)
    assert sideways(page) == 0
    number = page.locator("h1").inner_text().rpartition(" ")[2]
    page.goto(f"{council}/office")
    axe(page)
    page.get_by_role("button", name=f"Grant {number}").click()
    page.goto(f"{council}/application")
    expect(page.locator("#stage")).to_have_text("Permission is granted.")

    # What the council says stands on her own pages, too.
    consent = applicant.story.mair.consents.ListConsents(ListConsentsRequest(page_size=1))
    shared = consent.consents[0]
    assert shared.last_report.status == REPORT_STATUS_GRANTED
    lines = applicant.story.mair.vaults.ListHistory(ListHistoryRequest(page_size=3)).entries
    assert [line.type for line in lines] == [
        "recipient-reported.1",
        "recipient-reported.1",
        "evidence-disclosed.1",
    ]
    assert lines[1].report.status == REPORT_STATUS_RECEIVED
    assert {line.case_ref for line in lines} == {number}
    context.close()


def test_nothing_is_applied_for_without_plans(council: str, browser: Browser) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(council)

    page.get_by_role("button", name="Apply for planning permission").click()

    expect(page.locator("#plans-error")).to_be_visible()
    assert page.url == f"{council}/apply"
    context.close()
