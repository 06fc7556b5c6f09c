# SPDX-License-Identifier: Apache-2.0
"""The event store on PostgreSQL: the contract, the library's own cases, and what only it has."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from eventsourcing.persistence import InfrastructureFactoryError, OperationalError
from eventsourcing.tests import persistence

from tests import house as houses
from tests.contracts.event_store import EventStoreContract, an_append, an_event, is_refused
from tests.link import Link
from tests.postgres import SERVER, Cluster, Database, run_sql, running
from vault.application.caller import Answer
from vault.application.evidence import View
from vault.domain.errors import StoreUnavailableError
from vault.store.append import Append, BatchResult, Payload, StoredRecord
from vault.store.errors import (
    AppendFailedError,
    ClockDepartsError,
    CommitFailedError,
    DurabilityWeakError,
    StoreClosedError,
    StoreUnfitError,
)
from vault.store.postgres import PostgresFactory, PostgresRecorder
from vault.store.postgres_schema import RETENTION, WRITER, prepare

BESIDE = Append((an_event("a", 1),), ((Payload("evidence", b"sealed"),),), "key")


@pytest.fixture
def database(cluster: Cluster) -> Database:
    """A database of this test's own, prepared and empty."""
    return cluster.fresh_events()


@pytest.fixture
def recorder(database: Database) -> Iterator[PostgresRecorder]:
    recorder = PostgresRecorder(database.server, patience_seconds=1)
    yield recorder
    recorder.close()


class TestPostgresRecorder(EventStoreContract):
    @pytest.fixture
    def place(self, database: Database, cluster: Cluster) -> Database:
        self.cluster = cluster
        return database

    def open_store(self, place: Database, lane: int = 0) -> PostgresRecorder:
        return PostgresRecorder(place.server, lane=lane)

    def run_sql(self, place: Database, statement: str) -> None:
        as_superuser(self.cluster, place, statement)

    def environment(self, place: Database) -> dict[str, str]:
        return {"PERSISTENCE_MODULE": "vault.store.postgres", "POSTGRES_CONNINFO": place.server}


class _LibraryCase:
    """What the library's test cases need to know of ours."""

    @pytest.fixture(autouse=True)
    def _place(self, database: Database) -> Iterator[None]:
        self.database = database
        self.opened: list[PostgresRecorder] = []
        yield
        for recorder in self.opened:
            recorder.close()

    def new_originator_id(self) -> str:
        return str(uuid4())

    def create_recorder(self) -> PostgresRecorder:
        self.opened.append(PostgresRecorder(self.database.server))
        return self.opened[-1]


class TestLibraryApplicationRecorder(
    _LibraryCase, persistence.ApplicationRecorderTestCase[PostgresRecorder]
):
    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestLibraryNonInterleaving(_LibraryCase, persistence.NonInterleavingNotificationIDsBaseCase):
    pass


def as_superuser(cluster: Cluster, database: Database, statement: str) -> list[tuple[object, ...]]:
    """Run SQL with all rights there are."""
    return cluster.run(f"SET search_path = citizen_vault; {statement}", database.name)


def eventually(claim: Callable[[], object]) -> None:
    """Wait until a claim about another process is true."""
    give_up = time.monotonic() + 20
    while not claim():
        assert time.monotonic() < give_up, "it never came true"
        time.sleep(0.02)


# --- Who may do what


@pytest.mark.parametrize("table", ["entries", "records", "payloads", "lanes", "lost_connections"])
@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO citizen_vault.{} SELECT * FROM citizen_vault.{}",
        "UPDATE citizen_vault.{} SET lane = 1",
        "DELETE FROM citizen_vault.{}",
        "TRUNCATE citizen_vault.{}",
    ],
)
def test_the_server_writes_through_the_functions_alone(
    recorder: PostgresRecorder, database: Database, table: str, statement: str
) -> None:
    recorder.insert_batch([BESIDE])

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        run_sql(database.server, statement.format(table, table))


