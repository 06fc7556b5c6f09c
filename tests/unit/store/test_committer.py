# SPDX-License-Identifier: Apache-2.0
"""Group commit: who shares a batch, who comes first, who is told what."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from time import monotonic
from typing import Any

import pytest
from eventsourcing.persistence import IntegrityError, StoredEvent

from vault.store import committer as committers
from vault.store.append import Append, BatchResult, Commit, Verdict, conflict
from vault.store.committer import Committer
from vault.store.errors import (
    AppendFailedError,
    CommitFailedError,
    DeadlinePassedError,
    QueueFullError,
    StoreClosedError,
)

WAIT_SECONDS = 10


class FakeRecorder:
    """Stores in memory, and holds each batch until it is let go."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.upkeep: list[bool] = []
        self.failure: BaseException | None = None
        self.upkeep_failure: Exception | None = None
        self.refused: set[str] = set()
        self.threads: set[int] = set()
        self.open_gate = threading.Event()
        self.open_gate.set()
        self.entered = threading.Event()
        self._positions = 0

    def insert_batch(self, batch: Sequence[Append]) -> BatchResult:
        self.threads.add(threading.get_ident())
        self.batches.append([str(append.events[0].originator_id) for append in batch])
        self.entered.set()
        assert self.open_gate.wait(WAIT_SECONDS)
        if self.failure is not None:
            raise self.failure
        sent = monotonic()
        return BatchResult(tuple(map(self._verdict, batch)), sent)

    def maintain(self, *, is_idle: bool) -> None:
        self.upkeep.append(is_idle)
        if self.upkeep_failure is not None:
            raise self.upkeep_failure

    def _verdict(self, append: Append) -> Verdict:
        if append.events[0].originator_id in self.refused:
            return conflict()
        first = self._positions
        self._positions += len(append.events)
        return tuple(range(first, self._positions))


def an_append(stream: str = "a", events: int = 1) -> Append:
    return Append(tuple(StoredEvent(stream, v, "topic", b"") for v in range(1, events + 1)))


class Scene:
    """A committer on a fake recorder, whose first batch can be held while others wait."""

    def __init__(self, **limits: Any) -> None:
        self.recorder = FakeRecorder()
        self.fatal: list[BaseException] = []
        self.committer = Committer(self.recorder, on_fatal=self.fatal.append, **limits)
        self.committer.start()

    async def hold_a_batch(self) -> asyncio.Task[Commit]:
        """Return once a batch of one append, of stream "held", is in flight."""
        self.recorder.open_gate.clear()
        self.recorder.entered.clear()
        task = asyncio.create_task(self.committer.append(an_append("held")))
        assert await asyncio.to_thread(self.recorder.entered.wait, WAIT_SECONDS)
        return task

    async def queue(self, stream: str, **how: Any) -> asyncio.Task[Commit]:
        """Return once an append of this stream is waiting."""
        task = asyncio.create_task(self.committer.append(an_append(stream), **how))
        await asyncio.sleep(0)
        return task

    def let_go(self) -> None:
        self.recorder.open_gate.set()


MakeScene = Callable[..., Scene]


@pytest.fixture
async def make_scene() -> AsyncIterator[MakeScene]:
    scenes: list[Scene] = []

    def make(**limits: Any) -> Scene:
        scenes.append(Scene(**limits))
        return scenes[-1]

    yield make
    for scene in scenes:
        scene.let_go()
        await scene.committer.close()


@pytest.fixture
async def scene(make_scene: MakeScene) -> Scene:
    return make_scene()


async def outcome(awaitable: Awaitable[Commit]) -> Commit | BaseException:
    """Return a commit, or the error that was raised instead."""
    (found,) = await asyncio.gather(awaitable, return_exceptions=True)
    return found


# --- Batches


async def test_an_append_is_told_its_positions_and_times(scene: Scene) -> None:
    before = monotonic()

    first = await scene.committer.append(an_append(events=2))
    second = await scene.committer.append(an_append())

    assert first.positions == (0, 1)
    assert second.positions == (2,)
    assert before < first.commit_sent < first.committed < second.commit_sent < monotonic()


async def test_appends_of_one_moment_share_a_batch(scene: Scene) -> None:
    await asyncio.gather(*(scene.committer.append(an_append(s)) for s in "abcd"))

    assert scene.recorder.batches == [["a", "b", "c", "d"]]


async def test_what_waits_for_a_batch_is_the_next(scene: Scene) -> None:
    held = await scene.hold_a_batch()
    waiting = [await scene.queue(stream) for stream in "abc"]

    scene.let_go()
    await asyncio.gather(held, *waiting)

    assert scene.recorder.batches == [["held"], ["a", "b", "c"]]


