# SPDX-License-Identifier: Apache-2.0
"""Who asks, what would be sent, and her answers: one at a time, or several in one visit."""

from __future__ import annotations

import json

import grpc
import pytest

from clients.cli.output import Output
from clients.wording.words import Words
from tests.unit.cli import her_things, world
from tests.unit.cli.conftest import Terminal
from tests.unit.cli.fake_server import FakeServer, Refusal
from tests.unit.cli.previews import Previews
from vault.api.v1.consent_pb2 import (
    EVIDENCE_MODE_FOLLOWING,
    EVIDENCE_MODE_PINNED,
    ConsentRequest,
    RequestedScope,
)
from vault.api.v1.consent_service_pb2 import (
    ClaimRequestResponse,
    GetRequestResponse,
    ListRequestsResponse,
    PreviewConsentRequest,
    PreviewConsentResponse,
)
from vault.api.v1.evidence_service_pb2 import GetEvidenceResponse

CHOOSE = ("--choose", "postal_address:postalCode")
GONE = Refusal(grpc.StatusCode.FAILED_PRECONDITION, "REQUEST_EXPIRED")
LINKS = ("https://vault.example/asked/one", "https://vault.example/asked/two")


@pytest.fixture(autouse=True)
def _her_things(server: FakeServer) -> None:
    her_things.fill(server)


@pytest.fixture
def _somebody_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Output, "is_interactive", property(lambda _: True))


def another_request() -> ConsentRequest:
    request = world.a_request()
    request.consent_request_id = her_things.OTHER_REQUEST
    return request


def sends(server: FakeServer, bundle: bytes) -> None:
    def previewed(request: PreviewConsentRequest) -> PreviewConsentResponse:
        preview = Previews(server).granting(request)
        preview.bundle = bundle
        return preview

    server.says("PreviewConsent", previewed)


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (1, "It is your choice."),
        (2, "They need this, but you can send it another way."),
        (3, "The law decides. They may get it whatever you answer here."),
    ],
)
def test_whose_choice_it_is_is_said_honestly(
    server: FakeServer, terminal: Terminal, form: int, said: str
) -> None:
    request = world.a_request()
    request.decision_form = form  # type: ignore[assignment]
    server.says("GetRequest", GetRequestResponse(consent_request=request))

    printed = " ".join(terminal.run("request", "show", "c0").out.split())

    assert f"Whose choice it is {said}" in printed


def test_when_it_would_begin_and_by_when_it_is_needed_is_shown(
    server: FakeServer, terminal: Terminal
) -> None:
    request = world.a_request()
    request.start_time.CopyFrom(her_things.EARLIER)
    purpose = world.a_purpose("en", "cy")
    purpose.texts[0].needed_by = "before you leave hospital"
    (answer,) = server.answers["GetPurpose"]
    answer.purpose.CopyFrom(purpose)  # type: ignore[union-attr]
    server.says("GetRequest", GetRequestResponse(consent_request=request))

    ran = terminal.run("request", "show", "c0")

    assert "before you leave hospital" in ran.out
    assert "1 Dec 2026 00:00 at the earliest" in ran.out


@pytest.mark.parametrize(("state", "said"), [(4, "you said no"), (5, "they took it back")])
def test_what_became_of_a_request_is_said(
    server: FakeServer, terminal: Terminal, state: int, said: str
) -> None:
    server.says("GetRequest", GetRequestResponse(consent_request=world.a_request(state)))

    ran = terminal.run("request", "show", "c0")

    assert said in ran.out
    assert "citizen-vault share" not in ran.out


def test_several_links_are_opened_at_once(server: FakeServer, terminal: Terminal) -> None:
    ran = terminal.run("request", "open", *LINKS)

    first, second = server.requests("ClaimRequest")
    assert ran.exit_code == 0
    assert (first.handoff_token, second.handoff_token) == ("one", "two")
    assert first.request_id != second.request_id
    assert ran.out.count("?code=a-code") == 2


def test_a_link_that_fails_does_not_keep_the_others_back(
    server: FakeServer, terminal: Terminal
) -> None:
    opened = server.answers["ClaimRequest"]
    server.says("ClaimRequest", GONE, *opened)

    ran = terminal.run("request", "open", *LINKS)

    assert ran.exit_code == 1
    assert "?code=a-code" in ran.out
    assert "Ask them for a new link." in ran.err
    assert "1 of 2 did not work" in ran.err