@pytest.mark.parametrize("table", ["entries", "records", "payloads"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET lane = 1", "DELETE FROM {}", "TRUNCATE {}"])
def test_the_owner_changes_no_history_by_mistake(
    recorder: PostgresRecorder, database: Database, table: str, statement: str
) -> None:
    recorder.insert_batch([BESIDE])

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        run_sql(database.owner, statement.format(f"citizen_vault.{table}"))


@pytest.mark.parametrize(
    "statement",
    [
        "TRUNCATE entries",
        "TRUNCATE records",
        "TRUNCATE payloads",
        "DELETE FROM lanes",
        "UPDATE lanes SET head = 0",
        "DELETE FROM lost_connections",
        "SET session_replication_role = replica; DELETE FROM entries",
        "INSERT INTO entries TABLE entries ON CONFLICT (lane, position) DO UPDATE SET version = 7",
    ],
)
def test_the_tables_refuse_even_a_superuser(
    recorder: PostgresRecorder, database: Database, cluster: Cluster, statement: str
) -> None:
    recorder.insert_batch([BESIDE])
    before = recorder.select_records("a", limit=9), recorder.select_payloads("a", 1)

    with pytest.raises(psycopg.errors.RestrictViolation, match="never"):
        as_superuser(cluster, database, statement)

    assert (recorder.select_records("a", limit=9), recorder.select_payloads("a", 1)) == before


def test_retention_deletes_records_and_payloads_and_nothing_else(
    recorder: PostgresRecorder, database: Database, cluster: Cluster
) -> None:
    recorder.insert_batch([BESIDE, an_append("b", 1)])

    def as_retention(statement: str) -> None:
        as_superuser(cluster, database, f"SET ROLE {RETENTION}; {statement}")

    as_retention("DELETE FROM records WHERE position = 0")
    as_retention("DELETE FROM payloads WHERE position = 0")

    assert recorder.select_records("a", limit=9)[0].state is None
    assert recorder.select_payloads("a", 1) == []
    for statement in (
        "DELETE FROM entries",
        "UPDATE records SET lane = 1",
        "TRUNCATE records",
        "INSERT INTO records SELECT * FROM records",
        "SELECT settle_batch(0, gen_random_uuid(), false, '{}', '{}')",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            as_retention(statement)


def test_nobody_else_may_even_read(database: Database, cluster: Cluster) -> None:
    role = f"stranger_{uuid4().hex}"
    cluster.run(f"CREATE ROLE {role} LOGIN")

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        run_sql(cluster.conninfo(database.name, role), "SELECT * FROM citizen_vault.entries")
    with pytest.raises(StoreUnfitError, match=f"GRANT {WRITER}"):
        PostgresRecorder(cluster.conninfo(database.name, role))


def test_a_server_that_may_do_more_is_refused(database: Database, cluster: Cluster) -> None:
    role = f"mighty_{uuid4().hex}"
    cluster.run(f"CREATE ROLE {role} LOGIN IN ROLE {WRITER}, {RETENTION}")

    for mighty in (
        database.owner,
        cluster.conninfo(database.name),
        cluster.conninfo(database.name, role),
    ):
        with pytest.raises(StoreUnfitError, match="may change"):
            PostgresRecorder(mighty)


@pytest.mark.parametrize(
    "right",
    [
        f"GRANT {RETENTION} TO {{}} WITH INHERIT FALSE",
        f"GRANT {RETENTION} TO {{}} WITH INHERIT FALSE, SET FALSE, ADMIN TRUE",
        f"GRANT {WRITER} TO {{}} WITH ADMIN TRUE",
        "GRANT pg_write_all_data TO {} WITH INHERIT FALSE",
        "GRANT pg_write_server_files TO {}",
        "GRANT pg_execute_server_program TO {}",
        "ALTER ROLE {} CREATEROLE",
        "GRANT CREATE ON SCHEMA citizen_vault TO {}",
        "GRANT UPDATE (request_key) ON citizen_vault.entries TO {}",
        "GRANT INSERT (lane) ON citizen_vault.lanes TO {}",
        "CREATE ROLE {0}_group SUPERUSER; GRANT {0}_group TO {0} WITH INHERIT FALSE",
        "ALTER DATABASE {1} OWNER TO {0}",
        "ALTER SCHEMA citizen_vault OWNER TO {}",
        f"GRANT {RETENTION} TO {{0}}; ALTER ROLE {{0}} SET role = {WRITER}",
    ],
)
def test_a_server_that_may_become_more_is_refused(
    database: Database, cluster: Cluster, right: str
) -> None:
    role = f"sly_{uuid4().hex}"
    cluster.run(f"CREATE ROLE {role} LOGIN IN ROLE {WRITER}, pg_read_all_stats")
    sly = cluster.conninfo(database.name, role)
    PostgresRecorder(sly).close()
    cluster.run(right.format(role, database.name), database.name)

    with pytest.raises(StoreUnfitError, match="become one that may"):
        PostgresRecorder(sly)


CRAFTED = """
SELECT citizen_vault.append_batch(%s, gen_random_uuid(), false,
    extract(epoch FROM clock_timestamp())::float8, '{1,2}', %s::text[], %s::int[], '{1,2}',
    array_fill(decode(repeat('01', 65), 'hex'), '{2}'), %s::text[], %s::int[],
    '{t,t}', '{x,x}', '{}', '{}', '{}', '{}')
"""


@pytest.mark.parametrize(
    "crafted",  # lane, streams, stream_of, request_keys, key_of
    [
        (0, ["a", "s"], [1, 1], ["", ""], [1, 2]),
        (0, ["a", "a"], [1, None], ["", ""], [1, 2]),
        (0, ["a", "a"], [1, 9], ["", ""], [1, 2]),
        (0, ["a", "a"], [1], ["", ""], [1, 2]),
        (0, ["a", "a"], [1, 1], ["k", "l"], [1, 1]),
        (0, ["a", "b"], [1, 2], ["k", "k"], [1, 1]),
        (-1, ["a", "a"], [1, 1], ["", ""], [1, 2]),
        (65_536, ["a", "a"], [1, 1], ["", ""], [1, 2]),
    ],
)
def test_a_batch_that_contradicts_itself_is_refused(
    database: Database, crafted: tuple[object, ...]
) -> None:
    with psycopg.connect(database.server, autocommit=True) as server:
        sound = (65_535, ["a", "a"], [1, 1], ["", ""], [1, 2])
        assert server.execute(CRAFTED, sound).fetchone() == ([0, 1],)

        with pytest.raises(psycopg.errors.InvalidParameterValue):
            server.execute(CRAFTED, crafted)


def test_names_of_a_session_do_not_lead_the_functions_astray(
    recorder: PostgresRecorder, database: Database
) -> None:
    recorder.insert_batch([an_append("a", 1)])
    session = recorder._writer._connection  # noqa: SLF001
    assert session is not None
    for table in ("entries", "records", "lanes"):
        session.execute(f"CREATE TEMP TABLE {table} AS TABLE citizen_vault.{table}")
        session.execute(f"GRANT ALL ON pg_temp.{table} TO PUBLIC")
    session.execute("SET search_path = pg_temp, citizen_vault")

    assert recorder.insert_batch([an_append("a", 2)]).verdicts == ((1,),)
    session.execute("DISCARD TEMP")

    assert [r.version for r in recorder.select_records("a", limit=9)] == [1, 2]
    assert run_sql(database.server, "SELECT head FROM citizen_vault.lanes") == [(2,)]


# --- The form of the database


def test_a_database_that_is_not_prepared_is_refused(cluster: Cluster) -> None:
    with pytest.raises(StoreUnfitError, match="not prepared"):
        PostgresRecorder(cluster.fresh_database().server)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE store SET format = format + 1", "newer program"),
        ("UPDATE store SET format = format - 1", "prepare it again"),
        ("UPDATE store SET kind = 'keys'", "something else"),
        ("DROP TABLE store", "something else"),
        ("DELETE FROM store", "not whole"),
    ],
)
def test_a_database_of_another_form_is_refused(
    database: Database, cluster: Cluster, statement: str, words: str
) -> None:
    as_superuser(cluster, database, statement)

    with pytest.raises(StoreUnfitError, match=words):
        PostgresRecorder(database.server)
    if "again" not in words:
        with pytest.raises(StoreUnfitError, match=words):
            prepare(database.owner)


def test_an_unreachable_database_is_a_clear_error() -> None:
    with pytest.raises(OperationalError, match="failed"):
        PostgresRecorder("host=/nowhere dbname=events")


def test_preparing_again_keeps_everything(recorder: PostgresRecorder, database: Database) -> None:
    recorder.insert_batch([BESIDE])

    prepare(database.owner)

    assert recorder.insert_batch([an_append("a", 2)]).verdicts == ((1,),)
    assert recorder.select_payloads("a", 1) == list(BESIDE.payloads[0])


def test_many_may_prepare_one_database_at_once(cluster: Cluster) -> None:
    database = cluster.fresh_database()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(prepare, [database.owner] * 4))
    recorder = PostgresRecorder(database.server)

    assert recorder.insert_batch([an_append("a", 1)]).verdicts == ((0,),)
    recorder.close()


