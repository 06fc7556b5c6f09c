# SPDX-License-Identifier: Apache-2.0
"""The event store on SQLite: the contract, the library's own cases, and what only a file has."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import apsw
import pytest
from eventsourcing.persistence import (
    InfrastructureFactoryError,
)
from eventsourcing.tests import persistence

from tests.contracts.event_store import EventStoreContract, an_append, an_event
from vault.store import sqlite_file, sqlite_writer
from vault.store.append import Append, Payload
from vault.store.errors import (
    AppendFailedError,
    CommitFailedError,
    StoreClosedError,
    StoreFileError,
)
from vault.store.sqlite import SQLiteFactory, SQLiteRecorder
from vault.store.sqlite_file import APPLICATION_ID, FORMAT

FILE = "events.db"


def run_sql(path: Path, statement: str) -> list[tuple[object, ...]]:
    """Run SQL on a connection that is nothing but careful about triggers."""
    connection = apsw.Connection(str(path))
    try:
        connection.set_busy_timeout(5000)
        connection.execute("PRAGMA recursive_triggers = ON")
        return list(connection.execute(statement).fetchall())
    finally:
        connection.close()


class TestSQLiteRecorder(EventStoreContract):
    def open_store(self, place: Path, lane: int = 0) -> SQLiteRecorder:
        return SQLiteRecorder(place / FILE, lane=lane)

    def run_sql(self, place: Path, statement: str) -> None:
        run_sql(place / FILE, statement)

    def environment(self, place: Path) -> dict[str, str]:
        return {"PERSISTENCE_MODULE": "vault.store.sqlite", "SQLITE_DBNAME": str(place / FILE)}

    def test_killed_under_load_it_loses_nothing_it_acknowledged(self, place: Path) -> None:
        super().test_killed_under_load_it_loses_nothing_it_acknowledged(place)

        assert run_sql(place / FILE, "PRAGMA integrity_check") == [("ok",)]


class _LibraryCase:
    """What the library's test cases need to know of ours."""

    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path) -> Iterator[None]:
        self.path = tmp_path / FILE
        self.opened: list[SQLiteRecorder] = []
        yield
        for recorder in self.opened:
            recorder.close()

    def new_originator_id(self) -> str:
        return str(uuid4())

    def create_recorder(self) -> SQLiteRecorder:
        self.opened.append(SQLiteRecorder(self.path))
        return self.opened[-1]


class TestLibraryApplicationRecorder(
    _LibraryCase, persistence.ApplicationRecorderTestCase[SQLiteRecorder]
):
    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestLibraryNonInterleaving(_LibraryCase, persistence.NonInterleavingNotificationIDsBaseCase):
    pass


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / FILE


@pytest.fixture
def recorder(path: Path) -> Iterator[SQLiteRecorder]:
    recorder = SQLiteRecorder(path, patience_seconds=0.1)
    yield recorder
    recorder.close()


# --- The file


def test_files_are_their_owners_alone(recorder: SQLiteRecorder, path: Path) -> None:
    recorder.insert_batch([an_append("a", 1)])
    recorder.tree_size()

    modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}

    assert modes == {FILE: 0o600, f"{FILE}-wal": 0o600, f"{FILE}-shm": 0o600}


def test_a_file_that_others_may_read_is_refused(path: Path) -> None:
    SQLiteRecorder(path).close()
    path.chmod(0o640)

    with pytest.raises(StoreFileError, match="chmod 600"):
        SQLiteRecorder(path)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE something (else_ TEXT)",
        "PRAGMA application_id = 42",
        "PRAGMA user_version = 7",
    ],
)
def test_a_database_of_something_else_is_refused_untouched(path: Path, statement: str) -> None:
    run_sql(path, statement)
    path.chmod(0o600)
    before = path.read_bytes()

    with pytest.raises(StoreFileError, match="something else"):
        SQLiteRecorder(path)

    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused_untouched(path: Path) -> None:
    path.write_bytes(b"a letter to the council" * 100)
    path.chmod(0o600)

    with pytest.raises(StoreFileError, match="not a database"):
        SQLiteRecorder(path)

    assert path.read_bytes() == b"a letter to the council" * 100


