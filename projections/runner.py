# SPDX-License-Identifier: Apache-2.0
"""Keeps a projection in step with every lane, and says how far it shows each.

A view that is not there yet, is of another version, or followed a store that was since restored
from a backup is built in the shadow: the file of an earlier version stays as it is until the new
one has caught up, and nobody is shown rows that are not whole. A lane that cannot be followed for a
while stops no other.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Generic, TypeVar

from projections.follower import Follower
from projections.tracking import SQLiteView, VersionedProjection, name_of
from vault.domain.errors import DeadlinePassedError, StoreUnavailableError
from vault.store.command import Sizes
from vault.store.errors import StoreClosedError
from vault.store.lane import Lane
from vault.store.subscription import PollingSubscription
from vault.store.vaults import Vaults

P = TypeVar("P", bound=VersionedProjection)

FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 30.0
REST_SECONDS: Final = 0.05
"""How much later a view may show something when nobody waits for it."""

_logger = logging.getLogger(__name__)


class Runner(Generic[P]):
    """Keeps one projection in step with the store, on a thread for each lane.

    An error stops nothing but this projection's lane: it is logged, and after a pause it is
    followed from its place. What stays behind shows in `lag`.
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
        self._is_alone = False
        self._lanes: dict[int, _FollowedLane[P]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = threading.Event()
        self._hurry = threading.Event()
        # What the loop knows: how far the view shows each lane that is whole in it, since it was
        # last cleared.
        self._shown: dict[int, int] = {}
        self._generation = 0
        self._waiting: dict[asyncio.Future[None], Sizes] = {}

    def start(self) -> None:
        """Follow from now on. Called on the loop on which others wait and ask."""
        self._loop = asyncio.get_running_loop()
        served = self._vaults.lanes
        for number in self._vaults.numbers.difference(served):
            self.shows_still(number, 0)
        for lane in served.values():
            self.follow(lane)

    def follow(self, lane: Lane) -> None:
        """Follow a lane from now on, or from the start; the others do not wait for it."""
        if self._loop is None:
            return
        followed = _FollowedLane(self, self._projection, lane)
        self._lanes[lane.number] = followed
        followed.start()

    async def aclose(self) -> None:
        """Stop after the pages under way and close the file. The store is closed later."""
        self._stopping.set()
        self._hurry.set()
        for lane in self._lanes.values():
            await lane.stop()
        await asyncio.to_thread(self._view.close)

    async def wait(self, sizes: Sizes, deadline: float) -> P:
        """Return the projection, once it is whole and shows at least so much of each lane.

        Args:
            deadline: on the monotonic clock.

        Raises:
            DeadlinePassedError: if it does not in time.
            StoreUnavailableError: if one of the lanes is not served here.
        """
        if not self._vaults.numbers.issuperset(sizes):
            raise StoreUnavailableError
        if not self._shows(sizes):
            shows = asyncio.get_running_loop().create_future()
            self._waiting[shows] = sizes
            self._hurry.set()
            try:
                async with asyncio.timeout(deadline - self._vaults.clock.monotonic()):
                    await shows
            except TimeoutError:
                raise DeadlinePassedError from None
            finally:
                del self._waiting[shows]
                if not self._waiting and not self.is_stopping:
                    self._hurry.clear()
        return self._projection

    async def lag(self) -> Mapping[int, int]:
        """Return how many records of each lane the projection does not show yet."""
        return {
            number: max(0, await self._vaults.lanes[number].tree_size() - lane.seen)
            for number, lane in self._lanes.items()
        }

    # --- For the threads

    @property
    def name(self) -> str:
        """Return the name of the projection."""
        return self._projection.name

    @property
    def is_stopping(self) -> bool:
        """Whether no further page shall be taken."""
        return self._stopping.is_set()

    def pause(self, seconds: float) -> None:
        """Wait, but not for a runner that stops."""
        self._stopping.wait(seconds)

    def rest(self) -> None:
        """Wait for a moment, unless somebody waits for what there is."""
        self._hurry.wait(REST_SECONDS)

    def begin_again(self, clearing: int) -> None:
        """Have every other lane followed anew: the view was cleared for the sake of one."""
        self._tell(self._view.generation, {})
        for number, lane in self._lanes.items():
            if number != clearing:
                lane.begin_again()

    def shows_still(self, lane: int, seen: int) -> None:
        """Show of a lane what there was of it, if it was whole once."""
        generation = self._view.generation
        if self._view.is_whole(name_of(lane)):
            self._tell(generation, {lane: seen})

    def has_followed(self, lane: int, seen: int, generation: int) -> None:
        """Show a lane, which was followed to its end."""
        if not self._is_alone and all(map(self._view.is_whole, map(name_of, self._vaults.numbers))):
            self._remove_other_versions()
        self._tell(generation, {lane: seen})

    def _remove_other_versions(self) -> None:
        # A program that still has one open keeps it until it ends.
        for file in self._file.parent.glob(f"{self.name}.*.db*"):
            if not file.name.startswith(self._file.name):
                file.unlink(missing_ok=True)
        self._is_alone = True

    def _tell(self, generation: int, sizes: Sizes) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._learn, generation, sizes)

    # --- On the loop

    def _learn(self, generation: int, sizes: Sizes) -> None:
        if generation > self._generation:
            self._generation = generation
            self._shown.clear()
        if generation < self._generation:
            return
        for lane, size in sizes.items():
            self._shown[lane] = max(size, self._shown.get(lane, 0))
        if self._shows({}):
            self._view.asked_generation = generation
        for future, wanted in self._waiting.items():
            if not future.done() and self._shows(wanted):
                future.set_result(None)

    def _shows(self, sizes: Sizes) -> bool:
        shown = self._shown
        return self._vaults.numbers <= shown.keys() and all(
            shown[lane] >= size for lane, size in sizes.items()
        )


