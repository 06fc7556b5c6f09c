# SPDX-License-Identifier: Apache-2.0
"""What is measured is the real thing: seeded citizens are such as commands would have made."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.auditor import judge
from tests.benchmarks import histories
from tests.benchmarks.seeding import seed
from tests.benchmarks.vault_server import Fetches, vault
from tests.world import World, connected
from vault.api.v1 import vault_service_pb2 as vaults
from vault.api.v1.disclosure_service_pb2 import DiscloseEvidenceResponse

CITIZENS = 3


@pytest.fixture(scope="module")
def fetches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fetches]:
    folder = tmp_path_factory.mktemp("seeded") / "vault"
    seed(folder, CITIZENS)
    with vault(folder, random.Random(1)) as running:
        yield running


def vault_of(world: World, number: int) -> str:
    caller = world.caller("citizen", f"citizen-{number}")
    opened = caller.ask("VaultService/GetVault", vaults.GetVaultRequest()).vault
    return str(opened.vault_id)


def test_the_auditor_finds_nothing_wrong_with_a_seeded_vault(
    fetches: Fetches, tmp_path: Path
) -> None:
    with connected(fetches.server.target) as channel:
        world = World(fetches.server, channel)
        for number in range(CITIZENS):
            records = world.replay(vault_of(world, number))
            assert len(records) >= histories.EVENTS - 1
            report = judge(tmp_path / str(number), records, world.replay_registry(), [])
            assert report["findings"] == [], report["line"]


def test_a_service_fetches_from_every_seeded_vault_and_its_answers_are_judged(
    fetches: Fetches,
) -> None:
    before = fetches.recorded()
    with connected(fetches.server.target) as channel:
        service = World(fetches.server, channel).caller("service", fetches.service_id)
        requests = [fetches.request(share) for share in fetches.shares]
        answers = [service.ask("DisclosureService/DiscloseEvidence", each) for each in requests]
        again = service.ask("DisclosureService/DiscloseEvidence", requests[0])
    assert fetches.recorded() == before + CITIZENS + 1
    fetches.judge(answers)
    with pytest.raises(RuntimeError, match="repeat"):
        fetches.judge([again])
    answers[1].receipt.signature = bytes(64)
    with pytest.raises(Exception, match="signature"):
        fetches.judge([answers[1]])
    assert all(isinstance(each, DiscloseEvidenceResponse) for each in answers)