def test_a_store_of_a_newer_program_is_refused_untouched(path: Path) -> None:
    SQLiteRecorder(path).close()
    run_sql(path, f"PRAGMA user_version = {FORMAT + 1}")
    before = path.read_bytes()

    with pytest.raises(StoreFileError, match="newer program"):
        SQLiteRecorder(path)

    assert path.read_bytes() == before


def test_a_folder_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StoreFileError, match="cannot be opened"):
        SQLiteRecorder(tmp_path / "nowhere" / FILE)


def test_the_file_says_what_it_is(recorder: SQLiteRecorder, path: Path) -> None:
    recorder.insert_batch([an_append("a", 1)])

    assert run_sql(path, "PRAGMA application_id") == [(APPLICATION_ID,)]
    assert run_sql(path, "PRAGMA user_version") == [(FORMAT,)]


def test_commit_is_on_the_disk_and_the_triggers_see_everything(recorder: SQLiteRecorder) -> None:
    writer = recorder._writer._connection  # noqa: SLF001

    assert writer.pragma("journal_mode") == "wal"
    assert writer.pragma("synchronous") == 2
    assert writer.pragma("secure_delete") == 1
    assert writer.pragma("recursive_triggers") == 1


def test_a_setting_that_sqlite_does_not_take_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "_WRITER_SETTINGS", (("synchronous", "NORMAL", 2),))

    with pytest.raises(StoreFileError, match="synchronous = 1"):
        SQLiteRecorder(path)


def test_many_may_make_the_same_store_at_once(path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        recorders = list(threads.map(lambda _: SQLiteRecorder(path), range(8)))

    for version, recorder in enumerate(recorders, 1):
        assert recorder.insert_batch([an_append("a", version)]).verdicts == ((version - 1,),)
        recorder.close()


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT OR REPLACE INTO entries VALUES (0, 0, 'b', 1, zeroblob(65), '')",
        "INSERT OR REPLACE INTO entries VALUES (0, 9, 'a', 1, zeroblob(65), '')",
        "INSERT OR REPLACE INTO records SELECT lane, position, topic, x'00' FROM records",
        "INSERT OR REPLACE INTO payloads SELECT lane, position, ordinal, kind, x'00' FROM payloads",
    ],
)
def test_insert_or_replace_changes_nothing(
    recorder: SQLiteRecorder, path: Path, statement: str
) -> None:
    recorder.insert_batch([Append((an_event("a", 1),), ((Payload("evidence", b"sealed"),),))])
    before = recorder.select_records("a", limit=9), recorder.select_payloads("a", 1)

    with pytest.raises(apsw.ConstraintError, match=r"never deleted|precede their entry"):
        run_sql(path, statement)

    assert (recorder.select_records("a", limit=9), recorder.select_payloads("a", 1)) == before


# --- Reading beside writing


def test_reads_wait_for_no_writer(recorder: SQLiteRecorder, path: Path) -> None:
    recorder.insert_batch([an_append("a", 1)])
    other = apsw.Connection(str(path))
    try:
        other.execute("BEGIN IMMEDIATE")

        assert len(recorder.select_events("a")) == 1
    finally:
        other.close()


def test_more_threads_than_connections_can_read(recorder: SQLiteRecorder) -> None:
    recorder.insert_batch([an_append("a", 1)])

    with ThreadPoolExecutor(16) as threads:
        sizes = list(threads.map(lambda _: recorder.tree_size(), range(200)))

    assert sizes == [1] * 200


# --- The write-ahead log


def log_frames(path: Path) -> tuple[int, int]:
    """Return (frames in the log, frames moved into the database)."""
    connection = apsw.Connection(str(path))
    try:
        # A connection knows of the log once it has read.
        connection.execute("SELECT * FROM entries").fetchall()
        return connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
    finally:
        connection.close()


