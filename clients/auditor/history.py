# SPDX-License-Identifier: Apache-2.0
"""What is true of a vault after each record: the auditor's own fold.

It takes each record as it stands; whether the record was allowed is `rule.py`, which looks at the
state before the record is taken.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from clients.auditor.canonical import microseconds
from clients.auditor.facts import (
    ConsentGranted,
    ConsentRequested,
    ConsentRevoked,
    DisclosureRefused,
    EvidenceDisclosed,
    EvidenceProvided,
    Item,
    Link,
    VaultOpened,
)
from clients.auditor.record import Record


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision of a piece of evidence."""

    names: frozenset[str]
    issued_time: str
    """From when its age counts: the start of its issued date, or when it was given."""


@dataclass(slots=True)
class Piece:
    """A piece of evidence with the revisions that were shown."""

    evidence_type: str
    revisions: dict[int, Revision] = field(default_factory=dict)

    @property
    def current(self) -> int:
        """Return the number of the current revision."""
        return max(self.revisions, default=0)


@dataclass(slots=True)
class Request:
    """A request in her vault; `granted_version` is 0 until she granted it."""

    facts: ConsentRequested
    granted_version: int = 0


@dataclass(slots=True)
class Consent:
    """A consent and what became of it."""

    version: int
    facts: ConsentGranted
    items: dict[int, Item]
    revoked_version: int = 0
    revoked_time: str = ""
    uses: Counter[int] = field(default_factory=Counter)
    """How many uses in each window, repeats left out."""
    refusals: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many were recorded for each reason and UTC day."""

    def window(self, time: str) -> int:
        """Return k of the window `[start + k·period, start + (k+1)·period)`; 0 if one-time."""
        terms = self.facts.terms
        period = terms.frequency.period_seconds * 1_000_000
        return (microseconds(time) - microseconds(terms.start)) // period if period else 0

    def uses_left(self, time: str) -> int:
        """Return how many more uses fit at a time."""
        terms = self.facts.terms
        if terms.one_time:
            return 1 - self.uses.total()
        return terms.frequency.count - self.uses[self.window(time)]


@dataclass(frozen=True, slots=True)
class Use:
    """A use that was not a repeat, for those that repeat it."""

    facts: EvidenceDisclosed
    items: tuple[Item, ...]


@dataclass(slots=True)
class Vault:
    """What is true of a vault; `withheld` counts records that were not shown."""

    open_version: int = 0
    withheld: int = 0
    evidence: dict[str, Piece] = field(default_factory=dict)
    requests: dict[str, Request] = field(default_factory=dict)
    consents: dict[str, Consent] = field(default_factory=dict)
    first_uses: dict[str, Use] = field(default_factory=dict)
    """By leaf."""
    request_keys: set[str] = field(default_factory=set)

    def take(self, record: Record) -> None:
        """Advance by a record."""
        if record.is_withheld:
            self.withheld += 1
        link, facts = record.link, record.facts
        if link is None or facts is None:
            return
        self.request_keys.add(link.request_key)
        match facts:
            case VaultOpened():
                self.open_version = self.open_version or record.version
            case EvidenceProvided():
                self._take_evidence(link, facts)
            case ConsentRequested():
                self.requests[facts.consent_request_id] = Request(facts)
            case ConsentGranted():
                self._take_grant(record.version, link, facts)
            case ConsentRevoked() | EvidenceDisclosed() | DisclosureRefused():
                self._take_of_consent(record, link, facts)

    def types_of(self, consent_id: str) -> dict[int, str]:
        """Return the type of evidence of each item of a consent; nothing if it is not shown."""
        consent = self.consents.get(consent_id)
        scope = consent.facts.terms.scope if consent else ()
        return {fields.item: fields.evidence_type for fields in scope}

    def _take_evidence(self, link: Link, facts: EvidenceProvided) -> None:
        issued = f"{facts.issued_date}T00:00:00.000000Z" if facts.issued_date else facts.time
        for item in link.items:
            piece = self.evidence.setdefault(item.evidence_id, Piece(facts.evidence_type))
            piece.revisions[item.revision] = Revision(frozenset(facts.names), issued)

    def _take_grant(self, version: int, link: Link, facts: ConsentGranted) -> None:
        items = {item.item: item for item in link.items}
        self.consents[facts.consent_id] = Consent(version, facts, items)
        if request := self.requests.get(facts.consent_request_id):
            request.granted_version = version

    def _take_of_consent(
        self,
        record: Record,
        link: Link,
        facts: ConsentRevoked | EvidenceDisclosed | DisclosureRefused,
    ) -> None:
        if isinstance(facts, EvidenceDisclosed) and not facts.repeats:
            self.first_uses[record.leaf] = Use(facts, link.items)
        consent = self.consents.get(facts.consent_id)
        if consent is None:
            return
        match facts:
            case ConsentRevoked():
                # The first stop counts: a second one must not move it.
                if not consent.revoked_version:
                    consent.revoked_version, consent.revoked_time = record.version, facts.time
            case EvidenceDisclosed():
                if not facts.repeats:
                    consent.uses[consent.window(facts.time)] += 1
            case DisclosureRefused():
                consent.refusals[facts.reason, facts.time[:10]] += 1
