# SPDX-License-Identifier: Apache-2.0
"""Opens what a plan names and builds its bundle: for a disclosure, or to be shown before one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vault.application.bundle import Opened, bundle_bytes
from vault.application.disputes import statements_of
from vault.application.revisions import open_revision

if TYPE_CHECKING:
    from vault.application.desk import Desk
    from vault.application.registry import Registry
    from vault.domain.disclosure import Opening, Plan
    from vault.domain.values import Time


async def open_bundle(
    desk: Desk, registry: Registry, vault_id: str, plan: Plan, *, time: Time, salt: str
) -> bytes:
    """Return the bundle of a plan, opened from her vault.

    Raises:
        NotFoundError: if a key or payload is gone.
        HistoryBrokenError: if a payload is not the one that was recorded.
    """
    opened = [await _open(desk, registry, vault_id, opening) for opening in plan.openings]
    return bundle_bytes(plan, tuple(opened), time, salt)


async def _open(desk: Desk, registry: Registry, vault_id: str, opening: Opening) -> Opened:
    piece, revision, names = opening.evidence, opening.revision, set(opening.names)
    published = await registry.published(piece.evidence_type, revision.schema_version)
    # Her words may speak of every field that she named: they go along only where all of them do.
    shared = [
        dispute
        for dispute in piece.disputes
        if dispute.is_shared and set(dispute.names_in(revision)) and set(dispute.names) <= names
    ]
    return Opened(
        values=await open_revision(desk, vault_id, piece, revision),
        sensitivities={field.name: field.sensitivity for field in published.fields},
        statements=await statements_of(desk, vault_id, shared) if shared else {},
    )
