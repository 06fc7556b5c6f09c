# SPDX-License-Identifier: Apache-2.0
"""What is somebody else's and what is not there get the same answer, attribute by attribute."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from tests.house import (
    AUDITOR,
    HERSELF,
    MAIR,
    NIA,
    VERIFIER,
    House,
    Registered,
    Shared,
    a_choice,
    ask,
    claim_and_redeem,
    fetch,
    new_id,
    provided,
    share,
)
from vault.application.caller import ActingFor
from vault.domain.choice import Shown
from vault.domain.errors import NotFoundError, VaultError
from vault.domain.values import Time

SHOWN = Shown(time=Time("2026-03-02T09:00:00.000000Z"), salt="A" * 22)


@dataclass
class Scene:
    """Mair shares with both services, Nia with the other one; a request waits for Mair."""

    house: House
    mairs: Shared
    mairs_other: Shared
    nias: Shared
    waiting: str

    @property
    def absent(self) -> str:
        return str(uuid4())


Reach = Callable[[Scene, str], Awaitable[object]]


def mairs_evidence(scene: Scene) -> str:
    return scene.mairs.evidence_id


def mairs_request(scene: Scene) -> str:
    return scene.waiting


def mairs_consent(scene: Scene) -> str:
    return scene.mairs.consent_id


def mairs_subject(scene: Scene) -> str:
    return scene.mairs.subject


def mairs_vault(scene: Scene) -> str:
    return scene.mairs.vault_id


def a_request_stream(scene: Scene) -> str:
    return scene.waiting


def the_registry(scene: Scene) -> str:
    return scene.house.identifiers.registry_stream


async def get_evidence(scene: Scene, evidence_id: str) -> object:
    return await scene.house.evidence.get(NIA, HERSELF, evidence_id)


async def replace_evidence(scene: Scene, evidence_id: str) -> object:
    return await scene.house.evidence.replace(NIA, HERSELF, new_id(), evidence_id, provided())


async def get_request(scene: Scene, request_id: str) -> object:
    return await scene.house.requests.get(NIA, HERSELF, request_id)


async def get_request_as_other_service(scene: Scene, request_id: str) -> object:
    return await scene.house.requests.get(scene.nias.service, HERSELF, request_id)


async def redeem_as_other_service(scene: Scene, request_id: str) -> object:
    return await scene.house.requests.redeem(
        scene.nias.service, new_id(), request_id, "code", VERIFIER
    )


async def preview(scene: Scene, request_id: str) -> object:
    choice = a_choice(scene.nias.evidence_id)
    return await scene.house.consents.preview(NIA, HERSELF, request_id, choice)


async def grant(scene: Scene, request_id: str) -> object:
    return await scene.house.consents.grant(
        NIA,
        HERSELF,
        new_id(),
        consent_request_id=request_id,
        choice=a_choice(scene.nias.evidence_id),
        shown=SHOWN,
        shown_hash="A" * 43,
    )


async def choose_evidence(scene: Scene, evidence_id: str) -> object:
    """Nia chooses Mair's evidence for a request of her own."""
    token = await ask(scene.house, scene.nias.service)
    request_id, _ = await claim_and_redeem(scene.house, NIA, scene.nias.service, token)
    return await scene.house.consents.preview(NIA, HERSELF, request_id, a_choice(evidence_id))


async def get_consent(scene: Scene, consent_id: str) -> object:
    return await scene.house.consents.get(NIA, HERSELF, consent_id, "")


async def get_consent_as_other_service(scene: Scene, consent_id: str) -> object:
    return await scene.house.consents.get(
        scene.nias.service, HERSELF, consent_id, scene.nias.subject
    )


async def get_consent_of_her_other_service(scene: Scene, consent_id: str) -> object:
    """Mair shares with this service too, which knows her by a subject of its own."""
    mairs_other = scene.mairs_other
    return await scene.house.consents.get(
        mairs_other.service, HERSELF, consent_id, mairs_other.subject
    )


async def fetch_under_consent_to_her_other_service(scene: Scene, consent_id: str) -> object:
    return await fetch(scene.house, scene.mairs_other, consent_id=consent_id)


async def get_consent_of_subject(scene: Scene, subject: str) -> object:
    return await scene.house.consents.get(
        scene.nias.service, HERSELF, scene.nias.consent_id, subject
    )


async def revoke(scene: Scene, consent_id: str) -> object:
    return await scene.house.amendments.revoke(NIA, HERSELF, new_id(), consent_id)


