# SPDX-License-Identifier: Apache-2.0
"""Evidence: judged by its published schema, sealed with a key of its own, recorded without values.

Opening sealed evidence happens here alone: authorized and recorded by whoever asks for it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vault.application.caller import Answer
from vault.application.commands import Particulars, command_digest, sealed
from vault.application.desk import Citizen, Decided
from vault.domain import evidence
from vault.domain.canonical import digest, encode
from vault.domain.errors import EvidenceInvalidError, HistoryBrokenError, NotFoundError
from vault.domain.evidence import Content, Evidence, Revision
from vault.domain.state import VaultState
from vault.sealing.envelope import Context, new_key, open_sealed
from vault.sealing.errors import SealError

if TYPE_CHECKING:
    from vault.application.caller import ActingFor, Caller
    from vault.application.desk import Desk
    from vault.application.receipts import Receipts
    from vault.application.registry import Registry
    from vault.domain.registry import EvidenceType
    from vault.domain.values import Source, Stamp
    from vault.sealing.keyring import Keyring
    from vault.store.vaults import Recorded, SealedPayload

KIND = "evidence"
Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Provided:
    """What a citizen provides: values as she sent them, their date and where they come from."""

    values: bytes
    issued_date: str
    source: Source


@dataclass(frozen=True, slots=True)
class View:
    """A piece of evidence for its citizen; `values` is empty in lists."""

    evidence: Evidence
    type: EvidenceType
    values: bytes = b""


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
        """
        citizen = await self._desk.citizen(caller, acting)
        key = self._desk.request_key(citizen, "ProvideEvidence", request_id)
        expected = _digest_of("ProvideEvidence", evidence_type, provided)
        earlier = await self._desk.earlier(citizen, key, expected)
        if earlier is not None:
            # Judged when it was given: by now the type may have another schema.
            return await self._answer(citizen, key, earlier)
        published = (await self._registry.state()).evidence_type(evidence_type)
        values = await self._judge(published, provided.values)
        content = _content(published, values, provided)

        async def decide(state: VaultState | None, stamp: Stamp) -> Decided:
            draft = evidence.provide(state, stamp, key, evidence_type, content)
            payload = await self._seal(citizen, key, 1, published, values)
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
        published = (await self._registry.state()).evidence_type(piece.evidence_type)
        values = await self._judge(published, provided.values)
        content = _content(published, values, provided)

        async def decide(state: VaultState | None, stamp: Stamp) -> Decided:
            before = evidence.find(state, evidence_id) if state else piece
            old = await open_revision(self._desk, citizen.vault_id, before, before.current)
            changed = _changed(json.loads(old), json.loads(values))
            draft = evidence.replace_by(state, stamp, evidence_id, content, changed)
            number = draft.items[0].revision
            payload = await self._seal(citizen, evidence_id, number, published, values)
            return Decided(draft=draft, payloads=(payload,))

        recorded = await self._desk.record(citizen, key, Particulars(digest=expected), decide)
        return await self._answer(citizen, evidence_id, recorded)

    async def get(self, caller: Caller, acting: ActingFor, evidence_id: str) -> View:
        """Return one piece of evidence with its values.

        Raises:
            NotFoundError: if there is no such piece.
        """
        citizen = await self._desk.citizen(caller, acting)
        piece = evidence.find(await self._desk.state(citizen), evidence_id)
        values = await open_revision(self._desk, citizen.vault_id, piece, piece.current)
        return View(evidence=piece, type=await self._type_of(piece), values=values)

    async def list(self, caller: Caller, acting: ActingFor) -> tuple[View, ...]:
        """Return all pieces of evidence without values, oldest first."""
        citizen = await self._desk.citizen(caller, acting)
        state = await self._desk.state(citizen)
        return tuple(
            [
                View(evidence=piece, type=await self._type_of(piece))
                for piece in state.evidence.values()
            ]
        )

    async def _answer(self, citizen: Citizen, evidence_id: str, recorded: Recorded) -> Answer[View]:
        piece = evidence.find(await self._desk.state(citizen), evidence_id)
        return Answer(
            value=View(evidence=piece, type=await self._type_of(piece)),
            tree_size=recorded.position + 1,
            receipt=self._receipts.of(recorded),
        )

    async def _type_of(self, piece: Evidence) -> EvidenceType:
        return await self._registry.evidence_type(piece.evidence_type, piece.current.schema_version)

    async def _judge(self, published: EvidenceType, sent: bytes) -> bytes:
        """Return the values in canonical form, if they fit the schema."""
        values = _parse(sent)
        schema = await self._registry.schema(published.published)
        violations = schema.violations(values)
        if violations:
            raise EvidenceInvalidError(tuple((v.path, v.message) for v in violations))
        return encode(values)

    async def _seal(
        self,
        citizen: Citizen,
        evidence_id: str,
        revision: int,
        published: EvidenceType,
        values: bytes,
    ) -> SealedPayload:
        drawn = new_key()

        def with_key(keyring: Keyring) -> Keyring:
            if keyring.evidence_key(evidence_id, revision):
                return keyring
            return keyring.with_evidence_key(evidence_id, revision, drawn)

        keyring = await self._desk.keyrings.change(citizen.vault_id, with_key)
        key = keyring.evidence_key(evidence_id, revision)
        if key is None:
            raise NotFoundError
        schema = f"{published.evidence_type}@{published.schema_version}"
        context = _context(citizen.vault_id, evidence_id, revision, schema, key.key_id)
        return sealed(key, context, values)


