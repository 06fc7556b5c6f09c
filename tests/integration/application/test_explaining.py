# SPDX-License-Identifier: Apache-2.0
"""As of any moment, and why something left: for the citizen and for the auditor."""

from __future__ import annotations

import json

import pytest

from tests.house import (
    AUDITOR,
    HERSELF,
    MAIR,
    NIA,
    OPERATOR,
    House,
    Registered,
    Shared,
    a_choice,
    a_purpose,
    ask,
    bounds,
    claim_and_redeem,
    fetch,
    new_id,
    provide_address,
    provided,
    revoke,
    texts,
)
from vault.application.audits import Moment
from vault.domain.errors import ConsentRevokedError, FieldInvalidError, NotFoundError
from vault.domain.values import later


async def version_of(house: House, shared: Shared, stored_name: str) -> int:
    names = await house.names(shared.vault_id)
    return names.index(stored_name) + 1


@pytest.mark.parametrize("caller", [MAIR, AUDITOR])
async def test_a_disclosure_is_explained_and_decided_again(
    house: House, registered: Registered, shared: Shared, caller: object
) -> None:
    await fetch(house, shared)
    version = await version_of(house, shared, "evidence-disclosed.1")
    # What came later changes nothing about then.
    await house.evidence.replace(
        MAIR, HERSELF, new_id(), shared.evidence_id, provided(postalCode="SY23 3BB")
    )
    await revoke(house, shared)
    await house.registry.publish_purpose(
        OPERATOR,
        new_id(),
        a_purpose(version=2),
        bounds(registered.service),
        texts("Something else"),
    )

    why = await house.audits.explain(caller, shared.vault_id, version)

    assert why.is_same is True
    assert why.consent_id == shared.consent_id
    assert (why.status, why.consent.revoked) == ("active", "")
    assert why.texts[0].title == "Care at home"
    assert why.texts_hash == why.consent.terms.notice_hash
    assert why.event.link.items[0].revision == 1


async def test_a_repeat_is_decided_again_as_a_repeat(house: House, shared: Shared) -> None:
    key = new_id()
    await fetch(house, shared, request_id=key)
    await fetch(house, shared, request_id=key)
    version = len(await house.names(shared.vault_id))

    why = await house.audits.explain(MAIR, shared.vault_id, version)

    assert why.event.facts.repeats
    assert why.is_same is True


async def test_a_refused_attempt_is_explained_too(house: House, shared: Shared) -> None:
    await revoke(house, shared)
    with pytest.raises(ConsentRevokedError):
        await fetch(house, shared)
    await house.disclosures.drain()
    version = await version_of(house, shared, "disclosure-refused.1")

    why = await house.audits.explain(MAIR, shared.vault_id, version)

    assert why.event.facts.reason == "CONSENT_REVOKED"
    assert (why.status, why.is_same) == ("revoked", None)


@pytest.mark.parametrize("version", [1, 2, 10**6, 2**63])
async def test_only_what_left_or_was_refused_is_explained(
    house: House, shared: Shared, version: int
) -> None:
    with pytest.raises(NotFoundError):
        await house.audits.explain(MAIR, shared.vault_id, version)


async def test_a_citizen_looks_at_her_own_alone_and_leaves_no_trace(
    house: House, shared: Shared
) -> None:
    await provide_address(house, NIA)
    before = await house.names(shared.vault_id)

    await house.audits.state(MAIR, shared.vault_id)
    with pytest.raises(NotFoundError):
        await house.audits.state(NIA, shared.vault_id)
    with pytest.raises(NotFoundError):
        await house.audits.explain(NIA, shared.vault_id, 1)
    with pytest.raises(NotFoundError):
        [item async for item in house.audits.replay_vault(NIA, shared.vault_id)]

    assert await house.names(shared.vault_id) == before


async def test_the_state_of_a_time_is_what_was_true_then(house: House, shared: Shared) -> None:
    granted = (await house.consents.get(MAIR, HERSELF, shared.consent_id, "")).consent.granted
    await revoke(house, shared)

    before = await house.audits.state(
        MAIR, shared.vault_id, as_of=Moment(time=later(granted, microseconds=-1))
    )
    at = await house.audits.state(MAIR, shared.vault_id, as_of=Moment(time=granted))
    after = await house.audits.state(MAIR, shared.vault_id)

    assert shared.consent_id not in before.state.consents
    assert at.state.consents[shared.consent_id].status(at.time) == "active"
    assert after.state.consents[shared.consent_id].status(after.time) == "revoked"


async def test_a_replay_as_of_a_time_ends_there(house: House, shared: Shared) -> None:
    granted = (await house.consents.get(MAIR, HERSELF, shared.consent_id, "")).consent.granted
    await revoke(house, shared)

    items = [
        item
        async for item in house.audits.replay_vault(
            MAIR, shared.vault_id, as_of=Moment(time=granted)
        )
    ]

    names = await house.names(shared.vault_id)
    assert len(items) - 1 == names.index("consent-granted.1") + 1
    assert items[-1].count == len(items) - 1
    last = (await house.records(shared.vault_id))[len(items) - 2]
    assert items[-1].sizes == {0: last.position + 1}


async def test_of_what_is_to_come_nothing_is_said(house: House, shared: Shared) -> None:
    tomorrow = Moment(time=later(house.clock.now(), days=1))
    before = await house.lane.tree_size()

    with pytest.raises(FieldInvalidError):
        await house.audits.state(AUDITOR, shared.vault_id, as_of=tomorrow)
    with pytest.raises(FieldInvalidError):
        [i async for i in house.audits.replay_vault(MAIR, shared.vault_id, as_of=tomorrow)]

    assert await house.lane.tree_size() == before


async def test_a_place_beyond_all_numbers_is_behind_the_end(house: House, shared: Shared) -> None:
    items = [
        item
        async for item in house.audits.replay_vault(MAIR, shared.vault_id, after_version=2**64 - 1)
    ]

    assert [item.count for item in items] == [0]


async def test_before_the_beginning_there_was_nothing(house: House, shared: Shared) -> None:
    with pytest.raises(NotFoundError):
        await house.audits.state(
            MAIR, shared.vault_id, as_of=Moment(time="2020-01-01T00:00:00.000000Z")
        )


async def test_the_preview_is_exactly_what_is_sent(house: House, registered: Registered) -> None:
    evidence_id = await provide_address(house, NIA)
    token = await ask(house, registered.service)
    request_id, subject = await claim_and_redeem(house, NIA, registered.service, token)
    choice = a_choice(evidence_id, "postalCode", "streetName")

    page = await house.consents.preview(NIA, HERSELF, request_id, choice)
    answer = await house.consents.grant(
        NIA,
        HERSELF,
        new_id(),
        consent_request_id=request_id,
        choice=choice,
        shown=page.shown,
        shown_hash=page.shown_hash,
    )

    state = (await house.citizens.get(NIA, HERSELF)).value
    shared = Shared(
        citizen=NIA,
        service=registered.service,
        vault_id=state.stream,
        evidence_id=evidence_id,
        consent_request_id=request_id,
        consent_id=answer.value.consent_id,
        subject=subject,
    )
    sent = json.loads((await fetch(house, shared, "postalCode", "streetName")).bundle)
    shown = json.loads(page.bundle)
    assert shown["items"] == sent["items"]
    assert shown["consent_id"] == sent["consent_id"]
