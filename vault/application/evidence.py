# SPDX-License-Identifier: Apache-2.0
"""Evidence: provided, replaced and shown; recorded without values, which lie sealed.

What a replacement makes wrong elsewhere is said at once: which services hold the old revision.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vault.application.caller import Answer
from vault.application.commands import Particulars, command_digest
from vault.application.desk import Citizen, Decided
from vault.application.disputes import statements_of
from vault.application.revisions import Values, judge, open_revision, parse, seal_revision
from vault.domain import evidence, protection
from vault.domain.canonical import digest
from vault.domain.errors import FieldInvalidError
from vault.domain.evidence import Content, Evidence, Revision
from vault.domain.state import VaultState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vault.application.caller import ActingFor, Caller
    from vault.application.desk import Desk
    from vault.application.receipts import Receipts
    from vault.application.registry import Registry
    from vault.domain.registry import EvidenceType
    from vault.domain.values import Source, Stamp, Time
    from vault.store.command import Recorded

DOCUMENT = "document"
"""The type whose content is bytes of its own, which are uploaded."""


@dataclass(frozen=True, slots=True)
class Provided:
    """What a citizen provides: values as she sent them, their date and where they come from."""

    values: bytes
    issued_date: str
    source: Source


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds which revision of a piece of evidence, and which fields of it."""

    service: str
    consent_id: str
    purpose: str
    revision: int
    names: tuple[str, ...]
    time: Time
    is_current: bool


@dataclass(frozen=True, slots=True)
class View:
    """One revision of a piece of evidence for its citizen; values and statements not in lists."""

    evidence: Evidence
    revision: Revision
    type: EvidenceType
    values: bytes = b""
    statements: Mapping[str, str] = field(default_factory=dict)
    holders: tuple[Holder, ...] = ()


