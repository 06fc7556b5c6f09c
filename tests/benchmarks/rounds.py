# SPDX-License-Identifier: Apache-2.0
"""Peers in turns: A, B, A, B …, so that whatever else the machine does hits all of them alike."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any, TypeAlias


@dataclass(frozen=True)
class Figure:
    """What one turn measured: the value that is compared, and what else is worth knowing."""

    value: float
    details: dict[str, Any] = field(default_factory=dict)


Turn: TypeAlias = Callable[[float], Figure]
"""Measures for so many seconds."""


@dataclass(frozen=True)
class Spread:
    """The median of some figures, and how far they lie apart."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        """Return the spread of values."""
        return cls(median(values), min(values), max(values))


def take_turns(
    turns: Mapping[str, Turn], rounds: int, seconds: float
) -> tuple[dict[str, list[Figure]], dict[str, str]]:
    """Let each have its turn, so many rounds.

    Returns:
        The figures of those who had all their turns, and why others had not: who fails once has no
        further turn, and takes nothing from the others.
    """
    figures: dict[str, list[Figure]] = {name: [] for name in turns}
    failed: dict[str, str] = {}
    for number in range(1, rounds + 1):
        for name in [name for name in turns if name not in failed]:
            try:
                figure = turns[name](seconds)
            except Exception as error:  # noqa: BLE001 - it is told, at once and at the end
                failed[name] = f"{type(error).__name__}: {error}"
                progress(f"round {number}/{rounds}  {name}: {failed[name]}")
                del figures[name]
                continue
            figures[name].append(figure)
            progress(f"round {number}/{rounds}  {name}: {figure.value:,.1f}")
    return figures, failed


def ratios(
    figures: Mapping[str, list[Figure]], above: str, below: tuple[str, ...]
) -> tuple[str, list[float]]:
    """Return the ratios round by round, against the one of several peers that is fastest."""
    fastest = max(below, key=lambda name: median(figure.value for figure in figures[name]))
    pairs = zip(figures[above], figures[fastest], strict=True)
    return fastest, [one.value / other.value for one, other in pairs]


def progress(line: str) -> None:
    """Say on standard error how far it has come."""
    print(line, file=sys.stderr, flush=True)
