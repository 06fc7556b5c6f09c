# SPDX-License-Identifier: Apache-2.0
"""The auditor's rule for evidence and disputes: revisions follow one another, in one type.

A dispute names fields of the current revision, each once, and is settled once: by her, or by a
replacement that changed every field of it.
"""

from __future__ import annotations

from collections.abc import Iterator

from clients.auditor.canonical import microseconds
from clients.auditor.facts import (
    DisputeResolved,
    EvidenceDisputed,
    EvidenceProtected,
    EvidenceProvided,
    EvidenceReplaced,
    Link,
    ProtectionLifted,
)
from clients.auditor.history import Piece, Vault
from clients.auditor.problem import Problem
from clients.auditor.registry import DAY

NOT_ONE_PIECE = Problem("it does not name exactly one piece of evidence")
OTHER_TYPE = Problem("the piece of evidence is of another type")


def judge_evidence(vault: Vault, link: Link, facts: EvidenceProvided) -> Iterator[Problem]:
    """Say why a revision does not follow."""
    if not _names_one_piece(link):
        yield NOT_ONE_PIECE
        return
    item = link.items[0]
    piece = vault.evidence.get(item.evidence_id)
    current = piece.current if piece else 0
    is_first = not isinstance(facts, EvidenceReplaced)
    if is_first:
        if piece or item.revision != 1:
            yield Problem("the piece of evidence is there already, or begins with another revision")
    elif item.revision != current + 1:
        needs_more = item.revision > current
        yield Problem(f"revision {item.revision} does not follow revision {current}", needs_more)
    elif not current:
        yield Problem("it replaces evidence that was never provided")
    if piece and piece.evidence_type != facts.evidence_type:
        yield OTHER_TYPE
    if not facts.names:
        yield Problem("the evidence has no fields")
    # A day of grace: her calendar may be ahead of UTC.
    issued = f"{facts.issued_date}T00:00:00.000000Z"
    if facts.issued_date and microseconds(issued) > microseconds(facts.time) + DAY:
        yield Problem("the evidence was issued in the future")


def judge_protection(
    vault: Vault, link: Link, facts: EvidenceProtected | ProtectionLifted
) -> Iterator[Problem]:
    """Say why a piece may not be protected, or its protection not be lifted."""
    if not _names_one_piece(link):
        yield NOT_ONE_PIECE
    elif link.items[0].evidence_id not in vault.evidence:
        yield Problem("it is about evidence that does not exist", needs_more=True)
    elif link.items[0].revision:
        yield Problem("it is about one revision, and a piece is protected whole")
    if isinstance(facts, ProtectionLifted) and link.acting.capacity != "self":
        yield Problem(f"she alone lifts a protection, not somebody as {link.acting.capacity}")


def judge_dispute(
    vault: Vault, link: Link, facts: EvidenceDisputed | DisputeResolved
) -> Iterator[Problem]:
    """Say why a dispute may not be raised or settled."""
    if not _names_one_piece(link):
        yield NOT_ONE_PIECE
        return
    item = link.items[0]
    piece = vault.evidence.get(item.evidence_id)
    if piece is None:
        yield Problem("it is about evidence that does not exist", needs_more=True)
        return
    if piece.evidence_type != facts.evidence_type:
        yield OTHER_TYPE
    if item.revision != piece.current:
        needs_more = item.revision > piece.current
        why = f"it is about revision {item.revision}, the current one was {piece.current}"
        yield Problem(why, needs_more)
    if isinstance(facts, EvidenceDisputed):
        yield from _disputed(piece, item.revision, facts)
    else:
        yield from _settled(piece, facts)


def _disputed(piece: Piece, number: int, facts: EvidenceDisputed) -> Iterator[Problem]:
    revision = piece.revisions.get(number)
    if not facts.names or (revision and not revision.names.issuperset(facts.names)):
        yield Problem("the evidence does not have every disputed field, or none is named")
    if facts.dispute_id in piece.disputes:
        yield Problem("the dispute is there already")
    if any(dispute.names.intersection(facts.names) for dispute in piece.open_disputes):
        yield Problem("a field is disputed already", needs_more=True)


def _settled(piece: Piece, facts: DisputeResolved) -> Iterator[Problem]:
    dispute = piece.disputes.get(facts.dispute_id)
    if dispute is None:
        yield Problem("it settles a dispute that was never raised", needs_more=True)
    elif dispute.settled_version:
        yield Problem(f"the dispute was settled already at version {dispute.settled_version}")


def _names_one_piece(link: Link) -> bool:
    return len(link.items) == 1 and link.items[0].item == 0
