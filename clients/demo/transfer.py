# SPDX-License-Identifier: Apache-2.0
"""How a document goes up and comes down: a few words about it first, then its bytes in pieces."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from clients.connection import CallError, Connection
from clients.demo.fetching import Permission
from clients.demo.giving import HERSELF
from clients.demo.story import new_id
from clients.demo.things import Thing
from vault.api.v1.disclosure_pb2 import Authority, FieldSelection
from vault.api.v1.disclosure_service_pb2 import (
    DiscloseDocumentRequest,
    DiscloseDocumentResponse,
    DiscloseEvidenceResponse,
)
from vault.api.v1.evidence_pb2 import Evidence
from vault.api.v1.evidence_service_pb2 import (
    DocumentHeader,
    DownloadDocumentRequest,
    UploadDocumentRequest,
)

Call: TypeAlias = Callable[[DiscloseDocumentRequest], Iterable[DiscloseDocumentResponse]]

_CHUNK_BYTES: Final = 128 * 1024
_MOST_TRIES: Final = 4


@dataclass(frozen=True, slots=True)
class Arriving:
    """A document on its way to whoever fetched it: what was recorded, and the pieces that come."""

    disclosure: DiscloseEvidenceResponse
    pieces: Iterator[bytes]


def upload(mair: Connection, document: bytes, said: dict[str, object], media_type: str) -> Evidence:
    """Add a document, whose digest is announced before it."""

    def parts() -> Iterator[UploadDocumentRequest]:
        yield UploadDocumentRequest(
            header=DocumentHeader(
                request_id=new_id(),
                acting=HERSELF,
                values=json.dumps(said).encode(),
                media_type=media_type,
                sha256=hashlib.sha256(document).digest(),
            )
        )
        for begin in range(0, len(document), _CHUNK_BYTES):
            yield UploadDocumentRequest(chunk=document[begin : begin + _CHUNK_BYTES])

    answer: Any = mair.evidence.UploadDocument(parts())
    kept: Evidence = answer.evidence
    return kept


def download(mair: Connection, evidence_id: str) -> bytes:
    """Return a document of hers as she gets it back."""
    asked = DownloadDocumentRequest(acting=HERSELF, evidence_id=evidence_id)
    return b"".join(part.chunk for part in mair.evidence.DownloadDocument(asked))


def fetch_document(call: Call, permission: Permission, thing: Thing) -> Arriving:
    """Begin to fetch a document; what the server cannot send now is asked for again.

    Args:
        call: the method, on some line.

    Raises:
        CallError: if it is refused; later, out of the pieces, if it is broken off.
    """
    asked = DiscloseDocumentRequest(
        request_id=new_id(),
        subject_id=permission.subject_id,
        authority=Authority(consent_id=permission.consent_id),
        purpose_code=permission.purpose_code,
        fields=FieldSelection(evidence_type=thing.evidence_type, names=thing.names),
        case_ref=permission.case_ref,
        staff_ref=permission.staff_ref,
    )
    for _ in range(1, _MOST_TRIES):
        try:
            return _begin(call, asked)
        except CallError as error:
            if error.code != "UNAVAILABLE":
                raise
    return _begin(call, asked)


def _begin(call: Call, asked: DiscloseDocumentRequest) -> Arriving:
    parts = iter(call(asked))
    first = next(parts)
    return Arriving(disclosure=first.disclosure, pieces=(part.chunk for part in parts))
