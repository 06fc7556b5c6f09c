# SPDX-License-Identifier: Apache-2.0
"""What was registered at each version of the registry: the auditor's own fold over its records.

The registry says which services may ask, for which purposes, within which bounds, and with which
keys receipts are signed. Everything is kept with the version since which it is true, so that any
past version can be asked.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import gcd
from typing import Final

from clients.auditor.canonical import FormError, microseconds
from clients.auditor.facts import (
    AskedTerms,
    Bounds,
    EvidenceTypePublished,
    Frequency,
    LaneListed,
    LogKeyListed,
    OrganisationRegistered,
    PurposePublished,
    PurposeWithdrawn,
    ReceiptKeyListed,
    ServiceRegistered,
    ServiceReinstated,
    ServiceSuspended,
    Terms,
)
from clients.auditor.note import ED25519, Key
from clients.auditor.record import Record

SECOND: Final = 1_000_000
DAY: Final = 86_400 * SECOND
_OWN_LANE: Final = 0
"""The lane of the registry itself."""
CLOCKS_APART: Final = 4 * SECOND
"""Two clocks, each at most two seconds off."""


@dataclass(slots=True)
class Service:
    """A service, with the versions at which it was suspended and reinstated, in turn."""

    organisation: str
    version: int
    switches: list[int] = field(default_factory=list)

    def is_suspended(self, size: int) -> bool:
        """Say whether it is suspended at a version of the registry."""
        return bisect_right(self.switches, size) % 2 == 1


@dataclass(frozen=True, slots=True)
class Purpose:
    """A published version of a purpose; `allowed` has the fields of its bounds, by type."""

    bounds: Bounds
    allowed: dict[str, frozenset[str]]
    iri: str
    notice_hash: str
    version: int


@dataclass(frozen=True, slots=True)
class Stop:
    """A record that forbids: of a service or of a purpose's code."""

    version: int
    time: str
    name: str


