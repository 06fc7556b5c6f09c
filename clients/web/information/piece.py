# SPDX-License-Identifier: Apache-2.0
"""One thing that she gave, as a page shows it: its values, where each came from, what is wrong."""

from __future__ import annotations

import dataclasses
import itertools
import json
from typing import TYPE_CHECKING, Any, Final

from clients.connection import CallError
from clients.web.failure import NotThereError
from clients.wording.values import shown

if TYPE_CHECKING:
    from clients.web.here import Here
    from clients.wording.published import Kind
    from vault.api.v1.evidence_pb2 import Dispute, Evidence, EvidenceField
    from vault.api.v1.evidence_service_pb2 import GetEvidenceResponse

DOCUMENT: Final = "document"
"""The kind whose one part is a file."""
ADDRESS: Final = "postal_address"
CONTENT: Final = "content"

SOURCES: Final = {1: "self", 2: "document", 3: "issuer"}
CARES: Final = {1: "ordinary", 2: "sensitive", 3: "special"}
_ORDINARY: Final = 1
_GIST_PARTS: Final = 6
_CLOSED: Final = frozenset({"FRESH_SIGN_IN_REQUIRED", "CAPACITY_NOT_ALLOWED"})


@dataclasses.dataclass(frozen=True)
class Piece:
    """One thing that she gave.

    Attributes:
        is_open: its values are there; those of what is protected are shown after a fresh sign-in.
    """

    here: Here
    found: GetEvidenceResponse
    is_open: bool

    @property
    def evidence(self) -> Evidence:
        """Return it as the server tells it."""
        return self.found.evidence

    @property
    def path(self) -> str:
        """Return the address of its page."""
        return f"/information/{self.evidence.evidence_id}"

    @property
    def kind(self) -> Kind:
        """Return its kind."""
        return self.here.published.kind(self.evidence.evidence_type)

    @property
    def is_document(self) -> bool:
        """Say whether it is a file."""
        return self.evidence.evidence_type == DOCUMENT

    @property
    def values(self) -> dict[str, Any]:
        """Return its values; nothing where they are not shown."""
        found: dict[str, Any] = json.loads(self.evidence.values) if self.evidence.values else {}
        return found

    @property
    def rows(self) -> list[tuple[EvidenceField, str]]:
        """Return its parts, each with its value as she reads it."""
        values, words = self.values, self.here.words
        return [
            (field, shown(self.kind, field.name, values[field.name], words))
            for field in self.evidence.fields
            if field.name in values
        ]

    @property
    def gist(self) -> str:
        """Return in one line what it says, up to what is private; "" where that comes first."""
        begins = itertools.takewhile(lambda row: row[0].sensitivity == _ORDINARY, self.rows)
        ordinary = [text.replace("\n", ", ") for _, text in begins if text]
        return "" if self.evidence.is_protected else ", ".join(ordinary[:_GIST_PARTS])

    @property
    def open_disputes(self) -> list[Dispute]:
        """Return what she says is wrong in it, as far as it is not settled."""
        return [one for one in self.evidence.disputes if not one.HasField("resolve_time")]


def piece_of(here: Here, evidence_id: str, *, revision: int = 0) -> Piece:
    """Return one thing of hers, its values left out where they may not be shown now.

    Raises:
        NotThereError: if there is none.
    """
    try:
        return Piece(here, _got(here, evidence_id, revision, without_values=False), is_open=True)
    except CallError as error:
        if error.reason not in _CLOSED:
            raise
    return closed_piece(here, evidence_id, revision=revision)


def closed_piece(here: Here, evidence_id: str, *, revision: int = 0) -> Piece:
    """Return one thing of hers without its values.

    Raises:
        NotThereError: if there is none.
    """
    return Piece(here, _got(here, evidence_id, revision, without_values=True), is_open=False)


def open_piece(here: Here, evidence_id: str) -> Piece:
    """Return one thing of hers with its values.

    Raises:
        CallError: if they may not be shown now: `failure.of_call` says what to do.
        NotThereError: if there is none.
    """
    return Piece(here, _got(here, evidence_id, 0, without_values=False), is_open=True)


def _got(
    here: Here, evidence_id: str, revision: int, *, without_values: bool
) -> GetEvidenceResponse:
    from vault.api.v1.evidence_service_pb2 import GetEvidenceRequest  # noqa: PLC0415

    request = GetEvidenceRequest(
        acting=here.acting,
        evidence_id=evidence_id,
        revision=revision,
        without_values=without_values,
    )
    try:
        return here.vault.evidence.GetEvidence(request)
    except CallError as error:
        if error.code in {"NOT_FOUND", "INVALID_ARGUMENT"}:
            raise NotThereError from None
        raise
