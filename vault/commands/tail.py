# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault-server tail`: what an operator runs between restoring a backup and serving again.

`tail save` takes the last records out of the store that was damaged, or of whatever still has
them; `tail replay` puts them back into the one that was restored. Both need the deployment's key
store, which has the key that the file is authenticated with.
"""

from __future__ import annotations

import argparse
import asyncio
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vault.configuration.config import Config


def add_commands(commands: argparse._SubParsersAction[Any]) -> None:
    """Add what can be done with the tail to the commands of the program."""
    kinds = commands.add_parser(
        "tail",
        help="bring back what a restored event store lacks",
        description="Bring back what a restored event store lacks: save the last records of the "
        "one that was damaged, and replay them before any server uses the restored one.",
    ).add_subparsers(dest="kind", required=True, metavar="COMMAND")
    saving = kinds.add_parser("save", help="write the last records of an event store to a file")
    saving.add_argument(
        "--from",
        dest="first",
        type=int,
        default=0,
        metavar="POSITION",
        help="where the restored store ends, or any position before it (0)",
    )
    replaying = kinds.add_parser("replay", help="append them to the event store that lacks them")
    replaying.add_argument(
        "--more",
        action="store_true",
        help="further files follow: only the last one is recorded in the operator's history",
    )
    for command in (saving, replaying):
        command.add_argument("file", type=Path, metavar="FILE")
        command.add_argument("--data", metavar="DIR", help="the folder of the databases")
        command.add_argument("--lane", type=int, default=0, metavar="NUMBER", help="which lane (0)")


def run(options: argparse.Namespace, config: Config) -> str:
    """Do it, and return what is to be told.

    Raises:
        PersistenceError: if it is not possible.
        SealingError: if there is no key store, or it cannot be used.
        OSError: if it is not, because of the file.
    """
    from vault.domain.lane import origin_of  # noqa: PLC0415
    from vault.store import tail  # noqa: PLC0415
    from vault.stores import open_recorder  # noqa: PLC0415

    with ExitStack() as parts:
        key = _key(config, parts)
        recorder = open_recorder(config, options.lane)
        parts.callback(recorder.close)
        if options.kind == "save":
            count = tail.save(recorder, options.file, first=options.first, key=key)
            return f"Saved {count} records. Keep the file private, and delete it afterwards."
        origin = origin_of(config.deployment, options.lane)
        size = recorder.tree_size()
        replayed = tail.replay(recorder, options.file, lane=options.lane, origin=origin, key=key)
    told = f"Put {replayed.appended} records back; {replayed.found} were there already."
    if options.more or not replayed.appended:
        return told
    return f"{told} {_record(config, options.lane, size, replayed.appended)}"


def _record(config: Config, lane: int, size: int, appended: int) -> str:
    """Record the restore in the operator's history, and return what is to be told of that."""
    from vault.commands.recording import RestoredTooShortError, record_restore  # noqa: PLC0415
    from vault.domain.errors import VaultError  # noqa: PLC0415

    try:
        asyncio.run(record_restore(config, lane, size, appended))
    except (RestoredTooShortError, VaultError) as error:
        return f"The restore is not recorded in the operator's history: {error}"
    return "The operator's history says so."


def _key(config: Config, parts: ExitStack) -> bytes:
    from vault.configuration.config import KEYS_FILE  # noqa: PLC0415
    from vault.sealing.errors import KeyStoreError  # noqa: PLC0415
    from vault.sealing.keystore import tail_key  # noqa: PLC0415
    from vault.stores import open_keys  # noqa: PLC0415

    # Opening would make a new one, whose key authenticates nothing.
    if config.store.postgres is None and not (config.data / KEYS_FILE).exists():
        raise KeyStoreError(
            "There is no key store beside these events: put the deployment's there first."
        )
    return tail_key(open_keys(config, parts).secrets())
