# SPDX-License-Identifier: Apache-2.0
"""The auditor's rule: what must be true of the vault before each record, or it was not allowed.

Consents are judged in `consents.py`, uses and refusals in `uses.py`. Proofs of approval and the log
are not judged yet.
"""

from __future__ import annotations

from collections.abc import Iterator

from clients.auditor.consents import judge_grant, judge_request, judge_revocation
from clients.auditor.facts import (
    ConsentGranted,
    ConsentRequested,
    ConsentRevoked,
    DisclosureRefused,
    EvidenceDisclosed,
    EvidenceProvided,
    EvidenceReplaced,
    Facts,
    Link,
    VaultOpened,
)
from clients.auditor.history import Vault
from clients.auditor.problem import Problem
from clients.auditor.record import Record
from clients.auditor.registry import Registry
from clients.auditor.uses import judge_refusal, judge_use


def judge(vault: Vault, registry: Registry, record: Record) -> list[Problem]:
    """Return why a record was not allowed in the state before it; nothing if it was."""
    link, facts = record.link, record.facts
    if link is None or facts is None:
        return []
    problems = list(_particular(vault, registry, record, link, facts))
    problems += [Problem(why) for why in _general(vault, record, link, facts)]
    return problems


def _general(vault: Vault, record: Record, link: Link, facts: Facts) -> Iterator[str]:
    if isinstance(facts, VaultOpened) != (record.version == 1):
        yield "a vault is opened by its first record and no other"
    if link.request_key and link.request_key in vault.request_keys:
        yield "its request key stands in this stream already"
    if link.items and not isinstance(facts, EvidenceProvided | ConsentGranted | EvidenceDisclosed):
        yield "it names evidence that it has nothing to do with"
    if (link.registry.size == 0) != (not link.registry.confirmed_time):
        yield "its registry mark is incomplete"


def _particular(
    vault: Vault, registry: Registry, record: Record, link: Link, facts: Facts
) -> Iterator[Problem]:
    match facts:
        case EvidenceProvided():
            yield from _evidence(vault, link, facts)
        case ConsentRequested():
            yield from judge_request(vault, registry, facts)
        case ConsentGranted():
            yield from judge_grant(vault, registry, link, facts)
        case ConsentRevoked():
            yield from judge_revocation(vault, facts)
        case EvidenceDisclosed():
            yield from judge_use(vault, registry, record, link, facts)
        case DisclosureRefused():
            yield from judge_refusal(vault, facts)


def _evidence(vault: Vault, link: Link, facts: EvidenceProvided) -> Iterator[Problem]:
    if len(link.items) != 1 or link.items[0].item != 0:
        yield Problem("it does not name exactly one piece of evidence")
        return
    item = link.items[0]
    piece = vault.evidence.get(item.evidence_id)
    current = piece.current if piece else 0
    is_first = not isinstance(facts, EvidenceReplaced)
    if is_first and (piece or item.revision != 1):
        yield Problem("the piece of evidence is there already, or begins with another revision")
    if not is_first and item.revision != current + 1:
        needs_more = item.revision > current + 1
        yield Problem(f"revision {item.revision} does not follow revision {current}", needs_more)
    if not is_first and current == 0 and item.revision <= 1:
        yield Problem("it replaces evidence that was never provided")
    if piece and piece.evidence_type != facts.evidence_type:
        yield Problem("the piece of evidence is of another type")
    if not facts.names:
        yield Problem("the evidence has no fields")
    if facts.issued_date > facts.time[:10]:
        yield Problem("the evidence was issued in the future")
