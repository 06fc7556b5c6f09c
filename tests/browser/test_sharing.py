# SPDX-License-Identifier: Apache-2.0
"""What she shares: stopping in two clicks, sharing less, a pause, for longer, the letter."""

from __future__ import annotations

import base64
import datetime as dt
import json
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from clients.demo.giving import HERSELF
from clients.demo.people import OFFICIAL
from clients.demo.story import new_id
from tests.browser.authenticator import VirtualAuthenticator
from tests.browser.kinds import DESKTOP, MOBILE, MOBILE_NO_JS, OpenPage, SignIn
from tests.browser.looking import sideways
from tests.browser.signing_in import say_who
from tests.browser.site import Person
from vault.api.v1 import consent_pb2
from vault.api.v1 import consent_service_pb2 as wire
from vault.api.v1.vault_pb2 import (
    APPROVAL_KIND_OIDC_STEP_UP,
    APPROVAL_KIND_SESSION,
    APPROVAL_KIND_STAFF_ASSISTED,
    APPROVAL_KIND_WEBAUTHN,
    CAPACITY_OFFICIAL,
)
from vault.api.v1.vault_service_pb2 import CreateAssistanceCodeRequest, ListHistoryRequest

Axe = Callable[[Page], None]
Shared = consent_pb2.Consent


def shared(person: Person, state: Any = consent_pb2.CONSENT_STATE_ACTIVE) -> Shared:
    """Return what she shares with BrightCare: the newest in a state."""
    found = person.story.mair.consents.ListConsents(wire.ListConsentsRequest()).consents
    return next(one for one in found if one.state == state)


def now(person: Person, consent_id: str) -> Shared:
    """Return one of them as it is now."""
    request = wire.GetConsentRequest(consent_id=consent_id)
    return person.story.mair.consents.GetConsent(request).consent


def ends_soon(person: Person) -> Shared:
    """Let what she shares end in ten days, so that it can go on for longer."""
    request = wire.NarrowConsentRequest(
        request_id=new_id(), acting=HERSELF, consent_id=shared(person).consent_id
    )
    request.end_time.FromDatetime(dt.datetime.now(dt.UTC) + dt.timedelta(days=10))
    return person.story.mair.consents.NarrowConsent(request).consent


def decided(person: Person) -> tuple[str, int]:
    """Return what happened last, looks left out, and what shows that it was hers."""
    request = ListHistoryRequest(page_size=20)
    lines = person.story.mair.vaults.ListHistory(request).entries
    newest = next(line for line in lines if not line.type.startswith("vault-read."))
    return newest.type, newest.approval_kind


def press(page: Page, name: str) -> None:
    page.locator("main").get_by_role("button", name=name, exact=True).click()


def type_day(page: Page, day: dt.date) -> None:
    for part in ("day", "month", "year"):
        page.locator(f"#end-{part}").fill(str(getattr(day, part)))


@pytest.mark.parametrize("settings", [DESKTOP, MOBILE_NO_JS], ids=["desktop", "telephone-no-js"])
def test_two_clicks_from_the_start_page_it_is_stopped(
    open_page: OpenPage, signed_in: SignIn, mair: Person, axe: Axe, settings: Any
) -> None:
    page = signed_in(open_page(**settings), mair)
    before = shared(mair)

    page.locator("main a[href$='/stop']").first.click()
    # What they have, until when they may keep it, what may happen; nothing is ticked for her.
    expect(page.locator("main")).to_contain_text("They keep a copy for 30 days")
    expect(page.locator("main")).to_contain_text("If you move, tell us yourself.")
    assert page.locator("main :checked").count() == 0
    assert sideways(page) == 0
    axe(page)
    press(page, "Stop sharing")

    page.wait_for_url("**/stopped")
    axe(page)
    assert now(mair, before.consent_id).state == consent_pb2.CONSENT_STATE_REVOKED
    assert decided(mair) == ("consent-revoked.1", APPROVAL_KIND_SESSION)
    page.locator("main a[href^='/confirmations/']").click()
    expect(page.locator("main")).to_contain_text("You stopped sharing")
    expect(page.locator("#check + p")).to_have_text("Yes, it is genuine")

    # It is over: its page says so, and there is nothing left to stop.
    page.goto(f"/sharing/{before.consent_id}/stop")
    assert urllib.parse.urlsplit(page.url).path == f"/sharing/{before.consent_id}"
    assert page.locator("main a[href$='/stop']").count() == 0


def test_who_stops_what_is_stopped_already_is_told_that_it_is(
    page: Page, signed_in: SignIn, mair: Person
) -> None:
    signed_in(page, mair)
    consent_id = shared(mair).consent_id
    page.goto(f"/sharing/{consent_id}/stop")
    mair.story.mair.consents.RevokeConsent(
        wire.RevokeConsentRequest(request_id=new_id(), acting=HERSELF, consent_id=consent_id)
    )

    press(page, "Stop sharing")

    page.wait_for_url(f"**/sharing/{consent_id}/stopped")


