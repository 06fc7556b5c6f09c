# SPDX-License-Identifier: Apache-2.0
"""What citizens read, in English and Welsh. Their words, not ours: a test keeps ours out.

The texts stand in `words.json`, by key and language; values are filled in where they have braces.
What organisations and kinds of information are called comes from the registry (`published.py`).
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Final

LANGUAGES: Final = ("en", "cy")


@functools.cache
def catalogue() -> Mapping[str, Mapping[str, str]]:
    """Return every text in every language, by its key."""
    found: dict[str, dict[str, str]] = json.loads(
        files(__package__).joinpath("words.json").read_bytes()
    )
    return found


class Words:
    """The texts in one language."""

    def __init__(self, language: str) -> None:
        self.language = language

    def __call__(self, key: str, /, **values: str | int) -> str:
        """Return a text with its values filled in."""
        return catalogue()[key][self.language].format(**values)

    def maybe(self, key: str) -> str:
        """Return a text whose key may not exist, or ""."""
        return catalogue().get(key, {}).get(self.language, "")

    def one_of(self, family: str, member: str) -> str:
        """Return a text of a family, or the family's "other"."""
        return self.maybe(f"{family}.{member}") or self(f"{family}.other")

    @property
    def yes_letters(self) -> frozenset[str]:
        """Return what counts as a yes, in lower case."""
        return frozenset({"y", "yes", "i", "ie"} if self.language == "cy" else {"y", "yes"})
