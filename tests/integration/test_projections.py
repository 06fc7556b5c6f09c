# SPDX-License-Identifier: Apache-2.0
"""Runners over a real store: following, waiting, restarts, errors, kills, and building anew."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from eventsourcing.persistence import Tracking

from projections import follower as followers
from projections import runner as runners
from projections.change_feed import START, ChangeFeed
from projections.consent_register import ConsentRegister
from projections.runner import Runner
from projections.tracking import SQLiteView
from tests.builders import (
    OTHER_REQUEST,
    REQUEST,
    SERVICE,
    a_consent,
    consent_paused,
    consent_resumed,
    consent_revoked,
    evidence_disclosed,
    linked,
    request_cancelled,
    request_made,
    vault_read,
)
from tests.contracts import views
from tests.contracts.test_event_store_sqlite import run_sql
from tests.contracts.views import Followed, Story, request_of_known
from vault.domain.errors import DeadlinePassedError
from vault.domain.events import Event
from vault.store.errors import StoreFileError

FILE = "change-feed.2.db"


class NextFeed(ChangeFeed):
    """The feed of the next program, whose rows have another form."""

    name = ChangeFeed.name
    version = 3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the store and of the views."""
    return tmp_path


@pytest.fixture
def story(folder: Path) -> Iterator[Story]:
    """A store with one consent."""
    story = Story(folder)
    story.happens(request_of_known(), stream=REQUEST)
    story.happens(*a_consent())
    yield story
    story.close()


@asynccontextmanager
async def running(
    story: Story, folder: Path, projection_class: type[ChangeFeed] = ChangeFeed
) -> AsyncIterator[Runner[ChangeFeed]]:
    runner = Runner(projection_class, story.vaults, folder)
    runner.start()
    try:
        yield runner
    finally:
        await runner.aclose()


def soon() -> float:
    return time.monotonic() + 20


def sizes(story: Story) -> dict[int, int]:
    """Return the place that a story has reached."""
    return {number: lane.store.tree_size() for number, lane in story.vaults.lanes.items()}


