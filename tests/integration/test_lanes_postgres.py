# SPDX-License-Identifier: Apache-2.0
"""One deployment over two real PostgreSQL servers: vaults in both, and one of them gone at times.

Lane 0, with the registry and the requests, is on the server that stays.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests import auditor
from tests.postgres import Cluster, Database, new_settings, run_sql, running
from tests.server import Server
from tests.server import running as serving
from tests.wire import Answer, Caller
from tests.world import (
    Citizen,
    Service,
    Shared,
    World,
    connected,
    disclosing,
    new_id,
)
from vault.api.v1 import audit_service_pb2 as audit
from vault.api.v1 import consent_pb2
from vault.api.v1 import consent_service_pb2 as consent
from vault.api.v1 import disclosure_service_pb2 as disclosure
from vault.api.v1 import vault_service_pb2 as vaults
from vault.api.v1.log_pb2 import Receipt
from vault.domain.lane import lane_of

SOON_SECONDS = 40.0
_COUNT = "SELECT count(*) FROM citizen_vault.entries WHERE stream = '{}'"


@dataclass
class Site:
    """A server whose lane 1 lies on a database server of its own."""

    server: Server
    second: Cluster
    database: Database

    def count(self, stream: str) -> int:
        """Count the records of a stream in the second database, past the server."""
        ((count,),) = run_sql(self.second.conninfo(self.database.name), _COUNT.format(stream))
        return int(count)

    @property
    def has_lost_its_lane(self) -> bool:
        """Whether the lane had to be opened anew, for nothing told what became of a batch."""
        return "lane 1 is lost" in self.server.written.read_text()

    @property
    def pid(self) -> int:
        """Return which process serves."""
        assert self.server.process is not None
        assert self.server.process.poll() is None, self.server.written.read_text()
        return self.server.process.pid


@pytest.fixture(scope="module")
def second() -> Iterator[Cluster]:
    """The database server that comes and goes."""
    with running() as cluster:
        yield cluster


@pytest.fixture
def site(cluster: Cluster, second: Cluster, tmp_path: Path) -> Iterator[Site]:
    """A new deployment, with a process that serves it."""
    second.start()
    database = second.fresh_events()
    lanes = tmp_path / "lanes"
    lanes.write_text(f"# the second server\n1 takes-new-vaults {database.server}\n")
    settings = {**new_settings(cluster), "CITIZEN_VAULT_LANES_FILE": str(lanes)}
    with serving(Server(tmp_path / "server", settings=settings)) as server:
        yield Site(server, second, database)
        second.start()


@pytest.fixture
def channel(site: Site) -> Iterator[grpc.Channel]:
    """A connection to it."""
    with connected(site.server.target) as channel:
        yield channel


@dataclass
class Pair:
    """His vault in lane 0, hers in lane 1, both shared with one service."""

    world: World
    service: Service
    his: Shared
    hers: Shared


@pytest.fixture
def pair(site: Site, channel: grpc.Channel) -> Pair:
    """Two citizens in two lanes."""
    world = World(site.server, channel)
    service = world.service()
    return Pair(
        world,
        service,
        his=world.share(citizen_in(world, 0), service),
        hers=world.share(citizen_in(world, 1), service),
    )


def citizen_in(world: World, lane: int) -> Citizen:
    """Return a citizen whose vault happens to be in a lane."""
    while True:
        citizen = world.citizen()
        if lane_of(citizen.vault_id) == lane:
            return citizen


KINDS = {
    "granted": disclosure.CONSENT_CHANGE_KIND_GRANTED,
    "paused": disclosure.CONSENT_CHANGE_KIND_PAUSED,
    "revoked": disclosure.CONSENT_CHANGE_KIND_REVOKED,
}


def told(pair: Pair, cursor: str = "") -> tuple[set[tuple[str, str]], str]:
    """Return what became of whose consents of the service, and where to go on."""
    request = disclosure.ListChangesRequest(cursor=cursor)
    answer = pair.service.caller.ask("DisclosureService/ListChanges", request)
    whose = {pair.his.consent_id: "his", pair.hers.consent_id: "hers"}
    kinds = {number: name for name, number in KINDS.items()}
    return {(whose[each.consent_id], kinds[each.kind]) for each in answer.changes}, answer.cursor


def told_until(
    pair: Pair, expected: set[tuple[str, str]], cursor: str = ""
) -> tuple[set[tuple[str, str]], str]:
    """Poll until so much was told; whatever is told twice shows."""
    found: list[tuple[str, str]] = []
    give_up = time.monotonic() + SOON_SECONDS
    while not expected <= set(found) and time.monotonic() < give_up:
        changes, cursor = told(pair, cursor)
        found += changes
        time.sleep(0.02)
    assert len(found) == len(set(found))
    return set(found), cursor


def eventually(act: Callable[[], Answer]) -> Answer:
    """Call until it succeeds, and return that answer."""
    give_up = time.monotonic() + SOON_SECONDS
    while not (answer := act()).is_ok:
        assert answer.code in {"UNAVAILABLE", "DEADLINE_EXCEEDED"}, answer.told
        assert time.monotonic() < give_up, answer.told
        time.sleep(0.1)
    return answer


def judged(site: Site, world: World, shared: Shared, *receipts: Receipt) -> dict[str, Any]:
    """Have the auditor's own program judge a vault and receipts."""
    vault_id = shared.citizen.vault_id
    folder = site.server.folder / f"judged-{new_id()}"
    return auditor.judge(folder, world.replay(vault_id), world.replay_registry(), receipts)


