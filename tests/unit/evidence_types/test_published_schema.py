# SPDX-License-Identifier: Apache-2.0
"""A schema that keeps the server busy, fetches something or leaves a door open is not published."""

import time
from typing import Any

import pytest

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


@pytest.mark.parametrize("pattern", ["(?=a)b", "(?<!a)b", r"(a)\1", "(a{1000}){1000}"])
def test_pattern_that_cannot_run_in_linear_time_is_refused(pattern: str) -> None:
    schema = a_schema(properties={"a": {"type": "string", "pattern": pattern}})

    assert [path for path, _ in found(schema)] == ["/properties/a/pattern"]


def test_unknown_format_is_refused() -> None:
    schema = a_schema(properties={"a": {"type": "string", "format": "dyddiad"}})

    assert [path for path, _ in found(schema)] == ["/properties/a/format"]


def test_schema_that_contains_itself_is_refused() -> None:
    schema = a_schema(
        properties={"a": {"$ref": "#/$defs/tree"}},
        **{"$defs": {"tree": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}},
    )

    assert found(schema) == [("", "depth")]


def test_doubling_references_are_refused_quickly() -> None:
    start = time.monotonic()

    assert found(doubling(12)) == [("", "size")]
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("links", [40, 1000])
def test_long_chain_of_references_is_refused(links: int) -> None:
    assert found(chained(links)) == [("", "depth")]


def test_short_chain_of_references_may_be_published() -> None:
    assert CompiledSchema(chained(10)).violations({"a": "x"}) == ()


def test_large_schema_is_refused() -> None:
    schema = a_schema(description="x" * 65_536)

    assert found(schema) == [("", "size")]


def test_schema_that_canonical_json_cannot_hold_is_refused() -> None:
    schema = a_schema(properties={"a": {"multipleOf": 0.5}})

    assert found(schema) == [("/properties/a/multipleOf", "float")]
