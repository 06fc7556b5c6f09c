# SPDX-License-Identifier: Apache-2.0
"""Each protection of the path of a disclosure, taken out of the real server: the race finds it.

Two processes on one SQLite file, delayed here and there; most protections matter between processes
only. A race goes on until all the checks that are named here have found something.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import race, site
from tests.faults.campaign import new_seed
from tests.faults.failpoints import Plan
from tests.faults.mutant import MUTANTS
from tests.faults.prefork import Forks, forks

MOST_HISTORIES = 500
"""How long the race goes on at most; the hardest to find needs 30 histories or so."""
WITHOUT_MUTANT = 50

FINDS = {
    "check-then-act": {"log order"},
    "cached-consent": {"log order"},
    "long-cached-consent": {"log order", "impossible history"},
    "replica-read": {"log order", "impossible history"},
    "undecided-retry": {"log order"},
    "stale-refusal": {"impossible history"},
    "stale-check": {"impossible history"},
    "unrecorded-repeat": {"unrecorded bundle", "inversion", "impossible history"},
    "clients-clock": {"log order", "impossible history"},
    "unsettled-stop": {"late bundle"},
    "unhurried-release": {"late bundle"},
    "hasty-acknowledgement": {"misplaced"},
}

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def forked() -> Iterator[Forks]:
    with forks() as kept:
        yield kept


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_server_that_gets_it_wrong_is_found_out(
    tmp_path: Path, forked: Forks, mutant: str
) -> None:
    seed, expected = new_seed(), FINDS[mutant]
    plan = Plan(tmp_path, seed, only_delays=True, mutant=mutant)
    with site.running(plan, forked, processes=2) as running:
        raced = race.run(running, MOST_HISTORIES, seed=seed, until=expected)

    assert expected <= raced.findings().keys(), f"seed {seed!r}"


def test_the_server_as_it_is_is_not(tmp_path: Path, forked: Forks) -> None:
    """Else the others may be found out for something else."""
    seed = new_seed()
    plan = Plan(tmp_path, seed, only_delays=True)
    with site.running(plan, forked, processes=2) as running:
        raced = race.run(running, WITHOUT_MUTANT, seed=seed)

    assert not raced.findings(), f"seed {seed!r}"
