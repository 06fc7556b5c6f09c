# SPDX-License-Identifier: Apache-2.0
"""Floors: a store that was restored from before a stop lets nothing out that the stop forbids."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.house import (
    AUDITOR,
    HERSELF,
    MAIR,
    NIA,
    House,
    Registered,
    Shared,
    a_choice,
    ask,
    fetch,
    new_id,
    opened,
    provided,
    revoke,
    share,
)
from vault.application.desk import STOP_SETTLES_SECONDS
from vault.domain import request
from vault.domain.amendment import Narrowing
from vault.domain.errors import ConsentRevokedError, StoreUnavailableError, VaultFrozenError
from vault.sealing.errors import KeyStoreError
from vault.sealing.keystore import tail_key
from vault.sealing.sqlite import SQLiteKeyStore
from vault.store import tail
from vault.store.sqlite import SQLiteRecorder

Stop = Callable[[House, Shared, str], Awaitable[object]]


async def pause(house: House, shared: Shared, request_id: str) -> None:
    await house.amendments.pause(MAIR, HERSELF, request_id, shared.consent_id)


async def stop(house: House, shared: Shared, request_id: str) -> None:
    await house.amendments.revoke(MAIR, HERSELF, request_id, shared.consent_id)


async def narrow(house: House, shared: Shared, request_id: str) -> None:
    less = Narrowing(items=None, end=None, frequency_count=1)
    await house.amendments.narrow(
        MAIR, HERSELF, request_id, consent_id=shared.consent_id, narrowing=less
    )


async def unlink(house: House, shared: Shared, request_id: str) -> None:
    del shared
    made = await house.citizens.create_assistance_code(MAIR, HERSELF, request_id)
    _, way = made.value.state.sign_ins
    await house.citizens.unlink_sign_in(MAIR, HERSELF, request_id, way)


every_stop = pytest.mark.parametrize("make_stop", [stop, pause, narrow, unlink])


def backed_up(folder: Path) -> Path:
    """Back the event database up, as an operator does while the server runs."""
    backup = folder / "events.backup"
    with (
        closing(apsw.Connection(str(folder / "events.db"))) as source,
        closing(apsw.Connection(str(backup))) as target,
        target.backup("main", source, "main") as copying,
    ):
        copying.step()
    return backup


def restore(folder: Path, backup: Path) -> Path:
    """Put a backup in the place of the event database, and return where the damaged one is."""
    damaged = folder / "damaged.db"
    (folder / "events.db").rename(damaged)
    shutil.copy(backup, folder / "events.db")
    (folder / "events.db").chmod(0o600)
    return damaged


def floor_fails(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyStoreError

    monkeypatch.setattr(house.key_store, "raise_floor", fail)


# --- Every stop raises the floor -----------------------------------------------------------------


@every_stop
async def test_every_stop_raises_the_floor_to_its_own_version(
    house: House, shared: Shared, make_stop: Stop
) -> None:
    assert house.key_store.floor(shared.vault_id) == 0

    await make_stop(house, shared, new_id())

    records = await house.records(shared.vault_id)
    assert house.key_store.floor(shared.vault_id) == records[-1].version


@every_stop
async def test_no_stop_is_acknowledged_before_its_floor_is_kept(
    house: House, shared: Shared, monkeypatch: pytest.MonkeyPatch, make_stop: Stop
) -> None:
    began, may_end = threading.Event(), threading.Event()
    raise_floor = house.key_store.raise_floor

    def raise_late(stream: str, version: int) -> None:
        began.set()
        may_end.wait(20)
        raise_floor(stream, version)

    monkeypatch.setattr(house.key_store, "raise_floor", raise_late)
    stopping = asyncio.create_task(make_stop(house, shared, new_id()))
    assert await asyncio.to_thread(began.wait, 20)
    await asyncio.wait([stopping], timeout=2 * STOP_SETTLES_SECONDS)
    assert not stopping.done()

    may_end.set()

    await stopping


@pytest.mark.parametrize("make_stop", [stop, pause, narrow])
async def test_a_stop_whose_floor_failed_is_finished_by_its_retry(
    house: House, shared: Shared, monkeypatch: pytest.MonkeyPatch, make_stop: Stop
) -> None:
    request_id = new_id()
    floor_fails(house, monkeypatch)
    for _ in range(2):
        with pytest.raises(StoreUnavailableError):
            await make_stop(house, shared, request_id)
    monkeypatch.undo()
    recorded = await house.records(shared.vault_id)

    await make_stop(house, shared, request_id)

    assert await house.records(shared.vault_id) == recorded
    assert house.key_store.floor(shared.vault_id) == recorded[-1].version


async def test_who_hears_that_it_is_stopped_already_may_rely_on_that_too(
    house: House, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    floor_fails(house, monkeypatch)
    for _ in range(2):
        # With another request_id: not even "it was revoked" is said before it lasts.
        with pytest.raises(StoreUnavailableError):
            await revoke(house, shared)
    monkeypatch.undo()

    with pytest.raises(ConsentRevokedError):
        await revoke(house, shared)

    assert house.key_store.floor(shared.vault_id) == len(await house.records(shared.vault_id))


# --- A store that was restored from before a stop ------------------------------------------------


@dataclass(frozen=True)
class Restored:
    """Files whose events were restored from a backup of before Mair stopped sharing."""

    folder: Path
    damaged: Path
    stopped: int
    """The version of her stop."""
    nia: Shared


@pytest.fixture
async def restored(folder: Path, registered: Registered, shared: Shared) -> Restored:
    async with opened(folder) as house:
        nia = await share(house, NIA, registered.service)
        await fetch(house, shared)
        backup = backed_up(folder)
        await revoke(house, shared)
        stopped = len(await house.records(shared.vault_id))
    return Restored(folder, restore(folder, backup), stopped, nia)


async def test_nothing_leaves_by_a_consent_whose_stop_was_lost(
    restored: Restored, shared: Shared
) -> None:
    async with opened(restored.folder) as house:
        size = await house.lane.tree_size()
        for _ in range(2):
            with pytest.raises(VaultFrozenError):
                await fetch(house, shared)
        with pytest.raises(VaultFrozenError):
            await house.disclosures.check((shared.attempt(),))
        await house.disclosures.drain()

        assert await house.lane.tree_size() == size


async def test_without_the_floor_it_would_leave(
    restored: Restored, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What floors protect from, shown by switching them off."""
    monkeypatch.setattr(SQLiteKeyStore, "floor", lambda *_: 0)
    async with opened(restored.folder) as house:
        assert (await fetch(house, shared)).bundle


