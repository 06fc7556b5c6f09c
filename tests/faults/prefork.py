# SPDX-License-Identifier: Apache-2.0
"""Servers that start in a moment: forks of a process that has imported what a server imports.

Between a kill and the next one a server spends most of its time importing. gRPC is not imported
before: it does not survive a fork. From there on it is its program, as in any process.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import runpy
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Any, Final, cast

from tests.server import ROOT, Server

_PACKAGES: Final = ("vault", "projections")
_LIBRARIES: Final = (
    "google.protobuf.json_format",
    "google.rpc.error_details_pb2",
    "google.rpc.status_pb2",
    "grpc_health.v1.health_pb2",
    "protovalidate",
    "uvloop",
)


class Forks:
    """A process that forks servers when it is asked to."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.prefork"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def poll(self) -> int | None:
        """Return its exit code once it has ended."""
        return self._process.poll()

    def ask(self, question: Mapping[str, Any]) -> Any:
        """Ask it for something, and return its answer."""
        to, back = self._process.stdin, self._process.stdout
        assert to is not None
        assert back is not None
        to.write(json.dumps(question) + "\n")
        to.flush()
        return json.loads(back.readline())

    def close(self) -> None:
        """End it."""
        self._process.communicate()


@contextmanager
def forks() -> Iterator[Forks]:
    """Keep such a process for as long as the block lasts."""
    kept = Forks()
    try:
        yield kept
    finally:
        kept.close()


class Fork:
    """A server that was forked, to be handled as a `subprocess.Popen` is."""

    def __init__(self, forks: Forks, pid: int) -> None:
        self._forks = forks
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return its exit code once it has ended."""
        if self.returncode is None:
            self.returncode = self._forks.ask({"ended": self.pid})
        return self.returncode

    def wait(self, seconds: float) -> int:
        """Wait until it has ended."""
        give_up = time.monotonic() + seconds
        while (code := self.poll()) is None:
            if time.monotonic() > give_up:
                raise subprocess.TimeoutExpired("a forked server", seconds)
            time.sleep(0.002)
        return code

    def kill(self) -> None:
        """Kill it at once."""
        self._signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self._signal(signal.SIGTERM)

    def _signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


@dataclass(kw_only=True)
class ForkedServer(Server):
    """The real server, forked by `forks`."""

    forks: Forks

    def spawn(self, command: Sequence[str], environment: Mapping[str, str]) -> Any:
        """Have it forked instead of started."""
        pid = self.forks.ask(
            {
                "command": command[1:],
                "environment": dict(environment),
                "written": str(self.written),
            }
        )
        return Fork(self.forks, pid)


def _serve_forks(questions: IO[str]) -> None:
    _import_all_but_grpc()
    # Looked through by no collector, it is not copied for each fork.
    gc.collect()
    gc.freeze()
    for line in questions:
        question = json.loads(line)
        answer = _ended(question["ended"]) if "ended" in question else _fork(question)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _import_all_but_grpc() -> None:
    # What needs it is not imported: the fork does that.
    sys.modules["grpc"] = cast("Any", None)
    names = [*_LIBRARIES]
    for package in map(importlib.import_module, _PACKAGES):
        names += (
            each.name for each in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        )
    for name in names:
        with suppress(ImportError):
            importlib.import_module(name)
    del sys.modules["grpc"]


def _ended(pid: int) -> int | None:
    found, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def _fork(question: Mapping[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        _take_place(question)
        _run(question["command"])
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:  # noqa: BLE001 - as Python itself tells it, before it ends
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _take_place(question: Mapping[str, Any]) -> None:
    """Have the streams and the environment of a process of its own."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    written = os.open(question["written"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for source, target in ((nothing, 0), (written, 1), (written, 2)):
        os.dup2(source, target)
    os.environ.clear()
    os.environ.update(question["environment"])


def _run(command: Sequence[str]) -> None:
    """Do what `python -m ...` does."""
    switch, module, *arguments = command
    assert switch == "-m"
    sys.argv[:] = [module, *arguments]
    sys.modules.pop(module, None)
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _serve_forks(sys.stdin)
