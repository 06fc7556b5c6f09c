# SPDX-License-Identifier: Apache-2.0
"""The keeper of a lane: whatever keeps a lane from being served, it is tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest
from eventsourcing.persistence import OperationalError, PersistenceError

from vault import lane_keeper
from vault.domain.errors import (
    ClockUnsureError,
    ConcurrentChangeError,
    HistoryBrokenError,
    LimitExceededError,
    StoreUnavailableError,
    VaultFrozenError,
)
from vault.lane_keeper import LaneKeeper

REFUSALS = [
    ClockUnsureError(),
    ConcurrentChangeError(),
    HistoryBrokenError(),
    LimitExceededError(),
    StoreUnavailableError(),
    VaultFrozenError(),
]


class Opened:
    """A lane, open until it is closed."""

    def __init__(self) -> None:
        self.is_open = True
        self.failure: Exception | None = None

    def start(self) -> None:
        pass

    async def aclose(self) -> None:
        self.is_open = False
        if self.failure:
            raise self.failure


class Site:
    """Everything around a keeper: what is to fail is taken from `failures`, one after another."""

    def __init__(self) -> None:
        self.failures: list[Exception] = []
        self.opened: list[Opened] = []
        self.served: Opened | None = None
        self.is_served = asyncio.Event()
        self.lose: Callable[[BaseException], None] = lambda _: None
        site = cast("Any", self)
        self.keeper = LaneKeeper(1, self.open_lane, site, site, [])

    def open_lane(self, lose: Callable[[BaseException], None]) -> Any:
        self._fail_if(PersistenceError)
        self.lose = lose
        self.opened.append(Opened())
        return self.opened[-1]

    async def admit(self, lane: Any) -> None:
        self._fail_if(Exception)
        self.served = lane
        self.is_served.set()

    def withdraw(self, number: int) -> Any:
        assert self.served is not None, f"lane {number} is not served"
        lane, self.served = self.served, None
        self.is_served.clear()
        return lane

    def _fail_if(self, kind: type[Exception]) -> None:
        if self.failures and isinstance(self.failures[0], kind):
            raise self.failures.pop(0)

    async def serving(self) -> None:
        """Return when the lane is served and nothing fails any more."""
        async with asyncio.timeout(5):
            await self.is_served.wait()
        assert not self.failures


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_keeper, "RETRY_SECONDS", 0)


@pytest.mark.parametrize("failure", REFUSALS, ids=lambda error: error.reason)
async def test_a_lane_that_cannot_be_served_at_the_start_is_tried_again(failure: Exception) -> None:
    site = Site()
    site.failures = [failure, failure]

    await site.keeper.start()
    await site.serving()
    await site.keeper.aclose()

    assert [lane.is_open for lane in site.opened] == [False, False, True]


@pytest.mark.parametrize("failure", REFUSALS, ids=lambda error: error.reason)
async def test_a_lane_that_is_lost_is_tried_until_it_is_served(failure: Exception) -> None:
    site = Site()
    await site.keeper.start()
    site.failures = [OperationalError("away"), PersistenceError("unfit"), failure]
    site.is_served.clear()

    site.lose(ConnectionError())
    await site.serving()
    await site.keeper.aclose()

    assert [lane.is_open for lane in site.opened] == [False, False, True]
    assert site.served is site.opened[-1]


async def test_a_lane_that_cannot_be_closed_is_opened_anew() -> None:
    site = Site()
    await site.keeper.start()
    site.opened[0].failure = StoreUnavailableError()
    site.is_served.clear()

    site.lose(ConnectionError())
    await site.serving()
    await site.keeper.aclose()

    assert site.served is site.opened[1]


async def test_a_lane_that_is_not_the_one_that_was_listed_ends_the_start() -> None:
    site = Site()
    site.failures = [PersistenceError("unfit")]

    with pytest.raises(PersistenceError):
        await site.keeper.start()
