# SPDX-License-Identifier: Apache-2.0
"""A citizen's history, made by the domain's own rules and really sealed, a hundred thousand times.

What is left out is the way to the rules (calls, tokens, turns), not a byte of what they record: the
server goes on from here as if every command had been sent to it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import uuid4

from vault.application.approvals import SESSION
from vault.application.bundle import Opened, bundle_bytes
from vault.application.commands import Particulars, command_digest, sealed, sealed_particulars
from vault.application.evidence import content_of
from vault.application.identifiers import Identifiers, new_vault_id
from vault.application.revisions import context_of, schema_of
from vault.domain import choice as choices
from vault.domain import consent, disclosure, evidence, request, vault
from vault.domain.canonical import b64, digest, encode
from vault.domain.choice import Choice, ItemChoice, Shown
from vault.domain.disclosure import Attempt, Selection
from vault.domain.events import Draft, Event, Link, StreamState
from vault.domain.lane import in_lane
from vault.domain.registry import RegistryState
from vault.domain.request import Question
from vault.domain.state import VaultState, fold
from vault.domain.values import (
    NO_APPROVAL,
    NO_REGISTRY,
    Acting,
    Approval,
    Frequency,
    RegistryMark,
    RequestedFields,
    Stamp,
    Time,
    later,
)
from vault.sealing.envelope import new_key
from vault.sealing.keyring import Keyring, bundle_salt, new_keyring
from vault.sealing.keystore import Identity, Secrets
from vault.store.append import Append, Payload
from vault.store.command import SealedPayload
from vault.store.record import RecordMapper, first_leaf, link_event

EVENTS: Final = 10
"""How many events a citizen has: one in her request's own stream, the others in hers."""
DISCLOSURES: Final = 4
OFTEN: Final = Frequency(count=1_000_000, period_seconds=86_400)
NAMES: Final = ("addressLocality", "buildingNumber", "postalCode", "streetName")
_MAPPER: Final = RecordMapper()


@dataclass(frozen=True)
class Ground:
    """What all histories stand on: the registry with a service and its purpose, and secrets.

    Attributes:
        sensitivities: of the fields of an address.
        time: when the first citizen comes; each later one comes a moment later.
    """

    origin: str
    secrets: Secrets
    registry: RegistryState
    mark: RegistryMark
    service_id: str
    purpose_code: str
    sensitivities: Mapping[str, str]
    time: Time


@dataclass(frozen=True)
class History:
    """What is to be stored of one citizen."""

    appends: tuple[Append, ...]
    keyrings: tuple[tuple[str, Keyring], ...]
    sub: str
    identity: Identity
    subject: str
    consent_id: str


@dataclass
class _Stream:
    """A stream as it grows."""

    ground: Ground
    name: str
    keyring: Keyring
    time: Time
    fold: Callable[..., StreamState]
    state: StreamState | None = None
    appends: list[Append] = field(default_factory=list)

    def stamp(self) -> Stamp:
        """Return the stamp of the next event."""
        self.time = later(self.time, microseconds=1)
        return Stamp(time=self.time, salt=_salt())

    def record(
        self,
        acting: Acting,
        draft: Draft,
        *beside: SealedPayload,
        key: str = "",
        approval: Approval = NO_APPROVAL,
        registry: RegistryMark = NO_REGISTRY,
    ) -> Event:
        """Record a draft with its particulars, as `Vaults.execute` would."""
        said = Particulars(digest=command_digest("Seeded", self.name, self.time))
        payloads = (*beside, sealed_particulars(self.keyring.history, self.name, said))
        before = self.state
        key = key or str(uuid4())
        link = Link(
            origin=self.ground.origin,
            stream=self.name,
            version=before.version + 1 if before else 1,
            previous_leaf=before.last_leaf if before else first_leaf(self.ground.origin, self.name),
            request_key=key,
            acting=acting,
            approval=approval,
            items=draft.items,
            registry=registry,
            payloads=tuple(sorted((p.mark for p in payloads), key=lambda mark: mark.kind)),
            salt=_salt(),
        )
        event = link_event(link, draft.facts)
        stored = tuple(Payload(p.mark.kind, p.content) for p in payloads if p.content is not None)
        self.appends.append(Append((_MAPPER.to_stored_event(event),), (stored,), key))
        self.state = self.fold(before, event)
        return event


