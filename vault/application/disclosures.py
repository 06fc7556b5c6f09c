# SPDX-License-Identifier: Apache-2.0
"""The path of a disclosure: decide, open exactly what may leave, record, and only then release.

What is recorded leaves promptly or not at all: past `release_before` the bundle is dropped, and a
stop that is acknowledged a quarter of a second after its COMMIT is never overtaken by it.
"""

from __future__ import annotations

import asyncio
import logging
import math
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from vault.application.commands import (
    Particulars,
    command_digest,
    must_be_same,
    sealed_particulars,
    signed,
)
from vault.application.documents import CONTENT, SEEN_FOR_SECONDS
from vault.application.evidence import DOCUMENT
from vault.application.opening import open_bundle
from vault.domain import disclosure
from vault.domain.canonical import digest
from vault.domain.disclosure import Attempt, EvidenceDisclosed, Opening
from vault.domain.errors import (
    EvidenceChangedError,
    FieldInvalidError,
    FieldUnknownError,
    LimitExceededError,
    ReleaseTooLateError,
    StateError,
    VaultError,
    VaultNotOpenError,
)
from vault.domain.state import VaultState, fold
from vault.domain.values import Acting, Stamp
from vault.sealing.keyring import bundle_salt
from vault.store.command import Command, Decision, Recorded

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from vault.application.caller import Caller
    from vault.application.desk import Desk
    from vault.application.documents import Documents
    from vault.application.receipts import Receipt, Receipts
    from vault.application.registry import Registry
    from vault.domain.events import Event
    from vault.domain.registry import RegistryState
    from vault.sealing.keyring import Keyring
    from vault.store.command import Sizes

LARGEST_BUNDLE_BYTES = 224 * 1024
"""Leaves room in a message of 256 KiB: what is recorded must be able to leave."""

