# SPDX-License-Identifier: Apache-2.0
"""Several things in one command: each is tried, and what fails does not keep the others back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clients.cli.errors import CommandError, exit_code_of, told_to_citizen
from clients.connection import CallError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from clients.cli.errors import ExitCode
    from clients.cli.session import Session


def each_of(session: Session, several: Sequence[str], act: Callable[[str], object]) -> None:
    """Do the same to each; of one alone an error is told as ever.

    Raises:
        CommandError: at the end, with the exit code of the first that failed. With `--json` it is
            the first error itself.
    """
    if len(several) == 1:
        act(several[0])
        return
    words, output = session.words, session.output
    failures: list[CommandError | CallError] = []
    for place, one in enumerate(several, 1):
        if not output.is_json:
            output.heading(words("place", place=place, all=len(several)))
        try:
            act(one)
        except (CommandError, CallError) as error:
            failures.append(error)
            if not output.is_json:
                output.tell("\n".join(told_to_citizen(error, words)))
    if failures and output.is_json:
        raise failures[0]
    if failures:
        message = words("place.failed", failed=len(failures), all=len(several))
        raise CommandError(message, exit_code=exit_of(failures[0]))


def exit_of(error: CommandError | CallError) -> ExitCode:
    """Return the exit code of an error, whichever it is."""
    return exit_code_of(error) if isinstance(error, CallError) else error.exit_code
