# SPDX-License-Identifier: Apache-2.0
"""A store of three lanes, each in a file of its own: new vaults in all of them, and what stays."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from clients.auditor.report import Report
from tests.house import (
    AUDITOR,
    HERSELF,
    MAIR,
    NIA,
    OFFICIAL,
    House,
    Registered,
    Shared,
    fail_once,
    fetch,
    furnish,
    new_id,
    opened,
    revoke,
    said,
    share,
    sqlite,
)
from tests.unit.auditor.stories import audited
from vault.application.audits import CaughtUp, Moment
from vault.application.caller import ActingFor, Caller
from vault.application.disclosures import Disclosed, Order
from vault.application.lanes import Lanes
from vault.application.receipts import Receipt
from vault.domain.canonical import b64
from vault.domain.errors import (
    ConsentRevokedError,
    NotFoundError,
    StoreUnavailableError,
    TokenInvalidError,
)
from vault.domain.lane import in_lane, lane_of
from vault.domain.state import fold
from vault.store.append import StoredRecord
from vault.store.errors import StoreUnfitError
from vault.store.lane import Lane


def further(folder: Path, *numbers: int) -> list[dict[str, str]]:
    """Return where the lanes after the first lie, by the numbers of their files."""
    return [sqlite(folder, f"events-{number}.db") for number in numbers]


@dataclass
class Grown:
    """A house of three lanes with services in it."""

    house: House
    registered: Registered

    async def share(self, citizen: Caller, lane: int, patched: pytest.MonkeyPatch) -> Shared:
        """Share the address of a citizen whose vault is in a lane."""
        opens_in(self.house, lane, patched)
        return await share(self.house, citizen, self.registered.service)


def opens_in(house: House, lane: int, patched: pytest.MonkeyPatch) -> None:
    """Have the next vaults opened in a lane."""

    async def chosen() -> int:
        return lane

    patched.setattr(house.vaults, "lane_for_new", chosen)


@pytest.fixture
async def grown(tmp_path: Path) -> AsyncIterator[Grown]:
    """A new deployment that begins with three lanes."""
    async with opened(tmp_path, further=further(tmp_path, 1, 2)) as house:
        yield Grown(house, await furnish(house))


# --- New vaults


async def test_new_vaults_are_opened_in_every_lane(grown: Grown) -> None:
    """Of 60 drawn among three, all are in two of them once in ten thousand million runs."""
    opened_in = set()
    for number in range(60):
        citizen = replace(MAIR, sub=f"citizen-{number}")
        answer = await grown.house.citizens.open(citizen, HERSELF)
        opened_in.add(lane_of(answer.value.state.stream))
        assert answer.sizes.keys() == {lane_of(answer.value.state.stream)}

    assert opened_in == {0, 1, 2}


async def test_no_vault_is_opened_in_a_lane_that_is_full(tmp_path: Path) -> None:
    async with opened(tmp_path, further=further(tmp_path, 1, 2), full=[0, 2]) as house:
        for number in range(20):
            answer = await house.citizens.open(replace(MAIR, sub=f"citizen-{number}"), HERSELF)
            assert lane_of(answer.value.state.stream) == 1

    async with opened(tmp_path, further=further(tmp_path, 1, 2), full=[0, 1, 2]) as house:
        with pytest.raises(StoreUnavailableError):
            await house.citizens.open(NIA, HERSELF)
        again = await house.citizens.open(replace(MAIR, sub="citizen-7"), HERSELF)
        assert lane_of(again.value.state.stream) == 1


async def test_an_official_opens_vaults_in_every_lane_too(grown: Grown) -> None:
    acting = ActingFor(capacity="official", channel="counter")
    opened_in = {
        lane_of((await grown.house.citizens.open(OFFICIAL, acting, new_id())).value.state.stream)
        for _ in range(60)
    }

    assert opened_in == {0, 1, 2}


async def test_a_retry_opens_the_vault_where_it_was_to_be(
    grown: Grown, monkeypatch: pytest.MonkeyPatch
) -> None:
    opens_in(grown.house, 2, monkeypatch)
    fail_once(monkeypatch, grown.house, "vault-opened.1", lane=2)
    with pytest.raises(StoreUnavailableError):
        await grown.house.citizens.open(MAIR, HERSELF)
    opens_in(grown.house, 1, monkeypatch)

    answer = await grown.house.citizens.open(MAIR, HERSELF)

    assert lane_of(answer.value.state.stream) == 2


async def test_a_lane_that_cannot_be_reached_takes_no_vault(
    grown: Grown, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail() -> int:
        raise StoreUnavailableError

    for lane in (0, 2):
        monkeypatch.setattr(grown.house.vaults.lanes[lane], "tree_size", fail)

    assert {await grown.house.vaults.lane_for_new() for _ in range(20)} == {1}


# --- Everything in another lane


async def test_everything_goes_on_in_another_lane(
    grown: Grown, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = grown.house
    shared = await grown.share(MAIR, 2, monkeypatch)
    disclosed = await fetch(house, shared)
    again = await fetch(house, shared)
    await revoke(house, shared)
    with pytest.raises(ConsentRevokedError):
        await fetch(house, shared)
    await house.disclosures.drain()

    assert lane_of(shared.vault_id) == 2
    assert lane_of(shared.consent_request_id) == 0
    assert disclosed.sizes == {2: disclosed.receipt.leaf_index + 1}
    assert again.receipt.leaf_index > disclosed.receipt.leaf_index
    names = await house.names(shared.vault_id)
    assert names[-4:] == [
        "evidence-disclosed.1",
        "evidence-disclosed.1",
        "consent-revoked.1",
        "disclosure-refused.1",
    ]
    stored = house.vaults.lanes[2].store.select_records(shared.vault_id, limit=99)
    assert [record.topic for record in stored] == names


async def test_receipts_name_the_lane_in_which_the_record_stands(
    grown: Grown, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = grown.house
    hers = await grown.share(MAIR, 1, monkeypatch)
    disclosed = await fetch(house, hers)
    provided = await house.evidence.list(MAIR, HERSELF)
    page = await house.citizens.history(MAIR, HERSELF, limit=99, only_disclosures=False)

    assert provided
    assert disclosed.receipt.origin == "test/1"
    assert {line.receipt.origin for line in page.lines} == {"test/1"}
    assert page.lines[0].receipt == disclosed.receipt


async def test_two_citizens_in_two_lanes_share_with_one_service(
    grown: Grown, monkeypatch: pytest.MonkeyPatch
) -> None:
    hers = await grown.share(MAIR, 1, monkeypatch)
    his = await grown.share(NIA, 2, monkeypatch)

    results = await grown.house.disclosures.disclose_many(
        hers.service,
        [order(shared) for shared in (hers, his)],
    )

    receipts = [result.receipt for result in results if isinstance(result, Disclosed)]
    assert [receipt.origin for receipt in receipts] == ["test/1", "test/2"]


def order(shared: Shared) -> Order:
    """Return an order of what is shared."""
    return Order(new_id(), shared.attempt(), said())


async def test_the_auditor_finds_vaults_of_every_lane_in_order(
    grown: Grown, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = grown.house
    for lane, citizen in enumerate((MAIR, NIA, replace(NIA, sub="eirlys"))):
        shared = await grown.share(citizen, lane, monkeypatch)
        disclosed = await fetch(house, shared)

        report = await judged(house, shared.vault_id, disclosed.receipt)

        assert report.findings == ()
        assert len(report.uses) == 1


async def judged(house: House, vault_id: str, receipt: Receipt) -> Report:
    """Have the auditor's own program judge a vault, the registry beside it."""
    registry = await house.records(house.identifiers.registry_stream)
    kept = {
        "facts": receipt.facts.decode(),
        "link_hash": b64(receipt.link_hash),
        "origin": receipt.origin,
        "leaf_index": receipt.leaf_index,
        "leaf_hash": b64(receipt.leaf_hash),
        "key_id": receipt.key_id,
        "signature": b64(receipt.signature),
    }
    vault = [line(record) for record in await house.records(vault_id)]
    return audited(vault, [line(record) for record in registry], [json.dumps(kept).encode()])


