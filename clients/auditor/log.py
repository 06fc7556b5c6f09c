# SPDX-License-Identifier: Apache-2.0
"""The audit of a whole log: its streams, and every checkpoint and receipt that anybody kept.

    {"verdict", "line", "note", "exit", "trust", "key_pinned", "witnesses", "proved": as for a
     vault, "origin", "size", "registry_version", "streams": {"vault": 12, "request": 3, ...},
     "uses", "refusals", "withheld", "decisions": {"shown", "not shown", "sealed"},
     "not_shown": [as "decisions" of a vault], "findings", "finding_count",
     "checkpoints", "receipts": as for a vault}

A checkpoint that is not on the log contradicts it, whatever the log looks like by itself: so does a
rewritten history that was signed again with the real key.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from clients.auditor.canonical import FormError
from clients.auditor.chain import Place
from clients.auditor.decisions import Decisions
from clients.auditor.desk import Desk, Progress
from clients.auditor.findings import Findings, Where
from clients.auditor.judged import Judged
from clients.auditor.lane import Found, Reader, Share, read_registry
from clients.auditor.receipt import Held, hold, judge_receipt
from clients.auditor.report import (
    CheckpointAnswer,
    ReceiptAnswer,
    findings_as_text,
    held_as_text,
    receipt_answer,
    trust_json,
    trust_line,
)
from clients.auditor.trust import Coverage, Signed, Trust, Verdict, worst

NO_PLACE: Final = Where("checkpoint", None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogReport(Judged):
    """What the audit of a log found."""

    origin: str
    size: int
    registry_version: int
    streams: dict[str, int]
    uses: int
    refusals: int
    withheld: int
    decisions: Decisions
    coverage: Coverage
    findings: Findings
    checkpoints: tuple[CheckpointAnswer, ...]
    receipts: tuple[ReceiptAnswer, ...]

    @property
    def verdict(self) -> Verdict:
        """Return the verdict."""
        found: list[Verdict] = [self.coverage.verdict]
        if self.findings.count:
            found.append("FAILED")
        if self.decisions.counts["not shown"]:
            found.append("NOT SHOWN TO BE HERS")
        if self.withheld or self.decisions.counts["sealed"]:
            found.append("WITHHELD")
        return worst(found)

    @property
    def reason(self) -> str:
        """Return why it is the verdict."""
        if self.findings.count:
            return self.findings.line
        counts, parts = self.decisions.counts, []
        if not_shown := counts["not shown"]:
            first = self.decisions.not_shown[0]
            where = f"leaf index {first.leaf_index}"
            several = f"; and {not_shown - 1} more" if not_shown > 1 else ""
            parts.append(f"{first.type} at {where}: {first.why}{several}")
        if self.withheld:
            parts.append(f"{self.withheld} records were not shown")
        if counts["sealed"]:
            parts.append(f"the proofs of {counts['sealed']} decisions are sealed from this reader")
        return "; ".join([*parts, trust_line(self.coverage, self.receipts)])

    def as_json(self) -> dict[str, object]:
        """Return it as the module's docstring describes."""
        answers = asdict(self)
        for name in ("coverage", "decisions", "findings"):
            del answers[name]
        return {
            **self.head_json(),
            **trust_json(self.coverage),
            **answers,
            "decisions": dict(self.decisions.counts),
            "not_shown": [asdict(decision) for decision in self.decisions.not_shown],
            "findings": [asdict(finding) for finding in self.findings.listed],
            "finding_count": self.findings.count,
        }

    def as_text(self) -> Iterator[str]:
        """Yield its lines for people; the last but one is the verdict."""
        yield f"Log {self.origin}, {self.size} entries"
        yield f"Registry, to version {self.registry_version}"
        streams = (f"{count} {sort}" for sort, count in sorted(self.streams.items()))
        yield f"Streams: {', '.join(streams)}"
        yield f"Uses: {self.uses}; refused: {self.refusals}; not shown: {self.withheld}"
        told = (f"{count} {hers}" for hers, count in self.decisions.counts.items())
        yield f"Decisions, whether shown to be hers: {', '.join(told)}"
        for decision in self.decisions.not_shown[:10]:
            yield f"  leaf index {decision.leaf_index}  {decision.time}  {decision.type}"
            yield f"    NOT SHOWN TO BE HERS: {decision.why}"
        yield from held_as_text(self.checkpoints, self.receipts)
        yield from findings_as_text(self.findings.listed, self.findings.count)
        yield ""
        yield self.line
        yield self.note


