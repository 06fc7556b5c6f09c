# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault-server rebuild`: what every view comes to, built anew from an export or the store.

An auditor builds from `citizen-vault audit log`, one file for each lane, and needs neither the
operator's databases nor keys. The operator builds from the store, as far as the auditor's files go,
or says what the server shows. Equal digests: nobody was told anything else.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from projections.rebuild import Recorded, ViewDigest
    from vault.configuration.config import Config
    from vault.store.recorder import Recorder

EXIT_FAILED: Final = 1
_PAGE: Final = 1_000


def add_command(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to those of the program."""
    command = commands.add_parser(
        "rebuild",
        help="build every view anew, and say by a digest what it comes to",
        description="Build every view anew, from a lane's exported log or from the store, and say "
        "by a digest what rows it comes to. Nothing that a server shows is touched.",
    )
    source = command.add_mutually_exclusive_group()
    source.add_argument(
        "--from",
        dest="exports",
        metavar="EXPORT",
        type=Path,
        action="append",
        help="what citizen-vault audit log wrote, whole, for each lane; needs no database",
    )
    source.add_argument(
        "--shown", action="store_true", help="build nothing: the views as the server shows them"
    )
    command.add_argument(
        "--at",
        metavar="LANE=SIZE",
        type=_place,
        action="append",
        default=[],
        help="from the store: so many records of a lane, and nothing of a lane that is not named",
    )
    command.add_argument("--data", metavar="DIR", help="the folder of the databases")
    command.add_argument("--json", action="store_true", help="print it as JSON")


def from_exports(options: argparse.Namespace) -> int:
    """Build from files alone, print what came of it, and return the exit code."""
    from projections.rebuild import read_export  # noqa: PLC0415

    with ExitStack() as parts:
        files = [parts.enter_context(path.open("rb")) for path in options.exports]
        return _answer(options, [read_export(file) for file in files])


def run(options: argparse.Namespace, config: Config) -> int:
    """Build from the store, or look at what is shown; print it, and return the exit code."""
    from projections.rebuild import ExportError, shown  # noqa: PLC0415
    from vault.stores import open_recorder  # noqa: PLC0415

    if options.shown:
        try:
            _print(options, shown(config.data / "views"))
        except ExportError as error:
            return _fail(error)
        return 0
    places = dict(options.at) or dict.fromkeys((0, *config.store.lanes.databases))
    with ExitStack() as parts:
        lanes = []
        for number, size in sorted(places.items()):
            recorder = open_recorder(config, number)
            parts.callback(recorder.close)
            lanes.append(_records(recorder, recorder.tree_size() if size is None else size))
        return _answer(options, lanes)


def _answer(options: argparse.Namespace, lanes: Iterable[Iterable[Recorded]]) -> int:
    from projections.rebuild import ExportError, rebuild  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="rebuild-") as folder:
        try:
            found = rebuild(lanes, Path(folder))
        except ExportError as error:
            return _fail(error)
    _print(options, found)
    return 0


def _records(recorder: Recorder, size: int) -> Iterator[Recorded]:
    from projections.rebuild import Recorded  # noqa: PLC0415
    from vault.store.record import event_of  # noqa: PLC0415

    at = 0
    while records := recorder.select_range(at, size, limit=_PAGE):
        for record in records:
            event = event_of(record)
            if event is not None:
                yield Recorded(record.position + 1, event)
        at = records[-1].position + 1


def _print(options: argparse.Namespace, found: list[ViewDigest]) -> None:
    if options.json:
        print(json.dumps({"views": [asdict(view) for view in found]}, indent=1))  # noqa: T201 - the answer
        return
    for view in found:
        print(f"{view.digest}  {view.name}.{view.version}  {view.rows:,} rows")  # noqa: T201 - likewise


def _fail(error: Exception) -> int:
    print(error, file=sys.stderr)  # noqa: T201 - what is wrong is for whoever started it
    return EXIT_FAILED


def _place(text: str) -> tuple[int, int]:
    lane, equals, size = text.partition("=")
    if not equals or not lane.isdecimal() or not size.isdecimal():
        raise argparse.ArgumentTypeError("write LANE=SIZE, for instance 0=1200")
    return int(lane), int(size)
