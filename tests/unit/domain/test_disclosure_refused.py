# SPDX-License-Identifier: Apache-2.0
"""A refused attempt: she can see that they tried, and nobody can bloat her history by trying."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from tests.builders import (
    CONSENT,
    OTHER_CONSENT,
    OTHER_SERVICE,
    OTHER_SUBJECT,
    SALT,
    SERVICE,
    SUBJECT,
    a_consent,
    a_selection,
    a_stamp,
    an_attempt,
    at,
    consent_granted,
    disclosure_refused,
    happened,
    vault_opened,
)
from vault.domain import disclosure
from vault.domain.consent import Refusals
from vault.domain.disclosure import Attempt, DisclosureRefused
from vault.domain.errors import HistoryBrokenError, NotFoundError, VaultNotOpenError
from vault.domain.events import Draft
from vault.domain.state import VaultState
from vault.domain.values import Time, TypeFields

LAST_SECOND = Time("2026-03-02T23:59:59.999999Z")
MIDNIGHT = Time("2026-03-03T00:00:00.000000Z")


def refuse(
    state: VaultState | None,
    time: Time | None = None,
    attempt: Attempt | None = None,
    reason: str = "CONSENT_REVOKED",
) -> Draft | None:
    return disclosure.refuse(state, a_stamp(time or at(20)), attempt or an_attempt(), reason)


def after(count: int, refused: Callable[[], Draft] = disclosure_refused) -> VaultState:
    """Return a vault with a consent on which so many refusals are listed today."""
    return happened(*a_consent(), *(refused() for _ in range(count)))


def test_the_record_says_who_wanted_what_and_why_it_was_refused() -> None:
    draft = refuse(happened(*a_consent()))

    assert draft is not None
    assert draft.facts == DisclosureRefused(
        time=at(20),
        salt=SALT,
        service=SERVICE,
        subject=SUBJECT,
        consent_id=CONSENT,
        purpose="care@1",
        fields=(TypeFields(evidence_type="postal_address", names=("postalCode",)),),
        reason="CONSENT_REVOKED",
        more_unlisted=False,
    )
    assert draft.items == ()


def test_what_was_wanted_is_listed_by_type_in_order() -> None:
    attempt = an_attempt(
        a_selection("streetName"),
        a_selection("sortCode", evidence_type="bank_account"),
        a_selection("postalCode", "streetName"),
    )

    draft = refuse(happened(*a_consent()), attempt=attempt)

    assert draft is not None
    assert isinstance(draft.facts, DisclosureRefused)
    assert draft.facts.fields == (
        TypeFields(evidence_type="bank_account", names=("sortCode",)),
        TypeFields(evidence_type="postal_address", names=("postalCode", "streetName")),
    )


@pytest.mark.parametrize(("listed", "says_more"), [(0, False), (1, False), (2, True)])
def test_the_third_refusal_of_a_day_says_that_more_are_not_listed(
    listed: int, *, says_more: bool
) -> None:
    draft = refuse(after(listed))

    assert draft is not None
    assert isinstance(draft.facts, DisclosureRefused)
    assert draft.facts.more_unlisted is says_more


def test_a_fourth_refusal_of_a_day_is_not_listed() -> None:
    assert refuse(after(3)) is None


def test_another_reason_is_listed_for_itself() -> None:
    assert refuse(after(3), reason="FIELD_NOT_GRANTED")


def test_another_consent_is_listed_for_itself() -> None:
    given = happened(
        *a_consent(),
        consent_granted(consent_id=OTHER_CONSENT),
        *(disclosure_refused() for _ in range(3)),
    )

    assert refuse(given, attempt=an_attempt(consent_id=OTHER_CONSENT))


def test_a_new_day_lists_anew_from_midnight_utc() -> None:
    given = happened(*a_consent(), *(disclosure_refused(LAST_SECOND) for _ in range(3)))

    assert refuse(given, LAST_SECOND) is None
    assert refuse(given, MIDNIGHT)


def test_refusals_of_yesterday_are_not_counted_today() -> None:
    given = happened(
        *a_consent(),
        *(disclosure_refused(LAST_SECOND) for _ in range(3)),
        disclosure_refused(MIDNIGHT),
    )

    counted = given.consents[CONSENT].refusals["CONSENT_REVOKED"]
    assert counted == Refusals(day="2026-03-03", count=1)


@pytest.mark.parametrize(
    "changes",
    [{"service": OTHER_SERVICE}, {"subject": OTHER_SUBJECT}, {"consent_id": OTHER_CONSENT}],
)
def test_an_attempt_on_what_is_not_the_services_own_leaves_no_trace(
    changes: dict[str, Any],
) -> None:
    with pytest.raises(NotFoundError):
        refuse(happened(*a_consent()), attempt=an_attempt(**changes))


def test_nothing_is_listed_where_there_is_no_vault() -> None:
    with pytest.raises(VaultNotOpenError):
        refuse(None)


def test_nothing_is_listed_in_a_broken_history() -> None:
    with pytest.raises(HistoryBrokenError):
        refuse(replace(after(0), broken_at=2))


def test_a_refusal_on_what_a_history_lost_is_folded_over() -> None:
    assert happened(vault_opened(), disclosure_refused()).consents == {}
