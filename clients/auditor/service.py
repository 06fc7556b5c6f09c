# SPDX-License-Identifier: Apache-2.0
"""What an auditor of one service is shown of a log: its facts, and of all else the digests.

Every leaf is there, so the tree is computed and held against each checkpoint. The facts of the
service are in it as they were hashed; who acted, and whose they are, is sealed from this reader.
What can be judged is judged: that each use followed a consent of the same terms, and none its end.

    {"verdict", "line", "note", "exit", "trust", "key_pinned", "witnesses", "proved",
     "checkpoints", "findings", "finding_count": as for a vault,
     "service", "size", "facts", "uses", "refusals", "consents"}
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Final

from clients.auditor.canonical import FormError, microseconds
from clients.auditor.desk import PROGRESS_EVERY, Progress
from clients.auditor.facts import (
    AUDIT_FACTS,
    REGISTRY_FACTS,
    REQUEST_FACTS,
    VAULT_FACTS,
    ConsentExtended,
    ConsentGranted,
    ConsentNarrowed,
    ConsentPaused,
    ConsentResumed,
    ConsentRevoked,
    DisclosureRefused,
    EvidenceDisclosed,
    Facts,
    OfConsent,
    Terms,
)
from clients.auditor.findings import Findings, Where
from clients.auditor.judged import Judged
from clients.auditor.record import read_facts, split_line
from clients.auditor.report import (
    CheckpointAnswer,
    findings_as_text,
    held_as_text,
    trust_json,
)
from clients.auditor.tree import Tree, leaf_hash
from clients.auditor.trust import Coverage, Signed, Trust, Verdict

_KNOWN: Final = VAULT_FACTS | REGISTRY_FACTS | REQUEST_FACTS | AUDIT_FACTS
_SEALED: Final = "links are sealed from this reader"


@dataclass(slots=True)
class Permission:
    """A consent as far as its facts tell."""

    terms: Terms
    paused: bool = False
    revoked: bool = False
    uses: Counter[int] = field(default_factory=Counter)

    def problems(self, facts: EvidenceDisclosed) -> Iterator[str]:
        """Say why a use was not allowed."""
        terms = self.terms
        if self.revoked:
            yield "the consent was revoked"
        elif self.paused:
            yield "the consent was paused"
        if not terms.start <= facts.time < terms.end:
            yield "it lies outside the consent's time"
        if facts.purpose != terms.purpose.name:
            yield "it is for another purpose"
        granted = {fields.item: fields.names for fields in terms.scope}
        if any(not granted.get(f.item, frozenset()) >= set(f.names) for f in facts.fields):
            yield "it has fields that were not granted"
        if not facts.repeats and self._is_used_up(facts.time):
            yield "the consent was used up"

    def take(self, facts: OfConsent) -> None:
        """Advance by what happened to it."""
        match facts:
            case ConsentNarrowed() | ConsentExtended():
                self.terms = facts.terms
            case ConsentPaused():
                self.paused = True
            case ConsentResumed():
                self.paused = False
            case ConsentRevoked():
                self.revoked = True
            case EvidenceDisclosed() if not facts.repeats:
                self.uses[self._window(facts.time)] += 1
            case _:
                pass

    def _is_used_up(self, time: str) -> bool:
        if self.terms.one_time:
            return self.uses.total() >= 1
        return self.uses[self._window(time)] >= self.terms.frequency.count

    def _window(self, time: str) -> int:
        period = self.terms.frequency.period_seconds * 1_000_000
        return (microseconds(time) - microseconds(self.terms.start)) // period if period else 0


@dataclass(slots=True)
class ServiceReport(Judged):
    """What was found of one service's facts in a log."""

    service: str = ""
    size: int = 0
    facts: int = 0
    uses: int = 0
    refusals: int = 0
    consents: dict[str, Permission] = field(default_factory=dict)
    findings: Findings = field(default_factory=Findings)
    checkpoints: tuple[CheckpointAnswer, ...] = ()
    coverage: Coverage = field(default_factory=Coverage)

    @property
    def verdict(self) -> Verdict:
        """Return the verdict: at best, what was shown holds."""
        return "FAILED" if self.findings.count else "WITHHELD"

    @property
    def reason(self) -> str:
        """Return why it is the verdict."""
        return self.findings.line if self.findings.count else f"{_SEALED}; {self.coverage}"

    def as_json(self) -> dict[str, object]:
        """Return it as the module's docstring describes."""
        return {
            **self.head_json(),
            **trust_json(self.coverage),
            "service": self.service,
            "size": self.size,
            "facts": self.facts,
            "uses": self.uses,
            "refusals": self.refusals,
            "consents": len(self.consents),
            "findings": [asdict(finding) for finding in self.findings.listed],
            "finding_count": self.findings.count,
            "checkpoints": [asdict(answer) for answer in self.checkpoints],
        }

    def as_text(self) -> Iterator[str]:
        """Yield its lines for people; the last but one is the verdict."""
        yield f"Service {self.service or '?'}, in {self.size} entries of the log"
        yield f"Facts: {self.facts}; consents: {len(self.consents)}"
        yield f"Uses: {self.uses}; refused: {self.refusals}"
        yield from held_as_text(self.checkpoints, ())
        yield from findings_as_text(self.findings.listed, self.findings.count)
        yield ""
        yield self.line
        yield self.note


