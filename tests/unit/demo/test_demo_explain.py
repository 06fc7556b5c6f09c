# SPDX-License-Identifier: Apache-2.0
"""`--explain`: who calls what, how it ended, how long it took, and what matters of it."""

import json

from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from clients.connection import CallError, CallRecord
from clients.demo.explain import explained
from clients.demo.over_http import Exchange
from vault.api.v1.consent_pb2 import CONSENT_STATE_REVOKED, Consent, RequestedScope
from vault.api.v1.consent_service_pb2 import (
    RequestConsentRequest,
    RequestConsentResponse,
    RevokeConsentRequest,
    RevokeConsentResponse,
)
from vault.api.v1.evidence_service_pb2 import DocumentHeader, UploadDocumentRequest
from vault.api.v1.log_pb2 import Receipt
from vault.api.v1.registry_pb2 import LocalizedText
from vault.api.v1.registry_service_pb2 import RegisterOrganisationRequest
from vault.api.v1.vault_pb2 import CAPACITY_OFFICIAL, CHANNEL_CLI, CHANNEL_COUNTER, Acting


def _asking() -> RequestConsentRequest:
    return RequestConsentRequest(request_id="left-out", purpose_code="home-visits")


def test_a_call_is_explained_in_three_lines() -> None:
    answer = RequestConsentResponse(handoff_uri="https://vault.example/1", position_token="t")
    call = CallRecord("ConsentService", "RequestConsent", _asking(), answer, None, 4.123)

    assert explained("BrightCare", call) == (
        "BrightCare → ConsentService/RequestConsent  OK  4.1 ms",
        '  asks     {"purpose_code":"home-visits"}',
        '  answers  {"handoff_uri":"https://vault.example/1"}',
    )


def test_a_refusal_shows_its_reason_and_the_field() -> None:
    error = CallError("FAILED_PRECONDITION", "PURPOSE_EXCEEDED", "Too much.", (("scope[1]", "no"),))
    call = CallRecord("ConsentService", "RequestConsent", _asking(), None, error, 2.0)

    lines = explained("BrightCare", call)

    assert lines[0] == "BrightCare → ConsentService/RequestConsent  FAILED_PRECONDITION  2.0 ms"
    assert lines[2] == "  refused  PURPOSE_EXCEEDED [scope[1]]"


def test_ids_bytes_states_and_times_are_short() -> None:
    consent = Consent(
        consent_id="635a0a90-2ef1-8db7-93da-8851ae04883c",
        state=CONSENT_STATE_REVOKED,
        revoke_time=Timestamp(seconds=1, nanos=123_456_000),
    )
    answer = RevokeConsentResponse(consent=consent, receipt=Receipt(leaf_hash=bytes(32)))
    call = CallRecord("S", "M", RevokeConsentRequest(), answer, None, 1.0)

    shown = "".join(line[11:] for line in explained("Mair", call)[2:])

    assert json.loads(shown) == {
        "consent": {
            "consent_id": "635a0a90…",
            "state": "REVOKED",
            "revoke_time": "1970-01-01T00:00:01.123",
        },
        "receipt": {"leaf_hash": "32 bytes"},
    }


def test_a_long_message_takes_three_lines_and_says_that_there_is_more() -> None:
    texts = [LocalizedText(language="en", text="word " * 100) for _ in range(8)]
    call = CallRecord("S", "M", RegisterOrganisationRequest(name=texts), None, None, 1.0)

    lines = explained("Operator", call)

    assert len(lines) == 4
    assert lines[-1].endswith("…")
    assert max(map(len, lines)) <= 78


@given(st.text(max_size=300), st.lists(st.text(max_size=80), max_size=20))
def test_no_line_is_too_long_whatever_is_said(code: str, names: list[str]) -> None:
    request = RequestConsentRequest(
        purpose_code=code, scope=[RequestedScope(evidence_type="t", required=names)]
    )

    lines = explained("X", CallRecord("S", "M", request, None, None, 1.0))

    assert len(lines) <= 4
    assert max(map(len, lines)) <= 78


def test_a_stream_down_has_no_answer_to_show() -> None:
    call = CallRecord("AuditService", "ReplayVault", RevokeConsentRequest(), None, None, 1.0)

    assert len(explained("Checker", call)) == 2


def test_a_stream_up_shows_what_is_said_before_the_pieces() -> None:
    header = DocumentHeader(media_type="application/pdf", sha256=bytes(32))
    request = UploadDocumentRequest(header=header)

    lines = explained("Mair", CallRecord("S", "UploadDocument", request, None, None, 1.0))

    assert lines[1] == '  asks     {"header":{"media_type":"application/pdf","sha256":"32 bytes"}}'


def test_a_stream_that_is_broken_off_shows_why() -> None:
    error = CallError("FAILED_PRECONDITION", "CONSENT_REVOKED", "It was revoked.")

    lines = explained("X", CallRecord("S", "M", RevokeConsentRequest(), None, error, 1.0))

    assert lines[-1] == "  refused  CONSENT_REVOKED"


def test_it_shows_who_acts_for_somebody_and_never_the_code() -> None:
    acting = Acting(
        capacity=CAPACITY_OFFICIAL, channel=CHANNEL_COUNTER, assistance_code="ABCDE-FGHJK"
    )

    lines = explained(
        "X", CallRecord("S", "M", RevokeConsentRequest(acting=acting), None, None, 1.0)
    )

    assert lines[1] == '  asks     {"acting":{"capacity":"OFFICIAL","channel":"COUNTER"}}'


def test_who_acts_for_herself_is_not_worth_a_line() -> None:
    request = RevokeConsentRequest(acting=Acting(channel=CHANNEL_CLI))

    assert explained("X", CallRecord("S", "M", request, None, None, 1.0))[1] == "  asks     {}"


def test_a_call_over_http_is_explained_in_three_lines() -> None:
    asked = {"requestId": "left-out", "fields": [{"names": ["postalCode"]}]}
    answered = {"bundle": "x" * 300, "receipt": {"leafIndex": "7"}}

    assert explained("Aber Council", Exchange("S/M", asked, 200, answered, 4.123)) == (
        "Aber Council → POST S/M  200  4.1 ms",
        '  asks     {"fields":[{"names":["postalCode"]}]}',
        '  answers  {"bundle":"xxxxxxxx…","receipt":{"leafIndex":"7"}}',
    )


def test_a_refusal_over_http_shows_its_reason() -> None:
    answered = {
        "code": "failed_precondition",
        "details": [{"debug": {"reason": "FIELD_NOT_GRANTED"}}],
    }

    lines = explained("X", Exchange("S/M", {}, 400, answered, 1.0))

    assert lines[-1] == "  refused  failed_precondition FIELD_NOT_GRANTED"
