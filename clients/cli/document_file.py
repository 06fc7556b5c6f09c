# SPDX-License-Identifier: Apache-2.0
"""A document's way between a file and the vault: looked at, sent in pieces, fetched and checked."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from clients.cli.errors import CommandError, UsageError
from clients.cli.files import new_file
from clients.cli.progress import progress
from clients.connection import CallError
from clients.receipts import b64

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import BinaryIO

    from clients.cli.session import Session
    from vault.api.v1.evidence_service_pb2 import DocumentHeader, UploadDocumentRequest

LARGEST_BYTES: Final = 25 * 1024 * 1024
CHUNK_BYTES: Final = 128 * 1024
DOCUMENT_SECONDS: Final = 300.0
_BEGINNINGS: Final = {
    b"%PDF-": "application/pdf",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
}


@dataclasses.dataclass(frozen=True)
class Looked:
    """What a file is, before anything of it is sent."""

    request_id: str
    acting: Any
    media_type: str
    size_bytes: int
    sha256: bytes

    def header(self, values: bytes, issued: str, evidence_id: str = "") -> DocumentHeader:
        """Return what is said before its bytes; without an id it is a new document."""
        from vault.api.v1.evidence_service_pb2 import DocumentHeader  # noqa: PLC0415

        return DocumentHeader(
            request_id=self.request_id,
            acting=self.acting,
            evidence_id=evidence_id,
            values=values,
            media_type=self.media_type,
            sha256=self.sha256,
            issued_date=issued,
        )


def looked_at(session: Session, file: str) -> Looked:
    """Look at a file: whether it is a document that can be kept, and its digest.

    Raises:
        UsageError: if it is none, too large, or cannot be read.
    """
    words = session.words
    try:
        with Path(file).open("rb") as opened:
            if not stat.S_ISREG(Path(file).stat().st_mode):
                raise UsageError(words("document.not.a.file", file=file))
            beginning = opened.read(16)
            media_type = next(
                (kind for begins, kind in _BEGINNINGS.items() if beginning.startswith(begins)), ""
            )
            size = opened.seek(0, 2)
            if not media_type:
                raise UsageError(words("document.no.kind", file=file))
            if size > LARGEST_BYTES:
                raise UsageError(words("document.too.large", file=file))
            opened.seek(0)
            digest = hashlib.file_digest(opened, "sha256").digest()
    except OSError as error:
        raise _unreadable(session, file, error) from None
    return Looked(session.request_id, session.acting, media_type, size, digest)


def sent(session: Session, header: DocumentHeader, file: str, size_bytes: int) -> Any:
    """Send a document; make the place for her information first where there is none.

    Raises:
        UsageError: if the file cannot be read any more.
    """
    failed: list[OSError] = []

    def send(begun: DocumentHeader) -> Any:
        with progress(session.output, session.words("document.sending"), size_bytes) as step:
            stream = _messages(begun, file, step, failed)
            return session.connection.evidence.UploadDocument(stream, timeout=DOCUMENT_SECONDS)

    try:
        return session.opening_place(send, header)
    except CallError:
        if failed:
            raise _unreadable(session, file, failed[0]) from None
        raise


def fetched(
    session: Session, evidence_id: str, revision: int, file: str, *, may_replace: bool
) -> dict[str, Any]:
    """Fetch a document into a file, and return what stands with it: digest, size and type.

    Raises:
        UsageError: if the file is there already, or cannot be made.
        CommandError: if what came is not the document, or not all of it; nothing is written then.
    """
    from vault.api.v1.evidence_service_pb2 import DownloadDocumentRequest  # noqa: PLC0415

    if not may_replace and Path(file).exists():
        raise UsageError(session.words("file.there", file=file), "--force")
    request = DownloadDocumentRequest(
        acting=session.acting, evidence_id=evidence_id, revision=revision
    )
    with new_file(file, may_replace=may_replace, words=session.words) as out:
        stream = session.connection.evidence.DownloadDocument(request, timeout=DOCUMENT_SECONDS)
        return _checked(session, stream, out)


def _checked(session: Session, stream: Iterable[Any], out: BinaryIO) -> dict[str, Any]:
    messages = iter(stream)
    first = next(messages, None)
    if first is None or not first.HasField("evidence"):
        raise CommandError(session.words("document.broken"))
    content: dict[str, Any] = json.loads(first.evidence.values)["content"]
    digest, size = hashlib.sha256(), 0
    words = session.words
    with progress(session.output, words("document.fetching"), content["sizeBytes"]) as step:
        for message in messages:
            digest.update(message.chunk)
            size += len(message.chunk)
            out.write(message.chunk)
            step(len(message.chunk))
    if (b64(digest.digest()), size) != (content["sha256"], content["sizeBytes"]):
        raise CommandError(words("document.broken"), words("document.broken.next"))
    return content


def _messages(
    header: DocumentHeader, file: str, step: Callable[[int], None], failed: list[OSError]
) -> Iterator[UploadDocumentRequest]:
    """Yield the header and the file in chunks; an error of the disk ends the stream and is kept."""
    from vault.api.v1.evidence_service_pb2 import UploadDocumentRequest  # noqa: PLC0415

    yield UploadDocumentRequest(header=header)
    try:
        with Path(file).open("rb") as opened:
            while chunk := opened.read(CHUNK_BYTES):
                yield UploadDocumentRequest(chunk=chunk)
                step(len(chunk))
    except OSError as error:
        failed.append(error)


def _unreadable(session: Session, file: str, error: OSError) -> UsageError:
    return UsageError(session.words("file.unreadable", file=file, why=error.strerror or "?"))
