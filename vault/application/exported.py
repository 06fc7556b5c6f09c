# SPDX-License-Identifier: Apache-2.0
"""An export that is brought here, verified before anything of it is believed.

The chain from its first record to the head that it names; every record's digest in its entry; what
is sealed beside it by its digest, its key and its context. Pure: parts in, her history out. It
shows that nothing is missing or changed since it was exported, and no more: who wrote it there is
for whoever trusts that deployment's log.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING, Final

from vault.application.exports import context_of_mark
from vault.domain.canonical import b64, digest
from vault.domain.errors import ExportInvalidError, LimitExceededError
from vault.domain.state import VaultState, fold
from vault.domain.vault import VaultOpened
from vault.sealing.envelope import Context, Key, open_sealed, require_commitment
from vault.sealing.errors import SealError
from vault.store.record import ENTRY_BYTES, entry_of, first_leaf, leaf_of, read_event

if TYPE_CHECKING:
    from vault.domain.events import Event
    from vault.domain.values import PayloadMark

MOST_BYTES: Final = 64 * 1024 * 1024
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


@dataclass(slots=True)
class ExportedVault:
    """Takes the parts of an export in their order, and refuses what does not fit."""

    head: ExportedHead
    events: list[Event] = field(default_factory=list)
    opened: dict[tuple[int, str], bytes] = field(default_factory=dict, repr=False)
    """What was sealed, by version and kind; without what is gone."""
    documents: set[int] = field(default_factory=set)
    """The versions of records whose document's key came along."""
    _leaf: str = ""
    _version: int = 0
    _position: int = -1
    _time: str = ""
    _last: Event | None = None
    _beside: set[str] = field(default_factory=set)
    _bytes: int = 0

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
                self.opened[self._version, mark.kind] = content
        except (SealError, ValueError):
            raise _wrong("payload", self._version, "It does not open.") from None

    def finish(self) -> VaultState:
        """Return what was true at the end of the history that was brought.

        Raises:
            ExportInvalidError: if it does not end where its head says.
        """
        self._finish_record()
        state: VaultState | None = reduce(fold, self.events, None)
        if (self._version, self._leaf) != (self.head.version, self.head.leaf) or state is None:
            raise ExportInvalidError("header", "The records do not end where the head says.")
        return state

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
        self.events.append(event)
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
