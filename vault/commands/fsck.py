# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault-server fsck`: what an operator runs to know that the stores are sound."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from vault.configuration.config import Config

EXIT_CLEAN: Final = 0
EXIT_FOUND: Final = 1
EXIT_NOT_CHECKED: Final = 3

_PROGRESS_EVERY: Final = 10_000

EPILOG: Final = """\
exit codes:
  0  everything is as it was recorded
  1  something was found: what and where is listed
  2  a setting or an option is wrong
  3  not checked, or not to the end: a database or the wrapping key cannot be read
"""


def add_command(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to those of the program."""
    command = commands.add_parser(
        "fsck",
        help="derive everything again from stored bytes, and compare; changes nothing",
        description="Derive everything again from stored bytes, and compare it with what was "
        "recorded and signed. Nothing is changed, and a server may run meanwhile.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("--data", metavar="DIR", help="the folder of the databases")
    command.add_argument("--json", action="store_true", help="print the report as JSON")


def run(options: argparse.Namespace, config: Config) -> int:
    """Check, print the report, and return the exit code."""
    from vault.fsck.check import check  # noqa: PLC0415
    from vault.fsck.rows import RowsError  # noqa: PLC0415
    from vault.sealing.errors import SealingError  # noqa: PLC0415

    progress = _say_progress if sys.stderr.isatty() and not options.json else _say_nothing
    try:
        report = check(config, progress)
    except (RowsError, SealingError) as error:
        print(f"Not checked: {error}", file=sys.stderr)  # noqa: T201 - for whoever started it
        return EXIT_NOT_CHECKED
    lines = [json.dumps(report.as_json(), indent=1)] if options.json else report.as_text()
    print("\n".join(lines))  # noqa: T201 - the answer
    return EXIT_CLEAN if report.is_clean else EXIT_FOUND


def _say_progress(lane: int, size: int, at: int) -> None:
    if at % _PROGRESS_EVERY == 0 or at == size:
        end = "\n" if at == size else ""
        print(f"\rlane {lane}: {at:,} of {size:,}", end=end, file=sys.stderr)  # noqa: T201


def _say_nothing(lane: int, size: int, at: int) -> None:
    del lane, size, at
