# SPDX-License-Identifier: Apache-2.0
"""The operator's own history: recorded by servers as they start, and by operators themselves."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

from vault.application.caller import Answer
from vault.application.commands import (
    Particulars,
    command_digest,
    must_be_recorded,
    must_be_same,
    public,
    public_particulars,
)
from vault.domain import operation
from vault.domain.canonical import encode
from vault.domain.errors import FieldInvalidError, HistoryBrokenError, NotFoundError
from vault.domain.events import Draft
from vault.domain.operation import (
    AdministratorActed,
    KeyUsed,
    OperationState,
    ReleaseStarted,
    StoreMigrated,
    StoreRestored,
)
from vault.domain.values import Acting
from vault.store.command import Command, Decision, Recorded
from vault.store.record import event_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from vault.application.caller import Caller
    from vault.application.identifiers import Identifiers
    from vault.application.receipts import Receipt, Receipts
    from vault.domain.events import Event, Facts
    from vault.domain.operation import Act, EntryRange, StoreName
    from vault.domain.values import Stamp
    from vault.store.command import SealedPayload
    from vault.store.vaults import Vaults

NOTICE: Final = "notice"
NOTE: Final = "note"
_SERVER: Final = Acting(actor="", capacity="operator", mandate="", channel="cli")


class Notice(Struct, frozen=True, forbid_unknown_fields=True):
    """What people read of a known fault, in one language."""

    language: str
    title: str
    text: str
    help_line: str


_NOTICES: Final = msgspec.json.Decoder(tuple[Notice, ...])


@dataclass(frozen=True, slots=True)
class Running:
    """What a server runs: its release, its files, its settings, and what its databases hold."""

    release: str
    program_hash: str
    configuration_hash: str
    events_form: int
    keys_form: int
    wrapping_key: str


@dataclass(frozen=True, slots=True)
class Operation:
    """An event of the operator's history, with what people read beside it."""

    event: Event
    receipt: Receipt
    notices: tuple[Notice, ...] = ()
    note: str = ""


class _UnchangedError(Exception):
    """It is as it was recorded last."""


