# SPDX-License-Identifier: Apache-2.0
"""What an audit found, as values, as text for people and as JSON for programs.

    {"verdict": "CONSISTENT ONLY" | "WITHHELD" | "FAILED", "line": "the verdict with its reason",
     "note": "what no verdict shows", "exit": 0 | 1,
     "stream": "...", "version": 12, "registry_version": 9, "withheld": 0, "keys_pinned": bool,
     "uses": [{"version", "leaf_index", "time", "service", "consent_id", "purpose",
               "fields": [{"item", "evidence_type", "names"}], "repeats": bool,
               "allowed": bool, "why"}],
     "refusals": [{"version", "leaf_index", "time", "service", "consent_id", "purpose", "reason",
                   "more_unlisted": bool}],
     "findings": [{"where": {"stream": "vault" | "registry" | "receipt", "version": 7 | null,
                             "leaf_index": 31 | null}, "what", "why"}],
     "as_of": {"version": 12, "time": "..."},
     "consents": [{"consent_id", "service", "purpose", "granted_version", "start", "end",
                   "state": "not granted" | "active" | "paused" | "expired" | "revoked",
                   "allowed": bool, "why", "uses", "uses_left",
                   "at_end": {"state", "allowed", "why", "uses", "uses_left"}}],
     "receipts": [{"number", "leaf_index": 31 | null, "about", "holds": bool, "version": 7 | null,
                   "why"}]}

`consents` answers "allowed at T?" as of `as_of`, and `at_end` at the last record that was shown:
allowed means that the consent was in force and the registry permitted it; `uses_left` says how many
more uses would have fitted. A use whose consent was withheld is not allowed and no finding.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Final, Literal

from clients.auditor.consents import Standing

NOTE: Final = (
    "This shows that nothing was changed or hidden within what was shown, "
    "not that what was written is true."
)
NO_WITNESS: Final = (
    "no log, no witness: this shows the history holds together, not that it is complete"
)
Verdict = Literal["CONSISTENT ONLY", "WITHHELD", "FAILED"]


@dataclass(frozen=True, slots=True)
class Where:
    """Where something is wrong; `receipt`: at a receipt, its leaf index is the promised one."""

    stream: Literal["vault", "registry", "receipt"]
    version: int | None
    leaf_index: int | None

    def __str__(self) -> str:
        version = f" version {self.version}" if self.version is not None else ""
        leaf_index = f", leaf index {self.leaf_index}" if self.leaf_index is not None else ""
        return f"{self.stream}{version}{leaf_index}"


@dataclass(frozen=True, slots=True)
class Moment:
    """For when consents were asked: after a version of the vault, at a time."""

    version: int
    time: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that must not be."""

    where: Where
    what: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """Fields of one item that left; the type is "" if its consent is not shown."""

    item: int
    evidence_type: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UseAnswer:
    """A use, and why it was or was not allowed."""

    version: int
    leaf_index: int
    time: str
    service: str
    consent_id: str
    purpose: str
    fields: tuple[Fields, ...]
    repeats: bool
    allowed: bool
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalAnswer:
    """A recorded attempt that was refused."""

    version: int
    leaf_index: int
    time: str
    service: str
    consent_id: str
    purpose: str
    reason: str
    more_unlisted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentAnswer:
    """How a consent stood at the time that was asked for, and at the end of what was shown."""

    consent_id: str
    service: str
    purpose: str
    granted_version: int
    start: str
    end: str
    then: Standing
    at_end: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptAnswer:
    """Whether a receipt holds, numbered from 1 as given."""

    number: int
    leaf_index: int | None
    about: str
    holds: bool
    version: int | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What an audit found."""

    stream: str
    version: int
    registry_version: int
    withheld: int
    as_of: Moment
    keys_pinned: bool
    uses: tuple[UseAnswer, ...]
    refusals: tuple[RefusalAnswer, ...]
    findings: tuple[Finding, ...]
    consents: tuple[ConsentAnswer, ...]
    receipts: tuple[ReceiptAnswer, ...]

    @property
    def verdict(self) -> Verdict:
        """Return the verdict in one word or two."""
        if self.findings:
            return "FAILED"
        return "WITHHELD" if self.withheld else "CONSISTENT ONLY"

    @property
    def exit(self) -> int:
        """Return the exit code: 0 only if nothing failed and nothing was withheld."""
        return 0 if self.verdict == "CONSISTENT ONLY" else 1

    @property
    def line(self) -> str:
        """Return the verdict with its reason."""
        return f"{self.verdict} ({self._reason()})"

    def _reason(self) -> str:
        if self.findings:
            first = self.findings[0]
            more = f"; and {len(self.findings) - 1} more" if len(self.findings) > 1 else ""
            return f"{first.where}: {first.what}: {first.why}{more}"
        if self.withheld:
            open_uses = sum(not use.allowed for use in self.uses)
            unclear = f"; {open_uses} uses cannot be judged without them" if open_uses else ""
            return f"{self.withheld} records were not shown{unclear}; what was shown holds together"
        if not self.receipts:
            return NO_WITNESS
        key = "receipt key pinned" if self.keys_pinned else "by a key that only the registry names"
        return f"{len(self.receipts)} receipts hold, {key}; {NO_WITNESS}"


def as_json(report: Report) -> dict[str, object]:
    """Return a report as the module's docstring describes."""
    answers = asdict(report)
    return {
        "verdict": report.verdict,
        "line": report.line,
        "note": NOTE,
        "exit": report.exit,
        **answers,
        "consents": [{**consent.pop("then"), **consent} for consent in answers["consents"]],
    }


