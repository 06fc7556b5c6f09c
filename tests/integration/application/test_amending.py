# SPDX-License-Identifier: Apache-2.0
"""Changes of mind: sharing less, pausing, going on, sharing for longer, and saying no."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest
from msgspec.structs import replace

from tests.house import (
    HERSELF,
    MAIR,
    NIA,
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
    provide_address,
    share,
)
from vault.application.amendments import Amended
from vault.application.caller import Answer
from vault.application.desk import STOP_SETTLES_SECONDS
from vault.domain.amendment import Narrowing, Remaining
from vault.domain.errors import (
    ConsentNotPausedError,
    ConsentNotStartedError,
    ConsentPausedError,
    FieldNotGrantedError,
    NarrowingWidensError,
    NotFoundError,
    PurposeExceededError,
    RequestAlreadyDecidedError,
    ShownDiffersError,
)
from vault.domain.values import later

BOTH = ("postalCode", "streetName")
ONLY_POSTCODE = Narrowing(
    items=(Remaining(item=1, names=("postalCode",)),), end=None, frequency_count=0
)


async def narrow(
    house: House, shared: Shared, narrowing: Narrowing = ONLY_POSTCODE
) -> Answer[Amended]:
    return await house.amendments.narrow(
        shared.citizen,
        HERSELF,
        new_id(),
        consent_id=shared.consent_id,
        narrowing=narrowing,
    )


async def test_what_is_shared_no_more_is_refused_and_the_rest_still_leaves(
    house: House, registered: Registered
) -> None:
    shared = await share(house, MAIR, registered.service, *BOTH)
    await fetch(house, shared, *BOTH)

    answer = await narrow(house, shared)

    (removed,) = answer.value.difference.removed
    assert (removed.item, removed.names) == (1, ("streetName",))
    with pytest.raises(FieldNotGrantedError):
        await fetch(house, shared, *BOTH)
    assert b"SY23 2AA" in (await fetch(house, shared, "postalCode")).bundle


async def test_a_dry_run_tells_the_difference_and_records_nothing(
    house: House, registered: Registered
) -> None:
    shared = await share(house, MAIR, registered.service, *BOTH)
    before = await house.lane.tree_size()

    answer = await house.amendments.narrow(
        MAIR,
        HERSELF,
        new_id(),
        consent_id=shared.consent_id,
        narrowing=ONLY_POSTCODE,
        validate_only=True,
    )

    assert answer.value.difference.removed[0].names == ("streetName",)
    assert answer.receipt is None
    assert await house.lane.tree_size() == before
    await fetch(house, shared, *BOTH)


async def test_a_narrowing_that_widens_changes_nothing(house: House, shared: Shared) -> None:
    wider = replace(ONLY_POSTCODE, items=(Remaining(item=1, names=BOTH),))

    with pytest.raises(NarrowingWidensError):
        await narrow(house, shared, wider)

    assert "consent-narrowed.1" not in await house.names(shared.vault_id)


async def test_a_repeated_narrowing_gets_the_recorded_answer(
    house: House, registered: Registered
) -> None:
    shared = await share(house, MAIR, registered.service, *BOTH)
    key = new_id()

    async def once() -> Answer[Amended]:
        return await house.amendments.narrow(
            MAIR, HERSELF, key, consent_id=shared.consent_id, narrowing=ONLY_POSTCODE
        )

    first, again = await once(), await once()

    assert again.value.difference == first.value.difference
    assert (await house.names(shared.vault_id)).count("consent-narrowed.1") == 1


@pytest.mark.parametrize("verb", ["pause", "narrow"])
async def test_a_stop_is_acknowledged_when_nothing_before_it_can_still_leave(
    house: House, registered: Registered, verb: str
) -> None:
    shared = await share(house, MAIR, registered.service, *BOTH)
    loop = asyncio.get_running_loop()
    began = loop.time()

    if verb == "pause":
        await house.amendments.pause(MAIR, HERSELF, new_id(), shared.consent_id)
    else:
        await narrow(house, shared)

    assert loop.time() - began >= STOP_SETTLES_SECONDS


async def test_nothing_leaves_while_it_is_paused_and_it_goes_on_when_she_says(
    house: House, shared: Shared
) -> None:
    await house.amendments.pause(MAIR, HERSELF, new_id(), shared.consent_id)
    with pytest.raises(ConsentPausedError):
        await fetch(house, shared)
    with pytest.raises(ConsentPausedError):
        await house.amendments.pause(MAIR, HERSELF, new_id(), shared.consent_id)

    await house.amendments.resume(MAIR, HERSELF, new_id(), shared.consent_id)

    await fetch(house, shared)
    with pytest.raises(ConsentNotPausedError):
        await house.amendments.resume(MAIR, HERSELF, new_id(), shared.consent_id)
    await house.disclosures.drain()
    (refused,) = await house.facts(shared.vault_id, "disclosure-refused.1")
    assert refused.reason == "CONSENT_PAUSED"


async def test_it_lasts_longer_exactly_as_it_was_shown(house: House, shared: Shared) -> None:
    consent = (await house.consents.get(MAIR, HERSELF, shared.consent_id, "")).consent
    end = later(consent.terms.end, days=5)
    shown = (
        await house.amendments.preview_extension(MAIR, HERSELF, shared.consent_id, end)
    ).value.preview
    assert shown is not None

    with pytest.raises(ShownDiffersError):
        await house.amendments.extend(
            MAIR,
            HERSELF,
            new_id(),
            consent_id=shared.consent_id,
            end=later(end, days=1),
            shown=shown.shown,
            shown_hash=shown.shown_hash,
        )
    answer = await house.amendments.extend(
        MAIR,
        HERSELF,
        new_id(),
        consent_id=shared.consent_id,
        end=end,
        shown=shown.shown,
        shown_hash=shown.shown_hash,
    )

    assert answer.value.view.consent.terms.end == end
    assert answer.value.difference.end == (consent.terms.end, end)


async def test_it_lasts_no_longer_than_its_purpose_allows(house: House, shared: Shared) -> None:
    with pytest.raises(PurposeExceededError):
        await house.amendments.preview_extension(
            MAIR, HERSELF, shared.consent_id, later(house.clock.now(), days=101)
        )


async def test_a_start_in_the_future_is_kept(
    house: House, registered: Registered, clock: AdjustableClock
) -> None:
    start = later(house.clock.now(), days=3)
    shared = await share(house, MAIR, registered.service, start=start)
    with pytest.raises(ConsentNotStartedError):
        await fetch(house, shared)

    clock.ahead_seconds = 3 * 86_400 + 1

    await fetch(house, shared)


async def test_no_is_recorded_and_final(house: House, registered: Registered) -> None:
    evidence_id = await provide_address(house, MAIR)
    token = await ask(house, registered.service)
    request_id, _ = await claim_and_redeem(house, MAIR, registered.service, token)

    await house.consents.refuse(MAIR, HERSELF, new_id(), request_id)

    seen = await house.requests.get(registered.service, HERSELF, request_id)
    assert (seen.status, seen.consent_id) == ("refused", "")
    with pytest.raises(RequestAlreadyDecidedError):
        await grant(house, MAIR, request_id, a_choice(evidence_id))
    with pytest.raises(RequestAlreadyDecidedError):
        await house.requests.cancel(registered.service, new_id(), request_id)


async def test_somebody_elses_consent_cannot_be_changed(house: House, shared: Shared) -> None:
    await provide_address(house, NIA)
    for attempt in (
        house.amendments.pause(NIA, HERSELF, new_id(), shared.consent_id),
        house.amendments.resume(NIA, HERSELF, new_id(), shared.consent_id),
        narrow(house, dataclasses.replace(shared, citizen=NIA)),
    ):
        with pytest.raises(NotFoundError):
            await attempt
