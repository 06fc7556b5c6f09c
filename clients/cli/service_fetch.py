# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault service fetch`, `check` and `verify`: may it be fetched, fetch it, is it genuine.

What is fetched is verified, then shown or kept.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from clients.cli.command import command
from clients.cli.errors import CommandError, ExitCode, UsageError, next_step_for
from clients.cli.files import must_be_new
from clients.cli.proof import keep
from clients.cli.receipt import kept_keys, write_new
from clients.cli.service import CaseRef, Reference, RequestId, StaffRef
from clients.cli.service_bundle import show_fetched, verified
from clients.cli.service_permission import (
    ConsentId,
    FromRequest,
    PurposeCode,
    SubjectId,
    permission,
    selections,
)
from clients.cli.service_views import spoken
from clients.cli.session import Session
from clients.cli.values import read_json
from clients.receipts import ReceiptError, SignedRecord, listed_keys, verify_bundle

if TYPE_CHECKING:
    from vault.api.v1.disclosure_service_pb2 import CheckDisclosuresResponse, DisclosureCheck

top = typer.Typer()

MOST_CHECKS: Final = 100

KeyFile = Annotated[
    str,
    typer.Option(
        "--receipt-key",
        metavar="FILE",
        help="The receipt keys that you trust, as `registry receipt-key list --json` prints them; "
        "without it those that the registry lists now.",
    ),
]
BundleFile = Annotated[
    str, typer.Option("--bundle", metavar="FILE", help="Write the bundle to a new file.")
]
ReceiptFile = Annotated[
    str, typer.Option("--receipt", metavar="FILE", help="Write the receipt to a new file.")
]


@command(top, "fetch")
def fetch(
    session: Session,
    fields: Annotated[
        list[str],
        typer.Argument(metavar="TYPE[#ITEM]:FIELD,FIELD", help="What to fetch; no wildcards."),
    ],
    *,
    from_request: FromRequest = "",
    consent_id: ConsentId = "",
    subject: SubjectId = "",
    purpose: PurposeCode = "",
    case: CaseRef = "",
    staff: StaffRef = "",
    reference: Reference = "",
    bundle_file: BundleFile = "",
    receipt_file: ReceiptFile = "",
    key_file: KeyFile = "",
    request_id: RequestId = "",
) -> None:
    """Fetch evidence under a consent, verify its receipt, and show or write it.

    It is recorded in her vault before it leaves. Nothing is shown that does not verify.
    """
    from vault.api.v1.disclosure_service_pb2 import DiscloseEvidenceRequest  # noqa: PLC0415

    session.request_id = request_id or session.request_id
    wanted = selections(fields)
    under = permission(session, from_request, consent_id, subject, purpose)
    keys = trusted_keys(session, key_file)
    for file in filter(None, (bundle_file, receipt_file)):
        # Looked at before fetching: what was fetched and cannot be kept is used up all the same.
        must_be_new(file)
    response = session.connection.disclosures.DiscloseEvidence(
        DiscloseEvidenceRequest(
            request_id=session.request_id,
            subject_id=under.subject_id,
            authority=under.authority,
            purpose_code=under.purpose_code,
            fields=wanted,
            case_ref=case,
            staff_ref=staff,
            external_reference=reference,
        )
    )
    record = verified(under, response, keys)
    if bundle_file:
        write_new(bundle_file, response.bundle)
    if receipt_file:
        keep(session, record, receipt_file)
    if session.output.is_json:
        session.output.message(response)
        return
    show_fetched(session, response, record, trust_in(key_file))