async def test_a_batch_is_no_larger_than_allowed_and_keeps_the_order(
    make_scene: MakeScene,
) -> None:
    scene = make_scene(max_batch=2)
    held = await scene.hold_a_batch()
    waiting = [await scene.queue(stream) for stream in "aabab"]

    scene.let_go()
    await asyncio.gather(held, *waiting)

    assert scene.recorder.batches == [["held"], ["a", "a"], ["b", "a"], ["b"]]


async def test_what_leads_comes_before_all_that_waits(scene: Scene) -> None:
    held = await scene.hold_a_batch()
    waiting = [await scene.queue(stream) for stream in "ab"]
    leading = [await scene.queue(stream, leads=True) for stream in "xy"]

    scene.let_go()
    await asyncio.gather(held, *waiting, *leading)

    assert scene.recorder.batches[1] == ["x", "y", "a", "b"]


async def test_the_event_loop_never_waits_for_the_recorder(scene: Scene) -> None:
    held = await scene.hold_a_batch()

    for _ in range(100):
        await asyncio.sleep(0)

    assert not held.done()
    assert threading.get_ident() not in scene.recorder.threads


async def test_all_batches_are_committed_by_one_thread(scene: Scene) -> None:
    for _ in range(5):
        await scene.committer.append(an_append())

    assert len(scene.recorder.threads) == 1


# --- Verdicts


async def test_a_refusal_is_its_callers_alone(scene: Scene) -> None:
    scene.recorder.refused = {"b"}

    found = await asyncio.gather(
        *(scene.committer.append(an_append(s)) for s in "abc"), return_exceptions=True
    )

    assert isinstance(found[0], Commit)
    assert isinstance(found[1], IntegrityError)
    assert isinstance(found[2], Commit)


async def test_the_callback_comes_before_the_caller_learns_of_it(scene: Scene) -> None:
    told: list[object] = []

    commit = await scene.committer.append(an_append(), committed=told.append)
    told.append("caller")

    assert told == [commit, "caller"]


async def test_the_callback_is_called_on_the_event_loop(scene: Scene) -> None:
    threads: list[int] = []

    await scene.committer.append(
        an_append(), committed=lambda _: threads.append(threading.get_ident())
    )

    assert threads == [threading.get_ident()]


async def test_a_refused_append_has_no_callback(scene: Scene) -> None:
    scene.recorder.refused = {"a"}
    told: list[Commit] = []

    await outcome(scene.committer.append(an_append("a"), committed=told.append))

    assert told == []


async def test_a_failing_callback_is_reported_and_harms_nobody(scene: Scene) -> None:
    reports: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, report: reports.append(report))

    def fail(commit: Commit) -> None:
        raise LookupError(commit.positions)

    found = await asyncio.gather(
        scene.committer.append(an_append("a"), committed=fail),
        scene.committer.append(an_append("b")),
    )

    assert [commit.positions for commit in found] == [(0,), (1,)]
    assert isinstance(reports[0]["exception"], LookupError)


# --- Callers that go away


async def test_a_caller_cancelled_in_flight_has_appended_and_harms_nobody(scene: Scene) -> None:
    told: list[Commit] = []
    scene.recorder.open_gate.clear()
    append = scene.committer.append
    going = asyncio.create_task(append(an_append("a"), committed=told.append))
    staying = asyncio.create_task(append(an_append("b")))
    assert await asyncio.to_thread(scene.recorder.entered.wait, WAIT_SECONDS)

    going.cancel()
    await outcome(going)
    scene.let_go()
    commit = await staying

    assert scene.recorder.batches == [["a", "b"]]
    assert commit.positions == (1,)
    assert [commit.positions for commit in told] == [(0,)]


async def test_a_caller_cancelled_while_waiting_appends_nothing(scene: Scene) -> None:
    held = await scene.hold_a_batch()
    going, staying = await scene.queue("a"), await scene.queue("b")

    going.cancel()
    await outcome(going)
    scene.let_go()
    await asyncio.gather(held, staying)

    assert scene.recorder.batches == [["held"], ["b"]]


async def test_a_stop_is_appended_even_if_its_caller_went_away(scene: Scene) -> None:
    told: list[Commit] = []
    held = await scene.hold_a_batch()
    going = await scene.queue("a", leads=True, committed=told.append)
    staying = await scene.queue("b")

    going.cancel()
    await outcome(going)
    scene.let_go()
    await asyncio.gather(held, staying)

    assert scene.recorder.batches == [["held"], ["a", "b"]]
    assert len(told) == 1


async def test_a_deadline_is_looked_at_when_the_batch_is_formed(scene: Scene) -> None:
    held = await scene.hold_a_batch()
    late = await scene.queue("a", deadline=monotonic() + 0.01)
    timely = await scene.queue("b", deadline=monotonic() + WAIT_SECONDS)

    await asyncio.sleep(0.02)
    scene.let_go()
    await asyncio.gather(held, timely)

    assert isinstance(await outcome(late), DeadlinePassedError)
    assert scene.recorder.batches == [["held"], ["b"]]


