# SPDX-License-Identifier: Apache-2.0
"""Members of a service's staff, over the wire: they act as the service, and sign each act."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest

from tests.samples import Samples
from tests.wire import Answer
from tests.world import (
    Service,
    Shared,
    World,
    asking,
    disclosing,
    disclosing_document,
    new_id,
    publishing,
    redeeming,
    reporting,
    texts,
)
from vault.api.v1 import consent_service_pb2 as consent
from vault.api.v1 import disclosure_pb2, vault_pb2
from vault.api.v1 import registry_service_pb2 as registry
from vault.api.v1 import vault_service_pb2 as vaults

STAFF: Final = "dafydd"
CASE: Final = "HD-2046"


def history_of(shared: Shared, count: int = 1) -> list[vault_pb2.HistoryEntry]:
    """Return the last lines of a citizen's history, newest first."""
    request = vaults.ListHistoryRequest(page_size=count)
    return list(shared.citizen.caller.ask("VaultService/ListHistory", request).entries)


@pytest.fixture
def shared(world: World) -> Shared:
    return world.share(world.mair, world.council)


@pytest.fixture
def dafydd(world: World) -> Callable[[str, Any], Answer]:
    return world.staff_of(world.council, STAFF).call


def test_who_looks_stands_in_her_history_whatever_is_sent(
    shared: Shared, dafydd: Callable[[str, Any], Answer]
) -> None:
    answer = dafydd("DisclosureService/DiscloseEvidence", disclosing(shared, case_ref=CASE))

    assert answer.is_ok, answer.told
    (line,) = history_of(shared)
    assert (line.type, line.case_ref, line.staff_ref) == ("evidence-disclosed.1", CASE, STAFF)
    assert line.service_id == shared.service.service_id


def test_nobody_signs_for_another(
    samples: Samples, shared: Shared, dafydd: Callable[[str, Any], Answer]
) -> None:
    said = {"case_ref": CASE, "staff_ref": "somebody else"}
    letter = disclosing_document(samples.letter, **said)
    elsewhere = samples.world.staff_of(samples.letter.service).call

    answers = [
        dafydd("DisclosureService/DiscloseEvidence", disclosing(shared, **said)),
        dafydd("DisclosureService/ReportOutcome", reporting(shared, **said)),
        dafydd("ConsentService/RequestConsent", asking(shared.service, "v" * 43, **said)),
        elsewhere("DisclosureService/DiscloseDocument", letter),
    ]

    assert {answer.reason for answer in answers} == {"FIELD_INVALID"}
    assert {answer.fields[0] for answer in answers} == {"staff_ref"}
    assert history_of(shared)[0].type == "consent-granted.1"


def test_saying_who_one_is_changes_nothing(
    shared: Shared, dafydd: Callable[[str, Any], Answer]
) -> None:
    request = disclosing(shared, case_ref=CASE, staff_ref=STAFF)

    assert dafydd("DisclosureService/DiscloseEvidence", request).is_ok
    assert history_of(shared)[0].staff_ref == STAFF


def test_nobody_looks_without_a_case(shared: Shared, dafydd: Callable[[str, Any], Answer]) -> None:
    answer = dafydd("DisclosureService/DiscloseEvidence", disclosing(shared))

    assert (answer.reason, answer.fields) == ("FIELD_INVALID", ["case_ref"])
    assert history_of(shared)[0].type == "consent-granted.1"


def test_a_refused_attempt_carries_who_tried(
    world: World, shared: Shared, dafydd: Callable[[str, Any], Answer]
) -> None:
    assert world.revoke(shared).is_ok

    refused = dafydd("DisclosureService/DiscloseEvidence", disclosing(shared, case_ref=CASE))

    assert refused.reason == "CONSENT_REVOKED"
    (line,) = until(lambda: history_of(shared), "disclosure-refused.1")
    assert (line.staff_ref, line.case_ref) == (STAFF, CASE)


def until(
    read: Callable[[], list[vault_pb2.HistoryEntry]], kind: str
) -> list[vault_pb2.HistoryEntry]:
    """Read until the first line is of a kind: a refusal is recorded after the reply."""
    for _ in range(200):
        lines = read()
        if lines[0].type == kind:
            return lines
    pytest.fail(f"no {kind} came")


