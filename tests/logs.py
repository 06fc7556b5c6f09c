# SPDX-License-Identifier: Apache-2.0
"""What a log stands on, in memory: entries, a key store's rows of logs; and a log in a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, cast

from eventsourcing.persistence import Notification

from vault.log.folder import LogFolder
from vault.log.integrator import Integrator
from vault.log.witnesses import Witnesses
from vault.sealing.errors import LogConflictError
from vault.sealing.log import Log, new_log
from vault.store.append import StoredRecord
from vault.transparency import tree
from vault.transparency.checkpoint import Checkpoint
from vault.transparency.note import Note, Signer
from vault.transparency.policy import Policy
from vault.transparency.tiles import WIDTH, TileReader, bundles_between, parse_entries

ORIGIN: Final = "test/0"
NOBODY: Final = Policy()


def an_entry(number: int, history: str = "") -> bytes:
    """Return 65 bytes, different for each number and each history."""
    return f"{history}{number}".encode().rjust(65, b"\x01")


def root_of(entries: list[bytes]) -> bytes:
    """Return the root of the tree of these entries."""
    frontier = tree.Frontier()
    frontier.extend(map(tree.leaf_hash, entries))
    return frontier.root()


class Entries:
    """As much of a recorder as a log needs. `proven`: sizes up to which it was proven durable."""

    def __init__(self, count: int = 0, history: str = "") -> None:
        self.entries = [an_entry(number, history) for number in range(count)]
        self.incarnation = 0
        self.proven: list[int] = []

    def append(self, count: int = 1, history: str = "") -> None:
        """Append so many further entries."""
        first = len(self.entries)
        self.entries += [an_entry(number, history) for number in range(first, first + count)]

    def tree_size(self) -> int:
        """Return how many there are."""
        return len(self.entries)

    def select_entries(self, first: int, limit: int) -> list[bytes]:
        """Return entries from a position on."""
        return self.entries[first : first + limit]

    def select_range(self, first: int, end: int, *, limit: int) -> list[StoredRecord]:
        """Return records, of which a log needs the position."""
        found = self.entries[first:end][:limit]
        return [
            StoredRecord(first + n, "stream", 1, entry, "", None, None)
            for n, entry in enumerate(found)
        ]

    def select_notifications(self, _start: int, _limit: int) -> list[Notification]:
        """Return none, as if every record was deleted."""
        return []

    def prove_durable(self, record: StoredRecord) -> None:
        """Take note of it."""
        self.proven.append(record.position + 1)


class Keys:
    """As much of a key store as a log needs."""

    def __init__(self) -> None:
        self.log: Log | None = None

    def load_log(self, origin: str) -> Log | None:
        """Return the row of the one log."""
        assert origin == ORIGIN
        return self.log

    def store_log(self, origin: str, log: Log) -> Log:
        """Compare and set the row."""
        assert origin == ORIGIN
        if log.number != (self.log.number if self.log else 0):
            raise LogConflictError
        self.log = Log(log.number + 1, log.seed, log.size, log.root)
        return self.log


class ALog:
    """A log over entries and keys in memory, with its files in a folder."""

    def __init__(
        self, path: Path, entries: Entries | None = None, keys: Keys | None = None
    ) -> None:
        self.path = path
        self.entries = entries or Entries()
        self.keys = keys or Keys()
        self.keys.log = self.keys.log or Keys().store_log(ORIGIN, new_log())
        self.signer = Signer(ORIGIN, self.keys.log.seed)
        self.folder = LogFolder(path)
        self.pauses: list[float] = []
        self._witnesses: list[Witnesses] = []

    def close(self) -> None:
        """Ask no witness any more."""
        for witnesses in self._witnesses:
            witnesses.close()

    def integrator(self, policy: Policy = NOBODY) -> Integrator:
        """Return an integrator that has not begun."""
        self._witnesses.append(Witnesses(policy))
        return Integrator(
            self.signer,
            cast("Any", self.entries),
            cast("Any", self.keys),
            self.folder,
            self._witnesses[-1],
            pause=self.pauses.append,
        )

    def begun(self, policy: Policy = NOBODY) -> Integrator:
        """Return an integrator that has begun, as after a start of the process."""
        integrator = self.integrator(policy)
        integrator.begin()
        return integrator

    @property
    def note(self) -> Note:
        """Return what is published."""
        data = self.folder.checkpoint()
        assert data is not None
        return Note.parse(data)

    @property
    def published(self) -> Checkpoint | None:
        """Return the head that is published."""
        return Checkpoint.parse(self.note.text) if self.folder.checkpoint() else None

    def must_be_whole(self) -> None:
        """Check that what is published is the tree of the entries, and that its tiles are there."""
        checkpoint = self.published
        assert checkpoint is not None
        assert checkpoint.root == root_of(self.entries.entries[: checkpoint.size])
        self.note.verify([self.signer.verifier])
        must_be_served(self.folder.read, checkpoint, self.entries.entries)


def must_be_served(
    read: Callable[[str], bytes], checkpoint: Checkpoint, entries: list[bytes]
) -> None:
    """Check that every tile and every bundle of a checkpoint is there, and right."""
    reader = TileReader(read, checkpoint.size)
    assert tree.root_of(reader.nodes, checkpoint.size) == checkpoint.root
    assert list(reader.hashes(0, checkpoint.size)) == [
        tree.leaf_hash(entry) for entry in entries[: checkpoint.size]
    ]
    for tile in bundles_between(0, checkpoint.size):
        first = tile.index * WIDTH
        assert parse_entries(read(tile.path)) == tuple(entries[first : first + tile.width])
