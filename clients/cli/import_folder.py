# SPDX-License-Identifier: Apache-2.0
"""An exported folder on its way into another deployment: its parts, in their order, from files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from clients.cli.errors import CommandError, UsageError
from clients.export import form
from clients.receipts import unb64

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from clients.wording.words import Words
    from vault.api.v1.export_pb2 import ExportedPayload
    from vault.api.v1.log_pb2 import Record
    from vault.api.v1.vault_pb2 import Acting
    from vault.api.v1.vault_service_pb2 import ImportHeader, ImportVaultRequest

CHUNK_BYTES: Final = 128 * 1024
_NEEDED: Final = (form.DESCRIPTION, form.HISTORY, form.PAYLOADS)


def header_of(folder: Path, request_id: str, acting: Acting, words: Words) -> ImportHeader:
    """Return what is said before the parts.

    Raises:
        UsageError: if this is no folder that was exported.
    """
    from vault.api.v1.vault_service_pb2 import ImportHeader  # noqa: PLC0415

    wrong = UsageError(
        words("import.no.folder", folder=str(folder)), words("import.no.folder.next")
    )
    if not all((folder / name).is_file() for name in _NEEDED):
        raise wrong
    try:
        said = json.loads((folder / form.DESCRIPTION).read_bytes())
        if said["form"] != form.FORM:
            raise wrong
        return ImportHeader(
            request_id=request_id,
            acting=acting,
            vault_id=said["vault_id"],
            origin=said["origin"],
            version=said["version"],
            leaf_hash=unb64(said["leaf"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        raise wrong from None


def messages(
    header: ImportHeader,
    folder: Path,
    words: Words,
    step: Callable[[int], None],
    failed: list[CommandError],
) -> Iterator[ImportVaultRequest]:
    """Yield everything that is sent; what cannot be read ends the stream, and is kept.

    Args:
        step: told how many records went.
    """
    from vault.api.v1.export_pb2 import ExportedDocument  # noqa: PLC0415
    from vault.api.v1.vault_service_pb2 import ImportVaultRequest  # noqa: PLC0415

    yield ImportVaultRequest(header=header)
    documents: list[dict[str, Any]] = []
    try:
        beside = _by_place(folder / form.PAYLOADS)
        for line in _lines(folder / form.HISTORY):
            yield ImportVaultRequest(record=_record(line))
            for payload in beside.pop(line["leaf_index"], []):
                yield ImportVaultRequest(payload=_payload(payload))
                if payload["file"]:
                    documents.append(payload)
            step(1)
        for line in documents:
            path = folder / line["file"]
            _, _, _, evidence_id, revision, *_ = line["context"]
            document = ExportedDocument(
                evidence_id=evidence_id,
                revision=revision,
                media_type=form.MEDIA_TYPES.get(path.suffix.removeprefix("."), ""),
                size_bytes=path.stat().st_size,
            )
            yield ImportVaultRequest(document=document)
            with path.open("rb") as file:
                while chunk := file.read(CHUNK_BYTES):
                    yield ImportVaultRequest(chunk=chunk)
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        message = words("import.no.folder", folder=str(folder))
        failed.append(CommandError(message, words("import.no.folder.next")))


def _record(line: dict[str, Any]) -> Record:
    from vault.api.v1.log_pb2 import Record  # noqa: PLC0415

    return Record(
        leaf_index=line["leaf_index"],
        stream_id=line["stream_id"],
        version=line["version"],
        entry=unb64(line["entry"]),
        link=line["link"].encode(),
        facts=line["facts"].encode(),
    )


def _payload(line: dict[str, Any]) -> ExportedPayload:
    from vault.api.v1.export_pb2 import ExportedPayload  # noqa: PLC0415

    _, _, kind, evidence_id, revision, schema, key_id = line["context"]
    return ExportedPayload(
        kind=kind,
        sealed=unb64(line["sealed"]),
        key=unb64(line["key"]),
        key_id=key_id,
        evidence_id=evidence_id,
        revision=revision or 0,
        schema=schema,
    )


def _by_place(file: Path) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {}
    for line in _lines(file):
        found.setdefault(line["leaf_index"], []).append(line)
    return found


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    with file.open("rb") as lines:
        yield from map(json.loads, lines)