def test_a_superuser_prepares_nothing(cluster: Cluster) -> None:
    database = cluster.fresh_database()

    with pytest.raises(StoreUnfitError, match="superuser would own"):
        prepare(cluster.conninfo(database.name))


def test_who_may_not_prepare_is_told_so(cluster: Cluster) -> None:
    with pytest.raises(StoreUnfitError, match="permission denied"):
        prepare(cluster.fresh_database().server)


# --- Connections that are lost


def backends(cluster: Cluster, database: Database, condition: str = "true") -> list[int]:
    """Return the process ids of the connections that a server has to a database."""
    rows = cluster.run(
        "SELECT pid FROM pg_stat_activity"  # noqa: S608
        f" WHERE datname = '{database.name}' AND usename = '{SERVER}' AND {condition}"
    )
    return [pid for (pid,) in rows]


def terminate(cluster: Cluster, database: Database) -> None:
    """Close all connections that a server has, and wait until they are gone."""
    for pid in backends(cluster, database):
        cluster.run(f"SELECT pg_terminate_backend({pid}, 5000)")


def test_a_connection_that_was_lost_before_is_replaced(
    recorder: PostgresRecorder, database: Database, cluster: Cluster
) -> None:
    recorder.insert_batch([an_append("a", 1)])
    assert recorder.tree_size() == 1
    assert recorder.incarnation == 0
    terminate(cluster, database)

    assert recorder.insert_batch([an_append("a", 2)]).verdicts == ((1,),)
    assert recorder.incarnation == 1
    assert recorder.tree_size() == 2
    assert recorder.incarnation == 1


