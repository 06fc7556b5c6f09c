# SPDX-License-Identifier: Apache-2.0
"""The audit stream of a deployment: which ranges of which logs auditors read.

A range holds records of many people. It is recorded once, before anything of it is sent, and shown
in the history of everybody of whom a record lies in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vault.domain.events import Draft, Event, Facts, StreamState

if TYPE_CHECKING:
    from vault.domain.values import Stamp


class LaneReplayed(Facts, frozen=True, tag="lane-replayed.1"):
    """An auditor read the records of a log from `first` up to, and without, `end`.

    `service`: the one whose facts alone were shown, without any link; "" if all was.
    """

    origin: str
    first: int
    end: int
    service: str


class AuditState(StreamState, frozen=True, kw_only=True):
    """What is true of the audit stream: how far it goes. What was read is asked of its records."""


def replay_lane(stamp: Stamp, origin: str, first: int, end: int, service: str) -> Draft:
    """Record that an auditor reads a range of a log."""
    facts = LaneReplayed(
        time=stamp.time, salt=stamp.salt, origin=origin, first=first, end=end, service=service
    )
    return Draft(facts=facts)


def fold(state: AuditState | None, event: Event) -> AuditState:
    """Return what is true after an event."""
    return (state or AuditState(stream=event.link.stream)).advanced(event)


def service_of(facts: Facts) -> str:
    """Return the service whose facts they are; "" if they are no service's."""
    asked = getattr(facts, "asked", None)
    return getattr(facts, "service", "") or (asked.recipient.service if asked else "")
