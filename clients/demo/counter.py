# SPDX-License-Identifier: Apache-2.0
"""The counter under every screen: `Typed once · Shared · Seen by`, from real calls and answers.

Typed is counted from what was sent, the rest from what the server answers her when it is asked.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from clients.connection import CallRecord
from clients.demo.things import things_of
from clients.demo.wording import counted
from vault.api.v1 import consent_pb2
from vault.api.v1.consent_pb2 import Consent
from vault.api.v1.evidence_service_pb2 import ProvideEvidenceRequest, ReplaceEvidenceRequest
from vault.api.v1.vault_pb2 import HistoryEntry

DISCLOSED = "evidence-disclosed.1"
REFUSED = "disclosure-refused.1"


@dataclass(slots=True)
class Typing:
    """Counts the answers that a person typed, from the calls that she made."""

    answers: int = 0

    def watch(self, call: CallRecord) -> None:
        """Count what a call sent, unless it was refused."""
        request = call.request
        if call.error is None and isinstance(
            request, ProvideEvidenceRequest | ReplaceEvidenceRequest
        ):
            self.answers += len(json.loads(request.values))


@dataclass(frozen=True, slots=True)
class Counter:
    """How often she typed, how many things are shared now, and who has seen any of them."""

    typed: int
    shared: int
    seen_by: tuple[str, ...]

    def __str__(self) -> str:
        """Return the counter in one line."""
        return (
            f"Typed once {counted(self.typed, 'answer')} · "
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
