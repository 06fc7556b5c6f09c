# SPDX-License-Identifier: Apache-2.0
"""Warnings about published texts: nothing is refused for them, but people would read them better.

A sentence of more than 25 words is hard to follow (GOV.UK content design); a Welsh speaker has a
right to her language (Welsh Language (Wales) Measure 2011).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from msgspec.structs import asdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vault.application.registry import Definition, PurposeTexts, Texts

WarningKind = Literal["translation-missing", "sentence-long", "not-translated"]

LANGUAGES: Final = ("en", "cy")
MOST_WORDS: Final = 25
FEWEST_WORDS: Final = 4
"""Fewer may stay the same in every language: a telephone number, or a name such as Angola."""
_SENTENCE_END: Final = re.compile(r"(?<=[.!?:;])\s+")


@dataclass(frozen=True, slots=True)
class TextWarning:
    """Something in a text that would be better otherwise; `field` is a path."""

    field: str
    language: str
    kind: WarningKind


def purpose_warnings(texts: tuple[PurposeTexts, ...]) -> tuple[TextWarning, ...]:
    """Return warnings about the texts of a purpose, in the order of the texts."""
    languages = [text.language for text in texts]
    fields: list[Mapping[str, Any]] = [asdict(text) for text in texts]
    warnings = [
        TextWarning(field="texts", language=language, kind="translation-missing")
        for language in LANGUAGES
        if language not in languages
    ]
    for index, text in enumerate(fields):
        for name, value in text.items():
            if name == "language":
                continue
            path = f"texts[{index}].{name}"
            same = any(other[name] == value for other in fields[:index])
            warnings += _of_text(path, text["language"], value, is_same=same)
            if not value and any(other[name] for other in fields):
                warnings.append(TextWarning(path, text["language"], "translation-missing"))
    return tuple(warnings)


def definition_warnings(definition: Definition) -> tuple[TextWarning, ...]:
    """Return warnings about the title, labels and hints of an evidence type."""
    return tuple(
        warning for path, texts in _texts_of(definition) for warning in _of_texts(path, texts)
    )


def _texts_of(definition: Definition) -> Iterator[tuple[str, Texts]]:
    yield "title", definition.title
    yield "description", definition.description
    for index, field in enumerate(definition.fields):
        yield f"fields[{index}].label", field.label
        yield f"fields[{index}].hint", field.hint
        for code, words in field.words.items():
            yield f"fields[{index}].words.{code}", words


def _of_texts(path: str, texts: Texts) -> Iterator[TextWarning]:
    for language in LANGUAGES:
        if language not in texts:
            yield TextWarning(path, language, "translation-missing")
    seen: list[str] = []
    for language, text in texts.items():
        yield from _of_text(path, language, text, is_same=text in seen)
        seen.append(text)


def _of_text(path: str, language: str, text: str, *, is_same: bool) -> Iterator[TextWarning]:
    if is_same and len(text.split()) >= FEWEST_WORDS:
        yield TextWarning(path, language, "not-translated")
    if any(len(sentence.split()) > MOST_WORDS for sentence in _SENTENCE_END.split(text)):
        yield TextWarning(path, language, "sentence-long")
