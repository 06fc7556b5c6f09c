# SPDX-License-Identifier: Apache-2.0
"""Many disclosures in one message: each for itself, all under one signature."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, cast

import pytest

from clients.receipts import SignedRecord, unb64, verify_bundle
from tests.house import (
    MAIR,
    NIA,
    AdjustableClock,
    House,
    Registered,
    Shared,
    fetch,
    new_id,
    revoke,
    said,
    share,
)
from vault.application import disclosures
from vault.application.disclosures import Disclosed, Order
from vault.domain.errors import (
    ConsentRevokedError,
    DeadlinePassedError,
    FieldNotGrantedError,
    NotFoundError,
    ReleaseTooLateError,
    RequestIdReusedError,
)
from vault.domain.values import Frequency
from vault.server.convert.log import receipt_message
from vault.store.append import Append, Commit


@pytest.fixture
async def nias(house: House, registered: Registered) -> Shared:
    """What Nia shares with the same service."""
    return await share(house, NIA, registered.service)


def order(shared: Shared, *names: str, request_id: str = "", **changes: Any) -> Order:
    attempt = shared.attempt(*names, **changes)
    return Order(request_id or new_id(), attempt, said(staff_ref="anna"))


async def disclose(
    house: House, shared: Shared, *orders: Order, deadline: float | None = None
) -> list[Disclosed | Exception]:
    return await house.disclosures.disclose_many(shared.service, orders, deadline)


def released(results: Sequence[Disclosed | Exception]) -> list[Disclosed]:
    """Return results that are all released."""
    failed = [result for result in results if isinstance(result, Exception)]
    assert not failed
    return cast("list[Disclosed]", list(results))


def kinds(results: Sequence[object]) -> list[type]:
    return [type(result) for result in results]


async def test_each_is_decided_by_itself_and_a_refusal_is_recorded(
    house: House, shared: Shared, nias: Shared
) -> None:
    await revoke(house, shared)

    results = await disclose(
        house, shared, order(nias), order(shared), order(nias, "streetName"), order(nias)
    )
    await house.disclosures.drain()

    assert kinds(results) == [Disclosed, ConsentRevokedError, FieldNotGrantedError, Disclosed]
    (hers,) = await house.facts(shared.vault_id, "disclosure-refused.1")
    (nia,) = await house.facts(nias.vault_id, "disclosure-refused.1")
    assert (hers.reason, nia.reason) == ("CONSENT_REVOKED", "FIELD_NOT_GRANTED")
    assert await house.facts(shared.vault_id, "evidence-disclosed.1") == []
    assert len(await house.facts(nias.vault_id, "evidence-disclosed.1")) == 2


async def test_what_is_anothers_is_not_there(
    house: House, shared: Shared, registered: Registered
) -> None:
    others = await share(house, NIA, registered.other_service)

    results = await disclose(house, shared, order(others, service=shared.service.sub))

    assert kinds(results) == [NotFoundError]


async def test_their_receipts_have_one_signature_and_each_verifies(
    house: House, shared: Shared, nias: Shared
) -> None:
    keys = {house.receipts.key_id: unb64(house.receipts.public_key)}
    await revoke(house, shared)

    results = await disclose(
        house, shared, order(nias), order(shared), *(order(nias) for _ in range(2))
    )

    there = [result for result in results if isinstance(result, Disclosed)]
    assert len({found.receipt.signature for found in there}) == 1
    places = [found.receipt.batch for found in there]
    assert [(place.index, place.size) for place in places if place] == [(0, 3), (1, 3), (2, 3)]
    for found in there:
        message = receipt_message(found.receipt)
        assert message is not None
        facts = verify_bundle(SignedRecord.of(message), found.bundle, keys)
        assert facts["consent_id"] == nias.consent_id


async def test_all_of_nothing_is_signed_by_nobody(house: House, shared: Shared) -> None:
    await revoke(house, shared)

    assert kinds(await disclose(house, shared, order(shared))) == [ConsentRevokedError]


async def test_a_repeat_within_one_message_is_the_same_bytes(house: House, shared: Shared) -> None:
    request_id = new_id()

    results = released(
        await disclose(house, shared, *(order(shared, request_id=request_id) for _ in range(3)))
    )

    assert len({result.bundle for result in results}) == 1
    assert sorted(result.is_repeat for result in results) == [False, True, True]
    facts = await house.facts(shared.vault_id, "evidence-disclosed.1")
    assert sorted(bool(fact.repeats) for fact in facts) == [False, True, True]


@pytest.mark.parametrize("begins_alone", [True, False])
async def test_a_repeat_the_other_way_is_the_same_bytes(
    house: House, shared: Shared, *, begins_alone: bool
) -> None:
    request_id = new_id()

    async def alone() -> Disclosed:
        return await fetch(house, shared, request_id=request_id)

    async def among_others() -> Disclosed:
        orders = (order(shared), order(shared, request_id=request_id))
        return released(await disclose(house, shared, *orders))[1]

    ways = (alone, among_others) if begins_alone else (among_others, alone)
    first, second = [await way() for way in ways]

    assert first.bundle == second.bundle
    assert (first.is_repeat, second.is_repeat) == (False, True)


async def test_a_request_id_names_one_disclosure_in_a_message_too(
    house: House, shared: Shared
) -> None:
    first = order(shared)
    await disclose(house, shared, first)

    results = await disclose(
        house, shared, order(shared, purpose_code="other", request_id=first.request_id)
    )

    assert kinds(results) == [RequestIdReusedError]


async def test_after_the_deadline_nothing_is_recorded(house: House, shared: Shared) -> None:
    before = await house.lane.tree_size()

    results = await disclose(house, shared, order(shared), deadline=time.monotonic() - 1)

    assert kinds(results) == [DeadlinePassedError]
    assert await house.lane.tree_size() == before


async def test_a_fault_of_ours_in_one_stops_no_other_and_a_retry_finds_what_was_recorded(
    house: House, shared: Shared, nias: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, broken = order(nias), order(shared)
    open_bundle = disclosures.open_bundle

    async def failing(desk: Any, registry: Any, stream: str, *rest: Any, **options: Any) -> bytes:
        if stream == shared.vault_id:
            raise KeyError("a fault of ours")
        return await open_bundle(desk, registry, stream, *rest, **options)

    with monkeypatch.context() as faulty:
        faulty.setattr(disclosures, "open_bundle", failing)
        results = await disclose(house, shared, good, broken)
    assert kinds(results) == [Disclosed, KeyError]

    again = released(await disclose(house, shared, good, broken))
    assert [result.is_repeat for result in again] == [True, False]


# --- Too late ------------------------------------------------------------------------------------


class Held:
    """Holds back the answer of the store for one stream until it is let go."""

    def __init__(self, house: House, stream: str) -> None:
        self._append = house.lane.committer.append
        self._stream = stream
        self.arrived = asyncio.Event()
        self.go = asyncio.Event()

    async def append(self, what: Append, **options: Any) -> Commit:
        """Append, at once unless it is the stream's."""
        if str(what.events[0].originator_id) == self._stream:
            self.arrived.set()
            await self.go.wait()
        return await self._append(what, **options)


