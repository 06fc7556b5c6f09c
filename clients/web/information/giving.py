# SPDX-License-Identifier: Apache-2.0
"""Adding something, and giving it anew: by a form made from the schema of its kind."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from clients.connection import CallError
from clients.web.dates import TypedDay
from clients.web.failure import NotThereError
from clients.web.forms import Form
from clients.web.here import local_path
from clients.web.information.answers import Answers, filled, kept
from clients.web.information.piece import CONTENT, DOCUMENT, Piece, open_piece
from clients.web.information.problems import of_server, placed
from clients.web.information.question import Question
from clients.web.information.questions import questions
from clients.web.room import Room

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response

    from clients.web.here import Here
    from clients.wording.published import Kind

room = Room(__name__)


@room.get("/information/add")
def kinds(here: Here) -> Response:
    """Let her choose what to add."""
    has_place(here)
    return here.page(
        "information/add.html",
        kinds=sorted(here.published.kinds.values(), key=lambda kind: kind.title.casefold()),
        back=local_path(here.asked("back"), ""),
    )


@room.get("/information/add/{evidence_type}")
def add(here: Here) -> Response:
    """Ask for something new."""
    has_place(here)
    kind = _kind(here)
    return form_page(here, kind, Form(), back=here.asked("back"))


@room.post("/information/add/{evidence_type}")
def added(here: Here) -> Response:
    """Keep something new, or ask again where it does not fit."""
    from vault.api.v1.evidence_service_pb2 import ProvideEvidenceRequest  # noqa: PLC0415

    kind = _kind(here)
    typed = Typed.of(here, kind)
    if typed.is_growing:
        return typed.again(here, {})
    errors = typed.problems(here)
    if not errors:
        request = ProvideEvidenceRequest(
            request_id=here.once,
            acting=here.acting,
            evidence_type=kind.evidence_type,
            values=_json(typed.answers.values),
            issued_date=typed.issued,
            source=source_of(here.form),
        )
        try:
            response = here.vault.evidence.ProvideEvidence(request)
        except CallError as error:
            errors = typed.refused(here, error)
        else:
            here.tell(here.words("added.done", what=kind.title))
            return here.to(
                local_path(here.form.text("back"), "")
                or f"/information/{response.evidence.evidence_id}"
            )
    return typed.again(here, errors)


@room.get("/information/{evidence_id:uuid}/replace")
def replace(here: Here) -> Response:
    """Ask for something anew, with what it says now."""
    piece = _replaceable(here)
    before = filled(piece.kind, piece.values)
    return form_page(here, piece.kind, before, piece=piece, back=here.asked("back"))


@room.post("/information/{evidence_id:uuid}/replace")
def replaced(here: Here) -> Response:
    """Keep something anew; then say who still has what was before."""
    from vault.api.v1.evidence_service_pb2 import ReplaceEvidenceRequest  # noqa: PLC0415

    piece = _replaceable(here)
    typed = Typed.of(here, piece.kind, piece)
    if typed.is_growing:
        return typed.again(here, {})
    errors = typed.problems(here)
    if not errors:
        values = kept(piece.kind, piece.values, typed.answers.values, here.words)
        request = ReplaceEvidenceRequest(
            request_id=here.once,
            acting=here.acting,
            evidence_id=piece.evidence.evidence_id,
            values=_json(values),
            issued_date=typed.issued,
            source=source_of(here.form),
        )
        try:
            here.vault.evidence.ReplaceEvidence(request)
        except CallError as error:
            errors = typed.refused(here, error)
        else:
            here.tell(here.words("replaced.done", what=piece.kind.title))
            back = local_path(here.form.text("back"), "")
            return here.to(back or f"{piece.path}/changed")
    return typed.again(here, errors)


@dataclasses.dataclass(frozen=True)
class Typed:
    """What she sent for a kind of information.

    Attributes:
        is_growing: a button was pressed that adds an entry to a list.
    """

    kind: Kind
    asked: tuple[Question, ...]
    answers: Answers
    day: TypedDay
    piece: Piece | None
    is_growing: bool

    @classmethod
    def of(cls, here: Here, kind: Kind, piece: Piece | None = None) -> Typed:
        """Return it from the form of a visit."""
        grown = here.form.text("grow")
        asked = questions(kind, here.form, here.words, grown=grown)
        answers = Answers(kind, asked, here.words)
        day = TypedDay.of(here.form, "issued")
        return cls(kind, asked, answers, day, piece, is_growing=bool(grown))

    @property
    def issued(self) -> str:
        """Return the date on the document, "" if there is none."""
        return self.day.day.isoformat() if self.day.day else ""

    def problems(self, here: Here) -> dict[str, str]:
        """Return what cannot be sent at all, by the ids of the inputs concerned."""
        errors = placed(self.asked, self.answers.problems, here.words)
        if not self.day.is_empty and self.day.day is None:
            errors["issued-day"] = here.words("problem.date")
        return errors

    def refused(self, here: Here, error: CallError) -> dict[str, str]:
        """Return what the server says is wrong, by the ids of the inputs concerned.

        Raises:
            CallError: if it is something else.
        """
        if error.reason != "EVIDENCE_INVALID":
            raise error
        return of_server(self.kind, self.asked, error.fields, here.words)

    def again(self, here: Here, errors: Mapping[str, str]) -> Response:
        """Return the form with what was typed."""
        return form_page(
            here,
            self.kind,
            here.form,
            asked=self.asked,
            piece=self.piece,
            errors=errors,
            back=here.form.text("back"),
        )


def form_page(
    here: Here,
    kind: Kind,
    form: Form,
    *,
    asked: tuple[Question, ...] = (),
    piece: Piece | None = None,
    errors: Mapping[str, str] | None = None,
    back: str = "",
    template: str = "information/form.html",
) -> Response:
    """Return the form of a kind, with what was typed, or with what there is already."""
    issued = TypedDay.of(form, "issued")
    is_from_document = form.has("from_document")
    if piece is not None and here.request.method == "GET":
        issued = _day_of(piece.evidence.issued_date)
        is_from_document = piece.evidence.source == source_of(Form({"from_document": ("yes",)}))
    return here.page(
        template,
        errors=errors,
        kind=kind,
        piece=piece,
        questions=asked or questions(kind, form, here.words),
        issued=issued,
        is_from_document=is_from_document,
        back=local_path(back, ""),
    )


def has_place(here: Here) -> None:
    """Make sure, before she types anything, that there is a place to keep it.

    Raises:
        CallError: if there is none: `failure.of_call` asks her how she wants to begin.
    """
    from vault.api.v1.vault_service_pb2 import GetVaultRequest  # noqa: PLC0415

    here.vault.vaults.GetVault(GetVaultRequest(acting=here.acting))


def said_of(kind: Kind) -> Kind:
    """Return what is said of a document, the file itself left out: that is no part to type."""
    fields = tuple(field for field in kind.fields if field.name != CONTENT)
    return dataclasses.replace(kind, fields=fields)


def source_of(form: Form) -> Any:
    """Return where she has it from: a document, or herself."""
    from vault.api.v1 import evidence_pb2  # noqa: PLC0415

    if form.has("from_document"):
        return evidence_pb2.EVIDENCE_SOURCE_DOCUMENT
    return evidence_pb2.EVIDENCE_SOURCE_SELF_DECLARED


def _day_of(date: str) -> TypedDay:
    year, _, rest = date.partition("-")
    month, _, day = rest.partition("-")
    return TypedDay((day.lstrip("0"), month.lstrip("0"), year)) if date else TypedDay()


def _kind(here: Here) -> Kind:
    kind = here.published.kinds.get(here.path("evidence_type"))
    if kind is None or kind.evidence_type == DOCUMENT:
        raise NotThereError
    return kind


def _replaceable(here: Here) -> Piece:
    piece = open_piece(here, here.path("evidence_id"))
    if piece.is_document:
        raise NotThereError
    return piece


def _json(values: Mapping[str, Any]) -> bytes:
    return json.dumps(values, ensure_ascii=False).encode()
