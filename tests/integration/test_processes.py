# SPDX-License-Identifier: Apache-2.0
"""Several processes of one server on one port: calls land on all, one that dies is replaced."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc
import pytest

from clients.connection import development_token
from tests.postgres import Cluster, new_settings
from tests.server import ROOT, Server, running
from tests.wire import Caller
from tests.world import World, asking, connected, disclosing, new_id
from vault.api.v1 import consent_service_pb2 as consent
from vault.api.v1 import vault_service_pb2 as vaults

SETTINGS: Final = {"CITIZEN_VAULT_PROCESSES": "2"}
BOTH: Final = {0, 1}
CONNECTIONS: Final = 12
PATIENCE_SECONDS: Final = 30.0
SEED: Final = 4


class Dealt:
    """Connections that the kernel dealt out among processes; each call takes any of them."""

    def __init__(self, channels: list[grpc.Channel]) -> None:
        self._channels = channels
        self._random = random.Random(SEED)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._random.choice(self._channels), name)


@dataclass
class Served:
    """A server of two processes, and a world on connections to both."""

    server: Server
    world: World


@contextmanager
def dealt(server: Server) -> Iterator[Any]:
    """Connect so often that every process has a connection."""
    with ExitStack() as opened:
        yield Dealt([opened.enter_context(connected(server.target)) for _ in range(CONNECTIONS)])


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    settings = dict(SETTINGS)
    if request.param == "postgres":
        cluster: Cluster = request.getfixturevalue("cluster")
        settings |= new_settings(cluster)
    server = Server(tmp_path_factory.mktemp("processes"), settings=settings)
    with running(server), dealt(server) as channel:
        yield Served(server, World(server, channel))
    assert '"event":"fault"' not in server.written.read_text(encoding="utf-8")


def every_line(server: Server) -> list[dict[str, Any]]:
    """Return what was logged, as far as lines are whole."""
    lines = server.written.read_text(encoding="utf-8").split("\n")[:-1]
    return [json.loads(line) for line in lines if line.startswith("{")]


def logged(server: Server, event: str) -> list[dict[str, Any]]:
    """Return what was logged of one event."""
    return [line for line in every_line(server) if line["event"] == event]


def called(server: Server) -> Counter[int]:
    """Return how many calls each process answered well."""
    return Counter(line["process"] for line in logged(server, "call") if line["code"] == "OK")


def children(pid: int) -> list[int]:
    """Return the ids of the processes that a process started, oldest first."""
    listing = subprocess.run(
        ["ps", "-A", "-o", "pid=", "-o", "ppid=", "-o", "stat="],
        check=True,
        capture_output=True,
        text=True,
    )
    rows = [line.split() for line in listing.stdout.splitlines()]
    return sorted(int(row[0]) for row in rows if int(row[1]) == pid and "Z" not in row[2])


def serving(server: Server) -> list[int]:
    assert server.process is not None
    return children(server.process.pid)


def until(what: str, is_so: Callable[[], object]) -> None:
    """Wait until something is so."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < give_up, what
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    found = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], check=False, capture_output=True, text=True
    )
    return bool(found.stdout.strip()) and "Z" not in found.stdout


def open_vault(server: Server) -> bool:
    """Open somebody's vault over a connection of its own, and say whether that went well."""
    with connected(server.target) as channel:
        caller = Caller(channel, server.issuer.token("citizen", new_id()))
        opening = vaults.OpenVaultRequest(request_id=new_id())
        return caller.call("VaultService/OpenVault", opening).is_ok


# --- Calls land on all, and all of them keep the promises


def test_calls_land_on_all_processes(served: Served) -> None:
    for _ in range(CONNECTIONS):
        served.world.citizen()

    assert set(called(served.server)) == BOTH


def test_after_a_stop_no_process_discloses(served: Served) -> None:
    world = served.world
    for turn in range(8):
        shared = world.share(world.citizen(), world.council)
        before = {world.disclose(shared).reason for _ in range(4)}
        assert world.revoke(shared).is_ok
        after = {world.disclose(shared).reason for _ in range(4)}

        # A machine that is busy may be too late with one.
        assert before <= {"", "RELEASE_TOO_LATE"}, f"seed {SEED}, turn {turn}"
        assert after == {"CONSENT_REVOKED"}, f"seed {SEED}, turn {turn}"


def test_a_retry_at_another_process_is_the_same_call(served: Served) -> None:
    world = served.world
    shared = world.share(world.citizen(), world.council)
    fetch = disclosing(shared)

    call = world.council.caller.ask
    answers = [call("DisclosureService/DiscloseEvidence", fetch) for _ in range(6)]

    assert [answer.repeated for answer in answers] == [False] + [True] * 5, f"seed {SEED}"
    assert len({answer.bundle for answer in answers}) == 1


def test_what_one_process_wrote_another_lists(served: Served) -> None:
    service = served.world.council
    for _ in range(8):
        asked = service.caller.ask("ConsentService/RequestConsent", asking(service, new_id()))
        listing = consent.ListRequestsRequest(page_size=100, position_token=asked.position_token)
        listed = service.caller.ask("ConsentService/ListRequests", listing)

        ids = {one.consent_request_id for one in listed.consent_requests}
        assert asked.consent_request.consent_request_id in ids, f"seed {SEED}"


