# SPDX-License-Identifier: Apache-2.0
"""One line of an export: a record exactly as stored, checked against its own digests.

    entry    0x01 ‖ SHA-256(link) ‖ SHA-256(facts)        65 bytes
    leaf     SHA-256(0x00 ‖ entry)                        RFC 6962 section 2.1

A record whose link and facts are both empty was withheld (deleted after its clock): its entry still
holds its place. Everything else that is wrong inside one record is a fault of it.
"""

from __future__ import annotations

import json
from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, cast

from clients.auditor.canonical import LARGEST_INTEGER, FormError, b64, parse_canonical
from clients.auditor.facts import Facts, Link
from clients.auditor.forms import read, reader_of
from clients.auditor.tree import leaf_hash

ENTRY_BYTES: Final = 65
Row = tuple[int, str, int, bytes, bytes, bytes]
"""A line's leaf index, stream, version, entry, link and facts."""

_FIELDS: Final = 6
_ENDS: Final = frozenset({"", "\n", "\r\n"})
_decode: Final = json.JSONDecoder(object_pairs_hook=tuple).raw_decode
_TYPE: Final = '"type":"'
_ENTRY_LETTERS: Final = 87
_LAST_OF_ENTRY: Final = "AEIMQUYcgkosw048"
"""With which letters the base64url of 65 bytes can end."""
_TO_STANDARD: Final = bytes.maketrans(b"-_+/", b"+/!!")
_TO_URL: Final = bytes.maketrans(b"+/", b"-_")


@dataclass(slots=True)
class Record:
    """A record that was read; link and facts are None where they are withheld or unreadable."""

    leaf_index: int
    stream: str
    version: int
    entry: bytes
    leaf_hash: bytes
    leaf: str
    """The same as base64url."""
    link: Link | None = None
    facts: Facts | None = None
    is_withheld: bool = False
    faults: tuple[str, ...] = ()


def entry_of(link_hash: bytes, facts: bytes) -> bytes:
    """Return the entry of a link's digest and the facts."""
    return b"\x01" + link_hash + sha256(facts).digest()


def leaf_of(entry: bytes) -> str:
    """Return the leaf of an entry, as base64url."""
    return b64(leaf_hash(entry))


def read_link(text: str) -> Link:
    """Read a link.

    Raises:
        FormError: if it is not canonical, or not field for field as declared.
    """
    try:
        return cast("Link", reader_of(Link).read(text))
    except FormError:
        return read(Link, parse_canonical(text), "link")


def read_facts(text: str, known: Mapping[str, type[Facts]]) -> Facts:
    """Read facts whose stored name is one of the known ones, and return them in today's form.

    Raises:
        FormError: if they are not canonical, or not field for field as declared.
    """
    name = text.rpartition(_TYPE)[2].partition('"')[0]
    if kind := known.get(name):
        try:
            facts: Facts = reader_of(kind).read(text)
        except FormError:
            pass
        else:
            return facts.upcast()
    value = parse_canonical(text)
    kind = known.get(str(value.get("type"))) if isinstance(value, dict) else None
    if kind is None:
        raise FormError("has a stored name that does not belong here")
    return read(kind, value, "facts").upcast()


def split_line(line: bytes) -> Row:
    """Split a line into its fields; what they hold is not judged yet.

    Raises:
        FormError: if it is no record at all.
    """
    try:
        text = line.decode("ascii")
        pairs, end = _decode(text)
        row = dict(pairs)
        index, version, encoded = row["leaf_index"], row["version"], row["entry"]
        stream, link, facts = row["stream_id"], row["link"], row["facts"]
        entry = a2b_base64(encoded.encode("ascii").translate(_TO_STANDARD) + b"=")
        contents = link.encode("ascii"), facts.encode("ascii")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise FormError("is not JSON of a record, in printable ASCII") from None
    if not len(row) == len(pairs) == _FIELDS or text[end:] not in _ENDS:
        raise FormError("does not have the fields of a record, each once")
    if type(index) is not int or type(version) is not int or type(stream) is not str:
        raise FormError("has a field of the wrong type")
    if not (0 <= index <= LARGEST_INTEGER and 0 <= version <= LARGEST_INTEGER):
        raise FormError("has a number that is out of range")
    if len(entry) != ENTRY_BYTES or len(encoded) != _ENTRY_LETTERS:
        raise FormError(f"has an entry that is not the base64url of {ENTRY_BYTES} bytes")
    if encoded[-1] not in _LAST_OF_ENTRY:
        raise FormError(f"has an entry that is not the base64url of {ENTRY_BYTES} bytes")
    return index, stream, version, entry, *contents


def read_record(line: bytes, known: Mapping[str, type[Facts]]) -> Record:
    """Read a line.

    Raises:
        FormError: if it is no record at all; what is wrong inside one is in its faults.
    """
    return record_of(split_line(line), known)


def record_of(row: Row, known: Mapping[str, type[Facts]]) -> Record:
    """Read the record of a line that was split; what is wrong inside it is in its faults."""
    index, stream, version, entry, link, facts = row
    hashed = leaf_hash(entry)
    leaf = b2a_base64(hashed, newline=False).translate(_TO_URL)[:-1].decode("ascii")
    record = Record(index, stream, version, entry, hashed, leaf)
    if not link and not facts:
        record.is_withheld = True
    faults = [] if record.is_withheld else _read_contents(record, link, facts, known)
    if entry[:1] != b"\x01":
        faults.append("its entry is of another kind")
    if faults:
        record.faults = tuple(faults)
    return record


def _read_contents(
    record: Record, link: bytes, facts: bytes, known: Mapping[str, type[Facts]]
) -> list[str]:
    faults = []
    if sha256(link).digest() != record.entry[1:33]:
        faults.append("its link is not the one that its entry names")
    if sha256(facts).digest() != record.entry[33:]:
        faults.append("its facts are not those that its entry names")
    try:
        record.link = read_link(link.decode("ascii"))
    except FormError as error:
        faults.append(f"its link: {error}")
    try:
        record.facts = read_facts(facts.decode("ascii"), known)
    except FormError as error:
        faults.append(f"its facts: {error}")
    found = record.link
    if found and (found.stream != record.stream or found.version != record.version):
        faults.append("its link names another stream or version than its line")
    return faults