def as_text(report: Report) -> Iterator[str]:
    """Yield a report's lines for people; the last but one is the verdict."""
    yield f"Vault {report.stream}, to version {report.version}"
    yield f"Registry, to version {report.registry_version}"
    yield f"Uses: {len(report.uses)}"
    for use in report.uses:
        yield f"  version {use.version}  {use.time}  service {use.service}"
        yield f"    {_fields(use.fields)}{' (a repeat)' if use.repeats else ''}"
        yield f"    {'allowed' if use.allowed else 'NOT ALLOWED'}: {use.why}"
    yield f"Refused: {len(report.refusals)}"
    for refusal in report.refusals:
        more = ", more are not listed" if refusal.more_unlisted else ""
        yield f"  version {refusal.version}  {refusal.time}  service {refusal.service}"
        yield f"    {refusal.reason}, consent {refusal.consent_id}{more}"
    yield f"Consents: {len(report.consents)}, as of version {report.as_of.version}"
    for consent in report.consents:
        yield f"  {consent.consent_id}  service {consent.service}  purpose {consent.purpose}"
        yield f"    allowed {report.as_of.time}? {_yes_or_no(consent.then)}"
        if consent.at_end != consent.then:
            yield f"    allowed at the end? {_yes_or_no(consent.at_end)}"
    if report.receipts:
        yield f"Receipts: {len(report.receipts)}"
    for receipt in report.receipts:
        place = f"version {receipt.version}, leaf index {receipt.leaf_index}"
        holds = f"holds, {place}" if receipt.holds else f"FAILS: {receipt.why}"
        yield f"  {receipt.number}  {receipt.about or 'unreadable'}"
        yield f"    {holds}"
    if report.findings:
        yield f"Findings: {len(report.findings)}"
    for finding in report.findings:
        yield f"  {finding.where}: {finding.what}"
        yield f"    {finding.why}"
    yield ""
    yield report.line
    yield NOTE


def _yes_or_no(standing: Standing) -> str:
    uses = f"; uses {standing.uses}, left {standing.uses_left}" if standing.allowed else ""
    return f"{'yes' if standing.allowed else 'no'}: {standing.why}{uses}"


def _fields(fields: tuple[Fields, ...]) -> str:
    return "; ".join(f"{f.evidence_type or f'item {f.item}'}: {', '.join(f.names)}" for f in fields)
