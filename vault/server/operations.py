# SPDX-License-Identifier: Apache-2.0
"""`OperationsService`: the operator's own history."""

from __future__ import annotations

from vault.api.v1 import operations_service_pb2
from vault.domain.errors import TokenInvalidError
from vault.server.call import Call
from vault.server.convert.operation import (
    ACTS,
    notice_from,
    operation_message,
    range_from,
)
from vault.server.paging import DEFAULT_SIZE, exceeds_page
from vault.server.services import UseCases


class OperationsHandler:
    """Handles `vault.api.v1.OperationsService`."""

    def __init__(self, use_cases: UseCases) -> None:
        self._use = use_cases

    async def PublishKnownFault(
        self, request: operations_service_pb2.PublishKnownFaultRequest, call: Call
    ) -> operations_service_pb2.PublishKnownFaultResponse:
        """Publish a known fault."""
        answer = await self._use.operations.publish_fault(
            call.caller,
            request.request_id,
            tuple(map(range_from, request.ranges)),
            tuple(map(notice_from, request.notices)),
        )
        return operations_service_pb2.PublishKnownFaultResponse(
            operation=operation_message(answer.value),
            position_token=self._use.positions.write(answer.sizes),
        )

    async def RecordAct(
        self, request: operations_service_pb2.RecordActRequest, call: Call
    ) -> operations_service_pb2.RecordActResponse:
        """Record what an administrator did."""
        answer = await self._use.operations.record_act(
            call.caller, request.request_id, ACTS[request.act], request.note
        )
        return operations_service_pb2.RecordActResponse(
            operation=operation_message(answer.value),
            position_token=self._use.positions.write(answer.sizes),
        )

    async def ListOperations(
        self, request: operations_service_pb2.ListOperationsRequest, call: Call
    ) -> operations_service_pb2.ListOperationsResponse:
        """List the operator's history, newest first."""
        await self._use.seen(request.position_token, call)
        cursor = self._use.pages.read(request.page_token, call) or "0"
        if not cursor.isdecimal():
            raise TokenInvalidError("page_token")
        found = await self._use.operations.list(
            before_version=int(cursor), limit=request.page_size or DEFAULT_SIZE
        )
        messages = [operation_message(one) for one in found]
        while exceeds_page(messages):
            messages.pop()
        last = messages[-1].version if messages else 1
        return operations_service_pb2.ListOperationsResponse(
            operations=messages,
            next_page_token=self._use.pages.write(str(last), call) if last > 1 else "",
        )
