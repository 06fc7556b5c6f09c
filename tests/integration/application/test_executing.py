# SPDX-License-Identifier: Apache-2.0
"""Fold, decide, append: one attempt per stream at a time, decided again if another came first."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from eventsourcing.persistence import IntegrityError

from tests.house import House, Shared
from vault.application.identifiers import new_vault_id
from vault.domain import vault
from vault.domain.errors import (
    ConcurrentChangeError,
    DeadlinePassedError,
    LimitExceededError,
    StoreUnavailableError,
    VaultError,
)
from vault.domain.state import VaultState, fold
from vault.domain.values import Acting, Stamp
from vault.store import errors
from vault.store.append import Append, Commit
from vault.store.command import Command, Decision, Recorded
from vault.store.lane import ATTEMPTS

ACTING = Acting(actor="", capacity="auditor", mandate="", channel="api")


async def look(state: VaultState | None, stamp: Stamp) -> Decision:
    """Decide to look: what every history takes."""
    del state
    return Decision(draft=vault.read(stamp, "history"))


async def execute(house: House, stream: str, decide: Any = look, **options: Any) -> Recorded:
    return await house.vaults.execute(
        Command(stream=stream, acting=ACTING, **options), fold, decide
    )


async def version(house: House, stream: str) -> int:
    state = await house.vaults.current(stream, fold)
    return state.version if state else 0


async def test_many_attempts_at_once_are_recorded_one_after_the_other(
    house: House, shared: Shared
) -> None:
    before = await version(house, shared.vault_id)

    recorded = await asyncio.gather(*(execute(house, shared.vault_id) for _ in range(50)))

    versions = sorted(one.event.link.version for one in recorded)
    assert versions == list(range(before + 1, before + 51))


async def test_a_decision_waits_for_the_one_before_it(house: House, shared: Shared) -> None:
    deciding, most = 0, 0

    async def slowly(state: VaultState | None, stamp: Stamp) -> Decision:
        nonlocal deciding, most
        deciding += 1
        most = max(most, deciding)
        await asyncio.sleep(0.002)
        deciding -= 1
        return await look(state, stamp)

    await asyncio.gather(*(execute(house, shared.vault_id, slowly) for _ in range(5)))

    assert most == 1


async def test_a_decision_on_one_stream_does_not_wait_for_another(
    house: House, shared: Shared
) -> None:
    both = asyncio.Barrier(2)

    async def together(state: VaultState | None, stamp: Stamp) -> Decision:
        await asyncio.wait_for(both.wait(), 5)
        return await look(state, stamp)

    await asyncio.gather(
        execute(house, shared.vault_id, together), execute(house, new_vault_id(), together)
    )


async def test_a_stop_does_not_wait_for_a_decision(house: House, shared: Shared) -> None:
    stopped = asyncio.Event()

    async def until_stopped(state: VaultState | None, stamp: Stamp) -> Decision:
        await asyncio.wait_for(stopped.wait(), 5)
        return await look(state, stamp)

    waiting = asyncio.create_task(execute(house, shared.vault_id, until_stopped))
    await asyncio.sleep(0.01)
    stop = await execute(house, shared.vault_id, leads=True)
    stopped.set()

    assert (await waiting).event.link.version == stop.event.link.version + 1


async def test_whoever_always_loses_is_told_to_retry(
    house: House, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0

    async def lose(what: Append, **options: Any) -> Commit:
        nonlocal tries
        del what, options
        tries += 1
        raise IntegrityError

    monkeypatch.setattr(house.lane.committer, "append", lose)

    with pytest.raises(ConcurrentChangeError):
        await execute(house, shared.vault_id)
    assert tries == ATTEMPTS


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (errors.AppendFailedError, StoreUnavailableError),
        (errors.CommitFailedError, StoreUnavailableError),
        (errors.StoreClosedError, StoreUnavailableError),
        (errors.QueueFullError, LimitExceededError),
        (errors.DeadlinePassedError, DeadlinePassedError),
    ],
)
async def test_what_the_store_cannot_do_is_told_by_its_reason(
    house: House,
    shared: Shared,
    monkeypatch: pytest.MonkeyPatch,
    failure: type[Exception],
    told: type[VaultError],
) -> None:
    async def fail(what: Append, **options: Any) -> Commit:
        del what, options
        raise failure

    with monkeypatch.context() as failing:
        failing.setattr(house.lane.committer, "append", fail)
        with pytest.raises(told):
            await execute(house, shared.vault_id)

    before = await version(house, shared.vault_id)
    assert (await execute(house, shared.vault_id)).event.link.version == before + 1


async def test_a_caller_who_left_is_recorded_and_the_next_knows_it(
    house: House, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await version(house, shared.vault_id)
    under_way = asyncio.Event()
    insert = house.lane.store.insert_batch
    loop = asyncio.get_running_loop()

    def slowly(batch: Any) -> Any:
        loop.call_soon_threadsafe(under_way.set)
        time.sleep(0.02)
        return insert(batch)

    monkeypatch.setattr(house.lane.store, "insert_batch", slowly)
    leaving = asyncio.create_task(execute(house, shared.vault_id))
    await asyncio.wait_for(under_way.wait(), 5)
    leaving.cancel()

    next_one = await execute(house, shared.vault_id)

    assert leaving.cancelled()
    assert next_one.event.link.version == before + 2


async def test_a_deadline_is_looked_at_before_anything_is_recorded(
    house: House, shared: Shared
) -> None:
    before = await version(house, shared.vault_id)

    with pytest.raises(DeadlinePassedError):
        await execute(house, shared.vault_id, deadline=house.clock.monotonic() - 1)

    assert await version(house, shared.vault_id) == before


async def test_what_was_true_then_is_read_from_the_records_of_then(
    house: House, shared: Shared
) -> None:
    recorded = [await execute(house, shared.vault_id) for _ in range(3)]

    for one in recorded:
        then = await house.vaults.as_of(shared.vault_id, fold, tree_size=one.position + 1)
        assert then is not None
        assert (then.version, then.last_leaf) == (one.event.link.version, one.event.leaf)


async def test_nothing_is_found_under_no_request_key(house: House, shared: Shared) -> None:
    await execute(house, shared.vault_id)

    assert await house.vaults.recorded(shared.vault_id, "") is None
    assert await house.vaults.recorded(shared.vault_id, "another key") is None


async def test_a_record_is_found_by_its_request_key_in_its_own_stream_alone(
    house: House, shared: Shared
) -> None:
    recorded = await execute(house, shared.vault_id, request_key="key")

    found = await house.vaults.recorded(shared.vault_id, "key")
    assert found is not None
    assert (found.event, found.position, found.is_repeat) == (
        recorded.event,
        recorded.position,
        True,
    )
    assert await house.vaults.recorded(shared.consent_request_id, "key") is None
