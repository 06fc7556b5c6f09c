# SPDX-License-Identifier: Apache-2.0
"""`AuditService`: replays history, for auditors."""

from __future__ import annotations

from collections.abc import AsyncIterator

from vault.api.v1 import audit_service_pb2
from vault.application.audits import CaughtUp, Moment
from vault.application.lane_replays import Wanted
from vault.server.call import Call
from vault.server.convert.audit import (
    explanation_message,
    lane_item_message,
    silence_item_message,
    state_message,
)
from vault.server.convert.log import record_message
from vault.server.convert.times import time_from
from vault.server.services import UseCases
from vault.store.command import Sizes


class AuditHandler:
    """Handles `vault.api.v1.AuditService`."""

    def __init__(self, use_cases: UseCases) -> None:
        self._use = use_cases

    async def ReplayVault(
        self, request: audit_service_pb2.ReplayVaultRequest, call: Call
    ) -> AsyncIterator[audit_service_pb2.ReplayVaultResponse]:
        """Stream the history of one vault."""
        replay = self._use.audits.replay_vault(
            call.caller,
            request.vault_id.lower(),
            as_of=self._moment(request),
            after_version=request.after_version,
            case_ref=request.case_ref,
        )
        async for item in replay:
            if isinstance(item, CaughtUp):
                yield audit_service_pb2.ReplayVaultResponse(caught_up=self._caught_up(item))
            else:
                yield audit_service_pb2.ReplayVaultResponse(record=record_message(item))

    async def ReplayRegistry(
        self, request: audit_service_pb2.ReplayRegistryRequest, call: Call
    ) -> AsyncIterator[audit_service_pb2.ReplayRegistryResponse]:
        """Stream the history of the registry."""
        replay = self._use.audits.replay_registry(
            as_of=Moment(sizes=self._sizes(request.as_of_token)),
            after_version=request.after_version,
        )
        async for item in replay:
            if isinstance(item, CaughtUp):
                yield audit_service_pb2.ReplayRegistryResponse(caught_up=self._caught_up(item))
            else:
                yield audit_service_pb2.ReplayRegistryResponse(record=record_message(item))

    async def GetVaultState(
        self, request: audit_service_pb2.GetVaultStateRequest, call: Call
    ) -> audit_service_pb2.GetVaultStateResponse:
        """Return what was true of one vault."""
        then = await self._use.audits.state(
            call.caller,
            request.vault_id.lower(),
            as_of=self._moment(request),
            case_ref=request.case_ref,
        )
        return audit_service_pb2.GetVaultStateResponse(state=state_message(then))

    async def ExplainDisclosure(
        self, request: audit_service_pb2.ExplainDisclosureRequest, call: Call
    ) -> audit_service_pb2.ExplainDisclosureResponse:
        """Explain a disclosure or refused attempt."""
        explanation = await self._use.audits.explain(
            call.caller, request.vault_id.lower(), request.version, case_ref=request.case_ref
        )
        return audit_service_pb2.ExplainDisclosureResponse(
            explanation=explanation_message(explanation)
        )

    async def ReplayLane(
        self, request: audit_service_pb2.ReplayLaneRequest, call: Call
    ) -> AsyncIterator[audit_service_pb2.ReplayLaneResponse]:
        """Stream a range of a lane's log."""
        replay = self._use.lane_replays.replay(
            call.caller,
            request.request_id,
            Wanted(
                origin=request.origin,
                first=request.first_leaf_index,
                end=request.end_leaf_index,
                resume=request.resume_leaf_index,
            ),
            case_ref=request.case_ref,
        )
        async for item in replay:
            yield lane_item_message(item)

    async def ProveSilence(
        self, request: audit_service_pb2.ProveSilenceRequest, call: Call
    ) -> AsyncIterator[audit_service_pb2.ProveSilenceResponse]:
        """Stream the proof that nothing left under a consent since it was revoked."""
        proof = self._use.silences.prove(
            call.caller,
            request.request_id,
            request.vault_id.lower(),
            request.consent_id.lower(),
            deadline=call.deadline,
            case_ref=request.case_ref,
        )
        async for item in proof:
            yield silence_item_message(item)

    async def GetInclusionProof(
        self, request: audit_service_pb2.GetInclusionProofRequest, call: Call
    ) -> audit_service_pb2.GetInclusionProofResponse:
        """Return the proof that a record stands in a log."""
        proof = await self._use.log_proofs.inclusion(
            request.origin, request.leaf_index, request.leaf_hash, deadline=call.deadline
        )
        return audit_service_pb2.GetInclusionProofResponse(proof=proof)

    async def GetCheckpoint(
        self, request: audit_service_pb2.GetCheckpointRequest, call: Call
    ) -> audit_service_pb2.GetCheckpointResponse:
        """Return the newest checkpoint of a log."""
        newest = await self._use.log_proofs.checkpoint(request.origin)
        return audit_service_pb2.GetCheckpointResponse(
            checkpoint=newest.note, log_key=newest.log_key
        )

    def _moment(
        self,
        request: audit_service_pb2.ReplayVaultRequest | audit_service_pb2.GetVaultStateRequest,
    ) -> Moment:
        if request.HasField("as_of_time"):
            return Moment(time=time_from(request.as_of_time, "as_of_time"))
        return Moment(sizes=self._sizes(request.as_of_token))

    def _sizes(self, token: str) -> Sizes | None:
        return self._use.positions.read(token, "as_of_token") if token else None

    def _caught_up(self, item: CaughtUp) -> audit_service_pb2.CaughtUp:
        return audit_service_pb2.CaughtUp(
            position_token=self._use.positions.write(item.sizes), record_count=item.count
        )
