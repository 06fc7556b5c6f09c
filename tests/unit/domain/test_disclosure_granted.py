# SPDX-License-Identifier: Apache-2.0
"""What is released is a part of what was granted: ten thousand random pairs of terms and attempts.

Each pair is judged a second time by an oracle that knows nothing of the fold or of `plan`: it reads
what happened, and lists everything that stands in the way. The pairs come from one seeded `Random`:
ten thousand of them are counted in a few seconds, where Hypothesis would take minutes to draw them.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from random import Random
from typing import TypeAlias

from tests.builders import CONSENT, SERVICE, SUBJECT, happened
from tests.unit.domain.pairs import Pair, a_pair
from vault.domain import disclosure
from vault.domain.amendment import ConsentExtended, ConsentNarrowed
from vault.domain.consent import ConsentGranted, ConsentPaused, ConsentResumed, ConsentRevoked
from vault.domain.disclosure import EvidenceDisclosed, Selection
from vault.domain.errors import VaultError
from vault.domain.evidence import EvidenceProvided, EvidenceReplaced
from vault.domain.values import GrantedFields, Item, Terms

PAIRS = 10_000
Left: TypeAlias = tuple[int, str, int, tuple[str, ...]]
"""Item, evidence, revision, fields."""

WAYS = {
    "somebody else's",
    "revoked",
    "ended",
    "paused",
    "not started",
    "another purpose",
    "not granted",
    "not there any more",
    "suspended or withdrawn",
    "used up",
    "too old",
}


class Oracle:
    """What the history says, read event by event into lists."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.now = datetime.fromisoformat(pair.time)
        self.terms = pair.terms
        self.items: tuple[Item, ...] = ()
        self.is_paused = self.is_revoked = False
        self.uses: list[datetime] = []
        self.revisions: dict[str, list[tuple[tuple[str, ...], datetime]]] = {}
        for draft in pair.history:
            match draft.facts:
                case ConsentGranted() | ConsentNarrowed() | ConsentExtended() as facts:
                    self.terms, self.items = facts.terms, draft.items
                case ConsentPaused():
                    self.is_paused = True
                case ConsentResumed():
                    self.is_paused = False
                case ConsentRevoked():
                    self.is_revoked = True
                case EvidenceDisclosed(time=time, repeats=""):
                    self.uses.append(datetime.fromisoformat(time))
                case EvidenceProvided() | EvidenceReplaced() as facts:
                    since = f"{facts.issued_date}T00:00:00Z" if facts.issued_date else facts.time
                    known = self.revisions.setdefault(draft.items[0].evidence_id, [])
                    known.append((facts.names, datetime.fromisoformat(since)))

    def judge(self) -> tuple[set[str], list[Left]]:
        """Return everything that stands in the way, and what would leave if nothing did."""
        attempt, terms = self.pair.attempt, self.terms
        ways = {
            "somebody else's": (attempt.service, attempt.subject, attempt.consent_id)
            != (SERVICE, SUBJECT, CONSENT),
            "revoked": self.is_revoked,
            "ended": self.now >= datetime.fromisoformat(terms.end),
            "paused": self.is_paused,
            "not started": self.now < datetime.fromisoformat(terms.start),
            "another purpose": attempt.purpose_code != "care",
            "suspended or withdrawn": self.is_barred(),
            "used up": self.is_used_up(),
        }
        leaving = [self.leaving(selection) for selection in attempt.selections]
        numbers = [left[0] for left in leaving if left]
        ways["not granted"] = None in leaving or len(set(numbers)) < len(numbers)
        found = sorted(left for left in leaving if left)
        for _, evidence_id, revision, names in found:
            has, since = self.revisions[evidence_id][revision - 1]
            ways["not there any more"] = ways.get("not there any more", False) or any(
                name not in has for name in names
            )
            oldest = self.now - timedelta(days=terms.largest_age_days)
            ways["too old"] = ways.get("too old", False) or (
                terms.largest_age_days > 0 and since < oldest
            )
        return {way for way, stands in ways.items() if stands}, found

    def leaving(self, selection: Selection) -> Left | None:
        """Return what a selection leads to, None if that was not granted."""
        fields = the_only(selection, self.terms)
        if fields is None or not selection.names:
            return None
        if any(name not in fields.required + fields.optional for name in selection.names):
            return None
        (item,) = (item for item in self.items if item.item == fields.item)
        current = len(self.revisions[item.evidence_id])
        revision = item.revision if fields.mode == "pinned" else current
        return fields.item, item.evidence_id, revision, tuple(sorted(set(selection.names)))

    def is_barred(self) -> bool:
        registry = self.pair.registry
        allowed = registry.purposes["care"][0].bounds.services
        is_suspended = registry.services[SERVICE].is_suspended
        return is_suspended or "care" in registry.withdrawn or SERVICE not in allowed

    def is_used_up(self) -> bool:
        """Count what left in the window of now, which is as long as it is, from the start."""
        if self.terms.one_time:
            return bool(self.uses)
        start = datetime.fromisoformat(self.terms.start)
        period = timedelta(seconds=self.terms.frequency.period_seconds)
        begin = start + (self.now - start) // period * period
        used = sum(begin <= use < begin + period for use in self.uses)
        return used >= self.terms.frequency.count


def the_only(selection: Selection, terms: Terms) -> GrantedFields | None:
    """Return the only item that a selection can mean."""
    meant = [
        fields
        for fields in terms.scope
        if fields.evidence_type == selection.evidence_type and (selection.item in {0, fields.item})
    ]
    return meant[0] if len(meant) == 1 else None


def test_what_leaves_was_granted_in_ten_thousand_random_pairs() -> None:
    random = Random(20260302)
    seen = set()
    outcomes: Counter[str] = Counter()
    only: Counter[str] = Counter()

    for _ in range(PAIRS):
        pair = a_pair(random)
        seen.add((pair.terms, pair.attempt, pair.time))
        ways, allowed = Oracle(pair).judge()
        try:
            plan = disclosure.plan(happened(*pair.history), pair.registry, pair.time, pair.attempt)
        except VaultError:
            assert ways, ("it was refused, and nothing stands in the way", pair)
            outcomes["refused"] += 1
            if len(ways) == 1:
                only.update(ways)
            continue
        assert not ways, ("it was permitted, and something stands in the way", ways, pair)
        outcomes["permitted"] += 1
        assert allowed == [
            (opened.item, opened.evidence.evidence_id, opened.revision.revision, opened.names)
            for opened in plan.openings
        ]

    assert len(seen) == PAIRS
    assert outcomes.total() == PAIRS
    assert min(outcomes["permitted"], outcomes["refused"]) > PAIRS // 5
    # Each rule alone keeps something back: a rule that is left out is found.
    assert only.keys() == WAYS
    assert min(only.values()) >= 20
