# SPDX-License-Identifier: Apache-2.0
"""What was read or decided before a connection was lost does not count behind the next one.

Another database may be there by then, which holds less and has gone another way.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from eventsourcing.persistence import OperationalError, StoredEvent

from tests import house as houses
from tests.link import Link
from tests.postgres import SERVER, Cluster, Database
from vault.domain.errors import StoreUnavailableError, VaultFrozenError
from vault.store.append import Append
from vault.store.errors import AppendFailedError
from vault.store.postgres import PostgresRecorder


@pytest.fixture
def database(cluster: Cluster) -> Database:
    """An event database, empty."""
    return cluster.fresh_events()


@pytest.fixture
def recorder(database: Database) -> Iterator[PostgresRecorder]:
    """A recorder on it."""
    recorder = PostgresRecorder(database.server)
    yield recorder
    recorder.close()


def decided(recorder: PostgresRecorder, stream: str) -> Append:
    """Return an append that is decided now."""
    event = StoredEvent(stream, 1, "topic", b"link\nfacts")
    return Append((event,), incarnation=recorder.incarnation)


def cut_off(cluster: Cluster, database: Database) -> None:
    """End every connection to the database, and wait until they are gone."""
    query = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = "
    cluster.run(f"{query}'{database.name}'")


def test_what_was_decided_before_is_refused_and_what_is_decided_since_is_not(
    cluster: Cluster, database: Database, recorder: PostgresRecorder
) -> None:
    before, also_before = decided(recorder, "a"), decided(recorder, "b")
    cut_off(cluster, database)

    with pytest.raises(AppendFailedError):
        recorder.insert_batch([before])
    since = decided(recorder, "a")
    with pytest.raises(AppendFailedError):
        recorder.insert_batch([since, also_before])

    assert since.incarnation != before.incarnation
    assert recorder.tree_size() == 0
    assert recorder.insert_batch([since]).verdicts == ((0,),)


def test_what_does_not_say_when_it_was_decided_is_appended(
    cluster: Cluster, database: Database, recorder: PostgresRecorder
) -> None:
    event = StoredEvent("a", 1, "topic", b"link\nfacts")
    cut_off(cluster, database)

    assert recorder.insert_batch([Append((event,))]).verdicts == ((0,),)


# --- Another database under the same name


def leave(cluster: Cluster, database: Database) -> None:
    """Let nobody connect to the database any more."""
    cluster.run(f"ALTER DATABASE {database.name} ALLOW_CONNECTIONS false")
    cut_off(cluster, database)


def restore(cluster: Cluster, database: Database, backup: Database) -> None:
    """Put a backup in the place of a database, and let everybody connect."""
    leave(cluster, database)
    cut_off(cluster, backup)
    cluster.run(f"ALTER DATABASE {database.name} RENAME TO {database.name}_lost")
    cluster.run(f"ALTER DATABASE {backup.name} RENAME TO {database.name}")


def append(recorder: PostgresRecorder, *streams: str) -> None:
    """Append the first event of each stream."""
    recorder.insert_batch([decided(recorder, stream) for stream in streams])


def test_a_writer_that_could_not_reconnect_counts_when_it_can(
    cluster: Cluster, database: Database, recorder: PostgresRecorder
) -> None:
    append(recorder, "a", "b")
    leave(cluster, database)
    with pytest.raises(AppendFailedError):
        append(recorder, "c")
    late = decided(recorder, "c")
    restore(cluster, database, cluster.fresh_events())

    with pytest.raises(AppendFailedError):
        recorder.insert_batch([late])

    assert recorder.incarnation != late.incarnation
    assert recorder.tree_size() == 0


def test_a_reader_that_could_not_reconnect_counts_when_it_can(
    cluster: Cluster, database: Database, recorder: PostgresRecorder
) -> None:
    append(recorder, "a")
    assert recorder.tree_size() == 1
    leave(cluster, database)
    with pytest.raises(OperationalError):
        recorder.tree_size()
    before = recorder.incarnation
    cluster.run(f"ALTER DATABASE {database.name} ALLOW_CONNECTIONS true")

    # The same database, for all that is known: the connection was lost, and that is enough.
    assert recorder.tree_size() == 1
    assert recorder.incarnation > before


def test_the_first_connection_of_a_reader_counts_if_it_finds_another_database(
    cluster: Cluster, database: Database, recorder: PostgresRecorder
) -> None:
    append(recorder, "a")
    before = recorder.incarnation
    restore(cluster, database, cluster.fresh_events())

    assert recorder.tree_size() == 0
    assert recorder.incarnation > before


def test_the_first_connection_of_a_reader_to_the_same_database_does_not_count(
    recorder: PostgresRecorder,
) -> None:
    append(recorder, "a")

    assert recorder.tree_size() == 1
    assert recorder.incarnation == 0


def test_what_is_found_out_is_not_measured_by_what_another_database_held(
    cluster: Cluster, database: Database
) -> None:
    with Link(cluster.port) as link:
        conninfo = cluster.tcp_conninfo(database.name, SERVER, link.port)
        recorder = PostgresRecorder(conninfo, patience_seconds=5)
        append(recorder, "a", "b", "c")
        restore(cluster, database, cluster.fresh_events())
        with pytest.raises(AppendFailedError):
            append(recorder, "d")
        link.lose_next_reply()

        # It is stored, and lies where others lay before.
        assert recorder.insert_batch([decided(recorder, "d")]).verdicts == ((0,),)
        recorder.close()


async def test_nothing_is_disclosed_after_a_revocation_that_a_restored_database_forgot(
    cluster: Cluster, database: Database, tmp_path: Path
) -> None:
    place = {
        "PERSISTENCE_MODULE": "vault.store.postgres",
        "POSTGRES_CONNINFO": database.server,
    }
    async with houses.opened(tmp_path, first=place) as house:
        registered = await houses.furnish(house)
        shared = await houses.share(house, houses.MAIR, registered.service)
    backup = cluster.fresh_database(database.name)
    async with houses.opened(tmp_path, first=place) as ours:
        leave(cluster, database)
        with pytest.raises(StoreUnavailableError):
            await ours.amendments.pause(
                houses.MAIR, houses.HERSELF, houses.new_id(), shared.consent_id
            )
        cluster.run(f"ALTER DATABASE {database.name} ALLOW_CONNECTIONS true")
        # From here on it knows her consent, by reading alone.
        assert await ours.disclosures.check((shared.attempt(),)) == ("",)
        async with houses.opened(tmp_path, first=place) as other:
            await houses.revoke(other, shared)
        restore(cluster, database, backup)

        # The second, if something else that reads has met the restored database before.
        with pytest.raises((StoreUnavailableError, VaultFrozenError)):
            await ours.disclosures.disclose(
                registered.service, houses.new_id(), shared.attempt(), houses.said()
            )
        with pytest.raises(VaultFrozenError):
            await ours.disclosures.disclose(
                registered.service, houses.new_id(), shared.attempt(), houses.said()
            )
