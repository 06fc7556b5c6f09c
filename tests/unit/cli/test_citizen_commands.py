# SPDX-License-Identifier: Apache-2.0
"""A citizen's commands: what they send, what they show, what they never do by themselves."""

from __future__ import annotations

import json

import grpc
import pytest

from clients.cli.output import Output
from tests.unit.cli import world
from tests.unit.cli.conftest import Terminal
from tests.unit.cli.fake_server import CALL_ID, FakeServer, Refusal
from tests.unit.cli.previews import Previews
from vault.api.v1.consent_pb2 import EVIDENCE_MODE_FOLLOWING, EVIDENCE_MODE_PINNED
from vault.api.v1.evidence_pb2 import (
    EVIDENCE_SOURCE_DOCUMENT,
    EVIDENCE_SOURCE_SELF_DECLARED,
)
from vault.api.v1.evidence_service_pb2 import ListEvidenceResponse
from vault.api.v1.vault_pb2 import CHANNEL_CLI

CHOOSE = ("--choose", "postal_address:postalCode")


@pytest.fixture(autouse=True)
def _her_things(server: FakeServer) -> None:
    world.fill(server)


@pytest.fixture
def _somebody_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Output, "is_interactive", property(lambda _: True))


def test_what_is_set_part_by_part_is_sent_in_its_types(
    server: FakeServer, terminal: Terminal
) -> None:
    ran = terminal.run(
        *("information", "add", "income", "--set", "kind=State Pension"),
        *("--set", "amountPence=88200", "--from-document", "--issued", "2026-04-06"),
    )

    (request,) = server.requests("ProvideEvidence")
    assert ran.exit_code == 0
    assert json.loads(request.values) == {"kind": "state_pension", "amountPence": 88200}
    assert (request.source, request.issued_date) == (EVIDENCE_SOURCE_DOCUMENT, "2026-04-06")
    assert request.acting.channel == CHANNEL_CLI


def test_a_part_that_is_a_list_grows(server: FakeServer, terminal: Terminal) -> None:
    terminal.run(
        *("information", "add", "care_needs"),
        *("--set", "helpNeeded=washing", "--set", "helpNeeded=meals"),
    )

    (request,) = server.requests("ProvideEvidence")
    assert json.loads(request.values) == {"helpNeeded": ["washing", "meals"]}


def test_a_file_is_sent_as_it_is(server: FakeServer, terminal: Terminal) -> None:
    terminal.run("information", "add", "income", "--file", "-", typed='{ "kind" : "other" }')

    (request,) = server.requests("ProvideEvidence")
    assert request.values == b'{ "kind" : "other" }'
    assert request.source == EVIDENCE_SOURCE_SELF_DECLARED


@pytest.mark.parametrize(
    "typed", [("--file", "-"), ("--set", "amountPence=12x"), ("--set", "secret=12345678")]
)
def test_what_cannot_be_meant_is_not_sent_and_not_repeated(
    server: FakeServer, terminal: Terminal, typed: tuple[str, str]
) -> None:
    ran = terminal.run("information", "add", "income", *typed, typed='["12345678"')

    assert ran.exit_code == 2
    assert "12345678" not in ran.err
    assert "12x" not in ran.err
    assert server.requests("ProvideEvidence") == []


def test_nothing_typed_and_nobody_there_is_a_usage_error(terminal: Terminal) -> None:
    ran = terminal.run("information", "add", "income")

    assert ran.exit_code == 2
    assert "--set" in ran.err


@pytest.mark.usefixtures("_somebody_is_there")
def test_questions_are_made_of_labels_and_hints(server: FakeServer, terminal: Terminal) -> None:
    answers = "State Pension\nDWP\nlots\n88200\nevery four weeks\n\n\n\n"

    ran = terminal.run("information", "add", "income", typed=answers)

    (request,) = server.requests("ProvideEvidence")
    assert json.loads(request.values) == {
        "kind": "state_pension",
        "payer": "DWP",
        "amountPence": 88200,
        "frequency": "four_weekly",
    }
    assert "Who pays it" in ran.err
    assert "a whole number" in ran.err


@pytest.mark.usefixtures("_somebody_is_there")
def test_a_name_of_parts_can_be_typed(server: FakeServer, terminal: Terminal) -> None:
    name = "Mair\nfirst name\ny\nRees\nfamilyname\nn\nn\n"
    birth = "1945-03-01\nn\n"

    terminal.run("information", "add", "identity", typed=name + birth)

    (request,) = server.requests("ProvideEvidence")
    assert json.loads(request.values) == {
        "name": [
            {
                "nameParts": [
                    {"value": "Mair", "type": "GivenName"},
                    {"value": "Rees", "type": "FamilyName"},
                ]
            }
        ],
        "birthDate": [{"value": "1945-03-01"}],
    }


