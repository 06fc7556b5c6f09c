# SPDX-License-Identifier: Apache-2.0
"""What should be allowed, said as plainly as possible: the model that the domain is held against.

Lists, sets and whole microseconds; no fold, no structs, nothing of the domain's. Reasons are those
that a caller would be told, "" if it is allowed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

SECOND = 1_000_000
DAY = 86_400 * SECOND
PAGE_COUNTS_FOR = DAY
LISTED_A_DAY = 3


@dataclass
class Piece:
    """A piece of evidence: for each revision its fields, and from when its age counts."""

    kind: str
    revisions: list[tuple[frozenset[str], int]]

    @property
    def names(self) -> frozenset[str]:
        """Return the fields that it has now."""
        return self.revisions[-1][0]


@dataclass
class Asked:
    """A request: for each type of evidence what it requires and what it would like."""

    service: str
    purpose: str
    wants: dict[str, tuple[frozenset[str], frozenset[str]]]
    made: int
    end: int
    lapses: int
    every: tuple[int, int] | None
    largest_age: int
    is_granted: bool = False


@dataclass
class Chosen:
    """One piece that she lets be seen: which fields, and which revision if it is pinned."""

    piece: int
    names: frozenset[str]
    revision: int | None


@dataclass
class Permission:
    """What she allowed, and what became of it."""

    asked: Asked
    start: int
    end: int
    items: list[Chosen]
    is_stopped: bool = False
    uses: list[int] = field(default_factory=list)
    refusals: Counter[tuple[str, int]] = field(default_factory=Counter)


@dataclass
class Model:
    """The world as the people in it would describe it."""

    pieces: list[Piece] = field(default_factory=list)
    requests: list[Asked] = field(default_factory=list)
    permissions: list[Permission] = field(default_factory=list)
    suspended: set[str] = field(default_factory=set)
    withdrawn: set[str] = field(default_factory=set)

    def barred(self, asked: Asked) -> str:
        """Say whether the registry stands in the way."""
        if asked.service in self.suspended:
            return "SERVICE_SUSPENDED"
        return "PURPOSE_NOT_ALLOWED" if asked.purpose in self.withdrawn else ""

    def of_choice(self, asked: Asked, chosen: list[Chosen], end: int | None, now: int) -> str:
        """Say whether a choice fits a request."""
        if asked.is_granted:
            return "REQUEST_ALREADY_DECIDED"
        if now >= asked.lapses:
            return "REQUEST_EXPIRED"
        answered: dict[str, frozenset[str]] = {}
        for one in chosen:
            piece = self.pieces[one.piece]
            required, optional = asked.wants.get(piece.kind, (frozenset(), frozenset()))
            fits = required <= one.names <= (required | optional) & piece.names
            if piece.kind in answered or not fits:
                return "CHOICE_NOT_OFFERED"
            answered[piece.kind] = one.names
        if any(must and kind not in answered for kind, (must, _) in asked.wants.items()):
            return "CHOICE_NOT_OFFERED"
        if end is not None and not now < end <= asked.end:
            return "CHOICE_NOT_OFFERED"
        return ""

    def of_grant(self, asked: Asked, end: int, shown: int, now: int) -> str:
        """Say whether what was shown may be granted now."""
        if now >= asked.lapses:
            return "REQUEST_EXPIRED"
        if self.barred(asked):
            return self.barred(asked)
        is_fresh = asked.made <= shown <= now <= shown + PAGE_COUNTS_FOR and now < end
        return "" if is_fresh else "SHOWN_DIFFERS"

    def of_stop(self, permission: Permission, now: int) -> str:
        """Say whether there is something to be stopped."""
        if permission.is_stopped:
            return "CONSENT_REVOKED"
        return "CONSENT_EXPIRED" if now >= permission.end else ""

    def of_fetch(
        self, permission: Permission, purpose: str, wanted: dict[int, frozenset[str]], now: int
    ) -> str:
        """Say whether fields of items may leave, but for how often and how old."""
        if permission.is_stopped:
            return "CONSENT_REVOKED"
        if now >= permission.end:
            return "CONSENT_EXPIRED"
        if purpose != permission.asked.purpose:
            return "PURPOSE_DIFFERS"
        for number, names in wanted.items():
            item = permission.items[number]
            has, _ = self.revision(item)
            if not names <= item.names & has:
                return "FIELD_NOT_GRANTED"
        return self.barred(permission.asked)

    def of_first_fetch(
        self, permission: Permission, purpose: str, wanted: dict[int, frozenset[str]], now: int
    ) -> str:
        """Say whether fields of items may leave for the first time under a request_id."""
        refused = self.of_fetch(permission, purpose, wanted, now)
        if refused:
            return refused
        if self.is_used_up(permission, now):
            return "FREQUENCY_EXHAUSTED"
        return "EVIDENCE_TOO_OLD" if self.is_too_old(permission, wanted, now) else ""

    def is_used_up(self, permission: Permission, now: int) -> bool:
        """Say whether this window, or the one time, is used up."""
        if permission.asked.every is None:
            return bool(permission.uses)
        count, period = permission.asked.every
        begin = now - (now - permission.start) % period
        return sum(begin <= use < begin + period for use in permission.uses) >= count

    def is_too_old(
        self, permission: Permission, wanted: dict[int, frozenset[str]], now: int
    ) -> bool:
        """Say whether a piece is older than the request accepts."""
        age = permission.asked.largest_age
        since = [self.revision(permission.items[number])[1] for number in wanted]
        return bool(age) and any(now - time > age for time in since)

    def revision(self, item: Chosen) -> tuple[frozenset[str], int]:
        """Return the fields and the age of what an item leads to now."""
        revisions = self.pieces[item.piece].revisions
        return revisions[-1 if item.revision is None else item.revision]
