# SPDX-License-Identifier: Apache-2.0
"""What every view promises; each database inherits the suites of views and says how one is opened.

A `Story` is a real event store in which things happen, and `Followed` a projection that follows it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

import pytest
from eventsourcing.persistence import Tracking
from msgspec.structs import replace

from projections.follower import Follower, ViewClearedError
from projections.tracking import SQLiteView, VersionedProjection
from tests import builders
from tests.builders import (
    OTHER_REQUEST,
    REQUEST,
    SUBJECT,
    VAULT,
    a_consent,
    at,
    consent_narrowed,
    consent_paused,
    consent_revoked,
    evidence_disclosed,
    linked,
    request_claimed,
    request_made,
)
from tests.contracts.test_event_store_sqlite import run_sql
from vault.domain.events import Draft
from vault.domain.lane import lane_of
from vault.domain.request import RequestRedeemed
from vault.store.append import Append
from vault.store.clock import SystemClock
from vault.store.committer import Committer
from vault.store.lane import Lane
from vault.store.vaults import Vaults

P = TypeVar("P", bound=VersionedProjection)


def told(draft: Draft, **changes: Any) -> Draft:
    """Return a draft with other facts."""
    return Draft(facts=replace(draft.facts, **changes), items=draft.items)


def request_redeemed() -> Draft:
    """Return that the service redeemed the code."""
    return Draft(facts=RequestRedeemed(time=at(4), salt=builders.SALT))


def request_by_code() -> Draft:
    """Return that the service asked with a short code."""
    return told(request_made(), code_challenge="")


def request_of_known(subject: str = SUBJECT) -> Draft:
    """Return that the service asked somebody whom it knows."""
    return told(request_made(), code_challenge="", subject=subject)


def open_vaults(folder: Path, lanes: int = 1) -> Vaults:
    """Open the event store of a folder, a file for each lane; its committers stand still."""
    first, *others = (open_lane(folder, number) for number in range(lanes))
    vaults = Vaults(first, others=[lane.number for lane in others])
    for lane in others:
        vaults.serve(lane)
    return vaults


def open_lane(folder: Path, number: int) -> Lane:
    """Open a lane of a folder's event store."""
    env = {
        "PERSISTENCE_MODULE": "vault.store.sqlite",
        "SQLITE_DBNAME": str(folder / (f"events-{number}.db" if number else "events.db")),
    }
    return Lane("test", number, SystemClock(), lambda store: Committer(store, on_fatal=print), env)


class Story:
    """An event store, and what happens in its streams."""

    def __init__(self, folder: Path, lanes: int = 1) -> None:
        self.vaults = open_vaults(folder, lanes)
        self._drafts: defaultdict[str, list[Draft]] = defaultdict(list)
        self._pending: list[tuple[str, int]] = []

    @property
    def lane(self) -> Lane:
        """Return its first lane."""
        return self.vaults.lanes[0]

    def happens(self, *drafts: Draft, stream: str = VAULT) -> None:
        """Append to a stream, at once."""
        for draft in drafts:
            self.comes(draft, stream)
        self.flush()

    def comes(self, draft: Draft, stream: str) -> None:
        """Append to a stream with the next flush."""
        self._pending.append((stream, len(self._drafts[stream])))
        self._drafts[stream].append(draft)

    def flush(self) -> None:
        """Append what came, in the order in which it came."""
        if self._pending:
            streams = {stream for stream, _ in self._pending}
            events = {stream: linked(self._drafts[stream], stream) for stream in streams}
            for number, lane in self.vaults.lanes.items():
                batch = [
                    Append((lane.mapper.to_stored_event(events[stream][n]),))
                    for stream, n in self._pending
                    if lane_of(stream) == number
                ]
                lane.store.insert_batch(batch)
            self._pending = []

    def copy_to(self, folder: Path, tree_size: int) -> None:
        """Make another store with the first records of this one."""
        other = open_vaults(folder)
        records = self.lane.store.select_notifications(1, tree_size)
        other.lanes[0].store.insert_batch([Append((record,)) for record in records])
        other.lanes[0].close()

    def close(self) -> None:
        """Close the store."""
        for lane in self.vaults.lanes.values():
            lane.close()


