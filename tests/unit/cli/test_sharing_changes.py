# SPDX-License-Identifier: Apache-2.0
"""Sharing less, for longer, paused and resumed: shown first where there is something to weigh."""

from __future__ import annotations

import json

import grpc
import pytest

from clients.cli.output import Output
from tests.unit.cli import her_things, world
from tests.unit.cli.conftest import Terminal
from tests.unit.cli.fake_server import FakeServer, Refusal
from tests.unit.cli.previews import Previews
from vault.api.v1.consent_pb2 import Consent, ItemScope
from vault.api.v1.consent_service_pb2 import (
    GetConsentResponse,
    ListConsentsResponse,
)

LEAVE_OUT = ("--leave-out", "postal_address:streetName")


@pytest.fixture(autouse=True)
def _her_things(server: FakeServer) -> None:
    her_things.fill(server)
    # Still to come, whenever this is read.
    shares(server, a_long_consent())


@pytest.fixture
def _somebody_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Output, "is_interactive", property(lambda _: True))


def a_long_consent() -> Consent:
    consent = world.a_consent()
    consent.end_time.CopyFrom(world.at("2999-01-01T00:00:00Z"))
    consent.scope.append(
        ItemScope(
            item=2,
            evidence_type="income",
            mode=2,
            optional=["amountPence", "payer"],
            evidence_id=world.INCOME,
        )
    )
    return consent


def shares(server: FakeServer, consent: Consent) -> None:
    server.says("GetConsent", GetConsentResponse(consent=consent))


def test_sharing_less_shows_the_difference_before_it_is_done(
    server: FakeServer, terminal: Terminal
) -> None:
    ran = terminal.run("sharing", "less", "d0", *LEAVE_OUT, "--times", "1", "--yes")

    first, second = server.requests("NarrowConsent")
    assert ran.exit_code == 0
    assert (first.validate_only, second.validate_only) == (True, False)
    assert first.items == second.items
    for shown in (
        *("Your address: Street", "30 Nov 2026, instead of 24 Dec 2026", "once each day at most"),
        *("They would still see", "Your address  Postcode"),
    ):
        assert ran.out.index(shown) < ran.out.index("From now on")


def test_what_is_not_left_out_stays(server: FakeServer, terminal: Terminal) -> None:
    terminal.run("sharing", "less", "d0", *LEAVE_OUT, "--until", "2998-11-30", "--yes")

    request = server.requests("NarrowConsent")[-1]
    assert [(item.item, list(item.names)) for item in request.items] == [
        (1, ["postalCode"]),
        (2, ["amountPence", "payer"]),
    ]
    assert request.end_time == world.at("2998-12-01T00:00:00Z")
    assert request.frequency_count == 0


def test_a_kind_alone_is_all_of_it(server: FakeServer, terminal: Terminal) -> None:
    terminal.run("sharing", "less", "d0", "--leave-out", "income", "--yes")

    request = server.requests("NarrowConsent")[-1]
    assert [item.item for item in request.items] == [1]


def test_an_earlier_end_alone_leaves_the_parts_as_they_are(
    server: FakeServer, terminal: Terminal
) -> None:
    terminal.run("sharing", "less", "d0", "--until", "2998-11-30", "--yes")

    assert list(server.requests("NarrowConsent")[-1].items) == []


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ((), "--leave-out"),
        (("--leave-out", "passport"), "You do not share this with them: passport"),
        (("--leave-out", "postal_address:uprn"), "You do not share this with them"),
        (("--leave-out", "postal_address:"), "Say what to leave out"),
        (("--leave-out", "postal_address", "--leave-out", "income"), "sharing stop d0000000"),
        (("--until", "2020-01-01"), "sharing stop d0000000"),
        (("--until", "2998-12-31", "--times", "2"), "nothing changes"),
        (("--until", "2027-02-29"), "There is no such day"),
    ],
)
def test_what_would_change_nothing_or_leave_nothing_is_not_asked_for(
    server: FakeServer, terminal: Terminal, typed: tuple[str, ...], said: str
) -> None:
    ran = terminal.run("sharing", "less", "d0", *typed, "--yes")

    assert ran.exit_code == 2
    assert said in " ".join(ran.err.split())
    assert server.requests("NarrowConsent") == []


