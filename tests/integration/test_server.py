# SPDX-License-Identifier: Apache-2.0
"""The running server as those see it who operate it: health, draining, restarting, production.

How it starts and stops as a process is in `test_server_process.py`.
"""

from __future__ import annotations

import signal
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.samples import Samples
from tests.server import Server, running
from tests.wire import METHODS, Answer
from tests.world import World, connected
from vault.api.v1 import audit_service_pb2 as audit
from vault.api.v1 import consent_service_pb2 as consent
from vault.api.v1 import evidence_service_pb2 as evidence
from vault.api.v1 import vault_service_pb2 as vaults

PRODUCTION: Final = {
    "CITIZEN_VAULT_ENVIRONMENT": "production",
    "CITIZEN_VAULT_DEPLOYMENT": "vault.example",
    "CITIZEN_VAULT_HANDOFF_URI": "https://vault.example/asked/",
    "CITIZEN_VAULT_ALLOW_FILE_WRAPPER_IN_PRODUCTION": "yes",
}
SERVICES: Final = sorted({f"vault.api.v1.{name.partition('/')[0]}" for name in METHODS})


def health_of(target: str, service: str = "") -> Any:
    with connected(target) as channel:
        asked = health_pb2.HealthCheckRequest(service=service)
        stub: Any = health_pb2_grpc.HealthStub(channel)
        return stub.Check(asked, timeout=5).status


def reflected(target: str) -> set[str]:
    with connected(target) as channel:
        asked = reflection_pb2.ServerReflectionRequest(list_services="")
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
        answers = stub.ServerReflectionInfo(iter([asked]), timeout=5)
        return {found.name for found in next(iter(answers)).list_services_response.service}


@pytest.mark.parametrize("service", ["", *SERVICES])
def test_every_service_is_healthy(server: Server, service: str) -> None:
    assert health_of(server.target, service) == health_pb2.HealthCheckResponse.SERVING


def test_everything_is_reflected_in_development(server: Server) -> None:
    assert reflected(server.target) >= set(SERVICES)


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("production")
    with running(Server(folder, options=(), settings=PRODUCTION)) as server:
        yield server


def test_nothing_is_reflected_in_production(production: Server) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        reflected(production.target)

    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_a_whole_journey_works_in_production(production: Server) -> None:
    with connected(production.target) as channel:
        world = World(production, channel)
        shared = world.share(world.mair, world.council)

        fetched = world.disclose(shared).read()

    assert fetched.receipt.origin == "vault.example/0"


def test_the_development_issuer_does_not_start_in_production(tmp_path: Path) -> None:
    settings = {**PRODUCTION, "CITIZEN_VAULT_ISSUER": "", "CITIZEN_VAULT_JWKS_FILE": ""}
    server = Server(tmp_path, options=(), settings=settings)

    with pytest.raises(AssertionError, match="CITIZEN_VAULT_ISSUER is missing"):
        server.start()

    assert server.process is not None
    assert server.process.wait(5) == 2


# --- Draining ------------------------------------------------------------------------------------


class Drained:
    """What was seen of a server that was told to stop while a call was under way."""

    def __init__(self, folder: Path) -> None:
        # Who watches its health stays until the time is over.
        self.server = Server(folder, settings={"CITIZEN_VAULT_DRAIN_SECONDS": "2"})
        with running(self.server), connected(self.server.target) as channel:
            world = World(self.server, channel)
            shared = world.share(world.mair, world.council)
            health: list[Any] = []
            watching = self._watch(health)
            with ThreadPoolExecutor(2) as threads:
                # A revocation is answered a quarter of a second after it was recorded.
                under_way: Future[Answer] = threads.submit(world.revoke, shared)
                time.sleep(0.1)
                assert self.server.process is not None
                self.server.process.send_signal(signal.SIGTERM)
                time.sleep(0.05)
                self.new_call = world.mair.caller.call(
                    "VaultService/GetVault", vaults.GetVaultRequest(), 2
                )
                self.under_way = under_way.result()
            self.exit_code = self.server.process.wait(20)
            watching.join(5)
            self.health = health
            self.consent_id = shared.consent_id

    def _watch(self, seen: list[Any]) -> threading.Thread:
        def watch() -> None:
            with connected(self.server.target) as channel:
                stub: Any = health_pb2_grpc.HealthStub(channel)
                asked = health_pb2.HealthCheckRequest()
                with suppress(grpc.RpcError):
                    for answer in stub.Watch(asked, timeout=20):
                        note(answer.status)

        note = seen.append
        thread = threading.Thread(target=watch)
        thread.start()
        while not seen:
            time.sleep(0.01)
        return thread


