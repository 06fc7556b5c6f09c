# SPDX-License-Identifier: Apache-2.0
"""What is promised of speed: each limit is a ratio of two things measured in turns in one run."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from tests.benchmarks.rounds import Figure, Spread, Turn, progress, ratios, take_turns


class NotHereError(Exception):
    """Something is not there that a limit is measured with; the message says what to do."""


@dataclass(frozen=True)
class Limit:
    """One key of the report.

    Attributes:
        bound: the least that will do, or the most if `is_ceiling`; None if it is only reported.
        above, below: the names of what is divided by what; of several, by the fastest.
    """

    key: str
    what: str
    bound: float | None
    above: str = ""
    below: tuple[str, ...] = ()
    is_ceiling: bool = False
    needs_peers: bool = False

    def holds(self, value: float) -> bool:
        """Say whether a value is within the limit."""
        if self.bound is None:
            return True
        return value <= self.bound if self.is_ceiling else value >= self.bound


@dataclass(frozen=True)
class Result:
    """What a limit came to."""

    spread: Spread
    details: dict[str, Any]


@dataclass
class Stage:
    """Where and how it is measured.

    Attributes:
        cache: a folder that outlives the run, for what takes long to make.
        left_out: why keys are missing, by key.
    """

    folder: Path
    cache: Path
    rounds: int
    seconds: float
    peers: bool
    seed: int
    left_out: dict[str, str] = field(default_factory=dict)

    def random(self) -> random.Random:
        """Return a source of chance, the same in each run of one seed."""
        return random.Random(self.seed)


Measure: TypeAlias = Callable[[Stage, Collection[Limit]], Mapping[str, Result]]


@dataclass(frozen=True)
class Scene:
    """Limits that are measured together, because they share what they are measured on."""

    name: str
    limits: tuple[Limit, ...]
    measure: Measure


def names_in(limits: Collection[Limit]) -> set[str]:
    """Return who has to have turns for some limits."""
    return {name for limit in limits for name in (limit.above, *limit.below)}


def compare(
    stage: Stage, limits: Collection[Limit], turns: Mapping[str, Turn]
) -> dict[str, Result]:
    """Let all take turns, and return the ratios of those limits whose both sides are there."""
    figures, failed = take_turns(turns, stage.rounds, stage.seconds)
    results = {}
    for limit in limits:
        missing = [name for name in (limit.above, *limit.below) if name not in figures]
        if missing:
            why = failed.get(missing[0], "it had no turn")
            stage.left_out[limit.key] = f"{missing[0]} was not measured: {why}"
            continue
        fastest, values = ratios(figures, limit.above, limit.below)
        details: dict[str, Any] = {
            limit.above: summary(figures[limit.above]),
            fastest: summary(figures[fastest]),
        }
        others = {name: summary(figures[name]) for name in figures if name not in details}
        if others:
            details["beside"] = others
        results[limit.key] = Result(Spread.of(values), details)
    return results


def summary(figures: list[Figure]) -> dict[str, Any]:
    """Return the median and range of figures, and the median of whatever else they hold."""
    spread = Spread.of([figure.value for figure in figures])
    more = {
        name: Spread.of([figure.details[name] for figure in figures]).median
        for name in figures[0].details
    }
    return {"median": spread.median, "least": spread.least, "most": spread.most, **more}


def leave_out(stage: Stage, limits: Collection[Limit], why: str) -> dict[str, Result]:
    """Note why limits are not measured."""
    for limit in limits:
        stage.left_out[limit.key] = why
        progress(f"{limit.key}: {why}")
    return {}
