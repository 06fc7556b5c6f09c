# SPDX-License-Identifier: Apache-2.0
"""The short numbers by which people name things: the beginning of an id that is unique."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from clients.cli.errors import CommandError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from clients.wording.words import Words

SHORT: Final = 8
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def short(an_id: str) -> str:
    """Return the number that is shown for an id."""
    return an_id[:SHORT]


def is_whole(text: str) -> bool:
    """Say whether a text is an id and not the beginning of one."""
    return _UUID.fullmatch(text) is not None


def whole_id(typed: str, known: Callable[[], Iterable[str]], words: Words) -> str:
    """Return the id that a typed number begins.

    Args:
        known: the ids that it can be; not asked for when a whole id is typed.

    Raises:
        CommandError: if there is none.
        UsageError: if there are several.
    """
    text = typed.strip().lower()
    if is_whole(text):
        return text
    found = {one for one in known() if text and one.startswith(text)}
    if len(found) > 1:
        raise UsageError(words("ambiguous", id=text))
    if not found:
        raise CommandError(words("no.such", id=text))
    return found.pop()