def test_the_letter_is_hers_to_send_and_nothing_is_recorded_of_it(
    mobile: Page, signed_in: SignIn, mair: Person, axe: Axe
) -> None:
    signed_in(mobile, mair)
    consent_id = shared(mair).consent_id
    mobile.goto(f"/sharing/{consent_id}/stop")
    mobile.locator("label[for=delete]").click()
    press(mobile, "Stop sharing")
    mobile.wait_for_url("**/letter")

    axe(mobile)
    letter = mobile.locator("#letter").inner_text()
    assert consent_id in letter
    assert "House number" in letter
    address = mobile.locator("main a[href^='mailto:']").get_attribute("href") or ""
    to, _, query = address.removeprefix("mailto:").partition("?")
    mail = urllib.parse.parse_qs(query, strict_parsing=True)
    assert to == "privacy@brightcare.example"
    assert mail["body"][0].replace("\r\n", "\n") == letter
    assert decided(mair)[0] == "consent-revoked.1"
    mobile.emulate_media(media="print")
    assert mobile.locator("main a:visible, main button:visible").count() == 0


def test_she_shares_less_and_sees_first_what_changes(
    page: Page, signed_in: SignIn, mair: Person, axe: Axe
) -> None:
    signed_in(page, mair)
    before = shared(mair)
    page.goto(f"/sharing/{before.consent_id}/less")
    axe(page)

    press(page, "See what would change")
    expect(page.locator(".govuk-error-summary")).to_contain_text("You left nothing out")
    axe(page)
    page.locator(".govuk-error-summary a").click()
    expect(page.locator("#keep-1")).to_be_focused()
    for box in page.locator("input[name=keep-1]").all():
        box.uncheck()
    press(page, "See what would change")
    expect(page.locator(".govuk-error-summary")).to_contain_text("Nothing would be left.")
    page.locator("input[value=streetName]").check()
    page.locator("input[value=postalCode]").check()
    page.locator("#times").fill("9")
    press(page, "See what would change")
    expect(page.locator("#times-error")).to_contain_text("from 1 to 4")
    page.locator("#times").fill("2")
    end = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=10)
    type_day(page, end)
    press(page, "See what would change")

    changes = page.locator("dl").first
    expect(page.locator("h1")).to_contain_text("check what changes")
    axe(page)
    for text in ("House number, Town or city", "2 times each day at most", "instead of"):
        expect(changes).to_contain_text(text)
    assert now(mair, before.consent_id) == before
    press(page, "Share less")

    expect(page.locator(".govuk-notification-banner--success")).to_contain_text("you share less")
    axe(page)
    after = now(mair, before.consent_id)
    assert sorted(after.scope[0].required) == ["postalCode", "streetName"]
    assert after.frequency.count == 2
    assert after.end_time.ToDatetime().date() in {end, end + dt.timedelta(days=1)}
    assert decided(mair) == ("consent-narrowed.1", APPROVAL_KIND_SESSION)


def test_a_pause_needs_nothing_and_going_on_needs_her(
    page: Page, signed_in: SignIn, mair: Person, axe: Axe
) -> None:
    signed_in(page, mair)
    consent_id = shared(mair).consent_id
    page.goto(f"/sharing/{consent_id}/pause")
    axe(page)
    press(page, "Pause it")

    expect(page.locator("main .govuk-tag")).to_have_text("Paused")
    assert decided(mair) == ("consent-paused.1", APPROVAL_KIND_SESSION)
    page.locator("main a[href$='/resume']").click()
    expect(page.locator("h1")).to_contain_text("again?")
    axe(page)
    press(page, "Let it go on")
    # Nothing goes on before she has shown that it is she.
    assert now(mair, consent_id).state == consent_pb2.CONSENT_STATE_PAUSED
    say_who(page, mair.sub)

    page.wait_for_url(f"**/sharing/{consent_id}")
    expect(page.locator(".govuk-notification-banner--success")).to_contain_text("can see it again")
    assert decided(mair) == ("consent-resumed.1", APPROVAL_KIND_OIDC_STEP_UP)


def test_somebody_else_at_the_provider_lets_nothing_go_on(
    page: Page, signed_in: SignIn, mair: Person
) -> None:
    signed_in(page, mair)
    consent_id = shared(mair).consent_id
    page.goto(f"/sharing/{consent_id}/pause")
    press(page, "Pause it")
    page.locator("main a[href$='/resume']").click()
    press(page, "Let it go on")
    say_who(page, "somebody-else")

    expect(page.locator("h1")).to_contain_text("not shown to be you")
    assert now(mair, consent_id).state == consent_pb2.CONSENT_STATE_PAUSED


