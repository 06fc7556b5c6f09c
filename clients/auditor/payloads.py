# SPDX-License-Identifier: Apache-2.0
"""What lies sealed beside her records, opened with the keys that her own export brings along.

    digest       SHA-256(sealed) stands in the link, so nothing can be put in its place
    commitment   HMAC-SHA256(key, "commit/1") stands there, so that no other key opens it
    sealed       0x01 ‖ nonce (12 bytes) ‖ AES-256-GCM of content ‖ 0x80 ‖ zeros, bound to
                 canonical ["AES-256-GCM", stream, kind, evidence_id, revision, schema, key_id]

A payload of the registry has no key: it is its own content. What was erased has none any more; what
is missing is counted, and is no finding.
"""

from __future__ import annotations

import hmac
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from clients.auditor.canonical import FormError, b64, digest, encode, parse, unb64
from clients.auditor.facts import EvidenceProvided, Facts, Link, PayloadMark
from clients.auditor.findings import Findings, Where
from clients.auditor.record import Record

ALGORITHM: Final = "AES-256-GCM"
_EVIDENCE_KINDS: Final = frozenset({"evidence", "document"})
_KIND: Final = re.compile("[a-z-]+")
_DOCUMENT: Final = re.compile(r"documents/[^/\\]+")


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a line of `payloads.jsonl` says; empty where it is gone, or its key is.

    A document lies in a file of its own, as she gave it.
    """

    sealed: bytes
    key: bytes
    file: str


@dataclass(slots=True)
class Payloads:
    """The payloads of an export, by leaf index and kind, and what became of them."""

    sealed: dict[tuple[int, str], Sealed] = field(default_factory=dict)
    opened: Counter[str] = field(default_factory=Counter)
    """How many were opened, by kind."""
    missing: int = 0
    approvals: dict[int, bytes] = field(default_factory=dict)
    """Opened proofs of approval, by leaf index."""
    read_file: Callable[[str], bytes | None] = lambda _: None
    """Reads a document; None if it is not there."""

    def take(self, record: Record, findings: Findings) -> None:
        """Judge whatever a record names, and open it."""
        link, facts = record.link, record.facts
        if link is None or facts is None:
            return
        where = Where("payload", record.version, record.leaf_index)
        opened: dict[str, bytes] = {}
        files: list[str] = []
        for mark in link.payloads:
            found = self.sealed.pop((record.leaf_index, mark.kind), None)
            if found and found.file:
                files.append(found.file)
                continue
            try:
                content = _opened(link, facts, mark, found) if found and found.sealed else None
            except FormError as error:
                findings.add(where, f"the {mark.kind} beside it was changed", str(error))
                continue
            self.missing += content is None
            if content is not None:
                opened[mark.kind] = content
        self.opened.update(opened.keys())
        if "approval" in opened:
            self.approvals[record.leaf_index] = opened["approval"]
        for name in files:
            self._check_file(name, opened.get("evidence"), where, findings)

    def _check_file(
        self, name: str, evidence: bytes | None, where: Where, findings: Findings
    ) -> None:
        """Hold a document against the digest that stands in the values of its record."""
        content = self.read_file(name) if _DOCUMENT.fullmatch(name) else None
        try:
            value = parse(evidence) if evidence else None
        except FormError as error:
            findings.add(where, "nothing tells which document is beside it", f"what does {error}")
            return
        about = value.get("content") if isinstance(value, dict) else None
        expected = about.get("sha256") if isinstance(about, dict) else None
        if content is None or expected is None:
            self.missing += 1
        elif digest(content) != expected:
            findings.add(where, "the document beside it was changed", f"{name} is another file")
        else:
            self.opened["document"] += 1

    def rest(self, findings: Findings) -> None:
        """Name what no record names."""
        for leaf_index, kind in self.sealed:
            where = Where("payload", None, leaf_index)
            findings.add(where, f"the {kind} there belongs to no record", "none names it")


def read_payloads(lines: Iterable[bytes]) -> Payloads:
    """Read `payloads.jsonl`.

    Raises:
        FormError: if a line is none of it.
    """
    payloads = Payloads()
    for number, line in enumerate(lines, start=1):
        value = parse(line)
        if not isinstance(value, dict):
            raise FormError(f"line {number} is no payload")
        index, kind = value.get("leaf_index"), value.get("kind")
        texts = value.get("sealed"), value.get("key", "")
        # A kind is printed: it is a word, and never what looks like lines of the report.
        if type(index) is not int or not isinstance(kind, str) or not _KIND.fullmatch(kind):
            raise FormError(f"line {number} names no payload")
        if not all(isinstance(text, str) for text in texts) or (index, kind) in payloads.sealed:
            raise FormError(f"line {number} is no payload, or names one a second time")
        sealed, key = (unb64(str(text)) for text in texts)
        payloads.sealed[index, kind] = Sealed(sealed, key, str(value.get("file", "")))
    return payloads


def _opened(link: Link, facts: Facts, mark: PayloadMark, found: Sealed) -> bytes | None:
    """Return the content of a payload, or None if its key is gone.

    Raises:
        FormError: if it is not the one that the record names.
    """
    if digest(found.sealed) != mark.hash:
        raise FormError("its digest is not the one that the record names")
    if not mark.key_id:
        return found.sealed
    if not found.key:
        return None
    if b64(hmac.digest(found.key, b"commit/1", "sha256")) != mark.commitment:
        raise FormError("its key is not the one that the record names")
    evidence_id, revision, schema = "", 0, ""
    if mark.kind in _EVIDENCE_KINDS and isinstance(facts, EvidenceProvided) and link.items:
        evidence_id, revision = link.items[0].evidence_id, link.items[0].revision
        schema = f"{facts.evidence_type}@{facts.schema_version}"
    context = [ALGORITHM, link.stream, mark.kind, evidence_id, revision or "", schema, mark.key_id]
    return _unsealed(found, encode(context).encode())


def _unsealed(found: Sealed, associated_data: bytes) -> bytes:
    form, nonce, text = found.sealed[:1], found.sealed[1:13], found.sealed[13:]
    try:
        padded = AESGCM(found.key).decrypt(nonce, text, associated_data)
    except (InvalidTag, ValueError):
        raise FormError("it does not open with its key") from None
    content = padded.rstrip(b"\0")
    if form != b"\x01" or not content.endswith(b"\x80"):
        raise FormError("it is not sealed as everything is")
    return content[:-1]
