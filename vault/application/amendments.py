# SPDX-License-Identifier: Apache-2.0
"""Changes of a standing consent: narrowed, paused, revoked, which are stops; resumed, extended.

A stop is acknowledged when what was recorded before it has left or never will, and when no copy of
the store from before it would be used any more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from msgspec import structs

from vault.application.caller import NO_AGREEMENT, Answer
from vault.application.commands import Particulars, command_digest
from vault.application.consents import (
    ConsentView,
    Preview,
    answer_of,
    preview_of,
    view_of,
)
from vault.application.desk import Decided
from vault.domain import amendment, consent
from vault.domain.amendment import ConsentExtended, ConsentNarrowed, Difference, Narrowing
from vault.domain.choice import Shown, shown_bytes
from vault.domain.consent import ConsentResumed
from vault.domain.errors import (
    ConsentPausedError,
    ConsentRevokedError,
    FieldInvalidError,
    NarrowingWidensError,
    NotFoundError,
)
from vault.domain.state import VaultState, fold
from vault.domain.values import Stamp, Time
from vault.store.command import new_salt

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from vault.application.caller import ActingFor, Agreement, Caller
    from vault.application.desk import Citizen, Desk
    from vault.application.receipts import Receipts
    from vault.application.registry import Registry
    from vault.domain.events import Draft
    from vault.store.command import Recorded


@dataclass(frozen=True, slots=True)
class Amended:
    """A consent after its terms changed, and what changed; or what it would come to."""

    view: ConsentView
    difference: Difference
    preview: Preview | None = None


@dataclass(frozen=True, slots=True)
class Resumption:
    """A paused consent, and what must be shown and approved before it goes on."""

    view: ConsentView
    preview: Preview


class Amendments:
    """Changes of consents that stand, for citizens."""

    def __init__(self, desk: Desk, registry: Registry, receipts: Receipts) -> None:
        self._desk = desk
        self._registry = registry
        self._receipts = receipts

    async def narrow(
        self,
        caller: Caller,
        acting: ActingFor,
        request_id: str,
        *,
        consent_id: str,
        narrowing: Narrowing,
        agreement: Agreement = NO_AGREEMENT,
        validate_only: bool = False,
    ) -> Answer[Amended]:
        """Share less under the same consent.

        Raises:
            NotFoundError: if there is no such consent.
            NarrowingWidensError: if it would give more than now.
            ConsentRevokedError, ConsentExpiredError: if it has ended already.
        """
        citizen = await self._desk.citizen(caller, acting)
        key = self._desk.request_key(citizen, "NarrowConsent", request_id)
        said = Particulars(digest=command_digest("NarrowConsent", consent_id, narrowing))

        async def decide(state: VaultState | None, stamp: Stamp) -> Decided:
            return Decided(draft=amendment.narrow(state, stamp, consent_id, narrowing))

        if validate_only:
            state = await self._desk.state(citizen)
            draft = (await decide(state, Stamp(time=self._now(), salt=new_salt()))).draft
            state = await self._desk.shown(citizen, "history")
            return await self._would_be(state, consent_id, draft)
        recorded = await self._stop(citizen, key, said, decide, agreement)
        return await self._amended(citizen, consent_id, recorded)

    async def extend(
        self,
        caller: Caller,
        acting: ActingFor,
        request_id: str,
        *,
        consent_id: str,
        end: Time,
        shown: Shown,
        shown_hash: str,
        agreement: Agreement = NO_AGREEMENT,
    ) -> Answer[Amended]:
        """Share for longer under the same consent, exactly as it was shown.

        Raises:
            ShownDiffersError: if what was shown is not what it comes to now.
            See `amendment.may_extend` for the others.
        """
        citizen = await self._desk.citizen(caller, acting)
        key = self._desk.request_key(citizen, "ExtendConsent", request_id)
        said = Particulars(
            digest=command_digest("ExtendConsent", consent_id, end, shown, shown_hash)
        )

        async def decide(state: VaultState | None, stamp: Stamp) -> Decided:
            registered = await self._registry.confirmed(now=True)
            draft = amendment.extend(
                state,
                registered.state,
                stamp,
                consent_id=consent_id,
                end=end,
                shown=shown,
                shown_hash=shown_hash,
                capacity=citizen.acting.capacity,
            )
            return Decided(draft=draft, registry=registered.mark)

        recorded = await self._desk.record(citizen, key, said, decide, agreement=agreement)
        return await self._amended(citizen, consent_id, recorded)

    async def preview_extension(
        self, caller: Caller, acting: ActingFor, consent_id: str, end: Time
    ) -> Answer[Amended]:
        """Return what an extension would come to, to be shown before deciding."""
        citizen = await self._desk.citizen(caller, acting)
        state = await self._desk.state(citizen)
        self._desk.must_have_waited(citizen, state)
        registered = await self._registry.confirmed(now=True)
        now = self._now()
        found = amendment.may_extend(
            state,
            registered.state,
            now,
            consent_id=consent_id,
            end=end,
            capacity=citizen.acting.capacity,
        )
        shown = Shown(time=max(now, state.last_time), salt=new_salt())
        terms = amendment.extended_terms(found, end, shown)
        challenge = self._desk.approvals.challenge(
            citizen.acting, state, ConsentExtended, shown_bytes(terms, found.items)
        )
        view = view_of(state, consent_id, now)
        return Answer(
            value=Amended(
                view=replace(view, consent=structs.replace(found, terms=terms)),
                difference=amendment.difference(found.terms, terms),
                preview=preview_of(terms, found.items, shown, challenge),
            ),
            sizes=await self._desk.vaults.sizes(citizen.vault_id),
        )

    async def pause(
        self,
        caller: Caller,
        acting: ActingFor,
        request_id: str,
        consent_id: str,
        agreement: Agreement = NO_AGREEMENT,
    ) -> Answer[ConsentView]:
        """Pause a consent.

        Raises:
            NotFoundError: if there is none.
            ConsentPausedError: if it is paused.
            ConsentRevokedError, ConsentExpiredError: if it has ended already.
        """
        citizen = await self._desk.citizen(caller, acting)
        key = self._desk.request_key(citizen, "PauseConsent", request_id)
        said = Particulars(digest=command_digest("PauseConsent", consent_id))

        async def decide(state: VaultState | None, stamp: Stamp) -> Decided:
            return Decided(draft=consent.pause(state, stamp, consent_id))

        recorded = await self._stop(citizen, key, said, decide, agreement)
        return await self._answer(citizen, consent_id, recorded)

    async def resume(
        self,
        caller: Caller,
        acting: ActingFor,
        request_id: str,
        consent_id: str,
        agreement: Agreement = NO_AGREEMENT,
        *,
        shown: tuple[Shown, str] | None = None,
    ) -> Answer[ConsentView]:
        """Let a paused consent go on, exactly as it was shown if it was.

        Args:
            shown: what was shown, and its digest; None if nothing was, which proves nothing.

        Raises:
            NotFoundError: if there is none.
            ConsentNotPausedError: if it is not paused.
            See `consent.resume` for the others.
        """
        citizen = await self._desk.citizen(caller, acting)
        key = self._desk.request_key(citizen, "ResumeConsent", request_id)
        page, page_hash = shown or (None, "")
        # Without what was shown it is what it was before anything had to be.
        said = Particulars(digest=command_digest("ResumeConsent", consent_id, *(shown or ())))

        async def decide(state: VaultState | None, stamp: Stamp) -> Decided:
            registered = await self._registry.confirmed(now=True)
            draft = consent.resume(
                state, registered.state, stamp, consent_id, shown=page, shown_hash=page_hash
            )
            return Decided(draft=draft, registry=registered.mark)

        recorded = await self._desk.record(citizen, key, said, decide, agreement=agreement)
        return await self._answer(citizen, consent_id, recorded)

    async def preview_resumption(
        self, caller: Caller, acting: ActingFor, consent_id: str
    ) -> Answer[Resumption]:
        """Return what would go on, to be shown before deciding."""
        citizen = await self._desk.citizen(caller, acting)
        registered = await self._registry.confirmed(now=True)
        state = await self._desk.state(citizen)
        # Refused before it counts as a look.
        self._desk.must_have_waited(citizen, state)
        consent.may_resume(state, registered.state, self._now(), consent_id)
        state = await self._desk.shown(citizen, "history")
        now = self._now()
        found = consent.may_resume(state, registered.state, now, consent_id)
        shown = Shown(time=max(now, state.last_time), salt=new_salt())
        terms = consent.terms_as_shown(found, shown)
        challenge = self._desk.approvals.challenge(
            citizen.acting, state, ConsentResumed, shown_bytes(terms, found.items)
        )
        return Answer(
            value=Resumption(
                view=view_of(state, consent_id, now),
                preview=preview_of(terms, found.items, shown, challenge),
            ),
            sizes=await self._desk.vaults.sizes(citizen.vault_id),
        )

    async def revoke(
        self,
        caller: Caller,
        acting: ActingFor,
        request_id: str,
        consent_id: str,
        agreement: Agreement = NO_AGREEMENT,
    ) -> Answer[ConsentView]:
        """Revoke a consent.

        Raises:
            NotFoundError: if there is none.
            ConsentRevokedError, ConsentExpiredError: if it has ended already.
        """
        citizen = await self._desk.citizen(caller, acting)
        key = self._desk.request_key(citizen, "RevokeConsent", request_id)
        said = Particulars(digest=command_digest("RevokeConsent", consent_id))

        async def decide(state: VaultState | None, stamp: Stamp) -> Decided:
            return Decided(draft=consent.revoke(state, stamp, consent_id))

        recorded = await self._stop(citizen, key, said, decide, agreement)
        return await self._answer(citizen, consent_id, recorded)

    async def _stop(
        self,
        citizen: Citizen,
        key: str,
        said: Particulars,
        decide: Callable[[VaultState | None, Stamp], Awaitable[Decided]],
        agreement: Agreement,
    ) -> Recorded:
        """Record a stop; return when what was recorded before it has left, or never will."""
        try:
            recorded = await self._desk.record(
                citizen, key, said, decide, stops=True, agreement=agreement
            )
        except (
            ConsentRevokedError,
            ConsentPausedError,
            FieldInvalidError,
            NarrowingWidensError,
        ):
            # She may take this for an acknowledgement: it comes no sooner, and lasts as long.
            state = await self._desk.vaults.current(citizen.vault_id, fold)
            if state is not None:
                await self._desk.settled(state.stream, state.version)
            raise
        link = recorded.event.link
        await self._desk.settled(link.stream, link.version, recorded.committed)
        return recorded

    async def _answer(
        self, citizen: Citizen, consent_id: str, recorded: Recorded
    ) -> Answer[ConsentView]:
        return await answer_of(self._desk, self._receipts, citizen, consent_id, recorded)

    async def _amended(
        self, citizen: Citizen, consent_id: str, recorded: Recorded
    ) -> Answer[Amended]:
        """Return what an event changed: the same for every retry of its command."""
        answer = await self._answer(citizen, consent_id, recorded)
        changed = amendment.difference_made(await self._desk.state(citizen), recorded.event)
        if changed is None:
            raise NotFoundError
        return Answer(
            value=Amended(view=answer.value, difference=changed),
            sizes=answer.sizes,
            receipt=answer.receipt,
        )

    async def _would_be(self, state: VaultState, consent_id: str, draft: Draft) -> Answer[Amended]:
        view = view_of(state, consent_id, self._now())
        if not isinstance(draft.facts, ConsentNarrowed):
            raise NotFoundError
        terms = draft.facts.terms
        changed = structs.replace(view.consent, terms=terms, items=draft.items)
        return Answer(
            value=Amended(
                view=replace(view, consent=changed),
                difference=amendment.difference(view.consent.terms, terms),
            ),
            sizes=await self._desk.vaults.sizes(state.stream),
        )

    def _now(self) -> Time:
        return self._desk.vaults.clock.now()