def test_while_the_database_is_away_nothing_is_stored_and_it_passes() -> None:
    with running() as cluster, closing(PostgresRecorder(cluster.fresh_events().server)) as recorder:
        recorder.insert_batch([an_append("a", 1)])
        recorder.tree_size()
        cluster.kill()

        with pytest.raises(AppendFailedError):
            recorder.insert_batch([an_append("a", 2)])
        with pytest.raises(OperationalError):
            recorder.tree_size()
        cluster.start()

        assert recorder.insert_batch([an_append("a", 2)]).verdicts == ((1,),)
        assert recorder.tree_size() == 2
        assert recorder.incarnation == 1


@contextmanager
def held_lane(cluster: Cluster, database: Database) -> Iterator[None]:
    """Hold lane 0 of a database, so that batches wait."""
    with psycopg.connect(cluster.conninfo(database.name)) as holder:
        holder.execute("SELECT FROM citizen_vault.lanes WHERE lane = 0 FOR UPDATE")
        yield


def test_a_lane_that_is_held_elsewhere_stores_nothing_and_passes(
    recorder: PostgresRecorder, database: Database, cluster: Cluster
) -> None:
    recorder.insert_batch([an_append("a", 1)])

    with held_lane(cluster, database), pytest.raises(AppendFailedError):
        recorder.insert_batch([an_append("a", 2)])

    assert recorder.insert_batch([an_append("a", 2)]).verdicts == ((1,),)
    assert recorder.incarnation == 0


def test_a_batch_that_was_killed_before_its_commit_is_told_apart(
    database: Database, cluster: Cluster
) -> None:
    recorder = PostgresRecorder(database.server, patience_seconds=20)
    recorder.insert_batch([an_append("a", 1)])

    with ThreadPoolExecutor(1) as thread:
        with held_lane(cluster, database):
            batch = thread.submit(recorder.insert_batch, [an_append("a", 2)])
            eventually(lambda: backends(cluster, database, "wait_event_type = 'Lock'"))
            terminate(cluster, database)
        with pytest.raises(AppendFailedError):
            batch.result(timeout=30)

    assert recorder.tree_size() == 1
    assert recorder.insert_batch([an_append("a", 2)]).verdicts == ((1,),)
    recorder.close()


@pytest.fixture
def link(cluster: Cluster) -> Iterator[Link]:
    with Link(cluster.port) as link:
        yield link


@pytest.fixture
def linked(database: Database, cluster: Cluster, link: Link) -> Iterator[PostgresRecorder]:
    """A recorder that reaches its database through the link."""
    recorder = PostgresRecorder(
        cluster.tcp_conninfo(database.name, SERVER, link.port), patience_seconds=2
    )
    yield recorder
    recorder.close()


