# SPDX-License-Identifier: Apache-2.0
"""Letters as print-ready pages in a folder, from which a mail room prints them.

A4, the address where a DL window envelope shows it (BS 1808: 20 mm from the left, 45 mm from the
top); HTML with nothing outside it, so that any browser prints it.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vault.notifications.files import name_of, write

if TYPE_CHECKING:
    from vault.notifications.message import Message

_PAGE: Final = """\
<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<title>{subject}</title>
<style>
@page {{ size: A4; margin: 0 }}
body {{ margin: 0; font: 12pt/1.5 sans-serif; color: #000; background: #fff }}
address {{ position: absolute; left: 20mm; top: 45mm; width: 90mm; font-style: normal }}
main {{ padding: 105mm 25mm 25mm 20mm; overflow-wrap: anywhere }}
h1 {{ font-size: 16pt; line-height: 1.25; margin: 0 0 6mm }}
p {{ margin: 0 0 4mm }}
</style>
</head>
<body>
<address>
{address}
</address>
<main>
<h1>{subject}</h1>
{paragraphs}
</main>
</body>
</html>
"""


class LetterChannel:
    """Writes each letter into a folder, as `.html`."""

    def __init__(self, folder: Path) -> None:
        """Write into a folder, which is made if it is absent.

        Raises:
            OSError: if it cannot be.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder

    def send(self, message: Message) -> None:
        """Write a letter; again, it takes the place of the first, if that is not printed yet.

        Raises:
            NotSentError: if the disk does not take it.
        """
        write(self._folder / f"{name_of(message)}.html", page_of(message))


def page_of(message: Message) -> str:
    """Return the page of a letter."""
    paragraphs = (
        f"<p>{'<br>'.join(escape(line) for line in paragraph.splitlines())}</p>"
        for paragraph in message.text.split("\n\n")
    )
    return _PAGE.format(
        language=escape(message.language),
        subject=escape(message.subject),
        address="<br>\n".join(escape(line) for line in message.address),
        paragraphs="\n".join(paragraphs),
    )
