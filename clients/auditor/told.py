# SPDX-License-Identifier: Apache-2.0
"""The auditor's rule for what a service told her: how far a matter is, or how it was decided.

It stands on a consent of that service that was used or has not ended, as one of so few on a day.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from clients.auditor.facts import Link, RecipientReported
from clients.auditor.history import Consent, Vault
from clients.auditor.problem import Problem
from clients.auditor.registry import Registry

REPORTS_OF_A_DAY: Final = 5
PROGRESS: Final = {"received", "in-progress", "more-needed"}


def judge_told(
    vault: Vault, registry: Registry, link: Link, facts: RecipientReported, consent: Consent
) -> Iterator[Problem]:
    """Say why a service could not tell her so."""
    if link.acting.capacity != "service":
        yield Problem(f"the service tells, not somebody who acts as {link.acting.capacity}")
    if facts.purpose != consent.terms.purpose.name:
        yield Problem(f"the consent is for purpose {consent.terms.purpose.name}")
    if (facts.kind == "progress") != (facts.status in PROGRESS):
        yield Problem(f"{facts.status} is no {facts.kind}")
    yield from _never_used(vault, facts, consent)
    if consent.reports[facts.time[:10]] >= REPORTS_OF_A_DAY:
        yield Problem(f"more than {REPORTS_OF_A_DAY} are recorded for one consent and day")
    size, service = link.registry.size, registry.services.get(facts.service)
    if not size or size > registry.size:
        yield Problem("it names no version of the registry that was shown")
    elif service is not None and service.is_suspended(size):
        yield Problem(f"service {facts.service} was suspended")


def _never_used(vault: Vault, facts: RecipientReported, consent: Consent) -> Iterator[Problem]:
    """Say that the consent had ended and was never used; a use may have been withheld."""
    if consent.uses.total():
        return
    unsure = vault.withheld_after(consent.version)
    if consent.revoked:
        yield Problem(f"the consent was revoked unused at {consent.revoked}", unsure)
    if facts.time >= consent.terms.end:
        yield Problem(f"the consent had ended unused on {consent.terms.end}", unsure)
