# SPDX-License-Identifier: Apache-2.0
"""What every use case on one citizen's vault begins and ends with.

Begins: whose vault, by which way, with which keyring: her own sign-in, or the code that she gave to
an official. Ends: the record, or the earlier one of the same `request_id`, which must have named
the same command. Whatever an official is shown of hers is recorded first.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec.structs import replace

from vault.application.approvals import Approvals, Signer, stopped_by
from vault.application.caller import NO_AGREEMENT
from vault.application.commands import (
    Particulars,
    command_digest,
    must_be_same,
    sealed_particulars,
)
from vault.application.keyrings import ASSISTANCE
from vault.domain import vault
from vault.domain.errors import NotFoundError, VaultNotOpenError
from vault.domain.protection import must_be_visible
from vault.domain.sign_in import is_open, must_be_admitted, must_have_waited
from vault.domain.state import VaultState, fold
from vault.domain.values import NO_APPROVAL, NO_REGISTRY, Acting, RegistryMark, Time
from vault.domain.vault import must_be_sound
from vault.store.command import Command, Decision, Recorded, SealedPayload

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from vault.application.caller import ActingFor, Agreement, Caller
    from vault.application.identifiers import Identifiers
    from vault.application.keyrings import Keyrings
    from vault.domain.events import Draft
    from vault.domain.evidence import Evidence
    from vault.domain.values import Approval, Stamp
    from vault.domain.vault import What
    from vault.sealing.keyring import Keyring
    from vault.sealing.keystore import Identity
    from vault.store.vaults import Vaults


STOP_SETTLES_SECONDS = 0.25
"""A stop is acknowledged so long after its COMMIT: what stood before it left, or never will."""


@dataclass(frozen=True, slots=True)
class Citizen:
    """A citizen at her own vault; `staff_ref` names the official who acts for her, "" if none.

    `caller` is who the credential says calls, where that is she.
    """

    vault_id: str
    acting: Acting
    staff_ref: str = ""
    caller: Caller | None = field(default=None, repr=False)

    @property
    def way(self) -> str:
        """Return the way by which she came, or the official who acts for her."""
        return self.acting.mandate if self.acting.capacity == "official" else self.acting.actor

    @property
    def issued(self) -> Time:
        """Return when her access token was issued; "" if she does not come by one."""
        return self.caller.issued if self.caller else Time("")

    @property
    def signed_in(self) -> Time:
        """Return when she last showed who she is; "" if nobody says."""
        return self.caller.signed_in if self.caller else Time("")

    @property
    def signer(self) -> Signer:
        """Return who is to approve what she decides."""
        if self.caller is None:
            return Signer(self.acting)
        return Signer(self.acting, self.caller.issuer, self.caller.sub)


@dataclass(frozen=True, slots=True)
class Decided:
    """A draft, and what goes beside it besides the particulars."""

    draft: Draft
    payloads: tuple[SealedPayload, ...] = ()
    registry: RegistryMark = NO_REGISTRY


class Desk:
    """Serves citizens at their own vaults, and officials at those of whom they help."""

    def __init__(
        self,
        vaults: Vaults,
        keyrings: Keyrings,
        identifiers: Identifiers,
        approvals: Approvals | None = None,
    ) -> None:
        self.vaults = vaults
        self.keyrings = keyrings
        self.identifiers = identifiers
        self.approvals = approvals or Approvals()

    async def citizen(self, caller: Caller, acting: ActingFor) -> Citizen:
        """Return the citizen that calls, or for whom an official does.

        Raises:
            VaultNotOpenError: if her sign-in leads to no vault.
            NotFoundError: if she names somebody else's, or the official's code leads nowhere.
        """
        if caller.role == "official":
            return await self._assisted(caller, acting)
        identity = await self.keyrings.identity(caller)
        who = acting.as_herself(identity.sign_in_id, identity.vault_id)
        return Citizen(vault_id=identity.vault_id, acting=who, caller=caller)

    async def claim(self, caller: Caller, vault_id: str) -> Identity:
        """Store that a sign-in leads to a vault, unless it leads to one; return what stands."""
        last = await self.keyrings.find_identity(caller)
        if last is None:
            return await self.keyrings.claim_identity(caller, vault_id)
        state = await self.vaults.current(last.vault_id, fold)
        if _leads(last, state):
            return last
        # Of this very linking, which is under way, or broke off before it was recorded.
        if last.vault_id == vault_id and state and last.sign_in_id not in state.sign_ins:
            return last
        return await self.keyrings.lead_on(last, vault_id)

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
            VaultNotOpenError: if it was claimed but never opened, or her way to it is closed.
            NotFoundError: if the official's is.
            SignedOutError: if she signed out everywhere since.
        """
        state = await self.vaults.current(citizen.vault_id, fold)
        opened = vault.must_be_open(state)
        must_be_admitted(opened, citizen.acting, citizen.issued)
        return opened

    async def standing(self, caller: Caller) -> Identity | None:
        """Return the vault and sign-in of a citizen; None if hers leads to none (any more)."""
        last = await self.keyrings.find_identity(caller)
        if last is None:
            return None
        return last if _leads(last, await self.vaults.current(last.vault_id, fold)) else None

    async def shown(self, citizen: Citizen, what: What) -> VaultState:
        """Return what is true of her vault, to be shown: to anybody but herself, recorded first.

        Raises:
            VaultNotOpenError: if it was claimed but never opened.
            NotFoundError: if the official's way to it is closed.
        """
        state = await self.state(citizen)
        if citizen.acting.capacity == "self":
            return state

        async def decide(state: VaultState | None, stamp: Stamp) -> Decided:
            del state
            return Decided(draft=vault.read(stamp, what))

        look = Particulars(digest=command_digest("Read", what))
        await self.record(citizen, "", look, decide)
        return await self.state(citizen)

    def must_have_waited(self, citizen: Citizen, state: VaultState) -> None:
        """Check that what is shown next may be decided by whoever acts, now.

        Raises:
            SignInTooNewError: if they come by a sign-in that still waits.
        """
        must_have_waited(state, citizen.acting, self.vaults.clock.now())

    def must_be_visible(self, citizen: Citizen, *pieces: Evidence) -> None:
        """Check that the values of pieces of evidence may be shown, now.

        Raises:
            CapacityNotAllowedError, FreshSignInRequiredError: if one is protected.
        """
        for piece in pieces:
            now = self.vaults.clock.now()
            must_be_visible(piece, citizen.acting, citizen.signed_in, now)

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

    async def found(
        self, citizen: Citizen, request_key: str, draft: Callable[[Stamp], Draft]
    ) -> Recorded:
        """Record what brings her vault, or a way to it, into being; a retry finds it there."""
        history_key = (await self.keyring(citizen)).history
        said = Particulars(digest=command_digest("OpenVault"), staff_ref=citizen.staff_ref)
        beside = sealed_particulars(history_key, citizen.vault_id, said)

        async def decide(state: VaultState | None, stamp: Stamp) -> Decision:
            if state is not None:
                must_have_waited(must_be_sound(state), citizen.acting, stamp.time)
            return Decision(draft=draft(stamp), payloads=(beside,))

        command = Command(stream=citizen.vault_id, acting=citizen.acting, request_key=request_key)
        return await self.vaults.execute(command, fold, decide)

    async def record(
        self,
        citizen: Citizen,
        request_key: str,
        particulars: Particulars,
        decide: Callable[[VaultState | None, Stamp], Awaitable[Decided]],
        *,
        stops: bool = False,
        agreement: Agreement | None = None,
        has_waited: bool = False,
        deadline: float | None = None,
    ) -> Recorded:
        """Record what is decided in her vault, with the command's particulars sealed beside it.

        Args:
            stops: it is a stop, which leads, needs no proof, and is possible on a broken history.
            agreement: what shows that it is her decision; None where none of hers is needed.
            has_waited: not by a sign-in that still waits; nor is what needs her agreement.

        Raises:
            RequestIdReusedError: if the `request_id` named another command before.
            FieldInvalidError: if the agreement does not fit who acts.
            ApprovalRequiredError, ApprovalInvalidError: if it does not show that it is hers.
            NotFoundError, VaultNotOpenError: if the way to her vault is closed.
            SignedOutError: if she signed out everywhere since.
            SignInTooNewError: if it lets something out, by a sign-in that still waits.
        """
        history_key = (await self.keyring(citizen)).history
        said = replace(particulars, staff_ref=citizen.staff_ref or particulars.staff_ref)
        beside = sealed_particulars(history_key, citizen.vault_id, said)
        if agreement is not None:
            self.approvals.check_kind(citizen.acting, agreement, is_stop=stops)

        async def approved(
            decided: Decided, state: VaultState | None
        ) -> tuple[Approval, tuple[SealedPayload, ...]]:
            if stops:
                said_so = agreement or NO_AGREEMENT
                return stopped_by(citizen.acting, said_so, history_key, citizen.vault_id)
            if agreement is None:
                return NO_APPROVAL, ()
            return await self.approvals.approve(
                citizen.signer,
                agreement,
                decided.draft,
                state,
                history_key=history_key,
                stream=citizen.vault_id,
            )

        async def decide_with_particulars(state: VaultState | None, stamp: Stamp) -> Decision:
            if state is not None:
                must_be_admitted(state, citizen.acting, citizen.issued)
                if has_waited or (agreement is not None and not stops):
                    must_have_waited(state, citizen.acting, stamp.time)
            # Stopping must be possible whatever became of the history before it.
            decided = await decide(state if stops else must_be_sound(state), stamp)
            approval, proof = await approved(decided, state)
            return Decision(
                draft=decided.draft,
                payloads=(*decided.payloads, beside, *proof),
                approval=approval,
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

    async def settled(self, stream: str, version: int, committed: float = 0.0) -> None:
        """Return when nothing permitted before a stop can still leave, nor ever be brought back.

        Args:
            stream: where it stopped; no copy of it that ends before `version` is used again.
            committed: when, on the monotonic clock; 0: at the latest now.
        """
        clock = self.vaults.clock
        until = (committed or clock.monotonic()) + STOP_SETTLES_SECONDS
        await self.keyrings.raise_floor(stream, version)
        await asyncio.sleep(max(0.0, until - clock.monotonic()))

    async def _assisted(self, caller: Caller, acting: ActingFor) -> Citizen:
        acting.must_be_officials()
        found = await self.keyrings.find_code(ASSISTANCE, acting.assistance_code)
        actor = self.identifiers.pseudonym(caller.issuer, caller.sub)
        who = acting.as_official(actor, found.sign_in_id, found.vault_id)
        return Citizen(vault_id=found.vault_id, acting=who, staff_ref=caller.sub)


def _leads(identity: Identity, state: VaultState | None) -> bool:
    """Say whether a way is open. A vault that is not opened yet is hers to open."""
    return state is None or is_open(state, identity.sign_in_id)
