# SPDX-License-Identifier: Apache-2.0
"""Audits: history exactly as stored, and what was true at any place in it.

Pseudonyms and digests only: a payload is never opened here. Every look at one vault is an event in
it, recorded before anything is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vault.application.commands import Particulars, command_digest, sealed_particulars
from vault.domain import vault
from vault.domain.errors import HistoryBrokenError, NotFoundError, TokenInvalidError
from vault.domain.state import VaultState, fold
from vault.domain.values import Acting
from vault.store.vaults import Command, Decision, event_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from vault.application.caller import Caller
    from vault.application.desk import Desk
    from vault.domain.values import Stamp
    from vault.store.append import StoredRecord

CHUNK = 500


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """The tree size up to which everything was sent, and how many records that was."""

    tree_size: int
    count: int


class Audits:
    """Replays history, for auditors."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def replay_vault(
        self,
        caller: Caller,
        vault_id: str,
        *,
        as_of: int | None,
        after_version: int,
        case_ref: str,
    ) -> AsyncIterator[StoredRecord | CaughtUp]:
        """Yield the records of one vault, oldest first, then where that ends.

        Args:
            as_of: a tree size; None: the head, this look included.

        Raises:
            NotFoundError: if there is no such vault.
        """
        await self._record_look(caller, vault_id, case_ref)
        async for item in self._replay(vault_id, as_of, after_version):
            yield item

    async def replay_registry(
        self, *, as_of: int | None, after_version: int
    ) -> AsyncIterator[StoredRecord | CaughtUp]:
        """Yield the records of the registry, oldest first, then where that ends."""
        stream = self._desk.identifiers.registry_stream
        async for item in self._replay(stream, as_of, after_version):
            yield item

    async def state(
        self, caller: Caller, vault_id: str, *, as_of: int | None, case_ref: str
    ) -> VaultState:
        """Return what was true of one vault at a place in history.

        Raises:
            NotFoundError: if there was no such vault then.
        """
        await self._record_look(caller, vault_id, case_ref)
        tree_size = await self._tree_size(as_of)
        state = await self._desk.vaults.as_of(vault_id, fold, tree_size)
        if state is None:
            raise NotFoundError
        return state

    async def _replay(
        self, stream: str, as_of: int | None, after_version: int
    ) -> AsyncIterator[StoredRecord | CaughtUp]:
        tree_size = await self._tree_size(as_of)
        # No version is larger; a number that is may be larger than a database can compare.
        after_version = min(after_version, tree_size)
        count = 0
        while True:
            records = await self._desk.vaults.records(
                stream, after_version=after_version, below_position=tree_size, limit=CHUNK
            )
            for record in records:
                yield record
            count += len(records)
            if len(records) < CHUNK:
                break
            after_version = records[-1].version
        yield CaughtUp(tree_size=tree_size, count=count)

    async def _tree_size(self, as_of: int | None) -> int:
        """Return the tree size to stop at: a place that this history has reached."""
        reached = await self._desk.vaults.tree_size()
        if as_of is not None and as_of > reached:
            # Ours, but of a history that was longer: this one was restored from a backup.
            raise TokenInvalidError("as_of_token")
        return reached if as_of is None else as_of

    async def _record_look(self, caller: Caller, vault_id: str, case_ref: str) -> None:
        """Record that an auditor looks, unless the history is too broken to be appended to.

        Then the look is shown all the same: to refuse would hide what was done to the history.
        """
        try:
            await self._must_be_vault(vault_id)
            state = await self._desk.vaults.current(vault_id, fold)
        except HistoryBrokenError:
            return
        if state is None or not state.open_time:
            return
        keyring = await self._desk.keyrings.of(vault_id)
        expected = command_digest("AuditRead", case_ref)
        particulars = Particulars(digest=expected, case_ref=case_ref)
        beside = sealed_particulars(keyring.history, vault_id, particulars)

        async def decide(state: VaultState | None, stamp: Stamp) -> Decision:
            del state
            return Decision(draft=vault.read(stamp, "history"), payloads=(beside,))

        actor = self._desk.identifiers.pseudonym(caller.issuer, caller.sub)
        acting = Acting(actor=actor, capacity="auditor", mandate="", channel="api")
        await self._desk.vaults.execute(Command(stream=vault_id, acting=acting), fold, decide)

    async def _must_be_vault(self, stream: str) -> None:
        """Refuse a stream of another kind: a look is an event of vaults alone.

        Raises:
            NotFoundError: if there is no such vault.
            HistoryBrokenError: if its first record cannot be read.
        """
        first = await self._desk.vaults.records(stream, limit=1)
        if not first:
            raise NotFoundError
        event = event_of(first[0])
        if event and event.link.version == 1 and not isinstance(event.facts, vault.VaultOpened):
            raise NotFoundError
