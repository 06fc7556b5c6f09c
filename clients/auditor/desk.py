# SPDX-License-Identifier: Apache-2.0
"""Where everything that is found is put down, while streams are followed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from clients.auditor.approvals import Approvals
from clients.auditor.canonical import FormError
from clients.auditor.chain import Chain
from clients.auditor.decisions import Decision, Decisions, Proofs, judge_decision
from clients.auditor.facts import REGISTRY_FACTS, Facts
from clients.auditor.findings import Findings, Sort, Where
from clients.auditor.history import Vault
from clients.auditor.problem import Problem
from clients.auditor.record import Record, read_record
from clients.auditor.registry import Registry
from clients.auditor.rule import judge

PROGRESS_EVERY: Final = 10_000
WHAT: Final = {
    "evidence-disclosed": "a use that was not allowed",
    "disclosure-refused": "a refusal that does not fit",
    "recipient-reported": "a report that does not fit",
    "evidence-disputed": "a dispute that does not fit",
    "dispute-resolved": "a dispute that does not fit",
    "link-code-created": "a way to her vault that does not fit",
    "sign-in-linked": "a way to her vault that does not fit",
    "sign-in-unlinked": "a way to her vault that does not fit",
    "consent-requested": "a request that was not permitted",
    "consent-request-cancelled": "an answer to a request that did not wait",
    "consent-refused": "an answer to a request that did not wait",
    "consent-granted": "a consent that does not fit",
    "consent-narrowed": "a narrowing that does not fit",
    "consent-extended": "an extension that does not fit",
    "consent-paused": "a stop of what was not in force",
    "consent-resumed": "a consent that may not go on",
    "consent-revoked": "a stop of what was not in force",
}
"""What a record is called that was not allowed, by its stored name without its number."""
Progress = Callable[[int], None]
"""Called with the number of lines that were read, now and then."""


@dataclass(slots=True)
class Desk:
    """Takes records of streams, each with what is wrong with it."""

    progress: Progress | None = None
    findings: Findings = field(default_factory=Findings)
    decisions: Decisions = field(default_factory=Decisions)
    proofs: Proofs = field(default_factory=Proofs)
    is_lane: bool = False
    """Whether streams are named, since many are shown."""
    lines: int = 0

    def read_registry(
        self, lines: Iterable[bytes], also: Callable[[Record], object] = lambda _: None
    ) -> Registry:
        """Follow the registry's records to their end, each handed on."""
        registry, chain = Registry(), Chain()
        for record in self.read("registry", lines, REGISTRY_FACTS, chain):
            where = self.where("registry", record)
            if record.is_withheld:
                self.findings.add(where, "a record is missing", "the registry never deletes any")
            also(record)
            for why in registry.take(record):
                self.findings.add(where, "a record that does not fit", why)
        return registry

    def read(
        self, sort: Sort, lines: Iterable[bytes], known: Mapping[str, type[Facts]], chain: Chain
    ) -> Iterator[Record]:
        """Yield the records of a stream, each after its own faults and its place were judged."""
        number = 0
        for number, line in enumerate(lines, start=1):
            self.lines += 1
            if self.progress and self.lines % PROGRESS_EVERY == 0:
                self.progress(self.lines)
            try:
                record = read_record(line, known)
            except FormError as error:
                what = f"line {number} is no record"
                self.findings.add(Where(sort, None, None), what, str(error))
                continue
            self.follow(sort, chain, record)
            yield record
        if not number:
            self.findings.add(Where(sort, None, None), "nothing was shown", "there is no record")

    def follow(self, sort: Sort, chain: Chain, record: Record) -> None:
        """Judge a record's own faults and its place in its stream."""
        for fault in record.faults:
            self.findings.add(self.where(sort, record), "the record was changed", fault)
        for broken in chain.follow(record):
            name = record.stream if self.is_lane else ""
            place = Where(sort, broken.version, broken.leaf_index, name)
            self.findings.add(place, broken.what, broken.why)

    def judge(self, vault: Vault, registry: Registry, record: Record) -> list[Problem]:
        """Judge a record of a vault by the rule, take it, and return why it was not allowed."""
        problems = judge(vault, registry, record)
        for problem in problems:
            if not (problem.needs_more and vault.withheld):
                kind = record.facts.type.rpartition(".")[0] if record.facts else ""
                what = WHAT.get(kind, "a record that does not fit")
                self.findings.add(self.where("vault", record), what, problem.why)
        vault.take(record)
        return problems

    def decide(self, approvals: Approvals, vault: Vault, record: Record) -> Decision | None:
        """Judge whether a decision is hers, in the state before it."""
        decision = judge_decision(approvals, vault, record, self.proofs)
        if decision:
            self.decisions.take(decision)
        return decision

    def where(self, sort: Sort, record: Record) -> Where:
        """Return the place of a record."""
        name = record.stream if self.is_lane else ""
        return Where(sort, record.version, record.leaf_index, name)
