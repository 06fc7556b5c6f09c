# SPDX-License-Identifier: Apache-2.0
"""Loss of power below the shipped event store, again and again, and the books of what it promised.

A machine's life is a chain of losses: what survives one is opened again, judged, and written to
until the next; what was unknown is sent again under its own request key. The store is
`SQLiteRecorder` under `Committer`, as it ships; only the disk is not real.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal, Protocol, TypeAlias
from unittest import mock

import apsw
from eventsourcing.persistence import IntegrityError, StoredEvent

from tests.faults.campaign import Campaign, Report
from tests.faults.power_disk import Disk, copied, drawn_life, mounted
from vault.store import sqlite_writer
from vault.store.append import Append, BatchResult, Payload
from vault.store.committer import Committer
from vault.store.errors import (
    AppendFailedError,
    CommitFailedError,
    StoreClosedError,
    StoreFileError,
)
from vault.store.record import entry_of
from vault.store.sqlite import SQLiteRecorder

LOSSES_OF_A_MACHINE: Final = 25
CHECKPOINT_BYTES: Final = 64 * 1024
"""Instead of 64 MiB, so that the log is moved into the database within a machine's short life."""
STREAMS: Final = 6

_FILE: Final = "events.db"
_ENTRIES: Final = """
SELECT position, stream, version, entry, request_key, topic, state
FROM entries LEFT JOIN records USING (lane, position) ORDER BY position
"""
_PAYLOADS: Final = "SELECT position, kind, content FROM payloads ORDER BY position, ordinal"
_STRAYS: Final = """
SELECT position FROM (SELECT lane, position FROM records UNION SELECT lane, position FROM payloads)
WHERE (lane, position) NOT IN (SELECT lane, position FROM entries)
"""

_SIZES: Final = (1, 80, 700, 6000)

_Row: TypeAlias = tuple[object, ...]


class Store(Protocol):
    """What is tried of an event store."""

    def insert_batch(self, batch: Sequence[Append]) -> BatchResult:
        """Store a batch."""

    def maintain(self, *, is_idle: bool) -> None:
        """Do upkeep."""

    def close(self) -> None:
        """Close it."""


Open: TypeAlias = Callable[[Path], Store]


@dataclass
class Try:
    """An append that was made, and what is known of it: that nothing was stored is `refused`."""

    append: Append
    outcome: Literal["acknowledged", "refused", "unknown"] = "unknown"
    first: int = 0

    def rows(self) -> dict[int, _Row]:
        """Return what it stores, by position."""
        append = self.append
        payloads = append.payloads or ((),) * len(append.events)
        keys = (append.request_key, *("" for _ in append.events[1:]))
        return {
            self.first + number: (
                *(event.originator_id, event.originator_version, entry_of(event.state)),
                *(key, event.topic, event.state, tuple((p.kind, p.content) for p in beside)),
            )
            for number, (event, beside, key) in enumerate(
                zip(append.events, payloads, keys, strict=True)
            )
        }


@dataclass
class Books:
    """How often power was lost, what was promised, and every promise that was not kept."""

    losses: int = 0
    acknowledged: int = 0
    unknown: int = 0
    stood: int = 0
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.acknowledged} acknowledged, {self.unknown} unknown of which {self.stood} stood"
        )

    def add(self, other: Books) -> None:
        """Add what another machine came to."""
        self.losses += other.losses
        self.acknowledged += other.acknowledged
        self.unknown += other.unknown
        self.stood += other.stood
        self.faults += other.faults


def run(losses: int, seed: object, open_store: Open = SQLiteRecorder) -> Books:
    """Let machines lose power so many times in all, and return what was found."""
    drawn = random.Random(f"power/{seed}")
    books = Books()
    with (
        tempfile.TemporaryDirectory(prefix="power-") as folder,
        mock.patch.object(sqlite_writer, "CHECKPOINT_BYTES", CHECKPOINT_BYTES),
    ):
        while books.losses < losses:
            machine = _Machine(Path(folder) / str(books.losses), drawn, open_store)
            books.add(asyncio.run(machine.live(min(LOSSES_OF_A_MACHINE, losses - books.losses))))
    return books


def campaign_of(run: Callable[[int, str], Books]) -> Campaign:
    """Return a campaign that runs round after round, each under a seed of its own."""

    def campaign(seconds: float, seed: str) -> Report:
        until, total = time.monotonic() + seconds, Books()
        while not total.losses or time.monotonic() < until:
            here = f"{seed}/{total.losses}"
            books = run(10 * LOSSES_OF_A_MACHINE, here)
            books.faults = [f"{fault} (seed {here!r})" for fault in books.faults]
            total.add(books)
        return Report(total.losses, "losses of power", total.faults, str(total))

    return campaign


campaign: Final = campaign_of(run)


