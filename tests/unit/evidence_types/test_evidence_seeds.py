# SPDX-License-Identifier: Apache-2.0
"""The seeds are complete, bounded, in words for people, and fit to be published."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from vault.evidence_types import EvidenceType, Text, load_seeds
from vault.evidence_types.schema import check_schema

SEEDS = load_seeds()

# What citizens never read, and what it would be in Welsh (mutated forms included).
FORBIDDEN = re.compile(
    r"\b(vault|grant|disclos|subject|consent|revo[ck]|narrow|evidence|receipt"
    r"|claddgell|gladdgell|datgel|ddatgel|caniat|ganiat|chaniat|cydsyn|gydsyn|chydsyn"
    r"|dirym|ddirym|tystiolaeth|dystiolaeth|thystiolaeth|derbynneb|dderbynneb)",
    re.IGNORECASE,
)

each_seed = pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.evidence_type)


def texts(seed: EvidenceType) -> Iterator[Text]:
    yield seed.title
    yield seed.description
    for field in seed.fields:
        yield field.label
        yield field.hint


def subschemas(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        if isinstance(schema.get("type"), str):  # else a field of this name
            yield schema
        for value in schema.values():
            yield from subschemas(value)


def is_bounded(schema: dict[str, Any]) -> bool:
    match schema["type"]:
        case "string":
            return "maxLength" in schema or "enum" in schema
        case "integer":
            return "minimum" in schema and abs(schema.get("maximum", 2**53)) < 2**53
        case "array":
            return "maxItems" in schema and "items" in schema
        case "object":
            return schema["additionalProperties"] is False
        case _:
            return False


def test_seeds_are_the_five_types_in_order() -> None:
    names = [seed.evidence_type for seed in SEEDS]

    assert names == ["bank_account", "care_needs", "identity", "income", "postal_address"]


@each_seed
def test_schema_may_be_published(seed: EvidenceType) -> None:
    assert check_schema(seed.schema) == ()


@each_seed
def test_fields_are_the_properties_of_the_schema(seed: EvidenceType) -> None:
    assert [field.name for field in seed.fields] == list(seed.schema["properties"])


@each_seed
def test_every_value_is_bounded(seed: EvidenceType) -> None:
    unbounded = [schema for schema in subschemas(seed.schema) if not is_bounded(schema)]

    assert unbounded == []


@each_seed
def test_texts_are_complete_in_both_languages(seed: EvidenceType) -> None:
    sentences = [sentence for text in texts(seed) for sentence in (text.en, text.cy)]

    assert all(sentence and sentence == sentence.strip() for sentence in sentences)


@each_seed
def test_descriptions_and_hints_differ_between_the_languages(seed: EvidenceType) -> None:
    copied = [text.en for text in texts(seed) if text.en == text.cy]

    assert copied in ([], ["Ward"])  # the same word in both


@each_seed
def test_no_text_uses_a_word_that_citizens_never_see(seed: EvidenceType) -> None:
    found = [text for text in texts(seed) if FORBIDDEN.search(f"{text.en} {text.cy}")]

    assert found == []


@each_seed
def test_texts_are_short(seed: EvidenceType) -> None:
    """Twenty words a sentence are read by most people; a label is read at a glance."""
    sentences = [
        sentence
        for text in texts(seed)
        for whole in (text.en, text.cy)
        for sentence in whole.split(". ")
    ]

    assert max(len(sentence.split()) for sentence in sentences) <= 20
    assert max(len(field.label.en) for field in seed.fields) <= 40


def test_facts_about_health_are_a_special_category() -> None:
    care_needs = next(seed for seed in SEEDS if seed.evidence_type == "care_needs")

    ordinary = {field.name for field in care_needs.fields if field.sensitivity != "special"}

    assert ordinary == {"letterDate", "contactTelephone"}


@each_seed
def test_seed_survives_canonical_json(seed: EvidenceType) -> None:
    encoded = msgspec.json.encode(seed, order="sorted")

    assert msgspec.json.decode(encoded, type=EvidenceType) == seed
