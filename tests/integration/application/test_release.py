# SPDX-License-Identifier: Apache-2.0
"""What is recorded leaves promptly or not at all, and nothing is recorded by a clock in doubt."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.house import (
    HERSELF,
    MAIR,
    AdjustableClock,
    House,
    Shared,
    fetch,
    new_id,
    opened,
    provided,
    revoke,
)
from vault.application.disclosures import RELEASE_AFTER_COMMIT_SECONDS
from vault.domain.errors import (
    ClockUnsureError,
    ConsentRevokedError,
    ReleaseTooLateError,
)
from vault.store.append import Append, Commit
from vault.store.clock import SystemClock


def after_commit(monkeypatch: pytest.MonkeyPatch, house: House, seconds: float) -> None:
    """Let the next answer of the store take so long, by the clock of the house."""
    append, clock = house.lane.committer.append, house.clock
    assert isinstance(clock, AdjustableClock)

    async def slow(what: Append, **options: Any) -> Commit:
        commit = await append(what, **options)
        clock.late_seconds = seconds
        return commit

    monkeypatch.setattr(house.lane.committer, "append", slow)


async def test_what_the_store_took_too_long_for_does_not_leave(
    house: House, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    after_commit(monkeypatch, house, RELEASE_AFTER_COMMIT_SECONDS + 0.01)

    with pytest.raises(ReleaseTooLateError):
        await fetch(house, shared)


async def test_what_did_not_leave_is_recorded_all_the_same(
    house: House, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    after_commit(monkeypatch, house, 60)
    with pytest.raises(ReleaseTooLateError):
        await fetch(house, shared)

    assert len(await house.facts(shared.vault_id, "evidence-disclosed.1")) == 1


async def test_the_retry_of_what_was_too_late_sends_what_was_recorded(
    house: House, clock: AdjustableClock, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    request_id = new_id()
    with monkeypatch.context() as slowly:
        after_commit(slowly, house, 60)
        with pytest.raises(ReleaseTooLateError):
            await fetch(house, shared, request_id=request_id)
    clock.late_seconds = 0

    again = await fetch(house, shared, request_id=request_id)

    first, second = await house.facts(shared.vault_id, "evidence-disclosed.1")
    assert again.is_repeat
    assert first.bundle_hash == second.bundle_hash


async def test_the_retry_of_what_was_too_late_sends_nothing_once_she_stopped(
    house: House, clock: AdjustableClock, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    request_id = new_id()
    with monkeypatch.context() as slowly:
        after_commit(slowly, house, 60)
        with pytest.raises(ReleaseTooLateError):
            await fetch(house, shared, request_id=request_id)
    clock.late_seconds = 0
    await revoke(house, shared)

    with pytest.raises(ConsentRevokedError):
        await fetch(house, shared, request_id=request_id)


async def test_what_was_decided_too_long_before_the_commit_does_not_leave(
    house: House, clock: AdjustableClock, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The registry was confirmed before the decision waited for a second in the store's queue."""
    await fetch(house, shared)
    append = house.lane.committer.append

    async def queued(what: Append, **options: Any) -> Commit:
        commit = await append(what, **options)
        clock.late_seconds = 1.1
        return Commit(commit.positions, clock.monotonic(), clock.monotonic())

    monkeypatch.setattr(house.lane.committer, "append", queued)

    with pytest.raises(ReleaseTooLateError):
        await fetch(house, shared)


# --- Clocks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("jump", [-2.1, 2.1, 86_400.0, -86_400.0])
async def test_by_a_clock_that_jumped_nothing_is_recorded(
    folder: Path, shared: Shared, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    async with opened(folder, SystemClock()) as house:
        before = await house.lane.tree_size()
        real = time.time
        with monkeypatch.context() as jumped:
            jumped.setattr("vault.store.clock.time.time", lambda: real() + jump)

            with pytest.raises(ClockUnsureError):
                await fetch(house, shared)
            with pytest.raises(ClockUnsureError):
                await revoke(house, shared)
            with pytest.raises(ClockUnsureError):
                await house.evidence.provide(MAIR, HERSELF, new_id(), "postal_address", provided())

        assert await house.lane.tree_size() == before


@pytest.mark.parametrize("step", [-1.5, 1.5])
async def test_a_clock_that_is_corrected_by_a_second_records_on(
    folder: Path, shared: Shared, monkeypatch: pytest.MonkeyPatch, step: float
) -> None:
    async with opened(folder, SystemClock()) as house:
        real = time.time
        with monkeypatch.context() as corrected:
            corrected.setattr("vault.store.clock.time.time", lambda: real() + step)

            assert (await fetch(house, shared)).bundle


async def test_time_in_a_stream_never_goes_back(
    house: House, clock: AdjustableClock, shared: Shared
) -> None:
    await fetch(house, shared)
    clock.ahead_seconds = -1
    await fetch(house, shared)

    first, second = await house.facts(shared.vault_id, "evidence-disclosed.1")
    assert first.time < second.time
