# SPDX-License-Identifier: Apache-2.0
"""Reports: what a service may tell her, when, and how often."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from tests.builders import (
    CONSENT,
    OTHER_SERVICE,
    SALT,
    SERVICE,
    SUBJECT,
    a_consent,
    a_stamp,
    at,
    consent_paused,
    consent_revoked,
    drafted,
    evidence_disclosed,
    happened,
    recipient_reported,
    registered,
)
from vault.domain.consent import Report, ReportStatus
from vault.domain.errors import (
    ConsentExpiredError,
    ConsentRevokedError,
    LimitExceededError,
    NotFoundError,
    ServiceSuspendedError,
    VaultNotOpenError,
)
from vault.domain.events import Draft
from vault.domain.registry import ServiceSuspended
from vault.domain.report import REPORTS_OF_A_DAY, RecipientReported, report
from vault.domain.state import VaultState
from vault.domain.values import Time


def told(state: VaultState | None, time: Time | None = None, **changed: Any) -> Draft:
    said = {"service": SERVICE, "subject": SUBJECT, "consent_id": CONSENT, "status": "received"}
    registry = changed.pop("registry", registered())
    return report(state, registry, a_stamp(time or at(20)), **{**said, **changed})


@pytest.mark.parametrize("status", get_args(ReportStatus))
def test_a_status_is_told_with_its_kind(status: ReportStatus) -> None:
    draft = told(happened(*a_consent()), status=status)

    assert isinstance(draft.facts, RecipientReported)
    expected = "progress" if status in {"received", "in-progress", "more-needed"} else "outcome"
    assert (draft.facts.kind, draft.facts.status) == (expected, status)
    assert draft.facts.purpose == "care@1"
    assert draft.items == ()


def test_the_last_report_stands_on_the_consent() -> None:
    state = happened(
        *a_consent(),
        recipient_reported(time=at(13)),
        recipient_reported(time=at(14), kind="outcome", status="refused"),
    )

    expected = Report(kind="outcome", status="refused", time=at(14), count=2)
    assert state.consents[CONSENT].report == expected


@pytest.mark.parametrize("differs", [{"service": OTHER_SERVICE}, {"subject": OTHER_SERVICE}])
def test_another_s_consent_is_not_there(differs: dict[str, Any]) -> None:
    with pytest.raises(NotFoundError):
        told(happened(*a_consent()), **differs)


def test_nothing_is_told_where_nothing_is_open_or_given() -> None:
    with pytest.raises(VaultNotOpenError):
        told(None)
    with pytest.raises(NotFoundError):
        told(happened(*a_consent()[:3]))


def test_what_was_never_used_and_has_ended_is_nobody_s_to_report_on() -> None:
    with pytest.raises(ConsentRevokedError):
        told(happened(*a_consent(), consent_revoked()))
    with pytest.raises(ConsentExpiredError):
        told(happened(*a_consent()), at(days=400))


def test_what_was_used_may_be_reported_on_after_its_end() -> None:
    used = (*a_consent(), evidence_disclosed())

    assert told(happened(*used, consent_revoked(time=at(11)))).facts.time
    assert told(happened(*used), at(days=400)).facts.time


def test_a_pause_is_no_end() -> None:
    assert told(happened(*a_consent(), consent_paused())).facts.time


def test_so_many_fit_into_a_day_and_the_next_day_begins_anew() -> None:
    full = happened(*a_consent(), *(recipient_reported(time=at(13 + n)) for n in range(5)))

    assert REPORTS_OF_A_DAY == 5
    with pytest.raises(LimitExceededError):
        told(full)
    assert told(full, at(20, days=1)).facts.time


def test_a_suspended_service_reports_nothing() -> None:
    suspended = drafted(ServiceSuspended(time=at(15), salt=SALT, service=SERVICE))

    with pytest.raises(ServiceSuspendedError):
        told(happened(*a_consent()), registry=registered(suspended))
