# SPDX-License-Identifier: Apache-2.0
"""Whether what clients saw of one consent could have happened one call after the other.

Wing and Gong's search with Lowe's memory of (calls placed, state): a history is linearizable if its
calls can be put in an order in which each takes effect between its call and its return, and gives
what it gave. A consent is one bit: in force, or stopped. A call whose outcome is unknown may take
effect at any time after it was made, or never.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["disclose", "stop"]
Outcome = Literal["done", "refused", "unknown"]

NEVER = math.inf
"""When a call returned that nobody saw return."""


@dataclass(frozen=True)
class Operation:
    """One call on one consent, as its client saw it.

    Attributes:
        called: when it was made, in nanoseconds of a monotonic clock.
        returned: when its answer was there; `NEVER` if its outcome is unknown.
    """

    kind: Kind
    outcome: Outcome
    called: float
    returned: float


def is_linearizable(history: Iterable[Operation]) -> bool:
    """Say whether a history is that of one consent, in force at the beginning."""
    calls = sorted(history, key=lambda operation: operation.called)
    answered = sum(1 << number for number, call in enumerate(calls) if call.outcome != "unknown")
    seen: set[tuple[int, bool]] = set()
    waiting = [(0, True)]
    while waiting:
        placed, in_force = waiting.pop()
        if placed & answered == answered:
            return True
        for number in _next(calls, placed):
            after = _effect(calls[number], in_force=in_force)
            if after is None:
                continue
            state = (placed | 1 << number, after)
            if state not in seen:
                seen.add(state)
                waiting.append(state)
    return False


def _next(calls: Sequence[Operation], placed: int) -> list[int]:
    """Return the calls that may come next: no other one returned before they were made."""
    left = [number for number in range(len(calls)) if not placed >> number & 1]
    first_return = min(calls[number].returned for number in left)
    return [number for number in left if calls[number].called <= first_return]


def _effect(call: Operation, *, in_force: bool) -> bool | None:
    """Return whether the consent is in force after a call, or None if it cannot come now."""
    match call.kind, call.outcome:
        case "disclose", "unknown":
            return in_force
        case "disclose", "done":
            return True if in_force else None
        case "stop", "done":
            return False if in_force else None
        case "stop", "unknown":
            return False
        case _:
            return None if in_force else False
