# SPDX-License-Identifier: Apache-2.0
"""An export whose every record its bringer forged: bounded, verified apart from all other calls."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.house import HERSELF, MAIR, new_id, opened
from tests.unit.auditor.stories import ADDRESS_NAMES, Story
from vault.application import imports
from vault.application.desk import Desk
from vault.application.exported import (
    MOST_RECORDS,
    ExportedHead,
    ExportedRecord,
    ExportedVault,
    Verifiable,
)
from vault.application.imports import Imports, Part
from vault.domain.canonical import b64, encode
from vault.domain.errors import ExportInvalidError, LimitExceededError
from vault.domain.events import Event
from vault.domain.values import Time, time_of
from vault.server.convert import imported
from vault.store.record import entry_of, first_leaf, leaf_of

BEGINNING = datetime(2026, 3, 2, tzinfo=UTC)


def pattern() -> tuple[Event, Event]:
    """Return how a vault is opened, and a piece of evidence provided."""
    story = Story()
    story.found()
    story.provide("e0", "postal_address", ADDRESS_NAMES)
    return story.vault[0].event, story.vault[1].event


def forged(count: int, *, items: bool = True) -> tuple[ExportedHead, list[ExportedRecord]]:
    """Return a history of so many pieces that is sound, though nobody ever lived it."""
    first, next_one = pattern()
    origin, stream = first.link.origin, first.link.stream
    leaf, records = first_leaf(origin, stream), list[ExportedRecord]()
    for version in range(1, count + 1):
        event = first if version == 1 else next_one
        item = [replace(one, evidence_id=f"e{version}") for one in event.link.items]
        link = replace(
            event.link,
            version=version,
            previous_leaf=leaf,
            items=tuple(item) if items else (),
            payloads=(),
        )
        facts = replace(event.facts, time=time_of(BEGINNING + timedelta(seconds=version)))
        state = encode(link) + b"\n" + encode(facts)
        entry = entry_of(state)
        leaf = b64(leaf_of(entry))
        records.append(ExportedRecord(version, stream, version, entry, state))
    return ExportedHead(origin, stream, count, leaf), records


def test_what_was_sent_is_looked_at_once() -> None:
    """At its end nothing is folded: that took as long again, and grew with the square."""
    head, records = forged(5_000)
    exported = ExportedVault(head)

    began = time.thread_time()
    exported.take(records)
    taken = time.thread_time()
    exported.finish()
    finished = time.thread_time()

    assert len(exported.evidence) == 4_999
    assert finished - taken < (taken - began) / 50


def test_too_many_records_are_refused_before_the_first() -> None:
    ExportedVault(ExportedHead("test/0", "stream", MOST_RECORDS, ""))

    with pytest.raises(LimitExceededError, match="10000 records"):
        ExportedVault(ExportedHead("test/0", "stream", MOST_RECORDS + 1, ""))


def test_no_more_come_than_the_head_says() -> None:
    head, records = forged(4)
    short = ExportedHead(head.origin, head.vault_id, 3, records[2].state.hex())

    with pytest.raises(ExportInvalidError):
        ExportedVault(short).take(records)


def test_evidence_that_names_no_piece_is_refused() -> None:
    head, records = forged(2, items=False)

    with pytest.raises(ExportInvalidError, match="names no piece"):
        ExportedVault(head).take(records)


def test_of_a_record_no_more_is_kept_than_is_carried_over() -> None:
    head, records = forged(3)
    exported = ExportedVault(head)

    exported.take(records)

    kept = repr(exported.evidence)
    assert "e2" in kept
    assert not any(name in kept for name in ADDRESS_NAMES)


async def test_it_is_verified_in_a_thread_a_part_of_it_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "PARTS_AT_ONCE", 10)
    head, records = forged(25)
    taken: list[tuple[int, bool]] = []
    take, finish, shared = ExportedVault.take, ExportedVault.finish, ExportedVault.shared
    ticks, marks = 0, list[int]()

    def seen(exported: ExportedVault, parts: Iterable[Verifiable]) -> None:
        some = list(parts)
        taken.append((len(some), threading.current_thread() is threading.main_thread()))
        take(exported, some)

    def finished(exported: ExportedVault) -> None:
        marks.append(ticks)
        finish(exported)

    def sorted_out(exported: ExportedVault, now: Time) -> int:
        marks.append(ticks)
        return shared(exported, now)

    async def count() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    monkeypatch.setattr(ExportedVault, "take", seen)
    monkeypatch.setattr(ExportedVault, "finish", finished)
    monkeypatch.setattr(ExportedVault, "shared", sorted_out)

    async def sent() -> AsyncIterator[Part]:
        for record in records:
            yield record

    async with opened(tmp_path) as house:
        await house.citizens.open(MAIR, HERSELF)
        desk = Desk(house.vaults, house.keyrings, house.identifiers)
        bring = Imports(desk, house.registry, house.receipts, house.documents).bring
        counting = asyncio.create_task(count())
        answer = await bring(MAIR, HERSELF, new_id(), head, sent())
        counting.cancel()

    assert taken == [(10, False), (10, False), (5, False)]
    assert len(answer.value.left) == 24
    monkeypatch.setattr(imported, "MOST_LEFT", 10)
    assert [one.revision for one in imported.left_messages(answer.value)] == [1] * 10
    # Others have their turn between any two of its pieces.
    assert marks[1] - marks[0] >= 24
