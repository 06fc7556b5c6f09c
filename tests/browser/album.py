# SPDX-License-Identifier: Apache-2.0
"""Pictures of pages, each with what it shows, and the page of the documentation that has them."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from playwright.sync_api import Page

_SPACE: Final = re.compile(r"\s+")
_SHRINK: Final = Path(__file__).with_name("shrink.js")


@dataclass(frozen=True)
class Picture:
    """One picture: its file, and what it shows, for those who do not see it, too."""

    name: str
    shows: str


@dataclass
class Album:
    """Pictures in chapters, in the order in which they were taken."""

    folder: Path
    chapters: dict[str, list[Picture]] = field(default_factory=dict)

    def chapter(self, title: str) -> None:
        """Begin the next chapter."""
        self.chapters[title] = []

    def take(self, page: Page, name: str, shows: str) -> None:
        """Take a picture of a whole page, as it is when nothing moves any more."""
        taken = [picture.name for chapter in self.chapters.values() for picture in chapter]
        assert name not in taken, name
        page.wait_for_load_state("load")
        page.evaluate("() => window.scrollTo(0, 0)")
        taken_now = page.screenshot(full_page=True, animations="disabled", caret="hide")
        (self.folder / f"{name}.png").write_bytes(_shrunk(page, taken_now))
        list(self.chapters.values())[-1].append(Picture(name, _SPACE.sub(" ", shows)))

    def markdown(self, introduction: str) -> str:
        """Return the page that shows them all."""
        lines = [introduction.strip(), ""]
        for title, pictures in self.chapters.items():
            lines += [f"## {title}", ""]
            for picture in pictures:
                address = f"{self.folder.name}/{picture.name}.png"
                lines += [picture.shows, "", f"![{picture.shows}]({address})", ""]
        return "\n".join(lines)


def _shrunk(page: Page, picture: bytes) -> bytes:
    """Return a picture with a palette, which the browser itself makes of it."""
    browser = page.context.browser
    assert browser is not None
    other = browser.new_page()
    try:
        # The first two lines say what it is.
        script = _SHRINK.read_text(encoding="utf-8").split("\n", 2)[2]
        encoded: str = other.evaluate(script, base64.b64encode(picture).decode("ascii"))
    finally:
        other.close()
    return base64.b64decode(encoded)
