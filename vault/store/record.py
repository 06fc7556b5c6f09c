# SPDX-License-Identifier: Apache-2.0
r"""The record: link and facts as two lines of canonical JSON, the entry and the leaf made of them.

    state    link ‖ "\n" ‖ facts
    entry    0x01 ‖ SHA-256(link) ‖ SHA-256(facts)        65 bytes
    leaf     SHA-256(0x00 ‖ entry)                        RFC 6962 section 2.1

Two parts, because a service's proof shows it the facts and only the digest of the link. Bytes are
hashed as stored; what is read must encode to the same bytes again, or it is refused.
"""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec
from eventsourcing.persistence import Mapper, MapperDeserialisationError, StoredEvent, Transcoder

from vault.domain.canonical import b64, digest, encode, is_printable_ascii
from vault.domain.errors import HistoryBrokenError
from vault.domain.events import Event, Facts, Link
from vault.domain.stored_names import STORED_NAMES, StoredFacts
from vault.store.append import StoredRecord

ENTRY_BYTES: Final = 65

_LINK_DECODER: Final = msgspec.json.Decoder(Link)
_FACTS_DECODER: Final = msgspec.json.Decoder(StoredFacts)


def entry_of(state: bytes) -> bytes:
    """Return the 65-byte entry of a record's bytes."""
    link, _, facts = state.partition(b"\n")
    return b"\x01" + hashlib.sha256(link).digest() + hashlib.sha256(facts).digest()


def leaf_of(entry: bytes) -> bytes:
    """Return the 32-byte leaf of an entry."""
    return hashlib.sha256(b"\x00" + entry).digest()


def first_leaf(origin: str, stream: str) -> str:
    """Return the `previous_leaf` of a stream's version 1."""
    return digest(encode(["citizen-vault/1", origin, stream]))


def link_event(link: Link, facts: Facts) -> Event:
    """Return the event that a link and facts make, with its leaf.

    Raises:
        ValueError: if either holds anything but printable ASCII; a fault of ours.
    """
    return _event_of(link, facts, _state_of(link, facts))


def read_event(state: bytes) -> Event:
    """Return the event of a record's bytes.

    Raises:
        ValueError: if the bytes are not in canonical form, or their stored name is not listed.
    """
    link_bytes, _, facts_bytes = state.partition(b"\n")
    link = _LINK_DECODER.decode(link_bytes)
    facts = _FACTS_DECODER.decode(facts_bytes)
    if _state_of(link, facts) != state:
        msg = "not in canonical form"
        raise ValueError(msg)
    return _event_of(link, facts, state)


def sound_event(state: bytes) -> Event:
    """Return the event of bytes that were stored as a record's.

    Raises:
        HistoryBrokenError: if they are not.
    """
    try:
        return read_event(state)
    except ValueError as error:
        raise HistoryBrokenError from error


def event_of(record: StoredRecord) -> Event | None:
    """Return the event of a record, or None if the record was deleted.

    Raises:
        HistoryBrokenError: if its bytes are not a record's.
    """
    return None if record.state is None else sound_event(record.state)


def _event_of(link: Link, facts: Facts, state: bytes) -> Event:
    return Event(link=link, facts=facts, leaf=b64(leaf_of(entry_of(state))), state=state)


def _state_of(link: Link, facts: Facts) -> bytes:
    link_bytes, facts_bytes = encode(link), encode(facts)
    if not is_printable_ascii(link_bytes) or not is_printable_ascii(facts_bytes):
        msg = "link and facts hold printable ASCII only"
        raise ValueError(msg)
    return link_bytes + b"\n" + facts_bytes


class _NoTranscoder(Transcoder):
    """Stands where the library wants a transcoder; a record needs none."""

    def encode(self, obj: object) -> bytes:
        raise NotImplementedError

    def decode(self, data: bytes) -> object:
        raise NotImplementedError


class RecordMapper(Mapper[str]):
    """Maps events to stored events and back: topic = stored name, state = link and facts."""

    def __init__(self) -> None:
        super().__init__(transcoder=_NoTranscoder())

    def to_stored_event(self, domain_event: Event) -> StoredEvent:  # type: ignore[override]
        """Return the stored form of an event."""
        return StoredEvent(
            originator_id=domain_event.link.stream,
            originator_version=domain_event.link.version,
            topic=str(type(domain_event.facts).__struct_config__.tag),
            state=domain_event.state,
        )

    def to_domain_event(self, stored_event: StoredEvent) -> Event:
        """Return the event of a stored form.

        Raises:
            MapperDeserialisationError: if its name is not listed, its bytes are not canonical, or
                they belong to another stream, version or name than the row says.
        """
        where = f"stream {stored_event.originator_id} version {stored_event.originator_version}"
        if stored_event.topic not in STORED_NAMES:
            raise MapperDeserialisationError(f"{where}: its stored name is not listed")
        try:
            event = read_event(stored_event.state)
        except (ValueError, msgspec.MsgspecError):
            # Not chained: what the decoder says may quote what was found.
            raise MapperDeserialisationError(f"{where}: its bytes are no record") from None
        if (
            event.link.stream != stored_event.originator_id
            or event.link.version != stored_event.originator_version
            or type(event.facts).__struct_config__.tag != stored_event.topic
        ):
            raise MapperDeserialisationError(f"{where}: the record belongs elsewhere")
        return event
