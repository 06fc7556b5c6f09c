# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault information add` and `replace`: what a citizen gives once, and gives anew."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from clients.cli.command import command
from clients.cli.errors import CommandError, UsageError
from clients.cli.numbers import short
from clients.cli.pieces import Number, piece_of, say_holders
from clients.cli.session import Session
from clients.cli.values import typed
from clients.connection import CallError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clients.wording.published import Kind
    from vault.api.v1.evidence_pb2 import Evidence, EvidenceSource

top = typer.Typer()

DOCUMENT: Final = "document"
"""The kind whose one part is a file; it has commands of its own."""

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


@command(top, "add", for_citizens=True)
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

    if kind == DOCUMENT:
        raise UsageError(session.words("document.is.a.file"), "citizen-vault document add FILE")
    known = known_kind(session, kind)
    request = ProvideEvidenceRequest(
        request_id=session.request_id,
        acting=session.acting,
        evidence_type=kind,
        values=typed(session, known, {}, file=file, settings=settings or []),
        issued_date=issued,
        source=_source(is_document=from_document),
    )
    with told_by_part(session, known):
        response = session.opening_place(session.connection.evidence.ProvideEvidence, request)
    if session.output.is_json:
        session.output.message(response)
        return
    session.output.say(session.words("added", what=known.title))
    say_kept(session, response)


@command(top, "replace", for_citizens=True)
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

    before: Evidence = piece_of(session, number).evidence
    if before.evidence_type == DOCUMENT:
        step = f"citizen-vault document replace {short(before.evidence_id)} FILE"
        raise UsageError(session.words("document.is.a.file"), step)
    known = session.published.kind(before.evidence_type)
    values = without(session, known, json.loads(before.values), remove or [])
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
    with told_by_part(session, known):
        response = session.connection.evidence.ReplaceEvidence(request)
    if session.output.is_json:
        session.output.message(response)
        return
    session.output.say(session.words("replaced", what=known.title))
    say_kept(session, response)
    say_old_holders(session, response)


def known_kind(session: Session, name: str) -> Kind:
    """Return a kind of information that is published.

    Raises:
        UsageError: if it is not.
    """
    found = session.published.kinds.get(name)
    if found is None:
        words = session.words
        raise UsageError(words("no.such.kind", kind=name), words("no.such.kind.next"))
    return found


def without(
    session: Session, kind: Kind, values: dict[str, Any], names: Sequence[str]
) -> dict[str, Any]:
    """Return values without these parts.

    Raises:
        UsageError: if one is not there.
    """
    for name in names:
        if values.pop(name, None) is None:
            raise UsageError(session.words("no.such.part", kind=kind.title, part=name))
    return values


@contextlib.contextmanager
def told_by_part(session: Session, kind: Kind) -> Iterator[None]:
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


def say_kept(session: Session, response: Any) -> None:
    """Print under which number something is kept, and in which entry that stands."""
    words = session.words
    session.output.say(words("number", id=short(response.evidence.evidence_id)) + ".")
    session.output.say(words("entry", entry=response.receipt.leaf_index) + ".")


def say_old_holders(session: Session, response: Any) -> None:
    """Print who still has what it said before."""
    old = [holder for holder in response.holders if not holder.is_current]
    say_holders(session, session.words("holders.old"), response.evidence, old)


def _source(*, is_document: bool) -> EvidenceSource.ValueType:
    from vault.api.v1 import evidence_pb2  # noqa: PLC0415

    if is_document:
        return evidence_pb2.EVIDENCE_SOURCE_DOCUMENT
    return evidence_pb2.EVIDENCE_SOURCE_SELF_DECLARED
