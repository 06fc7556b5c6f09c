# SPDX-License-Identifier: Apache-2.0
"""A write that is sent again with its `request_id` happens once and is answered alike."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pytest

from tests.samples import KEYS, Samples
from tests.server import Server
from tests.wire import WRITES, Answer
from tests.world import World, disclosing
from vault.api.v1 import disclosure_service_pb2 as disclosure

AT_ONCE: Final = 10
KINDS: Final = {
    "VaultService/OpenVault": ["vault-opened.1"],
    "EvidenceService/ProvideEvidence": ["evidence-provided.1"],
    "EvidenceService/ReplaceEvidence": ["evidence-replaced.1"],
    "ConsentService/RequestConsent": ["request-made.1"],
    "ConsentService/ClaimRequest": ["consent-requested.1", "request-claimed.1"],
    "ConsentService/RedeemCode": ["request-redeemed.1"],
    "ConsentService/GrantConsent": ["consent-granted.1"],
    "ConsentService/RevokeConsent": ["consent-revoked.1"],
    "RegistryService/RegisterOrganisation": ["organisation-registered.1"],
    "RegistryService/RegisterService": ["service-registered.1"],
    "RegistryService/SuspendService": ["service-suspended.1"],
    "RegistryService/ReinstateService": ["service-reinstated.1"],
    "RegistryService/PublishPurpose": ["purpose-published.1"],
    "RegistryService/WithdrawPurpose": ["purpose-withdrawn.1"],
    "RegistryService/PublishEvidenceType": ["evidence-type-published.1"],
}
"""What one successful write records; a disclosure, which is recorded at each repeat, apart."""
DISCLOSE: Final = "DisclosureService/DiscloseEvidence"
WRITE_KEYS: Final = [key for key in KEYS if key[0] in KINDS]


def tree_size(server: Server) -> int:
    ((size,),) = server.sql("SELECT coalesce(max(position) + 1, 0) FROM entries")
    assert isinstance(size, int)
    return size


def recorded_since(server: Server, position: int) -> list[str]:
    rows = server.sql("SELECT topic FROM records WHERE position >= ? ORDER BY topic", str(position))
    return [str(topic) for (topic,) in rows]


def said(answer: Answer) -> Any:
    """Return a response without its position token, which may name a later place."""
    message = answer.read()
    message.ClearField("position_token")
    return message


def test_every_write_is_tried() -> None:
    assert set(WRITES) == {*KINDS, DISCLOSE}


@pytest.mark.parametrize(("method", "role"), WRITE_KEYS)
def test_a_write_sent_twice_happens_once(
    server: Server, samples: Samples, method: str, role: str
) -> None:
    caller, request = writer(samples, method, role), samples.make(method, role)
    before = tree_size(server)

    first = caller.call(method, request)
    second = caller.call(method, request)

    assert said(first) == said(second)
    assert recorded_since(server, before) == KINDS[method]


@pytest.mark.parametrize(("method", "role"), WRITE_KEYS)
def test_a_write_sent_ten_times_at_once_happens_once(
    server: Server, samples: Samples, method: str, role: str
) -> None:
    caller, request = writer(samples, method, role), samples.make(method, role)
    before = tree_size(server)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        answers = list(threads.map(lambda _: caller.call(method, request), range(AT_ONCE)))

    assert all(said(answer) == said(answers[0]) for answer in answers)
    assert recorded_since(server, before) == KINDS[method]


def writer(samples: Samples, method: str, role: str) -> Any:
    """Return who writes: who opens a vault must not have one."""
    if method == "VaultService/OpenVault":
        return samples.world.stranger().caller
    return samples.caller(role)


def test_a_disclosure_sent_ten_times_at_once_is_the_same_bytes(
    server: Server, world: World, samples: Samples
) -> None:
    """Each sending is recorded, since each leaves; one is the first, the others repeat it."""
    request = disclosing(world.share(samples.citizen, samples.service))
    before = tree_size(server)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        answers = list(
            threads.map(lambda _: samples.service.caller.call(DISCLOSE, request), range(AT_ONCE))
        )
    responses: list[disclosure.DiscloseEvidenceResponse] = [answer.read() for answer in answers]

    facts = [json.loads(response.receipt.facts) for response in responses]
    firsts = [r for r in responses if not r.repeated]
    assert len({response.bundle for response in responses}) == 1
    assert len({fact["bundle_hash"] for fact in facts}) == 1
    assert len(firsts) == 1
    assert sorted(bool(fact["repeats"]) for fact in facts) == [False] + [True] * (AT_ONCE - 1)
    assert recorded_since(server, before) == ["evidence-disclosed.1"] * AT_ONCE


def test_repeats_are_not_counted(world: World, samples: Samples) -> None:
    shared = world.share(samples.citizen, samples.service)
    request = disclosing(shared)

    for _ in range(3):
        assert samples.service.caller.call(DISCLOSE, request).is_ok
    request_of_consent = samples.make("ConsentService/GetConsent", "citizen")
    request_of_consent.consent_id = shared.consent_id
    seen = samples.citizen.caller.ask("ConsentService/GetConsent", request_of_consent)

    assert seen.consent.disclosure_count == 1


def test_a_retry_after_the_stop_gets_the_reason_and_no_values(
    world: World, samples: Samples
) -> None:
    shared = world.share(samples.citizen, samples.service)
    request = disclosing(shared)
    first = samples.service.caller.ask(DISCLOSE, request)
    assert world.revoke(shared).is_ok

    again = samples.service.caller.call(DISCLOSE, request)

    assert again.reason == "CONSENT_REVOKED"
    assert first.receipt.signature in again.status
    assert b"Heol y Bont" not in again.status


def test_one_request_id_is_the_same_in_small_and_capital_letters(samples: Samples) -> None:
    method = "EvidenceService/ProvideEvidence"
    request = samples.make(method, "citizen")
    first = samples.citizen.caller.ask(method, request)
    request.request_id = request.request_id.upper()

    second = samples.citizen.caller.ask(method, request)

    assert second.evidence.evidence_id == first.evidence.evidence_id
