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
    # What officials do for somebody are her own commands, told of once.
    named = path[:2] if path[0] == "assist" and path[1:] in COMMANDS else path

    assert re.search(rf"`citizen-vault {' '.join(named)}\b", readme)


def test_the_readme_names_no_command_that_is_not_there() -> None:
    readme = (FOLDER / "README.md").read_text()
    named = re.findall(r"^\| `citizen-vault ([a-z -]+[a-z])", readme, re.MULTILINE)
    groups = {" ".join(path[:end]) for path in COMMANDS for end in range(1, len(path))}

    assert named
    assert [
        words
        for words in named
        if words not in groups and not any(words.startswith(" ".join(path)) for path in COMMANDS)
    ] == []


def test_exit_codes_stand_in_the_help(terminal: Terminal) -> None:
    printed = " ".join(terminal.run("--help").out.split())

    for told in ("0 done", "1 refused", "2 typed", "3 not signed in", "4 the server"):
        assert told in printed


def test_an_unknown_command_is_a_usage_error(terminal: Terminal) -> None:
    assert terminal.run("evidence").exit_code == 2
