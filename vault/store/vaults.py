# SPDX-License-Identifier: Apache-2.0
"""The event-sourcing application: fold, decide, append at the expected version.

One attempt per stream and process at a time, from fold to COMMIT, so that only committed state
exists. Turns save retries; the guarantee is the expected version: if another append came first, the
state is read and the decision made again. Stops wait for no turn, or else for the next, and lead.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from functools import partial, reduce
from typing import TYPE_CHECKING, Any, TypeVar, cast

from eventsourcing.application import AggregateNotFoundError, Application, LRUCache
from eventsourcing.persistence import (
    IntegrityError,
    MapperDeserialisationError,
    PersistenceError,
)

from vault.domain.canonical import b64
from vault.domain.errors import (
    ConcurrentChangeError,
    DeadlinePassedError,
    HistoryBrokenError,
    LimitExceededError,
    StoreUnavailableError,
    VaultError,
)
from vault.domain.events import Draft, Event, Link, StreamState
from vault.domain.values import (
    NO_APPROVAL,
    NO_REGISTRY,
    Acting,
    Approval,
    PayloadMark,
    RegistryMark,
    Stamp,
    Time,
    later,
)
from vault.store import errors
from vault.store.append import Append, Commit, Payload, StoredRecord
from vault.store.record import RecordMapper, first_leaf, link_event, read_event
from vault.store.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vault.store.clock import Clock
    from vault.store.committer import Committer
    from vault.store.sqlite import SQLiteRecorder

R = TypeVar("R")
S = TypeVar("S", bound=StreamState)
Fold = Callable[[S | None, Event], S | None]

ATTEMPTS = 16
"""How often a decision is made again before the caller is told to retry."""
STOP_ATTEMPTS = 1024
"""The same for a stop, which must get through any flood of fetches."""
REMEMBERED_STATES = 100_000
CHUNK = 1_000
"""Records read at once when a whole stream is wanted."""


@dataclass(frozen=True, slots=True)
class SealedPayload:
    """A payload and the mark by which the link names it; `content` is None if it lies elsewhere."""

    mark: PayloadMark
    content: bytes | None


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided: a draft, and what goes beside it."""

    draft: Draft
    payloads: tuple[SealedPayload, ...] = ()
    approval: Approval = NO_APPROVAL
    registry: RegistryMark = NO_REGISTRY


@dataclass(frozen=True, slots=True)
class Command:
    """Who wants to append to which stream. `leads`: a stop, which skips the lock."""

    stream: str
    acting: Acting
    request_key: str = ""
    leads: bool = False
    deadline: float | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """A record that stands: `is_repeat` if an earlier call with the same request key made it."""

    event: Event
    position: int
    is_repeat: bool = False
    commit_sent: float = 0.0
    committed: float = 0.0


Decide = Callable[[S | None, Stamp], Awaitable[Decision]]


