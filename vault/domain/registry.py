# SPDX-License-Identifier: Apache-2.0
"""The registry: organisations, services, purposes, evidence types, keys, lanes.

It is one stream in lane 0. Names, texts and schemas are public payloads beside the events; the fold
keeps at which version each lies, and the digest of a purpose's texts, which is a consent's notice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import field
from msgspec.structs import replace

from vault.domain.errors import (
    FieldUnknownError,
    NotFoundError,
    PurposeNotAllowedError,
    RegistryConflictError,
    ServiceSuspendedError,
)
from vault.domain.events import Draft, Event, Facts, StreamState
from vault.domain.values import Basis, Frequency, Method, PurposeVersion, TypeFields, Value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vault.domain.values import Stamp


class OrganisationRegistered(Facts, frozen=True, tag="organisation-registered.1"):
    """An organisation was registered; its name and contact are the payload."""

    organisation: str


class ServiceRegistered(Facts, frozen=True, tag="service-registered.1"):
    """A service of an organisation was registered; its name is the payload."""

    service: str
    organisation: str


class ServiceSuspended(Facts, frozen=True, tag="service-suspended.1"):
    """Nothing is disclosed to the service from now on."""

    service: str


class ServiceReinstated(Facts, frozen=True, tag="service-reinstated.1"):
    """The suspension ended."""

    service: str


class Bounds(Value, frozen=True):
    """The upper bounds of a purpose; every list sorted."""

    services: tuple[str, ...]
    basis: Basis
    evidence: tuple[TypeFields, ...]
    longest_days: int
    frequency: Frequency
    retention_days: int
    method: Method
    storage: str
    jurisdiction: str

    def names_of(self, evidence_type: str) -> frozenset[str]:
        """Return the fields of a type of evidence that may be asked for."""
        return frozenset(
            name
            for fields in self.evidence
            if fields.evidence_type == evidence_type
            for name in fields.names
        )


class PurposePublished(Facts, frozen=True, tag="purpose-published.1"):
    """A version of a purpose was published; its texts are the payload."""

    purpose: PurposeVersion
    bounds: Bounds


class PurposeWithdrawn(Facts, frozen=True, tag="purpose-withdrawn.1"):
    """Nothing is disclosed for the purpose, in any version, from now on."""

    code: str


class FieldDefinition(Value, frozen=True):
    """A field of an evidence type and how sensitive it is."""

    name: str
    sensitivity: str


class EvidenceTypePublished(Facts, frozen=True, tag="evidence-type-published.1"):
    """A version of an evidence type was published; its definition is the payload."""

    evidence_type: str
    schema_version: int
    fields: tuple[FieldDefinition, ...]


class ReceiptKeyListed(Facts, frozen=True, tag="receipt-key-listed.1"):
    """From now on receipts are signed with this key; `public_key` is base64url."""

    key_id: str
    algorithm: str
    public_key: str


class LaneListed(Facts, frozen=True, tag="lane-listed.1"):
    """From now on vaults may be opened in the lane, whose log has this origin.

    It stands in the lane's own first record, too, so that no other database is taken for it.
    """

    lane: int
    origin: str


class LogKeyListed(Facts, frozen=True, tag="log-key-listed.1"):
    """From now on the checkpoints of the lane's log are signed with this key.

    `vkey` is its text as C2SP signed-note has it; the name in it is the origin.
    """

    lane: int
    origin: str
    vkey: str


class Service(Value, frozen=True):
    """A registered service. `published` is the version at which its name lies."""

    service: str
    organisation: str
    published: int
    is_suspended: bool = False


class Purpose(Value, frozen=True):
    """A published version of a purpose."""

    purpose: PurposeVersion
    bounds: Bounds
    notice_hash: str
    time: str
    published: int


class EvidenceType(Value, frozen=True):
    """A published version of an evidence type."""

    evidence_type: str
    schema_version: int
    fields: tuple[FieldDefinition, ...]
    published: int

    @property
    def names(self) -> frozenset[str]:
        """Return its fields."""
        return frozenset(field.name for field in self.fields)


class RegistryState(StreamState, frozen=True, kw_only=True):
    """What is registered now, each kind in the order of its first registration."""

    organisations: dict[str, int] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict)
    purposes: dict[str, tuple[Purpose, ...]] = field(default_factory=dict)
    withdrawn: frozenset[str] = frozenset()
    evidence_types: dict[str, tuple[EvidenceType, ...]] = field(default_factory=dict)
    receipt_keys: dict[str, str] = field(default_factory=dict)
    lanes: dict[int, str] = field(default_factory=dict)
    """The origin of each but the registry's own."""
    log_keys: dict[int, str] = field(default_factory=dict)
    """The vkey of each lane's log."""

    def service(self, service_id: str) -> Service:
        """Return a service that may act.

        Raises:
            NotFoundError: if it is not registered.
            ServiceSuspendedError: if it is suspended.
        """
        service = self.services.get(service_id)
        if service is None:
            raise NotFoundError
        if service.is_suspended:
            raise ServiceSuspendedError
        return service

    def must_be_colleagues(self, service_id: str, others: Iterable[str]) -> None:
        """Check that services are of the organisation of one, itself among them or not.

        Raises:
            NotFoundError: if one is not, or is not registered.
        """
        organisations = {
            known.organisation if (known := self.services.get(one)) else ""
            for one in (service_id, *others)
        }
        if len(organisations) > 1 or "" in organisations:
            raise NotFoundError

    def purpose(self, code: str, service_id: str, version: int = 0) -> Purpose:
        """Return a version of a purpose (0: the current one) that a service may use.

        Raises:
            PurposeNotAllowedError: if it is unknown, withdrawn, or not for this service.
        """
        versions = self.purposes.get(code, ())
        if code in self.withdrawn or not 0 <= version <= len(versions) or not versions:
            raise PurposeNotAllowedError("purpose_code")
        purpose = versions[version - 1]
        if service_id not in purpose.bounds.services:
            raise PurposeNotAllowedError("purpose_code")
        return purpose

    def evidence_type(self, evidence_type: str) -> EvidenceType:
        """Return the current version of an evidence type.

        Raises:
            FieldUnknownError: if it is not published.
        """
        versions = self.evidence_types.get(evidence_type)
        if not versions:
            raise FieldUnknownError("evidence_type")
        return versions[-1]

    def must_know(self, evidence_type: str, names: Iterable[str], field: str) -> None:
        """Check that every field is published, in whichever version.

        Raises:
            FieldUnknownError: naming `field`, if one is not.
        """
        unknown = set(names)
        versions = self.evidence_types.get(evidence_type, ())
        for version in reversed(versions):
            unknown.difference_update(version.names)
            if not unknown:
                return
        raise FieldUnknownError(field)


