# SPDX-License-Identifier: Apache-2.0
"""Calls by descriptor: any RPC of the contract, with a message or with bytes that are none.

What comes back is kept byte for byte, so that two answers can be compared as a caller would. A
request is one message, or a list of them where a stream is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
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
from vault.api.v1.log_pb2 import Receipt

PACKAGE: Final = "vault.api.v1"
_FILES: Final = (
    vault_service_pb2,
    evidence_service_pb2,
    consent_service_pb2,
    disclosure_service_pb2,
    audit_service_pb2,
    registry_service_pb2,
    operations_service_pb2,
)

METHODS: Final[dict[str, MethodDescriptor]] = {
    f"{service.name}/{method.name}": method
    for file in _FILES
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
"""Every RPC of the contract, by `Service/Method`."""

BATCH: Final = "DisclosureService/DiscloseEvidenceBatch"
_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}

Request: TypeAlias = Message | bytes | Sequence[Message | bytes]


@dataclass(frozen=True)
class Answer:
    """What a call came to.

    Attributes:
        code: the name of the gRPC status.
        status: the bytes of google.rpc.Status, b"" if none came.
        answers: the bytes of each message that came, before an error too.
        within: where in the request its fields are, if they are told from there.
    """

    method: str
    code: str
    message: str
    status: bytes
    answers: tuple[bytes, ...]
    within: str = ""

    @property
    def is_ok(self) -> bool:
        """Say whether it succeeded."""
        return self.code == "OK"

    @property
    def told(self) -> tuple[str, str, bytes]:
        """Return all that an error tells, the `call_id` in metadata left out."""
        return self.code, self.message, self.status

    @property
    def reason(self) -> str:
        """Return the `ErrorReason`, "" if none was told."""
        for detail in Status.FromString(self.status).details:
            info = ErrorInfo()
            if detail.Unpack(info):
                return info.reason
        return ""

    @property
    def fields(self) -> list[str]:
        """Return the offending fields."""
        for detail in Status.FromString(self.status).details:
            bad = BadRequest()
            if detail.Unpack(bad):
                return [f"{self.within}{found.field}" for found in bad.field_violations]
        return []

    @property
    def receipt(self) -> Receipt | None:
        """Return the receipt of an earlier disclosure that is not repeated, if one was told."""
        for detail in Status.FromString(self.status).details:
            receipt = Receipt()
            if detail.Unpack(receipt):
                return receipt
        return None

    def messages(self) -> list[Any]:
        """Return every message that came."""
        kind = message_factory.GetMessageClass(METHODS[self.method].output_type)
        return [kind.FromString(data) for data in self.answers]

    def read(self) -> Any:
        """Return the one message that came."""
        assert self.is_ok, f"{self.method}: {self.code} {self.reason} {self.fields} {self.message}"
        (message,) = self.messages()
        return message


class Caller:
    """Calls one server with one credential; "" sends none."""

    def __init__(
        self,
        channel: grpc.Channel,
        token: str | Callable[[], str],
        metadata: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """Call by a channel; a token that is made for each call was issued just before it."""
        self._channel = channel
        self._token = token
        self._more = metadata

    @property
    def _metadata(self) -> tuple[tuple[str, str], ...]:
        token = self._token if isinstance(self._token, str) else self._token()
        return (("authorization", f"Bearer {token}"), *self._more) if token else self._more

    def call(self, method: str, request: Request, seconds: float = 20.0) -> Answer:
        """Call an RPC by `Service/Method` and return whatever it came to."""
        sent, answers = written(request), list[bytes]()
        try:
            if METHODS[method].server_streaming:
                answers.extend(self.begin(method, sent, seconds))
            elif METHODS[method].client_streaming:
                answers.append(self.begin(method, sent, seconds).result())
            else:
                # Not begun: each call that is begun takes a thread, for thousands of them.
                unary: Any = self._channel.unary_unary(f"/{PACKAGE}.{method}")
                answers.append(unary(sent[0], metadata=self._metadata, timeout=seconds))
        except grpc.RpcError as error:
            return failed(method, error, tuple(answers))
        answer = Answer(method, "OK", "", b"", tuple(answers))
        return _of_first(answer) if method == BATCH else answer

    def begin(self, method: str, sent: Iterable[bytes], seconds: float = 20.0) -> Any:
        """Begin to call an RPC that has a stream; return gRPC's call, to be read or given up."""
        path = f"/{PACKAGE}.{method}"
        said = {"metadata": self._metadata, "timeout": seconds}
        call: Any
        if METHODS[method].client_streaming and METHODS[method].server_streaming:
            call = self._channel.stream_stream(path)
            return call(iter(sent), **said)
        if METHODS[method].client_streaming:
            call = self._channel.stream_unary(path)
            return call.future(iter(sent), **said)
        (data,) = sent
        call = self._channel.unary_stream(path)
        return call(data, **said)

    def ask(self, method: str, request: Request, seconds: float = 20.0) -> Any:
        """Call an RPC with one answer, which must succeed, and return that."""
        return self.call(method, request, seconds).read()


