# SPDX-License-Identifier: Apache-2.0
"""Disputes: she says that a value is wrong, in a statement of her own that is sealed.

Until it is settled the value goes out marked (UK GDPR Art. 18), with her statement if she wants
that. A replacement that gives a disputed field another value settles it for that field.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec.structs import replace

from vault.domain import evidence as pieces
from vault.domain.errors import DisputeResolvedError, FieldInvalidError, NotFoundError
from vault.domain.events import Draft, Event, Facts
from vault.domain.evidence import WHOLE_PIECE, Dispute
from vault.domain.values import Item, Stamp
from vault.domain.vault import must_be_sound

if TYPE_CHECKING:
    from vault.domain.evidence import Evidence
    from vault.domain.state import VaultState

Outcome = Literal["withdrawn", "corrected"]


class EvidenceDisputed(Facts, frozen=True, tag="evidence-disputed.1"):
    """She says that fields are wrong; `is_shared` lets her statement travel with them."""

    evidence_type: str
    dispute_id: str
    names: tuple[str, ...]
    is_shared: bool


class DisputeResolved(Facts, frozen=True, tag="dispute-resolved.1"):
    """A dispute is settled: she withdrew it, or it was corrected where it came from."""

    evidence_type: str
    dispute_id: str
    outcome: Outcome


def dispute(
    state: VaultState | None,
    stamp: Stamp,
    *,
    evidence_id: str,
    dispute_id: str,
    names: tuple[str, ...],
    is_shared: bool,
) -> Draft:
    """Dispute fields of the current revision of a piece of evidence.

    Raises:
        VaultNotOpenError, NotFoundError: if there is no such piece.
        FieldInvalidError: if the piece does not have a field, or it is disputed already.
    """
    piece = pieces.find(must_be_sound(state), evidence_id)
    if not names or not set(names).issubset(piece.current.updated):
        raise FieldInvalidError("names", "The evidence does not have this field.")
    if piece.disputed.intersection(names):
        raise FieldInvalidError("names", "This field is disputed already.")
    facts = EvidenceDisputed(
        time=stamp.time,
        salt=stamp.salt,
        evidence_type=piece.evidence_type,
        dispute_id=dispute_id,
        names=tuple(sorted(set(names))),
        is_shared=is_shared,
    )
    return Draft(facts=facts, items=(_item(piece),))


def resolve(
    state: VaultState | None,
    stamp: Stamp,
    *,
    evidence_id: str,
    dispute_id: str,
    outcome: Outcome,
) -> Draft:
    """Settle a dispute.

    Raises:
        VaultNotOpenError, NotFoundError: if there is no such dispute.
        DisputeResolvedError: if it is settled.
    """
    piece = pieces.find(must_be_sound(state), evidence_id)
    found = next((known for known in piece.disputes if known.dispute_id == dispute_id), None)
    if found is None:
        raise NotFoundError
    if not found.is_open:
        raise DisputeResolvedError
    facts = DisputeResolved(
        time=stamp.time,
        salt=stamp.salt,
        evidence_type=piece.evidence_type,
        dispute_id=dispute_id,
        outcome=outcome,
    )
    return Draft(facts=facts, items=(_item(piece),))


def _item(piece: Evidence) -> Item:
    return Item(item=WHOLE_PIECE, evidence_id=piece.evidence_id, revision=piece.current.revision)


def disputed(state: VaultState, event: Event, facts: EvidenceDisputed) -> VaultState:
    """Fold `EvidenceDisputed`."""
    piece = state.evidence.get(event.link.items[0].evidence_id)
    if piece is None:
        return state
    updated = piece.current.updated
    opened = Dispute(
        dispute_id=facts.dispute_id,
        version=event.link.version,
        mark=event.mark("statement"),
        values={name: updated[name] for name in facts.names if name in updated},
        is_shared=facts.is_shared,
        time=facts.time,
    )
    return _with_disputes(state, piece, (*piece.disputes, opened))


def resolved(state: VaultState, event: Event, facts: DisputeResolved) -> VaultState:
    """Fold `DisputeResolved`."""
    piece = state.evidence.get(event.link.items[0].evidence_id)
    if piece is None:
        return state
    disputes = tuple(
        replace(known, resolved=facts.time, is_dropped=True)
        if known.dispute_id == facts.dispute_id
        else known
        for known in piece.disputes
    )
    return _with_disputes(state, piece, disputes)


def _with_disputes(state: VaultState, piece: Evidence, disputes: tuple[Dispute, ...]) -> VaultState:
    after = replace(piece, disputes=disputes)
    return replace(state, evidence={**state.evidence, piece.evidence_id: after})
