# SPDX-License-Identifier: Apache-2.0
"""Takes what was recorded in one lane into a projection: page by page, rows and place together."""

from __future__ import annotations

import logging
from typing import Final, Generic, TypeVar

from eventsourcing.persistence import Notification, Tracking

from projections.tracking import Place, VersionedProjection, name_of
from vault.domain.canonical import b64
from vault.store.lane import Lane
from vault.store.record import entry_of, leaf_of

P = TypeVar("P", bound=VersionedProjection)

PAGE: Final = 500
"""Records taken in one transaction, so that a busy process wakes the follower seldom."""

_logger = logging.getLogger(__name__)


class ViewClearedError(Exception):
    """The view was cleared meanwhile: what came before this page is missing."""


class Follower(Generic[P]):
    """Follows one lane into one projection. For one thread.

    `seen` is the tree size up to which everything is in the view.
    """

    def __init__(self, projection: P, lane: Lane) -> None:
        self.name = name_of(lane.number)
        self.seen = 0
        self._tracked = 0
        self._projection = projection
        self._view = projection.view
        self._store = lane.store
        self._mapper = lane.mapper
        self._incarnation = lane.store.incarnation

    def resume(self) -> bool:
        """Find the place to go on from; clear the view if the store is not the one it followed.

        A store that was restored from a backup is shorter, or holds something else at that place.

        Returns:
            Whether the view was cleared, so that every lane is followed anew.
        """
        self._incarnation = self._store.incarnation
        was_cleared = False
        while (place := self._view.place(self.name)) is not None and not self._stands(place):
            _logger.warning("%s followed another store: it is built again", self._projection.name)
            self._view.clear(place)
            was_cleared = True
        self._tracked = self.seen = place.notification_id if place else 0
        return was_cleared

    def take_page(self) -> bool:
        """Take the next page, and say whether there may be more.

        Raises:
            ViewClearedError: if the view lost what was taken, or the store may have lost what was
                followed; `resume` finds where to go on.
        """
        head = self._store.max_notification_id() or 0
        page = self._store.select_notifications(self.seen, PAGE, inclusive_of_start=False)
        if self._store.incarnation != self._incarnation:
            raise ViewClearedError
        wanted = [record for record in page if record.topic in self._projection.topics]
        # To track each page in which nothing concerns the projection would be most of its writing.
        if page and (wanted or page[-1].id >= self._tracked + PAGE):
            self._take(wanted, page[-1])
        self.seen = max(self.seen, page[-1].id if page else 0)
        if len(page) == PAGE:
            return True
        # Records that were deleted are in no page: behind its last there are only such.
        self.seen = max(self.seen, head)
        return False

    def finish(self) -> int:
        """Say that the lane was followed to its end, and return the view's generation.

        Raises:
            ViewClearedError: if the view lost what was taken.
        """
        with self._view.transaction():
            self._tracked_meanwhile()
            self._view.mark_whole(self.name)
            return self._view.generation

    def _take(self, wanted: list[Notification], last: Notification) -> None:
        with self._view.transaction():
            # Another process may have taken some of it.
            tracked = self._tracked_meanwhile()
            for record in wanted:
                if record.id > tracked:
                    event = self._mapper.to_domain_event(record)
                    self._projection.process_event(event, Tracking(self.name, record.id))
            if last.id > tracked:
                self._view.insert_tracking(self._place_at(last))
        self._tracked = max(tracked, last.id)

    def _tracked_meanwhile(self) -> int:
        tracked = self._view.max_tracking_id(self.name) or 0
        if tracked < self._tracked:
            raise ViewClearedError
        return tracked

    def _place_at(self, record: Notification) -> Place:
        return Place(
            application_name=self.name,
            notification_id=record.id,
            stream=str(record.originator_id),
            version=record.originator_version,
            leaf=b64(leaf_of(entry_of(record.state))),
        )

    def _stands(self, place: Place) -> bool:
        """Say whether the store has at a place what was found there. Entries are never deleted."""
        records = self._store.select_records(place.stream, after_version=place.version - 1, limit=1)
        return any(
            record.position + 1 == place.notification_id
            and b64(leaf_of(record.entry)) == place.leaf
            for record in records
        )
