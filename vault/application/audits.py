# SPDX-License-Identifier: Apache-2.0
"""Audits: history exactly as stored, what was true at any moment, and why something left.

Pseudonyms and digests only: a sealed payload is never opened here. Every look of an auditor at one
vault is an event in it, recorded before anything is shown; a citizen looks at her own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vault.application.documents import SEEN_FOR_SECONDS
from vault.application.looks import Looks
from vault.domain import consent as consents
from vault.domain import disclosure, registry
from vault.domain.disclosure import DisclosureRefused, EvidenceDisclosed
from vault.domain.errors import (
    FieldInvalidError,
    HistoryBrokenError,
    NotFoundError,
    TokenInvalidError,
)
from vault.domain.lane import lane_of
from vault.domain.state import VaultState, fold
from vault.domain.values import Time
from vault.store.record import event_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from vault.application.caller import Caller
    from vault.application.desk import Desk
    from vault.application.registry import PurposeTexts, Registry
    from vault.domain.consent import Consent, ConsentStatus
    from vault.domain.events import Event
    from vault.domain.registry import Purpose
    from vault.store.append import StoredRecord
    from vault.store.command import Sizes

CHUNK = 500


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment of the past: a place in history or a time; neither is now."""

    sizes: Sizes | None = None
    time: Time | None = None


NOW = Moment()


