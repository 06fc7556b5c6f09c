# SPDX-License-Identifier: Apache-2.0
"""The logs of a process: kept on threads, asked and waited for on the event loop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, cast

import pytest
from eventsourcing.persistence import Notification

from tests.builders import linked, vault_read
from tests.logs import ORIGIN, Entries, Keys, root_of
from vault.domain.errors import (
    DeadlinePassedError,
    LogUnsignedError,
    LogUnwitnessedError,
    NotFoundError,
    StoreUnavailableError,
)
from vault.domain.values import time_of
from vault.log import keeper
from vault.log.logs import Logs
from vault.sealing.errors import KeyStoreError
from vault.store.errors import StoreClosedError
from vault.transparency.checkpoint import Checkpoint
from vault.transparency.cosignature import CosignatureSigner
from vault.transparency.note import Note, Verifier
from vault.transparency.policy import Policy
from vault.transparency.proof import InclusionProof
from vault.transparency.tree import leaf_hash

SECONDS: Final = 10.0
STREAM: Final = "00000000-0000-8000-8000-000000000001"
UNWITNESSED: Final = Policy.parse(
    f"witness w {CosignatureSigner('w.example', bytes(32)).verifier.vkey}\nquorum w\n".encode()
)
"""A quorum that nobody can be asked for."""


class FakeLane:
    """A lane over entries in memory."""

    number = 0
    origin = ORIGIN

    def __init__(self, count: int = 0) -> None:
        self.store = Entries(count)

    async def tree_size(self) -> int:
        return self.store.tree_size()


class Site:
    """The logs of one process, over entries and keys that others may share."""

    def __init__(self, folder: Path, lane: FakeLane, keys: Keys, **options: Any) -> None:
        self.lane, self.keys = lane, keys
        policy = options.pop("policy", Policy())
        self.logs = Logs(cast("Any", keys), folder, policy, **options)

    async def follow(self, vkey: str = "") -> None:
        lane: Any = self.lane
        await self.logs.follow(lane, vkey or await self.logs.vkey_of(lane))

    def append(self, count: int = 1) -> int:
        self.lane.store.append(count)
        return len(self.lane.store.entries)

    async def prove(self, index: int, seconds: float = SECONDS) -> InclusionProof:
        leaf = leaf_hash(self.lane.store.entries[index])
        text = await self.logs.of(0, index, leaf, time.monotonic() + seconds)
        return InclusionProof.parse(text.encode())


Opened = Callable[..., Any]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(keeper, "FIRST_PAUSE_SECONDS", 0.01)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "log"


@asynccontextmanager
async def opened(folder: Path, *, follows: bool = True, **options: Any) -> AsyncIterator[Site]:
    lane, keys = options.pop("lane", FakeLane()), options.pop("keys", Keys())
    site = Site(folder, lane, keys, **options)
    try:
        if follows:
            await site.follow()
        yield site
    finally:
        await site.logs.aclose()


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something holds that comes at once."""
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110 - a thread brings it about
            await asyncio.sleep(0.005)


async def test_what_is_appended_is_provable(folder: Path) -> None:
    async with opened(folder) as site:
        for count in (1, 5, 300):
            size = site.append(count)

            proof = await site.prove(size - 1)

            vkey = (await site.logs.checkpoint(0)).log_key
            leaf = leaf_hash(site.lane.store.entries[size - 1])
            proof.verify(leaf, Policy(), Verifier.of(vkey))


async def test_a_proof_is_waited_for(folder: Path) -> None:
    async with opened(folder, follows=False) as site:
        site.append(3)
        with pytest.raises(NotFoundError):
            await site.prove(2)
        await site.follow()

        proofs = await asyncio.gather(*(site.prove(index) for index in range(3)))

        assert [proof.index for proof in proofs] == [0, 1, 2]


