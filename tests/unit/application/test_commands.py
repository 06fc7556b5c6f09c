# SPDX-License-Identifier: Apache-2.0
"""The digest of a command, and bundles: equal for equals and for nothing else."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.builders import a_consent, an_attempt, at, happened, registered
from vault.application.bundle import Opened, bundle_bytes
from vault.application.commands import command_digest
from vault.domain import disclosure
from vault.domain.canonical import encode

PLAN = disclosure.plan(happened(*a_consent()), registered(), at(10), an_attempt())
VALUES = encode({"addressCountry": "GB", "postalCode": "SY23 2AA", "streetName": "Heol y Bont"})
OPENED = Opened(
    values=VALUES,
    sensitivities=dict.fromkeys(("addressCountry", "postalCode", "streetName"), "ordinary"),
    statements={},
)
fields = st.lists(st.text(max_size=5) | st.integers(-9, 9) | st.booleans(), max_size=3)


@given(st.text(max_size=5), fields, st.text(max_size=5), fields)
def test_two_commands_have_one_digest_only_if_they_are_the_same(
    method: str, one: list[Any], other_method: str, other: list[Any]
) -> None:
    is_same = encode([method, *one]) == encode([other_method, *other])

    assert (command_digest(method, *one) == command_digest(other_method, *other)) == is_same


def test_a_bundle_is_the_same_again() -> None:
    assert bundle_bytes(PLAN, (OPENED,), at(10), "salt") == bundle_bytes(
        PLAN, (OPENED,), at(10), "salt"
    )


def test_a_bundle_differs_with_its_salt() -> None:
    assert bundle_bytes(PLAN, (OPENED,), at(10), "salt") != bundle_bytes(
        PLAN, (OPENED,), at(10), "other"
    )


def test_a_bundle_is_canonical() -> None:
    sent = bundle_bytes(PLAN, (OPENED,), at(10), "salt")

    assert encode(json.loads(sent)) == sent


def test_a_bundle_holds_the_planned_fields_and_no_other() -> None:
    sent = bundle_bytes(PLAN, (OPENED,), at(10), "salt")

    (item,) = json.loads(sent)["items"]
    assert item["fields"] == [
        {
            "is_disputed": False,
            "name": "postalCode",
            "sensitivity": "ordinary",
            "updated": at(1),
            "value": "SY23 2AA",
        }
    ]
    assert b"Heol" not in sent


def test_a_bundle_does_not_tell_which_piece_of_evidence_it_was() -> None:
    sent = bundle_bytes(PLAN, (OPENED,), at(10), "salt")

    assert PLAN.items[0].evidence_id.encode() not in sent
