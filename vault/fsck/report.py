# SPDX-License-Identifier: Apache-2.0
"""What a check found: findings by place, and how much was looked at."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Kind = Literal[
    "chain-broken",
    "document-differs",
    "document-missing",
    "entry-differs",
    "floor-above-stream",
    "key-missing",
    "key-row-damaged",
    "lane-missing",
    "log-differs",
    "log-file-damaged",
    "log-file-missing",
    "payload-differs",
    "payload-does-not-open",
    "payload-missing",
    "payload-unnamed",
    "position-missing",
    "record-damaged",
    "record-elsewhere",
    "request-key-differs",
    "row-without-entry",
    "version-differs",
]
"""What can be found; a program may rely on these."""

MOST_KEPT: Final = 10_000
"""Findings that are listed. All are counted."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it must be.

    Attributes:
        lane: -1 where it lies in no lane: in the key store, or among documents.
        position: -1 where it is about none.
        what: a sentence without anybody's values.
    """

    kind: Kind
    what: str
    lane: int = -1
    position: int = -1

    @property
    def where(self) -> str:
        """Return its place, for people."""
        if self.lane < 0:
            return "keys" if self.kind.startswith(("key-", "floor")) else "documents"
        return f"lane {self.lane}" + (f", {self.position}" if self.position >= 0 else "")


@dataclass(slots=True)
class Report:
    """What was looked at, and what was found."""

    findings: list[Finding] = field(default_factory=list)
    found: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    heads: list[dict[str, Any]] = field(default_factory=list)
    """Every signed head that was compared: whose, its size, and whether it holds."""

    @property
    def is_clean(self) -> bool:
        """Say whether nothing was found."""
        return not self.found

    def find(self, finding: Finding) -> None:
        """Put down a finding."""
        self.found += 1
        if len(self.findings) < MOST_KEPT:
            self.findings.append(finding)

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "form": "citizen-vault/fsck/1",
            "clean": self.is_clean,
            "found": self.found,
            "findings": [
                {
                    "kind": one.kind,
                    "lane": one.lane,
                    "position": one.position,
                    "what": one.what,
                }
                for one in self.findings
            ],
            "checked": dict(sorted(self.counts.items())),
            "heads": self.heads,
        }

    def as_text(self) -> list[str]:
        """Return it in lines, for people."""
        checked = ", ".join(f"{count:,} {name}" for name, count in sorted(self.counts.items()))
        lines = [f"Looked at {checked or 'nothing'}."]
        lines += [
            f"{head['of']}: {head['size']:,} entries signed, "
            + ("as stored." if head["holds"] else "NOT what is stored.")
            for head in self.heads
        ]
        if self.is_clean:
            return [*lines, "Everything is as it was recorded."]
        width = max(len(one.where) for one in self.findings)
        rows = [f"  {one.where:<{width}}  {one.kind:<22}  {one.what}" for one in self.findings]
        if self.found > len(rows):
            rows.append(f"  ... and {self.found - len(rows):,} more.")
        return [*lines, f"Found {self.found:,}:", *rows]