def test_an_answer_that_is_lost_after_the_commit_is_found_out(
    linked: PostgresRecorder, link: Link
) -> None:
    linked.insert_batch([an_append("a", 1)])
    link.lose_next_reply()

    verdicts = linked.insert_batch(
        [an_append("a", 2, 3), an_append("a", 3), BESIDE, an_append("b", 1, request_key="key")]
    ).verdicts

    assert verdicts[0] == (1, 2)
    assert is_refused(verdicts[1])
    assert is_refused(verdicts[2])
    assert verdicts[3] == (3,)
    assert linked.incarnation == 1
    assert linked.insert_batch([an_append("a", 4)]).verdicts == ((4,),)


def test_what_another_stored_meanwhile_is_not_taken_for_ours(
    linked: PostgresRecorder, recorder: PostgresRecorder, link: Link
) -> None:
    recorder.insert_batch([Append((an_event("a", 1, b"of another"),))])
    link.lose_next_reply()

    # Refused by the database, which has this version with other bytes.
    with pytest.raises(AppendFailedError):
        linked.insert_batch([Append((an_event("a", 1, b"ours"),))])


def test_a_batch_that_arrives_after_it_was_given_up_is_refused(
    linked: PostgresRecorder, link: Link, database: Database, cluster: Cluster
) -> None:
    linked.insert_batch([an_append("a", 1)])
    before = set(backends(cluster, database))
    link.hold_requests()

    with ThreadPoolExecutor(1) as thread:
        batch = thread.submit(linked.insert_batch, [an_append("a", 2)])
        link.wait_until_held()
        link.hang_up()
        with pytest.raises(AppendFailedError):
            batch.result(timeout=30)
    link.release_requests()
    eventually(lambda: not before & set(backends(cluster, database)))

    assert linked.tree_size() == 1
    assert "given up as lost" in cluster.log()


def test_what_cannot_be_found_out_in_time_is_unknown_and_ends_it(
    linked: PostgresRecorder, link: Link, database: Database
) -> None:
    linked.insert_batch([an_append("a", 1)])
    link.hold_requests()

    with ThreadPoolExecutor(1) as thread:
        batch = thread.submit(linked.insert_batch, [an_append("a", 2)])
        link.wait_until_held()
        link.cut()
        with pytest.raises(CommitFailedError):
            batch.result(timeout=30)
    link.mend()

    with pytest.raises(StoreClosedError):
        linked.insert_batch([an_append("a", 2)])
    reopened = PostgresRecorder(database.server)
    assert reopened.insert_batch([an_append("a", 2)]).verdicts == ((1,),)
    reopened.close()


# --- Durability


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Cluster, Cluster]]:
    """A primary and a standby, whose settings a test may change."""
    with running() as primary:
        standby = primary.standby("other")
        yield primary, standby
        standby.close()


@pytest.fixture
def primary(pair: tuple[Cluster, Cluster]) -> Iterator[Cluster]:
    """The primary, which gets back its settings."""
    cluster, standby = pair
    yield cluster
    cluster.run("ALTER SYSTEM RESET ALL")
    cluster.run("SELECT pg_reload_conf()")
    standby.start()


def configure(cluster: Cluster, setting: str, value: str) -> None:
    """Change a setting of a running server, as its operator does."""
    cluster.run(f"ALTER SYSTEM SET {setting} = '{value}'")
    cluster.run("SELECT pg_reload_conf()")
    eventually(lambda: cluster.run(f"SHOW {setting}") == [(value,)])


def opened(cluster: Cluster, **options: object) -> tuple[PostgresRecorder, Database]:
    """Open a new event store of a cluster."""
    database = cluster.fresh_events()
    options.setdefault("patience_seconds", 1)
    return PostgresRecorder(database.server, **options), database  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("setting", "weak", "good"),
    [
        ("fsync", "off", "on"),
        ("full_page_writes", "off", "on"),
        ("synchronous_commit", "off", "on"),
        ("synchronous_commit", "local", "remote_apply"),
        ("synchronous_commit", "remote_write", "on"),
    ],
)
def test_what_could_be_lost_again_is_not_stored(
    primary: Cluster, setting: str, weak: str, good: str
) -> None:
    recorder, database = opened(primary)
    recorder.insert_batch([an_append("a", 1)])
    versions = iter(range(2, 10_000))

    def is_refused_at_last() -> bool:
        # Other processes read their settings when they come to it.
        try:
            recorder.insert_batch([an_append("a", next(versions))])
        except DurabilityWeakError:
            return True
        return False

    configure(primary, setting, weak)
    eventually(is_refused_at_last)
    size = recorder.tree_size()
    with pytest.raises(DurabilityWeakError):
        recorder.insert_batch([an_append("b", 1)])
    with pytest.raises(DurabilityWeakError):
        PostgresRecorder(database.server)
    assert recorder.tree_size() == size
    configure(primary, setting, good)

    def is_stored_at_last() -> bool:
        try:
            return recorder.insert_batch([an_append("b", 1)]).verdicts == ((size,),)
        except DurabilityWeakError:
            return False

    eventually(is_stored_at_last)
    recorder.close()


