# SPDX-License-Identifier: Apache-2.0
"""An export that is brought here, verified before anything of it is believed.

The chain from its first record to the head that it names; every record's digest in its entry; what
is sealed beside it by its digest, its key and its context. Pure: parts in, what she gave out. It
shows that nothing is missing or changed since it was exported, and no more: who wrote it there is
for whoever trusts that deployment's log.

Whoever calls may have written all of it. So it is bounded, each part is looked at once, and of a
record no more is kept than what is carried over: the work and the memory grow with what was sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from vault.application.exports import context_of_mark
from vault.application.revisions import KIND
from vault.domain.amendment import ConsentExtended, ConsentNarrowed
from vault.domain.canonical import b64, digest
from vault.domain.consent import ConsentGranted, ConsentRevoked
from vault.domain.errors import ExportInvalidError, LimitExceededError
from vault.domain.evidence import EvidenceProvided, EvidenceReplaced
from vault.domain.vault import VaultOpened
from vault.sealing.envelope import Context, Key, open_sealed, require_commitment
from vault.sealing.errors import SealError
from vault.store.record import ENTRY_BYTES, entry_of, first_leaf, leaf_of, read_event

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vault.domain.events import Event
    from vault.domain.values import PayloadMark, Source, Time

MOST_BYTES: Final = 64 * 1024 * 1024
MOST_RECORDS: Final = 10_000
_DOCUMENT: Final = "document"


@dataclass(frozen=True, slots=True)
class ExportedHead:
    """Where a history ended, as its export says."""

    origin: str
    vault_id: str
    version: int
    leaf: str


@dataclass(frozen=True, slots=True)
class ExportedRecord:
    """A record as it was exported; `state` is b"" if it was deleted there."""

    position: int
    stream: str
    version: int
    entry: bytes
    state: bytes


@dataclass(frozen=True, slots=True)
class ExportedPayload:
    """What lay beside the record before it; `secret` is b"" if its key was destroyed."""

    sealed: bytes
    context: Context
    secret: bytes = field(repr=False)


Verifiable: TypeAlias = ExportedRecord | ExportedPayload


@dataclass(frozen=True, slots=True)
class GivenRevision:
    """A revision that she gave there; `version` is that of its record."""

    revision: int
    version: int
    issued_date: str
    source: Source
    has_document: bool


@dataclass(slots=True)
class GivenPiece:
    """A piece of evidence that she gave there, its revisions oldest first."""

    evidence_id: str
    evidence_type: str
    revisions: list[GivenRevision] = field(default_factory=list)


@dataclass(slots=True)
class ExportedVault:
    """Takes the parts of an export in their order, and refuses what does not fit.

    Raises:
        LimitExceededError: if the head names too many records.
    """

    head: ExportedHead
    evidence: dict[str, GivenPiece] = field(default_factory=dict)
    """What she gave, by its id there, in the order of first appearance."""
    opened: dict[int, bytes] = field(default_factory=dict, repr=False)
    """The values that were sealed, by the version of their record; without what is gone."""
    documents: set[int] = field(default_factory=set)
    """The versions of records whose document's key came along."""
    _leaf: str = ""
    _version: int = 0
    _position: int = -1
    _time: str = ""
    _last: Event | None = None
    _beside: set[str] = field(default_factory=set)
    _bytes: int = 0
    _ends: dict[str, Time] = field(default_factory=dict)
    """When each sharing ends that she has not stopped."""

    def __post_init__(self) -> None:
        if self.head.version > MOST_RECORDS:
            raise LimitExceededError(detail=f"An export has at most {MOST_RECORDS} records.")

    def take(self, parts: Iterable[Verifiable]) -> None:
        """Take the next parts.

        Raises:
            ExportInvalidError, LimitExceededError: see `take_record` and `take_payload`.
        """
        for part in parts:
            if isinstance(part, ExportedRecord):
                self.take_record(part)
            else:
                self.take_payload(part)

    def take_record(self, record: ExportedRecord) -> None:
        """Take the next record.

        Raises:
            ExportInvalidError: if it does not follow from the one before.
            LimitExceededError: if all of it is too much.
        """
        self._finish_record()
        self._count(len(record.state) + ENTRY_BYTES)
        if (
            record.stream != self.head.vault_id
            or record.version != self._version + 1
            or record.version > self.head.version
            or record.position <= self._position
            or len(record.entry) != ENTRY_BYTES
        ):
            raise _wrong("record", record.version, "It does not follow from the one before it.")
        event = self._event(record) if record.state else None
        self._last, self._beside = event, set()
        self._version, self._position = record.version, record.position
        self._leaf = b64(leaf_of(record.entry))
        if event is not None:
            self._follow(event)

    def take_payload(self, payload: ExportedPayload) -> None:
        """Take what lies beside the record that came last.

        Raises:
            ExportInvalidError: if the record does not name it, or it does not open.
            LimitExceededError: if all of it is too much.
        """
        self._count(len(payload.sealed))
        event, kind = self._last, payload.context.kind
        mark = event.mark(kind) if event else None
        if event is None or mark is None or kind in self._beside:
            raise _wrong("payload", self._version, "The record does not name it.")
        self._beside.add(kind)
        context = context_of_mark(event, mark)
        if payload.context != context:
            raise _wrong("payload", self._version, "It belongs elsewhere.")
        if payload.sealed and digest(payload.sealed) != mark.hash:
            raise _wrong("payload", self._version, "It is not the one that the record names.")
        if payload.secret:
            self._open(payload, mark)

    def _open(self, payload: ExportedPayload, mark: PayloadMark) -> None:
        try:
            # Of another length it is no key.
            key = Key(mark.key_id, payload.secret)
            require_commitment(key, mark.commitment)
            if mark.kind == _DOCUMENT:
                self.documents.add(self._version)
            elif payload.sealed:
                content = open_sealed(key, payload.context, payload.sealed, mark.commitment)
                if mark.kind == KIND:
                    self.opened[self._version] = content
        except (SealError, ValueError):
            raise _wrong("payload", self._version, "It does not open.") from None

    def finish(self) -> None:
        """Check that the history which was brought is whole.

        Raises:
            ExportInvalidError: if it does not end where its head says.
        """
        self._finish_record()
        if (self._version, self._leaf) != (self.head.version, self.head.leaf):
            raise ExportInvalidError("header", "The records do not end where the head says.")

    def shared(self, now: Time) -> int:
        """Return how many sharings had not ended, paused ones among them."""
        return sum(now < end for end in self._ends.values())

    def _follow(self, event: Event) -> None:
        """Keep what is carried over. No fold: it copies all that is true for each event."""
        match event.facts.upcast():
            case EvidenceProvided() | EvidenceReplaced() as facts:
                self._give(event, facts)
            case ConsentGranted() | ConsentNarrowed() | ConsentExtended() as facts:
                self._ends[facts.consent_id] = facts.terms.end
            case ConsentRevoked() as facts:
                self._ends.pop(facts.consent_id, None)

    def _give(self, event: Event, facts: EvidenceProvided | EvidenceReplaced) -> None:
        if not event.link.items:
            raise _wrong("record", self._version, "It names no piece of evidence.")
        item = event.link.items[0]
        piece = self.evidence.setdefault(
            item.evidence_id, GivenPiece(item.evidence_id, facts.evidence_type)
        )
        piece.evidence_type = facts.evidence_type
        piece.revisions.append(
            GivenRevision(
                revision=item.revision,
                version=event.link.version,
                issued_date=facts.issued_date,
                source=facts.source,
                has_document=event.mark(_DOCUMENT) is not None,
            )
        )

    def _event(self, record: ExportedRecord) -> Event:
        head = self.head
        try:
            event = read_event(record.state)
        except ValueError:
            raise _wrong("record", record.version, "It cannot be read here.") from None
        link = event.link
        previous = self._leaf or first_leaf(head.origin, head.vault_id)
        if (
            entry_of(record.state) != record.entry
            or (link.origin, link.stream, link.version)
            != (head.origin, record.stream, record.version)
            or link.previous_leaf != previous
            or event.facts.time <= self._time
            or isinstance(event.facts, VaultOpened) != (record.version == 1)
        ):
            raise _wrong("record", record.version, "It was changed, or what came before it was.")
        self._time = event.facts.time
        return event

    def _finish_record(self) -> None:
        marks = {mark.kind for mark in self._last.link.payloads} if self._last else set()
        if marks != self._beside:
            raise _wrong("payload", self._version, "Something that the record names did not come.")

    def _count(self, size: int) -> None:
        self._bytes += size
        if self._bytes > MOST_BYTES:
            raise LimitExceededError(detail="An export has at most 64 MiB besides documents.")


def _wrong(field_name: str, version: int, why: str) -> ExportInvalidError:
    return ExportInvalidError(field_name, f"At version {version}: {why}")
