# SPDX-License-Identifier: Apache-2.0
"""Races on whole sites, failpoints on: as tests that every store has to pass, and as a campaign."""

from __future__ import annotations

import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests import postgres
from tests.faults import race, site
from tests.faults.campaign import SEED, Report, new_seed
from tests.faults.failpoints import REACHED, Plan, endings
from tests.faults.histories import STOPS, Histories
from tests.faults.linearizability import DONE, UNKNOWN
from tests.faults.prefork import forks

HISTORIES: Final = 300

Settings = Mapping[str, str]


@dataclass(frozen=True)
class Ran:
    """A race, and what became of the servers under it.

    Attributes:
        hits: what happened at failpoints, as `point mode`.
        deaths: how often a server was found dead.
    """

    raced: Histories
    hits: Counter[str]
    deaths: int

    @property
    def planned_deaths(self) -> int:
        """Return how often a failpoint ended a server."""
        kills = sum(times for hit, times in self.hits.items() if hit.endswith(" kill"))
        return kills + self.hits["after-commit raise"]

    def told(self, found: Sequence[Any]) -> str:
        """Return what a failed test says: the seed, and what was found."""
        lines = [
            f"seed {self.raced.seed!r} ({SEED}=... draws the same again)",
            *map(str, found[:5]),
        ]
        histories = [self.raced.described(one) for one in found[:2] if one in self.raced.by_consent]
        return "\n".join((*lines, *histories))


def run(folder: Path, *, processes: int, settings: Settings, seed: str) -> Ran:
    """Race on servers that are delayed, fail and die in every way once."""
    plan = Plan(folder, seed, endings=endings(random.Random(seed)))
    with (
        forks() as forked,
        site.running(plan, forked, processes=processes, settings=settings) as running,
    ):
        raced = race.run(running, HISTORIES, seed=seed)
    return Ran(raced, running.hits(), running.deaths)


class Races:
    """What has to hold in every race; a subclass says where it takes place."""

    processes: int

    @pytest.fixture(scope="class")
    @classmethod
    def settings(cls) -> Settings:
        """Return the settings of the store."""
        return {}

    @pytest.fixture(scope="class")
    @classmethod
    def ran(cls, tmp_path_factory: pytest.TempPathFactory, settings: Settings) -> Ran:
        """Return the race that all tests of a class judge."""
        folder, seed = tmp_path_factory.mktemp("race"), new_seed()
        return run(folder, processes=cls.processes, settings=settings, seed=seed)

    def test_it_was_a_race(self, ran: Ran) -> None:
        """Else the other tests say nothing."""
        histories = ran.raced.by_consent.values()
        beside = [
            history
            for history in histories
            if any(
                noted.kind.startswith("disclose")
                and noted.called < stop.returned
                and noted.returned > stop.called
                for stop in history
                if stop.kind in STOPS
                for noted in history
            )
        ]
        counted: Counter[str] = Counter()
        for (kind, outcome), times in ran.raced.counted().items():
            counted[outcome] += times
            counted[f"{kind}: {outcome}"] += times

        assert len(histories) == HISTORIES
        assert len(beside) >= HISTORIES / 2, ran.told([])
        assert counted[f"grant: {DONE}"] == HISTORIES
        for what, at_least in {
            f"disclose: {DONE}": 150,
            f"disclose part: {DONE}": 100,
            f"check: {DONE}": 100,
            f"pause: {DONE}": 60,
            f"resume: {DONE}": 30,
            f"revoke: {DONE}": 50,
            f"narrow: {DONE}": 10,
            f"shorten: {DONE}": 10,
            "CONSENT_REVOKED": 200,
            "CONSENT_PAUSED": 200,
            "CONSENT_EXPIRED": 50,
            "FIELD_NOT_GRANTED": 20,
            f"disclose: {UNKNOWN}": 20,
            f"revoke: {UNKNOWN}": 2,
        }.items():
            assert counted[what] >= at_least, ran.told([what, counted[what]])

    def test_every_failpoint_was_hit(self, ran: Ran) -> None:
        """Else nobody knows what would have happened there."""
        missed = sorted(REACHED - ran.hits.keys())

        assert not missed, ran.told(missed)

    def test_nobody_died_but_of_a_failpoint(self, ran: Ran) -> None:
        assert ran.deaths == ran.planned_deaths, ran.told(sorted(ran.hits.items()))

    def test_every_history_is_linearizable(self, ran: Ran) -> None:
        found = ran.raced.impossible()

        assert not found, ran.told(found)

    def test_the_log_holds_nothing_that_was_not_permitted_there(self, ran: Ran) -> None:
        found = ran.raced.out_of_order()

        assert not found, ran.told(found)

    def test_what_returned_before_a_call_stands_before_it(self, ran: Ran) -> None:
        found = ran.raced.inversions()

        assert not found, ran.told(found)

    def test_no_data_arrives_after_the_stop_behind_it_was_acknowledged(self, ran: Ran) -> None:
        found = ran.raced.late_bundles()

        assert not found, ran.told(found)

    def test_no_data_arrives_without_a_record_of_its_own(self, ran: Ran) -> None:
        found = ran.raced.unrecorded_bundles()

        assert not found, ran.told(found)

    def test_what_was_acknowledged_stands_where_its_receipt_says(self, ran: Ran) -> None:
        found = ran.raced.misplaced()

        assert not found, ran.told(found)


def on_sqlite(seconds: float, seed: str) -> Report:
    """Race on one process, and on two, on one SQLite file."""
    return _race_for(seconds, seed, lambda: nullcontext({}), (1, 2))


def on_postgres(seconds: float, seed: str) -> Report:
    """Race on two processes, and on three, on one PostgreSQL database."""
    return _race_for(seconds, seed, _new_postgres, (2, 3))


@contextmanager
def _new_postgres() -> Iterator[Settings]:
    with postgres.running() as cluster:
        yield postgres.new_settings(cluster)


def _race_for(
    seconds: float,
    seed: str,
    store: Callable[[], AbstractContextManager[Settings]],
    processes: Sequence[int],
) -> Report:
    until, ran, findings = time.monotonic() + seconds, list[Ran](), list[str]()
    while not ran or time.monotonic() < until:
        here = f"{seed}/{len(ran)}"
        with tempfile.TemporaryDirectory() as folder, store() as settings:
            one = run(
                Path(folder),
                processes=processes[len(ran) % len(processes)],
                settings=settings,
                seed=here,
            )
        ran.append(one)
        findings += [
            f"{check} (seed {here!r}): {found[:3]}" for check, found in one.raced.findings().items()
        ]
        if one.deaths != one.planned_deaths:
            findings.append(f"somebody died of no failpoint (seed {here!r})")
    operations = sum(len(one.raced.operations) for one in ran)
    deaths = sum(one.deaths for one in ran)
    return Report(
        trials=sum(len(one.raced.by_consent) for one in ran),
        units="histories",
        findings=findings,
        notes=f"{operations} operations, {deaths} deaths",
    )