async def fetch_under_consent(scene: Scene, consent_id: str) -> object:
    return await fetch(scene.house, scene.nias, consent_id=consent_id)


async def fetch_of_subject(scene: Scene, subject: str) -> object:
    return await fetch(scene.house, scene.nias, subject=subject)


async def act_for_vault(scene: Scene, vault_id: str) -> object:
    return await scene.house.evidence.list(NIA, ActingFor(vault_id=vault_id))


async def open_vault(scene: Scene, vault_id: str) -> object:
    return await scene.house.citizens.open(NIA, ActingFor(vault_id=vault_id))


async def act_by_mandate(scene: Scene, mandate_id: str) -> object:
    return await scene.house.evidence.list(NIA, ActingFor(mandate_id=mandate_id))


async def audit(scene: Scene, stream: str) -> object:
    return await scene.house.audits.state(AUDITOR, stream, case_ref="")


async def replay(scene: Scene, stream: str) -> object:
    items = scene.house.audits.replay_vault(AUDITOR, stream, case_ref="")
    return [item async for item in items]


everywhere = pytest.mark.parametrize(
    ("reach", "theirs"),
    [
        (get_evidence, mairs_evidence),
        (replace_evidence, mairs_evidence),
        (choose_evidence, mairs_evidence),
        (get_request, mairs_request),
        (get_request_as_other_service, mairs_request),
        (redeem_as_other_service, mairs_request),
        (preview, mairs_request),
        (grant, mairs_request),
        (get_consent, mairs_consent),
        (get_consent_as_other_service, mairs_consent),
        (get_consent_of_her_other_service, mairs_consent),
        (get_consent_of_subject, mairs_subject),
        (revoke, mairs_consent),
        (fetch_under_consent, mairs_consent),
        (fetch_under_consent_to_her_other_service, mairs_consent),
        (fetch_of_subject, mairs_subject),
        (act_for_vault, mairs_vault),
        (open_vault, mairs_vault),
        (act_by_mandate, mairs_vault),
        (audit, a_request_stream),
        (audit, the_registry),
        (replay, a_request_stream),
        (replay, the_registry),
    ],
)


@pytest.fixture
async def scene(house: House, shared: Shared, registered: Registered) -> Scene:
    nias = await share(house, NIA, registered.other_service)
    token = await ask(house, registered.service)
    claimed = (await house.claims.claim(MAIR, HERSELF, new_id(), token)).value
    mairs_other = await share(house, MAIR, registered.other_service)
    return Scene(house, shared, mairs_other, nias, claimed.view.consent_request_id)


async def told(reach: Reach, scene: Scene, number: str) -> VaultError:
    with pytest.raises(VaultError) as refused:
        await reach(scene, number)
    await scene.house.disclosures.drain()
    return refused.value


def attributes(error: VaultError) -> dict[str, Any]:
    """Return everything about an error that anybody could look at."""
    return {
        "type": type(error),
        "args": error.args,
        "text": str(error),
        **vars(error),
        "cause": error.__cause__,
        "context": None if error.__suppress_context__ else error.__context__,
    }


@everywhere
async def test_what_is_somebody_elses_is_not_there(
    scene: Scene, reach: Reach, theirs: Callable[[Scene], str]
) -> None:
    assert isinstance(await told(reach, scene, theirs(scene)), NotFoundError)


@everywhere
async def test_the_answer_is_the_same_as_for_what_does_not_exist(
    scene: Scene, reach: Reach, theirs: Callable[[Scene], str]
) -> None:
    not_theirs = await told(reach, scene, theirs(scene))
    absent = await told(reach, scene, scene.absent)

    assert attributes(not_theirs) == attributes(absent)


@everywhere
async def test_reaching_for_it_leaves_no_trace_in_her_vault(
    scene: Scene, reach: Reach, theirs: Callable[[Scene], str]
) -> None:
    before = await scene.house.records(scene.mairs.vault_id)

    await told(reach, scene, theirs(scene))

    assert await scene.house.records(scene.mairs.vault_id) == before


async def test_a_service_finds_nobody_by_the_subject_that_another_service_knows(
    scene: Scene,
) -> None:
    with pytest.raises(NotFoundError):
        await scene.house.keyrings.vault_of(scene.nias.service.sub, scene.mairs.subject)


async def test_a_service_is_not_told_which_piece_of_evidence_it_was(scene: Scene) -> None:
    shared = scene.mairs

    view = await scene.house.consents.get(
        shared.service, HERSELF, shared.consent_id, shared.subject
    )

    assert not view.shows_evidence
