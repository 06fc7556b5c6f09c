# SPDX-License-Identifier: Apache-2.0
"""The parts of an export that is brought, and what became of them, on the wire."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Final

from vault.api.v1 import vault_service_pb2 as pb
from vault.application.exported import ExportedHead, ExportedPayload, ExportedRecord
from vault.application.imports import Brought, BroughtDocument, LeftReason, Part
from vault.domain.canonical import b64
from vault.domain.errors import FieldInvalidError
from vault.sealing.envelope import Context

MOST_LEFT: Final = 1_000
REASONS: Final[Mapping[LeftReason, pb.LeftBehindReason.ValueType]] = {
    "gone": pb.LEFT_BEHIND_REASON_GONE,
    "type-unknown": pb.LEFT_BEHIND_REASON_TYPE_UNKNOWN,
    "schema-differs": pb.LEFT_BEHIND_REASON_SCHEMA_DIFFERS,
    "attested": pb.LEFT_BEHIND_REASON_ATTESTED,
}


def head_from(header: pb.ImportHeader) -> ExportedHead:
    """Return where the history that is brought ended."""
    return ExportedHead(
        origin=header.origin,
        vault_id=header.vault_id.lower(),
        version=header.version,
        leaf=b64(header.leaf_hash),
    )


async def parts_from(
    requests: AsyncIterator[pb.ImportVaultRequest], stream: str
) -> AsyncIterator[Part]:
    """Yield the parts after the header.

    Raises:
        FieldInvalidError: if a second header comes.
    """
    async for request in requests:
        match request.WhichOneof("part"):
            case "record":
                yield _record(request)
            case "payload":
                yield _payload(request, stream)
            case "document":
                document = request.document
                yield BroughtDocument(
                    evidence_id=document.evidence_id.lower(),
                    revision=document.revision,
                    media_type=document.media_type,
                )
            case "chunk":
                yield request.chunk
            case _:
                raise FieldInvalidError("header", "Only the first message is a header.")


def left_messages(brought: Brought) -> list[pb.LeftBehind]:
    """Return what was left behind, the first of it: it must fit into an answer."""
    return [
        pb.LeftBehind(
            evidence_id=one.evidence_id,
            evidence_type=one.evidence_type,
            revision=one.revision,
            reason=REASONS[one.reason],
        )
        for one in brought.left[:MOST_LEFT]
    ]


def _record(request: pb.ImportVaultRequest) -> ExportedRecord:
    record = request.record
    is_there = bool(record.link or record.facts)
    return ExportedRecord(
        position=record.leaf_index,
        stream=record.stream_id,
        version=record.version,
        entry=record.entry,
        state=record.link + b"\n" + record.facts if is_there else b"",
    )


def _payload(request: pb.ImportVaultRequest, stream: str) -> ExportedPayload:
    payload = request.payload
    context = Context(
        stream=stream,
        kind=payload.kind,
        evidence_id=payload.evidence_id,
        revision=payload.revision,
        schema=payload.schema,
        key_id=payload.key_id,
    )
    return ExportedPayload(sealed=payload.sealed, context=context, secret=payload.key)
