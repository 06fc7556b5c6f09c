# SPDX-License-Identifier: Apache-2.0
"""The server itself, over gRPC and HTTP: its limits, health and reflection, and how it stops.

Stopping drains: health says NOT_SERVING, new calls are refused, calls under way may end. What the
use cases stand on is closed afterwards, by whoever composed them.
"""

from __future__ import annotations

import asyncio
from importlib.resources import files
from typing import Final

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health, health_pb2
from grpc_reflection.v1alpha import reflection
from structlog.typing import FilteringBoundLogger

from vault.api.v1 import (
    audit_service_pb2,
    consent_service_pb2,
    disclosure_service_pb2,
    evidence_service_pb2,
    operations_service_pb2,
    registry_service_pb2,
    vault_service_pb2,
)
from vault.configuration.config import Config
from vault.server import constraints
from vault.server.audit import AuditHandler
from vault.server.connect import Connect, refuse
from vault.server.consent import ConsentHandler
from vault.server.disclosure import DisclosureHandler
from vault.server.evidence import EvidenceHandler
from vault.server.gate import gates_of, streams_of
from vault.server.grpc_methods import add_methods
from vault.server.health import add_health
from vault.server.http import Answer, HttpServer, Request
from vault.server.identity import Verifier
from vault.server.log_pages import LOG_PREFIX, LogPages
from vault.server.methods import Method, methods_of
from vault.server.operations import OperationsHandler
from vault.server.passage import Passage
from vault.server.registry import RegistryHandler
from vault.server.services import UseCases
from vault.server.vault import VaultHandler

# Larger ones are refused by gRPC itself; ours are refused by the passage, with a reason.
_LARGEST_FRAME_BYTES: Final = 4 * 1024 * 1024
_OPTIONS: Final[tuple[tuple[str, int], ...]] = (
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
        operations_service_pb2,
    )
    for service in module.DESCRIPTOR.services_by_name.values()
)


LOG_HEALTH: Final = "vault.log"
"""By this name health tells whether the logs sign: NOT_SERVING if one refuses to."""


class Server:
    """Every service of ours, over gRPC and over HTTP.

    Attributes:
        target: where gRPC is, `host:port`.
        url: where HTTP is.
    """

    def __init__(
        self, config: Config, use_cases: UseCases, verifier: Verifier, log: FilteringBoundLogger
    ) -> None:
        limits = config.limits
        self._methods = _methods(use_cases, config.handoff_uri)
        self._passage = Passage(
            verifier,
            gates_of(limits.disclosures, limits.waiting_disclosures, limits.calls),
            streams_of(limits.calls),
            log,
        )
        self._health = health.aio.HealthServicer()
        self._drain_seconds = limits.drain_seconds
        # A busy port is an error, not a second server that takes half of the calls, unless this is
        # one of several processes, whose supervisor holds the port for them.
        shares_port = config.processes > 1
        options = (*_OPTIONS, ("grpc.so_reuseport", int(shares_port)))
        self._grpc = grpc.aio.server(options=options, maximum_concurrent_rpcs=limits.calls)
        add_methods(self._grpc, self._passage, self._methods)
        add_health(self._grpc, self._health, limits.calls)
        names = [service.full_name for service in _SERVICES]
        if config.is_development:
            shown = (*names, health.SERVICE_NAME, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(shown, self._grpc)
        self._names = ("", *names)
        host = f"[{config.host}]" if ":" in config.host else config.host
        self.target = f"{host}:{self._bind(f'{host}:{config.port}')}"
        description = (files("vault.api") / "openapi.json").read_bytes()
        self._connect = Connect(self._passage, self._methods, description)
        self._logs = use_cases.logs
        self._log_pages = LogPages(use_cases.logs)
        self._telling: asyncio.Task[None] | None = None
        self._http = HttpServer(
            config.http_address,
            self._answer,
            refuse,
            limits.calls,
            log,
            shares_port=shares_port,
        )
        self.url = self._http.url

    async def start(self) -> None:
        """Begin to accept calls."""
        constraints.warm(method.request for method in self._methods)
        for name in self._names:
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        self._telling = asyncio.create_task(self._tell_logs())
        await self._grpc.start()
        await self._http.start()

    async def _answer(self, request: Request) -> Answer:
        if request.path.startswith(LOG_PREFIX):
            return await self._log_pages.answer(request)
        return await self._connect.answer(request)

    async def _tell_logs(self) -> None:
        """Tell as its health whether every log signs; nobody is served worse if one does not."""
        changed = asyncio.Event()
        self._logs.on_change = changed.set
        while True:
            known = health_pb2.HealthCheckResponse
            status = known.NOT_SERVING if self._logs.refusals else known.SERVING
            await self._health.set(LOG_HEALTH, status)
            await changed.wait()
            changed.clear()

    def _bind(self, address: str) -> int:
        try:
            return self._grpc.add_insecure_port(address)
        except RuntimeError:
            message = f"{address} cannot be listened on. Is another program there?"
            raise OSError(message) from None

    async def drain(self) -> None:
        """Refuse new calls, and return when those under way have ended, or had their time."""
        if self._telling is not None:
            self._telling.cancel()
        await self._health.enter_graceful_shutdown()
        self._passage.drain()
        await asyncio.gather(
            self._grpc.stop(self._drain_seconds), self._http.drain(self._drain_seconds)
        )


def _methods(use_cases: UseCases, handoff_uri: str) -> list[Method]:
    handlers = {
        "VaultService": VaultHandler(use_cases),
        "EvidenceService": EvidenceHandler(use_cases),
        "ConsentService": ConsentHandler(use_cases, handoff_uri),
        "DisclosureService": DisclosureHandler(use_cases),
        "AuditService": AuditHandler(use_cases),
        "RegistryService": RegistryHandler(use_cases),
        "OperationsService": OperationsHandler(use_cases),
    }
    return methods_of(_SERVICES, handlers)