class _FollowedLane(Generic[P]):
    """One lane that a runner follows, on a thread of its own."""

    def __init__(self, runner: Runner[P], projection: P, lane: Lane) -> None:
        self._runner = runner
        self._lane = lane
        self._follower = Follower(projection, lane)
        self._begins_again = False
        self._alarm: PollingSubscription | None = None
        # A process that ends without closing need not wait: a page is taken whole or not at all.
        self._thread = threading.Thread(target=self._run, name=runner.name, daemon=True)

    @property
    def seen(self) -> int:
        """Return how much of the lane was looked at."""
        return self._follower.seen

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    async def stop(self) -> None:
        """Return once nothing more is taken; the runner says that it stops."""
        if self._alarm is not None:
            self._alarm.stop()
        await asyncio.to_thread(self._thread.join)

    def begin_again(self) -> None:
        """Find the place to go on from once more."""
        self._begins_again = True
        if self._alarm is not None:
            self._alarm.stop()

    def _run(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._runner.is_stopping:
            before = self.seen
            try:
                self._follow()
            except StoreClosedError:
                return
            except Exception as error:  # noqa: BLE001 - whatever it is, the server goes on
                # Nothing of the message: it may quote what was found.
                kind, seen, name = type(error).__name__, self.seen, self._runner.name
                _logger.error("%s stands still at %d: %s", name, seen, kind)  # noqa: TRY400
                self._runner.shows_still(self._lane.number, self.seen)
                pause = FIRST_PAUSE_SECONDS if seen > before else pause
                self._runner.pause(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _follow(self) -> None:
        """Follow until told to stop or to begin again, or the store closes or was lost."""
        self._begins_again = False
        if self._follower.resume():
            self._runner.begin_again(self._lane.number)
        self._runner.shows_still(self._lane.number, self.seen)
        self._catch_up()
        # The subscription says that there is something; a page takes all that came meanwhile.
        self._alarm = self._lane.store.subscribe(gt=self.seen)
        if self._is_done():
            return
        for _ in self._alarm:
            # What comes in the next moment is taken with it: a page is one transaction.
            self._runner.rest()
            if self._is_done():
                return
            self._catch_up()
            self._alarm.skip_to(self.seen)

    def _catch_up(self) -> None:
        while not self._is_done() and self._follower.take_page():
            pass
        if not self._is_done():
            generation = self._follower.finish()
            self._runner.has_followed(self._lane.number, self.seen, generation)

    def _is_done(self) -> bool:
        return self._runner.is_stopping or self._begins_again
