# SPDX-License-Identifier: Apache-2.0
"""Ranges of a log: recorded before anything is shown, resumed, told to whom they concern."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from tests.house import (
    AUDITOR,
    HERSELF,
    MAIR,
    NIA,
    ORIGIN,
    House,
    Registered,
    Shared,
    auditor_of,
    new_id,
    opened,
    provide_address,
    share,
    sqlite,
)
from vault.application.caller import Caller
from vault.application.history import NEWEST, Line
from vault.application.lane_replays import AllSent, RangeRead, Wanted
from vault.domain.audit import LaneReplayed
from vault.domain.errors import (
    FieldInvalidError,
    NotFoundError,
    RequestIdReusedError,
    StoreUnavailableError,
)
from vault.store.append import StoredRecord
from vault.store.record import entry_of, leaf_of, read_event

ALL = Wanted(ORIGIN, 0, 0)


async def replay(
    house: House,
    wanted: Wanted = ALL,
    caller: Caller = AUDITOR,
    request_id: str = "",
    *,
    most: int = 1_000_000,
) -> tuple[RangeRead, list[StoredRecord], AllSent | None]:
    """Read a range, or the first records of it, and then break off."""
    items = house.lane_replays.replay(caller, request_id or new_id(), wanted)
    first = await anext(items)
    assert isinstance(first, RangeRead)
    records: list[StoredRecord] = []
    async for item in items:
        if isinstance(item, AllSent):
            return first, records, item
        assert isinstance(item, StoredRecord)
        records.append(item)
        if len(records) == most:
            await items.aclose()
            break
    return first, records, None


async def looks(house: House) -> list[LaneReplayed]:
    """Return every range of which it is recorded that somebody read it."""
    found = await house.facts(house.identifiers.audit_stream, "lane-replayed.1")
    return [facts for facts in found if isinstance(facts, LaneReplayed)]


async def lines(house: House, citizen: Caller, size: int = 100) -> list[Line]:
    """Return her history."""
    found: list[Line] = []
    before = NEWEST
    while True:
        page = await house.citizens.history(
            citizen, HERSELF, before=before, limit=size, only_disclosures=False
        )
        assert len(page.lines) <= size
        found += page.lines
        before = page.after
        if not before:
            return found


async def test_a_range_is_every_stream_of_the_lane_exactly_as_stored(house: House) -> None:
    size = await house.lane.tree_size()

    read, records, sent = await replay(house)

    assert read.facts.end == size
    assert sent == AllSent(count=size)
    assert [record.position for record in records] == list(range(size))
    assert all(record.state and entry_of(record.state) == record.entry for record in records)
    assert {record.stream for record in records} >= {
        house.identifiers.registry_stream,
        *(record.stream for record in records if record.topic == "vault-opened.1"),
    }


async def test_the_look_is_recorded_before_anything_is_sent(house: House) -> None:
    items = house.lane_replays.replay(AUDITOR, new_id(), ALL, case_ref="case 7")

    await anext(items)
    await items.aclose()

    (look,) = await looks(house)
    assert (look.origin, look.first, look.service) == (ORIGIN, 0, "")
    (record,) = await house.records(house.identifiers.audit_stream)
    assert record.state is not None
    link = read_event(record.state).link
    assert (link.acting.capacity, link.origin) == ("auditor", ORIGIN)
    assert "case 7" not in record.state.decode()
    sealed = await house.vaults.payload(record.stream, record.version, "command")
    assert sealed is not None
    assert b"case 7" not in sealed


async def test_the_receipt_is_of_the_look(house: House) -> None:
    read, _, _ = await replay(house)

    (record,) = await house.records(house.identifiers.audit_stream)
    assert read.receipt.leaf_hash == leaf_of(record.entry)
    assert read.receipt.leaf_index == record.position
    assert json.loads(read.receipt.facts)["type"] == "lane-replayed.1"


async def test_what_broke_off_goes_on_where_it_broke_off_and_is_recorded_once(
    house: House,
) -> None:
    request_id = new_id()
    first, before, _ = await replay(house, request_id=request_id, most=3)
    await provide_address(house, NIA)

    again, after, sent = await replay(house, Wanted(ORIGIN, 0, 0, resume=3), AUDITOR, request_id)

    assert again.facts == first.facts
    assert [r.position for r in before + after] == list(range(first.facts.end))
    assert sent == AllSent(count=first.facts.end - 3)
    assert len(await looks(house)) == 1


async def test_a_part_of_the_log_is_that_part(house: House) -> None:
    read, records, _ = await replay(house, Wanted(ORIGIN, 2, 5))

    assert [record.position for record in records] == [2, 3, 4]
    assert (read.facts.first, read.facts.end) == (2, 5)


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (Wanted(ORIGIN, 0, 10**6), "end_leaf_index"),
        (Wanted(ORIGIN, 2**64 - 1, 0), "first_leaf_index"),
        (Wanted(ORIGIN, 5, 5), "first_leaf_index"),
        (Wanted(ORIGIN, 6, 5), "first_leaf_index"),
        (Wanted(ORIGIN, 0, 2**64 - 1), "end_leaf_index"),
    ],
)
async def test_a_range_that_is_none_is_refused_and_leaves_nothing(
    house: House, wanted: Wanted, field: str
) -> None:
    with pytest.raises(FieldInvalidError) as caught:
        await replay(house, wanted)

    assert caught.value.field == field
    assert await looks(house) == []


@pytest.mark.parametrize("resume", [1, 6, 2**64 - 1])
async def test_it_goes_on_within_its_range_alone(house: House, resume: int) -> None:
    with pytest.raises(FieldInvalidError) as caught:
        await replay(house, Wanted(ORIGIN, 2, 5, resume=resume))

    assert caught.value.field == "resume_leaf_index"


async def test_there_is_no_log_of_another_name(house: House) -> None:
    for origin in ("other/0", "test/1", "test", "test/0 ", "TEST/0"):
        with pytest.raises(NotFoundError):
            await replay(house, Wanted(origin, 0, 0))

    assert await looks(house) == []


async def test_a_log_that_is_not_served_now_is_not_said_to_be_none(folder: Path) -> None:
    async with opened(folder, further=[sqlite(folder, "second.db")]) as house:
        house.vaults.withdraw(1)

        with pytest.raises(StoreUnavailableError):
            await replay(house, Wanted("test/1", 0, 0))


async def test_a_request_id_names_one_range(house: House) -> None:
    request_id = new_id()
    await replay(house, Wanted(ORIGIN, 0, 5), AUDITOR, request_id)

    with pytest.raises(RequestIdReusedError):
        await replay(house, Wanted(ORIGIN, 0, 6), AUDITOR, request_id)


async def test_one_auditors_request_id_is_not_anothers(house: House, shared: Shared) -> None:
    request_id = new_id()
    await replay(house, request_id=request_id)

    read, _, _ = await replay(house, ALL, auditor_of(shared.service), request_id)

    assert read.facts.service == shared.service.sub
    assert len(await looks(house)) == 2


# --- An auditor of one service -------------------------------------------------------------------


async def test_an_auditor_of_one_service_is_shown_the_facts_of_that_service_alone(
    house: House, registered: Registered, shared: Shared
) -> None:
    await share(house, NIA, registered.other_service)

    _, records, _ = await replay(house, ALL, auditor_of(shared.service))

    _, whole, _ = await replay(house)
    assert [r.entry for r in records] == [r.entry for r in whole[: len(records)]]
    for record, real in zip(records, whole, strict=False):
        assert (record.stream, record.version, record.request_key) == ("", 0, "")
        link, _, facts = (record.state or b"").partition(b"\n")
        assert link == b""
        if facts:
            assert shared.service.sub in facts.decode()
            assert real.state is not None
            assert facts == real.state.partition(b"\n")[2]
    shown = [r.topic for r in records if r.state]
    assert {"request-made.2", "consent-requested.2", "consent-granted.1"} <= set(shown)
    text = b"".join(r.state or b"" for r in records)
    assert registered.other_service.sub.encode() not in text
    assert shared.vault_id.encode() not in text


async def test_what_cannot_be_read_is_not_for_the_auditor_of_a_service(
    house: House, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = house.lane.range

    async def spoiled(first: int, end: int, *, limit: int) -> list[StoredRecord]:
        records = await real(first, end, limit=limit)
        broken = b'{"service":"' + shared.service.sub.encode() + b'"}\n{"service":"x"}'
        return [
            StoredRecord(r.position, r.stream, r.version, r.entry, "", r.topic, broken)
            for r in records
        ]

    monkeypatch.setattr(house.lane, "range", spoiled)

    _, records, _ = await replay(house, ALL, auditor_of(shared.service))

    assert {record.state for record in records} == {None}


# --- In each person's history --------------------------------------------------------------------


async def test_everybody_in_the_range_finds_it_in_her_history(house: House) -> None:
    own = len(await lines(house, MAIR))
    read, _, _ = await replay(house)
    await provide_address(house, MAIR)

    found = await lines(house, MAIR)

    assert len(found) == own + 2
    line = found[1]
    assert line.event.facts == read.facts
    assert line.is_elsewhere
    assert line.receipt.leaf_index == read.receipt.leaf_index
    assert not found[0].is_elsewhere
    assert [each.event.facts.time for each in found] == sorted(
        (each.event.facts.time for each in found), reverse=True
    )


async def test_nobody_else_does(house: House, shared: Shared) -> None:
    read, _, _ = await replay(house)
    await provide_address(house, NIA)
    mairs = [r.position for r in await house.records(shared.vault_id)]
    await replay(house, Wanted(ORIGIN, 0, min(mairs)))
    await replay(house, Wanted(ORIGIN, max(mairs) + 1, 0))

    found = await lines(house, MAIR)

    assert [e.event.facts for e in found if e.is_elsewhere] == [read.facts]
    newer = await lines(house, NIA)
    assert len([e for e in newer if e.is_elsewhere]) == 1


async def test_the_bounds_of_a_range_are_exact(house: House, shared: Shared) -> None:
    positions = [record.position for record in await house.records(shared.vault_id)]
    first, last = min(positions), max(positions)
    ranges = [
        (Wanted(ORIGIN, first, first + 1), True),
        (Wanted(ORIGIN, last, last + 1), True),
        (Wanted(ORIGIN, last + 1, 0), False),
        (Wanted(ORIGIN, 0, first), False),
    ]
    for wanted, _ in ranges:
        await replay(house, wanted)

    found = [e.event.facts for e in await lines(house, MAIR) if e.is_elsewhere]

    told = {(f.first, f.end) for f in found if isinstance(f, LaneReplayed)}
    assert told == {(w.first, w.end) for w, is_told in ranges if is_told}


async def test_a_service_auditors_look_is_told_if_her_facts_of_that_service_were_shown(
    house: House, registered: Registered, shared: Shared
) -> None:
    await replay(house, ALL, auditor_of(registered.other_service))
    await replay(house, ALL, auditor_of(shared.service))

    found = [e.event.facts for e in await lines(house, MAIR) if e.is_elsewhere]

    assert [f.service for f in found if isinstance(f, LaneReplayed)] == [shared.service.sub]


async def test_ranges_of_another_lane_are_not_told(folder: Path) -> None:
    async with opened(folder, further=[sqlite(folder, "second.db")], full=[0]) as house:
        await provide_address(house, NIA)
        await replay(house)
        await replay(house, Wanted("test/1", 0, 0))
        await provide_address(house, NIA)

        found = [e.event.facts for e in await lines(house, NIA) if e.is_elsewhere]

        assert [f.origin for f in found if isinstance(f, LaneReplayed)] == ["test/1"]


@pytest.mark.parametrize("size", [1, 2, 3, 50])
async def test_pages_hold_each_line_once(house: House, size: int) -> None:
    for _ in range(3):
        await replay(house)
        await provide_address(house, MAIR)
        await replay(house, Wanted(ORIGIN, 0, 1))
    await replay(house)
    await replay(house)

    found = await lines(house, MAIR, size)

    assert [e.receipt.leaf_hash for e in found] == [
        e.receipt.leaf_hash for e in await lines(house, MAIR)
    ]
    assert len({e.receipt.leaf_hash for e in found}) == len(found)
    assert len([e for e in found if e.is_elsewhere]) == 5


# --- Many looks ----------------------------------------------------------------------------------


def counted(house: House, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the stream of each read of records from here on."""
    reads: list[str] = []
    records = house.vaults.records

    def seen(stream: str, **bounds: int) -> Any:
        reads.append(stream)
        return records(stream, **bounds)

    monkeypatch.setattr(house.vaults, "records", seen)
    return reads


