# SPDX-License-Identifier: Apache-2.0
"""The counter under every screen: `Typed once · Shared · Seen by`, from real calls and answers.

Typed is counted from what was sent, the rest from what the server answers her when it is asked.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from clients.connection import CallRecord
from clients.demo.things import things_of
from clients.demo.wording import counted
from vault.api.v1 import consent_pb2
from vault.api.v1.consent_pb2 import Consent
from vault.api.v1.evidence_service_pb2 import (
    ProvideEvidenceRequest,
    ProvideEvidenceResponse,
    ReplaceEvidenceRequest,
    ReplaceEvidenceResponse,
    UploadDocumentRequest,
    UploadDocumentResponse,
)
from vault.api.v1.vault_pb2 import HistoryEntry

DISCLOSED = "evidence-disclosed.1"
REFUSED = "disclosure-refused.1"


@dataclass(slots=True)
class Typing:
    """Counts the answers that a person typed, from the calls that she made."""

    answers: int = 0
    _kept: dict[str, dict[str, object]] = field(default_factory=dict)

    def watch(self, call: CallRecord) -> None:
        """Count what a call sent, unless it was refused; of a correction what is new in it."""
        if call.error is not None:
            return
        match call.request:
            case ProvideEvidenceRequest() | ReplaceEvidenceRequest() as request:
                values = json.loads(request.values)
            case UploadDocumentRequest(header=header):
                values = json.loads(header.values)
            case _:
                return
        piece = _piece(call)
        before = self._kept.get(piece, {})
        self.answers += sum(before.get(name) != value for name, value in values.items())
        if piece:
            self._kept[piece] = values


@dataclass(frozen=True, slots=True)
class Counter:
    """How often she typed, how many things are shared now, and who has seen any of them.

    `whose` is "" for Mair, whose story it is.
    """

    typed: int
    shared: int
    seen_by: tuple[str, ...]
    whose: str = ""

    def __str__(self) -> str:
        """Return the counter in one line."""
        whose = f"{self.whose} · " if self.whose else ""
        return (
            f"{whose}Typed once {counted(self.typed, 'answer')} · "
            f"Shared {counted(self.shared, 'thing')} · "
            f"Seen by {', '.join(self.seen_by) or 'nobody'}"
        )


def shared_things(consents: Iterable[Consent]) -> int:
    """Return how many things are shared now."""
    return sum(
        len(things_of(consent.scope))
        for consent in consents
        if consent.state == consent_pb2.CONSENT_STATE_ACTIVE
    )


def seen_by(newest_first: Iterable[HistoryEntry]) -> tuple[str, ...]:
    """Return the services that received anything, in the order in which they first did."""
    received = [entry.service_id for entry in newest_first if entry.type == DISCLOSED]
    return tuple(dict.fromkeys(reversed(received)))


def _piece(call: CallRecord) -> str:
    """Return the piece of information that a call made or corrected; "" if nothing tells."""
    match call.response:
        case ProvideEvidenceResponse() | ReplaceEvidenceResponse() | UploadDocumentResponse():
            piece: str = call.response.evidence.evidence_id
            return piece
        case _:
            return ""