async def open_revision(desk: Desk, vault_id: str, piece: Evidence, revision: Revision) -> bytes:
    """Return the values of one revision, opened: canonical JSON.

    Raises:
        NotFoundError: if its key or payload is gone.
        HistoryBrokenError: if the payload is not the one that was recorded.
    """
    keyring = await desk.keyrings.holding(vault_id, piece.evidence_id, revision.revision)
    key = keyring.evidence_key(piece.evidence_id, revision.revision)
    content = await desk.vaults.payload(vault_id, revision.version, KIND)
    mark = revision.mark
    if key is None or content is None:
        raise NotFoundError
    if mark is None or mark.hash != digest(content) or mark.key_id != key.key_id:
        raise HistoryBrokenError
    schema = f"{piece.evidence_type}@{revision.schema_version}"
    context = _context(vault_id, piece.evidence_id, revision.revision, schema, key.key_id)
    try:
        return open_sealed(key, context, content, mark.commitment)
    except SealError as error:
        raise HistoryBrokenError from error


def _context(stream: str, evidence_id: str, revision: int, schema: str, key_id: str) -> Context:
    return Context(
        stream=stream,
        kind=KIND,
        evidence_id=evidence_id,
        revision=revision,
        schema=schema,
        key_id=key_id,
    )


def _digest_of(method: str, what: str, provided: Provided) -> str:
    """Return the digest of a command that brings evidence: a retry sends the same bytes."""
    return command_digest(
        method, what, digest(provided.values), provided.issued_date, provided.source
    )


def _content(published: EvidenceType, values: bytes, provided: Provided) -> Content:
    return Content(
        schema_version=published.schema_version,
        names=tuple(sorted(json.loads(values))),
        issued_date=provided.issued_date,
        source=provided.source,
    )


def _changed(before: Values, after: Values) -> set[str]:
    missing = object()
    names = before.keys() | after.keys()
    return {name for name in names if before.get(name, missing) != after.get(name, missing)}


def _parse(sent: bytes) -> Values:
    """Parse what was sent; JSON has no rule for a name given twice, so it is refused."""

    def once(pairs: list[tuple[str, Any]]) -> Values:
        names = dict(pairs)
        if len(names) != len(pairs):
            raise ValueError
        return names

    def never(constant: str) -> None:
        raise ValueError(constant)

    try:
        # Left to itself the library would take UTF-16 as well.
        values = json.loads(sent.decode(), object_pairs_hook=once, parse_constant=never)
    except (ValueError, RecursionError):
        raise EvidenceInvalidError((("", "It is not JSON, or names something twice."),)) from None
    if not isinstance(values, dict):
        raise EvidenceInvalidError((("", "It is not a JSON object."),))
    return values