def register_organisation(state: RegistryState, stamp: Stamp, organisation: str) -> Draft:
    """Register an organisation."""
    del state
    facts = OrganisationRegistered(time=stamp.time, salt=stamp.salt, organisation=organisation)
    return Draft(facts=facts)


def register_service(state: RegistryState, stamp: Stamp, service: str, organisation: str) -> Draft:
    """Register a service.

    Raises:
        NotFoundError: if the organisation is not registered.
    """
    if organisation not in state.organisations:
        raise NotFoundError
    facts = ServiceRegistered(
        time=stamp.time, salt=stamp.salt, service=service, organisation=organisation
    )
    return Draft(facts=facts)


def suspend_service(state: RegistryState, stamp: Stamp, service: str) -> Draft:
    """Suspend a service.

    Raises:
        NotFoundError: if it is not registered.
        RegistryConflictError: if it is suspended.
    """
    if service not in state.services:
        raise NotFoundError
    if state.services[service].is_suspended:
        raise RegistryConflictError("service_id", "The service is suspended already.")
    return Draft(facts=ServiceSuspended(time=stamp.time, salt=stamp.salt, service=service))


def reinstate_service(state: RegistryState, stamp: Stamp, service: str) -> Draft:
    """Reinstate a suspended service.

    Raises:
        NotFoundError: if it is not registered.
        RegistryConflictError: if it is not suspended.
    """
    if service not in state.services:
        raise NotFoundError
    if not state.services[service].is_suspended:
        raise RegistryConflictError("service_id", "The service is not suspended.")
    return Draft(facts=ServiceReinstated(time=stamp.time, salt=stamp.salt, service=service))


def publish_purpose(
    state: RegistryState, stamp: Stamp, purpose: PurposeVersion, bounds: Bounds
) -> Draft:
    """Publish a version of a purpose.

    Raises:
        NotFoundError: if a service is not registered.
        FieldUnknownError: if a field is not published.
        RegistryConflictError: if the version is not the next one, or the purpose is withdrawn.
    """
    if any(service not in state.services for service in bounds.services):
        raise NotFoundError
    for fields in bounds.evidence:
        state.must_know(fields.evidence_type, fields.names, "bounds.evidence")
    if purpose.version != len(state.purposes.get(purpose.code, ())) + 1:
        raise RegistryConflictError("version", "It is not the next version.")
    if purpose.code in state.withdrawn:
        raise RegistryConflictError("purpose_code", "The purpose is withdrawn.")
    facts = PurposePublished(time=stamp.time, salt=stamp.salt, purpose=purpose, bounds=bounds)
    return Draft(facts=facts)


