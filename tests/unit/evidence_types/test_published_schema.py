# SPDX-License-Identifier: Apache-2.0
"""A schema that keeps the server busy, fetches something or leaves a door open is not published."""

import time
from typing import Any

import pytest

from vault.evidence_types.check import (
    LARGEST_SCHEMA_BYTES,
    MOST_CODES,
    MOST_PATTERNS,
    MOST_STEPS,
)
from vault.evidence_types.schema import CompiledSchema, check_schema


def a_schema(**keywords: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"a": {"type": "string", "maxLength": 10}},
        "additionalProperties": False,
        **keywords,
    }


def found(schema: object) -> list[tuple[str, str]]:
    return [(violation.path, violation.rule) for violation in check_schema(schema)]


def doubling(levels: int) -> dict[str, Any]:
    """Return a small schema that takes 2 to the power of `levels` steps."""
    definitions: dict[str, Any] = {f"d{levels}": {"type": "string"}}
    for level in range(levels):
        definitions[f"d{level}"] = {"allOf": [{"$ref": f"#/$defs/d{level + 1}"}] * 2}
    return a_schema(properties={"a": {"$ref": "#/$defs/d0"}}, **{"$defs": definitions})


def chained(links: int) -> dict[str, Any]:
    """Return a schema in which each definition refers to the next."""
    definitions: dict[str, Any] = {f"d{links}": {"type": "string"}}
    for link in range(links):
        definitions[f"d{link}"] = {"$ref": f"#/$defs/d{link + 1}"}
    return a_schema(properties={"a": {"$ref": "#/$defs/d0"}}, **{"$defs": definitions})


def test_closed_bounded_object_may_be_published() -> None:
    assert check_schema(a_schema()) == ()


def test_dialect_may_be_named() -> None:
    schema = a_schema(**{"$schema": "https://json-schema.org/draft/2020-12/schema"})

    assert check_schema(schema) == ()


@pytest.mark.parametrize(
    "dialect", ["http://json-schema.org/draft-07/schema#", "https://example.org/own", 1]
)
def test_other_dialect_is_refused(dialect: object) -> None:
    assert found(a_schema(**{"$schema": dialect})) == [("/$schema", "$schema")]


@pytest.mark.parametrize("schema", [True, None, [], "object", 1])
def test_schema_that_is_no_object_is_refused(schema: object) -> None:
    assert found(schema) == [("", "type")]


@pytest.mark.parametrize(
    ("keywords", "path"),
    [
        ({"type": "array"}, "/type"),
        ({"type": ["object", "null"]}, "/type"),
        ({"additionalProperties": True}, "/additionalProperties"),
        ({"additionalProperties": {"type": "string"}}, "/additionalProperties"),
        ({"properties": {}}, "/properties"),
        ({"properties": {"a b": {}}}, "/properties"),
        ({"properties": {"*": {}}}, "/properties"),
        ({"properties": {"cyfeiriâd": {}}}, "/properties"),
    ],
)
def test_open_or_empty_object_is_refused(keywords: dict[str, Any], path: str) -> None:
    assert [where for where, _ in found(a_schema(**keywords))] == [path]


@pytest.mark.parametrize(
    ("keywords", "path"),
    [
        ({"properties": {"a": {"type": "text"}}}, "/properties/a/type"),
        ({"properties": {"a": {"maxLength": -1}}}, "/properties/a/maxLength"),
        ({"properties": []}, "/properties"),
        ({"required": "a"}, "/required"),
        ({"properties": {"a": {"pattern": "["}}}, "/properties/a/pattern"),
    ],
)
def test_schema_that_is_not_json_schema_is_refused(keywords: dict[str, Any], path: str) -> None:
    assert [where for where, _ in found(a_schema(**keywords))] == [path]


