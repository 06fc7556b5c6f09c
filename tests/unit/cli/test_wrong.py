# SPDX-License-Identifier: Apache-2.0
"""She says that something is wrong: it is marked wherever it stands, until it is settled."""

from __future__ import annotations

import json

import pytest

from clients.cli.output import Output
from tests.unit.cli import her_things, world
from tests.unit.cli.conftest import Terminal
from tests.unit.cli.fake_server import FakeServer
from vault.api.v1.evidence_pb2 import (
    DISPUTE_OUTCOME_CORRECTED,
    DISPUTE_OUTCOME_WITHDRAWN,
    Dispute,
    Evidence,
)
from vault.api.v1.evidence_service_pb2 import GetEvidenceResponse, ListEvidenceResponse

WRONG = ("information", "wrong", "a0")


@pytest.fixture(autouse=True)
def _her_things(server: FakeServer) -> None:
    her_things.fill(server)


def has(server: FakeServer, piece: Evidence) -> None:
    server.says("GetEvidence", GetEvidenceResponse(evidence=piece))


def test_it_is_said_in_her_words_of_the_parts_she_names(
    server: FakeServer, terminal: Terminal
) -> None:
    because = ("--because", "Symudais i 日本 ym mis Mai.")

    ran = terminal.run(*WRONG, "postalCode", "Street", "postalCode", *because, "--tell-them")

    (request,) = server.requests("DisputeEvidence")
    assert ran.exit_code == 0
    assert list(request.names) == ["streetName", "postalCode"]
    assert (request.statement, request.is_shared) == ("Symudais i 日本 ym mis Mai.", True)
    for shown in ("Your words go along", "These received what you say is wrong", "Aber Council"):
        assert shown in ran.out


def test_her_words_stay_with_her_unless_she_says_otherwise(
    server: FakeServer, terminal: Terminal
) -> None:
    ran = terminal.run(*WRONG, "postalCode", "--because", "-", typed="I moved.\nIn May.\n")

    (request,) = server.requests("DisputeEvidence")
    assert (request.statement, request.is_shared) == ("I moved.\nIn May.", False)
    assert "Your words stay with you." in ran.out


def test_she_is_asked_for_her_words(
    server: FakeServer, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Output, "is_interactive", property(lambda _: True))

    terminal.run(*WRONG, "postalCode", typed=" I moved. \n")

    assert server.requests("DisputeEvidence")[0].statement == "I moved."


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("postalCode",), "in your own words"),
        (("postalCode", "--because", "  "), "in your own words"),
        (("postalCode", "--because", "x" * 2001), "2000 characters"),
        (("uprn", "--because", "x"), "streetName, postalCode"),
    ],
)
def test_what_cannot_be_said_is_not_sent(
    server: FakeServer, terminal: Terminal, typed: tuple[str, ...], said: str
) -> None:
    ran = terminal.run(*WRONG, *typed)

    assert ran.exit_code == 2
    assert said in " ".join(ran.err.split())
    assert server.requests("DisputeEvidence") == []


def test_it_is_marked_where_she_looks_at_it(server: FakeServer, terminal: Terminal) -> None:
    piece = her_things.a_disputed_piece()
    server.says("GetEvidence", GetEvidenceResponse(evidence=piece, holders=[her_things.a_holder()]))
    server.says("ListEvidence", ListEvidenceResponse(evidence=[piece]))

    shown = " ".join(terminal.run("information", "show", "a0").out.split())
    listed = " ".join(terminal.run("information", "list").out.split())
    asked = " ".join(terminal.run("request", "show", "c0").out.split())

    assert "CF10 3NQ private you 22 Nov 2026 (you say this is wrong)" in shown
    assert f"“{her_things.STATEMENT}”" in shown
    assert "settle a0000000 corrected" in shown
    assert "(you say this is wrong: Postcode)" in listed
    assert "yes, but you say it is wrong" in asked


