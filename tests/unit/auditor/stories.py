# SPDX-License-Identifier: Apache-2.0
"""Histories for the auditor's tests: honest ones by the domain's own functions, then changed.

A `Story` holds events with their leaf indexes; `relinked` makes a changed history follow from
itself again, as an operator with every right on the database could.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from clients.auditor.audit import audit
from clients.auditor.report import Report
from vault.domain import choice as her_choice
from vault.domain import consent, disclosure, evidence, registry, request, vault
from vault.domain.canonical import b64, digest, encode, unb64
from vault.domain.choice import Choice, ItemChoice, Shown
from vault.domain.disclosure import Attempt, EvidenceDisclosed, Plan, Selection
from vault.domain.events import Draft, Event, Facts, Link
from vault.domain.evidence import Content
from vault.domain.registry import Bounds, FieldDefinition, RegistryState
from vault.domain.state import VaultState, fold
from vault.domain.values import (
    NO_APPROVAL,
    NO_REGISTRY,
    Acting,
    AskedTerms,
    Basis,
    Frequency,
    Mode,
    PayloadMark,
    PurposeVersion,
    Recipient,
    RegistryMark,
    RequestedFields,
    Stamp,
    Time,
    TypeFields,
    later,
)
from vault.store.record import entry_of, first_leaf, link_event

BEGINNING = Time("2026-03-02T09:00:00.000000Z")
ORIGIN = "test/0"
VAULT = "00000000-0000-8000-8000-00000000000a"
REGISTRY = "00000000-0000-8000-8000-00000000000b"
COUNCIL = "00000000-0000-4000-8000-0000000000c1"
CARE = "00000000-0000-4000-8000-0000000000c2"
ORGANISATION = "00000000-0000-4000-8000-0000000000d1"
KEY_ID = "00000000-0000-4000-8000-0000000000e1"
SALT = b64(bytes(16))
BUNDLE = digest(b"bundle")
NOTICE = digest(b"texts")
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC_KEY = KEY.public_key().public_bytes_raw()
HERSELF = Acting(actor="sign-in", capacity="self", mandate="", channel="web")
ADDRESS_NAMES = ("line1", "postcode", "town")
INCOME_NAMES = ("amount", "period")


@dataclass(frozen=True)
class Placed:
    """An event and its leaf index."""

    event: Event
    leaf_index: int

    @property
    def line(self) -> bytes:
        """Return its line of an export."""
        return self.line_with()

    def line_with(self, **changed: Any) -> bytes:
        """Return its line with some fields changed."""
        link, facts = encode(self.event.link), encode(self.event.facts)
        row = {
            "leaf_index": self.leaf_index,
            "stream_id": self.event.link.stream,
            "version": self.event.link.version,
            "entry": b64(entry_of(link + b"\n" + facts)),
            "link": link.decode(),
            "facts": facts.decode(),
        }
        return json.dumps(row | changed).encode()

    @property
    def receipt(self) -> bytes:
        """Return its receipt file."""
        return self.receipt_with()

    def receipt_with(
        self, key: Ed25519PrivateKey = KEY, signed_origin: str = ORIGIN, **changed: Any
    ) -> bytes:
        """Return its receipt file with some fields changed after it was signed."""
        message = ["citizen-vault/receipt/1", signed_origin, self.leaf_index, self.event.leaf]
        file = {
            "facts": encode(self.event.facts).decode(),
            "link_hash": digest(encode(self.event.link)),
            "origin": signed_origin,
            "leaf_index": self.leaf_index,
            "leaf_hash": self.event.leaf,
            "key_id": KEY_ID,
            "signature": b64(key.sign(encode(message))),
        }
        return json.dumps(file | changed).encode()


@dataclass
class Story:
    """A vault's and a registry's history in the making."""

    time: Time = BEGINNING
    vault: list[Placed] = field(default_factory=list)
    registry: list[Placed] = field(default_factory=list)
    positions: int = 0

    @property
    def state(self) -> VaultState:
        """Return the state of the vault."""
        return reduce(fold, (placed.event for placed in self.vault), VaultState(stream=VAULT))

    @property
    def registered(self) -> RegistryState:
        """Return the state of the registry."""
        events = (placed.event for placed in self.registry)
        return reduce(registry.fold, events, RegistryState(stream=REGISTRY))

    @property
    def mark(self) -> RegistryMark:
        """Return the registry as confirmed now."""
        return RegistryMark(size=len(self.registry), confirmed_time=self.time)

    @property
    def stamp(self) -> Stamp:
        """Return now."""
        return Stamp(time=self.time, salt=SALT)

    def wait(self, *, days: int = 0, seconds: float = 1) -> None:
        """Let time pass."""
        self.time = later(self.time, days=days, seconds=seconds)

    def record(
        self,
        draft: Draft,
        mark: RegistryMark = NO_REGISTRY,
        payloads: tuple[PayloadMark, ...] = (),
        stream: str = VAULT,
    ) -> Placed:
        """Append what was decided."""
        placed = self.vault if stream == VAULT else self.registry
        before = placed[-1].event if placed else None
        # Other streams of the lane stand between.
        self.positions += 1 if stream == REGISTRY else 2
        link = Link(
            origin=ORIGIN,
            stream=stream,
            version=len(placed) + 1,
            previous_leaf=before.leaf if before else first_leaf(ORIGIN, stream),
            request_key=f"key-{self.positions}",
            acting=HERSELF,
            approval=NO_APPROVAL,
            items=draft.items,
            registry=mark,
            payloads=payloads,
            salt=SALT,
        )
        placed.append(Placed(link_event(link, draft.facts), self.positions))
        self.wait()
        return placed[-1]

    def register(self, draft: Draft, *payloads: PayloadMark) -> Placed:
        """Append to the registry."""
        return self.record(draft, payloads=payloads, stream=REGISTRY)

    def found(self) -> None:
        """Register one organisation, two services, two purposes, and open the vault."""
        self.register(registry.list_receipt_key(self.stamp, KEY_ID, b64(PUBLIC_KEY)))
        self.register(
            registry.register_organisation(RegistryState(stream=""), self.stamp, ORGANISATION)
        )
        for service in (COUNCIL, CARE):
            draft = registry.register_service(self.registered, self.stamp, service, ORGANISATION)
            self.register(draft)
        for kind, names in (("income", INCOME_NAMES), ("postal_address", ADDRESS_NAMES)):
            fields = tuple(FieldDefinition(name=name, sensitivity="personal") for name in names)
            self.register(
                registry.publish_evidence_type(self.registered, self.stamp, kind, 1, fields)
            )
        texts = PayloadMark(kind="texts", hash=NOTICE, key_id="", commitment="")
        for code in ("care-plan", "home-care"):
            purpose = PurposeVersion(code=code, version=1, iri="https://w3id.org/dpv#Care")
            draft = registry.publish_purpose(self.registered, self.stamp, purpose, BOUNDS)
            self.register(draft, texts)
        self.record(vault.open_vault(self.stamp))

    def provide(
        self, evidence_id: str, kind: str, names: tuple[str, ...], issued_date: str = ""
    ) -> Placed:
        """Provide a piece of evidence."""
        content = Content(
            schema_version=1, names=names, issued_date=issued_date, source="self-declared"
        )
        return self.record(evidence.provide(self.state, self.stamp, evidence_id, kind, content))

    def replace(self, evidence_id: str, names: tuple[str, ...], issued_date: str = "") -> Placed:
        """Replace it."""
        content = Content(
            schema_version=1, names=names, issued_date=issued_date, source="self-declared"
        )
        draft = evidence.replace_by(self.state, self.stamp, evidence_id, content, names[:1])
        return self.record(draft)

    def ask(self, request_id: str, asked: AskedTerms, subject: str = "") -> Placed:
        """Take a request into the vault."""
        draft = request.receive(
            self.state,
            self.stamp,
            consent_request_id=request_id,
            subject=subject or f"subject-of-{asked.recipient.service}",
            asked=asked,
            expires=later(self.time, days=30),
        )
        return self.record(draft)

    def grant(self, request_id: str, consent_id: str, *choices: ItemChoice) -> Placed:
        """Grant a consent, shown a second before."""
        choice = Choice(items=choices, end=None, language="en")
        shown = Shown(time=self.time, salt=SALT)
        self.wait()
        names = {"consent_request_id": request_id, "consent_id": consent_id}
        shown_hash = digest(
            her_choice.shown_bytes(
                *her_choice.terms_of(self.state, self.time, choice=choice, shown=shown, **names)
            )
        )
        draft = consent.grant(
            self.state,
            self.registered,
            self.stamp,
            choice=choice,
            shown=shown,
            shown_hash=shown_hash,
            **names,
        )
        return self.record(draft, self.mark)

    def attempt(self, consent_id: str, *selections: Selection) -> Attempt:
        """Return a service's attempt under its consent."""
        found = self.state.consents[consent_id]
        return Attempt(
            service=found.service,
            subject=found.subject,
            consent_id=consent_id,
            purpose_code=found.terms.purpose.code,
            selections=selections,
        )

    def disclose(
        self, consent_id: str, *selections: Selection, repeats: Placed | None = None
    ) -> Placed:
        """Disclose, if the domain allows it."""
        first = repeats.event if repeats else None
        attempt = self.attempt(consent_id, *selections)
        plan = disclosure.plan(self.state, self.registered, self.time, attempt, first=first)
        return self.record_use(plan, first)

    def record_use(self, plan: Plan, first: Event | None = None) -> Placed:
        """Record a use, allowed or not."""
        draft = disclosure.disclose(self.stamp, plan, BUNDLE, first.leaf if first else "")
        return self.record(draft, self.mark)

    def refuse(self, consent_id: str, reason: str, *selections: Selection) -> Placed | None:
        """Record a refused attempt."""
        attempt = self.attempt(consent_id, *selections)
        draft = disclosure.refuse(self.state, self.stamp, attempt, reason)
        return self.record(draft, self.mark) if draft else None

    def revoke(self, consent_id: str) -> Placed:
        """Revoke a consent."""
        return self.record(consent.revoke(self.state, self.stamp, consent_id))

    def audit(self, **options: Any) -> Report:
        """Judge it."""
        lines = [placed.line for placed in self.vault]
        return audit(lines, [placed.line for placed in self.registry], **options)


