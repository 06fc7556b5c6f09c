# SPDX-License-Identifier: Apache-2.0
"""The log of a real server: published to anybody, provable, cosigned, and quiet when it must be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from grpc_health.v1 import health
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from tests.logs import must_be_served
from tests.published import PublishedLog
from tests.server import Server, running
from tests.wire import Answer
from tests.witnesses import log_keys, witnessed
from tests.world import Shared, World, connected
from vault.api.v1 import audit_service_pb2 as audit
from vault.api.v1.log_pb2 import Receipt
from vault.transparency.checkpoint import Checkpoint, open_checkpoint
from vault.transparency.note import Note, Verifier
from vault.transparency.policy import Policy
from vault.transparency.proof import InclusionProof


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(Server(tmp_path_factory.mktemp("log"))) as started:
        yield started


@pytest.fixture(scope="module")
def world(server: Server) -> Iterator[World]:
    with connected(server.target) as channel:
        yield World(server, channel)


@pytest.fixture(scope="module")
def shared(world: World) -> Shared:
    return world.share(world.citizen(), world.service())


@pytest.fixture
def published(server: Server) -> PublishedLog:
    return PublishedLog(server)


def log_key(server: Server) -> Verifier:
    """Return the key that is listed for the server's one log."""
    (vkey,) = log_keys(server)
    return Verifier.of(vkey)


def asked(receipt: Receipt, **changed: Any) -> audit.GetInclusionProofRequest:
    """Return the question for the proof of what a receipt promises."""
    given: dict[str, Any] = {
        "origin": receipt.origin,
        "leaf_index": receipt.leaf_index,
        "leaf_hash": receipt.leaf_hash,
    }
    return audit.GetInclusionProofRequest(**{**given, **changed})


def proof_of(world: World, receipt: Receipt, **changed: Any) -> Answer:
    """Have a citizen who has nothing to do with it ask for the proof of a receipt."""
    return world.citizen().caller.call("AuditService/GetInclusionProof", asked(receipt, **changed))


def health_of(server: Server, name: str) -> int:
    """Return what health tells of a name."""
    check = f"/{health.SERVICE_NAME}/Check"
    with connected(server.target) as channel:
        ask = channel.unary_unary(check, response_deserializer=HealthCheckResponse.FromString)
        answer: HealthCheckResponse = ask(HealthCheckRequest(service=name).SerializeToString())
        return int(answer.status)


def test_what_is_published_is_what_the_store_holds(
    server: Server, shared: Shared, published: PublishedLog
) -> None:
    assert shared.consent_id

    checkpoint = open_checkpoint(published.up_to_date(), [log_key(server)])

    assert checkpoint.origin == "citizen-vault.localhost/0"
    must_be_served(published.get, checkpoint, published.entries())


def test_a_receipt_is_provable_offline(server: Server, world: World, shared: Shared) -> None:
    """By whoever holds it: with the log's key and this alone, the server may be gone."""
    receipt = world.disclose(shared).read().receipt

    proof = InclusionProof.parse(proof_of(world, receipt).read().proof.encode())

    judgement = proof.verify(receipt.leaf_hash, Policy(), log_key(server))
    assert proof.index == receipt.leaf_index
    assert judgement.checkpoint.size > receipt.leaf_index


@pytest.mark.parametrize(
    "changed",
    [
        {"leaf_hash": bytes(32)},
        {"leaf_index": 0},
        {"leaf_index": 10**6},
        {"leaf_index": 2**64 - 1},
        {"origin": "citizen-vault.localhost/1"},
        {"origin": "elsewhere/0"},
    ],
)
def test_who_does_not_know_the_leaf_is_told_nothing(
    world: World, shared: Shared, changed: dict[str, Any]
) -> None:
    answer = proof_of(world, shared.receipt, **changed)

    assert (answer.code, answer.reason) == ("NOT_FOUND", "NOT_FOUND")


def test_the_checkpoint_and_its_key_are_told_to_everybody(server: Server, world: World) -> None:
    request = audit.GetCheckpointRequest(origin="citizen-vault.localhost/0")

    told = world.citizen().caller.call("AuditService/GetCheckpoint", request).read()

    assert told.log_key == log_key(server).vkey
    open_checkpoint(Note.parse(told.checkpoint.encode()), [log_key(server)])


def test_a_log_is_served_as_the_specification_says(shared: Shared, published: PublishedLog) -> None:
    assert shared.consent_id
    size = Checkpoint.parse(published.up_to_date().text).size

    status, headers, body = published.answer(f"tile/entries/000.p/{size}")

    assert status == 200
    assert headers["content-type"] == "application/octet-stream"
    assert headers["cache-control"] == "public, max-age=31536000, immutable"
    assert body.startswith(b"\x00\x41\x01")
    status, headers, _ = published.answer("checkpoint")
    assert (status, headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert headers["cache-control"] == "no-cache"
    status, headers, body = published.answer("checkpoint", "HEAD")
    assert (status, body) == (200, b"")
    assert published.answer("checkpoint", "POST")[0] == 405


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile/0/000.p/256",
        "tile/0/000.p/0",
        "tile/0/001",
        "tile/00/000",
        "tile/entries/../../../keys.db",
        "../keys.db",
        "..%2Fkeys.db",
        ".lock",
        "tile/",
        "tile/0/000\x00",
    ],
)
def test_nothing_but_the_files_of_a_log_is_served(published: PublishedLog, path: str) -> None:
    quoted = path.replace("\x00", "%00")

    assert published.answer(quoted)[0] == 404


