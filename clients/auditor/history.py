# SPDX-License-Identifier: Apache-2.0
"""What is true of a vault after each record: the auditor's own fold.

It takes each record as it stands; whether the record was allowed is `rule.py`, which looks at the
state before the record is taken.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from clients.auditor.canonical import microseconds
from clients.auditor.facts import (
    ConsentExtended,
    ConsentGranted,
    ConsentNarrowed,
    ConsentPaused,
    ConsentRefused,
    ConsentRequestCancelled,
    ConsentRequested,
    ConsentResumed,
    ConsentRevoked,
    DisclosedFields,
    DisclosureRefused,
    DisputeResolved,
    EvidenceDisclosed,
    EvidenceDisputed,
    EvidenceProvided,
    EvidenceReplaced,
    Facts,
    Item,
    Link,
    LinkCodeCreated,
    OfConsent,
    OfRequest,
    PasskeyAdded,
    PasskeyRemoved,
    RecipientReported,
    SignedOutEverywhere,
    SignInLinked,
    SignInUnlinked,
    Terms,
    VaultImported,
    VaultOpened,
)
from clients.auditor.record import Record

Answer = Literal["", "granted", "refused", "taken back"]


@dataclass(frozen=True, slots=True)
class Moment:
    """Which record did something, and when."""

    version: int
    time: str

    def __str__(self) -> str:
        return f"version {self.version}, {self.time}"


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision of a piece of evidence."""

    names: frozenset[str]
    issued_time: str
    """From when its age counts: the start of its issued date, or when it was given."""


@dataclass(slots=True)
class Dispute:
    """Fields that she says are wrong, those with another value since left out.

    `settled_version` is 0 until it is settled.
    """

    names: frozenset[str]
    settled_version: int = 0


@dataclass(slots=True)
class Piece:
    """A piece of evidence with the revisions that were shown."""

    evidence_type: str
    revisions: dict[int, Revision] = field(default_factory=dict)
    disputes: dict[str, Dispute] = field(default_factory=dict)

    @property
    def current(self) -> int:
        """Return the number of the current revision."""
        return max(self.revisions, default=0)

    @property
    def open_disputes(self) -> list[Dispute]:
        """Return the disputes that are not settled."""
        return [dispute for dispute in self.disputes.values() if not dispute.settled_version]


@dataclass(slots=True)
class Request:
    """A request in her vault; the answer is "" until there is one.

    `is_delivered` if the service put it there, not a claim of hers.
    """

    facts: ConsentRequested
    is_delivered: bool
    answer: Answer = ""
    answered_version: int = 0

    def is_pending(self, time: str) -> bool:
        """Say whether it waits for an answer at a time."""
        return not self.answer and time < self.facts.expires


@dataclass(slots=True)
class Way:
    """A way to her vault: since when, and how long it waits; `closed_version` is 0 while open."""

    version: int
    time: str
    is_sign_in: bool
    wait_seconds: int = 0
    closed_version: int = 0


@dataclass(slots=True)
class LinkCode:
    """A code with which a sign-in is linked; `used_version` is 0 until one is."""

    version: int
    time: str
    expires: str
    wait_seconds: int
    used_version: int = 0