def test_links_as_json_are_a_list_and_the_first_error(
    server: FakeServer, terminal: Terminal
) -> None:
    opened = server.answers["ClaimRequest"]
    server.says("ClaimRequest", GONE, *opened)

    ran = terminal.run("request", "open", *LINKS, "--json")

    assert ran.exit_code == 1
    assert [one["code"] for one in json.loads(ran.out)] == ["a-code"]
    assert json.loads(ran.err)["error"]["reason"] == "REQUEST_EXPIRED"


@pytest.mark.parametrize("link", ["http://[", "https://vault.example/", ""])
def test_what_is_no_link_is_a_usage_error(
    server: FakeServer, terminal: Terminal, link: str
) -> None:
    assert terminal.run("request", "open", link).exit_code == 2
    assert server.requests("ClaimRequest") == []


def test_a_request_without_a_way_back_shows_none(server: FakeServer, terminal: Terminal) -> None:
    server.says("ClaimRequest", ClaimRequestResponse(consent_request=world.a_request()))

    assert "give them this code" not in terminal.run("request", "open", "token").out


def test_only_those_who_wait_can_be_listed(server: FakeServer, terminal: Terminal) -> None:
    terminal.run("request", "list", "--waiting")
    terminal.run("request", "list")

    assert [one.only_pending for one in server.requests("ListRequests")] == [True, False]


def test_the_preview_shows_the_very_bytes_that_would_be_sent(
    server: FakeServer, terminal: Terminal
) -> None:
    bundle = json.loads(world.a_bundle("postalCode", statement=her_things.STATEMENT))
    bundle["items"][0]["fields"][0]["value"] = "日本橋 1-1"
    bundle["items"][0]["source"] = "document"
    sends(server, json.dumps(bundle).encode())

    printed = " ".join(terminal.run("share", "c0", *CHOOSE, "--only-show").out.split())

    for shown in (
        *("日本橋 1-1", "a document you have", "22 Nov 2026", "you say this is wrong"),
        *("Your words that go along:", her_things.STATEMENT, "in the United Kingdom"),
    ):
        assert shown in printed
    assert server.requests("GetEvidence") == []


def test_a_preview_too_large_for_one_answer_is_read_piece_by_piece(
    server: FakeServer, terminal: Terminal
) -> None:
    sends(server, b"")
    server.says("GetEvidence", GetEvidenceResponse(evidence=her_things.a_disputed_piece()))

    printed = " ".join(terminal.run("share", "c0", *CHOOSE, "--only-show").out.split())

    for shown in ("CF10 3NQ", "you say this is wrong", her_things.STATEMENT, "22 Nov 2026"):
        assert shown in printed
    assert "Heol y Bont" not in printed


def test_the_preview_as_json_is_all_of_it(server: FakeServer, terminal: Terminal) -> None:
    sends(server, world.a_bundle())

    ran = terminal.run("share", "c0", *CHOOSE, "--only-show", "--json")

    assert json.loads(ran.out)["bundle"] == world.b64(world.a_bundle())
    assert server.requests("GrantConsent") == []


def test_a_later_start_goes_with_the_choice(server: FakeServer, terminal: Terminal) -> None:
    granted = server.answers["GrantConsent"][0]
    granted.consent.start_time.CopyFrom(world.at("2999-12-01T00:00:00Z"))  # type: ignore[union-attr]

    ran = terminal.run("share", "c0", *CHOOSE, "--from", "2026-12-01", "--yes")

    (request,) = server.requests("GrantConsent")
    assert request.choice.start_time == her_things.EARLIER
    assert "from 1 Dec 2999 00:00" in " ".join(ran.out.split())


@pytest.mark.usefixtures("_somebody_is_there")
@pytest.mark.parametrize(
    ("typed", "mode"), [("y", EVIDENCE_MODE_FOLLOWING), ("", EVIDENCE_MODE_PINNED)]
)
def test_she_is_asked_whether_they_see_what_she_changes_later(
    server: FakeServer, terminal: Terminal, typed: str, mode: int
) -> None:
    terminal.run("share", "c0", typed=f"y\ny\n{typed}\ny\n")

    (granted,) = server.requests("GrantConsent")
    assert [item.mode for item in granted.choice.items] == [mode]


def test_saying_no_shows_what_happens_now_and_other_ways(
    server: FakeServer, terminal: Terminal
) -> None:
    ran = terminal.run("request", "refuse", "c0")

    (request,) = server.requests("RefuseConsent")
    assert (ran.exit_code, request.consent_request_id) == (0, world.REQUEST)
    for shown in ("refused en", "other en", "01632 960100", "Entry 41"):
        assert shown in ran.out


