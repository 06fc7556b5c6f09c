# SPDX-License-Identifier: Apache-2.0
"""One line of an export: a record exactly as stored, checked against its own digests.

    entry    0x01 ‖ SHA-256(link) ‖ SHA-256(facts)        65 bytes
    leaf     SHA-256(0x00 ‖ entry)                        RFC 6962 section 2.1

A record whose link and facts are both empty was withheld (deleted after its clock): its entry still
holds its place. Everything else that is wrong inside one record is a fault of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from clients.auditor.canonical import FormError, b64, parse, parse_canonical, read, unb64
from clients.auditor.facts import Facts, Link

ENTRY_BYTES: Final = 65


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The fields of a line."""

    leaf_index: int
    stream_id: str
    version: int
    entry: str
    link: str
    facts: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A record that was read; link and facts are None where they are withheld or unreadable."""

    leaf_index: int
    stream: str
    version: int
    entry: bytes
    link: Link | None
    facts: Facts | None
    is_withheld: bool
    faults: tuple[str, ...]

    @property
    def leaf(self) -> str:
        """Return the leaf, as base64url."""
        return leaf_of(self.entry)


def entry_of(link_hash: bytes, facts: bytes) -> bytes:
    """Return the entry of a link's digest and the facts."""
    return b"\x01" + link_hash + hashlib.sha256(facts).digest()


def leaf_of(entry: bytes) -> str:
    """Return the leaf of an entry, as base64url."""
    return b64(hashlib.sha256(b"\x00" + entry).digest())


def read_facts(text: str, known: Mapping[str, type[Facts]]) -> Facts:
    """Read facts whose stored name is one of the known ones, and return them in today's form.

    Raises:
        FormError: if they are not canonical, or not field for field as declared.
    """
    value = parse_canonical(text)
    kind = known.get(str(value.get("type"))) if isinstance(value, dict) else None
    if kind is None:
        raise FormError("has a stored name that does not belong here")
    return read(kind, value, "facts").upcast()


def read_record(line: bytes, known: Mapping[str, type[Facts]]) -> Record:
    """Read a line.

    Raises:
        FormError: if it is no record at all; what is wrong inside one is in its faults.
    """
    try:
        row = read(Row, parse(line.decode("ascii")), "the line")
        entry = unb64(row.entry, ENTRY_BYTES)
    except UnicodeDecodeError:
        raise FormError("holds more than printable ASCII") from None
    link, facts, faults = None, None, []
    is_withheld = not row.link and not row.facts
    if entry[:1] != b"\x01":
        faults.append("its entry is of another kind")
    if not is_withheld:
        if hashlib.sha256(row.link.encode()).digest() != entry[1:33]:
            faults.append("its link is not the one that its entry names")
        if hashlib.sha256(row.facts.encode()).digest() != entry[33:]:
            faults.append("its facts are not those that its entry names")
        try:
            link = read(Link, parse_canonical(row.link), "link")
        except FormError as error:
            faults.append(f"its link: {error}")
        try:
            facts = read_facts(row.facts, known)
        except FormError as error:
            faults.append(f"its facts: {error}")
    if link and (link.stream, link.version) != (row.stream_id, row.version):
        faults.append("its link names another stream or version than its line")
    return Record(
        leaf_index=row.leaf_index,
        stream=row.stream_id,
        version=row.version,
        entry=entry,
        link=link,
        facts=facts,
        is_withheld=is_withheld,
        faults=tuple(faults),
    )
