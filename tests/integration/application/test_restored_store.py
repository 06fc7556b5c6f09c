# SPDX-License-Identifier: Apache-2.0
"""A database that is restored, or another promoted, while a process runs: nothing old decides.

What is remembered may be ahead of what is there by then, and others may have gone on from there.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

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
    sqlite,
)
from tests.restored_store import RestorableRecorder
from vault.domain import vault
from vault.domain.errors import ConsentPausedError, StoreUnavailableError
from vault.domain.state import VaultState, fold
from vault.domain.values import Acting, Stamp
from vault.store.command import Command, Decision


@dataclass
class Restorable:
    """A house whose database can be restored to when her consent was paused."""

    house: House
    shared: Shared
    backup: Path

    def restore(self) -> None:
        """Put the backup in the place of the database."""
        cast("RestorableRecorder", self.house.lane.store).restore(self.backup)


@pytest.fixture
async def restorable(
    folder: Path, shared: Shared, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Restorable]:
    """A house that saw her resume, and a backup in which she paused and somebody read since."""
    elsewhere = tmp_path_factory.mktemp("backup")
    async with opened(folder) as house:
        await house.amendments.pause(MAIR, HERSELF, new_id(), shared.consent_id)
    shutil.copytree(folder, elsewhere, dirs_exist_ok=True)
    async with opened(elsewhere) as other:
        await look(other, shared)
    first = {**sqlite(folder, "events.db"), "PERSISTENCE_MODULE": "tests.restored_store"}
    async with opened(folder, AdjustableClock(), first=first) as house:
        await house.amendments.resume(MAIR, HERSELF, new_id(), shared.consent_id)
        yield Restorable(house, shared, elsewhere / "events.db")


async def look(house: House, shared: Shared) -> None:
    """Have somebody read in her vault, which changes nothing but its version."""
    await house.vaults.execute(a_look(shared), fold, read)


def a_look(shared: Shared) -> Command:
    acting = Acting(actor="aled", capacity="auditor", mandate="", channel="api")
    return Command(stream=shared.vault_id, acting=acting)


async def read(state: VaultState | None, stamp: Stamp) -> Decision:
    del state
    return Decision(draft=vault.read(stamp, "history"))


async def test_what_was_remembered_before_does_not_decide(restorable: Restorable) -> None:
    """Or the version would fit, and the consent that is paused there would let it out."""
    house, shared = restorable.house, restorable.shared
    remembered = await house.vaults.cached(shared.vault_id, fold)
    restorable.restore()
    (*_, last) = await house.records(shared.vault_id)
    assert remembered is not None
    assert remembered.version == last.version

    with pytest.raises(ConsentPausedError):
        await fetch(house, shared)
    await house.disclosures.drain()

    names = await house.names(shared.vault_id)
    assert names[-1] == "disclosure-refused.1"
    assert "evidence-disclosed.1" not in names


async def test_what_was_remembered_is_not_shown(restorable: Restorable) -> None:
    house, shared = restorable.house, restorable.shared
    restorable.restore()

    state = await house.vaults.current(shared.vault_id, fold)

    assert state is not None
    assert state.consents[shared.consent_id].paused
    assert state.version == (await house.records(shared.vault_id))[-1].version


async def test_what_was_decided_before_is_not_appended(restorable: Restorable) -> None:
    house, shared = restorable.house, restorable.shared
    before: list[str] = []

    async def restored_meanwhile(state: VaultState | None, stamp: Stamp) -> Decision:
        restorable.restore()
        before.extend(await house.names(shared.vault_id))
        return await read(state, stamp)

    with pytest.raises(StoreUnavailableError):
        await house.vaults.execute(a_look(shared), fold, restored_meanwhile)

    assert await house.names(shared.vault_id) == before


async def test_a_state_that_was_being_read_is_read_again(
    restorable: Restorable, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, shared = restorable.house, restorable.shared
    await house.vaults.current(shared.vault_id, fold)
    catch_up = house.lane._catch_up  # noqa: SLF001

    def lost_meanwhile(state: VaultState, fold: object) -> VaultState:
        found = catch_up(state, fold)  # type: ignore[type-var]
        restorable.restore()
        return found

    with monkeypatch.context() as patched:
        patched.setattr(house.lane, "_catch_up", lost_meanwhile)
        state = await house.vaults.current(shared.vault_id, fold)

    assert state is not None
    assert state.consents[shared.consent_id].paused


async def test_payloads_that_were_remembered_are_not_shown(restorable: Restorable) -> None:
    house, shared = restorable.house, restorable.shared
    version = (await house.records(shared.vault_id))[-1].version
    assert await house.vaults.payload(shared.vault_id, version, "command") is not None

    restorable.restore()

    assert await house.vaults.payload(shared.vault_id, version, "command") is None
