# SPDX-License-Identifier: Apache-2.0
"""Whether records follow from one another: one stream, no gap, each names the leaf before it.

previous_leaf of version 1 = SHA-256(canonical ["citizen-vault/1", origin, stream])
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field

from clients.auditor.canonical import digest, encode
from clients.auditor.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What the chain remembers of a record."""

    leaf_index: int
    version: int
    entry: bytes
    leaf: str
    is_withheld: bool


@dataclass(frozen=True, slots=True)
class Break:
    """Where a history does not hold together; the leaf index is None where a record is missing."""

    version: int
    leaf_index: int | None
    what: str
    why: str


@dataclass(slots=True)
class Chain:
    """The records of one stream as far as they were followed."""

    places: dict[int, Place] = field(default_factory=dict)
    """By leaf index, ascending unless something is wrong."""
    stream: str = ""
    origin: str = ""
    head: Place | None = None
    time: str = ""

    @property
    def version(self) -> int:
        """Return the version of the last record."""
        return self.head.version if self.head else 0

    def follow(self, record: Record) -> list[Break]:
        """Take the next record and return where the history does not hold together."""
        self.stream = self.stream or record.stream
        breaks = list(self._gap(record))
        for why in (*self._order(record), *self._contents(record)):
            what = "the history does not hold together"
            breaks.append(Break(record.version, record.leaf_index, what, why))
        place = Place(
            leaf_index=record.leaf_index,
            version=record.version,
            entry=record.entry,
            leaf=record.leaf,
            is_withheld=record.is_withheld,
        )
        self.places.setdefault(record.leaf_index, place)
        # A record that stands too late does not take the head back: the rest is judged as it is.
        if record.version > self.version:
            self.head = place
        if record.facts:
            self.time = max(self.time, record.facts.time)
        return breaks

    def around(self, leaf_index: int) -> str:
        """Say between which records a leaf index lies."""
        indexes = sorted(self.places)
        at = bisect_left(indexes, leaf_index)
        before = [_name(self.places[i]) for i in indexes[at - 1 : at] if at]
        after = [_name(self.places[i]) for i in indexes[at : at + 1] if i > leaf_index]
        if before and after:
            return f"between {before[0]} and {after[0]}"
        return f"after {before[0]}" if before else f"before {after[0]}" if after else "nowhere"

    def _gap(self, record: Record) -> Iterator[Break]:
        missing = range(self.version + 1, record.version)
        if missing:
            here = f"version {record.version} (leaf index {record.leaf_index})"
            between = f"between {_name(self.head)} and {here}" if self.head else f"before {here}"
            what = f"version {missing[0]} is missing"
            if len(missing) > 1:
                what = f"versions {missing[0]} to {missing[-1]} are missing"
            yield Break(missing[0], None, what, f"nothing stands {between}")

    def _order(self, record: Record) -> Iterator[str]:
        if record.stream != self.stream:
            yield "it belongs to another stream"
        if record.version <= self.version:
            yield f"it stands after version {self.version}"
        if self.head and record.leaf_index <= self.head.leaf_index:
            yield f"its leaf index does not follow {self.head.leaf_index}"

    def _contents(self, record: Record) -> Iterator[str]:
        link, facts = record.link, record.facts
        if link:
            self.origin = self.origin or link.origin
            if link.origin != self.origin:
                yield "it belongs to another origin"
            first = digest(encode(["citizen-vault/1", link.origin, link.stream]).encode())
            expected = self.head.leaf if self.head else first
            if record.version == self.version + 1 and link.previous_leaf != expected:
                changed = (
                    f"it does not follow from version {self.version}: one of the two was changed"
                )
                yield changed if self.head else "it does not begin this stream"
        if facts and facts.time <= self.time:
            yield "its time does not come after the one before it"


def _name(place: Place) -> str:
    return f"version {place.version} (leaf index {place.leaf_index})"
