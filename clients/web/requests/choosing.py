# SPDX-License-Identifier: Apache-2.0
"""What she chose on the page of a request: read from its form, and kept until she decided.

Nothing is chosen for her. Whether a choice fits is the vault's to say; here is said only what is
missing, beside the field.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any, Final

from clients.web.dates import TypedDay, end_of, start_of
from clients.web.forms import Form
from clients.wording.times import is_past, last_day

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from clients.web.here import Here
    from clients.web.requests.asked import Asking, Piece
    from vault.api.v1.consent_pb2 import ConsentChoice, ConsentRequest, ItemChoice

NOTE: Final = "requests"
"""Under which the session keeps what she is in the middle of, by the request's id."""

MOST_KEPT: Final = 12

LONGEST_KEPT: Final = 100
"""Characters of one answer: none of them is free text."""

_CHOICE: Final = re.compile(r"(?:part|piece)-[0-9]{1,4}|versions|end-(?:day|month|year)")
"""The fields of the form."""

FOLLOW: Final = "follow"
THIS: Final = "this"


def note_of(here: Here, consent_request_id: str) -> dict[str, Any]:
    """Return what is kept for one request, to read and to change."""
    kept: dict[str, dict[str, Any]] = here.session.notes.setdefault(NOTE, {})
    if consent_request_id not in kept:
        kept[consent_request_id] = {}
        for oldest in list(kept)[:-MOST_KEPT]:
            del kept[oldest]
    return kept[consent_request_id]


def known_note(here: Here, consent_request_id: str) -> Mapping[str, Any]:
    """Return what is kept for one request, to read only."""
    found: Mapping[str, Any] = here.session.notes.get(NOTE, {}).get(consent_request_id, {})
    return found


def keep_typed(here: Here, consent_request_id: str) -> None:
    """Keep what she chose, for the pages that follow and for coming back; nothing else."""
    note_of(here, consent_request_id)["typed"] = [
        (name, value[:LONGEST_KEPT]) for name, value in here.form.pairs() if _CHOICE.fullmatch(name)
    ]


def typed_before(here: Here, consent_request_id: str) -> Form:
    """Return what she chose before; an empty form if she did not."""
    values: dict[str, tuple[str, ...]] = {}
    for name, value in known_note(here, consent_request_id).get("typed", ()):
        values[name] = (*values.get(name, ()), value)
    return Form(values)


@dataclasses.dataclass(frozen=True)
class Chosen:
    """What a form comes to.

    Attributes:
        choice: None if something is missing.
        errors: what, by the id of the field.
        names: the parts, by the place in the request.
    """

    choice: ConsentChoice | None
    errors: Mapping[str, str]
    names: Mapping[int, Sequence[str]]


def chosen_in(here: Here, asked: ConsentRequest, askings: Iterable[Asking], form: Form) -> Chosen:
    """Return what she chose, or what is missing."""
    from vault.api.v1 import consent_pb2  # noqa: PLC0415

    errors: dict[str, str] = {}
    items: dict[int, ItemChoice] = {}
    modes = {
        FOLLOW: consent_pb2.EVIDENCE_MODE_FOLLOWING,
        THIS: consent_pb2.EVIDENCE_MODE_PINNED,
    }
    mode = modes.get(form.text("versions"), consent_pb2.EVIDENCE_MODE_UNSPECIFIED)
    first = ""
    for asking in askings:
        first = first or f"asking-{asking.number}"
        piece, names = _taken(here, asking, form, errors)
        if piece and names:
            items[asking.number] = consent_pb2.ItemChoice(
                evidence_id=piece.evidence_id, names=names, mode=mode
            )
    if not items and not errors:
        errors[first] = here.words("choose.nothing")
    end = TypedDay.of(form, "end")
    choice = consent_pb2.ConsentChoice(items=items.values(), language=here.language)
    _take_end(here, asked, end, choice, errors)
    if not mode:
        errors["versions"] = here.words("versions.needed")
    names_of = {number: tuple(item.names) for number, item in items.items()}
    return Chosen(None if errors else choice, errors, names_of)


def _taken(
    here: Here, asking: Asking, form: Form, errors: dict[str, str]
) -> tuple[Piece | None, list[str]]:
    """Return what she lets them see of one piece that is asked for, and note what is missing."""
    ticked = set(form.texts(f"part-{asking.number}"))
    if not asking.needed and not ticked:
        return None, []
    if not asking.pieces:
        errors[f"asking-{asking.number}"] = here.words("missing.error", what=asking.title)
        return None, []
    wanted = form.text(f"piece-{asking.number}")
    fitting = [piece for piece in asking.pieces if piece.evidence_id == wanted]
    if len(asking.pieces) > 1 and not fitting:
        errors[f"piece-{asking.number}"] = here.words("which.needed", what=asking.title)
        return None, []
    piece = (fitting or asking.pieces)[0]
    if piece.lacks:
        what = f"{asking.title}: {', '.join(piece.lacks)}"
        errors[f"asking-{asking.number}"] = here.words("missing.error", what=what)
        return None, []
    names = [part.name for part in piece.needed]
    return piece, names + [part.name for part in piece.may if part.is_there and part.name in ticked]


def _take_end(
    here: Here,
    asked: ConsentRequest,
    typed: TypedDay,
    choice: ConsentChoice,
    errors: dict[str, str],
) -> None:
    """Set an earlier end, if she typed one."""
    if typed.is_empty:
        return
    words = here.words
    if typed.day is None:
        errors["end-day"] = words("page.date.wrong")
        return
    try:
        end = end_of(typed.day)
    except OverflowError:
        errors["end-day"] = words("page.date.wrong")
        return
    latest = asked.end_time.ToNanoseconds()
    if start_of(typed.day).ToNanoseconds() < latest <= end.ToNanoseconds():
        # On the last day itself theirs may come before midnight: then it stays theirs.
        return
    if is_past(end):
        errors["end-day"] = words("end.past")
    elif end.ToNanoseconds() > latest:
        errors["end-day"] = words("end.late", until=last_day(asked.end_time, words))
    else:
        choice.end_time.CopyFrom(end)
