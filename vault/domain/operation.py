# SPDX-License-Identifier: Apache-2.0
"""The operator's own history: what runs, what was restored, which keys were used, what went wrong.

It is one stream in lane 0, so that it stands in the same log as everybody's history. A known fault
names the entries that it touches by their places in logs; whose they are, it does not say: each
citizen finds her own among them. Notices and notes are public payloads.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal

from msgspec import field
from msgspec.structs import replace

from vault.domain.errors import FieldInvalidError
from vault.domain.events import Draft, Event, Facts, StreamState
from vault.domain.values import Time, Value

if TYPE_CHECKING:
    from vault.domain.values import Stamp

StoreName = Literal["events", "keys"]
KeyName = Literal["wrapping", "tail"]
KeyUse = Literal["serve", "tail-replay"]
Act = Literal[
    "access-to-host",
    "access-to-database",
    "access-to-backup",
    "access-to-keys",
    "configuration",
    "other",
]
ACTS: Final[tuple[Act, ...]] = (
    "access-to-host",
    "access-to-database",
    "access-to-backup",
    "access-to-keys",
    "configuration",
    "other",
)
MOST_RANGES: Final = 1_000


class ReleaseStarted(Facts, frozen=True, tag="release-started.1"):
    """A server began with another program or configuration than the one before it.

    `program_hash` is the digest of the installed files, `configuration_hash` that of the settings
    without secrets; the forms are those of the two databases.
    """

    release: str
    program_hash: str
    configuration_hash: str
    events_form: int
    keys_form: int


class StoreMigrated(Facts, frozen=True, tag="store-migrated.1"):
    """The tables of a database were brought into another form."""

    store: StoreName
    before: int
    after: int


class StoreRestored(Facts, frozen=True, tag="store-restored.1"):
    """A lane was restored: it ended at `size`, and `appended` records were put back after that."""

    lane: int
    size: int
    appended: int


class KeyUsed(Facts, frozen=True, tag="key-used.1"):
    """A key of the deployment was used otherwise than before; `key_id` names it, "" if nothing."""

    key: KeyName
    key_id: str
    use: KeyUse


class AdministratorActed(Facts, frozen=True, tag="administrator-acted.1"):
    """Somebody who administers the deployment did something past the program; a note is beside."""

    act: Act


class EntryRange(Value, frozen=True):
    """Entries of a log, from `first` up to, and without, `end`."""

    origin: str
    first: int
    end: int


class KnownFaultPublished(Facts, frozen=True, tag="known-fault-published.1"):
    """Something went wrong with these entries; the notice beside says what, and what to do."""

    fault: str
    ranges: tuple[EntryRange, ...]


class Fault(Value, frozen=True):
    """A known fault; `version` is that of the event beside which its notice lies."""

    ranges: tuple[EntryRange, ...]
    time: Time
    version: int


class OperationState(StreamState, frozen=True, kw_only=True):
    """What is true of the deployment as its operator recorded it."""

    release: ReleaseStarted | None = None
    wrapping_key: str = ""
    """The epoch under which servers ran last."""
    faults: dict[str, Fault] = field(default_factory=dict)


def publish_fault(stamp: Stamp, fault: str, ranges: tuple[EntryRange, ...]) -> Draft:
    """Publish a known fault.

    Args:
        ranges: of logs that reach so far; that is for the caller to know.

    Raises:
        FieldInvalidError: if they are none, too many, empty or overlap.
    """
    ordered = tuple(sorted(ranges, key=lambda one: (one.origin, one.first, one.end)))
    if not 1 <= len(ordered) <= MOST_RANGES:
        raise FieldInvalidError("ranges", f"Name 1 to {MOST_RANGES} ranges.")
    if any(one.first >= one.end for one in ordered):
        raise FieldInvalidError("ranges", "A range ends after its beginning.")
    for before, after in pairwise(ordered):
        if before.origin == after.origin and before.end > after.first:
            raise FieldInvalidError("ranges", "Two ranges overlap: name each entry once.")
    facts = KnownFaultPublished(time=stamp.time, salt=stamp.salt, fault=fault, ranges=ordered)
    return Draft(facts=facts)


def fold(state: OperationState | None, event: Event) -> OperationState:
    """Return what is true after an event."""
    after = (state or OperationState(stream=event.link.stream)).advanced(event)
    match event.facts:
        case ReleaseStarted() as facts:
            return replace(after, release=facts)
        case KeyUsed(key="wrapping", key_id=epoch):
            return replace(after, wrapping_key=epoch)
        case KnownFaultPublished(fault=fault, ranges=ranges, time=time):
            known = Fault(ranges=ranges, time=time, version=event.link.version)
            return replace(after, faults={**after.faults, fault: known})
        case _:
            return after
