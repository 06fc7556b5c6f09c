# SPDX-License-Identifier: Apache-2.0
"""Evidence: a piece is provided once and replaced by revisions, each sealed with a key of its own.

Events name the fields that a revision has, never their values; values lie sealed in payloads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from vault.domain.errors import FieldInvalidError, NotFoundError
from vault.domain.events import Draft, Event, Facts
from vault.domain.values import Item, PayloadMark, Source, Stamp, Time, Value, later
from vault.domain.vault import must_be_sound

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vault.domain.state import VaultState

WHOLE_PIECE = 0
"""The item number by which an event names the piece of evidence that it is about."""


class EvidenceProvided(Facts, frozen=True, tag="evidence-provided.1"):
    """She provided a piece of evidence. `issuer` is the attesting organisation, "" if none."""

    evidence_type: str
    schema_version: int
    issued_date: str
    source: Source
    issuer: str
    names: tuple[str, ...]


class EvidenceReplaced(Facts, frozen=True, tag="evidence-replaced.1"):
    """She replaced it by a new revision; `changed` are the fields whose values differ."""

    evidence_type: str
    schema_version: int
    issued_date: str
    source: Source
    issuer: str
    names: tuple[str, ...]
    changed: tuple[str, ...]


class Revision(Value, frozen=True):
    """One revision of a piece of evidence; `updated` says when each field last changed.

    `version` is that of the event in her stream, beside which the values lie sealed; the bytes of a
    document lie elsewhere, and `document` is their mark.
    """

    revision: int
    version: int
    mark: PayloadMark | None
    document: PayloadMark | None
    schema_version: int
    issued_date: str
    source: Source
    issuer: str
    time: Time
    updated: dict[str, Time]

    @property
    def issued_time(self) -> Time:
        """Return from when its age counts: the start of its issued date, or when it was given."""
        return Time(f"{self.issued_date}T00:00:00.000000Z") if self.issued_date else self.time


class Dispute(Value, frozen=True):
    """Values that she says are wrong; `version` is that of the event beside which she says why.

    A value is known by its field and when that last changed: it goes out marked in whichever
    revision has it, also after a newer one put it right, unless the dispute `is_dropped`.
    """

    dispute_id: str
    version: int
    mark: PayloadMark | None
    values: dict[str, Time]
    is_shared: bool
    time: Time
    resolved: Time = Time("")
    is_dropped: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Return the disputed fields, sorted."""
        return tuple(sorted(self.values))

    @property
    def is_open(self) -> bool:
        """Say whether it is not settled."""
        return not self.resolved

    def names_in(self, revision: Revision) -> tuple[str, ...]:
        """Return the fields of which a revision has the disputed value, sorted."""
        if self.is_dropped:
            return ()
        return tuple(name for name in self.names if revision.updated.get(name) == self.values[name])


class Evidence(Value, frozen=True):
    """A piece of evidence with all its revisions and disputes, oldest first."""

    evidence_id: str
    evidence_type: str
    revisions: tuple[Revision, ...]
    disputes: tuple[Dispute, ...] = ()
    is_protected: bool = False

    @property
    def disputed(self) -> frozenset[str]:
        """Return the fields whose current values she says are wrong."""
        return self.disputed_in(self.current)

    def disputed_in(self, revision: Revision) -> frozenset[str]:
        """Return the fields whose values in a revision she says are wrong."""
        return frozenset(name for known in self.disputes for name in known.names_in(revision))

    @property
    def current(self) -> Revision:
        """Return the current revision."""
        return self.revisions[-1]

    def revision(self, number: int) -> Revision:
        """Return a revision by number; 0 is the current one."""
        return self.revisions[number - 1] if number else self.current


class Content(Value, frozen=True):
    """What a command says of the evidence that it brings, values left out."""

    schema_version: int
    names: tuple[str, ...]
    issued_date: str
    source: Source


def provide(
    state: VaultState | None, stamp: Stamp, evidence_id: str, evidence_type: str, content: Content
) -> Draft:
    """Provide a new piece of evidence.

    Raises:
        VaultNotOpenError: if there is no vault.
        FieldInvalidError: if it was issued in the future.
    """
    must_be_sound(state)
    _issued_in_the_past(stamp, content)
    facts = EvidenceProvided(
        time=stamp.time,
        salt=stamp.salt,
        evidence_type=evidence_type,
        schema_version=content.schema_version,
        issued_date=content.issued_date,
        source=content.source,
        issuer="",
        names=tuple(sorted(content.names)),
    )
    return Draft(facts=facts, items=(Item(item=WHOLE_PIECE, evidence_id=evidence_id, revision=1),))


