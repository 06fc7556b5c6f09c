# SPDX-License-Identifier: Apache-2.0
"""The parts of an export on the wire."""

from __future__ import annotations

from vault.api.v1 import export_pb2 as pb
from vault.api.v1.vault_service_pb2 import ExportVaultResponse
from vault.application import exports
from vault.server.convert.log import record_message
from vault.server.convert.times import timestamp


def part_message(part: exports.Part) -> ExportVaultResponse:
    """Return a part of an export."""
    if isinstance(part, bytes):
        return ExportVaultResponse(chunk=part)
    if isinstance(part, exports.Kept):
        record = record_message(part.record)
        if part.is_public:
            return ExportVaultResponse(public_record=record)
        return ExportVaultResponse(record=record)
    return _other(part)


def _other(
    part: exports.Head | exports.Beside | exports.DocumentAhead | exports.Proven | exports.End,
) -> ExportVaultResponse:
    match part:
        case exports.Head():
            return ExportVaultResponse(head=_head(part))
        case exports.Beside():
            return ExportVaultResponse(payload=_payload(part))
        case exports.DocumentAhead():
            return ExportVaultResponse(document=_document(part))
        case exports.Proven():
            return ExportVaultResponse(proof=_proof(part))
        case exports.End():
            return ExportVaultResponse(end=pb.ExportEnd(part_count=part.count))


def _head(head: exports.Head) -> pb.ExportHead:
    return pb.ExportHead(
        vault_id=head.vault_id,
        origin=head.origin,
        version=head.version,
        leaf_hash=head.leaf,
        time=timestamp(head.time),
        registry_id=head.registry_id,
        public_record_count=head.public_count,
        log_keys=[pb.ExportedLogKey(origin=origin, vkey=vkey) for origin, vkey in head.log_keys],
    )


def _payload(beside: exports.Beside) -> pb.ExportedPayload:
    context = beside.context
    return pb.ExportedPayload(
        kind=context.kind,
        sealed=beside.sealed,
        key=beside.key.secret if beside.key else b"",
        key_id=context.key_id,
        evidence_id=context.evidence_id,
        revision=context.revision,
        schema=context.schema,
    )


def _document(ahead: exports.DocumentAhead) -> pb.ExportedDocument:
    return pb.ExportedDocument(
        evidence_id=ahead.evidence_id,
        revision=ahead.revision,
        media_type=ahead.media_type,
        size_bytes=ahead.size_bytes,
    )


def _proof(proven: exports.Proven) -> pb.ExportedProof:
    return pb.ExportedProof(origin=proven.origin, leaf_index=proven.leaf_index, proof=proven.proof)
