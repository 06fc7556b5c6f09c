# SPDX-License-Identifier: Apache-2.0
"""A write that is sent again with its `request_id` happens once and is answered alike."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pytest

from tests.samples import KEYS, Samples
from tests.server import Server
from tests.verdict import must_be_told, untouched
from tests.wire import REQUEST_IDS, WRITES, Answer, Caller
from tests.world import LETTER, World, disclosing, disclosing_document, new_id
from vault.api.v1 import disclosure_service_pb2 as disclosure

AT_ONCE: Final = 10
KINDS: Final = {
    "VaultService/OpenVault": ["vault-opened.1"],
    "VaultService/CreateAssistanceCode": ["sign-in-linked.2"],
    "VaultService/CreateLinkCode": ["link-code-created.1"],
    "VaultService/LinkSignIn": ["sign-in-linked.2"],
    "VaultService/SignOutEverywhere": ["signed-out-everywhere.1"],
    "EvidenceService/ProtectEvidence": ["evidence-protected.1"],
    "VaultService/UnlinkSignIn": ["sign-in-unlinked.1"],
    "VaultService/SetContact": ["contact-set.1"],
    "VaultService/AddPasskey": ["passkey-added.1"],
    "VaultService/RemovePasskey": ["passkey-removed.1"],
    "VaultService/ImportVault": [*["evidence-provided.1"] * 3, "vault-imported.1"],
    "EvidenceService/ProvideEvidence": ["evidence-provided.1"],
    "EvidenceService/ReplaceEvidence": ["evidence-replaced.1"],
    "EvidenceService/UploadDocument": ["evidence-provided.1"],
    "EvidenceService/DisputeEvidence": ["evidence-disputed.1"],
    "EvidenceService/ResolveDispute": ["dispute-resolved.1"],
    "ConsentService/RequestConsent": ["request-made.2"],
    "ConsentService/CancelRequest": ["request-cancelled.1"],
    "ConsentService/ClaimRequest": ["consent-requested.2", "request-claimed.1"],
    "ConsentService/RedeemCode": ["request-redeemed.1"],
    "ConsentService/GrantConsent": ["consent-granted.1"],
    "ConsentService/RefuseConsent": ["consent-refused.1"],
    "ConsentService/NarrowConsent": ["consent-narrowed.1"],
    "ConsentService/ExtendConsent": ["consent-extended.1"],
    "ConsentService/PauseConsent": ["consent-paused.1"],
    "ConsentService/ResumeConsent": ["consent-resumed.1"],
    "ConsentService/RevokeConsent": ["consent-revoked.1"],
    "DisclosureService/ReportOutcome": ["recipient-reported.1"],
    "RegistryService/RegisterOrganisation": ["organisation-registered.1"],
    "RegistryService/RegisterService": ["service-registered.1"],
    "RegistryService/SuspendService": ["service-suspended.1"],
    "RegistryService/ReinstateService": ["service-reinstated.1"],
    "RegistryService/PublishPurpose": ["purpose-published.1"],
    "RegistryService/WithdrawPurpose": ["purpose-withdrawn.1"],
    "RegistryService/PublishEvidenceType": ["evidence-type-published.1"],
    "OperationsService/PublishKnownFault": ["known-fault-published.1"],
    "OperationsService/RecordAct": ["administrator-acted.1"],
}
"""What one successful write records; disclosures, which are recorded at each repeat, apart."""
FOR_SOMEBODY: Final = {
    ("VaultService/OpenVault", "official"): ["sign-in-linked.2", "vault-opened.1"]
}
DISCLOSE: Final = "DisclosureService/DiscloseEvidence"
DISCLOSE_BATCH: Final = "DisclosureService/DiscloseEvidenceBatch"
DISCLOSE_DOCUMENT: Final = "DisclosureService/DiscloseDocument"
LOOKS: Final = ("AuditService/ReplayLane", "AuditService/ProveSilence")
"""What an auditor reads is recorded: sent twice in `test_lane_replays.py`, `test_silences.py`."""
TRIED_OUT: Final = ("RegistryService/PublishPurpose", "staff")
"""Records nothing, however often it is sent."""
WRITE_KEYS: Final = [key for key in KEYS if key[0] in KINDS and key != TRIED_OUT]


def tree_size(server: Server) -> int:
    ((size,),) = server.sql("SELECT coalesce(max(position) + 1, 0) FROM entries")
    assert isinstance(size, int)
    return size


def recorded_since(server: Server, position: int) -> list[str]:
    """Return what was recorded. An official who claims again looks again, which is left out."""
    rows = server.sql("SELECT topic FROM records WHERE position >= ? ORDER BY topic", str(position))
    return [str(topic) for (topic,) in rows if topic != "vault-read.1"]


def said(answer: Answer) -> Any:
    """Return a response without its position token, which may name a later place."""
    message = answer.read()
    message.ClearField("position_token")
    return message


def recorded_by(method: str, role: str) -> list[str]:
    return FOR_SOMEBODY.get((method, role), KINDS[method])


def test_every_write_is_tried() -> None:
    assert set(WRITES) == {*KINDS, DISCLOSE, DISCLOSE_BATCH, DISCLOSE_DOCUMENT, *LOOKS}


@pytest.mark.parametrize(("method", "role"), WRITE_KEYS)
def test_a_write_sent_twice_happens_once(
    server: Server, samples: Samples, method: str, role: str
) -> None:
    caller, request = writer(samples, method, role), samples.make(method, role)
    before = tree_size(server)

    first = caller.call(method, request)
    second = caller.call(method, request)

    assert said(first) == said(second)
    assert recorded_since(server, before) == recorded_by(method, role)


@pytest.mark.parametrize(
    ("method", "role"),
    # Of these a caller may have one under way.
    [key for key in WRITE_KEYS if key[0] != "VaultService/ImportVault"],
)
def test_a_write_sent_ten_times_at_once_happens_once(
    server: Server, samples: Samples, method: str, role: str
) -> None:
    """Half of them in capitals: a UUID is the same in either (RFC 9562 section 4)."""
    caller, request = writer(samples, method, role), samples.make(method, role)
    sent = request[0].header if isinstance(request, list) else request
    capitals = REQUEST_IDS[method].put(copy.deepcopy(request), sent.request_id.upper())
    before = tree_size(server)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        each = [request, capitals] * (AT_ONCE // 2)
        answers = list(threads.map(lambda one: caller.call(method, one), each))

    assert all(said(answer) == said(answers[0]) for answer in answers)
    assert recorded_since(server, before) == recorded_by(method, role)


def writer(samples: Samples, method: str, role: str) -> Caller:
    """Return who writes: a citizen who opens a vault, or is let into one, must have none."""
    if role == "citizen" and method in {"VaultService/OpenVault", "VaultService/LinkSignIn"}:
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

    same_but_for_one_first(responses)
    assert recorded_since(server, before) == ["evidence-disclosed.1"] * AT_ONCE


def test_a_document_sent_ten_times_at_once_is_the_same_bytes(
    server: Server, world: World, samples: Samples
) -> None:
    request = disclosing_document(world.share_document(samples.citizen, samples.service))
    before = tree_size(server)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        answers = list(
            threads.map(
                lambda _: samples.service.caller.call(DISCLOSE_DOCUMENT, request), range(AT_ONCE)
            )
        )

    assert all(answer.is_ok for answer in answers), [answer.told for answer in answers]
    same_but_for_one_first([answer.messages()[0].disclosure for answer in answers])
    assert len({b"".join(part.chunk for part in a.messages()[1:]) for a in answers}) == 1
    assert recorded_since(server, before) == ["evidence-disclosed.1"] * AT_ONCE


def same_but_for_one_first(responses: list[disclosure.DiscloseEvidenceResponse]) -> None:
    facts = [json.loads(response.receipt.facts) for response in responses]
    assert len({response.bundle for response in responses}) == 1
    assert len({fact["bundle_hash"] for fact in facts}) == 1
    assert len([response for response in responses if not response.repeated]) == 1
    assert sorted(bool(fact["repeats"]) for fact in facts) == [False] + [True] * (AT_ONCE - 1)


def test_repeats_are_not_counted(world: World, samples: Samples) -> None:
    shared = world.share(samples.citizen, samples.service)
    request = disclosing(shared)

    for _ in range(3):
        assert samples.service.caller.call(DISCLOSE, request).is_ok
    request_of_consent = samples.make("ConsentService/GetConsent", "citizen")
    request_of_consent.consent_id = shared.consent_id
    seen = samples.citizen.caller.ask("ConsentService/GetConsent", request_of_consent)

    assert seen.consent.disclosure_count == 1


@pytest.mark.parametrize("stop", ["revoke", "pause"])
def test_a_retry_after_the_stop_gets_the_reason_and_no_values(
    world: World, samples: Samples, stop: str
) -> None:
    shared = world.share(samples.citizen, samples.service)
    request = disclosing(shared)
    first = samples.service.caller.ask(DISCLOSE, request)
    assert getattr(world, stop)(shared).is_ok

    again = samples.service.caller.call(DISCLOSE, request)

    assert again.reason == {"revoke": "CONSENT_REVOKED", "pause": "CONSENT_PAUSED"}[stop]
    assert first.receipt.signature in again.status
    assert b"Heol y Bont" not in again.status


# --- A request_id with another command -----------------------------------------------------------

ALWAYS_THE_SAME: Final = (
    "VaultService/OpenVault",
    "VaultService/CreateAssistanceCode",
    "VaultService/SignOutEverywhere",
    # Of somebody who has a vault already; of others see `test_sign_ins.py`.
    "VaultService/LinkSignIn",
)
"""Nothing is said in them, so that there is no other command."""


def with_another_name(request: Any) -> None:
    request.name[0].text = "Another name"


def with_another_code(request: Any) -> None:
    request.code = request.code[::-1]


def with_another_title(request: Any) -> None:
    request[0].header.values = json.dumps({**LETTER, "title": "Another letter"}).encode()


def with_another_case(request: Any) -> None:
    request.case_ref = "another case"


def with_another_case_in_it(request: Any) -> None:
    request[0].disclosures[0].case_ref = "another case"


def with_other_values(request: Any) -> None:
    request.values = json.dumps({**json.loads(request.values), "buildingNumber": "15a"}).encode()


def with_another_note(request: Any) -> None:
    request.note = "Another note."


def with_another_notice(request: Any) -> None:
    request.notices[0].title = "Another title"


def with_another_range(request: Any) -> None:
    request.end_leaf_index -= 1


def with_another_consent(request: Any) -> None:
    request.consent_id = new_id()


def unprotected(request: Any) -> None:
    request.is_protected = False


def with_another_export(request: Any) -> None:
    request[0].header.leaf_hash = bytes(32)


OTHERWISE: Final[dict[str, Callable[[Any], None]]] = {
    "EvidenceService/ProvideEvidence": with_other_values,
    "EvidenceService/UploadDocument": with_another_title,
    "EvidenceService/ProtectEvidence": unprotected,
    "ConsentService/RedeemCode": with_another_code,
    "RegistryService/RegisterOrganisation": with_another_name,
    "RegistryService/RegisterService": with_another_name,
    "OperationsService/PublishKnownFault": with_another_notice,
    "OperationsService/RecordAct": with_another_note,
    "VaultService/ImportVault": with_another_export,
    "AuditService/ReplayLane": with_another_range,
    "AuditService/ProveSilence": with_another_consent,
    DISCLOSE: with_another_case,
    DISCLOSE_BATCH: with_another_case_in_it,
    DISCLOSE_DOCUMENT: with_another_case,
}
"""What makes another command to the same stream; elsewhere a new sample is one."""


@pytest.mark.parametrize(
    ("method", "role"),
    [
        key
        for key in KEYS
        if key[0] in WRITES
        and key != TRIED_OUT
        and key[0] not in {*ALWAYS_THE_SAME, "ConsentService/CancelRequest"}
    ],
)
def test_a_request_id_names_one_command(
    server: Server, samples: Samples, method: str, role: str
) -> None:
    """Taking a request back is a command to that request alone: another is another stream."""
    first = samples.make(method, role)
    assert samples.caller(role).call(method, first).is_ok
    second = copy.deepcopy(first)
    if method in OTHERWISE:
        OTHERWISE[method](second)
    else:
        second = samples.make(method, role)
        second.request_id = first.request_id

    with untouched(server):
        answer = samples.caller(role).call(method, second)

    assert (answer.code, answer.reason) == ("ALREADY_EXISTS", "REQUEST_ID_REUSED")
    must_be_told(answer)


def test_two_requests_are_taken_back_under_one_request_id(samples: Samples) -> None:
    method = "ConsentService/CancelRequest"
    first, second = (samples.make(method, "service") for _ in range(2))
    second.request_id = first.request_id

    answers = [samples.service.caller.ask(method, request) for request in (first, second, first)]

    taken = [answer.consent_request.consent_request_id for answer in answers]
    assert taken == [request.consent_request_id for request in (first, second, first)]


@pytest.mark.parametrize("method", ["ConsentService/NarrowConsent", "ConsentService/ExtendConsent"])
def test_what_is_only_looked_at_uses_no_request_id_up(samples: Samples, method: str) -> None:
    request = samples.make(method, "citizen")
    look = copy.deepcopy(request)
    look.ClearField("shown") if method.endswith("ExtendConsent") else None
    look.validate_only = True
    looked = samples.citizen.caller.ask(method, look)

    decided = samples.citizen.caller.ask(method, request)

    assert not looked.HasField("receipt")
    assert decided.HasField("receipt")
    assert looked.difference == decided.difference
