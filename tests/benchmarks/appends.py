# SPDX-License-Identifier: Apache-2.0
"""Durable appends on SQLite: group commit against the tables alone, and against the library."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping
from typing import Final

from tests.benchmarks.limits import Limit, Result, Scene, Stage, compare
from tests.benchmarks.program import run_program
from tests.benchmarks.rounds import Figure, Turn

CALLERS: Final = 32


def _turn(stage: Stage, how: str) -> Turn:
    def turn(seconds: float) -> Figure:
        # New files each time: what grows in one turn slows nobody's next.
        with tempfile.TemporaryDirectory(dir=stage.folder) as folder:
            figures = run_program("append_sqlite", how, folder, CALLERS, seconds)
        return Figure(figures.pop("rate"), figures)

    return turn


def _measure(stage: Stage, limits: Collection[Limit]) -> Mapping[str, Result]:
    names = ["product", "unkeyed", *sorted({name for limit in limits for name in limit.below})]
    return compare(stage, limits, {name: _turn(stage, name) for name in names})


SCENE: Final = Scene(
    "appends to SQLite",
    (
        Limit(
            "append_sqlite_32_vs_raw_batch64",
            "durable 1 KiB events/s, 32 callers, ÷ one connection, 64 a commit",
            0.35,
            "product",
            ("raw",),
        ),
        Limit(
            "append_sqlite_32_vs_stock",
            "the same ÷ the library's stock recorder, 32 threads",
            6,
            "product",
            ("stock",),
        ),
    ),
    _measure,
)
