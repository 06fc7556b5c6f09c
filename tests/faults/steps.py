# SPDX-License-Identifier: Apache-2.0
"""The real server, with a failpoint before and after each step on the path of a disclosure.

`python -m tests.faults.steps FOLDER MUTANT serve ...` is `citizen-vault-server serve ...`, except
that it does what the folder's file `failpoint` says, as long as that is there. The steps are
wrapped from outside; the product knows nothing of it.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from tests.faults.mutant import MUTANTS
from vault import main
from vault.application import disclosures
from vault.application.disclosures import Disclosures
from vault.application.receipts import Receipts
from vault.server import passage
from vault.store.committer import Committer
from vault.store.errors import AppendFailedError, CommitFailedError
from vault.store.lane import Lane
from vault.store.sqlite import SQLiteRecorder

Side = Literal["before", "after"]
Mode = Literal["raise", "exit", "delay"]

STEPS: Final[dict[str, tuple[Any, str]]] = {
    "fold": (Lane, "cached"),
    "open": (disclosures, "open_bundle"),
    "append": (Committer, "append"),
    "commit": (SQLiteRecorder, "insert_batch"),
    "sign": (Receipts, "_receipt"),
    "release": (Disclosures, "_release"),
    "send": (passage, "_written"),
}
"""What is wrapped, in the order of the path."""
MODES: Final[tuple[Mode, ...]] = ("raise", "exit", "delay")

_ORDER: Final = "failpoint"
_HITS: Final = "hits"
_LONGEST_DELAY_SECONDS: Final = 0.4
"""Longer than what was recorded may take to leave."""
_EXIT_CODE: Final = 9


@dataclass(frozen=True)
class Failpoint:
    """What happens where, to so large a part of those who pass."""

    step: str
    side: Side
    mode: Mode
    chance: float = 0.4

    def __str__(self) -> str:
        return f"{self.mode} {self.side} {self.step}"


FAILPOINTS: Final = tuple(
    Failpoint(step, side, mode, 0.1 if mode == "exit" else 0.4)
    for step, side, mode in itertools.product(STEPS, ("before", "after"), MODES)
)


class FailpointError(Exception):
    """A failure that nobody expects."""


def set_failpoint(folder: Path, failpoint: Failpoint | None) -> None:
    """Have a server that runs in this folder fail there, or nowhere any more."""
    if failpoint is None:
        (folder / _ORDER).unlink(missing_ok=True)
        return
    unfinished = folder / f"{_ORDER}.new"
    unfinished.write_text(json.dumps(asdict(failpoint)))
    unfinished.rename(folder / _ORDER)


def hits(folder: Path) -> Counter[str]:
    """Count how often something happened, by failpoint."""
    path = folder / _HITS
    return Counter(path.read_text().splitlines()) if path.exists() else Counter()


class _Steps:
    def __init__(self, folder: Path) -> None:
        self._order = folder / _ORDER
        self._hits = os.open(folder / _HITS, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def install(self) -> None:
        """Wrap every step."""
        for step, (owner, name) in STEPS.items():
            setattr(owner, name, self._wrapped(step, getattr(owner, name)))

    def _wrapped(self, step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.iscoroutinefunction(function):

            async def awaited(*args: Any, **kwargs: Any) -> Any:
                await asyncio.sleep(self._pass(step, "before"))
                result = await function(*args, **kwargs)
                await asyncio.sleep(self._pass(step, "after"))
                return result

            return awaited

        def called(*args: Any, **kwargs: Any) -> Any:
            time.sleep(self._pass(step, "before"))
            result = function(*args, **kwargs)
            time.sleep(self._pass(step, "after"))
            return result

        return called

    def _pass(self, step: str, side: Side) -> float:
        """Fail, or return how long to wait."""
        try:
            failpoint = Failpoint(**json.loads(self._order.read_text()))
        except FileNotFoundError:
            return 0.0
        if (step, side) != (failpoint.step, failpoint.side) or random.random() > failpoint.chance:
            return 0.0
        os.write(self._hits, f"{failpoint}\n".encode())
        if failpoint.mode == "exit":
            os._exit(_EXIT_CODE)
        if failpoint.mode == "raise":
            raise _failure(step, side)
        # On the loop, which it holds up, it is short.
        return random.uniform(0, _LONGEST_DELAY_SECONDS)


def _failure(step: str, side: Side) -> Exception:
    if step == "commit":
        # A store says which it is: that nothing is stored, or that nobody knows.
        return AppendFailedError() if side == "before" else CommitFailedError()
    return FailpointError()


def program(folder: Path, mutant: str = "") -> tuple[str, ...]:
    """Return what to run instead of the server.

    Args:
        mutant: a protection that is taken out as well.
    """
    return ("-m", "tests.faults.steps", str(folder), mutant)


def _begin(folder: Path, mutant: str) -> None:
    if mutant:
        MUTANTS[mutant]()
    _Steps(folder).install()
    main.main()


if __name__ == "__main__":
    _begin(Path(sys.argv.pop(1)), sys.argv.pop(1))
