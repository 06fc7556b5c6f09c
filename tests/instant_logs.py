# SPDX-License-Identifier: Apache-2.0
"""Logs for tests, signed where they stand: the tree of all that a lane holds, whenever asked.

No files, no witnesses, no waiting: what `vault.log` publishes, without its care.
"""

from __future__ import annotations

from typing import Final

from vault.domain.errors import DeadlinePassedError
from vault.log.logs import Checkpoint
from vault.store.record import leaf_of
from vault.store.vaults import Vaults
from vault.transparency import checkpoint
from vault.transparency.note import Note, Signer
from vault.transparency.proof import InclusionProof
from vault.transparency.tree import levels_of, path_of

SEED: Final = bytes(range(32))
WHOLE: Final = 1_000_000


class SignedLogs:
    """Signs the logs of the lanes of a store. `is_late`: no checkpoint covers anything."""

    def __init__(self, vaults: Vaults, seed: bytes = SEED) -> None:
        self._vaults = vaults
        self._seed = seed
        self.is_late = False

    def log_key(self, lane: int) -> str:
        """Return the key of a log."""
        return Signer(self._vaults.lanes[lane].origin, self._seed).verifier.vkey

    async def of(self, lane: int, leaf_index: int, leaf_hash: bytes, deadline: float) -> str:
        """Return a proof of inclusion."""
        del deadline
        if self.is_late:
            raise DeadlinePassedError
        leaves = await self._leaves(lane)
        assert leaves[leaf_index] == leaf_hash
        path = path_of(levels_of(leaves), leaf_index)
        return InclusionProof(leaf_index, path, self._note(lane, leaves)).encode().decode()

    async def checkpoint(self, lane: int) -> Checkpoint:
        """Return the newest checkpoint."""
        note = self._note(lane, await self._leaves(lane))
        return Checkpoint(note=note.encode().decode(), log_key=self.log_key(lane))

    async def _leaves(self, lane: int) -> list[bytes]:
        records = await self._vaults.lanes[lane].range(0, WHOLE, limit=WHOLE)
        return [leaf_of(record.entry) for record in records]

    def _note(self, lane: int, leaves: list[bytes]) -> Note:
        (root,) = levels_of(leaves)[-1]
        signer = Signer(self._vaults.lanes[lane].origin, self._seed)
        body = checkpoint.Checkpoint(signer.verifier.name, len(leaves), root).body()
        return Note(body, (signer.sign(body),))
