# SPDX-License-Identifier: Apache-2.0
"""The log's integrator over a store on SQLite: entries come, and each round is signed.

python -m tests.benchmarks.integrate FOLDER SECONDS
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, cast
from uuid import uuid4

from vault.log.folder import LogFolder
from vault.log.integrator import Integrator, draw_log
from vault.log.witnesses import Witnesses
from vault.sealing.sqlite import SQLiteKeyStore
from vault.sealing.wrapper import FileKeyWrapper, create_key_file
from vault.store.append import StoredRecord
from vault.store.sqlite import SQLiteRecorder
from vault.store.sqlite_file import open_writer
from vault.transparency.note import Signer
from vault.transparency.policy import Policy

ORIGIN: Final = "bench/0"
ROUND: Final = 4_000
"""Entries a round: what 16,000 appends a second make between two looks of the log."""
_PAGE: Final = 50_000


class Growing:
    """A recorder in which entries come to sight round by round, as they would be appended."""

    incarnation = 0

    def __init__(self, recorder: SQLiteRecorder) -> None:
        self._recorder = recorder
        self.size = 0

    def tree_size(self) -> int:
        """Return how many are in sight, and ask the store, as the real one does."""
        return min(self.size, self._recorder.tree_size())

    def select_entries(self, first: int, limit: int) -> Sequence[bytes]:
        """Return entries."""
        return self._recorder.select_entries(first, limit)

    def select_range(self, first: int, end: int, *, limit: int) -> Sequence[StoredRecord]:
        """Return records."""
        return self._recorder.select_range(first, end, limit=limit)

    def prove_durable(self, record: StoredRecord) -> None:
        """Prove it."""
        self._recorder.prove_durable(record)


def integrate(folder: Path, seconds: float) -> dict[str, Any]:
    """Integrate, write, sign and publish for so long, and return leaves a second."""
    recorder = SQLiteRecorder(folder / "events.db")
    store = Growing(recorder)
    create_key_file(folder / "kek")
    keys = SQLiteKeyStore(folder / "keys.db", FileKeyWrapper(folder / "kek"))
    signer = Signer(ORIGIN, draw_log(keys, ORIGIN).seed)
    witnesses = Witnesses(Policy())
    integrator = Integrator(
        signer,
        cast("Any", store),
        keys,
        LogFolder(folder / "log" / "0"),
        witnesses,
        pause=time.sleep,
    )
    integrator.begin()
    spent = processor = 0.0
    while spent < seconds:
        if store.size + ROUND > recorder.tree_size():
            _fill(folder / "events.db", recorder.tree_size(), _PAGE)
        store.size += ROUND
        began, used = time.perf_counter(), time.process_time()
        integrator.go_on()
        spent += time.perf_counter() - began
        processor += time.process_time() - used
    published = integrator.published
    if published is None or published.checkpoint.size != store.size:
        raise RuntimeError("not everything was published")
    witnesses.close()
    keys.close()
    recorder.close()
    return {
        "rate": store.size / spent,
        "leaves": store.size,
        "checkpoints": store.size // ROUND,
        "cpu_us_each": processor / store.size * 1e6,
    }


def _fill(path: Path, first: int, count: int) -> None:
    """Have the store hold so many further entries."""
    connection = open_writer(path, 5.0)
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(
        "INSERT INTO entries VALUES (0, ?, ?, 1, ?, '')",
        ((first + n, str(uuid4()), b"\x01" + os.urandom(64)) for n in range(count)),
    )
    connection.execute("COMMIT")
    connection.close()


if __name__ == "__main__":
    _folder, _seconds = sys.argv[1:]
    json.dump(integrate(Path(_folder), float(_seconds)), sys.stdout)
