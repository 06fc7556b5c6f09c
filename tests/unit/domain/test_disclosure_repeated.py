# SPDX-License-Identifier: Apache-2.0
"""A repeated disclosure: the same bytes or nothing, decided under the terms of now."""

from __future__ import annotations

from typing import Any

import pytest

from tests.builders import (
    BUNDLE,
    ONCE,
    OTHER_CONSENT,
    SALT,
    SERVICE,
    a_consent,
    a_selection,
    a_stamp,
    an_attempt,
    at,
    consent_revoked,
    drafted,
    evidence_disclosed,
    evidence_replaced,
    happened,
    linked,
    registered,
    vault_opened,
)
from vault.domain import disclosure
from vault.domain.disclosure import Attempt, EvidenceDisclosed, Plan
from vault.domain.errors import (
    ConsentExpiredError,
    ConsentRevokedError,
    EvidenceChangedError,
    ServiceSuspendedError,
)
from vault.domain.events import Draft, Event
from vault.domain.registry import RegistryState, ServiceSuspended
from vault.domain.values import DisclosedFields, Time

CONSENTED = a_consent(one_time=True, frequency=ONCE)


def repeat(
    *more: Draft,
    first: Event | None = None,
    attempt: Attempt | None = None,
    time: Time | None = None,
    registry: RegistryState | None = None,
) -> Plan:
    """Ask again for what left at second 10, after more happened."""
    history = (*CONSENTED, evidence_disclosed(), *more)
    return disclosure.plan(
        happened(*history),
        registry or registered(),
        time or at(20),
        attempt or an_attempt(),
        first=first or linked(history)[len(CONSENTED)],
    )


def test_what_left_may_leave_again_although_it_was_for_once() -> None:
    assert repeat().fields == (DisclosedFields(item=1, names=("postalCode",)),)


def test_the_record_of_a_repeat_names_the_first_disclosure() -> None:
    first = linked([*CONSENTED, evidence_disclosed()])[-1]

    draft = disclosure.disclose(a_stamp(at(20)), repeat(), BUNDLE, first.leaf)

    assert isinstance(draft.facts, EvidenceDisclosed)
    assert draft.facts.repeats == first.leaf


def test_what_was_replaced_cannot_leave_again() -> None:
    with pytest.raises(EvidenceChangedError):
        repeat(evidence_replaced(time=at(15)))


def test_other_fields_are_no_repeat() -> None:
    with pytest.raises(EvidenceChangedError):
        repeat(attempt=an_attempt(a_selection("streetName")))


@pytest.mark.parametrize(
    "changes",
    [
        {"consent_id": OTHER_CONSENT},
        {"fields": (DisclosedFields(item=1, names=("streetName",)),)},
        {"fields": ()},
    ],
)
def test_another_disclosure_is_not_repeated(changes: dict[str, Any]) -> None:
    other = linked([*CONSENTED, evidence_disclosed(**changes)])[-1]

    with pytest.raises(EvidenceChangedError):
        repeat(first=other)


def test_an_event_that_is_no_disclosure_is_not_repeated() -> None:
    with pytest.raises(EvidenceChangedError):
        repeat(first=linked([vault_opened()])[0])


def test_a_revoked_consent_repeats_nothing() -> None:
    with pytest.raises(ConsentRevokedError):
        repeat(consent_revoked(time=at(15)))


def test_an_ended_consent_repeats_nothing() -> None:
    with pytest.raises(ConsentExpiredError):
        repeat(time=at(days=20))


def test_a_suspended_service_repeats_nothing() -> None:
    suspended = drafted(ServiceSuspended(time=at(), salt=SALT, service=SERVICE))

    with pytest.raises(ServiceSuspendedError):
        repeat(registry=registered(suspended))
