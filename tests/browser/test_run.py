# SPDX-License-Identifier: Apache-2.0
"""`make run`, and a newcomer: within two minutes she has shared something and stopped it again."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.kinds import DESKTOP

_ROOT: Final = Path(__file__).parents[2]
_START_SECONDS: Final = 40
_MOST_PRESSES: Final = 12
"""Ten seconds for each, in two minutes."""

_WIDTH: Final = 80


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What `make run` prints, while it runs."""
    folder = tmp_path_factory.mktemp("run")
    out = folder / "out.txt"
    foreign = {name: text for name, text in os.environ.items() if not name.startswith("CITIZEN_")}
    with out.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "clients.demo", "run", "--keep", str(folder / "kept")],
            cwd=_ROOT,
            env={**foreign, "COLUMNS": str(_WIDTH)},
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        give_up = time.monotonic() + _START_SECONDS
        while "citizen-vault-auditor" not in out.read_text(encoding="utf-8"):
            assert process.poll() is None, out.read_text(encoding="utf-8")
            assert time.monotonic() < give_up, "it is not ready in time"
            time.sleep(0.05)
        yield out.read_text(encoding="utf-8")
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0


@pytest.fixture(scope="module")
def address(printed: str) -> str:
    """The first address that it prints."""
    found = re.search(r"http://\S+", printed)
    assert found
    return found[0]


def test_it_prints_first_and_alone_what_to_open_and_what_to_do(printed: str, address: str) -> None:
    board = printed.partition("╝")[0]

    assert board.strip().startswith("╔")
    assert address in board
    assert urlsplit(address).hostname == "localhost"
    assert "Sign in as Mair" in board
    assert "Aber Council" in board
    assert printed.index("╔") < printed.index("A server runs at")


def test_a_newcomer_shares_and_stops_by_pressing_what_is_offered(
    page: Page, address: str, presses: list[str]
) -> None:
    """She types nothing, and reads no manual."""

    def press(role: Any, name: str) -> None:
        presses.append(name)
        page.get_by_role(role, name=re.compile(name)).first.click()

    page.goto(address)
    press("button", "^Sign in")
    press("button", "^Mair")
    press("link", "^Aber Council.* is asking")
    press("radio", "as it is now")
    press("button", "^Go on")
    press("button", "share$")
    press("button", "^Mair")
    expect(page.locator("h1")).to_contain_text("Aber Council")
    expect(page.locator("#reference")).not_to_be_empty()
    press("link", "^Start$")
    shared = page.locator("main .house-card", has_text="Aber Council")
    expect(shared).to_contain_text("Sharing now", ignore_case=True)
    presses.append("Stop sharing")
    shared.get_by_role("link", name="Stop sharing").click()
    press("button", "^Stop sharing$")
    expect(page.locator("h1")).to_contain_text("stopped", ignore_case=True)

    page.goto(address)
    expect(page.locator("main .house-card", has_text="Aber Council")).to_have_count(0)
    assert len(presses) <= _MOST_PRESSES


def test_the_councils_own_page_is_there_too(printed: str, page: Page) -> None:
    (council,) = re.findall(r"Planning permission +(http://[^,]+),", printed)

    page.goto(council)

    expect(page.get_by_role("button", name="Apply for planning permission")).to_be_visible()


def test_she_is_told_what_happened(printed: str) -> None:
    (folder,) = re.findall(r"^ +ls (\S+)$", printed, re.MULTILINE)

    give_up = time.monotonic() + _START_SECONDS
    while "looked for the first time" not in _texts_in(Path(folder)):
        assert time.monotonic() < give_up, "she is told nothing"
        time.sleep(0.1)


def _texts_in(folder: Path) -> str:
    return "".join(file.read_text(encoding="utf-8") for file in folder.glob("*.txt"))


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A browser of her own."""
    context = browser.new_context(**DESKTOP)
    context.set_default_timeout(10_000)
    yield context.new_page()
    context.close()


@pytest.fixture
def presses() -> list[str]:
    """What she has pressed so far."""
    return []
