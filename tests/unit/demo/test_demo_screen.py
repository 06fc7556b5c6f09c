# SPDX-License-Identifier: Apache-2.0
"""Screens fit 80 columns and read the same without colour."""

import io

import pytest
from rich.console import Console

from clients.demo.counter import Counter
from clients.demo.screen import Screen, console_of


def _printed(pause_seconds: float = 0.0) -> tuple[Screen, io.StringIO]:
    file = io.StringIO()
    return Screen(Console(file=file, width=80, highlight=False), 8, pause_seconds), file


def test_everything_fits_80_columns() -> None:
    screen, file = _printed()

    screen.begin("Aber Council asks")
    screen.say("word " * 60)
    screen.facts([("Why they need it", "word " * 60)])
    screen.table(("", "What", "Which answers"), [("1", "Your address", "word, " * 60)])
    screen.counter(Counter(19, 4, ("Aber Council", "BrightCare")))
    screen.letter(["word " * 60, "    ABCDE-FGHJK"])
    screen.end([("Typed once", "word " * 60)])

    assert max(map(len, file.getvalue().splitlines())) <= 80


def test_what_is_not_a_terminal_gets_no_colour() -> None:
    screen, file = _printed()

    screen.begin("Mair comes home")
    screen.counter(Counter(0, 0, ()))

    assert "\x1b" not in file.getvalue()


def test_square_brackets_in_an_answer_are_no_markup() -> None:
    screen, file = _printed()

    screen.say("scope[1] [bold]")
    screen.facts([("[x]", "[/y]")])
    screen.table(("[h]",), [("[c]",)])
    screen.letter(["[l]"])

    texts = ("scope[1] [bold]", "[x]", "[/y]", "[c]", "[l]")
    assert all(text in file.getvalue() for text in texts)


def test_screens_are_numbered() -> None:
    screen, file = _printed()

    screen.begin("One")
    screen.begin("Two")

    assert "1 of 8   One" in file.getvalue()
    assert "2 of 8   Two" in file.getvalue()


def test_a_wide_terminal_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")

    assert console_of().width == 80


def test_a_narrow_terminal_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")

    assert console_of().width == 60


def test_a_command_is_printed_whole_however_long() -> None:
    screen, file = _printed()
    command = "citizen-vault " + "word " * 30 + "end"

    screen.commands([command])

    assert command in file.getvalue()


def test_a_call_stays_on_its_line() -> None:
    screen, file = _printed()

    screen.call(["x" * 300])

    assert [len(line) for line in file.getvalue().splitlines()] == [80]
