# SPDX-License-Identifier: Apache-2.0
"""The tail of a lane: its last records in a file, and put back where a restored store lacks them.

A backup ends somewhere; what was acknowledged after it may still be readable in the database that
was damaged, on a standby, in an archive. Every record goes back to exactly the position that it
had, for receipts and the log name positions. A store that has gone on otherwise is refused: it has
records of its own in those places, and nothing could tell which history is true.

    head     {"first": position, "form": "citizen-vault-tail/1", "before": entry before it}
    record   position, stream, version, request key, topic, entry, state, payloads, absent; one a
             line; absent are the kinds of payloads that are not in the store: documents, which lie
             elsewhere, and what was deleted
    end      {"mac": HMAC-SHA-256 of all lines before, "size": the position after the last}

The key lies in the key store, so that nobody who has only the file, on its way from one store to
the other, can change it, strip it of payloads or cut it short without being noticed. It says
nothing about what the damaged store did with its records before they were saved; their hashes and
links do.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

import msgspec
from eventsourcing.persistence import (
    IntegrityError,
    MapperDeserialisationError,
    PersistenceError,
    StoredEvent,
)

from vault.domain.canonical import b64, digest
from vault.domain.events import Event
from vault.domain.lane import key_of
from vault.store.append import Append, Payload
from vault.store.record import RecordMapper, entry_of, first_leaf, leaf_of
from vault.store.recorder import Recorder

_FORM: Final = "citizen-vault-tail/1"
_PAGE: Final = 1_000
_BATCH: Final = 256

_MAPPER: Final = RecordMapper()

_Line = TypeVar("_Line", bound=msgspec.Struct)


class TailError(PersistenceError):
    """The tail cannot be saved, or not be put back; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many records were there already, and how many were put back."""

    found: int
    appended: int


class _Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    form: str
    first: int
    before: bytes


class _Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    position: int
    stream: str
    version: int
    request_key: str
    topic: str
    entry: bytes
    state: bytes
    payloads: list[tuple[str, bytes]]
    absent: list[str]


class _End(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    size: int
    mac: bytes


def save(recorder: Recorder, path: Path, *, first: int, key: bytes) -> int:
    """Write every record of a lane from a position on, and return how many these are.

    The file is its owner's alone: it says, under pseudonyms, who did what.

    Args:
        path: where no file is yet.
        first: where the restored store ends, or any position before it.
        key: authenticates the file (`vault.sealing.keystore.tail_key`).

    Raises:
        TailError: if there is no such position, or a record there cannot be read.
        OSError: if the file is there already, or cannot be written.
    """
    size = recorder.tree_size()
    if not 0 <= first <= size:
        raise TailError(f"There is no position {first} here: the lane ends at {size}.")
    with open(path, "xb", opener=_private) as file:
        try:
            _write(recorder, file, first, size, key)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            path.unlink()
            raise
    return size - first


def replay(recorder: Recorder, path: Path, *, lane: int, origin: str, key: bytes) -> Replayed:
    """Put the records of a file back, each at its position; what is there already is compared.

    Nothing else may append meanwhile: stop every server of this store first. The whole file is
    verified before anything is appended.

    Args:
        lane: the number of the lane that the store holds.
        origin: of that lane.
        key: with which the file was saved.

    Raises:
        TailError: if the file is not whole, not authentic, of another lane or begins too late, or
            the store has gone on otherwise. Unless the message says so, nothing was appended.
    """
    head, end = _must_be_whole(path, key)
    size = recorder.tree_size()
    if head.first > size:
        raise TailError(
            f"The store ends at position {size} and the file begins at {head.first}: save the tail"
            f" from {size} or before."
        )
    before = _entry_before(recorder, head.first)
    if before and head.before and before != head.before:
        raise TailError("The file is of another history than the store.")
    found = min(size, end.size) - head.first
    records = _lines(path)
    for record in islice(records, found):
        _must_be_there(recorder, record)
    leaves = _Leaves(recorder, lane, origin)
    for record in records:
        leaves.must_follow(record)
    verified = islice(_lines(path), found, None)
    while batch := list(islice(verified, _BATCH)):
        _append(recorder, batch)
    return Replayed(found=found, appended=max(0, end.size - size))


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _write(recorder: Recorder, file: BinaryIO, first: int, size: int, key: bytes) -> None:
    mac = hmac.new(key, digestmod="sha256")

    def write(line: msgspec.Struct) -> None:
        data = msgspec.json.encode(line) + b"\n"
        mac.update(data)
        file.write(data)

    write(_Head(_FORM, first, _entry_before(recorder, first)))
    for record in _records(recorder, first, size):
        write(record)
    write(_End(size, mac.digest()))


class _Leaves:
    """The last leaf of each stream: what the next record of it must name as the previous."""

    def __init__(self, recorder: Recorder, lane: int, origin: str) -> None:
        self._recorder = recorder
        self._lane = lane
        self._origin = origin
        self._leaves: dict[str, str] = {}

    def must_follow(self, record: _Record) -> None:
        """Check that a record follows the one before it in its stream, and go on to it."""
        link = _must_be_sound(record).link
        if link.origin != self._origin or not link.stream.startswith(key_of(self._lane)):
            raise TailError(
                f"The record at position {record.position} is not of lane {self._lane} of this"
                " deployment: name the lane that the file was saved from. Nothing was appended."
            )
        before = self._leaves.get(record.stream) or self._stored(record)
        if link.previous_leaf != before:
            raise TailError(
                f"The record at position {record.position} does not follow from the one before it"
                " in its stream: the file or the store was changed."
            )
        self._leaves[record.stream] = b64(leaf_of(record.entry))

    def _stored(self, record: _Record) -> str:
        stored = self._recorder.select_records(
            record.stream, after_version=record.version - 2, limit=2
        )
        if not stored and record.version == 1:
            return first_leaf(self._origin, record.stream)
        if [each.version for each in stored] != [record.version - 1]:
            raise _otherwise(record.position)
        return b64(leaf_of(stored[0].entry))


def _append(recorder: Recorder, batch: list[_Record]) -> None:
    if recorder.tree_size() != batch[0].position:
        raise _otherwise(batch[0].position)
    verdicts = recorder.insert_batch([_append_of(record) for record in batch]).verdicts
    for record, verdict in zip(batch, verdicts, strict=True):
        if isinstance(verdict, IntegrityError) or verdict != (record.position,):
            raise TailError(
                "Something else appended to the store meanwhile. Restore the backup again, stop"
                " every server of the store, and then put the tail back."
            )


def _append_of(record: _Record) -> Append:
    event = StoredEvent(record.stream, record.version, record.topic, record.state)
    payloads = tuple(Payload(kind, content) for kind, content in record.payloads)
    return Append((event,), (payloads,), record.request_key)


def _must_be_there(recorder: Recorder, record: _Record) -> None:
    stored = recorder.select_records(record.stream, after_version=record.version - 1, limit=1)
    if [(each.position, each.entry) for each in stored] != [(record.position, record.entry)]:
        raise _otherwise(record.position)


def _must_be_sound(record: _Record) -> Event:
    """Return the event of a record whose every part is what its event says."""
    event = _read_event(record)
    marks = {mark.kind: mark.hash for mark in event.link.payloads}
    kinds = [kind for kind, _ in record.payloads] + record.absent
    if (
        record.entry != entry_of(record.state)
        or record.request_key != event.link.request_key
        or sorted(kinds) != sorted(marks)
        or any(marks[kind] != digest(content) for kind, content in record.payloads)
    ):
        raise TailError(
            f"The record at position {record.position} does not fit what lies beside it: one of"
            " them was changed."
        )
    return event


def _read_event(record: _Record) -> Event:
    stored = StoredEvent(record.stream, record.version, record.topic, record.state)
    try:
        return _MAPPER.to_domain_event(stored)
    except MapperDeserialisationError:
        raise TailError(
            f"The record at position {record.position} cannot be read: it was changed."
        ) from None


def _otherwise(position: int) -> TailError:
    return TailError(
        f"The store has gone on otherwise at position {position}. Restore a backup that ends before"
        " it, and put the tail back before any server uses it."
    )


def _records(recorder: Recorder, first: int, size: int) -> Iterator[_Record]:
    position = first
    while position < size:
        page = recorder.select_notifications(position + 1, _PAGE, stop=size)
        for each in page:
            if each.id != position + 1:
                break
            yield _record(recorder, str(each.originator_id), each.originator_version)
            position += 1
        if not page or page[-1].id != position:
            raise TailError(f"The record at position {position} was deleted: it cannot be saved.")


def _record(recorder: Recorder, stream: str, version: int) -> _Record:
    (stored,) = recorder.select_records(stream, after_version=version - 1, limit=1)
    record = _Record(
        position=stored.position,
        stream=stored.stream,
        version=stored.version,
        request_key=stored.request_key,
        topic=stored.topic or "",
        entry=stored.entry,
        state=stored.state or b"",
        payloads=[(each.kind, each.content) for each in recorder.select_payloads(stream, version)],
        absent=[],
    )
    there = {kind for kind, _ in record.payloads}
    marks = _read_event(record).link.payloads
    absent = [mark.kind for mark in marks if mark.kind not in there]
    record = msgspec.structs.replace(record, absent=absent)
    _must_be_sound(record)
    return record


def _entry_before(recorder: Recorder, position: int) -> bytes:
    """Return the entry before a position; nothing if none is, or its record was deleted."""
    before = recorder.select_notifications(position, 1, stop=position) if position else ()
    return entry_of(before[0].state) if before else b""


def _must_be_whole(path: Path, key: bytes) -> tuple[_Head, _End]:
    """Return the first and the last line of a file in which nothing is missing or changed."""
    mac = hmac.new(key, digestmod="sha256")
    with path.open("rb") as file:
        head = _read(file.readline(), _Head)
        file.seek(0)
        position = head.first
        line = b""
        for number, following in enumerate(file):
            if number > 1:
                if _read(line, _Record).position != position:
                    raise _NotWholeError
                position += 1
            mac.update(line)
            line = following
        end = _read(line, _End)
    is_authentic = hmac.compare_digest(end.mac, mac.digest())
    if not is_authentic or head.form != _FORM or end.size != position:
        raise _NotWholeError
    return head, end


def _lines(path: Path) -> Iterator[_Record]:
    with path.open("rb") as file:
        records = pairwise(islice(file, 1, None))
        # The last line is the end, and no record.
        for line, _ in records:
            yield _read(line, _Record)


def _read(line: bytes, form: type[_Line]) -> _Line:
    try:
        return msgspec.json.decode(line, type=form)
    except msgspec.DecodeError:
        raise _NotWholeError from None


class _NotWholeError(TailError):
    def __init__(self) -> None:
        super().__init__(
            "The file is not a whole tail as it was saved beside this key store: save it again."
            " Nothing was appended."
        )
