# SPDX-License-Identifier: Apache-2.0
"""Changes upon changes: after what was shown, in another process, and at the limits of terms."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.house import (
    AUDITOR,
    HERSELF,
    MAIR,
    House,
    Registered,
    Shared,
    a_question,
    fetch,
    new_id,
    opened,
    revoke,
    said,
    share,
)
from vault.application.desk import STOP_SETTLES_SECONDS
from vault.domain.amendment import Narrowing, Remaining
from vault.domain.consent import Consent
from vault.domain.errors import (
    ConsentPausedError,
    FieldInvalidError,
    FieldNotGrantedError,
    FrequencyExhaustedError,
    NarrowingWidensError,
    PurposeExceededError,
    ShownDiffersError,
)
from vault.domain.values import LATEST_TIME, Time, later

BOTH = ("postalCode", "streetName")
POSTCODE = Remaining(item=1, names=("postalCode",))
ONLY_POSTCODE = Narrowing(items=(POSTCODE,), end=None, frequency_count=0)
WIDER = Narrowing(items=(Remaining(item=1, names=BOTH),), end=None, frequency_count=0)
ONCE_A_DAY = Narrowing(items=None, end=None, frequency_count=1)


def until(end: Time) -> Narrowing:
    return Narrowing(items=None, end=end, frequency_count=0)


async def now_of(house: House, shared: Shared) -> Consent:
    return (await house.consents.get(MAIR, HERSELF, shared.consent_id, "")).consent


async def narrow(house: House, shared: Shared, narrowing: Narrowing) -> None:
    await house.amendments.narrow(
        MAIR, HERSELF, new_id(), consent_id=shared.consent_id, narrowing=narrowing
    )


async def pause(house: House, shared: Shared) -> None:
    await house.amendments.pause(MAIR, HERSELF, new_id(), shared.consent_id)


async def extend(house: House, shared: Shared) -> None:
    """Share for five days longer, as it is shown."""
    end = later((await now_of(house, shared)).terms.end, days=5)
    found = await house.amendments.preview_extension(MAIR, HERSELF, shared.consent_id, end)
    shown = found.value.preview
    assert shown is not None
    await house.amendments.extend(
        MAIR,
        HERSELF,
        new_id(),
        consent_id=shared.consent_id,
        end=end,
        shown=shown.shown,
        shown_hash=shown.shown_hash,
    )


async def test_what_she_was_shown_before_she_shortened_it_extends_nothing(
    house: House, shared: Shared
) -> None:
    """The terms that it comes to are the same again, but the page told another change."""
    terms = (await now_of(house, shared)).terms
    end = later(terms.end, days=5)
    found = await house.amendments.preview_extension(MAIR, HERSELF, shared.consent_id, end)
    shown = found.value.preview
    assert shown is not None
    page = {"end": end, "shown": shown.shown, "shown_hash": shown.shown_hash}

    async def extend_as_shown() -> None:
        await house.amendments.extend(MAIR, HERSELF, new_id(), consent_id=shared.consent_id, **page)

    await extend_as_shown()
    tomorrow = later(terms.start, days=1)
    await narrow(house, shared, until(tomorrow))

    with pytest.raises(ShownDiffersError):
        await extend_as_shown()
    assert (await now_of(house, shared)).terms.end == tomorrow


@pytest.mark.parametrize(
    ("again", "error"), [(ONLY_POSTCODE, FieldInvalidError), (WIDER, NarrowingWidensError)]
)
async def test_a_refused_narrowing_is_told_no_sooner_than_one_is_acknowledged(
    house: House, registered: Registered, again: Narrowing, error: type[Exception]
) -> None:
    """She may take it for an acknowledgement of her first, which another window still waits for."""
    shared = await share(house, MAIR, registered.service, *BOTH)
    await narrow(house, shared, ONLY_POSTCODE)
    loop = asyncio.get_running_loop()
    began = loop.time()

    with pytest.raises(error):
        await narrow(house, shared, again)

    assert loop.time() - began >= STOP_SETTLES_SECONDS


@pytest.mark.parametrize("change", ["narrow", "pause"])
async def test_a_change_in_another_process_is_never_overtaken(
    house: House, registered: Registered, folder: Path, change: str
) -> None:
    shared = await share(house, MAIR, registered.service, *BOTH)
    await fetch(house, shared, "streetName")

    async with opened(folder) as other:
        if change == "narrow":
            await narrow(other, shared, ONLY_POSTCODE)
        else:
            await pause(other, shared)
        with pytest.raises((FieldNotGrantedError, ConsentPausedError)):
            await fetch(house, shared, "streetName")

    assert (await house.names(shared.vault_id)).count("evidence-disclosed.1") == 1


async def test_a_repeat_is_judged_by_what_is_shared_now(
    house: House, registered: Registered
) -> None:
    shared = await share(house, MAIR, registered.service, *BOTH)
    wide, fitting = new_id(), new_id()
    await fetch(house, shared, *BOTH, request_id=wide)
    await fetch(house, shared, "postalCode", request_id=fitting)

    await narrow(house, shared, ONLY_POSTCODE)
    with pytest.raises(FieldNotGrantedError):
        await fetch(house, shared, *BOTH, request_id=wide)
    await extend(house, shared)
    assert (await fetch(house, shared, request_id=fitting)).is_repeat
    await pause(house, shared)
    with pytest.raises(ConsentPausedError):
        await fetch(house, shared, request_id=fitting)
    await house.amendments.resume(MAIR, HERSELF, new_id(), shared.consent_id)
    # Twice today it was fetched; a repeat is no third time.
    await narrow(house, shared, Narrowing(items=None, end=None, frequency_count=2))
    with pytest.raises(FrequencyExhaustedError):
        await fetch(house, shared)
    assert (await fetch(house, shared, request_id=fitting)).is_repeat


async def test_every_disclosure_is_decided_again_as_it_was_whatever_changed(
    house: House, registered: Registered
) -> None:
    shared = await share(house, MAIR, registered.service, *BOTH)
    key = new_id()
    await fetch(house, shared, *BOTH)
    await narrow(house, shared, ONLY_POSTCODE)
    await fetch(house, shared, request_id=key)
    await pause(house, shared)
    await house.amendments.resume(MAIR, HERSELF, new_id(), shared.consent_id)
    await extend(house, shared)
    await fetch(house, shared, request_id=key)
    await revoke(house, shared)

    told = [
        (await house.audits.explain(AUDITOR, shared.vault_id, record.version)).is_same
        for record in await house.records(shared.vault_id)
        if record.topic == "evidence-disclosed.1"
    ]

    assert told == [True, True, True]


async def test_an_old_resumption_said_again_does_not_undo_a_later_pause(
    house: House, shared: Shared
) -> None:
    key = new_id()
    await pause(house, shared)
    await house.amendments.resume(MAIR, HERSELF, key, shared.consent_id)
    await pause(house, shared)

    answer = await house.amendments.resume(MAIR, HERSELF, key, shared.consent_id)

    assert answer.value.status == "paused"
    with pytest.raises(ConsentPausedError):
        await fetch(house, shared)


async def test_what_has_not_started_cannot_end_before_it_does(
    house: House, registered: Registered
) -> None:
    start = later(house.clock.now(), days=3)
    shared = await share(house, MAIR, registered.service, start=start)

    with pytest.raises(FieldInvalidError):
        await narrow(house, shared, until(later(start, days=-1)))
    await narrow(house, shared, until(later(start, days=1)))

    assert (await now_of(house, shared)).terms.end == later(start, days=1)


@pytest.mark.parametrize(
    ("items", "error"),
    [
        ((POSTCODE, Remaining(item=1, names=("streetName",))), FieldInvalidError),
        ((Remaining(item=2**32 - 1, names=("postalCode",)),), NarrowingWidensError),
    ],
)
async def test_what_is_left_names_each_piece_that_is_shared_once(
    house: House, registered: Registered, items: tuple[Remaining, ...], error: type[Exception]
) -> None:
    shared = await share(house, MAIR, registered.service, *BOTH)

    with pytest.raises(error):
        await narrow(house, shared, Narrowing(items=items, end=None, frequency_count=0))

    assert "consent-narrowed.1" not in await house.names(shared.vault_id)


async def test_what_leaves_once_is_neither_made_often_nor_used_up_and_extended(
    house: House, registered: Registered
) -> None:
    shared = await share(house, MAIR, registered.service, frequency=None)

    with pytest.raises(NarrowingWidensError):
        await narrow(house, shared, ONCE_A_DAY)
    await fetch(house, shared)
    with pytest.raises(FrequencyExhaustedError):
        await extend(house, shared)


@pytest.mark.parametrize("name", ["start", "end", "expires"])
async def test_the_last_time_that_can_be_written_is_too_late(
    house: House, shared: Shared, name: str
) -> None:
    with pytest.raises((PurposeExceededError, FieldInvalidError)):
        await house.requests.ask(
            shared.service, new_id(), a_question(**{name: LATEST_TIME}), said()
        )
    with pytest.raises(PurposeExceededError):
        await house.amendments.preview_extension(MAIR, HERSELF, shared.consent_id, LATEST_TIME)
