# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with the store itself; that a stream refuses an append is `IntegrityError`.

All are the library's `PersistenceError`s. No message holds an id or anything that was to be stored.
"""

from __future__ import annotations

from eventsourcing.persistence import NotSupportedError, OperationalError


class StoreUnfitError(NotSupportedError):
    """What was named cannot be used as an event store; the message says why and what to do."""


class StoreFileError(StoreUnfitError):
    """The file cannot be used as an event store; the message says why and what to do."""


class StoreClosedError(OperationalError):
    """The store is closed, or closing."""

    def __init__(self) -> None:
        super().__init__("The store is closed.")


class AppendFailedError(OperationalError):
    """The database failed and nothing of the batch is stored."""

    def __init__(self) -> None:
        super().__init__("The database failed and nothing was stored: try again.")


class DurabilityWeakError(AppendFailedError):
    """The database would acknowledge what it may lose again: nothing of the batch is stored."""

    def __init__(self) -> None:
        OperationalError.__init__(
            self,
            "The database's durability is weaker than configured and nothing was stored: its "
            "operator has to restore fsync, synchronous_commit or the standby.",
        )


class ClockDepartsError(AppendFailedError):
    """The server's clock and the database's differ: nothing of the batch is stored."""

    def __init__(self) -> None:
        OperationalError.__init__(
            self,
            "The clocks of server and database are more than two seconds apart and nothing was "
            "stored: their operator has to set them right.",
        )


class CommitFailedError(OperationalError):
    """COMMIT failed: what was to be stored may or may not be found when the database recovers."""

    def __init__(self) -> None:
        super().__init__("The database failed in COMMIT: whether this was stored is unknown.")


class DeadlinePassedError(OperationalError):
    """The caller's deadline passed before its batch was formed: nothing was stored."""

    def __init__(self) -> None:
        super().__init__("The deadline passed and nothing was stored.")


class QueueFullError(OperationalError):
    """Too many appends are waiting: nothing was stored."""

    def __init__(self) -> None:
        super().__init__("Too many appends are waiting: try again later.")
