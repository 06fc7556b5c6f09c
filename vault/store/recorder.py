# SPDX-License-Identifier: Apache-2.0
"""The port: what the vault and its projections need of a recorder, whichever database is below.

`sqlite.py` and `postgres.py` are the two that implement it; one contract judges both
(`tests/contracts/event_store.py`).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, NoReturn, TypeVar

from eventsourcing.persistence import (
    ApplicationRecorder,
    InfrastructureFactory,
    IntegrityError,
    StoredEvent,
    TrackingRecorder,
)
from eventsourcing.utils import Environment, EnvType

from vault.store.append import Append, BatchResult, Payload, StoredRecord

if TYPE_CHECKING:
    from vault.store.subscription import PollingSubscription

LARGEST: Final = 2**63 - 1
"""The largest integer that the databases hold: what no bound is given for."""


class Recorder(ApplicationRecorder):
    """One lane of an event store. All methods may be called by any thread.

    What a method returned after appending is durable. Reads see what is committed, by whichever
    process; they wait for no append. Ids of streams are text; a stream begins at version 1 (or 0)
    and has no holes. Positions are dense from 0; notification ids are positions + 1.
    """

    @property
    @abstractmethod
    def incarnation(self) -> int:
        """How often the database was lost and found again.

        One that was restored or promoted meanwhile may hold less: whoever remembers what was read
        under another number forgets it.
        """

    @abstractmethod
    def insert_batch(self, batch: Sequence[Append]) -> BatchResult:
        """Store the appends of a batch in one transaction, and return once they are durable.

        Raises:
            AppendFailedError: if the database failed, or an append was decided on another
                incarnation of it; nothing is stored.
            DurabilityWeakError: if what is stored could be lost again; nothing is stored.
            CommitFailedError: if it is unknown what is stored, and only opening the store anew can
                tell; until then this recorder appends nothing more.
            StoreClosedError: if the recorder was closed, or a commit failed before.
        """

    @abstractmethod
    def maintain(self, *, is_idle: bool) -> None:
        """Do what keeps appends fast; call it between batches, and once when there are none."""

    @abstractmethod
    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> PollingSubscription:
        """Return an iterator of notifications after `gt`, which waits for further ones."""

    @abstractmethod
    def select_records(
        self,
        stream: str,
        *,
        after_version: int = 0,
        from_position: int = 0,
        below_position: int | None = None,
        limit: int,
    ) -> Sequence[StoredRecord]:
        """Return records of a stream exactly as stored, oldest first, deleted ones as gaps."""

    @abstractmethod
    def select_range(self, first: int, end: int, *, limit: int) -> Sequence[StoredRecord]:
        """Return the records of all streams at positions from `first` up to, and without, `end`.

        In the order of their positions, exactly as stored, deleted ones as gaps.
        """

    @abstractmethod
    def select_entries(self, first: int, limit: int) -> Sequence[bytes]:
        """Return entries in the order of their positions, from `first` on.

        Whatever became of its record: none is ever missing.
        """

    @abstractmethod
    def find_request(self, stream: str, request_key: str) -> StoredRecord | None:
        """Return the record that was appended under this request key; none was under ""."""

    @abstractmethod
    def prove_durable(self, record: StoredRecord) -> None:
        """Return once a record that was read is as durable as one that was just appended.

        Whoever answers with a record that another call appended asks for this first: that call may
        have ended without learning whether it would last.

        Raises:
            AppendFailedError: if that cannot be proven in time.
            StoreClosedError: if the recorder was closed, or a commit failed before.
        """

    @abstractmethod
    def select_payloads(self, stream: str, version: int) -> Sequence[Payload]:
        """Return what lies beside a record, in the order in which it was appended."""

    @abstractmethod
    def tree_size(self) -> int:
        """Return how many entries the lane holds: the position of the next."""

    @abstractmethod
    def close(self) -> None:
        """Finish what is under way and close the database. Closing twice is no error."""

    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],
        *,
        payloads: Sequence[Sequence[Payload]] = (),
        request_key: str = "",
        **kwargs: Any,
    ) -> Sequence[int]:
        """Store events together, as a batch of one, and return their notification ids.

        Raises:
            IntegrityError: if the stream does not admit them.
        """
        if kwargs:
            # The library passes on whatever `save` is given; to drop a tracking record is a loss.
            message = f"not stored with events: {', '.join(sorted(kwargs))}"
            raise TypeError(message)
        if not stored_events:
            return []
        append = Append(tuple(stored_events), tuple(map(tuple, payloads)), request_key)
        (verdict,) = self.insert_batch([append]).verdicts
        self.maintain(is_idle=False)
        if isinstance(verdict, IntegrityError):
            raise verdict
        return [position + 1 for position in verdict]

    def max_notification_id(self) -> int | None:
        """Return the largest notification id, which is the tree size, or None if there is none."""
        return self.tree_size() or None


R = TypeVar("R", bound=Recorder)


class RecorderFactory(InfrastructureFactory[TrackingRecorder], Generic[R]):
    """Makes an application's one recorder, of events alone: a process has one writer."""

    database: ClassVar[str]
    """The database's name, for people."""

    def __init__(self, env: Environment | EnvType | None) -> None:
        super().__init__(env)
        self._recorder: R | None = None

    @abstractmethod
    def open_recorder(self) -> R:
        """Open the recorder that the environment names."""

    def application_recorder(self) -> R:
        """Return the recorder, which is one for each factory."""
        if self._recorder is None:
            self._recorder = self.open_recorder()
        return self._recorder

    def aggregate_recorder(self, purpose: str = "events") -> R:
        """Return the recorder of events; snapshots are not kept, for folding is as fast."""
        if purpose != "events":
            self._refuse(f"recorder of {purpose}")
        return self.application_recorder()

    def tracking_recorder(
        self, tracking_recorder_class: type[TrackingRecorder] | None = None
    ) -> NoReturn:
        """Refuse: projections track their place in databases of their own."""
        del tracking_recorder_class
        self._refuse("tracking recorder")

    def process_recorder(self) -> NoReturn:
        """Refuse: nothing is tracked in the event store."""
        self._refuse("process recorder")

    def close(self) -> None:
        """Close the recorder."""
        if self._recorder is not None:
            self._recorder.close()
            self._recorder = None

    def _refuse(self, what: str) -> NoReturn:
        message = f"The event store on {self.database} has no {what}: it keeps events alone."
        raise NotImplementedError(message)