class Followed(Generic[P]):
    """A projection in a file, and its follower."""

    def __init__(self, projection: P, vaults: Vaults) -> None:
        self.projection = projection
        self.view = projection.view
        self.followers = [Follower(projection, lane) for lane in vaults.lanes.values()]
        for follower in self.followers:
            follower.resume()

    @property
    def follower(self) -> Follower[P]:
        """Return who follows the first lane."""
        return self.followers[0]

    def catch_up(self, lanes: Collection[int] | None = None) -> P:
        """Follow everything that is there, or in some lanes."""
        for number, follower in enumerate(self.followers):
            while (lanes is None or number in lanes) and follower.take_page():
                pass
        return self.projection

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return every row of every table, but for how far it came."""
        connection = self.view._writer  # noqa: SLF001
        names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        return {
            name: sorted(connection.execute(f"SELECT * FROM {name}").fetchall())  # noqa: S608
            for (name,) in names
            if name not in ("tracking", "whole")
        }


class ViewContract(ABC, Generic[P]):
    """What each suite needs. A place is a folder: opened twice, it is the same view."""

    projection_class: type[P]

    @abstractmethod
    def open_view(self, place: Path, projection_class: type[VersionedProjection]) -> SQLiteView:
        """Open the view of a place, or make it."""

    @pytest.fixture
    def story(self, tmp_path: Path) -> Iterator[Story]:
        """A store in which nothing happened yet."""
        story = Story(tmp_path)
        yield story
        story.close()

    @pytest.fixture
    def followed(self, story: Story, tmp_path: Path) -> Iterator[Followed[P]]:
        """The projection, which has seen nothing yet."""
        view = self.open_view(tmp_path, self.projection_class)
        yield Followed(self.projection_class(view), story.vaults)
        view.close()

    def test_deleted_records_are_left_out(
        self, story: Story, followed: Followed[P], tmp_path: Path
    ) -> None:
        story.happens(request_made(), request_claimed(), request_redeemed(), stream=REQUEST)
        story.happens(*a_consent(), consent_paused(), evidence_disclosed(), consent_revoked())
        self.delete_records(tmp_path, VAULT)
        story.happens(request_made(), stream=OTHER_REQUEST)

        followed.catch_up()

        rows = followed.rows()
        assert {row[0] for row in rows.pop("requests")} == {REQUEST, OTHER_REQUEST}
        assert not any(rows.values())
        assert followed.follower.seen == story.lane.store.tree_size()

    @staticmethod
    @abstractmethod
    async def all_shown(projection: P) -> list[Any]:
        """Return everything that the service is shown."""

    async def test_what_belongs_to_a_deleted_request_is_not_shown(
        self, story: Story, followed: Followed[P], tmp_path: Path
    ) -> None:
        story.happens(request_made(), request_claimed(), request_redeemed(), stream=REQUEST)
        story.happens(*a_consent(), consent_narrowed(), evidence_disclosed(), consent_revoked())
        whole = Followed(
            self.projection_class(self.open_view(tmp_path / "whole", self.projection_class)),
            story.vaults,
        )
        whole.catch_up()
        self.delete_records(tmp_path, REQUEST)

        followed.catch_up()

        assert await self.all_shown(whole.projection) != []
        assert await self.all_shown(followed.projection) == []
        whole.view.close()

    def test_the_same_page_twice_changes_nothing(self, story: Story, followed: Followed[P]) -> None:
        story.happens(request_made(), request_claimed(), stream=REQUEST)
        story.happens(*a_consent(), evidence_disclosed(), consent_narrowed(), consent_revoked())
        story.happens(request_redeemed(), stream=REQUEST)
        followed.catch_up()
        before = followed.rows()

        followed.follower.seen = 0
        followed.catch_up()

        assert followed.rows() == before
        assert any(before.values())

    def test_a_page_that_fails_leaves_neither_rows_nor_place(
        self, story: Story, followed: Followed[P], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        story.happens(request_made(), stream=REQUEST)
        followed.catch_up()
        before, place = followed.rows(), followed.view.place("vaults/0")
        story.happens(request_made(), request_claimed(), stream=OTHER_REQUEST)
        take = followed.projection.process_event
        seen: list[Tracking] = []

        def fail(event: Any, tracking: Tracking) -> None:
            take(event, tracking)
            seen.append(tracking)
            if len(seen) == 2:
                raise ArithmeticError

        with monkeypatch.context() as patched:
            patched.setattr(followed.projection, "process_event", fail)
            with pytest.raises(ArithmeticError):
                followed.catch_up()
        after = followed.rows(), followed.view.place("vaults/0")
        followed.catch_up()

        assert after == (before, place)
        assert {row[0] for row in followed.rows()["requests"]} == {REQUEST, OTHER_REQUEST}

    def test_two_processes_may_follow_into_one_view(
        self, story: Story, followed: Followed[P], tmp_path: Path
    ) -> None:
        other_view = self.open_view(tmp_path, self.projection_class)
        other = Followed(self.projection_class(other_view), story.vaults)
        for turn in range(6):
            story.happens(request_made(), stream=f"{REQUEST[:-1]}{turn}")
            story.happens(*(a_consent() if turn == 0 else (evidence_disclosed(),)))
            (followed if turn % 3 else other).catch_up()

        other.catch_up()
        followed.catch_up()

        assert followed.rows() == other.rows()
        assert len(followed.rows()["requests"]) == 6
        other_view.close()

    def test_a_view_that_another_process_cleared_is_built_again(
        self, story: Story, followed: Followed[P], tmp_path: Path
    ) -> None:
        story.happens(request_made(), stream=REQUEST)
        before = followed.catch_up().view.place("vaults/0")
        assert before is not None
        other_view = self.open_view(tmp_path, self.projection_class)
        other_view.clear(before)
        story.happens(request_made(), stream=OTHER_REQUEST)

        with pytest.raises(ViewClearedError):
            followed.catch_up()
        followed.follower.resume()
        followed.catch_up()

        assert {row[0] for row in followed.rows()["requests"]} == {REQUEST, OTHER_REQUEST}
        other_view.close()

    def delete_records(self, place: Path, stream: str) -> None:
        """Delete the records of a stream, as retention does."""
        run_sql(
            place / "events.db",
            f"DELETE FROM records WHERE position IN"  # noqa: S608
            f" (SELECT position FROM entries WHERE stream = '{stream}')",
        )
