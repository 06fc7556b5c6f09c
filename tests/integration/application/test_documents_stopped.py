# SPDX-License-Identifier: Apache-2.0
"""Stops while a document is on its way: not one chunk leaves after they are acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.house import (
    HERSELF,
    MAIR,
    OFFICIAL,
    AdjustableClock,
    House,
    Registered,
    Shared,
    new_id,
    provide_address,
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
from vault.application.registry import Confirmed
from vault.domain.errors import ConsentPausedError, ConsentRevokedError, NotFoundError


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