def audit_log(
    path: Path,
    trust: Trust,
    *,
    registry: Path | None = None,
    checkpoints: Sequence[bytes] = (),
    receipts: Sequence[bytes] = (),
    processes: int = 1,
    progress: Progress | None = None,
) -> LogReport:
    """Judge a log's export.

    Args:
        path: the export of one lane, all streams, from its first entry.
        registry: the export of the registry, if its records are in another lane.
        checkpoints, receipts: the contents of files that somebody kept.
        processes: how many share the work.
        progress: called with the number of lines that were read, now and then.
    """
    desk = Desk()
    with (registry or path).open("rb") as lines:
        registered, stream = read_registry(lines, desk)
    if registry is not None:
        stream = None  # whatever the log has of a registry is not what was judged here
    doubts = trust.learn(registered)
    kept = [_checkpoint(number, data, trust) for number, data in enumerate(checkpoints, start=1)]
    promised = [judge_receipt(data, trust, registered.receipt_keys) for data in receipts]
    signed = [each for _, each, _ in kept] + [held.signed for held in promised]
    share = Share(
        registry=registered,
        registry_stream=stream,
        parts=processes,
        sizes={each.checkpoint.size for each in signed if each},
        indexes={held.leaf_index for held in promised if held.leaf_index is not None},
    )
    found = _read_all(path, share, progress)
    judge = _Judge(found)
    judge.findings.merge([desk.findings])
    for why in doubts:
        judge.findings.add(Where("registry", None, None), "it does not fit", why)
    answers = judge.hold_checkpoints(kept)
    held = tuple(judge.hold_receipts(promised))
    judge.findings.merge([])  # in order again
    return LogReport(
        origin=judge.origin,
        size=judge.size,
        registry_version=registered.size,
        streams=dict(judge.streams + Counter(registry=int(stream is not None))),
        uses=sum(part.uses for part in found),
        refusals=sum(part.refusals for part in found),
        withheld=sum(part.withheld for part in found),
        decisions=judge.decisions,
        coverage=judge.coverage(),
        findings=judge.findings,
        checkpoints=answers,
        receipts=held,
    )


def _read_all(path: Path, share: Share, progress: Progress | None) -> list[Found]:
    """Have each process follow its share; this one follows the first, which has the tree."""
    others = [replace(share, part=part) for part in range(1, share.parts)]
    if not others:
        return [_read(path, share, progress)]
    with ProcessPoolExecutor(len(others)) as processes:
        waiting = [processes.submit(_read, path, each) for each in others]
        first = _read(path, share, progress)
        return [first, *(each.result() for each in waiting)]


def _read(path: Path, share: Share, progress: Progress | None = None) -> Found:
    # Nothing that is read refers to itself, and there are millions of it: no use looking for that.
    gc.disable()
    with path.open("rb") as lines:
        return Reader(share, progress).read(lines)


def _checkpoint(number: int, data: bytes, trust: Trust) -> tuple[int, Signed | None, str]:
    try:
        return number, trust.judge(data.decode(errors="replace")), ""
    except FormError as error:
        return number, None, str(error)


class _Judge:
    """Holds what was promised against what was found."""

    def __init__(self, found: list[Found]) -> None:
        self.found = found
        self.size, self.roots = found[0].size, found[0].roots
        self.origin = next((part.origin for part in found if part.origin), "")
        self.streams = sum((part.streams for part in found), Counter[str]())
        self.findings, self.decisions = Findings(), Decisions()
        self.findings.merge(part.desk.findings for part in found)
        for part in found:
            self.decisions.merge(part.desk.decisions)
        self.good: list[Signed] = []

    def contradicts(self, signed: Signed) -> str:
        """Say what in the log stands against a checkpoint, "" if nothing."""
        checkpoint = signed.checkpoint
        if checkpoint.origin != self.origin:
            return "it is of another log"
        if checkpoint.size > self.size:
            return f"it has {checkpoint.size} entries; what was shown ends after {self.size}"
        if self.roots.get(checkpoint.size) == checkpoint.root:
            self.good.append(signed)
            return ""
        sizes = (each.checkpoint.size for each in self.good)
        same = max((size for size in sizes if size < checkpoint.size), default=0)
        where = f"somewhere in leaf indexes {same} to {checkpoint.size - 1}"
        return f"the first {checkpoint.size} entries that were shown have another root: {where}"

    def hold_checkpoints(
        self, kept: list[tuple[int, Signed | None, str]]
    ) -> tuple[CheckpointAnswer, ...]:
        """Hold checkpoints against the log, the smallest first: so a change is narrowed down."""
        answers = []
        for number, signed, invalid in sorted(kept, key=_size):
            why = self.contradicts(signed) if signed else invalid
            what = f"checkpoint {number} shows nothing"
            if signed:
                what = f"contradicts {signed.name}, checkpoint {number}"
            if why:
                self.findings.add(NO_PLACE, what, why)
            answers.append(CheckpointAnswer.of(number, signed, why))
        return tuple(sorted(answers, key=lambda answer: answer.number))

    def hold_receipts(self, receipts: Sequence[Held]) -> Iterator[ReceiptAnswer]:
        """Hold receipts against the log, and the checkpoints of their proofs."""
        places: dict[int, Place] = {}
        vaults = {}
        for part in self.found:
            for index, (place, vault) in part.places.items():
                places[index], vaults[index] = place, vault
        for number, judged in enumerate(receipts, start=1):
            vault = vaults.get(-1 if judged.leaf_index is None else judged.leaf_index)
            held = hold(judged, places, self.origin, vault)
            if held.signed and not held.invalid and (why := self.contradicts(held.signed)):
                held = replace(held, contradicted=why)
            yield receipt_answer(number, held, self.findings)

    def coverage(self) -> Coverage:
        """Say which part of the log the best of the checkpoints covers."""
        coverage = Coverage()
        signed = max(self.good, key=Signed.reach, default=None)
        covered = signed.checkpoint.size if signed else 0
        if signed and covered:
            coverage.take(signed, covered)
        if self.size > covered or not signed:
            coverage.take(None, self.size - covered)
        return coverage


def _size(kept: tuple[int, Signed | None, str]) -> int:
    return kept[1].checkpoint.size if kept[1] else -1
