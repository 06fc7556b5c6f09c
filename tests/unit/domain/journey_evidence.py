# SPDX-License-Identifier: Apache-2.0
"""Journeys of evidence: she provides it, replaces it, says that it is wrong, and settles that."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.unit.domain.journey_engine import Engine, indexes, kinds, often, some_of_each, time_at
from tests.unit.domain.journey_model import DAY, SECOND, Disputed, Piece
from vault.domain import dispute, evidence
from vault.domain.evidence import Content
from vault.domain.values import moment_of

MOST_PIECES = 5
issued = st.sampled_from([None, 0, 3])


class Providing(Engine):
    """What she keeps in her vault."""

    def provides(self, kind: str, names: frozenset[str], issued_days_ago: int | None) -> None:
        content, since = self.content(names, issued_days_ago)
        draft = evidence.provide(
            self.state, self.stamp, f"evidence-{len(self.model.pieces)}", kind, content
        )
        self.append(draft)
        self.model.pieces.append(Piece(kind, [(names, since)]))

    def content(self, names: frozenset[str], issued_days_ago: int | None) -> tuple[Content, int]:
        since, date = self.now, ""
        if issued_days_ago is not None:
            date = time_at(self.now - issued_days_ago * DAY)[:10]
            midnight = moment_of(f"{date}T00:00:00.000000Z")
            since = round((midnight - moment_of(time_at(0))).total_seconds()) * SECOND
        content = Content(
            schema_version=1, names=tuple(names), issued_date=date, source="self-declared"
        )
        return content, since

    @rule(kind=kinds, names=some_of_each, issued=issued)
    @precondition(lambda self: len(self.model.pieces) < MOST_PIECES)
    def she_provides(self, kind: str, names: dict[str, set[str]], issued: int | None) -> None:
        self.provides(kind, frozenset(names[kind]), issued)

    @rule(index=indexes, names=some_of_each, issued=issued, moves=st.booleans())
    def she_replaces(
        self, *, index: int, names: dict[str, set[str]], issued: int | None, moves: bool
    ) -> None:
        """Replace a piece: all values are new, or one is corrected."""
        number = self.pick(self.model.pieces, index)
        has = frozenset(names[self.model.pieces[number].kind])
        self.replaces(number, has, issued, has if moves else frozenset(sorted(has)[:1]))

    def replaces(
        self,
        number: int,
        names: frozenset[str],
        issued_days_ago: int | None,
        changed: frozenset[str],
    ) -> None:
        content, since = self.content(names, issued_days_ago)
        evidence_id = f"evidence-{number}"
        self.append(evidence.replace_by(self.state, self.stamp, evidence_id, content, changed))
        self.model.pieces[number].replace(names, since, changed)

    @rule(index=indexes, names=some_of_each, fits=often)
    def she_disputes(self, *, index: int, names: dict[str, set[str]], fits: bool) -> None:
        number = self.pick(self.model.pieces, index)
        piece = self.model.pieces[number]
        wrong = frozenset(names[piece.kind])
        if fits:
            wrong = wrong & piece.names - piece.disputed or wrong
        is_there = wrong <= piece.names and not wrong & piece.disputed
        with self.expected("" if is_there else "FIELD_INVALID"):
            draft = dispute.dispute(
                self.state,
                self.stamp,
                evidence_id=f"evidence-{number}",
                dispute_id=f"dispute-{len(piece.disputes)}",
                names=tuple(wrong),
                is_shared=True,
            )
            self.append(draft)
            piece.disputes.append(Disputed(wrong))

    @rule(index=indexes)
    @precondition(lambda self: any(piece.disputes for piece in self.model.pieces))
    def she_settles(self, index: int) -> None:
        """Settle the latest dispute of a piece, which may be settled already."""
        disputed = [n for n, piece in enumerate(self.model.pieces) if piece.disputes]
        number = disputed[self.pick(disputed, index)]
        disputes = self.model.pieces[number].disputes
        with self.expected("" if disputes[-1].is_open else "DISPUTE_RESOLVED"):
            draft = dispute.resolve(
                self.state,
                self.stamp,
                evidence_id=f"evidence-{number}",
                dispute_id=f"dispute-{len(disputes) - 1}",
                outcome="withdrawn",
            )
            self.append(draft)
            disputes[-1].is_open = False