@pytest.mark.parametrize(
    ("how", "outcome"),
    [("corrected", DISPUTE_OUTCOME_CORRECTED), ("taken-back", DISPUTE_OUTCOME_WITHDRAWN)],
)
def test_it_is_settled_as_she_says(
    server: FakeServer, terminal: Terminal, how: str, outcome: int
) -> None:
    has(server, her_things.a_disputed_piece())

    ran = terminal.run("information", "settle", "a0", how)

    (request,) = server.requests("ResolveDispute")
    assert ran.exit_code == 0
    assert (request.dispute_id, request.outcome) == (her_things.DISPUTE, outcome)


def two_disputes() -> Evidence:
    piece = her_things.a_disputed_piece()
    piece.disputes.append(
        Dispute(dispute_id=world.INCOME, names=["streetName"], dispute_time=world.NOW)
    )
    return piece


def test_of_several_she_says_which(server: FakeServer, terminal: Terminal) -> None:
    has(server, two_disputes())

    unclear = terminal.run("information", "settle", "a0", "corrected")
    terminal.run("information", "settle", "a0", "corrected", "--part", "Street")

    (request,) = server.requests("ResolveDispute")
    assert unclear.exit_code == 2
    assert "--part postalCode / --part streetName" in unclear.err
    assert request.dispute_id == world.INCOME


def test_what_is_settled_is_not_settled_again(server: FakeServer, terminal: Terminal) -> None:
    piece = her_things.a_disputed_piece()
    piece.disputes[0].resolve_time.CopyFrom(world.NOW)
    has(server, piece)

    ran = terminal.run("information", "settle", "a0", "corrected")
    shown = terminal.run("information", "show", "a0")

    assert ran.exit_code == 1
    assert server.requests("ResolveDispute") == []
    assert her_things.STATEMENT not in shown.out


def test_who_received_which_version_is_shown(server: FakeServer, terminal: Terminal) -> None:
    holders = [her_things.a_holder(1, is_current=False), her_things.a_holder(2)]
    server.says(
        "GetEvidence", GetEvidenceResponse(evidence=her_things.a_disputed_piece(), holders=holders)
    )

    printed = " ".join(terminal.run("information", "show", "a0").out.split())

    for shown in ("version 1, an old", "version 2, as it", "Planning your care at home"):
        assert shown in printed


def test_an_old_version_can_be_looked_at(server: FakeServer, terminal: Terminal) -> None:
    ran = terminal.run("information", "show", "a0", "--revision", "1")

    (request,) = server.requests("GetEvidence")
    assert (request.revision, request.evidence_id) == (1, world.ADDRESS)
    assert "Nobody has received it." in ran.out


def test_replacing_shows_who_has_the_old_one_alone(server: FakeServer, terminal: Terminal) -> None:
    (answer,) = server.answers["ReplaceEvidence"]
    answer.holders.append(her_things.a_holder(2))  # type: ignore[union-attr]

    ran = terminal.run("information", "replace", "a0", "--set", "streetName=Stryd Fawr")

    assert "These received an old version" in ran.out
    assert ran.out.count("Aber Council") == 1


def test_answers_as_json_are_the_servers(server: FakeServer, terminal: Terminal) -> None:
    has(server, her_things.a_disputed_piece())

    said = terminal.run(*WRONG, "postalCode", "--because", "x", "--json")
    settled = terminal.run("information", "settle", "a0", "corrected", "--json")

    assert json.loads(said.out)["dispute_id"] == her_things.DISPUTE
    assert json.loads(settled.out)["evidence"]["evidence_id"] == world.ADDRESS


def test_what_cannot_be_read_as_text_is_a_usage_error(
    server: FakeServer, terminal: Terminal
) -> None:
    ran = terminal.run(*WRONG, "postalCode", "--because", "I moved\udcff")

    assert ran.exit_code == 2
    assert "UTF-8" in ran.err
    assert server.requests("DisputeEvidence") == []
