# SPDX-License-Identifier: Apache-2.0
"""Consents: shown, granted exactly as shown or refused, and looked up by either side.

What becomes of a consent that stands is in `amendments.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from vault.application.caller import NO_AGREEMENT, Answer
from vault.application.commands import Particulars, command_digest
from vault.application.desk import Decided
from vault.application.opening import open_bundle
from vault.domain import choice as choices
from vault.domain import consent, disclosure, evidence, request
from vault.domain.canonical import digest
from vault.domain.choice import Choice, Shown
from vault.domain.consent import Consent, ConsentGranted, ConsentStatus
from vault.domain.errors import CapacityNotAllowedError, NotFoundError
from vault.domain.state import VaultState, fold
from vault.domain.values import Item, Stamp, Terms, Time
from vault.store.command import new_salt

if TYPE_CHECKING:
    from vault.application.approvals import Challenge
    from vault.application.caller import ActingFor, Agreement, Caller
    from vault.application.desk import Citizen, Desk
    from vault.application.receipts import Receipts
    from vault.application.registry import Registry
    from vault.domain.request import Request
    from vault.store.command import Recorded

LARGEST_PREVIEW_BYTES = 128 * 1024
"""What would be sent is shown beside the terms, in one message of 256 KiB."""


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
    challenge: Challenge
    bundle: bytes = b""


class Consents:
    """Consents, for citizens and for the services that hold them."""

    def __init__(self, desk: Desk, registry: Registry, receipts: Receipts) -> None:
        self._desk = desk
        self._registry = registry
        self._receipts = receipts

    async def preview(
        self,
        caller: Caller,
        acting: ActingFor,
        consent_request_id: str,
        choice: Choice,
        *,
        without_values: bool = False,
    ) -> Preview:
        """Return what a choice would come to, and exactly what would be sent now.

        An official is shown no values of what is protected, and then none at all.

        Raises:
            FreshSignInRequiredError: if a piece is protected, unless it is asked `without_values`.
        """
        citizen = await self._desk.citizen(caller, acting)
        consent_id = self._desk.identifiers.consent_id(consent_request_id)

        def build(state: VaultState) -> tuple[Shown, Terms, tuple[Item, ...]]:
            now = self._now()
            # A preview is made before the grant, whose time may never lie before it.
            shown = Shown(time=max(now, state.last_time), salt=new_salt())
            terms, items = choices.terms_of(
                state,
                now,
                consent_request_id=consent_request_id,
                consent_id=consent_id,
                choice=choice,
                shown=shown,
            )
            return shown, terms, items

        # Refused before it counts as a look.
        before = await self._desk.state(citizen)
        self._shows_values(citizen, before, build(before)[2], without_values=without_values)
        state = await self._desk.shown(citizen, "evidence")
        shown, terms, items = build(state)
        shows = self._shows_values(citizen, state, items, without_values=without_values)
        challenge = self._desk.approvals.challenge(
            citizen.acting, state, ConsentGranted, choices.shown_bytes(terms, items)
        )
        preview = preview_of(terms, items, shown, challenge)
        if not shows:
            return preview
        subject = request.find_request(state, consent_request_id).subject
        would_be = Consent(
            terms=terms,
            items=items,
            subject=subject,
            consent_request_id=consent_request_id,
            granted=shown.time,
        )
        bundle = await open_bundle(
            self._desk,
            self._registry,
            citizen.vault_id,
            disclosure.everything(state, would_be),
            time=shown.time,
            salt="",
        )
        fits = len(bundle) <= LARGEST_PREVIEW_BYTES
        return replace(preview, bundle=bundle if fits else b"")

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
        agreement: Agreement = NO_AGREEMENT,
    ) -> Answer[ConsentView]:
        """Grant a consent exactly as it was shown.

        Raises:
            ShownDiffersError: if what was shown is not what the choice comes to now.
            FieldInvalidError: if the agreement does not fit who acts.
            ApprovalRequiredError, ApprovalInvalidError: if it does not show that it is hers.
        """
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
            return Decided(draft=draft, registry=registered.mark)

        recorded = await self._desk.record(
            citizen, key, Particulars(digest=expected), decide, agreement=agreement
        )
        return await answer_of(self._desk, self._receipts, citizen, consent_id, recorded)

    async def refuse(
        self,
        caller: Caller,
        acting: ActingFor,
        request_id: str,
        consent_request_id: str,
        agreement: Agreement = NO_AGREEMENT,
    ) -> Answer[Request]:
        """Say no to a request.

        Raises:
            NotFoundError: if there is none.
            RequestAlreadyDecidedError, RequestCancelledError, RequestExpiredError: if it waits for
                no answer.
        """
        citizen = await self._desk.citizen(caller, acting)
        key = self._desk.request_key(citizen, "RefuseConsent", request_id)
        said = Particulars(digest=command_digest("RefuseConsent", consent_request_id))

        async def decide(state: VaultState | None, stamp: Stamp) -> Decided:
            return Decided(draft=request.refuse(state, stamp, consent_request_id))

        recorded = await self._desk.record(
            citizen, key, said, decide, stops=True, agreement=agreement
        )
        state = await self._desk.state(citizen)
        return Answer(
            value=request.find_request(state, consent_request_id),
            sizes=recorded.sizes,
            receipt=self._receipts.of(recorded),
        )

    async def get(
        self, caller: Caller, acting: ActingFor, consent_id: str, subject_id: str
    ) -> ConsentView:
        """Return a consent: to a citizen her own, to a service one given to it by its subject.

        Raises:
            NotFoundError: if it is not the caller's.
        """
        if caller.service:
            vault_id = await self._desk.keyrings.vault_of(caller.service, subject_id)
            state = await self._desk.vaults.current(vault_id, fold)
            if state is None:
                raise NotFoundError
            found = consent.find(state, consent_id)
            if found.service != caller.service or found.subject != subject_id:
                raise NotFoundError
            return ConsentView(
                consent_id=consent_id,
                consent=found,
                status=found.status(self._now()),
                shows_evidence=False,
            )
        citizen = await self._desk.citizen(caller, acting)
        consent.find(await self._desk.state(citizen), consent_id)
        return view_of(await self._desk.shown(citizen, "history"), consent_id, self._now())

    async def list(self, caller: Caller, acting: ActingFor) -> tuple[ConsentView, ...]:
        """Return the calling citizen's consents, newest first."""
        citizen = await self._desk.citizen(caller, acting)
        state = await self._desk.shown(citizen, "history")
        now = self._now()
        return tuple(view_of(state, consent_id, now) for consent_id in reversed(state.consents))

    def _shows_values(
        self, citizen: Citizen, state: VaultState, items: tuple[Item, ...], *, without_values: bool
    ) -> bool:
        """Say whether whoever acts is shown the values of what would be shared."""
        if without_values:
            return False
        try:
            pieces = [evidence.find(state, item.evidence_id) for item in items]
            self._desk.must_be_visible(citizen, *pieces)
        except CapacityNotAllowedError:
            return False
        return True

    def _now(self) -> Time:
        return self._desk.vaults.clock.now()


async def answer_of(
    desk: Desk, receipts: Receipts, citizen: Citizen, consent_id: str, recorded: Recorded
) -> Answer[ConsentView]:
    """Return what a recorded decision made of a consent."""
    now = desk.vaults.clock.now()
    return Answer(
        value=view_of(await desk.state(citizen), consent_id, now),
        sizes=recorded.sizes,
        receipt=receipts.of(recorded),
    )


def view_of(state: VaultState, consent_id: str, now: Time) -> ConsentView:
    """Return a citizen's consent as it is at a time."""
    found = consent.find(state, consent_id)
    return ConsentView(
        consent_id=consent_id, consent=found, status=found.status(now), shows_evidence=True
    )


def preview_of(
    terms: Terms, items: tuple[Item, ...], shown: Shown, challenge: Challenge
) -> Preview:
    """Return terms as they stand on her page."""
    shown_bytes = choices.shown_bytes(terms, items)
    return Preview(
        terms=terms,
        items=items,
        shown=shown,
        shown_bytes=shown_bytes,
        shown_hash=digest(shown_bytes),
        challenge=challenge,
    )