async def test_who_waits_for_others_does_not_leave_after_she_stopped(
    house: House, shared: Shared, nias: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hers is recorded and waits for Nia's; her stop is acknowledged; then Nia's is there."""
    held = Held(house, nias.vault_id)
    monkeypatch.setattr(house.lane.committer, "append", held.append)
    under_way = asyncio.create_task(disclose(house, shared, order(shared), order(nias)))
    await held.arrived.wait()
    while not await house.facts(shared.vault_id, "evidence-disclosed.1"):  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0)

    await revoke(house, shared)
    held.go.set()
    results = await under_way

    assert kinds(results) == [ReleaseTooLateError, Disclosed]
    names = await house.names(shared.vault_id)
    assert names.index("evidence-disclosed.1") < names.index("consent-revoked.1")


async def test_what_was_too_late_comes_with_the_same_request_id(
    house: House, clock: AdjustableClock, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = order(shared)
    append = house.lane.committer.append

    async def slow(what: Append, **options: Any) -> Commit:
        commit = await append(what, **options)
        clock.late_seconds = disclosures.RELEASE_AFTER_COMMIT_SECONDS + 0.01
        return commit

    with monkeypatch.context() as slowly:
        slowly.setattr(house.lane.committer, "append", slow)
        assert kinds(await disclose(house, shared, late)) == [ReleaseTooLateError]
    clock.late_seconds = 0

    (again,) = released(await disclose(house, shared, late))

    assert again.is_repeat


async def test_in_a_storm_of_messages_none_is_recorded_after_her_stop(
    house: House, registered: Registered, nias: Shared
) -> None:
    """What is answered after the stop was acknowledged holds nothing of hers, either."""
    often = Frequency(count=10, period_seconds=86_400)
    hers = await share(house, MAIR, registered.service, frequency=often)
    acknowledged = asyncio.Event()

    async def ask() -> bool:
        """Say whether hers came after the stop."""
        result, _ = await disclose(house, hers, order(hers), order(nias))
        return isinstance(result, Disclosed) and acknowledged.is_set()

    asking = [asyncio.create_task(ask()) for _ in range(10)]
    await asyncio.sleep(0.005)
    await revoke(house, hers)
    acknowledged.set()

    assert not any(await asyncio.gather(*asking))
    names = await house.names(hers.vault_id)
    assert "evidence-disclosed.1" not in names[names.index("consent-revoked.1") :]