async def kinds(runner: Runner[ChangeFeed], story: Story) -> list[str]:
    feed = await runner.wait(sizes(story), soon())
    return [change.kind for change in (await feed.changes(SERVICE, START, 100)).changes]


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The positions of events that a feed takes."""
    taken: list[int] = []

    def note(tracking: Tracking) -> None:
        taken.append(tracking.notification_id)

    before_each(monkeypatch, note)
    return taken


def before_each(monkeypatch: pytest.MonkeyPatch, act: Callable[[Tracking], None]) -> None:
    process_event = ChangeFeed.process_event

    def acting(self: ChangeFeed, domain_event: Event, tracking: Tracking) -> None:
        act(tracking)
        process_event(self, domain_event, tracking)

    monkeypatch.setattr(ChangeFeed, "process_event", acting)


# --- Following and waiting


async def test_what_was_committed_before_and_after_the_start_is_shown(
    story: Story, folder: Path
) -> None:
    async with running(story, folder) as runner:
        before = await kinds(runner, story)
        story.happens(consent_paused())
        story.happens(consent_revoked())
        after = await kinds(runner, story)

    assert before == ["granted"]
    assert after == ["granted", "paused", "revoked"]


async def test_waiting_ends_once_the_place_is_visible(story: Story, folder: Path) -> None:
    size = story.lane.store.tree_size()
    async with running(story, folder) as runner:
        await runner.wait({0: size}, soon())
        waiting = [asyncio.create_task(runner.wait({0: size + n}, soon())) for n in (1, 1, 2)]
        await asyncio.sleep(0.05)
        done = [task.done() for task in waiting]
        story.happens(consent_paused())
        await asyncio.gather(*waiting[:2])
        story.happens(consent_resumed())
        feed = await waiting[2]

        assert done == [False, False, False]
        assert len((await feed.changes(SERVICE, START, 100)).changes) == 3


async def test_a_place_that_concerns_no_service_can_be_waited_for(
    story: Story, folder: Path
) -> None:
    async with running(story, folder) as runner:
        story.happens(vault_read())

        assert await kinds(runner, story) == ["granted"]


async def test_waiting_ends_with_the_deadline(story: Story, folder: Path) -> None:
    async with running(story, folder) as runner:
        size = story.lane.store.tree_size()
        with pytest.raises(DeadlinePassedError):
            await runner.wait({0: size + 1}, time.monotonic() + 0.05)
        with pytest.raises(DeadlinePassedError):
            await runner.wait({0: size + 1}, time.monotonic() - 1)

        assert await kinds(runner, story) == ["granted"]


async def test_a_caller_who_gives_up_disturbs_nobody(story: Story, folder: Path) -> None:
    size = story.lane.store.tree_size() + 1
    async with running(story, folder) as runner:
        gone, stays = (asyncio.create_task(runner.wait({0: size}, soon())) for _ in range(2))
        await asyncio.sleep(0.01)
        gone.cancel()
        story.happens(consent_paused())

        await stays
        assert gone.cancelled() or await asyncio.wait({gone})


async def test_two_pages_at_once_wake_a_caller_once(story: Story, folder: Path) -> None:
    size = story.lane.store.tree_size() + 1
    async with running(story, folder) as runner:
        waiting = asyncio.create_task(runner.wait({0: size}, soon()))
        await asyncio.sleep(0)

        runner._learn(0, {0: size})  # noqa: SLF001
        runner._learn(0, {0: size + 1})  # noqa: SLF001

        assert isinstance(await waiting, ChangeFeed)


async def test_commits_of_another_process_are_followed(story: Story, folder: Path) -> None:
    other = views.open_vaults(folder)
    try:
        async with running(story, folder) as runner:
            await runner.wait({}, soon())
            mine, story.vaults = story.vaults, other
            story.happens(consent_paused())
            story.vaults = mine

            assert await kinds(runner, story) == ["granted", "paused"]
    finally:
        other.lanes[0].close()


async def test_the_lag_counts_what_is_not_followed_yet(
    story: Story, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_go_on = threading.Event()
    before_each(monkeypatch, lambda _: may_go_on.wait(20) or None)

    async with running(story, folder) as runner:
        behind = await runner.lag()
        may_go_on.set()
        await runner.wait(sizes(story), soon())
        caught_up = await runner.lag()

    assert behind == sizes(story)
    assert caught_up == {0: 0}


async def test_deleted_records_at_the_end_hold_nobody_up(story: Story, folder: Path) -> None:
    size = story.lane.store.tree_size()
    run_sql(folder / "events.db", f"DELETE FROM records WHERE position >= {size - 2}")  # noqa: S608

    async with running(story, folder) as runner:
        await runner.wait({0: size}, soon())

        assert await runner.lag() == {0: 0}


# --- Restarts


async def test_a_restart_goes_on_where_it_ended(
    story: Story, folder: Path, taken: list[int]
) -> None:
    async with running(story, folder) as runner:
        await kinds(runner, story)
    first, size = set(taken), story.lane.store.tree_size()
    taken.clear()
    story.happens(consent_paused())

    async with running(story, folder) as runner:
        told = await kinds(runner, story)

    assert len(first) == 2
    assert taken == [size + 1]
    assert told == ["granted", "paused"]


async def test_what_concerns_no_service_is_tracked_now_and_then(
    story: Story, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a restart would read everything since the last change again."""
    monkeypatch.setattr(followers, "PAGE", 4)
    async with running(story, folder) as runner:
        for _ in range(10):
            story.happens(vault_read())
            await runner.wait(sizes(story), soon())

    ((tracked,),) = run_sql(folder / FILE, "SELECT notification_id FROM tracking")
    assert isinstance(tracked, int)
    assert story.lane.store.tree_size() - 4 < tracked


