# SPDX-License-Identifier: Apache-2.0
"""The real server as a process of its own, over TCP, on a folder of its own.

It may be killed and started again on the same folder. What it writes goes to files beside that
folder. A program other than `vault.main` may be run in its place: that is how mutants are made.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import apsw

from tests.issuer import Issuer

ROOT: Final = Path(__file__).parents[1]
START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 20.0
PROGRAM: Final = ("-m", "vault.main")
DEVELOPMENT: Final = ("--development",)

_OURS: Final = "CITIZEN_VAULT_"
_HEAD: Final = """
SELECT position, stream, version, hex(entry) FROM entries JOIN records USING (lane, position)
WHERE topic <> 'disclosure-refused.1' ORDER BY position DESC LIMIT 1
"""


@dataclass
class Server:
    """A server on one folder: where it keeps its data, and where it is while it runs."""

    folder: Path
    issuer: Issuer = field(default_factory=Issuer)
    program: Sequence[str] = PROGRAM
    options: Sequence[str] = DEVELOPMENT
    settings: dict[str, str] = field(default_factory=dict)
    target: str = ""
    http: str = ""
    process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        """Return the folder of the databases."""
        return self.folder / "data"

    @property
    def written(self) -> Path:
        """Return the file of what it writes to standard output and error."""
        return self.folder / "written.log"

    @property
    def address_file(self) -> Path:
        """Return the file that says where it is."""
        return self.data / "server.json"

    def start(self) -> None:
        """Start, and return once calls are accepted."""
        self.folder.mkdir(parents=True, exist_ok=True)
        # Who is killed leaves an address behind.
        self.address_file.unlink(missing_ok=True)
        foreign = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        environment = {
            **foreign,
            "PYTHONPATH": str(ROOT),
            **self.issuer.settings(self.folder),
            **self.settings,
        }
        command = [sys.executable, *self.program, "serve", "--data", str(self.data), *self.options]
        self.process = self.spawn(command, environment)
        give_up = time.monotonic() + START_SECONDS
        while not self.address_file.exists():
            assert self.process.poll() is None, self.written.read_text(errors="replace")
            assert time.monotonic() < give_up, "the server does not become ready"
            time.sleep(0.005)
        address = json.loads(self.address_file.read_text(encoding="utf-8"))
        self.target, self.http = str(address["target"]), str(address["http"])

    def spawn(
        self, command: Sequence[str], environment: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        """Start its process."""
        with self.written.open("ab") as written:
            return subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=written,
            )

    def kill(self) -> None:
        """Kill it at once, as a crash would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(STOP_SECONDS)

    def stop(self) -> int:
        """Stop it as an operator would, and return its exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(STOP_SECONDS)

    def head(self) -> tuple[object, ...]:
        """Return the last record; refused attempts, which are recorded late, are left out."""
        return self.sql(_HEAD)[0]

    def sql(
        self, statement: str, *values: str, file: str = "events.db"
    ) -> list[tuple[object, ...]]:
        """Ask one of its databases, past the server; nothing can be changed."""
        flags = apsw.SQLITE_OPEN_READONLY
        connection = apsw.Connection(str(self.data / file), flags=flags)
        try:
            connection.set_busy_timeout(5000)
            return list(connection.execute(statement, values).fetchall())
        finally:
            connection.close()


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """Run a server; it is stopped on the way out, whatever happened."""
    server.start()
    try:
        yield server
    finally:
        if server.process is not None and server.process.poll() is None:
            server.process.terminate()
            try:
                server.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                server.kill()