def line(record: StoredRecord) -> bytes:
    """Return a record as it is exported."""
    link, _, facts = (record.state or b"").partition(b"\n")
    row = {
        "leaf_index": record.position,
        "stream_id": record.stream,
        "version": record.version,
        "entry": b64(record.entry),
        "link": link.decode(),
        "facts": facts.decode(),
    }
    return json.dumps(row).encode()


# --- Places in history


async def replayed(house: House, vault_id: str, as_of: Moment) -> list[StoredRecord | CaughtUp]:
    """Replay a vault as the auditor."""
    return [item async for item in house.audits.replay_vault(AUDITOR, vault_id, as_of=as_of)]


async def test_a_place_in_her_lane_is_a_moment_of_her_vault(
    grown: Grown, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, shared = grown.house, await grown.share(MAIR, 1, monkeypatch)
    disclosed = await fetch(house, shared)
    await revoke(house, shared)
    both = Moment(sizes={0: 1, **disclosed.sizes})

    *records, end = await replayed(house, shared.vault_id, both)
    then = await house.audits.state(AUDITOR, shared.vault_id, as_of=both)

    assert records[-1].topic == "evidence-disclosed.1"  # type: ignore[union-attr]
    assert end.sizes == disclosed.sizes
    assert not then.state.consents[shared.consent_id].revoked


@pytest.mark.parametrize("sizes", [{}, {0: 3}, {2: 1}, {1: 10_000}])
async def test_a_place_that_says_nothing_of_her_lane_is_no_moment_of_her_vault(
    grown: Grown, sizes: dict[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """To answer that there was nothing then would be a guess, and perhaps a lie."""
    house, shared = grown.house, await grown.share(MAIR, 1, monkeypatch)
    before = await house.names(shared.vault_id)

    with pytest.raises(TokenInvalidError):
        await replayed(house, shared.vault_id, Moment(sizes=sizes))
    with pytest.raises(TokenInvalidError):
        await house.audits.state(AUDITOR, shared.vault_id, as_of=Moment(sizes=sizes))

    assert await house.names(shared.vault_id) == before


# --- The list


async def listed(house: House) -> list[tuple[int, str]]:
    """Return the lanes that the registry lists."""
    facts = await house.facts(house.identifiers.registry_stream, "lane-listed.1")
    return [(each.lane, each.origin) for each in facts]


async def test_each_lane_is_listed_once_and_begins_with_saying_so(tmp_path: Path) -> None:
    for numbers in ([], [1], [1, 2], [1, 2]):
        async with opened(tmp_path, further=further(tmp_path, *numbers)) as house:
            assert await listed(house) == [(n, f"test/{n}") for n in numbers]
            for number in numbers:
                lane = house.vaults.lanes[number]
                (first,) = lane.store.select_notifications(1, 10)
                assert first.topic == "lane-listed.1"
                assert lane_of(str(first.originator_id)) == number


async def test_a_lane_that_was_begun_but_not_listed_is_listed_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as house:
        pass
    with monkeypatch.context() as patched:
        patched.setattr("vault.application.lanes.Lanes._append", _only_the_first_time())
        with pytest.raises(ArithmeticError):
            async with opened(tmp_path, further=further(tmp_path, 1)):
                pass

    async with opened(tmp_path, further=further(tmp_path, 1)) as house:
        assert await listed(house) == [(1, "test/1")]
        assert await house.vaults.lanes[1].tree_size() == 1


def _only_the_first_time() -> Callable[..., Awaitable[None]]:
    append = Lanes._append  # noqa: SLF001
    appended: list[str] = []

    async def once(self: Lanes, to: Lane, stream: str, lane: Lane, request_key: str) -> None:
        if appended:
            raise ArithmeticError
        appended.append(stream)
        await append(self, to, stream, lane, request_key)

    return once


@pytest.mark.parametrize("files", [[2, 1], [1, 3], [2, 2]])
async def test_a_database_that_is_not_the_lanes_is_refused_and_left_alone(
    tmp_path: Path, files: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exchanged, lost, or named twice: what she recorded would look as if it had never been."""
    async with opened(tmp_path, further=further(tmp_path, 1, 2)) as house:
        opens_in(house, 2, monkeypatch)
        vault_id = (await house.citizens.open(MAIR, HERSELF)).value.state.stream

    with pytest.raises(StoreUnfitError, match="is not the one that was listed"):
        async with opened(tmp_path, further=further(tmp_path, *files)):
            pass

    async with opened(tmp_path, further=further(tmp_path, 1, 2)) as house:
        assert await house.names(vault_id) == ["vault-opened.1"]
        assert await listed(house) == [(1, "test/1"), (2, "test/2")]


async def test_a_database_that_holds_something_else_becomes_no_lane(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    async with opened(elsewhere, further=further(elsewhere, 1)) as house:
        before = await house.vaults.lanes[1].tree_size()

    with pytest.raises(StoreUnfitError):
        async with opened(tmp_path, further=further(elsewhere, 1)):
            pass

    async with opened(elsewhere, further=further(elsewhere, 1)) as house:
        assert await house.vaults.lanes[1].tree_size() == before
    async with opened(tmp_path) as house:
        assert await listed(house) == []


# --- Lanes that are not served here


async def test_what_lies_in_a_lane_that_is_not_served_here_is_unavailable_and_not_absent(
    grown: Grown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process with an older configuration must not say that her vault was never opened."""
    hers = await grown.share(MAIR, 2, monkeypatch)
    his = await grown.share(NIA, 1, monkeypatch)

    async with opened(tmp_path, further=further(tmp_path, 1)) as house:
        for attempt in (
            house.citizens.open(MAIR, HERSELF),
            house.citizens.get(MAIR, HERSELF),
            house.evidence.list(MAIR, HERSELF),
            fetch(house, hers),
            house.amendments.revoke(MAIR, HERSELF, new_id(), hers.consent_id),
            replayed(house, hers.vault_id, Moment()),
        ):
            with pytest.raises(StoreUnavailableError):
                await attempt
        assert (await fetch(house, his)).bundle

    assert (await fetch(grown.house, hers)).bundle


async def test_what_lies_in_a_lane_that_is_not_listed_does_not_exist(grown: Grown) -> None:
    house, nowhere = grown.house, in_lane(new_id(), 0xFFFF)

    with pytest.raises(NotFoundError):
        await house.requests.get(grown.registered.service, HERSELF, nowhere)
    with pytest.raises(NotFoundError):
        await replayed(house, nowhere, Moment())

    assert await house.vaults.current(nowhere, fold) is None
    assert await house.vaults.cached(nowhere, fold) is None
    assert await house.vaults.as_of(nowhere, fold) is None
    assert await house.vaults.records(nowhere, limit=1) == []
    assert await house.vaults.recorded(nowhere, new_id()) is None
    assert await house.vaults.payload(nowhere, 1, "command") is None
    assert await house.vaults.sizes(nowhere) == {0xFFFF: 0}


async def test_no_document_is_swept_while_a_lane_is_not_served(
    grown: Grown, tmp_path: Path
) -> None:
    """It could be named there, and nowhere else."""
    await grown.house.documents.sweep()

    async with opened(tmp_path, further=further(tmp_path, 1)) as house:
        with pytest.raises(StoreUnavailableError):
            await house.documents.sweep()


async def test_no_document_is_swept_while_a_lane_is_away(grown: Grown) -> None:
    away = grown.house.vaults.withdraw(2)

    with pytest.raises(StoreUnavailableError):
        await grown.house.documents.sweep()

    grown.house.vaults.serve(away)
    await grown.house.documents.sweep()
