# SPDX-License-Identifier: Apache-2.0
"""What the audit of one history found, as values, as text for people and as JSON for programs.

    {"verdict": one of `trust.VERDICTS`, "line": "the verdict with its reason",
     "note": "what no verdict shows", "exit": 0 | 1 | 3,
     "trust": "under which keys and witnesses", "witnesses": ["name"], "key_pinned": bool,
     "proved": {"records", "unproved", "origin", "size"},
     "stream": "...", "origin": "...", "version": 12, "registry_version": 9, "withheld": 0,
     "keys_pinned": bool, "signer": null | {"issuer", "client_id", "sub"}, "signer_pinned": bool,
     "uses": [{"version", "leaf_index", "time", "service", "consent_id", "purpose",
               "fields": [{"item", "evidence_type", "names"}], "repeats": bool,
               "allowed": bool, "why"}],
     "refusals": [{"version", "leaf_index", "time", "service", "consent_id", "purpose", "reason",
                   "more_unlisted": bool}],
     "decisions": [{"stream", "version", "leaf_index", "time", "type", "consent_id", "kind",
                    "hers": "shown" | "not shown" | "sealed", "why"}],
     "findings": [{"where": {"stream": a sort of `findings.Where`, "version": 7 | null,
                             "leaf_index": 31 | null, "stream_id": ""}, "what", "why"}],
     "finding_count": 0,
     "as_of": {"version": 12, "time": "..."},
     "consents": [{"consent_id", "service", "purpose", "granted_version", "start", "end",
                   "state": "not granted" | "active" | "paused" | "expired" | "revoked",
                   "allowed": bool, "why", "uses", "uses_left",
                   "at_end": {"state", "allowed", "why", "uses", "uses_left"}}],
     "payloads": null | {"opened": {"kind": 3}, "missing": 0},
     "checkpoints": [{"number", "origin", "size", "verdict", "trust", "compared": bool,
                      "holds": bool, "why"}],
     "receipts": [{"number", "leaf_index": 31 | null, "about", "holds": bool, "version": 7 | null,
                   "proved": bool, "verdict", "trust", "signature", "why"}],
     "faults": [{"fault", "time", "leaf_indexes"}],
     "continues": [{"origin", "vault", "version", "leaf"}]}

`consents` answers "allowed at T?" as of `as_of`, and `at_end` at the last record that was shown:
allowed means that the consent was in force and the registry permitted it; `uses_left` says how many
more uses would have fitted. `signer` approved what is shown to be hers; unless the provider's keys
name this very sign-in, nobody said that it is she, and the verdict is at most CONSISTENT ONLY. A
checkpoint is compared with those that proofs lead to: one of another size says nothing here. A use
whose consent was withheld is not allowed and no finding.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import ClassVar, Final

from clients.auditor.consents import Standing
from clients.auditor.decisions import Decision
from clients.auditor.findings import Finding, Findings, Where
from clients.auditor.judged import NOTE, Judged
from clients.auditor.provider import Signer
from clients.auditor.receipt import Held
from clients.auditor.trust import Coverage, Signed, Verdict, worst

HISTORY_NOTE: Final = (
    f"{NOTE} Nor does one history alone show that it does not go on after this end, or otherwise "
    "elsewhere: that, an auditor of the whole log can say."
)
_NOT_COMPARED: Final = "not compared: no proof that was shown leads to this checkpoint"


@dataclass(frozen=True, slots=True)
class Moment:
    """For when consents were asked: after a version of the vault, at a time."""

    version: int
    time: str


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
    proved: bool
    verdict: Verdict
    """What its proof shows at most, by itself."""
    trust: str
    signature: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointAnswer:
    """Whether a checkpoint that somebody kept holds, numbered from 1 as given."""

    number: int
    origin: str
    size: int | None
    verdict: Verdict
    """What it shows at most, by itself."""
    trust: str
    compared: bool
    holds: bool
    why: str

    @classmethod
    def of(
        cls, number: int, signed: Signed | None, why: str, *, compared: bool = True
    ) -> CheckpointAnswer:
        """Return the answer for a checkpoint; None if it is none.

        Args:
            compared: whether there was anything to compare it with.
        """
        return cls(
            number=number,
            origin=signed.checkpoint.origin if signed else "",
            size=signed.checkpoint.size if signed else None,
            verdict=signed.verdict if signed and not why else "FAILED",
            trust=str(signed) if signed else "",
            compared=compared or bool(why),
            holds=compared and not why,
            why=why if compared else why or _NOT_COMPARED,
        )


@dataclass(frozen=True, slots=True)
class PayloadsAnswer:
    """How many payloads were opened, by kind, and how many are gone or have no key any more."""

    opened: dict[str, int]
    missing: int


@dataclass(frozen=True, slots=True)
class FaultAnswer:
    """A fault that the operator made known, and which entries of hers it touches."""

    fault: str
    time: str
    leaf_indexes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ContinuedAnswer:
    """The head of a history of hers in another deployment, which this one continues."""

    origin: str
    vault: str
    version: int
    leaf: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(Judged):
    """What an audit found."""

    note: ClassVar[str] = HISTORY_NOTE

    stream: str
    origin: str
    version: int
    registry_version: int
    withheld: int
    as_of: Moment
    keys_pinned: bool
    signer: Signer | None
    signer_pinned: bool
    coverage: Coverage
    uses: tuple[UseAnswer, ...]
    refusals: tuple[RefusalAnswer, ...]
    decisions: tuple[Decision, ...]
    findings: tuple[Finding, ...]
    finding_count: int
    consents: tuple[ConsentAnswer, ...]
    payloads: PayloadsAnswer | None
    checkpoints: tuple[CheckpointAnswer, ...]
    receipts: tuple[ReceiptAnswer, ...]
    faults: tuple[FaultAnswer, ...]
    continues: tuple[ContinuedAnswer, ...]

    @property
    def verdict(self) -> Verdict:
        """Return the verdict."""
        found: list[Verdict] = [self.coverage.verdict]
        if self.findings:
            found.append("FAILED")
        if self._count("not shown"):
            found.append("NOT SHOWN TO BE HERS")
        if self.withheld or self._count("sealed"):
            found.append("WITHHELD")
        if self.signer and not self.signer_pinned:
            found.append("CONSISTENT ONLY")
        return worst(found)

    @property
    def reason(self) -> str:
        """Return why it is the verdict."""
        if self.findings:
            return Findings(list(self.findings), self.finding_count).line
        parts = []
        if first := next((d for d in self.decisions if d.hers == "not shown"), None):
            more = self._count("not shown") - 1
            several = f"; and {more} more" if more else ""
            parts.append(f"{first.type} at version {first.version}: {first.why}{several}")
        if self.withheld:
            open_uses = sum(not use.allowed for use in self.uses)
            unclear = f"; {open_uses} uses cannot be judged without them" if open_uses else ""
            parts.append(f"{self.withheld} records were not shown{unclear}")
        if sealed := self._count("sealed"):
            parts.append(f"the proofs of {sealed} decisions are sealed from this reader")
        if self.signer and not self.signer_pinned:
            parts.append(f"that {self.signer} is she, nobody said beside her provider's keys")
        return "; ".join([*parts, trust_line(self.coverage, self.receipts)])

    def _count(self, hers: str) -> int:
        return sum(decision.hers == hers for decision in self.decisions)


def trust_line(coverage: Coverage, receipts: Iterable[ReceiptAnswer]) -> str:
    """Say under which trust it was judged."""
    held = list(receipts)
    return f"{coverage}; {len(held)} receipts hold" if held else str(coverage)


def receipt_answer(number: int, held: Held, findings: Findings) -> ReceiptAnswer:
    """Return the answer for a receipt, and put down what is wrong with it."""
    where = Where("receipt", held.version, held.leaf_index)
    if held.invalid:
        findings.add(where, f"receipt {number} shows nothing", held.invalid)
    elif held.contradicted:
        what = f"what receipt {number} promises is not in this history: {held.about}"
        findings.add(where, what, held.contradicted)
    why = held.invalid or held.contradicted
    return ReceiptAnswer(
        number=number,
        leaf_index=held.leaf_index,
        about=held.about,
        holds=not why,
        version=held.version,
        proved=held.signed is not None,
        verdict="FAILED" if why else held.signed.verdict if held.signed else "UNSIGNED",
        trust=str(held.signed) if held.signed else "",
        signature=held.signature,
        why=why,
    )


def as_json(report: Report) -> dict[str, object]:
    """Return a report as the module's docstring describes."""
    answers = asdict(report)
    answers.pop("coverage")
    return {
        **report.head_json(),
        **trust_json(report.coverage),
        **answers,
        "consents": [{**consent.pop("then"), **consent} for consent in answers["consents"]],
    }


