# SPDX-License-Identifier: Apache-2.0
"""Following a lane into the outbox: all of it, once, whatever became of the store meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from tests.builders import PASSKEY, at, contact_set, linked, passkey_added, vault_opened
from vault.domain.events import Draft
from vault.domain.values import Time
from vault.notifications import following
from vault.notifications.following import Follower
from vault.notifications.outbox import Outbox
from vault.store.append import StoredRecord
from vault.store.record import entry_of

if TYPE_CHECKING:
    from vault.store.lane import Lane

NOW = at(60)
VAULT = linked([vault_opened()])[0].link.stream


@dataclass
class FakeLane:
    """A lane as it is read."""

    records: list[StoredRecord] = field(default_factory=list)
    number: int = 0

    def holds(self, *drafts: Draft) -> None:
        """Hold a vault in which this happened, and nothing else."""
        self.records = [
            StoredRecord(
                position=position,
                stream=event.link.stream,
                version=event.link.version,
                entry=entry_of(event.state),
                request_key="",
                topic=str(event.facts.__struct_config__.tag),
                state=event.state,
            )
            for position, event in enumerate(linked(drafts))
        ]

    async def tree_size(self) -> int:
        return len(self.records)

    async def range(self, first: int, end: int, *, limit: int) -> list[StoredRecord]:
        return self.records[first:end][:limit]


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    """A new outbox."""
    opened = Outbox(tmp_path / "outbox.db")
    yield opened
    opened.close()


def follow(outbox: Outbox, lane: FakeLane, tells_after: Time | str = "") -> list[int]:
    """Follow as a program that starts anew, and return the versions that are to be told."""
    asyncio.run(Follower(outbox, tells_after).catch_up(cast("Lane", lane), NOW))
    return [one.notice.version for one in outbox.due_notices(VAULT, NOW)]


def another(number: int, minute: int) -> Draft:
    """Return that she added one of several passkeys, at a minute."""
    return passkey_added(f"{number:08x}{PASSKEY[8:]}", at(minute))


def test_each_is_noticed_once_however_often_it_is_followed(outbox: Outbox) -> None:
    lane = FakeLane()
    lane.holds(vault_opened(), contact_set(at(1)), another(1, 2))

    assert follow(outbox, lane) == [2, 3]
    assert follow(outbox, lane) == [2, 3]


def test_pages_are_put_together(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "PAGE", 2)
    lane = FakeLane()
    lane.holds(vault_opened(), *(another(number, number) for number in range(1, 8)))

    assert follow(outbox, lane) == [2, 3, 4, 5, 6, 7, 8]


def test_from_when_on_it_tells_is_kept_before_anything_happened(outbox: Outbox) -> None:
    """It was started, stopped before anything happened, and started again later."""
    lane = FakeLane()
    follow(outbox, lane, at(1))
    lane.holds(vault_opened(), another(1, 2))

    assert follow(outbox, lane, at(30)) == [2]


def test_what_happened_before_is_remembered_and_not_told(outbox: Outbox) -> None:
    lane = FakeLane()
    lane.holds(vault_opened(), another(1, 2), another(2, 4))

    assert follow(outbox, lane, at(2)) == [3]


def test_a_deleted_or_damaged_record_keeps_nothing_from_others(outbox: Outbox) -> None:
    lane = FakeLane()
    lane.holds(vault_opened(), another(1, 1), another(2, 2), another(3, 3))
    for position, state in ((1, None), (2, b"{}\n{}")):
        old = lane.records[position]
        lane.records[position] = StoredRecord(
            position, old.stream, old.version, old.entry, "", old.topic, state
        )

    assert follow(outbox, lane) == [4]


def test_after_a_restore_it_tells_what_is_new_and_nothing_twice(outbox: Outbox) -> None:
    lane = FakeLane()
    lane.holds(vault_opened(), another(1, 1), another(2, 2), another(3, 3))
    follow(outbox, lane)
    for one in outbox.due_notices(VAULT, NOW):
        outbox.remove_notice(one.number)

    lane.holds(vault_opened(), another(1, 1))
    assert follow(outbox, lane) == []
    lane.holds(vault_opened(), another(1, 1), another(4, 4), another(5, 5))
    assert follow(outbox, lane) == [3, 4]


def test_a_restored_store_that_grew_past_the_place_is_noticed(outbox: Outbox) -> None:
    lane = FakeLane()
    lane.holds(vault_opened(), another(1, 1), another(2, 2))
    follow(outbox, lane)
    for one in outbox.due_notices(VAULT, NOW):
        outbox.remove_notice(one.number)

    lane.holds(vault_opened(), another(3, 3), another(4, 4), another(5, 5))

    assert follow(outbox, lane) == [2, 3, 4]
