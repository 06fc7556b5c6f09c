# SPDX-License-Identifier: Apache-2.0
"""Takes the pictures of the pages anew, and writes the pages that show them: `make screens`.

Everything is as `make run` sets it up, and done as people do it.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from playwright.sync_api import Page, sync_playwright

from tests.browser.album import Album
from tests.browser.chromium import NONE_HERE, found, options
from tests.browser.comprehension import (
    INTRODUCTION,
    answers_on,
    markdown,
    requests_of,
    words_on,
)
from tests.browser.site import Person, opened
from tests.browser.tales import TALES, Teller

DOCS: Final = Path(__file__).parents[2] / "docs"
COMPREHENSION: Final = DOCS / "comprehension.md"

_PAGES: Final = DOCS / "pages.md"
_SCREENS: Final = DOCS / "screens"
_TITLE: Final = """\
# The pages, in pictures

What somebody sees, from the first page on. `make run` shows the same in a browser; `make screens`
takes the pictures anew. [What a request answers](comprehension.md) says where on the page of a
request each answer stands.
"""


def main() -> None:
    """Take the pictures, and write both pages."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        program = found(playwright)
        if program is None:
            sys.exit(NONE_HERE)
        shutil.rmtree(_SCREENS, ignore_errors=True)
        _SCREENS.mkdir(parents=True)
        browser = playwright.chromium.launch(**options(program))
        with opened(Path(folder)) as site:
            album = Album(_SCREENS)
            for title, tale in TALES.items():
                album.chapter(title)
                tale(Teller(browser, site, album))
            _PAGES.write_text(album.markdown(_TITLE), encoding="utf-8")
            page, person = Teller(browser, site, album).signed_in()
            COMPREHENSION.write_text(comprehension_of(page, person), encoding="utf-8")
        browser.close()


def comprehension_of(page: Page, person: Person) -> str:
    """Return the page that says where the answers stand, read from the pages themselves."""
    lines = [INTRODUCTION]
    for request in requests_of(person):
        page.goto(f"/requests/{request.consent_request_id}")
        asker = person.story.directory.asker_for(request.purpose.partition("@")[0])
        title = f"{asker.organisation}: {asker.texts().title}"
        lines += markdown(title, answers_on(page), words_on(page))
    return "\n".join(lines)


if __name__ == "__main__":
    main()
