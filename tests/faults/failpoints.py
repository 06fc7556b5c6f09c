# SPDX-License-Identifier: Apache-2.0
"""Failpoints: named places on the way of a call where a server is delayed, fails, or dies.

    before-load, after-load       around the state that a decision is made on
    before-commit, after-commit   around a batch's COMMIT
    before-send, after-send       around the answer's way to the socket

What shall happen is planned here; `failing.py` is the server to which it happens.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple

Point = Literal[
    "before-load", "after-load", "before-commit", "after-commit", "before-send", "after-send"
]
Mode = Literal["delay", "raise", "cancel", "kill"]


class Chance(NamedTuple):
    """How probable each mode is when a point is passed, and how long a delay lasts at most."""

    delays: float = 0.0
    raises: float = 0.0
    cancels: float = 0.0
    seconds: float = 0.0


CHANCES: Final[Mapping[Point, Chance]] = {
    "before-load": Chance(0.1, 0.004, 0.004, 0.006),
    "after-load": Chance(0.1, 0.004, 0.004, 0.02),
    "before-commit": Chance(0.2, 0.01, 0.02, 0.004),
    "after-commit": Chance(0.25, 0.0, 0.02, 0.02),
    "before-send": Chance(0.2, 0.006, 0.006, 0.004),
    "after-send": Chance(),
}
AFTER_COMMIT: Final = ((0.8, 0.0, 0.15), (0.95, 0.3, 0.35))
"""Above which draw a delay after COMMIT lies between which seconds instead: where what was recorded
just may leave, and where it may not any more. Near the limit itself this machine would decide."""


class Ending(NamedTuple):
    """How a server ends: at a point, when that is passed for so manieth time.

    To raise after COMMIT is an ending too: what it came to is unknown, and only a restart tells.
    """

    mode: Mode
    point: Point
    passed: int


def endings(drawn: random.Random) -> list[Ending]:
    """Return every ending once, in some order."""
    found = [Ending("kill", point, drawn.randint(20, 60)) for point in CHANCES]
    found.append(Ending("raise", "after-commit", drawn.randint(20, 60)))
    drawn.shuffle(found)
    return found


REACHED: Final[frozenset[str]] = frozenset({
    *(f"{point} delay" for point, chance in CHANCES.items() if chance.delays),
    *(f"{point} raise" for point, chance in CHANCES.items() if chance.raises),
    *(f"{point} cancel" for point, chance in CHANCES.items() if chance.cancels),
    *(f"{ending.point} {ending.mode}" for ending in endings(random.Random(0))),
})  # fmt: skip
"""Everything that can happen; a run in which something of it did not shows less than it says."""


@dataclass(frozen=True)
class Plan:
    """What shall happen to servers.

    Nothing happens before the file `armed` is there; what happens is noted in the file `noted`.

    Attributes:
        only_delays: nothing fails and nobody dies.
        mutant: a protection that is taken out as well.
        endings: one for each server that is started, for as many as there are.
    """

    folder: Path
    seed: str
    only_delays: bool = False
    mutant: str = ""
    endings: Sequence[Ending] = ()

    @property
    def armed(self) -> Path:
        """Return the file that arms them."""
        return self.folder / "armed"

    @property
    def noted(self) -> Path:
        """Return the file in which they note what happened."""
        return self.folder / "noted"

    def hits(self) -> Counter[str]:
        """Count what happened, as `point mode`."""
        noted = self.noted.read_text(encoding="ascii") if self.noted.exists() else ""
        return Counter(noted.splitlines())

    def program(self, life: str, ending: Ending | None) -> tuple[str, ...]:
        """Return what to run instead of the server.

        Args:
            life: what happens by chance is drawn anew for each.
        """
        said = {
            "folder": str(self.folder),
            "seed": f"{self.seed}/{life}",
            "only_delays": self.only_delays,
            "mutant": self.mutant,
            "endings": [ending] if ending else [],
        }
        return ("-m", "tests.faults.failing", json.dumps(said))


def read_plan(text: str) -> Plan:
    """Return the plan of one server, as `Plan.program` wrote it."""
    said = json.loads(text)
    said["folder"] = Path(said["folder"])
    said["endings"] = [Ending(*ending) for ending in said["endings"]]
    return Plan(**said)
