# SPDX-License-Identifier: Apache-2.0
"""All streams, whichever lane they lie in: the first 16 bits of a stream's id lead to its lane.

Nothing spans lanes: each has a database, a committer and memories of its own, so that one that
cannot be reached stops no other. What lies in a lane that is listed and not served by this process
is `STORE_UNAVAILABLE`, for it exists; in a lane that is not listed, nothing does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import suppress
from random import SystemRandom
from typing import TYPE_CHECKING, Any, TypeVar

from vault.domain.errors import NotFoundError, StoreUnavailableError
from vault.domain.lane import key_of, lane_of, origin_of
from vault.store.command import Command, Decide, Fold, Recorded, S, Sizes

if TYPE_CHECKING:
    from vault.domain.values import Time
    from vault.store.append import StoredRecord
    from vault.store.lane import Lane

_random = SystemRandom()

T = TypeVar("T")
Answered = Coroutine[Any, Any, T]


async def _none_listed() -> Collection[int]:
    return ()


class Vaults:
    """Executes commands on streams and reads them back."""

    def __init__(
        self, first: Lane, *, others: Collection[int] = (), full: Collection[int] = ()
    ) -> None:
        """Serve the first lane.

        Args:
            others: the lanes that `serve` brings, once they can be reached.
            full: lanes in which no vault is opened any more.
        """
        self.numbers = frozenset({first.number, *others})
        """The lanes that this process is to serve."""
        self._lanes = {key_of(first.number): first}
        self._full = full
        self.clock = first.clock
        self.listed: Callable[[], Awaitable[Collection[int]]] = _none_listed
        """Tells which lanes there are, whoever serves them."""
        self._elsewhere = _Elsewhere(self)

    @property
    def lanes(self) -> Mapping[int, Lane]:
        """Return the lanes that are served here, by number."""
        return {lane.number: lane for lane in self._lanes.values()}

    def serve(self, lane: Lane) -> None:
        """Serve a lane from now on."""
        self._lanes[key_of(lane.number)] = lane

    async def aclose(self) -> None:
        """Drain the committers and close the databases."""
        for lane in self._lanes.values():
            await lane.aclose()

    def withdraw(self, number: int) -> Lane:
        """Serve a lane no more, and return it."""
        return self._lanes.pop(key_of(number))

    def execute(self, command: Command, fold: Fold[S], decide: Decide[S]) -> Answered[Recorded]:
        """Decide on the state of a stream and append what was decided; see `Lane`."""
        return self._at(command.stream).execute(command, fold, decide)

    def cached(self, stream: str, fold: Fold[S]) -> Answered[S | None]:
        """Return the state of a stream, perhaps behind what another process appended."""
        return self._at(stream).cached(stream, fold)

    def current(self, stream: str, fold: Fold[S]) -> Answered[S | None]:
        """Return the state of a stream at the committed head."""
        return self._at(stream).current(stream, fold)

    def as_of(
        self,
        stream: str,
        fold: Fold[S],
        *,
        tree_size: int | None = None,
        time: Time | None = None,
        version: int | None = None,
    ) -> Answered[S | None]:
        """Return the state of a stream as it was; `tree_size` is of its lane. See `Lane`."""
        return self._at(stream).as_of(stream, fold, tree_size=tree_size, time=time, version=version)

    def recorded(self, stream: str, request_key: str) -> Answered[Recorded | None]:
        """Return the record that an earlier call with this request key made."""
        return self._at(stream).recorded(stream, request_key)

    def records(
        self,
        stream: str,
        *,
        after_version: int = 0,
        from_position: int = 0,
        below_position: int | None = None,
        limit: int,
    ) -> Answered[list[StoredRecord]]:
        """Return records of a stream exactly as stored, oldest first."""
        return self._at(stream).records(
            stream,
            after_version=after_version,
            from_position=from_position,
            below_position=below_position,
            limit=limit,
        )

    def payload(self, stream: str, version: int, kind: str) -> Answered[bytes | None]:
        """Return one payload of a record, or None if it is not there (any more)."""
        return self._at(stream).payload(stream, version, kind)

    async def marked(self, kind: str, stored_names: Sequence[str]) -> frozenset[str]:
        """Return the hash of every payload of one kind that events of these names have.

        Raises:
            StoreUnavailableError: if a lane cannot be read: what it marks is not known.
        """
        if not self.numbers.union(await self.listed()) <= self.lanes.keys():
            raise StoreUnavailableError
        of_lanes = [await lane.marked(kind, stored_names) for lane in self._lanes.values()]
        return frozenset().union(*of_lanes)

    async def tree_size(self, stream: str) -> int:
        """Return how many records the lane of a stream holds; 0 if there is no such lane."""
        lane = self._lanes.get(stream[:4])
        if lane is None:
            await self._elsewhere.must_not_exist(stream)
            return 0
        return await lane.tree_size()

    async def sizes(self, *streams: str) -> Sizes:
        """Return how many records the lanes of streams hold: the place that they have reached."""
        by_lane = {stream[:4]: stream for stream in streams}
        return {lane_of(stream): await self.tree_size(stream) for stream in by_lane.values()}

    async def lane_for_new(self) -> int:
        """Draw the lane of a new vault: one that is not full, and that can be reached.

        Raises:
            StoreUnavailableError: if there is none.
        """
        taking = [lane for lane in self._lanes.values() if lane.number not in self._full]
        for lane in _random.sample(taking, len(taking)):
            with suppress(StoreUnavailableError):
                await lane.tree_size()
                return lane.number
        raise StoreUnavailableError

    def origin_of(self, stream: str) -> str:
        """Return the origin of the lane in which a stream lies, which is served here."""
        return self._lanes[stream[:4]].origin

    async def lane_named(self, origin: str) -> Lane:
        """Return the lane whose log has this origin.

        Raises:
            NotFoundError: if there is none.
            StoreUnavailableError: if it is not served here, or now.
        """
        for lane in self._lanes.values():
            if lane.origin == origin:
                return lane
        deployment = next(iter(self._lanes.values())).origin.rpartition("/")[0]
        known = self.numbers.union(await self.listed())
        if origin in {origin_of(deployment, number) for number in known}:
            raise StoreUnavailableError
        raise NotFoundError

    def _at(self, stream: str) -> Lane | _Elsewhere:
        return self._lanes.get(stream[:4], self._elsewhere)


class _Elsewhere:
    """Stands for the lanes that are not served here; the verbs are those of `Lane`."""

    def __init__(self, vaults: Vaults) -> None:
        self._vaults = vaults

    async def execute(self, command: Command, fold: Fold[S], decide: Decide[S]) -> Recorded:
        del command, fold, decide
        raise StoreUnavailableError

    async def cached(self, stream: str, fold: Fold[S]) -> S | None:
        del fold
        await self.must_not_exist(stream)
        return None

    async def current(self, stream: str, fold: Fold[S]) -> S | None:
        del fold
        await self.must_not_exist(stream)
        return None

    async def as_of(self, stream: str, fold: Fold[S], **bounds: object) -> S | None:
        del fold, bounds
        await self.must_not_exist(stream)
        return None

    async def recorded(self, stream: str, request_key: str) -> Recorded | None:
        del request_key
        await self.must_not_exist(stream)
        return None

    async def records(self, stream: str, **bounds: object) -> list[StoredRecord]:
        del bounds
        await self.must_not_exist(stream)
        return []

    async def payload(self, stream: str, version: int, kind: str) -> bytes | None:
        del version, kind
        await self.must_not_exist(stream)
        return None

    async def must_not_exist(self, stream: str) -> None:
        """Tell a stream that does not exist from one that cannot be reached here, or now.

        Raises:
            StoreUnavailableError: if its lane is listed.
        """
        if stream[:4] in map(key_of, self._vaults.numbers):
            raise StoreUnavailableError
        # Perhaps by another process, since this one was configured.
        if stream[:4] in map(key_of, await self._vaults.listed()):
            raise StoreUnavailableError
