# SPDX-License-Identifier: Apache-2.0
"""A nation on paper: what 70 million people and a billion events a year ask of machines.

`python -m tests.benchmarks.nation` simulates the busiest hour of a year, and a failover in the
middle of it, event by event, from figures that were measured; docs/nation.md tells what came out.
A disclosure waits for a server process (a queue each, as calls fall on connections), is decided
there, waits for its lane's committer, which takes all that waits in one COMMIT, and is released.
"""

from __future__ import annotations

import argparse
import heapq
import math
import random
from collections import deque
from dataclasses import dataclass, fields, replace
from typing import Final

YEAR_SECONDS: Final = 365 * 24 * 3600
LARGEST_BATCH: Final = 256
RELEASE_SECONDS: Final = 0.2
"""After COMMIT was sent; what comes later is dropped and asked for again."""
GB: Final = 1e9


@dataclass(frozen=True)
class Nation:
    """What is planned for, what was measured, and what is supposed.

    Attributes:
        citizens: people with a vault.
        events_a_year: of which nearly all are disclosures.
        busiest_hour: its events, as a multiple of the year's mean.
        cpu_seconds: of one core for a disclosure, gRPC, deciding, sealing and signing (measured).
        commit_seconds: of one COMMIT with a disk of the cloud and a synchronous standby: its
            median; the spread is that of a log-normal with `commit_spread` (supposed).
        append_seconds: of each record in a COMMIT, on the database (measured).
        event_bytes: a disclosure on the database's disk, with indexes (measured).
        other_bytes: of a citizen's own events and payloads, with indexes (measured for ten events).
        key_bytes: of a citizen in the key store, with indexes (measured).
        state_bytes: of a citizen's state, keys and payloads in a process's memory (measured).
        core_price: of a core with its memory, an hour (supposed; any currency).
        disk_price: of a gigabyte on replicated disks, a month (supposed).
        restore_bytes: that a backup gives back in a second (supposed).
        failover_seconds: from a primary's death to the next COMMIT (measured with a lease of 20 s).
    """

    citizens: float = 70e6
    events_a_year: float = 1e9
    busiest_hour: float = 20.0
    cpu_seconds: float = 1_000e-6
    commit_seconds: float = 4e-3
    commit_spread: float = 0.5
    append_seconds: float = 70e-6
    event_bytes: float = 2_250.0
    other_bytes: float = 23_800.0
    key_bytes: float = 2_920.0
    state_bytes: float = 20_000.0
    core_price: float = 0.05
    disk_price: float = 0.20
    restore_bytes: float = 200e6
    failover_seconds: float = 20.0

    @property
    def mean_rate(self) -> float:
        """Return the events of a second, over the year."""
        return self.events_a_year / YEAR_SECONDS

    @property
    def busiest_rate(self) -> float:
        """Return the events of a second in the busiest hour."""
        return self.mean_rate * self.busiest_hour


@dataclass(frozen=True)
class Machines:
    """Server processes, one a core, and lanes, one a database."""

    processes: int
    lanes: int


@dataclass(frozen=True)
class Outcome:
    """What a simulated time came to; times in seconds."""

    median: float
    p99: float
    worst: float
    too_late: float
    processes_busy: float
    lanes_busy: float
    records_a_commit: float


class Lane:
    """A committer: one COMMIT at a time, of all that waits."""

    def __init__(self, nation: Nation, draw: random.Random) -> None:
        self._nation = nation
        self._draw = draw
        self._waiting: deque[tuple[float, float]] = deque()
        self._free_at = 0.0
        self.busy_seconds = 0.0
        self.commits = 0
        self.finished: list[tuple[float, float]] = []
        """(how long each took from its arrival, how long its COMMIT took)."""

    def stop_until(self, time: float) -> None:
        """Take nothing before a time: a primary has died."""
        self._free_at = max(self._free_at, time)

    def append(self, ready: float, arrived: float) -> None:
        """Hand over a record; called in the order of `ready`."""
        self.advance(ready)
        self._waiting.append((ready, arrived))

    def advance(self, now: float) -> None:
        """Commit whatever can begin before now."""
        while self._waiting:
            begins = max(self._free_at, self._waiting[0][0])
            if begins >= now:
                return
            batch = []
            while self._waiting and self._waiting[0][0] <= begins and len(batch) < LARGEST_BATCH:
                batch.append(self._waiting.popleft())
            nation = self._nation
            sync = nation.commit_seconds * math.exp(self._draw.gauss(0, nation.commit_spread))
            took = sync + len(batch) * nation.append_seconds
            self._free_at = begins + took
            self.busy_seconds += took
            self.commits += 1
            self.finished.extend((self._free_at - arrived, took) for _, arrived in batch)