def test_two_things_of_one_kind_are_told_apart_by_their_numbers(
    server: FakeServer, terminal: Terminal
) -> None:
    consent = a_long_consent()
    consent.scope[1].evidence_type = "postal_address"
    shares(server, consent)

    unclear = terminal.run("sharing", "less", "d0", *LEAVE_OUT, "--yes")
    clear = terminal.run("sharing", "less", "d0", "--leave-out", "a0000000:streetName", "--yes")

    assert (unclear.exit_code, clear.exit_code) == (2, 0)
    assert "--leave-out NUMBER" in " ".join(unclear.err.split())
    assert list(server.requests("NarrowConsent")[-1].items[0].names) == ["postalCode"]


@pytest.mark.usefixtures("_somebody_is_there")
def test_she_can_be_asked_part_by_part_and_enter_keeps_everything(
    server: FakeServer, terminal: Terminal
) -> None:
    ran = terminal.run("sharing", "less", "d0", typed="y\n\n\n\n2998-11-30\n1\ny\n")

    request = server.requests("NarrowConsent")[-1]
    assert ran.exit_code == 0
    assert [list(item.names) for item in request.items] == [
        ["postalCode"],
        ["amountPence", "payer"],
    ]
    assert request.end_time == world.at("2998-12-01T00:00:00Z")
    assert request.frequency_count == 1


@pytest.mark.usefixtures("_somebody_is_there")
@pytest.mark.parametrize(
    ("typed", "exit_code"), [("\n\n\n\n\n\n", 2), ("\n\n\n\n\n1,5\n", 2), ("y\n\n\n\n\n\nno\n", 0)]
)
def test_without_a_yes_nothing_is_left_out(
    server: FakeServer, terminal: Terminal, typed: str, exit_code: int
) -> None:
    ran = terminal.run("sharing", "less", "d0", typed=typed)

    assert ran.exit_code == exit_code
    assert [one for one in server.requests("NarrowConsent") if not one.validate_only] == []


@pytest.mark.parametrize(
    "command", [("less", "d0", *LEAVE_OUT), ("longer", "d0", "--until", "2999-06-30")]
)
def test_where_nobody_is_there_nothing_changes_without_a_yes(
    server: FakeServer, terminal: Terminal, command: tuple[str, ...]
) -> None:
    asked = terminal.run("sharing", *command)
    shown = terminal.run("sharing", *command, "--only-show", "--json")

    sent = server.requests("NarrowConsent") + server.requests("ExtendConsent")
    assert (asked.exit_code, shown.exit_code) == (2, 0)
    assert "--yes" in asked.err
    assert "difference" in json.loads(shown.out)
    assert [one.validate_only for one in sent] == [True, True]


def test_sharing_for_longer_agrees_to_exactly_what_was_shown(
    server: FakeServer, terminal: Terminal
) -> None:
    ran = terminal.run("sharing", "longer", "d0", "--until", "2999-06-30", "--yes")

    first, second = server.requests("ExtendConsent")
    assert ran.exit_code == 0
    assert (first.validate_only, first.HasField("shown")) == (True, False)
    assert (second.validate_only, second.shown) == (False, Previews(server).extending(first).shown)
    assert first.end_time == second.end_time == world.at("2999-06-30T23:00:00Z")
    for shown in ("30 Jun 2999, instead of 31 Dec 2998", "Street, Postcode", "stopped en"):
        assert ran.out.index(shown) < ran.out.index("You are now sharing")


@pytest.mark.parametrize("until", ["2998-12-31", "2026-11-30"])
def test_an_end_that_is_not_later_is_said_to_be_none(
    server: FakeServer, terminal: Terminal, until: str
) -> None:
    ran = terminal.run("sharing", "longer", "d0", "--until", until, "--yes")

    assert ran.exit_code == 2
    assert "31 Dec 2998" in ran.err
    assert server.requests("ExtendConsent") == []