def test_the_log_is_moved_into_the_database_when_idle(recorder: SQLiteRecorder, path: Path) -> None:
    recorder.insert_batch([an_append("a", 1)])

    recorder.maintain(is_idle=False)
    before = log_frames(path)
    recorder.maintain(is_idle=True)
    after = log_frames(path)

    assert before[1] == 0
    assert after[1] == after[0] == before[0] > 0


def test_a_large_log_is_moved_however_busy_the_writer(
    recorder: SQLiteRecorder, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_writer, "CHECKPOINT_BYTES", 100_000)
    recorder._writer._checkpoint_above = 100_000  # noqa: SLF001

    for version in range(1, 200):
        recorder.insert_events([an_event("a", version, bytes(1000))])

    # Each time it was moved, the next commit began it anew.
    assert (path.parent / f"{FILE}-wal").stat().st_size < 200_000


def test_a_reader_of_an_old_state_holds_up_nothing(
    recorder: SQLiteRecorder, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_writer, "CHECKPOINT_BYTES", 100_000)
    recorder._writer._checkpoint_above = 100_000  # noqa: SLF001
    recorder.insert_batch([an_append("a", 1)])
    old = apsw.Connection(str(path))
    try:
        old.execute("BEGIN")
        assert old.execute("SELECT count(*) FROM entries").get == 1

        for version in range(2, 200):
            recorder.insert_events([an_event("a", version, bytes(1000))])

        assert old.execute("SELECT count(*) FROM entries").get == 1
    finally:
        old.close()


# --- Failures


def test_a_full_disk_before_commit_stores_nothing_and_passes(recorder: SQLiteRecorder) -> None:
    recorder.insert_batch([an_append("a", 1)])
    writer = recorder._writer._connection  # noqa: SLF001
    pages = writer.pragma("page_count")
    writer.execute(f"PRAGMA max_page_count = {pages}").fetchall()
    large = Append((an_event("a", 2, bytes(100_000)),), request_key="key")

    with pytest.raises(AppendFailedError):
        recorder.insert_batch([an_append("b", 1), large])
    writer.execute("PRAGMA max_page_count = 1000000").fetchall()
    verdicts = recorder.insert_batch([large]).verdicts

    assert verdicts == ((1,),)
    assert recorder.select_events("b") == []


def test_a_writer_that_never_ends_elsewhere_stores_nothing_and_passes(
    recorder: SQLiteRecorder, path: Path
) -> None:
    other = apsw.Connection(str(path))
    try:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(AppendFailedError):
            recorder.insert_batch([an_append("a", 1)])
    finally:
        other.close()

    assert recorder.insert_batch([an_append("a", 1)]).verdicts == ((0,),)


class _FailingDisk(apsw.VFS):
    """A disk whose fsync fails once it is told to."""

    def __init__(self) -> None:
        self.fails = False
        self.name = "failing-disk"
        super().__init__(self.name, "unix", makedefault=True)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        return _FailingFile(self, name, flags)


class _FailingFile(apsw.VFSFile):
    def __init__(
        self, disk: _FailingDisk, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> None:
        super().__init__("unix", name, flags)
        self.disk = disk

    def xSync(self, flags: int) -> None:  # noqa: N802
        if self.disk.fails:
            raise apsw.IOError
        super().xSync(flags)


def test_after_a_failed_commit_nothing_is_appended_until_reopened(path: Path) -> None:
    disk = _FailingDisk()
    try:
        recorder = SQLiteRecorder(path)
        recorder.insert_batch([an_append("a", 1)])
        disk.fails = True

        with pytest.raises(CommitFailedError):
            recorder.insert_batch([an_append("a", 2)])
        disk.fails = False
        with pytest.raises(StoreClosedError):
            recorder.insert_batch([an_append("a", 2)])
        recorder.close()
    finally:
        disk.unregister()

    reopened = SQLiteRecorder(path)
    versions = [record.version for record in reopened.select_records("a", limit=9)]
    reopened.close()
    assert versions in ([1], [1, 2])


# --- The factory


def test_the_factory_needs_a_path() -> None:
    with pytest.raises(InfrastructureFactoryError, match="SQLITE_DBNAME"):
        SQLiteFactory({})
