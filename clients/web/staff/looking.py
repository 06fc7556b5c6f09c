# SPDX-License-Identifier: Apache-2.0
"""Seeing what somebody shares: for one case, once, verified first, and kept nowhere by these pages.

It is recorded with her before it leaves: who looked, for which case. A form that is sent twice gets
the same again, which is recorded, too.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response

from clients.receipts import ReceiptError, SignedRecord, b64, verify_bundle
from clients.web.room import Room
from clients.web.staff.asking import field_id
from clients.web.staff.pages import consent_of, request_of
from clients.web.staff.service import STAFF
from clients.wording import times
from clients.wording.published import whole_list
from clients.wording.values import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from clients.web.here import Here
    from vault.api.v1.consent_pb2 import Consent, ConsentRequest, ItemScope
    from vault.api.v1.disclosure_pb2 import FieldSelection
    from vault.api.v1.disclosure_service_pb2 import (
        DiscloseDocumentResponse,
        DiscloseEvidenceResponse,
    )

room = Room(__name__)

DOCUMENT: Final = "document"
CONTENT: Final = "content"
BUNDLE: Final = "bundle.2"
_ALGORITHM: Final = "Ed25519"
_EXTENSIONS: Final = {"application/pdf": "pdf", "image/png": "png", "image/jpeg": "jpg"}


@room.get("/staff/requests/{consent_request_id:uuid}/look", roles=STAFF)
def before(here: Here) -> Response:
    """Ask for which case, and what of it is needed."""
    return _before(here)


@room.post("/staff/requests/{consent_request_id:uuid}/look", roles=STAFF)
def look(here: Here) -> Response:
    """Fetch what was chosen, verify it, and show it."""
    from vault.api.v1.disclosure_pb2 import Authority  # noqa: PLC0415
    from vault.api.v1.disclosure_service_pb2 import DiscloseEvidenceRequest  # noqa: PLC0415

    found = request_of(here)
    consent = consent_of(here, found)
    wanted, case = list(_wanted(here, consent)), here.form.text("case")
    errors = {} if case else {"case": here.words("look.no.case")}
    if not wanted:
        errors["parts"] = here.words("look.no.parts")
    if errors:
        return _before(here, errors)
    response = here.vault.disclosures.DiscloseEvidence(
        DiscloseEvidenceRequest(
            request_id=here.once,
            subject_id=found.subject_id,
            authority=Authority(consent_id=found.consent_id),
            purpose_code=_code_of(found),
            fields=wanted,
            case_ref=case,
        )
    )
    try:
        record, bundle = _verified(here, found, response)
    except ReceiptError:
        return _unverified(here)
    return here.page(
        "staff/answer.html",
        asked=found,
        bundle=bundle,
        fields_of=_fields_in_order(here),
        entry=record.leaf_index,
        seen=_seen(here, record),
        day=lambda text: times.day(dt.date.fromisoformat(text[:10]), here.words),
        case=case,
        written=_written(here),
    )


@room.get("/staff/requests/{consent_request_id:uuid}/document", roles=STAFF)
def before_document(here: Here) -> Response:
    """Ask for which case a document is opened."""
    return _before(here)


@room.post("/staff/requests/{consent_request_id:uuid}/document", roles=STAFF)
def document(here: Here) -> Response:
    """Fetch a document, verify it, and hand it on whole."""
    from vault.api.v1.disclosure_pb2 import Authority, FieldSelection  # noqa: PLC0415
    from vault.api.v1.disclosure_service_pb2 import DiscloseDocumentRequest  # noqa: PLC0415

    found = request_of(here)
    item = _document_in(consent_of(here, found), here.form.text("item"))
    case = here.form.text("case")
    if item is None or not case:
        return _before(here, {"case": here.words("look.no.case")})
    stream = here.vault.disclosures.DiscloseDocument(
        DiscloseDocumentRequest(
            request_id=here.once,
            subject_id=found.subject_id,
            authority=Authority(consent_id=found.consent_id),
            purpose_code=_code_of(found),
            fields=FieldSelection(
                item=item.item,
                evidence_type=item.evidence_type,
                names=[*item.required, *item.optional],
            ),
            case_ref=case,
        )
    )
    disclosed, content = _gathered(stream)
    try:
        _, bundle = _verified(here, found, disclosed)
        return _file(bundle, content)
    except ReceiptError:
        return _unverified(here)


def receipt_keys(here: Here) -> dict[str, bytes]:
    """Return the keys with which receipts are signed, as the registry lists them."""
    from vault.api.v1.registry_service_pb2 import ListReceiptKeysRequest  # noqa: PLC0415

    whole = whole_list(
        here.vault.registry.ListReceiptKeys, ListReceiptKeysRequest(), "receipt_keys"
    )
    return {key.key_id: key.public_key for key in whole.receipt_keys if key.algorithm == _ALGORITHM}


def _before(here: Here, errors: Mapping[str, str] | None = None) -> Response:
    found = request_of(here)
    consent = consent_of(here, found)
    return here.page(
        "staff/look.html",
        errors=errors,
        asked=found,
        consent=consent,
        parts=list(_parts(consent)),
        documents=[item for item in consent.scope if _has_content(item)],
        field_id=field_id,
        is_once=consent.one_time,
    )


def _unverified(here: Here) -> Response:
    """Say that what came is not shown, since it does not verify."""
    words = here.words
    return here.page(
        "failed.html",
        status=502,
        title=words("unverified.title"),
        said=words("unverified.happened"),
        step=words("unverified.step"),
        call_id="",
    )


def _parts(consent: Consent) -> Iterator[tuple[ItemScope, list[str]]]:
    """Yield each item with the parts that can be read on a page."""
    for item in consent.scope:
        names = [name for name in (*item.required, *item.optional) if name != CONTENT]
        if names:
            yield item, names


def _wanted(here: Here, consent: Consent) -> Iterator[FieldSelection]:
    from vault.api.v1.disclosure_pb2 import FieldSelection  # noqa: PLC0415

    for item, names in _parts(consent):
        chosen = [name for name in names if here.form.has(field_id(str(item.item), name))]
        if chosen:
            yield FieldSelection(item=item.item, evidence_type=item.evidence_type, names=chosen)


def _gathered(
    stream: Iterable[DiscloseDocumentResponse],
) -> tuple[DiscloseEvidenceResponse, bytes]:
    """Return what leads a document, and its bytes."""
    parts = iter(stream)
    disclosed = next(parts).disclosure
    return disclosed, b"".join(part.chunk for part in parts)


def _verified(
    here: Here, found: ConsentRequest, response: DiscloseEvidenceResponse
) -> tuple[SignedRecord, dict[str, Any]]:
    """Return the receipt and what it was signed for.

    Raises:
        ReceiptError: if it is not that of this bundle, or of what was asked for.
    """
    record = SignedRecord.of(response.receipt)
    facts = verify_bundle(record, response.bundle, receipt_keys(here))
    if (facts.get("subject"), facts.get("consent_id")) != (found.subject_id, found.consent_id):
        raise ReceiptError("content")
    bundle: dict[str, Any] = json.loads(response.bundle)
    if bundle.get("type") != BUNDLE:
        raise ReceiptError("form")
    return record, bundle


def _file(bundle: dict[str, Any], content: bytes) -> Response:
    """Return a document, if its bytes are those that the bundle names.

    Raises:
        ReceiptError: if they are not.
    """
    fields = {field["name"]: field["value"] for field in bundle["items"][0]["fields"]}
    said = fields.get(CONTENT)
    if not isinstance(said, dict) or said.get("sha256") != b64(hashlib.sha256(content).digest()):
        raise ReceiptError("content")
    name = f"document.{_EXTENSIONS.get(str(said.get('mediaType', '')), 'bin')}"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type="application/octet-stream", headers=headers)


def _seen(here: Here, record: SignedRecord) -> str:
    from google.protobuf.timestamp_pb2 import Timestamp  # noqa: PLC0415

    time = Timestamp()
    time.FromJsonString(json.loads(record.facts)["time"])
    return times.moment(time, here.words)


def _fields_in_order(here: Here) -> Any:
    def fields_of(item: Mapping[str, Any]) -> list[Any]:
        by_name = {field["name"]: field for field in item["fields"]}
        kind = here.published.kind(item["evidence_type"])
        return [by_name[name] for name in kind.in_order(by_name)]

    return fields_of


def _written(here: Here) -> Any:
    def written(evidence_type: str, name: str, value: object) -> str:
        return shown(here.published.kind(evidence_type), name, value, here.words)

    return written


def _document_in(consent: Consent, number: str) -> ItemScope | None:
    return next(
        (item for item in consent.scope if _has_content(item) and str(item.item) == number), None
    )


def _has_content(item: ItemScope) -> bool:
    return item.evidence_type == DOCUMENT and CONTENT in (*item.required, *item.optional)


def _code_of(found: ConsentRequest) -> str:
    return found.purpose.partition("@")[0]
