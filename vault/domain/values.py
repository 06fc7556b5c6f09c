# SPDX-License-Identifier: Apache-2.0
"""The values of events and states: frozen, valid once built, canonical when encoded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, Literal, NewType

from msgspec import Struct

Time = NewType("Time", str)
"""RFC 3339, UTC, exactly six fraction digits and `Z`: compares as a string."""

Capacity = Literal[
    "self",
    "helper",
    "attorney",
    "deputy",
    "appointee",
    "parent",
    "official",
    "service",
    "operator",
    "auditor",
]
Channel = Literal["web", "cli", "api", "counter", "phone", "letter"]
ApprovalKind = Literal["session", "oidc-step-up", "webauthn", "staff-assisted", "paper", ""]
Mode = Literal["pinned", "following"]
Method = Literal["view", "store"]
Source = Literal["self-declared", "document", "issuer"]
Means = Literal["assistance-code", "provider"]
BasisCode = Literal[
    "consent",
    "contract",
    "legal-obligation",
    "vital-interest",
    "public-task",
    "legitimate-interest",
]

LATEST_TIME: Final = Time("9999-12-31T23:59:59.999999Z")


def time_of(moment: datetime) -> Time:
    """Return a moment, which must know its zone, in the stored form."""
    utc = moment.astimezone(UTC).isoformat(timespec="microseconds")
    return Time(utc.removesuffix("+00:00") + "Z")


@lru_cache(maxsize=4096)
def moment_of(time: str) -> datetime:
    """Return the moment of a time in the stored form.

    Raises:
        ValueError: if the text is not in that form.
    """
    moment = datetime.fromisoformat(time)
    if moment.tzinfo is None or time_of(moment) != time:
        msg = "not a time in the stored form"
        raise ValueError(msg)
    return moment


def later(time: Time, *, days: int = 0, seconds: float = 0, microseconds: int = 0) -> Time:
    """Return the time so much later, or the latest time that can be written."""
    try:
        step = timedelta(days=days, seconds=seconds, microseconds=microseconds)
        return time_of(moment_of(time) + step)
    except OverflowError:
        return LATEST_TIME


def seconds_between(earlier: Time, later_: Time) -> float:
    """Return how many seconds lie between two times; negative if they are the other way round."""
    return (moment_of(later_) - moment_of(earlier)).total_seconds()


class Value(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The base of what is stored: frozen, and read only in exactly its own shape."""


class Stamp(Value, frozen=True):
    """When an event happens, and the salt of its facts. Both enter from outside."""

    time: Time
    salt: str


class Acting(Value, frozen=True):
    """Who acts, in what capacity, under which mandate, through which channel.

    `actor` is a pseudonym: a sign-in's id, a service's id, or a digest of a staff sign-in.
    """

    actor: str
    capacity: Capacity
    mandate: str
    channel: Channel


class Approval(Value, frozen=True):
    """What shows that a decision is hers; the kind is "" where no decision of hers is needed."""

    kind: ApprovalKind
    proof_hash: str


NO_APPROVAL: Final = Approval(kind="", proof_hash="")


class Item(Value, frozen=True):
    """Maps an item's number to a piece of evidence and a revision; 0 follows replacements."""

    item: int
    evidence_id: str
    revision: int


class RegistryMark(Value, frozen=True):
    """The size of the registry on which a decision stands, and when it was last confirmed."""

    size: int
    confirmed_time: str


NO_REGISTRY: Final = RegistryMark(size=0, confirmed_time="")


class PayloadMark(Value, frozen=True):
    """The digest of a payload beside the record, and the key that opens it ("" if it is public)."""

    kind: str
    hash: str
    key_id: str
    commitment: str


class Recipient(Value, frozen=True):
    """Who receives."""

    service: str
    organisation: str


class PurposeVersion(Value, frozen=True):
    """A published version of a purpose, with its W3C DPV term."""

    code: str
    version: int
    iri: str

    @property
    def name(self) -> str:
        """Return `code@version`."""
        return f"{self.code}@{self.version}"


class Basis(Value, frozen=True):
    """The receiver's own legal basis (UK GDPR Art. 6) and its statute, "" if none."""

    code: BasisCode
    statute: str


WhoDecides = Literal["she", "she-or-another-way", "the-law"]
_WHO_DECIDES: Final[dict[BasisCode, WhoDecides]] = {
    "consent": "she",
    "legitimate-interest": "she",
    "contract": "she-or-another-way",
    "public-task": "she-or-another-way",
    "vital-interest": "the-law",
    "legal-obligation": "the-law",
}


def who_decides(basis: Basis) -> WhoDecides:
    """Return whose choice it honestly is that the receiver gets the data.

    Hers alone; needed, but she can send it another way; or the law's, whatever she answers here.
    """
    return _WHO_DECIDES[basis.code]


class Frequency(Value, frozen=True):
    """At most `count` disclosures in each window of so many seconds; 0, 0 if one-time."""

    count: int
    period_seconds: int


class RequestedFields(Value, frozen=True):
    """The fields of one type of evidence that a service asks for; both lists sorted."""

    evidence_type: str
    required: tuple[str, ...]
    optional: tuple[str, ...]


class GrantedFields(Value, frozen=True):
    """The fields of one item that a consent names; both lists sorted."""

    item: int
    evidence_type: str
    mode: Mode
    required: tuple[str, ...]
    optional: tuple[str, ...]

    @property
    def names(self) -> frozenset[str]:
        """Return every granted field."""
        return frozenset(self.required + self.optional)


class DisclosedFields(Value, frozen=True):
    """The fields of one item that left, sorted."""

    item: int
    names: tuple[str, ...]


class TypeFields(Value, frozen=True):
    """Fields of one type of evidence, sorted."""

    evidence_type: str
    names: tuple[str, ...]


class AskedTerms(Value, frozen=True):
    """The widest terms that a request could come to (ISO/IEC TS 27560, W3C DPV)."""

    recipient: Recipient
    purpose: PurposeVersion
    basis: Basis
    method: Method
    scope: tuple[RequestedFields, ...]
    start: Time
    end: Time
    frequency: Frequency
    one_time: bool
    largest_age_days: int
    retention_days: int
    storage: str
    jurisdiction: str
    notice_hash: str


class Terms(Value, frozen=True):
    """The terms of a consent, as they stood on her page (ISO/IEC TS 27560, W3C DPV)."""

    consent_id: str
    recipient: Recipient
    purpose: PurposeVersion
    basis: Basis
    method: Method
    scope: tuple[GrantedFields, ...]
    start: Time
    end: Time
    frequency: Frequency
    one_time: bool
    largest_age_days: int
    retention_days: int
    storage: str
    jurisdiction: str
    notice_hash: str
    language: str
    shown_time: Time
    salt: str
