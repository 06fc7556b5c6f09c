# SPDX-License-Identifier: Apache-2.0
"""Warnings about published texts: missing, untranslated, too long."""

from __future__ import annotations

import json

import msgspec
import pytest
from msgspec.structs import replace

from tests.house import SEEDS, texts
from vault.application.registry import Definition
from vault.application.wording import (
    MOST_WORDS,
    TextWarning,
    definition_warnings,
    purpose_warnings,
)

(ENGLISH,) = texts()
WELSH = replace(
    ENGLISH,
    language="cy",
    title="Gofal gartref",
    why="I ymweld.",
    if_refused="Ffoniwn.",
    if_stopped="Peidiwn.",
    other_ways="Ffoniwch.",
)


def test_good_texts_get_no_warning() -> None:
    assert purpose_warnings((ENGLISH, WELSH)) == ()


def test_a_missing_language_is_told() -> None:
    (warning,) = purpose_warnings((ENGLISH,))

    assert warning == TextWarning("texts", "cy", "translation-missing")


def test_a_text_that_only_one_language_has_is_told() -> None:
    (warning,) = purpose_warnings((replace(ENGLISH, needed_by="By Friday."), WELSH))

    assert warning == TextWarning("texts[1].needed_by", "cy", "translation-missing")


def test_a_text_that_was_copied_is_told() -> None:
    (warning,) = purpose_warnings((ENGLISH, replace(WELSH, if_refused=ENGLISH.if_refused)))

    assert warning == TextWarning("texts[1].if_refused", "cy", "not-translated")


@pytest.mark.parametrize(("words", "count"), [(MOST_WORDS, 0), (MOST_WORDS + 1, 1)])
def test_a_sentence_may_have_so_many_words(words: int, count: int) -> None:
    long = replace(ENGLISH, why="Short one. " + " ".join(["word"] * words) + ".")

    warnings = purpose_warnings((long, WELSH))

    assert [w.kind for w in warnings] == ["sentence-long"] * count


def test_what_we_publish_ourselves_gets_no_warning() -> None:
    for path in sorted(SEEDS.glob("*.json")):
        definition = msgspec.convert(json.loads(path.read_bytes()), Definition)
        assert definition_warnings(definition) == (), path.name