def test_pausing_asks_nothing_and_says_how_to_go_on(server: FakeServer, terminal: Terminal) -> None:
    ran = terminal.run("sharing", "pause", "d0")

    (request,) = server.requests("PauseConsent")
    assert request.consent_id == world.CONSENT
    assert "14:02:07.123" in ran.out
    assert "citizen-vault sharing resume d0000000" in ran.out


def test_resuming_says_what_they_see_again(server: FakeServer, terminal: Terminal) -> None:
    ran = terminal.run("sharing", "resume", "d0")

    shown, request = server.requests("ResumeConsent")
    assert (shown.validate_only, request.validate_only) == (True, False)
    assert request.consent_id == world.CONSENT
    assert request.HasField("shown")
    assert "Street, Postcode" in ran.out


def test_what_is_paused_is_shown_as_paused(server: FakeServer, terminal: Terminal) -> None:
    shares(server, her_things.a_paused_consent())

    ran = terminal.run("sharing", "show", "d0")

    assert "you paused" in ran.out
    assert "22 Nov 2026 14:02:07.123" in ran.out
    assert "sharing resume d0000000" in ran.out


def test_what_has_not_begun_says_when_it_does(server: FakeServer, terminal: Terminal) -> None:
    consent = a_long_consent()
    consent.start_time.CopyFrom(world.at("2998-06-01T12:00:00Z"))
    shares(server, consent)
    server.says("ListConsents", ListConsentsResponse(consents=[consent]))

    printed = " ".join(terminal.run("sharing", "show", "d0").out.split())

    assert "starts 1 Jun 2998 13:00" in printed
    assert "sharing now" not in terminal.run("sharing", "list").out


def test_things_that_are_shared_differently_are_told_apart(
    server: FakeServer, terminal: Terminal
) -> None:
    consent = a_long_consent()
    consent.scope[1].mode = 1
    shares(server, consent)

    printed = " ".join(terminal.run("sharing", "show", "d0").out.split())

    assert "Your address: they see the new version" in printed
    assert "Your income: they see this version only" in printed


@pytest.mark.parametrize(
    ("count", "seconds", "said"),
    [
        (2, 86400, "2 times each day"),
        (1, 7 * 86400, "once in every 7 days"),
        (3, 3600, "3 times each hour"),
        (1, 90 * 60, "once in every 90 minutes"),
        (1, 60, "once each minute"),
        (1, 90, "once in every 90 seconds"),
    ],
)
def test_a_frequency_is_said_in_whole_units(
    server: FakeServer, terminal: Terminal, count: int, seconds: int, said: str
) -> None:
    consent = a_long_consent()
    consent.frequency.count, consent.frequency.period_seconds = count, seconds
    shares(server, consent)

    assert said in terminal.run("sharing", "show", "d0").out


@pytest.mark.parametrize(
    ("command", "refused", "said"),
    [
        (
            ("less", "d0", *LEAVE_OUT, "--yes"),
            ("NarrowConsent", "NARROWING_WIDENS"),
            "not less",
        ),
        (
            ("longer", "d0", "--until", "2999-06-30", "--yes"),
            ("ExtendConsent", "PURPOSE_EXCEEDED"),
            "Choose an earlier day.",
        ),
        (("pause", "d0"), ("PauseConsent", "CONSENT_PAUSED"), "You have paused this already."),
        (("resume", "d0"), ("ResumeConsent", "CONSENT_NOT_PAUSED"), "This is not paused."),
    ],
)
def test_what_is_refused_is_told_in_her_words(
    server: FakeServer,
    terminal: Terminal,
    command: tuple[str, ...],
    refused: tuple[str, str],
    said: str,
) -> None:
    method, reason = refused
    server.says(method, Refusal(grpc.StatusCode.FAILED_PRECONDITION, reason))

    ran = terminal.run("sharing", *command)

    assert ran.exit_code == 1
    assert said in ran.err
