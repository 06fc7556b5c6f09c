# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault service fetch` and `check`: what is fetched is verified, then shown or kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clients.cli.command import command
from clients.cli.errors import CommandError, UsageError
from clients.cli.receipt import kept_keys, listed_keys, write_new
from clients.cli.service import CaseRef, Reference, RequestId, StaffRef, type_and_names
from clients.cli.service_views import show_fetched
from clients.cli.session import Session
from clients.receipts import ReceiptError, SignedRecord, verify_bundle

if TYPE_CHECKING:
    from vault.api.v1.disclosure_service_pb2 import (
        DiscloseEvidenceRequest,
        DiscloseEvidenceResponse,
    )

top = typer.Typer()

KeyFile = Annotated[
    str,
    typer.Option(
        "--receipt-key",
        metavar="FILE",
        help="The receipt keys that you trust, as `registry receipt-key list --json` prints them; "
        "without it those that the registry lists now.",
    ),
]


@command(top, "fetch")
def fetch(
    session: Session,
    fields: Annotated[
        list[str],
        typer.Argument(metavar="TYPE[#ITEM]:FIELD,FIELD", help="What to fetch; no wildcards."),
    ],
    *,
    from_request: Annotated[
        str,
        typer.Option(
            "--request",
            metavar="CONSENT_REQUEST_ID",
            help="Under the consent that came of this request; instead of the next three.",
        ),
    ] = "",
    consent_id: Annotated[str, typer.Option("--consent", metavar="CONSENT_ID")] = "",
    subject: Annotated[str, typer.Option("--subject", metavar="SUBJECT_ID")] = "",
    purpose: Annotated[str, typer.Option("--purpose", metavar="CODE")] = "",
    case: CaseRef = "",
    staff: StaffRef = "",
    reference: Reference = "",
    bundle_file: Annotated[
        str, typer.Option("--bundle", metavar="FILE", help="Write the bundle to a new file.")
    ] = "",
    receipt_file: Annotated[
        str, typer.Option("--receipt", metavar="FILE", help="Write the receipt to a new file.")
    ] = "",
    key_file: KeyFile = "",
    request_id: RequestId = "",
) -> None:
    """Fetch evidence under a consent, verify its receipt, and show or write it.

    It is recorded in her vault before it leaves. Nothing is shown that does not verify.
    """
    session.request_id = request_id or session.request_id
    wanted = _fetch_request(
        session,
        fields,
        from_request=from_request,
        consent_id=consent_id,
        subject=subject,
        purpose=purpose,
    )
    wanted.case_ref, wanted.staff_ref, wanted.external_reference = case, staff, reference
    keys = kept_keys(key_file) if key_file else listed_keys(session.connection)
    for file in (bundle_file, receipt_file):
        # Looked at before fetching: what was fetched and cannot be kept is used up all the same.
        if file and Path(file).exists():
            raise UsageError(f"{file} is there already.", "Name another file.")
    response = session.connection.disclosures.DiscloseEvidence(wanted)
    record = _verified(wanted, response, keys)
    if bundle_file:
        write_new(bundle_file, response.bundle)
    if receipt_file:
        write_new(receipt_file, record.as_file())
    if session.output.is_json:
        session.output.message(response)
        return
    trust = f"in {key_file}" if key_file else "listed in the registry"
    show_fetched(session, response, record, trust)


@command(top, "check")
def check(
    session: Session,
    receipt_file: Annotated[str, typer.Argument(metavar="RECEIPT_FILE")],
    *,
    bundle_file: Annotated[
        str, typer.Option("--bundle", metavar="FILE", help="The bundle that it was signed for.")
    ] = "",
    key_file: KeyFile = "",
) -> None:
    """Check a receipt, and its bundle, that were written. With --receipt-key, without a server."""
    keys = kept_keys(key_file) if key_file else listed_keys(session.connection)
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
            (
                "Key",
                f"{record.key_id}, {f'in {key_file}' if key_file else 'listed in the registry'}",
            ),
            ("Bundle", "as signed" if bundle_file else "not looked at"),
        ]
    )


def _fetch_request(
    session: Session,
    fields: Sequence[str],
    *,
    from_request: str,
    consent_id: str,
    subject: str,
    purpose: str,
) -> DiscloseEvidenceRequest:
    from vault.api.v1.consent_service_pb2 import GetRequestRequest  # noqa: PLC0415
    from vault.api.v1.disclosure_pb2 import Authority, FieldSelection  # noqa: PLC0415
    from vault.api.v1.disclosure_service_pb2 import DiscloseEvidenceRequest  # noqa: PLC0415

    selections = []
    for typed in fields:
        named, names = type_and_names(typed)
        evidence_type, _, item = named.partition("#")
        if item and not item.isdecimal():
            raise UsageError(f"{item} is not the number of an item.", "TYPE#2:FIELD")
        selections.append(
            FieldSelection(item=int(item or 0), evidence_type=evidence_type, names=names)
        )
    if from_request:
        asked = session.connection.consents.GetRequest(
            GetRequestRequest(consent_request_id=from_request)
        ).consent_request
        if not asked.consent_id:
            raise CommandError(
                "No consent came of this request yet, or its code was not redeemed.",
                f"See how it stands: citizen-vault service request {from_request}",
            )
        consent_id = consent_id or asked.consent_id
        subject = subject or asked.subject_id
        purpose = purpose or asked.purpose.partition("@")[0]
    if not (consent_id and subject and purpose):
        raise UsageError(
            "It is not said under which consent.",
            "--request CONSENT_REQUEST_ID, or --consent, --subject and --purpose",
        )
    return DiscloseEvidenceRequest(
        request_id=session.request_id,
        subject_id=subject,
        authority=Authority(consent_id=consent_id),
        purpose_code=purpose,
        fields=selections,
    )


def _verified(
    wanted: DiscloseEvidenceRequest, response: DiscloseEvidenceResponse, keys: dict[str, bytes]
) -> SignedRecord:
    """Return the receipt, if it is that of this bundle and of what was asked for.

    Raises:
        CommandError: if it is not.
    """
    record = SignedRecord.of(response.receipt)
    try:
        facts = verify_bundle(record, response.bundle, keys)
        _must_be_for(wanted, facts)
    except ReceiptError as error:
        raise CommandError(
            f"What was fetched does not verify, and is not shown: {error}",
            "Tell the operator and your auditor; do not rely on it.",
        ) from None
    return record


def _must_be_for(wanted: DiscloseEvidenceRequest, facts: dict[str, object]) -> None:
    named = (facts.get("subject"), facts.get("consent_id"))
    if named != (wanted.subject_id, wanted.authority.consent_id):
        raise ReceiptError("content")
