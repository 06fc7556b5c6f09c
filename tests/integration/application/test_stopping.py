# SPDX-License-Identifier: Apache-2.0
"""Every stop: hers at once and never overtaken, the operator's within a second, in any process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.house import (
    HERSELF,
    MAIR,
    OPERATOR,
    AdjustableClock,
    House,
    Registered,
    Shared,
    a_choice,
    ask,
    claim_and_redeem,
    fetch,
    grant,
    new_id,
    opened,
    provided,
    revoke,
    share,
)
from vault.application.desk import STOP_SETTLES_SECONDS
from vault.domain.errors import (
    ConsentExpiredError,
    ConsentRevokedError,
    NotFoundError,
    PurposeNotAllowedError,
    ServiceSuspendedError,
)
from vault.domain.values import Frequency, Time, seconds_between
from vault.store.append import Append, BatchResult
from vault.store.record import read_event

DAY = 86_400


async def test_after_she_stopped_nothing_leaves(house: House, shared: Shared) -> None:
    await fetch(house, shared)
    await revoke(house, shared)

    with pytest.raises(ConsentRevokedError):
        await fetch(house, shared)


async def test_a_stop_is_acknowledged_when_what_came_before_it_has_left_or_never_will(
    house: House, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    committed: list[float] = []
    execute = house.vaults.execute

    async def watched(*args: object, **options: object) -> object:
        recorded = await execute(*args, **options)  # type: ignore[arg-type]
        committed.append(recorded.committed)
        return recorded

    monkeypatch.setattr(house.vaults, "execute", watched)

    await revoke(house, shared)

    assert time.monotonic() - committed[-1] >= STOP_SETTLES_SECONDS


async def test_stopping_one_leaves_the_other(
    house: House, shared: Shared, registered: Registered
) -> None:
    other = await share(house, MAIR, registered.other_service)
    await revoke(house, shared)

    assert (await fetch(house, other)).bundle


async def test_what_she_stopped_can_be_asked_for_and_granted_anew(
    house: House, shared: Shared, registered: Registered
) -> None:
    await revoke(house, shared)
    again = await share(house, MAIR, registered.service)

    assert (await fetch(house, again)).bundle
    with pytest.raises(ConsentRevokedError):
        await fetch(house, shared)


async def test_stopping_twice_says_that_it_is_stopped(house: House, shared: Shared) -> None:
    await revoke(house, shared)

    with pytest.raises(ConsentRevokedError):
        await revoke(house, shared)


async def test_in_a_storm_of_attempts_none_is_recorded_after_the_stop(
    house: House, registered: Registered
) -> None:
    often = Frequency(count=10, period_seconds=DAY)
    shared = await share(house, MAIR, registered.service, frequency=often)
    attempts = [asyncio.create_task(fetch(house, shared)) for _ in range(10)]
    await asyncio.sleep(0.005)

    await revoke(house, shared)
    await asyncio.gather(*attempts, return_exceptions=True)

    names = await house.names(shared.vault_id)
    stopped = names.index("consent-revoked.1")
    assert "evidence-disclosed.1" not in names[stopped:]


async def test_a_stop_goes_before_attempts_that_wait(
    house: House, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert = house.lane.store.insert_batch

    def slowly(batch: Sequence[Append]) -> BatchResult:
        time.sleep(0.05)
        return insert(batch)

    monkeypatch.setattr(house.lane.store, "insert_batch", slowly)
    attempts = [asyncio.create_task(fetch(house, shared)) for _ in range(5)]
    await asyncio.sleep(0.01)

    await revoke(house, shared)

    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, ConsentRevokedError)]
    assert len(refused) >= 3


async def test_a_consent_ends_by_itself(
    house: House, clock: AdjustableClock, shared: Shared
) -> None:
    clock.ahead_seconds = 91 * DAY

    with pytest.raises(ConsentExpiredError):
        await fetch(house, shared)


# --- Another process -----------------------------------------------------------------------------


async def test_a_stop_in_another_process_is_never_overtaken(
    house: House, shared: Shared, folder: Path
) -> None:
    await fetch(house, shared)

    async with opened(folder) as other:
        await revoke(other, shared)
        with pytest.raises(ConsentRevokedError):
            await fetch(house, shared)

    names = await house.names(shared.vault_id)
    assert names[names.index("consent-revoked.1") :].count("evidence-disclosed.1") == 0


async def test_asking_for_a_vault_as_a_request_does_not_hide_a_stop(
    house: House, shared: Shared, folder: Path
) -> None:
    """The fold of requests knows no revocation: it must not advance what is known of a vault."""
    await fetch(house, shared)

    async with opened(folder) as other:
        await revoke(other, shared)
    with pytest.raises(NotFoundError):
        await house.requests.get(shared.service, HERSELF, shared.vault_id)

    with pytest.raises(ConsentRevokedError):
        await fetch(house, shared)


async def test_an_attempt_that_was_decided_before_the_stop_is_discarded(
    house: House, shared: Shared, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stop of another process commits between this one's decision and its append."""
    await fetch(house, shared)
    append = house.lane.committer.append

    async with opened(folder) as other:

        async def after_the_stop(*args: object, **options: object) -> object:
            monkeypatch.setattr(house.lane.committer, "append", append)
            await revoke(other, shared)
            return await append(*args, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(house.lane.committer, "append", after_the_stop)
        with pytest.raises(ConsentRevokedError):
            await fetch(house, shared)

    assert len(await house.facts(shared.vault_id, "evidence-disclosed.1")) == 1


async def test_two_processes_that_fetch_at_once_stay_within_the_frequency(
    house: House, shared: Shared, folder: Path
) -> None:
    async with opened(folder) as other:
        outcomes = await asyncio.gather(
            *(fetch(here, shared) for _ in range(5) for here in (house, other)),
            return_exceptions=True,
        )

    sent = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    assert len(sent) == len(await house.facts(shared.vault_id, "evidence-disclosed.1")) == 5


async def test_a_refusal_is_decided_on_what_another_process_recorded(
    house: House, shared: Shared, registered: Registered, folder: Path
) -> None:
    await fetch(house, shared)

    async with opened(folder) as other:
        token = await ask(other, registered.service)
        request_id, _ = await claim_and_redeem(other, MAIR, registered.service, token)
        consent_id = await grant(other, MAIR, request_id, a_choice(shared.evidence_id))

    assert (await fetch(house, shared, consent_id=consent_id)).bundle


async def test_what_another_process_sealed_is_opened_here(
    house: House, shared: Shared, folder: Path
) -> None:
    await fetch(house, shared)

    async with opened(folder) as other:
        moved = provided(postalCode="SY23 3BY")
        await other.evidence.replace(MAIR, HERSELF, new_id(), shared.evidence_id, moved)

    assert b"SY23 3BY" in (await fetch(house, shared)).bundle


async def test_what_is_read_is_what_another_process_recorded(
    house: House, shared: Shared, folder: Path
) -> None:
    before = await house.consents.get(MAIR, HERSELF, shared.consent_id, "")

    async with opened(folder) as other:
        await revoke(other, shared)

    after = await house.consents.get(MAIR, HERSELF, shared.consent_id, "")
    assert (before.status, after.status) == ("active", "revoked")


# --- The operator --------------------------------------------------------------------------------


async def test_a_suspended_service_receives_nothing_more(
    house: House, shared: Shared, registered: Registered
) -> None:
    await fetch(house, shared)
    await house.registry.suspend_service(OPERATOR, new_id(), registered.service.sub)

    with pytest.raises(ServiceSuspendedError):
        await fetch(house, shared)


async def test_for_a_withdrawn_purpose_nothing_more_leaves(house: House, shared: Shared) -> None:
    await fetch(house, shared)
    await house.registry.withdraw_purpose(OPERATOR, new_id(), "care")

    with pytest.raises(PurposeNotAllowedError):
        await fetch(house, shared)


async def test_a_reinstated_service_receives_again(
    house: House, shared: Shared, registered: Registered
) -> None:
    await house.registry.suspend_service(OPERATOR, new_id(), registered.service.sub)
    await house.registry.reinstate_service(OPERATOR, new_id(), registered.service.sub)

    assert (await fetch(house, shared)).bundle


@pytest.mark.parametrize("stop", ["suspend", "withdraw"])
async def test_what_another_process_stopped_stops_here_within_a_second(
    house: House, shared: Shared, registered: Registered, folder: Path, stop: str
) -> None:
    await fetch(house, shared)
    async with opened(folder) as other:
        if stop == "suspend":
            await other.registry.suspend_service(OPERATOR, new_id(), registered.service.sub)
        else:
            await other.registry.withdraw_purpose(OPERATOR, new_id(), "care")

    await asyncio.sleep(1.0)

    with pytest.raises((ServiceSuspendedError, PurposeNotAllowedError)):
        await fetch(house, shared)


async def test_every_disclosure_stands_on_a_registry_confirmed_within_a_second(
    house: House, shared: Shared
) -> None:
    for _ in range(3):
        await fetch(house, shared)
        await asyncio.sleep(0.3)

    records = await house.records(shared.vault_id)
    events = [read_event(r.state) for r in records if r.topic == "evidence-disclosed.1" and r.state]
    registry_size = (await house.registry.state()).version
    for event in events:
        confirmed = event.link.registry.confirmed_time
        assert seconds_between(Time(confirmed), event.facts.time) <= 1
        assert event.link.registry.size == registry_size


async def test_a_consent_that_is_not_there_cannot_be_stopped(house: House, shared: Shared) -> None:
    with pytest.raises(NotFoundError):
        await house.amendments.revoke(shared.citizen, HERSELF, new_id(), new_id())
