# SPDX-License-Identifier: Apache-2.0
"""The server on PostgreSQL: how its databases are prepared, and what keeps it from starting."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest
from psycopg.conninfo import make_conninfo

from tests.postgres import SERVER, Cluster, new_settings, run_sql
from tests.server import PROGRAM, ROOT, Server, running
from tests.wire import Caller
from tests.world import connected, new_id
from vault.api.v1 import vault_service_pb2 as vaults

EVENTS: Final = "CITIZEN_VAULT_POSTGRES"
KEYS: Final = "CITIZEN_VAULT_POSTGRES_KEYS"
OWNER_EVENTS: Final = "CITIZEN_VAULT_OWNER_POSTGRES"
OWNER_KEYS: Final = "CITIZEN_VAULT_OWNER_POSTGRES_KEYS"
ON_POSTGRES: Final = {"CITIZEN_VAULT_STORE": "vault.store.postgres"}


def prepare(settings: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *PROGRAM, "prepare"],
        cwd=ROOT,
        env={**os.environ, **settings},
        check=False,
        capture_output=True,
        text=True,
        timeout=50,
    )


def refused(folder: Path, settings: Mapping[str, str]) -> str:
    """Return what a server says that cannot start."""
    server = Server(folder, settings=dict(settings))
    with pytest.raises(AssertionError):
        server.start()
    assert server.process is not None
    assert server.process.wait(20) == 1
    said = server.written.read_text(encoding="utf-8")
    assert said.startswith("The server cannot start: ")
    assert "Traceback" not in said
    return said


def test_prepared_and_granted_it_serves(cluster: Cluster, tmp_path: Path) -> None:
    events, keys = cluster.fresh_database(), cluster.fresh_database()
    owner = {OWNER_EVENTS: events.owner, OWNER_KEYS: keys.owner}
    first, again = prepare(owner), prepare(owner)
    for grant in (line for line in first.stdout.splitlines() if "GRANT" in line):
        run_sql(events.owner, grant.replace("...", SERVER))

    settings = {**ON_POSTGRES, EVENTS: events.server, KEYS: keys.server}
    with running(Server(tmp_path, settings=settings)) as server, connected(server.target) as line:
        mair = Caller(line, server.issuer.token("citizen", "mair"))
        opened = mair.ask("VaultService/OpenVault", vaults.OpenVaultRequest(request_id=new_id()))

    assert (first.returncode, again.returncode) == (0, 0), first.stderr + again.stderr
    assert first.stdout == again.stdout
    assert opened.vault.version == 1
    recorded = "SELECT count(*) FROM citizen_vault.records WHERE topic = 'vault-opened.1'"
    assert run_sql(events.owner, recorded) == [(1,)]
    assert run_sql(keys.owner, "SELECT count(*) FROM vault_keys.keyrings") == [(1,)]
    assert not [path.name for path in server.data.iterdir() if path.suffix == ".db"]


def test_one_database_for_both_is_not_prepared(cluster: Cluster) -> None:
    name = cluster.fresh_database().name
    by_socket, by_network = cluster.conninfo(name), cluster.tcp_conninfo(name)
    passfile = cluster.folder / "passfile"
    passfile.write_text(f"*:*:*:*:{cluster.password}\n", encoding="ascii")
    passfile.chmod(0o600)
    by_network = make_conninfo(by_network, password=None, passfile=str(passfile))

    done = prepare({OWNER_EVENTS: by_socket, OWNER_KEYS: by_network})

    assert done.returncode == 1
    assert "one database" in done.stderr
    assert run_sql(cluster.conninfo(name), "SELECT to_regnamespace('citizen_vault')") == [(None,)]


def test_prepare_names_what_it_lacks() -> None:
    done = prepare({})

    assert done.returncode == 2
    assert f"{OWNER_EVENTS} is missing" in done.stderr
    assert f"{OWNER_KEYS} is missing" in done.stderr


@pytest.mark.parametrize("name", [EVENTS, KEYS])
def test_a_database_that_is_not_there_is_told(cluster: Cluster, tmp_path: Path, name: str) -> None:
    settings = new_settings(cluster) | {name: cluster.conninfo("nowhere", SERVER)}

    assert "nowhere" in refused(tmp_path, settings)


@pytest.mark.parametrize("name", [EVENTS, KEYS])
def test_a_database_that_is_not_prepared_is_told(
    cluster: Cluster, tmp_path: Path, name: str
) -> None:
    settings = new_settings(cluster) | {name: cluster.fresh_database().server}

    assert "prepare" in refused(tmp_path, settings)


def test_a_standby_that_is_missing_is_told(cluster: Cluster, tmp_path: Path) -> None:
    settings = new_settings(cluster) | {"CITIZEN_VAULT_DURABILITY": "standby"}

    assert "standby" in refused(tmp_path, settings)


def test_a_driver_that_is_missing_is_told(cluster: Cluster, tmp_path: Path) -> None:
    stub = tmp_path / "stubs" / "psycopg.py"
    stub.parent.mkdir()
    stub.write_text("raise ImportError\n", encoding="ascii")
    server = Server(tmp_path / "server", settings=new_settings(cluster))
    start = "import sys; sys.path.insert(0, sys.argv.pop(1)); from vault.main import main; main()"
    server.program = ("-c", start, str(stub.parent))

    with pytest.raises(AssertionError, match=r"citizen-vault\[postgres\]"):
        server.start()
