# SPDX-License-Identifier: Apache-2.0
"""A server in this process that says what a test tells it to, and remembers what it was asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status

from vault.api.v1 import (
    audit_service_pb2,
    consent_service_pb2,
    disclosure_service_pb2,
    evidence_service_pb2,
    operations_service_pb2,
    registry_service_pb2,
    vault_service_pb2,
)

CALL_ID = "call-7"

_MODULES = (
    audit_service_pb2,
    consent_service_pb2,
    disclosure_service_pb2,
    evidence_service_pb2,
    operations_service_pb2,
    registry_service_pb2,
    vault_service_pb2,
)


@dataclasses.dataclass(frozen=True)
class Refusal:
    """An answer that is an error."""

    code: grpc.StatusCode
    reason: str = ""
    message: str = "That is refused."
    fields: tuple[tuple[str, str], ...] = ()
    detail: Message | None = None


Answer = Message | Refusal | list[Message] | Callable[[Any], Any]


class FakeServer:
    """Answers each method with what `answers` holds for it: once for each, the last for ever.

    What was asked of a stream up is the list of its messages; where both sides are streams each
    message is asked and answered by itself.
    """

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[tuple[str, Any]] = []
        self.metadata: list[dict[str, str | bytes]] = []
        self._server = grpc.server(ThreadPoolExecutor(max_workers=4))
        self._server.add_generic_rpc_handlers((_Handler(self),))
        self.target = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def says(self, method: str, *answers: Answer) -> None:
        """Set the answers of a method."""
        self.answers[method] = list(answers)

    def requests(self, method: str) -> list[Any]:
        """Return what a method was asked."""
        return [request for name, request in self.asked if name == method]

    def stop(self) -> None:
        """Stop; what is under way may end first, or gRPC tells stderr of it."""
        self._server.stop(1).wait()

    def answer(self, method: str, request: Any) -> Any:
        """Take the next answer of a method."""
        self.asked.append((method, request))
        waiting = self.answers.get(method)
        if not waiting:
            return Refusal(grpc.StatusCode.UNIMPLEMENTED)
        answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return answer(request) if callable(answer) else answer


class _Handler(grpc.GenericRpcHandler):
    def __init__(self, server: FakeServer) -> None:
        self._server = server
        self._methods = {
            f"/{service.full_name}/{method.name}": method
            for module in _MODULES
            for service in module.DESCRIPTOR.services_by_name.values()
            for method in service.methods
        }

    def service(self, handler_call_details: Any) -> Any:
        method = self._methods[handler_call_details.method]
        self._server.metadata.append(dict(handler_call_details.invocation_metadata))
        deserialize = GetMessageClass(method.input_type).FromString

        def unary(request: Any, context: Any) -> Any:
            answer = self._server.answer(method.name, request)
            return _refuse(context, answer) if isinstance(answer, Refusal) else answer

        def uploaded(requests: Iterator[Any], context: Any) -> Any:
            return unary(list(requests), context)

        def stream(request: Any, context: Any) -> Iterator[Any]:
            answer = self._server.answer(method.name, request)
            if isinstance(answer, Refusal):
                _refuse(context, answer)
            answers: Iterable[Any] = answer
            for one in answers:
                if isinstance(one, Refusal):
                    _refuse(context, one)
                yield one

        def conversation(requests: Iterator[Any], context: Any) -> Iterator[Any]:
            for request in requests:
                yield unary(request, context)

        make, behaviour = {
            (False, False): (grpc.unary_unary_rpc_method_handler, unary),
            (True, False): (grpc.stream_unary_rpc_method_handler, uploaded),
            (False, True): (grpc.unary_stream_rpc_method_handler, stream),
            (True, True): (grpc.stream_stream_rpc_method_handler, conversation),
        }[method.client_streaming, method.server_streaming]
        return make(
            behaviour,
            request_deserializer=deserialize,
            response_serializer=lambda message: message.SerializeToString(),
        )


def _refuse(context: Any, refusal: Refusal) -> None:
    status = Status(code=refusal.code.value[0], message=refusal.message)
    if refusal.reason:
        info = ErrorInfo(reason=refusal.reason, domain="vault.api.v1")
        status.details.add().Pack(info)
    if refusal.fields:
        violations = [
            BadRequest.FieldViolation(field=field, description=what)
            for field, what in refusal.fields
        ]
        status.details.add().Pack(BadRequest(field_violations=violations))
    if refusal.detail is not None:
        status.details.add().Pack(refusal.detail)
    context.set_trailing_metadata(
        (
            ("call_id", CALL_ID),
            ("grpc-status-details-bin", status.SerializeToString()),
        )
    )
    context.abort(refusal.code, refusal.message)