def audit_service(
    lines: Iterable[bytes],
    trust: Trust,
    checkpoints: Sequence[bytes] = (),
    progress: Progress | None = None,
) -> ServiceReport:
    """Judge what an auditor of one service was sent of a log, from its beginning.

    Args:
        lines: of its file.
        trust: whose keys count.
        checkpoints: of the log, that somebody kept.
    """
    report, tree, number = ServiceReport(), Tree(), -1
    kept = [_checkpoint(number, data, trust) for number, data in enumerate(checkpoints, start=1)]
    roots: dict[int, bytes] = {signed.checkpoint.size: b"" for _, signed, _ in kept if signed}
    for number, line in enumerate(lines):
        if progress and number and number % PROGRESS_EVERY == 0:
            progress(number)
        try:
            entry = _take(number, line, report)
        except FormError as error:
            report.findings.add(Where("log", None, number), "the record was changed", str(error))
            continue
        tree.append(leaf_hash(entry))
        if tree.size in roots:
            roots[tree.size] = tree.root()
    if number < 0:
        report.findings.add(Where("log", None, None), "nothing was shown", "there is no record")
    report.size = tree.size
    _hold(report, kept, roots)
    return report


def _take(number: int, line: bytes, report: ServiceReport) -> bytes:
    """Judge a line, and return its entry.

    Raises:
        FormError: if it is not the next leaf, or its facts are not those of its entry.
    """
    index, _, _, entry, link, text = split_line(line)
    if index != number:
        raise FormError(f"stands at leaf {index}, where leaf {number} was to come")
    if link:
        raise FormError("shows its link: verify a whole log as such")
    if text:
        if entry[33:] != sha256(text).digest():
            raise FormError("has facts that are not those of its entry")
        _judge(number, read_facts(text.decode("ascii"), _KNOWN), report)
    return entry


def _judge(number: int, facts: Facts, report: ServiceReport) -> None:
    where = Where("log", None, number)
    report.facts += 1
    service = _service_of(facts)
    report.service = report.service or service
    if service != report.service:
        report.findings.add(where, "it does not fit", "it names another service")
    if not isinstance(facts, OfConsent):
        return
    known = report.consents.get(facts.consent_id)
    match facts:
        case ConsentGranted():
            report.consents.setdefault(facts.consent_id, Permission(facts.terms))
            return
        case EvidenceDisclosed():
            report.uses += 1
            why = known.problems(facts) if known else iter(["no consent for it was granted"])
            for problem in why:
                report.findings.add(where, "a use that was not allowed", problem)
        case DisclosureRefused():
            report.refusals += 1
        case _:
            pass
    if known:
        known.take(facts)


def _service_of(facts: Facts) -> str:
    asked = getattr(facts, "asked", None)
    return str(getattr(facts, "service", "") or (asked.recipient.service if asked else ""))


def _checkpoint(number: int, data: bytes, trust: Trust) -> tuple[int, Signed | None, str]:
    try:
        return number, trust.judge(data.decode(errors="replace")), ""
    except FormError as error:
        return number, None, str(error)


def _hold(
    report: ServiceReport,
    kept: Sequence[tuple[int, Signed | None, str]],
    roots: dict[int, bytes],
) -> None:
    """Hold checkpoints against the tree, and say how much of it they cover."""
    answers, covered = [], 0
    good: Signed | None = None
    for number, signed, unread in kept:
        why = unread or (_contradicted(report, signed, roots) if signed else "")
        if why:
            report.findings.add(
                Where("checkpoint", None, None), f"checkpoint {number} does not hold", why
            )
        elif signed and (good is None or signed.reach() > good.reach()):
            covered, good = signed.checkpoint.size, signed
        answers.append(CheckpointAnswer.of(number, signed, why))
    report.checkpoints = tuple(answers)
    report.coverage.take(good, covered)
    report.coverage.take(None, report.size - covered)


def _contradicted(report: ServiceReport, signed: Signed, roots: dict[int, bytes]) -> str:
    checkpoint = signed.checkpoint
    if checkpoint.size > report.size:
        return f"it has {checkpoint.size} entries; what was shown ends after {report.size}"
    if checkpoint.size and roots[checkpoint.size] != checkpoint.root:
        return f"at {checkpoint.size} entries the log that was shown has another root"
    return ""
