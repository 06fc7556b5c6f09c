# SPDX-License-Identifier: Apache-2.0
"""What every event store promises; each database inherits the suite and says how it is opened."""

from __future__ import annotations

import asyncio
import itertools
import random
import signal
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias
from uuid import uuid4

import pytest
from eventsourcing.persistence import InfrastructureFactory, IntegrityError, StoredEvent
from eventsourcing.utils import Environment

from vault.store import subscription as subscriptions
from vault.store.append import Append, Payload, StoredRecord, Verdict
from vault.store.committer import Committer
from vault.store.errors import StoreClosedError
from vault.store.record import entry_of
from vault.store.recorder import Recorder

Place: TypeAlias = Any
"""Where a store is: a folder, a database. Opened twice, it is the same store."""


def an_event(stream: str, version: int, state: bytes = b"link\nfacts") -> StoredEvent:
    """Return an event of some topic."""
    return StoredEvent(stream, version, "something-happened.1", state)


def an_append(stream: str, *versions: int, request_key: str = "") -> Append:
    """Return an append of one event for each version."""
    return Append(tuple(an_event(stream, v) for v in versions), request_key=request_key)


def is_refused(verdict: Verdict) -> bool:
    """Tell whether a verdict is a conflict."""
    return isinstance(verdict, IntegrityError)


