# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault information`: what a citizen has added; she looks at it, now or as it was."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from clients.cli import giving, protecting, wrong
from clients.cli.command import command, noun
from clients.cli.numbers import short
from clients.cli.past import AsOf, state_as_of
from clients.cli.pieces import (
    CARES,
    SOURCES,
    Number,
    Revision,
    piece_of,
    pieces,
    say_disputes,
    say_holders,
)
from clients.cli.session import Session
from clients.wording.terms import labels
from clients.wording.times import date_of
from clients.wording.values import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vault.api.v1.audit_pb2 import EvidenceState
    from vault.api.v1.evidence_pb2 import Evidence, EvidenceField

app = noun("What is yours: add it once, look at it, replace it, say that it is wrong.")
app.add_typer(giving.top)
app.add_typer(wrong.top)
app.add_typer(protecting.top)


@command(app, "start", for_citizens=True)
def start(session: Session) -> None:
    """Make a place for your information. Adding something does so too."""
    response = session.open_place()
    if session.output.is_json:
        session.output.message(response)
        return
    session.output.say(session.words("started"))


@command(app, "kinds", for_citizens=True)
def kinds(session: Session) -> None:
    """Show what you can add, and the names of its parts."""
    known = session.published.kinds.values()
    if session.output.is_json:
        session.output.json(
            [
                {
                    "kind": kind.evidence_type,
                    "title": kind.title,
                    "description": kind.description,
                    "parts": [
                        {"name": field.name, "label": field.label, "hint": field.hint}
                        for field in kind.fields
                    ],
                }
                for kind in known
            ]
        )
        return
    words = session.words
    session.output.say(words("kinds"), "bold")
    session.output.table(
        [words("column.kind"), words("column.information"), words("column.about")],
        [(kind.evidence_type, kind.title, kind.description) for kind in known],
        unbroken=(0,),
    )


@command(app, "list", for_citizens=True)
def list_information(session: Session, *, as_of: AsOf = "") -> None:
    """Show what you have added, without what it says."""
    if as_of:
        past = state_as_of(session, as_of)
        if past is not None:
            _say_past(session, past.evidence)
        return
    whole = pieces(session)
    if session.output.is_json:
        session.output.message(whole)
        return
    words = session.words
    if not whole.evidence:
        session.output.say(words("nothing.added"))
        return
    session.output.say(words("your.information"), "bold")
    session.output.table(
        [
            words("column.number"),
            words("column.information"),
            words("column.parts"),
            words("column.source"),
            words("column.changed"),
        ],
        [
            (
                short(piece.evidence_id),
                _title(session, piece),
                _parts(
                    session,
                    piece.evidence_type,
                    [field.name for field in piece.fields],
                    [field.name for field in piece.fields if field.is_disputed],
                ),
                words(f"source.{SOURCES.get(piece.source, 'self')}"),
                date_of(piece.update_time, words),
            )
            for piece in whole.evidence
        ],
        unbroken=(0, 4),
    )


@command(app, "show", for_citizens=True)
def show(session: Session, number: Number, *, revision: Revision = 0) -> None:
    """Show one thing that you added, with what it says, and who has it."""
    response = piece_of(session, number, revision)
    if session.output.is_json:
        session.output.message(response)
        return
    words, output, piece = session.words, session.output, response.evidence
    kind = session.published.kind(piece.evidence_type)
    values = json.loads(piece.values)
    output.say(f"{kind.title} ({words('version.number', number=piece.revision)})", "bold")
    output.table(
        [
            words("column.part"),
            words("column.value"),
            words("column.care"),
            words("column.source"),
            words("column.changed"),
        ],
        [
            (
                kind.label(field.name),
                _value(session, shown(kind, field.name, values.get(field.name, ""), words), field),
                words(f"care.{CARES.get(field.sensitivity, 'ordinary')}"),
                words(f"source.{SOURCES.get(field.source, 'self')}"),
                date_of(field.update_time, words),
            )
            for field in piece.fields
        ],
        unbroken=(4,),
    )
    if piece.issued_date:
        output.say(words("issued", date=piece.issued_date))
    output.say(words("locked"))
    say_disputes(session, piece)
    say_holders(session, words("holders"), piece, response.holders)
    if not response.holders:
        output.say(words("holders.nobody"))


def _title(session: Session, piece: Evidence) -> str:
    title = session.published.kind(piece.evidence_type).title
    return f"{title}\n({session.words('protected.mark')})" if piece.is_protected else title


def _value(session: Session, text: str, field: EvidenceField) -> str:
    return f"{text}\n({session.words('wrong.mark')})" if field.is_disputed else text


def _parts(
    session: Session, evidence_type: str, names: Sequence[str], disputed: Sequence[str]
) -> str:
    text = labels(session, evidence_type, names)
    if not disputed:
        return text
    wrong_parts = labels(session, evidence_type, disputed)
    return f"{text}\n({session.words('wrong.mark')}: {wrong_parts})"


def _say_past(session: Session, found: Sequence[EvidenceState]) -> None:
    words, published = session.words, session.published
    if not found:
        session.output.say(words("nothing.then"))
        return
    session.output.table(
        [
            words("column.number"),
            words("column.information"),
            words("column.parts"),
            words("column.version"),
            words("column.changed"),
        ],
        [
            (
                short(piece.evidence_id),
                published.kind(piece.evidence_type).title,
                _parts(session, piece.evidence_type, piece.names, piece.disputed_names),
                str(piece.revision),
                date_of(piece.update_time, words),
            )
            for piece in found
        ],
        unbroken=(0, 4),
        right=(3,),
    )