BOUNDS = Bounds(
    services=(COUNCIL, CARE),
    basis=Basis(code="public-task", statute="Care Act 2014 s.9"),
    evidence=(
        TypeFields(evidence_type="income", names=INCOME_NAMES),
        TypeFields(evidence_type="postal_address", names=ADDRESS_NAMES),
    ),
    longest_days=60,
    frequency=Frequency(count=4, period_seconds=86_400),
    retention_days=365,
    method="store",
    storage="GB",
    jurisdiction="GB",
)


def asked_terms(
    service: str,
    code: str,
    *scope: RequestedFields,
    frequency: Frequency | None = None,
    largest_age_days: int = 0,
) -> AskedTerms:
    """Return the terms that a service asks for, within the bounds."""
    return AskedTerms(
        recipient=Recipient(service=service, organisation=ORGANISATION),
        purpose=PurposeVersion(code=code, version=1, iri="https://w3id.org/dpv#Care"),
        basis=BOUNDS.basis,
        method="store",
        scope=scope,
        end=Time("2026-04-01T00:00:00.000000Z"),
        frequency=frequency or Frequency(count=0, period_seconds=0),
        one_time=frequency is None,
        largest_age_days=largest_age_days,
        retention_days=30,
        storage="GB",
        jurisdiction="GB",
        notice_hash=NOTICE,
    )


