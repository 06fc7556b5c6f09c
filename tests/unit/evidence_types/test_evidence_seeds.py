# SPDX-License-Identifier: Apache-2.0
"""The seeds are complete, bounded, in words for people, and fit to be published."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from vault.evidence_types import EvidenceType, Text, load_seeds
from vault.evidence_types.document import LARGEST_DOCUMENT_BYTES
from vault.evidence_types.schema import CompiledSchema, check_schema
from vault.evidence_types.subschemas import codes_of

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
        yield from field.words.values()


def named(evidence_type: str) -> EvidenceType:
    return next(seed for seed in SEEDS if seed.evidence_type == evidence_type)


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


def test_seeds_are_these_types_in_order() -> None:
    assert [seed.evidence_type for seed in SEEDS] == [
        *("bank_account", "benefit_entitlement", "care_needs", "document", "driving_permit"),
        *("household", "identity", "income", "passport", "planning_ownership", "postal_address"),
        *("residence_permit", "social_security_record"),
    ]


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
    asked = [text for field in seed.fields for text in (field.label, field.hint)]

    copied = [text.en for text in (seed.title, seed.description, *asked) if text.en == text.cy]

    assert copied in ([], ["Ward"])  # the same word in both


@each_seed
def test_every_code_has_words_in_both_languages_and_no_word_lacks_its_code(
    seed: EvidenceType,
) -> None:
    for field in seed.fields:
        assert field.words.keys() == codes_of(seed.schema, field.name), field.name


def test_words_of_codes_are_found_at_any_depth() -> None:
    (name, *_) = named("identity").fields

    assert name.words.keys() == {"GivenName", "FamilyName"}


@each_seed
def test_two_codes_of_a_field_have_different_words_but_for_a_country(seed: EvidenceType) -> None:
    for field in seed.fields:
        for words in (
            [text.en for text in field.words.values()],
            [text.cy for text in field.words.values()],
        ):
            shared = (
                2 if (seed.evidence_type, field.name) == ("postal_address", "addressCountry") else 1
            )

            assert all(words.count(word) == shared for word in words), field.name


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
    fields = named("care_needs").fields

    ordinary = {field.name for field in fields if field.sensitivity != "special"}

    assert ordinary == {"letterDate", "contactTelephone"}


def test_what_a_benefit_says_about_health_is_a_special_category() -> None:
    fields = named("benefit_entitlement").fields

    special = {field.name for field in fields if field.sensitivity == "special"}

    assert special == {"benefit", "careRate", "mobilityRate"}


def test_a_household_holds_no_text_in_which_somebody_else_could_stand() -> None:
    found = [
        schema
        for schema in subschemas(named("household").schema)
        if schema["type"] == "string" and "enum" not in schema and schema.get("format") != "date"
    ]

    assert found == []


def test_a_document_may_be_as_large_as_its_judge_lets_it() -> None:
    content = named("document").schema["$defs"]["content"]["properties"]

    assert content["sizeBytes"]["maximum"] == LARGEST_DOCUMENT_BYTES


def dates(seed: EvidenceType) -> list[dict[str, Any]]:
    return [schema for schema in subschemas(seed.schema) if schema.get("format") == "date"]


def test_most_seeds_have_dates() -> None:
    without = [seed.evidence_type for seed in SEEDS if not dates(seed)]

    assert without == ["bank_account", "document", "social_security_record"]


@each_seed
@pytest.mark.parametrize(
    "date",
    [
        *("2023-02-29", "1900-02-29", "2100-02-29", "2026-11-31", "2026-13-01", "2026-00-01"),
        *("2026-01-00", "9999-12-31", "0000-01-01", "0001-01-01", "1799-12-31", "2200-01-01"),
        *("2026-11-30T24:00", "2026-11-30T24:00:00Z", "24:00", "2026-11-30Z", "2026-11", "2026"),
        *("20261130", "2026-W48-1", "2026-334", "+2026-11-30", "-2026-11-30", " 2026-11-30"),
        *("2026-11-30 ", "2026-11-3", "30/11/2026", "2026\u201011\u201030", "\u0662026-11-30", ""),
    ],
)
def test_date_with_a_surprise_is_refused(seed: EvidenceType, date: str) -> None:
    for schema in dates(seed):
        compiled = CompiledSchema(
            {"type": "object", "properties": {"a": schema}, "additionalProperties": False}
        )

        assert [violation.path for violation in compiled.violations({"a": date})] == ["/a"]


@each_seed
@pytest.mark.parametrize("date", ["2024-02-29", "2000-02-29", "1800-01-01", "2199-12-31"])
def test_date_in_the_calendar_is_accepted(seed: EvidenceType, date: str) -> None:
    for schema in dates(seed):
        compiled = CompiledSchema(
            {"type": "object", "properties": {"a": schema}, "additionalProperties": False}
        )

        assert compiled.violations({"a": date}) == ()


@each_seed
def test_seed_survives_canonical_json(seed: EvidenceType) -> None:
    encoded = msgspec.json.encode(seed, order="sorted")

    assert msgspec.json.decode(encoded, type=EvidenceType) == seed
