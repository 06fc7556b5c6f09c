# SPDX-License-Identifier: Apache-2.0
"""The gRPC server itself: its limits, health and reflection, and how it stops.

Stopping drains: health says NOT_SERVING, new calls are refused, calls under way may end. What the
use cases stand on is closed afterwards, by whoever composed them.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from structlog.typing import FilteringBoundLogger

from vault.api.v1 import (
    audit_service_pb2,
    audit_service_pb2_grpc,
    consent_service_pb2,
    consent_service_pb2_grpc,
    disclosure_service_pb2,
    disclosure_service_pb2_grpc,
    evidence_service_pb2,
    evidence_service_pb2_grpc,
    registry_service_pb2,
    registry_service_pb2_grpc,
    vault_service_pb2,
    vault_service_pb2_grpc,
)
from vault.config import Config
from vault.server import constraints
from vault.server.audit import AuditHandler
from vault.server.consent import ConsentHandler
from vault.server.disclosure import DisclosureHandler
from vault.server.evidence import EvidenceHandler
from vault.server.gate import Gate
from vault.server.identity import Verifier
from vault.server.interceptors import CallInterceptor
from vault.server.registry import RegistryHandler
from vault.server.services import UseCases
from vault.server.vault import VaultHandler

# Larger ones are refused by gRPC itself; ours are refused by the interceptor, with a reason.
_LARGEST_FRAME_BYTES: Final = 4 * 1024 * 1024
_OPTIONS: Final[tuple[tuple[str, int], ...]] = (
    # A busy port is an error, not a second server that takes half of the calls.
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", _LARGEST_FRAME_BYTES),
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.absolute_max_metadata_size", 24 * 1024),
    ("grpc.max_concurrent_streams", 256),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.http2.max_ping_strikes", 2),
    ("grpc.server_handshake_timeout_ms", 10_000),
)

_SERVICES: Final[tuple[ServiceDescriptor, ...]] = tuple(
    service
    for module in (
        vault_service_pb2,
        evidence_service_pb2,
        consent_service_pb2,
        disclosure_service_pb2,
        audit_service_pb2,
        registry_service_pb2,
    )
    for service in module.DESCRIPTOR.services_by_name.values()
)


class Server:
    """One gRPC server with every service of ours."""

    def __init__(
        self, config: Config, use_cases: UseCases, verifier: Verifier, log: FilteringBoundLogger
    ) -> None:
        limits = config.limits
        gate = Gate(limits.disclosures, limits.waiting_disclosures)
        self._interceptor = CallInterceptor(verifier, gate, log)
        self._health = health.aio.HealthServicer()
        self._drain_seconds = limits.drain_seconds
        self._server = grpc.aio.server(
            interceptors=(self._interceptor,),
            options=_OPTIONS,
            maximum_concurrent_rpcs=limits.calls,
        )
        for register, handler in _handlers(use_cases, config.handoff_uri):
            register(handler, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = [service.full_name for service in _SERVICES]
        if config.is_development:
            shown = (*names, health.SERVICE_NAME, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(shown, self._server)
        self._names = ("", *names)
        host = f"[{config.host}]" if ":" in config.host else config.host
        self.target = f"{host}:{self._bind(f'{host}:{config.port}')}"

    async def start(self) -> None:
        """Begin to accept calls."""
        constraints.warm(
            message_factory.GetMessageClass(method.input_type)
            for service in _SERVICES
            for method in service.methods
        )
        for name in self._names:
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        await self._server.start()

    def _bind(self, address: str) -> int:
        try:
            return self._server.add_insecure_port(address)
        except RuntimeError:
            message = f"{address} cannot be listened on. Is another program there?"
            raise OSError(message) from None

    async def drain(self) -> None:
        """Refuse new calls, and return when those under way have ended, or had their time."""
        await self._health.enter_graceful_shutdown()
        self._interceptor.drain()
        await self._server.stop(self._drain_seconds)


def address_file(data: Path) -> Path:
    """Return the file that tells where the server is; a killed server leaves its own behind."""
    return data / "server.json"


@contextlib.contextmanager
def announced(data: Path, target: str, issuer: str) -> Iterator[None]:
    """Tell, in a file of the owner's alone, where the server is, while it accepts calls."""
    path = address_file(data)
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({"target": target, "issuer": issuer}, file)
    unfinished.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _handlers(
    use_cases: UseCases, handoff_uri: str
) -> tuple[tuple[Callable[[Any, grpc.aio.Server], None], object], ...]:
    # `Any`: generated code wants gRPC's context where our handlers take a `Call`.
    return (
        (vault_service_pb2_grpc.add_VaultServiceServicer_to_server, VaultHandler(use_cases)),
        (
            evidence_service_pb2_grpc.add_EvidenceServiceServicer_to_server,
            EvidenceHandler(use_cases),
        ),
        (
            consent_service_pb2_grpc.add_ConsentServiceServicer_to_server,
            ConsentHandler(use_cases, handoff_uri),
        ),
        (
            disclosure_service_pb2_grpc.add_DisclosureServiceServicer_to_server,
            DisclosureHandler(use_cases),
        ),
        (audit_service_pb2_grpc.add_AuditServiceServicer_to_server, AuditHandler(use_cases)),
        (
            registry_service_pb2_grpc.add_RegistryServiceServicer_to_server,
            RegistryHandler(use_cases),
        ),
    )
