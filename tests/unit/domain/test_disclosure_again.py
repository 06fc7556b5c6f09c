# SPDX-License-Identifier: Apache-2.0
"""A recorded disclosure decided again: an honest one comes out the same, a changed one does not."""

from __future__ import annotations

from functools import reduce
from typing import Any

import pytest
from msgspec.structs import replace

from tests.builders import (
    ABSENT,
    BUNDLE,
    DAY,
    INCOME,
    NOTICE,
    ONCE,
    OTHER_ADDRESS,
    OTHER_CONSENT,
    OTHER_SERVICE,
    OTHER_SUBJECT,
    SALT,
    SERVICE,
    a_consent,
    an_item,
    at,
    consent_extended,
    consent_granted,
    consent_narrowed,
    consent_paused,
    consent_resumed,
    consent_revoked,
    drafted,
    evidence_disclosed,
    evidence_replaced,
    granted_fields,
    linked,
    registered,
    vault_opened,
)
from vault.domain import disclosure
from vault.domain.events import Draft, Event
from vault.domain.registry import PurposeWithdrawn, RegistryState, ServiceSuspended
from vault.domain.state import VaultState, fold
from vault.domain.values import DisclosedFields, Frequency, Time

CONSENTED = a_consent()


def again(
    *drafts: Draft, registry: RegistryState | None = None, first: Event | None = None
) -> bool:
    """Decide the last thing that happened again, from the state before it."""
    *before, event = linked(drafts)
    return disclosure.again(state_after(before), registry or registered(), event, first)


def state_after(events: list[Event]) -> VaultState | None:
    return reduce(fold, events, None)


def of(draft: Draft, *items: Any) -> Draft:
    return replace(draft, items=items)


# --- Honest --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "drafts",
    [
        (*CONSENTED, evidence_disclosed()),
        (*CONSENTED, evidence_disclosed(), evidence_disclosed(at(11))),
        (*CONSENTED, consent_paused(), consent_resumed(), evidence_disclosed()),
        (*CONSENTED, consent_narrowed(), evidence_disclosed()),
        (*CONSENTED, consent_extended(), evidence_disclosed(at(days=24))),
        (*CONSENTED, evidence_replaced(), of(evidence_disclosed(), an_item(revision=2))),
        (*a_consent(one_time=True, frequency=ONCE), evidence_disclosed()),
    ],
)
def test_an_honest_disclosure_comes_out_the_same(drafts: tuple[Draft, ...]) -> None:
    assert again(*drafts)


def test_what_happened_after_it_changes_nothing() -> None:
    drafts = (*CONSENTED, evidence_disclosed())
    *before, event = linked(drafts)
    more = linked([*drafts, consent_revoked(time=at(11))])

    assert disclosure.again(state_after(before), registered(), event, None)
    assert not disclosure.again(state_after(more), registered(), event, None)


def test_two_items_of_one_type_come_out_the_same() -> None:
    fields = (
        DisclosedFields(item=1, names=("postalCode",)),
        DisclosedFields(item=2, names=("amount", "payer")),
    )
    income = granted_fields(2, evidence_type="income", required=("amount",), optional=("payer",))
    granted = consent_granted(an_item(), an_item(2, INCOME), scope=(granted_fields(), income))
    left = of(evidence_disclosed(fields=fields), an_item(revision=1), an_item(2, INCOME, 1))

    assert again(*CONSENTED[:4], granted, left)


def test_an_honest_repeat_comes_out_the_same_although_it_was_for_once() -> None:
    first = linked(once())[-1]
    repeat = evidence_disclosed(at(11), repeats=first.leaf)

    assert again(*once(), repeat, first=first)


def once() -> tuple[Draft, ...]:
    return (*a_consent(one_time=True, frequency=ONCE), evidence_disclosed())