@dataclass(slots=True)
class Consent:
    """A consent and what became of it. `facts` are as granted; terms and items as they are now."""

    version: int
    facts: ConsentGranted
    terms: Terms
    """As they are now; `change_terms` sets them."""
    terms_version: int
    items: dict[int, Item]
    decided: str
    """When its end was decided: when it was granted or last extended."""
    granted: dict[int, frozenset[str]] = field(default_factory=dict)
    """By item, what the terms give."""
    permitted: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """Why the registry did not permit the terms, by its versions that were asked for."""
    paused: Moment | None = None
    revoked: Moment | None = None
    uses: Counter[int] = field(default_factory=Counter)
    """How many uses in each window, repeats left out."""
    refusals: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many were recorded for each reason and UTC day."""
    reports: Counter[str] = field(default_factory=Counter)
    """How many the service recorded on each UTC day."""

    def __post_init__(self) -> None:
        self.change_terms(self.version, self.terms)

    def change_terms(self, version: int, terms: Terms) -> None:
        """Let it go on under other terms."""
        self.terms, self.terms_version = terms, version
        self.granted = {fields.item: fields.names for fields in terms.scope}
        self.permitted = {}

    @property
    def why(self) -> str:
        """Say by which records it is in force, and how long."""
        changed = self.terms_version != self.version
        terms = f", terms of version {self.terms_version}" if changed else ""
        return f"granted at version {self.version}{terms}, in force until {self.terms.end}"

    def window(self, time: str) -> int:
        """Return k of the window `[start + k·period, start + (k+1)·period)`; 0 if one-time."""
        period = self.terms.frequency.period_seconds * 1_000_000
        return (microseconds(time) - microseconds(self.terms.start)) // period if period else 0

    def uses_left(self, time: str) -> int:
        """Return how many more uses fit at a time."""
        if self.terms.one_time:
            return 1 - self.uses.total()
        return self.terms.frequency.count - self.uses[self.window(time)]

    def take(self, version: int, link: Link, facts: OfConsent) -> None:
        """Advance by what happened to it."""
        match facts:
            case EvidenceDisclosed():
                if not facts.repeats:
                    self.uses[self.window(facts.time)] += 1
            case ConsentNarrowed() | ConsentExtended():
                # A narrowing with a later end follows an extension that was withheld, or is found.
                if facts.terms.end > self.terms.end:
                    self.decided = facts.time
                self.change_terms(version, facts.terms)
                self.items = {item.item: item for item in link.items}
            case ConsentPaused():
                self.paused = self.paused or Moment(version, facts.time)
            case ConsentResumed():
                self.paused = None
            case ConsentRevoked():
                # The first stop counts: a second one must not move it.
                self.revoked = self.revoked or Moment(version, facts.time)
            case DisclosureRefused():
                self.refusals[facts.reason, facts.time[:10]] += 1
            case RecipientReported():
                self.reports[facts.time[:10]] += 1
            case _:
                pass


Use = tuple[str, str, tuple[DisclosedFields, ...], tuple[Item, ...]]
"""The consent, bundle, fields and items of a use, for those that repeat it."""


@dataclass(slots=True)
class Vault:
    """What is true of a vault; `withheld` counts records that were not shown."""

    withheld: int = 0
    last_withheld: int = 0
    official_way: str | None = None
    """By which way an official opened it; None if she did."""
    ways: dict[str, Way] = field(default_factory=dict)
    link_codes: dict[str, LinkCode] = field(default_factory=dict)
    signed_out: str = ""
    """When she last signed out everywhere."""
    evidence: dict[str, Piece] = field(default_factory=dict)
    requests: dict[str, Request] = field(default_factory=dict)
    taken_back: dict[str, int] = field(default_factory=dict)
    """Requests that their services took back, and at which version."""
    consents: dict[str, Consent] = field(default_factory=dict)
    first_uses: dict[str, Use] = field(default_factory=dict)
    """By leaf."""
    request_keys: set[str] = field(default_factory=set)
    passkeys: dict[str, PasskeyAdded] = field(default_factory=dict)
    """Every one that was ever added."""
    removed_passkeys: dict[str, int] = field(default_factory=dict)
    """At which version."""
    imported: list[VaultImported] = field(default_factory=list)
    """Her histories of other deployments, that go on here."""

    def take(self, record: Record) -> None:
        """Advance by a record."""
        if record.is_withheld:
            self.withheld, self.last_withheld = self.withheld + 1, record.version
        link, facts = record.link, record.facts
        if link is None or facts is None:
            return
        self.request_keys.add(link.request_key)
        match facts:
            case ConsentGranted():
                self._take_grant(record.version, link, facts)
            case OfConsent():
                self._take_of_consent(record, link, facts)
            case EvidenceProvided() | EvidenceDisputed() | DisputeResolved():
                self._take_evidence(record.version, link, facts)
            case OfRequest():
                self._take_of_request(record.version, link, facts)
            case _:
                self._take_way(record.version, link, facts)

    def withheld_after(self, version: int) -> bool:
        """Say whether a record after a version was withheld."""
        return self.last_withheld > version

    def types_of(self, consent_id: str) -> dict[int, str]:
        """Return the type of evidence of each item of a consent; nothing if it is not shown."""
        consent = self.consents.get(consent_id)
        scope = consent.facts.terms.scope if consent else ()
        return {fields.item: fields.evidence_type for fields in scope}

    def _take_way(self, version: int, link: Link, facts: Facts) -> None:
        match facts:
            case VaultOpened() if link.acting.capacity == "official":
                self.official_way = link.acting.mandate
            case VaultOpened():
                self.ways[link.acting.actor] = Way(version, facts.time, is_sign_in=True)
            case LinkCodeCreated():
                self.link_codes[facts.link_code] = LinkCode(
                    version, facts.time, facts.expires, facts.wait_seconds
                )
            case VaultImported():
                self.imported.append(facts)
            case SignInLinked():
                self._take_linked(version, facts)
            case SignInUnlinked() if facts.sign_in in self.ways:
                self.ways[facts.sign_in].closed_version = version
            case SignedOutEverywhere():
                self.signed_out = facts.time
            case PasskeyAdded():
                self.passkeys[facts.passkey_id] = facts
            case PasskeyRemoved():
                self.removed_passkeys.setdefault(facts.passkey_id, version)
            case _:
                pass

    def _take_linked(self, version: int, facts: SignInLinked) -> None:
        code = self.link_codes.get(facts.link_code)
        wait_seconds = code.wait_seconds if code else 0
        is_sign_in = facts.means == "provider"
        self.ways[facts.sign_in] = Way(version, facts.time, is_sign_in, wait_seconds)
        if code:
            code.used_version = code.used_version or version

    def _take_evidence(
        self, version: int, link: Link, facts: EvidenceProvided | EvidenceDisputed | DisputeResolved
    ) -> None:
        for item in link.items:
            piece = self.evidence.setdefault(item.evidence_id, Piece(facts.evidence_type))
            match facts:
                case EvidenceProvided():
                    day = facts.issued_date
                    issued = f"{day}T00:00:00.000000Z" if day else facts.time
                    piece.revisions[item.revision] = Revision(frozenset(facts.names), issued)
                    changed = facts.changed if isinstance(facts, EvidenceReplaced) else ()
                    for dispute in piece.open_disputes:
                        dispute.names = (dispute.names - frozenset(changed)) & set(facts.names)
                        if not dispute.names:
                            dispute.settled_version = version
                case EvidenceDisputed():
                    piece.disputes[facts.dispute_id] = Dispute(frozenset(facts.names))
                case DisputeResolved() if facts.dispute_id in piece.disputes:
                    piece.disputes[facts.dispute_id].settled_version = version
                case _:
                    pass

    def _take_of_request(self, version: int, link: Link, facts: OfRequest) -> None:
        match facts:
            case ConsentRequested():
                is_delivered = link.acting.capacity == "service"
                self.requests[facts.consent_request_id] = Request(facts, is_delivered)
            case ConsentRequestCancelled():
                self.taken_back[facts.consent_request_id] = version
                self._take_answer(version, facts.consent_request_id, "taken back")
            case ConsentRefused():
                self._take_answer(version, facts.consent_request_id, "refused")
            case _:
                pass

    def _take_answer(self, version: int, consent_request_id: str, answer: Answer) -> None:
        if request := self.requests.get(consent_request_id):
            request.answer, request.answered_version = answer, version

    def _take_grant(self, version: int, link: Link, facts: ConsentGranted) -> None:
        self.consents[facts.consent_id] = Consent(
            version=version,
            facts=facts,
            terms=facts.terms,
            terms_version=version,
            items={item.item: item for item in link.items},
            decided=facts.time,
        )
        self._take_answer(version, facts.consent_request_id, "granted")

    def _take_of_consent(self, record: Record, link: Link, facts: OfConsent) -> None:
        if isinstance(facts, EvidenceDisclosed) and not facts.repeats:
            # Not the record itself: a log has many, and most are never repeated.
            self.first_uses[record.leaf] = (
                facts.consent_id,
                facts.bundle_hash,
                facts.fields,
                link.items,
            )
        if consent := self.consents.get(facts.consent_id):
            consent.take(record.version, link, facts)