@pytest.mark.parametrize(("index", "leaf"), [(0, bytes(32)), (3, bytes(32)), (10**9, bytes(32))])
async def test_who_does_not_know_the_leaf_is_told_nothing(
    folder: Path, index: int, leaf: bytes
) -> None:
    async with opened(folder) as site:
        site.append(3)
        await site.prove(2)

        with pytest.raises(NotFoundError):
            await site.logs.of(0, index, leaf, time.monotonic() + SECONDS)


async def test_a_proof_that_does_not_come_in_time_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(folder) as site:
        monkeypatch.setattr(site.keys, "store_log", failing)
        site.append(3)

        with pytest.raises(DeadlinePassedError):
            await site.prove(2, seconds=0.05)


def failing(*_args: object) -> Any:
    raise KeyStoreError("away")


async def test_of_a_lane_that_is_not_kept_nothing_is_told(folder: Path) -> None:
    async with opened(folder) as site:
        with pytest.raises(NotFoundError):
            await site.logs.checkpoint(0)
        with pytest.raises(NotFoundError):
            site.logs.folder(1)
        with pytest.raises(NotFoundError):
            await site.logs.of(1, 0, bytes(32), time.monotonic() + 1)


async def test_a_log_that_refuses_says_so_and_stops_nothing_else(folder: Path) -> None:
    async with opened(folder) as site:
        site.append(5)
        await site.prove(4)
        before = await site.logs.checkpoint(0)
        changed = asyncio.Event()
        site.logs.on_change = changed.set

        del site.lane.store.entries[3:]
        async with asyncio.timeout(SECONDS):
            await changed.wait()

        assert "holds 3" in str(site.logs.refusals[0])
        site.append(10)
        with pytest.raises(LogUnsignedError):
            await site.prove(8)
        assert (await site.prove(1)).index == 1
        assert await site.logs.checkpoint(0) == before


async def test_another_key_than_the_listed_one_signs_nothing(folder: Path) -> None:
    async with opened(folder, follows=False) as site:
        site.append(5)

        await site.follow("test/0+00000000+AAAA")

        await until(lambda: 0 in site.logs.refusals)
        assert site.keys.log is None or site.keys.log.size == 0


async def test_what_fails_for_a_moment_is_tried_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(folder) as site:
        site.append(5)
        await site.prove(4)
        monkeypatch.setattr(site.keys, "load_log", failing)
        site.append(5)
        with pytest.raises(DeadlinePassedError):
            await site.prove(9, seconds=0.05)

        monkeypatch.undo()

        assert (await site.prove(9)).index == 9
        assert not site.logs.refusals


async def test_a_key_store_that_is_away_at_the_start_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(folder, follows=False) as site:
        monkeypatch.setattr(site.keys, "load_log", failing)

        with pytest.raises(StoreUnavailableError):
            await site.follow()


