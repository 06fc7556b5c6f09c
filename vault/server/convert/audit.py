# SPDX-License-Identifier: Apache-2.0
"""What was true of a vault, and why something left, on the wire: pseudonyms and digests only."""

from __future__ import annotations

from vault.api.v1 import audit_pb2 as pb
from vault.api.v1 import audit_service_pb2 as service_pb
from vault.application.audits import Explanation, StateThen
from vault.application.lane_replays import AllSent, RangeRead
from vault.application.silences import BothEnds
from vault.domain.canonical import unb64
from vault.domain.disclosure import DisclosureRefused, EvidenceDisclosed
from vault.domain.evidence import Evidence
from vault.server.convert.consent import consent_as_of, request_as_of
from vault.server.convert.log import receipt_message, record_message
from vault.server.convert.registry import purpose_message
from vault.server.convert.times import timestamp
from vault.store.append import StoredRecord


def lane_item_message(item: RangeRead | StoredRecord | AllSent) -> service_pb.ReplayLaneResponse:
    """Return a part of a range of a log."""
    match item:
        case RangeRead(facts=facts, receipt=receipt):
            return service_pb.ReplayLaneResponse(
                range=service_pb.LaneRange(
                    origin=facts.origin,
                    first_leaf_index=facts.first,
                    end_leaf_index=facts.end,
                    service_id=facts.service,
                    receipt=receipt_message(receipt),
                )
            )
        case AllSent(count=count):
            return service_pb.ReplayLaneResponse(
                caught_up=service_pb.LaneCaughtUp(record_count=count)
            )
        case _:
            return service_pb.ReplayLaneResponse(record=record_message(item))


def silence_item_message(item: StoredRecord | BothEnds) -> service_pb.ProveSilenceResponse:
    """Return a part of a proof of silence."""
    if isinstance(item, StoredRecord):
        return service_pb.ProveSilenceResponse(record=record_message(item))
    return service_pb.ProveSilenceResponse(
        proof=service_pb.SilenceProof(
            revocation_proof=item.revocation, closing_proof=item.closing, origin=item.origin
        )
    )


def state_message(then: StateThen) -> pb.VaultState:
    """Return what was true at a moment."""
    state = then.state
    return pb.VaultState(
        vault_id=state.stream,
        version=state.version,
        leaf_hash=unb64(state.last_leaf),
        open_time=timestamp(state.open_time),
        last_time=timestamp(state.last_time),
        evidence=[_evidence_state(piece) for piece in state.evidence.values()],
        consents=[
            consent_as_of(consent_id, consent, consent.status(then.time))
            for consent_id, consent in state.consents.items()
        ],
        consent_requests=[request_as_of(asked, then.time) for asked in state.requests.values()],
        as_of_time=timestamp(then.time),
    )


def explanation_message(explanation: Explanation) -> pb.Explanation:
    """Return why something left or was refused."""
    event = explanation.event
    facts = event.facts
    again = {
        True: pb.DECISION_AGAIN_SAME,
        False: pb.DECISION_AGAIN_DIFFERENT,
        None: pb.DECISION_AGAIN_NOT_DECIDED,
    }
    return pb.Explanation(
        record=record_message(explanation.record),
        time=timestamp(facts.time),
        reason=facts.reason if isinstance(facts, DisclosureRefused) else "",
        consent=consent_as_of(explanation.consent_id, explanation.consent, explanation.status),
        purpose=purpose_message(
            explanation.purpose, explanation.texts, is_withdrawn=explanation.is_withdrawn
        ),
        texts_hash=unb64(explanation.texts_hash),
        registry_size=event.link.registry.size,
        registry_confirmed_time=timestamp(event.link.registry.confirmed_time),
        items=_items(explanation),
        decision_again=again[explanation.is_same],
    )


def _items(explanation: Explanation) -> list[pb.ExplainedItem]:
    facts = explanation.event.facts
    if isinstance(facts, DisclosureRefused):
        return [
            pb.ExplainedItem(evidence_type=fields.evidence_type, names=fields.names)
            for fields in facts.fields
        ]
    if not isinstance(facts, EvidenceDisclosed):
        return []
    left = {item.item: item for item in explanation.event.link.items}
    types = {scope.item: scope.evidence_type for scope in explanation.consent.terms.scope}
    return [
        pb.ExplainedItem(
            item=fields.item,
            evidence_type=types.get(fields.item, ""),
            evidence_id=left[fields.item].evidence_id if fields.item in left else "",
            revision=left[fields.item].revision if fields.item in left else 0,
            names=fields.names,
        )
        for fields in facts.fields
    ]


def _evidence_state(piece: Evidence) -> pb.EvidenceState:
    return pb.EvidenceState(
        evidence_id=piece.evidence_id,
        evidence_type=piece.evidence_type,
        revision=piece.current.revision,
        update_time=timestamp(piece.current.time),
        names=sorted(piece.current.updated),
        disputed_names=sorted(piece.disputed),
    )
