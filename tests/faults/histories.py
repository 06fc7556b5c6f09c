# SPDX-License-Identifier: Apache-2.0
"""What the clients of a race saw, what the log holds in the end, and whether the two can be true.

Several checks, because none sees everything: a decision that was recorded late looks right from
outside (its call lasted long enough), and an answer from a stale state leaves a flawless log.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.faults.linearizability import (
    ASKED,
    DONE,
    Consent,
    Kind,
    Operation,
    is_linearizable,
    perform,
)
from tests.world import ADDRESS_FIELDS
from vault.api.v1.log_pb2 import Receipt, Record

FIELDS: Final = ADDRESS_FIELDS
PART: Final = ADDRESS_FIELDS[:-1]
"""What stays after narrowing."""

STOPS: Final = frozenset({"revoke", "pause", "narrow", "shorten"})

_KINDS: Final[Mapping[str, Kind]] = {
    "consent-granted.1": "grant",
    "consent-paused.1": "pause",
    "consent-resumed.1": "resume",
    "consent-revoked.1": "revoke",
}


@dataclass(frozen=True)
class Noted(Operation):
    """An operation, with what its answer held.

    Attributes:
        process: which server answered, or would have.
    """

    process: int = 0
    receipt: Receipt | None = None
    bundle: bytes = b""

    @property
    def position(self) -> int:
        """Return where its record stands; -1 if it got no receipt."""
        return self.receipt.leaf_index if self.receipt else -1


@dataclass
class Histories:
    """What the clients saw, by consent, and what the log holds, by position."""

    seed: str = ""
    by_consent: dict[str, list[Noted]] = field(default_factory=dict)
    log: dict[int, Record] = field(default_factory=dict)

    @property
    def operations(self) -> list[Noted]:
        """Return everything that was noted."""
        return [noted for history in self.by_consent.values() for noted in history]

    def counted(self) -> Counter[tuple[Kind, str]]:
        """Count operations by kind and outcome."""
        return Counter((noted.kind, noted.outcome) for noted in self.operations)

    def impossible(self) -> list[str]:
        """Return the consents whose history could not have happened one call after the other."""
        return [
            consent_id
            for consent_id, history in self.by_consent.items()
            if not is_linearizable(history)
        ]

    def out_of_order(self) -> list[tuple[int, str]]:
        """Return what stands in the log although it was not permitted there."""
        consents: dict[str, Consent] = {}
        ends: dict[str, str] = {}
        found = []
        for position in sorted(self.log):
            facts = json.loads(self.log[position].facts)
            consent_id = facts.get("consent_id", "")
            kind = _kind_of(facts, ends.get(consent_id, ""))
            if kind is None:
                continue
            if "terms" in facts:
                ends[consent_id] = facts["terms"]["end"]
            before = consents.get(consent_id, ASKED)
            is_past_end = before.shortened and facts["time"] >= ends[consent_id]
            outcome, consents[consent_id] = perform(kind, before._replace(is_past_end=is_past_end))
            if outcome != DONE:
                found.append((position, f"{kind}: {outcome}"))
        return found

    def inversions(self) -> list[tuple[int, int]]:
        """Return pairs of positions in the other order than their calls."""
        return inversions(
            (noted.called, noted.returned, noted.position)
            for noted in self.operations
            if noted.receipt is not None
        )

    def late_bundles(self) -> list[str]:
        """Return the consents of which data arrived after a stop behind it was acknowledged."""
        return [
            consent_id
            for consent_id, history in self.by_consent.items()
            for stop in history
            if stop.kind in STOPS and stop.outcome == DONE
            for noted in history
            if noted.bundle and noted.position < stop.position and noted.returned > stop.returned
        ]

    def unrecorded_bundles(self) -> list[int]:
        """Return the records with which more than one bundle came."""
        came = Counter(noted.position for noted in self.operations if noted.bundle)
        return [position for position, times in came.items() if times > 1]

    def misplaced(self) -> list[int]:
        """Return the receipts whose place in the log holds something else than they say."""
        found = []
        for noted in self.operations:
            receipt = noted.receipt
            if receipt is None:
                continue
            record = self.log.get(receipt.leaf_index)
            if (
                record is None
                or record.facts != receipt.facts
                or hashlib.sha256(b"\0" + record.entry).digest() != receipt.leaf_hash
                or (noted.bundle and hashlib.sha256(noted.bundle).digest() != _said_hash(receipt))
            ):
                found.append(receipt.leaf_index)
        return found

    def findings(self) -> dict[str, list[Any]]:
        """Return what was found, by the name of the check that found it."""
        checks: dict[str, list[Any]] = {
            "impossible history": self.impossible(),
            "log order": self.out_of_order(),
            "inversion": self.inversions(),
            "late bundle": self.late_bundles(),
            "unrecorded bundle": self.unrecorded_bundles(),
            "misplaced": self.misplaced(),
        }
        return {name: found for name, found in checks.items() if found}

    def described(self, consent_id: str) -> str:
        """Return one history as a table, for whoever looks into a finding."""
        history = sorted(self.by_consent[consent_id], key=lambda noted: noted.called)
        begin = history[0].called
        lines = [
            f"{(n.called - begin) / 1e6:9.2f} {(n.returned - begin) / 1e6:9.2f} ms"
            f"  at {n.process}  {n.kind:13} {n.outcome:20} {n.position if n.receipt else ''}"
            for n in history
        ]
        return "\n".join((f"seed {self.seed!r}, consent {consent_id}", *lines))


def inversions(calls: Iterable[tuple[float, float, int]]) -> list[tuple[int, int]]:
    """Return pairs where one returned before the other was called, but stands behind it.

    Args:
        calls: (called, returned, position) of each.
    """
    moments = []
    for called, returned, position in calls:
        moments += [(called, 0, position), (returned, 1, position)]
    highest, found = -1, []
    # At the same moment a call comes first: it was not made after the return.
    for _, is_return, position in sorted(moments):
        if is_return:
            highest = max(highest, position)
        elif position < highest:
            found.append((highest, position))
    return found


def _kind_of(facts: Mapping[str, Any], end: str) -> Kind | None:
    """Return what an event did to a consent, or under it; None if neither."""
    match facts["type"]:
        case "consent-narrowed.1":
            return "narrow" if facts["terms"]["end"] == end else "shorten"
        case "evidence-disclosed.1":
            names = {name for fields in facts["fields"] for name in fields["names"]}
            return "disclose part" if names <= set(PART) else "disclose"
        case stored_name:
            return _KINDS.get(stored_name)


def _said_hash(receipt: Receipt) -> bytes:
    return base64.urlsafe_b64decode(json.loads(receipt.facts)["bundle_hash"] + "=")
