# SPDX-License-Identifier: Apache-2.0
"""A service looks across its citizens: lists, and changes that nobody misses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from tests.unit.cli import world
from tests.unit.cli.conftest import Terminal
from tests.unit.cli.fake_server import FakeServer, Refusal
from vault.api.v1 import disclosure_service_pb2 as disclosures
from vault.api.v1.consent_pb2 import ConsentDifference, Frequency, RemovedFields
from vault.api.v1.consent_service_pb2 import ListConsentsResponse, ListRequestsResponse

ROOT = Path(__file__).parents[3]
CHANGES = ("service", "changes")
AWAY = Refusal(grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE", "The store is away.")


@pytest.fixture(autouse=True)
def _council(server: FakeServer, terminal: Terminal) -> None:
    world.fill(server)
    terminal.sign_in("council", "service")


def page(cursor: str, *kinds: int, has_more: bool = False) -> disclosures.ListChangesResponse:
    changes = [
        disclosures.ConsentChange(
            kind=kind,
            time=world.NOW,
            consent_request_id=world.REQUEST,
            consent_id=world.CONSENT,
            subject_id=world.SUBJECT,
            external_reference="AC/123",
        )
        for kind in kinds
    ]
    return disclosures.ListChangesResponse(changes=changes, cursor=cursor, has_more=has_more)


def narrowed() -> disclosures.ListChangesResponse:
    change = page("c1", disclosures.CONSENT_CHANGE_KIND_NARROWED)
    change.changes[0].difference.CopyFrom(
        ConsentDifference(
            removed=[RemovedFields(item=1, evidence_type="postal_address", names=["streetName"])],
            end_time_before=world.MIDNIGHT,
            end_time_after=world.at("2026-12-01T00:00:00Z"),
            frequency_before=Frequency(count=4, period_seconds=86400),
            frequency_after=Frequency(count=1, period_seconds=86400),
        )
    )
    return change


def test_requests_are_listed_with_their_state(server: FakeServer, terminal: Terminal) -> None:
    cancelled = world.a_request(5)
    cancelled.external_reference = "AC/9"
    answer = ListRequestsResponse(consent_requests=[world.a_request(), cancelled])
    server.says("ListRequests", answer)

    ran = terminal.run("service", "requests", "--pending", "--limit", "7")

    (asked,) = server.requests("ListRequests")
    assert (asked.only_pending, asked.page_size) == (True, 7)
    for shown in (world.REQUEST, "pending", "cancelled", "AC/9"):
        assert shown in ran.out


def test_more_than_the_limit_is_said(server: FakeServer, terminal: Terminal) -> None:
    answer = ListRequestsResponse(consent_requests=[world.a_request()], next_page_token="more")
    server.says("ListRequests", answer)

    assert "--limit 0" in terminal.run("service", "requests", "--limit", "1").out


def test_consents_are_listed_with_whatever_a_fetch_needs(
    server: FakeServer, terminal: Terminal
) -> None:
    server.says("ListConsents", ListConsentsResponse(consents=[world.a_consent(4)]))

    ran = terminal.run("service", "consents")

    for shown in (world.CONSENT, world.SUBJECT, "paused"):
        assert shown in ran.out


def test_a_change_tells_what_differs(server: FakeServer, terminal: Terminal) -> None:
    server.says("ListChanges", narrowed())

    ran = terminal.run(*CHANGES)

    for shown in ("narrowed", world.CONSENT, world.SUBJECT, "AC/123", "streetName", "30 Nov 2026"):
        assert shown in ran.out
    assert "4 times each day" in ran.out
    assert "--cursor c1" in ran.err


def test_every_page_is_told(server: FakeServer, terminal: Terminal) -> None:
    server.says("ListChanges", page("c1", 1, has_more=True), page("c2", 6))

    ran = terminal.run(*CHANGES, "--cursor", "c0")

    assert [one.cursor for one in server.requests("ListChanges")] == ["c0", "c1"]
    assert ran.out.index("granted") < ran.out.index("paused")


def test_for_programs_each_line_is_an_answer_with_its_cursor(
    server: FakeServer, terminal: Terminal
) -> None:
    server.says("ListChanges", page("c1", 1, has_more=True), page("c2"))

    ran = terminal.run(*CHANGES, "--json")

    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert [(len(line["changes"]), line["cursor"]) for line in lines] == [(1, "c1"), (0, "c2")]


def test_a_cursor_file_goes_on_where_it_ended(
    server: FakeServer, terminal: Terminal, tmp_path: Path
) -> None:
    file = tmp_path / "cursor"
    server.says("ListChanges", page("c1", 1), page("c2", 8))

    terminal.run(*CHANGES, "--cursor-file", str(file))
    terminal.run(*CHANGES, "--cursor-file", str(file))

    assert [one.cursor for one in server.requests("ListChanges")] == ["", "c1"]
    assert file.read_text() == "c2\n"
    assert file.stat().st_mode & 0o077 == 0


def test_a_cursor_is_kept_for_what_was_told_and_no_more(
    server: FakeServer, terminal: Terminal, tmp_path: Path
) -> None:
    file = tmp_path / "cursor"
    refused = Refusal(grpc.StatusCode.INVALID_ARGUMENT, "TOKEN_INVALID")
    server.says("ListChanges", page("c1", 1, has_more=True), refused)

    ran = terminal.run(*CHANGES, "--cursor-file", str(file))

    assert ran.exit_code == 1
    assert file.read_text() == "c1\n"


@pytest.mark.parametrize("content", [b"\xff\xfe", None], ids=["no text", "a folder"])
def test_a_cursor_file_that_cannot_be_read_asks_nothing(
    server: FakeServer, terminal: Terminal, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "cursor"
    if content is None:
        file.mkdir()
    else:
        file.write_bytes(content)

    ran = terminal.run(*CHANGES, "--cursor-file", str(file))

    assert ran.exit_code == 2
    assert server.requests("ListChanges") == []


def test_a_cursor_comes_from_one_place(terminal: Terminal, tmp_path: Path) -> None:
    both = ("--cursor", "c", "--cursor-file", str(tmp_path / "cursor"))

    assert terminal.run(*CHANGES, *both).exit_code == 2


@pytest.fixture
def follower(terminal: Terminal, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    options = ("--follow", "--json", "--cursor-file", str(tmp_path / "cursor"))
    process = subprocess.Popen(
        [sys.executable, "-m", "clients.cli", *CHANGES, *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **terminal.environment},
    )
    with process:
        yield process
        process.kill()


def told(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    cursor: str = json.loads(process.stdout.readline())["cursor"]
    return cursor


@pytest.mark.timeout(60)
def test_whoever_follows_hears_what_comes_until_interrupted(
    server: FakeServer, follower: subprocess.Popen[str], tmp_path: Path
) -> None:
    server.says("ListChanges", page("c1", 1), page("c1"), AWAY, AWAY, AWAY, AWAY, page("c2", 8))

    cursors = [told(follower), told(follower)]
    asked_before = len(server.requests("ListChanges"))
    while len(server.requests("ListChanges")) == asked_before:
        time.sleep(0.01)
    follower.send_signal(signal.SIGINT)
    _, err = follower.communicate(timeout=30)

    assert cursors == ["c1", "c2"]
    assert follower.returncode == 0
    assert err.count("Asking again every second") == 1
    assert (tmp_path / "cursor").read_text() == "c2\n"


@pytest.mark.timeout(60)
def test_a_server_that_was_never_there_is_not_followed(
    server: FakeServer, follower: subprocess.Popen[str]
) -> None:
    server.says("ListChanges", AWAY)

    _, err = follower.communicate(timeout=30)

    assert follower.returncode == 4
    assert "The store is away." in err
