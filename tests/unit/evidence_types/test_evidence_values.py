# SPDX-License-Identifier: Apache-2.0
"""What no evidence may hold is refused whatever the schema says."""

from enum import StrEnum
from typing import Any

import pytest

from vault.evidence_types.values import DEEPEST, LARGEST_BYTES, unfit


class Colour(StrEnum):
    RED = "red"


def rules(document: object) -> list[tuple[str, str]]:
    return [(violation.path, violation.rule) for violation in unfit(document)]


def nested(depth: int) -> dict[str, Any]:
    """Return a document in which `depth` objects lie within each other."""
    return {"a": nested(depth - 1)} if depth > 1 else {}


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (1.0, "float"),
        (float("nan"), "float"),
        (float("inf"), "float"),
        (None, "null"),
        (2**53, "range"),
        (-(2**53), "range"),
        (10**400, "range"),
        ("a\x00b", "characters"),
        ("a\x1fb", "characters"),
        ("a\x7fb", "characters"),
        ("a\x85b", "characters"),
        ("a\nb", "characters"),
        ("a\u2028b", "characters"),
        ("a\u202eb", "characters"),
        ("a\u2066b", "characters"),
        ("a\ud83db", "characters"),
        ("a\uffffb", "characters"),
        (b"bytes", "type"),
        ((1, 2), "type"),
        ({1, 2}, "type"),
        (Colour.RED, "type"),
    ],
)
def test_value_that_canonical_json_cannot_hold_is_refused(value: object, rule: str) -> None:
    assert rules({"list": ["fit", value]}) == [("/list/1", rule)]


@pytest.mark.parametrize(
    "value", [True, 0, 2**53 - 1, -(2**53) + 1, "", "ŵ 👵🏽 \u200d ב", [], {}, [[1], {"a": "b"}]]
)
def test_value_that_canonical_json_holds_is_accepted(value: object) -> None:
    assert unfit({"a": value}) == ()


@pytest.mark.parametrize("document", [None, [], "text", 1, True])
def test_document_that_is_no_object_is_refused(document: object) -> None:
    assert rules(document) == [("", "type")]


def test_eight_objects_within_each_other_are_accepted() -> None:
    assert unfit(nested(DEEPEST)) == ()


def test_nine_objects_within_each_other_are_refused() -> None:
    assert rules(nested(DEEPEST + 1)) == [("/a" * DEEPEST, "depth")]


def test_document_deeper_than_the_interpreter_recurses_is_refused() -> None:
    document: dict[str, Any] = {}
    for _ in range(100_000):
        document = {"a": document}

    assert rules(document) == [("/a" * DEEPEST, "depth")]


def test_largest_document_is_accepted_and_one_byte_more_is_refused() -> None:
    empty = len(b'{"a":""}')

    assert unfit({"a": "x" * (LARGEST_BYTES - empty)}) == ()
    assert rules({"a": "x" * (LARGEST_BYTES - empty + 1)}) == [("", "size")]


def test_size_counts_bytes_and_not_characters() -> None:
    assert rules({"a": "ŵ" * (LARGEST_BYTES // 2)}) == [("", "size")]


@pytest.mark.parametrize("name", [1, None, b"a", ("a",), "a\x00", "a\ud800", "\u202ea"])
def test_name_that_is_no_text_is_refused(name: object) -> None:
    assert rules({"a": {name: 1}}) == [("/a", "name")]


@pytest.mark.parametrize("name", ["Mair Prosser", "a/b", "a~b", "", "1", "x" * 65, "Siân"])
def test_name_that_could_be_a_value_is_not_repeated(name: str) -> None:
    assert rules({"a": {name: None}}) == [("/a", "null")]


def test_million_violations_make_a_short_answer() -> None:
    assert len(unfit({"a": [None] * 1_000_000})) == 32
