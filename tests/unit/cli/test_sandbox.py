# SPDX-License-Identifier: Apache-2.0
"""`sandbox`: tokens and addresses of a development server, and of no other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from clients.cli.main import app
from vault.server.development.issuer import DevelopmentIssuer

HTTP = "http://127.0.0.1:8080"


@pytest.fixture
def issuer() -> Iterator[DevelopmentIssuer]:
    started = DevelopmentIssuer("development", "citizen-vault")
    started.start()
    yield started
    started.close()


def run(folder: Path, issuer: str, *arguments: str) -> Result:
    address = {"target": "127.0.0.1:1", "http": HTTP, "issuer": issuer}
    (folder / "server.json").write_text(json.dumps(address), encoding="utf-8")
    environment = {
        "CITIZEN_VAULT_DATA": str(folder),
        "CITIZEN_VAULT_HOME": str(folder / "home"),
        "CITIZEN_VAULT_ISSUER": "",
        "CITIZEN_VAULT_AS": "",
        "COLUMNS": "60",
    }
    return CliRunner().invoke(app, ["sandbox", *arguments], env=environment)


def test_a_credential_is_one_line(tmp_path: Path, issuer: DevelopmentIssuer) -> None:
    ran = run(tmp_path, issuer.url, "credential", "--role", "service", "--as", "council")

    assert ran.exit_code == 0
    (line,) = ran.stdout.splitlines()
    assert line.count(".") == 2
    assert len(line) > 60


def test_a_credential_is_not_kept(tmp_path: Path, issuer: DevelopmentIssuer) -> None:
    run(tmp_path, issuer.url, "credential", "--role", "service", "--as", "council")

    assert not (tmp_path / "home").exists()


def test_a_credential_is_somebodys(tmp_path: Path, issuer: DevelopmentIssuer) -> None:
    ran = run(tmp_path, issuer.url, "credential", "--role", "service")

    assert ran.exit_code == 2
    assert "--as ID" in ran.stderr


@pytest.mark.parametrize("issuer", ["https://login.aber.example", "http://192.0.2.1/"])
def test_a_real_issuer_is_not_even_asked(tmp_path: Path, issuer: str) -> None:
    ran = run(tmp_path, issuer, "credential", "--role", "citizen", "--as", "mair")

    assert ran.exit_code == 1
    assert ran.stdout == ""
    assert "no development server" in ran.stderr


def test_an_address_is_one_line(tmp_path: Path) -> None:
    assert run(tmp_path, "", "address").stdout == f"{HTTP}\n"
    assert json.loads(run(tmp_path, "", "address", "--json").stdout) == {"http": HTTP}
