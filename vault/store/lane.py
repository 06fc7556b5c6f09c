# SPDX-License-Identifier: Apache-2.0
"""One lane as an event-sourcing application: fold, decide, append at the expected version.

One attempt per stream and process at a time, from fold to COMMIT, so that only committed state
exists. Turns save retries; the guarantee is the expected version: if another append came first, the
state is read and the decision made again. Stops wait for no turn, or else for the next, and lead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial, reduce
from typing import TYPE_CHECKING, Any, TypeVar, cast

from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.persistence import (
    IntegrityError,
    MapperDeserialisationError,
    PersistenceError,
)

from vault.domain.errors import (
    ClockUnsureError,
    ConcurrentChangeError,
    DeadlinePassedError,
    HistoryBrokenError,
    LimitExceededError,
    StoreUnavailableError,
    VaultError,
    VaultFrozenError,
)
from vault.domain.events import Event, Link, StreamState
from vault.domain.lane import origin_of
from vault.domain.values import Stamp, Time, later
from vault.store import errors
from vault.store.append import Append, Commit, Payload, StoredRecord
from vault.store.command import Command, Decide, Decision, Fold, Recorded, S, new_salt
from vault.store.memory import REMEMBERED, Memory
from vault.store.record import RecordMapper, event_of, first_leaf, link_event, sound_event
from vault.store.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vault.store.clock import Clock
    from vault.store.committer import Committer
    from vault.store.recorder import Recorder

R = TypeVar("R")

ATTEMPTS = 16
"""How often a decision is made again before the caller is told to retry."""
STOP_ATTEMPTS = 1024
"""The same for a stop, which must get through any flood of fetches."""
LARGEST_REMEMBERED_BYTES = 2_048
"""Of sealed payloads: what a service fetches again and again is small."""
CHUNK = 1_000
"""Records read at once when a whole stream is wanted."""

LANE_SETTINGS = ("SQLITE_LANE", "POSTGRES_LANE")
"""What tells a recorder which lane it is of."""


class Lane(Application[str]):
    """Executes commands on the streams of one lane and reads them back."""

    name = "vaults"

    def __init__(
        self,
        deployment: str,
        number: int,
        clock: Clock,
        committer_of: Callable[[Recorder], Committer],
        env: Mapping[str, str],
        *,
        remembered: int = REMEMBERED,
        floor_of: Callable[[str], int] = lambda stream: 0,  # noqa: ARG005
    ) -> None:
        """Open the lane in the store that the environment names.

        Args:
            deployment: the name of the deployment, with which the origin of each lane begins.
            number: the lane's.
            remembered: how many streams' states, and how many events' payloads, stay in memory.
            floor_of: the version that a stream is known to have reached, by what lies elsewhere.
        """
        super().__init__(env={**env, **dict.fromkeys(LANE_SETTINGS, str(number))})
        self.number = number
        self.origin = origin_of(deployment, number)
        self.clock = clock
        self._floor_of = floor_of
        self.store = cast("Recorder", self.recorder)
        self.committer = committer_of(self.store)
        # By stream and fold, unlike the repository's own cache: a stream that is asked for as what
        # it is not must never be found, nor advanced, as what it is. Touched on the loop alone.
        self._states: Memory[tuple[str, object], Any] = Memory(remembered)
        # What is sealed never changes, and is nothing without its key, which is kept elsewhere.
        self._payloads: Memory[tuple[str, int], Sequence[Payload]] = Memory(remembered)
        # Both are of the database as it was under this number.
        self._incarnation = self.store.incarnation
        self._turns = Turns()
        self._is_closed = False
        self._readers = ThreadPoolExecutor(4, thread_name_prefix="reader")

    def construct_mapper(self) -> RecordMapper:
        """Return our mapper, which reads listed stored names only."""
        return RecordMapper()

    def start(self) -> None:
        """Begin to append, for the event loop that is running."""
        self.committer.start()

    async def aclose(self) -> None:
        """Drain the committer and close the database; whoever still reads finds it unavailable."""
        self._is_closed = True
        await self.committer.close()
        self._readers.shutdown()
        self.close()

    async def execute(self, command: Command, fold: Fold[S], decide: Decide[S]) -> Recorded:
        """Decide on the state of a stream and append what was decided, durable on return.

        Args:
            decide: called with the state and the stamp of the event to be; may be called again.

        Returns:
            The record, or the earlier one of the same request key.

        Raises:
            VaultError: whatever `decide` raises on a state that is up to date.
            ConcurrentChangeError: if other appends came first again and again.
        """
        turn = self._turns.at(command.stream)
        try:
            if not command.leads:
                await turn.take()
            incarnation = self.store.incarnation
            state = await self.cached(command.stream, fold)
            for attempt in range(STOP_ATTEMPTS if command.leads else ATTEMPTS):
                stamp = self._stamp(state)
                try:
                    decision = await decide(state, stamp)
                except VaultError:
                    # A cached state may be behind another process: it never refuses for good.
                    incarnation = self.store.incarnation
                    fresh = await self.current(command.stream, fold)
                    if _version(fresh) != _version(state):
                        state = fresh
                        continue
                    earlier = await self.recorded(command.stream, command.request_key)
                    if earlier is not None:
                        return earlier
                    raise
                event = self._link(command, state, decision)
                try:
                    commit = await self._append(command, event, decision, fold, incarnation)
                except IntegrityError:
                    earlier = await self.recorded(command.stream, command.request_key)
                    if earlier is not None:
                        return earlier
                    if command.leads and attempt == 0:
                        # Skipping the turn lost once: the next one is its own, and cannot lose.
                        await turn.take(leads=True)
                    self._evict(command.stream, fold)
                    incarnation = self.store.incarnation
                    state = await self.cached(command.stream, fold)
                    continue
                return Recorded(
                    event=event,
                    position=commit.positions[0],
                    origin=self.origin,
                    commit_sent=commit.commit_sent,
                    committed=commit.committed,
                )
        finally:
            turn.pass_on()
        raise ConcurrentChangeError

    async def cached(self, stream: str, fold: Fold[S]) -> S | None:
        """Return the state of a stream, perhaps behind what another process appended."""
        cached = self._peek(stream, fold)
        return cached if cached is not None else await self._loaded(stream, fold)

    async def current(self, stream: str, fold: Fold[S]) -> S | None:
        """Return the state of a stream at the committed head."""
        incarnation = self.store.incarnation
        state = self._peek(stream, fold)
        if state is not None:
            fresh: S = await self._read(self._catch_up, state, fold)
            if self.store.incarnation == incarnation:
                self._put(stream, fold, fresh)
                return fresh
        return await self._loaded(stream, fold)

    async def as_of(
        self,
        stream: str,
        fold: Fold[S],
        *,
        tree_size: int | None = None,
        time: Time | None = None,
        version: int | None = None,
    ) -> S | None:
        """Return the state of a stream as it was; what is not given does not bound it.

        Args:
            tree_size: when the lane held so many records.
            time: after the last event at or before this time.
            version: after this version.
        """
        state: S | None = None
        after_version = 0
        while records := await self.records(
            stream, after_version=after_version, below_position=tree_size, limit=CHUNK
        ):
            for record in records:
                if version is not None and record.version > version:
                    return state
                event = event_of(record)
                if event is None:
                    continue
                if time is not None and event.facts.time > time:
                    return state
                state = fold(state, event)
            after_version = records[-1].version
        return state

    async def recorded(self, stream: str, request_key: str) -> Recorded | None:
        """Return the record that an earlier call with this request key made, durable on return."""
        if not request_key:
            return None
        record = await self._read(self.store.find_request, stream, request_key)
        event = event_of(record) if record else None
        if record is None or event is None:
            return None
        # That call may have ended without learning whether it lasts.
        await self._read(self.store.prove_durable, record)
        return Recorded(event, record.position, self.origin, is_repeat=True)

    async def records(
        self,
        stream: str,
        *,
        after_version: int = 0,
        from_position: int = 0,
        below_position: int | None = None,
        limit: int,
    ) -> list[StoredRecord]:
        """Return records of a stream exactly as stored, oldest first."""
        select = partial(
            self.store.select_records,
            stream,
            after_version=after_version,
            from_position=from_position,
            below_position=below_position,
            limit=limit,
        )
        return list(await self._read(select))

    async def range(self, first: int, end: int, *, limit: int) -> list[StoredRecord]:
        """Return the records of all streams in a range of positions, in their order."""
        return list(await self._read(partial(self.store.select_range, first, end, limit=limit)))

    async def marked(self, kind: str, stored_names: Sequence[str]) -> frozenset[str]:
        """Return the hash of every payload of one kind that events of these names have."""
        return frozenset(await self._read(self._marked, kind, stored_names))

    async def payload(self, stream: str, version: int, kind: str) -> bytes | None:
        """Return one payload of a record, or None if it is not there (any more)."""
        self._forget_if_lost()
        payloads = self._payloads.get((stream, version))
        if payloads is None:
            incarnation = self.store.incarnation
            payloads = await self._read(self.store.select_payloads, stream, version)
            is_small = sum(len(each.content) for each in payloads) <= LARGEST_REMEMBERED_BYTES
            if is_small and self.store.incarnation == incarnation:
                self._payloads.put((stream, version), payloads)
        return next((payload.content for payload in payloads if payload.kind == kind), None)

    async def tree_size(self) -> int:
        """Return how many records the lane holds."""
        return await self._read(self.store.tree_size)

    async def _append(
        self,
        command: Command,
        event: Event,
        decision: Decision,
        fold: Fold[S],
        incarnation: int,
    ) -> Commit:
        payloads = tuple(
            Payload(p.mark.kind, p.content) for p in decision.payloads if p.content is not None
        )
        append = Append(
            events=(self.mapper.to_stored_event(event),),
            payloads=(payloads,),
            request_key=command.request_key,
            incarnation=incarnation,
        )

        def advance(commit: Commit) -> None:
            del commit
            before = self._peek(command.stream, fold)
            if _version(before) == event.link.version - 1:
                self._put(command.stream, fold, fold(before, event))
            else:
                self._evict(command.stream, fold)

        try:
            return await self.committer.append(
                append, leads=command.leads, deadline=command.deadline, committed=advance
            )
        except errors.DeadlinePassedError as error:
            raise DeadlinePassedError from error
        except errors.QueueFullError as error:
            raise LimitExceededError from error
        except errors.ClockDepartsError as error:
            raise ClockUnsureError from error
        except (
            errors.AppendFailedError,
            errors.CommitFailedError,
            errors.StoreClosedError,
        ) as error:
            self._evict(command.stream, fold)
            raise StoreUnavailableError from error

    def _link(self, command: Command, state: S | None, decision: Decision) -> Event:
        link = Link(
            origin=self.origin,
            stream=command.stream,
            version=_version(state) + 1,
            previous_leaf=state.last_leaf if state else first_leaf(self.origin, command.stream),
            request_key=command.request_key,
            acting=command.acting,
            approval=decision.approval,
            items=decision.draft.items,
            registry=decision.registry,
            payloads=tuple(sorted((p.mark for p in decision.payloads), key=lambda m: m.kind)),
            salt=new_salt(),
        )
        return link_event(link, decision.draft.facts)

    def _stamp(self, state: S | None) -> Stamp:
        now = self.clock.now()
        if state and now <= state.last_time:
            now = later(state.last_time, microseconds=1)
        return Stamp(time=now, salt=new_salt())

    async def _read(self, function: Callable[..., R], *args: Any) -> R:
        if self._is_closed:
            raise StoreUnavailableError
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._readers, function, *args)
        except PersistenceError as error:
            raise StoreUnavailableError from error

    async def _loaded(self, stream: str, fold: Fold[S]) -> S | None:
        incarnation = self.store.incarnation
        state: S | None = await self._read(self._load, stream, fold)
        if self.store.incarnation == incarnation:
            self._put(stream, fold, state)
        return state

    def _marked(self, kind: str, stored_names: Sequence[str]) -> set[str]:
        # A long way through history: on a thread of its own, never on the loop.
        found: set[str] = set()
        after = 0
        while page := self.store.select_notifications(
            after, CHUNK, topics=stored_names, inclusive_of_start=False
        ):
            marks = (sound_event(each.state).mark(kind) for each in page)
            found.update(mark.hash for mark in marks if mark is not None)
            after = page[-1].id
        return found

    def _load(self, stream: str, fold: Fold[S]) -> S | None:
        def project(state: S | None, events: Iterable[Event]) -> S | None:
            return reduce(fold, events, state)

        # Before the events: a floor is raised after its event's COMMIT, so that they hold it.
        floor = self._floor_of(stream)
        state: S | None = None
        with suppress(AggregateNotFoundError):
            try:
                state = self.repository.get(stream, projector_func=cast("Any", project))
            except MapperDeserialisationError as error:
                raise HistoryBrokenError from error
        if _version(state) < floor and not self._reaches(stream, floor):
            raise VaultFrozenError
        return state

    def _reaches(self, stream: str, version: int) -> bool:
        # Asked of the entries: what a fold leaves out, deleted or of another kind, is there too.
        return bool(self.store.select_records(stream, after_version=version - 1, limit=1))

    def _catch_up(self, state: S, fold: Fold[S]) -> S:
        try:
            events = self.events.get(state.stream, gt=state.version)
            return cast("S", reduce(fold, cast("Iterable[Event]", events), cast("S | None", state)))
        except MapperDeserialisationError as error:
            raise HistoryBrokenError from error

    def _peek(self, stream: str, fold: Fold[S]) -> S | None:
        self._forget_if_lost()
        return self._states.get((stream, fold))

    def _forget_if_lost(self) -> None:
        # A database that was restored or promoted may hold less than what is remembered of it.
        if self._incarnation != self.store.incarnation:
            self._incarnation = self.store.incarnation
            self._states.clear()
            self._payloads.clear()

    def _put(self, stream: str, fold: Fold[S], state: S | None) -> None:
        # The committer may have advanced it meanwhile: what is remembered never goes back.
        if state is not None and state.version > _version(self._peek(stream, fold)):
            self._states.put((stream, fold), state)

    def _evict(self, stream: str, fold: Fold[S]) -> None:
        self._states.forget((stream, fold))


def _version(state: StreamState | None) -> int:
    return state.version if state else 0
