# SPDX-License-Identifier: Apache-2.0
"""`python -m clients.demo` tells the story; `python -m clients.demo run` keeps its server running.

Exit codes: 0 if everything came out as expected, 1 if not, 2 for wrong arguments.
"""

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from clients.connection import CallError, CallRecord
from clients.demo import keeping, telling
from clients.demo.checker import CheckerError
from clients.demo.deployment import DatabaseError, Deployment, OnSQLite
from clients.demo.expectations import UnexpectedError
from clients.demo.explain import explained
from clients.demo.over_http import Exchange
from clients.demo.screen import Screen, console_of
from clients.demo.server import ServerError
from clients.demo.stage import Listener

_SLOW_SECONDS: Final = 6.0
_INTERRUPTED: Final = 130


def main() -> int:
    """Run the command line; return the exit code."""
    parser = _parser()
    given = parser.parse_args()
    keep: Path | None = given.keep
    tells = given.command == "tell"
    if tells and keep is not None and keep.exists() and any(keep.iterdir()):
        parser.error(f"{keep} is not empty: the story needs a new folder")
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, _end)
    pause_seconds = _SLOW_SECONDS if given.slow else 0.0
    screens = telling.FULL_SCREENS if given.full else telling.SCREENS
    screen = Screen(console_of(), screens, pause_seconds)
    listener = _explainer(screen) if given.explain else None
    try:
        with _folder(keep) as folder:
            if tells:
                telling.tell(_deployment(given.store, folder), screen, listener, is_full=given.full)
            else:
                keeping.keep(_deployment(given.store, folder), screen, listener)
    except KeyboardInterrupt:
        return _INTERRUPTED if tells else 0
    except UnexpectedError as error:
        return _failed(
            f"This did not come out as expected: {error.claim}",
            f"expected  {error.expected}",
            f"came      {error.came}",
        )
    except CallError as error:
        fields = [f"{path}: {why}" for path, why in error.fields]
        return _failed(f"A call was refused: {error.code} {error.reason}", error.message, *fields)
    except (ServerError, CheckerError, DatabaseError) as error:
        return _failed(str(error))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m clients.demo",
        description="Tell the story of one person's information, on a real server.",
    )
    parser.add_argument(
        "command",
        nargs="?",
        choices=("tell", "run"),
        default="tell",
        help="tell the story (the default), or set up its people and keep the server running",
    )
    parser.add_argument(
        "--store",
        choices=("sqlite", "postgres"),
        default="sqlite",
        help="on files, or on the two PostgreSQL databases that the environment names",
    )
    parser.add_argument("--full", action="store_true", help="tell how it goes on, too")
    parser.add_argument("--explain", action="store_true", help="show each call as it goes")
    parser.add_argument("--slow", action="store_true", help="wait after each screen")
    parser.add_argument(
        "--keep",
        metavar="DIR",
        type=Path,
        help="keep the data there; without it they lie in a temporary folder that is removed",
    )
    return parser


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(mode=0o700, parents=True, exist_ok=True)
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="citizen-vault-demo-") as name:
        yield Path(name)


def _deployment(store: str, folder: Path) -> Deployment:
    data = folder / "data"
    if store == "sqlite":
        return OnSQLite(data)
    # Not for everybody: it needs the driver.
    from clients.demo.on_postgres import on_postgres  # noqa: PLC0415

    return on_postgres(data, os.environ)


def _explainer(screen: Screen) -> Listener:
    def explain(caller: str, call: CallRecord | Exchange) -> None:
        screen.call(explained(caller, call))

    return explain


def _end(number: int, frame: FrameType | None) -> NoReturn:
    """End on these signals as on Ctrl-C: servers stopped, temporary folders removed."""
    del number, frame
    raise KeyboardInterrupt


def _failed(*lines: str) -> int:
    console = console_of(is_error=True)
    console.print()
    for line in lines:
        console.print(line, style="bold red" if line is lines[0] else "", markup=False)
    return 1


if __name__ == "__main__":
    sys.exit(main())
