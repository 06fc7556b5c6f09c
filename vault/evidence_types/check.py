# SPDX-License-Identifier: Apache-2.0
"""Whether a schema that someone wants to publish is fit to judge evidence.

The server runs it on every piece of evidence, so it must be valid (JSON Schema 2020-12), closed,
self-contained, and small once its references are followed: `allOf` of two references, thirty levels
deep, is a kilobyte that takes a billion steps. What values may be made of is in `values.py`.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import jsonschema_rs

from vault.evidence_types.values import unfit
from vault.evidence_types.violation import Violation, first_of_each_field, pointer

DIALECT = "https://json-schema.org/draft/2020-12/schema"

LARGEST_SCHEMA_BYTES = 64 * 1024
"""Of the schema as canonical JSON."""

MOST_SUBSCHEMAS = 2000
"""Counted as often as references reach them: the steps that judging one value may take."""

DEEPEST_SUBSCHEMA = 32
"""References included. The schema itself is the first."""

_DEEPEST_JSON = 24
_LARGEST_PATTERN_BYTES = 64 * 1024  # compiled; some 300 characters of plain pattern

_ONE = frozenset({"items", "not", "if", "then", "else", "additionalProperties"})
_LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_NAMED = frozenset({"properties", "dependentSchemas", "$defs"})
# What is not here is refused, above all what moves a reference ($id, $anchor, $dynamicRef).
_KEYWORDS = (_ONE | _LISTS | _NAMED) | {
    *("$schema", "$ref", "$comment", "title", "description"),
    *("type", "enum", "const", "format", "minLength", "maxLength", "pattern"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties"),
    *("required", "dependentRequired"),
}

_DEFINITION = re.compile(r"#/\$defs/([A-Za-z][A-Za-z0-9_]{0,63})")
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}")

_Steps = tuple[str | int, ...]


def check_schema(schema: object) -> tuple[Violation, ...]:
    """Return what keeps `schema` from being published, or nothing. Paths point into the schema."""
    found = unfit(schema, deepest=_DEEPEST_JSON, largest_bytes=LARGEST_SCHEMA_BYTES)
    if found or not isinstance(schema, dict):
        return found
    # Each step may rely on what the one before has found in order.
    for step in (_valid, _known, _bounded, _closed, _compiled):
        if found := first_of_each_field(step(schema)):
            return found
    return ()


def compile_schema(schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    """Compile a schema that `check_schema` has passed; formats are asserted, nothing is fetched."""
    return jsonschema_rs.Draft202012Validator(
        schema,
        validate_formats=True,
        ignore_unknown_formats=False,
        offline=True,
        # Not the default engine: it backtracks, and a pattern could keep the server busy.
        pattern_options=jsonschema_rs.RegexOptions(size_limit=_LARGEST_PATTERN_BYTES),
    )


def _valid(schema: dict[str, Any]) -> Iterator[Violation]:
    if schema.get("$schema", DIALECT) != DIALECT:
        yield Violation("/$schema", "$schema", f"This must be {DIALECT}, or left out.")
        return
    try:
        jsonschema_rs.meta.validate(schema)
    except jsonschema_rs.ValidationError as error:
        yield Violation(
            pointer(error.instance_path), error.kind.name, "This is not JSON Schema 2020-12."
        )


def _known(schema: dict[str, Any]) -> Iterator[Violation]:
    definitions = schema.get("$defs", {})
    for steps, subschema in _subschemas(schema, ()):
        for keyword in sorted(subschema.keys() - _KEYWORDS):
            yield Violation(
                pointer((*steps, keyword)), "keyword", "This keyword is not supported here."
            )
        if "$defs" in subschema and steps:
            yield Violation(
                pointer((*steps, "$defs")), "$defs", "Definitions stand at the top of the schema."
            )
        if "$ref" in subschema:
            target = _DEFINITION.fullmatch(subschema["$ref"])
            if target is None or target[1] not in definitions:
                yield Violation(
                    pointer((*steps, "$ref")), "$ref", "This must be #/$defs/ and a name in $defs."
                )


def _children(schema: dict[str, Any]) -> Iterator[tuple[_Steps, Any]]:
    for keyword, value in schema.items():
        if keyword in _ONE:
            yield (keyword,), value
        elif keyword in _LISTS:
            yield from (((keyword, index), item) for index, item in enumerate(value))
        elif keyword in _NAMED:
            yield from (((keyword, name), item) for name, item in value.items())


def _subschemas(schema: object, steps: _Steps) -> Iterator[tuple[_Steps, dict[str, Any]]]:
    if isinstance(schema, dict):  # `true` and `false` are schemas too
        yield steps, schema
        for more, child in _children(schema):
            yield from _subschemas(child, (*steps, *more))


class _TooDeepError(Exception):
    """References lie deeper than is allowed, as those of a schema that contains itself do."""


class _Extent(NamedTuple):
    """Of a schema with its references followed: how many subschemas, how many within each other."""

    total: int
    height: int


def _bounded(schema: dict[str, Any]) -> Iterator[Violation]:
    try:
        extent = _extent(schema, schema.get("$defs", {}), {}, DEEPEST_SUBSCHEMA)
    except _TooDeepError:
        extent = _Extent(0, DEEPEST_SUBSCHEMA + 1)
    if extent.height > DEEPEST_SUBSCHEMA:
        yield Violation(
            "", "depth", f"Schemas lie more than {DEEPEST_SUBSCHEMA} deep, references followed."
        )
    elif extent.total > MOST_SUBSCHEMAS:
        yield Violation(
            "", "size", f"This has more than {MOST_SUBSCHEMAS} schemas, references followed."
        )


def _extent(
    schema: object, definitions: dict[str, Any], known: dict[str, _Extent], left: int
) -> _Extent:
    if left == 0:
        raise _TooDeepError
    if not isinstance(schema, dict):
        return _Extent(1, 1)
    inner = [_extent(child, definitions, known, left - 1) for _, child in _children(schema)]
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        if name not in known:
            known[name] = _extent(definitions[name], definitions, known, left - 1)
        inner.append(known[name])
    return _Extent(
        1 + sum(extent.total for extent in inner),
        1 + max((extent.height for extent in inner), default=0),
    )


def _closed(schema: dict[str, Any]) -> Iterator[Violation]:
    if schema.get("type") != "object":
        yield Violation("/type", "type", "A piece of evidence is an object: this must be object.")
    if schema.get("additionalProperties") is not False:
        yield Violation("/additionalProperties", "additionalProperties", "This must be false.")
    if not schema.get("properties"):
        yield Violation("/properties", "properties", "There must be at least one field.")
    # Names of fields stand in consents and records, which are printable ASCII.
    elif not all(_FIELD.fullmatch(name) for name in schema["properties"]):
        yield Violation(
            "/properties",
            "name",
            "A field's name is a letter, then letters, digits and _, 64 at most.",
        )


def _compiled(schema: dict[str, Any]) -> Iterator[Violation]:
    try:
        compile_schema(schema)
    except jsonschema_rs.ValidationError as error:
        yield Violation(
            pointer(error.instance_path),
            error.kind.name,
            "This pattern or format is unknown, too large, or looks ahead or behind.",
        )
