# SPDX-License-Identifier: Apache-2.0
"""A terminal at which everybody of a story types: each command a process, as somebody runs it."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclasses.dataclass(frozen=True)
class Ran:
    """How a command ended and what it printed."""

    exit_code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Return its answer."""
        return json.loads(self.out)


@dataclasses.dataclass(frozen=True)
class Terminal:
    """Where everybody types; `folder` is theirs."""

    folder: Path
    data: Path

    def run(self, *arguments: str, who: str, typed: str = "", **environment: str) -> Ran:
        """Run a command as somebody."""
        ended = subprocess.run(
            [sys.executable, "-m", "clients.cli", *arguments],
            cwd=ROOT,
            check=False,
            capture_output=True,
            text=True,
            input=typed,
            timeout=30,
            env={
                **{name: value for name, value in os.environ.items() if "VAULT" not in name},
                "CITIZEN_VAULT_HOME": str(self.folder / "home"),
                "CITIZEN_VAULT_DATA": str(self.data),
                "CITIZEN_VAULT_AS": who,
                **environment,
            },
        )
        return Ran(ended.returncode, ended.stdout, ended.stderr)

    def done(self, *arguments: str, who: str, typed: str = "", **environment: str) -> Ran:
        """Run a command that must succeed."""
        ran = self.run(*arguments, who=who, typed=typed, **environment)
        assert ran.exit_code == 0, ran.err
        return ran
