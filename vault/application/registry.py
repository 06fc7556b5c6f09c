# SPDX-License-Identifier: Apache-2.0
"""The registry's use cases, and the view of it on which disclosures are decided.

A disclosure stands on a registry confirmed within the last second: so a suspension or withdrawal
stops disclosures within a second, also those of other processes.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import msgspec
from msgspec import Struct

from vault.application.caller import Answer, Caller
from vault.application.commands import (
    Particulars,
    command_digest,
    must_be_recorded,
    must_be_same,
    public,
    public_particulars,
)
from vault.application.wording import TextWarning, definition_warnings
from vault.domain import registry
from vault.domain.canonical import digest, encode
from vault.domain.errors import FieldInvalidError, HistoryBrokenError, NotFoundError
from vault.domain.registry import Bounds, FieldDefinition, Purpose, RegistryState, Service
from vault.domain.values import Acting, PurposeVersion, RegistryMark, Stamp
from vault.evidence_types.schema import CompiledSchema, SchemaError, Schemas
from vault.evidence_types.subschemas import codes_of
from vault.evidence_types.values import unfit
from vault.store.command import Command, Decision, Recorded, SealedPayload
from vault.store.record import event_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from vault.application.identifiers import Identifiers
    from vault.application.receipts import Receipts
    from vault.domain.events import Draft
    from vault.domain.values import PayloadMark
    from vault.store.vaults import Vaults

T = TypeVar("T")

CONFIRMED_FOR_SECONDS = 0.5
"""How long a confirmed registry is taken for current; the promise is one second."""

Texts = dict[str, str]
"""A text in each language, by language."""


class Named(Struct, frozen=True, forbid_unknown_fields=True):
    """The public payload of an organisation or service."""

    name: Texts
    contact: Texts = {}


class PurposeTexts(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The texts of a purpose in one language, in citizens' words."""

    language: str
    title: str
    why: str
    if_refused: str
    if_stopped: str
    other_ways: str
    help_line: str
    needed_by: str = ""


