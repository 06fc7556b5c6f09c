# SPDX-License-Identifier: Apache-2.0
"""What must not be, and where it was found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

MOST_LISTED: Final = 1_000
"""Of one sort. What is beyond is counted, not listed."""
Sort = Literal[
    "vault", "registry", "request", "audit", "operations", "stream",
    "log", "checkpoint", "receipt", "proof", "payload",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Where:
    """Where something is wrong; at a receipt or proof, the leaf index is the promised one.

    `stream_id` is "" where only one stream of its sort was shown.
    """

    stream: Sort
    version: int | None
    leaf_index: int | None
    stream_id: str = ""

    def __str__(self) -> str:
        name = f" {self.stream_id}" if self.stream_id else ""
        version = f" version {self.version}" if self.version is not None else ""
        leaf_index = f", leaf index {self.leaf_index}" if self.leaf_index is not None else ""
        return f"{self.stream}{name}{version}{leaf_index}"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that must not be."""

    where: Where
    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}: {self.why}"


@dataclass(slots=True)
class Findings:
    """All that was found: so many, of which the first are listed."""

    listed: list[Finding] = field(default_factory=list)
    count: int = 0

    def add(self, where: Where, what: str, why: str) -> None:
        """Add one."""
        self.count += 1
        if len(self.listed) < MOST_LISTED:
            self.listed.append(Finding(where, what, why))

    def merge(self, others: Iterable[Findings]) -> None:
        """Add what others found, in the order of the log."""
        for other in others:
            self.count += other.count
            self.listed += other.listed
        self.listed.sort(key=_place)
        del self.listed[MOST_LISTED:]

    @property
    def line(self) -> str:
        """Return the first one, and how many more there are."""
        more = f"; and {self.count - 1} more" if self.count > 1 else ""
        return f"{self.listed[0]}{more}"


def _place(finding: Finding) -> tuple[bool, int]:
    # What has no place in the log (a gap, a checkpoint, a receipt) says most: it comes first.
    where = finding.where
    has_place = where.leaf_index is not None and where.stream not in {"checkpoint", "receipt"}
    return has_place, where.leaf_index or 0