def test_what_was_changed_on_the_page_is_not_signed(
    page: Page, signed_in: SignIn, mair: Person
) -> None:
    """A page that shows one thing and has another signed is found out before she signs."""
    signed_in(page, mair)
    consent_id = ends_soon(mair).consent_id
    page.goto(f"/sharing/{consent_id}/longer")
    type_day(page, dt.datetime.now(dt.UTC).date() + dt.timedelta(days=30))
    press(page, "See what would change")
    expect(page.locator("h1")).to_contain_text("check what changes")
    field = page.locator("input[name=preview]")
    preview = wire.ExtendConsentResponse.FromString(base64.b64decode(field.input_value()))
    preview.consent.end_time.seconds += 86400
    changed = base64.b64encode(preview.SerializeToString()).decode()
    field.evaluate("(field, value) => { field.value = value; }", changed)

    press(page, "Share it for longer")

    expect(page.locator("h1")).to_contain_text("that was not what you were shown")
    assert decided(mair)[0] != "consent-extended.1"


@pytest.mark.parametrize("with_passkey", [False, True], ids=["provider", "passkey"])
def test_it_goes_on_for_longer_as_far_as_it_may(
    page: Page, signed_in: SignIn, mair: Person, axe: Axe, *, with_passkey: bool
) -> None:
    signed_in(page, mair)
    if with_passkey:
        add_passkey(page, mair)
    before = ends_soon(mair)
    page.goto(f"/sharing/{before.consent_id}/longer")
    axe(page)
    press(page, "See what would change")
    expect(page.locator("#end-error")).to_contain_text("Answer this question")
    today = dt.datetime.now(dt.UTC).date()
    for day, wrong in (
        (today, "They can see it until then already"),
        (today + dt.timedelta(days=5000), "days from today at most"),
    ):
        type_day(page, day)
        press(page, "See what would change")
        expect(page.locator("#end-error")).to_contain_text(wrong)
    axe(page)
    end = today + dt.timedelta(days=30)
    type_day(page, end)
    press(page, "See what would change")
    expect(page.locator("dl").first).to_contain_text("instead of")
    axe(page)
    assert now(mair, before.consent_id) == before
    if with_passkey:
        press(page, "Confirm with your passkey")
    else:
        press(page, "Share it for longer")
        say_who(page, mair.sub)

    page.wait_for_url(f"**/sharing/{before.consent_id}")
    kind = APPROVAL_KIND_WEBAUTHN if with_passkey else APPROVAL_KIND_OIDC_STEP_UP
    assert decided(mair) == ("consent-extended.1", kind)
    assert now(mair, before.consent_id).end_time.ToDatetime().date() >= end


def test_one_sharing_tells_what_they_saw_and_what_she_agreed(
    open_page: OpenPage, signed_in: SignIn, mair: Person, axe: Axe
) -> None:
    page = signed_in(open_page(**MOBILE), mair, "cy")
    page.goto("/sharing")
    axe(page)
    expect(page.locator("main article")).to_have_count(1)
    expect(page.locator("#before ~ dl .govuk-summary-list__row")).to_have_count(1)
    page.locator("main article h2 a").click()

    expect(page.locator("#terms")).to_be_visible()
    axe(page)
    assert sideways(page) == 0
    uses = page.locator("#uses ~ ol").first
    expect(uses.locator("li")).to_have_count(2)
    expect(uses).to_contain_text("Ceisiasant")
    with page.expect_download() as waiting:
        page.locator("main a[href$='/agreement']").click()
    kept = json.loads(Path(waiting.value.path()).read_bytes())
    assert shared(mair).consent_id in json.dumps(kept)
    assert waiting.value.suggested_filename.endswith(".jsonld")


def test_an_official_helps_with_all_but_more_time(page: Page, mair: Person, axe: Axe) -> None:
    request = CreateAssistanceCodeRequest(request_id=new_id())
    code = mair.story.mair.vaults.CreateAssistanceCode(request).assistance_code
    page.goto("/sign-in?as=official")
    say_who(page, OFFICIAL, "official")
    page.get_by_label("On the phone").check()
    page.get_by_label("Their code").fill(code)
    page.get_by_role("button", name="Begin to help").click()
    expect(page.locator(".house-assisting")).to_be_visible()
    path = f"/sharing/{shared(mair).consent_id}"

    page.goto(f"{path}/longer")
    expect(page.locator("main")).to_contain_text("Only they themselves")
    axe(page)
    page.goto(f"{path}/pause")
    press(page, "Pause it")
    page.locator("main a[href$='/resume']").click()
    press(page, "Let it go on")
    page.wait_for_url(f"**{path}")
    assert decided(mair) == ("consent-resumed.1", APPROVAL_KIND_STAFF_ASSISTED)
    page.goto(f"{path}/stop")
    axe(page)
    press(page, "Stop sharing")
    page.wait_for_url(f"**{path}/stopped")
    newest = mair.story.mair.vaults.ListHistory(ListHistoryRequest(page_size=20)).entries
    stopped = next(one for one in newest if one.type.startswith("consent-revoked."))
    assert stopped.acting.capacity == CAPACITY_OFFICIAL


def add_passkey(page: Page, mair: Person) -> None:
    """Give her a passkey, by the pages."""
    VirtualAuthenticator(page)
    page.goto("/account/passkeys/add")
    press(page, "Make the passkey")
    say_who(page, mair.sub)
    page.wait_for_url("**/account/**")
