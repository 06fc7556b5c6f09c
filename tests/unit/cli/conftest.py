# SPDX-License-Identifier: Apache-2.0
"""A fake server, and the command line as somebody runs it, on a folder of its own."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from clients.cli.main import app
from clients.cli.state import SignIn, State
from tests.unit.cli.fake_server import FakeServer
from tests.unit.cli.previews import Previews


@dataclasses.dataclass(frozen=True)
class Ran:
    """How a command ended and what it printed."""

    exit_code: int
    out: str
    err: str


class Terminal:
    """Runs commands as somebody who is signed in."""

    def __init__(self, home: Path, target: str) -> None:
        self.state = State(home)
        self.environment = {
            "CITIZEN_VAULT_HOME": str(home),
            "CITIZEN_VAULT_TARGET": target,
            "CITIZEN_VAULT_ISSUER": "http://127.0.0.1:1",
            "CITIZEN_VAULT_ZONE": "Europe/London",
            "COLUMNS": "80",
        }

    def sign_in(self, name: str, role: str) -> None:
        """Let somebody be signed in."""
        expires = int(time.time()) + 3600
        issuer = self.environment["CITIZEN_VAULT_ISSUER"]
        self.state.keep_sign_in(SignIn(name, role, name, issuer, f"token-of-{name}", expires))

    def run(self, *arguments: str, typed: str | None = None) -> Ran:
        """Run a command; what was not expected of it is raised."""
        result = CliRunner().invoke(app, arguments, input=typed, env=self.environment)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    fake = FakeServer()
    Previews(fake).answer()
    yield fake
    fake.stop()


@pytest.fixture
def terminal(tmp_path: Path, server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    for name in ("CITIZEN_VAULT_AS", "CITIZEN_VAULT_DATA", "CITIZEN_VAULT_LANGUAGE"):
        monkeypatch.delenv(name, raising=False)
    terminal = Terminal(tmp_path / "home", server.target)
    terminal.sign_in("mair", "citizen")
    return terminal
