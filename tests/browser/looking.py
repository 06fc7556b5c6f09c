# SPDX-License-Identifier: Apache-2.0
"""What is looked at on every page: what breaks WCAG, what the browser refused, how much came."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import ConsoleMessage, Error, Page, Request, Response

WCAG: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
LARGEST_PAGE_BYTES: Final = 200_000
NEVER_SAID: Final = re.compile(
    r"\b(vault|grant|disclos|subject|consent|revo(ke|cation)|narrow|evidence|receipt)",
    re.IGNORECASE,
)
"""Words of the trade, which no page says (the longest begins of each)."""

_RUN_AXE: Final = """tags => axe.run(document, {
  runOnly: {type: "tag", values: tags}, resultTypes: ["violations"],
}).then(found => found.violations.map(violation => ({
  rule: violation.id, help: violation.help, nodes: violation.nodes.map(node => node.html),
})))"""
_HEARD: Final = ("Content Security Policy", "Content-Security-Policy", "Trusted Type")
_SCRIPT: Final = re.compile(r"<script\b.*?</script>|</?noscript>", re.DOTALL | re.IGNORECASE)
_SERVER_ERROR: Final = 500
_copies: WeakKeyDictionary[Page, Page] = WeakKeyDictionary()


@dataclass
class Troubles:
    """What went wrong in a browser, whatever the test looks at.

    Attributes:
        origins: from where a page may load things and where a form may go.
    """

    origins: frozenset[str]
    found: list[str] = field(default_factory=list)

    def listen(self, page: Page) -> None:
        """Hear of what goes wrong on a page from now on."""
        page.on("console", self._said)
        page.on("pageerror", self._broke)
        page.on("request", self._asked)
        page.on("response", self._answered)

    def _said(self, message: ConsoleMessage) -> None:
        if any(words in message.text for words in _HEARD):
            self.found.append(f"the browser refused: {message.text}")

    def _broke(self, error: Error) -> None:
        self.found.append(f"a script broke: {error.message}")

    def _asked(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in {"data", "blob", "about"}:
            return
        if f"{address.scheme}://{address.netloc}" not in self.origins:
            self.found.append(f"a page asked somebody else: {request.url}")

    def _answered(self, response: Response) -> None:
        if response.status >= _SERVER_ERROR:
            self.found.append(f"{response.status} at {urlsplit(response.url).path}")


def axe_violations(page: Page) -> list[str]:
    """Return what breaks WCAG 2.2 A or AA on a page, a line for each rule."""
    shown = _with_scripts(page)
    shown.evaluate(AXE_SCRIPT)
    violations: list[dict[str, Any]] = shown.evaluate(_RUN_AXE, list(WCAG))
    return [
        f"{page.url}: {found['rule']}: {found['help']}: {' '.join(found['nodes'])[:300]}"
        for found in violations
    ]


def transferred(page: Page, url: str) -> int:
    """Load an address with nothing in the cache; return how many bytes came, headers and all."""
    session = page.context.new_cdp_session(page)
    sizes: list[int] = []

    def count(event: dict[str, Any]) -> None:
        sizes.append(int(event["encodedDataLength"]))

    session.on("Network.loadingFinished", count)
    session.send("Network.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    page.goto(url, wait_until="load")
    session.detach()
    assert sizes, "nothing was loaded"
    return sum(sizes)


def visible_text(page: Page) -> str:
    """Return what a page says to people who see it and to those who hear it."""
    spoken: list[str] = page.eval_on_selector_all(
        "[aria-label], [alt], [title], [placeholder]",
        "nodes => nodes.flatMap(node => ['aria-label', 'alt', 'title', 'placeholder']"
        ".map(name => node.getAttribute(name) || ''))",
    )
    return "\n".join([page.title(), page.inner_text("body"), *spoken])


def sideways(page: Page) -> int:
    """Return by how many pixels a page is wider than the window."""
    wider: int = page.evaluate(
        "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return wider


def _with_scripts(page: Page) -> Page:
    """Return a page in which our scripts run: itself, or a copy if its browser runs none."""
    if page.evaluate("() => document.body.classList.contains('js-enabled')"):
        return page
    still = _SCRIPT.sub("", page.content())
    copy = _copies.get(page) or _copies.setdefault(page, _another(page))
    copy.unroute_all()
    copy.route(page.url, lambda route: route.fulfill(body=still, content_type="text/html"))
    copy.goto(page.url)
    return copy


def _another(page: Page) -> Page:
    browser = page.context.browser
    assert browser is not None
    return browser.new_context(viewport=page.viewport_size).new_page()
