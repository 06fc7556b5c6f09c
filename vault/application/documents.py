# SPDX-License-Identifier: Apache-2.0
"""Documents: uploaded in chunks, judged by their own bytes, sealed as they come, and read again.

What is said about a document is evidence of type `document`; its field `content` says what the
bytes are, and is written here, never by a caller. The bytes lie in the document store, sealed under
the revision's own key, so that what erases the revision erases them.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from vault.application.caller import Answer
from vault.application.commands import Particulars, command_digest
from vault.application.desk import Decided
from vault.application.evidence import DOCUMENT, View, changed_names, content_of
from vault.application.revisions import (
    Values,
    context_of,
    judge,
    key_for,
    open_revision,
    parse,
    schema_of,
    seal_revision,
)
from vault.domain import evidence
from vault.domain.canonical import b64, unb64
from vault.domain.errors import (
    ConcurrentChangeError,
    DocumentInvalidError,
    EvidenceInvalidError,
    HistoryBrokenError,
    LimitExceededError,
    NotFoundError,
    StoreUnavailableError,
)
from vault.domain.events import stored_name_of
from vault.domain.evidence import EvidenceProvided, EvidenceReplaced
from vault.domain.values import PayloadMark, moment_of
from vault.domain.vault import must_be_sound
from vault.evidence_types.document import DocumentForm, DocumentFormError
from vault.sealing.chunks import ChunkOpener, ChunkSealer
from vault.sealing.errors import SealError
from vault.store.command import SealedPayload
from vault.store.documents import DocumentMissingError, DocumentStoreError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator

    from vault.application.caller import ActingFor, Caller
    from vault.application.desk import Citizen, Desk
    from vault.application.evidence import EvidenceKeeper
    from vault.application.receipts import Receipts
    from vault.application.registry import Registry
    from vault.domain.evidence import Evidence, Revision
    from vault.domain.registry import EvidenceType
    from vault.domain.state import VaultState
    from vault.domain.values import Stamp
    from vault.sealing.envelope import Key
    from vault.store.command import Recorded
    from vault.store.documents import DocumentStore, StagedDocument

T = TypeVar("T")

KIND = "document"
CONTENT = "content"
_BRINGING = tuple(stored_name_of(facts) for facts in (EvidenceProvided, EvidenceReplaced))
SEEN_FOR_SECONDS = 0.15
"""How long a chunk may leave after it was last seen that it may: less than a stop settles."""
CHUNK_BYTES = 128 * 1024
"""The most that leaves in one message."""
_SENTENCES = {
    "empty": "It is empty.",
    "not-a-document": "Its bytes are none of PDF, PNG and JPEG.",
    "mislabelled": "Its bytes are of another type.",
    "truncated": "Its end is missing, or it is damaged.",
}


@dataclass(frozen=True, slots=True)
class Header:
    """What is said before a document's bytes.

    `evidence_id` is "" for a new one, `sha256` (base64url) "" if it is not announced.
    """

    request_id: str
    evidence_id: str
    values: bytes
    media_type: str
    sha256: str
    issued_date: str


@dataclass(frozen=True, slots=True)
class ContentFacts:
    """What stands with a document: what its bytes are."""

    sha256: str
    size_bytes: int
    media_type: str


@dataclass(frozen=True, slots=True)
class DocumentPlace:
    """As which revision of which piece of evidence a document is kept."""

    evidence_id: str
    revision: int
    published: EvidenceType


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where an upload goes: which revision of which piece, sealed with which key."""

    evidence_id: str
    revision: int
    published: EvidenceType
    key: Key


