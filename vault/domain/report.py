# SPDX-License-Identifier: Apache-2.0
"""Reports: what a recipient tells her of the matter for which it fetches.

A report is a code from a closed list: nobody writes texts into her history, and it needs no new
permission of hers. So few fit into a day that nobody can fill it either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vault.domain import consent as consents
from vault.domain.consent import Report, ReportKind, ReportStatus
from vault.domain.errors import LimitExceededError, NotFoundError
from vault.domain.events import Draft, Event, Facts
from vault.domain.values import Stamp
from vault.domain.vault import must_be_sound

if TYPE_CHECKING:
    from vault.domain.registry import RegistryState
    from vault.domain.state import VaultState
    from vault.domain.values import Time

REPORTS_OF_A_DAY: Final = 5
"""Reports for one consent and UTC day."""

PROGRESS: Final = frozenset[ReportStatus]({"received", "in-progress", "more-needed"})


class RecipientReported(Facts, frozen=True, tag="recipient-reported.1"):
    """The recipient told how far the matter is, or how it was decided."""

    service: str
    subject: str
    consent_id: str
    purpose: str
    kind: ReportKind
    status: ReportStatus


def report(
    state: VaultState | None,
    registry: RegistryState,
    stamp: Stamp,
    *,
    service: str,
    subject: str,
    consent_id: str,
    status: ReportStatus,
) -> Draft:
    """Report how far the matter is for which a consent was given.

    Raises:
        NotFoundError: if the consent is not this service's and subject's.
        ConsentRevokedError, ConsentExpiredError: if it ended and was never used.
        ServiceSuspendedError: if the service is suspended.
        LimitExceededError: if enough was reported that day.
    """
    consent = consents.find(must_be_sound(state), consent_id)
    if consent.service != service or consent.subject != subject:
        raise NotFoundError
    registry.service(service)
    if not consent.disclosures:
        consent.must_not_have_ended(stamp.time)
    if _reported(consent.report, stamp.time) >= REPORTS_OF_A_DAY:
        raise LimitExceededError(detail="Enough was reported for this consent today.")
    facts = RecipientReported(
        time=stamp.time,
        salt=stamp.salt,
        service=service,
        subject=subject,
        consent_id=consent_id,
        purpose=consent.terms.purpose.name,
        kind="progress" if status in PROGRESS else "outcome",
        status=status,
    )
    return Draft(facts=facts)


def reported(state: VaultState, event: Event, facts: RecipientReported) -> VaultState:
    """Fold `RecipientReported`."""
    del event
    before = state.consents.get(facts.consent_id)
    latest = Report(
        kind=facts.kind,
        status=facts.status,
        time=facts.time,
        count=_reported(before.report if before else None, facts.time) + 1,
    )
    return consents.changed(state, facts.consent_id, report=latest)


def _reported(latest: Report | None, time: Time) -> int:
    """Return how many reports stand on the UTC day of a time."""
    return latest.count if latest and latest.time[:10] == time[:10] else 0
