# SPDX-License-Identifier: Apache-2.0
"""Exactly what would be sent, as the vault shows it, and what may be signed for it."""

from __future__ import annotations

import base64
import dataclasses
import json
from typing import TYPE_CHECKING, Any, Final

from clients import approving
from clients.web.requests.asked import pieces_of, values_of
from clients.wording.times import date_of
from clients.wording.values import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from google.protobuf.timestamp_pb2 import Timestamp

    from clients.web.here import Here
    from clients.wording.published import Kind
    from vault.api.v1.consent_pb2 import Consent, ConsentChoice, ConsentRequest, Shown
    from vault.api.v1.evidence_pb2 import Evidence
    from vault.api.v1.vault_pb2 import ApprovalChallenge

_SOURCES: Final = {"self-declared": "self", "document": "document", "issuer": "issuer"}
_SOURCE_NUMBERS: Final = {1: "self", 2: "document", 3: "issuer"}


@dataclasses.dataclass(frozen=True)
class Sent:
    """One part that would be sent: its texts as she reads them."""

    label: str
    value: str
    source: str
    changed: str
    is_disputed: bool


@dataclasses.dataclass(frozen=True)
class SentPiece:
    """What would be sent of one thing of hers; `statements`: what she says of it goes along."""

    title: str
    parts: Sequence[Sent]
    statements: Sequence[str]

    @property
    def origin(self) -> tuple[str, str] | None:
        """Return where all of it comes from and when it changed; None if that differs."""
        found = {(part.source, part.changed) for part in self.parts}
        return found.pop() if len(found) == 1 else None


@dataclasses.dataclass(frozen=True)
class Offer:
    """What a choice comes to.

    Attributes:
        pieces: exactly what would be sent.
        is_hidden: whoever is here may not read it, though it would be sent.
        challenge: what may be signed for it.
    """

    choice: ConsentChoice
    consent: Consent
    shown: Shown
    challenge: ApprovalChallenge
    pieces: Sequence[SentPiece]
    is_hidden: bool

    def as_note(self) -> dict[str, str]:
        """Return what is kept of it until she decides."""
        messages = {"choice": self.choice, "shown": self.shown, "challenge": self.challenge}
        return {
            name: base64.b64encode(message.SerializeToString(deterministic=True)).decode("ascii")
            for name, message in messages.items()
        }


@dataclasses.dataclass(frozen=True)
class KeptOffer:
    """What was kept of an offer."""

    choice: ConsentChoice
    shown: Shown
    challenge: ApprovalChallenge

    @classmethod
    def of_note(cls, note: Mapping[str, str]) -> KeptOffer:
        """Return it as it was kept."""
        from vault.api.v1 import consent_pb2, vault_pb2  # noqa: PLC0415

        data = {name: base64.b64decode(text) for name, text in note.items()}
        return cls(
            choice=consent_pb2.ConsentChoice.FromString(data["choice"]),
            shown=consent_pb2.Shown.FromString(data["shown"]),
            challenge=vault_pb2.ApprovalChallenge.FromString(data["challenge"]),
        )


def offer_of(here: Here, asked: ConsentRequest, choice: ConsentChoice) -> Offer:
    """Return what a choice comes to. Nothing is shared.

    Raises:
        NotAsShownError: if something else than what is shown would be signed.
        CallError: CHOICE_NOT_OFFERED, FRESH_SIGN_IN_REQUIRED and others.
    """
    from vault.api.v1.consent_service_pb2 import PreviewConsentRequest  # noqa: PLC0415

    preview = here.vault.consents.PreviewConsent(
        PreviewConsentRequest(
            acting=here.acting, consent_request_id=asked.consent_request_id, choice=choice
        )
    )
    by_id = {piece.evidence_id: piece for piece in pieces_of(here)}
    challenge = approving.to_grant(
        preview, asked, choice, by_id, here.published.purpose(asked.purpose)
    )
    is_hidden = not preview.bundle and _is_hidden(here, choice, by_id)
    if preview.bundle:
        pieces = list(_in_bundle(here, preview.bundle))
    else:
        pieces = list(_in_pieces(here, choice, by_id))
    return Offer(choice, preview.consent, preview.shown, challenge, pieces, is_hidden)


def digest_of(shown: Shown) -> str:
    """Return what a form names what was shown by."""
    return shown.shown_hash.hex()


def _is_hidden(here: Here, choice: ConsentChoice, by_id: Mapping[str, Evidence]) -> bool:
    return here.is_assisted and any(by_id[one.evidence_id].is_protected for one in choice.items)


def _in_bundle(here: Here, bundle: bytes) -> Iterator[SentPiece]:
    """Yield what a bundle holds: these very bytes would leave."""
    for item in json.loads(bundle)["items"]:
        kind = here.published.kind(item["evidence_type"])
        fields = {field["name"]: field for field in item["fields"]}
        statements = [dispute["statement"] for dispute in item.get("disputes", ())]
        source = _SOURCES.get(item["source"], "issuer")
        parts = [
            _sent(
                here,
                kind,
                name,
                fields[name]["value"],
                source=source,
                changed=_time(fields[name]["updated"]),
                is_disputed=fields[name].get("is_disputed", False),
            )
            for name in kind.in_order(fields)
        ]
        yield SentPiece(kind.title, parts, [text for text in statements if text])


def _in_pieces(
    here: Here, choice: ConsentChoice, by_id: Mapping[str, Evidence]
) -> Iterator[SentPiece]:
    """Yield the same from her pieces, where all of it is too large for one answer."""
    for one in choice.items:
        piece = by_id[one.evidence_id]
        kind = here.published.kind(piece.evidence_type)
        values = values_of(here, piece) or {}
        source = _SOURCE_NUMBERS.get(piece.source, "self")
        fields = {field.name: field for field in piece.fields if field.name in one.names}
        parts = [
            _sent(
                here,
                kind,
                name,
                values.get(name, ""),
                source=source,
                changed=fields[name].update_time,
                is_disputed=fields[name].is_disputed,
            )
            for name in kind.in_order(fields)
        ]
        yield SentPiece(kind.title, parts, ())


def _sent(
    here: Here,
    kind: Kind,
    name: str,
    value: Any,
    *,
    source: str,
    changed: Timestamp,
    is_disputed: bool,
) -> Sent:
    return Sent(
        label=kind.label(name),
        value=shown(kind, name, value, here.words),
        source=here.words(f"source.{source}"),
        changed=date_of(changed, here.words),
        is_disputed=is_disputed,
    )


def _time(text: str) -> Timestamp:
    from google.protobuf.timestamp_pb2 import Timestamp  # noqa: PLC0415

    stamp = Timestamp()
    stamp.FromJsonString(text)
    return stamp
