# SPDX-License-Identifier: Apache-2.0
"""A request on its way from a service into one vault, and nobody else's."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.house import (
    HERSELF,
    MAIR,
    NIA,
    OPERATOR,
    VERIFIER,
    AdjustableClock,
    House,
    Registered,
    Shared,
    a_question,
    ask,
    claim_and_redeem,
    fail_once,
    new_id,
    opened,
    provide_address,
    said,
)
from vault.domain.errors import (
    CodeAlreadyRedeemedError,
    NotFoundError,
    RequestAlreadyClaimedError,
    RequestExpiredError,
    ServiceSuspendedError,
    StoreUnavailableError,
    VaultNotOpenError,
)
from vault.domain.values import later

DAY = 86_400


async def test_a_claimed_request_stands_in_her_vault_as_it_was_asked(
    house: House, shared: Shared
) -> None:
    requests = await house.requests.list(MAIR, HERSELF)

    (asked,) = await house.facts(shared.consent_request_id, "request-made.2")
    assert [view.asked for view in requests] == [asked.asked]


async def test_the_requests_own_stream_does_not_know_her_vault(
    house: House, shared: Shared
) -> None:
    for record in await house.records(shared.consent_request_id):
        assert shared.vault_id.encode() not in (record.state or b"")


async def test_what_the_service_said_comes_back_with_her(
    house: House, registered: Registered
) -> None:
    answer = await house.requests.ask(
        registered.service,
        new_id(),
        a_question(),
        said(state="opaque", return_uri="https://service.example/back", external_reference="17"),
    )
    await house.citizens.open(NIA, HERSELF)

    claimed = (await house.claims.claim(NIA, HERSELF, new_id(), answer.value.handoff_token)).value

    assert (claimed.state, claimed.return_uri) == ("opaque", "https://service.example/back")
    # The caller's own reference is for the caller.
    assert claimed.view.external_reference == ""


async def test_a_service_learns_the_subject_only_for_the_code(
    house: House, registered: Registered
) -> None:
    token = await ask(house, registered.service)
    claimed = (await house.claims.claim(MAIR, HERSELF, new_id(), token)).value
    request_id = claimed.view.consent_request_id

    before = await house.requests.get(registered.service, HERSELF, request_id)
    await house.requests.redeem(registered.service, new_id(), request_id, claimed.code, VERIFIER)
    after = await house.requests.get(registered.service, HERSELF, request_id)

    assert (before.subject, bool(after.subject)) == ("", True)


async def test_one_service_knows_her_by_one_subject_and_another_by_another(
    house: House, registered: Registered, shared: Shared
) -> None:
    token = await ask(house, registered.service)
    _, again = await claim_and_redeem(house, MAIR, registered.service, token)
    token = await ask(house, registered.other_service)
    _, other = await claim_and_redeem(house, MAIR, registered.other_service, token)

    assert again == shared.subject
    assert other != shared.subject


async def test_what_somebody_else_claimed_cannot_be_claimed(
    house: House, registered: Registered
) -> None:
    token = await ask(house, registered.service)
    await house.citizens.open(NIA, HERSELF)
    await house.claims.claim(MAIR, HERSELF, new_id(), token)

    with pytest.raises(RequestAlreadyClaimedError):
        await house.claims.claim(NIA, HERSELF, new_id(), token)

    assert await house.requests.list(NIA, HERSELF) == ()


async def test_of_two_who_claim_at_once_one_succeeds(house: House, registered: Registered) -> None:
    token = await ask(house, registered.service)
    await house.citizens.open(NIA, HERSELF)

    outcomes = await asyncio.gather(
        *(house.claims.claim(who, HERSELF, new_id(), token) for who in (MAIR, NIA)),
        return_exceptions=True,
    )

    refused = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert [type(error) for error in refused] == [RequestAlreadyClaimedError]


async def test_she_may_open_her_own_link_again(house: House, registered: Registered) -> None:
    token = await ask(house, registered.service)
    first = await house.claims.claim(MAIR, HERSELF, new_id(), token)

    again = await house.claims.claim(MAIR, HERSELF, new_id(), token)

    assert again == first


async def test_a_claim_that_broke_off_between_its_two_streams_is_finished_by_the_retry(
    house: House, registered: Registered, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await ask(house, registered.service)
    request_id = new_id()
    fail_once(monkeypatch, house, "consent-requested.2")
    with pytest.raises(StoreUnavailableError):
        await house.claims.claim(MAIR, HERSELF, request_id, token)

    claimed = (await house.claims.claim(MAIR, HERSELF, request_id, token)).value

    stream = claimed.view.consent_request_id
    assert await house.names(stream) == ["request-made.2", "request-claimed.1"]
    received = await house.facts(shared.vault_id, "consent-requested.2")
    assert [facts.consent_request_id for facts in received].count(stream) == 1


async def test_a_claim_that_broke_off_is_hers_and_nobody_elses(
    house: House, registered: Registered, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await ask(house, registered.service)
    await house.citizens.open(NIA, HERSELF)
    fail_once(monkeypatch, house, "consent-requested.2")
    with pytest.raises(StoreUnavailableError):
        await house.claims.claim(MAIR, HERSELF, new_id(), token)

    with pytest.raises(RequestAlreadyClaimedError):
        await house.claims.claim(NIA, HERSELF, new_id(), token)
    await house.claims.claim(MAIR, HERSELF, new_id(), token)

    assert len(await house.requests.list(MAIR, HERSELF)) == 2


async def test_a_claim_that_failed_at_once_leaves_the_request_free(
    house: House, registered: Registered, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await ask(house, registered.service)
    await house.citizens.open(NIA, HERSELF)
    fail_once(monkeypatch, house, "request-claimed.1")
    with pytest.raises(StoreUnavailableError):
        await house.claims.claim(MAIR, HERSELF, new_id(), token)

    claimed = (await house.claims.claim(NIA, HERSELF, new_id(), token)).value

    assert claimed.view.status == "pending"


async def test_a_claim_is_retried_at_a_process_that_knows_nothing_of_it(
    house: House, registered: Registered, folder: Path
) -> None:
    """The other process remembers her keyring of before she had a subject for the service."""
    token, key = await ask(house, registered.other_service), new_id()

    async with opened(folder) as other:
        await provide_address(other, MAIR)
        first = await house.claims.claim(MAIR, HERSELF, key, token)
        again = await other.claims.claim(MAIR, HERSELF, key, token)

    assert again.value.code == first.value.code != ""


async def test_a_lapsed_request_cannot_be_claimed(
    house: House, clock: AdjustableClock, registered: Registered
) -> None:
    token = await ask(house, registered.service)
    clock.ahead_seconds = 30 * DAY + 1

    with pytest.raises(RequestExpiredError):
        await house.claims.claim(MAIR, HERSELF, new_id(), token)


async def test_without_a_vault_nothing_can_be_claimed(house: House, registered: Registered) -> None:
    token = await ask(house, registered.service)

    with pytest.raises(VaultNotOpenError):
        await house.claims.claim(NIA, HERSELF, new_id(), token)


@pytest.mark.parametrize("change", ["", "x", "é", "."])
async def test_a_link_that_is_not_ours_leads_nowhere(
    house: House, registered: Registered, change: str
) -> None:
    token = await ask(house, registered.service)
    forged = token.replace(".", "") if change == "." else token[:-1] + change

    with pytest.raises(NotFoundError):
        await house.claims.claim(MAIR, HERSELF, new_id(), forged)


async def test_a_code_is_redeemed_once_whoever_holds_it(
    house: House, registered: Registered
) -> None:
    token = await ask(house, registered.service)
    claimed = (await house.claims.claim(MAIR, HERSELF, new_id(), token)).value
    stream = claimed.view.consent_request_id
    await house.requests.redeem(registered.service, new_id(), stream, claimed.code, VERIFIER)

    with pytest.raises(CodeAlreadyRedeemedError):
        await house.requests.redeem(registered.service, new_id(), stream, claimed.code, VERIFIER)


async def test_a_suspended_service_cannot_ask(house: House, registered: Registered) -> None:
    await house.registry.suspend_service(OPERATOR, new_id(), registered.service.sub)

    with pytest.raises(ServiceSuspendedError):
        await ask(house, registered.service)


async def test_a_request_can_end_no_later_than_its_purpose_allows(
    house: House, registered: Registered
) -> None:
    token = await ask(house, registered.service, end=later(house.clock.now(), days=99))

    claimed = (await house.claims.claim(MAIR, HERSELF, new_id(), token)).value
    assert claimed.view.asked.end <= later(claimed.view.time, days=100)
