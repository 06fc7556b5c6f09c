# SPDX-License-Identifier: Apache-2.0
"""Looks for what people typed in all that was written: databases, keys, logs, exports.

Only texts that nobody else writes are looked for: no dates, which every log holds, no codes, which
the published definitions hold too, and no short ones, which any file may hold by chance.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clients.demo.people import Form
from clients.demo.wording import counted

_SHORTEST: Final = 6
_DATE: Final = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Search:
    """How many texts were looked for where, and in which file or table one stood."""

    texts: int
    files: int
    tables: int
    found_in: tuple[str, ...]

    @property
    def where(self) -> str:
        """Say in how many files and tables it was looked."""
        files = counted(self.files, "file")
        return f"{files} and {counted(self.tables, 'table')}" if self.tables else files


def typed_texts(filled_in: Iterable[Form], published: bytes) -> frozenset[bytes]:
    """Return the texts among her answers that can only come from her."""
    texts = {text.encode() for form in filled_in for text in _texts(form.answers)}
    return frozenset(
        text
        for text in texts
        if len(text) >= _SHORTEST and text not in published and not _DATE.fullmatch(text)
    )


def search(
    folder: Path, texts: frozenset[bytes], tables: Iterable[tuple[str, bytes]] = ()
) -> Search:
    """Look for texts in every file under a folder, and in tables that lie elsewhere."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    found_in = [path.name for path in files if _holds(path.read_bytes(), texts)]
    looked_in = 0
    for name, content in tables:
        looked_in += 1
        if _holds(content, texts):
            found_in.append(name)
    return Search(texts=len(texts), files=len(files), tables=looked_in, found_in=tuple(found_in))


def _holds(content: bytes, texts: frozenset[bytes]) -> bool:
    return any(text in content for text in texts)


def _texts(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for part in value.values():
                yield from _texts(part)
        case list():
            for part in value:
                yield from _texts(part)
        case _:
            pass
