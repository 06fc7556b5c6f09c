# SPDX-License-Identifier: Apache-2.0
"""Her information, as she looks after it: adding, changing, saying that it is wrong, documents."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.belongings import belongings_of
from tests.browser.kinds import OpenPage, SignIn
from tests.browser.site import Person, Site
from tests.browser.test_help import begin, code_of, official
from tests.world import pdf
from vault.api.v1.evidence_service_pb2 import ListEvidenceRequest, ProtectEvidenceRequest

Axe = Callable[[Page], None]

PDF = pdf()


def listed(page: Page, text: str) -> None:
    """Go to her information, and open what a link says."""
    page.goto("/information")
    page.get_by_role("link", name=text).first.click()


def evidence_of(person: Person, evidence_type: str) -> str:
    """Return the id of something of hers, by its kind."""
    listed = person.story.mair.evidence.ListEvidence(ListEvidenceRequest()).evidence
    return next(one.evidence_id for one in listed if one.evidence_type == evidence_type)


def save(page: Page) -> None:
    page.get_by_role("button", name="Save", exact=True).last.click()


def fill_day(page: Page, name: str, day: str, month: str, year: str) -> None:
    for part, text in (("day", day), ("month", month), ("year", year)):
        page.locator(f"[id='{name}-{part}']").fill(text)


@pytest.mark.parametrize("kind", ["page", "mobile", "no_js"])
def test_she_adds_an_income_and_comes_back_to_where_she_was(
    kind: str, request: pytest.FixtureRequest, site: Site, signed_in: SignIn, axe: Axe
) -> None:
    page = signed_in(request.getfixturevalue(kind), site.person())
    page.goto("/information/add?back=/sharing")
    page.get_by_role("link", name="Your income").click()
    page.get_by_label("State Pension").check()
    page.get_by_label("Who pays it").fill("the pension service")
    page.locator("[id='v.amountPence']").fill("ten pounds")
    save(page)

    expect(page.get_by_role("alert")).to_contain_text("Amount: type an amount in pounds")
    expect(page.get_by_label("State Pension")).to_be_checked()
    axe(page)

    page.locator("[id='v.amountPence']").fill("1,050.5")
    save(page)
    expect(page.get_by_role("alert")).to_contain_text("How often it is paid: fill this in.")
    axe(page)

    page.get_by_label("Every month").check()
    fill_day(page, "v.validFrom", "6", "4", "2026")
    save(page)

    expect(page).to_have_url(f"{site.url}/sharing")
    expect(page.get_by_text("You added: Your income.")).to_be_visible()


def test_a_local_way_back_only(page: Page, site: Site, signed_in: SignIn) -> None:
    signed_in(page, site.person())
    path, elsewhere = "/information/add/social_security_record", "https://elsewhere.example/"
    page.goto(f"{path}?back={elsewhere}")
    fields = {
        one.get_attribute("name") or "": one.input_value()
        for one in page.locator("#answers input[type=hidden]").all()
    }
    assert fields["back"] == ""

    sent = page.request.post(
        site.url + path,
        form={**fields, "back": elsewhere, "v.personalNumber": "ab 12 34 56 c"},
        headers={"origin": site.url},
        max_redirects=0,
    )

    assert sent.status == 303
    assert re.fullmatch(r"/information/[0-9a-f-]{36}", sent.headers["location"])
    page.goto(sent.headers["location"])
    expect(page.get_by_text("AB123456C")).to_be_visible()


def test_a_name_has_as_many_parts_as_it_has(no_js: Page, site: Site, signed_in: SignIn) -> None:
    page = signed_in(no_js, site.newcomer())
    page.goto("/information/add/identity")
    expect(page.get_by_text("You have nothing here yet")).to_be_visible()
    page.get_by_role("button", name="Begin").click()
    page.get_by_label("First name").fill("Mair")
    page.get_by_label("Last name").fill("Pugh")
    page.get_by_role("button", name="Add another: first name").click()

    expect(page.get_by_label("First name").first).to_have_value("Mair")
    page.get_by_label("First name").nth(1).fill("Eluned")
    # Enter saves; it never presses the button that adds an entry.
    page.get_by_label("Last name").press("Enter")

    expect(page.locator("#values")).to_contain_text("Mair Eluned Pugh")


def test_she_moves_and_reads_who_still_has_the_old_address(
    page: Page, mair: Person, signed_in: SignIn, axe: Axe
) -> None:
    signed_in(page, mair)
    listed(page, "Heol yr Afon")
    piece = page.url
    page.get_by_role("button", name="Change it").click()
    expect(page.get_by_label("Street", exact=False).first).not_to_have_value("")
    page.locator("[id='v.streetName']").fill("Heol Newydd")
    save(page)

    expect(page.get_by_role("heading", level=1)).to_have_text(
        "You moved: one organisation still has your old address"
    )
    card = page.locator(".house-card")
    expect(card).to_contain_text("BrightCare")
    expect(card).to_contain_text("has changed since: Street.")
    axe(page)

    page.goto(piece)
    expect(page.locator("#old")).to_contain_text("You moved")
    page.get_by_role("link", name="version 1").click()
    expect(page.get_by_text("This is version 1")).to_be_visible()
    expect(page.locator("#values")).to_contain_text("Heol yr Afon")
    axe(page)


def test_what_they_never_saw_is_nothing_old_of_theirs(
    page: Page, mair: Person, signed_in: SignIn
) -> None:
    signed_in(page, mair)
    listed(page, "Heol yr Afon")
    page.get_by_role("button", name="Change it").click()
    fill_day(page, "v.validFrom", "1", "2", "2020")
    save(page)

    expect(page.get_by_role("heading", level=1)).to_have_text("Nobody has what was before")


@pytest.mark.parametrize("kind", ["page", "no_js"])
def test_she_says_that_it_is_wrong_and_settles_it(
    kind: str, request: pytest.FixtureRequest, mair: Person, signed_in: SignIn, axe: Axe
) -> None:
    page = signed_in(request.getfixturevalue(kind), mair)
    listed(page, "Heol yr Afon")
    page.get_by_role("link", name="This is wrong – Postcode").click()
    expect(page.get_by_label("Postcode")).to_be_checked()
    expect(page.get_by_label("Show my words")).not_to_be_checked()
    page.get_by_role("button", name="Say that it is wrong").click()
    expect(page.get_by_role("alert")).to_contain_text("Say in your own words what is wrong")
    axe(page)

    page.get_by_label("What is wrong, in your own words?").fill("It ends <b>4ZY</b>.")
    page.get_by_role("button", name="Say that it is wrong").click()

    expect(page.get_by_text("“It ends <b>4ZY</b>.”")).to_be_visible()
    expect(page.get_by_text("Your words stay with you.")).to_be_visible()
    expect(page.locator("#values")).to_contain_text("You say this is wrong")
    axe(page)

    page.get_by_role("link", name="It is settled").click()
    page.get_by_role("button", name="Settle it").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("It was put right").check()
    page.get_by_role("button", name="Settle it").click()

    expect(page.locator("#values")).not_to_contain_text("You say this is wrong")
    expect(page.get_by_text("Settled on")).to_be_visible()


def test_what_is_kept_specially_safe_stands_in_no_list(
    page: Page, mair: Person, signed_in: SignIn, axe: Axe
) -> None:
    signed_in(page, mair)
    listed(page, "Heol yr Afon")
    page.get_by_role("link", name="Keep this specially safe").click()
    axe(page)
    page.get_by_role("button", name="Keep it specially safe").click()

    expect(page.get_by_text("This is kept specially safe from now on.")).to_be_visible()
    page.goto("/information")
    expect(page.get_by_text("Heol yr Afon")).to_have_count(0)
    expect(page.get_by_text("Specially safe", exact=True)).to_be_visible()
    axe(page)

    page.get_by_role("link", name="Your address").click()
    expect(page.locator("#values")).to_contain_text("Heol yr Afon")
    page.get_by_role("link", name="No longer keep it specially safe").click()
    page.get_by_role("button", name="No longer keep it specially safe").click()
    expect(page.get_by_text("This is no longer kept specially safe.")).to_be_visible()


def test_an_official_reads_what_she_is_asked_about_and_nothing_kept_specially_safe(
    page: Page, site: Site, mair: Person, axe: Axe
) -> None:
    mair.story.mair.evidence.ProtectEvidence(
        ProtectEvidenceRequest(
            request_id=str(uuid.uuid4()),
            evidence_id=evidence_of(mair, "postal_address"),
            is_protected=True,
        )
    )
    official(page, site)
    begin(page, code_of(mair))
    page.goto(f"{site.url}/information")
    expect(page.get_by_role("link", name="Your income")).to_be_visible()
    axe(page)

    page.get_by_role("link", name="Your address").click()
    expect(page.locator("#closed")).to_contain_text("only they themselves can read it")
    expect(page.get_by_text("Heol yr Afon")).to_have_count(0)
    axe(page)
    page.goto(f"{site.url}/information")
    page.get_by_role("link", name="Your income").click()
    expect(page.locator("#values")).to_contain_text("£")


@pytest.mark.parametrize("kind", ["page", "no_js"])
def test_a_document_is_sent_saved_and_put_in_place_of_another(  # noqa: PLR0917 - fixtures
    kind: str,
    request: pytest.FixtureRequest,
    site: Site,
    signed_in: SignIn,
    axe: Axe,
    tmp_path: Path,
) -> None:
    page = signed_in(request.getfixturevalue(kind), site.person())
    page.goto("/information/add/document")
    page.get_by_role("button", name="Send it").click()
    expect(page.get_by_role("alert")).to_contain_text("The file: choose one.")
    axe(page)

    page.get_by_label("The file").set_input_files(
        {"name": "x.exe", "mimeType": "application/pdf", "buffer": b"MZ"}
    )
    page.get_by_role("button", name="Send it").click()
    expect(page.get_by_role("alert")).to_contain_text("it is no PDF, PNG or JPEG")

    page.get_by_label("Title").fill('Letter "of" the hospital/ward')
    page.get_by_label("Kind of document").select_option(label="Medical letter or report")
    page.get_by_label("The file").set_input_files(
        {"name": "letter.pdf", "mimeType": "application/pdf", "buffer": PDF}
    )
    page.get_by_role("button", name="Send it").click()

    expect(page.get_by_text("You added a document.")).to_be_visible()
    axe(page)
    with page.expect_download() as begun:
        page.get_by_role("button", name="Save the file").click()
    begun.value.save_as(tmp_path / "saved")
    assert begun.value.suggested_filename == "Letter of the hospital ward.pdf"
    assert (tmp_path / "saved").read_bytes() == PDF

    page.get_by_role("button", name="Put another file in its place").click()
    expect(page.get_by_label("Title")).to_have_value('Letter "of" the hospital/ward')
    page.get_by_label("The file").set_input_files(
        {"name": "letter.pdf", "mimeType": "application/pdf", "buffer": pdf()}
    )
    page.get_by_role("button", name="Send it").click()
    expect(page.get_by_text("Another file is in its place now.")).to_be_visible()


def test_a_document_cannot_act_as_a_page_of_ours(page: Page, site: Site, signed_in: SignIn) -> None:
    signed_in(page, site.person())
    page.goto("/information/add/document")
    page.get_by_label("Title").fill("A page")
    page.get_by_label("Kind of document").select_option(label="Letter")
    page.get_by_label("The file").set_input_files(
        {"name": "a.html", "mimeType": "text/html", "buffer": PDF}
    )
    page.get_by_role("button", name="Send it").click()
    expect(page.get_by_text("You added a document.")).to_be_visible()

    headers = page.request.get(f"{page.url}/document").headers

    assert headers["content-type"] == "application/pdf"
    assert headers["content-disposition"].startswith("attachment;")
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"


def test_scripts_show_how_far_a_document_has_come(
    page: Page, site: Site, signed_in: SignIn
) -> None:
    signed_in(page, site.person())
    page.goto("/information/add/document")
    page.get_by_label("Title").fill("A large plan")
    page.get_by_label("Kind of document").select_option(label="Plan or drawing")
    large = pdf(3_000_000)
    page.get_by_label("The file").set_input_files(
        {"name": "a.pdf", "mimeType": "application/pdf", "buffer": large}
    )
    steps: list[str] = []
    page.expose_function("told", lambda text: steps.append(text))  # noqa: PLW0108 - it is marked
    page.evaluate(
        """() => new MutationObserver(() => window.told(
          document.querySelector("[data-progress] [role=status]").textContent))
          .observe(document.querySelector("[data-progress]"), {childList: true, subtree: true})"""
    )
    page.get_by_role("button", name="Send it").click()

    expect(page.get_by_text("You added a document.")).to_be_visible()
    assert "It has come. It is being checked and locked." in steps


@pytest.mark.parametrize(
    "path",
    [
        "/information/{id}",
        "/information/{id}/replace",
        "/information/{id}/wrong",
        "/information/{id}/protect",
        "/information/{id}/changed",
        "/information/{id}/document",
        "/information/{id}/settle",
    ],
)
def test_what_is_not_hers_is_not_there(
    path: str, page: Page, site: Site, mair: Person, signed_in: SignIn
) -> None:
    theirs = belongings_of(mair).of("evidence_id")
    signed_in(page, site.person("another"))

    assert page.request.get(site.url + path.format(id=theirs)).status == 404


def test_all_of_it_is_there_in_welsh(open_page: OpenPage, mair: Person, signed_in: SignIn) -> None:
    page = signed_in(open_page(), mair, "cy")
    page.goto("/information/add/household")
    page.get_by_role("button", name="Cadw", exact=True).last.click()

    expect(page.get_by_role("alert")).to_contain_text("Oedolion: llenwch hwn.")
