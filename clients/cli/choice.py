# SPDX-License-Identifier: Apache-2.0
"""What a citizen chooses of what somebody asks: from `--choose`, or question by question.

Nothing is chosen for her. Whether a choice fits the request is the server's to say; here only what
it cannot mean is caught, and said in her words.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from clients.cli.errors import UsageError
from clients.cli.giving import DOCUMENT
from clients.cli.numbers import short

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clients.cli.session import Session
    from clients.wording.published import Kind
    from vault.api.v1.consent_pb2 import ConsentRequest, RequestedScope
    from vault.api.v1.evidence_pb2 import Evidence


@dataclasses.dataclass(frozen=True)
class Chosen:
    """One thing of hers and the parts of it that may be seen; `is_pinned`: as it is now only."""

    piece: Evidence
    names: tuple[str, ...]
    is_pinned: bool = False


def named(
    session: Session,
    asked: ConsentRequest,
    yours: Sequence[Evidence],
    typed: Sequence[str],
    *,
    is_pinned: bool,
) -> tuple[Chosen, ...]:
    """Return what `--choose WHAT:PART,PART` names; WHAT alone is every part that is asked of it.

    Args:
        yours: everything that she added.
        is_pinned: only as it is now, not what she changes later.

    Raises:
        UsageError: if it is not hers, not asked for, or could mean two things.
    """
    chosen = (_named(session, asked, yours, text) for text in typed)
    return tuple(dataclasses.replace(one, is_pinned=is_pinned) for one in chosen)


def asked_for(
    session: Session, asked: ConsentRequest, yours: Sequence[Evidence], *, is_pinned: bool
) -> tuple[Chosen, ...]:
    """Return what she answers to one question for each part; Enter alone leaves it out.

    Unless all `is_pinned`, one question more for each thing: whether they see later versions.
    """
    words, published, output = session.words, session.published, session.output
    who = published.who(asked.service_id)
    chosen = []
    for scope in asked.scope:
        kind = published.kind(scope.evidence_type)
        if scope.required:
            parts = ", ".join(kind.label(name) for name in kind.in_order(scope.required))
            output.tell(words("choose.needs", parts=f"{kind.title}: {parts}"))
        piece = _which(session, [one for one in yours if one.evidence_type == scope.evidence_type])
        if piece is None:
            output.tell(words("not.yours.yet", what=kind.title))
            continue
        has = {field.name for field in piece.fields}
        names = tuple(
            name
            for name in kind.in_order([*scope.required, *scope.optional])
            if name in has and _says_yes(session, who, kind, name, is_needed=name in scope.required)
        )
        if names:
            only_now = is_pinned or not _lets_follow(session, kind)
            chosen.append(Chosen(piece, names, is_pinned=only_now))
    return tuple(chosen)


def _says_yes(session: Session, who: str, kind: Kind, name: str, *, is_needed: bool) -> bool:
    words = session.words
    part = kind.label(name) + (f" [{words('needed.mark')}]" if is_needed else "")
    answer = session.output.ask(words("choose.part", who=who, what=kind.title, part=part))
    return answer.lower() in words.yes_letters


def _lets_follow(session: Session, kind: Kind) -> bool:
    words = session.words
    answer = session.output.ask(words("choose.follow", what=kind.title))
    return answer.lower() in words.yes_letters


def left_out(asked: ConsentRequest, chosen: Sequence[Chosen]) -> Mapping[str, tuple[str, ...]]:
    """Return the parts that are asked for and not chosen, by their kind of information."""
    taken: dict[str, set[str]] = {}
    for one in chosen:
        taken.setdefault(one.piece.evidence_type, set()).update(one.names)
    rest: dict[str, tuple[str, ...]] = {}
    for scope in asked.scope:
        names = [*scope.required, *scope.optional]
        not_taken = [name for name in names if name not in taken.get(scope.evidence_type, ())]
        if not_taken:
            rest[scope.evidence_type] = (*rest.get(scope.evidence_type, ()), *not_taken)
    return rest


def _named(session: Session, asked: ConsentRequest, yours: Sequence[Evidence], text: str) -> Chosen:
    words, published = session.words, session.published
    what, colon, parts = text.partition(":")
    scopes = [scope for scope in asked.scope if scope.evidence_type == what]
    if scopes:
        found = [piece for piece in yours if piece.evidence_type == what]
    else:
        found = [piece for piece in yours if what and piece.evidence_id.startswith(what.lower())]
        kinds = {piece.evidence_type for piece in found}
        scopes = [scope for scope in asked.scope if scope.evidence_type in kinds]
    if not scopes:
        raise UsageError(words("not.asked", part=what))
    kind = published.kind(scopes[0].evidence_type)
    if not found:
        raise UsageError(
            words("not.yours.yet", what=kind.title),
            _how_to_add(kind),
        )
    if len(found) > 1:
        raise UsageError(words("two.of.them", what=_numbered(found), option="--choose"))
    offered = {name for scope in scopes for name in _names(scope)}
    has = {field.name for field in found[0].fields}
    if not colon:
        return Chosen(found[0], kind.in_order(offered & has))
    names = [name.strip() for name in parts.split(",") if name.strip()]
    for name in names:
        if name not in offered:
            raise UsageError(words("not.asked", part=f"{kind.title}: {kind.label(name)}"))
        if name not in has:
            what = f"{kind.title}: {kind.label(name)}"
            raise UsageError(words("not.yours.yet", what=what))
    if not names:
        raise UsageError(words("choose.something"))
    return Chosen(found[0], kind.in_order(dict.fromkeys(names)))


def _which(session: Session, found: Sequence[Evidence]) -> Evidence | None:
    if len(found) <= 1:
        return found[0] if found else None
    title = session.published.kind(found[0].evidence_type).title
    session.output.tell(session.words("choose.which", what=title))
    while True:
        typed = session.output.ask(_numbered(found) + ":").lower()
        if not typed:
            return None
        fitting = [piece for piece in found if piece.evidence_id.startswith(typed)]
        if len(fitting) == 1:
            return fitting[0]


def _how_to_add(kind: Kind) -> str:
    if kind.evidence_type == DOCUMENT:
        return "citizen-vault document add FILE"
    return f"citizen-vault information add {kind.evidence_type}"


def _numbered(found: Sequence[Evidence]) -> str:
    return ", ".join(short(piece.evidence_id) for piece in found)


def _names(scope: RequestedScope) -> tuple[str, ...]:
    return (*scope.required, *scope.optional)
