# SPDX-License-Identifier: Apache-2.0
"""People sign in by a browser that comes back to this machine, and approve decisions by it."""

from __future__ import annotations

import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from clients.cli import browser
from clients.cli.session import Session
from tests.unit.cli.conftest import Terminal
from tests.visitor import Visitor
from vault.server.development.issuer import DevelopmentIssuer

MAIR: Final = {"person": '["citizen", "mair", ""]'}
Go = Callable[[str], object]


@pytest.fixture
def issuer(terminal: Terminal) -> Iterator[DevelopmentIssuer]:
    started = DevelopmentIssuer("development", "citizen-vault")
    started.start()
    terminal.environment["CITIZEN_VAULT_ISSUER"] = started.url
    yield started
    started.close()


class Browser:
    """What is opened in the place of a browser: somebody who chooses on each page."""

    def __init__(self, *typed: dict[str, str]) -> None:
        self.typed = list(typed)
        self.urls: list[str] = []
        self.pages: list[str] = []
        self.threads: list[threading.Thread] = []
        self.before: Go = lambda _url: None

    def open(self, _session: Session, url: str, *, is_again: bool) -> None:
        self.urls.append(url)
        assert is_again == ("prompt=login" in url)
        self.threads.append(threading.Thread(target=self._go, args=(url, self.typed.pop(0))))
        self.threads[-1].start()

    def _go(self, url: str, typed: dict[str, str]) -> None:
        asked = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)
        self.before(asked["redirect_uri"][0])
        visitor = Visitor("https://nowhere.example")
        page = visitor.opens(url)
        self.pages.append(visitor.sends(page.form_with(next(iter(typed))), **typed).text)


@pytest.fixture
def browsing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Browser]]:
    opened: list[Browser] = []

    def begin(*typed: dict[str, str]) -> Browser:
        opened.append(Browser(*typed))
        monkeypatch.setattr(browser, "_open", opened[-1].open)
        return opened[-1]

    yield begin
    for one in opened:
        for thread in one.threads:
            thread.join(10)


@pytest.mark.usefixtures("issuer")
def test_a_citizen_signs_in_by_a_browser(terminal: Terminal, browsing: Any) -> None:
    hers = browsing(MAIR)

    ran = terminal.run("sign-in", "--browser", "--as", "me", "--json")

    assert ran.exit_code == 0, ran.err
    kept = terminal.state.sign_in("me")
    assert kept is not None
    assert (kept.role, kept.sub, kept.client_id) == ("citizen", "mair", "citizen-vault-development")
    assert kept.token.count(".") == 2
    hers.threads[0].join(10)
    assert "You can close this window" in hers.pages[0]


@pytest.mark.usefixtures("issuer")
def test_a_provider_that_is_set_up_needs_no_option(terminal: Terminal, browsing: Any) -> None:
    terminal.environment["CITIZEN_VAULT_CLIENT_ID"] = "the-command-line"
    hers = browsing(MAIR)

    ran = terminal.run("sign-in")

    assert ran.exit_code == 0, ran.err
    assert "client_id=the-command-line" in hers.urls[0]
    assert (kept := terminal.state.sign_in()) is not None
    assert kept.client_id == "the-command-line"


@pytest.mark.usefixtures("issuer")
def test_the_page_and_what_is_said_are_welsh(terminal: Terminal, browsing: Any) -> None:
    hers = browsing({"cancel": "yes"})

    ran = terminal.run("sign-in", "--browser", "--language", "cy")

    assert ran.exit_code == 3
    assert "Ni wnaethoch fewngofnodi" in ran.err
    assert "ui_locales=cy" in hers.urls[0]


@pytest.mark.usefixtures("issuer")
def test_another_answer_does_not_sign_in(terminal: Terminal, browsing: Any) -> None:
    hers = browsing(MAIR)

    def forge(back: str) -> None:
        for query in ("state=of-somebody-else&code=x", "code=x", "state=a&state=b"):
            urllib.request.urlopen(f"{back}?{query}", timeout=5).close()  # noqa: S310
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(back.replace("/signed-in", "/"), timeout=5)  # noqa: S310
        caught.value.close()
        assert caught.value.code == 404

    hers.before = forge

    ran = terminal.run("sign-in", "--browser", "--as", "me")

    assert ran.exit_code == 0, ran.err
    assert (kept := terminal.state.sign_in("me")) is not None
    assert kept.sub == "mair"


def test_a_provider_that_does_not_answer_is_told(terminal: Terminal, browsing: Any) -> None:
    browsing()

    ran = terminal.run("sign-in", "--browser")

    assert ran.exit_code == 4
    assert "does not answer" in ran.err


@pytest.mark.usefixtures("issuer")
def test_who_does_not_come_back_is_told(
    terminal: Terminal, browsing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browser, "WAITING_SECONDS", 0.0)
    monkeypatch.setattr(browser, "_STEP_SECONDS", 0.01)
    browsing()
    monkeypatch.setattr(browser, "_open", lambda *_args, **_said: None)

    ran = terminal.run("sign-in", "--browser")

    assert ran.exit_code == 3
    assert "Nobody signed in for a long time" in ran.err


@pytest.mark.usefixtures("issuer")
def test_a_sign_in_that_has_ended_is_not_made_longer(terminal: Terminal, browsing: Any) -> None:
    browsing(MAIR)
    terminal.run("sign-in", "--browser", "--as", "me")
    kept = terminal.state.sign_in("me")
    assert kept is not None
    terminal.state.keep_sign_in(kept.__class__(**{**_fields(kept), "expires": 1}))

    ran = terminal.run("information", "list", "--as", "me")

    assert ran.exit_code == 3
    assert "Your sign-in has ended." in ran.err
    assert "sign-in --browser" in ran.err


def _fields(kept: Any) -> dict[str, Any]:
    return {name: getattr(kept, name) for name in kept.__dataclass_fields__}
