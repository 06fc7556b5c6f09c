# SPDX-License-Identifier: Apache-2.0
"""How somebody signs in, as people do: from the first page, on the page of the provider."""

from __future__ import annotations

from playwright.sync_api import Page


def sign_in(page: Page, url: str, sub: str, language: str = "en") -> None:
    """Sign a citizen in; the start page is shown then."""
    page.goto(f"{url}/?language={language}")
    page.locator("main a[href^='/sign-in'], main form[action^='/sign-in'] button").first.click()
    say_who(page, sub)
    page.wait_for_url(f"{url}/**")


def say_who(page: Page, sub: str, role: str = "citizen", service_id: str = "") -> None:
    """Say on the page of the development issuer who it is; also where a decision is approved."""
    page.wait_for_url("**/authorize?**")
    if not page.locator("#sub").is_visible():
        page.locator("summary").click()
    page.locator("#sub").fill(sub)
    page.locator(f"input[name=role][value={role}]").check()
    if service_id:
        page.locator("#service").fill(service_id)
    page.locator("details button").click()
