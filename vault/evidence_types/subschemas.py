# SPDX-License-Identifier: Apache-2.0
"""What a schema is made of: the schemas within it, how far they reach, the codes of its fields."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

ONE: Final = frozenset({"items", "not", "if", "then", "else", "additionalProperties"})
LISTS: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
NAMED: Final = frozenset({"properties", "dependentSchemas", "$defs"})
"""The keywords that hold one schema, a list of them, or some by name."""

REPEATED: Final = {"items": "maxItems", "additionalProperties": "maxProperties"}
"""The keywords whose schema judges many values, and the one that says how many at most."""

Steps = tuple[str | int, ...]


class TooDeepError(Exception):
    """References lie deeper than is allowed, as those of a schema that contains itself do."""


class Extent(NamedTuple):
    """Of a schema with its references followed."""

    subschemas: int
    steps: int
    """Subschemas, each counted as often as the lists that it lies in have entries at most."""

    patterns: int
    height: int
    """How many subschemas lie within each other. The schema itself is the first."""


def children(schema: dict[str, Any]) -> Iterator[tuple[Steps, Any]]:
    """Yield the schemas directly within `schema`, each with the steps to it; no references."""
    for keyword, value in schema.items():
        if keyword in ONE:
            yield (keyword,), value
        elif keyword in LISTS:
            yield from (((keyword, index), item) for index, item in enumerate(value))
        elif keyword in NAMED:
            yield from (((keyword, name), item) for name, item in value.items())


def subschemas(schema: object, steps: Steps = ()) -> Iterator[tuple[Steps, dict[str, Any]]]:
    """Yield `schema` and every schema within it, each with the steps to it; no references."""
    if isinstance(schema, dict):  # `true` and `false` are schemas too
        yield steps, schema
        for more, child in children(schema):
            yield from subschemas(child, (*steps, *more))


def extent(schema: dict[str, Any], deepest: int) -> Extent:
    """Return how far `schema` reaches. Requires that its references are known.

    Raises:
        TooDeepError: more than `deepest` subschemas lie within each other.
    """
    found = _extent(schema, schema.get("$defs", {}), {}, deepest)
    # What a definition was known to reach is not measured again where it lies deeper.
    if found.height > deepest:
        raise TooDeepError
    return found


def _extent(
    schema: object, definitions: dict[str, Any], known: dict[str, Extent], left: int
) -> Extent:
    if left == 0:
        raise TooDeepError
    if not isinstance(schema, dict):
        return Extent(subschemas=1, steps=1, patterns=0, height=1)
    inner = [
        (_times(schema, steps), _extent(child, definitions, known, left - 1))
        for steps, child in children(schema)
    ]
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        if name not in known:
            known[name] = _extent(definitions[name], definitions, known, left - 1)
        inner.append((1, known[name]))
    return Extent(
        subschemas=1 + sum(found.subschemas for _, found in inner),
        steps=1 + sum(times * found.steps for times, found in inner),
        patterns=("pattern" in schema) + sum(found.patterns for _, found in inner),
        height=1 + max((found.height for _, found in inner), default=0),
    )


def _times(schema: dict[str, Any], steps: Steps) -> int:
    bound = REPEATED.get(str(steps[0]), "")
    times: int = schema.get(bound, 1)
    return times


def codes_of(schema: dict[str, Any], name: str) -> frozenset[str]:
    """Return every code that a field may hold, at whatever depth. Requires a checked schema."""
    field = schema.get("properties", {}).get(name)
    return frozenset(_codes(field, schema.get("$defs", {})))


def _codes(schema: object, definitions: dict[str, Any]) -> Iterator[str]:
    for _, subschema in subschemas(schema):
        yield from (code for code in subschema.get("enum", ()) if isinstance(code, str))
        if "$ref" in subschema:
            yield from _codes(definitions[subschema["$ref"].removeprefix("#/$defs/")], definitions)
