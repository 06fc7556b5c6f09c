# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault service fetch-document`: a document streams into a file, verified on its way.

The bundle comes first, with the digest that its receipt was signed over; the bytes must be those. A
stream that ends early, because she stopped it or anything else, leaves no file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Final

import typer

from clients.cli.command import command
from clients.cli.errors import CommandError, UsageError
from clients.cli.files import must_be_new, new_file
from clients.cli.output import as_json
from clients.cli.proof import keep
from clients.cli.receipt import write_new
from clients.cli.service import CaseRef, Reference, RequestId, StaffRef
from clients.cli.service_bundle import read_bundle, show_fetched, verified
from clients.cli.service_fetch import BundleFile, KeyFile, ReceiptFile, trust_in, trusted_keys
from clients.cli.service_permission import (
    ConsentId,
    FromRequest,
    PurposeCode,
    SubjectId,
    permission,
    selections,
)
from clients.cli.session import Session
from clients.connection import CallError
from clients.receipts import b64

if TYPE_CHECKING:
    from vault.api.v1.disclosure_service_pb2 import DiscloseDocumentResponse

top = typer.Typer()

STREAM_SECONDS: Final = 600.0
_CONTENT: Final = "content"


@command(top, "fetch-document")
def fetch_document(
    session: Session,
    fields: Annotated[
        str,
        typer.Argument(
            metavar="TYPE[#ITEM]:FIELD,FIELD", help="Which document; its field content must be in."
        ),
    ] = "document:content",
    *,
    out: Annotated[str, typer.Option("--out", metavar="FILE", help="A new file.")],
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
    """Fetch a document under a consent into a file, and verify it by its receipt.

    It is recorded in her vault before it leaves. Should she stop it meanwhile, there is no file.
    """
    from vault.api.v1.disclosure_service_pb2 import (  # noqa: PLC0415
        DiscloseDocumentRequest,
        DiscloseDocumentResponse,
    )

    session.request_id = request_id or session.request_id
    (wanted,) = selections([fields])
    if _CONTENT not in wanted.names:
        raise UsageError("The document itself is its field content.", "document:title,content")
    under = permission(session, from_request, consent_id, subject, purpose)
    keys = trusted_keys(session, key_file)
    for kept in filter(None, (bundle_file, receipt_file)):
        must_be_new(kept)
    request = DiscloseDocumentRequest(
        request_id=session.request_id,
        subject_id=under.subject_id,
        authority=under.authority,
        purpose_code=under.purpose_code,
        fields=wanted,
        case_ref=case,
        staff_ref=staff,
        external_reference=reference,
    )
    with new_file(out) as file:
        parts = session.connection.disclosures.DiscloseDocument(request, timeout=STREAM_SECONDS)
        response = next(parts, DiscloseDocumentResponse()).disclosure
        record = verified(under, response, keys)
        content = _content_of(read_bundle(response.bundle))
        _copy(parts, content, file)
    if bundle_file:
        write_new(bundle_file, response.bundle)
    if receipt_file:
        keep(session, record, receipt_file)
    if session.output.is_json:
        session.output.json({**as_json(response), "file": out})
        return
    show_fetched(session, response, record, trust_in(key_file))
    session.output.say(f"Written: {out}, {content['sizeBytes']:,} bytes, as its digest says.")


def _content_of(bundle: dict[str, Any]) -> dict[str, Any]:
    """Return the digest, size and type of the document that a bundle announces."""
    for item in bundle["items"]:
        for field in item["fields"]:
            if field["name"] == _CONTENT:
                content: dict[str, Any] = field["value"]
                return content
    raise CommandError("The bundle announces no document.", "Tell the operator; keep the call id.")


def _copy(
    parts: Iterator[DiscloseDocumentResponse], content: dict[str, Any], file: BinaryIO
) -> None:
    """Write the chunks of a document, and check that they are what was announced.

    Raises:
        CallError: if the stream broke off, with its reason.
        CommandError: if it ended early, or brought something else.
    """
    size, digest = 0, hashlib.sha256()
    announced = int(content["sizeBytes"])
    try:
        for part in parts:
            size += len(part.chunk)
            if size > announced:
                break
            digest.update(part.chunk)
            file.write(part.chunk)
    except CallError as error:
        message = f"{error.message} It broke off after {size:,} of {announced:,} bytes: no file."
        raise CallError(
            error.code, error.reason, message, error.fields, error.call_id, error.receipt
        ) from None
    if size < announced:
        raise CommandError(
            f"The document ended after {size:,} of {announced:,} bytes. There is no file.",
            "Fetch it again.",
        )
    if size > announced or b64(digest.digest()) != content["sha256"]:
        raise CommandError(
            "What came is not the document that the receipt was signed for. There is no file.",
            "Tell the operator and your auditor; do not rely on it.",
        )
