# SPDX-License-Identifier: Apache-2.0
"""The audit: reads a registry and a vault once, from beginning to end, and reports what it found.

Pure: lines in, a report out. What is wrong with a record is decided in `record`, `chain`,
`registry`, `rule` and `receipt`; here every answer gets its place.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from clients.auditor.canonical import FormError, b64
from clients.auditor.chain import Chain
from clients.auditor.consents import Standing, standing
from clients.auditor.facts import (
    REGISTRY_FACTS,
    VAULT_FACTS,
    DisclosureRefused,
    EvidenceDisclosed,
    Facts,
)
from clients.auditor.history import Vault
from clients.auditor.problem import Problem
from clients.auditor.receipt import hold
from clients.auditor.record import Record, read_record
from clients.auditor.registry import Registry
from clients.auditor.report import (
    ConsentAnswer,
    Fields,
    Finding,
    Moment,
    ReceiptAnswer,
    RefusalAnswer,
    Report,
    UseAnswer,
    Where,
)
from clients.auditor.rule import judge

PROGRESS_EVERY: Final = 10_000
WHAT: Final = {
    "evidence-disclosed": "a use that was not allowed",
    "disclosure-refused": "a refusal that does not fit",
    "evidence-disputed": "a dispute that does not fit",
    "dispute-resolved": "a dispute that does not fit",
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
NOT_GRANTED: Final = Standing(state="not granted", allowed=False, why="it was not granted yet")
Progress = Callable[[int], None]


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


def audit(
    vault_records: Iterable[bytes],
    registry_records: Iterable[bytes],
    receipts: Sequence[bytes] = (),
    *,
    receipt_keys: Collection[bytes] = (),
    as_of: AsOf | None = None,
    progress: Progress | None = None,
) -> Report:
    """Judge one vault's history.

    Args:
        vault_records: the lines of its export, oldest first.
        registry_records: the lines of the registry's export, at least up to what was decided on.
        receipts: the contents of receipt files, all of this vault.
        receipt_keys: pinned public keys, 32 bytes each, brought along from elsewhere.
        as_of: for when "allowed at T?" is answered.
        progress: called with the number of lines that were read, now and then.
    """
    desk = _Desk(progress)
    registry = desk.read_registry(registry_records)
    for key in receipt_keys:
        if b64(key) not in registry.receipt_keys.values():
            desk.find(
                Where("registry", None, None), "it does not fit", "a pinned key is not listed"
            )
    chain, vault, then = desk.read_vault(vault_records, registry, as_of or AsOf())
    if misplaced := registry.misplaced(chain.stream, chain.origin):
        desk.find(Where("registry", None, None), "it does not fit", misplaced)
    answers = desk.hold_receipts(receipts, chain, vault, registry, receipt_keys)
    at_end = _snapshot(vault, registry, chain.version, chain.time)
    return Report(
        stream=chain.stream,
        version=chain.version,
        registry_version=registry.size,
        withheld=vault.withheld,
        as_of=then.moment,
        keys_pinned=bool(receipt_keys),
        uses=tuple(desk.uses),
        refusals=tuple(desk.refusals),
        findings=tuple(desk.findings),
        consents=tuple(
            ConsentAnswer(
                consent_id=consent_id,
                service=consent.facts.service,
                purpose=consent.terms.purpose.name,
                granted_version=consent.version,
                start=consent.terms.start,
                end=consent.terms.end,
                then=then.standings.get(consent_id, NOT_GRANTED),
                at_end=at_end.standings[consent_id],
            )
            for consent_id, consent in vault.consents.items()
        ),
        receipts=answers,
    )


@dataclass(slots=True)
class _Desk:
    """Where everything that is found is put down."""

    progress: Progress | None
    findings: list[Finding] = field(default_factory=list)
    uses: list[UseAnswer] = field(default_factory=list)
    refusals: list[RefusalAnswer] = field(default_factory=list)
    lines: int = 0

    def find(self, where: Where, what: str, why: str) -> None:
        self.findings.append(Finding(where, what, why))

    def read_registry(self, lines: Iterable[bytes]) -> Registry:
        registry, chain = Registry(), Chain()
        for record in self._follow("registry", lines, REGISTRY_FACTS, chain):
            where = Where("registry", record.version, record.leaf_index)
            if record.is_withheld:
                self.find(where, "a record is missing", "the registry never deletes any")
            for why in registry.take(record):
                self.find(where, "a record that does not fit", why)
        return registry

    def read_vault(
        self, lines: Iterable[bytes], registry: Registry, as_of: AsOf
    ) -> tuple[Chain, Vault, _Snapshot]:
        vault, chain = Vault(), Chain()
        then = None
        version, time = 0, ""
        for record in self._follow("vault", lines, VAULT_FACTS, chain):
            if then is None and as_of.is_before(record):
                then = _snapshot(vault, registry, version, as_of.time or time)
            version, time = chain.version, chain.time
            problems = judge(vault, registry, record)
            self._answer(vault, record, problems)
            where = Where("vault", record.version, record.leaf_index)
            kind = record.facts.type.rpartition(".")[0] if record.facts else ""
            what = WHAT.get(kind, "a record that does not fit")
            for problem in problems:
                if not (problem.needs_more and vault.withheld):
                    self.find(where, what, problem.why)
            vault.take(record)
        return chain, vault, then or _snapshot(vault, registry, version, as_of.time or time)

    def hold_receipts(
        self,
        receipts: Sequence[bytes],
        chain: Chain,
        vault: Vault,
        registry: Registry,
        pinned: Collection[bytes],
    ) -> tuple[ReceiptAnswer, ...]:
        answers = []
        for number, data in enumerate(receipts, start=1):
            held = hold(data, chain, vault, registry.receipt_keys, pinned)
            where = Where("receipt", held.version, held.leaf_index)
            if held.invalid:
                self.find(where, f"receipt {number} shows nothing", held.invalid)
            elif held.contradicted:
                what = f"what receipt {number} promises is not in this history: {held.about}"
                self.find(where, what, held.contradicted)
            why = held.invalid or held.contradicted
            answers.append(
                ReceiptAnswer(
                    number=number,
                    leaf_index=held.leaf_index,
                    about=held.about,
                    holds=not why,
                    version=held.version,
                    why=why,
                )
            )
        return tuple(answers)

    def _follow(
        self,
        stream: Literal["vault", "registry"],
        lines: Iterable[bytes],
        known: Mapping[str, type[Facts]],
        chain: Chain,
    ) -> Iterator[Record]:
        """Yield the records of an export, each after its own faults and its place were judged."""
        number = 0
        for number, line in enumerate(lines, start=1):
            self.lines += 1
            if self.progress and self.lines % PROGRESS_EVERY == 0:
                self.progress(self.lines)
            try:
                record = read_record(line, known)
            except FormError as error:
                self.find(Where(stream, None, None), f"line {number} is no record", str(error))
                continue
            where = Where(stream, record.version, record.leaf_index)
            for fault in record.faults:
                self.find(where, "the record was changed", fault)
            for broken in chain.follow(record):
                place = Where(stream, broken.version, broken.leaf_index)
                self.find(place, broken.what, broken.why)
            yield record
        if not number:
            self.find(Where(stream, None, None), "nothing was shown", "there is no record")

    def _answer(self, vault: Vault, record: Record, problems: Sequence[Problem]) -> None:
        match record.facts:
            case EvidenceDisclosed() as facts:
                self.uses.append(_use(vault, record, facts, problems))
            case DisclosureRefused() as facts:
                self.refusals.append(_refusal(record, facts))
            case _:
                pass


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
