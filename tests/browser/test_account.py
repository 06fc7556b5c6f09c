# SPDX-License-Identifier: Apache-2.0
"""Signing in and safety: passkeys, another sign-in, how she is told, a device that others use."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.authenticator import VirtualAuthenticator
from tests.browser.kinds import DESKTOP, MOBILE, NO_JS, OpenPage, SignIn
from tests.browser.looking import sideways
from tests.browser.signing_in import say_who
from tests.browser.site import Person, Site
from vault.api.v1.vault_pb2 import (
    APPROVAL_KIND_OIDC_STEP_UP,
    APPROVAL_KIND_STAFF_ASSISTED,
    APPROVAL_KIND_WEBAUTHN,
)
from vault.api.v1.vault_service_pb2 import (
    GetContactRequest,
    GetVaultRequest,
    ListHistoryRequest,
    ListPasskeysRequest,
)

OFFICIAL = "Eleri Jones"

Axe = Callable[[Page], None]


def approvals(who: Person) -> list[int]:
    """Return how what happened lately was approved, newest first."""
    entries = who.story.mair.vaults.ListHistory(ListHistoryRequest(page_size=5)).entries
    return [entry.approval_kind for entry in entries]


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def follow(page: Page, name: str) -> None:
    page.locator("main a", has_text=name).first.click()


def test_a_passkey_is_added_used_and_removed(
    page: Page, signed_in: SignIn, mair: Person, axe: Axe
) -> None:
    device = VirtualAuthenticator(page)
    signed_in(page, mair)
    page.goto("/account")
    follow(page, "Passkeys")
    follow(page, "Add a passkey")
    axe(page)
    press(page, "Make the passkey")
    say_who(page, mair.sub)
    expect(page.get_by_text("Your passkey is added.")).to_be_visible()
    assert len(device.credentials) == 1
    assert approvals(mair)[0] == APPROVAL_KIND_OIDC_STEP_UP
    axe(page)

    # It does not know who touches it: nothing is decided, and that is said.
    page.goto("/account/sign-ins/add")
    device.knows_its_owner(does=False)
    press(page, "Use your passkey and get the code")
    expect(page.get_by_text("Your passkey did not answer.")).to_be_visible()
    device.knows_its_owner(does=True)
    press(page, "Use your passkey and get the code")
    page.wait_for_url("**/account/sign-ins/code")
    expect(page.locator("#code")).to_have_text(re.compile(r"(\w{5}-){3}\w{5}"))
    assert approvals(mair)[0] == APPROVAL_KIND_WEBAUTHN

    page.goto("/account/passkeys")
    follow(page, "Remove this passkey")
    press(page, "Remove this passkey")
    expect(page.get_by_text("The passkey is removed.")).to_be_visible()
    kept = mair.story.mair.vaults.ListPasskeys(ListPasskeysRequest()).passkeys
    assert [one.HasField("remove_time") for one in kept] == [True]
    page.goto("/account/sign-ins/add")
    expect(page.get_by_role("button", name="Use your passkey and get the code")).to_have_count(0)


def test_without_a_passkey_device_she_is_told(page: Page, signed_in: SignIn, mair: Person) -> None:
    VirtualAuthenticator(page).knows_its_owner(does=False)
    signed_in(page, mair)
    page.goto("/account/passkeys/add")
    before = approvals(mair)

    press(page, "Make the passkey")

    expect(page.get_by_text("Your passkey did not answer.")).to_be_visible()
    assert approvals(mair) == before


def test_another_sign_in_leads_to_her_information(
    open_page: OpenPage, signed_in: SignIn, site: Site, mair: Person, axe: Axe
) -> None:
    hers = signed_in(open_page(**NO_JS), mair)
    hers.goto("/account/sign-ins")
    follow(hers, "Add another sign-in")
    press(hers, "Sign in once more and get the code")
    say_who(hers, mair.sub)
    hers.wait_for_url("**/account/sign-ins/code")
    code = hers.locator("#code").inner_text()
    axe(hers)

    new = open_page(**DESKTOP)
    sub = site.newcomer()
    new.goto("/sign-in?back=/information")
    say_who(new, sub)
    new.wait_for_url("**/welcome?**")
    follow(new, "Use the code that you were given")
    press(new, "Go on")
    expect(new.locator("#code-error")).to_contain_text("Type the code.")
    new.get_by_label("Code", exact=True).fill("AAAAA-AAAAA-AAAAA-AAAAA")
    press(new, "Go on")
    expect(new.locator("#code-error")).to_contain_text("This code is not good")
    axe(new)
    new.get_by_label("Code", exact=True).fill(code.lower().replace("-", " "))
    press(new, "Go on")
    expect(new.get_by_text("This sign-in now leads to your information.")).to_be_visible()

    # It may look; letting others in has to wait.
    new.goto("/account/sign-ins")
    waiting = new.locator(".house-card", has_text="You came by this one.")
    expect(waiting).to_contain_text("it can look and stop, but not share")
    new.goto("/account/sign-ins/add")
    expect(new.get_by_role("heading", level=1)).to_have_text("This sign-in is still new")

    hers.goto("/account/sign-ins")
    others = hers.locator(".house-card", has_not_text="You came by this one.")
    others.last.get_by_role("link").click()
    axe(hers)
    press(hers, "Close this way")
    expect(hers.get_by_text("That way is closed.")).to_be_visible()
    new.goto("/account/sign-ins")
    new.wait_for_url("**/welcome?**")


def test_she_signs_out_everywhere(
    open_page: OpenPage, signed_in: SignIn, mair: Person, axe: Axe
) -> None:
    here, there = (signed_in(open_page(**NO_JS), mair) for _ in range(2))
    here.goto("/account")
    follow(here, "Sign out everywhere")
    axe(here)
    press(here, "Sign out everywhere now")
    expect(here.get_by_role("heading", level=1)).to_have_text("You are signed out")

    for page in (here, there):
        page.goto("/account")
        page.wait_for_url("**/welcome-back?**")


def test_how_she_is_told(page: Page, signed_in: SignIn, mair: Person, axe: Axe) -> None:
    signed_in(page, mair)
    page.goto("/account")
    follow(page, "How we tell you")
    axe(page)
    page.get_by_label("E-mail address").fill("no address")
    page.get_by_label("Telephone for text messages").fill("nobody")
    press(page, "Save")
    expect(page.locator("#email-error")).to_contain_text("Type an e-mail address")
    expect(page.locator("#telephone-error")).to_contain_text("Type a telephone number")
    axe(page)

    page.get_by_label("E-mail address").fill("mair@example.com")
    page.get_by_label("Telephone for text messages").fill("01632 960001")
    page.get_by_label("Postal address for letters").fill("Mair\n14 Heol yr Afon\nAber\nSY29 4ZZ")
    page.get_by_label("Once a week").check()
    page.get_by_label("Somebody tried and was refused").uncheck()
    page.get_by_label("Name nobody and nothing in messages").check()
    press(page, "Save")
    expect(page.get_by_text("We tell you that way from now on.")).to_be_visible()

    kept = mair.story.mair.vaults.GetContact(GetContactRequest()).contact
    assert (kept.email, kept.telephone) == ("mair@example.com", "01632 960001")
    assert list(kept.postal_lines) == ["Mair", "14 Heol yr Afon", "Aber", "SY29 4ZZ"]
    assert (kept.discreet, kept.language, list(kept.muted_kinds)) == (True, "en", [3])
    page.goto("/account/contact")
    expect(page.get_by_label("Once a week")).to_be_checked()
    expect(page.get_by_label("Somebody tried and was refused")).not_to_be_checked()


def test_a_device_that_others_use(page: Page, signed_in: SignIn, mair: Person, axe: Axe) -> None:
    signed_in(page, mair)
    page.goto("/account/device")
    axe(page)
    expect(page.get_by_label("No, only I use it")).to_be_checked()
    page.get_by_label("Yes, others use it").check()
    press(page, "Save")

    expect(page.get_by_text("after 5 minutes in which you do nothing")).to_be_visible()
    expect(page.locator("#timeout")).to_have_attribute("data-seconds", "300")


def test_somebody_helps_her(page: Page, signed_in: SignIn, mair: Person, axe: Axe) -> None:
    signed_in(page, mair)
    page.goto("/account/help-code")
    axe(page)
    press(page, "Make a code")
    expect(page.locator("#code")).not_to_be_empty()
    code = page.locator("#code").inner_text()
    page.reload()
    expect(page.locator("#code")).to_have_text(code)
    follow(page, "See all codes, and close one")
    expect(page.get_by_role("heading", name="A code for somebody who helps you")).to_be_visible()


def test_what_is_somebody_elses_is_not_there(
    page: Page, signed_in: SignIn, site: Site, mair: Person
) -> None:
    other = site.person()
    theirs = other.story.mair.vaults.GetVault(GetVaultRequest()).vault.sign_ins[0].sign_in_id
    mine = mair.story.mair.vaults.GetVault(GetVaultRequest()).vault.sign_ins[0].sign_in_id
    signed_in(page, mair)

    for path, status in (
        (f"/account/sign-ins/{mine}/remove", 200),
        (f"/account/sign-ins/{theirs}/remove", 404),
        (f"/account/passkeys/{mine}/remove", 404),
        ("/account/sign-ins/code", 404),
    ):
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == status, path


def test_who_lost_her_sign_in_comes_back_by_a_counter(
    open_page: OpenPage, signed_in: SignIn, site: Site, mair: Person, axe: Axe
) -> None:
    hers = signed_in(open_page(**NO_JS), mair)
    hers.goto("/account/help-code")
    press(hers, "Make a code")
    paper = hers.locator("#code").inner_text()

    counter = open_page(**DESKTOP)
    counter.goto("/sign-in?as=official")
    say_who(counter, OFFICIAL, "official")
    counter.get_by_label("At a counter").check()
    counter.get_by_label("Their code").fill(paper)
    press(counter, "Begin to help")
    counter.goto("/account/sign-ins/add")
    axe(counter)
    press(counter, "I have checked who it is: get the code")
    code = counter.locator("#code").inner_text()
    assert approvals(mair)[0] == APPROVAL_KIND_STAFF_ASSISTED
    for path in ("passkeys/add", "help-code", "link", "device"):
        answer = counter.goto(f"/account/{path}")
        assert answer is not None
        assert answer.status == 404, path

    new = open_page(**NO_JS)
    new.goto("/sign-in?back=/account/link")
    say_who(new, site.newcomer())
    new.get_by_label("Code", exact=True).fill(code)
    press(new, "Go on")
    expect(new.get_by_text("This sign-in now leads to your information.")).to_be_visible()


@pytest.mark.parametrize("language", ["en", "cy"])
def test_the_page_that_believes_everybody_is_for_everybody(
    open_page: OpenPage, axe: Axe, language: str
) -> None:
    page = open_page(**MOBILE)
    page.goto(f"/?language={language}")
    page.goto("/sign-in")
    page.locator("summary").click()

    axe(page)
    assert sideways(page) == 0
    assert page.locator("html").get_attribute("lang") == language
