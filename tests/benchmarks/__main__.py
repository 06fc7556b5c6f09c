# SPDX-License-Identifier: Apache-2.0
"""The program: measures what is asked for, prints a table, writes the numbers to files."""

from __future__ import annotations

import argparse
import json
import os
import platform
import secrets
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import apsw
import grpc
from rich.console import Console
from rich.table import Table

from tests.benchmarks import (
    appends,
    appends_postgres,
    disclosures,
    growth,
    published_log,
    sizes,
    verifying,
)
from tests.benchmarks.limits import Limit, Result, Scene, Stage, leave_out
from tests.benchmarks.rounds import progress
from tests.server import ROOT

SCENES: Final[tuple[Scene, ...]] = (
    appends.SCENE,
    appends_postgres.SCENE,
    appends_postgres.SLOW_SCENE,
    disclosures.SCENE,
    growth.SCENE,
    sizes.SCENE,
    published_log.SCENE,
    verifying.SCENE,
)
LIMITS: Final = {limit.key: limit for scene in SCENES for limit in scene.limits}
BUILD: Final = ROOT / "build"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and report. What falls short is said and no failure; what was not measured is one."""
    options = _parser().parse_args(arguments)
    unknown = [key for key in options.only if key not in LIMITS]
    if unknown:
        progress(f"There is no key {unknown[0]}. Keys: {', '.join(LIMITS)}")
        return 2
    wanted = [
        limit
        for key, limit in LIMITS.items()
        if (key in options.only or not options.only) and (options.peers or not limit.needs_peers)
    ]
    results: dict[str, Result] = {}
    with tempfile.TemporaryDirectory(prefix="vault-bench-") as folder:
        stage = Stage(
            folder=Path(folder),
            cache=BUILD / "seeded",
            rounds=options.rounds,
            seconds=options.seconds,
            peers=options.peers,
            seed=options.seed,
        )
        progress(f"seed {stage.seed}, {stage.rounds} rounds of {stage.seconds} s")
        for scene in SCENES:
            limits = [limit for limit in wanted if limit in scene.limits]
            if limits:
                progress(f"{scene.name}:")
                results.update(_measured(scene, stage, limits))
    _print(results, stage.left_out)
    _write(options.json, results, stage)
    return 1 if stage.left_out else 0


def _measured(scene: Scene, stage: Stage, limits: Sequence[Limit]) -> Mapping[str, Result]:
    """Measure a scene; what goes wrong in one is no reason to lose what others took minutes for."""
    try:
        return scene.measure(stage, limits)
    except Exception as error:  # noqa: BLE001 - it is told, at once and at the end
        traceback.print_exc()
        return leave_out(stage, limits, f"{type(error).__name__}: {error}")


def _print(results: Mapping[str, Result], left_out: Mapping[str, str]) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("key", "median", "min to max", "limit", ""):
        table.add_column(heading, justify="left" if heading in {"key", ""} else "right")
    for key, result in results.items():
        limit, spread = LIMITS[key], result.spread
        table.add_row(
            key,
            f"{spread.median:,.2f}",
            f"{spread.least:,.2f} to {spread.most:,.2f}",
            _bound(limit),
            _verdict(limit, spread.median),
        )
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    console.print(table)
    for key, result in results.items():
        console.print(f"\n{key}: {LIMITS[key].what}", soft_wrap=True)
        for name, figures in result.details.items():
            console.print(f"  {name}: {_figures(figures)}", soft_wrap=True)
    for key, why in left_out.items():
        console.print(f"\n{key} was left out: {why}", soft_wrap=True)


def _bound(limit: Limit) -> str:
    if limit.bound is None:
        return "reported"
    return f"{'at most' if limit.is_ceiling else 'at least'} {limit.bound:g}"


def _verdict(limit: Limit, value: float) -> str:
    if limit.bound is None:
        return ""
    return "pass" if limit.holds(value) else "short"


def _figures(figures: Any) -> str:
    if not isinstance(figures, dict):
        return f"{figures:,.1f}" if isinstance(figures, float) else str(figures)
    return ", ".join(
        f"{name} ({_figures(value)})" if isinstance(value, dict) else f"{name} {_figures(value)}"
        for name, value in figures.items()
    )


def _write(path: Path, results: Mapping[str, Result], stage: Stage) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    numbers = {key: round(result.spread.median, 4) for key, result in results.items()}
    path.write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")
    details = {
        "machine": {
            "processors": os.cpu_count(),
            "system": platform.platform(),
            "python": platform.python_version(),
            "grpcio": grpc.__version__,
            "sqlite": apsw.sqlite_lib_version(),
        },
        "seed": stage.seed,
        "rounds": stage.rounds,
        "seconds": stage.seconds,
        "left_out": stage.left_out,
        "keys": {
            key: {**asdict(LIMITS[key]), **asdict(result.spread), "details": result.details}
            for key, result in results.items()
        },
    }
    beside = path.with_name(f"{path.stem}-details.json")
    beside.write_text(json.dumps(details, indent=1) + "\n", encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description="How fast the vault is, as ratios to what could be done at all.",
        epilog="A noisy machine shows in the ranges, not in the medians: give it more rounds.",
    )
    parser.add_argument("--only", nargs="+", metavar="KEY", default=[], help="measure these alone")
    parser.add_argument("--peers", action="store_true", help="SpiceDB and Solid too; needs npm")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each turn (3)")
    parser.add_argument("--rounds", type=int, default=5, help="how many turns each has (5)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="of chance")
    parser.add_argument("--json", type=Path, default=BUILD / "bench.json", help="the numbers")
    return parser


if __name__ == "__main__":
    sys.exit(main())
