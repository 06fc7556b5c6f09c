# SPDX-License-Identifier: Apache-2.0
"""What every report has: a verdict, its reason, the exit code, and what no verdict shows."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Final

from clients.auditor.trust import Verdict, exit_code

NOTE: Final = (
    "This shows that nothing was changed or hidden within what was shown, "
    "not that what was written is true."
)


class Judged:
    """The base of reports."""

    __slots__ = ()
    note: ClassVar[str] = NOTE

    @property
    @abstractmethod
    def verdict(self) -> Verdict:
        """Return the verdict."""

    @property
    @abstractmethod
    def reason(self) -> str:
        """Return why it is the verdict."""

    @property
    def exit(self) -> int:
        """Return the exit code."""
        return exit_code(self.verdict)

    @property
    def line(self) -> str:
        """Return the verdict with its reason."""
        return f"{self.verdict} ({self.reason})"

    def head_json(self) -> dict[str, object]:
        """Return the fields with which every report begins."""
        return {
            "verdict": self.verdict,
            "line": self.line,
            "note": self.note,
            "exit": self.exit,
        }
