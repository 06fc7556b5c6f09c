# SPDX-License-Identifier: Apache-2.0
"""Evidence that is replaced while it is being fetched, here or by another process."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.house import HERSELF, AdjustableClock, House, Shared, fetch, new_id, opened, provided


async def replace(house: House, shared: Shared, postcode: str) -> None:
    moved = provided(postalCode=postcode)
    await house.evidence.replace(shared.citizen, HERSELF, new_id(), shared.evidence_id, moved)


async def test_a_replacement_by_another_process_can_be_fetched_at_once(
    folder: Path, clock: AdjustableClock, shared: Shared
) -> None:
    """A keyring is remembered for a minute; the key of the new revision is not in it."""
    async with opened(folder, clock) as here, opened(folder, clock) as there:
        await fetch(here, shared)
        await replace(there, shared, "SY23 3BY")

        assert b"SY23 3BY" in (await fetch(here, shared)).bundle


async def test_fetching_goes_on_while_evidence_is_replaced(folder: Path, shared: Shared) -> None:
    """A fetch may read the keyring before the replacement, and decide after it."""
    async with opened(folder) as house:
        replacing = asyncio.gather(
            *(replace(house, shared, f"SY23 {digit}BY") for digit in range(1, 10))
        )
        fetched = [await fetch(house, shared) for _ in range(4)]
        await replacing

    assert all(b'"postalCode"' in disclosed.bundle for disclosed in fetched)
