# SPDX-License-Identifier: Apache-2.0
"""Codes are read and typed in the words that were published with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import pytest

from clients.wording.words import Words
from tests.unit.cli import world
from tests.unit.cli.conftest import Terminal
from tests.unit.cli.fake_server import FakeServer
from vault.api.v1.registry_pb2 import EvidenceType
from vault.api.v1.registry_service_pb2 import ListEvidenceTypesResponse


@pytest.fixture(autouse=True)
def _her_things(server: FakeServer) -> None:
    world.fill(server)


def publish(server: FakeServer, kind: str, change: Callable[[dict[str, Any]], object]) -> None:
    """Let a server tell of one kind of information, each of its fields changed."""
    definition = json.loads(files("vault.evidence_types").joinpath(f"{kind}.json").read_bytes())
    for field in definition["fields"]:
        change(field)
    published = EvidenceType(
        evidence_type=kind, schema_version=1, definition=json.dumps(definition).encode()
    )
    server.says("ListEvidenceTypes", ListEvidenceTypesResponse(evidence_types=[published]))


def without_words(field: dict[str, Any]) -> None:
    field.pop("words", None)


def in_english_alone(field: dict[str, Any]) -> None:
    for texts in field.get("words", {}).values():
        del texts["cy"]


def sent(server: FakeServer) -> Any:
    (request,) = server.requests("ProvideEvidence")
    return json.loads(request.values)


@pytest.mark.parametrize(
    ("language", "country"), [("en", "United Kingdom"), ("cy", "Y Deyrnas Unedig")]
)
def test_a_code_is_read_in_words(terminal: Terminal, language: str, country: str) -> None:
    ran = terminal.run("information", "show", "a0", "--language", language)

    assert country in ran.out


@pytest.mark.parametrize("typed", ["bob pedair wythnos", "Bob Pedair Wythnos", "four_weekly"])
def test_a_code_is_typed_in_words(server: FakeServer, terminal: Terminal, typed: str) -> None:
    terminal.run(
        *("information", "add", "income", "--set", f"frequency={typed}", "--language", "cy")
    )

    assert sent(server) == {"frequency": "four_weekly"}


def test_a_code_within_a_list_is_typed_in_words(server: FakeServer, terminal: Terminal) -> None:
    terminal.run("information", "add", "household", "--set", "relationships=your partner")

    assert sent(server) == {"relationships": ["partner"]}


def test_of_two_codes_with_the_same_words_the_first_is_meant(
    server: FakeServer, terminal: Terminal
) -> None:
    terminal.run("information", "add", "postal_address", "--set", "addressCountry=united kingdom")

    assert sent(server) == {"addressCountry": "GB"}


def test_one_code_has_other_words_in_another_field(server: FakeServer, terminal: Terminal) -> None:
    terminal.run(
        *("information", "add", "planning_ownership", "--set", "interest=none"),
        *("--set", "agriculture=not part of a farm"),
    )

    assert sent(server) == {"interest": "none", "agriculture": "not_agricultural"}


def test_words_that_mean_no_code_are_answered_with_those_that_do(terminal: Terminal) -> None:
    ran = terminal.run("information", "add", "income", "--set", "kind=lottery")

    assert ran.exit_code == 2
    assert "State Pension, another pension, wages" in ran.err
    assert "lottery" not in ran.err


def test_a_code_without_words_is_read_without_underscores(
    server: FakeServer, terminal: Terminal
) -> None:
    publish(server, "income", without_words)

    ran = terminal.run("information", "add", "income", "--set", "kind=lottery")

    assert "state pension, private pension, employment" in ran.err


def test_words_that_are_not_there_in_welsh_are_said_to_be_english(
    server: FakeServer, terminal: Terminal
) -> None:
    publish(server, "postal_address", in_english_alone)

    ran = terminal.run("information", "show", "a0", "--language", "cy")

    assert "United Kingdom" in ran.out
    assert Words("cy")("only.english") in ran.err
