# SPDX-License-Identifier: Apache-2.0
"""The texts of the pages: a room's own first, then those of every page, then those of all clients.

A text may have forms by number, chosen by `count` as the Unicode CLDR says: English has two, Welsh
has six.
"""

from __future__ import annotations

import functools
import json
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from clients.wording.words import Words

if TYPE_CHECKING:
    from collections.abc import Mapping

Text = str | dict[str, str]

_WELSH_FORMS: Final = {0: "zero", 1: "one", 2: "two", 3: "few", 6: "many"}


class PageWords(Words):
    """The texts of one room's pages in one language."""

    def __init__(self, language: str, room: str, *, is_assisted: bool = False) -> None:
        super().__init__(language, is_assisted=is_assisted)
        self._room = room

    def __call__(self, key: str, /, **values: str | int) -> str:
        """Return a text with its values filled in.

        Raises:
            KeyError: if there is none: a test looks for it first.
        """
        found = self._found(key)
        if found is None:
            return super().__call__(key, **values)
        text = found[self.language]
        if isinstance(text, dict):
            text = text.get(plural_form(self.language, int(values["count"])), text["other"])
        return text.format(**values)

    def maybe(self, key: str) -> str:
        """Return a text whose key may not exist, or ""."""
        found = self._found(key)
        return str(found[self.language]) if found else super().maybe(key)

    def _found(self, key: str) -> Mapping[str, Text] | None:
        for name in ([f"assist.{key}"] if self._is_assisted else []) + [key]:
            for room in (self._room, ""):
                if name in texts_of(room):
                    return texts_of(room)[name]
        return None


@functools.cache
def texts_of(room: str) -> Mapping[str, Mapping[str, Text]]:
    """Return the texts of a room, by key and language; of "": those of every page."""
    folder = files(__package__).joinpath(room) if room else files(__package__)
    file = folder.joinpath("words.json")
    found: dict[str, dict[str, Text]] = json.loads(file.read_bytes()) if file.is_file() else {}
    return found


def plural_form(language: str, count: int) -> str:
    """Return the form of a whole number in a language (Unicode CLDR, cardinals)."""
    if language == "cy":
        return _WELSH_FORMS.get(count, "other")
    return "one" if count == 1 else "other"
