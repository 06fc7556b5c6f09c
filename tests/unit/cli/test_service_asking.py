# SPDX-License-Identifier: Apache-2.0
"""A service asks in three ways, may try first, and takes a request back."""

from __future__ import annotations

import grpc
import pytest

from tests.unit.cli import world
from tests.unit.cli.conftest import Terminal
from tests.unit.cli.fake_server import FakeServer, Refusal
from vault.api.v1.consent_service_pb2 import CancelRequestResponse, RequestConsentResponse

ASK = ("service", "ask", "care-at-home", "--need", "postal_address:postalCode")
BY_SUBJECT = ("--subject", world.SUBJECT)
LINK = f"http://127.0.0.1:8000/asked/{world.REQUEST}.{'x' * 43}"
SHORT_CODE = "K7QM-2XWP"


@pytest.fixture(autouse=True)
def _council(server: FakeServer, terminal: Terminal) -> None:
    world.publish(server)
    server.says("RequestConsent", RequestConsentResponse(consent_request=world.a_request()))
    terminal.sign_in("council", "service")


def kept(terminal: Terminal) -> list[str]:
    return [path.name for path in terminal.state.home.iterdir() if path.name == "requests.json"]


def test_somebody_who_is_known_is_asked_without_a_link(
    server: FakeServer, terminal: Terminal
) -> None:
    ran = terminal.run(*ASK, *BY_SUBJECT)

    (asked,) = server.requests("RequestConsent")
    assert (asked.subject_id, asked.code_challenge, asked.with_short_code) == (
        world.SUBJECT,
        "",
        False,
    )
    assert "nothing to hand over" in ran.out
    assert kept(terminal) == []


def test_a_short_code_is_printed_whole_with_its_end(server: FakeServer, terminal: Terminal) -> None:
    answer = RequestConsentResponse(consent_request=world.a_request(), short_code=SHORT_CODE)
    server.says("RequestConsent", answer)

    ran = terminal.run(*ASK, "--short-code")

    (asked,) = server.requests("RequestConsent")
    assert (asked.with_short_code, asked.code_challenge) == (True, "")
    assert SHORT_CODE in ran.out.splitlines()
    assert "until 25 Dec 2026 00:00" in ran.out


@pytest.mark.parametrize(
    "ways",
    [
        (*BY_SUBJECT, "--short-code"),
        (*BY_SUBJECT, "--return-uri", "https://aber.example/"),
        ("--short-code", "--return-uri", "https://aber.example/"),
    ],
)
def test_one_request_reaches_her_in_one_way(
    server: FakeServer, terminal: Terminal, ways: tuple[str, ...]
) -> None:
    ran = terminal.run(*ASK, *ways)

    assert ran.exit_code == 2
    assert server.requests("RequestConsent") == []


def test_a_first_day_begins_at_midnight(server: FakeServer, terminal: Terminal) -> None:
    terminal.run(*ASK, "--start", "2026-12-25")

    (asked,) = server.requests("RequestConsent")
    assert asked.start_time == world.MIDNIGHT


def test_what_is_only_validated_asks_nobody_and_keeps_no_secret(
    server: FakeServer, terminal: Terminal
) -> None:
    ran = terminal.run(*ASK, "--validate-only")

    (asked,) = server.requests("RequestConsent")
    assert asked.validate_only
    assert len(asked.code_challenge) == 43
    assert "Nobody was asked" in ran.out
    assert kept(terminal) == []


def test_a_request_beyond_its_purpose_names_the_field(
    server: FakeServer, terminal: Terminal
) -> None:
    exceeded = Refusal(
        grpc.StatusCode.FAILED_PRECONDITION,
        "PURPOSE_EXCEEDED",
        "The request asks for more than its purpose allows.",
        (("end_time", "At most 90 days."),),
    )
    server.says("RequestConsent", exceeded)

    ran = terminal.run(*ASK, "--validate-only")

    assert (ran.exit_code, ran.out) == (1, "")
    assert "end_time: At most 90 days." in ran.err
    assert "registry purpose show" in ran.err


def test_a_request_is_taken_back(server: FakeServer, terminal: Terminal) -> None:
    server.says("CancelRequest", CancelRequestResponse(consent_request=world.a_request(5)))

    ran = terminal.run("service", "cancel", world.REQUEST, "--request-id", world.CONSENT)

    (cancelled,) = server.requests("CancelRequest")
    assert (cancelled.consent_request_id, cancelled.request_id) == (world.REQUEST, world.CONSENT)
    assert "cancelled" in ran.out


def test_what_she_decided_is_not_taken_back(server: FakeServer, terminal: Terminal) -> None:
    decided = Refusal(grpc.StatusCode.FAILED_PRECONDITION, "REQUEST_ALREADY_DECIDED", "Decided.")
    server.says("CancelRequest", decided)

    ran = terminal.run("service", "cancel", world.REQUEST)

    assert (ran.exit_code, ran.out) == (1, "")
    assert "citizen-vault service request" in ran.err
