# SPDX-License-Identifier: Apache-2.0
"""Proofs of silence: that nothing left under a consent since it was revoked, in a file.

JSON lines: the records from the revocation to the event that closes the proof, as in an export;
then {"leaf_index", "origin", "proof"} for the first and the last of them. `citizen-vault-auditor
silence FILE` verifies it, and shares no code with this program.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from clients.cli.audit import CaseRef
from clients.cli.command import command
from clients.cli.errors import CommandError
from clients.cli.files import must_be_new, new_file
from clients.cli.past import place_of
from clients.cli.session import Session
from clients.cli.sharings import Number, id_of
from clients.export.form import line_of

if TYPE_CHECKING:
    from vault.api.v1.log_pb2 import Record

top = typer.Typer()
hers = typer.Typer()

WAIT_SECONDS = 60.0

OutFile = Annotated[str, typer.Option("--out", metavar="FILE", help="A new file.")]


@command(top, "silence")
def silence(
    session: Session,
    *,
    vault: Annotated[str, typer.Option("--vault", metavar="VAULT_ID")],
    consent: Annotated[str, typer.Option("--consent", metavar="CONSENT_ID")],
    out: OutFile,
    case: CaseRef = "",
) -> None:
    """Write the proof that nothing left under a consent since it was revoked.

    The look is recorded in the vault: that is the event which closes the proof.
    """
    must_be_new(out)
    first, last = _write(session, out, vault, consent, case)
    if session.output.is_json:
        session.output.json(_told(out, first, last))
        return
    session.output.facts(
        [
            ("Written", out),
            ("From", f"version {first.version}, leaf {first.leaf_index}, {_time(first)}"),
            ("To", f"version {last.version}, leaf {last.leaf_index}, {_time(last)}"),
            ("Verify it", f"citizen-vault-auditor silence {out}"),
        ]
    )


@command(hers, "proof", for_citizens=True)
def proof(session: Session, number: Number, *, out: OutFile) -> None:
    """Keep your proof that nothing was seen since you stopped. It holds what happened since."""
    words, output = session.words, session.output
    must_be_new(out, words)
    first, last = _write(session, out, place_of(session), id_of(session, number))
    if output.is_json:
        output.json(_told(out, first, last))
        return
    output.say(words("silence.kept", file=out), "bold")
    output.say(words("silence.meaning", since=_time(first), until=_time(last)))
    output.say(words("silence.private"))


def _write(
    session: Session, out: str, vault: str, consent: str, case: str = ""
) -> tuple[Record, Record]:
    """Write the proof, and return its first and last record."""
    from vault.api.v1.audit_service_pb2 import ProveSilenceRequest  # noqa: PLC0415

    request = ProveSilenceRequest(
        request_id=session.request_id, vault_id=vault, consent_id=consent, case_ref=case
    )
    stream = session.connection.audits.ProveSilence(request, timeout=WAIT_SECONDS)
    with new_file(out, words=session.words) as file:
        return _copy(stream, file)


def _copy(stream: Any, file: BinaryIO) -> tuple[Record, Record]:
    ends: list[Record] = []
    for item in stream:
        if item.HasField("record"):
            file.write(line_of(item.record))
            ends = [ends[0] if ends else item.record, item.record]
        elif len(ends) == 2:
            proofs = (item.proof.revocation_proof, item.proof.closing_proof)
            for record, text in zip(ends, proofs, strict=True):
                line = {
                    "leaf_index": record.leaf_index,
                    "origin": item.proof.origin,
                    "proof": text,
                }
                file.write(json.dumps(line, separators=(",", ":")).encode("ascii") + b"\n")
            return ends[0], ends[1]
    raise CommandError(
        "The proof broke off before it was whole.", "Nothing was written. Try again."
    )


def _told(out: str, first: Record, last: Record) -> dict[str, Any]:
    return {
        "file": out,
        "revoked": {"version": first.version, "leaf_index": first.leaf_index},
        "closed": {"version": last.version, "leaf_index": last.leaf_index},
    }


def _time(record: Record) -> str:
    """Return when a record's event happened, as it says itself."""
    try:
        return str(json.loads(record.facts)["time"])
    except (ValueError, KeyError, TypeError):
        return "?"