def failed(method: str, error: Any, answers: tuple[bytes, ...] = ()) -> Answer:
    """Return the answer that a failed call is."""
    trailing = dict(error.trailing_metadata() or ())
    status = trailing.get("grpc-status-details-bin", b"")
    return Answer(method, error.code().name, error.details() or "", status, answers)


def _of_first(answer: Answer) -> Answer:
    """Return what became of the first disclosure of a batch, if all of them failed."""
    results = [result for message in answer.messages() for result in message.results]
    if not results or not all(result.WhichOneof("outcome") == "failed" for result in results):
        return answer
    data = results[0].failed
    status = Status.FromString(data)
    code = _CODES[status.code].name
    return Answer(answer.method, code, status.message, data, answer.answers, "disclosures[0].")


def written(request: Request) -> list[bytes]:
    """Return the messages of a request as bytes."""
    parts = [request] if isinstance(request, Message | bytes) else request
    return [part if isinstance(part, bytes) else part.SerializeToString() for part in parts]


def message_of(method: str) -> Any:
    """Return an empty request of an RPC."""
    return message_factory.GetMessageClass(METHODS[method].input_type)()


@dataclass(frozen=True)
class Place:
    """A scalar or Timestamp field somewhere in a request.

    Attributes:
        path: as an error names it, with `[0]` where a list is on the way.
        steps: the names on the way.
    """

    path: str
    steps: tuple[str, ...]
    field: FieldDescriptor

    def put(self, request: Any, value: Any) -> Any:
        """Set the field, in the first entry of each list on the way, and return the request.

        Of a stream that is sent, the first message that has it is changed.
        """
        at = request
        if isinstance(request, list):
            at = next((part for part in request if _has(part, self.steps[0])), request[0])
        for name in self.steps[:-1]:
            inner = getattr(at, name)
            if at.DESCRIPTOR.fields_by_name[name].is_repeated:
                at = inner[0] if len(inner) else inner.add()
            else:
                inner.SetInParent()
                at = inner
        name = self.steps[-1]
        if self.field.is_repeated:
            entries = getattr(at, name)
            if len(entries):
                entries[0] = value
            else:
                entries.append(value)
        elif self.field.message_type is not None:
            getattr(at, name).CopyFrom(value)
        else:
            setattr(at, name, value)
        return request


def _has(message: Message, name: str) -> bool:
    return any(field.name == name for field, _ in message.ListFields())


def places(message: Descriptor, path: str = "", steps: tuple[str, ...] = ()) -> Iterator[Place]:
    """Find every scalar and Timestamp field of a message, nested ones too."""
    for field in message.fields:
        here = f"{path}.{field.name}" if path else field.name
        if field.is_repeated:
            here += "[0]"
        inner = field.message_type
        if inner is not None and inner.full_name != "google.protobuf.Timestamp":
            yield from places(inner, here, (*steps, field.name))
        else:
            yield Place(here, (*steps, field.name), field)


REQUEST_IDS: Final = {
    name: place
    for name, method in METHODS.items()
    for place in places(method.input_type)
    if place.steps[-1] == "request_id"
}
"""Where the `request_id` stands, by RPC."""
WRITES: Final = tuple(REQUEST_IDS)
"""Every RPC that a `request_id` makes safe to repeat."""