def test_a_transaction_of_another_kind_is_refused(primary: Cluster) -> None:
    recorder, _ = opened(primary)
    session = recorder._writer._connection  # noqa: SLF001
    assert session is not None
    session.execute("SET default_transaction_isolation = 'repeatable read'")

    with pytest.raises(DurabilityWeakError):
        recorder.insert_batch([an_append("a", 1)])

    recorder.close()


@pytest.mark.parametrize("apart", [3.0, -3.0])
def test_a_clock_that_departs_from_the_databases_stores_nothing(
    recorder: PostgresRecorder, monkeypatch: pytest.MonkeyPatch, apart: float
) -> None:
    recorder.insert_batch([an_append("a", 1)])
    clock = time.time
    monkeypatch.setattr("vault.store.postgres_writer.time.time", lambda: clock() + apart)

    with pytest.raises(ClockDepartsError):
        recorder.insert_batch([an_append("a", 2)])
    monkeypatch.undo()

    assert recorder.insert_batch([an_append("a", 2)]).verdicts == ((1,),)


def test_without_a_standby_nothing_is_stored_where_one_is_needed(primary: Cluster) -> None:
    database = primary.fresh_events()

    with pytest.raises(DurabilityWeakError):
        PostgresRecorder(database.server, needs_standby=True)
    configure(primary, "synchronous_standby_names", "other")
    recorder = PostgresRecorder(database.server, needs_standby=True)

    assert recorder.insert_batch([an_append("a", 1)]).verdicts == ((0,),)
    recorder.close()


def test_a_standby_takes_no_appends_and_answers_no_reads(
    pair: tuple[Cluster, Cluster], primary: Cluster
) -> None:
    database = primary.fresh_events()
    _, standby = pair
    eventually(lambda: (database.name,) in standby.run("SELECT datname FROM pg_database"))

    conninfo = standby.conninfo(database.name, SERVER)
    with pytest.raises(OperationalError) as refused:
        PostgresRecorder(conninfo)
    with pytest.raises(psycopg.Error, match="durability"):
        run_sql(conninfo, "SELECT citizen_vault.require_durability(false)")
    # Not by the function: reads would be let through by it.
    assert not isinstance(refused.value, DurabilityWeakError)


def waiting_for_standby(cluster: Cluster, database: Database) -> list[int]:
    """Return whose COMMIT waits for a standby."""
    return backends(cluster, database, "wait_event = 'SyncRep'")


@contextmanager
def batch_without_standby(
    pair: tuple[Cluster, Cluster], recorder: PostgresRecorder, database: Database
) -> Iterator[Future[BatchResult]]:
    """Send a batch whose COMMIT waits for a standby that is away."""
    primary, standby = pair
    standby.stop()
    with ThreadPoolExecutor(1) as thread:
        batch = thread.submit(recorder.insert_batch, [an_append("a", 2)])
        try:
            eventually(lambda: waiting_for_standby(primary, database))
            yield batch
        except BaseException:
            # Nobody is left waiting.
            standby.start()
            raise


@pytest.fixture
def replicated(primary: Cluster) -> Iterator[tuple[PostgresRecorder, Database]]:
    """A recorder that needs the standby, with one record."""
    configure(primary, "synchronous_standby_names", "other")
    recorder, database = opened(primary, needs_standby=True)
    recorder.insert_batch([an_append("a", 1)])
    yield recorder, database
    recorder.close()


def test_nothing_is_acknowledged_before_a_standby_has_it(
    pair: tuple[Cluster, Cluster], replicated: tuple[PostgresRecorder, Database]
) -> None:
    _, database = replicated
    recorder = PostgresRecorder(database.server, needs_standby=True, patience_seconds=30)
    with batch_without_standby(pair, recorder, database) as batch:
        assert not batch.done()
        assert recorder.tree_size() == 1
        pair[1].start()

        assert batch.result(timeout=30).verdicts == ((1,),)
    recorder.close()