def simulate(
    nation: Nation, machines: Machines, seconds: float, seed: int, *, failover: bool = False
) -> Outcome:
    """Simulate disclosures that arrive at random at the rate of the busiest hour.

    Args:
        failover: the first lane's primary dies in the middle.
    """
    draw = random.Random(seed)
    lanes = [Lane(nation, draw) for _ in range(machines.lanes)]
    processes = [0.0] * machines.processes
    ready: list[tuple[float, float, int]] = []
    time, busy, arrivals = 0.0, 0.0, 0
    has_failed = not failover
    while (time := time + draw.expovariate(nation.busiest_rate)) < seconds:
        arrivals += 1
        process = draw.randrange(machines.processes)
        # Deciding varies with what is fetched; opening and signing do not.
        took = nation.cpu_seconds * draw.uniform(0.7, 1.3)
        processes[process] = max(processes[process], time) + took
        busy += took
        heapq.heappush(ready, (processes[process], time, draw.randrange(machines.lanes)))
        while ready and ready[0][0] <= time:
            at, arrived, lane = heapq.heappop(ready)
            if not has_failed and at >= seconds / 2:
                lanes[0].stop_until(at + nation.failover_seconds)
                has_failed = True
            lanes[lane].append(at, arrived)
    while ready:
        at, arrived, lane = heapq.heappop(ready)
        lanes[lane].append(at, arrived)
    for each in lanes:
        each.advance(math.inf)
    latencies = sorted(latency for lane in lanes for latency, _ in lane.finished)
    late = sum(took > RELEASE_SECONDS for lane in lanes for _, took in lane.finished)
    return Outcome(
        median=latencies[len(latencies) // 2],
        p99=latencies[int(len(latencies) * 0.99)],
        worst=latencies[-1],
        too_late=late / arrivals,
        processes_busy=busy / (seconds * machines.processes),
        lanes_busy=max(lane.busy_seconds for lane in lanes) / seconds,
        records_a_commit=arrivals / sum(lane.commits for lane in lanes),
    )


def storage(nation: Nation, lanes: int) -> list[tuple[str, str]]:
    """Return what lies on disks, what a restore takes, and what a disclosure costs."""
    first = nation.citizens * nation.other_bytes / GB
    yearly = nation.events_a_year * nation.event_bytes / GB
    keys = nation.citizens * nation.key_bytes / GB
    lane = (first + yearly) / lanes
    return [
        ("citizens' own events, once", f"{first:,.0f} GB"),
        ("disclosures, a year", f"{yearly:,.0f} GB"),
        ("key store", f"{keys:,.0f} GB"),
        ("a lane's database after a year", f"{lane:,.0f} GB"),
        ("its restore from a backup", f"{lane * GB / nation.restore_bytes / 3600:,.1f} h"),
        (
            "memory for the states of 1 % of the citizens",
            f"{nation.citizens * 0.01 * nation.state_bytes / GB:,.0f} GB",
        ),
    ]


def cost(nation: Nation, machines: Machines, cores_a_lane: int) -> float:
    """Return the price of one disclosure, a year after the start; copies are in the prices.

    Args:
        cores_a_lane: of a primary and its standby together, each as large.
    """
    cores = 2 * machines.processes + cores_a_lane * machines.lanes
    disks = nation.citizens * nation.other_bytes + nation.events_a_year * nation.event_bytes
    # A primary, a standby and a backup.
    yearly = cores * nation.core_price * 24 * 365 + 3 * disks / GB * nation.disk_price * 12
    return yearly / nation.events_a_year


def main() -> None:
    """Simulate and print."""
    nation, seed, seconds = _arguments()
    print(f"seed {seed}, {seconds:.0f} s of the busiest hour, {nation.busiest_rate:,.0f} events/s")
    print("processes lanes  median     p99   worst  busy  lane  records/COMMIT  too late")
    for machines in (Machines(2, 1), Machines(4, 1), Machines(8, 1), Machines(8, 4)):
        for failover in (False, True):
            outcome = simulate(nation, machines, seconds, seed, failover=failover)
            print(
                f"{machines.processes:9} {machines.lanes:5}"
                f" {outcome.median * 1e3:5.1f}ms {outcome.p99 * 1e3:6.1f}ms {outcome.worst:6.2f}s"
                f" {outcome.processes_busy:5.0%} {outcome.lanes_busy:5.0%}"
                f" {outcome.records_a_commit:15.1f} {outcome.too_late:9.2%}"
                f"{'   a primary dies' if failover else ''}"
            )
    for lanes in (1, 4):
        print(f"\n{lanes} lane{'s' if lanes > 1 else ''}")
        for what, how_much in storage(nation, lanes):
            print(f"  {what:46} {how_much}")
    price = cost(nation, Machines(8, 4), cores_a_lane=16)
    print(f"\na disclosure, with 8 processes twice over and 4 lanes: {price * 100:.4f} hundredths")


def _arguments() -> tuple[Nation, int, float]:
    parser = argparse.ArgumentParser(description="Plan a nation from measured figures.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=600.0)
    for field in fields(Nation):
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=float, default=field.default)
    found = vars(parser.parse_args())
    figures = {field.name: found[field.name] for field in fields(Nation)}
    return replace(Nation(), **figures), found["seed"], found["seconds"]


if __name__ == "__main__":
    main()
