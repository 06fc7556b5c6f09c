# SPDX-License-Identifier: Apache-2.0
"""Decisions that only she can make, and whether what was shown proves that she made them.

Granting, extending and resuming need a proof, and letting a key or a sign-in of hers in; stopping
never does. What has no proof is named. A proof is a sealed payload: from who cannot open it, the
decision is sealed, not unproved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from clients.auditor.approvals import NEEDS_PROOF, Approvals, Judgement, NotShown, Sealed
from clients.auditor.facts import PasskeyRemoved, SignInLinked
from clients.auditor.findings import MOST_LISTED
from clients.auditor.history import Vault
from clients.auditor.provider import Provider
from clients.auditor.record import Record

Hers = Literal["shown", "not shown", "sealed"]
_CONCERNED: Final = (*NEEDS_PROOF, PasskeyRemoved, SignInLinked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A decision, and whether it is shown to be hers."""

    stream: str
    version: int
    leaf_index: int
    time: str
    type: str
    consent_id: str
    kind: str
    hers: Hers
    why: str


@dataclass(slots=True)
class Decisions:
    """How many were shown to be hers, or not, or are sealed; what is not shown is listed."""

    counts: dict[Hers, int] = field(
        default_factory=lambda: {"shown": 0, "not shown": 0, "sealed": 0}
    )
    not_shown: list[Decision] = field(default_factory=list)

    def take(self, decision: Decision) -> None:
        """Count one."""
        self.counts[decision.hers] += 1
        if decision.hers == "not shown" and len(self.not_shown) < MOST_LISTED:
            self.not_shown.append(decision)

    def merge(self, other: Decisions) -> None:
        """Add those of others."""
        for hers, count in other.counts.items():
            self.counts[hers] += count
        self.not_shown += other.not_shown
        self.not_shown.sort(key=lambda decision: decision.leaf_index)
        del self.not_shown[MOST_LISTED:]


@dataclass(frozen=True, slots=True)
class Proofs:
    """What approvals are judged by, besides the records.

    `payloads`: approvals that were sealed, opened, by leaf index; `provider`: the keys of her
    sign-in provider, None if they were not given.
    """

    payloads: Mapping[int, bytes] = field(default_factory=dict)
    provider: Provider | None = None


def judge_decision(
    approvals: Approvals, vault: Vault, record: Record, proofs: Proofs
) -> Decision | None:
    """Return whether a record is a decision of hers, in the state before it; None if it is none."""
    link, facts = record.link, record.facts
    if link is None or not isinstance(facts, _CONCERNED):
        return None
    consent_id = getattr(facts, "consent_id", "")
    judgement = approvals.judge(
        link,
        facts,
        proofs.payloads.get(record.leaf_index),
        proofs.provider,
        vault.consents.get(consent_id),
    )
    if judgement is None:
        return None
    hers, why = _said(judgement)
    return Decision(
        stream=record.stream,
        version=record.version,
        leaf_index=record.leaf_index,
        time=facts.time,
        type=facts.type,
        consent_id=consent_id,
        kind=link.approval.kind,
        hers=hers,
        why=why,
    )


def _said(judgement: Judgement) -> tuple[Hers, str]:
    match judgement:
        case NotShown():
            return "not shown", judgement.why
        case Sealed():
            return "sealed", "its proof is sealed from this reader"
        case _:
            by = {
                "oidc-step-up": "her sign-in provider signed what was shown to",
                "webauthn": "her passkey signed what she was shown; it was added by",
            }
            return "shown", f"{by[judgement.by]} {judgement.signer}"