@pytest.mark.parametrize(
    "reference",
    [
        "https://example.org/schema.json",
        "http://127.0.0.1:1/schema",
        "file:///etc/hostname",
        "other.json#/$defs/a",
        "#",
        "#/properties/a",
        "#/$defs/absent",
        "#/$defs/a/../b",
        "#a",
    ],
)
def test_reference_to_anything_but_a_definition_is_refused(reference: str) -> None:
    schema = a_schema(properties={"a": {"$ref": reference}}, **{"$defs": {"a": {}}})

    assert found(schema) == [("/properties/a/$ref", "$ref")]


@pytest.mark.parametrize(
    "keyword",
    [
        "$id",
        "$anchor",
        "$dynamicAnchor",
        "contentEncoding",
        "contentMediaType",
        "x-own",
        "patternProperties",
    ],
)
def test_unknown_keyword_is_refused(keyword: str) -> None:
    value: Any = {} if keyword == "patternProperties" else "own"

    rules = [rule for _, rule in found(a_schema(properties={"a": {keyword: value}}))]

    assert rules == ["keyword"]


def test_property_named_like_a_keyword_is_a_property() -> None:
    assert check_schema(a_schema(properties={"items": {"type": "string"}})) == ()


def test_definitions_below_the_top_are_refused() -> None:
    schema = a_schema(properties={"a": {"$defs": {"b": {}}}})

    assert found(schema) == [("/properties/a/$defs", "$defs")]


@pytest.mark.parametrize(
    "pattern", ["(?=a)b", "(?<!a)b", r"(a)\1", "(a{1000}){1000}", "a{100000}", "(?i)a"]
)
def test_pattern_that_cannot_run_in_linear_time_is_refused(pattern: str) -> None:
    schema = a_schema(properties={"a": {"type": "string", "pattern": pattern}})

    assert [path for path, _ in found(schema)] == ["/properties/a/pattern"]


def test_unknown_format_is_refused() -> None:
    schema = a_schema(properties={"a": {"type": "string", "format": "dyddiad"}})

    assert [path for path, _ in found(schema)] == ["/properties/a/format"]


def test_schema_that_contains_itself_is_refused() -> None:
    schema = a_schema(
        properties={"a": {"$ref": "#/$defs/tree"}},
        **{"$defs": {"tree": {"type": "array", "maxItems": 1, "items": {"$ref": "#/$defs/tree"}}}},
    )

    assert found(schema) == [("", "depth")]


def test_doubling_references_are_refused_quickly() -> None:
    start = time.monotonic()

    assert found(doubling(12)) == [("", "size")]
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("links", [40, 1000])
def test_long_chain_of_references_is_refused(links: int) -> None:
    assert found(chained(links)) == [("", "depth")]


def test_chain_of_references_is_measured_again_where_it_lies_deeper() -> None:
    schema = chained(20)
    deeper: dict[str, Any] = {"$ref": "#/$defs/d0"}
    for _ in range(15):
        deeper = {"not": deeper}
    schema["properties"]["b"] = deeper

    assert found(chained(20)) == []
    assert found(schema) == [("", "depth")]


def test_short_chain_of_references_may_be_published() -> None:
    assert CompiledSchema(chained(10)).violations({"a": "x"}) == ()


def test_large_schema_is_refused() -> None:
    schema = a_schema(description="x" * LARGEST_SCHEMA_BYTES)

    assert found(schema) == [("", "size")]


def nested(keyword: str, levels: int) -> dict[str, Any]:
    """Return a schema in which a keyword stands within itself."""
    inner: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        inner = {keyword: [inner]} if keyword.endswith("Of") else {keyword: inner, "maxItems": 1}
    return a_schema(properties={"a": inner})


@pytest.mark.parametrize("keyword", ["allOf", "anyOf", "oneOf", "not", "if", "items"])
@pytest.mark.parametrize("levels", [30, 10_000])
def test_deep_nesting_is_refused(keyword: str, levels: int) -> None:
    assert [rule for _, rule in found(nested(keyword, levels))] == ["depth"]


