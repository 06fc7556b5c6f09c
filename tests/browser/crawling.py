# SPDX-License-Identifier: Apache-2.0
"""Every page that can be reached by links, each kind of page a few times.

Pages of one kind have the same address but for ids, and for what their query says.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterator
from typing import Final
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Error, Page, Response

MOST_PAGES: Final = 200

_ID: Final = re.compile(r"(?<=/)([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d+|[\w-]{30,})(?=/|$)")
_NO_PAGE: Final = ("/exit", "/sign-in", "/sign-out", "/static/")
_LINKS: Final = (
    "links => links.filter(link => !link.hasAttribute('download')).map(link => link.href)"
)
_DOWNLOAD: Final = "Download is starting"


def kind_of(url: str) -> str:
    """Return the kind of page at an address."""
    address = urlsplit(url)
    asked = sorted(parse_qs(address.query, keep_blank_values=True))
    return _ID.sub("*", address.path) + ("?" + "&".join(asked) if asked else "")


def crawl(page: Page, start: str = "/", *, most: int = 1) -> Iterator[tuple[str, Response]]:
    """Go to every page, beginning with one; yield its kind, and the answer, while it is shown.

    Args:
        most: how many of each kind.
    """
    page.goto(start)
    site = _origin(page.url)
    waiting, queued, seen = deque([page.url]), {page.url}, Counter[str]()
    while waiting:
        url = waiting.popleft()
        kind = kind_of(url)
        if seen[kind] >= most:
            continue
        seen[kind] += 1
        assert seen.total() <= MOST_PAGES, f"the pages have no end: {sorted(seen)}"
        response = _go(page, url)
        if response is None:
            continue
        if _origin(page.url) == site:
            links = _links(page, site)
            yield kind, response
            waiting.extend(link for link in links if link not in queued)
            queued.update(links)


def _go(page: Page, url: str) -> Response | None:
    """Go to an address; None if it is no page but something to keep."""
    try:
        return page.goto(url)
    except Error as error:
        if _DOWNLOAD in error.message:
            return None
        raise


def _links(page: Page, site: str) -> list[str]:
    """Return the pages of ours to which a page leads, without those that only change language."""
    addresses: list[str] = page.eval_on_selector_all("a[href]:not([download])", _LINKS)
    found = dict.fromkeys(address.partition("#")[0] for address in addresses)
    return [
        address
        for address in found
        if _origin(address) == site
        and not urlsplit(address).path.startswith(_NO_PAGE)
        and "language" not in parse_qs(urlsplit(address).query)
    ]


def _origin(url: str) -> str:
    address = urlsplit(url)
    return f"{address.scheme}://{address.netloc}"
