# SPDX-License-Identifier: Apache-2.0
"""What a hundred times as many citizens and events do to the time that one disclosure takes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from tests.benchmarks.limits import Limit, Result, Scene, Stage, compare
from tests.benchmarks.rounds import Figure, Turn, progress
from tests.benchmarks.seeding import seeded
from tests.benchmarks.vault_server import vault

SMALL: Final = 1_000
LARGE: Final = 100_000
REMEMBERED: Final = 0.05
"""How many of the citizens a server may hold in memory."""
_READ_BYTES: Final = 1 << 24


def _turn(stage: Stage, citizens: int) -> Turn:
    chance = stage.random()
    kept = seeded(stage.cache, citizens)

    def in_folder(folder: Path, seconds: float) -> Figure:
        _touch(folder / "data" / "events.db")
        remembered = str(int(citizens * REMEMBERED))
        with vault(folder, chance, CITIZEN_VAULT_REMEMBERED_STATES=remembered) as fetches:
            events = fetches.size()
            figure = fetches.unary(seconds, in_flight=1)
        details = {**figure.details, "rate": figure.value, "events": events}
        return Figure(details.pop("p50_ms"), details)

    def turn(seconds: float) -> Figure:
        if citizens == LARGE:
            # It grows by less than a hundredth, and to copy it each time takes longer than to use.
            return in_folder(kept, seconds)
        with tempfile.TemporaryDirectory(dir=stage.folder) as folder:
            copy = shutil.copytree(kept, Path(folder) / "vault")
            return in_folder(copy, seconds)

    return turn


def _touch(path: Path) -> None:
    """Read a file, so that the operating system holds it: both sizes begin warm."""
    with path.open("rb") as file:
        while file.read(_READ_BYTES):
            pass


def _measure(stage: Stage, limits: Collection[Limit]) -> Mapping[str, Result]:
    progress(f"{SMALL:,} and {LARGE:,} citizens, p50 in ms; the first time they have to be made")
    return compare(stage, limits, {"large": _turn(stage, LARGE), "small": _turn(stage, SMALL)})


SCENE: Final = Scene(
    "growth",
    (
        Limit(
            "disclose_p50_growth",
            "p50 at 1,000,000 events of 100,000 citizens ÷ p50 at 10,000 of 1,000, one at a time",
            1.3,
            "large",
            ("small",),
            is_ceiling=True,
        ),
    ),
    _measure,
)
