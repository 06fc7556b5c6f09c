# SPDX-License-Identifier: Apache-2.0
"""Letters, certificates and photographs, as files: adding, putting another in place, saving."""

from __future__ import annotations

import json
import urllib.parse
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from clients.connection import CallError
from clients.web.failure import NotThereError, page
from clients.web.here import local_path
from clients.web.information.answers import filled
from clients.web.information.file import (
    DOCUMENT_SECONDS,
    FIELD,
    BrokenError,
    FileError,
    Sent,
    fetched,
)
from clients.web.information.giving import Typed, form_page, has_place, said_of
from clients.web.information.piece import CONTENT, DOCUMENT, Piece, open_piece
from clients.web.room import Room

if TYPE_CHECKING:
    from clients.web.here import Here

room = Room(__name__)

_TEMPLATE: Final = "information/document.html"
_BY_SCRIPT: Final = "application/json"


@room.get("/information/add/document")
def add_document(here: Here) -> Response:
    """Ask for a file, and what it is."""
    has_place(here)
    return _asked(here, None)


@room.post("/information/add/document", takes_files=True)
def document_added(here: Here) -> Response:
    """Keep a file."""
    return _kept(here, None)


@room.get("/information/{evidence_id:uuid}/replace-document")
def replace_document(here: Here) -> Response:
    """Ask for another file in the place of one."""
    return _asked(here, _document(here))


@room.post("/information/{evidence_id:uuid}/replace-document", takes_files=True)
def document_replaced(here: Here) -> Response:
    """Keep another file in the place of one; then say who still has that one."""
    return _kept(here, _document(here))


@room.get("/information/{evidence_id:uuid}/document")
def document(here: Here) -> Response:
    """Save a document: never shown within a page, where it could act as one of ours."""
    asked = here.asked("version")
    revision = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 7 else 0
    try:
        found = fetched(here, here.path("evidence_id"), revision)
    except BrokenError:
        return page(here, 502, "document.broken")
    plain = found.name.encode("ascii", "replace").decode().replace("?", "_")
    quoted = urllib.parse.quote(found.name, safe="")
    return Response(
        found.content,
        media_type=found.media_type,
        headers={
            "content-disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quoted}",
            "content-security-policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
        },
    )


def _asked(here: Here, piece: Piece | None) -> Response:
    kind = said_of(here.published.kind(DOCUMENT))
    values = (
        {name: value for name, value in piece.values.items() if name != CONTENT} if piece else {}
    )
    return form_page(
        here, kind, filled(kind, values), piece=piece, back=here.asked("back"), template=_TEMPLATE
    )


def _kept(here: Here, piece: Piece | None) -> Response:
    from vault.api.v1.evidence_service_pb2 import DocumentHeader  # noqa: PLC0415

    kind = said_of(here.published.kind(DOCUMENT))
    typed = Typed.of(here, kind, piece)
    errors = typed.problems(here)
    try:
        sent = Sent.of(here.form)
    except FileError as error:
        errors[FIELD] = here.words(f"file.{error.kind}")
    else:
        if not errors:
            header = DocumentHeader(
                request_id=here.once,
                acting=here.acting,
                evidence_id=piece.evidence.evidence_id if piece else "",
                values=json.dumps(typed.answers.values, ensure_ascii=False).encode(),
                media_type=sent.media_type,
                sha256=sent.sha256,
                issued_date=typed.issued,
            )
            try:
                response = here.vault.evidence.UploadDocument(
                    sent.messages(header), timeout=DOCUMENT_SECONDS
                )
            except CallError as error:
                errors = _refused(here, typed, error)
            else:
                return _on(here, response.evidence.evidence_id, is_new=piece is None)
    return form_page(
        here,
        kind,
        here.form,
        asked=typed.asked,
        piece=piece,
        errors=errors,
        back=here.form.text("back"),
        template=_TEMPLATE,
    )


def _refused(here: Here, typed: Typed, error: CallError) -> dict[str, str]:
    if error.reason == "DOCUMENT_INVALID":
        return {FIELD: here.words("error.DOCUMENT_INVALID")}
    return typed.refused(here, error)


def _on(here: Here, evidence_id: str, *, is_new: bool) -> Response:
    """Return what leads on; a script that sent the file is told where to."""
    here.tell(here.words("document.added" if is_new else "document.replaced"))
    path = local_path(here.form.text("back"), "") or f"/information/{evidence_id}"
    if not is_new:
        path = f"/information/{evidence_id}/changed"
    if here.request.headers.get("accept", "") == _BY_SCRIPT:
        return Response(json.dumps({"to": path}), media_type=_BY_SCRIPT)
    return here.to(path)


def _document(here: Here) -> Piece:
    piece = open_piece(here, here.path("evidence_id"))
    if not piece.is_document:
        raise NotThereError
    return piece
