# SPDX-License-Identifier: Apache-2.0
"""What is true of a vault: a fold over the link and facts of its events, never over a payload."""

from __future__ import annotations

from msgspec import field

from vault.domain import consent, disclosure, evidence, request, vault
from vault.domain.consent import Consent
from vault.domain.events import Event, StreamState
from vault.domain.evidence import Evidence
from vault.domain.request import Request
from vault.domain.values import Time


class VaultState(StreamState, frozen=True, kw_only=True):
    """What is true after an event; every mapping is in the order of first appearance."""

    open_time: Time = Time("")
    evidence: dict[str, Evidence] = field(default_factory=dict)
    requests: dict[str, Request] = field(default_factory=dict)
    consents: dict[str, Consent] = field(default_factory=dict)


def fold(state: VaultState | None, event: Event) -> VaultState:
    """Return what is true after an event."""
    after = (state or VaultState(stream=event.link.stream)).advanced(event)
    match event.facts:
        case vault.VaultOpened() as facts:
            return vault.opened(after, event, facts)
        case evidence.EvidenceProvided() as facts:
            return evidence.provided(after, event, facts)
        case evidence.EvidenceReplaced() as facts:
            return evidence.replaced(after, event, facts)
        case request.ConsentRequested() as facts:
            return request.requested(after, event, facts)
        case consent.ConsentGranted() as facts:
            return consent.granted(after, event, facts)
        case consent.ConsentRevoked() as facts:
            return consent.revoked(after, event, facts)
        case disclosure.EvidenceDisclosed() as facts:
            return disclosure.disclosed(after, event, facts)
        case disclosure.DisclosureRefused() as facts:
            return disclosure.refused(after, event, facts)
        case _:
            return after