def test_what_one_member_asked_another_may_follow_up(
    world: World, dafydd: Callable[[str, Any], Answer]
) -> None:
    council, verifier = world.council, "v" * 43
    elin = world.staff_of(council, "elin")
    asked = dafydd("ConsentService/RequestConsent", asking(council, verifier))
    made = consent.RequestConsentResponse.FromString(asked.answers[0])
    request_id = made.consent_request.consent_request_id

    seen = elin.ask(
        "ConsentService/GetRequest", consent.GetRequestRequest(consent_request_id=request_id)
    )
    code = world.mair.caller.ask(
        "ConsentService/ClaimRequest",
        consent.ClaimRequestRequest(request_id=new_id(), handoff_token=made.handoff_token),
    ).code
    redeeming_request = consent.RedeemCodeRequest(
        request_id=new_id(), consent_request_id=request_id, code=code, code_verifier=verifier
    )
    redeemed = elin.ask("ConsentService/RedeemCode", redeeming_request)

    assert seen.consent_request.service_id == council.service_id
    assert redeemed.consent_request.subject_id


def test_a_retry_by_another_is_another_command(world: World, shared: Shared) -> None:
    """Otherwise what Elin fetched would stand under Dafydd's name."""
    request = disclosing(shared, case_ref=CASE)
    first = world.staff_of(shared.service, STAFF)
    assert first.call("DisclosureService/DiscloseEvidence", request).is_ok

    answer = world.staff_of(shared.service, "elin").call(
        "DisclosureService/DiscloseEvidence", request
    )

    assert answer.reason == "REQUEST_ID_REUSED"
    assert first.call("DisclosureService/DiscloseEvidence", request).is_ok


def test_staff_of_another_service_find_nothing(world: World, shared: Shared) -> None:
    stranger = world.staff_of(world.service(), STAFF)

    answers = [
        stranger.call("DisclosureService/DiscloseEvidence", disclosing(shared, case_ref=CASE)),
        stranger.call("DisclosureService/ReportOutcome", reporting(shared)),
        stranger.call("ConsentService/RedeemCode", redeeming(shared.asked, shared.code)),
        stranger.call(
            "ConsentService/GetConsent",
            consent.GetConsentRequest(consent_id=shared.consent_id, subject_id=shared.subject_id),
        ),
    ]

    assert {answer.reason for answer in answers} == {"NOT_FOUND"}


def test_a_page_of_one_service_is_none_of_another(world: World) -> None:
    """Somebody may work for two."""
    council, other = world.service(), world.service()
    for _ in range(3):
        world.ask(council)
    request = consent.ListRequestsRequest(page_size=1)
    first = wait_for(world, council, request)

    request.page_token = first.next_page_token
    elsewhere = world.staff_of(other, STAFF).call("ConsentService/ListRequests", request)

    assert elsewhere.reason == "TOKEN_INVALID"
    assert world.staff_of(council, STAFF).call("ConsentService/ListRequests", request).is_ok


def wait_for(
    world: World, service: Service, request: consent.ListRequestsRequest
) -> consent.ListRequestsResponse:
    """Return the first page of a list that follows events, once there is a second."""
    caller = world.staff_of(service, STAFF)
    for _ in range(200):
        page: consent.ListRequestsResponse = caller.ask("ConsentService/ListRequests", request)
        if page.next_page_token:
            return page
    pytest.fail("the list did not follow")


def test_a_purpose_is_tried_out_and_nothing_is_published(world: World) -> None:
    council = world.council
    dafydd, code = world.staff_of(council), f"planning-{new_id()[:8]}"
    wanted = publishing(code, council.service_id, validate_only=True)

    tried = dafydd.ask("RegistryService/PublishPurpose", wanted)
    wanted.validate_only = False
    published = dafydd.call("RegistryService/PublishPurpose", wanted)
    found = dafydd.call("RegistryService/GetPurpose", registry.GetPurposeRequest(purpose_code=code))

    assert tried.purpose.purpose_code == code
    assert (published.code, published.reason) == ("PERMISSION_DENIED", "ROLE_NOT_ALLOWED")
    assert found.reason == "NOT_FOUND"