async def test_nothing_is_read_or_decided_on_a_frozen_vault(
    restored: Restored, registered: Registered, shared: Shared
) -> None:
    async with opened(restored.folder) as house:
        token = await ask(house, registered.service)
        size = await house.lane.tree_size()
        choice = a_choice(shared.evidence_id)
        replay = house.audits.replay_vault(AUDITOR, shared.vault_id)
        for attempt in (
            revoke(house, shared),
            house.amendments.pause(MAIR, HERSELF, new_id(), shared.consent_id),
            house.citizens.open(MAIR, HERSELF),
            house.citizens.get(MAIR, HERSELF),
            house.consents.list(MAIR, HERSELF),
            house.consents.get(shared.service, HERSELF, shared.consent_id, shared.subject),
            house.consents.preview(MAIR, HERSELF, shared.consent_request_id, choice),
            house.claims.claim(MAIR, HERSELF, new_id(), token),
            house.evidence.list(MAIR, HERSELF),
            house.evidence.provide(MAIR, HERSELF, new_id(), "postal_address", provided()),
            house.audits.state(AUDITOR, shared.vault_id),
            anext(replay),
        ):
            with pytest.raises(VaultFrozenError):
                await attempt

        assert await house.lane.tree_size() == size
        assert len(await house.records(shared.vault_id)) == restored.stopped - 1


async def test_other_vaults_go_on(restored: Restored, registered: Registered) -> None:
    async with opened(restored.folder) as house:
        assert (await fetch(house, restored.nia)).bundle
        await share(house, NIA, registered.other_service)
        await revoke(house, restored.nia)


async def test_a_vault_that_is_missing_whole_is_not_taken_for_none(
    folder: Path, registered: Registered
) -> None:
    async with opened(folder) as house:
        backup = backed_up(folder)
        nia = await share(house, NIA, registered.service)
        await revoke(house, nia)
    restore(folder, backup)

    async with opened(folder) as house:
        with pytest.raises(VaultFrozenError):
            await fetch(house, nia)
        with pytest.raises(VaultFrozenError):
            await house.citizens.open(NIA, HERSELF)
        assert await house.records(nia.vault_id) == []


async def test_once_the_tail_is_put_back_the_stop_holds(
    restored: Restored, shared: Shared, tmp_path: Path
) -> None:
    async with opened(restored.folder) as house:
        with pytest.raises(VaultFrozenError):
            await fetch(house, shared)

        key = tail_key(house.key_store.secrets())
        with closing(SQLiteRecorder(restored.damaged)) as damaged:
            size = await house.lane.tree_size()
            tail.save(damaged, tmp_path / "tail", first=size, key=key)
        with closing(SQLiteRecorder(restored.folder / "events.db")) as store:
            tail.replay(store, tmp_path / "tail", lane=0, origin=house.lane.origin, key=key)

        with pytest.raises(ConsentRevokedError):
            await fetch(house, shared)
        assert (await fetch(house, restored.nia)).bundle


async def test_a_store_whose_key_store_cannot_be_read_decides_nothing(
    folder: Path, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(folder) as house:
        await house.keyrings.of(shared.vault_id)

        def fail(*_: object) -> int:
            raise KeyStoreError

        monkeypatch.setattr(house.key_store, "floor", fail)
        with pytest.raises(StoreUnavailableError):
            await fetch(house, shared)


async def test_a_stop_in_another_process_freezes_nobody_who_reads_meanwhile(
    folder: Path, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The floor is asked for before the events are read: what is read later reaches it."""
    async with opened(folder) as house, opened(folder) as other:
        loop = asyncio.get_running_loop()
        get = house.lane.repository.get
        stops = [shared]

        def read_then_stop(stream: str, **options: Any) -> object:
            read = get(stream, **options)
            while stream == shared.vault_id and stops:
                asyncio.run_coroutine_threadsafe(revoke(other, stops.pop()), loop).result(20)
            return read

        monkeypatch.setattr(house.lane.repository, "get", read_then_stop)

        with pytest.raises(ConsentRevokedError):
            await fetch(house, shared)
        assert not stops


async def test_a_stream_that_is_asked_for_as_what_it_is_not_is_not_there(
    folder: Path, shared: Shared
) -> None:
    async with opened(folder) as house:
        await revoke(house, shared)
    async with opened(folder) as house:
        assert await house.vaults.current(shared.vault_id, request.fold) is None
