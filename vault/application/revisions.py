# SPDX-License-Identifier: Apache-2.0
"""One revision of a piece of evidence: judged by its type's schema, sealed with a key of its own.

Opening sealed values happens here alone, for use cases that authorize and record it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vault.application.commands import opened, sealed
from vault.domain.canonical import encode, strict_json
from vault.domain.errors import EvidenceInvalidError, HistoryBrokenError, NotFoundError
from vault.sealing.envelope import Context, Key, new_key

if TYPE_CHECKING:
    from vault.application.desk import Desk
    from vault.application.registry import Registry
    from vault.domain.evidence import Evidence, Revision
    from vault.domain.registry import EvidenceType
    from vault.sealing.keyring import Keyring
    from vault.store.command import SealedPayload

KIND = "evidence"
Values = dict[str, Any]


async def judge(registry: Registry, published: EvidenceType, values: Values) -> bytes:
    """Return values in canonical form, if they fit the schema of their type.

    Raises:
        EvidenceInvalidError: naming each place that does not.
    """
    schema = await registry.schema(published.published)
    violations = schema.violations(values)
    if violations:
        raise EvidenceInvalidError(tuple((v.path, v.message) for v in violations))
    return encode(values)


def parse(sent: bytes) -> Values:
    """Parse what was sent; JSON has no rule for a name given twice, so it is refused.

    Raises:
        EvidenceInvalidError: if it is not one JSON object.
    """
    try:
        values = strict_json(sent)
    except (ValueError, RecursionError):
        raise EvidenceInvalidError((("", "It is not JSON, or names something twice."),)) from None
    if not isinstance(values, dict):
        raise EvidenceInvalidError((("", "It is not a JSON object."),))
    return values


async def key_for(desk: Desk, vault_id: str, evidence_id: str, revision: int) -> Key:
    """Return the key of a revision, drawn and durable if there is none yet."""
    drawn = new_key()

    def with_key(keyring: Keyring) -> Keyring:
        if keyring.evidence_key(evidence_id, revision):
            return keyring
        return keyring.with_evidence_key(evidence_id, revision, drawn)

    keyring = await desk.keyrings.change(vault_id, with_key)
    key = keyring.evidence_key(evidence_id, revision)
    if key is None:
        raise NotFoundError
    return key


def context_of(
    key: Key, vault_id: str, evidence_id: str, revision: int, schema: str, *, kind: str = KIND
) -> Context:
    """Return where a revision's sealed bytes belong."""
    return Context(
        stream=vault_id,
        kind=kind,
        evidence_id=evidence_id,
        revision=revision,
        schema=schema,
        key_id=key.key_id,
    )


def schema_of(evidence_type: str, schema_version: int) -> str:
    """Return the name of a schema, `type@version`."""
    return f"{evidence_type}@{schema_version}"


async def seal_revision(
    desk: Desk,
    vault_id: str,
    evidence_id: str,
    revision: int,
    *,
    published: EvidenceType,
    values: bytes,
) -> SealedPayload:
    """Seal the values of a revision under its own key."""
    key = await key_for(desk, vault_id, evidence_id, revision)
    schema = schema_of(published.evidence_type, published.schema_version)
    return sealed(key, context_of(key, vault_id, evidence_id, revision, schema), values)


async def open_revision(desk: Desk, vault_id: str, piece: Evidence, revision: Revision) -> bytes:
    """Return the values of one revision, opened: canonical JSON.

    Raises:
        NotFoundError: if its key or payload is gone.
        HistoryBrokenError: if the payload is not the one that was recorded.
    """
    keyring = await desk.keyrings.holding(vault_id, piece.evidence_id, revision.revision)
    key = keyring.evidence_key(piece.evidence_id, revision.revision)
    content = await desk.vaults.payload(vault_id, revision.version, KIND)
    mark = revision.mark
    if key is None or content is None:
        raise NotFoundError
    if mark is None or mark.key_id != key.key_id:
        raise HistoryBrokenError
    schema = schema_of(piece.evidence_type, revision.schema_version)
    context = context_of(key, vault_id, piece.evidence_id, revision.revision, schema)
    return opened(key, context, content, mark)