@dataclass(frozen=True, slots=True)
class StateThen:
    """What was true at a moment; `time` is that moment's, or that of the last event."""

    state: VaultState
    time: Time


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why something left or was refused.

    Attributes:
        record: exactly as stored.
        event: the disclosure or refused attempt.
        consent: as it stood before.
        purpose: in the version that the consent names.
        texts: that she was shown, and their digest as they are now.
        is_same: whether the same rules decide the same again; None for a refusal, whose attempt is
            not recorded whole.
    """

    record: StoredRecord
    event: Event
    consent_id: str
    consent: Consent
    status: ConsentStatus
    purpose: Purpose
    texts: tuple[PurposeTexts, ...]
    texts_hash: str
    is_withdrawn: bool
    is_same: bool | None


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """The place up to which everything was sent, and how many records that was."""

    sizes: Sizes
    count: int


class Audits:
    """Replays history, for auditors."""

    def __init__(self, desk: Desk, registry: Registry) -> None:
        self._desk = desk
        self._looks = Looks(desk)
        self._registry = registry

    async def replay_vault(
        self,
        caller: Caller,
        vault_id: str,
        *,
        as_of: Moment = NOW,
        after_version: int = 0,
        case_ref: str = "",
    ) -> AsyncIterator[StoredRecord | CaughtUp]:
        """Yield the records of one vault, oldest first, then where that ends.

        Args:
            as_of: now is the head, this look included.

        Raises:
            NotFoundError: if there is no such vault, or it is not the calling citizen's.
        """
        # Refused before the look is recorded.
        await self._tree_size(vault_id, as_of)
        await self._looks.look(caller, vault_id, case_ref)
        clock = self._desk.vaults.clock
        seen = clock.monotonic()
        async for item in self._replay(vault_id, as_of, after_version):
            # She may have closed that way or signed out meanwhile. An auditor's look is recorded.
            if caller.role == "citizen" and clock.monotonic() - seen > SEEN_FOR_SECONDS:
                seen = clock.monotonic()
                await self._looks.look(caller, vault_id, case_ref)
            yield item

    async def replay_registry(
        self, *, as_of: Moment = NOW, after_version: int = 0
    ) -> AsyncIterator[StoredRecord | CaughtUp]:
        """Yield the records of the registry, oldest first, then where that ends."""
        stream = self._desk.identifiers.registry_stream
        async for item in self._replay(stream, as_of, after_version):
            yield item

    async def state(
        self, caller: Caller, vault_id: str, *, as_of: Moment = NOW, case_ref: str = ""
    ) -> StateThen:
        """Return what was true of one vault at a moment.

        Raises:
            NotFoundError: if there was no such vault then, or it is not the calling citizen's.
        """
        await self._tree_size(vault_id, as_of)
        await self._looks.look(caller, vault_id, case_ref)
        tree_size = await self._tree_size(vault_id, as_of)
        state = await self._desk.vaults.as_of(vault_id, fold, tree_size=tree_size, time=as_of.time)
        if state is None:
            raise NotFoundError
        return StateThen(state=state, time=as_of.time or state.last_time)

    async def explain(
        self, caller: Caller, vault_id: str, version: int, *, case_ref: str = ""
    ) -> Explanation:
        """Explain a disclosure or refused attempt, and decide it again from the same events.

        Raises:
            NotFoundError: if there is no such vault, or that version is neither.
        """
        await self._looks.look(caller, vault_id, case_ref)
        record = await self._record(vault_id, version)
        event = event_of(record) if record else None
        if record is None or event is None:
            raise NotFoundError
        facts = event.facts
        if not isinstance(facts, EvidenceDisclosed | DisclosureRefused):
            raise NotFoundError
        vaults = self._desk.vaults
        before = await vaults.as_of(vault_id, fold, version=version - 1)
        if before is None:
            raise NotFoundError
        found = consents.find(before, facts.consent_id)
        registered = await vaults.as_of(
            self._desk.identifiers.registry_stream,
            registry.fold,
            version=event.link.registry.size,
        )
        purpose = (registered.purposes if registered else {}).get(found.terms.purpose.code, ())
        if registered is None or len(purpose) < found.terms.purpose.version:
            raise HistoryBrokenError
        named = purpose[found.terms.purpose.version - 1]
        is_same = None
        if isinstance(facts, EvidenceDisclosed):
            first = await self._first(vault_id, facts.repeats, version)
            is_same = disclosure.again(before, registered, event, first)
        texts, texts_hash = await self._registry.texts_as_found(named.published)
        return Explanation(
            record=record,
            event=event,
            consent_id=facts.consent_id,
            consent=found,
            status=found.status(facts.time),
            purpose=named,
            texts=texts,
            texts_hash=texts_hash,
            is_withdrawn=found.terms.purpose.code in registered.withdrawn,
            is_same=is_same,
        )

    async def _record(self, vault_id: str, version: int) -> StoredRecord | None:
        if version > await self._desk.vaults.tree_size(vault_id):
            return None
        records = await self._desk.vaults.records(vault_id, after_version=version - 1, limit=1)
        return records[0] if records and records[0].version == version else None

    async def _first(self, vault_id: str, leaf: str, version: int) -> Event | None:
        """Return the disclosure that a later one repeats; None if it repeats none."""
        after = 0
        while leaf and after < version:
            records = await self._desk.vaults.records(vault_id, after_version=after, limit=CHUNK)
            if not records:
                break
            for record in records:
                event = event_of(record) if record.version < version else None
                if event is not None and event.leaf == leaf:
                    return event
            after = records[-1].version
        return None

    async def _replay(
        self, stream: str, as_of: Moment, after_version: int
    ) -> AsyncIterator[StoredRecord | CaughtUp]:
        tree_size = await self._tree_size(stream, as_of)
        # No version is larger; a number that is may be larger than a database can compare.
        after_version = min(after_version, tree_size)
        last = await self._record(stream, after_version) if after_version else None
        count, reached = 0, last.position + 1 if last else 0
        while True:
            records = await self._desk.vaults.records(
                stream, after_version=after_version, below_position=tree_size, limit=CHUNK
            )
            for record in records:
                if as_of.time is not None and _time_of(record) > as_of.time:
                    yield CaughtUp(sizes={lane_of(stream): reached}, count=count)
                    return
                count += 1
                reached = record.position + 1
                yield record
            if len(records) < CHUNK:
                break
            after_version = records[-1].version
        yield CaughtUp(sizes={lane_of(stream): tree_size}, count=count)

    async def _tree_size(self, stream: str, as_of: Moment) -> int:
        """Return the size of the stream's lane to stop at: one that this history has reached.

        Raises:
            TokenInvalidError: if the place is in other lanes, which tells nothing of this one, or
                lies beyond what this history has reached.
        """
        if as_of.time is not None and as_of.time > self._desk.vaults.clock.now():
            raise FieldInvalidError("as_of_time", "It lies in the future: nobody knows yet.")
        reached = await self._desk.vaults.tree_size(stream)
        if as_of.sizes is None:
            return reached
        size = as_of.sizes.get(lane_of(stream))
        if size is None or size > reached:
            # Beyond it: ours, but of a history that was longer, before it was restored.
            raise TokenInvalidError("as_of_token")
        return size


def _time_of(record: StoredRecord) -> str:
    """Return when a record's event happened; "" if the record was deleted."""
    event = event_of(record)
    return event.facts.time if event else ""
