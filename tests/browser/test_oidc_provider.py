# SPDX-License-Identifier: Apache-2.0
"""Signing in and deciding on our pages, through an independent OpenID provider's own pages."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from clients.demo.pages import free_port
from clients.demo.server import stop
from tests.openid_provider import PUBLIC, RESOURCE, OpenIdProvider, running
from tests.server import ROOT, Server
from tests.server import running as server_running
from tests.wire import Caller
from tests.world import connected
from vault.api.v1.vault_pb2 import APPROVAL_KIND_OIDC_STEP_UP
from vault.api.v1.vault_service_pb2 import ListHistoryRequest

START_SECONDS: Final = 30


@dataclass(frozen=True)
class Deployed:
    """Pages and a server that believe the provider and nobody else."""

    url: str
    provider: OpenIdProvider
    server: Server


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """The provider, a server and its pages: three processes."""
    folder = tmp_path_factory.mktemp("deployed")
    with running(folder) as provider:
        server = Server(folder / "server", issuer=provider)  # type: ignore[arg-type]
        with server_running(server) as started, serving(folder, provider, started.target) as url:
            yield Deployed(url, provider, started)


@contextmanager
def serving(folder: Path, provider: OpenIdProvider, target: str) -> Iterator[str]:
    """Run the pages as in production, on a free port of this machine."""
    port = free_port(0)
    url = f"http://localhost:{port}"
    said = {
        "TARGET": target,
        "ORIGIN": url,
        "ISSUER": provider.url,
        "CLIENT_ID": PUBLIC,
        "RESOURCE": RESOURCE,
        "DATA": str(folder / "web"),
        "PORT": str(port),
    }
    settings = {f"CITIZEN_VAULT_WEB_{name}": value for name, value in said.items()}
    with (folder / "pages.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "clients.web.main"],
            env={**os.environ, **settings, "PYTHONPATH": str(ROOT)},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        give_up = time.monotonic() + START_SECONDS
        while not answers(port):
            assert process.poll() is None, (folder / "pages.log").read_text()
            assert time.monotonic() < give_up
            time.sleep(0.02)
        yield url
    finally:
        stop(process)


def answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/static/icon.svg")
        connection.getresponse().read()
    except OSError:
        return False
    finally:
        connection.close()
    return True


@pytest.fixture
def hers(browser: Browser, deployed: Deployed) -> Iterator[Page]:
    """A browser that loads nothing from elsewhere, as the provider's own pages would like to."""
    context = browser.new_context(base_url=deployed.url, locale="en-GB")
    context.route("**/*", only_from_here)
    context.set_default_timeout(10_000)
    yield context.new_page()
    context.close()


def only_from_here(route: Route) -> None:
    if route.request.url.startswith("http://localhost:"):
        route.continue_()
    else:
        route.abort()


def say_who(page: Page, name: str, provider: OpenIdProvider) -> None:
    """Sign in on the provider's page; any password will do."""
    page.wait_for_url(f"{provider.url}/interaction/**")
    page.locator("[name=login]").fill(name)
    page.locator("[name=password]").fill("any")
    page.locator("button[type=submit]").click()


def agree(page: Page, provider: OpenIdProvider) -> None:
    """Let the pages know who it is, which the provider asks once."""
    page.wait_for_url(f"{provider.url}/interaction/**")
    page.get_by_role("button", name="Continue").click()


@pytest.mark.timeout(120)
def test_she_signs_in_decides_and_signs_out(hers: Page, deployed: Deployed) -> None:
    provider = deployed.provider
    hers.goto("/account/sign-ins")
    hers.get_by_role("button", name="Sign in").click()
    say_who(hers, "gwen", provider)
    agree(hers, provider)
    hers.wait_for_url(f"{deployed.url}/welcome?**")
    hers.get_by_role("button", name="Begin").click()
    hers.wait_for_url(f"{deployed.url}/account/sign-ins")

    # Whoever else signs in there approves nothing of hers, and sees nothing of it.
    hers.goto("/account/sign-ins/add")
    hers.get_by_role("button", name="Sign in once more and get the code").click()
    say_who(hers, "somebody-else", provider)
    agree(hers, provider)
    expect(hers.get_by_role("heading", level=1)).to_have_text("That was not shown to be you")

    hers.goto("/account/sign-ins/add")
    hers.get_by_role("button", name="Sign in once more and get the code").click()
    say_who(hers, "gwen", provider)
    agree(hers, provider)
    hers.wait_for_url(f"{deployed.url}/account/sign-ins/code")
    expect(hers.locator("#code")).not_to_be_empty()
    with connected(deployed.server.target) as channel:
        token = provider.signed_in("gwen").access_token
        request = ListHistoryRequest(page_size=1)
        listed = Caller(channel, token).ask("VaultService/ListHistory", request)
    assert listed.entries[0].approval_kind == APPROVAL_KIND_OIDC_STEP_UP

    hers.get_by_role("button", name="Sign out").click()
    hers.wait_for_url(f"{provider.url}/session/end**")
    hers.get_by_role("button", name="Yes, sign me out").click()
    hers.wait_for_url(f"{deployed.url}/**")
    hers.goto("/account")
    hers.get_by_role("button", name="Sign in").click()
    hers.wait_for_url(f"{provider.url}/interaction/**")
    expect(hers.locator("[name=login]")).to_be_visible()


def test_who_gives_up_is_told_and_can_try_again(hers: Page, deployed: Deployed) -> None:
    hers.goto("/sign-in")
    hers.wait_for_url(f"{deployed.provider.url}/interaction/**")
    hers.get_by_role("link", name="Cancel").click()

    expect(hers.get_by_role("heading", level=1)).to_have_text("You did not sign in")
