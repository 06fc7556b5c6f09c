# SPDX-License-Identifier: Apache-2.0
"""What every event has: a link, which is hers, and facts, which a service may see.

A stored name never gains a field: a change is a new number and an upcast. `stored_names.py` is the
allow-list of what may be read.
"""

from __future__ import annotations

from typing import Self

from msgspec import Struct
from msgspec.structs import replace

from vault.domain.values import (
    Acting,
    Approval,
    Item,
    PayloadMark,
    RegistryMark,
    Time,
    Value,
)


class Facts(Value, frozen=True, tag_field="type"):
    """The part of a record that says what happened. Each subclass has a stored name as its tag."""

    time: Time
    salt: str

    def upcast(self) -> Facts:
        """Return what happened in today's form; a form that is not today's overrides this."""
        return self


def stored_name_of(kind: type[Facts]) -> str:
    """Return the stored name of a kind of event."""
    return str(kind.__struct_config__.tag)


class Link(Value, frozen=True):
    """The part of a record that ties it to its stream and evidence. It stays with the citizen."""

    origin: str
    stream: str
    version: int
    previous_leaf: str
    request_key: str
    acting: Acting
    approval: Approval
    items: tuple[Item, ...]
    registry: RegistryMark
    payloads: tuple[PayloadMark, ...]
    salt: str


class Draft(Value, frozen=True):
    """An event that a rule decided, before it is linked to its stream.

    `shown` is what stood on her page, of which an approval's challenge is made; empty if nothing.
    """

    facts: Facts
    items: tuple[Item, ...] = ()
    shown: bytes = b""


class Event(Value, frozen=True):
    """A linked event; meets the event-sourcing library's `DomainEventProtocol`.

    `state` is the record as stored: link, newline, facts. It is encoded once, so that what is
    hashed, stored and shown are the same bytes. `leaf` is their RFC 6962 leaf, never stored.
    """

    link: Link
    facts: Facts
    leaf: str
    state: bytes

    def mark(self, kind: str) -> PayloadMark | None:
        """Return the mark of its payload of one kind, if it has one."""
        return next((mark for mark in self.link.payloads if mark.kind == kind), None)

    @property
    def originator_id(self) -> str:
        """Return the stream."""
        return self.link.stream

    @property
    def originator_version(self) -> int:
        """Return the version, from 1."""
        return self.link.version


class StreamState(Struct, frozen=True, kw_only=True):
    """What is true of any stream: how far it goes and whether it holds together."""

    stream: str
    version: int = 0
    last_time: Time = Time("")
    last_leaf: str = ""
    broken_at: int = 0
    """The first version that does not follow from the one before it; 0 if all do."""

    def advanced(self, event: Event) -> Self:
        """Return the state with its head moved to an event, noting where the stream is broken."""
        link = event.link
        follows = link.version == self.version + 1 and (
            link.previous_leaf == self.last_leaf or self.version == 0
        )
        return replace(
            self,
            version=link.version,
            last_time=event.facts.time,
            last_leaf=event.leaf,
            broken_at=self.broken_at or (0 if follows else link.version),
        )
