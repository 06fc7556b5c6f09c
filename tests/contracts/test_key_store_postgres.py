# SPDX-License-Identifier: Apache-2.0
"""The key store on PostgreSQL: the contract, who may do what, and what a server must promise."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.contracts.key_store import IDENTITY, ISSUER, ORIGIN, STREAM, KeyStoreContract
from tests.postgres import OWNER, SERVER, Cluster, Database, run_sql, running
from vault.application.keyrings import Keyrings
from vault.domain.errors import StoreUnavailableError
from vault.sealing.envelope import new_key
from vault.sealing.errors import KeyringConflictError, KeyStoreError
from vault.sealing.keyring import Keyring, new_keyring
from vault.sealing.log import new_log
from vault.sealing.postgres import PostgresKeyStore
from vault.sealing.postgres_tables import MEMBER, prepare
from vault.sealing.wrapper import FileKeyWrapper, create_key_file

Open = Callable[[], PostgresKeyStore]

SECONDS: Final = 20.0
"""How long something may take that happens at once; a test that waits so long fails."""


@pytest.fixture
def database(cluster: Cluster) -> Database:
    return cluster.fresh_prepared(prepare, MEMBER)


@pytest.fixture
def wrapper(tmp_path: Path) -> FileKeyWrapper:
    create_key_file(tmp_path / "wrapping.key")
    return FileKeyWrapper(tmp_path / "wrapping.key")


@pytest.fixture
def open_store(database: Database, wrapper: FileKeyWrapper) -> Iterator[Open]:
    opened = []

    def open_one() -> PostgresKeyStore:
        opened.append(PostgresKeyStore(database.server, wrapper))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: Open) -> PostgresKeyStore:
    return open_store()


class TestPostgresKeyStore(KeyStoreContract):
    @pytest.fixture
    def open_store(self, open_store: Open) -> Open:
        return open_store

    @pytest.fixture
    def named(self, tmp_path: Path, database: Database) -> list[str]:
        return [str(tmp_path / "wrapping.key"), "postgres", database.server]


def wait_until(cluster: Cluster, condition: str) -> None:
    """Wait until a question about the server is answered with yes."""
    give_up = time.monotonic() + SECONDS
    while not cluster.run(f"SELECT {condition}")[0][0]:
        assert time.monotonic() < give_up, condition
        time.sleep(0.01)


class TestRights:
    @pytest.mark.parametrize(
        "statement",
        [
            "TRUNCATE vault_keys.keyrings",
            "TRUNCATE vault_keys.floors",
            "UPDATE vault_keys.identities SET name = 'x'",
            "DELETE FROM vault_keys.identities",
            "UPDATE vault_keys.secrets SET epoch = 'x'",
            "DELETE FROM vault_keys.secrets",
            "DELETE FROM vault_keys.floors",
            "DELETE FROM vault_keys.logs",
            "TRUNCATE vault_keys.logs",
            "ALTER TABLE vault_keys.floors DISABLE TRIGGER USER",
            "INSERT INTO vault_keys.form VALUES (2)",
            "DROP TABLE vault_keys.keyrings",
            "ALTER TABLE vault_keys.keyrings ADD COLUMN x text",
            "CREATE TABLE vault_keys.mine (x text)",
            "CREATE TABLE public.mine (x text)",
        ],
    )
    def test_the_server_may_not(
        self, database: Database, store: PostgresKeyStore, statement: str
    ) -> None:
        store.raise_floor(STREAM, 1)

        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            run_sql(database.server, statement)

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE vault_keys.floors SET version = 6",
            "UPDATE vault_keys.floors SET stream = 'x'",
            "DELETE FROM vault_keys.floors",
            "TRUNCATE vault_keys.floors",
        ],
    )
    @pytest.mark.parametrize("replica", [False, True])
    def test_nobody_lowers_a_floor(
        self,
        cluster: Cluster,
        database: Database,
        store: PostgresKeyStore,
        statement: str,
        *,
        replica: bool,
    ) -> None:
        store.raise_floor(STREAM, 7)
        role = "replica" if replica else "origin"

        with pytest.raises(psycopg.errors.RestrictViolation, match="never lowered"):
            cluster.run(f"SET session_replication_role = {role}; {statement}", database.name)

        assert store.floor(STREAM) == 7

    def test_the_server_lowers_no_floor(self, database: Database, store: PostgresKeyStore) -> None:
        store.raise_floor(STREAM, 7)

        with pytest.raises(psycopg.errors.RestrictViolation):
            run_sql(database.server, "UPDATE vault_keys.floors SET version = 6")

    @pytest.mark.parametrize(
        "right",
        [
            f"ALTER ROLE clerk SUPERUSER; GRANT {MEMBER} TO clerk",
            f"GRANT {OWNER} TO clerk WITH INHERIT FALSE",
            "ALTER TABLE vault_keys.form OWNER TO clerk; REVOKE ALL ON vault_keys.form FROM clerk",
            "ALTER SCHEMA vault_keys OWNER TO clerk; REVOKE CREATE ON SCHEMA vault_keys FROM clerk",
            "GRANT CREATE ON SCHEMA vault_keys TO clerk",
            "GRANT DELETE ON vault_keys.floors TO clerk",
            "GRANT TRIGGER ON vault_keys.floors TO clerk",
            "GRANT TRUNCATE ON vault_keys.keyrings TO clerk",
            "GRANT UPDATE (sealed) ON vault_keys.identities TO clerk",
            "GRANT UPDATE ON vault_keys.secrets TO clerk",
            "GRANT INSERT ON vault_keys.form TO clerk",
        ],
    )
    def test_who_may_do_more_is_refused(
        self, cluster: Cluster, database: Database, wrapper: FileKeyWrapper, right: str
    ) -> None:
        cluster.run(f"CREATE ROLE clerk LOGIN IN ROLE {MEMBER}")
        conninfo = cluster.conninfo(database.name, "clerk")
        try:
            PostgresKeyStore(conninfo, wrapper).close()
            cluster.run(right, database.name)

            with pytest.raises(KeyStoreError, match="owns nothing"):
                PostgresKeyStore(conninfo, wrapper)
        finally:
            cluster.run("DROP OWNED BY clerk CASCADE; DROP ROLE clerk", database.name)

    @pytest.mark.parametrize("who", ["owner", "superuser"])
    def test_owner_and_superuser_are_refused(
        self, cluster: Cluster, database: Database, wrapper: FileKeyWrapper, who: str
    ) -> None:
        conninfo = database.owner if who == "owner" else cluster.conninfo(database.name)

        with pytest.raises(KeyStoreError, match="owns nothing"):
            PostgresKeyStore(conninfo, wrapper)

    def test_whom_nobody_let_in_is_refused(
        self, cluster: Cluster, database: Database, wrapper: FileKeyWrapper
    ) -> None:
        cluster.run("CREATE ROLE stranger LOGIN")

        with pytest.raises(KeyStoreError, match=f"GRANT {MEMBER} to the role"):
            PostgresKeyStore(cluster.conninfo(database.name, "stranger"), wrapper)


class TestPreparing:
    def test_preparing_again_changes_nothing(self, database: Database, open_store: Open) -> None:
        keyring = open_store().store_keyring(STREAM, new_keyring())

        prepare(database.owner)

        assert open_store().load_keyring(STREAM) == keyring

    def test_a_database_of_the_first_form_is_refused_until_it_is_prepared_again(
        self, database: Database, wrapper: FileKeyWrapper, open_store: Open
    ) -> None:
        keyring = open_store().store_keyring(STREAM, new_keyring())
        run_sql(
            database.owner, "DROP TABLE vault_keys.logs; UPDATE vault_keys.form SET version = 1"
        )
        with pytest.raises(KeyStoreError, match="prepare it again"):
            PostgresKeyStore(database.server, wrapper)

        prepare(database.owner)

        assert open_store().load_keyring(STREAM) == keyring
        log = open_store().store_log(ORIGIN, new_log())
        assert open_store().load_log(ORIGIN) == log

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE vault_keys.logs SET number = 1",
            "UPDATE vault_keys.logs SET epoch = 'x'",
            "DELETE FROM vault_keys.logs",
            "TRUNCATE vault_keys.logs",
        ],
    )
    def test_nobody_takes_the_head_of_a_log_back(
        self, cluster: Cluster, database: Database, store: PostgresKeyStore, statement: str
    ) -> None:
        signed = store.store_log(ORIGIN, store.store_log(ORIGIN, new_log()).with_head(1, bytes(32)))

        with pytest.raises(psycopg.errors.RestrictViolation, match="never lowered"):
            cluster.run(statement, database.name)

        assert store.load_log(ORIGIN) == signed

    def test_of_those_who_prepare_at_once_none_fails(self, cluster: Cluster) -> None:
        databases = [cluster.fresh_database().owner for _ in range(2)] * 4

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(prepare, databases))

        assert {tuple(run_sql(each, "TABLE vault_keys.form")) for each in databases} == {((2,),)}

    def test_a_database_that_is_not_prepared_is_refused(
        self, cluster: Cluster, wrapper: FileKeyWrapper
    ) -> None:
        with pytest.raises(KeyStoreError, match="is not prepared"):
            PostgresKeyStore(cluster.fresh_database().server, wrapper)

    def test_another_form_is_refused(
        self, database: Database, wrapper: FileKeyWrapper, store: PostgresKeyStore
    ) -> None:
        assert store.secrets()
        run_sql(database.owner, "UPDATE vault_keys.form SET version = 3")

        with pytest.raises(KeyStoreError, match="another form"):
            PostgresKeyStore(database.server, wrapper)

    def test_a_server_that_is_not_there_is_said(
        self, tmp_path: Path, wrapper: FileKeyWrapper
    ) -> None:
        with pytest.raises(KeyStoreError, match="cannot be reached"):
            PostgresKeyStore(make_conninfo(host=str(tmp_path), dbname="keys"), wrapper)

    def test_another_wrapping_key_is_said(
        self, database: Database, tmp_path: Path, store: PostgresKeyStore
    ) -> None:
        assert store.secrets()
        create_key_file(tmp_path / "other.key")

        with pytest.raises(KeyStoreError, match="give the key it was made with"):
            PostgresKeyStore(database.server, FileKeyWrapper(tmp_path / "other.key"))

    @pytest.mark.parametrize("used", ["keyring", "identity", "floor"])
    def test_lost_secrets_are_not_drawn_again(
        self, database: Database, open_store: Open, used: str
    ) -> None:
        match used:
            case "keyring":
                open_store().store_keyring(STREAM, new_keyring())
            case "identity":
                open_store().add_identity(ISSUER, "sub", IDENTITY)
            case _:
                open_store().raise_floor(STREAM, 1)
        run_sql(database.owner, "DELETE FROM vault_keys.secrets")

        with pytest.raises(KeyStoreError, match="lost its secrets"):
            open_store()

    def test_who_somebody_is_stands_in_no_row(
        self, database: Database, store: PostgresKeyStore
    ) -> None:
        store.add_identity(ISSUER, "sub-canary", IDENTITY)
        store.add_subject("service-canary", "subject-canary", STREAM)

        rows = run_sql(database.owner, "SELECT i::text, sealed FROM vault_keys.identities AS i")

        assert len(rows) == 2
        for text, sealed in rows:
            assert "canary" not in text
            assert b"canary" not in sealed
            assert STREAM.encode() not in sealed


class TestConnections:
    def test_dead_connections_are_replaced(
        self, cluster: Cluster, database: Database, store: PostgresKeyStore
    ) -> None:
        keyring = store.store_keyring(STREAM, new_keyring())
        for _ in range(3):
            cut_off(cluster, database)
            assert store.load_keyring(STREAM) == keyring
            cut_off(cluster, database)
            keyring = store.store_keyring(STREAM, keyring)
            assert store.load_keyring(STREAM) == keyring

    def test_more_threads_than_connections_are_all_served(self, store: PostgresKeyStore) -> None:
        with ThreadPoolExecutor(32) as pool:
            list(pool.map(lambda version: store.raise_floor(STREAM, version), range(1, 200)))

        assert store.floor(STREAM) == 199

    def test_a_change_that_is_cut_off_before_it_is_made_is_made_once(
        self, cluster: Cluster, database: Database, store: PostgresKeyStore
    ) -> None:
        keyring = store.store_keyring(STREAM, new_keyring())
        with psycopg.connect(database.owner) as holding, ThreadPoolExecutor(1) as pool:
            holding.execute("SELECT 1 FROM vault_keys.keyrings FOR UPDATE")
            changing = pool.submit(store.store_keyring, STREAM, keyring)
            waiting = "count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            wait_until(cluster, waiting)
            cut_off(cluster, database)
            # It waits again, on another connection.
            wait_until(cluster, waiting)
            holding.rollback()

            assert changing.result(SECONDS).number == 2
        assert store.load_keyring(STREAM) == changing.result()

    def test_who_gets_no_answer_in_time_is_told(
        self, database: Database, wrapper: FileKeyWrapper, store: PostgresKeyStore
    ) -> None:
        keyring = store.store_keyring(STREAM, new_keyring())
        with (
            closing(PostgresKeyStore(database.server, wrapper, patience_seconds=0.2)) as impatient,
            psycopg.connect(database.owner) as holding,
        ):
            holding.execute("SELECT 1 FROM vault_keys.keyrings FOR UPDATE")
            with pytest.raises(KeyStoreError, match="no answer in time"):
                impatient.store_keyring(STREAM, keyring)
            holding.rollback()

            assert impatient.floor(STREAM) == 0

    def test_what_a_server_quotes_of_a_row_is_not_repeated(self, store: PostgresKeyStore) -> None:
        with pytest.raises(KeyStoreError, match="refuses") as told:
            store.raise_floor(STREAM, -1)

        assert STREAM not in str(told.value)

    def test_closing_twice_is_no_error_and_a_closed_store_says_so(
        self, store: PostgresKeyStore
    ) -> None:
        store.close()
        store.close()

        with pytest.raises(KeyStoreError, match="is closed"):
            store.load_keyring(STREAM)


def cut_off(cluster: Cluster, database: Database) -> None:
    """Cut every connection of the server, and return once they are gone."""
    those = f"FROM pg_stat_activity WHERE datname = '{database.name}' AND usename = '{SERVER}'"
    cluster.run(f"SELECT pg_terminate_backend(pid, 5000) {those}")


# --- With a standby, by which every change waits -------------------------------------------------


@pytest.fixture(scope="module")
def primary() -> Iterator[Cluster]:
    with running() as started:
        yield started


@pytest.fixture(scope="module")
def standby(primary: Cluster) -> Iterator[Cluster]:
    with closing(primary.standby("second")) as started:
        need_standby(primary)
        yield started


def need_standby(primary: Cluster) -> None:
    """Let every COMMIT wait for the standby, from now on."""
    set_for_all(primary, "synchronous_standby_names", "second")
    wait_until(primary, "count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync'")


def set_for_all(cluster: Cluster, name: str, value: str) -> None:
    """Change a setting as an operator would, for whoever is connected too."""
    cluster.run(f"ALTER SYSTEM SET {name} = '{value}'")
    cluster.run("SELECT pg_reload_conf()")
    wait_until(cluster, f"current_setting('{name}') = '{value}'")


@pytest.fixture
def replicated(primary: Cluster, standby: Cluster) -> Database:
    """A key database whose standby follows."""
    standby.start()
    return primary.fresh_prepared(prepare, MEMBER)


@pytest.fixture
def careful(replicated: Database, wrapper: FileKeyWrapper) -> Iterator[PostgresKeyStore]:
    """A store that needs a standby, and waits for it in vain for three seconds only."""
    conninfo = replicated.server
    opened = PostgresKeyStore(conninfo, wrapper, patience_seconds=3.0, needs_standby=True)
    with closing(opened) as store:
        yield store


@contextmanager
def waiting_for_the_standby(
    primary: Cluster, standby: Cluster, change: Callable[[], object]
) -> Iterator[Future[object]]:
    """Make a change that is committed on the primary, and waits for a standby that is away."""
    standby.stop()
    with ThreadPoolExecutor(1) as pool:
        changing = pool.submit(change)
        wait_until(primary, "count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
        yield changing


def catch_up(standby: Cluster) -> None:
    wait_until(standby, "pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn()")


def on_the_standby(standby: Cluster, database: Database) -> list[tuple[str, int]]:
    """Return the floors that the standby has, once it has read all that it was sent."""
    catch_up(standby)
    return run_sql(standby.conninfo(database.name), "SELECT stream, version FROM vault_keys.floors")


def stop_waiting(primary: Cluster) -> None:
    """Let whoever waits for the standby wait no longer: PostgreSQL says "committed", and warns."""
    primary.run("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")


Change = Callable[[PostgresKeyStore, Keyring], object]


def adding(store: PostgresKeyStore, keyring: Keyring) -> None:
    del keyring
    assert store.add_identity(ISSUER, "sub", IDENTITY) == IDENTITY


def storing(store: PostgresKeyStore, keyring: Keyring) -> None:
    store.store_keyring(STREAM, keyring)


def storing_again(store: PostgresKeyStore, keyring: Keyring) -> None:
    with pytest.raises(KeyringConflictError):
        store.store_keyring(STREAM, keyring)


def deleting(store: PostgresKeyStore, keyring: Keyring) -> None:
    del keyring
    store.delete_keyring(STREAM)


REPEATED: Final[dict[str, tuple[Change, Change]]] = {
    "identity": (adding, adding),
    "keyring": (storing, storing_again),
    "deleted": (deleting, deleting),
}


class TestStandby:
    def test_what_was_acknowledged_is_on_the_standby(
        self, standby: Cluster, replicated: Database, careful: PostgresKeyStore
    ) -> None:
        careful.raise_floor(STREAM, 7)

        assert on_the_standby(standby, replicated) == [(STREAM, 7)]

    def test_without_a_standby_nothing_is_acknowledged(
        self, standby: Cluster, careful: PostgresKeyStore
    ) -> None:
        standby.stop()

        with pytest.raises(KeyStoreError, match="no answer in time"):
            careful.raise_floor(STREAM, 7)

        standby.start()
        careful.raise_floor(STREAM, 8)
        assert careful.floor(STREAM) == 8

    def test_a_standby_that_somebody_stopped_waiting_for_is_waited_for(
        self,
        primary: Cluster,
        standby: Cluster,
        replicated: Database,
        careful: PostgresKeyStore,
    ) -> None:
        def change() -> None:
            careful.raise_floor(STREAM, 7)

        with waiting_for_the_standby(primary, standby, change) as changing:
            stop_waiting(primary)
            with pytest.raises(KeyStoreError, match="no answer in time"):
                changing.result(SECONDS)
        assert careful.floor(STREAM) == 7

        standby.start()
        careful.raise_floor(STREAM, 1)
        assert on_the_standby(standby, replicated) == [(STREAM, 7)]

    @pytest.mark.parametrize("name", list(REPEATED))
    def test_a_repeat_is_refused_until_a_standby_has_what_it_finds(
        self,
        primary: Cluster,
        standby: Cluster,
        careful: PostgresKeyStore,
        name: str,
    ) -> None:
        keyring = careful.store_keyring(STREAM, new_keyring())
        change, repeat = REPEATED[name]
        first = partial(change, careful, keyring)
        with waiting_for_the_standby(primary, standby, first) as changing:
            # It is committed, seen by all, and on no standby.
            stop_waiting(primary)
            with pytest.raises(KeyStoreError, match="no answer in time"):
                changing.result(SECONDS)

        with pytest.raises(KeyStoreError, match=r"no answer in time|no standby"):
            repeat(careful, keyring)

        standby.start()
        repeat(careful, keyring)

    def test_a_repeat_does_not_believe_a_warning(
        self, primary: Cluster, standby: Cluster, careful: PostgresKeyStore
    ) -> None:
        with waiting_for_the_standby(primary, standby, careful.confirm) as confirming:
            stop_waiting(primary)
            with pytest.raises(KeyStoreError, match="no standby"):
                confirming.result(SECONDS)

    async def test_a_keyring_that_nobody_need_change_is_refused_until_a_standby_has_it(
        self, primary: Cluster, standby: Cluster, careful: PostgresKeyStore
    ) -> None:
        keyrings = Keyrings(careful)
        with waiting_for_the_standby(
            primary, standby, lambda: careful.store_keyring(STREAM, new_keyring())
        ) as changing:
            stop_waiting(primary)
            with pytest.raises(KeyStoreError):
                changing.result(SECONDS)

        with pytest.raises(StoreUnavailableError):
            await keyrings.change(STREAM, lambda keyring: keyring)

        standby.start()
        assert (await keyrings.change(STREAM, lambda keyring: keyring)).number == 1
        keyrings.close()

    def test_a_change_whose_outcome_was_lost_is_found_and_is_no_conflict(
        self, primary: Cluster, standby: Cluster, replicated: Database, careful: PostgresKeyStore
    ) -> None:
        keyring = careful.store_keyring(STREAM, new_keyring())
        changed = keyring.with_evidence_key("e-1", 1, new_key())

        with waiting_for_the_standby(
            primary, standby, lambda: careful.store_keyring(STREAM, changed)
        ) as changing:
            cut_off(primary, replicated)
            # Asked for again: it stands, and is waited for once more.
            wait_until(primary, "count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
            assert not changing.done()
            standby.start()
            assert changing.result(SECONDS) == careful.load_keyring(STREAM)

    def test_a_server_that_got_careless_changes_nothing(
        self, primary: Cluster, careful: PostgresKeyStore
    ) -> None:
        careful.raise_floor(STREAM, 7)
        keyring = careful.store_keyring(STREAM, new_keyring())
        with careless(primary, "synchronous_commit", "local"):
            with pytest.raises(KeyStoreError, match="synchronous_commit"):
                careful.raise_floor(STREAM, 8)
            with pytest.raises(KeyStoreError, match="synchronous_commit"):
                careful.store_keyring(STREAM, keyring)
            with pytest.raises(KeyStoreError, match="synchronous_commit"):
                careful.delete_keyring(STREAM)
            with pytest.raises(KeyStoreError, match="synchronous_commit"):
                careful.add_identity(ISSUER, "sub", IDENTITY)

        assert careful.floor(STREAM) == 7
        assert careful.load_keyring(STREAM) == keyring
        assert careful.find_identity(ISSUER, "sub") is None

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("synchronous_commit", "off"),
            ("synchronous_commit", "remote_write"),
            ("default_transaction_isolation", "serializable"),
            ("fsync", "off"),
            ("full_page_writes", "off"),
        ],
    )
    def test_a_careless_server_is_refused_at_once(
        self,
        primary: Cluster,
        replicated: Database,
        wrapper: FileKeyWrapper,
        name: str,
        value: str,
    ) -> None:
        with (
            careless(primary, name, value),
            pytest.raises(KeyStoreError, match=f"could lose.*{name}"),
        ):
            PostgresKeyStore(replicated.server, wrapper)

    def test_a_standby_is_refused(
        self,
        standby: Cluster,
        careful: PostgresKeyStore,
        replicated: Database,
        wrapper: FileKeyWrapper,
    ) -> None:
        careful.raise_floor(STREAM, 7)
        catch_up(standby)
        conninfo = make_conninfo(
            standby.conninfo(replicated.name, SERVER), target_session_attrs="any"
        )

        # Whatever a conninfo says: a standby that lags behind would tell an older floor.
        with pytest.raises(KeyStoreError, match=r"cannot be reached.*session is read-only"):
            PostgresKeyStore(conninfo, wrapper)

    def test_a_server_without_standbys_is_refused_where_one_is_needed(
        self, database: Database, wrapper: FileKeyWrapper
    ) -> None:
        with pytest.raises(KeyStoreError, match="synchronous_standby_names"):
            PostgresKeyStore(database.server, wrapper, needs_standby=True)


@contextmanager
def careless(cluster: Cluster, name: str, value: str) -> Iterator[None]:
    """Let an operator weaken a setting, and then put it right again."""
    ((before,),) = cluster.run(f"SELECT current_setting('{name}')")
    set_for_all(cluster, name, value)
    yield
    set_for_all(cluster, name, before)


def test_nothing_acknowledged_is_lost_when_the_standby_takes_over(
    wrapper: FileKeyWrapper,
) -> None:
    with running() as first:
        database = first.fresh_prepared(prepare, MEMBER)
        with closing(first.standby("second")) as second:
            need_standby(first)
            both = make_conninfo(
                database.server,
                host=f"{first.folder},{second.folder}",
                port=f"{first.port},{second.port}",
            )
            with closing(PostgresKeyStore(both, wrapper)) as store:
                keyring = store.store_keyring(STREAM, new_keyring())
                store.raise_floor(STREAM, 7)

                first.kill()
                second.promote()

                assert store.load_keyring(STREAM) == keyring
                assert store.floor(STREAM) == 7
                store.raise_floor(STREAM, 8)
                assert store.floor(STREAM) == 8