def test_several_can_be_refused_at_once(server: FakeServer, terminal: Terminal) -> None:
    ran = terminal.run("request", "refuse", world.REQUEST, her_things.OTHER_REQUEST, "--json")

    assert [one.consent_request_id for one in server.requests("RefuseConsent")] == [
        world.REQUEST,
        her_things.OTHER_REQUEST,
    ]
    assert len(json.loads(ran.out)) == 2


@pytest.fixture
def _two_wait(server: FakeServer) -> None:
    server.says(
        "ListRequests",
        ListRequestsResponse(consent_requests=[another_request(), world.a_request()]),
    )


@pytest.mark.usefixtures("_somebody_is_there", "_two_wait")
def test_all_who_wait_are_answered_one_by_one_oldest_first(
    server: FakeServer, terminal: Terminal
) -> None:
    ran = terminal.run("request", "answer", typed="s\ny\ny\ny\ny\nn\n")

    (granted,), (refused,) = server.requests("GrantConsent"), server.requests("RefuseConsent")
    assert ran.exit_code == 0
    assert granted.consent_request_id == world.REQUEST
    assert refused.consent_request_id == her_things.OTHER_REQUEST
    assert "Shared: 1. Said no: 1. Left for later: 0." in ran.out
    assert [one.only_pending for one in server.requests("ListRequests")] == [True]


@pytest.mark.usefixtures("_somebody_is_there", "_two_wait")
@pytest.mark.parametrize("typed", ["\n\n", "y\nperhaps\n", "s\n\n\nl\n", "s\ny\ny\ny\nn\n\n"])
def test_what_is_neither_shared_nor_refused_is_left(
    server: FakeServer, terminal: Terminal, typed: str
) -> None:
    ran = terminal.run("request", "answer", typed=typed)

    assert ran.exit_code == 0
    assert server.requests("GrantConsent") == server.requests("RefuseConsent") == []
    assert "Left for later: 2." in ran.out


@pytest.mark.usefixtures("_somebody_is_there", "_two_wait")
def test_an_answer_that_fails_does_not_end_the_visit(
    server: FakeServer, terminal: Terminal
) -> None:
    cancelled = Refusal(grpc.StatusCode.FAILED_PRECONDITION, "REQUEST_CANCELLED")
    server.says("RefuseConsent", cancelled, *server.answers["RefuseConsent"])

    ran = terminal.run("request", "answer", "--json", typed="n\nn\n")

    assert ran.exit_code == 1
    assert json.loads(ran.out) == [
        {"consent_request_id": world.REQUEST, "answer": "later"},
        {"consent_request_id": her_things.OTHER_REQUEST, "answer": "refused"},
    ]
    assert "They took this back." in ran.err


@pytest.mark.usefixtures("_somebody_is_there", "_two_wait")
def test_she_answers_in_her_language(server: FakeServer, terminal: Terminal) -> None:
    ran = terminal.run("request", "answer", "--language", "cy", typed="n\nrh\ni\ni\ni\ni\n")

    assert (len(server.requests("GrantConsent")), len(server.requests("RefuseConsent"))) == (1, 1)
    assert Words("cy")("answer.sum", shared=1, refused=1, later=0) in " ".join(ran.out.split())


@pytest.mark.usefixtures("_two_wait")
def test_where_nobody_is_there_nothing_is_answered(server: FakeServer, terminal: Terminal) -> None:
    ran = terminal.run("request", "answer")

    assert ran.exit_code == 2
    assert "request refuse" in ran.err
    assert server.requests("GetRequest") == []


def test_where_nobody_waits_that_is_said(server: FakeServer, terminal: Terminal) -> None:
    server.says("ListRequests", ListRequestsResponse())

    assert "Nobody waits for your answer." in terminal.run("request", "answer").out


def test_a_document_that_is_missing_is_added_as_a_file(
    server: FakeServer, terminal: Terminal
) -> None:
    request = world.a_request()
    del request.scope[:]
    request.scope.append(RequestedScope(evidence_type="passport", required=["documentNumber"]))
    request.scope.append(RequestedScope(evidence_type="document", required=["content"]))
    server.says("GetRequest", GetRequestResponse(consent_request=request))
    (listed,) = server.answers["ListEvidence"]
    del listed.evidence[:]  # type: ignore[union-attr]

    ran = terminal.run("share", "c0", "--choose", "document")
    other = terminal.run("share", "c0", "--choose", "passport")

    assert "citizen-vault document add FILE" in ran.err
    assert "citizen-vault information add passport" in other.err