@pytest.fixture(scope="module")
def drained(tmp_path_factory: pytest.TempPathFactory) -> Drained:
    return Drained(tmp_path_factory.mktemp("drained"))


def test_a_call_under_way_ends_well(drained: Drained) -> None:
    assert drained.under_way.is_ok, drained.under_way.told


def test_a_new_call_is_turned_away(drained: Drained) -> None:
    # gRPC itself cancels a call that crosses its farewell.
    assert drained.new_call.code in {"UNAVAILABLE", "CANCELLED"}


def test_health_says_that_it_stops(drained: Drained) -> None:
    serving = health_pb2.HealthCheckResponse
    assert drained.health == [serving.SERVING, serving.NOT_SERVING]


def test_it_ends_without_an_error_and_without_an_address(drained: Drained) -> None:
    assert drained.exit_code == 0
    assert not drained.server.address_file.exists()


# --- Restarting ----------------------------------------------------------------------------------


class Restarted:
    """What was read before a server was stopped and started again, and the same afterwards."""

    def __init__(self, folder: Path) -> None:
        self.server = Server(folder)
        self._serve_first()
        self._serve_again()

    def _serve_first(self) -> None:
        with running(self.server), connected(self.server.target) as channel:
            self.world = world = World(self.server, channel)
            self.shared = world.share(world.mair, world.council)
            self.fetched = world.disclose(self.shared).read()
            self.asked = world.ask(world.council)
            self.log_before = world.replay(world.mair.vault_id)
            self.registry_before = world.replay_registry()
            self.before = self._reads(world)
            assert self.server.stop() == 0

    def _serve_again(self) -> None:
        with running(self.server), connected(self.server.target) as channel:
            self.world.channel = channel
            again = self.world
            again.mair.caller = again.caller("citizen", again.mair.sub)
            again.auditor = again.caller("auditor", "auditor")
            service = again.caller("service", again.council.service_id)
            # First of all: a request that no one has read since the start is no vault.
            self.look = again.auditor.call(
                "AuditService/ReplayVault",
                audit.ReplayVaultRequest(vault_id=self.asked.consent_request_id),
            )
            self.request = service.call(
                "ConsentService/GetRequest",
                consent.GetRequestRequest(consent_request_id=self.asked.consent_request_id),
            )
            self.after = self._reads(again)
            self.log_after = again.replay(again.mair.vault_id)
            self.registry_after = again.replay_registry()

    def _reads(self, world: World) -> list[bytes]:
        evidence_id = world.mair.evidence["postal_address"]
        answers = [
            world.mair.caller.call(method, request)
            for method, request in (
                ("EvidenceService/ListEvidence", evidence.ListEvidenceRequest()),
                (
                    "EvidenceService/GetEvidence",
                    evidence.GetEvidenceRequest(evidence_id=evidence_id),
                ),
                ("ConsentService/ListConsents", consent.ListConsentsRequest()),
                ("ConsentService/ListRequests", consent.ListRequestsRequest()),
            )
        ]
        return [data for answer in answers for data in answer.answers]


@pytest.fixture(scope="module")
def restarted(tmp_path_factory: pytest.TempPathFactory) -> Restarted:
    return Restarted(tmp_path_factory.mktemp("restarted"))


