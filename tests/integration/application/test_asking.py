# SPDX-License-Identifier: Apache-2.0
"""Ways of asking: of somebody whom the service knows, by a short code, dry, and taken back."""

from __future__ import annotations

import asyncio

import pytest

from tests.house import (
    HERSELF,
    MAIR,
    OFFICIAL,
    VERIFIER,
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
    provide_address,
    said,
)
from vault.application.caller import ActingFor
from vault.domain.errors import (
    LimitExceededError,
    NotFoundError,
    PurposeExceededError,
    RequestAlreadyClaimedError,
    RequestAlreadyDecidedError,
    RequestCancelledError,
    RequestExpiredError,
    StoreUnavailableError,
)
from vault.domain.request import PENDING_OF_ONE_SERVICE, Question
from vault.domain.values import later


def of(subject: str) -> Question:
    return a_question(subject=subject, code_challenge="")


async def counter(house: House) -> ActingFor:
    """Return how an official acts for Mair, by a code that she made."""
    answer = await house.citizens.create_assistance_code(MAIR, HERSELF, new_id())
    code = answer.value.assistance_code
    return ActingFor(capacity="official", channel="counter", assistance_code=code)


async def test_a_service_that_knows_her_asks_her_directly(
    house: House, registered: Registered, shared: Shared
) -> None:
    answer = await house.requests.ask(registered.service, new_id(), of(shared.subject), said())

    request_id = answer.value.view.consent_request_id
    assert (answer.value.handoff_token, answer.value.short_code) == ("", "")
    (newest, *_) = await house.requests.list(MAIR, HERSELF, only_pending=True)
    assert newest.consent_request_id == request_id
    consent_id = await grant(house, MAIR, request_id, a_choice(shared.evidence_id))
    seen = await house.requests.get(registered.service, HERSELF, request_id)
    assert (seen.status, seen.subject, seen.consent_id) == (
        "granted",
        shared.subject,
        consent_id,
    )


async def test_a_subject_of_another_service_is_nobody(
    house: House, registered: Registered, shared: Shared
) -> None:
    with pytest.raises(NotFoundError):
        await house.requests.ask(registered.other_service, new_id(), of(shared.subject), said())


async def test_a_service_cannot_flood_her(
    house: House, registered: Registered, shared: Shared
) -> None:
    for _ in range(PENDING_OF_ONE_SERVICE):
        await house.requests.ask(registered.service, new_id(), of(shared.subject), said())
    before = await house.lane.tree_size()

    with pytest.raises(LimitExceededError):
        await house.requests.ask(registered.service, new_id(), of(shared.subject), said())

    assert await house.lane.tree_size() == before


