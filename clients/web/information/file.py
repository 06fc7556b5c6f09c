# SPDX-License-Identifier: Apache-2.0
"""A document's way between a form and the vault: looked at, sent in pieces, fetched and checked.

It is held in memory only (`forms.py`): nothing of it touches a disk of this machine.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from clients.receipts import b64

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clients.web.forms import Form
    from clients.web.here import Here
    from vault.api.v1.evidence_service_pb2 import DocumentHeader, UploadDocumentRequest

LARGEST_BYTES: Final = 25 * 1024 * 1024
CHUNK_BYTES: Final = 128 * 1024
DOCUMENT_SECONDS: Final = 300.0
FIELD: Final = "file"

_BEGINNINGS: Final = {
    b"%PDF-": "application/pdf",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
}
_ENDINGS: Final = {"application/pdf": ".pdf", "image/png": ".png", "image/jpeg": ".jpg"}
_NOT_IN_A_NAME: Final = re.compile(r"[^\w.,'() -]+")
_LONGEST_NAME: Final = 80


class FileError(Exception):
    """A file that is no document which can be kept; `kind` says why."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class BrokenError(Exception):
    """What came is not the document, or not all of it."""


@dataclasses.dataclass(frozen=True)
class Sent:
    """A file that came with a form."""

    file: BinaryIO
    media_type: str
    sha256: bytes

    @classmethod
    def of(cls, form: Form) -> Sent:
        """Return the file of a form, looked at.

        Raises:
            FileError: "none", "large" or "kind".
        """
        upload = form.files.get(FIELD)
        if upload is None or not upload.size:
            raise FileError("none")
        if upload.size > LARGEST_BYTES:
            raise FileError("large")
        beginning = upload.file.read(16)
        media_type = next(
            (kind for begins, kind in _BEGINNINGS.items() if beginning.startswith(begins)), ""
        )
        if not media_type:
            raise FileError("kind")
        upload.file.seek(0)
        digest = hashlib.sha256()
        while chunk := upload.file.read(CHUNK_BYTES):
            digest.update(chunk)
        return cls(upload.file, media_type, digest.digest())

    def messages(self, header: DocumentHeader) -> Iterator[UploadDocumentRequest]:
        """Yield what is said of it, and then all of it."""
        from vault.api.v1.evidence_service_pb2 import UploadDocumentRequest  # noqa: PLC0415

        yield UploadDocumentRequest(header=header)
        self.file.seek(0)
        while chunk := self.file.read(CHUNK_BYTES):
            yield UploadDocumentRequest(chunk=chunk)


@dataclasses.dataclass(frozen=True)
class Fetched:
    """A document as it was kept, whole and unchanged."""

    content: bytes
    media_type: str
    name: str


def fetched(here: Here, evidence_id: str, revision: int) -> Fetched:
    """Fetch a document, and check that it is what stands with it.

    Raises:
        BrokenError: if it is not.
        CallError: if it is not there, or may not be shown now.
    """
    from vault.api.v1.evidence_service_pb2 import DownloadDocumentRequest  # noqa: PLC0415

    request = DownloadDocumentRequest(
        acting=here.acting, evidence_id=evidence_id, revision=revision
    )
    stream = iter(here.vault.evidence.DownloadDocument(request, timeout=DOCUMENT_SECONDS))
    first = next(stream, None)
    if first is None or not first.HasField("evidence"):
        raise BrokenError
    values: dict[str, Any] = json.loads(first.evidence.values)
    content = b"".join(message.chunk for message in stream)
    said = values["content"]
    if (b64(hashlib.sha256(content).digest()), len(content)) != (said["sha256"], said["sizeBytes"]):
        raise BrokenError
    return Fetched(content, said["mediaType"], file_name(values["title"], said["mediaType"]))


def file_name(title: str, media_type: str) -> str:
    """Return under which name a document is saved: as she calls it, as far as files may be."""
    name = " ".join(_NOT_IN_A_NAME.sub(" ", title).split()).strip(" .")
    name = name[:_LONGEST_NAME].strip(" .")
    return (name or "document") + _ENDINGS[media_type]
