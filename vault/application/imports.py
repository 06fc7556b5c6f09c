# SPDX-License-Identifier: Apache-2.0
"""Imports: what a citizen exported from another deployment becomes hers here.

Everything is verified before anything is recorded (`exported.py`). Then her stream names the head
of the other history, and what she gave there is provided again under keys of this deployment, its
source and dates kept. Each event's key follows from the other head, so that an import that broke
off is brought again and goes on.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from vault.application.caller import Answer
from vault.application.commands import Particulars, command_digest
from vault.application.desk import Decided
from vault.application.documents import DocumentPlace, facts_of_content
from vault.application.evidence import DOCUMENT, changed_names, content_of
from vault.application.exported import (
    ExportedHead,
    ExportedPayload,
    ExportedRecord,
    ExportedVault,
    Verifiable,
)
from vault.application.revisions import judge, parse, seal_revision
from vault.domain import evidence, vault
from vault.domain.errors import (
    ConcurrentChangeError,
    EvidenceInvalidError,
    ExportInvalidError,
    FieldUnknownError,
    HistoryBrokenError,
)
from vault.domain.vault import Imported
from vault.store.command import Recorded, SealedPayload
from vault.store.record import event_of

if TYPE_CHECKING:
    from vault.application.caller import ActingFor, Caller
    from vault.application.desk import Citizen, Desk
    from vault.application.documents import Documents
    from vault.application.exported import GivenPiece, GivenRevision
    from vault.application.receipts import Receipts
    from vault.application.registry import Registry
    from vault.domain.events import Draft
    from vault.domain.registry import EvidenceType
    from vault.domain.state import VaultState
    from vault.domain.values import PayloadMark, Stamp

PARTS_AT_ONCE: Final = 100
"""Parts that are verified together, in a thread."""

LeftReason = Literal["gone", "type-unknown", "schema-differs", "attested"]


@dataclass(frozen=True, slots=True)
class BroughtDocument:
    """A document whose bytes follow."""

    evidence_id: str
    revision: int
    media_type: str


Part: TypeAlias = ExportedRecord | ExportedPayload | BroughtDocument | bytes


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """A revision that was not carried, and why."""

    evidence_id: str
    evidence_type: str
    revision: int
    reason: LeftReason


@dataclass(frozen=True, slots=True)
class Brought:
    """How many revisions were provided again, and what was left behind."""

    carried: int
    left: tuple[LeftBehind, ...]


@dataclass(slots=True)
class _Carried:
    """A revision that is provided again, as which revision of which piece here."""

    old: GivenPiece
    revision: GivenRevision
    evidence_id: str
    number: int
    published: EvidenceType
    values: bytes = field(repr=False)
    before: bytes = field(default=b"", repr=False)
    document: PayloadMark | None = None


class Imports:
    """Imports vaults, for citizens."""

    def __init__(
        self, desk: Desk, registry: Registry, receipts: Receipts, documents: Documents
    ) -> None:
        self._desk = desk
        self._registry = registry
        self._receipts = receipts
        self._documents = documents

    async def bring(
        self,
        caller: Caller,
        acting: ActingFor,
        request_id: str,
        head: ExportedHead,
        parts: AsyncIterator[Part],
    ) -> Answer[Brought]:
        """Bring an export into the caller's vault.

        Raises:
            RequestIdReusedError: if the `request_id` named another command before.
            VaultNotOpenError: if she has none.
            ExportInvalidError: if it is not whole, or was changed; nothing is recorded.
            LimitExceededError: if it is too large.
        """
        citizen = await self._desk.citizen(caller, acting)
        vault.must_be_sound(await self._desk.state(citizen))
        key = self._desk.request_key(citizen, "ImportVault", request_id)
        expected = command_digest("ImportVault", head.origin, head.vault_id, head.leaf)
        # Of another export: told before all of this one is read.
        await self._desk.earlier(citizen, key, expected)
        reading = _Reading(parts)
        exported = ExportedVault(head)
        async for some in reading.until_documents():
            await asyncio.to_thread(exported.take, some)
        exported.finish()
        carried, left = await self._sorted(citizen, exported)
        await self._take_documents(citizen, reading, carried)
        imported = Imported(
            origin=head.origin,
            vault=head.vault_id,
            version=head.version,
            leaf=head.leaf,
            evidence=len(carried),
            consents=exported.shared(self._desk.vaults.clock.now()),
        )
        recorded = await self._record_head(citizen, key, Particulars(digest=expected), imported)
        sizes = recorded.sizes
        for one in carried:
            sizes = (await self._record(citizen, head, one)).sizes
        return Answer(
            value=Brought(carried=len(carried), left=left),
            sizes=sizes,
            receipt=self._receipts.of(recorded),
        )

    async def _sorted(
        self, citizen: Citizen, exported: ExportedVault
    ) -> tuple[list[_Carried], tuple[LeftBehind, ...]]:
        """Return which revisions are carried, each as it is here, and which are not."""
        carried: list[_Carried] = []
        left: list[LeftBehind] = []
        for piece in exported.evidence.values():
            of_piece: list[_Carried] = []
            for revision in piece.revisions:
                # Others have their turn between them: there may be thousands.
                await asyncio.sleep(0)
                found = await self._fitting(citizen, exported, piece, revision)
                if isinstance(found, _Carried):
                    found.number = len(of_piece) + 1
                    found.before = of_piece[-1].values if of_piece else b""
                    of_piece.append(found)
                else:
                    left.append(
                        LeftBehind(
                            evidence_id=piece.evidence_id,
                            evidence_type=piece.evidence_type,
                            revision=revision.revision,
                            reason=found,
                        )
                    )
            carried += of_piece
        return carried, tuple(left)

    async def _fitting(
        self, citizen: Citizen, exported: ExportedVault, piece: GivenPiece, revision: GivenRevision
    ) -> _Carried | LeftReason:
        # Never held twice: what was judged stands for it from here on.
        values = exported.opened.pop(revision.version, None)
        if values is None or (revision.has_document and revision.version not in exported.documents):
            return "gone"
        if revision.source == "issuer":
            return "attested"
        try:
            published = (await self._registry.state()).evidence_type(piece.evidence_type)
            judged = await judge(self._registry, published, parse(values))
        except FieldUnknownError:
            return "type-unknown"
        except EvidenceInvalidError:
            return "schema-differs"
        head = exported.head
        return _Carried(
            old=piece,
            revision=revision,
            evidence_id=self._key(citizen, head, "evidence", piece.evidence_id),
            number=0,
            published=published,
            values=judged,
        )

    async def _take_documents(
        self, citizen: Citizen, reading: _Reading, carried: list[_Carried]
    ) -> None:
        """Take in the bytes of documents, each sealed under its key here."""
        expected = {
            (one.old.evidence_id, one.revision.revision): one
            for one in carried
            if one.old.evidence_type == DOCUMENT
        }
        async for document in reading.documents():
            one = expected.pop((document.evidence_id, document.revision), None)
            if one is None:
                # Of a revision that is left behind.
                continue
            content = facts_of_content(one.values)
            if document.media_type != content.media_type:
                raise ExportInvalidError("document", "A document is not of the type that it was.")
            place = DocumentPlace(one.evidence_id, one.number, one.published)
            one.document = await self._documents.take_in(citizen, place, content, reading.chunks())
        if expected:
            raise ExportInvalidError("document", "A document did not come.")

    async def _record_head(
        self, citizen: Citizen, key: str, said: Particulars, imported: Imported
    ) -> Recorded:
        """Record where the other history ended, unless an import that broke off did."""
        state = await self._desk.state(citizen)
        for known in state.imports:
            if (known.vault, known.leaf) == (imported.vault, imported.leaf):
                return await self._standing(citizen, known.recorded)

        async def decide(state: VaultState | None, stamp: Stamp) -> Decided:
            return Decided(draft=vault.bring(state, stamp, imported))

        return await self._desk.record(citizen, key, said, decide)

    async def _standing(self, citizen: Citizen, version: int) -> Recorded:
        """Return the record that stands at a version."""
        vaults, stream = self._desk.vaults, citizen.vault_id
        (record,) = await vaults.records(stream, after_version=version - 1, limit=1)
        event = event_of(record)
        if event is None:
            raise HistoryBrokenError
        return Recorded(event, record.position, vaults.origin_of(stream), is_repeat=True)

    async def _record(self, citizen: Citizen, head: ExportedHead, one: _Carried) -> Recorded:
        content = content_of(
            one.published, one.values, one.revision.issued_date, one.revision.source
        )

        def draft(state: VaultState | None, stamp: Stamp) -> Draft:
            if one.number == 1:
                return evidence.provide(
                    state, stamp, one.evidence_id, one.old.evidence_type, content
                )
            piece = evidence.find(vault.must_be_sound(state), one.evidence_id)
            if piece.current.revision + 1 != one.number:
                # She replaced it here since an import that broke off.
                raise ConcurrentChangeError
            changed = changed_names(json.loads(one.before), json.loads(one.values))
            return evidence.replace_by(state, stamp, one.evidence_id, content, changed)

        async def decide(state: VaultState | None, stamp: Stamp) -> Decided:
            payload = await seal_revision(
                self._desk,
                citizen.vault_id,
                one.evidence_id,
                one.number,
                published=one.published,
                values=one.values,
            )
            beside = [SealedPayload(mark=one.document, content=None)] if one.document else []
            return Decided(draft=draft(state, stamp), payloads=(payload, *beside))

        version = str(one.revision.version)
        said = Particulars(digest=command_digest("ImportVault", head.origin, head.leaf, version))
        key = self._key(citizen, head, "revision", version)
        return await self._desk.record(citizen, key, said, decide)

    def _key(self, citizen: Citizen, head: ExportedHead, *what: str) -> str:
        """Return the request key of an event, or the id of a piece, which an export makes."""
        name = ".".join((head.origin, head.vault_id, head.leaf, *what))
        return self._desk.request_key(citizen, "ImportVault", name)


class _Reading:
    """Reads the parts of an export in their order: records and payloads, then documents."""

    def __init__(self, parts: AsyncIterator[Part]) -> None:
        self._parts = parts
        self._next: Part | None = None

    async def until_documents(self) -> AsyncIterator[list[Verifiable]]:
        """Yield records and payloads, so many at once."""
        parts: list[Verifiable] = []
        async for part in self._parts:
            if not isinstance(part, ExportedRecord | ExportedPayload):
                self._next = part
                break
            parts.append(part)
            if len(parts) == PARTS_AT_ONCE:
                yield parts
                parts = []
        yield parts

    async def documents(self) -> AsyncIterator[BroughtDocument]:
        while self._next is not None:
            document = self._next
            if not isinstance(document, BroughtDocument):
                raise ExportInvalidError("document", "Documents come last, each before its bytes.")
            self._next = await anext(self._parts, None)
            yield document
            # Whatever of it nobody wanted.
            async for _ in self.chunks():
                pass

    async def chunks(self) -> AsyncIterator[bytes]:
        while isinstance(self._next, bytes):
            chunk = self._next
            self._next = await anext(self._parts, None)
            yield chunk
