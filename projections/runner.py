# SPDX-License-Identifier: Apache-2.0
"""Follows events into a projection: from its place, page by page, rows and place together.

A view that is not there yet, is of another version, or followed a store that was since restored
from a backup is built in the shadow: the file of an earlier version stays as it is until the new
one has caught up, and nobody is shown rows that are not whole. `Follower` is the work, `Runner` the
thread that keeps at it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from pathlib import Path
from typing import Final, Generic, TypeVar

from eventsourcing.persistence import ApplicationRecorder, Notification, Subscription, Tracking

from projections.tracking import Place, SQLiteView, VersionedProjection
from vault.domain.canonical import b64
from vault.domain.errors import DeadlinePassedError
from vault.store.errors import StoreClosedError
from vault.store.record import entry_of, leaf_of
from vault.store.vaults import Vaults

P = TypeVar("P", bound=VersionedProjection)

PAGE: Final = 500
"""Records taken in one transaction, so that a busy process wakes the follower seldom."""

FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 30.0

_logger = logging.getLogger(__name__)


class Follower(Generic[P]):
    """Takes what was recorded into one projection. For one thread.

    `seen` is the tree size up to which everything is in the view.
    """

    def __init__(self, projection: P, vaults: Vaults) -> None:
        self.seen = 0
        self._tracked = 0
        self._projection = projection
        self._view = projection.view
        self._name = vaults.name
        self._store = vaults.store
        self._mapper = vaults.mapper

    def resume(self) -> None:
        """Find the place to go on from; begin anew if the store is not the one that was followed.

        A store that was restored from a backup is shorter, or holds something else at that place.
        """
        place = self._view.place(self._name)
        if place is not None and not self._stands(place):
            _logger.warning("%s followed another store: it is built again", self._projection.name)
            self._view.clear()
            place = None
        self._tracked = self.seen = place.notification_id if place else 0

    def take_page(self) -> bool:
        """Take the next page, and say whether there may be more."""
        head = self._store.max_notification_id() or 0
        page = self._store.select_notifications(self.seen, PAGE, inclusive_of_start=False)
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

    def _take(self, wanted: list[Notification], last: Notification) -> None:
        with self._view.transaction():
            # Another process may have taken some of it.
            tracked = self._view.max_tracking_id(self._name) or 0
            for record in wanted:
                if record.id > tracked:
                    event = self._mapper.to_domain_event(record)
                    self._projection.process_event(event, Tracking(self._name, record.id))
            if last.id > tracked:
                self._view.insert_tracking(self._place_at(last))
        self._tracked = max(tracked, last.id)

    def _place_at(self, record: Notification) -> Place:
        return Place(
            application_name=self._name,
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


class Runner(Generic[P]):
    """Keeps one projection in step with the store, on a thread of its own.

    An error stops nothing but this projection: it is logged, and after a pause the projection goes
    on from its place. What stays behind shows in `lag`.
    """

    def __init__(self, projection_class: type[P], vaults: Vaults, folder: Path) -> None:
        """Open the view's file in a folder, which must exist; one file for each version.

        Raises:
            StoreFileError: if the file is not a view, or cannot be opened.
        """
        self._file = folder / f"{projection_class.name}.{projection_class.version}.db"
        self._vaults = vaults
        self._view = SQLiteView(self._file, projection_class.schema)
        self._projection = projection_class(self._view)
        self._follower = Follower(self._projection, vaults)
        self._stopping = threading.Event()
        self._alarm: Subscription[ApplicationRecorder] | None = None
        # A process that ends without closing need not wait: a page is taken whole or not at all.
        self._thread = threading.Thread(target=self._run, name=projection_class.name, daemon=True)
        # What the loop knows: how far the view shows the store, -1 as long as it is not whole.
        self._shown = -1
        self._waiting: set[tuple[int, asyncio.Future[None]]] = set()

    def start(self) -> None:
        """Follow from now on. Called on the loop on which others wait and ask."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def aclose(self) -> None:
        """Stop after the page under way and close the file. The store is closed later."""
        self._stopping.set()
        if self._alarm is not None:
            self._alarm.stop()
        if self._thread.ident is not None:
            await asyncio.to_thread(self._thread.join)
        await asyncio.to_thread(self._view.close)

    async def wait(self, tree_size: int, deadline: float) -> P:
        """Return the projection, once it is whole and shows at least so much of the store.

        Args:
            deadline: on the monotonic clock.

        Raises:
            DeadlinePassedError: if it does not in time.
        """
        if self._shown < tree_size:
            shows = asyncio.get_running_loop().create_future()
            waits = (tree_size, shows)
            self._waiting.add(waits)
            try:
                async with asyncio.timeout(deadline - self._vaults.clock.monotonic()):
                    await shows
            except TimeoutError:
                raise DeadlinePassedError from None
            finally:
                self._waiting.discard(waits)
        return self._projection

    async def lag(self) -> int:
        """Return how many records the projection is behind the store."""
        return max(0, await self._vaults.tree_size() - self._follower.seen)

    def _run(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            before = self._follower.seen
            try:
                self._follow()
                return
            except StoreClosedError:
                return
            except Exception as error:  # noqa: BLE001 - whatever it is, the server goes on
                # Nothing of the message: it may quote what was found.
                kind, seen = type(error).__name__, self._follower.seen
                _logger.error("%s stands still at %d: %s", self._projection.name, seen, kind)  # noqa: TRY400
                pause = FIRST_PAUSE_SECONDS if seen > before else pause
                self._stopping.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _follow(self) -> None:
        """Follow until told to stop, or the store closes."""
        self._follower.resume()
        if self._view.is_whole:
            self._show()
        self._catch_up()
        # The subscription says that there is something; a page takes all that came meanwhile.
        self._alarm = self._vaults.recorder.subscribe(gt=self._follower.seen)
        if self._stopping.is_set():
            return
        for record in self._alarm:
            if record.id > self._follower.seen:
                self._catch_up()

    def _catch_up(self) -> None:
        while not self._stopping.is_set() and self._follower.take_page():
            pass
        if self._stopping.is_set():
            return
        if not self._view.is_whole:
            self._view.mark_whole()
            self._remove_other_versions()
        self._show()

    def _remove_other_versions(self) -> None:
        # A program that still has one open keeps it until it ends.
        for file in self._file.parent.glob(f"{self._projection.name}.*.db*"):
            if not file.name.startswith(self._file.name):
                file.unlink(missing_ok=True)

    def _show(self) -> None:
        self._loop.call_soon_threadsafe(self._shows, self._follower.seen)

    def _shows(self, tree_size: int) -> None:
        self._shown = max(self._shown, tree_size)
        for wanted, future in self._waiting:
            if wanted <= self._shown and not future.done():
                future.set_result(None)
