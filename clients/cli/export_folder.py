# SPDX-License-Identifier: Apache-2.0
"""The folder in which a citizen takes everything away: written from what the server streams.

It grows under another name beside its place and gets its own at the end, so that what is there is
whole. Its form is told in `vault/decisions/0025-taking-it-away.md`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from clients.cli.audit import line_of
from clients.cli.errors import CommandError, UsageError
from clients.cli.sealed import ALGORITHM, Sealed, SealedError
from clients.receipts import b64
from clients.wording.times import utc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType
    from typing import BinaryIO

    from clients.wording.words import Words
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


@dataclasses.dataclass(frozen=True)
class Written:
    """What a folder holds."""

    version: int
    documents: int
    proven: int


@contextlib.contextmanager
def new_folder(folder: str, words: Words) -> Iterator[Path]:
    """Write a folder beside its place, and move it there at the end; what fails leaves nothing.

    Raises:
        UsageError: if something is there already, or it cannot be made.
        CommandError: if it cannot be written to its end.
    """
    place = Path(folder)
    if place.exists():
        raise UsageError(words("file.there", file=folder), words("file.there.next"))
    try:
        temporary = Path(tempfile.mkdtemp(dir=place.absolute().parent, prefix=".", suffix=".part"))
    except OSError as error:
        raise UsageError(_unwritable(folder, error, words)) from None
    try:
        yield temporary
        # Never over something: a folder that is not empty is not replaced by a rename.
        temporary.rename(place)
    except OSError as error:
        raise CommandError(_unwritable(folder, error, words)) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


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


def write(
    folder: Path, parts: Iterable[ExportVaultResponse], words: Words, step: Callable[[int], None]
) -> Written:
    """Write everything but the page into a folder that is empty.

    Args:
        step: told how many records and proofs have come.

    Raises:
        CommandError: if the stream is not whole.
    """
    with _Folder(folder, words) as writer:
        for part in parts:
            writer.take(part)
            step(part.WhichOneof("part") in {"record", "public_record", "proof"})
        return writer.finish()


class _Folder:
    """Files that are being written."""

    def __init__(self, folder: Path, words: Words) -> None:
        self._folder = folder
        self._words = words
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
        (self._folder / DOCUMENTS).mkdir(mode=0o700)
        for name in _ALWAYS:
            self._file(name)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.close()

    def take(self, part: ExportVaultResponse) -> None:
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
        head = self._head
        if head is None or not self._is_whole or self._versions != head.version:
            raise CommandError(self._words("export.broken"), self._words("export.broken.next"))
        description = {
            "form": FORM,
            "origin": head.origin,
            "vault_id": head.vault_id,
            "version": head.version,
            "leaf": b64(head.leaf_hash),
            "time": utc(head.time),
            "log_keys": [{"origin": key.origin, "vkey": key.vkey} for key in head.log_keys],
        }
        (self._folder / DESCRIPTION).write_text(json.dumps(description, indent=1) + "\n", "ascii")
        return Written(head.version, self._documents, self._proven)

    def _after_payloads(self, part: ExportVaultResponse) -> None:
        self._flush()
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
                self._begin(part)
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

    def _begin(self, part: ExportVaultResponse) -> None:
        document = part.document
        name = _name(document.evidence_id, document.revision, document.media_type)
        self._document = self._file(name)
        self._documents += 1

    def _chunk(self, chunk: bytes) -> None:
        if self._document is None:
            raise CommandError(self._words("export.broken"), self._words("export.broken.next"))
        self._document.write(chunk)

    def _file(self, name: str) -> BinaryIO:
        if name not in self._files:
            opened = os.open(self._folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            self._files[name] = self._closing.enter_context(os.fdopen(opened, "wb"))
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


def _line(line: dict[str, Any]) -> bytes:
    return json.dumps(line, separators=(",", ":")).encode("ascii") + b"\n"


def _unwritable(folder: str, error: OSError, words: Words) -> str:
    return words("file.unwritable", file=folder, why=error.strerror or "?")
