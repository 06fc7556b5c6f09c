# SPDX-License-Identifier: Apache-2.0
"""The clock that stamps events: refuses to tell the time when its two sources disagree.

One bad jump of the wall clock must not poison a stream, whose times never go back.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

from vault.domain.errors import ClockUnsureError
from vault.domain.values import Time, time_of

LARGEST_DEPARTURE_SECONDS = 2.0


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> Time:
        """Return the time.

        Raises:
            ClockUnsureError: if it cannot be trusted.
        """

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back."""


class SystemClock:
    """The machine's clocks; the wall clock may depart by two seconds from monotonic time."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def now(self) -> Time:
        """Return the wall clock's time, or raise `ClockUnsureError`."""
        wall = time.time()
        if abs(wall - time.monotonic() - self._offset) > LARGEST_DEPARTURE_SECONDS:
            raise ClockUnsureError
        return time_of(datetime.fromtimestamp(wall, UTC))

    def monotonic(self) -> float:
        """Return `time.monotonic()`."""
        return time.monotonic()
