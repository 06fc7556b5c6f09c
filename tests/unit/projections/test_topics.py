# SPDX-License-Identifier: Apache-2.0
"""Which events a projection follows: every form of each, and none forgotten."""

from __future__ import annotations

from projections.change_feed import ChangeFeed
from projections.consent_register import ConsentRegister
from projections.tracking import forms_of
from vault.domain.stored_names import STORED_NAMES

BESIDE = frozenset(
    {
        "vault-opened",
        "vault-read",
        "vault-imported",
        "sign-in-linked",
        "sign-in-unlinked",
        "link-code-created",
        "signed-out-everywhere",
        "contact-set",
        "passkey-added",
        "passkey-removed",
        "evidence-provided",
        "evidence-replaced",
        "evidence-disputed",
        "dispute-resolved",
        "evidence-protected",
        "protection-lifted",
        "disclosure-refused",
        # The request's own stream says all that a service may know of it.
        "consent-requested",
        "organisation-registered",
        "service-registered",
        "service-suspended",
        "service-reinstated",
        "purpose-published",
        "purpose-withdrawn",
        "evidence-type-published",
        "receipt-key-listed",
        "lane-listed",
        "log-key-listed",
        "lane-replayed",
        "release-started",
        "store-migrated",
        "store-restored",
        "key-used",
        "administrator-acted",
        "known-fault-published",
    }
)
"""Kinds that no service's list depends on."""


def kinds(names: object) -> set[str]:
    assert isinstance(names, (tuple, frozenset))
    return {str(name).rpartition(".")[0] for name in names}


def test_every_form_of_an_event_is_followed() -> None:
    assert forms_of("request-made") == ("request-made.1", "request-made.2")


def test_an_event_is_followed_or_known_to_be_beside() -> None:
    """Who adds an event decides here whether a service's lists depend on it."""
    followed = kinds(ConsentRegister.topics)

    assert followed | BESIDE == kinds(STORED_NAMES)
    assert not followed & BESIDE
    # A request is told to be cancelled as of its own stream, which every cancellation reaches; what
    # the service did itself is no news to it.
    beside_changes = {"evidence-disclosed", "recipient-reported", "consent-request-cancelled"}
    assert kinds(ChangeFeed.topics) == followed - beside_changes
