# SPDX-License-Identifier: Apache-2.0
"""What use cases hand to the store and what comes back: commands, decisions, records that stand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from vault.domain.canonical import b64
from vault.domain.events import Draft, Event, StreamState
from vault.domain.lane import lane_of
from vault.domain.values import (
    NO_APPROVAL,
    NO_REGISTRY,
    Acting,
    Approval,
    PayloadMark,
    RegistryMark,
    Stamp,
)
from vault.drawing import draw

S = TypeVar("S", bound=StreamState)
Fold: TypeAlias = Callable[[S | None, Event], S | None]

Sizes: TypeAlias = Mapping[int, int]
"""A place in history: how many records a lane holds there, for each lane that matters."""


@dataclass(frozen=True, slots=True)
class SealedPayload:
    """A payload and the mark by which the link names it; `content` is None if it lies elsewhere."""

    mark: PayloadMark
    content: bytes | None


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided: a draft, and what goes beside it."""

    draft: Draft
    payloads: tuple[SealedPayload, ...] = ()
    approval: Approval = NO_APPROVAL
    registry: RegistryMark = NO_REGISTRY


Decide: TypeAlias = Callable[[S | None, Stamp], Awaitable[Decision]]


@dataclass(frozen=True, slots=True)
class Command:
    """Who wants to append to which stream. `leads`: a stop, which skips the lock."""

    stream: str
    acting: Acting
    request_key: str = ""
    leads: bool = False
    deadline: float | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """A record that stands: `is_repeat` if an earlier call with the same request key made it.

    `origin` is that of the lane in which it stands, whatever the record says of itself.
    """

    event: Event
    position: int
    origin: str
    is_repeat: bool = False
    commit_sent: float = 0.0
    committed: float = 0.0

    @property
    def sizes(self) -> Sizes:
        """Return the place after it."""
        return {lane_of(self.event.link.stream): self.position + 1}


def new_salt() -> str:
    """Draw a salt: 16 bytes, base64url."""
    return b64(draw(16))
