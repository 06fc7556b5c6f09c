# SPDX-License-Identifier: Apache-2.0
"""What is done while pictures are taken: each journey through the pages, as people make it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from playwright.sync_api import Browser, Page

from clients.demo.people import COUNCIL_STAFF, OFFICIAL, OPERATOR
from clients.demo.planning import setting_up
from clients.demo.planning import site as council_page
from tests.browser.album import Album
from tests.browser.belongings import belongings_of
from tests.browser.kinds import MOBILE
from tests.browser.signing_in import say_who, sign_in
from tests.browser.site import Person, Site

_WIDE: Final[Mapping[str, Any]] = {"viewport": {"width": 1020, "height": 640}}


@dataclass(frozen=True)
class Teller:
    """Opens pages, and takes pictures of them."""

    browser: Browser
    site: Site
    album: Album

    def open(self, settings: Mapping[str, Any] = _WIDE) -> Page:
        """Open a browser of a kind, with cookies of its own."""
        context = self.browser.new_context(base_url=self.site.url, locale="en-GB", **settings)
        context.set_default_timeout(10_000)
        return context.new_page()

    def signed_in(
        self, settings: Mapping[str, Any] = _WIDE, language: str = "en"
    ) -> tuple[Page, Person]:
        """Sign somebody in for whom everything is as for Mair."""
        page, person = self.open(settings), self.site.person()
        sign_in(page, self.site.url, person.sub, language)
        return page, person

    def take(self, page: Page, name: str, shows: str) -> None:
        """Take a picture."""
        self.album.take(page, name, shows)


def come_in(tell: Teller) -> None:
    """Sign in, and see the start page."""
    page = tell.open()
    page.goto("/")
    tell.take(page, "landing", "Before she signs in.")
    page.locator("main form[action^='/sign-in'] button").click()
    page.wait_for_url("**/authorize?**")
    tell.take(page, "provider", "The page where people sign in; for trying out, it believes them.")
    say_who(page, tell.site.person().sub)
    page.wait_for_url(f"{tell.site.url}/**")
    tell.take(page, "start", "The start page: what waits, what is shared, what was seen lately.")


def decide(tell: Teller) -> None:
    """Read a request, choose, check, show that it is she, and share; or say no."""
    page, person = tell.signed_in()
    page.locator("main a[href^='/requests/']").first.click()
    tell.take(page, "request", "Somebody asks: who, why, what they would see, until when.")
    choose(page)
    page.wait_for_url("**/check")
    tell.take(page, "request-check", "Checked once more before anything is shared.")
    approve(page, person)
    tell.take(page, "request-shared", "Shared, with a number and a confirmation to keep.")
    other, _ = tell.signed_in()
    other.locator("main a[href^='/requests/']").first.click()
    other.locator("main a[href$='/no']").click()
    tell.take(other, "request-no", "What happens if she says no, before she says it.")


def stop(tell: Teller) -> None:
    """Stop sharing, in two steps from the start page."""
    page, _ = tell.signed_in()
    page.goto("/sharing")
    tell.take(page, "sharing", "What is shared now, and what was before.")
    page.locator("main a[href^='/sharing/']").first.click()
    tell.take(page, "sharing-one", "One of them: what they see, until when, and every use.")
    page.locator("main a[href$='/stop']").first.click()
    tell.take(page, "sharing-stop", "What they have already, and what may happen.")
    page.locator("main form[action$='/stop'] button").click()
    page.wait_for_url("**/stopped**")
    tell.take(page, "sharing-stopped", "Stopped, at once.")


def keep(tell: Teller) -> None:
    """Look at the information, give more, say that something is wrong."""
    page, person = tell.signed_in()
    address = belongings_of(person).ids["evidence_id"][-1]
    page.goto("/information")
    tell.take(page, "information", "Everything that she gave.")
    page.goto(f"/information/{address}")
    tell.take(page, "information-one", "One piece: what it says, from where, and who sees it.")
    page.goto("/information/add")
    tell.take(page, "information-add", "What can be given.")


def look_back(tell: Teller) -> None:
    """See who looked, who tried, and what happened."""
    page, _ = tell.signed_in()
    page.goto("/seen")
    tell.take(page, "seen", "Everybody who looked, and everybody who tried and was refused.")


def stay_safe(tell: Teller) -> None:
    """Look after the sign-ins, and how one is told."""
    page, _ = tell.signed_in()
    for path, name, shows in (
        ("/account", "account", "Signing in and safety."),
        ("/account/sign-ins", "account-sign-ins", "Her sign-ins, and where she is signed in."),
        ("/account/contact", "account-contact", "How she is told what happens."),
    ):
        page.goto(path)
        tell.take(page, name, shows)


def in_welsh_on_a_telephone(tell: Teller) -> None:
    """The same in Welsh, 390 pixels wide."""
    page, _ = tell.signed_in(MOBILE, "cy")
    tell.take(page, "start-cy-390", "The start page in Welsh.")
    page.locator("main a[href^='/requests/']").first.click()
    tell.take(page, "request-cy-390", "A request in Welsh.")


def on_a_telephone(tell: Teller) -> None:
    """The same, 390 pixels wide."""
    page, _ = tell.signed_in(MOBILE)
    tell.take(page, "start-390", "The start page.")
    page.locator("main a[href^='/requests/']").first.click()
    tell.take(page, "request-390", "A request.")
    page.goto("/sharing")
    page.locator("main a[href^='/sharing/']").first.click()
    page.locator("main a[href$='/stop']").first.click()
    tell.take(page, "sharing-stop-390", "Stopping.")


def work(tell: Teller) -> None:
    """Staff of a service without engineers."""
    team = tell.site.story.council_team
    page = tell.open()
    page.goto("/sign-in?as=staff")
    say_who(page, COUNCIL_STAFF, "staff", team.service_id)
    page.wait_for_url(f"{tell.site.url}/**")
    tell.take(page, "staff", "What a service has asked for, and the answers.")
    page.goto("/staff/ask")
    tell.take(page, "staff-ask", "Asking for something.")


def help_somebody(tell: Teller) -> None:
    """An official at a counter or on the telephone."""
    page = tell.open()
    page.goto("/sign-in?as=official")
    say_who(page, OFFICIAL, "official")
    page.wait_for_url(f"{tell.site.url}/**")
    tell.take(page, "help", "Helping somebody who has no sign-in.")


def choose(page: Page) -> None:
    """Choose nothing that one need not choose, and go on."""
    if page.locator("input[name=versions]").count():
        page.locator("input[name=versions][value=this]").check()
    page.locator(".house-decide button").click()


def approve(page: Page, person: Person) -> None:
    """Share, and show at the provider that it is she."""
    page.locator("main form[action$='/check'] .govuk-button-group button").click()
    say_who(page, person.sub)
    page.wait_for_url("**/requests/**")


def apply(tell: Teller) -> None:
    """Apply for planning permission on the council's own page."""
    stage = tell.site.stage
    team = setting_up.register(stage.enter("operator", OPERATOR, "Operator"))
    council = stage.enter("service", team.service_id, "Planning team")
    person = tell.site.person()
    setting_up.give(person.story.mair)
    with council_page.opened(council, pages=tell.site.url) as url:
        page = tell.open()
        page.goto(url)
        tell.take(page, "planning", "The council's own page, where people begin.")
        page.get_by_label("What do you want to build?").fill("A ramp to the front door")
        page.get_by_role("button", name="Apply for planning permission").click()
        page.wait_for_url(f"{tell.site.url}/**")
        page.locator("main a[href^='/sign-in']").first.click()
        say_who(page, person.sub)
        page.wait_for_url("**/asked/**")
        page.locator("main form button").click()
        page.wait_for_url("**/requests/**")
        tell.take(page, "planning-request", "What the council asks for, with her own values.")


TALES: Final[Mapping[str, Callable[[Teller], None]]] = {
    "Coming in": come_in,
    "Somebody asks": decide,
    "Stopping": stop,
    "Your information": keep,
    "Seen by": look_back,
    "Safe": stay_safe,
    "On a telephone": on_a_telephone,
    "In Welsh": in_welsh_on_a_telephone,
    "From a council's page": apply,
    "Staff": work,
    "Somebody who helps": help_somebody,
}
