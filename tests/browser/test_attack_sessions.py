# SPDX-License-Identifier: Apache-2.0
"""Who is signed in: cookies, sign-ins forced on somebody, time-outs, and what stays behind."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import apsw
import pytest
from playwright.sync_api import Page

from clients.web.sessions import SHARED_DEVICE_SECONDS
from tests.browser.belongings import belongings_of
from tests.browser.kinds import SignIn
from tests.browser.signing_in import say_who
from tests.browser.site import Person, Site
from tests.browser.visiting import COOKIE, Visitor, asked_in

PRIVATE = ("/information", "/sharing", "/seen", "/account")
GUESSED = "A" * 43


@pytest.fixture
def visitor(site: Site) -> Visitor:
    return Visitor(site.url)


def test_the_cookie_is_kept_from_scripts_neighbours_and_other_sites(
    visitor: Visitor, mair: Person
) -> None:
    flags = {
        part.strip().lower()
        for line in visitor.sign_in(mair.sub).cookies
        if line.startswith(f"{COOKIE}=")
        for part in line.split(";")[1:]
    }

    assert {"secure", "httponly", "samesite=lax", "path=/"} <= flags
    # `__Host-` is refused by browsers if it names a domain.
    assert not any(flag.startswith("domain") for flag in flags)
    assert not any(flag.startswith(("max-age", "expires")) for flag in flags)
    assert re.fullmatch(r"[\w-]{43}", visitor.secret)


def test_a_sign_in_draws_a_new_secret_and_ends_the_one_before(
    visitor: Visitor, mair: Person
) -> None:
    visitor.get("/sign-in")
    before = Visitor(visitor.url, dict(visitor.cookies))
    assert before.secret

    visitor.sign_in(mair.sub)

    assert visitor.secret != before.secret
    assert visitor.get("/information").status == 200
    assert _is_shut_out(before)


def test_a_secret_that_somebody_else_made_up_is_never_taken(site: Site, mair: Person) -> None:
    victim = Visitor(site.url, {COOKIE: GUESSED})

    victim.sign_in(mair.sub)

    assert victim.secret != GUESSED
    assert _is_shut_out(Visitor(site.url, {COOKIE: GUESSED}))


def test_an_attackers_sign_in_cannot_be_ended_in_another_browser(
    site: Site, visitor: Visitor, mair: Person
) -> None:
    attacker = Visitor(site.url)
    back = attacker.approved(attacker.get("/sign-in").location, "mallory")

    for victim in (visitor, _signed_in(site, mair)):
        answer = victim.get(back)
        assert answer.status == 400
    assert victim.get("/information").status == 200
    assert _is_shut_out(visitor)


def test_a_code_opens_once(visitor: Visitor, mair: Person) -> None:
    back = visitor.approved(visitor.get("/sign-in").location, mair.sub)
    assert visitor.get(back).status == 303

    assert visitor.get(back).status == 400


def test_the_provider_is_asked_with_what_protects_the_answer(visitor: Visitor) -> None:
    first, second = (asked_in(visitor.get("/sign-in").location) for _ in range(2))

    assert first["response_type"] == "code"
    assert first["code_challenge_method"] == "S256"
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name]) >= 43
        assert first[name] != second[name]


def test_signing_out_ends_it_for_whoever_has_the_cookie(site: Site, mair: Person) -> None:
    visitor = _signed_in(site, mair)
    thief = Visitor(site.url, dict(visitor.cookies))

    visitor.post("/sign-out", [("csrf", visitor.csrf())])

    assert _is_shut_out(thief)


def test_leaving_at_once_ends_it_too_but_no_other_site_can_do_it(site: Site, mair: Person) -> None:
    visitor = _signed_in(site, mair)

    visitor.get("/exit", {"sec-fetch-site": "cross-site"})
    assert visitor.get("/information").status == 200

    assert urlsplit(visitor.get("/exit", {"sec-fetch-site": "same-origin"}).location).netloc
    assert _is_shut_out(visitor)


@pytest.mark.parametrize("path", PRIVATE)
def test_what_is_hers_is_kept_by_no_browser(path: str, site: Site, mair: Person) -> None:
    assert _signed_in(site, mair).get(path).header("cache-control") == "no-store"


def test_whoever_has_the_file_of_sign_ins_reads_nothing(site: Site, mair: Person) -> None:
    visitor = _signed_in(site, mair)
    files = list(_file(site).parent.glob("sessions.db*"))

    stored = b"".join(file.read_bytes() for file in files)

    assert len(stored) > 4096
    for told in (visitor.secret, mair.sub, "citizen", "Bearer", "eyJ"):
        assert told.encode() not in stored


def test_after_a_time_out_nothing_opens_and_what_was_typed_is_given_back(
    site: Site, mair: Person
) -> None:
    visitor = _signed_in(site, mair)
    consent = belongings_of(mair).of("consent_id")
    typed = [("csrf", visitor.csrf()), ("sooner", "12 March")]
    _let_time_out(site)
    assert _is_shut_out(visitor)

    answer = visitor.post(f"/sharing/{consent}/stop", typed)
    assert urlsplit(answer.location).path == "/welcome-back"
    visitor.sign_in(mair.sub)
    given_back = visitor.forms("/typed")

    fields = [field for form in given_back for field in form.fields]
    assert ("sooner", "12 March") in fields
    assert f"/sharing/{consent}/stop" in {form.action for form in given_back}


def test_what_was_typed_is_given_to_nobody_else_in_the_same_browser(
    site: Site, mair: Person
) -> None:
    visitor = _signed_in(site, mair)
    consent = belongings_of(mair).of("consent_id")
    typed = [("csrf", visitor.csrf()), ("sooner", "12 March")]
    _let_time_out(site)
    visitor.post(f"/sharing/{consent}/stop", typed)

    visitor.sign_in("mallory")

    assert visitor.get("/about").text.count("/sign-out") == 1
    assert "12 March" not in visitor.get("/typed").text


def test_a_shared_device_keeps_nothing_that_was_typed(site: Site, mair: Person) -> None:
    visitor = Visitor(site.url)
    visitor.get(visitor.approved(visitor.get("/sign-in?shared=yes").location, mair.sub))
    consent = belongings_of(mair).of("consent_id")
    typed = [("csrf", visitor.csrf()), ("sooner", "12 March")]
    _let_time_out(site)
    visitor.post(f"/sharing/{consent}/stop", typed)

    visitor.sign_in(mair.sub)

    assert "12 March" not in visitor.get("/typed").text


def test_a_shared_device_stays_one_when_she_comes_back(site: Site, mair: Person) -> None:
    visitor = Visitor(site.url)
    visitor.get(visitor.approved(visitor.get("/sign-in?shared=yes").location, mair.sub))
    _let_time_out(site)

    # As the page after a time-out leads on, which says nothing of the device.
    visitor.sign_in(mair.sub)

    assert " data-shared" in visitor.get("/information").text
    assert json.loads(visitor.get("/still-here").text) == {"seconds": SHARED_DEVICE_SECONDS}


def test_nothing_stays_on_the_screen_of_a_shared_device(
    page: Page, site: Site, mair: Person
) -> None:
    page.clock.install()
    page.goto(f"{site.url}/sign-in?shared=yes")
    say_who(page, mair.sub)
    page.goto(f"{site.url}/account/contact")
    assert page.locator("main form").count() == 1

    page.clock.fast_forward("05:10")

    page.wait_for_url("**/welcome-back?lapsed=yes")


def test_she_is_warned_before_the_time_out_and_can_stay(
    page: Page, signed_in: SignIn, mair: Person
) -> None:
    page.clock.install()
    signed_in(page, mair)
    warning = page.locator("#timeout")
    assert not warning.is_visible()

    page.clock.fast_forward("18:30")
    warning.wait_for(state="visible")
    page.locator("#timeout-stay").click()

    warning.wait_for(state="hidden")
    page.clock.fast_forward("18:30")
    warning.wait_for(state="visible")


def test_the_back_button_shows_nothing_after_signing_out(
    page: Page, signed_in: SignIn, mair: Person
) -> None:
    signed_in(page, mair)
    page.goto("/information")
    private = page.inner_text("main")
    page.locator("form[action='/sign-out'] button").click()
    page.wait_for_load_state()

    for _ in range(4):
        page.go_back()
        assert page.inner_text("main") != private
        assert page.locator("form[action='/sign-out']").count() == 0


def _signed_in(site: Site, person: Person) -> Visitor:
    visitor = Visitor(site.url)
    visitor.sign_in(person.sub)
    assert visitor.get("/information").status == 200
    return visitor


def _is_shut_out(visitor: Visitor) -> bool:
    return all(urlsplit(visitor.get(path).location).path == "/welcome-back" for path in PRIVATE)


def _file(site: Site) -> Path:
    return site.folder / "web" / "sessions.db"


def _let_time_out(site: Site) -> None:
    """Let every sign-in end, as if nothing had happened for as long as it may idle."""
    database = apsw.Connection(str(_file(site)))
    try:
        database.set_busy_timeout(5000)
        database.execute("UPDATE sessions SET ends = unixepoch() - 1 WHERE ends > unixepoch()")
        assert database.changes() > 0
    finally:
        database.close()
