# SPDX-License-Identifier: Apache-2.0
"""Her passkeys, with which she approves decisions: added under a step-up, removed without proof."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vault.application.caller import Answer
from vault.application.commands import Particulars, command_digest
from vault.application.desk import Decided
from vault.application.webauthn import check_public_key
from vault.domain import passkey
from vault.domain.canonical import b64, digest
from vault.domain.choice import Shown
from vault.domain.errors import ApprovalRequiredError, FieldInvalidError, NotFoundError
from vault.domain.passkey import NewPasskey, Passkey, PasskeyAdded
from vault.domain.state import VaultState, fold
from vault.domain.vault import must_be_open
from vault.store.command import new_salt

if TYPE_CHECKING:
    from vault.application.approvals import Challenge
    from vault.application.caller import ActingFor, Agreement, Caller
    from vault.application.desk import Desk
    from vault.domain.passkey import Algorithm
    from vault.domain.values import Stamp


@dataclass(frozen=True, slots=True)
class Offered:
    """A passkey as her page makes it: its credential and SubjectPublicKeyInfo."""

    credential: bytes
    algorithm: Algorithm
    public_key: bytes


@dataclass(frozen=True, slots=True)
class PasskeyPreview:
    """What must be shown before a passkey is added, and what has to be signed."""

    key: NewPasskey
    shown: Shown
    shown_bytes: bytes
    shown_hash: str
    challenge: Challenge


class PasskeyKeeper:
    """Keeps citizens' passkeys."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def preview(
        self, caller: Caller, acting: ActingFor, offered: Offered
    ) -> Answer[PasskeyPreview]:
        """Return what must be shown before a passkey is added.

        Raises:
            FieldInvalidError: if passkeys are not accepted here, or not this one.
            SignInTooNewError: if she comes by a sign-in that still waits.
        """
        key = self._checked(offered)
        citizen = await self._desk.citizen(caller, acting)
        state = await self._desk.state(citizen)
        self._desk.must_have_waited(citizen, state)
        shown = Shown(time=max(self._desk.vaults.clock.now(), state.last_time), salt=new_salt())
        page = passkey.shown_passkey(state, key, shown)
        preview = PasskeyPreview(
            key=key,
            shown=shown,
            shown_bytes=page,
            shown_hash=digest(page),
            challenge=self._desk.approvals.challenge(citizen.acting, state, PasskeyAdded, page),
        )
        return Answer(value=preview, sizes=await self._desk.vaults.sizes(citizen.vault_id))

    async def add(
        self,
        caller: Caller,
        acting: ActingFor,
        request_id: str,
        *,
        offered: Offered,
        shown: Shown,
        shown_hash: str,
        agreement: Agreement,
    ) -> Answer[Passkey]:
        """Add a passkey exactly as it was shown, with her provider's signature under it.

        Raises:
            FieldInvalidError: if passkeys are not accepted here, or not this one.
            ApprovalRequiredError: if the proof is another than a step-up.
            ApprovalInvalidError: if the proof does not show that it is hers.
            ShownDiffersError: if what was shown is not what would be added.
        """
        key = self._checked(offered)
        citizen = await self._desk.citizen(caller, acting)
        if agreement.kind != "oidc-step-up":
            raise ApprovalRequiredError
        request_key = self._desk.request_key(citizen, "AddPasskey", request_id)
        passkey_id = self._desk.identifiers.passkey_id(request_key)
        said = Particulars(digest=command_digest("AddPasskey", key, shown, shown_hash))

        async def decide(state: VaultState | None, stamp: Stamp) -> Decided:
            draft = passkey.add_passkey(
                state,
                stamp,
                passkey_id=passkey_id,
                key=key,
                shown=shown,
                shown_hash=shown_hash,
            )
            return Decided(draft=draft)

        recorded = await self._desk.record(citizen, request_key, said, decide, agreement=agreement)
        state = await self._desk.state(citizen)
        return Answer(value=_found(state, passkey_id), sizes=recorded.sizes)

    async def remove(
        self, caller: Caller, acting: ActingFor, request_id: str, passkey_id: str
    ) -> Answer[Passkey]:
        """Remove a passkey.

        Raises:
            NotFoundError: if there is no such passkey, or none any more.
        """
        citizen = await self._desk.citizen(caller, acting)
        key = self._desk.request_key(citizen, "RemovePasskey", request_id)
        said = Particulars(digest=command_digest("RemovePasskey", passkey_id))

        async def decide(state: VaultState | None, stamp: Stamp) -> Decided:
            return Decided(draft=passkey.remove_passkey(state, stamp, passkey_id))

        recorded = await self._desk.record(citizen, key, said, decide, stops=True)
        link = recorded.event.link
        await self._desk.settled(link.stream, link.version, recorded.committed)
        state = must_be_open(await self._desk.vaults.current(citizen.vault_id, fold))
        return Answer(value=_found(state, passkey_id), sizes=recorded.sizes)

    async def list(self, caller: Caller, acting: ActingFor) -> tuple[Passkey, ...]:
        """Return her passkeys, oldest first, those that were removed among them."""
        citizen = await self._desk.citizen(caller, acting)
        state = await self._desk.shown(citizen, "history")
        return tuple(state.passkeys.values())

    def _checked(self, offered: Offered) -> NewPasskey:
        mine = self._desk.approvals.passkeys
        if mine is None:
            raise FieldInvalidError("credential", "Passkeys are not accepted here.")
        check_public_key(offered.algorithm, offered.public_key)
        return NewPasskey(
            credential=b64(offered.credential),
            algorithm=offered.algorithm,
            public_key=b64(offered.public_key),
            rp_id=mine.rp_id,
        )


def _found(state: VaultState, passkey_id: str) -> Passkey:
    known = state.passkeys.get(passkey_id)
    if known is None:
        raise NotFoundError
    return known