async def test_what_was_appended_last_is_published_at_the_end(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(folder) as site:
        site.append(5)
        await site.prove(4)
        monkeypatch.setattr(keeper, "TICK_SECONDS", 60)
        site.append(5)

    note = Note.parse((folder / "0" / "checkpoint").read_bytes())
    assert Checkpoint.parse(note.text).size == 10


async def test_a_lane_that_was_closed_is_kept_anew(folder: Path) -> None:
    async with opened(folder) as site:
        site.append(5)
        await site.prove(4)
        closed, site.lane.store = site.lane.store, Entries()
        site.lane.store.entries = list(closed.entries)

        def tree_size() -> int:
            raise StoreClosedError

        cast("Any", closed).tree_size = tree_size
        await site.follow()
        site.append(5)

        assert (await site.prove(9)).index == 9


# --- Several processes


async def test_of_two_processes_one_integrates_and_both_prove(folder: Path) -> None:
    async with opened(folder) as one, opened(folder, lane=one.lane, keys=one.keys) as other:
        for _ in range(5):
            size = one.append(7)

            proofs = [await site.prove(size - 1) for site in (other, one)]

            assert proofs[0].index == proofs[1].index == size - 1
        assert one.keys.log is not None
        assert one.keys.log.root == root_of(one.lane.store.entries)


async def test_who_is_left_takes_over(folder: Path) -> None:
    async with opened(folder) as first:
        first.append(3)
        await first.prove(2)
        async with opened(folder, lane=first.lane, keys=first.keys) as second:
            await first.logs.aclose()
            size = second.append(3)

            assert (await second.prove(size - 1)).index == size - 1


# --- The bound


async def test_nothing_is_unwitnessed_that_needs_no_witness(folder: Path) -> None:
    async with opened(folder, unwitnessed_seconds=1.0) as site:
        site.append(5)
        await site.prove(4)
        await until(lambda: site.logs._at(0).status.unwitnessed_seconds == 0)  # noqa: SLF001

        site.logs.must_be_witnessed(STREAM)


async def test_what_waits_too_long_for_witnesses_stops_disclosures(folder: Path) -> None:
    async with opened(folder, policy=UNWITNESSED, unwitnessed_seconds=0.2) as site:
        site.logs.must_be_witnessed(STREAM)
        site.append(5)
        await site.prove(4)
        site.logs.must_be_witnessed(STREAM)

        await until(lambda: site.logs._at(0).status.unwitnessed_seconds > 0.2)  # noqa: SLF001

        with pytest.raises(LogUnwitnessedError):
            site.logs.must_be_witnessed(STREAM)


async def test_what_comes_while_the_log_stands_still_grows_old_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk or an absent key store must not stop the clock of the bound."""
    tried = threading.Event()

    def away(*_args: object) -> Any:
        tried.set()
        raise KeyStoreError

    async with opened(folder, policy=UNWITNESSED, unwitnessed_seconds=0.2) as site:
        await until((folder / "0" / ".lock").exists)
        monkeypatch.setattr(site.keys, "load_log", away)
        await until(tried.is_set)
        site.append(5)

        await until(lambda: site.logs._at(0).status.unwitnessed_seconds > 0.2)  # noqa: SLF001

        with pytest.raises(LogUnwitnessedError):
            site.logs.must_be_witnessed(STREAM)


async def test_a_step_that_does_not_end_stops_disclosures_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a disk that hangs: what comes meanwhile cannot even be counted."""
    tried, ended = threading.Event(), threading.Event()

    def hanging(*_args: object) -> Any:
        tried.set()
        ended.wait(SECONDS)
        raise KeyStoreError

    async with opened(folder, policy=UNWITNESSED, unwitnessed_seconds=0.2) as site:
        await until((folder / "0" / ".lock").exists)
        monkeypatch.setattr(site.keys, "load_log", hanging)
        await until(tried.is_set)
        try:
            await until(lambda: site.logs._at(0).status.unseen_seconds > 0.2)  # noqa: SLF001

            with pytest.raises(LogUnwitnessedError):
                site.logs.must_be_witnessed(STREAM)
        finally:
            ended.set()


async def test_without_a_bound_nothing_stops(folder: Path) -> None:
    async with opened(folder, policy=UNWITNESSED) as site:
        site.append(5)
        await site.prove(4)
        await until(lambda: site.logs._at(0).status.unwitnessed_seconds > 0.01)  # noqa: SLF001

        site.logs.must_be_witnessed(STREAM)


async def test_the_age_goes_on_over_a_restart(folder: Path) -> None:
    """By the time of the first record that no quorum has signed."""
    lane = FakeLane(5)
    hour_ago = time_of(datetime.now(UTC) - timedelta(hours=1))

    (event,) = linked([vault_read(hour_ago)])

    def select_notifications(start: int, _limit: int) -> list[Notification]:
        return [Notification("stream", 1, "vault-read.1", event.state, start)]

    cast("Any", lane.store).select_notifications = select_notifications
    bound = {"policy": UNWITNESSED, "unwitnessed_seconds": 3_000.0}
    async with opened(folder, lane=lane, **bound) as site:
        await until(lambda: site.logs._at(0).status.unwitnessed_seconds > 3_500)  # noqa: SLF001

        with pytest.raises(LogUnwitnessedError):
            site.logs.must_be_witnessed(STREAM)
