# SPDX-License-Identifier: Apache-2.0
"""The receipt of a consent for other programs: ISO/IEC TS 27560 in W3C DPV terms, JSON-LD."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from clients.cli.command import command
from clients.cli.files import must_be_new
from clients.cli.receipt import write_new
from clients.cli.session import Session
from clients.cli.sharings import Number, id_of
from clients.cli.times import moment_of

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

hers = typer.Typer()
services = typer.Typer()

OutFile = Annotated[str, typer.Option("--out", metavar="FILE", help="A new file.")]
AsOfTime = Annotated[
    str, typer.Option("--as-of", metavar="WHEN", help="As it stood then: a day or a time.")
]


@command(hers, "sharing", for_citizens=True)
def sharing(session: Session, number: Number, *, out: OutFile = "", as_of: AsOfTime = "") -> None:
    """Keep all that you agreed to with somebody, in a form that other programs read."""
    from vault.api.v1.consent_service_pb2 import GetConsentReceiptRequest  # noqa: PLC0415

    words = session.words
    if out:
        must_be_new(out, words)
    request = GetConsentReceiptRequest(
        acting=session.acting, consent_id=id_of(session, number), as_of_time=_time(session, as_of)
    )
    receipt = session.connection.consents.GetConsentReceipt(request).receipt
    if out:
        write_new(out, receipt, words)
        if not session.output.is_json:
            session.output.say(words("confirmation.kept", file=out))
            return
    session.output.json(json.loads(receipt))


@command(services, "consent-receipt")
def consent_receipt(
    session: Session,
    consent_id: Annotated[str, typer.Argument(metavar="CONSENT_ID")],
    *,
    subject: Annotated[
        str, typer.Option("--subject", metavar="SUBJECT_ID", help="Your id of the subject.")
    ],
    out: OutFile = "",
    as_of: AsOfTime = "",
) -> None:
    """Write the receipt of a consent that was given to you: ISO/IEC TS 27560, JSON-LD."""
    from vault.api.v1.consent_service_pb2 import GetConsentReceiptRequest  # noqa: PLC0415

    if out:
        must_be_new(out)
    request = GetConsentReceiptRequest(
        consent_id=consent_id, subject_id=subject, as_of_time=_time(session, as_of)
    )
    receipt = session.connection.consents.GetConsentReceipt(request).receipt
    if out:
        write_new(out, receipt)
        if not session.output.is_json:
            session.output.facts([("Written", out)])
            return
    session.output.json(json.loads(receipt))


def _time(session: Session, typed: str) -> Timestamp | None:
    return moment_of(typed, session.words) if typed else None
