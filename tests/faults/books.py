# SPDX-License-Identifier: Apache-2.0
"""The books of a load: what was asked, what was acknowledged, and what the store holds in the end.

A call whose answer did not come is an unknown outcome: later it is sent again with its
`request_id`, and then there is an answer to every write that was ever made.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from google.protobuf import message_factory

from tests import auditor
from tests.wire import METHODS
from tests.world import Shared, World
from vault.api.v1.log_pb2 import Receipt, Record

KINDS: Final = {
    "EvidenceService/ProvideEvidence": ("evidence-provided.1",),
    "EvidenceService/ReplaceEvidence": ("evidence-replaced.1",),
    "ConsentService/RequestConsent": ("request-made.2",),
    "ConsentService/ClaimRequest": ("request-claimed.1", "consent-requested.2"),
    "ConsentService/RedeemCode": ("request-redeemed.1",),
    "ConsentService/GrantConsent": ("consent-granted.1",),
    "ConsentService/RevokeConsent": ("consent-revoked.1",),
    "DisclosureService/DiscloseEvidence": ("evidence-disclosed.1",),
}
"""What each write records once."""


@dataclass
class Write:
    """One write, and its answer once there is one."""

    method: str
    role: str
    sub: str
    request: Any
    answer: Any = None
    was_unknown: bool = False

    def take(self, answer: bytes) -> None:
        """Take the answer that came."""
        kind = message_factory.GetMessageClass(METHODS[self.method].output_type)
        self.answer = kind.FromString(answer)

    @property
    def receipt(self) -> Receipt | None:
        """Return the receipt in the answer, if this kind of answer has one."""
        has_one = self.answer is not None and "receipt" in self.answer.DESCRIPTOR.fields_by_name
        receipt: Receipt | None = self.answer.receipt if has_one else None
        return receipt


@dataclass
class Books:
    """What clients were told, and what the store holds in the end.

    Attributes:
        is_closed: nobody begins anything more.
        is_lenient: a refusal is taken for an unknown outcome: what it stands on may have been lost.
    """

    writes: list[Write] = field(default_factory=list)
    before: Counter[str] = field(default_factory=Counter)
    after: Counter[str] = field(default_factory=Counter)
    vaults: dict[str, list[Record]] = field(default_factory=dict)
    registry: list[Record] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    damage: list[str] = field(default_factory=list)
    answered: int = 0
    is_closed: bool = False
    is_lenient: bool = False

    def unknown(self) -> list[Write]:
        """Return the writes that have no answer yet."""
        return [write for write in self.writes if write.answer is None]

    def lost(self) -> list[int]:
        """Return the acknowledged positions that hold something else than was acknowledged."""
        log = {record.leaf_index: record for log in self.vaults.values() for record in log}
        return [
            receipt.leaf_index
            for receipt in (write.receipt for write in self.writes)
            if receipt is not None and not stands(log, receipt)
        ]

    def miscounted(self) -> dict[str, int]:
        """Return what was recorded more or less often than it was asked for, and by how much."""
        asked = Counter(kind for write in self.writes for kind in KINDS[write.method])
        recorded = self.after - self.before
        return {
            kind: recorded[kind] - asked[kind] for kind in asked if recorded[kind] != asked[kind]
        }

    def read(self, world: World, shared: Sequence[Shared]) -> None:
        """Read what auditors may read."""
        for one in shared:
            self.vaults[one.citizen.vault_id] = world.replay(one.citizen.vault_id)
        self.registry = world.replay_registry()

    def faults(self) -> list[str]:
        """Return what is wrong, in words."""
        checks = {
            "acknowledged, and lost, at": self.lost(),
            "without an answer": [write.method for write in self.unknown()],
            "recorded too often or too seldom": self.miscounted(),
            "missing positions": self.holes(),
            "damage": self.damage,
        }
        return [f"{name}: {found}" for name, found in checks.items() if found]

    def holes(self) -> list[int]:
        """Return the positions that are missing."""
        return sorted(set(range(len(self.positions))) - set(self.positions))

    def receipts(self, vault_id: str) -> list[Receipt]:
        """Return the receipts that somebody holds for records of a vault."""
        places = {record.leaf_index for record in self.vaults[vault_id]}
        held = (write.receipt for write in self.writes)
        return [receipt for receipt in held if receipt and receipt.leaf_index in places]

    def judged(self, folder: Path) -> Iterator[dict[str, Any]]:
        """Have the auditor's program judge each vault."""
        for vault_id, log in self.vaults.items():
            yield auditor.judge(folder / vault_id, log, self.registry, self.receipts(vault_id))


def stands(log: Mapping[int, Record], receipt: Receipt) -> bool:
    """Say whether the log holds what a receipt promises."""
    record = log.get(receipt.leaf_index)
    return (
        record is not None
        and hashlib.sha256(b"\0" + record.entry).digest() == receipt.leaf_hash
        and record.facts == receipt.facts
        and hashlib.sha256(record.link).digest() == receipt.link_hash
    )
