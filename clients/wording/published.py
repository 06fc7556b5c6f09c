# SPDX-License-Identifier: Apache-2.0
"""What the registry publishes, in one language: names, reasons, labels and hints.

Fetched once for each command, when first asked for. Where a text is not there in the language, the
English one stands in and `fell_back` says so.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from typing import TYPE_CHECKING, Any

from clients.connection import CallError
from clients.wording.words import Words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from clients.connection import Connection
    from vault.api.v1.operation_pb2 import FaultNotice
    from vault.api.v1.registry_pb2 import (
        LocalizedText,
        Organisation,
        Purpose,
        PurposeTexts,
        Service,
    )

PAGE_SIZE = 500


@dataclasses.dataclass(frozen=True)
class Field:
    """One part of a kind of information, and the JSON Schema of its value."""

    name: str
    label: str
    hint: str
    sensitivity: str
    schema: Mapping[str, Any]
    is_required: bool
    words: Mapping[str, str]
    definitions: Mapping[str, Any]

    def resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a schema with its `$ref` into the kind's definitions followed."""
        reference = schema.get("$ref", "")
        name = reference.removeprefix("#/$defs/")
        return self.definitions.get(name, {}) if reference else schema

    def spoken(self, code: str) -> str:
        """Return a code in words: those that were published, or its own without underscores."""
        return self.words.get(code) or code.replace("_", " ")


def unknown_field(name: str) -> Field:
    """Return a part that the kind no longer has: its name and nothing else."""
    return Field(name, name, "", "", {}, is_required=False, words={}, definitions={})


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of information: its texts and its parts, in the order in which people are asked."""

    evidence_type: str
    schema_version: int
    title: str
    description: str
    fields: tuple[Field, ...]
    schema: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def field(self, name: str) -> Field | None:
        """Return a part by its name."""
        return next((field for field in self.fields if field.name == name), None)

    def label(self, name: str) -> str:
        """Return the label of a part, or its name where the schema no longer has it."""
        field = self.field(name)
        return field.label if field else name

    def in_order(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return names in the order of this kind, unknown ones last."""
        order = {field.name: place for place, field in enumerate(self.fields)}
        return tuple(sorted(names, key=lambda name: (order.get(name, len(order)), name)))


