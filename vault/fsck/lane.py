# SPDX-License-Identifier: Apache-2.0
"""One lane, from its first position to its last: records, entries, chains, payloads.

What may be deleted (records and payloads, after their time) is counted where it is gone, not found:
only what is there can be wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from vault.application.exports import context_of_mark
from vault.domain.canonical import b64, digest
from vault.domain.events import stored_name_of
from vault.domain.lane import key_of
from vault.domain.registry import LaneListed, LogKeyListed, ReceiptKeyListed
from vault.fsck.report import Finding, Kind, Report
from vault.sealing.envelope import open_sealed, require_commitment
from vault.sealing.errors import SealError
from vault.store.record import ENTRY_BYTES, entry_of, first_leaf, leaf_of, read_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vault.domain.events import Event, Facts
    from vault.domain.values import PayloadMark
    from vault.fsck.documents import Documents
    from vault.fsck.keys import Keys
    from vault.fsck.rows import LaneRows, StoredRow
    from vault.sealing.envelope import Key
    from vault.sealing.keyring import Keyring

DOCUMENT: Final = "document"
EVIDENCE: Final = "evidence"


@dataclass(slots=True)
class _Head:
    """How far a stream has come; `leaf` is "" where nothing has."""

    version: int = 0
    leaf: str = ""
    time: str = ""


@dataclass(slots=True)
class Listed:
    """What the registry lists, where it lies in the lane."""

    lanes: dict[int, str] = field(default_factory=dict)
    log_keys: dict[int, str] = field(default_factory=dict)
    receipt_keys: set[str] = field(default_factory=set)

    def take(self, facts: Facts) -> None:
        """Take what an event lists."""
        match facts:
            case LaneListed(lane=lane, origin=origin):
                self.lanes[lane] = origin
            case LogKeyListed(lane=lane, vkey=vkey):
                self.log_keys[lane] = vkey
            case ReceiptKeyListed(key_id=key_id):
                self.receipt_keys.add(key_id)
            case _:
                pass


class LaneCheck:
    """Checks one lane, and remembers of each stream how far it has come."""

    def __init__(
        self, rows: LaneRows, origin: str, keys: Keys, documents: Documents, report: Report
    ) -> None:
        self._rows = rows
        self._origin = origin
        self._keys = keys
        self._documents = documents
        self._report = report
        self._heads: dict[str, _Head] = {}
        self._position = 0
        self.listed = Listed()

    def run(self, size: int, progress: Callable[[int], None]) -> Iterator[bytes]:
        """Check everything below a position, and yield each entry as it must be.

        Where a record is there the entry is the one that it makes, whatever is stored.
        """
        for row in self._rows.up_to(size):
            self._missing_before(row.position)
            self._position = row.position
            yield self._entry(row)
            progress(row.position + 1)
        self._missing_before(size)
        for table, position in self._rows.without_entry(size):
            self._position = position
            self._find("row-without-entry", f"There is a row in {table}, and no entry for it.")
        self._check_floors()

    def _entry(self, row: StoredRow) -> bytes:
        counts = self._report.counts
        counts["entries"] += 1
        head = self._heads.setdefault(row.stream, _Head())
        if row.version != head.version + 1:
            self._find(
                "version-differs",
                f"Its stream is at version {head.version} and it is version {row.version}.",
            )
        event = self._event(row)
        entry = row.entry
        if event is not None and row.state is not None:
            entry = entry_of(row.state)
            self._check_record(row, event, head)
            self._check_payloads(row, event)
            self.listed.take(event.facts)
            head.time = event.facts.time
        elif len(entry) != ENTRY_BYTES or not entry.startswith(b"\x01"):
            self._find("entry-differs", "It is no entry.")
        if not row.stream.startswith(key_of(self._rows.lane)):
            self._find("record-elsewhere", "Its stream is of another lane.")
        head.version, head.leaf = row.version, b64(leaf_of(row.entry))
        return entry

    def _event(self, row: StoredRow) -> Event | None:
        if row.state is None:
            self._report.counts["records deleted"] += 1
            return None
        self._report.counts["records"] += 1
        try:
            return read_event(row.state)
        except (ValueError, msgspec.MsgspecError):
            self._find("record-damaged", "Its bytes are no record in canonical form.")
            if entry_of(row.state) != row.entry:
                self._find("entry-differs", "It is not the entry of its record.")
            return None

    def _check_record(self, row: StoredRow, event: Event, head: _Head) -> None:
        link = event.link
        if row.state is not None and entry_of(row.state) != row.entry:
            self._find("entry-differs", "It is not the entry of its record.")
        if (link.stream, link.version) != (row.stream, row.version) or row.topic != stored_name_of(
            type(event.facts)
        ):
            self._find("record-elsewhere", "Its row names another stream, version or kind.")
        if link.origin != self._origin:
            self._find("record-elsewhere", "It is of another log's origin.")
        if link.request_key != row.request_key:
            self._find("request-key-differs", "Its row and its record name different ones.")
        expected = head.leaf or first_leaf(self._origin, row.stream)
        if link.previous_leaf != expected:
            self._find("chain-broken", "It does not follow from the entry before it.")
        elif event.facts.time <= head.time:
            self._find("chain-broken", "Its time does not come after the one before it.")

    def _check_payloads(self, row: StoredRow, event: Event) -> None:
        marks = {mark.kind: mark for mark in event.link.payloads}
        seen: set[str] = set()
        for kind, content in row.payloads:
            mark = marks.get(kind)
            if mark is None or kind in seen or kind == DOCUMENT:
                self._find("payload-unnamed", "A payload lies beside it that it does not name.")
                continue
            seen.add(kind)
            self._report.counts["payloads"] += 1
            self._check_payload(event, mark, content)
        for mark in event.link.payloads:
            if mark.kind == DOCUMENT:
                self._check_document(event, mark, dict(row.payloads).get(EVIDENCE))
            elif mark.kind not in seen and not mark.key_id:
                self._find("payload-missing", "A public payload is gone, and none is ever deleted.")
            elif mark.kind not in seen:
                self._report.counts["payloads deleted"] += 1

    def _check_payload(self, event: Event, mark: PayloadMark, content: bytes) -> None:
        if digest(content) != mark.hash:
            self._find("payload-differs", "A payload is not the one that it names.")
            return
        key = self._key(event, mark)
        if key is not None:
            try:
                open_sealed(key, context_of_mark(event, mark), content, mark.commitment)
            except SealError:
                self._find("payload-does-not-open", "A payload does not open with its own key.")

    def _check_document(self, event: Event, mark: PayloadMark, values: bytes | None) -> None:
        self._report.counts["documents"] += 1
        key = self._key(event, mark)
        opened = None
        evidence = event.mark(EVIDENCE)
        if key is not None and values is not None and evidence is not None:
            try:
                opened = open_sealed(
                    key, context_of_mark(event, evidence), values, evidence.commitment
                )
            except SealError:
                opened = None
        fault = self._documents.fault(mark, key, context_of_mark(event, mark), opened)
        if fault is not None:
            self._find(*fault)

    def _key(self, event: Event, mark: PayloadMark) -> Key | None:
        """Return the key of a payload; None if it has none, or it was destroyed."""
        if not mark.key_id:
            return None
        keyring = self._keys.keyring(event.link.stream)
        key = _key_in(keyring, event, mark) if keyring else None
        if key is None:
            self._find("key-missing", "The key of what is sealed beside it is not there.")
            return None
        try:
            require_commitment(key, mark.commitment)
        except SealError:
            self._find("payload-does-not-open", "Its key is not the one that it commits to.")
            return None
        return key

    def _missing_before(self, position: int) -> None:
        expected = self._position + 1 if self._heads else 0
        if position > expected:
            self._position = expected
            last = f" to {position - 1}" if position - 1 > expected else ""
            self._find("position-missing", f"Nothing stands at {expected}{last}.")

    def _check_floors(self) -> None:
        mine = key_of(self._rows.lane)
        for stream, floor in self._keys.floors.items():
            head = self._heads.get(stream)
            if stream.startswith(mine) and (head.version if head else 0) < floor:
                self._report.find(
                    Finding(
                        "floor-above-stream",
                        f"A stream ends at version {head.version if head else 0}, and {floor} were"
                        " acknowledged: put back what is missing with `tail replay`.",
                        self._rows.lane,
                    )
                )

    def _find(self, kind: Kind, what: str) -> None:
        self._report.find(Finding(kind, what, self._rows.lane, self._position))


def _key_in(keyring: Keyring, event: Event, mark: PayloadMark) -> Key | None:
    context = context_of_mark(event, mark)
    key = (
        keyring.evidence_key(context.evidence_id, context.revision)
        if context.evidence_id
        else keyring.history
    )
    return key if key is not None and key.key_id == mark.key_id else None
