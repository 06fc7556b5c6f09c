# SPDX-License-Identifier: Apache-2.0
"""A whole log: every record of a lane, read once from beginning to end.

The tree is computed in the order of the log, and its root is compared with each checkpoint at that
checkpoint's size. Every stream is followed by itself: its chain, and the rule over every vault.
Streams have nothing to do with one another, so several processes can share them, each reading the
same file; the first also computes the tree.
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final
from zlib import crc32

from clients.auditor.approvals import Approvals
from clients.auditor.canonical import FormError
from clients.auditor.chain import Chain, Place
from clients.auditor.desk import PROGRESS_EVERY, Desk, Progress
from clients.auditor.facts import (
    AUDIT_FACTS,
    OPERATION_FACTS,
    REGISTRY_FACTS,
    REQUEST_FACTS,
    VAULT_FACTS,
    DisclosureRefused,
    EvidenceDisclosed,
    Facts,
)
from clients.auditor.findings import Sort, Where
from clients.auditor.history import Vault
from clients.auditor.record import Record, record_of, split_line
from clients.auditor.registry import Registry
from clients.auditor.tree import Tree, leaf_hash

_ALL_FACTS: Final = VAULT_FACTS | REQUEST_FACTS | AUDIT_FACTS | OPERATION_FACTS | REGISTRY_FACTS
_SORTS: Final[tuple[tuple[Sort, Mapping[str, type[Facts]]], ...]] = (
    ("vault", VAULT_FACTS),
    ("request", REQUEST_FACTS),
    ("audit", AUDIT_FACTS),
    ("operations", OPERATION_FACTS),
    ("registry", REGISTRY_FACTS),
)
_SORT_OF: Final[dict[str, Sort]] = {name: sort for sort, facts in _SORTS for name in facts}
_HEAD: Final = re.compile(
    rb'\{"leaf_index": ?(0|[1-9][0-9]{0,14}), ?"stream_id": ?"([0-9a-f-]*)", ?'
    rb'"version": ?[0-9]+, ?"entry": ?"([A-Za-z0-9_-]{86}[AEIMQUYcgkosw048])", ?"link": ?'
)
"""How a line begins: enough for the tree, and to see whose share it is."""
_STREAM: Final = re.compile(rb'\{"leaf_index": ?[0-9]+, ?"stream_id": ?"([0-9a-f-]+)"')
_REGISTRY_TYPE: Final = re.compile(
    rb'"type\\":\\"(?:' + "|".join(map(re.escape, REGISTRY_FACTS)).encode() + rb')\\"'
)
_TO_STANDARD: Final = bytes.maketrans(b"-_", b"+/")


@dataclass(slots=True)
class Stream:
    """One stream as far as it was followed; the sort is "stream" until a record says it."""

    sort: Sort = "stream"
    chain: Chain = field(default_factory=Chain)
    vault: Vault | None = None
    approvals: Approvals = field(default_factory=Approvals)


@dataclass(slots=True)
class Found:
    """What one process found in its share of a log."""

    desk: Desk
    records: int = 0
    streams: Counter[str] = field(default_factory=Counter)
    uses: int = 0
    refusals: int = 0
    withheld: int = 0
    places: dict[int, tuple[Place, Vault | None]] = field(default_factory=dict)
    """Where receipts say that something stands, and the vault at the end."""
    origin: str = ""
    size: int = 0
    """How many entries the log has; 0 in a share without the tree."""
    roots: dict[int, bytes] = field(default_factory=dict)
    """By the sizes that were asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one process is to do.

    Attributes:
        registry_stream: the stream that was judged as the registry's; None if it is not in here.
        part, parts: follow the streams of this part; part 0 computes the tree.
        sizes: of which the root is wanted.
        indexes: of which it is wanted what stands there.
    """

    registry: Registry
    registry_stream: str | None
    part: int = 0
    parts: int = 1
    sizes: Collection[int] = ()
    indexes: Collection[int] = ()

    def is_mine(self, stream: bytes) -> bool:
        """Say whether a stream belongs to this part; the first, which has the tree, has less."""
        return self.parts == 1 or (crc32(stream) % (10 * self.parts - 1) + 1) // 10 == self.part


class Reader:
    """Follows a share of a log."""

    def __init__(self, share: Share, progress: Progress | None = None) -> None:
        self._share = share
        self._progress = progress
        self._streams: dict[str, Stream] = {}
        self._tree = Tree()
        self._found = Found(Desk(is_lane=True))
        self._sizes = frozenset(share.sizes)
        self._indexes = frozenset(share.indexes)
        self._is_mine = share.is_mine

    def read(self, lines: Iterable[bytes]) -> Found:
        """Follow the lines of an export to their end."""
        number = 0
        for number, line in enumerate(lines, start=1):
            if self._progress and number % PROGRESS_EVERY == 0:
                self._progress(number)
            try:
                self._read(line)
            except FormError as error:
                if self._answers_for(line):
                    self._find(None, f"line {number} is no record", str(error))
        if not number and self._share.part == 0:
            self._find(None, "nothing was shown", "there is no record")
        return self._ended()

    def _read(self, line: bytes) -> None:
        has_tree, head = self._share.part == 0, None
        if self._share.parts > 1 and (head := _HEAD.match(line)) and not self._is_mine(head[2]):
            if has_tree:
                entry = a2b_base64(head[3].translate(_TO_STANDARD) + b"=")
                self._grow(int(head[1]), leaf_hash(entry))
            return
        record = record_of(split_line(line), _ALL_FACTS)
        if has_tree:
            self._grow(record.leaf_index, record.leaf_hash)
        if (
            head
            or self._share.parts == 1
            or self._is_mine(record.stream.encode("ascii", "replace"))
        ):
            self._take(record)

    def _answers_for(self, line: bytes) -> bool:
        """Say whether this part tells that a line is no record: of several, exactly one does."""
        head = _HEAD.match(line)
        return self._is_mine(head[2]) if head else self._share.part == 0

    def _grow(self, index: int, leaf: bytes) -> None:
        """Add a leaf to the tree; its place is the number of those before it."""
        tree, found = self._tree, self._found
        if index != found.size:
            self._misplaced(index, found.size)
        tree.append(leaf)
        found.size = index + 1
        if tree.size in self._sizes:
            found.roots[tree.size] = tree.root()

    def _misplaced(self, index: int, expected: int) -> None:
        what = f"entry {expected} is missing"
        if index > expected + 1:
            what = f"entries {expected} to {index - 1} are missing"
        why = f"leaf index {index} stands where {expected} should"
        if index < expected:
            what = "an entry is out of its place, or there twice"
        self._find(index, what, why)

    def _find(self, index: int | None, what: str, why: str) -> None:
        self._found.desk.findings.add(Where("log", None, index), what, why)

    def _take(self, record: Record) -> None:
        found, facts = self._found, record.facts
        found.records += 1
        if record.stream == self._share.registry_stream:
            return  # it was judged as a whole before everything else
        stream = self._streams.get(record.stream)
        if stream is None:
            stream = self._streams[record.stream] = Stream(vault=Vault())
        if stream.sort == "stream" and facts is not None:
            self._name(stream, record, facts)
        if record.leaf_index in self._indexes:
            found.places.setdefault(record.leaf_index, (Place.of(record), stream.vault))
        found.desk.follow(stream.sort, stream.chain, record)
        if facts is not None and _SORT_OF.get(facts.type, "vault") != stream.sort:
            where = found.desk.where(stream.sort, record)
            found.desk.findings.add(where, "the record was changed", "it is of another sort")
            return
        if record.is_withheld:
            found.withheld += 1
        if stream.vault is not None:
            self._judge(stream.approvals, stream.vault, record)

    def _judge(self, approvals: Approvals, vault: Vault, record: Record) -> None:
        found, facts = self._found, record.facts
        found.desk.decide(approvals, vault, record)
        found.desk.judge(vault, self._share.registry, record)
        if isinstance(facts, EvidenceDisclosed):
            found.uses += 1
        elif isinstance(facts, DisclosureRefused):
            found.refusals += 1

    def _name(self, stream: Stream, record: Record, facts: Facts) -> None:
        """Say what sort of stream it is, by its first record that is shown."""
        stream.sort = _SORT_OF.get(facts.type, "stream")
        if stream.sort != "vault":
            stream.vault = None
        why = (
            "there is another registry than the one that was judged"
            if stream.sort == "registry"
            else ""
        )
        if link := record.link:
            self._found.origin = self._found.origin or link.origin
            why = why or self._share.registry.misplaced(record.stream, link.origin)
            if link.origin != self._found.origin:
                why = "it belongs to another origin than the log"
        if why:
            where = self._found.desk.where(stream.sort, record)
            self._found.desk.findings.add(where, "it does not fit", why)

    def _ended(self) -> Found:
        self._found.streams.update(stream.sort for stream in self._streams.values())
        return self._found


def read_registry(lines: Iterable[bytes], desk: Desk) -> tuple[Registry, str | None]:
    """Pick the registry's records out of a log, and return it with its stream; None: it has none.

    It is read before everything else: what it forbids counts from its time on, not from its place.
    """
    stream = b""

    def its_lines() -> Iterator[bytes]:
        nonlocal stream
        for line in lines:
            name = _stream_of(line)
            if not stream and _REGISTRY_TYPE.search(line):
                stream = name
            if stream and name == stream:
                yield line

    registry = desk.read_registry(its_lines())
    return registry, stream.decode("ascii", "replace") if stream else None


def _stream_of(line: bytes) -> bytes:
    if head := _STREAM.match(line):
        return head[1]
    try:
        return split_line(line)[1].encode("ascii", "replace")
    except FormError:
        return b""
