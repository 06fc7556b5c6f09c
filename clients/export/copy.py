# SPDX-License-Identifier: Apache-2.0
"""An exported folder read back: what it says, as the same messages that a server would send.

Nothing is asked of anybody: names, reasons and labels come from the registry's own records in the
folder. Whether all of it is true, the auditor's program says; here it is only read.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import json
from typing import TYPE_CHECKING, Any, Final, Protocol

from clients.export import form
from clients.export.sealed import Sealed, SealedError
from clients.receipts import unb64
from clients.wording.published import Kind, Published
from vault.transparency.encoding import FormError
from vault.transparency.proof import InclusionProof

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from clients.wording.words import Words
    from vault.api.v1.consent_pb2 import Consent
    from vault.api.v1.disclosure_pb2 import RecipientReport
    from vault.api.v1.operation_pb2 import FaultNotice
    from vault.api.v1.registry_pb2 import Organisation, Purpose, Service
    from vault.api.v1.vault_pb2 import HistoryEntry

_CHANGING: Final = ("consent-granted", "consent-narrowed", "consent-extended")
_DECISION_FORMS: Final = {
    "consent": 1,
    "legitimate-interest": 1,
    "contract": 2,
    "public-task": 2,
    "vital-interest": 3,
    "legal-obligation": 3,
}
_MODES: Final = {"pinned": 1, "following": 2}
_METHODS: Final = {"view": 1, "store": 2}


class File(Protocol):
    """A file that was written, wherever it lies."""

    def read_bytes(self) -> bytes:
        """Return what it holds."""

    def is_file(self) -> bool:
        """Say whether it is there."""


class Folder(Protocol):
    """The files by their names: a `Path`, or what holds them in memory."""

    def __truediv__(self, name: str, /) -> File:
        """Return a file."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """A record: its link and facts, empty if it was deleted, and what lay sealed beside it."""

    leaf_index: int
    version: int
    link: Mapping[str, Any]
    facts: Mapping[str, Any]
    opened: Mapping[str, bytes]
    files: tuple[str, ...]

    @property
    def kind(self) -> str:
        """Return the stored name without its number; "" if the record was deleted."""
        return str(self.facts.get("type", "")).partition(".")[0]


@dataclasses.dataclass(frozen=True)
class Piece:
    """A revision of a piece of information; `values` are None where it was deleted."""

    evidence_id: str
    evidence_type: str
    revision: int
    issued_date: str
    source: str
    time: str
    values: Mapping[str, Any] | None
    file: str


@dataclasses.dataclass(frozen=True)
class Fault:
    """What went wrong with entries of hers, as the operator published it."""

    time: str
    leaf_indexes: tuple[int, ...]
    notices: tuple[FaultNotice, ...]


class Copy:
    """A folder that was exported."""

    def __init__(self, folder: Folder, words: Words) -> None:
        self.description: Mapping[str, Any] = json.loads((folder / form.DESCRIPTION).read_bytes())
        self.entries = tuple(_entries(folder))
        self.published = PublishedCopy(folder, words)
        self._folder = folder

    @functools.cached_property
    def cosigners(self) -> frozenset[str] | None:
        """Return who signed for every entry besides its log, by name; None if one is unsigned.

        Whether the signatures hold, and who they are that signed, the auditor's program says.
        """
        found: frozenset[str] | None = None
        for line in _lines_of(self._folder / form.PROOFS):
            names = _signers(line["proof"])
            if line["origin"] not in names:
                return None
            others = names - {line["origin"]}
            found = others if found is None else found & others
        return found

    @functools.cached_property
    def faults(self) -> tuple[Fault, ...]:
        """Return what went wrong with entries of hers, newest first."""
        hers = [entry.leaf_index for entry in self.entries]
        found = [
            _fault(facts, notice, self.description["origin"], hers)
            for facts, notice in _operated(self._folder)
        ]
        return tuple(fault for fault in reversed(found) if fault.leaf_indexes)

    @functools.cached_property
    def pieces(self) -> tuple[Piece, ...]:
        """Return every revision of everything that she added, oldest first."""
        return tuple(
            _piece(entry)
            for entry in self.entries
            if entry.kind in {"evidence-provided", "evidence-replaced"}
        )

    @functools.cached_property
    def lines(self) -> tuple[HistoryEntry, ...]:
        """Return what happened, newest first."""
        types = {piece.evidence_id: piece.evidence_type for piece in self.pieces}
        shown = [_line(entry, types) for entry in self.entries if entry.facts]
        return tuple(reversed(shown))

    @functools.cached_property
    def statements(self) -> Mapping[int, str]:
        """Return what she said is wrong, in her words, by leaf index."""
        said = ((entry.leaf_index, entry.opened.get("statement", b"")) for entry in self.entries)
        return {leaf_index: text.decode() for leaf_index, text in said if text}

    @functools.cached_property
    def sharings(self) -> tuple[Consent, ...]:
        """Return with whom she shares and shared, newest first, as of when it was taken."""
        found: dict[str, Consent] = {}
        for entry in self.entries:
            _share(found, entry)
        now = str(self.description["time"])
        return tuple(_with_state(one, now) for one in reversed(found.values()))


class PublishedCopy(Published):
    """What the registry published, out of the folder."""

    def __init__(self, folder: Folder, words: Words) -> None:
        self._words = words
        self.fell_back = False
        self._records = list(_public(folder))

    def purpose(self, name: str) -> Purpose | None:
        """Return one version of a purpose by "code@version"."""
        return self._purposes.get(name)

    @functools.cached_property
    def kinds(self) -> Mapping[str, Kind]:
        """Return the kinds of information by name, each as published last."""
        return {
            facts["evidence_type"]: self._kind(json.loads(payload))
            for facts, payload in self._of("evidence-type-published")
        }

    @functools.cached_property
    def _organisations(self) -> Mapping[str, Organisation]:
        from vault.api.v1.registry_pb2 import LocalizedText, Organisation  # noqa: PLC0415

        return {
            facts["organisation"]: Organisation(
                organisation_id=facts["organisation"],
                name=[
                    LocalizedText(language=language, text=text)
                    for language, text in json.loads(payload)["name"].items()
                ],
            )
            for facts, payload in self._of("organisation-registered")
        }

    @functools.cached_property
    def _services(self) -> Mapping[str, Service]:
        from vault.api.v1.registry_pb2 import LocalizedText, Service  # noqa: PLC0415

        return {
            facts["service"]: Service(
                service_id=facts["service"],
                organisation_id=facts["organisation"],
                name=[
                    LocalizedText(language=language, text=text)
                    for language, text in json.loads(payload)["name"].items()
                ],
            )
            for facts, payload in self._of("service-registered")
        }

    @functools.cached_property
    def _purposes(self) -> dict[str, Purpose]:
        from vault.api.v1.registry_pb2 import Purpose, PurposeTexts  # noqa: PLC0415

        found: dict[str, Purpose] = {}
        for facts, payload in self._of("purpose-published"):
            code, version = facts["purpose"]["code"], facts["purpose"]["version"]
            texts = [PurposeTexts(**text) for text in json.loads(payload)]
            found[f"{code}@{version}"] = Purpose(purpose_code=code, version=version, texts=texts)
        return found

    def _of(self, kind: str) -> Iterator[tuple[Mapping[str, Any], bytes]]:
        for facts, payload in self._records:
            if payload and str(facts.get("type", "")).startswith(f"{kind}."):
                yield facts, payload


def _lines_of(file: File) -> Iterator[dict[str, Any]]:
    yield from map(json.loads, file.read_bytes().splitlines())


def _entries(folder: Folder) -> Iterator[Entry]:
    beside: dict[int, list[dict[str, Any]]] = {}
    for line in _lines_of(folder / form.PAYLOADS):
        beside.setdefault(line["leaf_index"], []).append(line)
    for line in _lines_of(folder / form.HISTORY):
        payloads = beside.get(line["leaf_index"], [])
        yield Entry(
            leaf_index=line["leaf_index"],
            version=line["version"],
            link=json.loads(line["link"] or "{}"),
            facts=json.loads(line["facts"] or "{}"),
            opened={one["kind"]: _opened(one) for one in payloads},
            files=tuple(one["file"] for one in payloads if one["file"]),
        )


def _opened(line: Mapping[str, Any]) -> bytes:
    try:
        return Sealed(unb64(line["sealed"]), unb64(line["key"]), line["context"]).open()
    except SealedError:
        # The auditor's program names it; here it is as if it were not there.
        return b""


def _public(folder: Folder) -> Iterator[tuple[Mapping[str, Any], bytes]]:
    payloads = {
        line["leaf_index"]: unb64(line["sealed"])
        for line in _lines_of(folder / form.PUBLIC_PAYLOADS)
        if line["kind"] in {"texts", "definition"}
    }
    for line in _lines_of(folder / form.REGISTRY):
        yield json.loads(line["facts"] or "{}"), payloads.get(line["leaf_index"], b"")


def _operated(folder: Folder) -> Iterator[tuple[Mapping[str, Any], bytes]]:
    """Yield the facts of every known fault, and its notices."""
    file = folder / form.OPERATIONS
    if not file.is_file():
        return
    notices = {
        (line["stream"], line["leaf_index"]): unb64(line["sealed"])
        for line in _lines_of(folder / form.PUBLIC_PAYLOADS)
        if line["kind"] == "notice"
    }
    for line in _lines_of(file):
        facts = json.loads(line["facts"] or "{}")
        if str(facts.get("type", "")).startswith("known-fault-published."):
            yield facts, notices.get((line["stream_id"], line["leaf_index"]), b"[]")


def _fault(facts: Mapping[str, Any], notices: bytes, origin: str, hers: Iterable[int]) -> Fault:
    from vault.api.v1.operation_pb2 import FaultNotice  # noqa: PLC0415

    ranges = [one for one in facts["ranges"] if one["origin"] == origin]
    return Fault(
        time=facts["time"],
        leaf_indexes=tuple(
            place for place in hers if any(one["first"] <= place < one["end"] for one in ranges)
        ),
        notices=tuple(FaultNotice(**notice) for notice in json.loads(notices)),
    )


def _signers(proof: str) -> frozenset[str]:
    try:
        note = InclusionProof.parse(proof.encode()).note
    except FormError:
        return frozenset()
    return frozenset(signature.name for signature in note.signatures)


def _piece(entry: Entry) -> Piece:
    item, facts = entry.link["items"][0], entry.facts
    values = entry.opened.get("evidence")
    return Piece(
        evidence_id=item["evidence_id"],
        evidence_type=facts["evidence_type"],
        revision=item["revision"],
        issued_date=facts["issued_date"],
        source=facts["source"],
        time=facts["time"],
        values=json.loads(values) if values else None,
        file="".join(entry.files[:1]),
    )


def _line(entry: Entry, types: Mapping[str, str]) -> HistoryEntry:
    from vault.api.v1 import vault_pb2 as pb  # noqa: PLC0415

    facts, acting = entry.facts, entry.link["acting"]
    said = json.loads(entry.opened.get("command") or "{}")
    line = pb.HistoryEntry(
        version=entry.version,
        type=facts["type"],
        acting=pb.Acting(
            capacity=pb.Capacity.Value(f"CAPACITY_{acting['capacity'].upper()}"),
            channel=pb.Channel.Value(f"CHANNEL_{acting['channel'].upper()}"),
        ),
        service_id=facts.get("service", ""),
        purpose=_purpose(facts),
        items=[
            pb.HistoryItem(evidence_type=kind, names=names) for kind, names in _items(entry, types)
        ],
        reason=facts.get("reason", ""),
        repeated=bool(facts.get("repeats")),
        case_ref=said.get("case_ref", ""),
        staff_ref=said.get("staff_ref", ""),
    )
    line.time.FromJsonString(facts["time"])
    line.receipt.leaf_index = entry.leaf_index
    if entry.kind == "recipient-reported":
        line.report.CopyFrom(_report(facts))
    return line


def _purpose(facts: Mapping[str, Any]) -> str:
    purpose = facts.get("purpose", "")
    for part in ("terms", "asked"):
        inner = facts.get(part, {}).get("purpose")
        purpose = f"{inner['code']}@{inner['version']}" if inner else purpose
    return str(purpose)


def _items(entry: Entry, types: Mapping[str, str]) -> Iterator[tuple[str, Iterable[str]]]:
    facts = entry.facts
    by_number = {one["item"]: types.get(one["evidence_id"], "") for one in entry.link["items"]}
    for one in facts.get("fields", ()):
        yield one.get("evidence_type") or by_number.get(one.get("item"), ""), one["names"]
    for part in ("terms", "asked"):
        for one in facts.get(part, {}).get("scope", ()):
            yield one["evidence_type"], [*one["required"], *one["optional"]]
    if entry.kind.startswith(("evidence-provided", "evidence-replaced", "evidence-disputed")):
        yield by_number.get(0, ""), facts.get("changed", facts["names"])


def _share(found: dict[str, Consent], entry: Entry) -> None:
    """Take what happened to a sharing."""
    facts, kind = entry.facts, entry.kind
    if kind in _CHANGING:
        consent_id = facts["terms"]["consent_id"]
        known = found.get(consent_id)
        found[consent_id] = _agreed(facts["terms"])
        if known is not None:
            _keep(found[consent_id], known)
    sharing = found.get(facts.get("consent_id", ""))
    if sharing is None:
        return
    match kind:
        case "consent-paused":
            sharing.pause_time.FromJsonString(facts["time"])
        case "consent-resumed":
            sharing.ClearField("pause_time")
        case "consent-revoked":
            sharing.revoke_time.FromJsonString(facts["time"])
        case "evidence-disclosed" if not facts["repeats"]:
            sharing.disclosure_count += 1
            sharing.last_disclosure_time.FromJsonString(facts["time"])
        case "recipient-reported":
            sharing.last_report.CopyFrom(_report(facts))


def _report(facts: Mapping[str, Any]) -> RecipientReport:
    from vault.api.v1 import disclosure_pb2 as pb  # noqa: PLC0415

    status = f"REPORT_STATUS_{facts['status'].upper().replace('-', '_')}"
    told = pb.RecipientReport(
        kind=pb.ReportKind.Value(f"REPORT_KIND_{facts['kind'].upper()}"),
        status=pb.ReportStatus.Value(status),
    )
    told.report_time.FromJsonString(facts["time"])
    return told


def _keep(sharing: Consent, known: Consent) -> None:
    sharing.disclosure_count = known.disclosure_count
    for name in ("pause_time", "revoke_time", "last_disclosure_time", "last_report"):
        if known.HasField(name):
            getattr(sharing, name).CopyFrom(getattr(known, name))


def _agreed(terms: Mapping[str, Any]) -> Consent:
    from vault.api.v1 import consent_pb2 as pb  # noqa: PLC0415
    from vault.api.v1.registry_pb2 import LegalBasis, LegalBasisCode  # noqa: PLC0415

    basis = terms["basis"]
    code = f"LEGAL_BASIS_CODE_{basis['code'].upper().replace('-', '_')}"
    sharing = pb.Consent(
        consent_id=terms["consent_id"],
        service_id=terms["recipient"]["service"],
        organisation_id=terms["recipient"]["organisation"],
        purpose=f"{terms['purpose']['code']}@{terms['purpose']['version']}",
        legal_basis=LegalBasis(code=LegalBasisCode.Value(code), statute=basis["statute"]),
        scope=[
            pb.ItemScope(
                item=one["item"],
                evidence_type=one["evidence_type"],
                mode=_MODES[one["mode"]],  # type: ignore[arg-type]
                required=one["required"],
                optional=one["optional"],
            )
            for one in terms["scope"]
        ],
        frequency=pb.Frequency(**terms["frequency"]),
        one_time=terms["one_time"],
        largest_age_days=terms["largest_age_days"],
        retention_days=terms["retention_days"],
        method=_METHODS[terms["method"]],  # type: ignore[arg-type]
        storage=terms["storage"],
        decision_form=_DECISION_FORMS[basis["code"]],  # type: ignore[arg-type]
    )
    sharing.start_time.FromJsonString(terms["start"])
    sharing.end_time.FromJsonString(terms["end"])
    return sharing


def _with_state(sharing: Consent, now: str) -> Consent:
    from vault.api.v1 import consent_pb2 as pb  # noqa: PLC0415

    end = sharing.end_time.ToDatetime(tzinfo=dt.UTC)
    if sharing.HasField("revoke_time"):
        sharing.state = pb.CONSENT_STATE_REVOKED
    elif end <= dt.datetime.fromisoformat(now):
        sharing.state = pb.CONSENT_STATE_EXPIRED
    elif sharing.HasField("pause_time"):
        sharing.state = pb.CONSENT_STATE_PAUSED
    else:
        sharing.state = pb.CONSENT_STATE_ACTIVE
    return sharing
