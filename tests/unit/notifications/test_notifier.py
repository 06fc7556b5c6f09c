# SPDX-License-Identifier: Apache-2.0
"""Rounds: what goes wrong with one thing stops no other, and nothing for good."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from tests.builders import at
from vault.domain.errors import HistoryBrokenError, StoreUnavailableError, VaultError
from vault.domain.values import Time, later
from vault.notifications import notifier as notifiers
from vault.notifications.notice import Notice
from vault.notifications.notifier import Notifier
from vault.notifications.outbox import Outbox

ONE, OTHER = "0000aaaa-1111-8000-8000-000000000001", "0000bbbb-1111-8000-8000-000000000002"
NOW: Final = at(1)


@dataclass
class Works:
    """Stands for all that a round calls: tells what was settled, and fails as it is told."""

    fails: dict[str, VaultError | Exception] = field(default_factory=dict)
    settled: list[str] = field(default_factory=list)
    lanes: dict[int, Any] = field(default_factory=dict)
    rounds: int = 0
    at_third: Callable[[], None] = print

    async def catch_up(self, lane: Any, now: Time) -> None:
        del now
        self._may_fail(lane)

    async def settle(self, stream: str, now: Time) -> None:
        del now
        self.settled.append(stream)
        self._may_fail(stream)

    async def send_due(self, now: Time) -> bool:
        del now
        self.rounds += 1
        if self.rounds == 3:
            self.at_third()
        self._may_fail("send")
        return False

    def _may_fail(self, what: str) -> None:
        if what in self.fails:
            raise self.fails[what]


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    """An outbox with something to tell in two vaults."""
    opened = Outbox(tmp_path / "outbox.db")
    for stream in (ONE, OTHER):
        opened.add_notice(Notice(stream=stream, version=2, kind="first-use"), NOW)
    yield opened
    opened.close()


def notifier(outbox: Outbox, works: Works) -> Notifier:
    parts: Any = works
    return Notifier(parts, outbox, parts, parts, parts, clock=lambda: NOW)


def test_a_vault_that_cannot_be_read_keeps_nothing_from_others(outbox: Outbox) -> None:
    works = Works({ONE: HistoryBrokenError()})

    for _ in range(2):
        asyncio.run(notifier(outbox, works).round(NOW))

    assert works.settled == [ONE, OTHER, OTHER]
    assert outbox.due_streams(later(NOW, seconds=3599), 9) == [OTHER]
    assert set(outbox.due_streams(later(NOW, seconds=3600), 9)) == {ONE, OTHER}


def test_a_store_that_cannot_be_read_makes_nothing_wait(outbox: Outbox) -> None:
    works = Works({ONE: StoreUnavailableError()})

    with pytest.raises(StoreUnavailableError):
        asyncio.run(notifier(outbox, works).round(NOW))

    assert set(outbox.due_streams(NOW, 9)) == {ONE, OTHER}


def test_a_lane_that_cannot_be_read_stops_no_other(outbox: Outbox) -> None:
    works = Works({"first": StoreUnavailableError()}, lanes={0: "first", 1: "second"})

    asyncio.run(notifier(outbox, works).round(NOW))

    assert works.rounds == 1


def test_whatever_goes_wrong_it_goes_on_until_it_is_stopped(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(notifiers, "PAUSE_SECONDS", 0.001)
    works = Works({"send": RuntimeError("mair@example.org")})
    running = notifier(outbox, works)

    works.at_third = running.stop
    asyncio.run(running.run())

    assert "RuntimeError" in caplog.text
    assert "mair" not in caplog.text
