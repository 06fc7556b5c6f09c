# SPDX-License-Identifier: Apache-2.0
"""Exports: everything that is kept of a citizen, for her to take away.

Her history exactly as stored, what the registry and the operator recorded beside it, what is sealed
together with the keys that open it, her documents, and a proof from the log for each record. Who
holds all this needs nobody's server to read and verify it.
"""

from __future__ import annotations

from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from vault.application.documents import SEEN_FOR_SECONDS, facts_of_content
from vault.application.revisions import KIND as EVIDENCE
from vault.application.revisions import open_revision, schema_of
from vault.domain import operation
from vault.domain.canonical import unb64
from vault.domain.errors import NotFoundError, VaultError
from vault.domain.evidence import EvidenceProvided, EvidenceReplaced
from vault.domain.lane import lane_of
from vault.sealing.envelope import Context, Key
from vault.store.record import event_of, leaf_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from vault.application.caller import ActingFor, Caller
    from vault.application.desk import Citizen, Desk
    from vault.application.documents import Documents
    from vault.application.registry import Registry
    from vault.domain.events import Event
    from vault.domain.state import VaultState
    from vault.domain.values import PayloadMark, Time
    from vault.sealing.keyring import Keyring
    from vault.store.append import StoredRecord

CHUNK: Final = 500
PROOF_SECONDS: Final = 10.0
"""How long an export waits for a checkpoint that covers its last records."""
_DOCUMENT: Final = "document"


class Proving(Protocol):
    """Proves that records stand in the log."""

    async def of(self, lane: int, leaf_index: int, leaf_hash: bytes, deadline: float) -> str:
        """Return a proof, as C2SP tlog-proof writes it.

        Raises:
            DeadlinePassedError: if no published checkpoint covers the record in time.
        """