RELEASE_AFTER_COMMIT_SECONDS = 0.2
"""A stop is acknowledged 0.25 s after its COMMIT: the difference is for the way to the socket."""
RELEASE_AFTER_DECISION_SECONDS = 1.0
REFUSAL_DELAY_SECONDS = 0.01
"""A refusal is recorded after the reply, so that the reply's timing tells nothing of it."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Disclosed:
    """What a service receives."""

    bundle: bytes
    receipt: Receipt
    is_repeat: bool
    sizes: Sizes
    external_reference: str
    event: Event


@dataclass(frozen=True, slots=True)
class Order:
    """One disclosure of several: what `disclose` takes for it."""

    request_id: str
    attempt: Attempt
    said: Particulars


@dataclass(slots=True)
class _Release:
    """The bundle of the last decision, and until when it may leave, on the monotonic clock."""

    bundle: bytes = b""
    before: float = 0.0


@dataclass(frozen=True, slots=True)
class _Ready:
    """A disclosure that is recorded, and what may leave for it."""

    recorded: Recorded
    release: _Release
    external_reference: str
    is_repeat: bool


class Disclosures:
    """Discloses evidence to services."""

    def __init__(
        self,
        desk: Desk,
        registry: Registry,
        receipts: Receipts,
        documents: Documents,
        must_be_witnessed: Callable[[str], None] = lambda stream: None,  # noqa: ARG005
    ) -> None:
        """Disclose from these.

        Args:
            must_be_witnessed: refuses, for a stream whose log has gone without witnesses too long.
        """
        self._must_be_witnessed = must_be_witnessed
        self._desk = desk
        self._registry = registry
        self._receipts = receipts
        self._documents = documents
        self._refusals: set[asyncio.Task[None]] = set()

    async def disclose(
        self,
        caller: Caller,
        request_id: str,
        attempt: Attempt,
        said: Particulars,
        deadline: float | None = None,
    ) -> Disclosed:
        """Disclose fields of a subject's evidence under her consent.

        Args:
            attempt: its `service` is the caller.
            said: references of the caller, without digest, which is filled in here.
            deadline: on the monotonic clock; past it nothing is appended.

        Raises:
            NotFoundError: if subject or consent are not the caller's.
            FieldUnknownError: if a field is not published.
            FieldInvalidError: if a member of staff names no case, or another than herself.
            LogUnwitnessedError: if too much has gone without independent witnesses for too long.
            StateError: with the reason of the refusal, which is then recorded.
            ReleaseTooLateError: if it was recorded but may not leave any more.
        """
        ready = await self._make_ready(caller, Order(request_id, attempt, said), deadline)
        return self._release(ready, self._receipts.of(ready.recorded))

    async def disclose_many(
        self, caller: Caller, orders: Sequence[Order], deadline: float | None = None
    ) -> list[Disclosed | Exception]:
        """Disclose each of several as `disclose` does, and return what became of each.

        One that fails stops no other, also by a fault of ours. Their receipts have one signature.
        """
        outcomes = await asyncio.gather(
            *(self._make_ready(caller, order, deadline) for order in orders),
            return_exceptions=True,
        )
        recorded = [outcome.recorded for outcome in outcomes if isinstance(outcome, _Ready)]
        receipts = iter(self._receipts.of_all(recorded))
        results: list[Disclosed | Exception] = []
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                results.append(outcome)
            elif isinstance(outcome, BaseException):
                raise outcome
            else:
                try:
                    results.append(self._release(outcome, next(receipts)))
                except ReleaseTooLateError as late:
                    results.append(late)
        return results

    async def _make_ready(self, caller: Caller, order: Order, deadline: float | None) -> _Ready:
        attempt, said = order.attempt, signed(caller, order.said)
        if caller.staff_ref and not said.case_ref:
            raise FieldInvalidError("case_ref", "Say for which case you look.")
        vault_id = await self._desk.keyrings.vault_of(caller.service, attempt.subject)
        self._must_be_witnessed(vault_id)
        try:
            _must_be_published((await self._registry.confirmed()).state, attempt)
        except FieldUnknownError:
            _must_be_published((await self._registry.confirmed(now=True)).state, attempt)
        keyring = await self._desk.keyrings.of(vault_id)
        expected = command_digest("DiscloseEvidence", attempt, said)
        particulars = replace(said, digest=expected)
        command = Command(
            stream=vault_id,
            acting=Acting(actor=caller.service, capacity="service", mandate="", channel="api"),
            request_key=self._desk.identifiers.request_key(
                caller.service, f"DiscloseEvidence/{attempt.subject}", order.request_id
            ),
            deadline=deadline,
        )
        salt = bundle_salt(keyring, command.request_key)
        try:
            recorded, release = await self._record(command, keyring, attempt, particulars, salt)
        except StateError as refused:
            self._refuse(command, keyring, attempt, particulars, refused)
            raise
        if not recorded.is_repeat:
            return _Ready(recorded, release, said.external_reference, is_repeat=False)

        await must_be_same(self._desk.vaults, recorded, expected, keyring.history)
        again = Command(stream=vault_id, acting=command.acting, deadline=deadline)
        try:
            repeated, release = await self._record(
                again, keyring, attempt, particulars, salt, first=recorded.event
            )
        except StateError as refused:
            # The reason and the first receipt, never the values.
            refused.receipt = self._receipts.of(recorded)
            self._refuse(command, keyring, attempt, particulars, refused)
            raise
        return _Ready(repeated, release, said.external_reference, is_repeat=True)

    async def disclose_document(
        self,
        caller: Caller,
        request_id: str,
        attempt: Attempt,
        said: Particulars,
        deadline: float = math.inf,
    ) -> AsyncGenerator[Disclosed | bytes, None]:
        """Yield the disclosure of a document as `disclose` returns it, then the document's bytes.

        A chunk leaves only if the consent was seen to be in force less than `SEEN_FOR_SECONDS` ago,
        so that none leaves after a stop was acknowledged.

        Raises:
            FieldInvalidError: if it is not one document with its content.
            StateError: if it may not leave, or may not leave any more.
            See `disclose` for the others.
        """
        _must_be_document(attempt)
        disclosed = await self.disclose(caller, request_id, attempt, said, deadline)
        yield disclosed
        stream = disclosed.event.link.stream
        clock = self._desk.vaults.clock
        seen, opening = await self._still_permitted(stream, attempt, disclosed.event)
        content = self._documents.content(stream, opening.evidence, opening.revision)
        async with aclosing(content) as chunks:
            async for chunk in chunks:
                # Looking may itself take too long: then what was seen says nothing any more.
                while clock.monotonic() - seen > SEEN_FOR_SECONDS:
                    if clock.monotonic() > deadline:
                        raise ReleaseTooLateError
                    seen, _ = await self._still_permitted(stream, attempt, disclosed.event)
                yield chunk

    async def check(self, attempts: tuple[Attempt, ...]) -> tuple[str, ...]:
        """Say of each attempt why it would be refused now, "" if it would not; record nothing.

        Args:
            attempts: each `service` is the caller.

        Raises:
            NotFoundError: if a subject or consent is not the caller's.
            FieldUnknownError: if a field is not published.
        """
        registered = await self._registry.confirmed(now=True)
        return tuple([await self._check(registered.state, attempt) for attempt in attempts])

    async def _still_permitted(
        self, stream: str, attempt: Attempt, first: Event
    ) -> tuple[float, Opening]:
        """Return when a disclosure was seen to be permitted still, on the monotonic clock."""
        self._must_be_witnessed(stream)
        registered = await self._registry.confirmed()
        seen = self._desk.vaults.clock.monotonic()
        state = await self._desk.vaults.current(stream, fold)
        now = self._desk.vaults.clock.now()
        plan = disclosure.plan(state, registered.state, now, attempt, first=first)
        return seen, plan.openings[0]

    async def _check(self, registry: RegistryState, attempt: Attempt) -> str:
        vault_id = await self._desk.keyrings.vault_of(attempt.service, attempt.subject)
        _must_be_published(registry, attempt)
        state = await self._desk.vaults.current(vault_id, fold)
        try:
            disclosure.plan(state, registry, self._desk.vaults.clock.now(), attempt)
        except StateError as refused:
            return refused.reason
        return ""

    async def drain(self) -> None:
        """Wait until every refusal is recorded."""
        if self._refusals:
            await asyncio.gather(*self._refusals)

    async def _record(
        self,
        command: Command,
        keyring: Keyring,
        attempt: Attempt,
        particulars: Particulars,
        salt: str,
        *,
        first: Event | None = None,
    ) -> tuple[Recorded, _Release]:
        release = _Release()
        beside = sealed_particulars(keyring.history, command.stream, particulars)

        async def decide(state: VaultState | None, stamp: Stamp) -> Decision:
            decided_at = self._desk.vaults.clock.monotonic()
            registered = await self._registry.confirmed()
            try:
                plan = disclosure.plan(state, registered.state, stamp.time, attempt, first=first)
            except StateError:
                # No refusal stands on a registry that may be half a second old.
                registered = await self._registry.confirmed(now=True)
                plan = disclosure.plan(state, registered.state, stamp.time, attempt, first=first)
            release.bundle = await open_bundle(
                self._desk,
                self._registry,
                command.stream,
                plan,
                time=first.facts.time if first else stamp.time,
                salt=salt,
            )
            release.before = min(decided_at, registered.monotonic) + RELEASE_AFTER_DECISION_SECONDS
            if len(release.bundle) > LARGEST_BUNDLE_BYTES:
                raise LimitExceededError("fields", "Fetch fewer fields at once.")
            bundle_hash = digest(release.bundle)
            if first is not None and _bundle_hash(first) != bundle_hash:
                raise EvidenceChangedError
            draft = disclosure.disclose(stamp, plan, bundle_hash, first.leaf if first else "")
            return Decision(draft=draft, payloads=(beside,), registry=registered.mark)

        recorded = await self._desk.vaults.execute(command, fold, decide)
        release.before = min(release.before, recorded.commit_sent + RELEASE_AFTER_COMMIT_SECONDS)
        return recorded, release

    def _release(self, ready: _Ready, receipt: Receipt) -> Disclosed:
        if self._desk.vaults.clock.monotonic() > ready.release.before:
            raise ReleaseTooLateError
        return Disclosed(
            bundle=ready.release.bundle,
            receipt=receipt,
            is_repeat=ready.is_repeat,
            sizes=ready.recorded.sizes,
            external_reference=ready.external_reference,
            event=ready.recorded.event,
        )

    def _refuse(
        self,
        command: Command,
        keyring: Keyring,
        attempt: Attempt,
        particulars: Particulars,
        refused: StateError,
    ) -> None:
        """Record a refused attempt on the service's own consent, after the reply."""
        if isinstance(refused, VaultNotOpenError):
            return
        beside = sealed_particulars(keyring.history, command.stream, particulars)

        async def decide(state: VaultState | None, stamp: Stamp) -> Decision:
            registered = await self._registry.confirmed()
            draft = disclosure.refuse(state, stamp, attempt, refused.reason)
            if draft is None:
                raise _EnoughListedError
            return Decision(draft=draft, payloads=(beside,), registry=registered.mark)

        async def record() -> None:
            await asyncio.sleep(REFUSAL_DELAY_SECONDS)
            silent = Command(stream=command.stream, acting=command.acting)
            try:
                await self._desk.vaults.execute(silent, fold, decide)
            except _EnoughListedError:
                pass
            except VaultError as error:
                _log.warning("a refusal was not recorded: %s", error.reason)

        task = asyncio.create_task(record())
        self._refusals.add(task)
        task.add_done_callback(self._refusals.discard)


def _must_be_published(registry: RegistryState, attempt: Attempt) -> None:
    for index, selection in enumerate(attempt.selections):
        registry.must_know(selection.evidence_type, selection.names, f"fields[{index}]")


def _must_be_document(attempt: Attempt) -> None:
    selection = attempt.selections[0]
    if selection.evidence_type != DOCUMENT or CONTENT not in selection.names:
        raise FieldInvalidError("fields", "Name one document, its content among its fields.")


class _EnoughListedError(Exception):
    """Enough refusals are listed for this consent, reason and day."""


def _bundle_hash(event: Event) -> str:
    return event.facts.bundle_hash if isinstance(event.facts, EvidenceDisclosed) else ""