@pytest.mark.parametrize("lane", [1, 65_536, -1])
def test_of_a_lane_that_is_not_served_there_is_no_log(server: Server, lane: int) -> None:
    assert PublishedLog(server, lane).answer("checkpoint")[0] == 404


def test_a_log_that_signs_is_healthy(server: Server) -> None:
    assert health_of(server, "vault.log") == HealthCheckResponse.SERVING


def test_a_restarted_server_goes_on_with_the_same_key(tmp_path: Path) -> None:
    server = Server(tmp_path)
    with running(server):
        before = PublishedLog(server).up_to_date()
        keys = log_keys(server)
        assert server.stop() == 0
        server.start()
        published = PublishedLog(server)
        with connected(server.target) as channel:
            World(server, channel).citizen()

        after = published.up_to_date()

        assert log_keys(server) == keys
        verifier = Verifier.of(keys[0])
        assert open_checkpoint(after, [verifier]).size > open_checkpoint(before, [verifier]).size


def test_what_was_acknowledged_last_is_published_when_a_server_stops(tmp_path: Path) -> None:
    server = Server(tmp_path)
    with running(server):
        with connected(server.target) as channel:
            World(server, channel).citizen()
        assert server.stop() == 0

    note = Note.parse((server.data / "log" / "0" / "checkpoint").read_bytes())
    assert Checkpoint.parse(note.text).size == len(PublishedLog(server).entries())


def test_two_processes_publish_one_log(tmp_path: Path) -> None:
    server = Server(tmp_path, settings={"CITIZEN_VAULT_PROCESSES": "2"})
    with running(server), connected(server.target) as channel:
        world = World(server, channel)
        receipts = [world.share(world.citizen(), world.service()).receipt for _ in range(3)]
        key = log_key(server)

        for receipt in receipts * 2:
            proof = InclusionProof.parse(proof_of(world, receipt).read().proof.encode())
            proof.verify(receipt.leaf_hash, Policy(), key)

        published = PublishedLog(server)
        checkpoint = open_checkpoint(published.up_to_date(), [key])
        must_be_served(published.get, checkpoint, published.entries())


def test_witnesses_cosign_what_is_published(tmp_path: Path) -> None:
    server = Server(tmp_path)
    with witnessed(server, 2), running(server), connected(server.target) as channel:
        world = World(server, channel)
        receipt = world.share(world.citizen(), world.service()).receipt
        policy = Policy.parse(Path(server.settings["CITIZEN_VAULT_LOG_POLICY"]).read_bytes())

        proof = InclusionProof.parse(proof_of(world, receipt).read().proof.encode())

        judgement = proof.verify(receipt.leaf_hash, policy)
        assert set(judgement.cosigned) == {"w0.example", "w1.example"}


def test_without_enough_witnesses_disclosures_stop_and_revoking_does_not(tmp_path: Path) -> None:
    server = Server(tmp_path)
    with witnessed(server, 2) as witnesses:
        server.settings["CITIZEN_VAULT_UNWITNESSED_SECONDS"] = "2"
        with running(server), connected(server.target) as channel:
            world = World(server, channel)
            shared, revoked = [world.share(world.citizen(), world.service()) for _ in range(2)]
            assert until(world, shared, "OK")[-1].is_ok
            witnesses[0].kill()

            assert until(world, shared, "UNAVAILABLE")[-1].reason == "LOG_UNWITNESSED"

            before = server.sql("SELECT count(*) FROM records")
            assert not world.disclose(shared).is_ok
            assert server.sql("SELECT count(*) FROM records") == before
            assert world.revoke(revoked).is_ok

            witnesses[0].start()
            assert until(world, shared, "OK")[-1].is_ok


def until(world: World, shared: Shared, code: str) -> list[Answer]:
    """Have a service fetch until a code is the answer."""
    answers = [world.disclose(shared)]
    while answers[-1].code != code:
        assert len(answers) < 5_000, answers[-1].told
        answers.append(world.disclose(shared))
    return answers


def test_a_witness_that_is_away_holds_up_nobody(tmp_path: Path) -> None:
    server = Server(tmp_path)
    with witnessed(server, 2, quorum=1) as witnesses:
        witnesses[1].kill()
        with running(server), connected(server.target) as channel:
            world = World(server, channel)
            receipt = world.share(world.citizen(), world.service()).receipt
            policy = Policy.parse(Path(server.settings["CITIZEN_VAULT_LOG_POLICY"]).read_bytes())

            proof = InclusionProof.parse(proof_of(world, receipt).read().proof.encode())

            assert set(proof.verify(receipt.leaf_hash, policy).cosigned) == {"w0.example"}


def test_the_key_of_the_log_is_listed_once(server: Server) -> None:
    ((state,),) = server.sql("SELECT state FROM records WHERE topic = 'log-key-listed.1'")
    assert isinstance(state, bytes)
    facts = json.loads(state.partition(b"\n")[2])

    assert (facts["lane"], facts["origin"]) == (0, "citizen-vault.localhost/0")
    assert Verifier.of(facts["vkey"]).name == facts["origin"]