@command(top, "check")
def check(
    session: Session,
    fields: Annotated[
        list[str] | None,
        typer.Argument(metavar="TYPE[#ITEM]:FIELD,FIELD", help="What you would fetch."),
    ] = None,
    *,
    file: Annotated[
        str,
        typer.Option(
            "--file",
            metavar="FILE",
            help="Many at once: a CheckDisclosuresRequest as JSON; - reads stdin.",
        ),
    ] = "",
    from_request: FromRequest = "",
    consent_id: ConsentId = "",
    subject: SubjectId = "",
    purpose: PurposeCode = "",
) -> None:
    """Say which disclosures would be permitted now, without making any.

    Exit code 1 if one would not be. It promises nothing: each is decided anew.
    """
    from vault.api.v1.disclosure_service_pb2 import (  # noqa: PLC0415
        CheckDisclosuresRequest,
        CheckDisclosuresResponse,
        DisclosureCheck,
    )

    if bool(fields) == bool(file):
        raise UsageError("Say what you would fetch.", "TYPE:FIELD,FIELD, or --file FILE")
    if fields:
        under = permission(session, from_request, consent_id, subject, purpose)
        checks = [
            DisclosureCheck(
                subject_id=under.subject_id,
                authority=under.authority,
                purpose_code=under.purpose_code,
                fields=selections(fields),
            )
        ]
    else:
        checks = _checks_in(file)
    whole = CheckDisclosuresResponse()
    for first in range(0, len(checks), MOST_CHECKS):
        some = CheckDisclosuresRequest(checks=checks[first : first + MOST_CHECKS])
        whole.MergeFrom(session.connection.disclosures.CheckDisclosures(some))
    if session.output.is_json:
        session.output.message(whole)
    else:
        _show_checks(session, checks, whole)
    if not all(result.is_permitted for result in whole.results):
        raise typer.Exit(ExitCode.REFUSED)


@command(top, "verify")
def verify(
    session: Session,
    receipt_file: Annotated[str, typer.Argument(metavar="RECEIPT_FILE")],
    *,
    bundle_file: Annotated[
        str, typer.Option("--bundle", metavar="FILE", help="The bundle that it was signed for.")
    ] = "",
    key_file: KeyFile = "",
) -> None:
    """Verify a receipt, and its bundle, that were written. --receipt-key needs no server."""
    keys = trusted_keys(session, key_file)
    try:
        record = SignedRecord.read(Path(receipt_file).read_bytes())
        if bundle_file:
            facts = verify_bundle(record, Path(bundle_file).read_bytes(), keys)
        else:
            facts = record.verify(keys)
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be read: {error.strerror}.") from None
    except ReceiptError as error:
        raise CommandError(f"The receipt does not verify: {error}") from None
    if session.output.is_json:
        session.output.json({"verified": True, "key_id": record.key_id, "facts": facts})
        return
    session.output.say("The receipt verifies.", "bold")
    session.output.facts(
        [
            ("What", str(facts.get("type", ""))),
            ("When", str(facts.get("time", ""))),
            ("Entry", f"{record.leaf_index} of {record.origin}"),
            ("Key", f"{record.key_id}, {trust_in(key_file)}"),
            ("Bundle", "as signed" if bundle_file else "not looked at"),
        ]
    )


def trusted_keys(session: Session, key_file: str) -> dict[str, bytes]:
    """Return the receipt keys of a file, or those that the registry lists now."""
    return kept_keys(key_file) if key_file else listed_keys(session.connection)


def trust_in(key_file: str) -> str:
    """Return where the trusted keys stand."""
    return f"in {key_file}" if key_file else "listed in the registry"


def _checks_in(file: str) -> list[DisclosureCheck]:
    from google.protobuf.json_format import Parse, ParseError  # noqa: PLC0415

    from vault.api.v1.disclosure_service_pb2 import CheckDisclosuresRequest  # noqa: PLC0415

    try:
        checks = list(Parse(read_json(file), CheckDisclosuresRequest()).checks)
    except ParseError as error:
        raise UsageError(f"{file} holds no checks: {error}") from None
    if not checks:
        raise UsageError(f"{file} holds no checks.", '{"checks": [...]}')
    return checks


def _show_checks(
    session: Session, checks: list[DisclosureCheck], answer: CheckDisclosuresResponse
) -> None:
    session.output.table(
        ["Consent", "What", "Permitted"],
        [
            (
                one.authority.consent_id,
                "\n".join(f"{each.evidence_type}: {', '.join(each.names)}" for each in one.fields),
                "yes" if result.is_permitted else f"no: {spoken(result.reason, '')}",
            )
            for one, result in zip(checks, answer.results, strict=True)
        ],
        unbroken=(0,),
    )
    refused = dict.fromkeys(one.reason for one in answer.results if not one.is_permitted)
    for reason in refused:
        step = next_step_for(reason)
        if step:
            session.output.tell(f"{spoken(reason, '').capitalize()}: {step}")