def trust_json(coverage: Coverage) -> dict[str, object]:
    """Return under which trust it was judged."""
    signed = coverage.weakest
    return {
        "trust": str(coverage),
        "key_pinned": bool(signed and signed.signer == "pinned"),
        "witnesses": list(signed.witnesses) if signed else [],
        "proved": {
            "records": coverage.records,
            "unproved": coverage.unproved,
            "origin": signed.checkpoint.origin if signed else "",
            "size": signed.checkpoint.size if signed else 0,
        },
    }


def as_text(report: Report) -> Iterator[str]:
    """Yield a report's lines for people; the last but one is the verdict."""
    yield f"Vault {report.stream}, to version {report.version}"
    yield f"Registry, to version {report.registry_version}"
    yield f"Log: {report.coverage}"
    yield from _uses(report)
    yield from _decisions(report)
    yield f"Consents: {len(report.consents)}, as of version {report.as_of.version}"
    for consent in report.consents:
        yield f"  {consent.consent_id}  service {consent.service}  purpose {consent.purpose}"
        yield f"    allowed {report.as_of.time}? {_yes_or_no(consent.then)}"
        if consent.at_end != consent.then:
            yield f"    allowed at the end? {_yes_or_no(consent.at_end)}"
    if payloads := report.payloads:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(payloads.opened.items()))
        yield f"Sealed beside it: opened {kinds or 'nothing'}; {payloads.missing} are gone"
    for past in report.continues:
        yield f"Continues the history of {past.origin}, vault {past.vault}, up to version"
        yield f"  {past.version}, leaf {past.leaf}; that history is not shown here"
    for fault in report.faults:
        yield f"A known fault, {fault.fault}, made known {fault.time}, touches leaf indexes"
        yield f"  {', '.join(map(str, fault.leaf_indexes))}"
    yield from held_as_text(report.checkpoints, report.receipts)
    yield from findings_as_text(report.findings, report.finding_count)
    yield ""
    yield report.line
    yield report.note


