# SPDX-License-Identifier: Apache-2.0
"""Receipts by themselves: what each promises, and whether its proof shows that it was kept.

{"verdict", "line", "note", "exit", "findings", "finding_count", "receipts": as for a vault}
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from clients.auditor.findings import Findings
from clients.auditor.judged import Judged
from clients.auditor.receipt import Held, judge_receipt
from clients.auditor.report import ReceiptAnswer, receipt_answer
from clients.auditor.trust import NO_WITNESS, Trust, Verdict, worst


@dataclass(frozen=True, slots=True)
class PromisesReport(Judged):
    """What was found of each receipt."""

    receipts: tuple[tuple[ReceiptAnswer, Verdict, str], ...]
    findings: Findings

    @property
    def verdict(self) -> Verdict:
        """Return the verdict: the one of the worst receipt."""
        return worst(verdict for _, verdict, _ in self.receipts)

    @property
    def reason(self) -> str:
        """Return why it is the verdict."""
        if self.findings.count:
            return self.findings.line
        return next(why for _, verdict, why in self.receipts if verdict == self.verdict)

    def as_json(self) -> dict[str, object]:
        """Return it as the module's docstring describes."""
        return {
            **self.head_json(),
            "findings": [asdict(finding) for finding in self.findings.listed],
            "finding_count": self.findings.count,
            "receipts": [
                {**asdict(answer), "verdict": verdict} for answer, verdict, _ in self.receipts
            ],
        }

    def as_text(self) -> Iterator[str]:
        """Yield its lines for people; the last but one is the verdict."""
        for answer, verdict, why in self.receipts:
            yield f"Receipt {answer.number}: {answer.about or 'unreadable'}"
            yield f"  {verdict}: {why}"
        yield ""
        yield self.line
        yield self.note


def judge_receipts(files: Sequence[bytes], trust: Trust) -> PromisesReport:
    """Judge the contents of receipt files, with nothing else."""
    findings = Findings()
    receipts = []
    for number, data in enumerate(files, start=1):
        held = judge_receipt(data, trust)
        verdict, why = _judged(held)
        receipts.append((receipt_answer(number, held, findings), verdict, why))
    return PromisesReport(tuple(receipts), findings)


def _judged(held: Held) -> tuple[Verdict, str]:
    if held.invalid:
        return "FAILED", held.invalid
    if held.signed is None:
        return "UNSIGNED", f"it has no proof yet, {NO_WITNESS}; {held.signature}"
    checkpoint = held.signed.checkpoint
    return held.signed.verdict, f"in the log {checkpoint}: {held.signed}; {held.signature}"
