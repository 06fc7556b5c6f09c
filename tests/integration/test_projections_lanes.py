# SPDX-License-Identifier: Apache-2.0
"""Runners over several lanes: each is followed for itself, and none stops another."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, cast

import pytest
from eventsourcing.persistence import OperationalError

from projections import runner as runners
from projections.change_feed import START, ChangeFeed
from projections.runner import Runner
from tests.builders import (
    OTHER_REQUEST,
    REQUEST,
    SERVICE,
    VAULT,
    consent_granted,
    consent_paused,
    consent_refused,
    consent_revoked,
)
from tests.contracts.views import Story, open_lane, request_of_known
from vault.domain.errors import DeadlinePassedError, StoreUnavailableError
from vault.domain.lane import in_lane
from vault.store.lane import Lane
from vault.store.subscription import CommitSignal, PollingSubscription
from vault.store.vaults import Vaults

HERS = in_lane(VAULT, 1)
HIS = in_lane(VAULT, 2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the store and of the views."""
    return tmp_path


@pytest.fixture
def story(folder: Path) -> Iterator[Story]:
    """A store of three lanes, with her consent in lane 1 and his refusal in lane 2."""
    story = Story(folder, lanes=3)
    story.happens(request_of_known(), stream=REQUEST)
    story.happens(consent_granted(), stream=HERS)
    story.happens(request_of_known(), stream=OTHER_REQUEST)
    story.happens(consent_refused(OTHER_REQUEST), stream=HIS)
    yield story
    story.close()


@asynccontextmanager
async def running(vaults: Vaults, folder: Path) -> AsyncIterator[Runner[ChangeFeed]]:
    runner = Runner(ChangeFeed, vaults, folder)
    runner.start()
    try:
        yield runner
    finally:
        await runner.aclose()


def soon() -> float:
    return time.monotonic() + 20


def sizes(story: Story) -> dict[int, int]:
    return {number: lane.store.tree_size() for number, lane in story.vaults.lanes.items()}


async def kinds(runner: Runner[ChangeFeed], shown: dict[int, int]) -> list[str]:
    feed = await runner.wait(shown, soon())
    return [change.kind for change in (await feed.changes(SERVICE, START, 100)).changes]


