# SPDX-License-Identifier: Apache-2.0
"""Letting another sign-in of hers in, and signing out everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vault.application.caller import Answer
from vault.application.commands import Particulars, command_digest, must_be_same, sealed_particulars
from vault.application.desk import Decided
from vault.application.keyrings import LINK_CODE
from vault.domain import sign_in
from vault.domain.canonical import digest
from vault.domain.choice import Shown
from vault.domain.errors import ApprovalRequiredError, LinkCodeEndedError, SignInHasVaultError
from vault.domain.sign_in import GOOD_SECONDS, LinkCodeCreated
from vault.domain.state import VaultState, fold
from vault.domain.values import later
from vault.domain.vault import must_be_open
from vault.store.command import Command, Decision, new_salt

if TYPE_CHECKING:
    from vault.application.approvals import Challenge
    from vault.application.caller import ActingFor, Agreement, Caller
    from vault.application.desk import Desk
    from vault.domain.values import Stamp, Time


@dataclass(frozen=True, slots=True)
class LinkCodePreview:
    """What must be shown before another sign-in is let in, and what has to be signed."""

    wait_seconds: int
    shown: Shown
    shown_bytes: bytes
    shown_hash: str
    challenge: Challenge
    good_seconds: int = GOOD_SECONDS


@dataclass(frozen=True, slots=True)
class MadeLinkCode:
    """A code, until when it is good, and how long the sign-in that is linked with it waits."""

    code: str
    expires: Time
    wait_seconds: int


class SignIns:
    """Keeps citizens' sign-ins."""

    def __init__(self, desk: Desk, wait_seconds: int) -> None:
        """Keep them; `wait_seconds`: how long one that is linked from now on waits."""
        self._desk = desk
        self._wait_seconds = wait_seconds

    async def preview(self, caller: Caller, acting: ActingFor) -> Answer[LinkCodePreview]:
        """Return what must be shown before another sign-in is let in.

        Raises:
            CapacityNotAllowedError: if an official does not have her at the counter.
            SignInTooNewError: if she comes by a sign-in that still waits.
        """
        citizen = await self._desk.citizen(caller, acting)
        state = await self._desk.state(citizen)
        # One page makes one code, so that it comes after whatever stands.
        earliest = later(state.last_time, microseconds=1)
        shown = Shown(time=max(self._desk.vaults.clock.now(), earliest), salt=new_salt())
        page = sign_in.shown_link_code(state, citizen.acting, self._wait_seconds, shown)
        preview = LinkCodePreview(
            wait_seconds=self._wait_seconds,
            shown=shown,
            shown_bytes=page,
            shown_hash=digest(page),
            challenge=self._desk.approvals.challenge(citizen.acting, state, LinkCodeCreated, page),
        )
        return Answer(value=preview, sizes=await self._desk.vaults.sizes(citizen.vault_id))

    async def create_link_code(
        self,
        caller: Caller,
        acting: ActingFor,
        request_id: str,
        *,
        shown: Shown,
        shown_hash: str,
        agreement: Agreement,
    ) -> Answer[MadeLinkCode]:
        """Make a code with which another sign-in is let in; a retry makes the same.

        Raises:
            CapacityNotAllowedError: if an official does not have her at the counter.
            SignInTooNewError: if she comes by a sign-in that still waits.
            ApprovalRequiredError: if nothing but her sign-in shows that it is hers.
            ApprovalInvalidError: if the proof does not.
            ShownDiffersError: if what was shown is not what would be made.
        """
        citizen = await self._desk.citizen(caller, acting)
        if citizen.acting.capacity == "self" and agreement.kind in {"", "session"}:
            raise ApprovalRequiredError
        key = self._desk.request_key(citizen, "CreateLinkCode", request_id)
        said = Particulars(digest=command_digest("CreateLinkCode", shown, shown_hash))
        await self._desk.state(citizen)
        code = self._desk.identifiers.link_code(key)
        # Named by its row, which is durable first: without the event it opens nothing.
        named = await self._desk.keyrings.add_code(LINK_CODE, code, citizen.vault_id)
        wait_seconds = self._wait_seconds

        async def decide(state: VaultState | None, stamp: Stamp) -> Decided:
            draft = sign_in.create_link_code(
                state,
                stamp,
                citizen.acting,
                link_code=named.sign_in_id,
                wait_seconds=wait_seconds,
                shown=shown,
                shown_hash=shown_hash,
            )
            return Decided(draft=draft)

        recorded = await self._desk.record(citizen, key, said, decide, agreement=agreement)
        made = (await self._desk.state(citizen)).link_codes[named.sign_in_id]
        value = MadeLinkCode(code=code, expires=made.expires, wait_seconds=made.wait_seconds)
        return Answer(value=value, sizes=recorded.sizes)

    async def link(
        self, caller: Caller, acting: ActingFor, request_id: str, code: str
    ) -> Answer[VaultState]:
        """Link the caller's sign-in to the vault whose owner made a code, unless it leads there.

        Where it leads is stored before it is recorded; until then it is not admitted.

        Raises:
            NotFoundError: if the code leads nowhere.
            LinkCodeEndedError: if it was used, is too old, or she stopped it.
            SignInHasVaultError: if the sign-in leads to another vault.
        """
        acting.as_herself("", "")
        named = await self._desk.keyrings.find_code(LINK_CODE, code)
        actor = self._desk.identifiers.pseudonym(caller.issuer, caller.sub)
        key = self._desk.identifiers.request_key(actor, "LinkSignIn", request_id)
        expected = command_digest("LinkSignIn", named.sign_in_id)
        history_key = (await self._desk.keyrings.of(named.vault_id)).history

        async def was_linked() -> bool:
            earlier = await self._desk.vaults.recorded(named.vault_id, key)
            if earlier is not None:
                await must_be_same(self._desk.vaults, earlier, expected, history_key)
            return earlier is not None

        standing = await self._desk.standing(caller)
        if await was_linked():
            return await self._linked(caller, acting)
        if standing is not None and standing.vault_id == named.vault_id:
            return await self._linked(caller, acting)
        # Refused before a row is stored.
        state = await self._desk.vaults.current(named.vault_id, fold)
        try:
            sign_in.must_be_good(state, named.sign_in_id, self._desk.vaults.clock.now())
        except LinkCodeEndedError:
            # Perhaps by the same command, which was under way.
            if not await was_linked():
                raise
            return await self._linked(caller, acting)
        identity = await self._desk.claim(caller, named.vault_id)
        if identity.vault_id != named.vault_id:
            raise SignInHasVaultError
        beside = sealed_particulars(history_key, named.vault_id, Particulars(digest=expected))

        async def decide(state: VaultState | None, stamp: Stamp) -> Decision:
            draft = sign_in.link(state, stamp, identity.sign_in_id, named.sign_in_id)
            return Decision(draft=draft, payloads=(beside,))

        who = acting.as_herself(identity.sign_in_id, identity.vault_id)
        command = Command(stream=named.vault_id, acting=who, request_key=key)
        await self._desk.vaults.execute(command, fold, decide)
        return await self._linked(caller, acting)

    async def _linked(self, caller: Caller, acting: ActingFor) -> Answer[VaultState]:
        citizen = await self._desk.citizen(caller, acting)
        state = await self._desk.state(citizen)
        sizes = await self._desk.vaults.sizes(citizen.vault_id)
        return Answer(value=state, sizes=sizes, way=citizen.way)

    async def sign_out(self, caller: Caller, acting: ActingFor, request_id: str) -> Answer[Time]:
        """Sign her out everywhere, and return since when what was issued before is refused.

        Raises:
            SignInTooNewError: if a sign-in that still waits does so once more.
        """
        citizen = await self._desk.citizen(caller, acting)
        key = self._desk.request_key(citizen, "SignOutEverywhere", request_id)
        said = Particulars(digest=command_digest("SignOutEverywhere"))

        async def decide(state: VaultState | None, stamp: Stamp) -> Decided:
            opened = must_be_open(state)
            return Decided(draft=sign_in.sign_out(opened, stamp, citizen.acting))

        recorded = await self._desk.record(citizen, key, said, decide, stops=True)
        link = recorded.event.link
        await self._desk.settled(link.stream, link.version, recorded.committed)
        return Answer(value=recorded.event.facts.time, sizes=recorded.sizes)
