# SPDX-License-Identifier: Apache-2.0
"""Histories for the auditor's tests: honest ones, by the domain's own functions.

A `Story` holds events with their leaf indexes; its `acting` does everything that no service does.
How histories are changed is in `tampering.py`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from clients.auditor.audit import Export, audit
from clients.auditor.report import Report
from clients.auditor.trust import Trust
from vault.domain import (
    amendment,
    consent,
    disclosure,
    dispute,
    evidence,
    protection,
    registry,
    report,
    request,
    vault,
)
from vault.domain import choice as her_choice
from vault.domain import sign_in as sign_ins
from vault.domain.amendment import Narrowing, Remaining
from vault.domain.canonical import b64, digest, encode
from vault.domain.choice import Choice, ItemChoice, Shown
from vault.domain.consent import ReportStatus
from vault.domain.disclosure import Attempt, Plan, Selection
from vault.domain.dispute import Outcome
from vault.domain.events import Draft, Event, Facts, Link
from vault.domain.evidence import Content
from vault.domain.lane import in_lane, origin_of
from vault.domain.registry import Bounds, FieldDefinition, RegistryState
from vault.domain.state import VaultState, fold
from vault.domain.values import (
    NO_APPROVAL,
    NO_REGISTRY,
    Acting,
    Approval,
    ApprovalKind,
    AskedTerms,
    Basis,
    Channel,
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
from vault.transparency.note import Signer

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
WAY = "00000000-0000-4000-8000-0000000000f1"
HERSELF = Acting(actor="sign-in", capacity="self", mandate="", channel="web")
SESSION = Approval(kind="session", proof_hash="")
PROOF = digest(b"proof")
AGREED = PayloadMark(kind="approval", hash=PROOF, key_id="key", commitment=PROOF)
PROOFS: dict[Channel, ApprovalKind] = {
    "counter": "staff-assisted",
    "phone": "staff-assisted",
    "letter": "paper",
}
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
        self, key: Ed25519PrivateKey = KEY, signed_origin: str = "", **changed: Any
    ) -> bytes:
        """Return its receipt file with some fields changed after it was signed."""
        signed_origin = signed_origin or self.event.link.origin
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
    acting: Acting = HERSELF
    lane: int = 0
    """Of the vault."""
    name: str = VAULT
    """The vault's id, but for its lane."""

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
        *,
        stream: str = VAULT,
        acting: Acting | None = None,
        approval: Approval = NO_APPROVAL,
    ) -> Placed:
        """Append what was decided."""
        placed = self.vault if stream == VAULT else self.registry
        before = placed[-1].event if placed else None
        lane = self.lane if stream == VAULT else 0
        name = self.name if stream == VAULT else stream
        stream, origin = in_lane(name, lane), origin_of("test", lane)
        who = acting or self.acting
        # Other streams of the lane stand between.
        self.positions += 1 if stream == REGISTRY else 2
        link = Link(
            origin=origin,
            stream=stream,
            version=len(placed) + 1,
            previous_leaf=before.leaf if before else first_leaf(origin, stream),
            request_key="" if who.capacity == "service" else f"key-{self.positions}",
            acting=who,
            approval=approval,
            items=draft.items,
            registry=mark,
            payloads=payloads,
            salt=SALT,
        )
        placed.append(Placed(link_event(link, draft.facts), self.positions))
        self.wait()
        return placed[-1]

    def decide(self, draft: Draft, mark: RegistryMark = NO_REGISTRY) -> Placed:
        """Append a decision, with what shows that it is hers, unless who decides has to wait."""
        sign_ins.must_have_waited(self.state, self.acting, self.time)
        if self.acting.capacity == "self":
            return self.record(draft, mark, approval=SESSION)
        approval = Approval(kind=PROOFS[self.acting.channel], proof_hash=PROOF)
        return self.record(draft, mark, (AGREED,), approval=approval)

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
        self.list_log_key(0)
        if self.lane:
            origin = origin_of("test", self.lane)
            self.register(registry.list_lane(self.registered, self.stamp, self.lane, origin))
            self.list_log_key(self.lane)
        self.record(vault.open_vault(self.stamp))
        if self.acting.capacity == "official":
            self.link(self.acting.mandate)

    def list_log_key(self, lane: int) -> Placed:
        """List the key of a lane's log."""
        origin = origin_of("test", lane)
        facts = (self.registered, self.stamp, lane, origin, log_signer(origin).verifier.vkey)
        return self.register(registry.list_log_key(*facts))

    def link(self, sign_in: str) -> Placed:
        """Open another way to her vault."""
        return self.record(sign_ins.hand_out(self.stamp, sign_in))

    def let_in(self, who: Acting = HERSELF, wait_seconds: int = 1) -> None:
        """Let a sign-in be linked, as it was shown a second before."""
        shown = Shown(time=self.time, salt=SALT)
        page = sign_ins.shown_link_code(self.state, self.acting, wait_seconds, shown)
        self.wait()
        draft = sign_ins.create_link_code(
            self.state,
            self.stamp,
            self.acting,
            link_code=f"code of {who.actor}",
            wait_seconds=wait_seconds,
            shown=shown,
            shown_hash=digest(page),
        )
        self.decide(draft)
        draft = sign_ins.link(self.state, self.stamp, who.actor, f"code of {who.actor}")
        self.record(draft, acting=who)

    def sign_out(self) -> Placed:
        """Sign her out everywhere."""
        return self.record(sign_ins.sign_out(self.state, self.stamp, self.acting))

    def protect(self, evidence_id: str) -> Placed:
        """Protect a piece of evidence."""
        return self.record(protection.protect(self.state, self.stamp, evidence_id))

    def lift(self, evidence_id: str) -> Placed:
        """Protect it no more, having just signed in."""
        draft = protection.lift(self.state, self.stamp, self.acting, self.time, evidence_id)
        return self.record(draft)

    def unlink(self, sign_in: str) -> Placed:
        """Close it."""
        return self.record(sign_ins.unlink(self.state, self.stamp, self.acting, sign_in))

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

    def dispute(self, dispute_id: str, evidence_id: str, *names: str) -> Placed:
        """Say that fields are wrong."""
        draft = dispute.dispute(
            self.state,
            self.stamp,
            evidence_id=evidence_id,
            dispute_id=dispute_id,
            names=names,
            is_shared=False,
        )
        return self.record(draft)

    def settle(self, dispute_id: str, evidence_id: str, outcome: Outcome = "withdrawn") -> Placed:
        """Settle a dispute."""
        draft = dispute.resolve(
            self.state,
            self.stamp,
            evidence_id=evidence_id,
            dispute_id=dispute_id,
            outcome=outcome,
        )
        return self.record(draft)

    def ask(
        self, request_id: str, asked: AskedTerms, subject: str = "", acting: Acting | None = None
    ) -> Placed:
        """Take a request into the vault: by its service, which knows her, or as it is claimed."""
        draft = request.receive(
            self.state,
            self.stamp,
            consent_request_id=request_id,
            subject=subject or f"subject-of-{asked.recipient.service}",
            asked=asked,
            expires=later(self.time, days=30),
            is_delivered=acting is None,
        )
        return self.record(draft, acting=acting or as_service(asked.recipient.service))

    def refuse_request(self, request_id: str) -> Placed:
        """Say no to a request."""
        return self.record(request.refuse(self.state, self.stamp, request_id))

    def take_back(self, request_id: str, service: str) -> Placed:
        """Take a request back, whether it is there or not."""
        draft = request.cancel(
            self.state,
            self.stamp,
            consent_request_id=request_id,
            service_id=service,
            subject=f"subject-of-{service}",
        )
        return self.record(draft, acting=as_service(service))

    def grant(
        self, request_id: str, consent_id: str, *choices: ItemChoice, start: Time | None = None
    ) -> Placed:
        """Grant a consent, shown a second before."""
        choice = Choice(items=choices, start=start, end=None, language="en")
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
        return self.decide(draft, self.mark)

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
        return self.record(draft, self.mark, acting=as_service(plan.consent.service))

    def refuse(self, consent_id: str, reason: str, *selections: Selection) -> Placed | None:
        """Record a refused attempt."""
        attempt = self.attempt(consent_id, *selections)
        draft = disclosure.refuse(self.state, self.stamp, attempt, reason)
        acting = as_service(attempt.service)
        return self.record(draft, self.mark, acting=acting) if draft else None

    def tell(self, consent_id: str, status: ReportStatus) -> Placed:
        """Have the service tell her how far the matter is."""
        found = self.state.consents[consent_id]
        draft = report.report(
            self.state,
            self.registered,
            self.stamp,
            service=found.service,
            subject=found.subject,
            consent_id=consent_id,
            status=status,
        )
        return self.record(draft, self.mark, acting=as_service(found.service))

    def narrow(
        self,
        consent_id: str,
        *items: Remaining,
        end: Time | None = None,
        frequency_count: int = 0,
    ) -> Placed:
        """Share less; no items: of all items."""
        narrowing = Narrowing(items=items or None, end=end, frequency_count=frequency_count)
        return self.record(amendment.narrow(self.state, self.stamp, consent_id, narrowing))

    def extend(self, consent_id: str, end: Time) -> Placed:
        """Share for longer, shown a second before."""
        shown = Shown(time=self.time, salt=SALT)
        self.wait()
        found = consent.find(self.state, consent_id)
        terms = amendment.extended_terms(found, end, shown)
        draft = amendment.extend(
            self.state,
            self.registered,
            self.stamp,
            consent_id=consent_id,
            end=end,
            shown=shown,
            shown_hash=digest(her_choice.shown_bytes(terms, found.items)),
            capacity=self.acting.capacity,
        )
        return self.decide(draft, self.mark)

    def pause(self, consent_id: str) -> Placed:
        """Pause a consent."""
        return self.record(consent.pause(self.state, self.stamp, consent_id))

    def resume(self, consent_id: str) -> Placed:
        """Let it go on."""
        draft = consent.resume(self.state, self.registered, self.stamp, consent_id)
        return self.decide(draft, self.mark)

    def revoke(self, consent_id: str) -> Placed:
        """Revoke a consent."""
        return self.record(consent.revoke(self.state, self.stamp, consent_id))

    def audit(self, **options: Any) -> Report:
        """Judge it."""
        lines = [placed.line for placed in self.vault]
        return audited(lines, [placed.line for placed in self.registry], **options)


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


