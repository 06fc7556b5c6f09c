# SPDX-License-Identifier: Apache-2.0
"""What was decided before a connection was lost is not appended behind the next one.

Another database may be there by then, and have gone another way.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from eventsourcing.persistence import StoredEvent

from tests.postgres import Cluster, Database
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
    """End every connection to the database."""
    query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
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
