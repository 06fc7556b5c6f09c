# SPDX-License-Identifier: Apache-2.0
"""Refused attempts: she sees that they tried; the service is answered first; nobody bloats her."""

from __future__ import annotations

import asyncio
import logging

import pytest

from tests.house import (
    HERSELF,
    MAIR,
    NIA,
    AdjustableClock,
    House,
    Registered,
    Shared,
    fetch,
    revoke,
    share,
)
from vault.domain.disclosure import DisclosureRefused, Selection
from vault.domain.errors import (
    ConsentRevokedError,
    FieldNotGrantedError,
    NotFoundError,
    PurposeDiffersError,
    VaultError,
)
from vault.domain.values import TypeFields

BANK = Selection(item=0, evidence_type="bank_account", names=("sortCode",))
DAY = 86_400


async def try_for(house: House, shared: Shared, *names: str, times: int = 1) -> None:
    """Try to fetch what is refused, one after the other."""
    for _ in range(times):
        with pytest.raises(VaultError):
            await fetch(house, shared, *names)
        await house.disclosures.drain()


async def refusals(house: House, shared: Shared) -> list[DisclosureRefused]:
    return await house.facts(shared.vault_id, "disclosure-refused.1")


async def test_an_attempt_on_what_was_not_granted_is_recorded(house: House, shared: Shared) -> None:
    with pytest.raises(FieldNotGrantedError):
        await fetch(house, shared, selections=(BANK,))
    await house.disclosures.drain()

    (refused,) = await refusals(house, shared)
    assert refused.reason == "FIELD_NOT_GRANTED"
    assert refused.fields == (TypeFields(evidence_type="bank_account", names=("sortCode",)),)
    assert (refused.service, refused.consent_id) == (shared.service.sub, shared.consent_id)


async def test_a_refusal_is_recorded_after_the_answer(house: House, shared: Shared) -> None:
    with pytest.raises(FieldNotGrantedError):
        await fetch(house, shared, "streetName")

    assert await refusals(house, shared) == []
    await house.disclosures.drain()
    assert len(await refusals(house, shared)) == 1


async def test_three_refusals_of_a_day_are_listed_and_the_third_says_so(
    house: House, shared: Shared
) -> None:
    await try_for(house, shared, "streetName", times=5)

    assert [refused.more_unlisted for refused in await refusals(house, shared)] == [
        False,
        False,
        True,
    ]


async def test_a_flood_of_attempts_at_once_is_listed_three_times(
    house: House, shared: Shared
) -> None:
    await asyncio.gather(
        *(fetch(house, shared, "streetName") for _ in range(30)), return_exceptions=True
    )
    await house.disclosures.drain()

    assert len(await refusals(house, shared)) == 3


async def test_another_reason_is_listed_beside_it(house: House, shared: Shared) -> None:
    await try_for(house, shared, "streetName", times=4)

    with pytest.raises(PurposeDiffersError):
        await fetch(house, shared, purpose_code="research")
    await house.disclosures.drain()

    reasons = [refused.reason for refused in await refusals(house, shared)]
    assert reasons == ["FIELD_NOT_GRANTED"] * 3 + ["PURPOSE_DIFFERS"]


async def test_the_next_day_lists_anew(
    house: House, clock: AdjustableClock, shared: Shared
) -> None:
    await try_for(house, shared, "streetName", times=4)
    clock.ahead_seconds = DAY
    await try_for(house, shared, "streetName")

    assert len(await refusals(house, shared)) == 4


async def test_an_attempt_after_the_stop_is_listed(house: House, shared: Shared) -> None:
    await revoke(house, shared)

    with pytest.raises(ConsentRevokedError):
        await fetch(house, shared)
    await house.disclosures.drain()

    assert [refused.reason for refused in await refusals(house, shared)] == ["CONSENT_REVOKED"]


async def test_a_refusal_does_not_use_up_the_frequency(house: House, shared: Shared) -> None:
    await try_for(house, shared, "streetName", times=3)

    for _ in range(5):
        assert (await fetch(house, shared)).bundle


async def test_an_attempt_on_somebody_elses_consent_leaves_no_trace(
    house: House, shared: Shared, registered: Registered
) -> None:
    other = await share(house, MAIR, registered.other_service)
    before = await house.lane.tree_size()

    with pytest.raises(NotFoundError):
        await fetch(house, other, consent_id=shared.consent_id)
    await house.disclosures.drain()

    assert await house.lane.tree_size() == before


async def test_she_reads_what_they_tried_and_whom_to_ask(house: House, shared: Shared) -> None:
    await try_for(house, shared, "streetName")

    page = await house.citizens.history(MAIR, HERSELF, limit=1, only_disclosures=True)

    (line,) = page.lines
    assert isinstance(line.event.facts, DisclosureRefused)
    assert line.items[0].names == ("streetName",)
    assert line.particulars is not None
    assert line.particulars.staff_ref == "anna"


async def test_a_refusal_that_cannot_be_recorded_is_logged_by_its_reason_alone(
    house: House,
    shared: Shared,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(FieldNotGrantedError):
        await fetch(house, shared, "streetName")

    async def fail(*args: object) -> None:
        raise ConsentRevokedError(str(args))

    monkeypatch.setattr(house.vaults, "execute", fail)
    with caplog.at_level(logging.DEBUG):
        await house.disclosures.drain()

    assert [
        record.getMessage() for record in caplog.records if record.name.startswith("vault")
    ] == ["a refusal was not recorded: CONSENT_REVOKED"]


async def test_what_was_tried_on_her_is_not_in_another_history(
    house: House, shared: Shared
) -> None:
    await house.citizens.open(NIA, HERSELF)
    await try_for(house, shared, "streetName")

    page = await house.citizens.history(NIA, HERSELF, limit=10, only_disclosures=True)

    assert page.lines == ()