def audited(
    vault_lines: Iterable[bytes],
    registry_lines: Iterable[bytes],
    receipts: Sequence[bytes] = (),
    *,
    receipt_keys: Sequence[bytes] = (),
    **options: Any,
) -> Report:
    """Judge the lines of a vault and a registry, and receipts."""
    export = Export(vault_lines, registry_lines, receipts=receipts)
    return audit(export, Trust(receipt_keys=tuple(receipt_keys)), **options)


def log_signer(origin: str) -> Signer:
    """Return the key of a log."""
    return Signer(origin, hashlib.sha256(origin.encode()).digest())


def as_service(service: str) -> Acting:
    """Return that a service acts for itself."""
    return Acting(actor=service, capacity="service", mandate="", channel="api")


def as_official(channel: Channel, way: str = WAY) -> Acting:
    """Return that an official acts for her, by a way that she opened."""
    return Acting(actor="staff", capacity="official", mandate=way, channel=channel)


def asked_terms(
    service: str,
    code: str,
    *scope: RequestedFields,
    start: Time = BEGINNING,
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
        start=start,
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


def an_honest_story(lane: int = 0) -> Story:
    """Return a history with everything in it.

    The council uses its one fetch of a pinned address and income, and repeats it; the care service
    uses a consent that follows the address, before and after a replacement, is refused, and
    stopped.
    """
    story = Story(lane=lane)
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


def a_story_of_changes() -> Story:
    """Return a history in which everything is changed that can be.

    A consent that starts later is narrowed, paused, resumed and extended, and used in between; a
    request is refused, one is taken back, one was taken back before it came. She says that fields
    are wrong, takes one dispute back and settles the other by a replacement.
    """
    story = Story()
    story.found()
    story.provide("address", "postal_address", ADDRESS_NAMES)
    story.provide("income", "income", INCOME_NAMES)
    asked = asked_terms(
        CARE,
        "home-care",
        asks("postal_address", ("line1",), ("postcode", "town")),
        asks("income", ("amount",), ("period",)),
        start=Time("2026-03-02T10:00:00.000000Z"),
        frequency=Frequency(count=2, period_seconds=86_400),
    )
    for number in range(3):
        story.ask(f"request-{number}", asked)
    story.grant(
        "request-0",
        "consent",
        chooses("address", *ADDRESS_NAMES),
        chooses("income", *INCOME_NAMES, mode="pinned"),
        start=Time("2026-03-02T11:00:00.000000Z"),
    )
    story.refuse_request("request-1")
    story.take_back("request-2", CARE)
    story.take_back("request-9", CARE)
    story.refuse("consent", "CONSENT_NOT_STARTED", wants("income", "amount"))
    story.wait(seconds=3 * 3600)
    story.disclose("consent", wants("postal_address", "line1", "town"), wants("income", "amount"))
    story.dispute("dispute-1", "address", "line1")
    story.dispute("dispute-2", "income", "amount", "period")
    story.replace("address", ADDRESS_NAMES)
    story.settle("dispute-2", "income")
    story.dispute("dispute-3", "address", "line1", "town")
    remaining = Remaining(item=1, names=("line1", "postcode"))
    story.narrow("consent", remaining, end=Time("2026-03-20T00:00:00.000000Z"))
    story.disclose("consent", wants("postal_address", "line1", "postcode"))
    story.pause("consent")
    story.refuse("consent", "CONSENT_PAUSED", wants("postal_address", "line1"))
    story.wait(days=1)
    story.resume("consent")
    story.disclose("consent", wants("postal_address", "line1"))
    story.extend("consent", Time("2026-05-02T00:00:00.000000Z"))
    story.narrow("consent", frequency_count=1)
    story.wait(days=40)
    story.disclose("consent", wants("postal_address", "postcode"))
    story.revoke("consent")
    return story


def an_assisted_story() -> Story:
    """Return a history of somebody who has officials act for her.

    One opens her vault and the way to it by letter, where she grants; one lets it go on at a
    counter, one stops it by phone. Then a sign-in of hers is let in at the counter, by which she
    opens another way and closes the first; she protects what she gave, and no more. The service
    tells what came of it.
    """
    story = Story(acting=as_official("letter"))
    story.found()
    story.provide("income", "income", INCOME_NAMES)
    asked = asked_terms(COUNCIL, "care-plan", asks("income", ("amount",), ("period",)))
    story.ask("request", asked, acting=story.acting)
    story.record(vault.read(story.stamp, "evidence"))
    story.grant("request", "consent", chooses("income", *INCOME_NAMES))
    story.acting = as_official("phone")
    story.pause("consent")
    story.acting = as_official("counter")
    story.resume("consent")
    story.narrow("consent", Remaining(item=1, names=("amount",)))
    story.disclose("consent", wants("income", "amount"))
    story.dispute("dispute", "income", "period")
    story.let_in()
    story.wait()
    story.acting = HERSELF
    story.link("another")
    story.unlink(WAY)
    story.protect("income")
    story.lift("income")
    story.sign_out()
    story.acting = as_official("phone", "another")
    story.revoke("consent")
    story.unlink("another")
    story.tell("consent", "granted")
    return story


def version_of(story: Story, kind: type[Facts], number: int = 0) -> int:
    """Return the version of an event of one kind, counted from 0."""
    found = [p.event.link.version for p in story.vault if isinstance(p.event.facts, kind)]
    return found[number]