class EvidenceKeeper:
    """Keeps evidence, for citizens."""

    def __init__(self, desk: Desk, registry: Registry, receipts: Receipts) -> None:
        self._desk = desk
        self._registry = registry
        self._receipts = receipts

    async def provide(
        self,
        caller: Caller,
        acting: ActingFor,
        request_id: str,
        evidence_type: str,
        provided: Provided,
    ) -> Answer[View]:
        """Provide a new piece of evidence.

        Raises:
            EvidenceInvalidError: if the values do not fit the type's schema.
            FieldUnknownError: if no such type is published.
            FieldInvalidError: if it is a document, which is uploaded.
        """
        if evidence_type == DOCUMENT:
            raise FieldInvalidError("evidence_type", "Send a document with UploadDocument.")
        citizen = await self._desk.citizen(caller, acting)
        key = self._desk.request_key(citizen, "ProvideEvidence", request_id)
        expected = _digest_of("ProvideEvidence", evidence_type, provided)
        earlier = await self._desk.earlier(citizen, key, expected)
        if earlier is not None:
            # Judged when it was given: by now the type may have another schema.
            return await self._answer(citizen, key, earlier)
        published = (await self._registry.state()).evidence_type(evidence_type)
        values = await judge(self._registry, published, parse(provided.values))
        content = content_of(published, values, provided.issued_date, provided.source)

        async def decide(state: VaultState | None, stamp: Stamp) -> Decided:
            draft = evidence.provide(state, stamp, key, evidence_type, content)
            payload = await seal_revision(
                self._desk, citizen.vault_id, key, 1, published=published, values=values
            )
            return Decided(draft=draft, payloads=(payload,))

        recorded = await self._desk.record(citizen, key, Particulars(digest=expected), decide)
        return await self._answer(citizen, key, recorded)

    async def replace(
        self,
        caller: Caller,
        acting: ActingFor,
        request_id: str,
        evidence_id: str,
        provided: Provided,
    ) -> Answer[View]:
        """Replace a piece of evidence by a new revision, in the type's current schema.

        Raises:
            NotFoundError: if there is no such piece.
            EvidenceInvalidError: if the values do not fit the type's schema.
        """
        citizen = await self._desk.citizen(caller, acting)
        key = self._desk.request_key(citizen, "ReplaceEvidence", request_id)
        expected = _digest_of("ReplaceEvidence", evidence_id, provided)
        earlier = await self._desk.earlier(citizen, key, expected)
        if earlier is not None:
            return await self._answer(citizen, evidence_id, earlier)
        piece = evidence.find(await self._desk.state(citizen), evidence_id)
        if piece.evidence_type == DOCUMENT:
            raise FieldInvalidError("evidence_id", "Send a document with UploadDocument.")
        published = (await self._registry.state()).evidence_type(piece.evidence_type)
        values = await judge(self._registry, published, parse(provided.values))
        content = content_of(published, values, provided.issued_date, provided.source)

        async def decide(state: VaultState | None, stamp: Stamp) -> Decided:
            before = evidence.find(state, evidence_id) if state else piece
            old = await open_revision(self._desk, citizen.vault_id, before, before.current)
            changed = changed_names(json.loads(old), json.loads(values))
            draft = evidence.replace_by(state, stamp, evidence_id, content, changed)
            number = draft.items[0].revision
            payload = await seal_revision(
                self._desk,
                citizen.vault_id,
                evidence_id,
                number,
                published=published,
                values=values,
            )
            return Decided(draft=draft, payloads=(payload,))

        recorded = await self._desk.record(citizen, key, Particulars(digest=expected), decide)
        return await self._answer(citizen, evidence_id, recorded)

    async def protect(
        self,
        caller: Caller,
        acting: ActingFor,
        request_id: str,
        evidence_id: str,
        *,
        is_protected: bool,
    ) -> Answer[View]:
        """Protect a piece of evidence, or protect it no more.

        Raises:
            NotFoundError: if there is no such piece.
            CapacityNotAllowedError, FreshSignInRequiredError: if the protection may not be lifted.
        """
        citizen = await self._desk.citizen(caller, acting)
        key = self._desk.request_key(citizen, "ProtectEvidence", request_id)
        said = Particulars(digest=command_digest("ProtectEvidence", evidence_id, is_protected))

        async def decide(state: VaultState | None, stamp: Stamp) -> Decided:
            if is_protected:
                return Decided(draft=protection.protect(state, stamp, evidence_id))
            draft = protection.lift(state, stamp, citizen.acting, citizen.signed_in, evidence_id)
            return Decided(draft=draft)

        recorded = await self._desk.record(citizen, key, said, decide)
        return await self._answer(citizen, evidence_id, recorded)

    async def get(
        self,
        caller: Caller,
        acting: ActingFor,
        evidence_id: str,
        number: int = 0,
        *,
        without_values: bool = False,
    ) -> View:
        """Return one revision of a piece of evidence with its values; 0 is the current one.

        Raises:
            NotFoundError: if there is no such revision.
            CapacityNotAllowedError, FreshSignInRequiredError: if it is protected.
        """
        citizen = await self._desk.citizen(caller, acting)
        found, _ = evidence.find_revision(await self._desk.state(citizen), evidence_id, number)
        if not without_values:
            self._desk.must_be_visible(citizen, found)
        state = await self._desk.shown(citizen, "evidence")
        piece, revision = evidence.find_revision(state, evidence_id, number)
        if without_values:
            return View(
                evidence=piece,
                revision=revision,
                type=await self._type_of(piece, revision),
                holders=holders_of(state, piece),
            )
        # Once more: somebody may have protected it meanwhile.
        self._desk.must_be_visible(citizen, piece)
        return View(
            evidence=piece,
            revision=revision,
            type=await self._type_of(piece, revision),
            values=await open_revision(self._desk, citizen.vault_id, piece, revision),
            statements=await statements_of(self._desk, citizen.vault_id, piece.disputes),
            holders=holders_of(state, piece),
        )

    async def list(self, caller: Caller, acting: ActingFor) -> tuple[View, ...]:
        """Return all pieces of evidence without values, oldest first."""
        citizen = await self._desk.citizen(caller, acting)
        state = await self._desk.shown(citizen, "evidence")
        return tuple([await self.view(state, piece) for piece in state.evidence.values()])

    async def view(self, state: VaultState, piece: Evidence) -> View:
        """Return a piece of evidence as it is now, without values."""
        return View(
            evidence=piece,
            revision=piece.current,
            type=await self._type_of(piece, piece.current),
            holders=holders_of(state, piece),
        )

    async def _answer(self, citizen: Citizen, evidence_id: str, recorded: Recorded) -> Answer[View]:
        state = await self._desk.state(citizen)
        return Answer(
            value=await self.view(state, evidence.find(state, evidence_id)),
            sizes=recorded.sizes,
            receipt=self._receipts.of(recorded),
        )

    async def _type_of(self, piece: Evidence, revision: Revision) -> EvidenceType:
        return await self._registry.evidence_type(piece.evidence_type, revision.schema_version)


def holders_of(state: VaultState, piece: Evidence) -> tuple[Holder, ...]:
    """Return who holds which revision of a piece of evidence, those of older ones first."""
    holders = [
        Holder(
            service=consent.service,
            consent_id=consent_id,
            purpose=consent.terms.purpose.name,
            revision=release.item.revision,
            names=release.names,
            time=release.time,
            is_current=release.item.revision == piece.current.revision,
        )
        for consent_id, consent in state.consents.items()
        for release in consent.releases.values()
        if release.item.evidence_id == piece.evidence_id
    ]
    return tuple(sorted(holders, key=lambda holder: (holder.revision, holder.time)))


def _digest_of(method: str, what: str, provided: Provided) -> str:
    """Return the digest of a command that brings evidence: a retry sends the same bytes."""
    return command_digest(
        method, what, digest(provided.values), provided.issued_date, provided.source
    )


def content_of(published: EvidenceType, values: bytes, issued_date: str, source: Source) -> Content:
    """Return what an event may say of values: their names, not themselves."""
    return Content(
        schema_version=published.schema_version,
        names=tuple(sorted(json.loads(values))),
        issued_date=issued_date,
        source=source,
    )


def changed_names(before: Values, after: Values) -> set[str]:
    """Return the fields whose values differ, or that one of both lacks."""
    missing = object()
    names = before.keys() | after.keys()
    return {name for name in names if before.get(name, missing) != after.get(name, missing)}
