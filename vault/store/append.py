# SPDX-License-Identifier: Apache-2.0
"""What is handed to a recorder and what comes back: appends, verdicts, records as stored.

Plain values, the same for every database. Events are the `eventsourcing` library's `StoredEvent`s;
their state and all payloads are opaque bytes here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from eventsourcing.persistence import IntegrityError, StoredEvent


@dataclass(frozen=True, slots=True)
class Payload:
    """Sealed bytes beside a record, which can be deleted without touching the history."""

    kind: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Append:
    """Events that are stored together or not at all.

    Args:
        payloads: one tuple for each event, in the same order, or nothing.
        request_key: names the first event within its stream, once and for all; "" names nothing.
        incarnation: of the database on which it was decided; None if that does not matter.
    """

    events: tuple[StoredEvent, ...]
    payloads: tuple[tuple[Payload, ...], ...] = ()
    request_key: str = ""
    incarnation: int | None = None

    def __post_init__(self) -> None:
        if not self.events:
            raise ValueError("An append has at least one event.")
        if self.payloads and len(self.payloads) != len(self.events):
            raise ValueError("Payloads are given for each event, or for none.")


Verdict: TypeAlias = tuple[int, ...] | IntegrityError
"""The positions of an append's events, or that the stream's history does not admit it."""


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What became of a batch: a verdict for each append, in order. What was admitted is durable.

    `commit_sent` is `time.monotonic()` just before COMMIT was sent.
    """

    verdicts: tuple[Verdict, ...]
    commit_sent: float


@dataclass(frozen=True, slots=True)
class Commit:
    """An append that is durable. Times are of `time.monotonic()`."""

    positions: tuple[int, ...]
    commit_sent: float
    committed: float


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """An entry, and its record exactly as stored.

    `topic` and `state` are None once the record was deleted; `entry` (65 bytes) always stays.
    """

    position: int
    stream: str
    version: int
    entry: bytes
    request_key: str
    topic: str | None
    state: bytes | None


def conflict() -> IntegrityError:
    """Return the verdict on an append that is not admitted; it never says which rule it broke."""
    return IntegrityError("The stream does not admit this append: read it and decide again.")
