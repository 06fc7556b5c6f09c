# SPDX-License-Identifier: Apache-2.0
"""What an operator publishes: read back as it was, and refused if it is not what it should be."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.house import (
    HERSELF,
    MAIR,
    OPERATOR,
    SEEDS,
    House,
    Registered,
    a_purpose,
    bounds,
    new_id,
    provided,
    texts,
)
from vault.application.evidence import Provided
from vault.domain.errors import EvidenceInvalidError, FieldInvalidError, FieldUnknownError

INCOME: dict[str, Any] = json.loads((SEEDS / "income.json").read_bytes())


async def publish(house: House, definition: object) -> None:
    data = definition if isinstance(definition, bytes) else json.dumps(definition).encode()
    await house.registry.publish_evidence_type(OPERATOR, new_id(), data)


async def test_a_definition_is_read_back_whole(house: House) -> None:
    await publish(house, INCOME)

    published = await house.registry.evidence_type("income")
    assert json.loads(await house.registry.definition(published.published)) == INCOME
    assert published.names == {field["name"] for field in INCOME["fields"]}


@pytest.mark.parametrize(
    "definition",
    [
        b"",
        b"\xff",
        b"[" * 100_000,
        b"null",
        {},
        {**INCOME, "colour": "red"},
        {**INCOME, "fields": INCOME["fields"][1:]},
        {**INCOME, "fields": [{**INCOME["fields"][0], "sensitivity": "secret"}]},
        {**INCOME, "title": {"cy": "Incwm"}},
        {**INCOME, "schema": {"type": "nothing"}},
        {**INCOME, "schema": {"$ref": "https://example.org/schema"}},
    ],
)
async def test_what_is_no_definition_is_refused_and_changes_nothing(
    house: House, definition: object
) -> None:
    before = await house.lane.tree_size()

    with pytest.raises(FieldInvalidError) as refused:
        await publish(house, definition)

    assert refused.value.field == "definition"
    assert await house.lane.tree_size() == before


async def test_texts_of_a_purpose_are_read_back_whole(house: House, registered: Registered) -> None:
    answer = await house.registry.publish_purpose(
        OPERATOR, new_id(), a_purpose("loan"), bounds(registered.service), texts("Loans")
    )

    assert await house.registry.purpose_texts(answer.value.published) == texts("Loans")


@pytest.mark.parametrize("copies", [0, 2])
async def test_a_purpose_speaks_each_language_once_and_english_among_them(
    house: House, registered: Registered, copies: int
) -> None:
    with pytest.raises(FieldInvalidError):
        await house.registry.publish_purpose(
            OPERATOR, new_id(), a_purpose("loan"), bounds(registered.service), texts() * copies
        )


async def test_names_are_read_back(house: House, registered: Registered) -> None:
    service = await house.registry.service(registered.service.sub)

    assert (await house.registry.named(service.published)).name == {"en": "Social care"}


# --- What citizens provide is judged by what was published ---------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        b"",
        b"\xff",
        b"null",
        b"[]",
        b'"GB"',
        b"{",
        b"[" * 100_000,
        b'{"streetName": NaN}',
        b'{"addressCountry":"GB","postalCode":"SY23 2AA","streetName":"a","streetName":"b"}',
        b'{"addressCountry":"GB","postalCode":"SY23 2AA","streetName":1}',
        b'{"addressCountry":"GB","postalCode":"SY23 2AA","streetName":"a","colour":"red"}',
        '{"addressCountry":"GB","postalCode":"SY23 2AA","streetName":"a"}'.encode("utf-16"),
        b'{"addressCountry":"GB","postalCode":"SY23 2AA","streetName":"\\ud800"}',
    ],
)
async def test_what_does_not_fit_is_refused_and_changes_nothing(
    house: House, values: bytes
) -> None:
    before = await house.lane.tree_size()

    with pytest.raises(EvidenceInvalidError):
        await house.evidence.provide(
            MAIR, HERSELF, new_id(), "postal_address", Provided(values, "", "self-declared")
        )

    assert await house.lane.tree_size() == before


async def test_evidence_of_a_type_that_is_not_published_is_refused(house: House) -> None:
    with pytest.raises(FieldUnknownError) as refused:
        await house.evidence.provide(MAIR, HERSELF, new_id(), "shoe_size", provided())

    assert refused.value.field == "evidence_type"