class EventStoreContract(ABC):
    """The promises."""

    @abstractmethod
    def open_store(self, place: Place, lane: int = 0) -> Recorder:
        """Open a lane of the store of a place, or make it."""

    @abstractmethod
    def run_sql(self, place: Place, statement: str) -> None:
        """Run a statement as someone who has all rights on the database; raise if it refuses."""

    @abstractmethod
    def environment(self, place: Place) -> dict[str, str]:
        """Return the environment by which a process opens lane 0 of the store of a place."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        """A folder, unless the database needs another kind of place."""
        return tmp_path

    @pytest.fixture
    def store(self, place: Place) -> Iterator[Recorder]:
        store = self.open_store(place)
        yield store
        store.close()

    @pytest.fixture
    def stream(self) -> str:
        return str(uuid4())

    # --- Verdicts and positions

    def test_an_empty_store_has_no_positions(self, store: Recorder) -> None:
        assert store.tree_size() == 0
        assert store.max_notification_id() is None

    def test_positions_are_dense_across_streams_and_batches(self, store: Recorder) -> None:
        first = store.insert_batch([an_append("a", 1, 2), an_append("b", 1)])
        second = store.insert_batch([an_append("b", 2), an_append("a", 3, 4)])

        assert first.verdicts == ((0, 1), (2,))
        assert second.verdicts == ((3,), (4, 5))
        assert store.tree_size() == 6

    def test_a_refused_append_takes_no_position(self, store: Recorder) -> None:
        verdicts = store.insert_batch(
            [an_append("a", 1), an_append("a", 1), an_append("b", 1)]
        ).verdicts

        assert verdicts[0] == (0,)
        assert is_refused(verdicts[1])
        assert verdicts[2] == (1,)

    def test_a_large_batch_is_stored_in_order(self, store: Recorder) -> None:
        batch = [an_append(f"stream {number}", 1) for number in range(700)]

        verdicts = store.insert_batch(batch).verdicts

        assert verdicts == tuple((position,) for position in range(700))
        notifications = store.select_notifications(1, 1000)
        assert [n.originator_id for n in notifications] == [f"stream {n}" for n in range(700)]

    def test_a_version_that_is_taken_is_refused(self, store: Recorder, stream: str) -> None:
        store.insert_batch([an_append(stream, 1)])

        (verdict,) = store.insert_batch([an_append(stream, 1)]).verdicts

        assert is_refused(verdict)

    @pytest.mark.parametrize("version", [2, 3, 50])
    def test_a_version_without_predecessor_is_refused(
        self, store: Recorder, stream: str, version: int
    ) -> None:
        (verdict,) = store.insert_batch([an_append(stream, version)]).verdicts

        assert is_refused(verdict)
        assert store.tree_size() == 0

    def test_a_predecessor_in_the_same_batch_counts(self, store: Recorder, stream: str) -> None:
        batch = [an_append(stream, 1), an_append(stream, 2), an_append(stream, 3)]

        assert store.insert_batch(batch).verdicts == ((0,), (1,), (2,))

    def test_a_refused_predecessor_in_the_same_batch_does_not_count(
        self, store: Recorder, stream: str
    ) -> None:
        store.insert_batch([an_append(stream, 1, request_key="key")])
        batch = [an_append(stream, 2, request_key="key"), an_append(stream, 3)]

        assert all(map(is_refused, store.insert_batch(batch).verdicts))

    def test_an_append_is_stored_whole_or_not_at_all(self, store: Recorder, stream: str) -> None:
        store.insert_batch([an_append(stream, 1)])
        both = Append((an_event("other", 1), an_event(stream, 1)))

        verdicts = store.insert_batch([both, an_append(stream, 2, 3)]).verdicts

        assert is_refused(verdicts[0])
        assert verdicts[1] == (1, 2)
        assert store.select_events("other") == []

    def test_a_refused_append_leaves_its_streams_as_they_were(self, store: Recorder) -> None:
        store.insert_batch([an_append("a", 1)])
        refused = Append((an_event("new", 1), an_event("a", 2), an_event("a", 4)))

        verdicts = store.insert_batch([refused, an_append("new", 1), an_append("a", 2)]).verdicts

        assert is_refused(verdicts[0])
        assert verdicts[1:] == ((1,), (2,))

    def test_a_verdict_never_says_what_is_there(self, store: Recorder, stream: str) -> None:
        store.insert_batch([an_append(stream, 1, request_key="key")])

        verdicts = store.insert_batch(
            [an_append(stream, 1), an_append(stream, 9), an_append(stream, 2, request_key="key")]
        ).verdicts

        assert len({str(verdict) for verdict in verdicts}) == 1
        assert stream not in str(verdicts[0])

    def test_the_commit_was_sent_between_call_and_return(
        self, store: Recorder, stream: str
    ) -> None:
        before = time.monotonic()
        result = store.insert_batch([an_append(stream, 1)])

        assert before < result.commit_sent < time.monotonic()

    def test_insert_events_returns_ids_that_are_positions_plus_one(
        self, store: Recorder, stream: str
    ) -> None:
        assert store.insert_events([an_event(stream, 1), an_event(stream, 2)]) == [1, 2]
        with pytest.raises(IntegrityError):
            store.insert_events([an_event(stream, 2)])

    def test_insert_events_drops_nothing_that_it_is_given(
        self, store: Recorder, stream: str
    ) -> None:
        with pytest.raises(TypeError, match="tracking"):
            store.insert_events([an_event(stream, 1)], tracking=object())

    def test_lanes_of_one_store_know_nothing_of_each_other(
        self, store: Recorder, place: Place, stream: str
    ) -> None:
        append = Append((an_event(stream, 1),), ((Payload("evidence", b"sealed"),),), "key")
        other = self.open_store(place, lane=7)
        try:
            assert store.insert_batch([append, an_append(stream, 2)]).verdicts == ((0,), (1,))
            assert other.select_records(stream, limit=9) == []
            assert other.select_events(stream) == []
            assert other.select_notifications(1, 9) == []
            assert other.select_payloads(stream, 1) == []
            assert other.find_request(stream, "key") is None
            assert other.insert_batch([append]).verdicts == ((0,),)
            assert (store.tree_size(), other.tree_size()) == (2, 1)
        finally:
            other.close()

    # --- Request keys

    def test_a_request_key_is_used_once_in_a_stream(self, store: Recorder, stream: str) -> None:
        store.insert_batch([an_append(stream, 1, request_key="key")])

        (verdict,) = store.insert_batch([an_append(stream, 2, request_key="key")]).verdicts

        assert is_refused(verdict)

    def test_a_request_key_is_used_once_in_a_batch(self, store: Recorder, stream: str) -> None:
        batch = [
            an_append(stream, 1, request_key="key"),
            an_append(stream, 2, request_key="key"),
            an_append(stream, 2, request_key="other key"),
        ]

        verdicts = store.insert_batch(batch).verdicts

        assert list(map(is_refused, verdicts)) == [False, True, False]

    def test_a_request_key_is_free_in_another_stream(self, store: Recorder) -> None:
        batch = [an_append("a", 1, request_key="key"), an_append("b", 1, request_key="key")]

        assert store.insert_batch(batch).verdicts == ((0,), (1,))

    def test_no_request_key_is_used_as_often_as_you_like(
        self, store: Recorder, stream: str
    ) -> None:
        store.insert_batch([an_append(stream, 1), an_append(stream, 2)])

        assert store.insert_batch([an_append(stream, 3)]).verdicts == ((2,),)
        assert store.find_request(stream, "") is None

    def test_a_request_key_finds_the_first_event_of_its_append(
        self, store: Recorder, stream: str
    ) -> None:
        store.insert_batch([an_append(stream, 1), an_append(stream, 2, 3, request_key="key")])

        found = store.find_request(stream, "key")

        assert found is not None
        assert (found.position, found.version, found.request_key) == (1, 2, "key")
        assert [r.request_key for r in store.select_records(stream, limit=9)] == ["", "key", ""]

    def test_a_request_key_finds_nothing_in_another_stream(
        self, store: Recorder, stream: str
    ) -> None:
        store.insert_batch([an_append(stream, 1, request_key="key")])

        assert store.find_request("other", "key") is None

    # --- Records and payloads

    @pytest.mark.parametrize("state", [b"link\nfacts", b"", b"\n", b"no newline", b"\x00\xff\n\n"])
    def test_a_record_is_read_as_it_was_stored(
        self, store: Recorder, stream: str, state: bytes
    ) -> None:
        store.insert_batch([Append((an_event(stream, 1, state),), request_key="key")])

        (record,) = store.select_records(stream, limit=9)

        assert record == StoredRecord(
            position=0,
            stream=stream,
            version=1,
            entry=entry_of(state),
            request_key="key",
            topic="something-happened.1",
            state=state,
        )

    def test_records_are_selected_by_version_and_position(
        self, store: Recorder, stream: str
    ) -> None:
        store.insert_batch(
            [an_append(stream, 1, 2), an_append("other", 1), an_append(stream, 3, 4, 5)]
        )

        def versions(**bounds: Any) -> list[int]:
            return [record.version for record in store.select_records(stream, **bounds)]

        assert versions(limit=9) == [1, 2, 3, 4, 5]
        assert versions(limit=2) == [1, 2]
        assert versions(limit=2, after_version=2) == [3, 4]
        assert versions(limit=9, below_position=4) == [1, 2, 3]
        assert versions(limit=9, below_position=3) == [1, 2]
        assert versions(limit=9, below_position=0) == []
        assert versions(limit=9, from_position=3) == [3, 4, 5]
        assert versions(limit=9, from_position=1, below_position=4) == [2, 3]
        assert versions(limit=1, from_position=1) == [2]
        assert versions(limit=9, from_position=6) == []

    def test_a_range_is_every_stream_in_the_order_of_the_positions(
        self, store: Recorder, place: Place, stream: str
    ) -> None:
        store.insert_batch(
            [an_append(stream, 1, 2), an_append("other", 1), an_append(stream, 3, 4, 5)]
        )
        self.run_sql(place, "DELETE FROM records WHERE position = 3")

        def positions(first: int, end: int, limit: int = 9) -> list[int]:
            found = store.select_range(first, end, limit=limit)
            return [record.position for record in found]

        assert positions(0, 6) == [0, 1, 2, 3, 4, 5]
        assert positions(0, 99) == [0, 1, 2, 3, 4, 5]
        assert positions(1, 4) == [1, 2, 3]
        assert positions(1, 4, limit=2) == [1, 2]
        assert positions(4, 4) == positions(5, 4) == positions(6, 99) == []
        second, gone = store.select_range(2, 4, limit=9)
        assert (second.stream, second.version, second.state) == ("other", 1, b"link\nfacts")
        assert (gone.stream, gone.version, gone.state) == (stream, 3, None)
        assert gone.entry == entry_of(b"link\nfacts")

    def test_payloads_lie_beside_their_own_event(self, store: Recorder, stream: str) -> None:
        first = (Payload("evidence", b"\x00sealed"), Payload("command", b""))
        third = (Payload("command", b"\xff"),)
        append = Append(tuple(an_event(stream, v) for v in (1, 2, 3)), (first, (), third))

        store.insert_batch([an_append("other", 1), append])

        assert tuple(store.select_payloads(stream, 1)) == first
        assert tuple(store.select_payloads(stream, 2)) == ()
        assert tuple(store.select_payloads(stream, 3)) == third

    def test_payloads_of_a_refused_append_are_not_stored(
        self, store: Recorder, stream: str
    ) -> None:
        refused = Append((an_event(stream, 2),), ((Payload("evidence", b"sealed"),),))

        store.insert_batch([refused, an_append(stream, 1)])
        store.insert_batch([an_append(stream, 2)])

        assert store.select_payloads(stream, 2) == []

    def test_insert_events_stores_payloads_and_the_request_key(
        self, store: Recorder, stream: str
    ) -> None:
        payloads = [[Payload("evidence", b"sealed")]]

        store.insert_events([an_event(stream, 1)], payloads=payloads, request_key="key")

        assert store.select_payloads(stream, 1) == payloads[0]
        assert store.find_request(stream, "key") is not None

    def test_a_deleted_record_leaves_its_entry(
        self, store: Recorder, place: Place, stream: str
    ) -> None:
        store.insert_batch([an_append(stream, 1, 2, request_key="key")])

        self.run_sql(place, "DELETE FROM records WHERE position = 0")

        first, second = store.select_records(stream, limit=9)
        assert (first.version, first.topic, first.state) == (1, None, None)
        assert first.entry == entry_of(b"link\nfacts")
        assert second.state == b"link\nfacts"
        assert store.find_request(stream, "key") == first
        assert [e.originator_version for e in store.select_events(stream)] == [2]
        assert [n.id for n in store.select_notifications(1, 9)] == [2]
        assert store.max_notification_id() == 2

    def test_entries_are_told_by_position_whatever_became_of_their_records(
        self, store: Recorder, place: Place, stream: str
    ) -> None:
        store.insert_batch([an_append(stream, 1, 2), an_append("other", 1), an_append(stream, 3)])
        expected = [each.entry for each in store.select_range(0, 4, limit=9)]

        self.run_sql(place, "DELETE FROM records WHERE position IN (0, 2)")

        assert len(expected) == 4
        assert list(store.select_entries(0, 9)) == expected
        assert list(store.select_entries(1, 2)) == expected[1:3]
        assert list(store.select_entries(4, 9)) == []

    def test_a_stream_goes_on_after_its_last_record_was_deleted(
        self, store: Recorder, place: Place, stream: str
    ) -> None:
        store.insert_batch([an_append(stream, 1)])
        self.run_sql(place, "DELETE FROM records")

        verdicts = store.insert_batch([an_append(stream, 1), an_append(stream, 2)]).verdicts

        assert is_refused(verdicts[0])
        assert verdicts[1] == (1,)

    def test_a_payload_can_be_deleted(self, store: Recorder, place: Place, stream: str) -> None:
        append = Append((an_event(stream, 1),), ((Payload("evidence", b"sealed"),),))
        store.insert_batch([append])

        self.run_sql(place, "DELETE FROM payloads")

        assert store.select_payloads(stream, 1) == []
        assert store.select_records(stream, limit=1)[0].state == b"link\nfacts"

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE entries SET request_key = 'x'",
            "DELETE FROM entries",
            "UPDATE records SET topic = 'x'",
            "UPDATE payloads SET kind = 'x'",
        ],
    )
    def test_the_database_refuses_to_change_history(
        self, store: Recorder, place: Place, stream: str, statement: str
    ) -> None:
        append = Append((an_event(stream, 1),), ((Payload("evidence", b"sealed"),),))
        store.insert_batch([append])
        before = store.select_records(stream, limit=9)

        with pytest.raises(Exception, match=r"are never (updated|deleted)"):
            self.run_sql(place, statement)

        assert store.select_records(stream, limit=9) == before
        assert store.select_payloads(stream, 1) == [Payload("evidence", b"sealed")]

    @pytest.mark.parametrize(
        "statement",
        [
            "INSERT INTO records SELECT lane, position, 'x', entry FROM entries",
            "INSERT INTO payloads SELECT lane, position, 7, 'x', entry FROM entries",
        ],
    )
    def test_nothing_is_put_beside_an_entry_later(
        self, store: Recorder, place: Place, stream: str, statement: str
    ) -> None:
        store.insert_batch([an_append(stream, 1)])
        self.run_sql(place, "DELETE FROM records")

        with pytest.raises(Exception, match="precede their entry"):
            self.run_sql(place, statement)

    # --- Following

    def test_a_subscription_yields_what_is_there_and_what_comes(
        self, store: Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # With polls a minute apart, only the commit itself can wake it in time.
        monkeypatch.setattr(subscriptions, "POLL_SECONDS", 60)
        store.insert_batch([an_append("a", 1), an_append("b", 1)])

        with store.subscribe() as subscription, ThreadPoolExecutor(1) as thread:
            assert [n.id for n in itertools.islice(subscription, 2)] == [1, 2]
            coming = thread.submit(next, subscription)
            time.sleep(0.05)
            store.insert_batch([an_append("b", 2)])

            assert coming.result(timeout=10).id == 3

    def test_a_subscription_notices_commits_of_others(self, store: Recorder, place: Place) -> None:
        other = self.open_store(place)
        try:
            with store.subscribe(gt=0) as subscription, ThreadPoolExecutor(1) as thread:
                coming = thread.submit(next, subscription)
                time.sleep(0.05)
                other.insert_batch([an_append("a", 1)])

                assert coming.result(timeout=10).originator_id == "a"
        finally:
            other.close()

    def test_a_subscription_to_topics_passes_over_others(self, store: Recorder) -> None:
        rare = StoredEvent("a", 4, "rare.1", b"")
        store.insert_batch([an_append("a", 1, 2, 3), Append((rare,))])

        with store.subscribe(topics=["rare.1"]) as subscription:
            assert next(subscription).id == 4

    @pytest.mark.parametrize("ending", ["stop", "close"])
    def test_a_waiting_subscription_ends_when_stopped_or_closed(
        self, store: Recorder, monkeypatch: pytest.MonkeyPatch, ending: str
    ) -> None:
        monkeypatch.setattr(subscriptions, "POLL_SECONDS", 60)

        with store.subscribe() as subscription, ThreadPoolExecutor(1) as thread:
            ended = thread.submit(list, subscription)
            time.sleep(0.05)
            subscription.stop() if ending == "stop" else store.close()

            assert ended.result(timeout=10) == []

    # --- Opening and closing

    def test_a_reopened_store_goes_on_where_it_was(self, place: Place, stream: str) -> None:
        first = self.open_store(place)
        first.insert_batch([an_append(stream, 1, 2, request_key="key")])
        first.close()

        second = self.open_store(place)
        verdicts = second.insert_batch([an_append(stream, 2), an_append(stream, 3)]).verdicts
        records = second.select_records(stream, limit=9)
        second.close()

        assert is_refused(verdicts[0])
        assert verdicts[1] == (2,)
        assert [record.version for record in records] == [1, 2, 3]

    def test_a_closed_store_says_so(self, place: Place, stream: str) -> None:
        store = self.open_store(place)
        store.close()
        store.close()

        with pytest.raises(StoreClosedError):
            store.insert_batch([an_append(stream, 1)])
        with pytest.raises(StoreClosedError):
            store.tree_size()

    def test_the_environment_alone_chooses_the_store(self, store: Recorder, place: Place) -> None:
        environment = Environment("", self.environment(place))
        factory: InfrastructureFactory = InfrastructureFactory.construct(environment)
        recorder = factory.application_recorder()
        recorder.insert_events([an_event("a", 1)])
        others = factory.aggregate_recorder()
        factory.close()

        assert others is recorder
        assert store.tree_size() == 1

    def test_the_factory_says_what_it_does_not_keep(self, place: Place) -> None:
        environment = Environment("", self.environment(place))
        factory: InfrastructureFactory = InfrastructureFactory.construct(environment)

        with pytest.raises(NotImplementedError, match="snapshots"):
            factory.aggregate_recorder("snapshots")
        with pytest.raises(NotImplementedError, match="tracking"):
            factory.tracking_recorder()
        with pytest.raises(NotImplementedError, match="process"):
            factory.process_recorder()

    # --- Kills

    def test_killed_under_load_it_loses_nothing_it_acknowledged(self, place: Place) -> None:
        acknowledged = [line for _ in range(3) for line in self._append_until_killed(place)]

        store = self.open_store(place)
        found = {
            (record.stream, record.version, record.request_key, record.position)
            for stream in {stream for stream, *_ in acknowledged}
            for record in store.select_records(stream, limit=100_000)
            if record.state is not None and store.select_payloads(stream, record.version)
        }
        notifications = store.select_notifications(1, 1_000_000)
        size = store.tree_size()
        store.close()
        assert len(acknowledged) > 100
        assert set(acknowledged) <= found
        assert [n.id for n in notifications] == list(range(1, size + 1))

    def _append_until_killed(self, place: Place) -> list[tuple[str, int, str, int]]:
        process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("append_until_killed.py")],
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": str(Path(__file__).parents[2]), **self.environment(place)},
        )
        assert process.stdout is not None
        lines = [process.stdout.readline()]
        time.sleep(0.4)
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
        process.stdout.close()
        assert process.wait() == -signal.SIGKILL
        # The last line may be cut off in the middle.
        fields = [line.split() for line in lines if line.endswith("\n")]
        return [(stream, int(v), key, int(position)) for stream, v, key, position in fields]

    # --- Races

    def test_threads_racing_on_few_streams_each_get_their_own_verdict(
        self, store: Recorder
    ) -> None:
        check_race(store, [store] * 16)

    def test_two_writers_of_one_store_stay_correct(self, store: Recorder, place: Place) -> None:
        other = self.open_store(place)
        try:
            check_race(store, [store, other] * 4)
        finally:
            other.close()

    async def test_tasks_racing_through_a_committer_each_get_their_own_verdict(
        self, store: Recorder
    ) -> None:
        fatal: list[BaseException] = []
        committer = Committer(store, on_fatal=fatal.append)
        committer.start()
        streams = [str(uuid4()) for _ in range(4)]
        won: dict[int, tuple[str, int]] = {}

        async def race(seed: int) -> None:
            chance = random.Random(seed)
            for _ in range(20):
                stream = chance.choice(streams)
                while True:
                    head = len(store.select_records(stream, limit=10_000))
                    versions = range(head + 1, head + 1 + chance.choice((1, 1, 3)))
                    try:
                        commit = await committer.append(an_append(stream, *versions))
                    except IntegrityError:
                        continue
                    won.update(
                        (p, (stream, v)) for p, v in zip(commit.positions, versions, strict=True)
                    )
                    break

        await asyncio.gather(*map(race, range(16)))
        await committer.close()

        assert fatal == []
        check_history(store, streams, won)


def check_race(store: Recorder, writers: Sequence[Recorder]) -> None:
    """Let a thread for each writer append to few streams, and check what everyone was told."""
    streams = [str(uuid4()) for _ in range(4)]
    won: dict[int, tuple[str, int]] = {}
    counting = threading.Lock()

    def race(seed: int, writer: Recorder) -> None:
        chance = random.Random(seed)
        for _ in range(20):
            stream = chance.choice(streams)
            while True:
                head = len(writer.select_events(stream))
                versions = range(head + 1, head + 1 + chance.choice((1, 1, 3)))
                try:
                    ids = writer.insert_events([an_event(stream, v) for v in versions])
                except IntegrityError:
                    continue
                assert ids is not None
                with counting:
                    won.update((i - 1, (stream, v)) for i, v in zip(ids, versions, strict=True))
                break

    with ThreadPoolExecutor(len(writers)) as threads:
        list(threads.map(race, range(len(writers)), writers))

    check_history(store, streams, won)


def check_history(store: Recorder, streams: Sequence[str], won: dict[int, tuple[str, int]]) -> None:
    """Check that history is what the winners were told: dense, contiguous, nothing else."""
    found = {
        record.position: (stream, record.version)
        for stream in streams
        for record in store.select_records(stream, limit=10_000)
    }
    assert found == won
    assert sorted(won) == list(range(store.tree_size()))
    for stream in streams:
        versions = [record.version for record in store.select_records(stream, limit=10_000)]
        assert versions == list(range(1, len(versions) + 1))
