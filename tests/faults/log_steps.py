# SPDX-License-Identifier: Apache-2.0
"""The real server, killed at a step between an append and the published checkpoint that covers it.

`python -m tests.faults.log_steps FOLDER MUTANT serve ...` is `citizen-vault-server serve ...`,
except that it kills itself where the folder's file `log-step` says. The steps are wrapped from
outside; the product knows nothing of it.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from vault import main
from vault.log import folder
from vault.log.folder import LogFolder
from vault.log.integrator import Integrator
from vault.log.witnesses import Witnesses
from vault.sealing.sqlite import SQLiteKeyStore
from vault.store.sqlite import SQLiteRecorder

Side = Literal["before", "after"]

STEPS: Final[dict[str, tuple[Any, str]]] = {
    "read": (SQLiteRecorder, "select_entries"),
    "prove": (SQLiteRecorder, "prove_durable"),
    "write": (LogFolder, "put"),
    "name": (Path, "rename"),
    "sync": (folder, "_sync"),
    "store": (SQLiteKeyStore, "store_log"),
    "cosign": (Witnesses, "cosigned"),
    "publish": (LogFolder, "publish"),
}
"""What is wrapped, in the order of the way; "name" and "sync" happen in others."""

_ORDER: Final = "log-step"


@dataclass(frozen=True)
class LogStep:
    """Where the server is killed: when the step is passed for so manieth time."""

    step: str
    side: Side
    passed: int = 1

    def __str__(self) -> str:
        return f"{self.side} {self.step}"


LOG_STEPS: Final = tuple(LogStep(*each) for each in itertools.product(STEPS, ("before", "after")))


def order(where: Path, step: LogStep | None) -> None:
    """Have a server that runs in this folder die there, or nowhere any more."""
    if step is None:
        (where / _ORDER).unlink(missing_ok=True)
        return
    unfinished = where / f"{_ORDER}.new"
    unfinished.write_text(json.dumps(asdict(step)))
    unfinished.rename(where / _ORDER)


def program(where: Path, mutant: str = "") -> tuple[str, ...]:
    """Return what to run instead of the server.

    Args:
        mutant: "trusting": nothing is compared with what was signed.
    """
    return ("-m", "tests.faults.log_steps", str(where), mutant)


class _Steps:
    def __init__(self, where: Path) -> None:
        self._order = where / _ORDER
        self._passed = 0

    def install(self) -> None:
        for step, (owner, name) in STEPS.items():
            setattr(owner, name, self._wrapped(step, getattr(owner, name)))

    def _wrapped(self, step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def called(*args: Any, **kwargs: Any) -> Any:
            self._pass(step, "before")
            result = function(*args, **kwargs)
            self._pass(step, "after")
            return result

        return called

    def _pass(self, step: str, side: Side) -> None:
        try:
            wanted = LogStep(**json.loads(self._order.read_text()))
        except FileNotFoundError:
            return
        if (step, side) == (wanted.step, wanted.side):
            self._passed += 1
            if self._passed == wanted.passed:
                os.kill(os.getpid(), signal.SIGKILL)


def _trust() -> None:
    """Compare nothing, as a log that only goes on from what it finds."""

    def agree(self: Any, log: Any) -> None:
        if self._growth.size < log.size <= self._recorder.tree_size():
            self._grow(log.size)

    def put(self: Any, files: Any) -> None:
        for name, data in files:
            path = self._path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    def begin(self: Any) -> None:
        self._must_agree(self._load())

    def go_on(self: Any) -> None:
        log = self._load()
        size = self._recorder.tree_size()
        self._grow(size)
        if (size, self._growth.root()) != (log.size, log.root):
            self._publish(
                self._keys.store_log(self._origin, log.with_head(size, self._growth.root()))
            )

    Integrator._must_agree = agree  # type: ignore[method-assign]  # noqa: SLF001
    Integrator.begin = begin  # type: ignore[method-assign]
    Integrator.go_on = go_on  # type: ignore[method-assign]
    LogFolder.put = put  # type: ignore[method-assign]


def _begin(where: Path, mutant: str) -> None:
    if mutant:
        _trust()
    _Steps(where).install()
    main.main()


if __name__ == "__main__":
    _begin(Path(sys.argv.pop(1)), sys.argv.pop(1))
