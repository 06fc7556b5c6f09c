# SPDX-License-Identifier: Apache-2.0
"""Whether what clients saw of one consent could have happened one call after the other.

Wing and Gong's search with Lowe's memory of (calls placed, state): a history is linearizable if its
calls can be put in an order in which each takes effect between its call and its return, and gives
what it gave. What calls give, one after the other, is told by `perform`, which judges the log too.
A call whose outcome is unknown may take effect at any time after it was made, or never. One that
was made before the consent's end may be decided before it and take effect after it: expiry follows
from the time of the attempt.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

Kind = Literal[
    "grant", "pause", "resume", "revoke", "narrow", "shorten", "end",
    "disclose", "disclose part", "check", "check part",
]  # fmt: skip
"""What is done to a consent, or under it.

To narrow takes a field away, to shorten names an earlier end; "end" is that moment, and nobody's
call. To disclose (or to check whether one could) asks for that field too; for a part, it does not.
"""

DONE: Final = "done"
UNKNOWN: Final = "unknown"

CHANGES: Final = frozenset({"grant", "pause", "resume", "revoke", "narrow", "shorten", "end"})

NEVER: Final = math.inf
"""When a call returned that nobody saw return."""


class Consent(NamedTuple):
    """What has become of a consent."""

    granted: bool = False
    paused: bool = False
    revoked: bool = False
    narrowed: bool = False
    shortened: bool = False
    is_past_end: bool = False


ASKED: Final = Consent()


@dataclass(frozen=True)
class Operation:
    """One call on one consent, as its client saw it.

    Attributes:
        outcome: `DONE`, the reason of a refusal, or `UNKNOWN`.
        called: when it was made, in nanoseconds of a monotonic clock.
        returned: when its answer was there; `NEVER` if its outcome is unknown.
    """

    kind: Kind
    outcome: str
    called: float
    returned: float


def perform(kind: Kind, consent: Consent) -> tuple[str, Consent]:
    """Return what a call comes to if nothing happens beside it, and the consent after it."""
    if kind == "end":
        return DONE, consent._replace(is_past_end=True)
    if kind == "grant":
        taken = consent.granted
        return ("REQUEST_ALREADY_DECIDED" if taken else DONE), consent._replace(granted=True)
    if not consent.granted:
        return "NOT_FOUND", consent
    if consent.revoked:
        return "CONSENT_REVOKED", consent
    if consent.shortened and consent.is_past_end:
        return "CONSENT_EXPIRED", consent
    return _perform_on_standing(kind, consent)


def _perform_on_standing(kind: Kind, consent: Consent) -> tuple[str, Consent]:
    refusal, after = "", consent
    match kind:
        case "revoke":
            after = consent._replace(revoked=True)
        case "pause":
            refusal = "CONSENT_PAUSED" if consent.paused else ""
            after = consent._replace(paused=True)
        case "resume":
            refusal = "" if consent.paused else "CONSENT_NOT_PAUSED"
            after = consent._replace(paused=False)
        case "narrow":
            refusal = "FIELD_INVALID" if consent.narrowed else ""
            after = consent._replace(narrowed=True)
        case "shorten":
            refusal = "FIELD_INVALID" if consent.shortened or consent.is_past_end else ""
            after = consent if refusal else consent._replace(shortened=True)
        case _ if consent.paused:
            refusal = "CONSENT_PAUSED"
        case "disclose" | "check" if consent.narrowed:
            refusal = "FIELD_NOT_GRANTED"
    return refusal or DONE, after


def is_linearizable(history: Iterable[Operation], beginning: Consent = ASKED) -> bool:
    """Say whether a history is that of one consent."""
    calls = sorted(
        # What may have happened, and would have changed nothing, says nothing.
        (call for call in history if call.outcome != UNKNOWN or call.kind in CHANGES),
        key=lambda call: call.called,
    )
    answered = sum(1 << number for number, call in enumerate(calls) if call.outcome != UNKNOWN)
    end = end_of(calls)
    seen: set[tuple[int, Consent]] = set()
    waiting = [(0, beginning)]
    while waiting:
        placed, consent = waiting.pop()
        if placed & answered == answered:
            return True
        for number in _next(calls, placed):
            for after in outcomes_of(calls[number], consent, end):
                state = (placed | 1 << number, after)
                if state not in seen:
                    seen.add(state)
                    waiting.append(state)
    return False


def end_of(history: Iterable[Operation]) -> float:
    """Return the latest moment at which the consent's end may have come; `-NEVER` if it did not."""
    ends = (call.returned for call in history if call.kind == "end" and call.outcome == DONE)
    return min(ends, default=-NEVER)


def outcomes_of(call: Operation, consent: Consent, end: float) -> list[Consent]:
    """Return what may be true after a call; nothing if it could not come to its outcome."""
    decided_on = [consent]
    if consent.is_past_end and call.called <= end:
        decided_on.append(consent._replace(is_past_end=False))
    performed = (perform(call.kind, decided) for decided in decided_on)
    return [
        after._replace(is_past_end=after.is_past_end or consent.is_past_end)
        for outcome, after in performed
        if call.outcome in (outcome, UNKNOWN)
    ]


def _next(calls: Sequence[Operation], placed: int) -> list[int]:
    """Return the calls that may come next: no other one returned before they were made."""
    left = [number for number in range(len(calls)) if not placed >> number & 1]
    first_return = min(calls[number].returned for number in left)
    return [number for number in left if calls[number].called <= first_return]
