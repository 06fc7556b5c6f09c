# SPDX-License-Identifier: Apache-2.0
"""The soak itself: every campaign has its turn, and nothing that was found is lost."""

from __future__ import annotations

import pytest

from tests.faults import soak
from tests.faults.campaign import Campaign, Report


@pytest.fixture
def seeds(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace the campaigns; the seeds with which they run stand in the list."""
    seen: list[str] = []

    def campaign_of(*findings: str) -> Campaign:
        def campaign(seconds: float, seed: str) -> Report:
            assert seconds >= 0
            seen.append(seed)
            return Report(7, "trials", findings)

        return campaign

    def broken(_seconds: float, _seed: str) -> Report:
        raise RuntimeError("out of order")

    campaigns = {
        "sound-sqlite": campaign_of(),
        "sound-postgres": campaign_of(),
        "unsound-sqlite": campaign_of("something"),
        "broken-postgres": broken,
    }
    monkeypatch.setattr(soak, "CAMPAIGNS", campaigns)
    return seen


def test_each_campaign_runs_once_at_least_each_round_with_a_seed_of_its_own(
    seeds: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = ["--only", "sound-sqlite", "--only", "sound-postgres"]

    assert soak.main(["--minutes", "0", "--seed", "s", *chosen]) == 0
    assert seeds == ["s/0", "s/1"]
    assert "sound-postgres  1       7 trials" in capsys.readouterr().out


def test_a_finding_fails_it(seeds: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert soak.main(["--minutes", "0", "--store", "sqlite"]) == 1
    assert len(seeds) == 2
    assert "unsound-sqlite: FOUND something" in capsys.readouterr().out


def test_one_that_breaks_off_fails_it_and_stops_no_other(
    seeds: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert soak.main(["--minutes", "0", "--seed", "s", "--store", "postgres"]) == 1
    assert seeds == ["s/0"]
    assert "(seed 's/1'): RuntimeError: out of order" in capsys.readouterr().out


def test_it_goes_on_in_turn_for_as_long_as_there_is_time(seeds: list[str]) -> None:
    totals = soak.soak(["sound-sqlite", "sound-postgres"], 0.05, "s")

    assert len(seeds) == sum(total.rounds for total in totals.values()) > 2
    assert len(set(seeds)) == len(seeds)
    assert totals["sound-sqlite"].rounds - totals["sound-postgres"].rounds in {0, 1}
