# SPDX-License-Identifier: Apache-2.0
"""Dafydd of Aber Council: he asks, sees the answer once, tells how far it is, writes a reason."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from clients.demo import asking, council
from clients.demo.people import BRIGHTCARE_STAFF, COUNCIL_STAFF
from clients.demo.things import things_of
from tests.browser.kinds import OpenPage
from tests.browser.signing_in import say_who
from tests.browser.site import Person, Site
from vault.api.v1.consent_service_pb2 import ClaimRequestRequest
from vault.api.v1.vault_pb2 import Acting
from vault.api.v1.vault_service_pb2 import ListHistoryRequest

CASE = "HD-2046/7"
STREET = "addressLocality", "buildingNumber", "postalCode", "streetName"


def staff(page: Page, site: Site, sub: str = COUNCIL_STAFF) -> Page:
    """Sign a member of the council's staff in."""
    page.goto(f"{site.url}/sign-in?as=staff")
    say_who(page, sub, "staff", site.story.council_team.service_id)
    page.wait_for_url("**/staff")
    return page


def ask(page: Page, way: str, case: str = CASE) -> None:
    """Ask for an address."""
    page.get_by_role("button", name="Ask somebody").click()
    page.locator("main .house-card a").first.click()
    page.get_by_label("Your case reference").fill(case)
    for name in STREET:
        page.locator(f"[id='part:postal_address:{name}:needed']").check()
    page.locator(f"#way-{way}").check()
    page.get_by_role("button", name="Ask", exact=True).click()


def share(person: Person, link: str) -> str:
    """Have a person share what a link asks for, and return the code that comes back."""
    claimed = person.story.mair.consents.ClaimRequest(
        ClaimRequestRequest(
            request_id="5f0c6a0e-8a51-4c1c-9a39-1f1f6f0f2f10",
            handoff_token=link.rpartition("/")[2],
            acting=Acting(),
        )
    )
    things = things_of(claimed.consent_request.scope)
    asking.share(person.story.mair, claimed.consent_request, things, person.story.expect)
    return claimed.code


def test_an_answer_is_asked_for_seen_once_and_told_of(
    site: Site,
    page: Page,
    mair: Person,
    axe: Callable[[Page], None],
    weight: Callable[[Page], None],
) -> None:
    staff(page, site)
    axe(page)
    ask(page, "link")
    axe(page)
    link = page.locator("#link").inner_text()
    assert link.startswith("http")
    code = share(mair, link)

    page.get_by_label("The code that came back").fill("wrong")
    page.get_by_role("button", name="See the answer").click()
    expect(page.locator(".govuk-error-summary")).to_contain_text("does not belong to this case")
    page.get_by_label("The code that came back").fill(code)
    page.get_by_role("button", name="See the answer").click()
    expect(page.locator("main")).to_contain_text("They share it with you.")
    axe(page)
    page.get_by_role("button", name="See it").click()
    expect(page.get_by_label("Your case reference")).to_have_value(CASE)
    axe(page)
    with page.expect_response("**/look") as answered:
        page.get_by_role("button", name="See it now").click()
    expect(page.locator("main")).to_contain_text("Heol yr Afon")
    assert answered.value.headers["cache-control"] == "no-store"
    axe(page)
    weight(page)

    page.get_by_role("link", name="Back").click()
    page.get_by_role("button", name="Tell them how far it is").click()
    axe(page)
    page.get_by_role("button", name="Tell them").click()
    expect(page.locator(".govuk-error-summary")).to_be_visible()
    page.get_by_label("We decided: yes").check()
    page.get_by_role("button", name="Tell them").click()
    expect(page.locator("main")).to_contain_text("They were told.")
    expect(page.locator("main")).to_contain_text("We decided: yes")

    lines = mair.story.mair.vaults.ListHistory(ListHistoryRequest(page_size=2)).entries
    assert [line.type for line in lines] == ["recipient-reported.1", "evidence-disclosed.1"]
    assert {(line.staff_ref, line.case_ref) for line in lines} == {(COUNCIL_STAFF, CASE)}


def test_a_link_is_answered_on_her_own_pages_and_its_code_comes_back(
    site: Site, page: Page, mobile: Page, mair: Person, axe: Callable[[Page], None]
) -> None:
    staff(page, site)
    ask(page, "link", "HD-5000")
    token = page.locator("#link").inner_text().rpartition("/")[2]

    mobile.goto(f"{site.url}/asked/{token}")
    mobile.locator("main a[href^='/sign-in']").click()
    say_who(mobile, mair.sub)
    mobile.wait_for_url("**/asked/**")
    mobile.locator("main form button").click()
    mobile.wait_for_url("**/requests/**")
    mobile.locator("input[name=versions][value=follow]").check()
    mobile.locator(".house-decide button").click()
    mobile.locator("main form[action$='/check'] button[type=submit]").click()
    say_who(mobile, mair.sub)
    mobile.wait_for_url("**/done")
    mobile.locator("#way-back").click()
    axe(mobile)
    page.get_by_label("The code that came back").fill(mobile.locator("#code").inner_text())
    page.get_by_role("button", name="See the answer").click()

    expect(page.locator("main")).to_contain_text("They share it with you.")


def test_what_was_seen_is_kept_nowhere_by_the_pages(site: Site, page: Page, mair: Person) -> None:
    staff(page, site)
    ask(page, "link", "HD-3000")
    code = share(mair, page.locator("#link").inner_text())
    page.get_by_label("The code that came back").fill(code)
    page.get_by_role("button", name="See the answer").click()
    page.get_by_role("button", name="See it").click()
    page.get_by_role("button", name="See it now").click()
    expect(page.locator("main")).to_contain_text("Heol yr Afon")

    kept = [
        file
        for file in (site.folder / "web").rglob("*")
        if file.is_file() and b"Heol yr Afon" in file.read_bytes()
    ]
    answered = page.url

    assert (site.folder / "web").is_dir()
    assert not kept
    page.goto(answered)
    assert "Heol yr Afon" not in page.content()


