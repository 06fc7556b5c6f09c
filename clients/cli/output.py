# SPDX-License-Identifier: Apache-2.0
"""Where a command prints: tables and sentences for people, JSON for programs, questions to answer.

Answers go to stdout, everything else to stderr. Nothing that came from elsewhere reaches the
terminal with control characters in it, so that no text can move a cursor or hide another.
"""

from __future__ import annotations

import json
import sys
import unicodedata
from typing import TYPE_CHECKING, Any, Final

from clients.cli.errors import UsageError
from clients.receipts import b64

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from google.protobuf.message import Message
    from rich.console import Console

_KEPT_CONTROLS: Final = frozenset("\n\t")
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co"})
_JOINERS: Final = frozenset("\u200c\u200d")


class Output:
    """What one command prints to.

    Args:
        is_json: print answers as JSON, and nothing else, on stdout.
        no_answer: what is said where a question gets none.
    """

    def __init__(self, *, is_json: bool, no_answer: str = "") -> None:
        self.is_json = is_json
        self.no_answer = no_answer

    @property
    def is_interactive(self) -> bool:
        """Return whether somebody sits there who can answer."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    @property
    def width(self) -> int:
        """Return how many characters a line of the answer has."""
        return console(is_error=False).width

    def message(self, message: Message) -> None:
        """Print a protobuf message as JSON."""
        self.json(as_json(message))

    def json(self, value: Any) -> None:
        """Print a value as JSON; ASCII, so that it is safe on a terminal too."""
        print(json.dumps(value, indent=2))

    def json_line(self, message: Message) -> None:
        """Print a protobuf message as JSON in one line, at once, for whoever reads as it comes."""
        print(json.dumps(as_json(message)), flush=True)

    def say(self, text: str = "", style: str = "") -> None:
        """Print a paragraph of the answer."""
        console(is_error=False).print(_text(text, style))

    def heading(self, text: str) -> None:
        """Print a heading, apart from what stands above it."""
        self.say()
        self.say(text, "bold")

    def tell(self, text: str) -> None:
        """Print something that is no part of the answer, on stderr; commands in it stay whole."""
        for line in text.splitlines():
            console(is_error=True).print(_text(line), soft_wrap="citizen-vault " in line)

    def tell_line(self, text: str) -> None:
        """Print something on stderr that must stay whole: an address to open."""
        console(is_error=True).print(_text(text), soft_wrap=True)

    def line(self, text: str) -> None:
        """Print a line of the answer that must stay whole: a link, a command."""
        console(is_error=False).print(_text(text), soft_wrap=True)

    def facts(self, rows: Iterable[tuple[str, str]]) -> None:
        """Print pairs of a name and a text, in two columns; empty texts are left out."""
        from rich.table import Table  # noqa: PLC0415

        table = Table.grid(padding=(0, 2))
        table.add_column(style="bold", max_width=24)
        table.add_column(overflow="fold")
        for name, text in rows:
            if text:
                table.add_row(_text(name), _text(text))
        console(is_error=False).print(table)

    def table(
        self,
        columns: Sequence[str],
        rows: Iterable[Sequence[str]],
        *,
        unbroken: Sequence[int] = (),
        right: Sequence[int] = (),
        is_spaced: bool = False,
    ) -> None:
        """Print a table.

        Args:
            unbroken: the columns whose cells are never wrapped, such as numbers to copy.
            right: the columns that are aligned to the right.
            is_spaced: leave a line between rows, where cells have several lines.
        """
        from rich import box  # noqa: PLC0415
        from rich.table import Table  # noqa: PLC0415

        table = Table(
            box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", leading=1 if is_spaced else 0
        )
        for place, column in enumerate(columns):
            table.add_column(
                _text(column),
                no_wrap=place in unbroken,
                overflow="fold",
                justify="right" if place in right else "left",
                vertical="top",
            )
        for row in rows:
            table.add_row(*(_text(cell) for cell in row))
        console(is_error=False).print(table)

    def ask(self, question: str) -> str:
        """Ask on stderr and return the line that is typed.

        Raises:
            UsageError: if nothing can be read any more.
        """
        console(is_error=True).print(_text(question), end=" ")
        line = sys.stdin.readline()
        if not line:
            raise UsageError(self.no_answer)
        return line.strip()

    def ask_secret(self, question: str) -> str:
        """Ask on the terminal and return what is typed there, unseen.

        Raises:
            UsageError: if nothing can be read any more.
        """
        import getpass  # noqa: PLC0415

        try:
            return getpass.getpass(f"{clean(question)} ", stream=sys.stderr).strip()
        except EOFError:
            raise UsageError(self.no_answer) from None


def console(*, is_error: bool) -> Console:
    """Return the console of stdout or stderr, as it is now."""
    from rich.console import Console  # noqa: PLC0415

    return Console(stderr=is_error, highlight=False, markup=False, emoji=False, soft_wrap=False)


def clean(text: str) -> str:
    """Return a text without control and direction characters."""
    return "".join(character if _is_visible(character) else "\ufffd" for character in text)


def as_json(message: Message) -> Any:
    """Return a message as its JSON mapping, with proto field names and bytes as base64url."""
    from google.protobuf.json_format import MessageToDict  # noqa: PLC0415

    value = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    _bytes_as_base64url(message, value)
    return value


def _bytes_as_base64url(message: Message, value: Any) -> None:
    for field, content in message.ListFields():
        if field.type == field.TYPE_BYTES:
            value[field.name] = [b64(one) for one in content] if _is_list(field) else b64(content)
        elif field.type == field.TYPE_MESSAGE and isinstance(
            value[field.name], dict if not _is_list(field) else list
        ):
            if _is_list(field):
                for one, one_value in zip(content, value[field.name], strict=True):
                    _bytes_as_base64url(one, one_value)
            else:
                _bytes_as_base64url(content, value[field.name])


def _is_list(field: Any) -> bool:
    return bool(field.is_repeated)


def _is_visible(character: str) -> bool:
    return (
        character in _KEPT_CONTROLS
        or character in _JOINERS
        or unicodedata.category(character) not in _HIDDEN
    )


def _text(text: str, style: str = "") -> Any:
    from rich.text import Text  # noqa: PLC0415

    return Text(clean(text), style=style)
