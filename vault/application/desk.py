# SPDX-License-Identifier: Apache-2.0
"""What every use case on a citizen's own vault begins and ends with.

Begins: whose vault, under which sign-in, with which keyring. Ends: the record, or the earlier one
of the same `request_id`, which must have named the same command.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vault.application.commands import Particulars, must_be_same, sealed_particulars
from vault.domain.errors import NotFoundError, VaultNotOpenError
from vault.domain.state import VaultState, fold
from vault.domain.values import NO_APPROVAL, NO_REGISTRY, Acting, Approval, RegistryMark
from vault.domain.vault import must_be_sound
from vault.store.vaults import Command, Decision, Recorded, SealedPayload

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from vault.application.caller import ActingFor, Caller
    from vault.application.identifiers import Identifiers
    from vault.application.keyrings import Keyrings
    from vault.domain.events import Draft
    from vault.domain.values import Stamp
    from vault.sealing.keyring import Keyring
    from vault.store.vaults import Vaults


@dataclass(frozen=True, slots=True)
class Citizen:
    """A citizen at her own vault."""

    vault_id: str
    acting: Acting


@dataclass(frozen=True, slots=True)
class Decided:
    """A draft, and what goes beside it besides the particulars."""

    draft: Draft
    payloads: tuple[SealedPayload, ...] = ()
    registry: RegistryMark = NO_REGISTRY
    approval: Approval = NO_APPROVAL


class Desk:
    """Serves citizens at their own vaults."""

    def __init__(self, vaults: Vaults, keyrings: Keyrings, identifiers: Identifiers) -> None:
        self.vaults = vaults
        self.keyrings = keyrings
        self.identifiers = identifiers

    async def citizen(self, caller: Caller, acting: ActingFor) -> Citizen:
        """Return the citizen that calls.

        Raises:
            VaultNotOpenError: if her sign-in leads to no vault.
            NotFoundError: if she names somebody else's.
        """
        identity = await self.keyrings.identity(caller)
        who = acting.as_herself(identity.sign_in_id, identity.vault_id)
        return Citizen(vault_id=identity.vault_id, acting=who)

    async def keyring(self, citizen: Citizen) -> Keyring:
        """Return her keyring.

        Raises:
            VaultNotOpenError: if her vault was claimed but never opened.
        """
        try:
            return await self.keyrings.of(citizen.vault_id)
        except NotFoundError:
            raise VaultNotOpenError from None

    async def state(self, citizen: Citizen) -> VaultState:
        """Return what is true of her vault at the committed head.

        Raises:
            VaultNotOpenError: if it was claimed but never opened.
        """
        state = await self.vaults.current(citizen.vault_id, fold)
        if state is None or not state.open_time:
            raise VaultNotOpenError
        return state

    def request_key(self, citizen: Citizen, method: str, request_id: str) -> str:
        """Return the key of a command of hers."""
        return self.identifiers.request_key(citizen.vault_id, method, request_id)

    async def earlier(
        self, citizen: Citizen, request_key: str, expected_digest: str
    ) -> Recorded | None:
        """Return the record that an earlier call of the same command made, if any.

        Raises:
            RequestIdReusedError: if the `request_id` named another command before.
        """
        recorded = await self.vaults.recorded(citizen.vault_id, request_key)
        if recorded is not None:
            history_key = (await self.keyring(citizen)).history
            await must_be_same(self.vaults, recorded, expected_digest, history_key)
        return recorded

    async def record(
        self,
        citizen: Citizen,
        request_key: str,
        particulars: Particulars,
        decide: Callable[[VaultState | None, Stamp], Awaitable[Decided]],
        *,
        stops: bool = False,
        deadline: float | None = None,
    ) -> Recorded:
        """Record what is decided in her vault, with the command's particulars sealed beside it.

        Raises:
            RequestIdReusedError: if the `request_id` named another command before.
        """
        history_key = (await self.keyring(citizen)).history
        beside = sealed_particulars(history_key, citizen.vault_id, particulars)

        async def decide_with_particulars(state: VaultState | None, stamp: Stamp) -> Decision:
            # Stopping must be possible whatever became of the history before it.
            decided = await decide(state if stops else must_be_sound(state), stamp)
            return Decision(
                draft=decided.draft,
                payloads=(*decided.payloads, beside),
                approval=decided.approval,
                registry=decided.registry,
            )

        command = Command(
            stream=citizen.vault_id,
            acting=citizen.acting,
            request_key=request_key,
            leads=stops,
            deadline=deadline,
        )
        recorded = await self.vaults.execute(command, fold, decide_with_particulars)
        if recorded.is_repeat:
            await must_be_same(self.vaults, recorded, particulars.digest, history_key)
        return recorded