def test_vaults_on_two_database_servers_are_one_deployment(site: Site, pair: Pair) -> None:
    world = pair.world
    first = world.disclose(pair.hers).read()
    hers, his = pair.service.caller.ask(
        "DisclosureService/DiscloseEvidenceBatch",
        disclosure.DiscloseEvidenceBatchRequest(
            disclosures=[disclosing(pair.hers), disclosing(pair.his)]
        ),
    ).results
    again = world.disclose(pair.hers, request_id=(request_id := new_id())).read()
    repeat = world.disclose(pair.hers, request_id=request_id).read()
    changes, cursor = told_until(pair, {("his", "granted"), ("hers", "granted")})
    revoked = world.revoke(pair.hers).read()
    listed = pair.service.caller.ask(
        "ConsentService/ListConsents",
        consent.ListConsentsRequest(page_size=1, position_token=revoked.position_token),
    )
    rest = pair.service.caller.ask(
        "ConsentService/ListConsents",
        consent.ListConsentsRequest(page_size=1, page_token=listed.next_page_token),
    )
    refused = world.disclose(pair.hers)
    since, _ = told_until(pair, {("hers", "revoked")}, cursor)

    receipts = (first.receipt, hers.disclosed.receipt, his.disclosed.receipt)
    deployment = first.receipt.origin.rpartition("/")[0]
    assert [r.origin.removeprefix(deployment) for r in receipts] == ["/1", "/1", "/0"]
    assert again.bundle == repeat.bundle
    assert repeat.receipt.leaf_index == again.receipt.leaf_index + 1
    assert changes == {("his", "granted"), ("hers", "granted")}
    assert since == {("hers", "revoked")}
    assert refused.reason == "CONSENT_REVOKED"
    assert [c.consent_id for c in (*listed.consents, *rest.consents)] == [
        pair.hers.consent_id,
        pair.his.consent_id,
    ]
    assert listed.consents[0].state == consent_pb2.CONSENT_STATE_REVOKED

    then = world.replay(pair.hers.citizen.vault_id, as_of_token=again.position_token)
    assert b"evidence-disclosed.1" in then[-1].facts
    elsewhere = world.auditor.call(
        "AuditService/ReplayVault",
        audit.ReplayVaultRequest(
            vault_id=pair.his.citizen.vault_id, as_of_token=again.position_token
        ),
    )
    assert elsewhere.reason == "TOKEN_INVALID"
    for shared, kept in (
        (pair.hers, [first.receipt, again.receipt, repeat.receipt]),
        (pair.his, []),
    ):
        report = judged(site, world, shared, *kept)
        assert report["findings"] == []
        assert all(receipt["holds"] for receipt in report["receipts"])


def test_while_one_database_server_is_gone_the_other_lane_goes_on(site: Site, pair: Pair) -> None:
    world, pid = pair.world, site.pid
    hers, before = pair.hers, site.count(pair.hers.citizen.vault_id)
    _, cursor = told_until(pair, {("his", "granted"), ("hers", "granted")})

    site.second.stop()
    request_id = new_id()
    answers = {
        "disclose": world.disclose(hers, request_id=request_id),
        "pause": world.pause(hers),
        "vault": hers.citizen.caller.call("VaultService/GetVault", vaults.GetVaultRequest()),
    }
    his = [world.disclose(pair.his) for _ in range(3)]
    opened = lane_of(world.citizen().vault_id)
    paused = world.pause(pair.his)
    changes, cursor = told_until(pair, {("his", "paused")}, cursor)

    assert {name: answer.code for name, answer in answers.items()} == dict.fromkeys(
        answers, "UNAVAILABLE"
    )
    assert all(answer.is_ok for answer in (*his, paused))
    assert opened == 0
    assert changes == {("his", "paused")}

    site.second.start()
    assert site.count(hers.citizen.vault_id) == before
    first = eventually(lambda: world.disclose(hers, request_id=request_id)).read()
    eventually(lambda: world.revoke(hers))
    changes, _ = told_until(pair, {("hers", "revoked")}, cursor)

    assert changes == {("hers", "revoked")}
    assert site.count(hers.citizen.vault_id) == before + 2
    assert site.pid == pid
    report = judged(site, world, hers, first.receipt)
    assert report["findings"] == []


