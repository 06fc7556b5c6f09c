# SPDX-License-Identifier: Apache-2.0
"""The key store on SQLite: the contract, and what is left in its files."""

import base64
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from random import Random

import apsw
import pytest

from tests.contracts.key_store import (
    IDENTITY,
    ISSUER,
    ORIGIN,
    OTHER_IDENTITY,
    OTHER_STREAM,
    STREAM,
    KeyStoreContract,
)
from vault.sealing.envelope import new_key
from vault.sealing.errors import KeyRemnantError, KeyStoreError, SealError
from vault.sealing.keyring import Keyring, new_keyring
from vault.sealing.log import new_log
from vault.sealing.sqlite import SQLiteKeyStore
from vault.sealing.wrapper import FileKeyWrapper, create_key_file

Open = Callable[[], SQLiteKeyStore]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.sqlite"


@pytest.fixture
def wrapper(tmp_path: Path) -> FileKeyWrapper:
    create_key_file(tmp_path / "wrapping.key")
    return FileKeyWrapper(tmp_path / "wrapping.key")


@pytest.fixture
def open_store(path: Path, wrapper: FileKeyWrapper) -> Iterator[Open]:
    opened = []

    def open_one() -> SQLiteKeyStore:
        opened.append(SQLiteKeyStore(path, wrapper))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: Open) -> SQLiteKeyStore:
    return open_store()


@pytest.fixture
def database(path: Path, store: SQLiteKeyStore) -> Iterator[apsw.Connection]:
    """Stand where a database administrator stands."""
    assert store.load_keyring("none") is None
    connection = apsw.Connection(str(path))
    connection.pragma("secure_delete", "ON")
    yield connection
    connection.close()


class TestSQLiteKeyStore(KeyStoreContract):
    @pytest.fixture
    def open_store(self, open_store: Open) -> Open:
        return open_store

    @pytest.fixture
    def named(self, tmp_path: Path, path: Path) -> list[str]:
        return [str(tmp_path / "wrapping.key"), "sqlite", str(path)]


def files_of(path: Path) -> bytes:
    """Return what stands in the database's own files: the file, its log, its index of the log."""
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))


def sealed_row(database: apsw.Connection, stream: str) -> tuple[bytes, bytes]:
    columns = "SELECT wrapped_key, sealed FROM keyrings WHERE stream = ?"
    ((wrapped_key, sealed),) = database.execute(columns, (stream,)).fetchall()
    assert isinstance(wrapped_key, bytes)
    assert isinstance(sealed, bytes)
    return wrapped_key, sealed


def of_the_first_form(path: Path, open_store: Open) -> Keyring:
    """Make a file as it was before there were floors, and return the keyring in it."""
    store = open_store()
    keyring = store.store_keyring(STREAM, new_keyring())
    store.close()
    with closing(apsw.Connection(str(path))) as database:
        database.execute("DROP TABLE floors; DROP TABLE logs")
        database.pragma("user_version", 1)
    return keyring


def version_of(path: Path) -> int:
    with closing(apsw.Connection(str(path))) as database:
        return int(database.pragma("user_version"))


