# SPDX-License-Identifier: Apache-2.0
"""What is printed: screens of at most 80 columns that read the same without colour."""

import io
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Final

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from clients.demo.counter import Counter

WIDTH: Final = 80
_INDENT: Final = 2


class Screen:
    """Prints one screen after another.

    Args:
        screens: how many there will be.
        pause_seconds: how long to wait at the end of each, for an audience.
    """

    def __init__(self, console: Console, screens: int, pause_seconds: float = 0.0) -> None:
        self._console = console
        self._screens = screens
        self._pause_seconds = pause_seconds
        self._number = 0

    def begin(self, title: str) -> None:
        """Begin the next screen."""
        self._number += 1
        self._console.print()
        heading = Text(f"{self._number} of {self._screens}   {title}", style="bold")
        self._console.print(Rule(heading, align="left", characters="━", style="cyan"))
        self._console.print()

    def say(self, sentence: str, style: str = "") -> None:
        """Print a paragraph."""
        self._print(Text(sentence, style=style))

    def blank(self) -> None:
        """Print an empty line."""
        self._console.print()

    def facts(self, pairs: Iterable[tuple[str, str]], width: int = 22) -> None:
        """Print what is so, each under its name at the left."""
        grid = Table.grid(padding=(0, 2))
        grid.add_column(width=width, style="bold")
        grid.add_column(ratio=1)
        for name, value in pairs:
            grid.add_row(Text(name), Text(value))
        self._print(grid)

    def table(self, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print a table, airy if its cells have several lines."""
        cells = [tuple(row) for row in rows]
        is_airy = any("\n" in cell for row in cells for cell in row)
        table = Table(
            box=box.SIMPLE_HEAD,
            pad_edge=False,
            padding=(0, 1),
            header_style="bold",
            leading=int(is_airy),
        )
        for heading in headings:
            table.add_column(heading, overflow="fold")
        for row in cells:
            table.add_row(*(Text(cell) for cell in row))
        # The table's own edge is a blank.
        self._print(table, indent=_INDENT - 1)

    def commands(self, commands: Iterable[str]) -> None:
        """Print commands as they are typed: whole, however long."""
        self._console.print()
        for command in commands:
            self._console.print(Text(f"    {command}"), soft_wrap=True)
        self._console.print()

    def sign(self, heading: str, sentence: str) -> None:
        """Print what nobody should miss."""
        self._console.print()
        text = Text.assemble((heading, "bold"), "\n\n", sentence)
        board = Panel(text, box=box.DOUBLE, padding=(1, 3), border_style="green")
        self._console.print(board)
        self._console.print()

    def letter(self, lines: Iterable[str]) -> None:
        """Print a sheet of paper."""
        self._console.print()
        text = Text("\n".join(lines))
        sheet = Panel.fit(text, box=box.SQUARE, padding=(1, 2), border_style="cyan")
        self._print(sheet)
        self._console.print()

    def counter(self, counter: Counter) -> None:
        """Print the counter, and end the screen."""
        self._console.print()
        self._console.print(Text(f"▌ {counter}", style="bold green"))
        if self._pause_seconds:
            time.sleep(self._pause_seconds)

    def end(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Print what came of it all."""
        self._console.print()
        self._console.print(Rule(characters="━", style="cyan"))
        self._console.print()
        self.facts(pairs)
        self._console.print()
        self.say("Everything came out as expected.", style="bold green")
        self._console.print()

    def call(self, lines: Iterable[str]) -> None:
        """Print a call that went over the wire."""
        for line in lines:
            text = Text(" " * _INDENT + line, style="dim")
            self._console.print(text, no_wrap=True, overflow="ellipsis")

    def _print(self, renderable: Text | Table | Panel, indent: int = _INDENT) -> None:
        self._console.print(Padding(renderable, (0, 0, 0, indent)))


def console_of(*, is_error: bool = False) -> Console:
    """Return a console of at most 80 columns, with colour only where it is welcome."""
    stream = sys.stderr if is_error else sys.stdout
    if isinstance(stream, io.TextIOWrapper):
        # A terminal that knows no Welsh letters shows a question mark, and the story goes on.
        stream.reconfigure(errors="replace")
    console = Console(file=stream, highlight=False, emoji=False)
    console.width = min(console.width, WIDTH)
    return console
