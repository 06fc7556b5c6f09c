# SPDX-License-Identifier: Apache-2.0
"""Follows a recorder's notifications: wakes at once on commits of this process, polls for others'.

Needs nothing of the database but two selects, so every recorder can use it. What to do with a
notification, and where to resume, is the follower's business.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from eventsourcing.persistence import ApplicationRecorder, Notification, Subscription

from vault.store.errors import StoreClosedError

if TYPE_CHECKING:
    from vault.store.recorder import Recorder

_PAGE: Final = 500

POLL_SECONDS: Final = 0.2
"""How late a commit of another process may be noticed."""


class CommitSignal:
    """Tells waiting threads that something was committed, or that nothing will be any more."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._count = 0
        self._is_closed = False

    @property
    def count(self) -> int:
        """How often it was announced; read it before looking, and wait for more than that."""
        return self._count

    @property
    def is_closed(self) -> bool:
        """Whether nothing will be announced any more."""
        return self._is_closed

    def announce(self) -> None:
        """Wake everyone who waits."""
        with self._condition:
            self._count += 1
            self._condition.notify_all()

    def close(self) -> None:
        """Wake everyone for good."""
        self._is_closed = True
        self.announce()

    def wait_beyond(self, count: int, timeout_seconds: float) -> None:
        """Wait until it was announced more than `count` times, or the time is over."""
        with self._condition:
            self._condition.wait_for(lambda: self._count > count, timeout_seconds)


class PollingSubscription(Subscription[ApplicationRecorder]):
    """Yields notifications as they are committed, until it is stopped or the recorder closes.

    It ends also when the database was lost and found again, which may hold less.
    """

    def __init__(
        self,
        recorder: Recorder,
        signal: CommitSignal,
        gt: int | None = None,
        topics: Sequence[str] = (),
    ) -> None:
        super().__init__(recorder, gt, topics)
        self._signal = signal
        self._database = recorder
        self._incarnation = recorder.incarnation
        self._pending: deque[Notification] = deque()

    def stop(self) -> None:
        """End the iteration, also of a thread that is waiting in it."""
        super().stop()
        self._signal.announce()

    def skip_to(self, notification_id: int) -> None:
        """Yield nothing up to an id any more: it was seen otherwise."""
        self._pending.clear()
        self._last_notification_id = max(notification_id, self._last_notification_id or 0)

    def __next__(self) -> Notification:
        while not self._has_been_stopped and not self._signal.is_closed and not self._is_lost:
            if self._pending:
                return self._pending.popleft()
            seen = self._signal.count
            try:
                self._pull()
            except StoreClosedError:
                break
            if not self._pending:
                self._signal.wait_beyond(seen, POLL_SECONDS)
        raise StopIteration

    @property
    def _is_lost(self) -> bool:
        return self._database.incarnation != self._incarnation

    def _pull(self) -> None:
        after = self._last_notification_id or 0
        head = self._recorder.max_notification_id() or 0
        if head <= after:
            return
        page = self._recorder.select_notifications(
            after, _PAGE, topics=self._topics, inclusive_of_start=False
        )
        self._pending.extend(page)
        if page:
            after = page[-1].id
        if len(page) < _PAGE:
            # Everything up to the head was looked at: other topics and deleted records lie behind.
            after = max(after, head)
        self._last_notification_id = after
