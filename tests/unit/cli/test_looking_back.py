# SPDX-License-Identifier: Apache-2.0
"""What was, and why: her things as of a moment, every line of history, codes for officials."""

from __future__ import annotations

import json
from typing import Any

import grpc
import pytest

from tests.unit.cli import her_things, world
from tests.unit.cli.conftest import Terminal
from tests.unit.cli.fake_server import FakeServer, Refusal
from vault.api.v1.audit_service_pb2 import ExplainDisclosureResponse, GetVaultStateResponse
from vault.api.v1.vault_pb2 import Acting, HistoryEntry, SignIn, Vault
from vault.api.v1.vault_service_pb2 import GetVaultResponse, ListHistoryResponse

WHY = ("seen", "why", str(world.ENTRY))


@pytest.fixture(autouse=True)
def _her_things(server: FakeServer) -> None:
    her_things.fill(server)


def test_a_day_is_asked_for_with_all_that_happened_on_it(
    server: FakeServer, terminal: Terminal
) -> None:
    ran = terminal.run("information", "list", "--as-of", "2020-06-30")

    (request,) = server.requests("GetVaultState")
    assert ran.exit_code == 0
    assert request.vault_id == world.VAULT
    assert request.as_of_time == world.at("2020-06-30T22:59:59.999999Z")
    assert request.as_of_token == ""


def test_what_is_no_time_is_a_place_in_history(server: FakeServer, terminal: Terminal) -> None:
    terminal.run("information", "list", "--as-of", "AAECAwQ")

    (request,) = server.requests("GetVaultState")
    assert request.as_of_token == "AAECAwQ"
    assert not request.HasField("as_of_time")


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (("information", "list"), ("a0000000", "Street, Postcode", "wrong: Postcode", " 3 ")),
        (("sharing", "list"), ("d0000000", "you paused", "24 Dec 2026")),
        (("request", "list"), ("c0000000", "they took it back")),
    ],
)
def test_her_things_are_shown_as_they_were(
    terminal: Terminal, command: tuple[str, ...], shown: tuple[str, ...]
) -> None:
    terminal.environment["COLUMNS"] = "120"

    ran = terminal.run(*command, "--as-of", "2020-11-22T14:02:07.123456Z")

    printed = " ".join(ran.out.split())
    assert "As it was on 22 Nov 2026 14:02:07.123" in printed
    for text in shown:
        assert text in printed


@pytest.mark.parametrize(
    "command", [("information", "list"), ("sharing", "list"), ("request", "list")]
)
def test_the_past_as_json_is_the_whole_state(terminal: Terminal, command: tuple[str, ...]) -> None:
    ran = terminal.run(*command, "--as-of", "2020-11-22T14:02:07Z", "--json")

    assert json.loads(ran.out)["state"]["vault_id"] == world.VAULT


@pytest.mark.parametrize("typed", ["9000-01-01", "2027-02-29", "2020-11-22T14:02:07.1234567Z"])
def test_a_moment_that_cannot_be_meant_is_not_asked_for(
    server: FakeServer, terminal: Terminal, typed: str
) -> None:
    assert terminal.run("sharing", "list", "--as-of", typed).exit_code == 2
    assert server.requests("GetVaultState") == []


def test_before_there_was_anything_there_was_nothing(
    server: FakeServer, terminal: Terminal
) -> None:
    server.says("GetVaultState", Refusal(grpc.StatusCode.NOT_FOUND, "NOT_FOUND"))

    ran = terminal.run("information", "list", "--as-of", "2020-01-01")

    assert ran.exit_code == 1
    assert "There was nothing of yours then." in ran.err


def test_an_empty_moment_says_so(server: FakeServer, terminal: Terminal) -> None:
    state = her_things.a_state()
    del state.evidence[:]
    server.says("GetVaultState", GetVaultStateResponse(state=state))

    ran = terminal.run("information", "list", "--as-of", "2020-11-22T14:02:07Z")

    assert "There was nothing of yours then." in ran.out


def test_why_names_the_line_by_its_version(server: FakeServer, terminal: Terminal) -> None:
    terminal.run(*WHY)

    (request,) = server.requests("ExplainDisclosure")
    assert (request.vault_id, request.version) == (world.VAULT, 4)


def test_why_shows_the_agreement_and_the_texts_as_they_stood(terminal: Terminal) -> None:
    ran = terminal.run(*WHY, "--language", "cy")

    printed = " ".join(ran.out.split())
    for shown in (
        *("14:02:07.123", "AC/123", "jones", "2 gwaith bob dydd", "An Act 2014"),
        # She agreed in English: those are the texts that she read.
        *("why en", "refused en", "other en"),
    ):
        assert shown in printed
    assert "why cy" not in printed


@pytest.mark.parametrize(
    ("decision", "is_same", "said"),
    [
        (1, True, "Decided again now, by the same rules: the same."),
        (2, True, "it would be otherwise"),
        (3, True, "An attempt that was refused is not decided again."),
        (1, True, "These are the very texts that you were shown"),
        (1, False, "These are not the texts that you were shown."),
    ],
)
def test_why_tells_whether_it_holds_together(
    server: FakeServer, terminal: Terminal, decision: int, said: str, *, is_same: bool
) -> None:
    explanation = her_things.an_explanation(decision, is_same=is_same)
    server.says("ExplainDisclosure", ExplainDisclosureResponse(explanation=explanation))

    assert said in " ".join(terminal.run(*WHY).out.split())


def test_an_entry_that_is_no_look_is_not_explained(server: FakeServer, terminal: Terminal) -> None:
    ran = terminal.run("seen", "why", "7")

    assert ran.exit_code == 1
    assert "seen list" in ran.err
    assert server.requests("ExplainDisclosure") == []