def history(ground: Ground, number: int, values: Mapping[str, Mapping[str, object]]) -> History:
    """Return the history of one citizen: evidence, a consent that is in force, disclosures.

    Args:
        values: of her evidence, by type; an address among them.
    """
    identity = Identity(vault_id=new_vault_id(), sign_in_id=str(uuid4()))
    herself = Acting(actor=identity.sign_in_id, capacity="self", mandate="", channel="api")
    subject = str(uuid4())
    keyring = new_keyring().with_subject(ground.service_id, subject)
    keys = {kind: str(uuid4()) for kind in values}
    for evidence_id in keys.values():
        keyring = keyring.with_evidence_key(evidence_id, 1, new_key())
    start = later(ground.time, microseconds=number * 100)
    # Confirmed when she comes: an auditor finds what was decided on a registry of long before.
    ground = replace(ground, mark=RegistryMark(size=ground.mark.size, confirmed_time=start))
    stream = _Stream(ground, identity.vault_id, keyring, start, fold)
    stream.record(herself, vault.open_vault(stream.stamp()))
    opened = {kind: encode(given) for kind, given in values.items()}
    for kind, evidence_id in keys.items():
        _provide(stream, herself, kind, evidence_id, opened[kind])
    asked = _ask(ground, stream, subject)
    consent_id = _grant(ground, stream, herself, asked.name, keys["postal_address"])
    for _ in range(DISCLOSURES):
        _disclose(ground, stream, subject, consent_id, opened["postal_address"])
    return History(
        appends=(*stream.appends[:3], *asked.appends, *stream.appends[3:]),
        keyrings=((stream.name, keyring), (asked.name, asked.keyring)),
        sub=f"citizen-{number}",
        identity=identity,
        subject=subject,
        consent_id=consent_id,
    )


def _provide(stream: _Stream, acting: Acting, kind: str, evidence_id: str, values: bytes) -> None:
    published = stream.ground.registry.evidence_type(kind)
    key = stream.keyring.evidence_key(evidence_id, 1)
    if key is None:
        raise KeyError(evidence_id)
    content = content_of(published, values, "", "self-declared")
    draft = evidence.provide(_vault(stream), stream.stamp(), evidence_id, kind, content)
    schema = schema_of(kind, published.schema_version)
    payload = sealed(key, context_of(key, stream.name, evidence_id, 1, schema), values)
    stream.record(acting, draft, payload, key=evidence_id)


def _ask(ground: Ground, stream: _Stream, subject: str) -> _Stream:
    """Have the service, which knows her, ask; return the request's own stream."""
    question = Question(
        purpose_code=ground.purpose_code,
        scope=(
            RequestedFields(
                evidence_type="postal_address", required=NAMES, optional=("addressCountry",)
            ),
        ),
        start=None,
        end=None,
        frequency=OFTEN,
        largest_age_days=0,
        retention_days=0,
        expires=None,
        subject=subject,
        code_challenge="",
    )
    service = Acting(actor=ground.service_id, capacity="service", mandate="", channel="api")
    key = str(uuid4())
    asked = _Stream(ground, in_lane(key), new_keyring(), stream.time, request.fold)
    made = request.make(ground.registry, asked.stamp(), ground.service_id, question)
    facts = asked.record(service, made, key=key, registry=ground.mark).facts
    stream.time = asked.time
    draft = request.receive(
        _vault(stream),
        stream.stamp(),
        consent_request_id=asked.name,
        subject=subject,
        asked=facts.asked,
        expires=facts.expires,
        is_delivered=True,
    )
    stream.record(service, draft)
    return asked


def _grant(
    ground: Ground, stream: _Stream, acting: Acting, consent_request_id: str, evidence_id: str
) -> str:
    consent_id = Identifiers(ground.secrets, ground.origin).consent_id(consent_request_id)
    item = ItemChoice(evidence_id=evidence_id, names=NAMES, mode="following")
    chosen = Choice(items=(item,), start=None, end=None, language="en")
    page = stream.stamp()
    shown = Shown(time=page.time, salt=page.salt)
    terms, items = choices.terms_of(
        _vault(stream),
        page.time,
        consent_request_id=consent_request_id,
        consent_id=consent_id,
        choice=chosen,
        shown=shown,
    )
    draft = consent.grant(
        _vault(stream),
        ground.registry,
        stream.stamp(),
        consent_request_id=consent_request_id,
        consent_id=consent_id,
        choice=chosen,
        shown=shown,
        shown_hash=digest(choices.shown_bytes(terms, items)),
    )
    stream.record(acting, draft, approval=SESSION, registry=ground.mark)
    return consent_id


def _disclose(
    ground: Ground, stream: _Stream, subject: str, consent_id: str, values: bytes
) -> None:
    attempt = Attempt(
        service=ground.service_id,
        subject=subject,
        consent_id=consent_id,
        purpose_code=ground.purpose_code,
        selections=(Selection(item=0, evidence_type="postal_address", names=NAMES),),
    )
    stamp, key = stream.stamp(), str(uuid4())
    plan = disclosure.plan(_vault(stream), ground.registry, stamp.time, attempt)
    whole = Opened(values=values, sensitivities=ground.sensitivities, statements={})
    bundle = bundle_bytes(plan, (whole,), stamp.time, bundle_salt(stream.keyring, key))
    draft = disclosure.disclose(stamp, plan, digest(bundle))
    service = Acting(actor=ground.service_id, capacity="service", mandate="", channel="api")
    stream.record(service, draft, key=key, registry=ground.mark)


def _vault(stream: _Stream) -> VaultState | None:
    return stream.state if isinstance(stream.state, VaultState) else None


def _salt() -> str:
    return b64(secrets.token_bytes(16))


def sensitivities_of(definition: bytes) -> dict[str, str]:
    """Return how sensitive each field of an evidence type is, by its definition."""
    return {each["name"]: each["sensitivity"] for each in json.loads(definition)["fields"]}
