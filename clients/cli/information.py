# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault information`: what a citizen gives once, looks at, and replaces."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from clients.cli.command import command, noun
from clients.cli.errors import CommandError, UsageError
from clients.cli.numbers import short, whole_id
from clients.cli.published import whole_list
from clients.cli.session import Session
from clients.cli.times import date_of
from clients.cli.values import shown, typed
from clients.connection import CallError

if TYPE_CHECKING:
    from clients.cli.published import Kind
    from vault.api.v1.evidence_pb2 import Evidence, EvidenceSource
    from vault.api.v1.evidence_service_pb2 import GetEvidenceResponse

app = noun("What is yours: add it once, look at it, replace it.")

SOURCES: Final = {1: "self", 2: "document", 3: "issuer"}
CARES: Final = {1: "ordinary", 2: "sensitive", 3: "special"}

Number = Annotated[
    str, typer.Argument(metavar="NUMBER", help="As in the list; its beginning will do.")
]
File = Annotated[
    str, typer.Option("--file", metavar="FILE", help="A file with a JSON object; - reads stdin.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PART=VALUE",
        help="One part; repeat it for more. Others on this machine may see what is typed here.",
    ),
]
Issued = Annotated[
    str, typer.Option("--issued", metavar="YYYY-MM-DD", help="The date on the document.")
]
FromDocument = Annotated[
    bool, typer.Option("--from-document", help="You copied it from a document that you have.")
]


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


@command(app, "add", for_citizens=True)
def add(
    session: Session,
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="For instance postal_address; see `kinds`.")
    ],
    *,
    file: File = "",
    settings: Settings = None,
    issued: Issued = "",
    from_document: FromDocument = False,
) -> None:
    """Add something. Without --file or --set you are asked, part by part.

    Nobody can see it unless you share it.
    """
    from vault.api.v1.evidence_service_pb2 import ProvideEvidenceRequest  # noqa: PLC0415

    known = _kind(session, kind)
    request = ProvideEvidenceRequest(
        request_id=session.request_id,
        acting=session.acting,
        evidence_type=kind,
        values=typed(session, known, {}, file=file, settings=settings or []),
        issued_date=issued,
        source=_source(is_document=from_document),
    )
    with _told_by_part(session, known):
        response = session.opening_place(session.connection.evidence.ProvideEvidence, request)
    if session.output.is_json:
        session.output.message(response)
        return
    session.output.say(session.words("added", what=known.title))
    _say_kept(session, response)


@command(app, "list", for_citizens=True)
def list_information(session: Session) -> None:
    """Show what you have added, without what it says."""
    whole = pieces(session)
    if session.output.is_json:
        session.output.message(whole)
        return
    words, published = session.words, session.published
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
                published.kind(piece.evidence_type).title,
                ", ".join(
                    published.kind(piece.evidence_type).label(field.name) for field in piece.fields
                ),
                words(f"source.{SOURCES.get(piece.source, 'self')}"),
                date_of(piece.update_time, words),
            )
            for piece in whole.evidence
        ],
        unbroken=(0, 4),
    )


@command(app, "show", for_citizens=True)
def show(session: Session, number: Number) -> None:
    """Show one thing that you added, with what it says."""
    response = _get(session, number)
    if session.output.is_json:
        session.output.message(response)
        return
    words, piece = session.words, response.evidence
    kind = session.published.kind(piece.evidence_type)
    values = json.loads(piece.values)
    session.output.say(kind.title, "bold")
    session.output.table(
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
                shown(kind, field.name, values.get(field.name, ""), words),
                words(f"care.{CARES.get(field.sensitivity, 'ordinary')}"),
                words(f"source.{SOURCES.get(field.source, 'self')}"),
                date_of(field.update_time, words),
            )
            for field in piece.fields
        ],
        unbroken=(4,),
    )
    if piece.issued_date:
        session.output.say(words("issued", date=piece.issued_date))
    session.output.say(words("locked"))