def test_who_looked_is_shown_with_how_to_ask_why(terminal: Terminal) -> None:
    assert "citizen-vault seen why 42" in terminal.run("seen", "list").out


def line(kind: str, **told: object) -> HistoryEntry:
    return HistoryEntry(
        version=5,
        time=world.NOW,
        type=kind,
        service_id=world.SERVICE,
        receipt=world.a_receipt(),
        **told,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("consent-request-cancelled.1", "They took their question back"),
        ("consent-refused.1", "You said no"),
        ("consent-narrowed.1", "You share less"),
        ("consent-extended.1", "You share for longer"),
        ("consent-paused.1", "You paused sharing"),
        ("consent-resumed.1", "You let it go on"),
        ("evidence-disputed.1", "You said that this is wrong"),
        ("dispute-resolved.1", "You settled what was wrong"),
        ("link-code-created.1", "A code for another sign-in was made"),
        ("signed-out-everywhere.1", "You signed out everywhere"),
        ("evidence-protected.1", "You protected something"),
        ("protection-lifted.1", "You protect it no more"),
        ("contact-set.1", "How you are reached was changed"),
        ("passkey-added.1", "You added a passkey"),
        ("passkey-removed.1", "A passkey was removed"),
    ],
)
def test_everything_that_can_happen_has_its_words(
    server: FakeServer, terminal: Terminal, kind: str, said: str
) -> None:
    terminal.environment["COLUMNS"] = "160"
    server.says("ListHistory", ListHistoryResponse(entries=[line(kind)]))

    assert said in terminal.run("history", "list").out


@pytest.mark.parametrize(
    ("kind", "means", "said"),
    [
        ("sign-in-linked.1", 1, "A code for an official was made"),
        ("sign-in-linked.2", 1, "A code for an official was made"),
        ("sign-in-unlinked.1", 1, "A code for an official was closed"),
        ("sign-in-linked.2", 2, "Another sign-in was linked"),
        ("sign-in-unlinked.1", 2, "A sign-in was closed"),
    ],
)
def test_a_sign_in_is_not_told_of_as_a_code(
    server: FakeServer, terminal: Terminal, kind: str, means: Any, said: str
) -> None:
    terminal.environment["COLUMNS"] = "160"
    way = SignIn(sign_in_id=world.SUBJECT, means=means, link_time=world.NOW)
    server.says("ListHistory", ListHistoryResponse(entries=[line(kind, sign_in=way)]))

    assert said in terminal.run("history", "list").out


@pytest.mark.parametrize(
    ("channel", "said"),
    [(4, "at a counter"), (5, "on the phone"), (6, "by letter"), (0, "by an official for you")],
)
def test_what_an_official_did_for_her_is_not_told_as_if_she_had(
    server: FakeServer, terminal: Terminal, channel: int, said: str
) -> None:
    terminal.environment["COLUMNS"] = "160"
    acting = Acting(capacity=7, channel=channel)  # type: ignore[arg-type]
    entry = line("consent-granted.1", acting=acting)
    server.says("ListHistory", ListHistoryResponse(entries=[entry]))

    assert said in terminal.run("history", "list").out


def test_what_changed_stands_in_its_line(server: FakeServer, terminal: Terminal) -> None:
    terminal.environment["COLUMNS"] = "160"
    entry = line("consent-narrowed.1", difference=her_things.a_difference())
    server.says("ListHistory", ListHistoryResponse(entries=[entry]))

    printed = " ".join(terminal.run("history", "list").out.split())

    assert "No longer shared: Your address: Street" in printed
    assert "30 Nov 2026, instead of 24 Dec 2026" in printed


def test_a_code_is_shown_once_with_what_it_is_for(server: FakeServer, terminal: Terminal) -> None:
    closed = Refusal(grpc.StatusCode.FAILED_PRECONDITION, "VAULT_NOT_OPEN")
    server.says("CreateAssistanceCode", closed, *server.answers["CreateAssistanceCode"])

    created = terminal.run("help-code", "create")
    listed = terminal.run("help-code", "list")

    assert "ABCDE-FGHJK-MNPQR-STVWX" in created.out
    assert "help-code close a3000000" in created.out
    assert len(server.requests("OpenVault")) == 1
    assert "ABCDE" not in listed.out
    assert "open" in listed.out


def test_a_code_is_closed_by_its_number(server: FakeServer, terminal: Terminal) -> None:
    ran = terminal.run("help-code", "close", "a3")

    (request,) = server.requests("UnlinkSignIn")
    assert (ran.exit_code, request.sign_in_id) == (0, her_things.CODE)


def test_a_closed_code_says_since_when(server: FakeServer, terminal: Terminal) -> None:
    (answer,) = server.answers["GetVault"]
    answer.vault.sign_ins[-1].unlink_time.CopyFrom(world.NOW)  # type: ignore[union-attr]

    assert "closed 22 Nov 2026 14:02" in terminal.run("help-code", "list").out


def test_where_there_is_no_code_that_is_said(server: FakeServer, terminal: Terminal) -> None:
    server.says("GetVault", GetVaultResponse(vault=Vault(vault_id=world.VAULT)))

    assert "There is no code for officials." in terminal.run("help-code", "list").out


def test_looking_back_is_hers_and_not_an_officials(server: FakeServer, terminal: Terminal) -> None:
    terminal.sign_in("ann", "official")
    with_code = ("--channel", "counter", "--code", "ABCDE-FGHJK-MNPQR-STVWX")

    past = terminal.run("assist", "information", "list", "--as-of", "2020-01-01", *with_code)
    seen = terminal.run("assist", "seen", "list", *with_code)

    assert past.exit_code == 3
    assert "Only they themselves" in past.err
    assert server.requests("GetVaultState") == []
    assert "seen why" not in seen.out
