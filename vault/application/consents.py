# SPDX-License-Identifier: Apache-2.0
"""Consents: shown, granted exactly as shown, revoked, and looked up by either side."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vault.application.caller import Answer
from vault.application.commands import Particulars, command_digest
from vault.application.desk import Decided
from vault.domain import choice as choices
from vault.domain import consent
from vault.domain.canonical import b64, digest
from vault.domain.choice import Choice, Shown
from vault.domain.consent import Consent, ConsentStatus
from vault.domain.errors import ConsentRevokedError, FieldInvalidError, NotFoundError
from vault.domain.state import VaultState, fold
from vault.domain.values import Approval, Item, Stamp, Terms, Time

if TYPE_CHECKING:
    from vault.application.caller import ActingFor, Caller
    from vault.application.desk import Desk
    from vault.application.receipts import Receipts
    from vault.application.registry import Registry

STOP_SETTLES_SECONDS = 0.25
"""A stop is acknowledged so long after its COMMIT: what stood before it left, or never will."""

SESSION = Approval(kind="session", proof_hash="")


@dataclass(frozen=True, slots=True)
class ConsentView:
    """A consent as it is now; `shows_evidence` if the caller may know which pieces it names."""

    consent_id: str
    consent: Consent
    status: ConsentStatus
    shows_evidence: bool


@dataclass(frozen=True, slots=True)
class Preview:
    """What a choice would come to, and what GrantConsent must be given back."""

    terms: Terms
    items: tuple[Item, ...]
    shown: Shown
    shown_bytes: bytes
    shown_hash: str


class Consents:
    """Consents, for citizens and for the services that hold them."""

    def __init__(self, desk: Desk, registry: Registry, receipts: Receipts) -> None:
        self._desk = desk
        self._registry = registry
        self._receipts = receipts

    async def preview(
        self, caller: Caller, acting: ActingFor, consent_request_id: str, choice: Choice
    ) -> Preview:
        """Return what a choice would come to; nothing is recorded."""
        citizen = await self._desk.citizen(caller, acting)
        state = await self._desk.state(citizen)
        now = self._desk.vaults.clock.now()
        # A preview is made before the grant, whose time may never lie before it.
        shown = Shown(time=max(now, state.last_time), salt=b64(secrets.token_bytes(16)))
        terms, items = choices.terms_of(
            state,
            now,
            consent_request_id=consent_request_id,
            consent_id=self._desk.identifiers.consent_id(consent_request_id),
            choice=choice,
            shown=shown,
        )
        shown_bytes = choices.shown_bytes(terms, items)
        return Preview(
            terms=terms,
            items=items,
            shown=shown,
            shown_bytes=shown_bytes,
            shown_hash=digest(shown_bytes),
        )

    async def grant(
        self,
        caller: Caller,
        acting: ActingFor,
        request_id: str,
        *,
        consent_request_id: str,
        choice: Choice,
        shown: Shown,
        shown_hash: str,
        approval: Approval = SESSION,
    ) -> Answer[ConsentView]:
        """Grant a consent exactly as it was shown.

        Raises:
            ShownDiffersError: if what was shown is not what the choice comes to now.
        """
        if approval.kind != "session":
            # Proofs are verified by nobody yet: an unverified one must not stand in her history.
            raise FieldInvalidError("approval.kind", "This kind of proof is not accepted yet.")
        citizen = await self._desk.citizen(caller, acting)
        consent_id = self._desk.identifiers.consent_id(consent_request_id)
        key = self._desk.request_key(citizen, "GrantConsent", request_id)
        expected = command_digest("GrantConsent", consent_request_id, choice, shown, shown_hash)

        async def decide(state: VaultState | None, stamp: Stamp) -> Decided:
            registered = await self._registry.confirmed()
            draft = consent.grant(
                state,
                registered.state,
                stamp,
                consent_request_id=consent_request_id,
                consent_id=consent_id,
                choice=choice,
                shown=shown,
                shown_hash=shown_hash,
            )
            return Decided(draft=draft, registry=registered.mark, approval=approval)

        recorded = await self._desk.record(citizen, key, Particulars(digest=expected), decide)
        return Answer(
            value=_view(await self._desk.state(citizen), consent_id, self._now()),
            tree_size=recorded.position + 1,
            receipt=self._receipts.of(recorded),
        )

    async def revoke(
        self, caller: Caller, acting: ActingFor, request_id: str, consent_id: str
    ) -> Answer[ConsentView]:
        """Revoke a consent; acknowledged when what was recorded before it has left or never will.

        Raises:
            NotFoundError: if there is none.
            ConsentRevokedError, ConsentExpiredError: if it has ended already.
        """
        citizen = await self._desk.citizen(caller, acting)
        key = self._desk.request_key(citizen, "RevokeConsent", request_id)
        expected = command_digest("RevokeConsent", consent_id)

        async def decide(state: VaultState | None, stamp: Stamp) -> Decided:
            return Decided(draft=consent.revoke(state, stamp, consent_id), approval=SESSION)

        try:
            recorded = await self._desk.record(
                citizen, key, Particulars(digest=expected), decide, stops=True
            )
        except ConsentRevokedError:
            # She may take this for an acknowledgement: it comes no sooner than one.
            await asyncio.sleep(STOP_SETTLES_SECONDS)
            raise
        settled = (recorded.committed or self._desk.vaults.clock.monotonic()) + STOP_SETTLES_SECONDS
        await asyncio.sleep(max(0.0, settled - self._desk.vaults.clock.monotonic()))
        return Answer(
            value=_view(await self._desk.state(citizen), consent_id, self._now()),
            tree_size=recorded.position + 1,
            receipt=self._receipts.of(recorded),
        )

    async def get(
        self, caller: Caller, acting: ActingFor, consent_id: str, subject_id: str
    ) -> ConsentView:
        """Return a consent: to a citizen her own, to a service one given to it by its subject.

        Raises:
            NotFoundError: if it is not the caller's.
        """
        if caller.role == "service":
            vault_id = await self._desk.keyrings.vault_of(caller.sub, subject_id)
            state = await self._desk.vaults.current(vault_id, fold)
            if state is None:
                raise NotFoundError
            found = consent.find(state, consent_id)
            if found.service != caller.sub or found.subject != subject_id:
                raise NotFoundError
            return ConsentView(
                consent_id=consent_id,
                consent=found,
                status=found.status(self._now()),
                shows_evidence=False,
            )
        citizen = await self._desk.citizen(caller, acting)
        return _view(await self._desk.state(citizen), consent_id, self._now())

    async def list(self, caller: Caller, acting: ActingFor) -> tuple[ConsentView, ...]:
        """Return the calling citizen's consents, newest first."""
        citizen = await self._desk.citizen(caller, acting)
        state = await self._desk.state(citizen)
        now = self._now()
        return tuple(_view(state, consent_id, now) for consent_id in reversed(state.consents))

    def _now(self) -> Time:
        return self._desk.vaults.clock.now()


def _view(state: VaultState, consent_id: str, now: Time) -> ConsentView:
    found = consent.find(state, consent_id)
    return ConsentView(
        consent_id=consent_id, consent=found, status=found.status(now), shows_evidence=True
    )
