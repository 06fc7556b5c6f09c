# SPDX-License-Identifier: Apache-2.0
"""The auditor's rule: what must be true of the vault before each record, or it was not allowed.

Who acted is judged in `acting.py`, evidence in `evidence.py`, requests and grants in `requests.py`
and `consents.py`, what became of a consent in `changes.py`, uses and refusals in `uses.py`, what
services told her in `told.py`. Whether a decision is shown to be hers is no part of the rule: it
may be allowed, and not shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from clients.auditor.acting import judge_acting
from clients.auditor.changes import judge_change
from clients.auditor.consents import judge_grant
from clients.auditor.evidence import judge_dispute, judge_evidence, judge_protection
from clients.auditor.facts import (
    ConsentExtended,
    ConsentGranted,
    ConsentNarrowed,
    ConsentRequested,
    DisclosureRefused,
    DisputeResolved,
    EvidenceDisclosed,
    EvidenceDisputed,
    EvidenceProtected,
    EvidenceProvided,
    Facts,
    Link,
    OfConsent,
    OfRequest,
    ProtectionLifted,
    RecipientReported,
    VaultImported,
    VaultOpened,
)
from clients.auditor.history import Vault
from clients.auditor.problem import Problem
from clients.auditor.record import Record
from clients.auditor.registry import Registry
from clients.auditor.requests import judge_answer, judge_request
from clients.auditor.told import judge_told
from clients.auditor.uses import judge_refusal, judge_use

NAMES_EVIDENCE: Final = (
    EvidenceProvided,
    EvidenceProtected,
    ProtectionLifted,
    EvidenceDisputed,
    DisputeResolved,
    ConsentGranted,
    ConsentNarrowed,
    ConsentExtended,
    EvidenceDisclosed,
)


def judge(vault: Vault, registry: Registry, record: Record) -> list[Problem]:
    """Return why a record was not allowed in the state before it; nothing if it was."""
    link, facts = record.link, record.facts
    if link is None or facts is None:
        return []
    problems = list(_particular(vault, registry, record, link, facts))
    problems += judge_acting(vault, record.version, link, facts)
    problems += _general(vault, record, link, facts)
    return problems


def _general(vault: Vault, record: Record, link: Link, facts: Facts) -> Iterator[Problem]:
    if isinstance(facts, VaultOpened) != (record.version == 1):
        yield Problem("a vault is opened by its first record and no other")
    if link.request_key and link.request_key in vault.request_keys:
        yield Problem("its request key stands in this stream already")
    if link.items and not isinstance(facts, NAMES_EVIDENCE):
        yield Problem("it names evidence that it has nothing to do with")
    if isinstance(facts, VaultImported) and any(
        (facts.origin, facts.vault) == (known.origin, known.vault) for known in vault.imported
    ):
        yield Problem("that history was brought here already")
    if (link.registry.size == 0) != (not link.registry.confirmed_time):
        yield Problem("its registry mark is incomplete")


def _particular(
    vault: Vault, registry: Registry, record: Record, link: Link, facts: Facts
) -> Iterator[Problem]:
    match facts:
        case OfConsent() if not isinstance(facts, ConsentGranted):
            return _of_consent(vault, registry, record, link, facts)
        case EvidenceProvided() | EvidenceDisputed() | DisputeResolved():
            return _of_evidence(vault, link, facts)
        case EvidenceProtected() | ProtectionLifted():
            return judge_protection(vault, link, facts)
        case OfRequest():
            return _of_request(vault, registry, link, facts)
        case ConsentGranted():
            return judge_grant(vault, registry, link, facts)
        case _:
            return iter(())


def _of_evidence(
    vault: Vault, link: Link, facts: EvidenceProvided | EvidenceDisputed | DisputeResolved
) -> Iterator[Problem]:
    if isinstance(facts, EvidenceProvided):
        return judge_evidence(vault, link, facts)
    return judge_dispute(vault, link, facts)


def _of_request(
    vault: Vault, registry: Registry, link: Link, facts: OfRequest
) -> Iterator[Problem]:
    if isinstance(facts, ConsentRequested):
        is_delivered = link.acting.capacity == "service"
        return judge_request(vault, registry, facts, is_delivered=is_delivered)
    return judge_answer(vault, facts)


def _of_consent(
    vault: Vault, registry: Registry, record: Record, link: Link, facts: OfConsent
) -> Iterator[Problem]:
    consent = vault.consents.get(facts.consent_id)
    if consent is None:
        yield Problem(f"consent {facts.consent_id} was never granted", needs_more=True)
        return
    if (facts.service, facts.subject) != (consent.facts.service, consent.facts.subject):
        yield Problem("the consent is another service's, or knows her by another subject")
    match facts:
        case EvidenceDisclosed():
            yield from judge_use(vault, registry, record, link, facts)
        case DisclosureRefused():
            yield from judge_refusal(facts, consent)
        case RecipientReported():
            yield from judge_told(vault, registry, link, facts, consent)
        case _:
            yield from judge_change(vault, registry, link, facts, consent)