@dataclass(frozen=True, slots=True)
class Head:
    """What follows, and up to where; `log_keys` are pairs of origin and key."""

    vault_id: str
    origin: str
    version: int
    leaf: bytes
    time: Time
    public_count: int
    log_keys: tuple[tuple[str, str], ...]
    registry_id: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A record: hers, or one that is public."""

    record: StoredRecord
    is_public: bool


@dataclass(frozen=True, slots=True)
class Beside:
    """What lies beside the record before it: `sealed` is b"" when deleted, or bytes of their own.

    `key` is None when it was destroyed, or nothing is sealed.
    """

    sealed: bytes
    context: Context
    key: Key | None


@dataclass(frozen=True, slots=True)
class DocumentAhead:
    """A document whose bytes follow."""

    evidence_id: str
    revision: int
    media_type: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Proven:
    """The proof of a record from the log; "" where none signs."""

    origin: str
    leaf_index: int
    proof: str


@dataclass(frozen=True, slots=True)
class End:
    """That it is whole, and how many parts came before."""

    count: int


Part: TypeAlias = Head | Kept | Beside | DocumentAhead | bytes | Proven | End


class Exports:
    """Exports vaults, for citizens."""

    def __init__(
        self,
        desk: Desk,
        registry: Registry,
        documents: Documents,
        proofs: Proving | None = None,
    ) -> None:
        """Export from these; without `proofs` no log runs, and records come without."""
        self._desk = desk
        self._registry = registry
        self._documents = documents
        self._proofs = proofs

    async def export(
        self, caller: Caller, acting: ActingFor, deadline: float
    ) -> AsyncGenerator[Part, None]:
        """Yield every part of an export; an official's look is recorded first.

        Args:
            deadline: on the monotonic clock.

        Raises:
            VaultNotOpenError, NotFoundError: if there is no vault, or no way to it (any more).
            SignInTooNewError: if she comes by a sign-in that still waits.
            CapacityNotAllowedError, FreshSignInRequiredError: if a piece is protected.
            HistoryBrokenError: if something is not what was recorded.
        """
        citizen = await self._desk.citizen(caller, acting)
        clock = self._desk.vaults.clock
        self._must_be_free(citizen, await self._desk.state(citizen))
        state = await self._desk.shown(citizen, "export")
        self._must_be_free(citizen, state)
        count, seen = 0, clock.monotonic()
        async with aclosing(self._parts(citizen, state, deadline)) as parts:
            async for part in parts:
                # An official may have been shut out meanwhile.
                while clock.monotonic() - seen > SEEN_FOR_SECONDS:
                    seen = clock.monotonic()
                    await self._desk.state(citizen)
                yield part
                count += 1
        yield End(count)

    def _must_be_free(self, citizen: Citizen, state: VaultState) -> None:
        """Check that all of it may leave."""
        self._desk.must_have_waited(citizen, state)
        self._desk.must_be_visible(citizen, *state.evidence.values())

    async def _parts(
        self, citizen: Citizen, state: VaultState, deadline: float
    ) -> AsyncGenerator[Part, None]:
        vaults = self._desk.vaults
        registered = await self._registry.state()
        operated = await vaults.current(self._desk.identifiers.operations_stream, operation.fold)
        public = {
            known.stream: known.version for known in (registered, operated) if known is not None
        }
        yield Head(
            vault_id=citizen.vault_id,
            origin=vaults.origin_of(citizen.vault_id),
            version=state.version,
            leaf=unb64(state.last_leaf),
            time=vaults.clock.now(),
            public_count=sum(public.values()),
            # The name in a key is its log's.
            log_keys=tuple((vkey.partition("+")[0], vkey) for vkey in registered.log_keys.values()),
            registry_id=self._desk.identifiers.registry_stream,
        )
        keyring = await self._desk.keyring(citizen)
        # Places and leaves alone: a vault may be large, and the reader slow.
        proven: list[tuple[str, int, bytes]] = []
        for stream, version in public.items():
            async for record in self._records(stream, version):
                proven.append((record.stream, record.position, leaf_of(record.entry)))
                yield Kept(record, is_public=True)
                async for beside in self._beside(record, None):
                    yield beside
        async for record in self._records(citizen.vault_id, state.version):
            proven.append((record.stream, record.position, leaf_of(record.entry)))
            yield Kept(record, is_public=False)
            async for beside in self._beside(record, keyring):
                yield beside
        async for part in self._all_documents(citizen.vault_id, state):
            yield part
        deadline = min(deadline, vaults.clock.monotonic() + PROOF_SECONDS)
        for stream, position, leaf in proven:
            yield await self._proof(stream, position, leaf, deadline)

    async def _records(self, stream: str, version: int) -> AsyncIterator[StoredRecord]:
        after = 0
        while after < version:
            records = await self._desk.vaults.records(
                stream, after_version=after, limit=min(CHUNK, version - after)
            )
            if not records:
                return
            for record in records:
                yield record
            after = records[-1].version

    async def _beside(self, record: StoredRecord, keyring: Keyring | None) -> AsyncIterator[Beside]:
        event = event_of(record)
        for mark in event.link.payloads if event else ():
            content = await self._desk.vaults.payload(record.stream, record.version, mark.kind)
            context = context_of_mark(event, mark) if event else Context(record.stream, mark.kind)
            key = _key_of(keyring, context, mark) if keyring else None
            yield Beside(sealed=content or b"", context=context, key=key)

    async def _all_documents(self, vault_id: str, state: VaultState) -> AsyncIterator[Part]:
        for piece in state.evidence.values():
            for revision in piece.revisions:
                if revision.document is None:
                    continue
                try:
                    values = await open_revision(self._desk, vault_id, piece, revision)
                    content = facts_of_content(values)
                    pieces = self._documents.content(vault_id, piece, revision)
                    async with aclosing(pieces) as opened:
                        first = await anext(opened, b"")
                        yield DocumentAhead(
                            evidence_id=piece.evidence_id,
                            revision=revision.revision,
                            media_type=content.media_type,
                            size_bytes=content.size_bytes,
                        )
                        yield first
                        async for chunk in opened:
                            yield chunk
                except NotFoundError:
                    # Erased, and her history says so.
                    continue

    async def _proof(self, stream: str, position: int, leaf: bytes, deadline: float) -> Proven:
        origin = self._desk.vaults.origin_of(stream)
        proof = ""
        if self._proofs is not None:
            lane = lane_of(stream)
            # What the log does not sign she takes away without: she need not wait for its operator.
            with suppress(VaultError):
                proof = await self._proofs.of(lane, position, leaf, deadline)
        return Proven(origin=origin, leaf_index=position, proof=proof)


def context_of_mark(event: Event, mark: PayloadMark) -> Context:
    """Return where the payload of a record belongs, from the record alone."""
    evidence_id, revision, schema = "", 0, ""
    facts = event.facts
    is_evidence = mark.kind in {EVIDENCE, _DOCUMENT}
    if is_evidence and isinstance(facts, EvidenceProvided | EvidenceReplaced) and event.link.items:
        item = event.link.items[0]
        evidence_id, revision = item.evidence_id, item.revision
        schema = schema_of(facts.evidence_type, facts.schema_version)
    return Context(
        stream=event.link.stream,
        kind=mark.kind,
        evidence_id=evidence_id,
        revision=revision,
        schema=schema,
        key_id=mark.key_id,
    )


def _key_of(keyring: Keyring, context: Context, mark: PayloadMark) -> Key | None:
    key = (
        keyring.evidence_key(context.evidence_id, context.revision)
        if context.evidence_id
        else keyring.history
    )
    return key if key is not None and key.key_id == mark.key_id else None
