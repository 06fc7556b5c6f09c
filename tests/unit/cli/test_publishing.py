# SPDX-License-Identifier: Apache-2.0
"""Who publishes may try first, and reads what would be better and whose choice a page promises."""

from __future__ import annotations

import json
import re
from importlib.resources import files

import pytest

from tests.unit.cli import world
from tests.unit.cli.conftest import Ran, Terminal
from tests.unit.cli.fake_server import FakeServer
from vault.api.v1.registry_pb2 import EvidenceType, TextWarning
from vault.api.v1.registry_service_pb2 import (
    GetPurposeResponse,
    PublishEvidenceTypeResponse,
    PublishPurposeResponse,
)

PURPOSE = json.dumps({"purpose_code": "care-at-home", "version": 1, "bounds": {"longest_days": 9}})
INCOME = str(files("vault.evidence_types").joinpath("income.json"))
WARNINGS = [
    TextWarning(field="texts", language="cy", kind=1),
    TextWarning(field="texts[0].why", language="en", kind=2),
    TextWarning(field="texts[1].title", language="cy", kind=3),
]


@pytest.fixture(autouse=True)
def _operator(server: FakeServer, terminal: Terminal) -> None:
    world.publish(server)
    server.says(
        "PublishPurpose", PublishPurposeResponse(purpose=world.a_purpose("en"), warnings=WARNINGS)
    )
    server.says(
        "PublishEvidenceType",
        PublishEvidenceTypeResponse(
            evidence_type=EvidenceType(evidence_type="income", schema_version=1),
            warnings=[TextWarning(field="fields[0].hint", language="en", kind=2)],
        ),
    )
    terminal.sign_in("operator", "operator")


def publish_purpose(terminal: Terminal, *more: str) -> Ran:
    return terminal.run("registry", "purpose", "publish", "-", *more, typed=PURPOSE)


def test_what_would_be_better_is_told_and_nothing_is_refused(terminal: Terminal) -> None:
    ran = publish_purpose(terminal)

    assert ran.exit_code == 0
    for told in (
        "texts (cy): There is no text in this language.",
        "texts[0].why (en): A sentence has more than 25 words.",
        "texts[1].title (cy): This is the same text as in another language.",
    ):
        assert told in ran.err


def test_it_is_told_in_welsh_too(terminal: Terminal) -> None:
    assert "texts (cy): Nid oes testun" in publish_purpose(terminal, "--language", "cy").err


@pytest.mark.parametrize("more", [(), ("--validate-only",)], ids=["published", "validated"])
def test_what_is_only_validated_says_that_nothing_was_published(
    server: FakeServer, terminal: Terminal, more: tuple[str, ...]
) -> None:
    ran = publish_purpose(terminal, *more)

    (asked,) = server.requests("PublishPurpose")
    assert asked.validate_only is bool(more)
    assert ("Nothing was published" in ran.out) is bool(more)
    assert bool(re.search("^Published", ran.out, re.MULTILINE)) is not bool(more)


def test_a_file_that_says_so_itself_is_only_validated(
    server: FakeServer, terminal: Terminal
) -> None:
    typed = json.dumps({**json.loads(PURPOSE), "validate_only": True})

    ran = terminal.run("registry", "purpose", "publish", "-", typed=typed)

    assert server.requests("PublishPurpose")[0].validate_only
    assert "Nothing was published" in ran.out


def test_an_evidence_type_is_validated_with_its_warnings(
    server: FakeServer, terminal: Terminal
) -> None:
    ran = terminal.run("registry", "evidence-type", "publish", INCOME, "--validate-only")

    (asked,) = server.requests("PublishEvidenceType")
    assert asked.validate_only
    assert "fields[0].hint (en): A sentence has more than 25 words." in ran.err
    assert "Nothing was published" in ran.out


def test_many_of_one_kind_are_told_in_one_sentence(server: FakeServer, terminal: Terminal) -> None:
    warnings = [
        TextWarning(field=f"fields[{index}].label", language="cy", kind=3) for index in range(7)
    ]
    server.says("PublishEvidenceType", PublishEvidenceTypeResponse(warnings=warnings))

    ran = terminal.run("registry", "evidence-type", "publish", INCOME)

    told = " ".join(ran.err.split())
    assert told.count("Translate it.") == 1
    assert "fields[2].label and 4 more (cy)" in told
    assert "fields[3]" not in told


def test_programs_get_warnings_in_the_answer_alone(terminal: Terminal) -> None:
    ran = publish_purpose(terminal, "--json")

    assert [one["field"] for one in json.loads(ran.out)["warnings"]] == [
        one.field for one in WARNINGS
    ]
    assert ran.err == ""


def test_whose_choice_it_is_stands_with_a_purpose_as_on_her_page(
    server: FakeServer, terminal: Terminal
) -> None:
    purpose = world.a_purpose("en")
    purpose.decision_form = 3
    server.says("GetPurpose", GetPurposeResponse(purpose=purpose))

    ran = terminal.run("registry", "purpose", "show", "care-at-home")

    assert "The law decides." in ran.out