def replace_by(
    state: VaultState | None,
    stamp: Stamp,
    evidence_id: str,
    content: Content,
    changed: Iterable[str],
) -> Draft:
    """Replace a piece of evidence by a new revision.

    Raises:
        VaultNotOpenError: if there is no vault.
        NotFoundError: if there is no such piece.
        FieldInvalidError: if it was issued in the future.
    """
    evidence = find(must_be_sound(state), evidence_id)
    _issued_in_the_past(stamp, content)
    facts = EvidenceReplaced(
        time=stamp.time,
        salt=stamp.salt,
        evidence_type=evidence.evidence_type,
        schema_version=content.schema_version,
        issued_date=content.issued_date,
        source=content.source,
        issuer="",
        names=tuple(sorted(content.names)),
        changed=tuple(sorted(changed)),
    )
    number = evidence.current.revision + 1
    item = Item(item=WHOLE_PIECE, evidence_id=evidence_id, revision=number)
    return Draft(facts=facts, items=(item,))


def find(state: VaultState, evidence_id: str) -> Evidence:
    """Return a piece of evidence.

    Raises:
        NotFoundError: if there is none.
    """
    evidence = state.evidence.get(evidence_id)
    if evidence is None:
        raise NotFoundError
    return evidence


def find_revision(state: VaultState, evidence_id: str, number: int) -> tuple[Evidence, Revision]:
    """Return a piece of evidence and one of its revisions; 0 is the current one.

    Raises:
        NotFoundError: if there is none.
    """
    piece = find(state, evidence_id)
    if number > len(piece.revisions):
        raise NotFoundError
    return piece, piece.revision(number)


def provided(state: VaultState, event: Event, facts: EvidenceProvided) -> VaultState:
    """Fold `EvidenceProvided`."""
    return _with_revision(state, event, facts, dict.fromkeys(facts.names, facts.time))


def replaced(state: VaultState, event: Event, facts: EvidenceReplaced) -> VaultState:
    """Fold `EvidenceReplaced`."""
    before = state.evidence.get(event.link.items[0].evidence_id)
    updated_before = before.current.updated if before else {}
    updated = {
        name: facts.time if name in facts.changed else updated_before.get(name, facts.time)
        for name in facts.names
    }
    return _with_revision(state, event, facts, updated)


def _with_revision(
    state: VaultState,
    event: Event,
    facts: EvidenceProvided | EvidenceReplaced,
    updated: Mapping[str, Time],
) -> VaultState:
    item = event.link.items[0]
    before = state.evidence.get(item.evidence_id)
    revision = Revision(
        revision=item.revision,
        version=event.link.version,
        mark=event.mark("evidence"),
        document=event.mark("document"),
        schema_version=facts.schema_version,
        issued_date=facts.issued_date,
        source=facts.source,
        issuer=facts.issuer,
        time=facts.time,
        updated=dict(updated),
    )
    evidence = Evidence(
        evidence_id=item.evidence_id,
        evidence_type=facts.evidence_type,
        revisions=(*(before.revisions if before else ()), revision),
        disputes=_after_replacement(before, facts, revision),
        is_protected=before is not None and before.is_protected,
    )
    return replace(state, evidence={**state.evidence, item.evidence_id: evidence})


def _after_replacement(
    before: Evidence | None, facts: EvidenceProvided | EvidenceReplaced, revision: Revision
) -> tuple[Dispute, ...]:
    """Settle the disputes of which the new revision has no value any more."""
    return tuple(
        replace(known, resolved=facts.time)
        if known.is_open and not known.names_in(revision)
        else known
        for known in (before.disputes if before else ())
    )


def _issued_in_the_past(stamp: Stamp, content: Content) -> None:
    # A day of grace: her calendar may be ahead of UTC.
    if content.issued_date > later(stamp.time, days=1)[:10]:
        raise FieldInvalidError("issued_date", "It lies in the future.")
