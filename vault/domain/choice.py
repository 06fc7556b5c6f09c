# SPDX-License-Identifier: Apache-2.0
"""Her choice for a request, and the terms that it comes to.

They are built twice, for her page and when she decides, and must come out the same: `shown_hash` =
SHA-256 of canonical `[terms, items]` as they stood on her page, salt and all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from vault.domain import evidence
from vault.domain.canonical import encode
from vault.domain.errors import (
    ChoiceNotOfferedError,
    FieldInvalidError,
)
from vault.domain.request import find_request, must_be_pending
from vault.domain.values import (
    AskedTerms,
    GrantedFields,
    Item,
    Mode,
    RequestedFields,
    Terms,
    Time,
)
from vault.domain.vault import must_be_sound

if TYPE_CHECKING:
    from vault.domain.state import VaultState


class ItemChoice(Struct, frozen=True, kw_only=True):
    """A piece of evidence and the fields of it that she lets be seen."""

    evidence_id: str
    names: tuple[str, ...]
    mode: Mode


class Choice(Struct, frozen=True, kw_only=True):
    """What she chooses for a request; `start` or `end` None is the request's."""

    items: tuple[ItemChoice, ...]
    start: Time | None
    end: Time | None
    language: str


class Shown(Struct, frozen=True, kw_only=True):
    """When her page was made and with which salt; the digest is of what stood on it."""

    time: Time
    salt: str


def terms_of(
    state: VaultState | None,
    time: Time,
    *,
    consent_request_id: str,
    consent_id: str,
    choice: Choice,
    shown: Shown,
) -> tuple[Terms, tuple[Item, ...]]:
    """Return the terms and items that a choice comes to.

    Raises:
        VaultNotOpenError, NotFoundError: if there is no such request or piece of evidence.
        RequestAlreadyDecidedError, RequestCancelledError, RequestExpiredError: if it waits for no
            answer.
        ChoiceNotOfferedError: naming what goes beyond the request or is missing.
    """
    vault = must_be_sound(state)
    request = find_request(vault, consent_request_id)
    must_be_pending(request, time)
    asked = request.asked
    granted, items = _granted_fields(vault, asked, choice)
    end = choice.end or asked.end
    if end > asked.end:
        raise ChoiceNotOfferedError("choice.end_time", "It is later than the request's.")
    if end <= shown.time:
        raise ChoiceNotOfferedError("choice.end_time", "It does not lie in the future.")
    start = max(choice.start or asked.start, shown.time)
    if start < asked.start:
        raise ChoiceNotOfferedError("choice.start_time", "It is earlier than the request's.")
    if start >= end:
        raise ChoiceNotOfferedError("choice.start_time", "It is not before the end.")
    terms = Terms(
        consent_id=consent_id,
        recipient=asked.recipient,
        purpose=asked.purpose,
        basis=asked.basis,
        method=asked.method,
        scope=granted,
        start=start,
        end=end,
        frequency=asked.frequency,
        one_time=asked.one_time,
        largest_age_days=asked.largest_age_days,
        retention_days=asked.retention_days,
        storage=asked.storage,
        jurisdiction=asked.jurisdiction,
        notice_hash=asked.notice_hash,
        language=choice.language,
        shown_time=shown.time,
        salt=shown.salt,
    )
    return terms, items


def shown_bytes(terms: Terms, items: tuple[Item, ...]) -> bytes:
    """Return canonical `[terms, items]`, whose SHA-256 is the shown_hash."""
    return encode([terms, items])


def _granted_fields(
    vault: VaultState, asked: AskedTerms, choice: Choice
) -> tuple[tuple[GrantedFields, ...], tuple[Item, ...]]:
    """Number the chosen items, in the order of her choice, and match each with what was asked."""
    open_fields = list(asked.scope)
    granted: list[GrantedFields] = []
    items: list[Item] = []
    chosen_ids: set[str] = set()
    for number, chosen in enumerate(choice.items, start=1):
        path = f"choice.items[{number - 1}]"
        piece = evidence.find(vault, chosen.evidence_id)
        if chosen.evidence_id in chosen_ids:
            raise ChoiceNotOfferedError(path, "This piece of evidence is chosen twice.")
        chosen_ids.add(chosen.evidence_id)
        fields = _take(open_fields, piece.evidence_type, frozenset(chosen.names))
        if fields is None:
            raise ChoiceNotOfferedError(path, "The request does not ask for this.")
        names = set(chosen.names)
        if not names:
            raise FieldInvalidError(f"{path}.names", "Nothing is chosen.")
        if not names.issuperset(fields.required):
            raise ChoiceNotOfferedError(f"{path}.names", "A required field is missing.")
        if not names.issubset(piece.current.updated):
            raise ChoiceNotOfferedError(f"{path}.names", "The evidence does not have this field.")
        granted.append(
            GrantedFields(
                item=number,
                evidence_type=piece.evidence_type,
                mode=chosen.mode,
                required=fields.required,
                optional=tuple(sorted(names - set(fields.required))),
            )
        )
        revision = piece.current.revision if chosen.mode == "pinned" else 0
        items.append(Item(item=number, evidence_id=chosen.evidence_id, revision=revision))
    if any(fields.required for fields in open_fields):
        raise ChoiceNotOfferedError("choice.items", "Something that is required is missing.")
    if not granted:
        raise FieldInvalidError("choice.items", "Nothing is chosen.")
    return tuple(granted), tuple(items)


def _take(
    open_fields: list[RequestedFields], evidence_type: str, names: frozenset[str]
) -> RequestedFields | None:
    for fields in open_fields:
        asked_names = names.issubset(fields.required + fields.optional)
        if fields.evidence_type == evidence_type and asked_names:
            open_fields.remove(fields)
            return fields
    return None