def test_a_killed_process_is_replaced_and_calls_go_on(served: Served) -> None:
    server = served.server
    before = serving(server)
    before_calls = called(server)
    os.kill(before[0], signal.SIGKILL)

    until("nobody ended", lambda: logged(server, "process ended"))
    until("another is not started", lambda: len(serving(server)) == len(before))
    until(
        "the other takes no calls",
        lambda: open_vault(server) and set(called(server) - before_calls) == BOTH,
    )

    assert set(serving(server)) - set(before)
    assert logged(server, "process ended")[0]["code"] == "-9"


def test_a_process_that_is_told_to_end_drains_and_is_replaced(served: Served) -> None:
    server = served.server
    before = serving(server)
    os.kill(before[0], signal.SIGTERM)

    until("it does not end", lambda: not is_alive(before[0]))
    until("another is not started", lambda: len(serving(server)) == len(before))

    assert logged(server, "process ended")[-1]["code"] == "0"


# --- How they start and end


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_all_end_well_when_told_to(tmp_path: Path, number: signal.Signals) -> None:
    server = Server(tmp_path, settings=SETTINGS)
    server.start()
    assert server.process is not None
    processes = serving(server)
    server.process.send_signal(number)

    assert server.process.wait(PATIENCE_SECONDS) == 0
    assert not any(map(is_alive, processes))
    assert not server.address_file.exists()
    assert {line.get("process") for line in logged(server, "stopping")} == BOTH
    assert {line["event"] for line in every_line(server)} == {"serving", "stopping"}


def test_where_it_is_is_told_when_all_accept_calls(tmp_path: Path) -> None:
    with running(Server(tmp_path, settings=SETTINGS)) as server:
        told = [line.get("process") for line in logged(server, "serving")]

    assert told == [0, 1, None]


def test_without_their_supervisor_processes_end(tmp_path: Path) -> None:
    server = Server(tmp_path, settings=SETTINGS)
    server.start()
    processes = serving(server)
    server.kill()

    until("they go on", lambda: not any(map(is_alive, processes)))

    assert {line.get("process") for line in logged(server, "stopping")} == BOTH
    with running(server):
        assert open_vault(server)


@pytest.mark.parametrize("processes", ["1", "2"])
@pytest.mark.parametrize("name", ["LISTEN", "HTTP_LISTEN"])
def test_nobody_else_of_ours_listens_there(tmp_path: Path, processes: str, name: str) -> None:
    with running(Server(tmp_path / "first", settings=SETTINGS)) as first:
        at = first.target if name == "LISTEN" else first.http.removeprefix("http://")
        settings = {"CITIZEN_VAULT_PROCESSES": processes, f"CITIZEN_VAULT_{name}": at}
        second = Server(tmp_path / "second", settings=settings)
        with pytest.raises(AssertionError, match=f"{at} cannot be listened on"):
            second.start()

    assert second.process is not None
    assert second.process.wait(PATIENCE_SECONDS) == 1


def test_what_is_wrong_at_the_start_is_told_once_and_ends_everything(tmp_path: Path) -> None:
    server = Server(tmp_path, settings=SETTINGS)
    with running(server):
        pass
    (server.data / "wrapping.key").unlink()
    server.written.write_text("")

    with pytest.raises(AssertionError, match=r"wrapping\.key"):
        server.start()

    assert server.process is not None
    assert server.process.wait(PATIENCE_SECONDS) == 1
    assert server.written.read_text().count("The server cannot start") == 1


def test_the_development_issuer_is_one_for_all(tmp_path: Path) -> None:
    environment = {**os.environ, **SETTINGS}
    program = [sys.executable, "-m", "vault.main", "serve", "--development", "--data", tmp_path]
    with subprocess.Popen(program, cwd=ROOT, env=environment, stderr=subprocess.PIPE) as process:
        try:
            until("it is not there", (tmp_path / "server.json").exists)
            address = json.loads((tmp_path / "server.json").read_text())
            token = development_token(address["issuer"], "citizen", "mair")
            opening = vaults.OpenVaultRequest(request_id=new_id())
            answers = []
            for _ in range(CONNECTIONS):
                with connected(address["target"]) as channel:
                    answers.append(Caller(channel, token).call("VaultService/OpenVault", opening))
        finally:
            process.terminate()
            _, written = process.communicate(timeout=PATIENCE_SECONDS)

    calls = [json.loads(line) for line in written.splitlines()]
    assert all(answer.is_ok for answer in answers)
    assert {line["process"] for line in calls if line["event"] == "call"} == BOTH


def test_a_supervisor_is_small() -> None:
    """It starts processes, which gRPC's threads and its memory are not good for."""
    look = "import sys, vault.main, vault.server.supervisor; print('grpc' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", look], cwd=ROOT, check=True, capture_output=True)

    assert done.stdout.strip() == b"False"