async def record_by_record(house: House, shared: Shared, caller: Caller, count: int) -> None:
    """Read the log record by record: some that are hers, and many that are not."""
    hers = {record.position for record in await house.records(shared.vault_id)}
    others = [p for p in range(await house.lane.tree_size()) if p not in hers]
    for number in range(count):
        at = others[number % len(others)]
        await replay(house, Wanted(ORIGIN, at, at + 1), caller)
    await replay(house, Wanted(ORIGIN, min(hers), min(hers) + 1), caller)


@pytest.mark.parametrize("of_service", [False, True])
async def test_a_log_that_is_read_record_by_record_costs_her_no_read_for_each(
    house: House, shared: Shared, monkeypatch: pytest.MonkeyPatch, *, of_service: bool
) -> None:
    before = await lines(house, MAIR)
    caller = auditor_of(shared.service) if of_service else AUDITOR
    await record_by_record(house, shared, caller, 30)
    reads = counted(house, monkeypatch)

    found = await lines(house, MAIR)

    # Of the record that is hers the service's auditor sees nothing: her vault was opened.
    assert len(found) - len(before) == (0 if of_service else 1)
    assert len(reads) <= 4


async def test_a_call_looks_at_so_many_events_and_the_next_goes_on(
    house: House, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    await record_by_record(house, shared, AUDITOR, 12)
    await replay(house)
    whole = await lines(house, MAIR)
    monkeypatch.setattr("vault.application.history.MOST_LOOKED_AT", 5)

    pages: list[int] = []
    before = NEWEST
    while not pages or before:
        page = await house.citizens.history(
            MAIR, HERSELF, before=before, limit=100, only_disclosures=False
        )
        pages.append(len(page.lines))
        before = page.after

    assert max(pages) <= 5
    # Between what she is told there were twelve that do not concern her.
    assert 0 in pages
    assert sum(pages) == len(whole)
    assert [one.event.leaf for one in await lines(house, MAIR)] == [o.event.leaf for o in whole]


async def test_what_auditors_read_costs_nothing_where_uses_alone_are_asked(
    house: House, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    await record_by_record(house, shared, AUDITOR, 3)
    reads = counted(house, monkeypatch)

    await house.citizens.history(MAIR, HERSELF, limit=100, only_disclosures=True)

    assert house.identifiers.audit_stream not in reads


async def test_a_place_is_found_in_whichever_part_of_her_history(
    house: House, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        await provide_address(house, MAIR)
        await provide_address(house, NIA)
    monkeypatch.setattr("vault.application.history.CHUNK", 2)
    hers = {record.position for record in await house.records(shared.vault_id)}
    size = await house.lane.tree_size()
    seed = random.SystemRandom().getrandbits(32)
    print(f"seed {seed}")  # noqa: T201 - of what is random
    dice = random.Random(seed)
    expected = set[tuple[int, int]]()
    for _ in range(25):
        first = dice.randrange(size)
        end = dice.randrange(first, size) + 1
        await replay(house, Wanted(ORIGIN, first, end))
        if hers & set(range(first, end)):
            expected.add((first, end))

    found = await lines(house, MAIR)

    facts = [line.event.facts for line in found]
    told = {(one.first, one.end) for one in facts if isinstance(one, LaneReplayed)}
    assert told == expected