def withdraw_purpose(state: RegistryState, stamp: Stamp, code: str) -> Draft:
    """Withdraw a purpose.

    Raises:
        NotFoundError: if it is not published.
        RegistryConflictError: if it is withdrawn.
    """
    if code not in state.purposes:
        raise NotFoundError
    if code in state.withdrawn:
        raise RegistryConflictError("purpose_code", "The purpose is withdrawn already.")
    return Draft(facts=PurposeWithdrawn(time=stamp.time, salt=stamp.salt, code=code))


def publish_evidence_type(
    state: RegistryState,
    stamp: Stamp,
    evidence_type: str,
    schema_version: int,
    fields: tuple[FieldDefinition, ...],
) -> Draft:
    """Publish a version of an evidence type.

    Raises:
        RegistryConflictError: if the version is not the next one.
    """
    if schema_version != len(state.evidence_types.get(evidence_type, ())) + 1:
        raise RegistryConflictError("definition", "It is not the next version.")
    facts = EvidenceTypePublished(
        time=stamp.time,
        salt=stamp.salt,
        evidence_type=evidence_type,
        schema_version=schema_version,
        fields=fields,
    )
    return Draft(facts=facts)


def list_receipt_key(stamp: Stamp, key_id: str, public_key: str) -> Draft:
    """List a receipt key."""
    facts = ReceiptKeyListed(
        time=stamp.time,
        salt=stamp.salt,
        key_id=key_id,
        algorithm="Ed25519",
        public_key=public_key,
    )
    return Draft(facts=facts)


def list_lane(state: RegistryState, stamp: Stamp, lane: int, origin: str) -> Draft:
    """List a lane.

    Raises:
        RegistryConflictError: if it is listed.
    """
    if lane in state.lanes:
        raise RegistryConflictError("lane", "The lane is listed already.")
    return Draft(facts=LaneListed(time=stamp.time, salt=stamp.salt, lane=lane, origin=origin))


def list_log_key(state: RegistryState, stamp: Stamp, lane: int, origin: str, vkey: str) -> Draft:
    """List the key of a lane's log, which is one for ever: a log with another key is another log.

    Raises:
        RegistryConflictError: if the lane has one.
    """
    if lane in state.log_keys:
        raise RegistryConflictError("lane", "The lane's log has a key already.")
    facts = LogKeyListed(time=stamp.time, salt=stamp.salt, lane=lane, origin=origin, vkey=vkey)
    return Draft(facts=facts)


def fold(state: RegistryState | None, event: Event) -> RegistryState:
    """Return what is registered after an event."""
    before = state or RegistryState(stream=event.link.stream)
    after = before.advanced(event)
    version = event.link.version
    match event.facts:
        case OrganisationRegistered(organisation=organisation):
            return replace(after, organisations={**after.organisations, organisation: version})
        case ServiceRegistered(service=service, organisation=organisation):
            entry = Service(service=service, organisation=organisation, published=version)
            return replace(after, services={**after.services, service: entry})
        case ServiceSuspended(service=service) | ServiceReinstated(service=service):
            is_suspended = isinstance(event.facts, ServiceSuspended)
            entry = replace(after.services[service], is_suspended=is_suspended)
            return replace(after, services={**after.services, service: entry})
        case PurposePublished(purpose=purpose, bounds=bounds, time=time):
            texts = event.mark("texts")
            published = Purpose(
                purpose=purpose,
                bounds=bounds,
                notice_hash=texts.hash if texts else "",
                time=time,
                published=version,
            )
            versions = (*after.purposes.get(purpose.code, ()), published)
            return replace(after, purposes={**after.purposes, purpose.code: versions})
        case PurposeWithdrawn(code=code):
            return replace(after, withdrawn=after.withdrawn | {code})
        case EvidenceTypePublished() as facts:
            published_type = EvidenceType(
                evidence_type=facts.evidence_type,
                schema_version=facts.schema_version,
                fields=facts.fields,
                published=version,
            )
            types = (*after.evidence_types.get(facts.evidence_type, ()), published_type)
            return replace(
                after, evidence_types={**after.evidence_types, facts.evidence_type: types}
            )
        case ReceiptKeyListed(key_id=key_id, public_key=public_key):
            return replace(after, receipt_keys={**after.receipt_keys, key_id: public_key})
        case LaneListed(lane=lane, origin=origin):
            return replace(after, lanes={**after.lanes, lane: origin})
        case LogKeyListed(lane=lane, vkey=vkey):
            return replace(after, log_keys={**after.log_keys, lane: vkey})
        case _:
            return after
