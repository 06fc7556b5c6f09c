# SPDX-License-Identifier: Apache-2.0
"""How long there have been entries that no quorum of witnesses has signed."""

from __future__ import annotations

from collections import deque
from typing import Final

_MOST_MARKS: Final = 1_000


class UnwitnessedAge:
    """Remembers when entries were first noticed, until they are witnessed.

    Never tells less than is true of what was noticed. Times are of one monotonic clock.
    """

    def __init__(self) -> None:
        self._witnessed = 0
        # How large the log was noticed to be, and when, the oldest first.
        self._marks: deque[tuple[int, float]] = deque()

    def notice(self, size: int, now: float) -> None:
        """Take note of how large the log is."""
        last = self._marks[-1][0] if self._marks else self._witnessed
        if size <= last:
            return
        if len(self._marks) == _MOST_MARKS:
            _, now = self._marks.pop()
        self._marks.append((size, now))

    def witness(self, size: int) -> None:
        """Take note of how much of it a quorum has signed."""
        self._witnessed = max(size, self._witnessed)
        while self._marks and self._marks[0][0] <= self._witnessed:
            self._marks.popleft()

    def seconds(self, now: float) -> float:
        """Return the age of the oldest entry that is not witnessed; 0 if all are."""
        try:
            return max(0.0, now - self._marks[0][1])
        except IndexError:
            return 0.0
