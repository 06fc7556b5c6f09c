# SPDX-License-Identifier: Apache-2.0
"""The server as a process: how it starts, where it says that it is, how it stops."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast
from urllib import error, parse, request

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from clients.connection import Connection, development_token
from tests.calls import DISCLOSE_BATCH, Refusal
from vault import composition
from vault.api.v1.vault_service_pb2 import GetVaultRequest, OpenVaultRequest
from vault.domain.errors import ClockUnsureError
from vault.main import main
from vault.server.address import Address, address_file, announced
from vault.server.development.issuer import DevelopmentIssuer, DevelopmentOnlyError

ROOT = Path(__file__).parents[2]
ID = "6d5b8b0e-57a1-4d9f-8a3e-0b9d3e8f5a11"


def start(data: Path, *options: str, **settings: str) -> subprocess.Popen[bytes]:
    program = [sys.executable, "-m", "vault.main", "serve", "--data", str(data), *options]
    environment = {**os.environ, **settings}
    return subprocess.Popen(program, cwd=ROOT, env=environment, stderr=subprocess.PIPE)


def address(data: Path, server: subprocess.Popen[bytes]) -> dict[str, str]:
    path = data / "server.json"
    until = time.monotonic() + 20
    while not path.exists():
        assert server.poll() is None, server.stderr and server.stderr.read().decode()
        assert time.monotonic() < until
        time.sleep(0.02)
    found: dict[str, str] = json.loads(path.read_text())
    return found


def stop(server: subprocess.Popen[bytes]) -> tuple[int, bytes]:
    server.send_signal(signal.SIGTERM)
    _, written = server.communicate(timeout=20)
    return server.returncode, written


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("server") / "data"


@pytest.fixture(scope="module")
def running(data: Path) -> Iterator[dict[str, str]]:
    server = start(data, "--development")
    yield address(data, server)
    stop(server)


def post(url: str, **form: str) -> Any:
    body = parse.urlencode(form).encode()
    with request.urlopen(f"{url}/token", data=body, timeout=5) as answer:  # noqa: S310
        return json.loads(answer.read())


@pytest.mark.usefixtures("running")
def test_where_it_is_stands_in_a_file_of_the_owner_alone(data: Path) -> None:
    assert stat.S_IMODE((data / "server.json").stat().st_mode) == 0o600


@pytest.mark.usefixtures("running")
def test_every_file_is_the_owners_alone(data: Path) -> None:
    assert not [path.name for path in data.iterdir() if path.stat().st_mode & 0o077]


def test_a_citizen_of_the_development_issuer_is_known(running: dict[str, str]) -> None:
    token = development_token(running["issuer"], "citizen", "mair")

    with Connection(running["target"], token) as connection:
        opened = connection.vaults.OpenVault(OpenVaultRequest(request_id=ID))

    assert opened.vault.version == 1


def test_health_says_that_it_serves(running: dict[str, str]) -> None:
    with grpc.insecure_channel(running["target"]) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        name = "vault.api.v1.ConsentService"
        answer = stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=5)

    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_reflection_lists_the_services_in_development(running: dict[str, str]) -> None:
    asked = reflection_pb2.ServerReflectionRequest(list_services="")
    with grpc.insecure_channel(running["target"]) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        answer = next(iter(stub.ServerReflectionInfo(iter([asked]), timeout=5)))

    names = {service.name for service in answer.list_services_response.service}
    assert "vault.api.v1.DisclosureService" in names


def test_discovery_names_the_token_endpoint(running: dict[str, str]) -> None:
    url = f"{running['issuer']}/.well-known/openid-configuration"
    with request.urlopen(url, timeout=5) as answer:  # noqa: S310
        found = json.loads(answer.read())

    assert found["token_endpoint"] == f"{running['issuer']}/token"


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"grant_type": "password", "role": "citizen", "sub": "mair"},
        {"role": "root", "sub": "mair"},
        {"role": "citizen", "sub": ""},
        {"role": "citizen", "sub": "mair", "scope": "registry disclosure"},
    ],
)
def test_the_development_issuer_refuses_what_makes_no_sense(
    running: dict[str, str], form: dict[str, str]
) -> None:
    asked = {"grant_type": "urn:citizen-vault:development", **form} if form else form

    with pytest.raises(error.HTTPError) as caught:
        post(running["issuer"], **asked)
    caught.value.close()

    assert caught.value.code == 400


def test_the_development_issuer_answers_to_its_own_name_only(running: dict[str, str]) -> None:
    asked = request.Request(  # noqa: S310
        f"{running['issuer']}/jwks", headers={"host": "rebound.example"}
    )

    with pytest.raises(error.HTTPError) as caught:
        request.urlopen(asked, timeout=5)  # noqa: S310
    caught.value.close()

    assert caught.value.code == 421


def test_the_development_issuer_is_not_made_in_production() -> None:
    with pytest.raises(DevelopmentOnlyError):
        DevelopmentIssuer("production", "citizen-vault")


def test_a_restarted_server_knows_who_was_there(tmp_path: Path) -> None:
    opened = []
    for _ in range(2):
        server = start(tmp_path, "--development")
        found = address(tmp_path, server)
        token = development_token(found["issuer"], "citizen", "mair")
        with Connection(found["target"], token) as connection:
            if not opened:
                connection.vaults.OpenVault(OpenVaultRequest(request_id=ID))
            opened.append(connection.vaults.GetVault(GetVaultRequest()).vault)
        stop(server)

    assert opened[0] == opened[1]


def test_a_clean_stop_leaves_no_address_and_no_error(tmp_path: Path) -> None:
    server = start(tmp_path, "--development")
    address(tmp_path, server)

    code, written = stop(server)

    assert code == 0
    assert not (tmp_path / "server.json").exists()
    assert {json.loads(line)["event"] for line in written.splitlines()} == {"serving", "stopping"}


def test_the_address_of_a_killed_server_is_not_believed(
    running: dict[str, str], tmp_path: Path
) -> None:
    server = start(tmp_path, "--development")
    address(tmp_path, server)
    server.kill()
    server.communicate(timeout=20)

    other = start(tmp_path, "--development", "--listen", running["target"])
    other.communicate(timeout=20)

    assert not (tmp_path / "server.json").exists()


def test_a_start_that_fails_leaves_the_address_of_who_runs(
    running: dict[str, str], data: Path
) -> None:
    other = start(data, "--development", "--listen", running["target"])
    other.communicate(timeout=20)

    assert other.returncode == 1
    assert json.loads((data / "server.json").read_text()) == running


def test_who_ends_leaves_the_address_of_who_came_later(tmp_path: Path) -> None:
    first, later = (Address(target, "http://x", "") for target in ("first", "later"))
    with ExitStack() as came:
        with announced(tmp_path, first):
            came.enter_context(announced(tmp_path, later))

        assert json.loads(address_file(tmp_path).read_text())["target"] == "later"
    assert not address_file(tmp_path).exists()


def test_a_busy_port_is_told(running: dict[str, str], tmp_path: Path) -> None:
    server = start(tmp_path, "--development", "--listen", running["target"])
    _, written = server.communicate(timeout=20)

    assert server.returncode == 1
    assert b"cannot be listened on" in written


def test_a_busy_port_of_http_is_told(running: dict[str, str], tmp_path: Path) -> None:
    taken = running["http"].removeprefix("http://")
    server = start(tmp_path, "--development", CITIZEN_VAULT_HTTP_LISTEN=taken)
    _, written = server.communicate(timeout=20)

    assert server.returncode == 1
    assert b"cannot be listened on" in written


def test_http_is_where_the_settings_say(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = start(tmp_path, "--development", CITIZEN_VAULT_HTTP_LISTEN=f"127.0.0.1:{port}")
    found = address(tmp_path, server)

    with request.urlopen(f"{found['http']}/openapi.json", timeout=5) as answer:  # noqa: S310
        described = json.loads(answer.read())
    code, _ = stop(server)

    assert found["http"] == f"http://127.0.0.1:{port}"
    assert described["openapi"].startswith("3.1")
    assert code == 0
    with pytest.raises(error.URLError):
        request.urlopen(f"{found['http']}/openapi.json", timeout=5)  # noqa: S310


def test_so_many_calls_are_shared_with_streams(tmp_path: Path) -> None:
    server = start(tmp_path, "--development", CITIZEN_VAULT_CALLS="8")
    found = address(tmp_path, server)
    metadata = (("authorization", f"Bearer {development_token(found['issuer'], 'service', ID)}"),)
    leave = threading.Event()

    def idle() -> Iterator[bytes]:
        leave.wait()
        yield from ()

    with grpc.insecure_channel(found["target"]) as channel:
        begin: Any = channel.stream_stream(DISCLOSE_BATCH)
        first = begin(idle(), metadata=metadata, timeout=20)
        first.initial_metadata()
        with pytest.raises(grpc.RpcError) as caught:
            next(begin(idle(), metadata=metadata, timeout=20))
        first.cancel()
        leave.set()
    stop(server)

    assert Refusal.of(cast("Any", caught.value)).reason == "LIMIT_EXCEEDED"


def test_a_missing_setting_is_told_and_nothing_is_made(tmp_path: Path) -> None:
    server = start(tmp_path / "data")
    _, written = server.communicate(timeout=20)

    assert server.returncode == 2
    assert b"CITIZEN_VAULT_ISSUER is missing" in written
    assert not (tmp_path / "data").exists()


def test_what_a_caller_would_be_told_is_told_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def compose(*_: object, **__: object) -> None:
        raise ClockUnsureError

    monkeypatch.setattr(composition, "compose", compose)

    with pytest.raises(SystemExit) as ended:
        main(["serve", "--development", "--data", str(tmp_path)])

    assert ended.value.code == 1
    assert capsys.readouterr().err == f"The server cannot start: {ClockUnsureError.message}\n"


def test_a_lost_key_file_is_never_replaced(tmp_path: Path) -> None:
    server = start(tmp_path, "--development")
    address(tmp_path, server)
    stop(server)
    (tmp_path / "wrapping.key").unlink()

    server = start(tmp_path, "--development")
    _, written = server.communicate(timeout=20)

    assert server.returncode == 1
    assert b"wrapping.key" in written
    assert not (tmp_path / "wrapping.key").exists()
