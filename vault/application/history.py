# SPDX-License-Identifier: Apache-2.0
"""A citizen's history, newest first: her own events, and what was recorded elsewhere of hers.

Elsewhere means the audit stream and the operator's: an auditor who reads a range of a log reads
records of many people and is recorded once, and a known fault names entries of many. By the
positions of her records each finds out whether a range held any.

How many of those there are is not hers to say. So a call looks at no more than `MOST_LOOKED_AT`
events, and reads each record of hers once: an auditor who reads a log record by record slows
nobody's history, and a page may end before it is full.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Final, TypeAlias

from vault.application.commands import Particulars, read_particulars
from vault.application.operations import Notice, read_notices
from vault.domain import audit, operation
from vault.domain.amendment import (
    ConsentExtended,
    ConsentNarrowed,
    Difference,
    difference_made,
)
from vault.domain.audit import LaneReplayed, service_of
from vault.domain.consent import ConsentGranted
from vault.domain.disclosure import DisclosureRefused, EvidenceDisclosed
from vault.domain.dispute import DisputeResolved, EvidenceDisputed
from vault.domain.evidence import EvidenceProvided, EvidenceReplaced
from vault.domain.operation import KnownFaultPublished
from vault.domain.request import ConsentRequested
from vault.domain.sign_in import SignInLinked, SignInUnlinked
from vault.store.command import Recorded
from vault.store.record import event_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vault.application.receipts import Receipt, Receipts
    from vault.domain.events import Event
    from vault.domain.sign_in import SignIn
    from vault.domain.state import VaultState
    from vault.sealing.envelope import Key
    from vault.store.append import StoredRecord
    from vault.store.vaults import Vaults

CHUNK: Final = 500
"""Records read at once."""
MOST_LOOKED_AT: Final = 2_000
"""Events that one call looks at, hers and those elsewhere."""
MOST_TOUCHED: Final = 100
"""Entries of hers that are named of one fault."""

Cursor: TypeAlias = tuple[int, ...]
"""Where a page starts: before which version of each stream, hers first; () is the newest."""

NEWEST: Final[Cursor] = ()


@dataclass(frozen=True, slots=True)
class LineItem:
    """A piece of evidence in a line of history; its id is "" where an attempt named none."""

    evidence_id: str
    evidence_type: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FaultLine:
    """A known fault that touches entries of hers; `has_more`: more than are named here."""

    fault: str
    notices: tuple[Notice, ...]
    leaf_indexes: tuple[int, ...]
    has_more: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A line of history: the event, what it concerned, and what was said beside it.

    Attributes:
        after: where a page starts that goes on after this line; () if nothing is older.
        is_elsewhere: it stands in another stream than hers.
        fault: what is told of it, where it is a known fault.
        way: to the vault, where it was opened or closed.
    """

    event: Event
    items: tuple[LineItem, ...]
    particulars: Particulars | None
    receipt: Receipt
    difference: Difference | None = None
    after: Cursor = NEWEST
    is_elsewhere: bool = False
    fault: FaultLine | None = None
    way: SignIn | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Lines of history, newest first; `after` is where the next page starts, () if none.

    There may be a next page after few lines, or none: so many events were looked at.
    """

    lines: tuple[Line, ...]
    after: Cursor


@dataclass(frozen=True, slots=True)
class _Found:
    event: Event
    record: StoredRecord


class _Backwards:
    """Reads the events of a stream from its newest to its oldest; deleted ones are left out."""

    def __init__(self, vaults: Vaults, stream: str, before: int) -> None:
        self._vaults = vaults
        self._stream = stream
        self.before = before
        """The version from which on everything was read."""
        self._records: list[StoredRecord] = []
        self._next: _Found | None = None

    async def peek(self) -> _Found | None:
        """Return the next event; None if there is none."""
        while self._next is None and self.before > 1:
            if not self._records:
                after = max(0, self.before - 1 - CHUNK)
                self._records = await self._vaults.records(
                    self._stream, after_version=after, limit=self.before - 1 - after
                )
                if not self._records:
                    self.before = 1
                    break
            self._go_on()
        return self._next

    def take(self) -> None:
        """Go on to the event after it."""
        if self._next is not None:
            self.before = self._next.event.link.version
            self._next = None

    def _go_on(self) -> None:
        record = self._records.pop()
        event = event_of(record)
        if event is None:
            self.before = record.version
        else:
            self._next = _Found(event, record)


class _Places:
    """Where her records stand, in whatever grouping, read from the newest on as far as asked."""

    def __init__(
        self, vaults: Vaults, state: VaultState, group: Callable[[StoredRecord], str]
    ) -> None:
        self._vaults = vaults
        self._stream = state.stream
        self._group = group
        self._before = state.version + 1
        """The version from which on all are known."""
        self._known_from = math.inf
        """The position from which on all are known."""
        self._negated: dict[str, list[int]] = {}
        """The positions of each group, negated: they come newest first, `bisect` wants order."""

    async def any(self, group: str, first: int, end: int) -> bool:
        """Say whether a record of a group stands from `first` up to, and without, `end`."""
        while not len(self._known(group, first, end)):
            if not await self._read(first):
                return False
        return True

    async def all(self, group: str, first: int, end: int) -> Sequence[int]:
        """Return the places of a group from `first` up to, and without, `end`, in their order."""
        while await self._read(first):
            pass
        places = self._negated.get(group, [])
        return [-places[at] for at in reversed(self._known(group, first, end))]

    def _known(self, group: str, first: int, end: int) -> range:
        places = self._negated.get(group, [])
        return range(bisect_right(places, -end), bisect_right(places, -first))

    async def _read(self, first: int) -> bool:
        """Read more if there may be more from `first` on, and say so."""
        if self._before <= 1 or self._known_from <= first:
            return False
        after = max(0, self._before - 1 - CHUNK)
        records = await self._vaults.records(
            self._stream, after_version=after, limit=self._before - 1 - after
        )
        for record in reversed(records):
            self._negated.setdefault(self._group(record), []).append(-record.position)
            self._known_from = record.position
        self._before = after + 1
        return True


class History:
    """One vault's history."""

    def __init__(
        self,
        vaults: Vaults,
        receipts: Receipts,
        elsewhere: tuple[str, str],
        state: VaultState,
        key: Key,
    ) -> None:
        """Read the history of a vault.

        Args:
            elsewhere: where ranges that auditors read are recorded, and what the operator recorded.
            state: of the vault, at its head.
            key: her history key.
        """
        self._vaults = vaults
        self._receipts = receipts
        self._elsewhere = elsewhere
        self._state = state
        self._key = key
        self._origin = vaults.origin_of(state.stream)
        self._places = _Places(vaults, state, lambda _: "")
        self._places_by_service = _Places(vaults, state, _service_of)
        self._left = MOST_LOOKED_AT

    async def page(self, before: Cursor, limit: int, *, only_disclosures: bool) -> Page:
        """Return lines, newest first, from a cursor on; once for each instance.

        Args:
            only_disclosures: only uses and refused attempts, and faults.
        """
        hers, elsewhere = await self._readers(before)
        readers = (hers, *elsewhere)
        lines: list[Line] = []
        while (own := await hers.peek()) is not None and len(lines) < limit:
            later = await self._later(elsewhere, own.event, only_faults=only_disclosures)
            if self._left <= 0:
                break
            self._left -= 1
            reader = later or hers
            found = own if later is None else await later.peek()
            reader.take()
            if found is None or (
                later is None
                and only_disclosures
                and not isinstance(found.event.facts, EvidenceDisclosed | DisclosureRefused)
            ):
                continue
            after = tuple(one.before for one in readers)
            lines.append(await self._line(found, after, elsewhere=later is not None))
        is_over = await hers.peek() is None
        after = NEWEST if is_over else tuple(one.before for one in readers)
        return Page(lines=tuple(lines), after=after)

    async def _readers(self, before: Cursor) -> tuple[_Backwards, tuple[_Backwards, ...]]:
        audits, operations = self._elsewhere
        if before:
            of_hers, of_audits, of_operations = before
        else:
            of_hers = self._state.version + 1
            audited = await self._vaults.current(audits, audit.fold)
            of_audits = audited.version + 1 if audited else 1
            operated = await self._vaults.current(operations, operation.fold)
            of_operations = operated.version + 1 if operated else 1
        return _Backwards(self._vaults, self._state.stream, of_hers), (
            _Backwards(self._vaults, audits, of_audits),
            _Backwards(self._vaults, operations, of_operations),
        )

    async def _later(
        self, elsewhere: tuple[_Backwards, ...], own: Event, *, only_faults: bool
    ) -> _Backwards | None:
        """Return where the newest event stands that concerns her after an event of hers, if any.

        It is not known where nothing is left to look at.
        """
        later: list[tuple[str, _Backwards]] = []
        # What auditors read is no fault.
        for reader in elsewhere[1:] if only_faults else elsewhere:
            while (
                (found := await reader.peek()) is not None
                and found.event.facts.time > own.facts.time
                and self._left > 0
            ):
                if await self._concerns_her(found.event, only_faults=only_faults):
                    later.append((found.event.facts.time, reader))
                    break
                reader.take()
                self._left -= 1
        return max(later, key=itemgetter(0))[1] if later else None

    async def _concerns_her(self, event: Event, *, only_faults: bool) -> bool:
        facts = event.facts
        if isinstance(facts, KnownFaultPublished):
            return bool(await self._touched(facts, limit=1))
        return (
            not only_faults
            and isinstance(facts, LaneReplayed)
            and facts.origin == self._origin
            and await self._holds_hers(facts)
        )

    async def _touched(self, facts: KnownFaultPublished, *, limit: int) -> tuple[int, ...]:
        """Return which of her entries a fault touches, by their places, so many at most."""
        found: list[int] = []
        for touched in facts.ranges:
            if touched.origin == self._origin and len(found) < limit:
                found += await self._places.all("", touched.first, touched.end)
        return tuple(found[:limit])

    async def _fault(self, event: Event) -> FaultLine | None:
        facts = event.facts
        if not isinstance(facts, KnownFaultPublished):
            return None
        touched = await self._touched(facts, limit=MOST_TOUCHED + 1)
        return FaultLine(
            fault=facts.fault,
            notices=await read_notices(self._vaults, event),
            leaf_indexes=touched[:MOST_TOUCHED],
            has_more=len(touched) > MOST_TOUCHED,
        )

    async def _holds_hers(self, facts: LaneReplayed) -> bool:
        places = self._places_by_service if facts.service else self._places
        return await places.any(facts.service, facts.first, facts.end)

    async def _line(self, found: _Found, after: Cursor, *, elsewhere: bool = False) -> Line:
        event = found.event
        origin = self._vaults.origin_of(event.link.stream)
        said = None
        if not elsewhere:
            said = await read_particulars(self._vaults, event, self._key)
        return Line(
            event=event,
            items=() if elsewhere else _items(self._state, event),
            particulars=said,
            receipt=self._receipts.of(Recorded(event, found.record.position, origin)),
            difference=None if elsewhere else difference_made(self._state, event),
            after=after,
            is_elsewhere=elsewhere,
            fault=await self._fault(event),
            way=None if elsewhere else _way(self._state, event),
        )


