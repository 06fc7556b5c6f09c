# SPDX-License-Identifier: Apache-2.0
"""Stops while a document is on its way: not one chunk leaves after they are acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import pytest

from tests.house import (
    HERSELF,
    MAIR,
    OFFICIAL,
    AdjustableClock,
    House,
    Registered,
    new_id,
    revoke,
    said,
)
from tests.integration.application.documents import (
    a_png,
    publish,
    shared_document,
    upload,
    wanting,
)
from vault.application.caller import ActingFor
from vault.application.documents import SEEN_FOR_SECONDS
from vault.domain.errors import (
    ConsentPausedError,
    ConsentRevokedError,
    LogUnwitnessedError,
    NotFoundError,
    ReleaseTooLateError,
)

Stop: TypeAlias = Callable[[], Awaitable[None]]


@pytest.fixture(autouse=True)
async def published(house: House, registered: Registered) -> None:
    """Let documents be uploaded and asked for."""
    await publish(house, registered)


@pytest.mark.parametrize(
    ("stop", "error"), [("pause", ConsentPausedError), ("revoke", ConsentRevokedError)]
)
async def test_a_stop_ends_the_stream_in_the_middle(
    house: House, registered: Registered, stop: str, error: type[Exception]
) -> None:
    shared = await shared_document(house, registered, a_png(2_000_000))
    parts = house.disclosures.disclose_document(shared.service, new_id(), wanting(shared), said())
    await anext(parts)
    await anext(parts)

    await getattr(house.amendments, stop)(MAIR, HERSELF, new_id(), shared.consent_id)

    with pytest.raises(error):
        await anext(parts)


async def test_no_chunk_leaves_once_what_is_recorded_goes_without_witnesses(
    house: House, registered: Registered, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = await shared_document(house, registered, a_png(2_000_000))
    parts = house.disclosures.disclose_document(shared.service, new_id(), wanting(shared), said())
    await anext(parts)
    await anext(parts)
    await asyncio.sleep(SEEN_FOR_SECONDS * 1.2)

    def refuse(_stream: str) -> None:
        raise LogUnwitnessedError

    monkeypatch.setattr(house.disclosures, "_must_be_witnessed", refuse)

    with pytest.raises(LogUnwitnessedError):
        await anext(parts)


def when(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, stop: Stop) -> None:
    """Let her stop it, acknowledged, while a look takes its time that saw it still permitted."""
    look = getattr(owner, name)

    async def slow(*args: Any, **options: Any) -> Any:
        seen = await look(*args, **options)
        monkeypatch.setattr(owner, name, look)
        await stop()
        return seen

    monkeypatch.setattr(owner, name, slow)


@pytest.mark.parametrize("slow", ["registry", "vault"])
@pytest.mark.parametrize("parts_before", [1, 2])
async def test_no_chunk_leaves_after_a_stop_however_slow_the_look_was(
    house: House,
    registered: Registered,
    monkeypatch: pytest.MonkeyPatch,
    slow: str,
    parts_before: int,
) -> None:
    shared = await shared_document(house, registered, a_png(2_000_000))
    parts = house.disclosures.disclose_document(shared.service, new_id(), wanting(shared), said())
    for _ in range(parts_before):
        await anext(parts)
    await asyncio.sleep(SEEN_FOR_SECONDS * 1.2)
    owner = (house.registry, "confirmed") if slow == "registry" else (house.vaults, "current")

    when(monkeypatch, *owner, lambda: revoke(house, shared))

    with pytest.raises(ConsentRevokedError):
        await anext(parts)


async def test_a_look_that_always_takes_too_long_ends_the_stream_at_the_deadline(
    house: House, registered: Registered, clock: AdjustableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = await shared_document(house, registered, a_png(2_000_000))
    parts = house.disclosures.disclose_document(
        shared.service, new_id(), wanting(shared), said(), deadline=clock.monotonic() + 30
    )
    await anext(parts)
    look = house.vaults.current

    async def slow(*args: Any) -> Any:
        clock.late_seconds += 1
        return await look(*args)

    monkeypatch.setattr(house.vaults, "current", slow)

    async with asyncio.timeout(20):
        with pytest.raises(ReleaseTooLateError):
            await anext(parts)


@pytest.mark.parametrize("is_meanwhile", [False, True])
async def test_an_official_reads_no_further_once_the_code_is_closed(
    house: House, monkeypatch: pytest.MonkeyPatch, *, is_meanwhile: bool
) -> None:
    evidence_id = await upload(house, a_png(2_000_000))
    made = await house.citizens.create_assistance_code(MAIR, HERSELF, new_id())
    _, way = made.value.state.sign_ins
    code = made.value.assistance_code
    who = ActingFor(capacity="official", channel="counter", assistance_code=code)
    parts = house.documents.download(OFFICIAL, who, evidence_id)
    await anext(parts)
    await anext(parts)

    async def close() -> None:
        await house.citizens.unlink_sign_in(MAIR, HERSELF, new_id(), way)

    if is_meanwhile:
        await asyncio.sleep(SEEN_FOR_SECONDS * 1.2)
        when(monkeypatch, house.vaults, "current", close)
    else:
        await close()

    with pytest.raises(NotFoundError):
        await anext(parts)
