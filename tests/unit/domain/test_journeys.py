# SPDX-License-Identifier: Apache-2.0
"""Ten thousand steps through the domain go as the model says; broken rules do not.

A model that cannot fail proves nothing: each rule of a disclosure is broken in turn.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from msgspec.structs import replace

from tests.builders import at
from tests.unit.domain.journey_engine import NAMES, Again, Decide, RuleBrokenError
from tests.unit.domain.journeys import Journeys
from vault.domain import disclosure
from vault.domain.disclosure import Attempt, Plan
from vault.domain.registry import RegistryState
from vault.domain.state import VaultState
from vault.domain.values import LATEST_TIME, Time

pytestmark = pytest.mark.timeout(180)

STEPS = 10_000
STEPS_A_JOURNEY = 50
JOURNEYS = 300
DISCLOSURES = 100
"""So many at least are decided again as of their day, and as often when written otherwise."""
REASONS = {
    "",
    "CAPACITY_NOT_ALLOWED",
    "CHOICE_NOT_OFFERED",
    "CONSENT_EXPIRED",
    "CONSENT_NOT_PAUSED",
    "CONSENT_NOT_STARTED",
    "CONSENT_PAUSED",
    "CONSENT_REVOKED",
    "DISPUTE_RESOLVED",
    "EVIDENCE_CHANGED",
    "EVIDENCE_TOO_OLD",
    "FIELD_INVALID",
    "FIELD_NOT_GRANTED",
    "FREQUENCY_EXHAUSTED",
    "NARROWING_WIDENS",
    "NOT_FOUND",
    "PURPOSE_DIFFERS",
    "PURPOSE_EXCEEDED",
    "PURPOSE_NOT_ALLOWED",
    "REGISTRY_CONFLICT",
    "REQUEST_ALREADY_CLAIMED",
    "REQUEST_ALREADY_DECIDED",
    "REQUEST_CANCELLED",
    "REQUEST_EXPIRED",
    "SERVICE_SUSPENDED",
    "SHOWN_DIFFERS",
}
"""What must have been told at least once, or the journeys went nowhere."""


def travel(machine: type[Journeys], journeys: int, *phases: Phase) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=journeys,
            stateful_step_count=STEPS_A_JOURNEY,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
            # The same journeys every time: what they reach is asserted.
            derandomize=True,
            phases=(Phase.generate, *phases),
            report_multiple_bugs=False,
        ),
    )


def test_ten_thousand_steps_go_as_the_model_says() -> None:
    class Counted(Journeys):
        steps: ClassVar[int] = 0
        disclosures: ClassVar[int] = 0
        outcomes: ClassVar[Counter[str]] = Counter()

    travel(Counted, JOURNEYS, Phase.shrink)

    assert Counted.steps >= STEPS
    assert Counted.disclosures >= DISCLOSURES
    assert Counted.outcomes.keys() >= REASONS


# --- Broken rules --------------------------------------------------------------------------------


def without_revocation(known: VaultState, *args: Any, **options: Any) -> Plan:
    return disclosure.plan(each_consent(known, revoked=Time("")), *args, **options)


def without_end(known: VaultState, *args: Any, **options: Any) -> Plan:
    return disclosure.plan(each_terms(known, end=LATEST_TIME), *args, **options)


def without_start(known: VaultState, *args: Any, **options: Any) -> Plan:
    return disclosure.plan(each_terms(known, start=at()), *args, **options)


def without_pause(known: VaultState, *args: Any, **options: Any) -> Plan:
    return disclosure.plan(each_consent(known, paused=Time("")), *args, **options)


def without_fields(known: VaultState, *args: Any, **options: Any) -> Plan:
    consents = {}
    for consent_id, found in known.consents.items():
        scope = tuple(
            replace(fields, optional=NAMES[fields.evidence_type]) for fields in found.terms.scope
        )
        consents[consent_id] = replace(found, terms=replace(found.terms, scope=scope))
    return disclosure.plan(replace(known, consents=consents), *args, **options)


def without_frequency(known: VaultState, *args: Any, **options: Any) -> Plan:
    return disclosure.plan(each_consent(known, disclosures=0, window_count=0), *args, **options)


def without_age(known: VaultState, *args: Any, **options: Any) -> Plan:
    return disclosure.plan(each_terms(known, largest_age_days=0), *args, **options)


def without_suspension(
    known: VaultState, registered: RegistryState, *args: Any, **options: Any
) -> Plan:
    listed = {key: replace(found, is_suspended=False) for key, found in registered.services.items()}
    return disclosure.plan(known, replace(registered, services=listed), *args, **options)


def without_owner(
    known: VaultState, registered: RegistryState, time: Time, attempt: Attempt, **options: Any
) -> Plan:
    found = known.consents[attempt.consent_id]
    own = replace(attempt, service=found.service, subject=found.subject)
    return disclosure.plan(known, registered, time, own, **options)


def each_consent(known: VaultState, **changes: Any) -> VaultState:
    consents = {key: replace(found, **changes) for key, found in known.consents.items()}
    return replace(known, consents=consents)


def each_terms(known: VaultState, **changes: Any) -> VaultState:
    consents = {
        key: replace(found, terms=replace(found.terms, **changes))
        for key, found in known.consents.items()
    }
    return replace(known, consents=consents)


@pytest.mark.parametrize(
    "mutant",
    [
        without_revocation,
        without_end,
        without_start,
        without_pause,
        without_fields,
        without_frequency,
        without_age,
        without_suspension,
        without_owner,
    ],
)
def test_a_broken_rule_is_caught(mutant: Decide) -> None:
    class Broken(Journeys):
        decide = staticmethod(mutant)

    with pytest.raises(RuleBrokenError):
        travel(Broken, 3 * JOURNEYS)


@pytest.mark.parametrize(
    "mutant", [lambda *_: True, lambda *_: False], ids=["everything", "nothing"]
)
def test_who_believes_everything_or_nothing_is_caught(mutant: Again) -> None:
    class Broken(Journeys):
        again: ClassVar[Again] = staticmethod(mutant)

    with pytest.raises(RuleBrokenError):
        travel(Broken, JOURNEYS)
