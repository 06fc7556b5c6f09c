# SPDX-License-Identifier: Apache-2.0
"""Follows lanes into the outbox, page by page: what is to be told and the place, or neither."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from vault.domain.canonical import b64
from vault.domain.errors import HistoryBrokenError
from vault.notifications.noticing import notice_of
from vault.notifications.outbox import Outbox, Place
from vault.store.record import event_of, leaf_of

if TYPE_CHECKING:
    from vault.domain.events import Event
    from vault.domain.values import Time
    from vault.store.append import StoredRecord
    from vault.store.lane import Lane

PAGE: Final = 500

_logger = logging.getLogger(__name__)


class Follower:
    """Follows lanes into an outbox.

    Args:
        tells_after: nothing is told that happened at or before; "" tells from the first event on.
            Only of a lane that was never followed: else the outbox knows where it stood.
    """

    def __init__(self, outbox: Outbox, tells_after: str) -> None:
        self._outbox = outbox
        self._tells_after = tells_after

    async def catch_up(self, lane: Lane, now: Time) -> None:
        """Take what a lane holds by now.

        Raises:
            StoreUnavailableError: if it cannot be read now.
        """
        place = self._outbox.place(lane.number)
        if place is None:
            place = Place(tells_after=self._tells_after)
            # From when on it tells holds from now on, though nothing may have happened yet.
            self._outbox.keep_place(lane.number, place)
        end = await lane.tree_size()
        if place.size == end:
            return
        if not await _stands(lane, place):
            # Its records from here on are others; those that remain were told before.
            _logger.warning("notifications follow a store that was restored, from its beginning")
            place = Place(tells_after=max(place.time, place.tells_after))
        while place.size < end and (records := await lane.range(place.size, end, limit=PAGE)):
            place = self._take(lane.number, records, place, now)

    def _take(self, lane: int, records: list[StoredRecord], place: Place, now: Time) -> Place:
        with self._outbox.transaction():
            for record in records:
                place = self._take_one(record, place, now)
            self._outbox.keep_place(lane, place)
        return place

    def _take_one(self, record: StoredRecord, place: Place, now: Time) -> Place:
        event, time = _event(record), place.time
        if event is not None:
            time = max(time, event.facts.time)
            notice = notice_of(self._outbox, event)
            if notice is not None and event.facts.time > place.tells_after:
                self._outbox.add_notice(notice, now)
        return Place(
            size=record.position + 1,
            stream=record.stream,
            version=record.version,
            leaf=b64(leaf_of(record.entry)),
            time=time,
            tells_after=place.tells_after,
        )


def _event(record: StoredRecord) -> Event | None:
    try:
        return event_of(record)
    except HistoryBrokenError:
        # What is damaged of one vault must keep nothing from others.
        _logger.error("the record at %d is damaged, and not told", record.position)  # noqa: TRY400
        return None


async def _stands(lane: Lane, place: Place) -> bool:
    """Say whether the lane has at a place what was found there. Entries are never deleted."""
    if not place.size:
        return True
    records = await lane.range(place.size - 1, place.size, limit=1)
    return any(b64(leaf_of(record.entry)) == place.leaf for record in records)
