# SPDX-License-Identifier: Apache-2.0
"""Opening a vault, the ways to it, and showing a citizen everything that happened in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vault.application.caller import Answer
from vault.application.commands import Particulars, command_digest
from vault.application.desk import Citizen, Decided
from vault.application.history import NEWEST, History
from vault.application.identifiers import new_vault_id
from vault.application.keyrings import ASSISTANCE
from vault.domain import sign_in, vault
from vault.domain.errors import NotFoundError
from vault.domain.state import VaultState, fold

if TYPE_CHECKING:
    from vault.application.caller import ActingFor, Caller
    from vault.application.desk import Desk
    from vault.application.history import Cursor, Page
    from vault.application.receipts import Receipts
    from vault.domain.values import Stamp
    from vault.store.command import Sizes


@dataclass(frozen=True, slots=True)
class Opened:
    """An open vault, and the code that she keeps; "" unless an official opened it."""

    state: VaultState
    assistance_code: str = ""


class CitizenVaults:
    """Vaults, for citizens."""

    def __init__(self, desk: Desk, receipts: Receipts) -> None:
        self._desk = desk
        self._receipts = receipts

    async def open(self, caller: Caller, acting: ActingFor, request_id: str = "") -> Answer[Opened]:
        """Open the caller's vault, or return the one that is open; an official's, one for each id.

        The sign-in leads to the vault before it is opened; a crash between is finished by a retry.
        """
        if caller.role == "official":
            return await self._open_for(caller, acting, request_id)
        # Refused before a row is stored: she may name no vault but the one that she has.
        standing = await self._desk.standing(caller)
        acting.as_herself("", standing.vault_id if standing else "")
        identity = standing or await self._desk.claim(caller, await self._new_vault_id())
        who = acting.as_herself(identity.sign_in_id, identity.vault_id)
        citizen = Citizen(vault_id=identity.vault_id, acting=who, caller=caller)
        await self._open(citizen)
        opened = Opened(state=await self._desk.state(citizen))
        return Answer(value=opened, sizes=await self._sizes(citizen), way=citizen.way)

    async def get(self, caller: Caller, acting: ActingFor) -> Answer[VaultState]:
        """Return the caller's vault."""
        citizen = await self._desk.citizen(caller, acting)
        sizes = await self._sizes(citizen)
        state = await self._desk.shown(citizen, "history")
        return Answer(value=state, sizes=sizes, way=citizen.way)

    async def create_assistance_code(
        self, caller: Caller, acting: ActingFor, request_id: str
    ) -> Answer[Opened]:
        """Make a code with which officials can act for her; a retry makes the same."""
        citizen = await self._desk.citizen(caller, acting)
        key = self._desk.request_key(citizen, "CreateAssistanceCode", request_id)
        await self._desk.state(citizen)
        code = self._desk.identifiers.assistance_code(key)
        way = await self._desk.keyrings.add_code(ASSISTANCE, code, citizen.vault_id)
        await self._link(citizen, key, way.sign_in_id)
        state = await self._desk.state(citizen)
        opened = Opened(state=state, assistance_code=code)
        return Answer(value=opened, sizes=await self._sizes(citizen), way=citizen.way)

    async def unlink_sign_in(
        self, caller: Caller, acting: ActingFor, request_id: str, sign_in_id: str
    ) -> Answer[VaultState]:
        """Close a way to her vault, perhaps the one by which the official came.

        Raises:
            NotFoundError: if there is no such way, or none any more.
            SignInTooNewError: if it is another than hers, and that still waits.
            LastSignInError: if it is the only one.
        """
        citizen = await self._desk.citizen(caller, acting)
        key = self._desk.request_key(citizen, "UnlinkSignIn", request_id)
        said = Particulars(digest=command_digest("UnlinkSignIn", sign_in_id))

        async def decide(state: VaultState | None, stamp: Stamp) -> Decided:
            return Decided(draft=sign_in.unlink(state, stamp, citizen.acting, sign_in_id))

        recorded = await self._desk.record(citizen, key, said, decide, stops=True)
        link = recorded.event.link
        await self._desk.settled(link.stream, link.version, recorded.committed)
        if sign_in_id in {citizen.acting.mandate, citizen.acting.actor}:
            # The way by which she or the official came is closed: this is the last that they see.
            state = vault.must_be_open(await self._desk.vaults.current(citizen.vault_id, fold))
        else:
            state = await self._desk.state(citizen)
        return Answer(value=state, sizes=recorded.sizes, way=citizen.way)

    async def history(
        self,
        caller: Caller,
        acting: ActingFor,
        *,
        before: Cursor = NEWEST,
        limit: int,
        only_disclosures: bool,
    ) -> Page:
        """Return lines of history, newest first.

        Args:
            before: where the page before ended.
        """
        citizen = await self._desk.citizen(caller, acting)
        state = await self._desk.shown(citizen, "history")
        history = History(
            self._desk.vaults,
            self._receipts,
            (self._desk.identifiers.audit_stream, self._desk.identifiers.operations_stream),
            state,
            (await self._desk.keyring(citizen)).history,
        )
        return await history.page(before, limit, only_disclosures=only_disclosures)

    async def _open_for(self, caller: Caller, acting: ActingFor, request_id: str) -> Answer[Opened]:
        """Open a vault for somebody who has no sign-in, and make the code that she keeps."""
        identifiers = self._desk.identifiers
        actor = identifiers.pseudonym(caller.issuer, caller.sub)
        acting.must_be_officials()
        if acting.vault_id or acting.mandate_id or acting.assistance_code:
            raise NotFoundError
        code = identifiers.assistance_code(identifiers.request_key(actor, "OpenVault", request_id))
        way = await self._desk.keyrings.add_code(ASSISTANCE, code, await self._new_vault_id())
        who = acting.as_official(actor, way.sign_in_id, way.vault_id)
        citizen = Citizen(vault_id=way.vault_id, acting=who, staff_ref=caller.sub)
        await self._open(citizen)
        key = self._desk.request_key(citizen, "OpenVault/code", "")
        await self._link(citizen, key, way.sign_in_id)
        opened = Opened(state=await self._desk.state(citizen), assistance_code=code)
        return Answer(value=opened, sizes=await self._sizes(citizen), way=citizen.way)

    async def _open(self, citizen: Citizen) -> None:
        """Open a vault, unless it is open."""
        await self._desk.keyrings.change(citizen.vault_id, lambda keyring: keyring)
        state = await self._desk.vaults.current(citizen.vault_id, fold)
        if state is None:
            key = self._desk.request_key(citizen, "OpenVault", "")
            await self._desk.found(citizen, key, vault.open_vault)

    async def _link(self, citizen: Citizen, key: str, sign_in_id: str) -> None:
        await self._desk.found(citizen, key, lambda stamp: sign_in.hand_out(stamp, sign_in_id))

    async def _sizes(self, citizen: Citizen) -> Sizes:
        return await self._desk.vaults.sizes(citizen.vault_id)

    async def _new_vault_id(self) -> str:
        """Draw the id of a vault in one of the lanes that take new ones."""
        return new_vault_id(await self._desk.vaults.lane_for_new())
