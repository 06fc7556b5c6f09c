# SPDX-License-Identifier: Apache-2.0
"""What citizens read, in English and Welsh. Their words, not ours: a test keeps ours out.

The texts stand in `words.json`, by key and language; values are filled in where they have braces.
What organisations and kinds of information are called comes from the registry (`published.py`).
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Final

LANGUAGES: Final = ("en", "cy")
_HER_COMMANDS: Final = re.compile(r"citizen-vault (?!assist|sign-in|sign-out|whoami)")


@functools.cache
def catalogue() -> Mapping[str, Mapping[str, str]]:
    """Return every text in every language, by its key."""
    found: dict[str, dict[str, str]] = json.loads(
        files(__package__).joinpath("words.json").read_bytes()
    )
    return found


class Words:
    """The texts in one language.

    Args:
        is_assisted: an official reads them, to somebody or for somebody: where there is a text for
            officials it stands in, and commands are named as officials type them.
    """

    def __init__(self, language: str, *, is_assisted: bool = False) -> None:
        self.language = language
        self._is_assisted = is_assisted

    def __call__(self, key: str, /, **values: str | int) -> str:
        """Return a text with its values filled in."""
        return self.commands(self._texts(key)[self.language]).format(**values)

    def maybe(self, key: str) -> str:
        """Return a text whose key may not exist, or ""."""
        found = catalogue().get(key)
        return self.commands(self._texts(key)[self.language]) if found else ""

    def commands(self, text: str) -> str:
        """Return a text that names commands as whoever reads it types them."""
        return _HER_COMMANDS.sub("citizen-vault assist ", text) if self._is_assisted else text

    def _texts(self, key: str) -> Mapping[str, str]:
        known = catalogue()
        return (known.get(f"assist.{key}") if self._is_assisted else None) or known[key]

    def one_of(self, family: str, member: str) -> str:
        """Return a text of a family, or the family's "other"."""
        return self.maybe(f"{family}.{member}") or self(f"{family}.other")

    @property
    def yes_letters(self) -> frozenset[str]:
        """Return what counts as a yes, in lower case."""
        return frozenset({"y", "yes", "i", "ie"} if self.language == "cy" else {"y", "yes"})
