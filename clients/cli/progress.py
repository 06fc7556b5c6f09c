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
def progress(
    output: Output, text: str, total: int, *, of_bytes: bool = True
) -> Iterator[Callable[[int], None]]:
    """Show a bar on stderr while something goes on; call what it yields with each step.

    Args:
        of_bytes: what is counted are bytes.
    """
    on = console(is_error=True)
    if output.is_json or not on.is_terminal:
        yield _nothing
        return
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
    )

    count = DownloadColumn() if of_bytes else MofNCompleteColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), count)
    with Progress(*columns, console=on, transient=True) as bar:
        task = bar.add_task(text, total=total)
        yield lambda step: bar.advance(task, step)


def _nothing(_: int) -> None:
    """Do nothing."""