async def test_a_view_may_be_asked_before_it_has_caught_up_again(
    story: Story, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(story, folder) as runner:
        await kinds(runner, story)
    story.happens(consent_paused())
    may_go_on = threading.Event()
    before_each(monkeypatch, lambda _: may_go_on.wait(20) or None)

    async with running(story, folder) as runner:
        feed = await runner.wait({}, soon())
        changes = (await feed.changes(SERVICE, START, 9)).changes
        may_go_on.set()

    assert [change.kind for change in changes] == ["granted"]


async def test_a_runner_that_waits_stops(story: Story, folder: Path) -> None:
    async with running(story, folder) as runner:
        await kinds(runner, story)

    assert ChangeFeed.name not in {thread.name for thread in threading.enumerate()}


async def test_a_runner_that_has_far_to_go_stops_after_the_page_under_way(
    story: Story, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followers, "PAGE", 1)
    under_way, may_go_on = threading.Event(), threading.Event()

    def act(tracking: Tracking) -> None:
        del tracking
        under_way.set()
        may_go_on.wait(20)

    before_each(monkeypatch, act)
    runner = Runner(ChangeFeed, story.vaults, folder)
    runner.start()
    await asyncio.to_thread(under_way.wait, 20)

    closing = asyncio.create_task(runner.aclose())
    await asyncio.sleep(0.01)
    may_go_on.set()
    await closing

    assert run_sql(folder / FILE, "SELECT notification_id FROM tracking") == [(1,)]
    assert story.lane.store.tree_size() > 1


async def test_a_runner_that_never_started_closes(story: Story, folder: Path) -> None:
    runner = Runner(ChangeFeed, story.vaults, folder)

    await runner.aclose()

    assert run_sql(folder / FILE, "SELECT count(*) FROM tracking") == [(0,)]


async def test_a_store_that_closes_first_ends_the_thread(folder: Path) -> None:
    story = Story(folder)
    runner = Runner(ChangeFeed, story.vaults, folder)
    runner.start()
    await runner.wait({}, soon())

    story.close()
    followers = [thread for thread in threading.enumerate() if thread.name == ChangeFeed.name]
    for follower in followers:
        await asyncio.to_thread(follower.join, 20)

    assert not any(follower.is_alive() for follower in followers)
    await runner.aclose()


async def test_a_folder_that_cannot_hold_it_is_a_clear_error(story: Story, folder: Path) -> None:
    (folder / FILE).write_bytes(b"a letter to the council" * 100)

    with pytest.raises(StoreFileError, match="Remove it"):
        Runner(ChangeFeed, story.vaults, folder)


# --- Errors


async def test_an_error_is_logged_and_followed_again(
    story: Story,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(runners, "FIRST_PAUSE_SECONDS", 0.01)
    failures = iter([True, True, False])

    def fail(tracking: Tracking) -> None:
        del tracking
        if next(failures, False):
            raise ArithmeticError("Heol y Bont")

    before_each(monkeypatch, fail)
    async with running(story, folder) as runner:
        told = await kinds(runner, story)

    assert told == ["granted"]
    assert caplog.messages == ["change-feed stands still at 0: ArithmeticError"] * 2


async def test_pauses_grow_while_nothing_goes_on(
    story: Story, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(runners, "LONGEST_PAUSE_SECONDS", 0.004)
    pauses: list[float] = []
    enough = threading.Event()

    def fail(tracking: Tracking) -> None:
        raise ArithmeticError(tracking)

    before_each(monkeypatch, fail)
    runner = Runner(ChangeFeed, story.vaults, folder)
    wait = runner._stopping.wait  # noqa: SLF001

    def noted(seconds: float) -> bool:
        pauses.append(seconds)
        if len(pauses) == 5:
            enough.set()
        return wait(seconds)

    monkeypatch.setattr(runner._stopping, "wait", noted)  # noqa: SLF001
    runner.start()
    await asyncio.to_thread(enough.wait, 20)
    await runner.aclose()

    assert pauses[:5] == [0.001, 0.002, 0.004, 0.004, 0.004]


async def test_a_damaged_record_is_not_passed_over(
    story: Story, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Rows that leave something out would be wrong; rows that are old say so by their lag."""
    async with running(story, folder) as runner:
        await kinds(runner, story)
    size = story.lane.store.tree_size()
    story.happens(consent_paused())
    damage(folder, position=size)
    story.happens(consent_revoked())

    async with running(story, folder) as runner:
        feed = await runner.wait({0: size}, soon())
        with pytest.raises(DeadlinePassedError):
            await runner.wait({0: size + 1}, time.monotonic() + 0.1)
        changes = (await feed.changes(SERVICE, START, 9)).changes

        assert [change.kind for change in changes] == ["granted"]
        assert await runner.lag() == {0: 2}
    said = f"change-feed stands still at {size}: MapperDeserialisationError"
    assert set(caplog.messages) == {said}


def damage(folder: Path, position: int) -> None:
    """Change a byte of a record, as whoever has the disk can."""
    run_sql(folder / "events.db", "DROP TRIGGER records_are_never_updated")
    run_sql(
        folder / "events.db",
        f"UPDATE records SET state = CAST(replace(state, 'paused', 'pauses') AS BLOB)"  # noqa: S608
        f" WHERE position = {position}",
    )


# --- Building anew


async def test_a_view_ahead_of_a_restored_store_is_built_again(
    story: Story, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    story.happens(consent_paused())
    async with running(story, folder) as runner:
        assert await kinds(runner, story) == ["granted", "paused"]
    restored = tmp_path_factory.mktemp("restored")
    story.copy_to(restored, story.lane.store.tree_size() - 1)
    (restored / FILE).write_bytes((folder / FILE).read_bytes())

    await told_after_restoring(restored, ["granted"])


@pytest.mark.parametrize("elsewhere", [True, False])
async def test_a_restored_store_that_went_on_otherwise_is_followed_anew(
    story: Story, folder: Path, tmp_path_factory: pytest.TempPathFactory, *, elsewhere: bool
) -> None:
    """As long as before, or longer: that something stands at that place is not enough."""
    before = story.lane.store.tree_size()
    story.happens(consent_paused())
    async with running(story, folder) as runner:
        assert await kinds(runner, story) == ["granted", "paused"]
    restored = tmp_path_factory.mktemp("restored")
    story.copy_to(restored, before)
    (restored / FILE).write_bytes((folder / FILE).read_bytes())
    went_on = Story(restored)
    if elsewhere:
        went_on.happens(request_of_known(), request_cancelled(), stream=OTHER_REQUEST)
    else:
        event = linked([*a_consent(), consent_revoked()])[-1]
        went_on.lane.store.insert_events([went_on.lane.mapper.to_stored_event(event)])
    went_on.close()

    await told_after_restoring(restored, ["granted", "cancelled" if elsewhere else "revoked"])


async def test_a_store_with_the_same_records_in_another_order_is_followed_anew(
    story: Story, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with running(story, folder) as runner:
        assert await kinds(runner, story) == ["granted"]
    other = tmp_path_factory.mktemp("other")
    (other / FILE).write_bytes((folder / FILE).read_bytes())
    moved = Story(other)
    moved.happens(request_of_known(), request_cancelled(), stream=OTHER_REQUEST)
    moved.happens(request_of_known(), stream=REQUEST)
    moved.happens(*a_consent())
    moved.close()

    await told_after_restoring(other, ["cancelled", "granted"])


async def told_after_restoring(folder: Path, expected: list[str]) -> None:
    story = Story(folder)
    try:
        async with running(story, folder) as runner:
            assert await kinds(runner, story) == expected
    finally:
        story.close()


async def test_the_same_store_is_not_followed_anew(
    story: Story, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for draft in (consent_paused(), vault_read(), consent_resumed()):
        story.happens(draft)
        async with running(story, folder) as runner:
            await kinds(runner, story)

    assert caplog.messages == []


async def test_another_version_is_built_in_the_shadow_and_then_shown(
    story: Story, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(story, folder) as earlier:
        await kinds(earlier, story)
        may_go_on = threading.Event()
        before_each(monkeypatch, lambda _: may_go_on.wait(20) or None)

        async with running(story, folder, NextFeed) as later:
            with pytest.raises(DeadlinePassedError):
                await later.wait({}, time.monotonic() + 0.1)
            beside = files(folder, ".db")
            told_earlier = await kinds(earlier, story)
            may_go_on.set()
            told_later = await kinds(later, story)
            # The earlier program still runs, and is not disturbed.
            assert await kinds(earlier, story) == told_earlier

    assert beside == {"change-feed.2.db", "change-feed.3.db"}
    assert told_earlier == told_later == ["granted"]
    assert files(folder) == {"change-feed.3.db"}


def files(folder: Path, ending: str = "") -> set[str]:
    """Return the files of views."""
    return {file.name for file in folder.glob("c*") if file.name.endswith(ending)}


async def test_versions_of_other_views_are_left_alone(story: Story, folder: Path) -> None:
    register = Runner(ConsentRegister, story.vaults, folder)
    register.start()
    await register.wait(sizes(story), soon())
    async with running(story, folder, NextFeed) as runner:
        await kinds(runner, story)
    await register.aclose()

    assert files(folder, ".db") == {"change-feed.3.db", "consent-register.3.db"}


async def test_what_was_half_built_is_not_shown_and_is_finished(
    story: Story, folder: Path, monkeypatch: pytest.MonkeyPatch, taken: list[int]
) -> None:
    monkeypatch.setattr(followers, "PAGE", 2)
    story.happens(consent_paused(), consent_resumed(), consent_revoked())
    with monkeypatch.context() as patched:

        def fail(tracking: Tracking) -> None:
            if tracking.notification_id > 6:
                raise ArithmeticError

        before_each(patched, fail)
        async with running(story, folder) as runner:
            with pytest.raises(DeadlinePassedError):
                await runner.wait({}, time.monotonic() + 0.2)
    first = set(taken)
    taken.clear()

    async with running(story, folder) as runner:
        told = await kinds(runner, story)

    assert told == ["granted", "paused", "resumed", "revoked"]
    assert first == {1, 6}
    assert set(taken) == {7, 8, 9}


# --- Kill


def test_killed_while_following_rows_and_place_belong_together(
    story: Story, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for number in range(1200):
        story.comes(request_made(), stream=f"{REQUEST[:-4]}{number:04}")
    for _ in range(600):
        story.comes(evidence_disclosed(), stream="11111111-1111-8000-8000-00000000000a")
    story.flush()
    places: list[int] = []
    for kill in range(3):
        process = subprocess.Popen(
            [sys.executable, Path(views.__file__).with_name("follow_until_killed.py"), folder],
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": str(Path(__file__).parents[2])},
        )
        assert process.stdout is not None
        for _ in range(40 + 7 * kill):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.stdout.read()
        process.stdout.close()
        process.wait()

        (followed, place), expected = found(folder / "view.db", story), tmp_path_factory.mktemp("x")
        story.copy_to(expected, place)
        prefix = Story(expected)
        (rebuilt, _), _ = found(expected / "view.db", prefix, follow=True), prefix.close()

        places.append(place)
        assert followed == rebuilt
        assert run_sql(folder / "view.db", "PRAGMA integrity_check") == [("ok",)]
    assert 0 < places[0] < places[1] < places[2] < story.lane.store.tree_size()


def found(file: Path, story: Story, *, follow: bool = False) -> tuple[dict[str, Any], int]:
    """Return the rows of a view and how far it came."""
    view = SQLiteView(file, ConsentRegister.schema)
    followed = Followed(ConsentRegister(view), story.vaults)
    if follow:
        followed.catch_up()
    try:
        return followed.rows(), view.max_tracking_id("vaults/0") or 0
    finally:
        view.close()