@pytest.mark.parametrize("keyword", ["allOf", "anyOf", "oneOf"])
def test_many_alternatives_are_refused(keyword: str) -> None:
    branches = [{"$ref": "#/$defs/d"}] * (MOST_STEPS // 8)
    ten = {"allOf": [{"maxLength": 1}] * 10}

    schema = a_schema(properties={"a": {keyword: branches}}, **{"$defs": {"d": ten}})

    assert found(schema) == [("", "size")]


def a_list(most: int, entry: Any) -> dict[str, Any]:
    return {"type": "array", "maxItems": most, "items": entry}


@pytest.mark.parametrize("most", [MOST_STEPS, 10**6, 2**53 - 1])
def test_list_of_enormous_length_is_refused(most: int) -> None:
    schema = a_schema(properties={"a": a_list(most, {"type": "string"})})

    assert found(schema) == [("", "size")]


def test_lists_within_each_other_multiply() -> None:
    def cube(most: int) -> dict[str, Any]:
        return a_schema(
            properties={"a": a_list(most, a_list(most, a_list(most, {"type": "string"})))}
        )

    assert found(cube(10)) == []
    assert found(cube(22)) == [("", "size")]


@pytest.mark.parametrize(
    ("field", "path"),
    [
        ({"type": "array", "items": {"type": "string"}}, "/properties/a/maxItems"),
        ({"additionalProperties": {"type": "string"}}, "/properties/a/maxProperties"),
        ({"anyOf": [{"items": {}}]}, "/properties/a/anyOf/0/maxItems"),
    ],
)
def test_list_or_object_without_an_end_is_refused(field: dict[str, Any], path: str) -> None:
    assert [where for where, _ in found(a_schema(properties={"a": field}))] == [path]


@pytest.mark.parametrize(
    "field",
    [
        {"type": "array", "prefixItems": [{"type": "string"}], "items": False},
        {"type": "object", "additionalProperties": False},
        {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 9},
    ],
)
def test_list_or_object_with_an_end_may_be_published(field: dict[str, Any]) -> None:
    assert found(a_schema(properties={"a": field})) == []


def test_huge_enum_is_refused() -> None:
    def with_codes(count: int) -> dict[str, Any]:
        return a_schema(properties={"a": {"enum": [f"c{number}" for number in range(count)]}})

    assert found(with_codes(MOST_CODES)) == []
    assert found(with_codes(MOST_CODES + 1)) == [("/properties/a/enum", "enum")]
    assert [rule for _, rule in found(with_codes(1_000_000))] == ["size"]


def test_many_patterns_are_refused() -> None:
    def with_patterns(count: int) -> dict[str, Any]:
        each = [{"pattern": f"^{number}$"} for number in range(count)]
        return a_schema(properties={"a": {"anyOf": each}})

    assert found(with_patterns(MOST_PATTERNS)) == []
    assert found(with_patterns(MOST_PATTERNS + 1)) == [("", "pattern")]


def test_patterns_are_counted_as_often_as_they_are_referred_to() -> None:
    schema = a_schema(
        properties={f"a{number}": {"$ref": "#/$defs/d"} for number in range(MOST_PATTERNS)},
        **{"$defs": {"d": {"pattern": "^x$"}}},
    )

    assert found(schema) == [("", "pattern")]


@pytest.mark.parametrize("pattern", ["(a+)+$", "^(a|a)*$", "(x+x+)+y", "a" * 50_000])
def test_pattern_that_others_may_never_end_is_refused(pattern: str) -> None:
    schema = a_schema(properties={"a": {"type": "string", "pattern": pattern}})

    assert [path for path, _ in found(schema)] == ["/properties/a/pattern"]


def test_schema_that_canonical_json_cannot_hold_is_refused() -> None:
    schema = a_schema(properties={"a": {"multipleOf": 0.5}})

    assert found(schema) == [("/properties/a/multipleOf", "float")]