def test_a_standby_that_does_not_come_back_holds_up_nobody_for_ever(
    pair: tuple[Cluster, Cluster], replicated: tuple[PostgresRecorder, Database]
) -> None:
    recorder, database = replicated
    with batch_without_standby(pair, recorder, database) as batch, ThreadPoolExecutor(1) as thread:
        closing_it = thread.submit(recorder.close)

        with pytest.raises(CommitFailedError):
            batch.result(timeout=30)
        closing_it.result(timeout=30)


def test_a_server_that_does_not_answer_holds_up_nobody_for_ever(
    linked: PostgresRecorder, link: Link
) -> None:
    linked.insert_batch([an_append("a", 1)])
    link.hold_requests()

    # What is still under way cannot be cancelled: the connection is given up.
    with ThreadPoolExecutor(1) as thread:
        batch = thread.submit(linked.insert_batch, [an_append("a", 2)])
        try:
            with pytest.raises(AppendFailedError):
                batch.result(timeout=30)
        except TimeoutError:
            link.hang_up()
            raise

    assert linked.insert_batch([an_append("a", 2)]).verdicts == ((1,),)


def test_a_record_that_no_standby_has_is_not_taken_for_durable(
    pair: tuple[Cluster, Cluster], replicated: tuple[PostgresRecorder, Database]
) -> None:
    recorder, database = replicated
    with batch_without_standby(pair, recorder, database) as batch, pytest.raises(CommitFailedError):
        batch.result(timeout=30)
    (record,) = recorder.select_records("a", after_version=1, limit=1)
    fresh = PostgresRecorder(database.server, needs_standby=True, patience_seconds=1)

    with ThreadPoolExecutor(1) as thread, pytest.raises(AppendFailedError):
        thread.submit(fresh.prove_durable, record).result(timeout=30)
    configure(pair[0], "synchronous_standby_names", "")
    with pytest.raises(AppendFailedError):
        fresh.prove_durable(record)
    configure(pair[0], "synchronous_standby_names", "other")
    pair[1].start()
    eventually(lambda: is_proven(fresh, record))
    with pytest.raises(AppendFailedError):
        fresh.prove_durable(replace(record, entry=b"\x02" * 65))
    fresh.close()
    with pytest.raises(StoreClosedError):
        fresh.prove_durable(record)


def is_proven(recorder: PostgresRecorder, record: StoredRecord) -> bool:
    """Tell whether a record is durable by now."""
    with suppress(AppendFailedError):
        recorder.prove_durable(record)
        return True
    return False


