# SPDX-License-Identifier: Apache-2.0
"""What is true of a vault: a fold over the link and facts of its events, never over a payload."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec import field

from vault.domain import (
    amendment,
    consent,
    contact,
    disclosure,
    dispute,
    evidence,
    passkey,
    protection,
    report,
    request,
    sign_in,
    vault,
)
from vault.domain.consent import Consent
from vault.domain.contact import KeptContact
from vault.domain.events import Event, Facts, StreamState
from vault.domain.evidence import Evidence
from vault.domain.passkey import Passkey
from vault.domain.request import Request
from vault.domain.sign_in import LinkCode, SignIn
from vault.domain.values import Terms, Time
from vault.domain.vault import Imported


class VaultState(StreamState, frozen=True, kw_only=True):
    """What is true after an event; every mapping is in the order of first appearance."""

    open_time: Time = Time("")
    evidence: dict[str, Evidence] = field(default_factory=dict)
    requests: dict[str, Request] = field(default_factory=dict)
    consents: dict[str, Consent] = field(default_factory=dict)
    earlier_terms: dict[int, Terms] = field(default_factory=dict)
    """Terms that a narrowing or extension replaced, by its version."""
    cancelled: frozenset[str] = frozenset()
    sign_ins: dict[str, SignIn] = field(default_factory=dict)
    link_codes: dict[str, LinkCode] = field(default_factory=dict)
    signed_out: Time = Time("")
    """When she last signed out everywhere."""
    imports: tuple[Imported, ...] = ()
    passkeys: dict[str, Passkey] = field(default_factory=dict)
    contact: KeptContact | None = None


def fold(state: VaultState | None, event: Event) -> VaultState:
    """Return what is true after an event."""
    after = (state or VaultState(stream=event.link.stream)).advanced(event)
    facts = event.facts.upcast()
    apply = _FOLDS.get(type(facts))
    return apply(after, event, facts) if apply else after


def _opened(state: VaultState, event: Event, facts: vault.VaultOpened) -> VaultState:
    return sign_in.opened_by(vault.opened(state, event, facts), event)


_FOLDS: Final[dict[type[Facts], Callable[[VaultState, Event, Any], VaultState]]] = {
    vault.VaultOpened: _opened,
    vault.VaultImported: vault.brought,
    sign_in.LinkCodeCreated: sign_in.link_code_created,
    sign_in.SignInLinked: sign_in.linked,
    sign_in.SignInUnlinked: sign_in.unlinked,
    sign_in.SignedOutEverywhere: sign_in.signed_out,
    contact.ContactSet: contact.contact_set,
    passkey.PasskeyAdded: passkey.passkey_added,
    passkey.PasskeyRemoved: passkey.passkey_removed,
    evidence.EvidenceProvided: evidence.provided,
    evidence.EvidenceReplaced: evidence.replaced,
    protection.EvidenceProtected: protection.protected,
    protection.ProtectionLifted: protection.lifted,
    dispute.EvidenceDisputed: dispute.disputed,
    dispute.DisputeResolved: dispute.resolved,
    request.ConsentRequested: request.requested,
    request.ConsentRequestCancelled: request.cancelled,
    request.ConsentRefused: request.refused,
    consent.ConsentGranted: consent.granted,
    consent.ConsentPaused: consent.paused,
    consent.ConsentResumed: consent.resumed,
    consent.ConsentRevoked: consent.revoked,
    amendment.ConsentNarrowed: amendment.amended,
    amendment.ConsentExtended: amendment.amended,
    disclosure.EvidenceDisclosed: disclosure.disclosed,
    disclosure.DisclosureRefused: disclosure.refused,
    report.RecipientReported: report.reported,
}
