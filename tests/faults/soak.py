# SPDX-License-Identifier: Apache-2.0
"""Looks for faults for as long as there is time: every campaign in turn, again and again.

    python -m tests.faults.soak --minutes 60 [--only NAME]... [--store sqlite] [--seed SEED]

Prints what it does, and a table at the end; the exit code is 1 if anything was found. What was
found names the seed of its round: the same seed draws the same, though the machine's own timing is
another each time.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.faults import crash, failover, mishaps, power, power_keys, races
from tests.faults.campaign import Campaign, Report, new_seed

ROUND_SECONDS: Final = 300.0
"""How long one campaign goes on before the next has its turn."""

CAMPAIGNS: Final[Mapping[str, Campaign]] = {
    "race-sqlite": races.on_sqlite,
    "race-postgres": races.on_postgres,
    "kill-sqlite": crash.campaign,
    "mishaps-sqlite": mishaps.campaign,
    "power-sqlite": power.campaign,
    "power-keys-sqlite": power_keys.campaign,
    "failover-postgres": failover.campaign,
}
"""By name, which ends in the store's."""


@dataclass
class Total:
    """What a campaign did and found in all its rounds."""

    rounds: int = 0
    trials: int = 0
    units: str = ""
    seconds: float = 0.0
    findings: list[str] = field(default_factory=list)

    def add(self, report: Report, seconds: float) -> None:
        """Add a round."""
        self.rounds += 1
        self.trials += report.trials
        self.units = report.units
        self.seconds += seconds
        self.findings += report.findings


def soak(names: Sequence[str], seconds: float, seed: str) -> dict[str, Total]:
    """Run campaigns in turn until the time is over; each runs once at least."""
    totals = {name: Total() for name in names}
    until = time.monotonic() + seconds
    for number, name in enumerate(_in_turn(names, until)):
        left = max(0.0, until - time.monotonic())
        here, began = f"{seed}/{number}", time.monotonic()
        _say(f"{name}: seed {here!r} ...")
        report = _run(CAMPAIGNS[name], min(ROUND_SECONDS, left / len(names)), here)
        took = time.monotonic() - began
        totals[name].add(report, took)
        _say(f"{name}: {report.trials} {report.units} in {took:.0f} s {report.notes}")
        for finding in report.findings:
            _say(f"{name}: FOUND {finding}")
    return totals


def _in_turn(names: Sequence[str], until: float) -> Iterator[str]:
    yield from names
    while True:
        for name in names:
            if time.monotonic() >= until:
                return
            yield name


def _run(campaign: Campaign, seconds: float, seed: str) -> Report:
    try:
        return campaign(seconds, seed)
    except Exception as error:  # noqa: BLE001  # one that breaks off must not end the others
        traceback.print_exc()
        return Report(0, "", [f"broken off (seed {seed!r}): {type(error).__name__}: {error}"])


def table(totals: Mapping[str, Total]) -> str:
    """Return what every campaign came to."""
    rows = [("campaign", "rounds", "trials", "minutes", "findings")]
    rows += [
        (
            name,
            str(total.rounds),
            f"{total.trials} {total.units}",
            f"{total.seconds / 60:.1f}",
            str(len(total.findings)),
        )
        for name, total in totals.items()
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Soak, and return the exit code."""
    parser = argparse.ArgumentParser(prog="soak", description="Looks for faults.")
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--only", action="append", choices=CAMPAIGNS, help="may be repeated")
    parser.add_argument("--store", choices=("sqlite", "postgres"), help="only on this one")
    parser.add_argument("--seed", default=new_seed())
    options = parser.parse_args(arguments)
    names = [
        name
        for name in options.only or CAMPAIGNS
        if not options.store or name.endswith(options.store)
    ]
    if not names:
        parser.error(f"none of these is on {options.store}")
    totals = soak(names, options.minutes * 60, options.seed)
    print(table(totals))
    return 1 if any(total.findings for total in totals.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