class Published:
    """The registry as a reader of one language sees it."""

    def __init__(self, connection: Connection, words: Words) -> None:
        self._connection = connection
        self._words = words
        self.fell_back = False

    def text(self, texts: Iterable[LocalizedText]) -> str:
        """Return the text of the language."""
        found = {text.language: text.text for text in texts}
        chosen: str = self._chosen(found)
        return chosen

    def organisation_name(self, organisation_id: str) -> str:
        """Return the name of an organisation, or ""."""
        organisation = self._organisations.get(organisation_id)
        return self.text(organisation.name) if organisation else ""

    def organisation_contact(self, organisation_id: str) -> str:
        """Return how to reach an organisation about data protection, or ""."""
        organisation = self._organisations.get(organisation_id)
        return self.text(organisation.contact) if organisation else ""

    def who(self, service_id: str) -> str:
        """Return a service and its organisation: "Aber Council, Home care"."""
        service = self._services.get(service_id)
        if service is None:
            return self._words("unknown.service")
        organisation = self.organisation_name(service.organisation_id)
        name = self.text(service.name)
        # A small organisation gives its only service its own name.
        return name if name.startswith(organisation) else f"{organisation}, {name}"

    def organisation_of(self, service_id: str) -> Organisation | None:
        """Return the organisation to which a service belongs."""
        service = self._services.get(service_id)
        return self._organisations.get(service.organisation_id) if service else None

    def purpose(self, name: str) -> Purpose | None:
        """Return one version of a purpose by "code@version"."""
        from vault.api.v1.registry_service_pb2 import GetPurposeRequest  # noqa: PLC0415

        if name not in self._purposes:
            code, _, version = name.partition("@")
            request = GetPurposeRequest(purpose_code=code, version=int(version or 0))
            try:
                self._purposes[name] = self._connection.registry.GetPurpose(request).purpose
            except CallError as error:
                if error.code not in {"NOT_FOUND", "INVALID_ARGUMENT"}:
                    raise
                return None
        return self._purposes[name]

    def purpose_texts(self, purpose: Purpose) -> PurposeTexts:
        """Return the texts of a purpose."""
        by_language = {texts.language: texts for texts in purpose.texts}
        chosen: PurposeTexts = self._chosen(by_language)
        return chosen

    def notice(self, notices: Iterable[FaultNotice]) -> FaultNotice:
        """Return what people read of a known fault."""
        chosen: FaultNotice = self._chosen({notice.language: notice for notice in notices})
        return chosen

    def purpose_title(self, name: str) -> str:
        """Return what a purpose is called."""
        purpose = self.purpose(name)
        return self.purpose_texts(purpose).title if purpose else self._words("unknown.purpose")

    def kind(self, evidence_type: str) -> Kind:
        """Return a kind of information; one that is not published has its name and nothing else."""
        found = self.kinds.get(evidence_type)
        return found or Kind(evidence_type, 0, evidence_type, "", ())

    @functools.cached_property
    def kinds(self) -> Mapping[str, Kind]:
        """Return the kinds of information by name."""
        from vault.api.v1.registry_service_pb2 import ListEvidenceTypesRequest  # noqa: PLC0415

        request = ListEvidenceTypesRequest(page_size=PAGE_SIZE)
        pages = all_pages(self._connection.registry.ListEvidenceTypes, request)
        return {
            published.evidence_type: self._kind(json.loads(published.definition))
            for page in pages
            for published in page.evidence_types
        }

    def _kind(self, definition: Mapping[str, Any]) -> Kind:
        schema = definition["schema"]
        properties = schema.get("properties", {})
        return Kind(
            evidence_type=definition["evidence_type"],
            schema_version=definition["schema_version"],
            title=self._chosen(definition["title"]),
            description=self._chosen(definition["description"]),
            fields=tuple(
                Field(
                    name=field["name"],
                    label=self._chosen(field["label"]),
                    hint=self._chosen(field["hint"]),
                    sensitivity=field["sensitivity"],
                    schema=properties.get(field["name"], {}),
                    is_required=field["name"] in schema.get("required", ()),
                    words={
                        code: self._chosen(texts) for code, texts in field.get("words", {}).items()
                    },
                    definitions=schema.get("$defs", {}),
                )
                for field in definition["fields"]
            ),
            schema=schema,
        )

    def _chosen(self, by_language: Mapping[str, Any]) -> Any:
        found = by_language.get(self._words.language)
        if found is None:
            self.fell_back = True
            found = by_language["en"]
        return found

    @functools.cached_property
    def _organisations(self) -> Mapping[str, Organisation]:
        from vault.api.v1.registry_service_pb2 import ListOrganisationsRequest  # noqa: PLC0415

        request = ListOrganisationsRequest(page_size=PAGE_SIZE)
        pages = all_pages(self._connection.registry.ListOrganisations, request)
        return {found.organisation_id: found for page in pages for found in page.organisations}

    @functools.cached_property
    def _services(self) -> Mapping[str, Service]:
        from vault.api.v1.registry_service_pb2 import ListServicesRequest  # noqa: PLC0415

        request = ListServicesRequest(page_size=PAGE_SIZE)
        pages = all_pages(self._connection.registry.ListServices, request)
        return {found.service_id: found for page in pages for found in page.services}

    @functools.cached_property
    def _purposes(self) -> dict[str, Purpose]:
        return {}


def all_pages(call: Any, request: Any) -> Iterable[Any]:
    """Yield every page of a list, beginning with `request`."""
    while True:
        page = call(request)
        yield page
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


def whole_list(call: Any, request: Any, items: str, limit: int = 0) -> Any:
    """Return one response with the items of all pages, or of as many as reach `limit`.

    `next_page_token` stays where there are more.
    """
    request.page_size = min(limit or PAGE_SIZE, PAGE_SIZE)
    pages = iter(all_pages(call, request))
    whole = next(pages)
    found = getattr(whole, items)
    while whole.next_page_token and (not limit or len(found) < limit):
        page = next(pages)
        found.extend(getattr(page, items))
        whole.next_page_token = page.next_page_token
    return whole
