# SPDX-License-Identifier: Apache-2.0
"""What an official is shown of hers is recorded first, and ends when she closes the code."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.house import (
    HERSELF,
    MAIR,
    OFFICIAL,
    House,
    Registered,
    Shared,
    a_choice,
    ask,
    new_id,
    opened,
    provided,
)
from vault.application.caller import ActingFor, Agreement
from vault.application.desk import STOP_SETTLES_SECONDS
from vault.domain.amendment import Narrowing
from vault.domain.errors import FieldInvalidError, NotFoundError, VaultError
from vault.domain.values import Channel
from vault.store.record import read_event

Look: TypeAlias = Callable[[House, ActingFor, Shared], Awaitable[object]]

LESS_OFTEN = Narrowing(items=None, end=None, frequency_count=1)


async def handed_over(house: House) -> tuple[ActingFor, str]:
    """Return how an official acts for Mair by a new code of hers, and the way that it is."""
    made = (await house.citizens.create_assistance_code(MAIR, HERSELF, new_id())).value
    who = ActingFor(capacity="official", channel="counter", assistance_code=made.assistance_code)
    return who, next(reversed(made.state.sign_ins))


async def waiting(house: House, registered: Registered) -> tuple[str, str]:
    """Return the link and the id of a request that Mair claimed."""
    token = await ask(house, registered.service)
    claimed = await house.claims.claim(MAIR, HERSELF, new_id(), token)
    return token, claimed.value.view.consent_request_id


async def at_her_vault(house: House, who: ActingFor, shared: Shared) -> object:
    del shared
    return await house.citizens.get(OFFICIAL, who)


async def at_a_consent(house: House, who: ActingFor, shared: Shared) -> object:
    return await house.consents.get(OFFICIAL, who, shared.consent_id, "")


async def at_a_request(house: House, who: ActingFor, shared: Shared) -> object:
    return await house.requests.get(OFFICIAL, who, shared.consent_request_id)


async def at_what_less_would_be(house: House, who: ActingFor, shared: Shared) -> object:
    return await house.amendments.narrow(
        OFFICIAL,
        who,
        new_id(),
        consent_id=shared.consent_id,
        narrowing=LESS_OFTEN,
        validate_only=True,
    )


@pytest.mark.parametrize("look", [at_her_vault, at_a_consent, at_a_request, at_what_less_would_be])
async def test_a_look_is_recorded(house: House, shared: Shared, look: Look) -> None:
    who, _ = await handed_over(house)

    await look(house, who, shared)

    assert (await house.names(shared.vault_id))[-1] == "vault-read.1"


async def test_a_look_at_what_would_be_shared_is_recorded(
    house: House, registered: Registered, shared: Shared
) -> None:
    _, request_id = await waiting(house, registered)
    who, _ = await handed_over(house)

    await house.consents.preview(OFFICIAL, who, request_id, a_choice(shared.evidence_id))

    assert "vault-read.1" in await house.names(shared.vault_id)


async def test_claiming_what_she_has_already_is_a_look(
    house: House, registered: Registered, shared: Shared
) -> None:
    token, request_id = await waiting(house, registered)
    await house.consents.refuse(MAIR, HERSELF, new_id(), request_id)
    who, _ = await handed_over(house)

    answer = await house.claims.claim(OFFICIAL, who, new_id(), token)

    assert answer.value.view.status == "refused"
    assert (await house.names(shared.vault_id))[-1] == "vault-read.1"


async def test_a_code_is_closed_when_nothing_that_it_opened_can_still_leave(house: House) -> None:
    _, way = await handed_over(house)
    loop = asyncio.get_running_loop()
    began = loop.time()

    await house.citizens.unlink_sign_in(MAIR, HERSELF, new_id(), way)

    assert loop.time() - began >= STOP_SETTLES_SECONDS


async def test_a_code_that_is_closed_in_another_process_is_closed_here(
    house: House, shared: Shared, folder: Path
) -> None:
    who, way = await handed_over(house)
    await house.evidence.list(OFFICIAL, who)

    async with opened(folder) as other:
        await other.citizens.unlink_sign_in(MAIR, HERSELF, new_id(), way)
    before = await house.lane.tree_size()
    for attempt in (
        house.evidence.list(OFFICIAL, who),
        house.amendments.pause(OFFICIAL, who, new_id(), shared.consent_id),
        house.evidence.provide(OFFICIAL, who, new_id(), "postal_address", provided()),
    ):
        with pytest.raises(NotFoundError):
            await attempt

    assert await house.lane.tree_size() == before


async def test_a_retry_by_a_closed_code_shows_nothing(house: House) -> None:
    who, way = await handed_over(house)
    _, another = await handed_over(house)
    key = new_id()
    await house.citizens.unlink_sign_in(OFFICIAL, who, key, another)
    await house.citizens.unlink_sign_in(MAIR, HERSELF, new_id(), way)

    with pytest.raises(NotFoundError):
        await house.citizens.unlink_sign_in(OFFICIAL, who, key, another)


async def test_a_closed_code_stays_closed_when_its_making_is_repeated(house: House) -> None:
    key = new_id()
    made = (await house.citizens.create_assistance_code(MAIR, HERSELF, key)).value
    _, way = made.state.sign_ins
    await house.citizens.unlink_sign_in(MAIR, HERSELF, new_id(), way)

    again = (await house.citizens.create_assistance_code(MAIR, HERSELF, key)).value

    assert again.assistance_code == made.assistance_code
    with pytest.raises(NotFoundError):
        await house.citizens.get(
            OFFICIAL,
            ActingFor(capacity="official", channel="counter", assistance_code=made.assistance_code),
        )


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"channel": "web"},
        {"capacity": "self"},
        {"vault_id": "18b2ae0c-0000-8000-8000-000000000000"},
    ],
)
async def test_a_code_that_was_closed_and_one_that_never_was_look_the_same(
    house: House, wrong: dict[str, str]
) -> None:
    who, way = await handed_over(house)
    await house.citizens.unlink_sign_in(MAIR, HERSELF, new_id(), way)
    closed = replace(who, **wrong)
    unknown = replace(closed, assistance_code="AAAAA-AAAAA-AAAAA-AAAAA")

    told = []
    for acting in (closed, unknown):
        with pytest.raises(VaultError) as refused:
            await house.citizens.get(OFFICIAL, acting)
        told.append((type(refused.value), str(refused.value)))

    assert told[0] == told[1]


@pytest.mark.parametrize(
    ("channel", "agreement"),
    [
        ("letter", Agreement()),
        ("letter", Agreement(kind="staff-assisted", proof=b"x")),
        ("counter", Agreement(kind="paper", proof=b"letter 7")),
        ("phone", Agreement(kind="webauthn", proof=b"x")),
    ],
)
async def test_a_stop_needs_no_agreement_and_claims_none(
    house: House, shared: Shared, channel: Channel, agreement: Agreement
) -> None:
    who, _ = await handed_over(house)

    await house.amendments.revoke(
        OFFICIAL, replace(who, channel=channel), new_id(), shared.consent_id, agreement
    )

    last = (await house.records(shared.vault_id))[-1]
    event = read_event(last.state or b"")
    assert last.topic == "consent-revoked.1"
    assert (event.link.approval.kind, event.link.approval.proof_hash) == ("", "")
    assert "approval" not in {mark.kind for mark in event.link.payloads}


async def test_her_own_stop_is_not_held_up_by_a_proof_that_nobody_verifies(
    house: House, shared: Shared
) -> None:
    proof = Agreement(kind="webauthn", proof=b"x")

    await house.amendments.pause(MAIR, HERSELF, new_id(), shared.consent_id, proof)

    event = read_event((await house.records(shared.vault_id))[-1].state or b"")
    assert event.link.approval.kind == "session"
    with pytest.raises(FieldInvalidError):
        await house.amendments.resume(MAIR, HERSELF, new_id(), shared.consent_id, proof)


@pytest.mark.parametrize("channel", ["counter", "phone", "letter"])
async def test_what_she_does_herself_is_never_said_to_be_an_officials(
    house: House, shared: Shared, channel: Channel
) -> None:
    with pytest.raises(FieldInvalidError):
        await house.amendments.pause(MAIR, ActingFor(channel=channel), new_id(), shared.consent_id)

    assert "consent-paused.1" not in await house.names(shared.vault_id)
