# SPDX-License-Identifier: Apache-2.0
"""Stopping against disclosing on the real server: a hundred histories, and wrong servers.

Three checks are needed: linearizability alone does not see a decision that was recorded late.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import race
from tests.faults.race import Race, inversions
from tests.server import Server, running

HISTORIES = 100
FEW = 20

# Whichever test comes first waits for the race.
pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def raced(tmp_path_factory: pytest.TempPathFactory) -> Race:
    with running(Server(tmp_path_factory.mktemp("race"))) as server:
        return race.run(server, HISTORIES)


def test_a_hundred_histories_were_a_race(raced: Race) -> None:
    """Else the other tests say nothing."""
    operations = raced.operations
    beside = [
        history
        for history in raced.histories.values()
        for stop in (noted for noted in history if noted.kind == "stop")
        if any(
            noted.kind == "disclose"
            and noted.called < stop.returned
            and noted.returned > stop.called
            for noted in history
        )
    ]

    assert len(raced.histories) == HISTORIES
    assert len(beside) >= HISTORIES * 0.9
    for kind, outcome, at_least in (
        ("disclose", "done", 300),
        ("disclose", "refused", 300),
        ("disclose", "unknown", 20),
        ("stop", "done", 60),
        ("stop", "refused", 5),
        ("stop", "unknown", 5),
    ):
        found = [n for n in operations if (n.kind, n.outcome) == (kind, outcome)]
        assert len(found) >= at_least, (kind, outcome, len(found))


def test_every_history_is_linearizable(raced: Race) -> None:
    assert not raced.impossible_histories()


def test_no_disclosure_stands_behind_its_revocation(raced: Race) -> None:
    assert not raced.disclosed_after_stopped()


def test_what_returned_before_a_call_stands_before_it(raced: Race) -> None:
    assert not raced.inversions()


def test_no_data_arrives_after_the_stop_was_acknowledged(raced: Race) -> None:
    assert not raced.late_bundles()


def test_what_was_acknowledged_stands_where_its_receipt_says(raced: Race) -> None:
    assert not raced.misplaced()


@pytest.mark.parametrize(
    ("mutant", "expected"),
    [
        ("check-then-act", {"disclosed after stopped"}),
        ("cached-consent", {"disclosed after stopped"}),
        ("long-cached-consent", {"disclosed after stopped", "impossible history"}),
        ("unhurried-release", {"late bundle"}),
    ],
)
def test_a_server_that_gets_it_wrong_is_found_out(
    tmp_path: Path, mutant: str, expected: set[str]
) -> None:
    program = ("-m", "tests.faults.mutant", mutant)
    with running(Server(tmp_path, program=program)) as server:
        raced = race.run(server, FEW)

    assert expected <= raced.findings()


def test_positions_in_the_other_order_than_calls_are_found() -> None:
    assert inversions([(0, 1, 7), (2, 3, 6)]) == [(7, 6)]
    assert not inversions([(0, 1, 6), (2, 3, 7)])
    assert not inversions([(0, 5, 7), (2, 3, 6)])
