# SPDX-License-Identifier: Apache-2.0
"""The keys of logs in the registry: listed once, whoever is first; and the bound on disclosures."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.house import MAIR, House, fetch, furnish, opened, revoke, share, sqlite
from vault.application.disclosures import Disclosures
from vault.application.lanes import Lanes
from vault.domain.errors import LogUnwitnessedError
from vault.store.lane import Lane


async def listed(house: House) -> list[tuple[int, str, str]]:
    """Return the keys that the registry lists."""
    facts = await house.facts(house.identifiers.registry_stream, "log-key-listed.1")
    return [(each.lane, each.origin, each.vkey) for each in facts]


async def test_the_key_of_a_log_is_listed_once(tmp_path: Path) -> None:
    for _ in range(2):
        async with opened(tmp_path) as house:
            lanes = Lanes(house.vaults, house.identifiers)

            assert await lanes.list_log_key(house.lane, "test/0+a") == "test/0+a"
            assert await lanes.list_log_key(house.lane, "test/0+b") == "test/0+a"

            assert await listed(house) == [(0, "test/0", "test/0+a")]


async def test_of_processes_that_list_it_at_once_one_does(tmp_path: Path) -> None:
    async with opened(tmp_path) as one, opened(tmp_path) as other:
        each = [(house, Lanes(house.vaults, house.identifiers)) for house in (one, other)] * 2

        found = await asyncio.gather(
            *(lanes.list_log_key(house.lane, "test/0+a") for house, lanes in each)
        )

        assert found == ["test/0+a"] * 4
        assert await listed(one) == [(0, "test/0", "test/0+a")]


async def test_a_lanes_log_is_kept_once_it_is_listed_and_before_it_is_served(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path, further=[sqlite(tmp_path, "1.db")]) as house:
        lane, seen = house.vaults.withdraw(1), list[tuple[object, ...]]()
        lanes = Lanes(house.vaults, house.identifiers)

        async def keep(admitted: Lane) -> None:
            seen.append((admitted, *await lanes.listed(), *house.vaults.lanes))

        lanes.keep_log = keep
        await lanes.admit(lane)

        assert seen == [(lane, 0, 1, 0)]
        assert house.vaults.lanes[1] is lane


async def test_what_no_witness_signs_is_neither_recorded_nor_sent(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        registered = await furnish(house)
        shared = await share(house, MAIR, registered.service)
        asked: list[str] = []

        def refuse(stream: str) -> None:
            asked.append(stream)
            raise LogUnwitnessedError

        bounded = Disclosures(
            house.citizens._desk,  # noqa: SLF001
            house.registry,
            house.receipts,
            house.documents,
            refuse,
        )
        house.disclosures, usual = bounded, house.disclosures
        before = await house.names(shared.vault_id)

        with pytest.raises(LogUnwitnessedError):
            await fetch(house, shared)

        await bounded.drain()
        assert asked == [shared.vault_id]
        assert await house.names(shared.vault_id) == before
        await revoke(house, shared)
        house.disclosures = usual
