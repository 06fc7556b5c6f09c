# SPDX-License-Identifier: Apache-2.0
"""A house in which Mair shares her address with a service: made once, and copied for each test."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.house import MAIR, AdjustableClock, House, Registered, Shared, furnish, opened, share


@dataclass(frozen=True)
class _Made:
    folder: Path
    registered: Registered
    shared: Shared


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> _Made:
    """The files of the house."""
    folder = tmp_path_factory.mktemp("house")

    async def make() -> _Made:
        async with opened(folder) as house:
            registered = await furnish(house)
            return _Made(folder, registered, await share(house, MAIR, registered.service))

    return asyncio.run(make())


@pytest.fixture
def registered(made: _Made) -> Registered:
    """Who is registered in the house."""
    return made.registered


@pytest.fixture
def shared(made: _Made) -> Shared:
    """What Mair shares, her postcode alone, five times a day."""
    return made.shared


@pytest.fixture
def folder(made: _Made, tmp_path: Path) -> Path:
    """A copy of the files, this test's own."""
    shutil.copytree(made.folder, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture
def clock() -> AdjustableClock:
    """The clock of the house."""
    return AdjustableClock()


@pytest.fixture
async def house(folder: Path, clock: AdjustableClock) -> AsyncIterator[House]:
    """A process of the application on this test's files."""
    async with opened(folder, clock) as house:
        yield house
