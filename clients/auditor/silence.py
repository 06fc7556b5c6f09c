# SPDX-License-Identifier: Apache-2.0
"""A proof of silence: that nothing left under a consent from its revocation to a closing event.

The file is what `citizen-vault audit silence --out FILE` writes, JSON lines: the records from the
revocation to the event that closes the proof, each as in an export, then for the first and the last
of them {"leaf_index", "origin", "proof"}. Each record names the leaf of the one before it, so that
none can be left out between two that stand in the log. That the log holds no other continuation of
the same stream, only an auditor of the whole log can say.

    {"verdict", "line": "the verdict with its reason", "note": "what no verdict shows", "exit",
     "stream", "consent_id", "service", "records": 5,
     "revoked": {"version", "leaf_index", "time"}, "closed": {"version", "leaf_index", "time"},
     "findings": [{"where": {"stream", "version", "leaf_index", "stream_id"}, "what", "why"}]}
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import ClassVar, Final

from clients.auditor.canonical import FormError, parse
from clients.auditor.chain import Chain
from clients.auditor.desk import Desk
from clients.auditor.facts import (
    VAULT_FACTS,
    ConsentRevoked,
    DisclosureRefused,
    EvidenceDisclosed,
    OfConsent,
    VaultRead,
)
from clients.auditor.findings import Findings, Where
from clients.auditor.judged import Judged
from clients.auditor.record import Record, read_record
from clients.auditor.trust import Signed, Trust, Verdict, worst

NOTE: Final = (
    "This shows that nothing left between these two records of this one stream, not that the log "
    "holds no other continuation of it: that, an auditor of the whole log can say."
)


@dataclass(frozen=True, slots=True)
class Moment:
    """Which record did something, and when."""

    version: int
    leaf_index: int
    time: str


@dataclass(slots=True)
class Silence(Judged):
    """What a proof of silence came to; a moment is None where its record is not shown."""

    note: ClassVar[str] = NOTE

    stream: str = ""
    consent_id: str = ""
    service: str = ""
    records: int = 0
    withheld: int = 0
    revoked: Moment | None = None
    closed: Moment | None = None
    signed: list[Signed] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)

    @property
    def verdict(self) -> Verdict:
        """Return the verdict."""
        if self.findings.count:
            return "FAILED"
        if self.withheld:
            return "WITHHELD"
        return worst(signed.verdict for signed in self.signed)

    @property
    def reason(self) -> str:
        """Return why it is the verdict."""
        if self.findings.count:
            return self.findings.line
        if self.withheld:
            return f"{self.withheld} records were not shown: a use may be among them"
        return str(min(self.signed, key=lambda signed: signed.is_quorum))


def prove_silence(lines: Iterable[bytes], trust: Trust) -> Silence:
    """Judge a proof of silence.

    Args:
        lines: of its file.
        trust: whose keys count.
    """
    shown = list(lines)
    silence = Silence()
    records = _follow(shown[:-2], silence)
    if records:
        _judge_ends(records, silence)
        for record in records[1:]:
            _judge_between(record, silence)
        for line, record in zip(shown[-2:], (records[0], records[-1]), strict=True):
            _judge_proof(line, record, trust, silence)
    else:
        silence.findings.add(Where("vault", None, None), "nothing was shown", "there is no record")
    return silence


def as_json(silence: Silence) -> dict[str, object]:
    """Return what a proof came to as the module's docstring describes."""
    return {
        **silence.head_json(),
        "stream": silence.stream,
        "consent_id": silence.consent_id,
        "service": silence.service,
        "records": silence.records,
        "revoked": asdict(silence.revoked) if silence.revoked else None,
        "closed": asdict(silence.closed) if silence.closed else None,
        "findings": [asdict(finding) for finding in silence.findings.listed],
    }


def as_text(silence: Silence) -> Iterator[str]:
    """Yield what a proof came to, for people; the last but one is the verdict."""
    yield f"Vault {silence.stream}, {silence.records} records"
    yield f"Consent {silence.consent_id}  service {silence.service}"
    for what, moment in (("revoked", silence.revoked), ("closed", silence.closed)):
        if moment:
            where = f"version {moment.version}, leaf index {moment.leaf_index}"
            yield f"  {what} {moment.time}  {where}"
    for finding in silence.findings.listed:
        yield f"  {finding.where}: {finding.what}"
        yield f"    {finding.why}"
    if not silence.findings.count and not silence.withheld:
        yield "Nothing left under this consent between the two."
    yield ""
    yield silence.line
    yield silence.note


def _follow(lines: list[bytes], silence: Silence) -> list[Record]:
    """Follow the stretch, which begins in the middle of its stream."""
    desk, chain = Desk(findings=silence.findings), Chain()
    records: list[Record] = []
    for number, line in enumerate(lines, start=1):
        try:
            record = read_record(line, VAULT_FACTS)
        except FormError as error:
            what = f"line {number} is no record"
            silence.findings.add(Where("vault", None, None), what, str(error))
            continue
        if not records:
            chain.version = record.version - 1
            chain.leaf = record.link.previous_leaf if record.link else ""
        desk.follow("vault", chain, record)
        records.append(record)
        silence.withheld += record.is_withheld
    silence.stream, silence.records = chain.stream, len(records)
    return records


def _judge_ends(records: list[Record], silence: Silence) -> None:
    """Judge whether the stretch begins with a revocation and ends with the event that closes it."""
    first, last = records[0], records[-1]
    if isinstance(first.facts, ConsentRevoked):
        silence.consent_id, silence.service = first.facts.consent_id, first.facts.service
        silence.revoked = Moment(first.version, first.leaf_index, first.facts.time)
    elif not first.is_withheld:
        _find(silence, first, "it does not fit", "the first record is no revocation")
    if isinstance(last.facts, VaultRead) and last.facts.what == "proof":
        silence.closed = Moment(last.version, last.leaf_index, last.facts.time)
    elif not last.is_withheld:
        _find(silence, last, "it does not fit", "the last record does not close a proof")


def _judge_between(record: Record, silence: Silence) -> None:
    facts = record.facts
    if not isinstance(facts, OfConsent) or facts.consent_id != silence.consent_id:
        return
    if isinstance(facts, EvidenceDisclosed):
        _find(silence, record, "no silence", "fields left after the consent was revoked")
    elif not isinstance(facts, DisclosureRefused):
        _find(silence, record, "it does not fit", "the consent that was revoked goes on")


def _judge_proof(line: bytes, record: Record, trust: Trust, silence: Silence) -> None:
    """Judge the proof that a record stands in the log."""
    where = Where("proof", record.version, record.leaf_index)
    origin = record.link.origin if record.link else ""
    try:
        signed = trust.prove(_proof_of(line), origin, record.leaf_index, record.leaf_hash)
    except FormError as error:
        silence.findings.add(where, "it is not shown to stand in the log", str(error))
    else:
        silence.signed.append(signed)


def _proof_of(line: bytes) -> str:
    shown = parse(line)
    text = shown.get("proof") if isinstance(shown, dict) else None
    if not isinstance(text, str):
        raise FormError("is a line without a proof")
    return text


def _find(silence: Silence, record: Record, what: str, why: str) -> None:
    silence.findings.add(Where("vault", record.version, record.leaf_index), what, why)