class _Machine:
    """One machine, from its first start to its last loss of power."""

    def __init__(self, folder: Path, drawn: random.Random, open_store: Open) -> None:
        self._folder = folder
        self._drawn = drawn
        self._open = open_store
        self._books = Books()
        self._tries: dict[str, Try] = {}
        self._heads = dict.fromkeys((f"stream-{number}" for number in range(STREAMS)), 0)
        self._questions: list[Append] = []

    async def live(self, losses: int) -> Books:
        """Lose power so many times; the first start makes the store."""
        here = self._folder / "0"
        here.mkdir(parents=True, mode=0o700)
        for number in range(1, losses + 1):
            survivors = self._folder / str(number)
            lasts = drawn_life(self._drawn)
            # The disk is written to by another thread: its chances are its own.
            chances = random.Random(self._drawn.random())
            with mounted(here, chances, survivors=survivors, lasts=lasts) as disk:
                await self._write(here / _FILE, disk)
                disk.lose_power()
            shutil.rmtree(here)
            here = survivors
            self._books.losses += 1
            self._judge(here)
        return self._books

    async def _write(self, path: Path, disk: Disk) -> None:
        """Write until the power is lost, or until the store is closed in good order."""
        try:
            store = self._open(path)
        except StoreFileError:
            if not disk.is_off:
                raise
            return
        committer = Committer(store, on_fatal=lambda _: None)
        committer.start()
        rounds = self._drawn.choice((1, 3, 1000))
        questions, self._questions = self._questions, []
        callers = [self._append(committer, disk, stream, rounds) for stream in self._heads]
        await asyncio.gather(*(self._ask(committer, append) for append in questions))
        await asyncio.gather(*callers)
        await committer.close()
        if self._drawn.random() < 0.5:
            disk.lose_power()
        with suppress(apsw.Error):
            store.close()

    async def _ask(self, committer: Committer, append: Append) -> None:
        """Send once more what may have been stored."""
        await self._try(committer, _after(append, self._heads[_stream(append)]))

    async def _append(self, committer: Committer, disk: Disk, stream: str, rounds: int) -> None:
        for _ in range(rounds):
            if disk.is_off:
                return
            await self._try(committer, self._drawn_append(stream))

    async def _try(self, committer: Committer, append: Append) -> None:
        before = self._tries.get(append.request_key)
        now = await _tried(committer, append)
        if now.outcome == "unknown":
            self._books.unknown += 1
            self._questions.append(append)
        if before is not None and before.outcome == "acknowledged":
            if now.outcome == "acknowledged":
                self._fault("stored twice under one request key")
            return
        self._tries[append.request_key] = now
        if now.outcome == "acknowledged":
            self._books.acknowledged += 1
            self._heads[_stream(append)] += len(append.events)

    def _drawn_append(self, stream: str) -> Append:
        drawn = self._drawn
        # Now and then a decision on an old state, which the stream does not admit.
        first = max(1, self._heads[stream] + (1 if drawn.random() < 0.95 else 0))
        events = tuple(
            StoredEvent(stream, first + number, "happened.1", drawn.randbytes(drawn.choice(_SIZES)))
            for number in range(drawn.choice((1, 1, 1, 3)))
        )
        payloads = tuple(
            tuple(
                Payload(f"kind-{number}", drawn.randbytes(drawn.choice(_SIZES)))
                for number in range(drawn.randint(0, 2))
            )
            for _ in events
        )
        return Append(events, payloads, f"{drawn.getrandbits(64):016x}")

    def _judge(self, survivors: Path) -> None:
        """Open a copy as the product does, and compare what it holds with the books."""
        with copied(survivors) as copy:
            try:
                self._open(copy / _FILE).close()
                held, damage = _held(copy / _FILE)
            except (StoreFileError, apsw.Error) as error:
                self._fault(f"cannot be opened: {error}")
                return
        for found in damage:
            self._fault(found)
        self._compare(held)

    def _compare(self, held: dict[int, _Row]) -> None:
        if sorted(held) != list(range(len(held))):
            self._fault("positions are not dense")
        for stream in self._heads:
            versions = [row[1] for row in held.values() if row[0] == stream]
            self._heads[stream] = len(versions)
            if sorted(versions) != list(range(1, len(versions) + 1)):
                self._fault("the versions of a stream are not dense")
        places = {row[3]: position for position, row in held.items() if row[3]}
        for key, tried in list(self._tries.items()):
            if tried.outcome == "unknown":
                tried.outcome, tried.first = "refused", 0
                if key in places:
                    self._books.stood += 1
                    tried.outcome, tried.first = "acknowledged", places[key]
            if tried.outcome == "refused":
                # What is in its place is found below.
                continue
            expected = tried.rows()
            if {position: held.pop(position, None) for position in expected} != expected:
                self._fault(f"lost, halved or changed: {sorted(expected)}")
                del self._tries[key]
        if held:
            self._fault(f"nobody was told that this stands: {sorted(held)}")

    def _fault(self, found: str) -> None:
        self._books.faults.append(f"after {self._books.losses} losses: {found}")


async def _tried(committer: Committer, append: Append) -> Try:
    try:
        commit = await committer.append(append)
    except (AppendFailedError, StoreClosedError, IntegrityError):
        return Try(append, "refused")
    except CommitFailedError:
        return Try(append, "unknown")
    return Try(append, "acknowledged", commit.positions[0])


def _stream(append: Append) -> str:
    return str(append.events[0].originator_id)


def _after(append: Append, head: int) -> Append:
    """Return the same append as it is decided on a later state."""
    events = tuple(
        replace(event, originator_version=version)
        for version, event in enumerate(append.events, head + 1)
    )
    return replace(append, events=events)


def _held(path: Path) -> tuple[dict[int, _Row], list[str]]:
    """Return what a store holds, by position, and what is wrong with the file."""
    connection = apsw.Connection(str(path))
    try:
        payloads: dict[int, list[tuple[str, bytes]]] = {}
        for position, kind, content in connection.execute(_PAYLOADS):
            payloads.setdefault(position, []).append((kind, content))
        held = {
            position: (*row, tuple(payloads.get(position, ())))
            for position, *row in connection.execute(_ENTRIES)
        }
        said = [str(said) for (said,) in connection.execute("PRAGMA integrity_check")]
        strays = [position for (position,) in connection.execute(_STRAYS)]
    finally:
        connection.close()
    damage = [f"damaged: {each}" for each in said if each != "ok"]
    return held, damage + [f"without an entry: {strays}"] * bool(strays)
