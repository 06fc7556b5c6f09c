# SPDX-License-Identifier: Apache-2.0
"""The log on PostgreSQL: two machines on one pair of databases, and lanes with their own logs."""

from __future__ import annotations

import json
from pathlib import Path

from tests.logs import must_be_served
from tests.postgres import Cluster, new_settings, run_sql
from tests.published import PublishedLog
from tests.server import Server, running
from tests.world import World, connected
from vault.transparency.checkpoint import Checkpoint, open_checkpoint
from vault.transparency.note import Verifier

KEYS = "SELECT state FROM citizen_vault.records WHERE topic = 'log-key-listed.1' ORDER BY position"
ENTRIES = "SELECT entry FROM citizen_vault.entries WHERE lane = {} ORDER BY position"


def listed(conninfo: str) -> dict[int, Verifier]:
    """Return the keys that the registry lists, by lane."""
    facts = [json.loads(bytes(state).partition(b"\n")[2]) for (state,) in run_sql(conninfo, KEYS)]
    return {each["lane"]: Verifier.of(each["vkey"]) for each in facts}


def entries(conninfo: str, lane: int = 0) -> list[bytes]:
    """Return what a lane holds."""
    return [bytes(entry) for (entry,) in run_sql(conninfo, ENTRIES.format(lane))]


def must_publish_all(log: PublishedLog, conninfo: str, key: Verifier) -> Checkpoint:
    """Check that a log publishes what its lane holds, and return its head."""
    checkpoint = open_checkpoint(log.covering(len(entries(conninfo, log.lane))), [key])
    must_be_served(log.get, checkpoint, entries(conninfo, log.lane))
    return checkpoint


def test_two_machines_with_one_key_publish_one_history(cluster: Cluster, tmp_path: Path) -> None:
    settings = new_settings(cluster)
    owner = settings["CITIZEN_VAULT_OWNER_POSTGRES"]
    first = Server(tmp_path / "first", settings=settings)
    shared = {**settings, "CITIZEN_VAULT_KEY_FILE": str(first.data / "wrapping.key")}
    second = Server(tmp_path / "second", settings=shared)
    roots: dict[int, bytes] = {}
    logs = [PublishedLog(server, roots=roots) for server in (first, second)]
    with running(first), running(second):
        key = listed(owner)[0]
        for _ in range(4):
            for server in (first, second):
                with connected(server.target) as channel:
                    World(server, channel).citizen()
                # Whoever looks at any time finds one root for each size.
                for log in logs:
                    log.note()

        heads = [must_publish_all(log, owner, key) for log in logs]

        assert heads[0].origin == heads[1].origin == "citizen-vault.localhost/0"
        assert listed(owner) == {0: key}


def test_a_further_lane_has_a_log_of_its_own(cluster: Cluster, tmp_path: Path) -> None:
    settings = new_settings(cluster)
    owner, further = settings["CITIZEN_VAULT_OWNER_POSTGRES"], cluster.fresh_events()
    (tmp_path / "lanes").write_text(f"1 takes-new-vaults {further.server}\n")
    settings["CITIZEN_VAULT_LANES_FILE"] = str(tmp_path / "lanes")
    server = Server(tmp_path / "server", settings=settings)
    with running(server):
        for _ in range(2):
            with connected(server.target) as channel:
                world = World(server, channel)
                for _ in range(6):
                    world.citizen()
            keys = listed(owner)

            must_publish_all(PublishedLog(server, 0), owner, keys[0])
            head = must_publish_all(PublishedLog(server, 1), further.owner, keys[1])

            assert head.origin == "citizen-vault.localhost/1"
            assert keys[0].public_key != keys[1].public_key
            assert server.stop() == 0
            server.start()
