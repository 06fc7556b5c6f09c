# SPDX-License-Identifier: Apache-2.0
"""The set-up: organisations, services, purposes and kinds of information, put into the registry.

Whoever registers is the operator; what is registered stands in `registry.json` and in the seeds
that the server ships as data. Each request has a fixed `request_id`, so that a second set-up on the
same folder changes nothing.
"""

import uuid
from importlib.resources import files
from typing import Final

import msgspec

from clients.connection import Connection
from vault.api.v1 import registry_pb2, registry_service_pb2

_NAMESPACE: Final = uuid.UUID("6f0b0c3e-3d0c-4a55-9d0a-2d3a4c1b7e10")


class _Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    en: str
    cy: str

    @property
    def message(self) -> list[registry_pb2.LocalizedText]:
        return [
            registry_pb2.LocalizedText(language="en", text=self.en),
            registry_pb2.LocalizedText(language="cy", text=self.cy),
        ]


class _Texts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    language: str
    title: str
    why: str
    if_refused: str
    if_stopped: str
    other_ways: str
    help_line: str
    needed_by: str


class _Purpose(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    code: str
    dpv_iri: str
    legal_basis: str
    statute: str
    evidence: dict[str, tuple[str, ...]]
    longest_days: int
    frequency_count: int
    frequency_period_seconds: int
    retention_days: int
    texts: tuple[_Texts, ...]

    def bounds(self, service_id: str) -> registry_pb2.PurposeBounds:
        basis = registry_pb2.LegalBasisCode.Value(self.legal_basis)
        return registry_pb2.PurposeBounds(
            service_ids=[service_id],
            dpv_iri=self.dpv_iri,
            legal_basis=registry_pb2.LegalBasis(code=basis, statute=self.statute),
            evidence=[
                registry_pb2.EvidenceFields(evidence_type=kind, names=names)
                for kind, names in self.evidence.items()
            ],
            longest_days=self.longest_days,
            frequency_count=self.frequency_count,
            frequency_period_seconds=self.frequency_period_seconds,
            retention_days=self.retention_days,
            method=registry_pb2.PROCESSING_METHOD_STORE,
            storage="GB",
            jurisdiction="GB",
        )


class _Organisation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: _Text
    contact: _Text
    service: _Text
    purpose: _Purpose


class _Seeds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    organisations: tuple[_Organisation, ...]


def register(operator: Connection) -> None:
    """Register everything that the story needs; what is registered already stays as it is."""
    for definition in _definitions():
        operator.registry.PublishEvidenceType(
            registry_service_pb2.PublishEvidenceTypeRequest(
                request_id=fixed_id(msgspec.json.decode(definition)["evidence_type"]),
                definition=definition,
            )
        )
    register_seeds(operator, (files(__package__) / "registry.json").read_bytes())


def register_seeds(operator: Connection, seeds: bytes) -> None:
    """Register organisations, each with a service and its purpose, as `registry.json` has them."""
    for organisation in msgspec.json.decode(seeds, type=_Seeds).organisations:
        _register_organisation(operator, organisation)


def fixed_id(*words: str) -> str:
    """Return the `request_id` of a step of the set-up: always the same for the same words."""
    return str(uuid.uuid5(_NAMESPACE, " / ".join(words)))


def _register_organisation(operator: Connection, seed: _Organisation) -> None:
    registered = operator.registry.RegisterOrganisation(
        registry_service_pb2.RegisterOrganisationRequest(
            request_id=fixed_id("organisation", seed.name.en),
            name=seed.name.message,
            contact=seed.contact.message,
        )
    )
    service = operator.registry.RegisterService(
        registry_service_pb2.RegisterServiceRequest(
            request_id=fixed_id("service", seed.name.en, seed.service.en),
            organisation_id=registered.organisation.organisation_id,
            name=seed.service.message,
        )
    )
    operator.registry.PublishPurpose(
        registry_service_pb2.PublishPurposeRequest(
            request_id=fixed_id("purpose", seed.purpose.code),
            purpose_code=seed.purpose.code,
            version=1,
            bounds=seed.purpose.bounds(service.service.service_id),
            texts=[
                registry_pb2.PurposeTexts(**msgspec.structs.asdict(text))
                for text in seed.purpose.texts
            ],
        )
    )


def _definitions() -> list[bytes]:
    """Return the definitions that the server ships, as data, ordered by their file's name."""
    folder = files("vault") / "evidence_types"
    seeds = [file for file in folder.iterdir() if file.name.endswith(".json")]
    return [file.read_bytes() for file in sorted(seeds, key=lambda file: file.name)]
