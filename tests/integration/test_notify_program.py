# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault-server notify` beside a server, as a process of its own: killed, and stopped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from clients.demo.deployment import OnSQLite
from clients.demo.notifying import notifying
from tests.server import ROOT, Server, running
from tests.world import Citizen, World, connected, new_id
from vault.api.v1 import contact_pb2
from vault.api.v1 import vault_service_pb2 as vaults

START: Final = "http://localhost:8000/"
SECONDS: Final = 20.0
PATIENCE_SECONDS: Final = 90.0
"""What was begun when the program was killed is begun again after a minute."""
NEW_WAY: Final = "There is a new way to your information"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of these tests alone: the program writes into its folder."""
    with running(Server(tmp_path_factory.mktemp("notified"))) as server:
        yield server


@pytest.fixture(scope="module")
def notified(own: Server) -> Iterator[World]:
    """Who is registered there."""
    with connected(own.target) as channel:
        yield World(own, channel)


def reachable(world: World) -> tuple[Citizen, str]:
    citizen, address = world.citizen(), f"{new_id()}@example.org"
    contact = contact_pb2.Contact(email=address)
    citizen.caller.ask(
        "VaultService/SetContact", vaults.SetContactRequest(request_id=new_id(), contact=contact)
    )
    return citizen, address


def subjects(messages: Path, address: str, count: int = 1) -> list[str]:
    """Return what went to an address, once there is so much."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while True:
        read = [json.loads(path.read_bytes()) for path in sorted(messages.glob("*.json"))]
        found = [one["subject"] for one in read if one["address"] == [address]]
        if len(found) >= count:
            return found
        assert time.monotonic() < give_up, "nothing was told"
        time.sleep(0.02)


def environment(server: Server, **settings: str) -> dict[str, str]:
    foreign = {name: value for name, value in os.environ.items() if not name.startswith("CITIZEN")}
    ours = {f"CITIZEN_VAULT_{name}": value for name, value in settings.items()}
    return {**foreign, "PYTHONPATH": str(ROOT), "CITIZEN_VAULT_DATA": str(server.data), **ours}


@contextmanager
def process(server: Server, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the program until it tells; it is killed on the way out, if it still runs."""
    before = log.stat().st_size if log.exists() else 0
    with log.open("ab") as written:
        program = subprocess.Popen(
            [sys.executable, "-m", "vault.main", "notify", "--development"],
            env=environment(server, NOTIFY="file", NOTIFY_FOLDER=str(log.parent / "messages")),
            stderr=written,
            cwd=ROOT,
        )
    try:
        give_up = time.monotonic() + SECONDS
        while b'"telling"' not in log.read_bytes()[before:]:
            assert program.poll() is None, log.read_text()
            assert time.monotonic() < give_up
            time.sleep(0.02)
        yield program
    finally:
        program.kill()
        program.wait()


def run(server: Server, *options: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "vault.main", "notify", *options],
        env=environment(server, **settings),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def test_beside_the_demos_server_messages_appear_in_a_folder(own: Server, notified: World) -> None:
    citizen, address = reachable(notified)

    with notifying(OnSQLite(own.data), START) as messages:
        notified.assist(citizen)
        assert subjects(messages, address) == [NEW_WAY]


def test_killed_at_any_moment_it_goes_on_and_tells_everything_once(
    own: Server, notified: World, tmp_path: Path
) -> None:
    log, messages = tmp_path / "log", tmp_path / "messages"
    told = []
    for _ in range(3):
        with process(own, log) as program:
            citizen, address = reachable(notified)
            notified.assist(citizen)
            told.append(address)
            # No matter how far it came with it.
            program.kill()
            program.wait()
    with process(own, log) as program:
        assert [subjects(messages, address) for address in told] == [[NEW_WAY]] * 3
        program.terminate()
        assert program.wait(SECONDS) == 0

    for line in log.read_text().splitlines():
        assert {"event", "level", "time"} == set(json.loads(line))
        assert "@" not in line


def test_a_second_one_says_that_one_is_enough(own: Server, tmp_path: Path) -> None:
    with process(own, tmp_path / "log"):
        second = run(own, "--development", NOTIFY="file")

    assert second.returncode == 1
    assert "one is enough" in second.stderr


def test_where_there_is_no_deployment_none_is_made(tmp_path: Path) -> None:
    refused = run(Server(tmp_path), "--development", NOTIFY="file")

    assert refused.returncode == 1
    assert "start its server first" in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_setting_is_named(own: Server) -> None:
    refused = run(own, "--development", NOTIFY="pigeon")

    assert refused.returncode == 2
    assert "CITIZEN_VAULT_NOTIFY must be" in refused.stderr