def test_a_purpose_is_tried_out_for_services_of_one_s_own_organisation(world: World) -> None:
    council = world.council
    colleague = world.operator.ask(
        "RegistryService/RegisterService",
        registry.RegisterServiceRequest(
            request_id=new_id(),
            organisation_id=council.organisation_id,
            name=texts("Planning team"),
        ),
    ).service.service_id

    def tried(*services: str) -> Answer:
        wanted = publishing(f"planning-{new_id()[:8]}", services[0], validate_only=True)
        wanted.bounds.service_ids[:] = services
        return world.staff_of(council).call("RegistryService/PublishPurpose", wanted)

    assert tried(council.service_id, colleague).is_ok
    assert tried(colleague).is_ok
    foreign = tried(council.service_id, world.service().service_id)
    assert foreign.reason == "NOT_FOUND"
    assert foreign.told == tried(council.service_id, new_id()).told


def test_how_far_a_matter_is_stands_in_her_history_and_on_the_consent(
    world: World, shared: Shared
) -> None:
    dafydd = world.staff_of(shared.service, STAFF)
    granted = disclosure_pb2.REPORT_STATUS_GRANTED

    dafydd.ask("DisclosureService/ReportOutcome", reporting(shared))
    told = dafydd.ask(
        "DisclosureService/ReportOutcome", reporting(shared, status=granted, case_ref=CASE)
    )
    last, first = history_of(shared, 2)
    hers = shared.citizen.caller.ask(
        "ConsentService/GetConsent", consent.GetConsentRequest(consent_id=shared.consent_id)
    )
    theirs = shared.service.caller.ask(
        "ConsentService/GetConsent",
        consent.GetConsentRequest(consent_id=shared.consent_id, subject_id=shared.subject_id),
    )

    assert (told.report.kind, told.report.status) == (disclosure_pb2.REPORT_KIND_OUTCOME, granted)
    assert last.report == told.report == hers.consent.last_report == theirs.consent.last_report
    assert (last.type, last.case_ref, last.staff_ref) == ("recipient-reported.1", CASE, STAFF)
    assert first.report.status == disclosure_pb2.REPORT_STATUS_RECEIVED
    assert last.purpose == hers.consent.purpose


def test_a_report_is_told_once_however_often_it_is_sent(shared: Shared) -> None:
    request = reporting(shared)
    caller = shared.service.caller

    first = caller.ask("DisclosureService/ReportOutcome", request)
    again = caller.ask("DisclosureService/ReportOutcome", request)
    request.status = disclosure_pb2.REPORT_STATUS_DONE
    other = caller.call("DisclosureService/ReportOutcome", request)

    assert first.receipt == again.receipt
    assert other.reason == "REQUEST_ID_REUSED"
    assert [line.type for line in history_of(shared, 2)] == [
        "recipient-reported.1",
        "consent-granted.1",
    ]


def test_only_so_much_is_told_in_a_day(shared: Shared) -> None:
    caller = shared.service.caller

    answers = [caller.call("DisclosureService/ReportOutcome", reporting(shared)) for _ in range(6)]

    assert [answer.is_ok for answer in answers] == [True] * 5 + [False]
    assert (answers[5].code, answers[5].reason) == ("RESOURCE_EXHAUSTED", "LIMIT_EXCEEDED")


@pytest.mark.parametrize("status", [0, 99])
def test_a_status_that_nobody_knows_is_none(shared: Shared, status: Any) -> None:
    answer = shared.service.caller.call(
        "DisclosureService/ReportOutcome", reporting(shared, status=status)
    )

    assert (answer.reason, answer.fields) == ("FIELD_INVALID", ["status"])


def test_a_suspended_service_and_its_staff_are_both_stopped(world: World) -> None:
    service = world.service()
    shared = world.share(world.citizen(), service)
    world.operator.ask(
        "RegistryService/SuspendService",
        registry.SuspendServiceRequest(request_id=new_id(), service_id=service.service_id),
    )
    dafydd = world.staff_of(service)

    answers = [
        dafydd.call("DisclosureService/DiscloseEvidence", disclosing(shared, case_ref=CASE)),
        dafydd.call("DisclosureService/ReportOutcome", reporting(shared)),
    ]

    assert {answer.reason for answer in answers} == {"SERVICE_SUSPENDED"}
