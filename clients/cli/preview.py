# SPDX-License-Identifier: Apache-2.0
"""What would be sent, part by part, as it stands on her screen before she decides."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any, Final

from clients.cli.asked import texts_of
from clients.cli.choice import left_out
from clients.cli.pieces import SOURCES, piece_of
from clients.wording.terms import labels, terms_of
from clients.wording.times import date_of
from clients.wording.values import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from google.protobuf.timestamp_pb2 import Timestamp

    from clients.cli.choice import Chosen
    from clients.cli.session import Session
    from vault.api.v1.consent_pb2 import ConsentRequest
    from vault.api.v1.consent_service_pb2 import PreviewConsentResponse

_SOURCES: Final = {"self-declared": "self", "document": "document", "issuer": "issuer"}


@dataclasses.dataclass(frozen=True)
class Sent:
    """One part that would be sent; `statement` is what she says of it, if that goes along."""

    evidence_type: str
    name: str
    value: Any
    source: str
    updated: Timestamp
    is_disputed: bool
    statement: str = ""


def show_preview(
    session: Session,
    asked: ConsentRequest,
    chosen: Sequence[Chosen],
    preview: PreviewConsentResponse,
) -> None:
    """Print exactly what they would see, what they would not, and on which terms."""
    words, published, output = session.words, session.published, session.output
    sent = list(
        _in_bundle(session, preview.bundle) if preview.bundle else _in_pieces(session, chosen)
    )
    output.say(words("would.see", who=published.who(asked.service_id)), "bold")
    output.table(
        [
            words("column.part"),
            words("column.value"),
            words("column.source"),
            words("column.changed"),
        ],
        [
            (
                _part(session, one),
                _value(session, one),
                words(f"source.{one.source}"),
                date_of(one.updated, words),
            )
            for one in sent
        ],
        unbroken=(3,),
    )
    for statement in dict.fromkeys(one.statement for one in sent if one.statement):
        output.say(words("wrong.goes.along"))
        output.say(f"  {words('quoted', text=statement)}")
    output.say(words("would.not.see"), "bold")
    for evidence_type, names in left_out(asked, chosen).items():
        kind = published.kind(evidence_type)
        output.say(f"  {kind.title}: {labels(session, evidence_type, names)}")
    output.say(f"  {words('would.not.see.rest')}")
    output.say()
    texts = texts_of(session, asked.purpose)
    output.facts(
        [
            (words("for"), texts.title if texts else ""),
            *terms_of(session, preview.consent),
            (words("if.stopped"), texts.if_stopped if texts else ""),
        ]
    )


def _part(session: Session, one: Sent) -> str:
    kind = session.published.kind(one.evidence_type)
    return f"{kind.title}: {kind.label(one.name)}"


def _value(session: Session, one: Sent) -> str:
    kind = session.published.kind(one.evidence_type)
    text = shown(kind, one.name, one.value, session.words)
    return f"{text}\n({session.words('wrong.mark')})" if one.is_disputed else text


def _in_bundle(session: Session, bundle: bytes) -> Iterator[Sent]:
    """Yield what a bundle holds: these very bytes would leave."""
    for item in json.loads(bundle)["items"]:
        statements = {
            name: dispute["statement"]
            for dispute in item.get("disputes", ())
            for name in dispute["names"]
        }
        fields = {field["name"]: field for field in item["fields"]}
        for name in session.published.kind(item["evidence_type"]).in_order(fields):
            field = fields[name]
            yield Sent(
                evidence_type=item["evidence_type"],
                name=name,
                value=field["value"],
                source=_SOURCES.get(item["source"], "issuer"),
                updated=_time(field["updated"]),
                is_disputed=field.get("is_disputed", False),
                statement=statements.get(name, ""),
            )


def _in_pieces(session: Session, chosen: Sequence[Chosen]) -> Iterator[Sent]:
    """Yield the same from her pieces, where all of it is too large for one answer."""
    for one in chosen:
        piece = piece_of(session, one.piece.evidence_id).evidence
        values = json.loads(piece.values)
        statements = {
            name: dispute.statement
            for dispute in piece.disputes
            for name in dispute.names
            if dispute.is_shared and not dispute.HasField("resolve_time")
        }
        for field in piece.fields:
            if field.name in one.names:
                yield Sent(
                    evidence_type=piece.evidence_type,
                    name=field.name,
                    value=values.get(field.name, ""),
                    source=SOURCES.get(piece.source, "self"),
                    updated=field.update_time,
                    is_disputed=field.is_disputed,
                    statement=statements.get(field.name, ""),
                )


def _time(text: str) -> Timestamp:
    from google.protobuf.timestamp_pb2 import Timestamp  # noqa: PLC0415

    stamp = Timestamp()
    stamp.FromJsonString(text)
    return stamp