async def test_a_batch_of_nobody_is_not_sent(scene: Scene) -> None:
    late = await outcome(scene.committer.append(an_append(), deadline=monotonic() - 1))
    commit = await scene.committer.append(an_append())

    assert isinstance(late, DeadlinePassedError)
    assert commit.positions == (0,)
    assert len(scene.recorder.batches) == 1


# --- Limits


async def test_too_many_waiting_are_turned_away(make_scene: MakeScene) -> None:
    scene = make_scene(max_waiting=2)
    held = await scene.hold_a_batch()
    waiting = [await scene.queue(stream) for stream in "ab"]

    found = await outcome(scene.committer.append(an_append("c")))
    scene.let_go()
    await asyncio.gather(held, *waiting)

    assert isinstance(found, QueueFullError)
    assert scene.recorder.batches == [["held"], ["a", "b"]]


async def test_a_stop_gets_through_when_too_many_wait(make_scene: MakeScene) -> None:
    scene = make_scene(max_waiting=2)
    held = await scene.hold_a_batch()
    waiting = [await scene.queue(stream) for stream in "ab"]

    stop = await scene.queue("x", leads=True)
    scene.let_go()
    await asyncio.gather(held, stop, *waiting)

    assert scene.recorder.batches == [["held"], ["x", "a", "b"]]


# --- Failures


@pytest.mark.parametrize("failure", [AppendFailedError(), ValueError("a fault of ours")])
async def test_a_failure_before_commit_is_told_to_all_and_passes(
    scene: Scene, failure: Exception
) -> None:
    scene.recorder.failure = failure
    found = await asyncio.gather(
        *(scene.committer.append(an_append(s)) for s in "ab"), return_exceptions=True
    )
    scene.recorder.failure = None

    assert [type(error) for error in found] == [AppendFailedError, AppendFailedError]
    assert found[0] is not found[1]
    assert (await scene.committer.append(an_append())).positions == (0,)
    assert scene.fatal == []


async def test_a_failed_commit_is_told_to_all_and_is_the_end(scene: Scene) -> None:
    failure = CommitFailedError()
    scene.recorder.failure = failure
    held = await scene.hold_a_batch()
    waiting = await scene.queue("a")

    scene.let_go()

    assert isinstance(await outcome(held), CommitFailedError)
    assert isinstance(await outcome(waiting), StoreClosedError)
    assert isinstance(await outcome(scene.committer.append(an_append())), StoreClosedError)
    assert scene.fatal == [failure]
    assert scene.recorder.batches == [["held"]]


async def test_a_failed_commit_has_no_callbacks(scene: Scene) -> None:
    scene.recorder.failure = CommitFailedError()
    told: list[Commit] = []

    await outcome(scene.committer.append(an_append(), committed=told.append))

    assert told == []


# --- Upkeep, start and end


async def test_upkeep_follows_each_batch_and_idleness(
    make_scene: MakeScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committers, "IDLE_SECONDS", 0.05)
    scene = make_scene()
    await scene.committer.append(an_append())
    await scene.committer.append(an_append())

    await asyncio.sleep(0.3)

    assert scene.recorder.upkeep == [False, False, True]


async def test_failing_upkeep_is_reported_and_harms_nobody(scene: Scene) -> None:
    reports: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, report: reports.append(report))
    scene.recorder.upkeep_failure = ValueError("a fault of ours")

    await scene.committer.append(an_append())
    commit = await scene.committer.append(an_append())

    assert commit.positions == (1,)
    assert isinstance(reports[0]["exception"], ValueError)


async def test_closing_finishes_what_waits_and_takes_no_more(scene: Scene) -> None:
    held = await scene.hold_a_batch()
    waiting = await scene.queue("a")

    closing = asyncio.create_task(scene.committer.close())
    await asyncio.sleep(0)
    refused = await outcome(scene.committer.append(an_append("b")))
    scene.let_go()
    await closing

    assert isinstance(refused, StoreClosedError)
    assert (held.result().positions, waiting.result().positions) == ((0,), (1,))


async def test_closing_ends_the_thread_and_twice_is_no_error(scene: Scene) -> None:
    await scene.committer.append(an_append())

    await scene.committer.close()
    await scene.committer.close()

    assert not [t for t in threading.enumerate() if t.ident in scene.recorder.threads]


async def test_a_committer_that_was_not_started_says_so() -> None:
    committer = Committer(FakeRecorder(), on_fatal=lambda _: None)

    with pytest.raises(StoreClosedError):
        await committer.append(an_append())
    await committer.close()
