# SPDX-License-Identifier: Apache-2.0
"""What asking and taking back must not tell a service: whether she opened it, what she decided."""

from __future__ import annotations

import pytest

from tests.house import (
    HERSELF,
    MAIR,
    OFFICIAL,
    AdjustableClock,
    House,
    Registered,
    Shared,
    a_choice,
    a_question,
    ask,
    fail_once,
    grant,
    new_id,
    said,
)
from vault.application.caller import ActingFor
from vault.domain import request
from vault.domain.errors import LimitExceededError, RequestExpiredError, StoreUnavailableError
from vault.domain.request import Question


def of(subject: str) -> Question:
    return a_question(subject=subject, code_challenge="")


@pytest.fixture
def one_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let one request of a service wait for her at once, and no more."""
    monkeypatch.setattr(request, "PENDING_OF_ONE_SERVICE", 1)


async def claimed(house: House, registered: Registered) -> str:
    """Ask by a link that Mair follows, and return the request."""
    token = await ask(house, registered.service)
    answer = await house.claims.claim(MAIR, HERSELF, new_id(), token)
    return answer.value.view.consent_request_id


async def counter(house: House) -> ActingFor:
    """Return how an official acts for Mair, by a code that she made."""
    made = await house.citizens.create_assistance_code(MAIR, HERSELF, new_id())
    code = made.value.assistance_code
    return ActingFor(capacity="official", channel="counter", assistance_code=code)


async def test_taking_back_what_lapsed_does_not_tell_what_she_decided(
    house: House, registered: Registered, shared: Shared, clock: AdjustableClock
) -> None:
    unopened = (await ask(house, registered.service)).partition(".")[0]
    waiting = await claimed(house, registered)
    granted = await claimed(house, registered)
    await grant(house, MAIR, granted, a_choice(shared.evidence_id))
    refused = await claimed(house, registered)
    await house.consents.refuse(MAIR, HERSELF, new_id(), refused)
    before = await house.lane.tree_size()
    clock.ahead_seconds = 31 * 86_400

    for request_id in (unopened, waiting, granted, refused):
        with pytest.raises(RequestExpiredError):
            await house.requests.cancel(registered.service, new_id(), request_id)

    assert await house.lane.tree_size() == before


@pytest.mark.usefixtures("one_waits")
async def test_room_does_not_tell_what_she_opened_or_decided(
    house: House, registered: Registered, shared: Shared
) -> None:
    async def must_have_room() -> None:
        question = of(shared.subject)
        await house.requests.ask(registered.service, new_id(), question, said(), validate_only=True)

    request_id = await claimed(house, registered)
    await must_have_room()
    await house.consents.refuse(MAIR, HERSELF, new_id(), request_id)
    await must_have_room()

    await house.requests.ask(registered.service, new_id(), of(shared.subject), said())
    with pytest.raises(LimitExceededError):
        await must_have_room()


@pytest.mark.usefixtures("one_waits")
async def test_what_is_claimed_needs_no_room(
    house: House, registered: Registered, shared: Shared
) -> None:
    await house.requests.ask(registered.service, new_id(), of(shared.subject), said())
    asked = await house.requests.ask(
        registered.service, new_id(), a_question(code_challenge=""), said()
    )

    await house.claims.claim(
        OFFICIAL, await counter(house), new_id(), short_code=asked.value.short_code
    )
    await claimed(house, registered)

    assert len(await house.requests.list(MAIR, HERSELF, only_pending=True)) == 3


@pytest.mark.usefixtures("one_waits")
async def test_the_last_request_that_had_room_is_answered_again(
    house: House, registered: Registered, shared: Shared
) -> None:
    key, question = new_id(), of(shared.subject)

    first = await house.requests.ask(registered.service, key, question, said())
    again = await house.requests.ask(registered.service, key, question, said())

    assert again.value.view.consent_request_id == first.value.view.consent_request_id
    with pytest.raises(LimitExceededError):
        await house.requests.ask(registered.service, new_id(), question, said())


@pytest.mark.parametrize("stored_name", ["request-claimed.1", "consent-requested.2"])
async def test_an_officials_claim_that_broke_off_is_finished_by_the_retry(
    house: House,
    registered: Registered,
    shared: Shared,
    monkeypatch: pytest.MonkeyPatch,
    stored_name: str,
) -> None:
    asked = await house.requests.ask(
        registered.other_service, new_id(), a_question(code_challenge=""), said()
    )
    who, key, code = await counter(house), new_id(), asked.value.short_code
    fail_once(monkeypatch, house, stored_name)
    with pytest.raises(StoreUnavailableError):
        await house.claims.claim(OFFICIAL, who, key, short_code=code)

    answer = await house.claims.claim(OFFICIAL, who, key, short_code=code)

    assert (answer.value.code, answer.value.view.status) == ("", "pending")
    assert (await house.names(shared.vault_id)).count("consent-requested.2") == 2
    stream = answer.value.view.consent_request_id
    assert (await house.names(stream)).count("request-claimed.1") == 1