@pytest.mark.timeout(150)
def test_a_database_server_killed_under_load_loses_nothing_and_does_nothing_twice(
    site: Site, pair: Pair
) -> None:
    """What was under way has an unknown outcome; each `request_id` comes to one event."""
    world, hers, pid = pair.world, pair.hers, site.pid
    site_of = {"hers": hers, "his": pair.his}
    answers: dict[str, list[tuple[str, Answer]]] = {name: [] for name in site_of}
    is_over = threading.Event()

    def fetch(name: str) -> None:
        while not is_over.is_set():
            request_id = new_id()
            answer = world.disclose(site_of[name], request_id=request_id)
            answers[name].append((request_id, answer))

    with ThreadPoolExecutor(6) as threads:
        under_way = [threads.submit(fetch, name) for name in ("hers", "his") * 3]
        while not site.has_lost_its_lane:
            # Until it happens to a batch on its way, for longer than its outcome is waited for.
            so_far = len(answers["hers"])
            _wait(lambda: len(answers["hers"]) > so_far + 20)  # noqa: B023
            site.second.kill(hangs_for=0.3)
            _wait(lambda: site.has_lost_its_lane, seconds=8, fails=False)
            since = len(answers["his"])
            _wait(lambda: len(answers["his"]) > since + 20)  # noqa: B023
            site.second.start()
            eventually(lambda: world.disclose(hers))
        is_over.set()
        for each in under_way:
            each.result()

    # A machine that is busy with something else may be late.
    of_his = {answer.reason or answer.code for _, answer in answers["his"]}
    assert of_his - {"RELEASE_TOO_LATE"} == {"OK"}
    failed = [(key, answer) for key, answer in answers["hers"] if not answer.is_ok]
    assert {answer.code for _, answer in failed} == {"UNAVAILABLE"}
    for request_id, _ in failed:
        assert world.disclose(hers, request_id=request_id).is_ok
    assert site.pid == pid

    records = world.replay(hers.citizen.vault_id)
    leaves = {record.leaf_index for record in records}
    kept = [answer.read().receipt for _, answer in answers["hers"] if answer.is_ok]
    assert {receipt.leaf_index for receipt in kept} <= leaves
    keys = [json.loads(record.link)["request_key"] for record in records]
    named = [key for key in keys if key]
    assert len(named) == len(set(named))
    assert judged(site, world, hers, *kept[:3])["findings"] == []


def test_a_process_starts_while_one_database_server_is_gone(site: Site, pair: Pair) -> None:
    # Lists follow a moment behind, and what they have not seen of a lane goes away with it.
    told_until(pair, {("his", "granted"), ("hers", "granted")})
    assert site.server.stop() == 0
    site.second.stop()
    site.server.start()

    with connected(site.server.target) as channel:
        service, citizen = pair.service, pair.hers.citizen
        caller = Caller(channel, site.server.issuer.token("service", service.service_id))
        her = Caller(channel, site.server.issuer.token("citizen", citizen.sub))
        fetch = "DisclosureService/DiscloseEvidence"
        his = caller.call(fetch, disclosing(pair.his))
        hers = caller.call(fetch, disclosing(pair.hers))
        vault = her.call("VaultService/OpenVault", vaults.OpenVaultRequest(request_id=new_id()))
        asked = disclosure.ListChangesRequest()
        changes = caller.call("DisclosureService/ListChanges", asked)
        site.second.start()
        back = eventually(lambda: caller.call(fetch, disclosing(pair.hers)))

    assert his.is_ok
    assert hers.code == "UNAVAILABLE"
    assert vault.code == "UNAVAILABLE"
    assert len(changes.read().changes) == 2
    assert back.is_ok


def test_exchanged_databases_keep_the_server_from_starting(site: Site, pair: Pair) -> None:
    del pair
    site.server.stop()
    other = site.second.fresh_events()
    Path(site.server.settings["CITIZEN_VAULT_LANES_FILE"]).write_text(
        f"1 takes-new-vaults {other.server}\n"
    )

    with pytest.raises(AssertionError, match="is not the one that was listed"):
        site.server.start()

    assert run_sql(
        site.second.conninfo(other.name), "SELECT count(*) FROM citizen_vault.entries"
    ) == [(0,)]


def _wait(is_so: Callable[[], bool], *, seconds: float = SOON_SECONDS, fails: bool = True) -> None:
    give_up = time.monotonic() + seconds
    while not is_so() and time.monotonic() < give_up:
        time.sleep(0.01)
    assert is_so() or not fails