class TestFiles:
    def test_all_files_are_for_their_owner_alone(self, path: Path, store: SQLiteKeyStore) -> None:
        store.add_identity(ISSUER, "sub", IDENTITY)

        modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.glob("keys*")}

        assert modes == {"keys.sqlite": 0o600, "keys.sqlite-wal": 0o600, "keys.sqlite-shm": 0o600}

    def test_a_rewritten_row_is_nowhere(
        self, path: Path, store: SQLiteKeyStore, database: apsw.Connection
    ) -> None:
        keyring = store.store_keyring(STREAM, new_keyring().with_evidence_key("e", 1, new_key()))
        wrapped_key, sealed = sealed_row(database, STREAM)

        store.store_keyring(STREAM, keyring.without_evidence("e"))

        assert wrapped_key not in files_of(path)
        assert sealed not in files_of(path)

    def test_a_deleted_row_is_nowhere(
        self, path: Path, store: SQLiteKeyStore, database: apsw.Connection
    ) -> None:
        store.store_keyring(STREAM, new_keyring())
        wrapped_key, sealed = sealed_row(database, STREAM)

        store.delete_keyring(STREAM)

        assert wrapped_key not in files_of(path)
        assert sealed not in files_of(path)

    def test_what_a_crash_left_in_the_log_is_gone_after_opening(
        self, path: Path, store: SQLiteKeyStore, database: apsw.Connection, open_store: Open
    ) -> None:
        store.store_keyring(STREAM, new_keyring())
        wrapped_key, _ = sealed_row(database, STREAM)
        database.execute("DELETE FROM keyrings")
        assert wrapped_key in files_of(path)

        open_store()

        assert wrapped_key not in files_of(path)

    def test_no_old_row_is_left_among_many(
        self, path: Path, store: SQLiteKeyStore, database: apsw.Connection
    ) -> None:
        """Rows of all sizes, so that pages split, merge and spill over while rows move."""
        random = Random(7)
        keyrings: dict[str, Keyring] = {}
        old: list[bytes] = []
        for _ in range(300):
            stream = f"stream-{random.randrange(40)}"
            if stream in keyrings:
                old.append(sealed_row(database, stream)[0])
            keyring = keyrings.pop(stream, new_keyring())
            if random.random() < 0.2 and keyring.number:
                store.delete_keyring(stream)
                continue
            for _ in range(random.randrange(20)):
                keyring = keyring.with_evidence_key(f"e-{random.random()}", 1, new_key())
            if random.random() < 0.3:
                keyring = Keyring(keyring.number, keyring.history, {}, {})
            keyrings[stream] = store.store_keyring(stream, keyring)

        everything = files_of(path)

        assert [row for row in old if row in everything] == []

    def test_row_keys_stand_outside_the_tree_whose_pages_keep_copies(
        self, path: Path, store: SQLiteKeyStore, database: apsw.Connection
    ) -> None:
        store.store_keyring(STREAM, new_keyring())
        store.add_identity(ISSUER, "sub", IDENTITY)
        database.pragma("wal_checkpoint", "TRUNCATE")
        file = path.read_bytes()
        rows = database.execute(
            "SELECT wrapped_key FROM keyrings UNION ALL SELECT wrapped_key FROM identities"
        )

        pages = [
            {position // 512 + 1 for position in (start, start + len(wrapped_key) - 1)}
            for (wrapped_key,) in rows
            if (start := file.index(wrapped_key))
        ]

        overflow = {
            page
            for (page,) in database.execute("SELECT pageno FROM dbstat WHERE pagetype = 'overflow'")
        }
        assert len(pages) == 2
        assert all(page <= overflow for page in pages)

    def test_no_key_is_readable_in_any_file(self, path: Path, store: SQLiteKeyStore) -> None:
        key = new_key()
        keyring = store.store_keyring(STREAM, new_keyring().with_evidence_key("e-1", 1, key))
        secrets = [key.secret, keyring.history.secret, store.secrets().request_key]
        forms = [
            form
            for secret in secrets
            for form in (
                secret,
                secret.hex().encode(),
                base64.b64encode(secret)[:42],
                base64.urlsafe_b64encode(secret)[:42],
            )
        ]

        everything = files_of(path) + (path.parent / "wrapping.key").read_bytes()

        assert [form for form in forms if form in everything] == []

    def test_who_somebody_is_stands_in_no_file(self, path: Path, store: SQLiteKeyStore) -> None:
        store.add_identity(ISSUER, "sub-canary", IDENTITY)
        store.add_subject("service-canary", "subject-canary", STREAM)

        everything = files_of(path)

        assert b"canary" not in everything
        assert IDENTITY.vault_id.encode() not in everything

    def test_a_reader_that_keeps_an_old_row_is_said(
        self, path: Path, wrapper: FileKeyWrapper, store: SQLiteKeyStore, database: apsw.Connection
    ) -> None:
        keyring = store.store_keyring(STREAM, new_keyring())
        impatient = SQLiteKeyStore(path, wrapper, patience_seconds=0.05)
        database.execute("BEGIN")
        wrapped_key, _ = sealed_row(database, STREAM)

        with pytest.raises(KeyRemnantError, match="another program reads"):
            impatient.store_keyring(STREAM, keyring)

        assert wrapped_key in files_of(path)
        database.execute("COMMIT")
        impatient.delete_keyring(OTHER_STREAM)
        assert wrapped_key not in files_of(path)
        impatient.close()


class TestRows:
    def test_a_keyring_copied_over_another_citizens_does_not_open(
        self, store: SQLiteKeyStore, database: apsw.Connection
    ) -> None:
        store.store_keyring(STREAM, new_keyring())
        store.store_keyring(OTHER_STREAM, new_keyring())

        database.execute(
            "UPDATE keyrings SET (epoch, wrapped_key, sealed) ="
            " (SELECT epoch, wrapped_key, sealed FROM keyrings WHERE stream = ?) WHERE stream = ?",
            (STREAM, OTHER_STREAM),
        )

        with pytest.raises(SealError):
            store.load_keyring(OTHER_STREAM)

    def test_a_keyring_with_another_number_does_not_open(
        self, store: SQLiteKeyStore, database: apsw.Connection
    ) -> None:
        store.store_keyring(STREAM, new_keyring())

        database.execute("UPDATE keyrings SET number = 2")

        with pytest.raises(SealError):
            store.load_keyring(STREAM)

    def test_an_identity_copied_over_another_does_not_open(
        self, store: SQLiteKeyStore, database: apsw.Connection
    ) -> None:
        store.add_identity(ISSUER, "mair", IDENTITY)
        before = database.execute("SELECT name FROM identities").fetchall()[0][0]
        store.add_identity(ISSUER, "mallory", OTHER_IDENTITY)

        database.execute(
            "UPDATE identities SET (epoch, wrapped_key, sealed) ="
            " (SELECT epoch, wrapped_key, sealed FROM identities WHERE name = ?) WHERE name <> ?",
            (before, before),
        )

        with pytest.raises(SealError):
            store.find_identity(ISSUER, "mallory")

    def test_a_rewritten_keyring_has_a_new_row_key(
        self, store: SQLiteKeyStore, database: apsw.Connection
    ) -> None:
        keyring = store.store_keyring(STREAM, new_keyring())
        first = sealed_row(database, STREAM)

        store.store_keyring(STREAM, keyring)

        second = sealed_row(database, STREAM)
        assert first[0] != second[0]
        assert first[1] != second[1]


class TestOpening:
    @pytest.mark.parametrize("mode", [0o640, 0o604])
    def test_a_file_open_to_others_is_refused(
        self, path: Path, open_store: Open, mode: int
    ) -> None:
        open_store().close()
        path.chmod(mode)

        with pytest.raises(KeyStoreError, match="open to group or others"):
            open_store()

    def test_another_programs_database_is_refused_and_left_alone(
        self, path: Path, open_store: Open
    ) -> None:
        other = apsw.Connection(str(path))
        other.execute("CREATE TABLE events (id INTEGER)")
        other.close()
        path.chmod(0o600)
        before = path.read_bytes()

        with pytest.raises(KeyStoreError, match="not a key store"):
            open_store()

        assert path.read_bytes() == before

    @pytest.mark.parametrize("comes_from_the_first_form", [False, True])
    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE floors SET version = 6",
            "UPDATE floors SET stream = 'x'",
            "DELETE FROM floors",
        ],
    )
    def test_nobody_lowers_a_floor(
        self, path: Path, open_store: Open, statement: str, *, comes_from_the_first_form: bool
    ) -> None:
        if comes_from_the_first_form:
            of_the_first_form(path, open_store)
        store = open_store()
        store.raise_floor(STREAM, 7)
        store.raise_floor(STREAM, 3)

        with (
            closing(apsw.Connection(str(path))) as database,
            pytest.raises(apsw.ConstraintError, match="never"),
        ):
            database.execute(statement)

        assert store.floor(STREAM) == 7

    def test_a_newer_form_is_refused(self, path: Path, open_store: Open) -> None:
        open_store().close()
        newer = apsw.Connection(str(path))
        newer.pragma("user_version", 4)
        newer.close()

        with pytest.raises(KeyStoreError, match="has the form 4"):
            open_store()

    def test_a_file_of_the_first_form_is_brought_up_and_loses_nothing(
        self, path: Path, open_store: Open
    ) -> None:
        keyring = of_the_first_form(path, open_store)

        store = open_store()

        store.raise_floor(STREAM, 7)
        assert store.load_keyring(STREAM) == keyring
        assert (store.floor(STREAM), open_store().floor(STREAM)) == (7, 7)
        assert version_of(path) == 3

    def test_a_file_of_the_second_form_is_brought_up(self, path: Path, open_store: Open) -> None:
        store = open_store()
        keyring = store.store_keyring(STREAM, new_keyring())
        store.close()
        with closing(apsw.Connection(str(path))) as database:
            database.execute("DROP TABLE logs")
            database.pragma("user_version", 2)

        log = open_store().store_log(ORIGIN, new_log())

        assert open_store().load_log(ORIGIN) == log
        assert open_store().load_keyring(STREAM) == keyring
        assert version_of(path) == 3

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE logs SET number = 1",
            "UPDATE logs SET sealed = zeroblob(100)",
            "UPDATE logs SET origin = 'x', number = 9",
            "DELETE FROM logs",
        ],
    )
    def test_nobody_takes_the_head_of_a_log_back(
        self, path: Path, open_store: Open, statement: str
    ) -> None:
        store = open_store()
        signed = store.store_log(ORIGIN, store.store_log(ORIGIN, new_log()).with_head(1, bytes(32)))

        with (
            closing(apsw.Connection(str(path))) as database,
            pytest.raises(apsw.ConstraintError, match="never"),
        ):
            database.execute(statement)

        assert store.load_log(ORIGIN) == signed

    def test_of_those_who_bring_a_file_up_at_once_none_fails(
        self, path: Path, open_store: Open
    ) -> None:
        keyring = of_the_first_form(path, open_store)

        with ThreadPoolExecutor(8) as pool:
            stores = list(pool.map(lambda _: open_store(), range(8)))

        assert [store.load_keyring(STREAM) for store in stores] == [keyring] * 8
        assert [store.floor(STREAM) for store in stores] == [0] * 8

    def test_a_file_that_cannot_be_brought_up_stays_as_it_was(
        self, path: Path, open_store: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keyring = of_the_first_form(path, open_store)
        broken = "CREATE TABLE floors (stream TEXT); CREATE TABLE keyrings (stream TEXT)"
        monkeypatch.setattr("vault.sealing.sqlite._CHANGES", {1: broken})

        with pytest.raises(KeyStoreError, match="cannot be opened"):
            open_store()

        assert version_of(path) == 1
        monkeypatch.undo()
        assert open_store().load_keyring(STREAM) == keyring

    def test_a_file_that_is_no_database_is_refused(self, path: Path, open_store: Open) -> None:
        path.touch(mode=0o600)
        path.write_bytes(b"not a database" * 100)

        with pytest.raises(KeyStoreError, match="cannot be opened"):
            open_store()

    def test_a_missing_folder_is_said(self, tmp_path: Path, wrapper: FileKeyWrapper) -> None:
        with pytest.raises(KeyStoreError, match="cannot be opened"):
            SQLiteKeyStore(tmp_path / "absent" / "keys.sqlite", wrapper)

    def test_another_wrapping_key_is_said(
        self, path: Path, tmp_path: Path, open_store: Open
    ) -> None:
        open_store().close()
        create_key_file(tmp_path / "other.key")

        with pytest.raises(KeyStoreError, match="give the key it was made with"):
            SQLiteKeyStore(path, FileKeyWrapper(tmp_path / "other.key"))

    def test_lost_secrets_are_not_drawn_again(
        self, database: apsw.Connection, open_store: Open
    ) -> None:
        database.execute("DELETE FROM secrets")

        with pytest.raises(KeyStoreError, match="lost its secrets"):
            open_store()

    def test_an_empty_file_is_refused(self, path: Path, open_store: Open) -> None:
        path.touch(mode=0o600)

        with pytest.raises(KeyStoreError, match="not a key store"):
            open_store()

    def test_an_interrupted_creation_leaves_no_store(
        self, path: Path, wrapper: FileKeyWrapper, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("vault.sealing.sqlite.draw_secrets", None)

        with pytest.raises(TypeError):
            SQLiteKeyStore(path, wrapper)

        assert [file.name for file in path.parent.iterdir()] == ["wrapping.key"]

    def test_closing_twice_is_no_error(self, store: SQLiteKeyStore) -> None:
        store.close()
        store.close()

    def test_a_closed_store_says_so(self, store: SQLiteKeyStore) -> None:
        store.close()

        with pytest.raises(KeyStoreError, match="cannot be read"):
            store.load_keyring(STREAM)