def _way(state: VaultState, event: Event) -> SignIn | None:
    facts = event.facts.upcast()
    if isinstance(facts, SignInLinked | SignInUnlinked):
        return state.sign_ins.get(facts.sign_in)
    return None


def _service_of(record: StoredRecord) -> str:
    event = event_of(record)
    return service_of(event.facts) if event else ""


def _items(state: VaultState, event: Event) -> tuple[LineItem, ...]:
    """Return which of her evidence an event concerned, and which fields of it."""
    facts = event.facts.upcast()
    by_number = {item.item: item.evidence_id for item in event.link.items}

    def line(number: int, names: tuple[str, ...]) -> LineItem:
        evidence_id = by_number.get(number, "")
        piece = state.evidence.get(evidence_id)
        return LineItem(
            evidence_id=evidence_id,
            evidence_type=piece.evidence_type if piece else "",
            names=names,
        )

    match facts:
        case EvidenceDisclosed():
            return tuple(line(fields.item, fields.names) for fields in facts.fields)
        case DisclosureRefused():
            return tuple(
                LineItem(evidence_id="", evidence_type=f.evidence_type, names=f.names)
                for f in facts.fields
            )
        case EvidenceDisputed():
            return (line(0, facts.names),)
        case DisputeResolved():
            return (line(0, ()),)
        case ConsentGranted() | ConsentNarrowed() | ConsentExtended():
            return tuple(
                line(granted.item, tuple(sorted(granted.names))) for granted in facts.terms.scope
            )
        case ConsentRequested():
            return tuple(
                LineItem(
                    evidence_id="",
                    evidence_type=asked.evidence_type,
                    names=tuple(sorted(asked.required + asked.optional)),
                )
                for asked in facts.asked.scope
            )
        case EvidenceProvided():
            return (line(0, facts.names),)
        case EvidenceReplaced():
            return (line(0, facts.changed),)
        case _:
            return ()
