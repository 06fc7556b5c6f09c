# SPDX-License-Identifier: Apache-2.0
"""Power lost again and again below the stores: nothing acknowledged is lost, nothing is half there.

The shipped stores run on a disk that loses what was not synced; see `power_disk.py`.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from unittest import mock

import apsw
import pytest

from tests.contracts.event_store import an_event
from tests.faults import power, power_keys
from tests.faults.campaign import new_seed
from tests.faults.power_disk import ENDLESS, Disk, PowerLostError, mounted
from vault.sealing import sqlite as key_store
from vault.store import sqlite_file
from vault.store.append import Append, BatchResult
from vault.store.errors import StoreFileError
from vault.store.sqlite import SQLiteRecorder

SEED = new_seed()
EVENT_STORE_LOSSES = 1_500
KEY_STORE_LOSSES = 400
SHOWN_LOSSES = 50
"""Enough for a fault to show in many of them."""
CONTENT = random.Random(1).randbytes(9000)

pytestmark = pytest.mark.timeout(180)


def test_the_event_store_keeps_what_it_acknowledged() -> None:
    books = power.run(EVENT_STORE_LOSSES, SEED)

    assert books.faults == [], f"seed {SEED!r}: {books}"
    # Else it says nothing.
    assert books.acknowledged > EVENT_STORE_LOSSES
    assert 0 < books.stood < books.unknown


def test_the_key_store_keeps_what_it_acknowledged() -> None:
    books = power_keys.run(KEY_STORE_LOSSES, SEED)

    assert books.faults == [], f"seed {SEED!r}: {books}"
    # About as many as losses: many a life ends while the store is being opened.
    assert books.acknowledged > KEY_STORE_LOSSES // 2
    assert 0 < books.stood < books.unknown


# --- Without the protection it shows


def test_an_event_store_that_syncs_no_commit_is_found_out() -> None:
    settings = _without_sync(sqlite_file._WRITER_SETTINGS, 1)  # noqa: SLF001

    with mock.patch.object(sqlite_file, "_WRITER_SETTINGS", settings):
        books = power.run(SHOWN_LOSSES, SEED)

    assert any("lost" in fault for fault in books.faults), f"seed {SEED!r}: {books}"


def test_a_key_store_that_syncs_no_commit_is_found_out() -> None:
    settings = _without_sync(key_store._WRITER_SETTINGS, 1)  # noqa: SLF001

    with mock.patch.object(key_store, "_WRITER_SETTINGS", settings):
        books = power_keys.run(SHOWN_LOSSES, SEED)

    assert any("not as it was left" in fault for fault in books.faults), f"seed {SEED!r}: {books}"


def test_a_recorder_that_answers_before_its_commit_is_found_out() -> None:
    books = power.run(SHOWN_LOSSES, SEED, _HastyRecorder)

    assert any("lost" in fault for fault in books.faults), f"seed {SEED!r}: {books}"


def test_a_recorder_that_stores_an_append_in_halves_is_found_out() -> None:
    books = power.run(4 * SHOWN_LOSSES, SEED, _HalvingRecorder)

    assert any("halved" in fault for fault in books.faults), f"seed {SEED!r}: {books}"


class _HastyRecorder(SQLiteRecorder):
    """Answers each batch at once, and writes it when the next one comes."""

    _waiting: Sequence[Append] = ()

    def insert_batch(self, batch: Sequence[Append]) -> BatchResult:
        if self._waiting:
            super().insert_batch(self._waiting)
        self._waiting = batch
        positions = iter(range(self.tree_size(), 1 << 62))
        verdicts = tuple(tuple(next(positions) for _ in each.events) for each in batch)
        return BatchResult(verdicts, 0.0)


class _HalvingRecorder(SQLiteRecorder):
    """Stores each event in a transaction of its own."""

    def insert_batch(self, batch: Sequence[Append]) -> BatchResult:
        verdicts: list[Any] = []
        for append in batch:
            verdict: Any = ()
            for number, event in enumerate(append.events):
                key = "" if number else append.request_key
                one = Append((event,), append.payloads[number : number + 1], key)
                (stored,) = super().insert_batch([one]).verdicts
                verdict = verdict + stored if isinstance(stored, tuple) else stored
            verdicts.append(verdict)
        return BatchResult(tuple(verdicts), 0.0)


def _without_sync(settings: Any, level: int) -> Any:
    return tuple(
        (name, str(level), level) if name == "synchronous" else (name, value, expected)
        for name, value, expected in settings
    )


# --- What a killed process left behind


@pytest.mark.parametrize("opened_again", [True, False])
def test_a_commit_that_a_killed_process_did_not_sync_is_synced_when_the_store_is_opened(
    tmp_path: Path, *, opened_again: bool
) -> None:
    """Else a retry that finds it would acknowledge what the next loss of power takes away."""

    def write(path: Path, disk: Disk) -> None:
        with suppress(PowerLostError), closing(SQLiteRecorder(path)) as killed:
            killed._writer._connection.execute("PRAGMA synchronous = OFF")  # noqa: SLF001
            killed.insert_batch([Append((an_event("a", 1, CONTENT),))])
            if opened_again:
                with suppress(PowerLostError), closing(SQLiteRecorder(path)) as restarted:
                    assert restarted.tree_size() == 1
                    disk.lose_power()
            disk.lose_power()

    def is_whole(path: Path) -> bool:
        try:
            with closing(SQLiteRecorder(path)) as found:
                return [event.state for event in found.select_events("a")] == [CONTENT]
        except (apsw.Error, StoreFileError):
            return False

    assert _fates(tmp_path, write, is_whole) == ({True} if opened_again else {True, False})


# --- The disk itself


def _fates(
    folder: Path, write: Callable[[Path, Disk], None], is_whole: Callable[[Path], bool]
) -> set[bool]:
    """Say whether what is written is whole after a loss of power: always, never, or at times."""
    found = set()
    for seed in range(60):
        here, survivors = folder / f"{seed}", folder / f"{seed} later"
        here.mkdir()
        with mounted(here, random.Random(seed), survivors=survivors, lasts=ENDLESS) as disk:
            write(here / "thing", disk)
        found.add(is_whole(survivors / "thing"))
    return found


@pytest.mark.parametrize(
    ("synchronous", "fates"), [("FULL", {True}), ("NORMAL", {True, False}), ("OFF", {True, False})]
)
def test_what_sqlite_does_not_sync_may_be_gone(
    tmp_path: Path, synchronous: str, fates: set[bool]
) -> None:
    def write(path: Path, disk: Disk) -> None:
        # Closing it would sync.
        with suppress(PowerLostError), closing(apsw.Connection(str(path))) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {synchronous}")
            connection.execute("CREATE TABLE things (content BLOB)")
            connection.execute("INSERT INTO things VALUES (?)", (CONTENT,))
            disk.lose_power()

    def is_whole(path: Path) -> bool:
        try:
            with closing(apsw.Connection(str(path))) as connection:
                return connection.execute("SELECT content FROM things").get == CONTENT
        except apsw.Error:
            return False

    assert _fates(tmp_path, write, is_whole) == fates


@pytest.mark.parametrize(("syncs_folder", "fates"), [(True, {True}), (False, {True, False})])
def test_a_name_may_be_gone_if_its_folder_is_not_synced(
    tmp_path: Path, *, syncs_folder: bool, fates: set[bool]
) -> None:
    def write(path: Path, disk: Disk) -> None:
        with path.open("wb") as file:
            os.fsync(file.fileno())
        if syncs_folder:
            folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
            os.fsync(folder)
            os.close(folder)
        disk.lose_power()

    assert _fates(tmp_path, write, Path.exists) == fates


def test_nothing_is_written_without_power(tmp_path: Path) -> None:
    with (
        mounted(tmp_path, random.Random(1), survivors=tmp_path / "later", lasts=ENDLESS) as disk,
        closing(apsw.Connection(str(tmp_path / "thing"))) as connection,
    ):
        connection.execute("CREATE TABLE things (content BLOB)")
        disk.lose_power()

        with pytest.raises(PowerLostError):
            connection.execute("INSERT INTO things VALUES (?)", (CONTENT,))
