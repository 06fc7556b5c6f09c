# SPDX-License-Identifier: Apache-2.0
"""Whether records follow from one another: one stream, no gap, each names the leaf before it.

previous_leaf of version 1 = SHA-256(canonical ["citizen-vault/1", origin, stream])
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from clients.auditor.canonical import digest, encode
from clients.auditor.record import Record


@dataclass(frozen=True, slots=True)
class Break:
    """Where a history does not hold together; the leaf index is None where a record is missing."""

    version: int
    leaf_index: int | None
    what: str
    why: str


@dataclass(slots=True)
class Chain:
    """The records of one stream as far as they were followed; the head is the last of them."""

    stream: str = ""
    origin: str = ""
    version: int = 0
    leaf_index: int = -1
    leaf: str = ""
    time: str = ""

    def follow(self, record: Record) -> list[Break]:
        """Take the next record and return where the history does not hold together."""
        link, facts = record.link, record.facts
        if not self.stream:
            self.stream = record.stream
        if link and not self.origin:
            self.origin = link.origin
        breaks = [] if self._continues(record) else list(self._breaks(record))
        # A record that stands too late does not take the head back: the rest is judged as it is.
        if record.version > self.version:
            self.version, self.leaf_index, self.leaf = (
                record.version,
                record.leaf_index,
                record.leaf,
            )
        if facts and facts.time > self.time:
            self.time = facts.time
        return breaks

    def _continues(self, record: Record) -> bool:
        """Say whether nothing is wrong, which `_breaks` would say likewise, but slowly."""
        link, facts = record.link, record.facts
        return (
            link is not None
            and facts is not None
            and record.version == self.version + 1
            and record.stream == self.stream
            and record.leaf_index > self.leaf_index
            and link.origin == self.origin
            and link.previous_leaf == (self.leaf or self._beginning())
            and facts.time > self.time
        )

    def _breaks(self, record: Record) -> Iterator[Break]:
        yield from self._gap(record)
        for why in (*self._order(record), *self._contents(record)):
            what = "the history does not hold together"
            yield Break(record.version, record.leaf_index, what, why)

    def _gap(self, record: Record) -> Iterator[Break]:
        missing = range(self.version + 1, record.version)
        if missing:
            here = f"version {record.version} (leaf index {record.leaf_index})"
            between = f"between {self._head()} and {here}" if self.version else f"before {here}"
            what = f"version {missing[0]} is missing"
            if len(missing) > 1:
                what = f"versions {missing[0]} to {missing[-1]} are missing"
            yield Break(missing[0], None, what, f"nothing stands {between}")

    def _order(self, record: Record) -> Iterator[str]:
        if record.stream != self.stream:
            yield "it belongs to another stream"
        if record.version <= self.version:
            yield f"it stands after version {self.version}"
        if record.leaf_index <= self.leaf_index:
            yield f"its leaf index does not follow {self.leaf_index}"

    def _contents(self, record: Record) -> Iterator[str]:
        link, facts = record.link, record.facts
        if link:
            if link.origin != self.origin:
                yield "it belongs to another origin"
            expected = self.leaf or self._beginning()
            if record.version == self.version + 1 and link.previous_leaf != expected:
                changed = (
                    f"it does not follow from version {self.version}: one of the two was changed"
                )
                yield changed if self.version else "it does not begin this stream"
        if facts and facts.time <= self.time:
            yield "its time does not come after the one before it"

    def _beginning(self) -> str:
        return digest(encode(["citizen-vault/1", self.origin, self.stream]).encode())

    def _head(self) -> str:
        return f"version {self.version} (leaf index {self.leaf_index})"


@dataclass(frozen=True, slots=True)
class Place:
    """Which record stands at a leaf index."""

    leaf_index: int
    stream: str
    version: int
    entry: bytes
    is_withheld: bool

    @classmethod
    def of(cls, record: Record) -> Place:
        """Return the place of a record."""
        index, stream, version = record.leaf_index, record.stream, record.version
        return cls(index, stream, version, record.entry, record.is_withheld)

    def __str__(self) -> str:
        return f"version {self.version} (leaf index {self.leaf_index})"


def around(places: Mapping[int, Place], leaf_index: int) -> str:
    """Say between which of some records a leaf index lies."""
    indexes = sorted(places)
    at = bisect_left(indexes, leaf_index)
    before = [str(places[i]) for i in indexes[at - 1 : at] if at]
    after = [str(places[i]) for i in indexes[at : at + 1] if i > leaf_index]
    if before and after:
        return f"between {before[0]} and {after[0]}"
    return f"after {before[0]}" if before else f"before {after[0]}" if after else "nowhere"
