# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault information wrong` and `settle`: a citizen says that something is wrong."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from clients.cli.command import command
from clients.cli.errors import CommandError, UsageError
from clients.cli.numbers import short
from clients.cli.pieces import Number, open_disputes, piece_of, say_holders
from clients.cli.session import Session
from clients.wording.terms import labels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vault.api.v1.evidence_pb2 import Dispute, Evidence

top = typer.Typer()

LONGEST_STATEMENT = 2000


class How(StrEnum):
    """How something that was wrong is settled."""

    CORRECTED = "corrected"
    TAKEN_BACK = "taken-back"


@command(top, "wrong", for_citizens=True)
def wrong(
    session: Session,
    number: Number,
    part: Annotated[
        list[str],
        typer.Argument(metavar="PART...", help="The parts that are wrong, by their names."),
    ],
    *,
    because: Annotated[
        str,
        typer.Option(
            "--because",
            metavar="TEXT",
            help="What is wrong, in your own words; - reads stdin. Without it you are asked.",
        ),
    ] = "",
    tell_them: Annotated[
        bool, typer.Option("--tell-them", help="Your words go along to whoever sees it.")
    ] = False,
) -> None:
    """Say that something is wrong. Whoever sees it sees that you say so, until it is settled."""
    from vault.api.v1.evidence_service_pb2 import DisputeEvidenceRequest  # noqa: PLC0415

    words, output = session.words, session.output
    piece: Evidence = piece_of(session, number).evidence
    names = _names(session, piece, part)
    response = session.connection.evidence.DisputeEvidence(
        DisputeEvidenceRequest(
            request_id=session.request_id,
            acting=session.acting,
            evidence_id=piece.evidence_id,
            names=names,
            statement=_statement(session, because),
            is_shared=tell_them,
        )
    )
    if output.is_json:
        output.message(response)
        return
    parts = labels(session, piece.evidence_type, names)
    output.say(words("wrong.said", parts=parts), "bold")
    output.say(words("wrong.travels" if tell_them else "wrong.stays"))
    output.say(words("entry", entry=response.receipt.leaf_index) + ".")
    output.say(words("to.settle", id=short(piece.evidence_id)))
    say_holders(session, words("holders.wrong"), piece, response.holders)


@command(top, "settle", for_citizens=True)
def settle(
    session: Session,
    number: Number,
    how: Annotated[
        How,
        typer.Argument(
            metavar="HOW",
            help="corrected: it was put right; taken-back: you no longer say that it is wrong.",
        ),
    ],
    *,
    part: Annotated[
        str,
        typer.Option("--part", metavar="PART", help="Which, if you say so of several."),
    ] = "",
) -> None:
    """Settle it when something is no longer wrong. Replacing the part settles it too."""
    from vault.api.v1 import evidence_pb2  # noqa: PLC0415
    from vault.api.v1.evidence_service_pb2 import ResolveDisputeRequest  # noqa: PLC0415

    words, output = session.words, session.output
    piece: Evidence = piece_of(session, number).evidence
    dispute = _which(session, piece, part)
    outcomes = {
        How.CORRECTED: evidence_pb2.DISPUTE_OUTCOME_CORRECTED,
        How.TAKEN_BACK: evidence_pb2.DISPUTE_OUTCOME_WITHDRAWN,
    }
    response = session.connection.evidence.ResolveDispute(
        ResolveDisputeRequest(
            request_id=session.request_id,
            acting=session.acting,
            evidence_id=piece.evidence_id,
            dispute_id=dispute.dispute_id,
            outcome=outcomes[how],
        )
    )
    if output.is_json:
        output.message(response)
        return
    output.say(words("settled", parts=labels(session, piece.evidence_type, dispute.names)))
    output.say(words("entry", entry=response.receipt.leaf_index) + ".")


def _names(session: Session, piece: Evidence, typed: Sequence[str]) -> list[str]:
    """Return the parts that were typed, by name or label, each once."""
    kind = session.published.kind(piece.evidence_type)
    has = {field.name for field in piece.fields}
    by_label = {kind.label(name).lower(): name for name in has}
    names = [text if text in has else by_label.get(text.lower(), "") for text in typed]
    if "" in names:
        part = typed[names.index("")]
        known = ", ".join(kind.in_order(has))
        raise UsageError(
            session.words("no.such.part", kind=kind.title, part=part),
            session.words("its.parts", parts=known),
        )
    return list(kind.in_order(dict.fromkeys(names)))


def _statement(session: Session, typed: str) -> str:
    words, output = session.words, session.output
    if typed == "-":
        text = sys.stdin.read()
    elif typed:
        text = typed
    elif output.is_interactive:
        text = output.ask(words("wrong.ask"))
    else:
        raise UsageError(words("wrong.why"), "--because TEXT")
    text = text.strip()
    if not text:
        raise UsageError(words("wrong.why"), "--because TEXT")
    if len(text) > LONGEST_STATEMENT:
        raise UsageError(words("wrong.long", most=LONGEST_STATEMENT))
    return text


def _which(session: Session, piece: Evidence, part: str) -> Dispute:
    """Return the one that is meant: the only one, or that of a part."""
    words = session.words
    found = open_disputes(piece)
    if part:
        kind = session.published.kind(piece.evidence_type)
        wanted = part.lower()
        found = [
            dispute
            for dispute in found
            if any(wanted in {name.lower(), kind.label(name).lower()} for name in dispute.names)
        ]
    if not found:
        raise CommandError(words("nothing.wrong"))
    if len(found) > 1:
        step = " / ".join(f"--part {dispute.names[0]}" for dispute in found)
        raise UsageError(words("wrong.which"), step)
    return found[0]
