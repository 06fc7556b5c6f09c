# SPDX-License-Identifier: Apache-2.0
"""Who is who: what the registry published, as anybody can list it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from clients.connection import Connection
from clients.demo.things import LANGUAGE, Words, words_of
from vault.api.v1.registry_pb2 import LocalizedText, Purpose, PurposeTexts
from vault.api.v1.registry_service_pb2 import (
    ListEvidenceTypesRequest,
    ListOrganisationsRequest,
    ListPurposesRequest,
    ListReceiptKeysRequest,
    ListServicesRequest,
)

_ALL: Final = 500


@dataclass(frozen=True, slots=True)
class Asker:
    """A service that asks: its id, its name, its organisation's, and the purpose that it has."""

    service_id: str
    team: str
    organisation: str
    purpose: Purpose

    def texts(self, language: str = LANGUAGE) -> PurposeTexts:
        """Return what its purpose says, in one language."""
        return next(texts for texts in self.purpose.texts if texts.language == language)


@dataclass(frozen=True, slots=True)
class Directory:
    """What is published: askers by their service id, words for things, keys of receipts."""

    askers: Mapping[str, Asker]
    words: Words
    welsh: Words
    definitions: bytes
    receipt_keys: Mapping[str, bytes]

    def asker_for(self, purpose_code: str) -> Asker:
        """Return the service that a purpose is for."""
        return next(a for a in self.askers.values() if a.purpose.purpose_code == purpose_code)

    def organisation(self, service_id: str) -> str:
        """Return the name of a service's organisation."""
        return self.askers[service_id].organisation

    def title(self, purpose: str) -> str:
        """Return what a purpose, `code@version`, is called."""
        return self.asker_for(purpose.partition("@")[0]).texts().title


def read_directory(connection: Connection) -> Directory:
    """List what the registry published."""
    registry = connection.registry
    organisations = {
        organisation.organisation_id: _text(organisation.name)
        for organisation in registry.ListOrganisations(
            ListOrganisationsRequest(page_size=_ALL)
        ).organisations
    }
    purposes = {
        service_id: purpose
        for purpose in registry.ListPurposes(ListPurposesRequest(page_size=_ALL)).purposes
        for service_id in purpose.bounds.service_ids
    }
    askers = {
        service.service_id: Asker(
            service_id=service.service_id,
            team=_text(service.name),
            organisation=organisations[service.organisation_id],
            purpose=purposes[service.service_id],
        )
        for service in registry.ListServices(ListServicesRequest(page_size=_ALL)).services
    }
    types = registry.ListEvidenceTypes(ListEvidenceTypesRequest(page_size=_ALL)).evidence_types
    keys = registry.ListReceiptKeys(ListReceiptKeysRequest(page_size=_ALL)).receipt_keys
    return Directory(
        askers=askers,
        words=words_of(types),
        welsh=words_of(types, "cy"),
        definitions=b"\n".join(published.definition for published in types),
        receipt_keys={key.key_id: key.public_key for key in keys},
    )


def _text(texts: Iterable[LocalizedText]) -> str:
    return next(text.text for text in texts if text.language == LANGUAGE)
