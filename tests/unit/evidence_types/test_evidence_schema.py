# SPDX-License-Identifier: Apache-2.0
"""Compiled schemas name fields and rules, and never a value."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vault.evidence_types import EvidenceType, load_seeds
from vault.evidence_types.schema import CompiledSchema, SchemaError, Schemas, Violation

SCHEMAS = Schemas()
SEEDS = load_seeds()
CANARY = "kanarienvogel"


def a_schema(**field: Any) -> dict[str, Any]:
    """Return a schema with one field, `a`, judged by the keywords given."""
    return {"type": "object", "properties": {"a": field}, "additionalProperties": False}


def judged(schema: dict[str, Any], values: object) -> tuple[Violation, ...]:
    return CompiledSchema(schema).violations(values)


def messages(schema: dict[str, Any], values: object) -> list[str]:
    return [violation.message for violation in judged(schema, values)]


@pytest.mark.parametrize(
    ("field", "value", "rule", "message"),
    [
        ({"type": "string"}, 1, "type", "This must be a text."),
        ({"type": ["string", "integer"]}, [], "type", "This must be a whole number or a text."),
        ({"enum": ["x", "y"]}, "z", "enum", "This must be one of: x, y."),
        ({"enum": list(range(13))}, 13, "enum", "This is not one of the permitted codes."),
        ({"const": 1}, 2, "const", "This does not meet the rules of this field."),
        ({"minLength": 1}, "", "minLength", "This is empty."),
        ({"minLength": 2}, "x", "minLength", "This has fewer than 2 characters."),
        ({"maxLength": 2}, "xyz", "maxLength", "This has more than 2 characters."),
        ({"minimum": 3}, 2, "minimum", "This is less than 3."),
        ({"maximum": 3}, 4, "maximum", "This is more than 3."),
        ({"exclusiveMinimum": 3}, 3, "exclusiveMinimum", "This must be more than 3."),
        ({"exclusiveMaximum": 3}, 3, "exclusiveMaximum", "This must be less than 3."),
        ({"minItems": 1}, [], "minItems", "This is empty."),
        ({"maxItems": 1}, [1, 2], "maxItems", "This has more than 1 entries."),
        ({"uniqueItems": True}, [1, 1], "uniqueItems", "The same entry stands here twice."),
        ({"minProperties": 1}, {}, "minProperties", "This has fewer than 1 fields."),
        ({"maxProperties": 0}, {"b": 1}, "maxProperties", "This has more than 0 fields."),
        ({"not": {"const": 1}}, 1, "not", "This is not permitted here."),
        ({"format": "email"}, "x", "format", "This is not in the form email."),
        (
            {"pattern": "^x$"},
            "y",
            "pattern",
            "This is not written in the form that this field has.",
        ),
        (
            {"format": "date"},
            "2026-02-30",
            "format",
            "This is not a real date, written as year-month-day (2026-11-30).",
        ),
        (
            {"oneOf": [{"minimum": 1}, {"minimum": 2}]},
            3,
            "oneOf",
            "Fields stand here that exclude each other.",
        ),
        (
            {"anyOf": [{"const": 1}, {"const": 2}]},
            3,
            "anyOf",
            "This has none of the permitted forms.",
        ),
    ],
)
def test_violation_says_where_by_which_rule_and_what_to_do(
    field: dict[str, Any], value: object, rule: str, message: str
) -> None:
    assert judged(a_schema(**field), {"a": value}) == (Violation("/a", rule, message),)


def test_alternatives_are_named_if_all_that_lacks_is_one_of_them() -> None:
    either = [{"required": ["x", "y"]}, {"required": ["z"]}]

    found = messages(a_schema(type="object", anyOf=either), {"a": {}})

    assert found == ["At least one of these must be here: x with y, z."]


def test_alternatives_are_named_if_all_that_lacks_is_a_number_above_nought() -> None:
    either = [{"properties": {name: {"minimum": 1}}} for name in ("x", "y")]

    found = messages(a_schema(type="object", anyOf=either), {"a": {"x": 0, "y": 0}})

    assert found == ["At least one of these must be here: x, y."]


def test_missing_field_is_pointed_at_and_not_its_parent() -> None:
    found = judged(a_schema(type="object", required=["b"]), {"a": {}})

    assert found == (Violation("/a/b", "required", "This field is missing."),)


def test_every_unknown_field_is_pointed_at() -> None:
    found = judged(a_schema(), {"c": 1, "b": 1})

    assert [violation.path for violation in found] == ["/b", "/c"]


def test_field_with_two_faults_is_named_once() -> None:
    found = judged(a_schema(minLength=3, pattern="^x"), {"a": "y"})

    assert [violation.path for violation in found] == ["/a"]


def test_unfit_values_are_named_before_the_schema_is_asked() -> None:
    found = judged(a_schema(type="string"), {"a": 1, "b": None})

    assert [violation.path for violation in found] == ["/b"]


def test_many_unknown_fields_make_a_short_answer() -> None:
    found = judged(a_schema(), {f"field{number}": 1 for number in range(2000)})

    assert len(found) == 32


def test_pattern_that_would_backtrack_for_ever_is_judged_at_once() -> None:
    """Were it tried one way after another, there would be 5000^8 ways."""
    found = judged(a_schema(pattern="^x*x*x*x*x*x*x*x*y$"), {"a": "x" * 5000})

    assert [violation.rule for violation in found] == ["pattern"]


HUNDRED_FORMS = {"anyOf": [{"const": form} for form in range(1, 101)]}


def test_list_that_is_far_too_long_has_its_first_fault_told_alone() -> None:
    """Each of its entries fails a hundred forms: gigabytes, were they all told."""
    schema = a_schema(type="array", maxItems=10, items=HUNDRED_FORMS)

    found = judged(schema, {"a": [0] * 30_000})

    assert found == (Violation("/a", "maxItems", "This has more than 10 entries."),)


def test_list_as_long_as_is_allowed_has_every_fault_told() -> None:
    schema = a_schema(type="array", maxItems=4, items=HUNDRED_FORMS)

    found = judged(schema, {"a": [0, 1, 0, 0]})

    assert [violation.path for violation in found] == ["/a/0", "/a/2", "/a/3"]


def test_same_schema_is_compiled_once() -> None:
    schemas = Schemas()

    assert schemas.compile(a_schema(type="string")) is schemas.compile(a_schema(type="string"))


def test_different_schemas_are_kept_apart() -> None:
    schemas = Schemas()
    schemas.compile(a_schema(type="string"))

    assert schemas.compile(a_schema(type="integer")).violations({"a": 1}) == ()


def test_schema_kept_longest_makes_room() -> None:
    schemas = Schemas(capacity=1)
    first = schemas.compile(a_schema(type="string"))
    schemas.compile(a_schema(type="integer"))

    assert schemas.compile(a_schema(type="string")) is not first


def test_schema_that_may_not_be_published_is_not_compiled() -> None:
    with pytest.raises(SchemaError) as raised:
        Schemas().compile({"type": "object"})

    assert raised.value.violations[0].path == "/additionalProperties"


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats()
    | st.text(max_size=8).map(lambda text: CANARY + text)
    | st.sampled_from([CANARY, CANARY.upper()]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["value", "type", "nameParts", "b c"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@st.composite
def documents(draw: st.DrawFn) -> tuple[EvidenceType, dict[str, Any]]:
    """Draw a type and a document with its fields and values from anywhere."""
    seed = draw(st.sampled_from(SEEDS))
    names = st.sampled_from([*seed.schema["properties"], "unknown"])
    return seed, draw(st.dictionaries(names, json_values, max_size=6))


@given(documents())
def test_no_violation_holds_a_value(document: tuple[EvidenceType, dict[str, Any]]) -> None:
    seed, values = document

    violations = SCHEMAS.compile(seed.schema).violations(values)

    assert CANARY not in repr(violations).lower()


@given(documents())
@settings(max_examples=200)
def test_accepted_values_survive_canonical_json(
    document: tuple[EvidenceType, dict[str, Any]],
) -> None:
    seed, values = document

    if not SCHEMAS.compile(seed.schema).violations(values):
        assert json.loads(msgspec.json.encode(values, order="sorted")) == values