def asks(kind: str, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> RequestedFields:
    """Return fields that are asked for."""
    return RequestedFields(evidence_type=kind, required=required, optional=optional)


def chooses(evidence_id: str, *names: str, mode: Mode = "following") -> ItemChoice:
    """Return what she chooses of a piece."""
    return ItemChoice(evidence_id=evidence_id, names=names, mode=mode)


def wants(kind: str, *names: str) -> Selection:
    """Return what a service fetches."""
    return Selection(item=0, evidence_type=kind, names=names)


def an_honest_story() -> Story:
    """Return a history with everything in it.

    The council uses its one fetch of a pinned address and income, and repeats it; the care service
    uses a consent that follows the address, before and after a replacement, is refused, and
    stopped.
    """
    story = Story()
    story.found()
    story.provide("address", "postal_address", ADDRESS_NAMES)
    story.provide("income", "income", INCOME_NAMES, issued_date="2026-02-20")
    story.ask(
        "request-1",
        asked_terms(
            COUNCIL,
            "care-plan",
            asks("postal_address", ("line1",), ("postcode", "town")),
            asks("income", ("amount",)),
            largest_age_days=30,
        ),
    )
    story.grant(
        "request-1",
        "consent-1",
        chooses("address", "line1", "postcode", mode="pinned"),
        chooses("income", "amount"),
    )
    both = (wants("postal_address", "line1", "postcode"), wants("income", "amount"))
    first = story.disclose("consent-1", *both)
    story.ask(
        "request-2",
        asked_terms(
            CARE,
            "home-care",
            asks("postal_address", ("line1",), ("postcode",)),
            frequency=Frequency(count=2, period_seconds=86_400),
        ),
    )
    story.grant("request-2", "consent-2", chooses("address", "line1", "postcode"))
    story.disclose("consent-2", wants("postal_address", "line1"))
    story.replace("address", ADDRESS_NAMES)
    story.disclose("consent-2", wants("postal_address", "line1", "postcode"))
    story.disclose("consent-1", *both, repeats=first)
    story.refuse("consent-2", "FIELD_NOT_GRANTED", wants("income", "amount"))
    story.record(vault.read(story.stamp, "evidence"))
    story.revoke("consent-2")
    story.refuse("consent-2", "CONSENT_REVOKED", wants("postal_address", "line1"))
    story.record(vault.read(story.stamp, "history"))
    return story


def relinked(placed: Sequence[Placed]) -> list[Placed]:
    """Return events linked and numbered anew, as if they had always been so; repeats follow."""
    result: list[Placed] = []
    leaves = {"": ""}
    for version, old in enumerate(placed, start=1):
        link, facts = old.event.link, old.event.facts
        previous = result[-1].event.leaf if result else first_leaf(link.origin, link.stream)
        link = replace(link, version=version, previous_leaf=previous)
        if isinstance(facts, EvidenceDisclosed):
            facts = replace(facts, repeats=leaves.get(facts.repeats, facts.repeats))
        result.append(Placed(link_event(link, facts), old.leaf_index))
        leaves[old.event.leaf] = result[-1].event.leaf
    return result


def changed(
    placed: Iterable[Placed],
    version: int,
    facts: Callable[[Any], Facts] = lambda facts: facts,
    link: Callable[[Link], Link] = lambda link: link,
) -> list[Placed]:
    """Return events of which one was changed; what follows still names the old one."""
    return [
        Placed(link_event(link(p.event.link), facts(p.event.facts)), p.leaf_index)
        if p.event.link.version == version
        else p
        for p in placed
    ]


def version_of(story: Story, kind: type[Facts], number: int = 0) -> int:
    """Return the version of an event of one kind, counted from 0."""
    found = [p.event.link.version for p in story.vault if isinstance(p.event.facts, kind)]
    return found[number]


def flipped(text: str) -> str:
    """Return another digest of the same length."""
    data = unb64(text)
    return b64(bytes([data[0] ^ 1]) + data[1:])
