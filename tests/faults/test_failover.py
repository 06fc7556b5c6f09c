# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL fails over under load: nothing acknowledged is lost, and no revocation is undone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.campaign import new_seed
from tests.faults.failover import Failover, Mishap
from tests.faults.prefork import ForkedServer, Forks, forks
from tests.postgres_standby import STANDBY, name_standby, pair
from tests.server import running
from tests.world import World, connected, disclosing

SEED = new_seed()

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def forked() -> Iterator[Forks]:
    with forks() as kept:
        yield kept


@pytest.fixture
def server(tmp_path: Path, forked: Forks) -> ForkedServer:
    return ForkedServer(tmp_path, forks=forked)


@pytest.mark.parametrize("mishap", ["killed", "paused"])
def test_what_was_acknowledged_survives_a_failover(
    server: ForkedServer, mishap: Mishap, tmp_path: Path
) -> None:
    books = Failover(server, mishap).run(SEED)

    assert books.faults() == [], f"seed {SEED!r}"
    # No revocation is undone, and nothing was disclosed behind one.
    for report in books.judged(tmp_path):
        assert report["findings"] == [], f"seed {SEED!r}"
    # Else it says nothing.
    methods = {write.method for write in books.writes if write.receipt}
    assert {"DisclosureService/DiscloseEvidence", "ConsentService/RevokeConsent"} <= methods
    assert any(write.was_unknown for write in books.writes)


# --- Without the protection it shows


@pytest.mark.parametrize("mishap", ["killed", "paused"])
def test_what_waits_for_no_standby_is_lost_and_found_out(
    server: ForkedServer, mishap: Mishap
) -> None:
    failover = Failover(server, mishap, waits=False)

    books = failover.run(SEED)

    assert failover.meanwhile > 0, f"seed {SEED!r}"
    assert books.lost(), f"seed {SEED!r}"


# --- A standby that is needed


def test_without_a_standby_nothing_is_disclosed_until_there_is_one(server: ForkedServer) -> None:
    with pair() as here:
        here.name_standby()
        server.settings = {**here.settings(), "CITIZEN_VAULT_DURABILITY": "standby"}
        with running(server), connected(server.target) as channel:
            world = World(server, channel)
            shared = world.share(world.citizen(), world.service())
            assert world.disclose(shared).is_ok

            name_standby(here.primary, "")
            request = disclosing(shared)
            refused = shared.service.caller.call("DisclosureService/DiscloseEvidence", request)
            assert refused.code == "UNAVAILABLE"
            assert refused.answers == ()

            name_standby(here.primary, STANDBY)
            answer = shared.service.caller.ask("DisclosureService/DiscloseEvidence", request)
            assert answer.bundle
            assert not answer.repeated
