# SPDX-License-Identifier: Apache-2.0
"""The auditor's fast reading of stored forms: it takes nothing that the slow one would not take."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from random import Random
from typing import Any

import pytest

from clients.auditor.canonical import FormError, encode, parse_canonical
from clients.auditor.facts import (
    AUDIT_FACTS,
    REGISTRY_FACTS,
    REQUEST_FACTS,
    VAULT_FACTS,
    Link,
)
from clients.auditor.forms import read, reader_of
from clients.auditor.record import read_link, read_record
from tests.unit.auditor.stories import a_story_of_changes, an_assisted_story, an_honest_story
from tests.vectors.generate import FOLDER

KNOWN = VAULT_FACTS | REGISTRY_FACTS | REQUEST_FACTS | AUDIT_FACTS
SAMPLES = [json.loads(path.read_bytes()) for path in sorted(FOLDER.glob("*.json"))]
TEXTS: list[tuple[Any, str]] = [(Link, sample["link"]) for sample in SAMPLES]
TEXTS += [
    (KNOWN[name], sample["facts"])
    for sample in SAMPLES
    if (name := json.loads(sample["facts"])["type"]) in KNOWN
]
for story in (an_honest_story(), a_story_of_changes(), an_assisted_story()):
    for placed in (*story.vault, *story.registry):
        row = json.loads(placed.line)
        TEXTS += [(Link, row["link"]), (KNOWN[json.loads(row["facts"])["type"]], row["facts"])]


def slowly(kind: Any, text: str) -> Any:
    """Return what the definition reads, None if it reads nothing."""
    try:
        return plain(read(kind, parse_canonical(text), "it"))
    except FormError:
        return None


def fast(kind: Any, text: str) -> Any:
    """Return what the reader reads, None if it leaves that to the definition."""
    try:
        value = reader_of(kind).read(text)
    except FormError:
        return None
    # Whatever was left for later must be readable then: nobody waits for an error there.
    return plain(value)


def plain(value: Any) -> Any:
    """Return a value down to plain ones."""
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(each) for each in value]
    return value


def test_every_honest_text_is_read_fast_and_alike() -> None:
    for kind, text in TEXTS:
        assert fast(kind, text) == slowly(kind, text) != None  # noqa: E711 - all three at once


def test_an_entry_has_one_text() -> None:
    row = json.loads(an_honest_story().vault[0].line)
    entry = row["entry"]
    index = next(i for i, letter in enumerate(entry) if letter in "-_")
    for other in (
        entry[:index] + {"-": "+", "_": "/"}[entry[index]] + entry[index + 1 :],
        entry[:5] + "!" + entry[5:],
        entry[:5] + "!" + entry[6:],
        entry[:-1] + "Z",
        entry + "=",
        entry[:-1],
        entry + "A",
    ):
        with pytest.raises(FormError):
            read_record(json.dumps({**row, "entry": other}).encode(), VAULT_FACTS)


@pytest.mark.parametrize(
    "changed",
    [
        {"leaf_index": True},
        {"leaf_index": -1},
        {"leaf_index": 1.0},
        {"leaf_index": 2**53},
        {"version": "1"},
        {"stream_id": 1},
        {"link": None},
        {"facts": ["x"]},
        {"more": 1},
    ],
    ids=str,
)
def test_a_line_of_another_form_is_no_record(changed: dict[str, Any]) -> None:
    row = json.loads(an_honest_story().vault[0].line)

    with pytest.raises(FormError):
        read_record(json.dumps({**row, **changed}).encode(), VAULT_FACTS)


def test_what_is_no_json_of_a_record_is_none() -> None:
    line = an_honest_story().vault[0].line
    assert read_record(line, VAULT_FACTS).faults == ()

    for other in (
        line + b"{}",
        line.replace(b'"version"', b'"version": 1, "version"'),
        line.replace(b'"version"', b'"Version"'),
        b"[" + line + b"]",
        line[:-1],
        b"{}",
        b"[" * 100_000,
    ):
        with pytest.raises(FormError):
            read_record(other, VAULT_FACTS)


EDITS = [
    '"',
    "\\",
    "{",
    "}",
    "},{",
    "[",
    "]",
    ",",
    ":",
    "0",
    "1",
    "-",
    " ",
    "é",
    "\n",
    "\x7f",
    "a",
    "Z",
]


def test_no_edited_text_is_read_that_the_definition_refuses() -> None:
    draw = Random(seed := "readers")
    for number in range(20_000):
        kind, text = draw.choice(TEXTS)
        place = draw.randrange(len(text) + 1)
        length = draw.choice([0, 1, 1, 1, 2, 5])
        edited = text[:place] + draw.choice([*EDITS, ""]) + text[place + length :]

        found = fast(kind, edited)

        assert found is None or found == slowly(kind, edited), (seed, number, edited)


def test_a_text_in_a_list_that_looks_like_two_is_read_as_one() -> None:
    link = next(json.loads(text) for kind, text in TEXTS if kind is Link and '"kind"' in text)
    link["payloads"][0]["key_id"] = "a},{b"

    marks = read_link(encode(link)).payloads

    assert next(mark.key_id for mark in marks) == "a},{b"


@pytest.mark.parametrize(
    "value",
    ["", "x" * 43, "A" * 42 + "B", "2026-02-30", "2026-13-01T00:00:00.000000Z", "é", 'a"b', 0, 1],
    ids=ascii,
)
def test_no_other_value_in_any_field_is_read_that_the_definition_refuses(value: Any) -> None:
    for kind, text in TEXTS:
        for name in json.loads(text):
            edited = encode({**json.loads(text), name: value})

            found = fast(kind, edited)

            assert found is None or found == slowly(kind, edited), edited
