# SPDX-License-Identifier: Apache-2.0
"""The logs of all lanes that a process serves: begun with their lanes, asked by number."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vault.domain.errors import LogUnwitnessedError, NotFoundError, StoreUnavailableError
from vault.domain.lane import lane_of
from vault.log.folder import LogFolder
from vault.log.integrator import draw_log
from vault.log.keeper import LogKeeper
from vault.log.proofs import Proofs
from vault.log.status import LogStatus
from vault.log.witnesses import Witnesses
from vault.sealing.errors import SealingError
from vault.transparency.note import Signer
from vault.transparency.policy import Policy

if TYPE_CHECKING:
    from vault.log.errors import LogRefusesError
    from vault.sealing.keystore import KeyStore
    from vault.store.lane import Lane

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The newest checkpoint of a log, signed, and the key that signs it, as a verifier's key."""

    note: str
    log_key: str


@dataclass(slots=True)
class _Kept:
    """The log of one lane."""

    vkey: str
    folder: LogFolder
    witnesses: Witnesses
    status: LogStatus
    proofs: Proofs
    keeper: LogKeeper


class Logs:
    """The logs of the lanes that are served here. Used on the event loop."""

    def __init__(
        self,
        keys: KeyStore,
        folder: Path,
        policy: Policy,
        *,
        unwitnessed_seconds: float = math.inf,
    ) -> None:
        """Keep logs in a folder, one in each of its folders.

        Args:
            policy: who has to cosign; its witnesses with an address are asked to.
            unwitnessed_seconds: past this age of what no quorum has signed, nothing is disclosed.
        """
        self._keys = keys
        self._folder = folder
        self._policy = policy
        self._most_seconds = unwitnessed_seconds
        self._kept: dict[int, _Kept] = {}
        self.on_change: Callable[[], None] = lambda: None
        """Called on the loop when `refusals` may have changed."""

    async def vkey_of(self, lane: Lane) -> str:
        """Return the key of a lane's log, as text for verifiers; it is drawn if there is none.

        Raises:
            StoreUnavailableError: the key store cannot be used.
        """
        try:
            log = await asyncio.to_thread(draw_log, self._keys, lane.origin)
        except SealingError as error:
            raise StoreUnavailableError from error
        return Signer(lane.origin, log.seed).verifier.vkey

    async def follow(self, lane: Lane, vkey: str) -> None:
        """Keep the log of a lane from now on, until the lane is closed.

        Args:
            vkey: the key that is listed for it; with another one nothing is signed.

        Raises:
            StoreUnavailableError: its folder cannot be made.
        """
        if (before := self._kept.pop(lane.number, None)) is not None:
            await asyncio.to_thread(_end, before)
        try:
            folder = await asyncio.to_thread(LogFolder, self._folder / str(lane.number))
        except OSError as error:
            _logger.exception("the folder of the log of lane %d cannot be made", lane.number)
            raise StoreUnavailableError from error
        loop = asyncio.get_running_loop()
        status = LogStatus(loop, self._changed)
        witnesses = Witnesses(self._policy)
        keeper = LogKeeper(lane, vkey, self._keys, folder, witnesses=witnesses, status=status)
        proofs = Proofs(folder, status, lane.tree_size)
        kept = _Kept(vkey, folder, witnesses, status, proofs, keeper)
        self._kept[lane.number] = kept
        self._changed()
        keeper.start()

    async def aclose(self) -> None:
        """Return once nothing more is signed."""
        ending = [asyncio.to_thread(_end, kept) for kept in self._kept.values()]
        await asyncio.gather(*ending)

    # --- What is asked

    async def of(self, lane: int, leaf_index: int, leaf_hash: bytes, deadline: float) -> str:
        """Return the proof that a leaf is in a lane's log, as C2SP tlog-proof writes it.

        It waits until a published checkpoint covers the leaf.

        Args:
            leaf_hash: 32 bytes; who does not know it is told nothing.
            deadline: on the monotonic clock.

        Raises:
            NotFoundError: there is no such log here, no such place in it, or another leaf there.
            LogUnsignedError: it is not covered, and nothing is signed any more.
            DeadlinePassedError: it is not covered in time.
            StoreUnavailableError: the lane cannot be read.
        """
        return await self._at(lane).proofs.of(leaf_index, leaf_hash, deadline)

    async def checkpoint(self, lane: int) -> Checkpoint:
        """Return the newest published checkpoint of a lane's log.

        Raises:
            NotFoundError: there is no such log here, or nothing was published.
        """
        kept = self._at(lane)
        if kept.status.published is None:
            raise NotFoundError
        return Checkpoint(kept.status.published.note.encode().decode(), kept.vkey)

    def folder(self, lane: int) -> LogFolder:
        """Return the published files of a lane's log.

        Raises:
            NotFoundError: there is no such log here.
        """
        return self._at(lane).folder

    @property
    def refusals(self) -> Mapping[int, LogRefusesError]:
        """Return why logs sign nothing, by lane; those that sign are not in it."""
        return {
            number: refusal
            for number, kept in self._kept.items()
            if (refusal := kept.status.refusal) is not None
        }

    def must_be_witnessed(self, stream: str) -> None:
        """Check that nothing in the lane of a stream has waited too long for its witnesses.

        Raises:
            LogUnwitnessedError: if something has.
        """
        kept = self._kept.get(lane_of(stream))
        if kept is None:
            return
        # What nobody has looked at may be as old as the last look.
        seconds = max(kept.status.unwitnessed_seconds, kept.status.unseen_seconds)
        if seconds > self._most_seconds:
            raise LogUnwitnessedError

    def _changed(self) -> None:
        self.on_change()

    def _at(self, lane: int) -> _Kept:
        kept = self._kept.get(lane)
        if kept is None:
            raise NotFoundError
        return kept


def _end(kept: _Kept) -> None:
    kept.keeper.stop()
    kept.witnesses.close()
