# SPDX-License-Identifier: Apache-2.0
"""What the auditor's program printed with `--json`, read with care: it may be of another version.

What is missing is empty; what is of another type is no report.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

SHORT: Final = 20
MOST_BYTES: Final = 256 * 1024 * 1024
VERDICTS: Final = (
    "VERIFIED",
    "CONSISTENT ONLY",
    "UNSIGNED",
    "WITHHELD",
    "NOT SHOWN TO BE HERS",
    "FAILED",
)


class ReportError(Exception):
    """What was given is no report; the message says why."""


@dataclass(frozen=True)
class Answers:
    """The answers of a report, and what services are called."""

    found: Mapping[str, Any]
    names: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, data: bytes, names: bytes = b"") -> Answers:
        """Read a report.

        Args:
            names: what `citizen-vault registry service list --json` printed; nothing: no names.

        Raises:
            ReportError: if it is none.
        """
        found = _object(data, "The report")
        if found.get("verdict") not in VERDICTS or not isinstance(found.get("line"), str):
            raise ReportError("This is not what citizen-vault-auditor prints with --json.")
        return cls(found, _names(_object(names, "The list of services")) if names else {})

    def text(self, name: str) -> str:
        """Return a text, "" if there is none."""
        value = self.found.get(name, "")
        return str(value) if isinstance(value, str | int) else ""

    def number(self, name: str) -> int:
        """Return a number, 0 if there is none."""
        return number_in(self.found, name)

    def rows(self, name: str) -> Sequence[Mapping[str, Any]]:
        """Return a list of objects, empty if there is none."""
        value = self.found.get(name, ())
        if not isinstance(value, list):
            return ()
        return [row for row in value if isinstance(row, dict)]

    def part(self, name: str) -> Mapping[str, Any]:
        """Return an object, empty if there is none."""
        value = self.found.get(name)
        return value if isinstance(value, dict) else {}

    def service(self, service_id: object) -> str:
        """Return what a service is called; if nobody says, by what its id is told apart."""
        found = str(service_id)
        told = found if len(found) < SHORT else f"{found[:8]}\u2026{found[-4:]}"
        return self.names.get(found) or told


def number_in(row: Mapping[str, Any], name: str) -> int:
    """Return a number of a row, 0 if it has none."""
    value = row.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def text_in(row: Mapping[str, Any], name: str) -> str:
    """Return a text of a row, "" if it has none."""
    value = row.get(name)
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _object(data: bytes, what: str) -> dict[str, Any]:
    if len(data) > MOST_BYTES:
        raise ReportError(f"{what} is larger than {MOST_BYTES // 1024**2} MiB.")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise ReportError(f"{what} is not JSON.") from None
    if not isinstance(value, dict):
        raise ReportError(f"{what} is not a JSON object.")
    return value


def _names(listed: Mapping[str, Any]) -> dict[str, str]:
    names: dict[str, str] = {}
    try:
        for service in listed["services"]:
            texts = {one["language"]: str(one["text"]) for one in service["name"]}
            names[str(service["service_id"])] = texts.get("en") or next(iter(texts.values()), "")
    except (KeyError, TypeError):
        raise ReportError("The list of services is not what the registry prints.") from None
    return names