def test_what_does_not_fit_is_told_by_its_label(server: FakeServer, terminal: Terminal) -> None:
    fields = (("/postalCode", "This field is missing."), ("", "At least one must be here."))
    refusal = Refusal(grpc.StatusCode.INVALID_ARGUMENT, "EVIDENCE_INVALID", fields=fields)
    server.says("ProvideEvidence", refusal)

    ran = terminal.run("information", "add", "postal_address", "--set", "streetName=Heol y Bont")

    assert ran.exit_code == 1
    assert "Postcode: This field is missing." in ran.err
    assert "Your address: At least one must be here." in ran.err


def test_adding_makes_the_place_first_where_there_is_none(
    server: FakeServer, terminal: Terminal
) -> None:
    added = server.answers["ProvideEvidence"]
    closed = Refusal(grpc.StatusCode.FAILED_PRECONDITION, "VAULT_NOT_OPEN")
    server.says("ProvideEvidence", closed, *added)

    ran = terminal.run("information", "add", "income", "--set", "kind=other")

    first, second = server.requests("ProvideEvidence")
    assert ran.exit_code == 0
    assert len(server.requests("OpenVault")) == 1
    assert first.request_id == second.request_id


def test_replacing_one_part_keeps_the_others(server: FakeServer, terminal: Terminal) -> None:
    terminal.run(
        *("information", "replace", "a0", "--set", "streetName=Stryd Fawr"),
        *("--remove", "postalCode"),
    )

    (request,) = server.requests("ReplaceEvidence")
    assert json.loads(request.values) == {"streetName": "Stryd Fawr", "addressCountry": "GB"}


def test_a_number_that_fits_two_things_is_not_guessed(
    server: FakeServer, terminal: Terminal
) -> None:
    other = world.a_piece()
    other.evidence_id = world.ADDRESS.replace("000000", "000001", 1)
    server.says("ListEvidence", ListEvidenceResponse(evidence=[world.a_piece(), other]))

    ran = terminal.run("information", "show", "a0")

    assert ran.exit_code == 2
    assert server.requests("GetEvidence") == []


def test_a_whole_number_needs_no_list(server: FakeServer, terminal: Terminal) -> None:
    terminal.run("information", "show", world.ADDRESS)

    assert server.requests("ListEvidence") == []


def test_opening_a_link_shows_who_why_what_and_what_if_not(terminal: Terminal) -> None:
    ran = terminal.run("request", "open", "http://127.0.0.1:8000/asked/r.token")

    for shown in (
        *("Aber Council, Home care", "Planning your care at home", "why en", "refused en"),
        *("24 Dec 2026", "Postcode", "An Act 2014", "https://aber.example/?code=a-code&state=s"),
    ):
        assert shown in ran.out


@pytest.mark.parametrize(
    "link",
    [
        "r.token",
        "http://127.0.0.1:8000/asked/r.token",
        "https://vault.example/asked/r.token/",
        "https://vault.example/asked?token=r.token",
        "https://vault.example/asked#r.token",
    ],
)
def test_the_secret_of_a_link_is_found(server: FakeServer, terminal: Terminal, link: str) -> None:
    terminal.run("request", "open", link)

    (request,) = server.requests("ClaimRequest")
    assert request.handoff_token == "r.token"


def test_sharing_sends_exactly_what_was_previewed(server: FakeServer, terminal: Terminal) -> None:
    ran = terminal.run("share", "c0", *CHOOSE, "--until", "2026-11-30", "--yes")

    (preview,) = server.requests("PreviewConsent")
    (granted,) = server.requests("GrantConsent")
    (item,) = granted.choice.items
    assert ran.exit_code == 0
    assert granted.choice == preview.choice
    assert granted.shown == Previews(server).granting(preview).shown
    assert (item.evidence_id, list(item.names)) == (world.ADDRESS, ["postalCode"])
    assert item.mode == EVIDENCE_MODE_FOLLOWING
    assert granted.choice.end_time == world.at("2026-12-01T00:00:00Z")