def test_a_restart_keeps_what_she_sees(restarted: Restarted) -> None:
    assert len(restarted.before) == 4
    assert restarted.before == restarted.after


def test_a_restart_keeps_the_log(restarted: Restarted) -> None:
    """An auditor's look is itself recorded, so that a second one sees one record more."""
    assert restarted.log_after[: len(restarted.log_before)] == restarted.log_before
    assert restarted.registry_after == restarted.registry_before


def test_a_look_at_a_request_as_if_it_were_a_vault_finds_nothing(restarted: Restarted) -> None:
    assert restarted.look.reason == "NOT_FOUND"


def test_such_a_look_does_the_request_no_harm(restarted: Restarted) -> None:
    """A state is remembered by its stream: what was folded wrongly must not be."""
    assert restarted.request.is_ok, restarted.request.told


# --- Position tokens -----------------------------------------------------------------------------


def test_what_was_written_is_read_with_its_token(samples: Samples) -> None:
    for _ in range(20):
        written = samples.citizen.caller.ask(
            "EvidenceService/ProvideEvidence",
            samples.make("EvidenceService/ProvideEvidence", "citizen"),
        )
        read = samples.citizen.caller.ask(
            "EvidenceService/GetEvidence",
            evidence.GetEvidenceRequest(
                evidence_id=written.evidence.evidence_id, position_token=written.position_token
            ),
        )
        assert read.evidence.evidence_id == written.evidence.evidence_id


def test_a_history_as_of_a_token_ends_there(world: World, samples: Samples) -> None:
    citizen = world.citizen()
    before = citizen.caller.ask("VaultService/GetVault", vaults.GetVaultRequest())
    shared = world.share(citizen, samples.service)
    assert world.disclose(shared).is_ok

    log = world.replay(citizen.vault_id, before.position_token)

    assert len(log) == before.vault.version
    assert b"consent-granted.1" not in b"".join(record.facts for record in log)


def test_a_state_as_of_a_token_is_the_state_then(world: World, samples: Samples) -> None:
    citizen = world.citizen()
    shared = world.share(citizen, samples.service)
    then = citizen.caller.ask("VaultService/GetVault", vaults.GetVaultRequest())
    assert world.revoke(shared).is_ok

    def states(token: str) -> list[int]:
        request = audit.GetVaultStateRequest(vault_id=citizen.vault_id, as_of_token=token)
        answer = world.auditor.ask("AuditService/GetVaultState", request)
        return [found.state for found in answer.state.consents]

    assert states(then.position_token) != states("")


def test_a_token_of_another_server_is_none_of_ours(tmp_path: Path, samples: Samples) -> None:
    with running(Server(tmp_path)) as other, connected(other.target) as channel:
        caller = World(other, channel).mair.caller
        token = caller.ask("VaultService/GetVault", vaults.GetVaultRequest()).position_token

    answer = samples.citizen.caller.call(
        "VaultService/GetVault", vaults.GetVaultRequest(position_token=token)
    )

    assert (answer.reason, answer.fields) == ("TOKEN_INVALID", ["position_token"])


def test_a_flood_of_fetches_leaves_room_to_stop(world: World) -> None:
    """Stopping goes before what waits, whoever keeps the server busy."""
    citizen = world.citizen()
    busy, stopped = (world.share(citizen, world.service()) for _ in range(2))
    is_over = threading.Event()

    def flood(_: int) -> int:
        fetched = 0
        while not is_over.is_set():
            fetched += world.disclose(busy).is_ok
        return fetched

    with ThreadPoolExecutor(32) as threads:
        fetching = [threads.submit(flood, number) for number in range(32)]
        time.sleep(0.3)
        began = time.monotonic()
        answer = world.revoke(stopped)
        seconds = time.monotonic() - began
        is_over.set()
        fetched = sum(future.result() for future in fetching)

    assert answer.is_ok, answer.told
    assert fetched > 100
    assert seconds < 1.5
