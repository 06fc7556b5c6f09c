# SPDX-License-Identifier: Apache-2.0
"""Citizens read their own words, in both languages, whatever they do and whatever goes wrong."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import grpc
import pytest

from clients.cli.words import LANGUAGES, Words, catalogue
from tests.unit.cli import world
from tests.unit.cli.conftest import Ran, Terminal
from tests.unit.cli.fake_server import FakeServer, Refusal
from vault.api.v1.error_reason_pb2 import ErrorReason

OURS = re.compile(
    r"vault|grant|disclos|subject|consent|revoke|revocation|narrow|evidence|receipt", re.IGNORECASE
)
PROGRAM = re.compile(r"citizen-vault\b")
SOURCES = Path(__file__).parents[3] / "clients" / "cli"

SHARE = (
    "share",
    "c0",
    "--choose",
    "postal_address:postalCode",
    "--this-version",
    "--until",
    "2026-11-30",
)

COMMANDS = {
    "information start": ("information", "start"),
    "information kinds": ("information", "kinds"),
    "information add": (
        *("information", "add", "postal_address"),
        *("--set", "postalCode=CF10 3NQ", "--set", "addressCountry=GB"),
    ),
    "information list": ("information", "list"),
    "information show": ("information", "show", "a0"),
    "information replace": ("information", "replace", "a0", "--set", "streetName=Stryd"),
    "request open": ("request", "open", "https://vault.example/asked/a-token"),
    "request list": ("request", "list"),
    "request show": ("request", "show", "c0"),
    "share": (*SHARE, "--yes"),
    "share without a yes": SHARE,
    "sharing list": ("sharing", "list"),
    "sharing show": ("sharing", "show", "d0"),
    "sharing stop": ("sharing", "stop", "d0"),
    "seen list": ("seen", "list"),
    "history list": ("history", "list"),
    "confirmation show": ("confirmation", "show", str(world.ENTRY)),
    "whoami": ("whoami",),
}

REASONS = [
    name.removeprefix("ERROR_REASON_")
    for name in ErrorReason.keys()  # noqa: SIM118 - an enum of protobuf, not a dict
    if name != "ERROR_REASON_UNSPECIFIED"
]


def ours_in(ran: Ran) -> list[str]:
    printed = PROGRAM.sub("", ran.out + ran.err)
    return OURS.findall(printed)


@pytest.mark.parametrize("name", COMMANDS)
def test_no_word_of_ours_is_printed(name: str, server: FakeServer, terminal: Terminal) -> None:
    world.fill(server)

    ran = terminal.run(*COMMANDS[name])

    assert ran.exit_code == (2 if name == "share without a yes" else 0), ran.err
    assert ours_in(ran) == []


@pytest.mark.parametrize("name", COMMANDS)
def test_no_word_of_ours_is_in_the_help(name: str, terminal: Terminal) -> None:
    words = name.partition(" without ")[0].split()

    assert ours_in(terminal.run(*words, "--help")) == []


@pytest.mark.parametrize("reason", REASONS)
def test_no_word_of_ours_is_in_an_error(
    reason: str, server: FakeServer, terminal: Terminal
) -> None:
    world.fill(server)
    message = "This consent was revoked."
    server.says("ListEvidence", Refusal(grpc.StatusCode.FAILED_PRECONDITION, reason, message))

    ran = terminal.run("information", "list")

    assert ran.exit_code == 1
    assert ran.err
    assert ours_in(ran) == []


def test_the_texts_hold_no_word_of_ours() -> None:
    texts = {key: PROGRAM.sub("", text["en"]) for key, text in catalogue().items()}

    assert {key: text for key, text in texts.items() if OURS.search(text)} == {}


def test_every_text_is_there_in_every_language() -> None:
    assert {key for key, text in catalogue().items() if set(text) != set(LANGUAGES)} == set()


def test_every_language_fills_in_the_same_values() -> None:
    def places(text: str) -> set[str | None]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}

    texts = catalogue()
    assert {key for key in texts if places(texts[key]["en"]) != places(texts[key]["cy"])} == set()


def test_every_text_that_is_looked_up_exists() -> None:
    source = "\n".join(path.read_text() for path in SOURCES.glob("*.py"))
    looked_up = set(re.findall(r"""words\(\s*["']([a-zA-Z._]+)["'][,)]""", source))

    assert looked_up
    assert looked_up - catalogue().keys() == set()


def test_every_text_is_used() -> None:
    source = "\n".join(path.read_text() for path in SOURCES.glob("*.py"))
    families = set(re.findall(r'f"([a-z.]+)\.\{', source)) | set(
        re.findall(r'one_of\("([a-z]+)"', source)
    )
    unused = {
        key
        for key in catalogue()
        if not re.search(rf"""["']{re.escape(key)}["']""", source)
        and key.rpartition(".")[0] not in families
    }

    assert unused == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_everything_can_be_read_in_welsh(name: str, server: FakeServer, terminal: Terminal) -> None:
    world.fill(server)

    ran = terminal.run(*COMMANDS[name], "--language", "cy")

    assert ran.exit_code == (2 if name == "share without a yes" else 0), ran.err
    assert "Aber Council" not in ran.out


def test_a_text_that_is_not_there_in_welsh_is_said_to_be_english(
    server: FakeServer, terminal: Terminal
) -> None:
    world.fill(server)
    world.publish(server, "en")

    ran = terminal.run("request", "show", "c0", "--language", "cy")

    assert "why en" in ran.out
    assert Words("cy")("only.english") in ran.err


def test_nothing_is_said_of_english_where_all_is_welsh(
    server: FakeServer, terminal: Terminal
) -> None:
    world.fill(server)

    ran = terminal.run("request", "show", "c0", "--language", "cy")

    assert ran.err == ""


def test_a_language_that_is_not_there_is_a_usage_error(terminal: Terminal) -> None:
    ran = terminal.run("information", "list", "--language", "fr")

    assert ran.exit_code == 2
    assert "Cymraeg" in ran.err


def test_every_code_of_a_kind_can_be_read_in_words() -> None:
    seeds = [
        json.loads(file.read_bytes())
        for file in files("vault.evidence_types").iterdir()
        if file.name.endswith(".json")
    ]
    codes = {code for seed in seeds for code in codes_in(seed["schema"]) if code.islower()}

    assert codes
    assert {code for code in codes if not Words("cy").maybe(f"coded.{code}")} == set()


def codes_in(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from (code for code in schema.get("enum", ()) if isinstance(code, str))
        for part in schema.values():
            yield from codes_in(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from codes_in(part)
