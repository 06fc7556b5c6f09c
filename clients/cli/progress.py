# SPDX-License-Identifier: Apache-2.0
"""How far something long has come, for people who watch; programs and files are told nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from clients.cli.output import console

if TYPE_CHECKING:
    from clients.cli.output import Output


@contextlib.contextmanager
def progress(output: Output, text: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar on stderr while something goes on; call what it yields with each step."""
    on = console(is_error=True)
    if output.is_json or not on.is_terminal:
        yield _nothing
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=on, transient=True) as bar:
        task = bar.add_task(text, total=total)
        yield lambda step: bar.advance(task, step)


def _nothing(_: int) -> None:
    """Do nothing."""
