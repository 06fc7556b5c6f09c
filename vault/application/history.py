# SPDX-License-Identifier: Apache-2.0
"""A citizen's history, newest first: her own events, and what was recorded elsewhere of hers.

Elsewhere means the audit stream and the operator's: an auditor who reads a range of a log reads
records of many people and is recorded once, and a known fault names entries of many. By the
positions of her records each finds out whether a range held any.
"""

from __future__ import annotations

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
from vault.store.command import Recorded
from vault.store.record import event_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vault.application.receipts import Receipt, Receipts
    from vault.domain.events import Event
    from vault.domain.state import VaultState
    from vault.sealing.envelope import Key
    from vault.store.append import StoredRecord
    from vault.store.vaults import Vaults

CHUNK: Final = 500
"""Records read at once."""
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
    """

    event: Event
    items: tuple[LineItem, ...]
    particulars: Particulars | None
    receipt: Receipt
    difference: Difference | None = None
    after: Cursor = NEWEST
    is_elsewhere: bool = False
    fault: FaultLine | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Lines of history, newest first; `after` is where the next page starts, () if none."""

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

    async def page(self, before: Cursor, limit: int, *, only_disclosures: bool) -> Page:
        """Return lines, newest first, from a cursor on.

        Args:
            only_disclosures: only uses and refused attempts, and faults.
        """
        hers, elsewhere = await self._readers(before)
        readers = (hers, *elsewhere)
        lines: list[Line] = []
        while (own := await hers.peek()) is not None and len(lines) < limit:
            later = await self._later(elsewhere, own.event, only_faults=only_disclosures)
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
        """Return where the newest event stands that concerns her after an event of hers, if any."""
        later: list[tuple[str, _Backwards]] = []
        for reader in elsewhere:
            while (
                found := await reader.peek()
            ) is not None and found.event.facts.time > own.facts.time:
                if await self._concerns_her(found.event, only_faults=only_faults):
                    later.append((found.event.facts.time, reader))
                    break
                reader.take()
        return max(later, key=itemgetter(0))[1] if later else None

    async def _concerns_her(self, event: Event, *, only_faults: bool) -> bool:
        if isinstance(event.facts, KnownFaultPublished):
            return bool(await self._touched(event.facts, limit=1))
        return not only_faults and await self._holds_hers(event)

    async def _touched(self, facts: KnownFaultPublished, *, limit: int) -> tuple[int, ...]:
        """Return which of her entries a fault touches, by their places, so many at most."""
        found: list[int] = []
        for touched in facts.ranges:
            if touched.origin == self._origin and len(found) < limit:
                records = await self._vaults.records(
                    self._state.stream,
                    from_position=touched.first,
                    below_position=touched.end,
                    limit=limit - len(found),
                )
                found += [record.position for record in records]
        return tuple(found)

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

    async def _holds_hers(self, event: Event) -> bool:
        facts = event.facts
        if not isinstance(facts, LaneReplayed) or facts.origin != self._origin:
            return False
        after = 0
        while records := await self._vaults.records(
            self._state.stream,
            after_version=after,
            from_position=facts.first,
            below_position=facts.end,
            limit=CHUNK if facts.service else 1,
        ):
            if not facts.service or _names_service(records, facts.service):
                return True
            after = records[-1].version
        return False

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
        )


def _names_service(records: Sequence[StoredRecord], service: str) -> bool:
    events = (event_of(record) for record in records)
    return any(event is not None and service_of(event.facts) == service for event in events)


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