# --- Changed -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"fields": (DisclosedFields(item=1, names=("addressCountry", "postalCode")),)},
        {"fields": (DisclosedFields(item=1, names=()),)},
        {"fields": ()},
        {"fields": (DisclosedFields(item=2, names=("postalCode",)),)},
        {"fields": (DisclosedFields(item=1, names=("streetName", "postalCode")),)},
        {"service": OTHER_SERVICE},
        {"subject": OTHER_SUBJECT},
        {"consent_id": OTHER_CONSENT},
        {"purpose": "loan@1"},
        {"purpose": "care@2"},
        {"repeats": BUNDLE},
        {"time": at(2)},
        {"time": at(days=20)},
    ],
)
def test_a_disclosure_that_was_written_otherwise_does_not_come_out(
    changes: dict[str, Any],
) -> None:
    assert not again(*CONSENTED, evidence_disclosed(**changes))


@pytest.mark.parametrize(
    "items",
    [
        (),
        (an_item(revision=2),),
        (an_item(revision=0),),
        (an_item(1, OTHER_ADDRESS, 1),),
        (an_item(2, revision=1),),
        (an_item(revision=1), an_item(2, INCOME, 1)),
    ],
)
def test_a_disclosure_of_other_evidence_does_not_come_out(items: tuple[Any, ...]) -> None:
    assert not again(*CONSENTED, of(evidence_disclosed(), *items))


@pytest.mark.parametrize(
    "drafts",
    [
        (*CONSENTED, consent_revoked(), evidence_disclosed()),
        (*CONSENTED, consent_paused(), evidence_disclosed()),
        (*CONSENTED, consent_narrowed(scope=(granted_fields(required=()),)), evidence_disclosed()),
        (*CONSENTED, consent_narrowed(end=at(9)), evidence_disclosed()),
        (*a_consent(start=at(days=1)), evidence_disclosed()),
        (*a_consent(largest_age_days=1), evidence_disclosed(at(days=2))),
        (*a_consent(one_time=True, frequency=ONCE), evidence_disclosed(), evidence_disclosed()),
        (
            *a_consent(frequency=Frequency(count=1, period_seconds=DAY)),
            evidence_disclosed(),
            evidence_disclosed(at(11)),
        ),
        (*CONSENTED, evidence_replaced(), evidence_disclosed()),
        (*CONSENTED[:4], evidence_disclosed()),
    ],
)
def test_a_disclosure_that_was_not_allowed_does_not_come_out(drafts: tuple[Draft, ...]) -> None:
    assert not again(*drafts)


@pytest.mark.parametrize(
    "facts",
    [
        ServiceSuspended(time=at(), salt=SALT, service=SERVICE),
        PurposeWithdrawn(time=at(), salt=SALT, code="care"),
    ],
)
def test_a_disclosure_that_the_registry_forbade_does_not_come_out(facts: Any) -> None:
    assert not again(*CONSENTED, evidence_disclosed(), registry=registered(drafted(facts)))


@pytest.mark.parametrize("time", [at(11), None])
def test_a_repeat_of_something_else_does_not_come_out(time: Time | None) -> None:
    street = (DisclosedFields(item=1, names=("streetName",)),)
    other = linked([*once()[:-1], evidence_disclosed(fields=street)])[-1]

    assert not again(*once(), evidence_disclosed(time, repeats=BUNDLE), first=other)
    assert not again(*once(), evidence_disclosed(time, repeats=BUNDLE), first=None)


@pytest.mark.parametrize("changes", [{"repeats": ""}, {"repeats": BUNDLE}, {"bundle_hash": NOTICE}])
def test_a_repeat_that_names_another_first_or_other_bytes_does_not_come_out(
    changes: dict[str, Any],
) -> None:
    first = linked(once())[-1]
    repeat = evidence_disclosed(at(11), **{"repeats": first.leaf, **changes})

    assert not again(*once(), repeat, first=first)


def test_what_is_no_disclosure_does_not_come_out() -> None:
    assert not again(*CONSENTED, consent_revoked())


def test_a_disclosure_before_anything_else_does_not_come_out() -> None:
    assert not again(evidence_disclosed())


def test_a_disclosure_from_a_broken_history_does_not_come_out() -> None:
    *before, event = linked((*CONSENTED, evidence_disclosed()))
    state = state_after(before)
    assert state is not None

    assert not disclosure.again(replace(state, broken_at=2), registered(), event, None)


def test_a_disclosure_under_a_consent_that_was_never_granted_does_not_come_out() -> None:
    assert not again(vault_opened(), evidence_disclosed(consent_id=ABSENT))
