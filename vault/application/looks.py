# SPDX-License-Identifier: Apache-2.0
"""Looks at one vault: a citizen's at her own; an auditor's at any, recorded in it first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vault.application.caller import ActingFor
from vault.application.commands import Particulars, command_digest, sealed_particulars
from vault.domain import vault
from vault.domain.errors import HistoryBrokenError, NotFoundError, VaultNotOpenError
from vault.domain.state import VaultState, fold
from vault.domain.values import Acting
from vault.store.command import Command, Decision
from vault.store.record import event_of

if TYPE_CHECKING:
    from vault.application.caller import Caller
    from vault.application.desk import Desk
    from vault.domain.values import Stamp


class Looks:
    """Lets citizens and auditors look."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def look(self, caller: Caller, vault_id: str, case_ref: str) -> None:
        """Let a citizen look at her own vault, and record an auditor's look.

        Raises:
            NotFoundError: if it is not there, or not hers.
        """
        if caller.role == "citizen":
            await self.acting_of(caller, vault_id)
        else:
            await self._record(caller, vault_id, case_ref)

    async def acting_of(self, caller: Caller, vault_id: str) -> Acting:
        """Return how an event in a vault says who looks: she herself, or an auditor.

        Raises:
            NotFoundError: if it is not there, or not hers.
            SignedOutError: if she signed out everywhere since.
            HistoryBrokenError: if its first record cannot be read.
        """
        if caller.role != "citizen":
            await self._must_be_vault(vault_id)
            return self.auditor(caller)
        try:
            citizen = await self._desk.citizen(caller, ActingFor(vault_id=vault_id))
            await self._desk.state(citizen)
        except VaultNotOpenError:
            raise NotFoundError from None
        return citizen.acting

    def auditor(self, caller: Caller) -> Acting:
        """Return how events name an auditor."""
        actor = self._desk.identifiers.pseudonym(caller.issuer, caller.sub)
        return Acting(actor=actor, capacity="auditor", mandate="", channel="api")

    async def _record(self, caller: Caller, vault_id: str, case_ref: str) -> None:
        """Record that an auditor looks, unless the history is too broken to be appended to.

        Then the look is shown all the same: to refuse would hide what was done to the history.
        """
        try:
            acting = await self.acting_of(caller, vault_id)
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
