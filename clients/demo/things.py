# SPDX-License-Identifier: Apache-2.0
"""Things: what people on both sides count when one asks and the other shares.

A thing is what is asked for of one piece of information under one answer: what the asker needs of
it, and what she may leave out, are two things. The words are those that the registry published.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from vault.api.v1.consent_pb2 import ItemScope, RequestedScope
from vault.api.v1.registry_pb2 import EvidenceType

LANGUAGE: Final = "en"


@dataclass(frozen=True, slots=True)
class Thing:
    """Some fields of one type, asked for together; the names are sorted."""

    evidence_type: str
    names: tuple[str, ...]
    is_optional: bool = False

    @property
    def fields(self) -> frozenset[tuple[str, str]]:
        """Return its fields, each with its type."""
        return frozenset((self.evidence_type, name) for name in self.names)


def things_of(scope: Iterable[RequestedScope | ItemScope]) -> tuple[Thing, ...]:
    """Return the things that a request asks for, or that are shared, in their order."""
    return tuple(
        Thing(entry.evidence_type, tuple(sorted(names)), is_optional)
        for entry in scope
        for names, is_optional in ((entry.required, False), (entry.optional, True))
        if names
    )


def fields_of(things: Iterable[Thing]) -> frozenset[tuple[str, str]]:
    """Return the fields of several things."""
    return frozenset(field for thing in things for field in thing.fields)


@dataclass(frozen=True, slots=True)
class Words:
    """Titles of types and labels of fields, as the registry published them, in one language."""

    titles: Mapping[str, str]
    labels: Mapping[tuple[str, str], str]

    def title(self, thing: Thing) -> str:
        """Return what the piece of information is called."""
        return self.titles[thing.evidence_type]

    def label(self, evidence_type: str, name: str) -> str:
        """Return what a field is called."""
        return self.labels[evidence_type, name]

    def in_order(self, thing: Thing) -> list[tuple[str, str]]:
        """Return a thing's fields in the order in which she was asked for them."""
        return [field for field in self.labels if field in thing.fields]

    def listed(self, thing: Thing) -> str:
        """Return the labels of a thing's fields, in that order."""
        return ", ".join(self.labels[field] for field in self.in_order(thing))


def words_of(evidence_types: Iterable[EvidenceType], language: str = LANGUAGE) -> Words:
    """Return the words in the definitions of evidence types."""
    definitions = [json.loads(published.definition) for published in evidence_types]
    return Words(
        titles={d["evidence_type"]: d["title"][language] for d in definitions},
        labels={
            (d["evidence_type"], field["name"]): field["label"][language]
            for d in definitions
            for field in d["fields"]
        },
    )
