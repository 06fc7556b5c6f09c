# SPDX-License-Identifier: Apache-2.0
"""The proof that what a receipt promises stands in the log: fetched, kept with the receipt.

A receipt is a promise at once. The proof follows within a second, when the log's next checkpoint is
signed, and needs nobody to be verified.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from clients.cli.command import command
from clients.cli.errors import CommandError, UsageError
from clients.cli.files import write_whole
from clients.cli.receipt import write_new
from clients.cli.session import Session
from clients.connection import CallError
from clients.receipts import ReceiptError, SignedRecord

if TYPE_CHECKING:
    from clients.wording.words import Words

top = typer.Typer()

WAIT_SECONDS: Final = 10.0
_NOT_YET: Final = frozenset(
    {"DEADLINE_EXCEEDED", "UNAVAILABLE", "FAILED_PRECONDITION", "UNIMPLEMENTED"}
)


def proof_of(session: Session, record: SignedRecord) -> str:
    """Return the proof of what a receipt promises.

    Raises:
        CallError: if there is none, or none yet.
    """
    from vault.api.v1.audit_service_pb2 import GetInclusionProofRequest  # noqa: PLC0415

    request = GetInclusionProofRequest(
        origin=record.origin, leaf_index=record.leaf_index, leaf_hash=record.leaf_hash
    )
    return session.connection.audits.GetInclusionProof(request, timeout=WAIT_SECONDS).proof


def keep(session: Session, record: SignedRecord, file: str) -> SignedRecord:
    """Write a receipt to a new file, then its proof; while there is none, say what to do.

    Raises:
        UsageError: if the file is there already or cannot be written.
        CommandError: if something else stands in the log where the receipt promises a record.
    """
    # At once: whatever becomes of the proof, the promise is not lost.
    write_new(file, record.as_file(), session.words)
    try:
        proved = dataclasses.replace(record, proof=proof_of(session, record))
    except CallError as error:
        if error.reason == "NOT_FOUND":
            raise _contradicted(session.words) from None
        if error.code not in _NOT_YET:
            raise
        session.output.tell(session.words("proof.later", command=command_for(session, file)))
        return record
    write_whole(Path(file), proved.as_file())
    return proved


def command_for(session: Session, file: str) -> str:
    """Return the command that adds a proof, for whoever is signed in."""
    who = session.state.sign_in(session.sign_in_name)
    noun = {"service": "service", "auditor": "audit"}.get(who.role if who else "", "confirmation")
    return f"citizen-vault {noun} prove {file}"


@command(top, "prove", for_citizens=True)
def prove(
    session: Session,
    file: Annotated[str, typer.Argument(metavar="RECEIPT_FILE", help="It is written again.")],
) -> None:
    """Add to a receipt that was kept the proof that its record stands in the log."""
    words = session.words
    try:
        record = SignedRecord.read(Path(file).read_bytes())
    except OSError as error:
        raise UsageError(words("file.unreadable", file=file, why=error.strerror or "?")) from None
    except ReceiptError as error:
        raise CommandError(words("confirmation.bad", why=words(f"bad.{error.kind}"))) from None
    try:
        proved = dataclasses.replace(record, proof=proof_of(session, record))
    except CallError as error:
        if error.reason != "NOT_FOUND":
            raise
        raise _contradicted(words) from None
    try:
        write_whole(Path(file), proved.as_file())
    except OSError as error:
        raise CommandError(words("file.unwritable", file=file, why=error.strerror or "?")) from None
    if session.output.is_json:
        session.output.json({"file": file, "proof": proved.proof})
        return
    session.output.say(words("proof.kept", file=file))


def _contradicted(words: Words) -> CommandError:
    return CommandError(words("proof.contradicted"), words("proof.contradicted.next"))
