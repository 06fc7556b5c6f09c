# SPDX-License-Identifier: Apache-2.0
"""Her confirmations, checked here and elsewhere; and everything, taken away."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from clients.cli.export_folder import write
from clients.export.copy import Copy
from clients.export.page import page_of
from clients.receipts import SignedRecord
from clients.web.confirmations.archive import _Reader
from clients.wording.words import Words
from tests.browser.kinds import MOBILE, NO_JS, OpenPage, SignIn
from tests.browser.looking import sideways
from tests.browser.signing_in import say_who
from tests.browser.site import Person, Site
from vault.api.v1.consent_pb2 import CONSENT_STATE_ACTIVE as ACTIVE
from vault.api.v1.consent_service_pb2 import ListConsentsRequest
from vault.api.v1.vault_service_pb2 import ExportVaultRequest, ListHistoryRequest

Axe = Callable[[Page], None]
ROOT = Path(__file__).parents[2]


def judged(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the independent checker's program."""
    return subprocess.run(
        [sys.executable, "-m", "clients.auditor", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_confirmation_is_genuine_here_and_elsewhere(
    open_page: OpenPage, signed_in: SignIn, mair: Person, axe: Axe
) -> None:
    page = signed_in(open_page(**MOBILE), mair)
    page.goto("/confirmations")
    axe(page)
    assert sideways(page) == 0
    lines = page.locator("main ol li")
    history = mair.story.mair.vaults.ListHistory(ListHistoryRequest(page_size=500)).entries
    expect(lines).to_have_count(len(history))
    used = next(one for one in history if one.type.startswith("evidence-disclosed."))
    number = used.receipt.leaf_index
    page.locator(f"main a[href='/confirmations/{number}']").click()

    expect(page.locator("#check")).to_be_visible()
    axe(page)
    for text in ("Seen by them", "BrightCare", "House number", "Visiting you at home", "BC-118"):
        expect(page.locator("dl").first).to_contain_text(text)
    expect(page.locator("#check + p")).to_have_text("Yes, it is genuine")
    expect(page.locator("main")).to_contain_text("stands in the public list")
    with page.expect_download() as waiting:
        page.locator("main a[href$='/file']").click()

    assert waiting.value.suggested_filename == f"confirmation-{number}.json"
    file = Path(waiting.value.path())
    facts = SignedRecord.read(file.read_bytes()).verify(mair.story.directory.receipt_keys)
    assert (facts["type"], facts["consent_id"]) == (used.type, used.consent_id)
    page.locator("summary").last.click()
    command = page.locator("main code").inner_text().split()
    assert command[0] == "citizen-vault-auditor"
    told = json.loads(judged(command[1], str(file), "--json").stdout)
    assert "FAILED" not in json.dumps(told)


def test_nobody_elses_number_is_there(page: Page, signed_in: SignIn, mair: Person) -> None:
    signed_in(page, mair)
    history = mair.story.mair.vaults.ListHistory(ListHistoryRequest(page_size=500)).entries
    hers = {one.receipt.leaf_index for one in history}
    for number in (min(hers) - 1, max(hers) + 1000):
        for path in (f"/confirmations/{number}", f"/confirmations/{number}/file"):
            assert page.request.get(path).status == 404, path


@pytest.mark.parametrize("language", ["en", "cy"])
def test_everything_is_taken_away_as_the_command_takes_it(
    no_js: Page, signed_in: SignIn, mair: Person, tmp_path: Path, language: str
) -> None:
    page = signed_in(no_js, mair, language)
    page.goto("/export")
    with page.expect_download() as waiting:
        page.locator("main form button").click()

    words = Words(language)
    with zipfile.ZipFile(waiting.value.path()) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path)
    (taken,) = tmp_path.iterdir()
    assert waiting.value.suggested_filename == f"{taken.name}.zip"
    folder = tmp_path / "as-a-folder"
    folder.mkdir()
    write(folder, mair.story.mair.vaults.ExportVault(ExportVaultRequest()), words, lambda _: None)
    assert files_of(taken) - {"index.html"} == files_of(folder)
    for name in ("history.jsonl", "payloads.jsonl", "registry.jsonl"):
        assert (taken / name).read_bytes() == (folder / name).read_bytes(), name
    copy = Copy(taken, words)
    assert (taken / "index.html").read_text() == page_of(_Reader(words, copy.published), copy)
    assert "FAILED" not in judged("history", str(taken)).stdout


def files_of(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def test_nothing_of_it_lies_on_the_disk_of_the_pages(
    page: Page, signed_in: SignIn, mair: Person, site: Site
) -> None:
    signed_in(page, mair)
    page.goto("/export")
    with page.expect_download() as waiting:
        page.locator("main form button").click()
    assert b"PK" in Path(waiting.value.path()).read_bytes()[:2]

    kept = site.folder / "web"
    # Besides, there is the key by which links of staff are known again.
    names = {file.name.partition("-")[0] for file in kept.iterdir()}
    assert names - {"staff"} == {"sessions.db"}


def test_a_new_sign_in_stops_but_neither_takes_away_nor_shares(
    open_page: OpenPage, signed_in: SignIn, site: Site, mair: Person
) -> None:
    hers = signed_in(open_page(**NO_JS), mair)
    hers.goto("/account/sign-ins/add")
    hers.locator("main form button").last.click()
    say_who(hers, mair.sub)
    hers.wait_for_url("**/account/sign-ins/code")
    code = hers.locator("#code").inner_text()
    new = open_page(**NO_JS)
    new.goto("/sign-in?back=/account/link")
    say_who(new, site.newcomer())
    new.get_by_label("Code", exact=True).fill(code)
    new.locator("main form button").click()
    expect(new.get_by_text("This sign-in now leads to your information.")).to_be_visible()

    until = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=72)).strftime("%-d %B %Y")
    new.goto("/export")
    expect(new.locator("h1")).to_have_text("This sign-in is still new")
    expect(new.locator("main")).to_contain_text(until)
    consents = mair.story.mair.consents.ListConsents(ListConsentsRequest()).consents
    path = next(f"/sharing/{one.consent_id}" for one in consents if one.state == ACTIVE)
    new.goto(f"{path}/pause")
    new.locator("main form button").click()
    new.goto(f"{path}/resume")
    expect(new.locator("h1")).to_have_text("This sign-in is still new")
    new.goto(f"{path}/stop")
    new.locator("main form button").click()
    new.wait_for_url(f"**{path}/stopped")
