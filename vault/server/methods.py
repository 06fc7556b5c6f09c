# SPDX-License-Identifier: Apache-2.0
"""Every RPC of the contract: its name, its request, and the handler that answers it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message


@dataclass(frozen=True, slots=True)
class Method:
    """One RPC.

    Attributes:
        name: the full method, for instance `/vault.api.v1.VaultService/OpenVault`.
        request: the class of what is sent; of each message, where a stream is sent.
        handle: the handler. It takes the request, or an iterator of them, and the `Call`; it
            returns a message, or an iterator of them. Where both are streams, it takes each request
            by itself and returns its answer.
        takes_stream: whether a stream is sent.
        gives_stream: whether a stream is answered.
    """

    name: str
    request: type[Message]
    handle: Callable[[Any, Any], Any]
    takes_stream: bool = False
    gives_stream: bool = False


def methods_of(
    services: Iterable[ServiceDescriptor], handlers: Mapping[str, object]
) -> list[Method]:
    """Return every method of services.

    Args:
        handlers: by the service's name, what has a coroutine or generator for each method.

    Raises:
        AttributeError: if a handler lacks a method of the contract.
    """
    return [
        _method(descriptor, getattr(handlers[service.name], descriptor.name))
        for service in services
        for descriptor in service.methods
    ]


def _method(descriptor: MethodDescriptor, handle: Callable[[Any, Any], Any]) -> Method:
    return Method(
        name=f"/{descriptor.containing_service.full_name}/{descriptor.name}",
        request=message_factory.GetMessageClass(descriptor.input_type),
        handle=handle,
        takes_stream=descriptor.client_streaming,
        gives_stream=descriptor.server_streaming,
    )
