# SPDX-License-Identifier: Apache-2.0
"""The assisted channel: an official acts by a code that she gave, and every event says so."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

import pytest

from tests.house import (
    HERSELF,
    MAIR,
    OFFICIAL,
    House,
    Registered,
    Shared,
    a_choice,
    a_question,
    fail_once,
    new_id,
    provided,
    said,
)
from vault.application.caller import ActingFor, Agreement
from vault.domain.errors import (
    CapacityNotAllowedError,
    FieldInvalidError,
    NotFoundError,
    StoreUnavailableError,
)
from vault.domain.values import Channel, later
from vault.store.record import read_event

ASSISTED = Agreement(kind="staff-assisted", proof=b"She said yes and signed nothing.")


def acting(code: str, channel: Channel = "counter") -> ActingFor:
    return ActingFor(capacity="official", channel=channel, assistance_code=code)


async def opened_for(house: House, channel: Channel = "counter") -> tuple[str, ActingFor]:
    """Have an official open a vault for somebody; return it, and how the official acts then."""
    answer = await house.citizens.open(
        OFFICIAL, ActingFor(capacity="official", channel=channel), new_id()
    )
    return answer.value.state.stream, acting(answer.value.assistance_code, channel)


async def granted_for(
    house: House, registered: Registered, who: ActingFor, agreement: Agreement
) -> str:
    """Provide, claim by short code and grant, all by the official; return the consent."""
    given = await house.evidence.provide(OFFICIAL, who, new_id(), "postal_address", provided())
    asked = await house.requests.ask(
        registered.service, new_id(), a_question(code_challenge=""), said()
    )
    claimed = await house.claims.claim(OFFICIAL, who, new_id(), short_code=asked.value.short_code)
    request_id = claimed.value.view.consent_request_id
    choice = a_choice(given.value.evidence.evidence_id)
    page = await house.consents.preview(OFFICIAL, who, request_id, choice)
    answer = await house.consents.grant(
        OFFICIAL,
        who,
        new_id(),
        consent_request_id=request_id,
        choice=choice,
        shown=page.shown,
        shown_hash=page.shown_hash,
        agreement=agreement,
    )
    return answer.value.consent_id


async def test_an_official_opens_provides_and_decides_with_her_agreement(
    house: House, registered: Registered
) -> None:
    vault_id, who = await opened_for(house)

    await granted_for(house, registered, who, ASSISTED)

    events = [read_event(r.state) for r in await house.records(vault_id) if r.state]
    (way,) = await house.facts(vault_id, "sign-in-linked.2")
    assert {e.link.acting.capacity for e in events} == {"official"}
    assert {e.link.acting.channel for e in events} == {"counter"}
    assert {e.link.acting.mandate for e in events} == {way.sign_in}
    assert len({e.link.acting.actor for e in events}) == 1
    (grant,) = [e for e in events if e.facts.__struct_config__.tag == "consent-granted.1"]
    assert grant.link.approval.kind == "staff-assisted"
    assert grant.link.approval.proof_hash


async def test_she_sees_who_helped_her(house: House, registered: Registered) -> None:
    _, who = await opened_for(house)
    await granted_for(house, registered, who, ASSISTED)

    page = await house.citizens.history(OFFICIAL, who, limit=50, only_disclosures=False)

    names = {line.particulars.staff_ref for line in page.lines if line.particulars}
    assert names == {OFFICIAL.sub}


async def test_whatever_an_official_is_shown_is_recorded_first(house: House) -> None:
    vault_id, who = await opened_for(house)
    given = await house.evidence.provide(OFFICIAL, who, new_id(), "postal_address", provided())
    looks: list[Callable[[], Awaitable[object]]] = [
        lambda: house.evidence.get(OFFICIAL, who, given.value.evidence.evidence_id),
        lambda: house.evidence.list(OFFICIAL, who),
        lambda: house.requests.list(OFFICIAL, who),
        lambda: house.consents.list(OFFICIAL, who),
    ]

    for number, look in enumerate(looks, start=1):
        await look()
        assert (await house.names(vault_id)).count("vault-read.1") == number


async def test_her_own_looks_are_nobodys_business(house: House, shared: Shared) -> None:
    await house.evidence.get(MAIR, HERSELF, shared.evidence_id)
    await house.consents.list(MAIR, HERSELF)

    assert "vault-read.1" not in await house.names(shared.vault_id)


async def test_an_official_may_not_extend(house: House, registered: Registered) -> None:
    _, who = await opened_for(house)
    consent_id = await granted_for(house, registered, who, ASSISTED)
    end = later(house.clock.now(), days=95)

    with pytest.raises(CapacityNotAllowedError):
        await house.amendments.preview_extension(OFFICIAL, who, consent_id, end)


async def test_an_official_stops_what_she_wants_stopped(
    house: House, registered: Registered
) -> None:
    vault_id, who = await opened_for(house)
    consent_id = await granted_for(house, registered, who, ASSISTED)

    await house.amendments.pause(OFFICIAL, who, new_id(), consent_id)
    await house.amendments.resume(OFFICIAL, who, new_id(), consent_id, ASSISTED)
    answer = await house.amendments.revoke(OFFICIAL, who, new_id(), consent_id)

    assert answer.value.status == "revoked"
    last = read_event((await house.records(vault_id))[-1].state or b"")
    assert last.link.approval.kind == ""


@pytest.mark.parametrize(
    ("channel", "agreement"),
    [
        ("counter", Agreement()),
        ("counter", Agreement(kind="session")),
        ("phone", Agreement(kind="paper", proof=b"letter 7")),
        ("letter", Agreement(kind="paper")),
        ("letter", Agreement(kind="staff-assisted", proof=b"letter 7")),
        ("counter", Agreement(kind="webauthn", proof=b"x")),
    ],
)
async def test_a_decision_without_her_agreement_is_none(
    house: House, registered: Registered, channel: Channel, agreement: Agreement
) -> None:
    vault_id, who = await opened_for(house, channel)

    with pytest.raises(FieldInvalidError):
        await granted_for(house, registered, who, agreement)

    assert "consent-granted.1" not in await house.names(vault_id)


async def test_a_letter_is_an_agreement_on_paper(house: House, registered: Registered) -> None:
    vault_id, who = await opened_for(house, "letter")

    await granted_for(house, registered, who, Agreement(kind="paper", proof=b"letter 7 of May"))

    last = read_event((await house.records(vault_id))[-1].state or b"")
    assert last.link.approval.kind == "paper"


async def test_a_closed_way_lets_nobody_in(house: House, shared: Shared) -> None:
    made = await house.citizens.create_assistance_code(MAIR, HERSELF, new_id())
    who = acting(made.value.assistance_code)
    await house.evidence.list(OFFICIAL, who)
    _, way = made.value.state.sign_ins

    await house.citizens.unlink_sign_in(MAIR, HERSELF, new_id(), way)

    before = await house.lane.tree_size()
    for attempt in (
        house.evidence.list(OFFICIAL, who),
        house.evidence.provide(OFFICIAL, who, new_id(), "postal_address", provided()),
        house.amendments.revoke(OFFICIAL, who, new_id(), shared.consent_id),
        house.citizens.get(OFFICIAL, who),
    ):
        with pytest.raises(NotFoundError):
            await attempt
    assert await house.lane.tree_size() == before


async def test_an_official_closes_the_way_by_which_they_came(house: House) -> None:
    await house.citizens.open(MAIR, HERSELF)
    made = await house.citizens.create_assistance_code(MAIR, HERSELF, new_id())
    who = acting(made.value.assistance_code)
    _, way = made.value.state.sign_ins

    answer = await house.citizens.unlink_sign_in(OFFICIAL, who, new_id(), way)

    assert answer.value.sign_ins[way].unlinked
    with pytest.raises(NotFoundError):
        await house.citizens.get(OFFICIAL, who)


async def test_a_code_that_somebody_may_know_is_closed_whatever_is_left(house: House) -> None:
    vault_id, who = await opened_for(house)
    (way,) = await house.facts(vault_id, "sign-in-linked.2")

    answer = await house.citizens.unlink_sign_in(OFFICIAL, who, new_id(), way.sign_in)

    assert answer.value.sign_ins[way.sign_in].unlinked
    with pytest.raises(NotFoundError):
        await house.citizens.get(OFFICIAL, who)


@pytest.mark.parametrize("code", ["", "0", "ZZZZZ-ZZZZZ-ZZZZZ-ZZZZZ", "x" * 60])
async def test_an_unknown_code_opens_nothing(house: House, code: str) -> None:
    with pytest.raises(NotFoundError):
        await house.citizens.get(OFFICIAL, acting(code))


async def test_a_code_is_read_as_it_is_spoken(house: House) -> None:
    vault_id, who = await opened_for(house)
    spoken = who.assistance_code.lower().replace("-", "  ").replace("0", "o").replace("1", "l")

    found = await house.citizens.get(OFFICIAL, acting(spoken))

    assert found.value.stream == vault_id


async def test_a_citizen_gains_nothing_by_a_code(house: House) -> None:
    _, who = await opened_for(house)

    with pytest.raises(NotFoundError):
        await house.citizens.get(MAIR, ActingFor(assistance_code=who.assistance_code))
    with pytest.raises(NotFoundError):
        await house.citizens.get(MAIR, who)


async def test_an_official_says_how_they_act(house: House) -> None:
    _, who = await opened_for(house)
    code = who.assistance_code
    for wrong in (
        ActingFor(assistance_code=code),
        ActingFor(capacity="attorney", channel="counter", assistance_code=code),
        ActingFor(capacity="official", channel="web", assistance_code=code),
    ):
        with pytest.raises(FieldInvalidError):
            await house.citizens.get(OFFICIAL, wrong)


async def test_opening_again_gives_the_same_vault_and_code(house: House) -> None:
    key, who = new_id(), ActingFor(capacity="official", channel="phone")

    first = await house.citizens.open(OFFICIAL, who, key)
    again = await house.citizens.open(OFFICIAL, who, key)
    other = await house.citizens.open(OFFICIAL, who, new_id())

    assert again.value.assistance_code == first.value.assistance_code
    assert again.value.state.stream == first.value.state.stream != other.value.state.stream
    assert await house.names(first.value.state.stream) == ["vault-opened.1", "sign-in-linked.2"]


@pytest.mark.parametrize("stored_name", ["vault-opened.1", "sign-in-linked.2"])
async def test_an_opening_that_broke_off_is_finished_by_the_retry(
    house: House, monkeypatch: pytest.MonkeyPatch, stored_name: str
) -> None:
    key, who = new_id(), ActingFor(capacity="official", channel="counter")
    before = await house.lane.tree_size()
    fail_once(monkeypatch, house, stored_name)
    with pytest.raises(StoreUnavailableError):
        await house.citizens.open(OFFICIAL, who, key)

    answer = await house.citizens.open(OFFICIAL, who, key)

    vault_id = answer.value.state.stream
    assert await house.names(vault_id) == ["vault-opened.1", "sign-in-linked.2"]
    assert await house.lane.tree_size() == before + 2
    found = await house.citizens.get(OFFICIAL, acting(answer.value.assistance_code))
    assert found.value.stream == vault_id


async def test_no_code_stands_anywhere_in_the_clear(house: House) -> None:
    _, who = await opened_for(house)
    code = who.assistance_code.replace("-", "")

    for path in house.folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert code.encode() not in data
            assert who.assistance_code.encode() not in data
    assert code not in json.dumps(repr(who))
