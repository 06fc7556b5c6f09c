# SPDX-License-Identifier: Apache-2.0
"""One vault's history: read once from beginning to end, against the registry.

Pure: lines in, a report out. What is wrong with a record is decided in `record`, `chain`,
`registry`, `rule`, `decisions`, `payloads` and `receipt`; here every answer gets its place.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from clients.auditor.approvals import Approvals
from clients.auditor.canonical import FormError
from clients.auditor.chain import Chain, Place
from clients.auditor.consents import Standing, standing
from clients.auditor.decisions import Decision, Proofs
from clients.auditor.desk import Desk, Progress
from clients.auditor.facts import (
    OPERATION_FACTS,
    VAULT_FACTS,
    DisclosureRefused,
    EvidenceDisclosed,
    KnownFaultPublished,
)
from clients.auditor.findings import Sort, Where
from clients.auditor.history import Vault
from clients.auditor.payloads import Payloads
from clients.auditor.problem import Problem
from clients.auditor.provider import Provider
from clients.auditor.receipt import hold, judge_receipt
from clients.auditor.record import Record
from clients.auditor.registry import Registry
from clients.auditor.report import (
    CheckpointAnswer,
    ConsentAnswer,
    ContinuedAnswer,
    FaultAnswer,
    Fields,
    Moment,
    PayloadsAnswer,
    ReceiptAnswer,
    RefusalAnswer,
    Report,
    UseAnswer,
    receipt_answer,
)
from clients.auditor.trust import Coverage, Signed, Trust

NOT_GRANTED: Final = Standing(state="not granted", allowed=False, why="it was not granted yet")


@dataclass(frozen=True, slots=True)
class AsOf:
    """For when consents are asked: after a version, or at a time; neither: at the end."""

    version: int = 0
    time: str = ""

    def is_before(self, record: Record) -> bool:
        """Say whether a record comes after it."""
        if self.version:
            return record.version > self.version
        return bool(self.time and record.facts and record.facts.time > self.time)


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """How the consents that were granted by then stood."""

    moment: Moment
    standings: dict[str, Standing]


@dataclass(frozen=True, slots=True)
class End:
    """Where a history ends, as `export.json` says beside it."""

    origin: str
    stream: str
    version: int
    leaf: str

    def __str__(self) -> str:
        return f"version {self.version} of {self.stream}, leaf {self.leaf}, in {self.origin}"


@dataclass(frozen=True, slots=True)
class Export:
    """What was shown.

    Attributes:
        vault, registry: the lines of both exports, oldest first; the registry's at least up to what
            was decided on.
        proofs: inclusion proofs (C2SP tlog-proof) by origin and leaf index; "" if there is none.
        payloads: what was sealed, with its keys; None if it was not shown.
        receipts: the contents of receipt files, all of this vault.
        checkpoints: earlier checkpoints that somebody kept.
        operations: the lines of what the operator did, oldest first; None if they were not shown.
        end: where the vault's lines should end; None if nothing says it.
    """

    vault: Iterable[bytes]
    registry: Iterable[bytes]
    proofs: dict[tuple[str, int], str] = field(default_factory=dict)
    payloads: Payloads | None = None
    receipts: Sequence[bytes] = ()
    checkpoints: Sequence[bytes] = ()
    operations: Iterable[bytes] | None = None
    end: End | None = None


def audit(
    export: Export,
    trust: Trust | None = None,
    *,
    provider: Provider | None = None,
    as_of: AsOf | None = None,
    progress: Progress | None = None,
) -> Report:
    """Judge one vault's history.

    Args:
        trust: whose signatures count; without any, those of whom the registry names.
        provider: the keys of her sign-in provider.
        as_of: for when "allowed at T?" is answered.
        progress: called with the number of lines that were read, now and then.
    """
    judge = _Judge(export, trust or Trust(), provider, as_of or AsOf(), progress)
    judge.read()
    return judge.report()


class _Judge:
    """Reads an export and answers."""

    def __init__(
        self,
        export: Export,
        trust: Trust,
        provider: Provider | None,
        as_of: AsOf,
        progress: Progress | None,
    ) -> None:
        self.export, self.trust, self.as_of = export, trust, as_of
        self.payloads = export.payloads or Payloads()
        proofs = Proofs(self.payloads.approvals, provider)
        self.desk = Desk(progress, proofs=proofs)
        self.findings = self.desk.findings
        self.registry = Registry()
        self.chain, self.vault, self.approvals = Chain(), Vault(), Approvals()
        self.is_pinned = provider is not None and provider.is_pinned
        self.places: dict[int, Place] = {}
        self.then: _Snapshot | None = None
        self.uses: list[UseAnswer] = []
        self.refusals: list[RefusalAnswer] = []
        self.decisions: list[Decision] = []
        self.coverage = Coverage()
        self.roots: dict[tuple[str, int], bytes] = {}
        """Of the checkpoints that were shown, by origin and size."""
        self.checkpoints: list[CheckpointAnswer] = []
        self.faults: list[FaultAnswer] = []

    def read(self) -> None:
        """Read everything that was shown."""
        registered: list[Record] = []
        self.registry = self.desk.read_registry(self.export.registry, registered.append)
        for why in self.trust.learn(self.registry):
            self._doubt(why)
        for record in registered:
            self._prove("registry", record)
        self._read_vault()
        if self.export.operations is not None:
            self._read_operations(self.export.operations)
        if misplaced := self.registry.misplaced(self.chain.stream, self.chain.origin):
            self._doubt(misplaced)
        self.payloads.rest(self.findings)
        proved = frozenset(self.roots)
        for number, data in enumerate(self.export.checkpoints, start=1):
            self._hold_checkpoint(number, data, proved)

    def _read_vault(self) -> None:
        version, time = 0, ""
        for record in self.desk.read("vault", self.export.vault, VAULT_FACTS, self.chain):
            if self.then is None and self.as_of.is_before(record):
                self.then = _snapshot(self.vault, self.registry, version, self.as_of.time or time)
            version, time = self.chain.version, self.chain.time
            self.places.setdefault(record.leaf_index, Place.of(record))
            self._prove("vault", record)
            if self.export.payloads is not None:
                self.payloads.take(record, self.findings)
            decision = self.desk.decide(self.approvals, self.vault, record)
            if decision:
                self.decisions.append(decision)
            self._answer(record)
        if self.then is None:
            self.then = _snapshot(self.vault, self.registry, version, self.as_of.time or time)
        self._hold_end()

    def _hold_end(self) -> None:
        """Hold the end against what stands beside it: one who cuts must cut there, too."""
        chain, told = self.chain, self.export.end
        end = End(chain.origin, chain.stream, chain.version, chain.leaf)
        if told and told != end:
            why = f"it ends with {end}; beside it stands {told}"
            self.findings.add(Where("vault", None, None), "it does not end as it should", why)

    def _read_operations(self, lines: Iterable[bytes]) -> None:
        """Follow what the operator did, and pick out which faults touch her."""
        for record in self.desk.read("operations", lines, OPERATION_FACTS, Chain()):
            self._prove("operations", record)
            if isinstance(record.facts, KnownFaultPublished):
                touched = [
                    place
                    for place in sorted(self.places)
                    for entries in record.facts.ranges
                    if entries.origin == self.chain.origin and entries.first <= place < entries.end
                ]
                if touched:
                    fault, time = record.facts.fault, record.facts.time
                    self.faults.append(FaultAnswer(fault, time, tuple(touched)))

    def _answer(self, record: Record) -> None:
        problems = self.desk.judge(self.vault, self.registry, record)
        match record.facts:
            case EvidenceDisclosed() as facts:
                self.uses.append(_use(self.vault, record, facts, problems))
            case DisclosureRefused() as facts:
                self.refusals.append(_refusal(record, facts))
            case _:
                pass

    def _prove(self, sort: Sort, record: Record) -> None:
        """Judge the proof that a record is in the log, if there is one."""
        origin = record.link.origin if record.link else self.chain.origin or self.registry.origin
        text = self.export.proofs.get((origin, record.leaf_index), "")
        signed: Signed | None = None
        if text:
            try:
                signed = self.trust.prove(text, origin, record.leaf_index, record.leaf_hash)
                self._agree(signed)
            except FormError as error:
                where = Where("proof", record.version, record.leaf_index)
                self.findings.add(
                    where, f"nothing proves that this {sort} record is in the log", str(error)
                )
        self.coverage.take(signed)

    def _agree(self, signed: Signed) -> None:
        """Hold a checkpoint against the others.

        Raises:
            FormError: if one says something else of a log of the same size.
        """
        checkpoint = signed.checkpoint
        key = checkpoint.origin, checkpoint.size
        if self.roots.setdefault(key, checkpoint.root) != checkpoint.root:
            raise FormError(f"contradicts another checkpoint: the log forks at {checkpoint}")

    def _hold_checkpoint(
        self, number: int, data: bytes, proved: Collection[tuple[str, int]]
    ) -> None:
        signed, why = None, ""
        try:
            signed = self.trust.judge(data.decode(errors="replace"))
            self._agree(signed)
        except FormError as error:
            why = str(error)
            where = Where("checkpoint", None, None)
            name = f"contradicts {signed.name}" if signed else "shows nothing"
            self.findings.add(where, f"checkpoint {number} {name}", why)
        of = (signed.checkpoint.origin, signed.checkpoint.size) if signed else None
        answer = CheckpointAnswer.of(number, signed, why, compared=of in proved)
        self.checkpoints.append(answer)

    def _doubt(self, why: str) -> None:
        self.findings.add(Where("registry", None, None), "it does not fit", why)

    def report(self) -> Report:
        """Answer."""
        chain, vault, registry, then = self.chain, self.vault, self.registry, self.then
        receipts = tuple(self._hold_receipts())
        at_end = _snapshot(vault, registry, chain.version, chain.time)
        return Report(
            stream=chain.stream,
            origin=chain.origin,
            version=chain.version,
            registry_version=registry.size,
            withheld=vault.withheld,
            as_of=(then or at_end).moment,
            keys_pinned=bool(self.trust.receipt_keys),
            signer=self.approvals.signer,
            signer_pinned=self.is_pinned,
            coverage=self.coverage,
            uses=tuple(self.uses),
            refusals=tuple(self.refusals),
            decisions=tuple(self.decisions),
            findings=tuple(self.findings.listed),
            finding_count=self.findings.count,
            consents=tuple(
                ConsentAnswer(
                    consent_id=consent_id,
                    service=consent.facts.service,
                    purpose=consent.terms.purpose.name,
                    granted_version=consent.version,
                    start=consent.terms.start,
                    end=consent.terms.end,
                    then=(then or at_end).standings.get(consent_id, NOT_GRANTED),
                    at_end=at_end.standings[consent_id],
                )
                for consent_id, consent in vault.consents.items()
            ),
            payloads=PayloadsAnswer(dict(self.payloads.opened), self.payloads.missing)
            if self.export.payloads is not None
            else None,
            checkpoints=tuple(self.checkpoints),
            receipts=receipts,
            faults=tuple(self.faults),
            continues=tuple(
                ContinuedAnswer(past.origin, past.vault, past.version, past.leaf)
                for past in vault.imported
            ),
        )

    def _hold_receipts(self) -> Iterator[ReceiptAnswer]:
        for number, data in enumerate(self.export.receipts, start=1):
            judged = judge_receipt(data, self.trust, self.registry.receipt_keys)
            held = hold(judged, self.places, self.chain.origin, self.vault)
            if held.signed and not held.invalid:
                try:
                    self._agree(held.signed)
                except FormError as error:
                    held = replace(held, invalid=str(error))
            yield receipt_answer(number, held, self.findings)


def _use(
    vault: Vault, record: Record, facts: EvidenceDisclosed, problems: Sequence[Problem]
) -> UseAnswer:
    types = vault.types_of(facts.consent_id)
    why = "; ".join(problem.why for problem in problems)
    if not problems and (consent := vault.consents.get(facts.consent_id)):
        why = f"consent {facts.consent_id}, {consent.why}"
    return UseAnswer(
        version=record.version,
        leaf_index=record.leaf_index,
        time=facts.time,
        service=facts.service,
        consent_id=facts.consent_id,
        purpose=facts.purpose,
        fields=tuple(
            Fields(item=f.item, evidence_type=types.get(f.item, ""), names=f.names)
            for f in facts.fields
        ),
        repeats=bool(facts.repeats),
        allowed=not problems and record.link is not None,
        why=why or "its link cannot be read",
    )


def _refusal(record: Record, facts: DisclosureRefused) -> RefusalAnswer:
    return RefusalAnswer(
        version=record.version,
        leaf_index=record.leaf_index,
        time=facts.time,
        service=facts.service,
        consent_id=facts.consent_id,
        purpose=facts.purpose,
        reason=facts.reason,
        more_unlisted=facts.more_unlisted,
    )


def _snapshot(vault: Vault, registry: Registry, version: int, time: str) -> _Snapshot:
    standings = {
        consent_id: standing(consent, registry, time)
        for consent_id, consent in vault.consents.items()
    }
    return _Snapshot(Moment(version, time), standings)