def held_as_text(
    checkpoints: tuple[CheckpointAnswer, ...], receipts: tuple[ReceiptAnswer, ...]
) -> Iterator[str]:
    """Yield the lines of checkpoints and receipts."""
    if checkpoints:
        yield f"Checkpoints: {len(checkpoints)}"
    for checkpoint in checkpoints:
        failed = f"FAILS: {checkpoint.why}" if checkpoint.compared else checkpoint.why
        yield f"  {checkpoint.number}  {checkpoint.origin} at {checkpoint.size} entries"
        yield f"    {f'holds, {checkpoint.trust}' if checkpoint.holds else failed}"
    if receipts:
        yield f"Receipts: {len(receipts)}"
    for receipt in receipts:
        place = f"version {receipt.version}, leaf index {receipt.leaf_index}"
        holds = f"holds, {place}" if receipt.holds else f"FAILS: {receipt.why}"
        yield f"  {receipt.number}  {receipt.about or 'unreadable'}"
        yield f"    {holds}"


def findings_as_text(findings: Sequence[Finding], count: int) -> Iterator[str]:
    """Yield the lines of findings."""
    if count:
        yield f"Findings: {count}"
    for finding in findings:
        yield f"  {finding.where}: {finding.what}"
        yield f"    {finding.why}"
    if count > len(findings):
        yield f"  and {count - len(findings)} more"


def _uses(report: Report) -> Iterator[str]:
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


def _decisions(report: Report) -> Iterator[str]:
    if report.decisions:
        yield f"Decisions: {len(report.decisions)}"
    for decision in report.decisions:
        hers = {"shown": "hers", "not shown": "NOT SHOWN TO BE HERS", "sealed": "sealed"}
        yield f"  version {decision.version}  {decision.time}  {decision.type}"
        yield f"    {hers[decision.hers]}: {decision.why}"


def _yes_or_no(standing: Standing) -> str:
    uses = f"; uses {standing.uses}, left {standing.uses_left}" if standing.allowed else ""
    return f"{'yes' if standing.allowed else 'no'}: {standing.why}{uses}"


def _fields(fields: tuple[Fields, ...]) -> str:
    return "; ".join(f"{f.evidence_type or f'item {f.item}'}: {', '.join(f.names)}" for f in fields)