async def test_who_repeats_a_request_is_not_answered_before_a_standby_has_it(
    pair: tuple[Cluster, Cluster],
    replicated: tuple[PostgresRecorder, Database],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hasty = partial(PostgresRecorder, patience_seconds=1)
    monkeypatch.setattr("vault.store.postgres.PostgresRecorder", hasty)
    place = {
        "PERSISTENCE_MODULE": "vault.store.postgres",
        "POSTGRES_CONNINFO": replicated[1].server,
        "POSTGRES_NEEDS_STANDBY": "yes",
    }
    request_id = houses.new_id()

    async def provide(house: houses.House) -> Answer[View]:
        return await house.evidence.provide(
            houses.MAIR, houses.HERSELF, request_id, "postal_address", houses.provided()
        )

    async with houses.opened(tmp_path, first=place) as house:
        await houses.furnish(house)
        await house.citizens.open(houses.MAIR, houses.HERSELF)
    pair[1].stop()
    dying = houses.opened(tmp_path, first=place)
    with pytest.raises(StoreUnavailableError):
        await provide(await dying.__aenter__())
    with pytest.raises(AssertionError):  # it has to end
        await dying.__aexit__(None, None, None)
    async with houses.opened(tmp_path, first=place) as house:
        with pytest.raises(StoreUnavailableError):
            await provide(house)
        pair[1].start()

        answered = None
        async with asyncio.timeout(60):
            while answered is None:
                with suppress(StoreUnavailableError):
                    answered = await provide(house)
        vault = (await house.citizens.get(houses.MAIR, houses.HERSELF)).value
        assert (await house.names(vault.stream)).count("evidence-provided.1") == 1


def test_a_batch_that_still_waits_when_its_connection_is_lost_is_waited_for(
    pair: tuple[Cluster, Cluster], replicated: tuple[PostgresRecorder, Database]
) -> None:
    _, database = replicated
    primary, standby = pair
    with Link(primary.port) as link:
        conninfo = primary.tcp_conninfo(database.name, SERVER, link.port)
        recorder = PostgresRecorder(conninfo, needs_standby=True, patience_seconds=30)
        with batch_without_standby(pair, recorder, database) as batch:
            link.cut()
            link.mend()
            # Asked what became of it, the database cannot tell before it is over.
            eventually(lambda: backends(primary, database, "wait_event_type = 'Lock'"))
            standby.start()

            assert batch.result(timeout=30).verdicts == ((1,),)
        recorder.close()


def test_a_wait_for_a_standby_that_is_cancelled_is_unknown(
    pair: tuple[Cluster, Cluster], replicated: tuple[PostgresRecorder, Database]
) -> None:
    recorder, database = replicated
    with batch_without_standby(pair, recorder, database) as batch:
        (pid,) = waiting_for_standby(pair[0], database)
        pair[0].run(f"SELECT pg_cancel_backend({pid})")

        # It is stored, and would be lost with the primary: no standby proves that it is not.
        with pytest.raises(CommitFailedError):
            batch.result(timeout=30)
    assert recorder.tree_size() == 2


def test_a_wait_that_is_cancelled_while_the_standby_returns_is_found_out(
    pair: tuple[Cluster, Cluster], replicated: tuple[PostgresRecorder, Database]
) -> None:
    _, database = replicated
    recorder = PostgresRecorder(database.server, needs_standby=True, patience_seconds=30)
    with batch_without_standby(pair, recorder, database) as batch:
        (pid,) = waiting_for_standby(pair[0], database)
        pair[0].run(f"SELECT pg_cancel_backend({pid})")
        eventually(lambda: set(waiting_for_standby(pair[0], database)) - {pid})
        pair[1].start()

        assert batch.result(timeout=30).verdicts == ((1,),)
    recorder.close()


def test_a_wait_that_ends_since_no_standby_is_named_any_more_is_unknown(
    pair: tuple[Cluster, Cluster], replicated: tuple[PostgresRecorder, Database]
) -> None:
    recorder, database = replicated
    with batch_without_standby(pair, recorder, database) as batch:
        configure(pair[0], "synchronous_standby_names", "")

        with pytest.raises(CommitFailedError):
            batch.result(timeout=30)


# --- Speed that does not depend on when a plan was made


def test_queries_go_along_their_index_however_few_rows_there_were(
    recorder: PostgresRecorder, database: Database, cluster: Cluster
) -> None:
    recorder.insert_batch([an_append("a", 1)])
    cluster.run("ANALYZE", database.name)
    recorder.select_records("a", limit=1)
    recorder.select_notifications(1, 10)
    recorder.find_request("a", "key")
    reader = recorder._readers._idle.get()  # noqa: SLF001
    recorder._readers._idle.put(reader)  # noqa: SLF001
    assert reader is not None

    names = reader.execute("SELECT name, parameter_types FROM pg_prepared_statements").fetchall()
    plans = []
    for name, types in names:
        if len(types) < 2 or not name.startswith("_pg3"):
            continue
        nulls = ", ".join(["NULL"] * len(types))
        rows = reader.execute(f"EXPLAIN EXECUTE {name} ({nulls})").fetchall()
        plans.append("\n".join(line for (line,) in rows))

    assert len(plans) >= 3
    for plan in plans:
        assert not re.search(r"Seq Scan|Bitmap|Hash|Merge", plan), plan
        assert "Index" in plan


# --- The factory


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "POSTGRES_CONNINFO"),
        ({"POSTGRES_CONNINFO": "dbname=x", "POSTGRES_LANE": "one"}, "POSTGRES_LANE"),
        ({"POSTGRES_CONNINFO": "dbname=x", "POSTGRES_NEEDS_STANDBY": "1"}, "yes or no"),
    ],
)
def test_the_factory_says_what_it_needs(environment: dict[str, str], words: str) -> None:
    with pytest.raises(InfrastructureFactoryError, match=words):
        PostgresFactory(environment)


def test_the_factory_opens_the_lane_that_it_is_told(database: Database) -> None:
    environment = {"POSTGRES_CONNINFO": database.server, "POSTGRES_LANE": "7"}
    factory = PostgresFactory(environment)

    factory.application_recorder().insert_events([an_event("a", 1)])
    factory.close()

    assert run_sql(database.server, "SELECT lane FROM citizen_vault.entries") == [(7,)]


def test_the_factory_asks_for_a_standby(database: Database) -> None:
    factory = PostgresFactory(
        {"POSTGRES_CONNINFO": database.server, "POSTGRES_NEEDS_STANDBY": "yes"}
    )

    with pytest.raises(DurabilityWeakError):
        factory.application_recorder()