def cut_off(lane: Lane, patched: pytest.MonkeyPatch) -> None:
    """Let reads of a lane fail, as if its database were gone."""

    def fail(*args: Any, **options: Any) -> Any:  # noqa: ARG001  # as what it stands for
        raise OperationalError

    for name in ("select_notifications", "select_records", "max_notification_id"):
        patched.setattr(lane.store, name, fail)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look again soon."""
    monkeypatch.setattr(runners, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(runners, "LONGEST_PAUSE_SECONDS", 0.01)


async def test_every_lane_is_followed(story: Story, folder: Path) -> None:
    async with running(story.vaults, folder) as runner:
        before = await kinds(runner, sizes(story))
        story.happens(consent_paused(), stream=HERS)
        after = await kinds(runner, sizes(story))
        lag = await runner.lag()

    assert before == ["granted", "refused"]
    assert after == ["granted", "paused", "refused"]
    assert lag == {0: 0, 1: 0, 2: 0}


@pytest.mark.usefixtures("impatient")
async def test_a_lane_that_cannot_be_read_stops_no_other(
    story: Story, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(story.vaults, folder) as runner:
        await kinds(runner, sizes(story))
        with monkeypatch.context() as patched:
            cut_off(story.vaults.lanes[2], patched)
            story.happens(consent_paused(), stream=HERS)
            without_his = await kinds(runner, {0: 2, 1: 2})
            with pytest.raises(DeadlinePassedError):
                await runner.wait({2: 2}, time.monotonic() + 0.1)
        story.happens(consent_refused(OTHER_REQUEST), stream=HIS)
        all_of_it = await kinds(runner, sizes(story))

    assert without_his == ["granted", "paused", "refused"]
    assert all_of_it == ["granted", "paused", "refused", "refused"]


@pytest.mark.usefixtures("impatient")
async def test_what_was_whole_is_shown_after_a_restart_without_one_lane(
    story: Story, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(story.vaults, folder) as runner:
        await kinds(runner, sizes(story))
    story.happens(consent_paused(), stream=HERS)
    cut_off(story.vaults.lanes[2], monkeypatch)

    async with running(story.vaults, folder) as runner:
        told = await kinds(runner, {0: 2, 1: 2})

    assert told == ["granted", "paused", "refused"]


@pytest.mark.usefixtures("impatient")
async def test_a_new_view_is_not_shown_before_it_has_every_lane(
    story: Story, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        cut_off(story.vaults.lanes[2], patched)
        async with running(story.vaults, folder) as runner:
            with pytest.raises(DeadlinePassedError):
                await runner.wait({}, time.monotonic() + 0.2)
            patched.undo()
            told = await kinds(runner, sizes(story))

    assert told == ["granted", "refused"]


async def test_a_lane_that_is_served_later_is_followed_then(story: Story, folder: Path) -> None:
    vaults = Vaults(open_lane(folder, 0), others=[1, 2])
    vaults.serve(open_lane(folder, 1))
    async with running(vaults, folder) as runner:
        with pytest.raises(DeadlinePassedError):
            await runner.wait({}, time.monotonic() + 0.1)
        late = open_lane(folder, 2)
        vaults.serve(late)
        runner.follow(late)

        assert await kinds(runner, sizes(story)) == ["granted", "refused"]
    for lane in vaults.lanes.values():
        lane.close()


async def test_a_lane_that_is_not_served_here_is_not_waited_for(story: Story, folder: Path) -> None:
    async with running(story.vaults, folder) as runner:
        with pytest.raises(StoreUnavailableError):
            await runner.wait({3: 1}, soon())


async def test_a_view_ahead_of_one_restored_lane_is_built_again_from_all(
    story: Story, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    story.happens(consent_paused(), consent_revoked(), stream=HERS)
    async with running(story.vaults, folder) as runner:
        before = await kinds(runner, sizes(story))
    restored = tmp_path_factory.mktemp("restored")
    lane, other = story.vaults.lanes[1], open_lane(restored, 1)
    records = lane.store.select_notifications(1, 2)
    other.store.insert_events(list(records))
    vaults = Vaults(story.lane, others=[1, 2])
    for each in (other, story.vaults.lanes[2]):
        vaults.serve(each)

    async with running(vaults, folder) as runner:
        after = await kinds(runner, {0: 2, 1: 2, 2: 1})
    other.close()

    assert before == ["granted", "paused", "revoked", "refused"]
    assert after == ["granted", "paused", "refused"]


async def test_a_lane_that_is_restored_while_it_is_followed_is_followed_anew(
    story: Story, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    story.happens(consent_paused(), stream=HERS)
    other = open_lane(tmp_path_factory.mktemp("restored"), 1)
    lane = story.vaults.lanes[1]
    other.store.insert_events(list(lane.store.select_notifications(1, 1)))
    original, lane.store = lane.store, Switched(lane.store)
    async with running(story.vaults, folder) as runner:
        before = await kinds(runner, {1: 2})
        lane.store.to(other.store)
        after = before
        while after == before:
            with suppress(StoreUnavailableError):
                after = await kinds(runner, {0: 2, 2: 1})
    lane.store = original
    other.close()

    assert before == ["granted", "paused", "refused"]
    assert after == ["granted", "refused"]


class Switched:
    """A recorder behind which there is another database from some moment on."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.incarnation = 0

    def to(self, store: Any) -> None:
        """Put another database there."""
        self._store = store
        self.incarnation += 1

    def subscribe(self, gt: int) -> PollingSubscription:
        """Return what waits for whatever is there."""
        return PollingSubscription(cast("Any", self), CommitSignal(), gt)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)
