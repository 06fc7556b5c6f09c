# SPDX-License-Identifier: Apache-2.0
"""What should be allowed, said as plainly as possible: the model that the domain is held against.

Lists, sets and whole microseconds; no fold, no structs, nothing of the domain's. Reasons are those
that a caller would be told, "" if it is allowed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

SECOND = 1_000_000
DAY = 86_400 * SECOND
LONGEST_DAYS = 30
PAGE_COUNTS_FOR = DAY
LISTED_A_DAY = 3
Every: TypeAlias = tuple[int, int] | None
"""So often in each period; None is once and never again."""


@dataclass
class Disputed:
    """Fields that she says are wrong, those with another value since left out."""

    names: frozenset[str]
    is_open: bool = True


@dataclass
class Piece:
    """A piece of evidence: for each revision its fields, and from when its age counts."""

    kind: str
    revisions: list[tuple[frozenset[str], int]]
    disputes: list[Disputed] = field(default_factory=list)

    @property
    def names(self) -> frozenset[str]:
        """Return the fields that it has now."""
        return self.revisions[-1][0]

    @property
    def disputed(self) -> frozenset[str]:
        """Return the fields that she says are wrong."""
        return frozenset().union(*(each.names for each in self.disputes if each.is_open))

    def replace(self, names: frozenset[str], since: int, changed: frozenset[str]) -> None:
        """Take a new revision; what has another value is wrong no more."""
        self.revisions.append((names, since))
        for each in self.disputes:
            if each.is_open:
                each.names = (each.names - changed) & names
                each.is_open = bool(each.names)


@dataclass
class Asked:
    """A request: for each type of evidence what it requires and what it would like."""

    service: str
    purpose: str
    wants: dict[str, tuple[frozenset[str], frozenset[str]]]
    made: int
    start: int
    end: int
    lapses: int
    every: Every
    largest_age: int
    has_arrived: bool = False
    answer: str = ""
    """What became of it: granted, refused, taken back; "" while it waits."""

    def waits(self, now: int) -> str:
        """Say whether it waits for an answer."""
        if self.answer:
            return "REQUEST_CANCELLED" if self.answer == "cancelled" else "REQUEST_ALREADY_DECIDED"
        return "REQUEST_EXPIRED" if now >= self.lapses else ""

    def status(self, now: int) -> str:
        """Say what she would be told of it."""
        return self.answer or ("expired" if now >= self.lapses else "pending")


@dataclass
class Chosen:
    """One piece that she lets be seen: which fields, and which revision if it is pinned."""

    piece: int
    names: frozenset[str]
    revision: int | None


@dataclass
class Permission:
    """What she allowed, by numbers from 1, and what became of it."""

    asked: Asked
    granted: int
    start: int
    end: int
    every: Every
    items: dict[int, Chosen]
    pieces: Mapping[int, int]
    """Which piece each item was when she granted: items may be taken back, numbers stay."""
    is_stopped: bool = False
    is_paused: bool = False
    uses: list[int] = field(default_factory=list)
    refusals: Counter[tuple[str, int]] = field(default_factory=Counter)

    def has_ended(self, now: int) -> str:
        """Say whether it is over."""
        if self.is_stopped:
            return "CONSENT_REVOKED"
        return "CONSENT_EXPIRED" if now >= self.end else ""

    def status(self, now: int) -> str:
        """Say what she would be told of it."""
        if self.is_stopped:
            return "revoked"
        if now >= self.end:
            return "expired"
        return "paused" if self.is_paused else "active"

    @property
    def terms(self) -> tuple[int, int, Every, dict[int, frozenset[str]]]:
        """Say from when, until when, how often, and what of each item."""
        fields = {number: item.names for number, item in self.items.items()}
        return self.start, self.end, self.every, fields

    def is_used_up(self, now: int) -> bool:
        """Say whether this window, or the one time, is used up."""
        if self.every is None:
            return bool(self.uses)
        count, period = self.every
        begin = now - (now - self.start) % period
        return sum(begin <= use < begin + period for use in self.uses) >= count


@dataclass
class Model:
    """The world as the people in it would describe it."""

    pieces: list[Piece] = field(default_factory=list)
    requests: list[Asked] = field(default_factory=list)
    permissions: list[Permission] = field(default_factory=list)
    suspended: set[str] = field(default_factory=set)
    withdrawn: set[str] = field(default_factory=set)
    codes: list[bool] = field(default_factory=list)
    """Codes on paper that lead to her vault, and whether each still does."""

    def barred(self, asked: Asked) -> str:
        """Say whether the registry stands in the way."""
        if asked.service in self.suspended:
            return "SERVICE_SUSPENDED"
        return "PURPOSE_NOT_ALLOWED" if asked.purpose in self.withdrawn else ""

    # --- Deciding on a request -------------------------------------------------------------------

    def of_answer(self, asked: Asked, now: int) -> str:
        """Say whether she may answer a request."""
        return asked.waits(now) if asked.has_arrived else "NOT_FOUND"

    def of_choice(
        self, asked: Asked, chosen: list[Chosen], start: int | None, end: int | None, now: int
    ) -> str:
        """Say whether a choice fits a request."""
        if self.of_answer(asked, now):
            return self.of_answer(asked, now)
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
        end = asked.end if end is None else end
        begin = max(asked.start if start is None else start, now)
        is_within = asked.start <= begin < end <= asked.end and now < end
        return "" if is_within else "CHOICE_NOT_OFFERED"

    def of_grant(self, asked: Asked, end: int, shown: int, now: int) -> str:
        """Say whether what was shown may be granted now."""
        if now >= asked.lapses:
            return "REQUEST_EXPIRED"
        if self.barred(asked):
            return self.barred(asked)
        is_fresh = asked.made <= shown <= now <= shown + PAGE_COUNTS_FOR and now < end
        return "" if is_fresh else "SHOWN_DIFFERS"

    # --- Changing a permission -------------------------------------------------------------------

    def of_pause(self, permission: Permission, now: int) -> str:
        """Say whether there is something to be paused."""
        return permission.has_ended(now) or "CONSENT_PAUSED" * permission.is_paused

    def of_resume(self, permission: Permission, now: int) -> str:
        """Say whether it may go on."""
        if permission.has_ended(now):
            return permission.has_ended(now)
        return self.barred(permission.asked) if permission.is_paused else "CONSENT_NOT_PAUSED"

    def of_narrow(
        self,
        permission: Permission,
        left: dict[int, frozenset[str]],
        end: int | None,
        count: int,
        now: int,
    ) -> str:
        """Say whether less may be shared so; no item, no end and no count leave that as it is."""
        if permission.has_ended(now):
            return permission.has_ended(now)
        known = {number: one.names for number, one in permission.items.items()}
        if any(not names <= known.get(number, frozenset()) for number, names in left.items()):
            return "NARROWING_WIDENS"
        if end is not None and end > permission.end:
            return "NARROWING_WIDENS"
        if end is not None and end <= max(now, permission.start):
            return "FIELD_INVALID"
        most = permission.every[0] if permission.every else 0
        if count > most:
            return "NARROWING_WIDENS"
        changes = (
            left and left != known,
            end not in {None, permission.end},
            count not in {0, most},
        )
        return "" if any(changes) else "FIELD_INVALID"

    def of_extend(self, permission: Permission, end: int, now: int, *, herself: bool) -> str:
        """Say whether it may last until then."""
        if not herself:
            return "CAPACITY_NOT_ALLOWED"
        refused = permission.has_ended(now) or self.barred(permission.asked)
        if refused:
            return refused
        if permission.every is None and permission.uses:
            return "FREQUENCY_EXHAUSTED"
        if end <= permission.end:
            return "FIELD_INVALID"
        return "PURPOSE_EXCEEDED" if end > now + LONGEST_DAYS * DAY else ""

    # --- Fetching --------------------------------------------------------------------------------

    def of_fetch(
        self, permission: Permission, purpose: str, wanted: dict[int, frozenset[str]], now: int
    ) -> str:
        """Say whether fields of items may leave, but for how often and how old."""
        if permission.has_ended(now):
            return permission.has_ended(now)
        if permission.is_paused:
            return "CONSENT_PAUSED"
        if now < permission.start:
            return "CONSENT_NOT_STARTED"
        if purpose != permission.asked.purpose:
            return "PURPOSE_DIFFERS"
        for number, names in wanted.items():
            item = permission.items.get(number)
            if item is None or not names <= item.names & self.revision(item)[0]:
                return "FIELD_NOT_GRANTED"
        return self.barred(permission.asked)

    def of_first_fetch(
        self, permission: Permission, purpose: str, wanted: dict[int, frozenset[str]], now: int
    ) -> str:
        """Say whether fields of items may leave for the first time under a request_id."""
        refused = self.of_fetch(permission, purpose, wanted, now)
        if refused:
            return refused
        if permission.is_used_up(now):
            return "FREQUENCY_EXHAUSTED"
        return "EVIDENCE_TOO_OLD" if self.is_too_old(permission, wanted, now) else ""

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
