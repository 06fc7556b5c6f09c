# SPDX-License-Identifier: Apache-2.0
"""The files in which a citizen takes everything away, written from what the server streams.

Where they are written is the caller's: a folder on her machine, or an archive on its way to her
browser. Their form is told in `vault/decisions/0025-taking-it-away.md`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
from typing import TYPE_CHECKING, Any, Final, Self

from clients.export.sealed import ALGORITHM, Sealed, SealedError
from clients.receipts import b64
from clients.wording.times import utc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType
    from typing import BinaryIO

    from vault.api.v1.export_pb2 import ExportedPayload, ExportHead
    from vault.api.v1.log_pb2 import Record
    from vault.api.v1.vault_service_pb2 import ExportVaultResponse

FORM: Final = "citizen-vault/export/1"
HISTORY: Final = "history.jsonl"
REGISTRY: Final = "registry.jsonl"
OPERATIONS: Final = "operations.jsonl"
PAYLOADS: Final = "payloads.jsonl"
PUBLIC_PAYLOADS: Final = "registry_payloads.jsonl"
PROOFS: Final = "proofs.jsonl"
DESCRIPTION: Final = "export.json"
DOCUMENTS: Final = "documents"
PAGE: Final = "index.html"
_ALWAYS: Final = (HISTORY, REGISTRY, PAYLOADS, PUBLIC_PAYLOADS, PROOFS)
_ENDINGS: Final = {"application/pdf": "pdf", "image/png": "png", "image/jpeg": "jpg"}
MEDIA_TYPES: Final = {ending: media_type for media_type, ending in _ENDINGS.items()}
_EVIDENCE: Final = "evidence"
_DOCUMENT: Final = "document"


class BrokenError(Exception):
    """What came is not the whole of it."""


@dataclasses.dataclass(frozen=True)
class Written:
    """What the files hold."""

    version: int
    documents: int
    proven: int


def expected(
    parts: Iterator[ExportVaultResponse],
) -> tuple[int, Iterator[ExportVaultResponse]]:
    """Return how many records and proofs will come, as the first part says, and all parts."""
    first = next(parts, None)
    if first is None:
        return 0, parts
    return 2 * (first.head.version + first.head.public_record_count), itertools.chain(
        [first], parts
    )


def line_of(record: Record) -> bytes:
    """Return a record's line in a file of records."""
    line = {
        "leaf_index": record.leaf_index,
        "stream_id": record.stream_id,
        "version": record.version,
        "entry": b64(record.entry),
        "link": _text(record.link),
        "facts": _text(record.facts),
    }
    return _line(line)


