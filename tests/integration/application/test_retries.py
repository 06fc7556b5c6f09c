# SPDX-License-Identifier: Apache-2.0
"""A `request_id` names one command: said again it gets the same answer, and stands for one event.

Disclosures answer otherwise when they are repeated: see `test_disclosing.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.house import (
    HERSELF,
    MAIR,
    NIA,
    OPERATOR,
    SEEDS,
    VERIFIER,
    House,
    Registered,
    Shared,
    a_choice,
    a_purpose,
    a_question,
    ask,
    bounds,
    new_id,
    provided,
    said,
    share,
    texts,
)
from vault.application.caller import Answer
from vault.domain.errors import RequestIdReusedError

Call = Callable[[str], Awaitable[Answer[Any]]]


@dataclass
class Pair:
    """A command under a `request_id`, and another one of the same method."""

    once: Call
    other: Call
    events: int = 1


@dataclass
class Scene:
    """A house in which Mair shares her address."""

    house: House
    registered: Registered
    shared: Shared


async def provide(scene: Scene) -> Pair:
    async def call(request_id: str, **changes: str) -> Answer[Any]:
        return await scene.house.evidence.provide(
            MAIR, HERSELF, request_id, "postal_address", provided(**changes)
        )

    return Pair(call, lambda key: call(key, streetName="Heol y Wig"))


async def replace(scene: Scene) -> Pair:
    async def call(request_id: str, **changes: str) -> Answer[Any]:
        return await scene.house.evidence.replace(
            MAIR, HERSELF, request_id, scene.shared.evidence_id, provided(**changes)
        )

    return Pair(call, lambda key: call(key, streetName="Heol y Wig"))


async def request(scene: Scene) -> Pair:
    async def call(request_id: str, *, reference: str = "", **changes: Any) -> Answer[Any]:
        return await scene.house.requests.ask(
            scene.registered.service,
            request_id,
            a_question(**changes),
            said(external_reference=reference),
        )

    return Pair(call, lambda key: call(key, retention_days=9))


async def request_with_another_reference(scene: Scene) -> Pair:
    pair = await request(scene)

    async def other(request_id: str) -> Answer[Any]:
        return await scene.house.requests.ask(
            scene.registered.service, request_id, a_question(), said(external_reference="17")
        )

    return Pair(pair.once, other)


async def claim(scene: Scene) -> Pair:
    tokens = [await ask(scene.house, scene.registered.service) for _ in range(2)]

    def call(token: str) -> Call:
        return lambda key: scene.house.claims.claim(MAIR, HERSELF, key, token)

    return Pair(call(tokens[0]), call(tokens[1]), events=2)


async def redeem(scene: Scene) -> Pair:
    house = scene.house
    token = await ask(house, scene.registered.service)
    claimed = (await house.claims.claim(MAIR, HERSELF, new_id(), token)).value
    consent_request_id = claimed.view.consent_request_id

    # Another request has a stream of its own, in which the same request_id is a new one.
    def call(code: str) -> Call:
        return lambda key: house.requests.redeem(
            scene.registered.service, key, consent_request_id, code, VERIFIER
        )

    return Pair(call(claimed.code), call("another code"))


async def grant(scene: Scene) -> Pair:
    house, pages = scene.house, []
    for names in (("postalCode",), ("postalCode", "streetName")):
        token = await ask(house, scene.registered.other_service)
        claimed = (await house.claims.claim(MAIR, HERSELF, new_id(), token)).value
        choice = a_choice(scene.shared.evidence_id, *names)
        consent_request_id = claimed.view.consent_request_id
        page = await house.consents.preview(MAIR, HERSELF, consent_request_id, choice)
        pages.append((consent_request_id, choice, page))

    def call(number: int) -> Call:
        consent_request_id, choice, page = pages[number]
        return lambda key: house.consents.grant(
            MAIR,
            HERSELF,
            key,
            consent_request_id=consent_request_id,
            choice=choice,
            shown=page.shown,
            shown_hash=page.shown_hash,
        )

    return Pair(call(0), call(1))


async def revoke(scene: Scene) -> Pair:
    other = await share(scene.house, MAIR, scene.registered.other_service)

    def call(consent_id: str) -> Call:
        return lambda key: scene.house.amendments.revoke(MAIR, HERSELF, key, consent_id)

    return Pair(call(scene.shared.consent_id), call(other.consent_id))


async def register_organisation(scene: Scene) -> Pair:
    def call(name: str) -> Call:
        return lambda key: scene.house.registry.register_organisation(
            OPERATOR, key, {"en": name}, {"en": "-"}
        )

    return Pair(call("Aber"), call("Ceredigion"))


async def register_service(scene: Scene) -> Pair:
    def call(name: str) -> Call:
        return lambda key: scene.house.registry.register_service(
            OPERATOR, key, scene.registered.organisation, {"en": name}
        )

    return Pair(call("Libraries"), call("Buses"))


async def suspend(scene: Scene) -> Pair:
    def call(service_id: str) -> Call:
        return lambda key: scene.house.registry.suspend_service(OPERATOR, key, service_id)

    return Pair(call(scene.registered.service.sub), call(scene.registered.other_service.sub))


async def reinstate(scene: Scene) -> Pair:
    services = (scene.registered.service.sub, scene.registered.other_service.sub)
    for service_id in services:
        await scene.house.registry.suspend_service(OPERATOR, new_id(), service_id)

    def call(service_id: str) -> Call:
        return lambda key: scene.house.registry.reinstate_service(OPERATOR, key, service_id)

    return Pair(call(services[0]), call(services[1]))


async def publish_purpose(scene: Scene) -> Pair:
    def call(title: str) -> Call:
        return lambda key: scene.house.registry.publish_purpose(
            OPERATOR, key, a_purpose("loan"), bounds(scene.registered.service), texts(title)
        )

    return Pair(call("Loans"), call("Debts"))


async def withdraw_purpose(scene: Scene) -> Pair:
    await scene.house.registry.publish_purpose(
        OPERATOR, new_id(), a_purpose("loan"), bounds(scene.registered.service), texts("Loans")
    )

    def call(code: str) -> Call:
        return lambda key: scene.house.registry.withdraw_purpose(OPERATOR, key, code)

    return Pair(call("care"), call("loan"))


async def publish_evidence_type(scene: Scene) -> Pair:
    def call(name: str) -> Call:
        definition = (SEEDS / f"{name}.json").read_bytes()
        return lambda key: scene.house.registry.publish_evidence_type(OPERATOR, key, definition)

    return Pair(call("income"), call("identity"))


every_write = pytest.mark.parametrize(
    "write",
    [
        provide,
        replace,
        request,
        request_with_another_reference,
        claim,
        redeem,
        grant,
        revoke,
        register_organisation,
        register_service,
        suspend,
        reinstate,
        publish_purpose,
        withdraw_purpose,
        publish_evidence_type,
    ],
)
Write = Callable[[Scene], Awaitable[Pair]]


@pytest.fixture
def scene(house: House, registered: Registered, shared: Shared) -> Scene:
    return Scene(house, registered, shared)


@every_write
async def test_a_command_said_again_gets_the_same_answer(scene: Scene, write: Write) -> None:
    pair, request_id = await write(scene), new_id()

    first, again = await pair.once(request_id), await pair.once(request_id)

    assert again == first


@every_write
async def test_a_command_said_again_stands_for_one_event(scene: Scene, write: Write) -> None:
    pair, request_id = await write(scene), new_id()
    before = await scene.house.lane.tree_size()

    for _ in range(3):
        await pair.once(request_id)

    assert await scene.house.lane.tree_size() == before + pair.events


@every_write
async def test_a_command_said_twice_at_once_stands_for_one_event(
    scene: Scene, write: Write
) -> None:
    pair, request_id = await write(scene), new_id()
    before = await scene.house.lane.tree_size()

    first, again = await asyncio.gather(pair.once(request_id), pair.once(request_id))

    assert again == first
    assert await scene.house.lane.tree_size() == before + pair.events


@every_write
async def test_another_command_under_the_same_request_id_is_refused_and_changes_nothing(
    scene: Scene, write: Write
) -> None:
    pair, request_id = await write(scene), new_id()
    await pair.once(request_id)
    before = await scene.house.lane.tree_size()

    with pytest.raises(RequestIdReusedError):
        await pair.other(request_id)

    assert await scene.house.lane.tree_size() == before


async def test_opening_a_vault_twice_opens_one(house: House) -> None:
    first = await house.citizens.open(NIA, HERSELF)
    again = await house.citizens.open(NIA, HERSELF)

    assert again.value == first.value
    assert await house.names(first.value.state.stream) == ["vault-opened.1"]


async def test_opening_a_vault_in_two_windows_opens_one(house: House) -> None:
    answers = await asyncio.gather(*(house.citizens.open(NIA, HERSELF) for _ in range(4)))

    assert len({answer.value.state.stream for answer in answers}) == 1
    assert await house.names(answers[0].value.state.stream) == ["vault-opened.1"]


async def test_a_vault_whose_opening_was_interrupted_is_opened_by_the_retry(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as interrupted:
        interrupted.setattr(house.vaults, "execute", _fail)
        with pytest.raises(ConnectionError):
            await house.citizens.open(NIA, HERSELF)

    opened_at_last = await house.citizens.open(NIA, HERSELF)

    assert await house.names(opened_at_last.value.state.stream) == ["vault-opened.1"]


async def _fail(*args: object) -> None:
    raise ConnectionError(args)
