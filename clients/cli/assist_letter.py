# SPDX-License-Identifier: Apache-2.0
"""The letter that somebody keeps when an official opened a vault for her: her code, twice told.

Plain text, so that any printer prints it. It is the only place where the code ever stands.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from clients.wording.times import date_of
from clients.wording.words import LANGUAGES, Words

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

_WIDTH: Final = 72
_PARTS: Final = (
    ("letter.what", "letter.what.text"),
    ("letter.not", "letter.not.text"),
    ("letter.keep", "letter.keep.text"),
    ("letter.close", "letter.close.text"),
)


def letter(code: str, channel: str, opened: Timestamp, first: str) -> str:
    """Return the letter.

    Args:
        channel: "counter", "phone" or "letter".
        first: the language that stands above the other.
    """
    languages = sorted(LANGUAGES, key=lambda language: language != first)
    return f"\n{'-' * _WIDTH}\n\n".join(
        _in_one(Words(language), code, channel, opened) for language in languages
    )


def _in_one(words: Words, code: str, channel: str, opened: Timestamp) -> str:
    made = words.one_of("letter.made", channel).format(date=date_of(opened, words))
    paragraphs = [
        words("letter.title").upper(),
        _wrapped(made),
        f"{words('letter.code')}:\n\n        {code}",
        *(f"{words(heading)}\n\n{_wrapped(words(text))}" for heading, text in _PARTS),
    ]
    return "\n\n".join(paragraphs) + "\n"


def _wrapped(text: str) -> str:
    return textwrap.fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