@dataclass(slots=True)
class Registry:
    """Everything that was ever registered."""

    origin: str = ""
    times: list[str] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    leaf_indexes: dict[int, int] = field(default_factory=dict)
    """By version."""
    organisations: dict[str, int] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict)
    purposes: dict[tuple[str, int], Purpose] = field(default_factory=dict)
    withdrawn: dict[str, int] = field(default_factory=dict)
    field_names: dict[tuple[str, int], frozenset[str]] = field(default_factory=dict)
    """By evidence type and schema version."""
    receipt_keys: dict[str, str] = field(default_factory=dict)
    lanes: dict[int, str] = field(default_factory=dict)
    """The origin of each lane that was listed; the registry's own is not."""
    log_keys: dict[int, Key] = field(default_factory=dict)
    """The key of each lane's log."""
    stops: list[Stop] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Return the last version."""
        return self.versions[-1] if self.versions else 0

    def size_at(self, time: str) -> int:
        """Return the last version at a time."""
        count = bisect_right(self.times, time)
        return self.versions[count - 1] if count else 0

    def stops_after(self, size: int) -> list[Stop]:
        """Return what was forbidden after a version."""
        return self.stops[bisect_right(self.stops, size, key=_version_of) :]

    def take(self, record: Record) -> list[str]:
        """Advance by a record and return what it contradicts."""
        facts, version = record.facts, record.version
        if facts is None:
            return []
        self.origin = self.origin or (record.link.origin if record.link else "")
        self.times.append(facts.time)
        self.versions.append(version)
        self.leaf_indexes[version] = record.leaf_index
        wrong: list[str] = []
        match facts:
            case OrganisationRegistered():
                self.organisations[facts.organisation] = version
            case ServiceRegistered():
                wrong = self._take_service(version, facts)
            case ServiceSuspended() | ServiceReinstated():
                wrong = self._take_switch(version, facts)
            case PurposePublished():
                wrong = self._take_purpose(record, facts)
            case PurposeWithdrawn():
                wrong = self._take_withdrawal(version, facts)
            case EvidenceTypePublished():
                wrong = self._take_evidence_type(facts)
            case ReceiptKeyListed():
                wrong = self._take_receipt_key(facts)
            case LaneListed() | LogKeyListed():
                wrong = self._take_of_lane(facts)
        return wrong

    def misplaced(self, stream: str, origin: str) -> str:
        """Say why a stream does not belong into the log of this origin; "" if it does.

        A stream's lane is the first 16 bits of its id.
        """
        if _deployment(origin) != _deployment(self.origin):
            return "it is another deployment's"
        origins = {_OWN_LANE: self.origin, **self.lanes}
        listed = {f"{lane:04x}": listed for lane, listed in origins.items()}.get(stream[:4])
        if listed is None:
            return "its lane is not listed"
        return "" if origin == listed else "its lane has another origin"

    def permission(self, terms: Terms, size: int, decided: str) -> Iterator[str]:
        """Say why the registry, at a version, does not permit a use under these terms.

        Args:
            decided: when their end was decided, from where their length counts.
        """
        if size > self.size:
            yield f"it was decided on registry version {size}; what was shown ends at {self.size}"
            return
        name = terms.recipient.service
        service = self.services.get(name)
        if service is None or service.version > size:
            yield f"service {name} was not registered"
        else:
            if service.is_suspended(size):
                yield f"service {name} was suspended"
            if service.organisation != terms.recipient.organisation:
                yield f"service {name} belongs to another organisation"
        purpose = self.purposes.get((terms.purpose.code, terms.purpose.version))
        if purpose is None or purpose.version > size:
            yield f"purpose {terms.purpose.name} was not published"
            return
        if self.withdrawn.get(terms.purpose.code, size + 1) <= size:
            yield f"purpose {terms.purpose.code} was withdrawn"
        if name not in purpose.bounds.services:
            yield f"purpose {terms.purpose.name} is not for service {name}"
        for part in _beyond(terms, purpose, decided):
            yield f"the terms go beyond purpose {terms.purpose.name}: {part}"

    def asked_beyond(self, asked: AskedTerms, entered: str) -> Iterator[str]:
        """Say where a request goes beyond its purpose, if that is published at all."""
        purpose = self.purposes.get((asked.purpose.code, asked.purpose.version))
        if purpose is None:
            yield f"purpose {asked.purpose.name} was never published"
            return
        for part in _beyond(asked, purpose, entered):
            yield f"it asks beyond purpose {asked.purpose.name}: {part}"

    def _take_service(self, version: int, facts: ServiceRegistered) -> list[str]:
        wrong = []
        if facts.organisation not in self.organisations:
            wrong.append("the service's organisation is not registered")
        if facts.service in self.services:
            wrong.append("the service is registered already")
        self.services.setdefault(facts.service, Service(facts.organisation, version))
        return wrong

    def _take_switch(self, version: int, facts: ServiceSuspended | ServiceReinstated) -> list[str]:
        suspends = isinstance(facts, ServiceSuspended)
        if suspends:
            self.stops.append(Stop(version, facts.time, facts.service))
        service = self.services.get(facts.service)
        if service is None or service.is_suspended(version) == suspends:
            return ["the service is not there to be suspended or reinstated"]
        service.switches.append(version)
        return []

    def _take_purpose(self, record: Record, facts: PurposePublished) -> list[str]:
        wrong = []
        code, number = facts.purpose.code, facts.purpose.version
        if (code, number) in self.purposes or (
            number > 1 and (code, number - 1) not in self.purposes
        ):
            wrong.append("it is not the purpose's next version")
        if number < 1 or code in self.withdrawn:
            wrong.append("the purpose is withdrawn, or its version is 0")
        if not all(service in self.services for service in facts.bounds.services):
            wrong.append("the purpose names a service that is not registered")
        for fields in facts.bounds.evidence:
            known = {
                name
                for (evidence_type, _), names in self.field_names.items()
                if evidence_type == fields.evidence_type
                for name in names
            }
            if not known.issuperset(fields.names):
                wrong.append("the purpose names a field that is not published")
        payloads = record.link.payloads if record.link else ()
        notice_hash = next((mark.hash for mark in payloads if mark.kind == "texts"), "")
        allowed = {each.evidence_type: frozenset(each.names) for each in facts.bounds.evidence}
        purpose = Purpose(facts.bounds, allowed, facts.purpose.iri, notice_hash, record.version)
        self.purposes.setdefault((code, number), purpose)
        return wrong

    def _take_withdrawal(self, version: int, facts: PurposeWithdrawn) -> list[str]:
        is_there = (facts.code, 1) in self.purposes and facts.code not in self.withdrawn
        self.withdrawn.setdefault(facts.code, version)
        self.stops.append(Stop(version, facts.time, facts.code))
        return [] if is_there else ["the purpose is not there to be withdrawn"]

    def _take_evidence_type(self, facts: EvidenceTypePublished) -> list[str]:
        key = (facts.evidence_type, facts.schema_version)
        before = (facts.evidence_type, facts.schema_version - 1)
        is_next = key not in self.field_names and (key[1] == 1 or before in self.field_names)
        names = frozenset(definition.name for definition in facts.fields)
        self.field_names.setdefault(key, names)
        return [] if is_next else ["it is not the evidence type's next version"]

    def _take_receipt_key(self, facts: ReceiptKeyListed) -> list[str]:
        wrong = []
        if facts.algorithm != "Ed25519":
            wrong.append("a receipt key is of an unknown algorithm")
        if facts.key_id in self.receipt_keys:
            wrong.append("a receipt key of this id is listed already")
        self.receipt_keys.setdefault(facts.key_id, facts.public_key)
        return wrong

    def _take_of_lane(self, facts: LaneListed | LogKeyListed) -> list[str]:
        if isinstance(facts, LaneListed):
            return self._take_lane(facts)
        return self._take_log_key(facts)

    def _take_lane(self, facts: LaneListed) -> list[str]:
        wrong = []
        if facts.lane == _OWN_LANE or facts.lane in self.lanes:
            wrong.append("the lane is listed already")
        if facts.origin != f"{_deployment(self.origin)}/{facts.lane}":
            wrong.append("the lane's origin is not of this deployment")
        self.lanes.setdefault(facts.lane, facts.origin)
        return wrong

    def _take_log_key(self, facts: LogKeyListed) -> list[str]:
        wrong = []
        if facts.lane in self.log_keys:
            wrong.append("the lane's log has a key already")
        if facts.origin != {_OWN_LANE: self.origin, **self.lanes}.get(facts.lane):
            wrong.append("a log key is of a lane or an origin that is not listed")
        try:
            key = Key.parse(facts.vkey, ED25519)
        except FormError as error:
            return [*wrong, f"a log key {error}"]
        if key.name != facts.origin:
            wrong.append("a log key does not bear the name of its log")
        self.log_keys.setdefault(facts.lane, key)
        return wrong


def _version_of(stop: Stop) -> int:
    return stop.version


def _deployment(origin: str) -> str:
    """Return the deployment's name: an origin is that ‖ "/" ‖ lane."""
    return origin.rpartition("/")[0]


