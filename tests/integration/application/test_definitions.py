# SPDX-License-Identifier: Apache-2.0
"""Definitions that would keep the server busy, or mislead people, are not published."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.house import HERSELF, MAIR, OPERATOR, SEEDS, House, new_id, provided
from vault.application.registry import Definition
from vault.domain.canonical import encode
from vault.domain.errors import EvidenceInvalidError, FieldInvalidError

ALL = {path.stem: json.loads(path.read_bytes()) for path in SEEDS.glob("*.json")}
FIELD = {
    "name": "a",
    "label": {"en": "A part"},
    "hint": {"en": "Of something."},
    "sensitivity": "ordinary",
}
CODES = {"type": "string", "enum": ["good", "bad"]}


def a_definition(schema: dict[str, Any], **field: Any) -> dict[str, Any]:
    """Return the definition of a type with one field, `a`, of this schema."""
    return {
        "evidence_type": "thing",
        "schema_version": 1,
        "title": {"en": "A thing"},
        "description": {"en": "Something."},
        "fields": [{**FIELD, **field}],
        "schema": {"type": "object", "properties": {"a": schema}, "additionalProperties": False},
    }


def with_definitions(schema: dict[str, Any], **definitions: Any) -> dict[str, Any]:
    definition = a_definition(schema)
    return {**definition, "schema": {**definition["schema"], "$defs": definitions}}


async def publish(house: House, definition: dict[str, Any]) -> None:
    data = json.dumps(definition).encode()
    await house.registry.publish_evidence_type(OPERATOR, new_id(), data)


@pytest.mark.parametrize("seed", sorted(ALL.keys() - {"bank_account", "postal_address"}))
async def test_a_seed_is_published_and_read_back_whole(house: House, seed: str) -> None:
    await publish(house, ALL[seed])

    published = await house.registry.evidence_type(seed)
    assert json.loads(await house.registry.definition(published.published)) == ALL[seed]


BOMBS = {
    "a schema within itself": with_definitions(
        {"$ref": "#/$defs/d"}, d={"allOf": [{"$ref": "#/$defs/d"}]}
    ),
    "references that double": with_definitions(
        {"$ref": "#/$defs/d0"},
        **{f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(20)},
        d20={"type": "string"},
    ),
    "a schema from elsewhere": a_definition({"$ref": "https://example.org/schema.json"}),
    "a schema from a file": a_definition({"$ref": "file:///etc/hostname"}),
    "an enormous list": a_definition(
        {"type": "array", "maxItems": 10**9, "items": {"type": "string"}}
    ),
    "a list without an end": a_definition(
        {"type": "array", "items": {"anyOf": [{"const": 1}] * 9}}
    ),
    "a huge enum": a_definition({"enum": list(range(2000))}),
    "many patterns": a_definition(
        {"anyOf": [{"pattern": f"[ab]*a[ab]{{20}}{n}"} for n in range(99)]}
    ),
    "an exponential pattern": a_definition({"type": "string", "pattern": "^(a+)+$"}),
    "an enormous pattern": a_definition({"type": "string", "pattern": "^[a-z]{100000}$"}),
}


@pytest.mark.parametrize("bomb", BOMBS)
async def test_a_bomb_is_refused_and_changes_nothing(house: House, bomb: str) -> None:
    before = (await house.registry.state()).version

    with pytest.raises(FieldInvalidError) as raised:
        await publish(house, BOMBS[bomb])

    assert raised.value.field == "definition"
    assert (await house.registry.state()).version == before


@pytest.mark.parametrize(
    "field",
    [
        {"words": {"ugly": {"en": "ugly"}}},
        {"words": {"good": {"cy": "da"}}},
        {"words": {"good": {}}},
        {"words": {"good": "good"}},
        {"words": {"good": {"en": "go\u202eod"}}},
        {"label": {"cy": "Rhan"}},
        {"hint": {}},
        {"label": {"en": "A\u0000part"}},
    ],
    ids=repr,
)
async def test_words_that_people_could_not_read_are_refused(
    house: House, field: dict[str, Any]
) -> None:
    with pytest.raises(FieldInvalidError):
        await publish(house, a_definition(CODES, **field))


async def test_words_may_be_left_out(house: House) -> None:
    await publish(house, a_definition(CODES, words={"good": {"en": "good"}}))

    assert "thing" in (await house.registry.state()).evidence_types


def test_a_definition_without_words_keeps_the_bytes_that_it_was_stored_with() -> None:
    stored = encode(a_definition(CODES))

    assert encode(Definition(**json.loads(stored))) == stored


async def test_evidence_that_breaks_the_bounds_of_a_list_is_refused(house: House) -> None:
    entry = {"anyOf": [{"const": form} for form in range(1, 100)]}
    await publish(house, a_definition({"type": "array", "maxItems": 50, "items": entry}))

    long = replace(provided(), values=json.dumps({"a": [0] * 30_000}).encode())

    with pytest.raises(EvidenceInvalidError) as raised:
        await house.evidence.provide(MAIR, HERSELF, new_id(), "thing", long)

    assert raised.value.violations == (("/a", "This has more than 50 entries."),)
