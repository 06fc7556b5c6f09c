# SPDX-License-Identifier: Apache-2.0
"""What the registry published, out of an exported folder."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

from clients.export.folder import published_in
from clients.wording.published import Kind, Published

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clients.export.folder import Folder
    from clients.wording.words import Words
    from vault.api.v1.registry_pb2 import Organisation, Purpose, Service


class PublishedCopy(Published):
    """What the registry published, as the folder holds it."""

    def __init__(self, folder: Folder, words: Words) -> None:
        self._words = words
        self.fell_back = False
        self._records = list(published_in(folder))

    def purpose(self, name: str) -> Purpose | None:
        """Return one version of a purpose by "code@version"."""
        return self._purposes.get(name)

    @functools.cached_property
    def kinds(self) -> Mapping[str, Kind]:
        """Return the kinds of information by name, each as published last."""
        return {
            facts["evidence_type"]: self._kind(json.loads(payload))
            for facts, payload in self._of("evidence-type-published")
        }

    @functools.cached_property
    def _organisations(self) -> Mapping[str, Organisation]:
        from vault.api.v1.registry_pb2 import LocalizedText, Organisation  # noqa: PLC0415

        return {
            facts["organisation"]: Organisation(
                organisation_id=facts["organisation"],
                name=[
                    LocalizedText(language=language, text=text)
                    for language, text in json.loads(payload)["name"].items()
                ],
            )
            for facts, payload in self._of("organisation-registered")
        }

    @functools.cached_property
    def _services(self) -> Mapping[str, Service]:
        from vault.api.v1.registry_pb2 import LocalizedText, Service  # noqa: PLC0415

        return {
            facts["service"]: Service(
                service_id=facts["service"],
                organisation_id=facts["organisation"],
                name=[
                    LocalizedText(language=language, text=text)
                    for language, text in json.loads(payload)["name"].items()
                ],
            )
            for facts, payload in self._of("service-registered")
        }

    @functools.cached_property
    def _purposes(self) -> dict[str, Purpose]:
        from vault.api.v1.registry_pb2 import Purpose, PurposeTexts  # noqa: PLC0415

        found: dict[str, Purpose] = {}
        for facts, payload in self._of("purpose-published"):
            code, version = facts["purpose"]["code"], facts["purpose"]["version"]
            texts = [PurposeTexts(**text) for text in json.loads(payload)]
            found[f"{code}@{version}"] = Purpose(purpose_code=code, version=version, texts=texts)
        return found

    def _of(self, kind: str) -> Iterator[tuple[Mapping[str, Any], bytes]]:
        for facts, payload in self._records:
            if payload and str(facts.get("type", "")).startswith(f"{kind}."):
                yield facts, payload
