# SPDX-License-Identifier: Apache-2.0
"""The tree of commands: each has help, stands on the README's page, and together they reach all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from clients.cli.main import app
from tests.unit.cli.conftest import Terminal
from tests.unit.cli.fake_server import _MODULES

FOLDER = Path(__file__).parents[3] / "clients" / "cli"
SHARED = ("--json", "--language", "--as", "--server", "--explain")


def leaves(group: typer.Typer, *path: str) -> Iterator[tuple[str, ...]]:
    for command in group.registered_commands:
        yield (*path, str(command.name))
    for inner in group.registered_groups:
        assert inner.typer_instance is not None
        name = (str(inner.name),) if inner.name else ()
        yield from leaves(inner.typer_instance, *path, *name)


COMMANDS = list(leaves(app))


def test_the_tree_is_built() -> None:
    assert get_command(app).name == "citizen-vault"
    assert len(COMMANDS) == len(set(COMMANDS)) > 30


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_a_command_has_help_and_what_every_command_has(
    path: tuple[str, ...], terminal: Terminal
) -> None:
    terminal.environment["COLUMNS"] = "120"

    ran = terminal.run(*path, "--help")

    assert ran.exit_code == 0
    sentence = ran.out.partition("Usage:")[2].splitlines()[2]
    assert re.search(r"\w+ \w+", sentence)
    assert [option for option in SHARED if option not in ran.out] == []


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_a_command_stands_in_the_readme(path: tuple[str, ...]) -> None:
    readme = (FOLDER / "README.md").read_text()

    assert re.search(rf"`citizen-vault {' '.join(path)}\b", readme)


def test_the_readme_names_no_command_that_is_not_there() -> None:
    readme = (FOLDER / "README.md").read_text()
    named = re.findall(r"^\| `citizen-vault ([a-z -]+[a-z])", readme, re.MULTILINE)

    assert named
    assert [
        words for words in named if not any(words.startswith(" ".join(path)) for path in COMMANDS)
    ] == []


def test_every_call_of_the_contract_is_reached() -> None:
    source = "\n".join(path.read_text() for path in FOLDER.glob("*.py"))
    methods = {
        method.name
        for module in _MODULES
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }

    assert {name for name in methods if not re.search(rf"\.{name}\b", source)} == set()


def test_exit_codes_stand_in_the_help(terminal: Terminal) -> None:
    printed = " ".join(terminal.run("--help").out.split())

    for told in ("0 done", "1 refused", "2 typed", "3 not signed in", "4 the server"):
        assert told in printed


def test_an_unknown_command_is_a_usage_error(terminal: Terminal) -> None:
    assert terminal.run("evidence").exit_code == 2