class Writer:
    """Files that are being written.

    Args:
        begin: begins a file, by its path; what it returns is closed when it is whole. No two
            documents are under way at once.
    """

    def __init__(self, begin: Callable[[str], BinaryIO]) -> None:
        self._begin = begin
        self._files: dict[str, BinaryIO] = {}
        self._closing = contextlib.ExitStack()
        self._head: ExportHead | None = None
        self._last: Record | None = None
        self._vault = self._registry = ""
        self._beside: list[ExportedPayload] = []
        self._document: BinaryIO | None = None
        self._count = self._documents = self._proven = self._versions = 0
        self._is_whole = False

    def __enter__(self) -> Self:
        for name in _ALWAYS:
            self._file(name)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end_document()
        self._closing.close()

    def take(self, part: ExportVaultResponse) -> None:
        """Write the next part.

        Raises:
            BrokenError: if it cannot follow what came before.
        """
        kind = part.WhichOneof("part")
        if kind == "payload":
            self._beside.append(part.payload)
        elif kind == "chunk":
            self._chunk(part.chunk)
        else:
            self._after_payloads(part)
        if kind == "end":
            self._is_whole = part.end.part_count == self._count
        self._count += 1

    def finish(self) -> Written:
        """Write what describes the files, now that all is there.

        Raises:
            BrokenError: if it is not all there.
        """
        head = self._head
        if head is None or not self._is_whole or self._versions != head.version:
            raise BrokenError
        description = {
            "form": FORM,
            "origin": head.origin,
            "vault_id": head.vault_id,
            "version": head.version,
            "leaf": b64(head.leaf_hash),
            "time": utc(head.time),
            "log_keys": [{"origin": key.origin, "vkey": key.vkey} for key in head.log_keys],
        }
        self._file(DESCRIPTION).write((json.dumps(description, indent=1) + "\n").encode("ascii"))
        return Written(head.version, self._documents, self._proven)

    def _after_payloads(self, part: ExportVaultResponse) -> None:
        self._flush()
        self._end_document()
        match part.WhichOneof("part"):
            case "head":
                self._head = part.head
                self._vault, self._registry = part.head.vault_id, part.head.registry_id
            case "record":
                self._last = part.record
                self._versions += 1
                self._file(HISTORY).write(line_of(part.record))
            case "public_record":
                self._public(part.public_record)
            case "document":
                self._begin_document(part)
            case "proof":
                self._proven += bool(part.proof.proof)
                line = {
                    "leaf_index": part.proof.leaf_index,
                    "origin": part.proof.origin,
                    "proof": part.proof.proof,
                }
                self._file(PROOFS).write(_line(line))

    def _public(self, record: Record) -> None:
        self._last = record
        is_registry = record.stream_id == self._registry
        self._file(REGISTRY if is_registry else OPERATIONS).write(line_of(record))

    def _flush(self) -> None:
        """Write what lies beside the last record, now that all of it has come."""
        record, beside, self._beside = self._last, self._beside, []
        if record is None:
            return
        for payload in beside:
            line = {
                "leaf_index": record.leaf_index,
                "kind": payload.kind,
                "sealed": b64(payload.sealed),
            }
            if record.stream_id != self._vault:
                self._file(PUBLIC_PAYLOADS).write(_line({"stream": record.stream_id, **line}))
                continue
            context = _context(record, payload)
            file = _file_of(record, beside) if payload.kind == _DOCUMENT and payload.key else ""
            line |= {"key": b64(payload.key), "context": context, "file": file}
            self._file(PAYLOADS).write(_line(line))

    def _begin_document(self, part: ExportVaultResponse) -> None:
        document = part.document
        name = _name(document.evidence_id, document.revision, document.media_type)
        self._document = self._begin(name)
        self._documents += 1

    def _chunk(self, chunk: bytes) -> None:
        if self._document is None:
            raise BrokenError
        self._document.write(chunk)

    def _end_document(self) -> None:
        if self._document is not None:
            self._document.close()
            self._document = None

    def _file(self, name: str) -> BinaryIO:
        if name not in self._files:
            self._files[name] = self._closing.enter_context(self._begin(name))
        return self._files[name]


def _context(record: Record, payload: ExportedPayload) -> list[str | int]:
    return [
        ALGORITHM,
        record.stream_id,
        payload.kind,
        payload.evidence_id,
        payload.revision or "",
        payload.schema,
        payload.key_id,
    ]


def _file_of(record: Record, beside: Iterable[ExportedPayload]) -> str:
    """Return the name of a record's document: what it is, stands in the values beside it."""
    for payload in beside:
        if payload.kind == _EVIDENCE:
            sealed = Sealed(payload.sealed, payload.key, _context(record, payload))
            with contextlib.suppress(SealedError, ValueError, KeyError, TypeError):
                media_type = json.loads(sealed.open())["content"]["mediaType"]
                return _name(payload.evidence_id, payload.revision, media_type)
    return ""


def _name(evidence_id: str, revision: int, media_type: str) -> str:
    return f"{DOCUMENTS}/{evidence_id}-{revision}.{_ENDINGS.get(media_type, 'bin')}"


def _text(stored: bytes) -> str:
    # What somebody tampered with must still reach the auditor, who finds that it does not hash.
    return stored.decode("utf-8", "backslashreplace")


def _line(line: dict[str, Any]) -> bytes:
    return json.dumps(line, separators=(",", ":")).encode("ascii") + b"\n"
