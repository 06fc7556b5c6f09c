# SPDX-License-Identifier: Apache-2.0
"""Consent receipts: everything that was agreed, for other programs to read, as of any moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vault.application.consent_record import Parts, receipt_bytes
from vault.domain import consent as consents
from vault.domain.amendment import ConsentExtended, ConsentNarrowed
from vault.domain.consent import ConsentGranted, ConsentPaused, ConsentResumed, ConsentRevoked
from vault.domain.errors import FieldInvalidError, HistoryBrokenError, NotFoundError
from vault.domain.state import VaultState, fold
from vault.store.command import Recorded
from vault.store.record import event_of

if TYPE_CHECKING:
    from vault.application.caller import ActingFor, Caller
    from vault.application.desk import Desk
    from vault.application.receipts import Receipt, Receipts
    from vault.application.registry import Registry
    from vault.domain.request import Request
    from vault.domain.values import Terms, Time

CHUNK: Final = 500
_DECIDED: Final = (
    ConsentGranted,
    ConsentNarrowed,
    ConsentExtended,
    ConsentPaused,
    ConsentResumed,
    ConsentRevoked,
)


class ConsentReceipts:
    """Writes consent receipts, for either side of a consent."""

    def __init__(self, desk: Desk, registry: Registry, receipts: Receipts) -> None:
        self._desk = desk
        self._registry = registry
        self._receipts = receipts

    async def get(
        self,
        caller: Caller,
        acting: ActingFor,
        consent_id: str,
        subject_id: str,
        as_of: Time | None = None,
    ) -> bytes:
        """Return the receipt of a consent, as it stood at a time; None is now.

        Raises:
            NotFoundError: if it is not the caller's.
            FieldInvalidError: if there was no such consent yet, or the time has not come.
        """
        now = self._desk.vaults.clock.now()
        if as_of is not None and as_of > now:
            raise FieldInvalidError("as_of_time", "It lies in the future: nobody knows yet.")
        is_hers = not caller.service
        if is_hers:
            state = await self._hers(caller, acting, consent_id)
        else:
            state = await self._of_service(caller.service, consent_id, subject_id)
        time = max(now, state.last_time)
        if as_of is not None:
            then = await self._desk.vaults.as_of(state.stream, fold, time=as_of)
            if then is None or consent_id not in then.consents:
                raise FieldInvalidError("as_of_time", "There was no such consent yet.")
            state, time = then, as_of
        return receipt_bytes(await self._parts(state, consent_id, time, is_hers=is_hers))

    async def _hers(self, caller: Caller, acting: ActingFor, consent_id: str) -> VaultState:
        citizen = await self._desk.citizen(caller, acting)
        # Refused before it counts as a look.
        consents.find(await self._desk.state(citizen), consent_id)
        return await self._desk.shown(citizen, "history")

    async def _of_service(self, service_id: str, consent_id: str, subject_id: str) -> VaultState:
        vault_id = await self._desk.keyrings.vault_of(service_id, subject_id)
        state = await self._desk.vaults.current(vault_id, fold)
        if state is None:
            raise NotFoundError
        found = consents.find(state, consent_id)
        if found.service != service_id or found.subject != subject_id:
            raise NotFoundError
        return state

    async def _parts(
        self, state: VaultState, consent_id: str, time: Time, *, is_hers: bool
    ) -> Parts:
        found = consents.find(state, consent_id)
        terms, registered = found.terms, await self._registry.state()
        service = registered.services.get(terms.recipient.service)
        versions = registered.purposes.get(terms.purpose.code, ())
        organisation = registered.organisations.get(terms.recipient.organisation)
        if service is None or organisation is None or len(versions) < terms.purpose.version:
            raise HistoryBrokenError
        published = versions[terms.purpose.version - 1].published
        return Parts(
            receipt_id=self._desk.identifiers.consent_receipt_id(consent_id, time),
            origin=self._desk.vaults.origin_of(state.stream),
            consent_id=consent_id,
            consent=found,
            status=found.status(time),
            as_of=time,
            # How busy her life is is no service's business.
            version=state.version if is_hers else 0,
            controller=await self._registry.named(organisation),
            service=await self._registry.named(service.published),
            texts=await self._registry.purpose_texts(published),
            texts_as_hashed=await self._registry.texts(published),
            types={
                fields.evidence_type: registered.evidence_type(fields.evidence_type)
                for fields in terms.scope
            },
            refused=_refused(state, terms) if is_hers else (),
            receipts=await self._receipts_of(state, consent_id),
        )

    async def _receipts_of(self, state: VaultState, consent_id: str) -> tuple[Receipt, ...]:
        """Return the receipt of every event that made the consent what it is."""
        found: list[Receipt] = []
        after, origin = 0, self._desk.vaults.origin_of(state.stream)
        while after < state.version and (
            records := await self._desk.vaults.records(
                state.stream, after_version=after, limit=min(CHUNK, state.version - after)
            )
        ):
            for record in records:
                event = event_of(record)
                facts = event.facts if event else None
                if event and isinstance(facts, _DECIDED) and facts.consent_id == consent_id:
                    found.append(self._receipts.of(Recorded(event, record.position, origin)))
            after = records[-1].version
        return tuple(found)


def _refused(state: VaultState, terms: Terms) -> tuple[Request, ...]:
    """Return what she refused the same service."""
    return tuple(
        request
        for request in state.requests.values()
        if request.refused and request.asked.recipient.service == terms.recipient.service
    )