def _beyond(terms: Terms | AskedTerms, purpose: Purpose, decided: str) -> Iterator[str]:
    """Name the parts of terms that go beyond a purpose."""
    bounds = purpose.bounds
    for fields in terms.scope:
        allowed = purpose.allowed.get(fields.evidence_type, frozenset())
        if not (allowed.issuperset(fields.required) and allowed.issuperset(fields.optional)):
            beyond = sorted({*fields.required, *fields.optional} - allowed)
            yield f"{fields.evidence_type}: {', '.join(beyond)}"
    # A request was made before it entered her vault and was granted, but perhaps by another clock.
    length = microseconds(terms.end) - microseconds(decided)
    if length > bounds.longest_days * DAY + CLOCKS_APART:
        yield "its end"
    if not terms.one_time and _is_denser(terms.frequency, bounds.frequency):
        yield "its frequency"
    if terms.retention_days > bounds.retention_days:
        yield "how long it is kept"
    same = (bounds.basis, bounds.method, bounds.storage, bounds.jurisdiction)
    if (terms.basis, terms.method, terms.storage, terms.jurisdiction) != same:
        yield "its basis, method, place or law"
    if terms.purpose.iri != purpose.iri or terms.notice_hash != purpose.notice_hash:
        yield "its notice"


def _is_denser(asked: Frequency, bound: Frequency) -> bool:
    """Say whether more uses than the bound's count could fall into one of its windows.

    Both sorts of window begin with the consent, so one of the bound's begins at most `period - gcd`
    into one that was asked for, and reaches into every one that begins before its own end.
    """
    if not asked.period_seconds or not bound.period_seconds:
        return True
    latest = asked.period_seconds - gcd(asked.period_seconds, bound.period_seconds)
    reached = -(-(latest + bound.period_seconds) // asked.period_seconds)  # rounded up
    return asked.count * reached > bound.count