class Vaults(Application[str]):
    """Executes commands on streams and reads them back."""

    name = "vaults"

    def __init__(
        self,
        origin: str,
        clock: Clock,
        committer_of: Callable[[SQLiteRecorder], Committer],
        env: Mapping[str, str],
    ) -> None:
        super().__init__(env=env)
        self.origin = origin
        self.clock = clock
        self.store = cast("SQLiteRecorder", self.recorder)
        self.committer = committer_of(self.store)
        # By stream and fold, unlike the repository's own cache: a stream that is asked for as what
        # it is not must never be found, nor advanced, as what it is. Touched on the loop alone.
        self._states: LRUCache[tuple[str, object], Any] = LRUCache(REMEMBERED_STATES)
        self._turns = Turns()
        self._readers = ThreadPoolExecutor(4, thread_name_prefix="reader")

    def construct_mapper(self) -> RecordMapper:
        """Return our mapper, which reads listed stored names only."""
        return RecordMapper()

    async def aclose(self) -> None:
        """Drain the committer and close the database."""
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
        async with AsyncExitStack() as held:
            if not command.leads:
                await held.enter_async_context(self._turns.at(command.stream))
            state = await self.cached(command.stream, fold)
            for attempt in range(STOP_ATTEMPTS if command.leads else ATTEMPTS):
                stamp = self._stamp(state)
                try:
                    decision = await decide(state, stamp)
                except VaultError:
                    # A cached state may be behind another process: it never refuses for good.
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
                    commit = await self._append(command, event, decision, fold)
                except IntegrityError:
                    earlier = await self.recorded(command.stream, command.request_key)
                    if earlier is not None:
                        return earlier
                    if command.leads and attempt == 0:
                        # Skipping the turn lost once: the next one is its own, and cannot lose.
                        await held.enter_async_context(self._turns.at(command.stream, leads=True))
                    self._evict(command.stream, fold)
                    state = await self.cached(command.stream, fold)
                    continue
                return Recorded(
                    event=event,
                    position=commit.positions[0],
                    commit_sent=commit.commit_sent,
                    committed=commit.committed,
                )
        raise ConcurrentChangeError

    async def consider(self, stream: str, fold: Fold[S], decide: Decide[S]) -> Decision:
        """Decide on the state of a stream at the committed head, and append nothing.

        Raises:
            VaultError: whatever `decide` raises.
        """
        state = await self.current(stream, fold)
        return await decide(state, self._stamp(state))

    async def cached(self, stream: str, fold: Fold[S]) -> S | None:
        """Return the state of a stream, perhaps behind what another process appended."""
        cached = self._peek(stream, fold)
        return cached if cached is not None else await self._loaded(stream, fold)

    async def current(self, stream: str, fold: Fold[S]) -> S | None:
        """Return the state of a stream at the committed head."""
        state = self._peek(stream, fold)
        if state is None:
            return await self._loaded(stream, fold)
        fresh: S = await self._read(self._catch_up, state, fold)
        self._put(stream, fold, fresh)
        return fresh

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
        """Return the record that an earlier call with this request key made."""
        if not request_key:
            return None
        record = await self._read(self.store.find_request, stream, request_key)
        event = event_of(record) if record else None
        if record is None or event is None:
            return None
        return Recorded(event=event, position=record.position, is_repeat=True)

    async def records(
        self,
        stream: str,
        *,
        after_version: int = 0,
        below_position: int | None = None,
        limit: int,
    ) -> list[StoredRecord]:
        """Return records of a stream exactly as stored, oldest first."""
        select = partial(
            self.store.select_records,
            stream,
            after_version=after_version,
            below_position=below_position,
            limit=limit,
        )
        return list(await self._read(select))

    async def marked(self, kind: str, stored_names: Sequence[str]) -> frozenset[str]:
        """Return the hash of every payload of one kind that events of these names have."""
        return frozenset(await self._read(self._marked, kind, stored_names))

    async def payload(self, stream: str, version: int, kind: str) -> bytes | None:
        """Return one payload of a record, or None if it is not there (any more)."""
        payloads = await self._read(self.store.select_payloads, stream, version)
        return next((payload.content for payload in payloads if payload.kind == kind), None)

    async def tree_size(self) -> int:
        """Return how many records the lane holds."""
        return await self._read(self.store.tree_size)

    async def _append(
        self, command: Command, event: Event, decision: Decision, fold: Fold[S]
    ) -> Commit:
        payloads = tuple(
            Payload(p.mark.kind, p.content) for p in decision.payloads if p.content is not None
        )
        append = Append(
            events=(self.mapper.to_stored_event(event),),
            payloads=(payloads,),
            request_key=command.request_key,
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
        after_last = later(state.last_time, microseconds=1) if state else Time("")
        return Stamp(time=max(now, after_last), salt=new_salt())

    async def _read(self, function: Callable[..., R], *args: Any) -> R:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._readers, function, *args)
        except PersistenceError as error:
            raise StoreUnavailableError from error

    async def _loaded(self, stream: str, fold: Fold[S]) -> S | None:
        state: S | None = await self._read(self._load, stream, fold)
        self._put(stream, fold, state)
        return state

    def _marked(self, kind: str, stored_names: Sequence[str]) -> set[str]:
        # A long way through history: on a thread of its own, never on the loop.
        found: set[str] = set()
        after = 0
        while page := self.store.select_notifications(
            after, CHUNK, topics=stored_names, inclusive_of_start=False
        ):
            marks = (_event_of_state(each.state).mark(kind) for each in page)
            found.update(mark.hash for mark in marks if mark is not None)
            after = page[-1].id
        return found

    def _load(self, stream: str, fold: Fold[S]) -> S | None:
        def project(state: S | None, events: Iterable[Event]) -> S | None:
            return reduce(fold, events, state)

        try:
            return cast("S", self.repository.get(stream, projector_func=cast("Any", project)))
        except AggregateNotFoundError:
            return None
        except MapperDeserialisationError as error:
            raise HistoryBrokenError from error

    def _catch_up(self, state: S, fold: Fold[S]) -> S:
        try:
            events = self.events.get(state.stream, gt=state.version)
            return cast("S", reduce(fold, cast("Iterable[Event]", events), cast("S | None", state)))
        except MapperDeserialisationError as error:
            raise HistoryBrokenError from error

    def _peek(self, stream: str, fold: Fold[S]) -> S | None:
        try:
            remembered: S = self._states.get((stream, fold))
        except KeyError:
            return None
        return remembered

    def _put(self, stream: str, fold: Fold[S], state: S | None) -> None:
        # The committer may have advanced it meanwhile: what is remembered never goes back.
        if state is not None and state.version > _version(self._peek(stream, fold)):
            self._states.put((stream, fold), state)

    def _evict(self, stream: str, fold: Fold[S]) -> None:
        with suppress(KeyError):
            self._states.get((stream, fold), evict=True)


def event_of(record: StoredRecord) -> Event | None:
    """Return the event of a record, or None if the record was deleted.

    Raises:
        HistoryBrokenError: if its bytes are not a record's.
    """
    return None if record.state is None else _event_of_state(record.state)


def _event_of_state(state: bytes) -> Event:
    try:
        return read_event(state)
    except ValueError as error:
        raise HistoryBrokenError from error


def _version(state: StreamState | None) -> int:
    return state.version if state else 0


def new_salt() -> str:
    """Draw a salt: 16 bytes, base64url."""
    return b64(secrets.token_bytes(16))
