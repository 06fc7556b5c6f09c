# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault document`: a citizen's letters, certificates and photographs, as files.

A file is looked at and its digest taken before it is sent; what comes back is checked against the
digest that stands with it before it gets its name.
"""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Annotated

import typer

from clients.cli.command import command, noun
from clients.cli.document_file import fetched, looked_at, sent
from clients.cli.giving import (
    DOCUMENT,
    Issued,
    known_kind,
    say_kept,
    say_old_holders,
    told_by_part,
    without,
)
from clients.cli.numbers import short
from clients.cli.pieces import Number, Revision, id_of, piece_of, pieces
from clients.cli.session import Session
from clients.cli.values import typed, with_settings
from clients.wording.times import date_of
from clients.wording.values import shown

if TYPE_CHECKING:
    from clients.wording.published import Kind
    from vault.api.v1.evidence_pb2 import Evidence

app = noun("Your letters, certificates and photographs: add them, replace them, save them.")

CONTENT = "content"

Path = Annotated[str, typer.Argument(metavar="FILE", help="A PDF, PNG or JPEG of 25 MiB at most.")]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PART=VALUE",
        help="What it is: title=..., kind=letter; repeat it for more. Without it you are asked.",
    ),
]


@command(app, "add", for_citizens=True)
def add(session: Session, file: Path, *, settings: Settings = None, issued: Issued = "") -> None:
    """Add a document from a file. Nobody can see it unless you share it."""
    found = looked_at(session, file)
    kind = _said_of(session)
    values = typed(session, kind, {}, file=None, settings=settings or [])
    with told_by_part(session, kind):
        response = sent(session, found.header(values, issued), file, found.size_bytes)
    if session.output.is_json:
        session.output.message(response)
        return
    session.output.say(session.words("added", what=kind.title))
    say_kept(session, response)


@command(app, "replace", for_citizens=True)
def replace(
    session: Session,
    number: Number,
    file: Path,
    *,
    settings: Settings = None,
    remove: Annotated[
        list[str] | None, typer.Option("--remove", metavar="PART", help="Leave this part out.")
    ] = None,
    issued: Issued = "",
) -> None:
    """Replace a document by another file. What is said of it stays, unless you change it."""
    found = looked_at(session, file)
    kind = _said_of(session)
    before: Evidence = piece_of(session, id_of(session, number, DOCUMENT)).evidence
    values = json.loads(before.values)
    values.pop(CONTENT, None)
    values = with_settings(
        kind, without(session, kind, values, remove or []), settings or [], session.words
    )
    said = json.dumps(values, ensure_ascii=False).encode()
    header = found.header(said, issued or before.issued_date, before.evidence_id)
    with told_by_part(session, kind):
        response = sent(session, header, file, found.size_bytes)
    if session.output.is_json:
        session.output.message(response)
        return
    session.output.say(session.words("replaced", what=kind.title))
    say_kept(session, response)
    say_old_holders(session, response)


@command(app, "list", for_citizens=True)
def list_documents(session: Session) -> None:
    """Show your documents: what you call them, what they are, how large."""
    from vault.api.v1.evidence_service_pb2 import ListEvidenceResponse  # noqa: PLC0415

    found = [
        piece_of(session, piece.evidence_id).evidence
        for piece in pieces(session).evidence
        if piece.evidence_type == DOCUMENT
    ]
    if session.output.is_json:
        session.output.message(ListEvidenceResponse(evidence=found))
        return
    words = session.words
    if not found:
        session.output.say(words("no.documents"))
        return
    kind = session.published.kind(DOCUMENT)
    session.output.table(
        [
            words("column.number"),
            kind.label("title"),
            kind.label("kind"),
            kind.label(CONTENT),
            words("column.changed"),
        ],
        [
            (
                short(piece.evidence_id),
                *(_part(session, kind, piece, name) for name in ("title", "kind", CONTENT)),
                date_of(piece.update_time, words),
            )
            for piece in found
        ],
        unbroken=(0, 4),
    )


@command(app, "save", for_citizens=True)
def save(
    session: Session,
    number: Number,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where to; a new file.")],
    *,
    revision: Revision = 0,
    force: Annotated[
        bool, typer.Option("--force", help="Write over a file that is there.")
    ] = False,
) -> None:
    """Save a document to a file. It gets its name once all of it has come and is checked."""
    evidence_id = id_of(session, number, DOCUMENT)
    content = fetched(session, evidence_id, revision, file, may_replace=force)
    if session.output.is_json:
        session.output.json(
            {
                "file": file,
                "media_type": content["mediaType"],
                "size_bytes": content["sizeBytes"],
                "sha256": content["sha256"],
            }
        )
        return
    session.output.say(session.words("document.saved", file=file))


def _said_of(session: Session) -> Kind:
    """Return what is said of a document, the file itself left out: that is no part to type."""
    kind = known_kind(session, DOCUMENT)
    fields = tuple(field for field in kind.fields if field.name != CONTENT)
    return dataclasses.replace(kind, fields=fields)


def _part(session: Session, kind: Kind, piece: Evidence, name: str) -> str:
    values = json.loads(piece.values)
    return shown(kind, name, values.get(name, ""), session.words)