def test_one_version_alone_can_be_shared(server: FakeServer, terminal: Terminal) -> None:
    terminal.run("share", "c0", *CHOOSE, "--this-version", "--yes")

    (granted,) = server.requests("GrantConsent")
    assert granted.choice.items[0].mode == EVIDENCE_MODE_PINNED


def test_the_preview_shows_what_is_seen_and_what_is_not(terminal: Terminal) -> None:
    ran = terminal.run("share", "c0", *CHOOSE, "--only-show")

    seen, not_seen = ran.out.split("They would not see")
    assert "CF10 3NQ" in seen
    assert "Heol y Bont" not in ran.out
    assert "Your address: Street" in not_seen
    assert "Your income: Amount" in not_seen


@pytest.mark.parametrize(
    "options", [(), CHOOSE, ("--choose", "postal_address:uprn", "--yes"), ("--choose", "income")]
)
def test_nothing_is_shared_that_was_not_said(
    server: FakeServer, terminal: Terminal, options: tuple[str, ...]
) -> None:
    ran = terminal.run("share", "c0", *options)

    assert ran.exit_code == 2
    assert server.requests("GrantConsent") == []


@pytest.mark.usefixtures("_somebody_is_there")
@pytest.mark.parametrize("answer", ["", "n", "perhaps"])
def test_anything_but_a_yes_is_a_no(server: FakeServer, terminal: Terminal, answer: str) -> None:
    ran = terminal.run("share", "c0", *CHOOSE, typed=f"{answer}\n")

    assert ran.exit_code == 0
    assert "Not shared." in ran.err
    assert server.requests("GrantConsent") == []


@pytest.mark.usefixtures("_somebody_is_there")
def test_enter_alone_leaves_a_part_out(server: FakeServer, terminal: Terminal) -> None:
    terminal.run("share", "c0", typed="\ny\ny\ny\n")

    (granted,) = server.requests("GrantConsent")
    assert [list(item.names) for item in granted.choice.items] == [["postalCode"]]


@pytest.mark.usefixtures("_somebody_is_there")
def test_all_parts_left_out_shares_nothing(server: FakeServer, terminal: Terminal) -> None:
    ran = terminal.run("share", "c0", typed="\n\n")

    assert ran.exit_code == 2
    assert server.requests("PreviewConsent") == []


def test_stopping_asks_nothing_and_says_when(server: FakeServer, terminal: Terminal) -> None:
    ran = terminal.run("sharing", "stop", "d0")

    (request,) = server.requests("RevokeConsent")
    assert request.consent_id == world.CONSENT
    assert "14:02:07.123" in ran.out
    assert "stopped en" in ran.out


@pytest.mark.parametrize("columns", ["80", "120"])
def test_who_saw_what_is_told_whole_at_any_width(terminal: Terminal, columns: str) -> None:
    terminal.environment["COLUMNS"] = columns

    printed = " ".join(terminal.run("seen", "list").out.split())

    for shown in ("14:02:07.123", "Aber Council", "jones", "AC/123", "refused", "41", "42"):
        assert shown in printed


def test_no_line_is_wider_than_the_terminal(terminal: Terminal) -> None:
    printed = terminal.run("seen", "list").out + terminal.run("request", "show", "c0").out

    assert [line for line in printed.splitlines() if len(line) > 80] == []


def test_a_text_cannot_move_the_cursor(server: FakeServer, terminal: Terminal) -> None:
    use = world.a_use()
    use.staff_ref = "\x1b[2J\u202ejones"
    (answer,) = server.answers["ListHistory"]
    answer.entries[0].CopyFrom(use)  # type: ignore[union-attr]

    ran = terminal.run("seen", "list")

    assert "\x1b" not in ran.out
    assert "\u202e" not in ran.out


def test_a_confirmation_is_checked_before_it_is_shown(
    server: FakeServer, terminal: Terminal
) -> None:
    (answer,) = server.answers["ListHistory"]
    answer.entries[1].receipt.leaf_hash = bytes(32)  # type: ignore[union-attr]

    ran = terminal.run("confirmation", "show", str(world.ENTRY))

    assert ran.exit_code == 1
    assert ran.out == ""


def test_an_error_tells_the_call_and_what_to_do(server: FakeServer, terminal: Terminal) -> None:
    server.says("ClaimRequest", Refusal(grpc.StatusCode.FAILED_PRECONDITION, "REQUEST_EXPIRED"))

    ran = terminal.run("request", "open", "a-token")

    assert (ran.exit_code, ran.out) == (1, "")
    assert "Ask them for a new link." in ran.err
    assert CALL_ID in ran.err
