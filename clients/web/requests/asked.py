# SPDX-License-Identifier: Apache-2.0
"""What somebody asks for, beside what she has of it: part by part, with her own values."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any, Final

from clients.connection import CallError
from clients.wording.published import whole_list
from clients.wording.terms import asked_terms, law, whose_choice
from clients.wording.times import moment
from clients.wording.values import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from clients.web.here import Here
    from clients.wording.published import Kind
    from vault.api.v1.consent_pb2 import ConsentRequest
    from vault.api.v1.evidence_pb2 import Evidence
    from vault.api.v1.registry_pb2 import PurposeTexts

STATES: Final = {1: "PENDING", 2: "GRANTED", 3: "EXPIRED", 4: "REFUSED", 5: "CANCELLED"}
_LAW_DECIDES: Final = 3


@dataclasses.dataclass(frozen=True)
class Part:
    """One part of a kind of information; `value` is "" where it is not there or not to be read."""

    name: str
    label: str
    value: str
    is_there: bool


@dataclasses.dataclass(frozen=True)
class Piece:
    """Something of hers that fits: one address, one income.

    Attributes:
        needed: without which they cannot go on.
        may: which she may leave out.
        is_hidden: it is kept specially safe, and she did not just sign in.
    """

    evidence_id: str
    needed: tuple[Part, ...]
    may: tuple[Part, ...]
    is_hidden: bool

    @property
    def lacks(self) -> tuple[str, ...]:
        """Return the labels of what they need and it does not say."""
        return tuple(part.label for part in self.needed if not part.is_there)

    @property
    def in_short(self) -> str:
        """Return what tells it from others of its kind."""
        return ", ".join(part.value for part in (*self.needed, *self.may) if part.value)


@dataclasses.dataclass(frozen=True)
class Asking:
    """One piece that is asked for.

    Attributes:
        number: its place in the request, which names the fields of the form.
        pieces: what she has of this kind.
    """

    number: int
    evidence_type: str
    title: str
    needed: tuple[str, ...]
    may: tuple[tuple[str, str], ...]
    pieces: tuple[Piece, ...]


def request_here(here: Here) -> ConsentRequest:
    """Return the request that the path of a visit names."""
    from vault.api.v1.consent_service_pb2 import GetRequestRequest  # noqa: PLC0415

    request = GetRequestRequest(
        acting=here.acting, consent_request_id=here.path("consent_request_id")
    )
    return here.vault.consents.GetRequest(request).consent_request


def requests_of(here: Here, *, only_waiting: bool = False) -> Sequence[ConsentRequest]:
    """Return who asks and who asked, newest first."""
    from vault.api.v1.consent_service_pb2 import ListRequestsRequest  # noqa: PLC0415

    request = ListRequestsRequest(acting=here.acting, only_pending=only_waiting)
    found: Sequence[ConsentRequest] = whole_list(
        here.vault.consents.ListRequests, request, "consent_requests"
    ).consent_requests
    return found


def pieces_of(here: Here) -> Sequence[Evidence]:
    """Return everything that she gave, without its values."""
    from vault.api.v1.evidence_service_pb2 import ListEvidenceRequest  # noqa: PLC0415

    request = ListEvidenceRequest(acting=here.acting)
    found: Sequence[Evidence] = whole_list(
        here.vault.evidence.ListEvidence, request, "evidence"
    ).evidence
    return found


def state_of(asked: ConsentRequest) -> str:
    """Return the name of its state."""
    return STATES.get(asked.state, "EXPIRED")


def is_waiting(asked: ConsentRequest) -> bool:
    """Say whether it waits for her answer."""
    return state_of(asked) == "PENDING"


def is_law(asked: ConsentRequest) -> bool:
    """Say whether the law and not she decides that they get it."""
    return asked.decision_form == _LAW_DECIDES


def texts_of(here: Here, asked: ConsentRequest) -> PurposeTexts | None:
    """Return what they say of what it is for, and what happens if she says no."""
    purpose = here.published.purpose(asked.purpose)
    return here.published.purpose_texts(purpose) if purpose else None


def askings_of(here: Here, asked: ConsentRequest, yours: Iterable[Evidence]) -> tuple[Asking, ...]:
    """Return what is asked for, beside what she has of it."""
    by_type: dict[str, list[Evidence]] = {}
    for piece in yours:
        by_type.setdefault(piece.evidence_type, []).append(piece)
    found = []
    for number, scope in enumerate(asked.scope):
        kind = here.published.kind(scope.evidence_type)
        needed, may = kind.in_order(scope.required), kind.in_order(scope.optional)
        found.append(
            Asking(
                number=number,
                evidence_type=scope.evidence_type,
                title=kind.title,
                needed=tuple(kind.label(name) for name in needed),
                may=tuple((name, kind.label(name)) for name in may),
                pieces=tuple(
                    _piece(here, kind, piece, needed, may)
                    for piece in by_type.get(scope.evidence_type, ())
                ),
            )
        )
    return tuple(found)


def others_of(here: Here, asked: ConsentRequest, yours: Iterable[Evidence]) -> list[str]:
    """Return the kinds of what she has and nobody asks for here."""
    wanted = {scope.evidence_type for scope in asked.scope}
    rest = dict.fromkeys(piece.evidence_type for piece in yours)
    return [here.published.kind(name).title for name in rest if name not in wanted]


def until_rows(here: Here, asked: ConsentRequest) -> list[tuple[str, str]]:
    """Return from when, until when, how often, and what they keep."""
    words = here.words
    answer_by = moment(asked.expire_time, words) if is_waiting(asked) else ""
    return [*asked_terms(asked, words), (words("answer.by"), answer_by)]


def choice_of(here: Here, asked: ConsentRequest) -> tuple[str, str]:
    """Return whose choice it honestly is, and their reason in law."""
    purpose = here.published.purpose(asked.purpose)
    reason = law(purpose.bounds.legal_basis, here.words) if purpose else ""
    return whose_choice(asked.decision_form, here.words), reason


def _piece(
    here: Here, kind: Kind, piece: Evidence, needed: Iterable[str], may: Iterable[str]
) -> Piece:
    values = values_of(here, piece)
    fields = {field.name: field.is_disputed for field in piece.fields}

    def part(name: str) -> Part:
        text = shown(kind, name, values[name], here.words) if values and name in values else ""
        if text and fields.get(name):
            text = f"{text}\n({here.words('wrong.mark')})"
        return Part(name, kind.label(name), text, is_there=name in fields)

    return Piece(
        evidence_id=piece.evidence_id,
        needed=tuple(part(name) for name in needed),
        may=tuple(part(name) for name in may),
        is_hidden=values is None,
    )


def values_of(here: Here, piece: Evidence) -> Mapping[str, Any] | None:
    """Return what a piece says; None if it is kept from whoever is here just now."""
    from vault.api.v1.evidence_service_pb2 import GetEvidenceRequest  # noqa: PLC0415

    request = GetEvidenceRequest(acting=here.acting, evidence_id=piece.evidence_id)
    try:
        found = here.vault.evidence.GetEvidence(request).evidence.values
    except CallError as error:
        if error.reason not in {"FRESH_SIGN_IN_REQUIRED", "CAPACITY_NOT_ALLOWED"}:
            raise
        return None
    values: Mapping[str, Any] | None = json.loads(found) if found else None
    return values