def test_a_short_code_is_asked_for_without_scripts(
    site: Site, no_js: Page, axe: Callable[[Page], None]
) -> None:
    staff(no_js, site)
    ask(no_js, "code", "HD-4000")

    assert no_js.locator("#short-code").inner_text().strip()
    expect(no_js.locator("h1")).to_have_text("Case HD-4000")
    axe(no_js)
    no_js.get_by_role("link", name="Take it back").click()
    axe(no_js)
    no_js.get_by_role("button", name="Take it back").click()
    expect(no_js.locator("main")).to_contain_text("It is taken back.")
    no_js.goto(f"{site.url}/staff?show=all")
    expect(no_js.get_by_role("link", name="HD-4000")).to_be_visible()


def test_who_answered_a_link_gets_the_code_and_nothing_else_is_shown_as_one(
    site: Site, page: Page, axe: Callable[[Page], None]
) -> None:
    page.goto(f"{site.url}/code?code=abc-123_XYZ&state=")
    expect(page.locator("#code")).to_have_text("abc-123_XYZ")
    axe(page)

    for hostile in ("", "<b>hello</b>", "Call 01632 960999 and tell us your password"):
        answer = page.goto(f"{site.url}/code?code={urllib.parse.quote(hostile)}")
        assert answer is not None
        assert answer.status == 404


def test_nothing_is_asked_for_unless_somebody_chose_it(site: Site, mobile: Page) -> None:
    staff(mobile, site)
    mobile.goto(f"{site.url}/staff/ask/care-at-home")

    mobile.get_by_role("button", name="Ask", exact=True).click()

    summary = mobile.locator(".govuk-error-summary")
    expect(summary).to_contain_text("Choose at least one piece of information.")
    expect(summary).to_contain_text("Type your case reference.")
    assert mobile.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_reason_is_written_tried_out_and_taken_as_the_file_that_is_published(
    site: Site, page: Page, tmp_path: Path, axe: Callable[[Page], None]
) -> None:
    staff(page, site)
    page.goto(f"{site.url}/staff/purposes")
    axe(page)
    page.get_by_role("link", name="Change this one").first.click()
    expect(page.get_by_label("Its title").first).not_to_be_empty()
    axe(page)
    page.get_by_label("A short name for it").fill("Blue badges")
    page.get_by_role("button", name="Check it").click()
    expect(page.locator(".govuk-error-summary")).to_contain_text("begins with a small letter")
    page.get_by_label("A short name for it").fill("blue-badge")
    page.locator("#title_en").fill("Your blue badge")
    page.locator("#other_ways_cy").fill(page.locator("#other_ways_en").input_value())
    page.get_by_role("button", name="Check it").click()

    tried = page.locator("#tried")
    expect(tried).to_contain_text("Nothing was published.")
    expect(tried).to_contain_text("This is the same text as in another language.")
    expect(page.locator(".house-card").first).to_contain_text("Your blue badge")
    axe(page)
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Take it as a file").click()
    file = tmp_path / downloading.value.suggested_filename
    downloading.value.save_as(file)

    written = json.loads(file.read_bytes())
    assert file.name == "blue-badge.json"
    assert (written["purpose_code"], written["version"]) == ("blue-badge", 1)
    assert {texts["language"] for texts in written["texts"]} == {"en", "cy"}
    published(site, written)


def published(site: Site, written: dict[str, object]) -> None:
    """Publish a purpose as the operator's command does with its file."""
    from google.protobuf.json_format import ParseDict  # noqa: PLC0415

    from vault.api.v1.registry_service_pb2 import PublishPurposeRequest  # noqa: PLC0415

    request = ParseDict(written, PublishPurposeRequest())
    request.request_id = "0a5d7a7b-6a77-4e35-8a77-0d50c6fd2f0a"
    operator = site.stage.enter("operator", "operator", "Operator")
    assert operator.registry.PublishPurpose(request).purpose.version == 1


def test_what_another_service_asked_is_not_there(site: Site, page: Page) -> None:
    asked = asking.ask(site.story.council, council.QUESTION).request
    team = site.story.brightcare_team
    page.goto(f"{site.url}/sign-in?as=staff")
    say_who(page, BRIGHTCARE_STAFF, "staff", team.service_id)
    page.wait_for_url("**/staff")

    for path in ("", "/look", "/report", "/take-back", "/code", "/document"):
        answer = page.goto(f"{site.url}/staff/requests/{asked.consent_request_id}{path}")
        assert answer is not None
        assert answer.status == 404, path
    answer = page.goto(f"{site.url}/staff/ask/care-at-home")
    assert answer is not None
    assert answer.status == 404


@pytest.mark.parametrize("path", ["/staff", "/staff/ask", "/staff/purposes/new"])
def test_nobody_else_comes_here(
    site: Site, page: Page, signed_in: Callable[..., Page], path: str
) -> None:
    signed_in(page)

    answer = page.goto(f"{site.url}{path}")

    assert answer is not None
    assert answer.status == 404


def test_the_pages_are_in_welsh_too(site: Site, open_page: OpenPage) -> None:
    page = staff(open_page(), site)
    page.goto(f"{site.url}/staff?language=cy")

    expect(page.locator("h1")).to_have_text("Yr hyn a ofynnoch amdano")
    assert page.locator("html").get_attribute("lang") == "cy"
