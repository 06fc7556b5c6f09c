# SPDX-License-Identifier: Apache-2.0
"""Whether a schema that someone wants to publish is fit to judge evidence.

The server runs it on every piece of evidence, so it must be valid (JSON Schema 2020-12), closed,
self-contained, and small once its references and lists are followed: `allOf` of two references,
thirty levels deep, is a kilobyte that takes a billion steps. So is a list without an end, each of
whose entries may have a hundred forms. What values may be made of is in `values.py`.
"""

import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs

from vault.evidence_types.pattern import ends_soon
from vault.evidence_types.subschemas import (
    LISTS,
    NAMED,
    ONE,
    REPEATED,
    Steps,
    TooDeepError,
    extent,
    subschemas,
)
from vault.evidence_types.values import unfit
from vault.evidence_types.violation import Violation, first_of_each_field, pointer

DIALECT = "https://json-schema.org/draft/2020-12/schema"

LARGEST_SCHEMA_BYTES = 64 * 1024
"""Of the schema as canonical JSON."""

MOST_STEPS = 10_000
"""Schemas, counted as often as references reach them and lists repeat them."""

MOST_PATTERNS = 64
"""Counted as often as references reach them. The worst takes 50 ms for the largest text."""

MOST_CODES = 1000
"""In one `enum`. Two for each country are 500."""

DEEPEST_SUBSCHEMA = 32
"""References included. The schema itself is the first."""

_DEEPEST_JSON = 24
_LARGEST_PATTERN_BYTES = 16 * 1024  # compiled; some 100 characters of plain pattern

# What is not here is refused, above all what moves a reference ($id, $anchor, $dynamicRef).
_KEYWORDS = (ONE | LISTS | NAMED) | {
    *("$schema", "$ref", "$comment", "title", "description"),
    *("type", "enum", "const", "format", "minLength", "maxLength", "pattern"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties"),
    *("required", "dependentRequired"),
}

_DEFINITION = re.compile(r"#/\$defs/([A-Za-z][A-Za-z0-9_]{0,63})")
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}")


def check_schema(schema: object) -> tuple[Violation, ...]:
    """Return what keeps `schema` from being published, or nothing. Paths point into the schema."""
    found = unfit(schema, deepest=_DEEPEST_JSON, largest_bytes=LARGEST_SCHEMA_BYTES)
    if found or not isinstance(schema, dict):
        return found
    # Each step may rely on what the one before has found in order.
    for step in (_valid, _closed, _known, _bounded, _compiled):
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
            "A field's name is a letter, then letters and digits, 64 at most.",
        )


def _known(schema: dict[str, Any]) -> Iterator[Violation]:
    definitions = schema.get("$defs", {})
    for steps, subschema in subschemas(schema):
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
        yield from _finite(steps, subschema)


def _finite(steps: Steps, subschema: dict[str, Any]) -> Iterator[Violation]:
    for keyword, bound in REPEATED.items():
        if isinstance(subschema.get(keyword), dict) and bound not in subschema:
            yield Violation(
                pointer((*steps, bound)), bound, "This must say how many there may be at most."
            )
    if len(subschema.get("enum", ())) > MOST_CODES:
        yield Violation(pointer((*steps, "enum")), "enum", f"These are more than {MOST_CODES}.")
    if not ends_soon(subschema.get("pattern", "")):
        yield Violation(
            pointer((*steps, "pattern")),
            "pattern",
            "What is repeated here can be read in many ways, or this looks ahead or behind.",
        )


def _bounded(schema: dict[str, Any]) -> Iterator[Violation]:
    try:
        reach = extent(schema, DEEPEST_SUBSCHEMA)
    except TooDeepError:
        yield Violation(
            "", "depth", f"Schemas lie more than {DEEPEST_SUBSCHEMA} deep, references followed."
        )
        return
    if reach.steps > MOST_STEPS:
        yield Violation(
            "", "size", f"This has more than {MOST_STEPS} schemas, references and lists followed."
        )
    elif reach.patterns > MOST_PATTERNS:
        yield Violation(
            "", "pattern", f"This has more than {MOST_PATTERNS} patterns, references followed."
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