class Operations:
    """The operator's history."""

    def __init__(self, vaults: Vaults, identifiers: Identifiers, receipts: Receipts) -> None:
        self._vaults = vaults
        self._identifiers = identifiers
        self._receipts = receipts
        self._stream = identifiers.operations_stream

    async def state(self) -> OperationState:
        """Return what the operator recorded until now."""
        state = await self._vaults.current(self._stream, operation.fold)
        return state or OperationState(stream=self._stream)

    async def start(self, running: Running) -> None:
        """Record what begins to run, as far as it differs from what ran before.

        Several processes may begin at once: one records it.
        """
        for change in (
            partial(_migrated, running, "events"),
            partial(_migrated, running, "keys"),
            partial(_started, running),
            partial(_unwrapped, running),
        ):
            await self._record_change(change)

    async def restored(self, lane: int, size: int, appended: int) -> None:
        """Record that records were put back into a lane that was restored."""
        await self._record_change(
            lambda _, stamp: StoreRestored(
                time=stamp.time, salt=stamp.salt, lane=lane, size=size, appended=appended
            )
        )
        await self._record_change(
            lambda _, stamp: KeyUsed(
                time=stamp.time, salt=stamp.salt, key="tail", key_id="", use="tail-replay"
            )
        )

    async def publish_fault(
        self,
        caller: Caller,
        request_id: str,
        ranges: tuple[EntryRange, ...],
        notices: tuple[Notice, ...],
    ) -> Answer[Operation]:
        """Publish a known fault and the entries that it touches.

        Raises:
            FieldInvalidError: if a range is of no log here, or reaches beyond what it holds.
        """
        languages = [notice.language for notice in notices]
        if "en" not in languages or len(set(languages)) != len(languages):
            raise FieldInvalidError("notices", "Each language once, English among them.")
        await self._must_be_there(ranges)
        key = self._request_key(caller, "PublishKnownFault", request_id)
        payload = public(NOTICE, encode(notices))

        def draft(stamp: Stamp) -> Draft:
            return operation.publish_fault(stamp, key, ranges)

        expected = command_digest("PublishKnownFault", ranges, notices)
        said = public_particulars(Particulars(digest=expected))
        return await self._record(caller, key, expected, draft, (payload, said))

    async def record_act(
        self, caller: Caller, request_id: str, act: Act, note: str
    ) -> Answer[Operation]:
        """Record that somebody who administers the deployment did something past the program."""
        payload = public(NOTE, note.encode())

        def draft(stamp: Stamp) -> Draft:
            return Draft(facts=AdministratorActed(time=stamp.time, salt=stamp.salt, act=act))

        expected = command_digest("RecordAct", act, note)
        key = self._request_key(caller, "RecordAct", request_id)
        said = public_particulars(Particulars(digest=expected))
        return await self._record(caller, key, expected, draft, (payload, said))

    async def list(self, *, before_version: int, limit: int) -> Sequence[Operation]:
        """Return what the operator recorded, newest first; `before_version` 0 is from the head."""
        head = (await self.state()).version
        bottom = min(before_version or head + 1, head + 1)
        after = max(0, bottom - 1 - limit)
        records = await self._vaults.records(
            self._stream, after_version=after, limit=bottom - 1 - after
        )
        events = [(event_of(record), record.position) for record in reversed(records)]
        return [await self._operation(event, at) for event, at in events if event is not None]

    async def _operation(self, event: Event, position: int) -> Operation:
        origin = self._vaults.origin_of(self._stream)
        note = await _public(self._vaults, event, NOTE)
        return Operation(
            event=event,
            receipt=self._receipts.of(Recorded(event, position, origin)),
            notices=await read_notices(self._vaults, event),
            note=note.decode(),
        )

    async def _must_be_there(self, ranges: tuple[EntryRange, ...]) -> None:
        for named in ranges:
            try:
                lane = await self._vaults.lane_named(named.origin)
            except NotFoundError:
                raise FieldInvalidError("ranges", "There is no such log.") from None
            if named.end > await lane.tree_size():
                raise FieldInvalidError("ranges", "A log does not reach so far.")

    async def _record_change(self, made: Callable[[OperationState, Stamp], Facts | None]) -> None:
        """Record what a change makes, unless it makes nothing."""

        async def decide(state: OperationState | None, stamp: Stamp) -> Decision:
            facts = made(state or OperationState(stream=self._stream), stamp)
            if facts is None:
                raise _UnchangedError
            return Decision(draft=Draft(facts=facts))

        try:
            await self._execute(Command(stream=self._stream, acting=_SERVER), decide)
        except _UnchangedError:
            return

    async def _record(
        self,
        caller: Caller,
        request_key: str,
        expected: str,
        draft: Callable[[Stamp], Draft],
        beside: tuple[SealedPayload, ...],
    ) -> Answer[Operation]:
        async def decide(state: OperationState | None, stamp: Stamp) -> Decision:
            del state
            return Decision(draft=draft(stamp), payloads=beside)

        actor = self._identifiers.pseudonym(caller.issuer, caller.sub)
        acting = Acting(actor=actor, capacity="operator", mandate="", channel="api")
        command = Command(stream=self._stream, acting=acting, request_key=request_key)
        recorded = await self._execute(command, decide)
        if recorded.is_repeat:
            await must_be_same(self._vaults, recorded, expected, None)
        made = await self._operation(recorded.event, recorded.position)
        return Answer(value=made, sizes=recorded.sizes)

    async def _execute(
        self,
        command: Command,
        decide: Callable[[OperationState | None, Stamp], Awaitable[Decision]],
    ) -> Recorded:
        return await self._vaults.execute(command, operation.fold, decide)

    def _request_key(self, caller: Caller, method: str, request_id: str) -> str:
        actor = self._identifiers.pseudonym(caller.issuer, caller.sub)
        return self._identifiers.request_key(actor, method, request_id)


async def read_notices(vaults: Vaults, event: Event) -> tuple[Notice, ...]:
    """Return the notices beside an event; none where it has none.

    Raises:
        HistoryBrokenError: if they are not those that were recorded.
    """
    content = await _public(vaults, event, NOTICE)
    return _NOTICES.decode(content) if content else ()


async def _public(vaults: Vaults, event: Event, kind: str) -> bytes:
    mark = event.mark(kind)
    if mark is None:
        return b""
    content = await vaults.payload(event.link.stream, event.link.version, kind)
    if content is None:
        raise HistoryBrokenError
    must_be_recorded(content, mark)
    return content


def _started(running: Running, known: OperationState, stamp: Stamp) -> ReleaseStarted | None:
    facts = ReleaseStarted(
        time=stamp.time,
        salt=stamp.salt,
        release=running.release,
        program_hash=running.program_hash,
        configuration_hash=running.configuration_hash,
        events_form=running.events_form,
        keys_form=running.keys_form,
    )
    before = known.release
    same = before and msgspec.structs.replace(before, time=stamp.time, salt=stamp.salt)
    return None if same == facts else facts


def _migrated(
    running: Running, store: StoreName, known: OperationState, stamp: Stamp
) -> StoreMigrated | None:
    if known.release is None:
        return None
    before, after = getattr(known.release, f"{store}_form"), getattr(running, f"{store}_form")
    if before == after:
        return None
    return StoreMigrated(time=stamp.time, salt=stamp.salt, store=store, before=before, after=after)


def _unwrapped(running: Running, known: OperationState, stamp: Stamp) -> KeyUsed | None:
    if known.wrapping_key == running.wrapping_key:
        return None
    return KeyUsed(
        time=stamp.time, salt=stamp.salt, key="wrapping", key_id=running.wrapping_key, use="serve"
    )
