# SPDX-License-Identifier: Apache-2.0
"""An exported folder read back: what it says, as the same messages that a server would send.

Nothing is asked of anybody: names, reasons and labels come from the registry's own records in the
folder. Whether all of it is true, the auditor's program says; here it is only read.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from typing import TYPE_CHECKING, Any

from clients.export import form
from clients.export.folder import entries_of, faults_in, lines_of
from clients.export.history import line_of
from clients.export.published import PublishedCopy
from clients.export.sharings import sharings_of
from vault.transparency.encoding import FormError
from vault.transparency.proof import InclusionProof

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from clients.export.folder import Entry, Folder
    from clients.wording.words import Words
    from vault.api.v1.consent_pb2 import Consent
    from vault.api.v1.operation_pb2 import FaultNotice
    from vault.api.v1.vault_pb2 import HistoryEntry


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
        self.entries = tuple(entries_of(folder))
        self.published = PublishedCopy(folder, words)
        self._folder = folder

    @functools.cached_property
    def cosigners(self) -> frozenset[str] | None:
        """Return who signed for every entry besides its log, by name; None if one is unsigned.

        Whether the signatures hold, and who they are that signed, the auditor's program says.
        """
        found: frozenset[str] | None = None
        for line in lines_of(self._folder / form.PROOFS):
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
            for facts, notice in faults_in(self._folder)
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
        codes = {
            entry.facts["sign_in"]
            for entry in self.entries
            if entry.facts.get("means") == "assistance-code"
        }
        shown = [line_of(entry, types, codes) for entry in self.entries if entry.facts]
        return tuple(reversed(shown))

    @functools.cached_property
    def statements(self) -> Mapping[int, str]:
        """Return what she said is wrong, in her words, by leaf index."""
        said = ((entry.leaf_index, entry.opened.get("statement", b"")) for entry in self.entries)
        return {leaf_index: text.decode() for leaf_index, text in said if text}

    @functools.cached_property
    def sharings(self) -> tuple[Consent, ...]:
        """Return with whom she shares and shared, newest first, as of when it was taken."""
        return sharings_of(self.entries, str(self.description["time"]))


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
