# SPDX-License-Identifier: Apache-2.0
"""Whatever goes wrong while data leaves: no payload leaves without a record that names it.

Failpoints before and after each step of the path, a disk that fails, and no room left on it. What
was acknowledged is still there, and what was unknown resolves by its `request_id`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import disk, mishaps
from tests.faults.campaign import new_seed
from tests.faults.mishaps import BrokenDisk, SizeLimit, Trial
from tests.faults.prefork import ForkedServer, Forks, forks
from tests.faults.steps import FAILPOINTS, Failpoint

SEED = new_seed()
FAILING_SECONDS = 4.0

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def forked() -> Iterator[Forks]:
    with forks() as kept:
        yield kept


@pytest.fixture
def server(tmp_path: Path, forked: Forks) -> ForkedServer:
    return ForkedServer(tmp_path, forks=forked)


def told(trial: Trial) -> str:
    """Return what a failing test should say."""
    releases = trial.releases
    calls, payloads = len(releases.writes), len(releases.received())
    return f"seed {SEED!r}: {calls} calls, {payloads} payloads, {releases.deaths} deaths"


def test_at_every_failpoint(server: ForkedServer) -> None:
    trial = mishaps.at_failpoints(server, FAILPOINTS, SEED)

    assert trial.releases.faults() == [], told(trial)
    # Else it says nothing.
    assert trial.unreached == [], told(trial)
    assert trial.releases.deaths >= sum(each.mode == "exit" for each in FAILPOINTS), told(trial)


def test_on_a_disk_that_fails_now_and_then(server: ForkedServer) -> None:
    trial = mishaps.on_failing_disk(server, FAILING_SECONDS, SEED)

    assert trial.releases.faults() == [], told(trial)
    assert trial.releases.deaths, told(trial)
    assert trial.resumed, told(trial)


def test_on_a_disk_that_writes_nothing_any_more(server: ForkedServer) -> None:
    server.program = disk.program(server.folder)

    trial = mishaps.without_space(server, BrokenDisk(server.folder), SEED)

    assert trial.blocked == 0, told(trial)
    assert trial.releases.faults() == [], told(trial)
    assert trial.resumed, told(trial)


def test_where_files_may_not_grow(server: ForkedServer) -> None:
    trial = mishaps.without_space(server, SizeLimit(server), SEED)

    assert trial.blocked is not None, told(trial)
    assert trial.releases.faults() == [], told(trial)
    assert trial.resumed, told(trial)


def test_on_a_disk_that_is_full(server: ForkedServer) -> None:
    with mishaps.small_disk(server.data) as small:
        if small is None:
            pytest.skip("mounting is not permitted here")

        trial = mishaps.without_space(server, small, SEED)

    assert trial.blocked is not None, told(trial)
    assert trial.releases.faults() == [], told(trial)
    assert trial.resumed, told(trial)


# --- Without the protection it shows


def test_an_answer_before_the_record_is_found_out(server: ForkedServer) -> None:
    exits = [Failpoint("commit", "before", "exit", 0.2)] * 4

    trial = mishaps.at_failpoints(server, exits, SEED, "hasty-acknowledgement")

    assert trial.releases.unrecorded(), told(trial)


def test_a_repeat_without_a_record_is_found_out(server: ForkedServer) -> None:
    failures = [Failpoint("send", "before", "raise", 0.1)]

    trial = mishaps.at_failpoints(server, failures, SEED, "unrecorded-repeat")

    assert trial.releases.doubled(), told(trial)
