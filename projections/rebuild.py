# SPDX-License-Identifier: Apache-2.0
"""Builds every view anew from records, and says by one digest what rows it comes to.

An auditor who has a lane's log builds the operator's views without the operator: equal digests show
that what services are told of across citizens is what was recorded, and nothing else.

    digest   SHA-256 of the lines [table, value, ...], canonical JSON, sorted, each with a newline
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import apsw
import msgspec
from eventsourcing.persistence import Tracking

from projections.change_feed import ChangeFeed
from projections.consent_register import ConsentRegister
from projections.tracking import SQLiteView, VersionedProjection, name_of
from vault.domain.canonical import b64, encode
from vault.domain.events import Event, stored_name_of
from vault.domain.lane import lane_of
from vault.store.record import entry_of, read_event

VIEWS: Final[tuple[type[VersionedProjection], ...]] = (ChangeFeed, ConsentRegister)
PAGE: Final = 1_000
_BESIDE: Final = frozenset({"tracking", "whole"})
"""Tables of every view: how far it came, which is no part of what it shows."""

_TABLES: Final = """
SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name
"""


class ExportError(Exception):
    """A line of an export cannot be built from; the message says which, and why."""


class _Line(msgspec.Struct, frozen=True):
    leaf_index: int
    entry: str
    link: str
    facts: str


_LINE: Final = msgspec.json.Decoder(_Line)


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event, and the size of its lane after it."""

    size: int
    event: Event


@dataclass(frozen=True, slots=True)
class ViewDigest:
    """What a view comes to."""

    name: str
    version: int
    rows: int
    digest: str


def read_export(lines: Iterable[bytes]) -> Iterator[Recorded]:
    """Return the events of an exported log; what was deleted is left out, as views leave it out.

    Raises:
        ExportError: if a line is no record, was changed, or is withheld from its reader.
    """
    for number, line in enumerate(lines, start=1):
        found = _read(number, line)
        if found.leaf_index != number - 1:
            raise ExportError(f"Line {number} is not leaf {number - 1}: only a whole log will do.")
        if found.link or found.facts:
            yield Recorded(number, _event(number, found))


def rebuild(lanes: Iterable[Iterable[Recorded]], folder: Path) -> list[ViewDigest]:
    """Build every view from records, lane by lane, in an empty folder, and return what they are."""
    views = [SQLiteView(folder / f"{kind.name}.db", kind.schema) for kind in VIEWS]
    projections = [kind(view) for kind, view in zip(VIEWS, views, strict=True)]
    try:
        for records in lanes:
            following = iter(records)
            while page := list(islice(following, PAGE)):
                for projection in projections:
                    _take(projection, page)
    finally:
        for view in views:
            view.close()
    return [digest_of(kind, folder / f"{kind.name}.db") for kind in VIEWS]


def shown(folder: Path) -> list[ViewDigest]:
    """Return what the views in a server's folder are, as far as they have come.

    Raises:
        ExportError: if one is not there.
    """
    found = []
    for kind in VIEWS:
        path = folder / f"{kind.name}.{kind.version}.db"
        if not path.exists():
            raise ExportError(f"There is no view {path.name} in {folder}.")
        found.append(digest_of(kind, path))
    return found


def digest_of(kind: type[VersionedProjection], path: Path) -> ViewDigest:
    """Return what the rows in a view's file come to, whatever the order in which they were made."""
    with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        connection.set_busy_timeout(5_000)
        # One transaction: what is written meanwhile is in it whole, or not.
        connection.execute("BEGIN")
        lines = sorted(_lines(connection))
    digest = hashlib.sha256(b"".join(lines)).hexdigest()
    return ViewDigest(name=kind.name, version=kind.version, rows=len(lines), digest=digest)


def _read(number: int, line: bytes) -> _Line:
    try:
        return _LINE.decode(line)
    except msgspec.MsgspecError as error:
        raise ExportError(f"Line {number} is no record of a log.") from error


def _event(number: int, found: _Line) -> Event:
    if not found.link:
        raise ExportError(f"Line {number} withholds its link: only a whole log will do.")
    state = f"{found.link}\n{found.facts}".encode()
    if b64(entry_of(state)) != found.entry:
        raise ExportError(f"Line {number} was changed: it is not what its entry says.")
    try:
        return read_event(state)
    except ValueError as error:
        raise ExportError(f"Line {number} is a record of a form that is not known.") from error


def _lines(connection: apsw.Connection) -> Iterator[bytes]:
    for (table,) in connection.execute(_TABLES).fetchall():
        if table not in _BESIDE:
            rows: Iterable[tuple[Any, ...]] = connection.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - of the schema
            for row in rows:
                yield encode([table, *row]) + b"\n"


def _take(projection: VersionedProjection, page: Iterable[Recorded]) -> None:
    with projection.view.transaction():
        for record in page:
            if stored_name_of(type(record.event.facts)) in projection.topics:
                name = name_of(lane_of(record.event.link.stream))
                projection.process_event(record.event, Tracking(name, record.size))
