# SPDX-License-Identifier: Apache-2.0
"""The kinds of evidence that a new deployment starts with, as seeds of its registry.

One JSON file each; what counts afterwards is what the registry published. The names of fields are
those that British issuers send (vocab.account.gov.uk, v1); labels and hints are words for citizens,
in every language of `Text`. Judging evidence by a schema is left to `schema.py`.
"""

from importlib.resources import files
from typing import Any, Literal

import msgspec

__all__ = ["EvidenceType", "Field", "Sensitivity", "Text", "load_seeds"]

Sensitivity = Literal["ordinary", "sensitive", "special"]
"""How much care a field asks for; `special` is what GDPR Art. 9(1) names, such as health."""


class Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One text in every language that citizens are served in."""

    en: str
    cy: str


class Field(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One field of a piece of evidence, as people are asked for it and as consents name it."""

    name: str
    label: Text
    hint: Text
    sensitivity: Sensitivity
    words: dict[str, Text] = {}
    """What each code of the field's schema is called, at whatever depth the code stands."""


class EvidenceType(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A kind of evidence: its texts, its fields in display order, and the schema of its values."""

    evidence_type: str
    schema_version: int
    title: Text
    description: Text
    fields: tuple[Field, ...]
    schema: dict[str, Any]
    """JSON Schema 2020-12; its top-level properties are exactly `fields`."""


def load_seeds() -> tuple[EvidenceType, ...]:
    """Read the seeds from the installed package, ordered by their name."""
    seeds = (
        msgspec.json.decode(file.read_bytes(), type=EvidenceType)
        for file in files(__name__).iterdir()
        if file.name.endswith(".json")
    )
    return tuple(sorted(seeds, key=lambda seed: seed.evidence_type))
