# SPDX-License-Identifier: Apache-2.0
"""What she protects: she alone sees it, just after she signed in; others receive it as before."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

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
    claim_and_redeem,
    new_id,
    provided,
    said,
)
from tests.integration.application.documents import a_png, publish, upload
from vault.application.caller import ActingFor, Caller
from vault.application.contacts import Contact, Contacts
from vault.application.desk import Desk
from vault.application.exports import Exports
from vault.domain.errors import (
    CapacityNotAllowedError,
    FreshSignInRequiredError,
    NotFoundError,
    RequestIdReusedError,
)
from vault.domain.protection import FRESH_SECONDS
from vault.domain.values import later

Look = Callable[[Caller, ActingFor], Awaitable[object]]
LOOKS = [
    *("the piece", "an old version", "the document", "everything taken away", "how she is reached"),
    "no more",
]


@pytest.fixture
def fresh(house: House) -> Caller:
    """Mair, who signed in just now."""
    return replace(MAIR, signed_in=house.clock.now())


@pytest.fixture
async def document(house: House, registered: Registered) -> str:
    """A document of hers."""
    await publish(house, registered)
    return await upload(house, a_png(1_000))


@pytest.fixture
async def pieces(house: House, shared: Shared, document: str) -> tuple[str, str]:
    """Her address, where she is reached, too, and the document."""
    desk = Desk(house.vaults, house.keyrings, house.identifiers)
    await Contacts(desk).set(MAIR, HERSELF, new_id(), Contact(postal_lines=("Heol y Bont",)))
    return shared.evidence_id, document


@pytest.fixture
def looks(house: House, shared: Shared, document: str) -> dict[str, Look]:
    """Every way in which the values of a piece could be seen."""

    async def taken_away(caller: Caller, acting: ActingFor) -> None:
        desk = Desk(house.vaults, house.keyrings, house.identifiers)
        exports = Exports(desk, house.registry, house.documents)
        async for _ in exports.export(caller, acting, house.clock.monotonic() + 60):
            pass

    async def reached(caller: Caller, acting: ActingFor) -> None:
        desk = Desk(house.vaults, house.keyrings, house.identifiers)
        await Contacts(desk).get(caller, acting)

    async def downloaded(caller: Caller, acting: ActingFor) -> None:
        async for _ in house.documents.download(caller, acting, document):
            pass

    return {
        "the piece": lambda c, a: house.evidence.get(c, a, shared.evidence_id),
        "an old version": lambda c, a: house.evidence.get(c, a, shared.evidence_id, 1),
        "the document": downloaded,
        "everything taken away": taken_away,
        "how she is reached": reached,
        "no more": lambda c, a: house.evidence.protect(
            c, a, new_id(), shared.evidence_id, is_protected=False
        ),
    }


async def protect(house: House, *pieces: str) -> None:
    for piece in pieces:
        await house.evidence.protect(MAIR, HERSELF, new_id(), piece, is_protected=True)


async def by_code(house: House) -> ActingFor:
    made = await house.citizens.create_assistance_code(MAIR, HERSELF, new_id())
    code = made.value.assistance_code
    return ActingFor(capacity="official", channel="counter", assistance_code=code)


@pytest.mark.parametrize("what", LOOKS)
async def test_she_sees_it_only_just_after_she_signed_in(
    house: House, pieces: tuple[str, str], fresh: Caller, looks: dict[str, Look], what: str
) -> None:
    await looks[what](MAIR, HERSELF)
    await protect(house, *pieces)
    before = await house.lane.tree_size()

    with pytest.raises(FreshSignInRequiredError):
        await looks[what](MAIR, HERSELF)
    assert await house.lane.tree_size() == before
    await looks[what](fresh, HERSELF)

    await protect(house, *pieces)
    late = later(fresh.signed_in, seconds=-FRESH_SECONDS - 1)
    with pytest.raises(FreshSignInRequiredError):
        await looks[what](replace(fresh, signed_in=late), HERSELF)


@pytest.mark.parametrize("what", LOOKS)
async def test_an_official_never_sees_it(
    house: House, pieces: tuple[str, str], looks: dict[str, Look], what: str
) -> None:
    who = await by_code(house)
    await protect(house, *pieces)
    before = await house.lane.tree_size()

    for caller in (OFFICIAL, replace(OFFICIAL, signed_in=house.clock.now())):
        with pytest.raises(CapacityNotAllowedError):
            await looks[what](caller, who)

    # Nothing was seen, so that no look is recorded.
    assert await house.lane.tree_size() == before


async def test_what_else_is_known_of_it_is_seen_at_any_time(house: House, shared: Shared) -> None:
    await protect(house, shared.evidence_id)
    who = await by_code(house)
    for caller, acting in ((MAIR, HERSELF), (OFFICIAL, who)):
        view = await house.evidence.get(caller, acting, shared.evidence_id, without_values=True)

        assert (view.values, view.statements) == (b"", {})
        assert view.evidence.is_protected
        listed = await house.evidence.list(caller, acting)
        assert [one.evidence.is_protected for one in listed] == [True]


async def test_an_official_may_protect_for_her(house: House, shared: Shared) -> None:
    who = await by_code(house)

    answer = await house.evidence.protect(
        OFFICIAL, who, new_id(), shared.evidence_id, is_protected=True
    )

    assert answer.value.evidence.is_protected
    assert answer.receipt is not None


async def test_what_she_says_is_wrong_is_not_seen_either(
    house: House, shared: Shared, fresh: Caller
) -> None:
    await house.disputes.dispute(
        MAIR,
        HERSELF,
        new_id(),
        evidence_id=shared.evidence_id,
        names=("streetName",),
        statement="I live at Heol y Bont.",
        is_shared=False,
    )
    await protect(house, shared.evidence_id)

    hidden = await house.evidence.get(MAIR, HERSELF, shared.evidence_id, without_values=True)
    shown = await house.evidence.get(fresh, HERSELF, shared.evidence_id)

    assert hidden.statements == {}
    assert list(shown.statements.values()) == ["I live at Heol y Bont."]


async def test_a_page_on_which_she_decides_shows_it_only_then(
    house: House, registered: Registered, shared: Shared, fresh: Caller
) -> None:
    token = await ask(house, registered.other_service)
    request_id, _ = await claim_and_redeem(house, MAIR, registered.other_service, token)
    choice, who = a_choice(shared.evidence_id), await by_code(house)
    preview = house.consents.preview
    assert (await preview(MAIR, HERSELF, request_id, choice)).bundle
    assert (await preview(OFFICIAL, who, request_id, choice)).bundle
    await protect(house, shared.evidence_id)

    with pytest.raises(FreshSignInRequiredError):
        await preview(MAIR, HERSELF, request_id, choice)
    hidden = await preview(MAIR, HERSELF, request_id, choice, without_values=True)
    told = await preview(OFFICIAL, who, request_id, choice)
    shown = await preview(fresh, HERSELF, request_id, choice)

    assert (hidden.bundle, told.bundle) == (b"", b"")
    assert hidden.terms.scope == told.terms.scope == shown.terms.scope
    assert b"SY23" in shown.bundle
    assert hidden.challenge.challenge


async def test_whom_she_shares_it_with_receives_it_as_before(house: House, shared: Shared) -> None:
    await protect(house, shared.evidence_id)

    answer = await house.disclosures.disclose(shared.service, new_id(), shared.attempt(), said())

    assert b"SY23" in answer.bundle


async def test_it_stays_protected_when_it_is_replaced(house: House, shared: Shared) -> None:
    await protect(house, shared.evidence_id)

    answer = await house.evidence.replace(
        MAIR, HERSELF, new_id(), shared.evidence_id, provided(streetName="Stryd y Farchnad")
    )

    assert answer.value.evidence.is_protected
    assert answer.value.values == b""
    with pytest.raises(FreshSignInRequiredError):
        await house.evidence.get(MAIR, HERSELF, shared.evidence_id)


async def test_lifting_is_answered_to_a_retry_that_comes_late(
    house: House, shared: Shared, fresh: Caller
) -> None:
    await protect(house, shared.evidence_id)
    request_id = new_id()

    await house.evidence.protect(fresh, HERSELF, request_id, shared.evidence_id, is_protected=False)
    again = await house.evidence.protect(
        MAIR, HERSELF, request_id, shared.evidence_id, is_protected=False
    )

    assert not again.value.evidence.is_protected
    with pytest.raises(RequestIdReusedError):
        await house.evidence.protect(
            MAIR, HERSELF, request_id, shared.evidence_id, is_protected=True
        )


async def test_only_what_is_hers_is_protected(house: House) -> None:
    await house.citizens.open(MAIR, HERSELF)

    with pytest.raises(NotFoundError):
        await house.evidence.protect(MAIR, HERSELF, new_id(), new_id(), is_protected=True)
