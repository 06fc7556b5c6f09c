# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault confirmation`: a citizen's proof of one entry, to look at, keep and check."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clients.cli.command import command, noun
from clients.cli.entries import entry_of
from clients.cli.errors import CommandError, UsageError
from clients.cli.numbers import short
from clients.cli.proof import command_for, keep
from clients.cli.receipt import kept_keys
from clients.cli.session import Session
from clients.receipts import ReceiptError, SignedRecord, b64, listed_keys
from clients.wording.entries import happened, what, who
from clients.wording.times import exact

if TYPE_CHECKING:
    from collections.abc import Mapping

app = noun("Your confirmation of what happened: look at it, keep it, check it.")

KeyFile = Annotated[
    str,
    typer.Option("--key", metavar="FILE", help="A file with the key to trust."),
]


@command(app, "show", for_citizens=True)
def show(
    session: Session,
    entry: Annotated[int, typer.Argument(metavar="ENTRY", min=0, help="As in history list.")],
    *,
    out: Annotated[str, typer.Option("--out", metavar="FILE", help="Keep it in a new file.")] = "",
    key_file: KeyFile = "",
) -> None:
    """Show and check your confirmation of one entry, and keep it if you like."""
    words, output = session.words, session.output
    found = entry_of(session, entry)
    record = SignedRecord.of(found.receipt)
    _check(session, record, _keys(session, key_file))
    if out:
        record = keep(session, record, out)
    if output.is_json:
        output.message(found.receipt)
        return
    output.say(words("confirmation", entry=entry), "bold")
    output.facts(
        [
            (words("confirmation.what"), happened(session, found)),
            (words("column.when"), exact(found.time, words)),
            (words("column.who"), who(session, found)),
            (words("column.what"), what(session, found)),
        ]
    )
    _say_genuine(session, record)
    if out:
        output.say(words("confirmation.kept", file=out))


@command(app, "check", for_citizens=True)
def check(
    session: Session,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A confirmation that was kept.")],
    *,
    key_file: KeyFile = "",
    log_key: Annotated[
        str,
        typer.Option("--log-key", metavar="KEY", help="The log's key, to check the proof."),
    ] = "",
) -> None:
    """Check a confirmation that somebody kept. With keys of yours it needs no server."""
    try:
        data = Path(file).read_bytes()
    except OSError as error:
        why = error.strerror or "?"
        raise UsageError(session.words("file.unreadable", file=file, why=why)) from None
    keys = _keys(session, key_file)
    words, output = session.words, session.output
    try:
        record = SignedRecord.read(data)
    except ReceiptError as error:
        raise _bad(session, error) from None
    facts = _check(session, record, keys)
    size = _check_proof(session, record, log_key)
    if output.is_json:
        output.json(
            {
                "verified": True,
                "key_id": record.key_id,
                "leaf_index": record.leaf_index,
                "log_size": size,
            }
        )
        return
    output.say(words("confirmation", entry=record.leaf_index), "bold")
    name = str(facts.get("type", "")).partition(".")[0]
    output.facts([(words("confirmation.what"), words.one_of("happened", name))])
    if size:
        output.say(words("confirmation.in.log", origin=record.origin, size=size))
    elif not record.proof:
        output.say(words("confirmation.no.proof", command=command_for(session, file)))
    _say_genuine(session, record)


def _check_proof(session: Session, record: SignedRecord, log_key: str) -> int:
    """Return how large the log was whose key shows the record in it; 0 without a key or proof."""
    if not log_key or not record.proof:
        return 0
    try:
        return record.verify_proof(log_key)
    except ReceiptError as error:
        raise _bad(session, error) from None


def _keys(session: Session, key_file: str) -> Mapping[str, bytes]:
    return kept_keys(key_file, session.words) if key_file else listed_keys(session.connection)


def _check(
    session: Session, record: SignedRecord, keys: Mapping[str, bytes]
) -> Mapping[str, object]:
    try:
        return record.verify(keys)
    except ReceiptError as error:
        raise _bad(session, error) from None


def _bad(session: Session, error: ReceiptError) -> CommandError:
    words = session.words
    return CommandError(words("confirmation.bad", why=words(f"bad.{error.kind}")))


def _say_genuine(session: Session, record: SignedRecord) -> None:
    words, output = session.words, session.output
    output.facts(
        [
            (words("confirmation.record"), f"{record.origin}, {record.leaf_index}"),
            (words("confirmation.digest"), b64(record.leaf_hash)),
        ]
    )
    output.say(words("confirmation.good", key=short(record.key_id)))
    output.say(words("confirmation.meaning"))
