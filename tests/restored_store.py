# SPDX-License-Identifier: Apache-2.0
"""An event store on SQLite behind whose recorder another file can be put, as a restore does.

`PERSISTENCE_MODULE=tests.restored_store`, otherwise as `vault.store.sqlite`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vault.store.append import Append, BatchResult
from vault.store.errors import AppendFailedError
from vault.store.recorder import RecorderFactory
from vault.store.sqlite import SQLiteRecorder


class RestorableRecorder(SQLiteRecorder):
    """A recorder whose database may be lost and found again."""

    _incarnation = 0

    @property
    def incarnation(self) -> int:
        """See `Recorder`."""
        return self._incarnation

    def insert_batch(self, batch: Sequence[Append]) -> BatchResult:
        """See `Recorder`."""
        if any(append.incarnation not in (None, self._incarnation) for append in batch):
            raise AppendFailedError
        return super().insert_batch(batch)

    def restore(self, path: Path) -> None:
        """Go on with another file."""
        fresh = SQLiteRecorder(path, lane=self._lane)
        readers, writer = self._readers, self._writer
        self._readers, self._writer = fresh._readers, fresh._writer  # noqa: SLF001
        self._incarnation += 1
        readers.close()
        writer.close()


class RestorableFactory(RecorderFactory[RestorableRecorder]):
    """Makes an application's recorder."""

    database = "SQLite"

    def open_recorder(self) -> RestorableRecorder:
        """Open the file that the environment names."""
        lane = int(self.env.get("SQLITE_LANE") or "0")
        return RestorableRecorder(str(self.env.get("SQLITE_DBNAME")), lane=lane)
