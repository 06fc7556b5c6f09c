# SPDX-License-Identifier: Apache-2.0
"""What was true of a vault, on the wire: pseudonyms and digests only."""

from __future__ import annotations

from vault.api.v1 import audit_pb2 as pb
from vault.domain.canonical import unb64
from vault.domain.state import VaultState
from vault.server.convert.consent import consent_as_of
from vault.server.convert.times import timestamp


def state_message(state: VaultState) -> pb.VaultState:
    """Return what was true after the last event that counts."""
    return pb.VaultState(
        vault_id=state.stream,
        version=state.version,
        leaf_hash=unb64(state.last_leaf),
        open_time=timestamp(state.open_time),
        last_time=timestamp(state.last_time),
        evidence=[
            pb.EvidenceState(
                evidence_id=piece.evidence_id,
                evidence_type=piece.evidence_type,
                revision=piece.current.revision,
                update_time=timestamp(piece.current.time),
            )
            for piece in state.evidence.values()
        ],
        consents=[
            consent_as_of(consent_id, consent, consent.status(state.last_time))
            for consent_id, consent in state.consents.items()
        ],
    )
