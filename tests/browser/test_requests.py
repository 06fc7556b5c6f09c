# SPDX-License-Identifier: Apache-2.0
"""Somebody asks: from the link that leads here to the way back, shared or refused."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from clients.demo import beforehand
from clients.receipts import SignedRecord
from clients.web.dates import end_of
from tests.browser import asks
from tests.browser.authenticator import VirtualAuthenticator
from tests.browser.kinds import DESKTOP, MOBILE, MOBILE_NO_JS, NO_JS, OpenPage, SignIn
from tests.browser.looking import sideways
from tests.browser.signing_in import say_who
from tests.browser.site import Person, Site
from vault.api.v1 import consent_pb2
from vault.api.v1.consent_service_pb2 import ListConsentsRequest, ListRequestsRequest
from vault.api.v1.vault_pb2 import APPROVAL_KIND_OIDC_STEP_UP, APPROVAL_KIND_WEBAUTHN
from vault.api.v1.vault_service_pb2 import ListHistoryRequest

Axe = Callable[[Page], None]

IN_ORDER = [
    *("who", "why", "what", "not", "until"),
    *("if-no", "other-ways", "choice", "complain", "how-to-stop"),
]


def press(page: Page, name: str) -> None:
    page.locator("main").get_by_role("button", name=name, exact=True).click()


def choose(page: Page, versions: str = "follow") -> None:
    """Answer what has to be answered on the page of a request, and go on."""
    page.locator(f"input[name=versions][value={versions}]").check()
    page.locator(".house-decide button").click()


def share(page: Page, who: Person) -> None:
    """Share what is shown, by signing in once more."""
    page.locator("main form[action$='/check'] button[type=submit]").click()
    say_who(page, who.sub)
    page.wait_for_url("**/done")


def newest(who: Person) -> consent_pb2.Consent:
    """Return what she agreed to last."""
    return who.story.mair.consents.ListConsents(ListConsentsRequest(page_size=1)).consents[0]


@pytest.mark.parametrize("settings", [DESKTOP, MOBILE_NO_JS], ids=["desktop", "telephone"])
def test_a_link_is_opened_shared_and_led_back(
    open_page: OpenPage, mair: Person, axe: Axe, settings: dict[str, object]
) -> None:
    page = open_page(**settings)
    link = asks.link(mair.story)

    # Signed out, she is asked who she is, and comes to the link again.
    page.goto(link.path)
    page.locator("main a[href^='/sign-in']").click()
    say_who(page, mair.sub)
    page.wait_for_url(f"**{link.path}")
    axe(page)
    waiting = ListRequestsRequest(only_pending=True)
    before = mair.story.mair.consents.ListRequests(waiting).consent_requests
    assert link.request.consent_request_id not in {one.consent_request_id for one in before}

    press(page, "See what they ask")
    page.wait_for_url(f"**/requests/{link.request.consent_request_id}")
    axe(page)
    assert page.locator("main section").evaluate_all("all => all.map(one => one.id)") == IN_ORDER
    assert page.locator("main :checked").count() == 0
    assert sideways(page) == 0

    # Nothing is chosen for her: what is missing is said, beside the field.
    page.locator(".house-decide button").click()
    expect(page.locator(".govuk-error-summary")).to_contain_text("Choose what they see")
    axe(page)
    choose(page, "this")
    page.wait_for_url("**/check")
    expect(page.locator("#what")).to_contain_text("Heol yr Afon")
    axe(page)
    share(page, mair)
    axe(page)

    granted = newest(mair)
    assert granted.consent_request_id == link.request.consent_request_id
    assert {item.mode for item in granted.scope} == {consent_pb2.EVIDENCE_MODE_PINNED}
    address = page.locator("#way-back").get_attribute("href") or ""
    assert address.startswith(f"{asks.BACK}&code=")
    assert link.redeemed(address).consent_id == granted.consent_id


def test_her_confirmation_is_a_file_that_can_be_checked(
    page: Page, signed_in: SignIn, mair: Person
) -> None:
    signed_in(page, mair)
    page.locator("#waiting h3 a").first.click()
    choose(page)
    page.wait_for_url("**/check")
    share(page, mair)
    number = page.locator("#reference").inner_text()
    with page.expect_download() as waiting:
        page.locator("#confirmation").click()

    assert waiting.value.suggested_filename == f"confirmation-{number}.json"
    record = SignedRecord.read(Path(waiting.value.path()).read_bytes())
    facts = record.verify(mair.story.directory.receipt_keys)
    assert (facts["type"], facts["consent_id"]) == ("consent-granted.1", newest(mair).consent_id)

    # In another browser, where nothing of it is kept, it is the same.
    page.context.clear_cookies()
    signed_in(page, mair)
    again = page.request.get(f"/requests/{newest(mair).consent_request_id}/confirmation")
    assert again.headers["content-disposition"].endswith(f'"confirmation-{number}.json"')
    assert json.loads(again.text())["leaf_index"] == record.leaf_index


def test_she_shares_some_of_it_for_a_shorter_time(
    page: Page, signed_in: SignIn, mair: Person
) -> None:
    signed_in(page, mair)
    page.locator("#waiting h3 a").first.click()
    page.get_by_label("Medicines").check()
    for part, typed in (("day", "31"), ("month", "2"), ("year", "2027")):
        page.locator(f"#end-{part}").fill(typed)
    choose(page)
    expect(page.locator("#end-error")).to_contain_text("There is no such day.")
    asked = mair.story.mair.consents.ListRequests(ListRequestsRequest()).consent_requests[0]
    last = asked.end_time.ToDatetime().date() - dt.timedelta(days=10)
    page.locator("#end-day").fill(str(last.day))
    page.locator("#end-month").fill(str(last.month))
    page.locator("#end-year").fill(str(last.year + 1))
    page.locator(".house-decide button").click()
    expect(page.locator("#end-error")).to_contain_text("That is longer than they ask for.")
    page.locator("#end-year").fill(str(last.year))
    # What she chose is still chosen.
    expect(page.get_by_label("Medicines")).to_be_checked()
    page.locator(".house-decide button").click()
    page.wait_for_url("**/check")
    expect(page.locator("#what")).to_contain_text("Amlodipine")
    expect(page.locator("#not")).to_contain_text("Illnesses and injuries")
    page.locator("#until a").click()
    expect(page.locator("#end-month")).to_have_value(str(last.month))
    page.go_back()
    share(page, mair)

    granted = newest(mair)
    assert granted.end_time == end_of(last)
    assert [list(item.optional) for item in granted.scope] == [[], [], ["medication"]]


def test_several_are_answered_in_one_visit(
    page: Page, signed_in: SignIn, mair: Person, axe: Axe
) -> None:
    beforehand.be_asked(mair.story)
    signed_in(page, mair)
    expect(page.locator("#waiting h2")).to_have_text("2 requests wait for you")
    page.locator("#waiting h3 a").first.click()
    page.locator(".house-decide a").click()
    axe(page)
    press(page, "Do not share")
    page.wait_for_url("**/done")
    expect(page.locator("h1")).to_contain_text("You said no to Aber Council")
    expect(page.locator("#if-no")).to_contain_text("You still get help.")
    axe(page)
    page.locator("#next").click()
    choose(page)
    page.wait_for_url("**/check")
    share(page, mair)

    assert page.locator("#next").count() == 0
    page.goto("/requests")
    axe(page)
    expect(page.locator("main")).to_contain_text("Nobody waits for your answer.")
    assert page.locator("main").get_by_text("You said no").count() == 1


def test_saying_no_needs_no_proof_and_tells_them_nothing(
    no_js: Page, signed_in: SignIn, mair: Person
) -> None:
    link = asks.link(mair.story)
    signed_in(no_js, mair, "cy")
    no_js.goto(link.path)
    no_js.locator("main form button").click()
    no_js.locator("a[href$='/no']").click()
    no_js.locator("main form button").click()
    no_js.wait_for_url("**/done")

    expect(no_js.locator("h1")).to_contain_text("Dywedoch na wrth")
    redeemed = link.redeemed(no_js.locator("#way-back").get_attribute("href") or "")
    assert redeemed.state == consent_pb2.CONSENT_REQUEST_STATE_REFUSED
    assert redeemed.consent_id == ""


def test_who_does_not_confirm_it_comes_back_to_where_she_decided(
    no_js: Page, signed_in: SignIn, mair: Person
) -> None:
    before = newest(mair).consent_id
    link = asks.link(mair.story)
    signed_in(no_js, mair)
    no_js.goto(link.path)
    no_js.locator("main form button").click()
    choose(no_js)
    check = no_js.url
    no_js.locator("main form[action$='/check'] button[type=submit]").click()
    no_js.get_by_role("button", name="Go back without signing in").click()
    expect(no_js.locator("h1")).to_have_text("You did not sign in")
    no_js.get_by_role("link", name="Go back to where you were").click()

    no_js.wait_for_url(check)
    assert newest(mair).consent_id == before
    share(no_js, mair)
    assert newest(mair).consent_id != before


def test_she_may_go_back_to_them_and_decide_later(
    mobile: Page, signed_in: SignIn, mair: Person
) -> None:
    link = asks.link(mair.story)
    signed_in(mobile, mair)
    mobile.goto(link.path)
    press(mobile, "See what they ask")
    redeemed = link.redeemed(mobile.locator("#way-back").get_attribute("href") or "")

    assert redeemed.state == consent_pb2.CONSENT_REQUEST_STATE_PENDING
    expect(mobile.locator("#way-back")).to_contain_text("brightcare.example")


def test_she_shares_with_her_passkey(page: Page, signed_in: SignIn, mair: Person, axe: Axe) -> None:
    VirtualAuthenticator(page)
    signed_in(page, mair)
    page.goto("/account/passkeys/add")
    press(page, "Make the passkey")
    say_who(page, mair.sub)
    page.wait_for_url("**/account/**")
    page.goto("/")
    page.locator("#waiting h3 a").first.click()
    choose(page)
    page.wait_for_url("**/check")
    axe(page)
    press(page, "Share, with your passkey")
    page.wait_for_url("**/done")

    entry = mair.story.mair.vaults.ListHistory(ListHistoryRequest(page_size=1)).entries[0]
    assert (entry.type, entry.approval_kind) == ("consent-granted.1", APPROVAL_KIND_WEBAUTHN)
    assert entry.approval_kind != APPROVAL_KIND_OIDC_STEP_UP


@pytest.mark.parametrize("settings", [MOBILE, NO_JS], ids=["telephone", "without scripts"])
def test_what_is_missing_can_be_added_on_the_way(
    open_page: OpenPage, site: Site, settings: dict[str, object], axe: Axe
) -> None:
    page = open_page(**settings)
    nobody = site.newcomer()
    link = asks.link(site.story)
    page.goto(link.path)
    page.locator("main a[href^='/sign-in']").click()
    say_who(page, nobody)
    # She has nothing here yet: a place is made first, then she comes back to the link.
    press(page, "See what they ask")
    page.wait_for_url("**/welcome?**")
    press(page, "Begin")
    page.wait_for_url(f"**{link.path}")
    press(page, "See what they ask")
    page.wait_for_url("**/requests/*")
    axe(page)
    expect(page.locator("#asking-0")).to_contain_text("You have not added this yet")
    choose(page)
    expect(page.locator(".govuk-error-summary")).to_contain_text("They cannot go on without this")
    axe(page)
    href = page.locator("#asking-0 a").get_attribute("href")
    request = f"/requests/{link.request.consent_request_id}"
    assert href == f"/information/add/postal_address?back={request}"