@command(app, "replace", for_citizens=True)
def replace(
    session: Session,
    number: Number,
    *,
    file: File = "",
    settings: Settings = None,
    remove: Annotated[
        list[str] | None, typer.Option("--remove", metavar="PART", help="Leave this part out.")
    ] = None,
    issued: Issued = "",
    from_document: FromDocument = False,
) -> None:
    """Replace something that you added.

    --set and --remove change these parts and keep the others; --file replaces all of it.
    """
    from vault.api.v1.evidence_service_pb2 import ReplaceEvidenceRequest  # noqa: PLC0415

    before: Evidence = _get(session, number).evidence
    known = session.published.kind(before.evidence_type)
    values = json.loads(before.values)
    for name in remove or []:
        if values.pop(name, None) is None:
            raise UsageError(session.words("no.such.part", kind=known.title, part=name))
    request = ReplaceEvidenceRequest(
        request_id=session.request_id,
        acting=session.acting,
        evidence_id=before.evidence_id,
        values=typed(
            session, known, values, file=file, settings=settings or [], is_changed=bool(remove)
        ),
        issued_date=issued or before.issued_date,
        source=_source(is_document=from_document),
    )
    with _told_by_part(session, known):
        response = session.connection.evidence.ReplaceEvidence(request)
    if session.output.is_json:
        session.output.message(response)
        return
    session.output.say(session.words("replaced", what=known.title))
    _say_kept(session, response)


def pieces(session: Session) -> Any:
    """Return the list of everything she added."""
    from vault.api.v1.evidence_service_pb2 import ListEvidenceRequest  # noqa: PLC0415

    request = ListEvidenceRequest(acting=session.acting)
    return whole_list(session.connection.evidence.ListEvidence, request, "evidence")


def piece_values(session: Session, evidence_id: str) -> Any:
    """Return what one thing says, by the names of its parts."""
    return json.loads(_get(session, evidence_id).evidence.values)


def _get(session: Session, number: str) -> GetEvidenceResponse:
    from vault.api.v1.evidence_service_pb2 import GetEvidenceRequest  # noqa: PLC0415

    evidence_id = whole_id(
        number, lambda: [piece.evidence_id for piece in pieces(session).evidence], session.words
    )
    request = GetEvidenceRequest(acting=session.acting, evidence_id=evidence_id)
    return session.connection.evidence.GetEvidence(request)


def _kind(session: Session, name: str) -> Kind:
    found = session.published.kinds.get(name)
    if found is None:
        words = session.words
        raise UsageError(words("no.such.kind", kind=name), words("no.such.kind.next"))
    return found


def _source(*, is_document: bool) -> EvidenceSource.ValueType:
    from vault.api.v1 import evidence_pb2  # noqa: PLC0415

    if is_document:
        return evidence_pb2.EVIDENCE_SOURCE_DOCUMENT
    return evidence_pb2.EVIDENCE_SOURCE_SELF_DECLARED


@contextlib.contextmanager
def _told_by_part(session: Session, kind: Kind) -> Iterator[None]:
    """Tell what does not fit by the labels of its parts; programs get the fields as they are."""
    try:
        yield
    except CallError as error:
        if error.reason != "EVIDENCE_INVALID" or session.output.is_json:
            raise
        lines = [session.words("error.EVIDENCE_INVALID")]
        for field, what in error.fields:
            known = kind.field(field.lstrip("/").partition("/")[0])
            # The server's sentences are English; elsewhere the part's own hint says it.
            why = known.hint if known and session.words.language != "en" else what
            label = known.label if known else kind.title
            lines.append(f"  {session.words('wrong.field', label=label, why=why)}")
        raise CommandError("\n".join(lines)) from None


def _say_kept(session: Session, response: Any) -> None:
    words = session.words
    session.output.say(words("number", id=short(response.evidence.evidence_id)) + ".")
    session.output.say(words("entry", entry=response.receipt.leaf_index) + ".")