async def test_a_request_that_did_not_arrive_is_brought_by_the_retry(
    house: House, registered: Registered, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = new_id()
    fail_once(monkeypatch, house, "consent-requested.2")
    with pytest.raises(StoreUnavailableError):
        await house.requests.ask(registered.service, key, of(shared.subject), said())

    await house.requests.ask(registered.service, key, of(shared.subject), said())

    assert len(await house.requests.list(MAIR, HERSELF, only_pending=True)) == 1


async def test_a_dry_run_is_judged_and_leaves_nothing(house: House, registered: Registered) -> None:
    before = await house.lane.tree_size()

    answer = await house.requests.ask(
        registered.service, new_id(), a_question(), said(), validate_only=True
    )
    with pytest.raises(PurposeExceededError):
        await house.requests.ask(
            registered.service,
            new_id(),
            a_question(end=later(house.clock.now(), days=400)),
            said(),
            validate_only=True,
        )

    assert answer.value.view.consent_request_id == ""
    assert answer.value.view.asked.end > house.clock.now()
    assert await house.lane.tree_size() == before


async def test_a_short_code_is_claimed_by_an_official_alone(
    house: House, registered: Registered
) -> None:
    await provide_address(house, MAIR)
    answer = await house.requests.ask(
        registered.service, new_id(), a_question(code_challenge=""), said()
    )
    code = answer.value.short_code
    acting = await counter(house)

    with pytest.raises(NotFoundError):
        await house.claims.claim(MAIR, HERSELF, new_id(), short_code=code)
    claimed = await house.claims.claim(
        OFFICIAL, acting, new_id(), short_code=code.lower().replace("-", " ")
    )

    assert claimed.value.code == ""
    request_id = claimed.value.view.consent_request_id
    seen = await house.requests.get(registered.service, HERSELF, request_id)
    assert seen.subject != ""


async def test_a_repeated_question_has_the_same_short_code(
    house: House, registered: Registered
) -> None:
    key, question = new_id(), a_question(code_challenge="")

    first = await house.requests.ask(registered.service, key, question, said())
    again = await house.requests.ask(registered.service, key, question, said())

    assert again.value.short_code == first.value.short_code != ""


async def test_a_request_is_taken_back_before_anybody_claims_it(
    house: House, registered: Registered
) -> None:
    await provide_address(house, MAIR)
    token = await ask(house, registered.service)
    request_id = token.partition(".")[0]

    answer = await house.requests.cancel(registered.service, new_id(), request_id)

    assert answer.value.status == "cancelled"
    with pytest.raises(RequestCancelledError):
        await house.claims.claim(MAIR, HERSELF, new_id(), token)
    with pytest.raises(RequestCancelledError):
        await house.requests.cancel(registered.service, new_id(), request_id)


async def test_a_cancelled_request_cannot_be_granted(house: House, registered: Registered) -> None:
    evidence_id = await provide_address(house, MAIR)
    token = await ask(house, registered.service)
    claimed = (await house.claims.claim(MAIR, HERSELF, new_id(), token)).value
    request_id = claimed.view.consent_request_id

    await house.requests.cancel(registered.service, new_id(), request_id)

    with pytest.raises(RequestCancelledError):
        await grant(house, MAIR, request_id, a_choice(evidence_id))
    (view, *_) = await house.requests.list(MAIR, HERSELF)
    assert view.status == "cancelled"


async def test_a_granted_request_cannot_be_taken_back(
    house: House, registered: Registered, shared: Shared
) -> None:
    with pytest.raises(RequestAlreadyDecidedError):
        await house.requests.cancel(registered.service, new_id(), shared.consent_request_id)

    assert "request-cancelled.1" not in await house.names(shared.consent_request_id)


async def test_taking_back_does_not_tell_what_was_decided_before_the_code_came_back(
    house: House, registered: Registered
) -> None:
    evidence_id = await provide_address(house, MAIR)
    token = await ask(house, registered.service)
    claimed = (await house.claims.claim(MAIR, HERSELF, new_id(), token)).value
    request_id = claimed.view.consent_request_id
    await grant(house, MAIR, request_id, a_choice(evidence_id))

    answer = await house.requests.cancel(registered.service, new_id(), request_id)

    assert (answer.value.status, answer.value.subject) == ("cancelled", "")
    with pytest.raises(RequestCancelledError):
        await house.requests.redeem(
            registered.service, new_id(), request_id, claimed.code, VERIFIER
        )


async def test_a_request_is_taken_back_by_its_service_alone(
    house: House, registered: Registered
) -> None:
    token = await ask(house, registered.service)

    with pytest.raises(NotFoundError):
        await house.requests.cancel(registered.other_service, new_id(), token.partition(".")[0])


async def test_taking_back_against_a_claim_leaves_one_truth(
    house: House, registered: Registered
) -> None:
    evidence_id = await provide_address(house, MAIR)
    for _ in range(8):
        token = await ask(house, registered.service)
        request_id = token.partition(".")[0]
        await asyncio.gather(
            house.claims.claim(MAIR, HERSELF, new_id(), token),
            house.requests.cancel(registered.service, new_id(), request_id),
            return_exceptions=True,
        )
        with pytest.raises((RequestCancelledError, NotFoundError)):
            await grant(house, MAIR, request_id, a_choice(evidence_id))
        assert (
            await house.requests.get(registered.service, HERSELF, request_id)
        ).status == "cancelled"


@pytest.mark.parametrize("stored_name", ["consent-request-cancelled.1", "request-cancelled.1"])
async def test_a_taking_back_that_broke_off_is_finished_by_the_retry(
    house: House,
    registered: Registered,
    shared: Shared,
    monkeypatch: pytest.MonkeyPatch,
    stored_name: str,
) -> None:
    token = await ask(house, registered.service)
    claimed = (await house.claims.claim(MAIR, HERSELF, new_id(), token)).value
    request_id, key = claimed.view.consent_request_id, new_id()
    fail_once(monkeypatch, house, stored_name)
    with pytest.raises(StoreUnavailableError):
        await house.requests.cancel(registered.service, key, request_id)

    answer = await house.requests.cancel(registered.service, key, request_id)
    again = await house.requests.cancel(registered.service, key, request_id)

    assert answer.value.status == again.value.status == "cancelled"
    assert (await house.names(request_id)).count("request-cancelled.1") == 1
    assert (await house.names(shared.vault_id)).count("consent-request-cancelled.1") == 1


async def test_a_request_lapses_unanswered(
    house: House, registered: Registered, shared: Shared, clock: AdjustableClock
) -> None:
    answer = await house.requests.ask(registered.service, new_id(), of(shared.subject), said())
    request_id = answer.value.view.consent_request_id

    clock.ahead_seconds = 31 * 86_400

    assert (await house.requests.get(registered.service, HERSELF, request_id)).status == "expired"
    with pytest.raises(RequestExpiredError):
        await house.consents.refuse(MAIR, HERSELF, new_id(), request_id)


async def test_the_wrong_verifier_redeems_nothing(house: House, registered: Registered) -> None:
    await provide_address(house, MAIR)
    token = await ask(house, registered.service)
    claimed = (await house.claims.claim(MAIR, HERSELF, new_id(), token)).value
    request_id = claimed.view.consent_request_id

    with pytest.raises(NotFoundError):
        await house.requests.redeem(
            registered.service, new_id(), request_id, claimed.code, "w" * 43
        )
    await house.requests.redeem(registered.service, new_id(), request_id, claimed.code, VERIFIER)


async def test_a_claimed_short_code_is_claimed_once(house: House, registered: Registered) -> None:
    await provide_address(house, MAIR)
    answer = await house.requests.ask(
        registered.service, new_id(), a_question(code_challenge=""), said()
    )
    await house.claims.claim(
        OFFICIAL, await counter(house), new_id(), short_code=answer.value.short_code
    )
    opened = await house.citizens.open(
        OFFICIAL, ActingFor(capacity="official", channel="phone"), new_id()
    )
    another = ActingFor(
        capacity="official", channel="phone", assistance_code=opened.value.assistance_code
    )

    with pytest.raises(RequestAlreadyClaimedError):
        await house.claims.claim(OFFICIAL, another, new_id(), short_code=answer.value.short_code)
