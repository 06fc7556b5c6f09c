# SPDX-License-Identifier: Apache-2.0
"""Keeps one lane's log going, on a thread of its own, and knows how it stands.

Of the processes that share a folder the one that holds its lock integrates; the others look at what
it publishes, and take over when it ends. A log that refuses to sign stays so until the process is
started again; everything else goes on.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from vault.domain.values import moment_of
from vault.log.errors import LogRefusesError, OtherKeyError
from vault.log.integrator import DatabaseChangedError, Integrator, draw_log, read_published
from vault.store.errors import StoreClosedError
from vault.store.record import sound_event
from vault.transparency.note import Signer, Verifier

if TYPE_CHECKING:
    from vault.log.folder import LogFolder
    from vault.log.status import LogStatus
    from vault.log.witnesses import Witnesses
    from vault.sealing.keystore import KeyStore
    from vault.store.lane import Lane

TICK_SECONDS: Final = 0.25
"""How soon something new is signed that somebody waits for; if nobody does, twice as late."""
FIRST_PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 30.0

_logger = logging.getLogger(__name__)


class _StoppedError(Exception):
    """It was told to stop."""


_FINAL: Final = (LogRefusesError, DatabaseChangedError, StoreClosedError, _StoppedError)
"""What ends an integrator; after anything else it tries the same step again."""


class LogKeeper:
    """Keeps the log of one lane."""

    def __init__(
        self,
        lane: Lane,
        listed: str,
        keys: KeyStore,
        folder: LogFolder,
        *,
        witnesses: Witnesses,
        status: LogStatus,
    ) -> None:
        """Make one that has not begun.

        Args:
            listed: the vkey of the log as the registry lists it.
        """
        self._lane = lane
        self._listed = listed
        self._keys = keys
        self._folder = folder
        self._witnesses = witnesses
        self._status = status
        self._signer: Signer | None = None
        self._seen = b""
        self._has_age = False
        self._pause_seconds = FIRST_PAUSE_SECONDS
        self._stopping = threading.Event()
        # A process that ends without closing need not wait: every step may be interrupted.
        name = f"log-{lane.number}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Return once the step under way has ended."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._keep()
            except (_StoppedError, StoreClosedError):
                return
            except DatabaseChangedError:
                continue
            except LogRefusesError as refusal:
                # The message names sizes and files, and nobody.
                _logger.critical("nothing is signed any more: %s", refusal)
                self._status.refuse(refusal)
            except Exception as error:  # noqa: BLE001 - whatever it is, the server goes on
                self._stand_still(error)

    def _keep(self) -> None:
        if self._status.refusal is None:
            # A log has one key for ever: whoever waits for the lock need not read it each time.
            self._signer = signer = self._signer or self._drawn_signer()
            self._look(signer.verifier)
            self._begin_age()
            with self._folder.lock() as is_ours:
                if is_ours:
                    self._integrate(signer)
        self._notice()
        self._stopping.wait(TICK_SECONDS)

    def _drawn_signer(self) -> Signer:
        signer = Signer(self._lane.origin, draw_log(self._keys, self._lane.origin).seed)
        if signer.verifier.vkey != self._listed:
            raise OtherKeyError(self._lane.origin)
        return signer

    def _look(self, verifier: Verifier) -> None:
        """Learn what was published, perhaps by another process."""
        data = self._folder.checkpoint()
        if data is not None and data != self._seen:
            self._status.publish(read_published(data, self._witnesses.policy, verifier))
            self._seen = data

    def _begin_age(self) -> None:
        """Have what was not witnessed when the process before ended count from its own time."""
        if self._has_age:
            return
        store, published = self._lane.store, self._status.published
        witnessed = published.checkpoint.size if published and published.has_quorum else 0
        size = store.tree_size()
        first = store.select_notifications(witnessed + 1, 1) if size > witnessed else ()
        if first:
            moment = moment_of(sound_event(first[0].state).facts.time)
            self._status.notice(size, (datetime.now(UTC) - moment).total_seconds())
        self._has_age = True

    def _integrate(self, signer: Signer) -> None:
        integrator = Integrator(
            signer,
            self._lane.store,
            self._keys,
            self._folder,
            self._witnesses,
            pause=self._pause,
        )
        try:
            self._go_on(integrator)
        except _StoppedError:
            # What was acknowledged last need not wait for the next start.
            with suppress(Exception):
                integrator.go_on()
            raise

    def _go_on(self, integrator: Integrator) -> None:
        step = integrator.begin
        while True:
            try:
                step()
            except _FINAL:
                raise
            except Exception as error:  # noqa: BLE001 - likewise; nothing is lost but time
                self._stand_still(error)
                self._pause(0)
                continue
            step = integrator.go_on
            self._pause_seconds = FIRST_PAUSE_SECONDS
            published = integrator.published
            if published is not None and published is not self._status.published:
                self._status.publish(published)
            self._pause(TICK_SECONDS)
            if not self._status.is_waited_for:
                # A disk that is slow to sync has its callers to serve.
                self._pause(TICK_SECONDS)

    def _stand_still(self, error: Exception) -> None:
        # Nothing of the message: it may quote what was found.
        _logger.error("the log %s stands still: %s", self._lane.origin, type(error).__name__)
        until = time.monotonic() + self._pause_seconds
        self._pause_seconds = min(2 * self._pause_seconds, LONGEST_PAUSE_SECONDS)
        # What comes meanwhile grows old, too: the bound on that must not stand still with the log.
        while (left_seconds := until - time.monotonic()) > 0 and not self._stopping.is_set():
            with suppress(Exception):
                self._notice()
            self._stopping.wait(min(left_seconds, TICK_SECONDS))

    def _pause(self, seconds: float) -> None:
        if self._stopping.wait(seconds):
            raise _StoppedError
        self._notice()

    def _notice(self) -> None:
        self._status.notice(self._lane.store.tree_size())