class TypeField(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A field in an evidence type's definition.

    `words` tells what each code of its schema is called. A definition without them keeps the bytes
    that it had before there were any.
    """

    name: str
    label: Texts
    hint: Texts
    sensitivity: str
    words: dict[str, Texts] = {}


class Definition(Struct, frozen=True, forbid_unknown_fields=True):
    """The public payload of an evidence type."""

    evidence_type: str
    schema_version: int
    title: Texts
    description: Texts
    fields: tuple[TypeField, ...]
    schema: dict[str, object]

    @property
    def texts(self) -> tuple[Texts, ...]:
        """Return every text that people read."""
        of_fields = (text for f in self.fields for text in (f.label, f.hint, *f.words.values()))
        return (self.title, self.description, *of_fields)


_NAMED = msgspec.json.Decoder(Named)
_PURPOSE_TEXTS = msgspec.json.Decoder(tuple[PurposeTexts, ...])
_DEFINITION = msgspec.json.Decoder(Definition)
_TYPE_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The registry, and when it was confirmed to be current: as stored, and on our own clock."""

    state: RegistryState
    mark: RegistryMark
    monotonic: float


class Registry:
    """Registers and publishes, for operators; shows what is registered, to everybody."""

    def __init__(self, vaults: Vaults, identifiers: Identifiers, receipts: Receipts) -> None:
        self._vaults = vaults
        self._identifiers = identifiers
        self._receipts = receipts
        self._stream = identifiers.registry_stream
        self._confirmed: Confirmed | None = None
        self._confirming = asyncio.Lock()
        self._payloads: dict[tuple[int, str], bytes] = {}
        self._schemas = Schemas()

    async def confirmed(self, *, now: bool = False) -> Confirmed:
        """Return the registry for a decision, confirmed within the last half second.

        Args:
            now: confirm it now: before a refusal, which nobody decides again.

        Raises:
            HistoryBrokenError: if its history does not hold together.
        """
        clock = self._vaults.clock
        known = self._confirmed
        if now:
            known = await self.confirm()
        elif known is None or clock.monotonic() - known.monotonic >= CONFIRMED_FOR_SECONDS:
            async with self._confirming:
                known = self._confirmed
                if known is None or clock.monotonic() - known.monotonic >= CONFIRMED_FOR_SECONDS:
                    known = await self.confirm()
        if known.state.broken_at:
            raise HistoryBrokenError
        return known

    async def confirm(self) -> Confirmed:
        """Return the registry as it stands at the committed head now."""
        clock = self._vaults.clock
        monotonic, time = clock.monotonic(), clock.now()
        state = await self._vaults.current(self._stream, registry.fold)
        known = state or RegistryState(stream=self._stream)
        mark = RegistryMark(size=known.version, confirmed_time=time)
        self._confirmed = Confirmed(state=known, mark=mark, monotonic=monotonic)
        return self._confirmed

    async def list_receipt_key(self) -> None:
        """List this deployment's receipt key, unless it is listed."""
        key_id, public_key = self._receipts.key_id, self._receipts.public_key
        if key_id in (await self.confirm()).state.receipt_keys:
            return
        operator = Acting(actor="", capacity="operator", mandate="", channel="api")

        async def decide(state: RegistryState | None, stamp: Stamp) -> Decision:
            del state
            return Decision(draft=registry.list_receipt_key(stamp, key_id, public_key))

        command = Command(stream=self._stream, acting=operator, request_key=key_id)
        await self._vaults.execute(command, registry.fold, decide)
        await self.confirm()

    async def register_organisation(
        self, caller: Caller, request_id: str, name: Texts, contact: Texts
    ) -> Answer[str]:
        """Register an organisation and return its id."""
        named = Named(name=name, contact=contact)
        payload = public("texts", encode(named))
        new_id = self._request_key(caller, "RegisterOrganisation", request_id)
        decide = partial(registry.register_organisation, organisation=new_id)
        recorded = await self._change(
            caller, "RegisterOrganisation", request_id, [named], decide, payload
        )
        return self._answer(recorded, new_id)

    async def register_service(
        self, caller: Caller, request_id: str, organisation_id: str, name: Texts
    ) -> Answer[str]:
        """Register a service and return its id."""
        named = Named(name=name)
        payload = public("texts", encode(named))
        new_id = self._request_key(caller, "RegisterService", request_id)
        decide = partial(registry.register_service, service=new_id, organisation=organisation_id)
        recorded = await self._change(
            caller, "RegisterService", request_id, [organisation_id, named], decide, payload
        )
        return self._answer(recorded, new_id)

    async def suspend_service(
        self, caller: Caller, request_id: str, service_id: str
    ) -> Answer[str]:
        """Suspend a service."""
        decide = partial(registry.suspend_service, service=service_id)
        recorded = await self._change(caller, "SuspendService", request_id, [service_id], decide)
        return self._answer(recorded, service_id)

    async def reinstate_service(
        self, caller: Caller, request_id: str, service_id: str
    ) -> Answer[str]:
        """Reinstate a service."""
        decide = partial(registry.reinstate_service, service=service_id)
        recorded = await self._change(caller, "ReinstateService", request_id, [service_id], decide)
        return self._answer(recorded, service_id)

    async def publish_purpose(
        self,
        caller: Caller,
        request_id: str,
        purpose: PurposeVersion,
        bounds: Bounds,
        texts: tuple[PurposeTexts, ...],
        *,
        validate_only: bool = False,
    ) -> Answer[Purpose]:
        """Publish a version of a purpose with its texts.

        Args:
            validate_only: only return what it would be; nothing is recorded.

        Raises:
            NotFoundError: if a member of staff names a service of another organisation.
        """
        _in_english([text.language for text in texts], "texts")
        if caller.staffed_service:
            (await self.state()).must_be_colleagues(caller.staffed_service, bounds.services)
        payload = public("texts", encode(texts))
        decide = partial(registry.publish_purpose, purpose=purpose, bounds=bounds)
        if validate_only:
            stamp = await self._considered(decide)
            would_be = Purpose(
                purpose=purpose,
                bounds=bounds,
                notice_hash=payload.mark.hash,
                time=stamp.time,
                published=0,
            )
            return Answer(value=would_be, sizes=await self._vaults.sizes(self._stream))
        recorded = await self._change(
            caller, "PublishPurpose", request_id, [purpose, bounds, texts], decide, payload
        )
        published = await self.purpose(purpose.code, purpose.version)
        return self._answer(recorded, published)

    async def withdraw_purpose(self, caller: Caller, request_id: str, code: str) -> Answer[Purpose]:
        """Withdraw a purpose."""
        decide = partial(registry.withdraw_purpose, code=code)
        recorded = await self._change(caller, "WithdrawPurpose", request_id, [code], decide)
        return self._answer(recorded, await self.purpose(code))

    async def publish_evidence_type(
        self, caller: Caller, request_id: str, definition: bytes, *, validate_only: bool = False
    ) -> Answer[registry.EvidenceType]:
        """Publish a version of an evidence type.

        Args:
            validate_only: only return what it would be; nothing is recorded.

        Raises:
            FieldInvalidError: if the definition is not one, or its schema is not acceptable.
        """
        read = self._read_definition(definition)
        fields = tuple(FieldDefinition(name=f.name, sensitivity=f.sensitivity) for f in read.fields)
        decide = partial(
            registry.publish_evidence_type,
            evidence_type=read.evidence_type,
            schema_version=read.schema_version,
            fields=fields,
        )
        if validate_only:
            await self._considered(decide)
            would_be = registry.EvidenceType(
                evidence_type=read.evidence_type,
                schema_version=read.schema_version,
                fields=fields,
                published=0,
            )
            return Answer(value=would_be, sizes=await self._vaults.sizes(self._stream))
        payload = public("definition", encode(read))
        recorded = await self._change(
            caller, "PublishEvidenceType", request_id, [read], decide, payload
        )
        published = await self.evidence_type(read.evidence_type, read.schema_version)
        return self._answer(recorded, published)

    async def state(self) -> RegistryState:
        """Return what is registered now."""
        return (await self.confirm()).state

    async def service(self, service_id: str) -> Service:
        """Return a service, suspended or not.

        Raises:
            NotFoundError: if it is not registered.
        """
        service = (await self.state()).services.get(service_id)
        if service is None:
            raise NotFoundError
        return service

    async def purpose(self, code: str, version: int = 0) -> Purpose:
        """Return a version of a purpose, withdrawn or not; 0 is the current one.

        Raises:
            NotFoundError: if it is not published.
        """
        versions = (await self.state()).purposes.get(code, ())
        if not versions or version > len(versions):
            raise NotFoundError
        return versions[version - 1]

    async def evidence_type(self, evidence_type: str, version: int = 0) -> registry.EvidenceType:
        """Return a version of an evidence type; 0 is the current one.

        Raises:
            NotFoundError: if it is not published.
        """
        versions = (await self.state()).evidence_types.get(evidence_type, ())
        if not versions or version > len(versions):
            raise NotFoundError
        return versions[version - 1]

    async def published(self, evidence_type: str, version: int) -> registry.EvidenceType:
        """Return a version of an evidence type, which never changes, from memory if it is there.

        Raises:
            NotFoundError: if it is not published.
        """
        known = (
            self._confirmed.state.evidence_types.get(evidence_type, ()) if self._confirmed else ()
        )
        if version <= len(known):
            return known[version - 1]
        return await self.evidence_type(evidence_type, version)

    async def named(self, published: int) -> Named:
        """Return the name of an organisation or service, by the version at which it lies."""
        return _NAMED.decode(await self._payload(published, "texts"))

    async def purpose_texts(self, published: int) -> tuple[PurposeTexts, ...]:
        """Return the texts of a purpose, by the version at which they lie.

        Raises:
            HistoryBrokenError: if they are not those that were published.
        """
        return _PURPOSE_TEXTS.decode(await self._payload(published, "texts"))

    async def texts(self, published: int) -> bytes:
        """Return the texts of a purpose exactly as hashed, by the version at which they lie.

        Raises:
            HistoryBrokenError: if they are not those that were published.
        """
        return await self._payload(published, "texts")

    async def texts_as_found(self, published: int) -> tuple[tuple[PurposeTexts, ...], str]:
        """Return the texts of a purpose and their digest, for who compares it with the recorded."""
        found = await self._found(published, "texts")
        return _PURPOSE_TEXTS.decode(found), digest(found)

    async def definition(self, published: int) -> bytes:
        """Return the definition of an evidence type, by the version at which it lies."""
        return await self._payload(published, "definition")

    async def schema(self, published: int) -> CompiledSchema:
        """Return the compiled schema of an evidence type, by the version at which it lies."""
        definition = _DEFINITION.decode(await self._payload(published, "definition"))
        return self._schemas.compile(definition.schema)

    def warnings_of(self, definition: bytes) -> tuple[TextWarning, ...]:
        """Return warnings about the texts of an evidence type's definition."""
        return definition_warnings(self._read_definition(definition))

    def _read_definition(self, definition: bytes) -> Definition:
        try:
            read = _DEFINITION.decode(definition)
            self._schemas.compile(read.schema)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise FieldInvalidError("definition", "It is not a definition.") from None
        except SchemaError as error:
            path = error.violations[0].path if error.violations else ""
            raise FieldInvalidError("definition", f"Its schema is refused at '{path}'.") from None
        if not _TYPE_NAME.fullmatch(read.evidence_type):
            raise FieldInvalidError("definition", "Its evidence_type does not have the form.")
        names = [field.name for field in read.fields]
        properties = read.schema.get("properties")
        if not isinstance(properties, dict) or sorted(names) != sorted(properties):
            raise FieldInvalidError("definition", "Its fields are not the schema's properties.")
        if any(f.sensitivity not in {"ordinary", "sensitive", "special"} for f in read.fields):
            raise FieldInvalidError("definition", "A field's sensitivity is not a known one.")
        if any(not f.words.keys() <= codes_of(read.schema, f.name) for f in read.fields):
            raise FieldInvalidError("definition", "A field has words for a code that it lacks.")
        for text in read.texts:
            _in_english(list(text), "definition")
            if unfit(text):
                raise FieldInvalidError("definition", "A text holds what cannot be shown.")
        return read

    async def _payload(self, published: int, kind: str) -> bytes:
        known = self._payloads.get((published, kind))
        if known is None:
            known = await self._found(published, kind)
            # People decide by these words: whoever changed them in the database is found here.
            must_be_recorded(known, await self._mark(published, kind))
            self._payloads[published, kind] = known
        return known

    async def _found(self, published: int, kind: str) -> bytes:
        found = await self._vaults.payload(self._stream, published, kind)
        if found is None:
            raise NotFoundError
        return found

    async def _mark(self, published: int, kind: str) -> PayloadMark:
        records = await self._vaults.records(self._stream, after_version=published - 1, limit=1)
        event = event_of(records[0]) if records else None
        mark = event.mark(kind) if event else None
        if mark is None:
            raise HistoryBrokenError
        return mark

    async def _considered(self, decision: Callable[..., Draft]) -> Stamp:
        """Decide on the registry as it stands, and record nothing."""
        stamp = Stamp(time=self._vaults.clock.now(), salt="")
        decision(await self.state(), stamp)
        return stamp

    async def _change(
        self,
        caller: Caller,
        method: str,
        request_id: str,
        fields: list[object],
        decision: Callable[..., Draft],
        *payloads: SealedPayload,
    ) -> Recorded:
        expected = command_digest(method, *fields)
        beside = (*payloads, public_particulars(Particulars(digest=expected)))

        async def decide(state: RegistryState | None, stamp: Stamp) -> Decision:
            known = state or RegistryState(stream=self._stream)
            return Decision(draft=decision(known, stamp), payloads=beside)

        actor = self._identifiers.pseudonym(caller.issuer, caller.sub)
        command = Command(
            stream=self._stream,
            acting=Acting(actor=actor, capacity="operator", mandate="", channel="api"),
            request_key=self._request_key(caller, method, request_id),
        )
        recorded = await self._vaults.execute(command, registry.fold, decide)
        if recorded.is_repeat:
            await must_be_same(self._vaults, recorded, expected, None)
        await self.confirm()
        return recorded

    def _request_key(self, caller: Caller, method: str, request_id: str) -> str:
        actor = self._identifiers.pseudonym(caller.issuer, caller.sub)
        return self._identifiers.request_key(actor, method, request_id)

    @staticmethod
    def _answer(recorded: Recorded, value: T) -> Answer[T]:
        return Answer(value=value, sizes=recorded.sizes)


def _in_english(languages: list[str], field: str) -> None:
    if "en" not in languages or len(set(languages)) != len(languages):
        raise FieldInvalidError(field, "Each language once, English among them.")