class Documents:
    """Keeps documents, for citizens, and reads them for disclosures."""

    def __init__(
        self,
        desk: Desk,
        registry: Registry,
        receipts: Receipts,
        keeper: EvidenceKeeper,
        store: DocumentStore,
    ) -> None:
        self._desk = desk
        self._registry = registry
        self._receipts = receipts
        self._keeper = keeper
        self._store = store
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="documents")

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown()

    async def upload(
        self, caller: Caller, acting: ActingFor, header: Header, chunks: AsyncIterator[bytes]
    ) -> Answer[View]:
        """Take a document in, as a new piece of evidence or as the next revision of one.

        Raises:
            NotFoundError: if there is no such document to replace.
            DocumentInvalidError: if the bytes are not what they are said to be.
            EvidenceInvalidError: if what is said about it does not fit the type.
            ConcurrentChangeError: if it was replaced meanwhile.
        """
        citizen = await self._desk.citizen(caller, acting)
        said = parse(header.values)
        if CONTENT in said:
            raise EvidenceInvalidError((("/content", "It follows from the document itself."),))
        request_key = self._desk.request_key(citizen, "UploadDocument", header.request_id)
        planned = await self._plan(citizen, header.evidence_id, request_key)
        async with self._staged() as staged:
            content = await self._receive(citizen, planned, header, chunks, staged)
            digest = command_digest(
                "UploadDocument", header.evidence_id, said, content, header.issued_date
            )
            earlier = await self._desk.earlier(citizen, request_key, digest)
            if earlier is None:
                values = await judge(self._registry, planned.published, {**said, CONTENT: content})
                name = await self._blocking(staged.promote)
                mark = _mark_of(name, planned.key)
                earlier = await self._record(
                    citizen, request_key, planned, header, values=values, mark=mark, digest=digest
                )
        state = await self._desk.state(citizen)
        piece = evidence.find(state, planned.evidence_id)
        return Answer(
            value=await self._keeper.view(state, piece),
            sizes=earlier.sizes,
            receipt=self._receipts.of(earlier),
        )

    async def take_in(
        self,
        citizen: Citizen,
        place: DocumentPlace,
        content: ContentFacts,
        chunks: AsyncIterator[bytes],
    ) -> PayloadMark:
        """Seal the bytes of a document for a place, and return the mark for its event.

        Until an event names it, it is an orphan.

        Raises:
            DocumentInvalidError: if the bytes are not those that are announced.
        """
        key = await key_for(self._desk, citizen.vault_id, place.evidence_id, place.revision)
        planned = _Plan(place.evidence_id, place.revision, place.published, key)
        announced = Header("", "", b"", content.media_type, content.sha256, "")
        async with self._staged() as staged:
            await self._receive(citizen, planned, announced, chunks, staged)
            return _mark_of(await self._blocking(staged.promote), key)

    async def download(
        self, caller: Caller, acting: ActingFor, evidence_id: str, number: int = 0
    ) -> AsyncGenerator[View | bytes, None]:
        """Yield one revision of a document, 0 the current one, then its bytes.

        Raises:
            NotFoundError: if there is no such document.
            HistoryBrokenError: if the bytes are not those that were recorded.
        """
        citizen = await self._desk.citizen(caller, acting)
        _, revision = evidence.find_revision(await self._desk.state(citizen), evidence_id, number)
        if revision.document is None:
            raise NotFoundError
        view = await self._keeper.get(caller, acting, evidence_id, number)
        yield view
        content = self.content(citizen.vault_id, view.evidence, view.revision)
        clock = self._desk.vaults.clock
        seen = clock.monotonic()
        async with aclosing(content) as opened:
            async for chunk in opened:
                # An official may have been shut out meanwhile.
                while clock.monotonic() - seen > SEEN_FOR_SECONDS:
                    seen = clock.monotonic()
                    await self._desk.state(citizen)
                yield chunk

    async def content(
        self, vault_id: str, piece: Evidence, revision: Revision
    ) -> AsyncGenerator[bytes, None]:
        """Yield the bytes of a document, as they were uploaded.

        Raises:
            NotFoundError: if its key or object is gone.
            HistoryBrokenError: if the bytes are not those that were recorded.
        """
        mark = revision.document
        keyring = await self._desk.keyrings.holding(vault_id, piece.evidence_id, revision.revision)
        key = keyring.evidence_key(piece.evidence_id, revision.revision)
        if mark is None or key is None:
            raise NotFoundError
        values = await open_revision(self._desk, vault_id, piece, revision)
        schema = schema_of(piece.evidence_type, revision.schema_version)
        context = context_of(key, vault_id, piece.evidence_id, revision.revision, schema, kind=KIND)
        digest = hashlib.sha256()
        stored = await self._blocking(partial(self._store.open, unb64(mark.hash).hex()))
        try:
            opener = ChunkOpener(key, context, mark.commitment)
            while sealed := await self._blocking(stored.read):
                for chunk in _pieces(opener.update(sealed)):
                    digest.update(chunk)
                    yield chunk
            for chunk in _pieces(opener.finish()):
                digest.update(chunk)
                yield chunk
        except SealError as error:
            raise HistoryBrokenError from error
        finally:
            stored.close()
        if b64(digest.digest()) != facts_of_content(values).sha256:
            raise HistoryBrokenError

    async def sweep(self) -> int:
        """Delete what uploads left behind that were broken off; return how many objects.

        An object whose event never came is an orphan after a day: no upload takes so long.
        """
        hashes = await self._desk.vaults.marked(KIND, _BRINGING)
        named = {unb64(each).hex() for each in hashes}
        now = moment_of(self._desk.vaults.clock.now()).timestamp()
        return await self._blocking(partial(self._store.sweep, named.__contains__, now=now))

    async def _plan(self, citizen: Citizen, evidence_id: str, request_key: str) -> _Plan:
        state = await self._desk.state(citizen)
        published = (await self._registry.state()).evidence_type(DOCUMENT)
        number = 1
        if evidence_id:
            piece = evidence.find(state, evidence_id)
            if piece.evidence_type != DOCUMENT:
                raise NotFoundError
            number = piece.current.revision + 1
        target = evidence_id or request_key
        key = await key_for(self._desk, citizen.vault_id, target, number)
        return _Plan(evidence_id=target, revision=number, published=published, key=key)

    async def _receive(
        self,
        citizen: Citizen,
        planned: _Plan,
        header: Header,
        chunks: AsyncIterator[bytes],
        staged: StagedDocument,
    ) -> Values:
        """Judge and seal the bytes as they come, and return what they are."""
        published = planned.published
        schema = schema_of(published.evidence_type, published.schema_version)
        context = context_of(
            planned.key,
            citizen.vault_id,
            planned.evidence_id,
            planned.revision,
            schema,
            kind=KIND,
        )
        receiving = _Receiving(ChunkSealer(planned.key, context), header.media_type, staged)
        try:
            async for chunk in chunks:
                await self._blocking(partial(receiving.take, chunk))
            await self._blocking(receiving.finish)
        except DocumentFormError as error:
            if error.reason == "too-large":
                raise LimitExceededError(detail="A document has at most 25 MiB.") from None
            raise DocumentInvalidError("media_type", _SENTENCES[error.reason]) from None
        sha256 = b64(receiving.digest.digest())
        if header.sha256 not in {"", sha256}:
            raise DocumentInvalidError("sha256", "Other bytes came than were announced.")
        return {
            "sha256": sha256,
            "sizeBytes": receiving.form.size_bytes,
            "mediaType": header.media_type,
        }

    async def _record(
        self,
        citizen: Citizen,
        request_key: str,
        planned: _Plan,
        header: Header,
        *,
        values: bytes,
        mark: PayloadMark,
        digest: str,
    ) -> Recorded:
        content = content_of(planned.published, values, header.issued_date, "document")

        async def decide(state: VaultState | None, stamp: Stamp) -> Decided:
            if not header.evidence_id:
                draft = evidence.provide(state, stamp, planned.evidence_id, DOCUMENT, content)
            else:
                before = evidence.find(must_be_sound(state), planned.evidence_id)
                if before.current.revision + 1 != planned.revision:
                    raise ConcurrentChangeError
                old = await open_revision(self._desk, citizen.vault_id, before, before.current)
                changed = changed_names(json.loads(old), json.loads(values))
                draft = evidence.replace_by(state, stamp, planned.evidence_id, content, changed)
            payload = await seal_revision(
                self._desk,
                citizen.vault_id,
                planned.evidence_id,
                planned.revision,
                published=planned.published,
                values=values,
            )
            document = SealedPayload(mark=mark, content=None)
            return Decided(draft=draft, payloads=(payload, document))

        said = Particulars(digest=digest)
        return await self._desk.record(citizen, request_key, said, decide)

    @asynccontextmanager
    async def _staged(self) -> AsyncIterator[StagedDocument]:
        """Begin an object in the store; what is not promoted is dropped, also if she hangs up."""
        staging = asyncio.ensure_future(self._blocking(self._store.stage))
        try:
            staged = await asyncio.shield(staging)
        except asyncio.CancelledError:
            staging.add_done_callback(self._drop)
            raise
        try:
            yield staged
        finally:
            await asyncio.shield(self._blocking(staged.discard))

    def _drop(self, staging: asyncio.Future[StagedDocument]) -> None:
        if not staging.cancelled() and staging.exception() is None:
            self._threads.submit(staging.result().discard)

    async def _blocking(self, function: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, function)
        except DocumentMissingError:
            raise NotFoundError from None
        except DocumentStoreError as error:
            raise StoreUnavailableError from error


def facts_of_content(values: bytes) -> ContentFacts:
    """Return what stands with a document in its values."""
    content = json.loads(values)[CONTENT]
    return ContentFacts(
        sha256=content["sha256"],
        size_bytes=content["sizeBytes"],
        media_type=content["mediaType"],
    )


def _mark_of(name: str, key: Key) -> PayloadMark:
    return PayloadMark(
        kind=KIND,
        hash=b64(bytes.fromhex(name)),
        key_id=key.key_id,
        commitment=key.commitment,
    )


class _Receiving:
    """A document on its way in: judged, hashed, sealed and written, all of it off the loop."""

    def __init__(self, sealer: ChunkSealer, media_type: str, staged: StagedDocument) -> None:
        self.form = DocumentForm(media_type)
        self.digest = hashlib.sha256()
        self._sealer = sealer
        self._staged = staged

    def take(self, chunk: bytes) -> None:
        self.form.feed(chunk)
        self.digest.update(chunk)
        self._staged.write(self._sealer.update(chunk))

    def finish(self) -> None:
        self.form.finish()
        self._staged.write(self._sealer.finish())


def _pieces(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), CHUNK_BYTES):
        yield content[start : start + CHUNK_BYTES]
