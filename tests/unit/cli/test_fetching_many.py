# SPDX-License-Identifier: Apache-2.0
"""Fetching for many at once: each verified and kept, and a run that can be run again."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from clients.cli import service_fetch_many
from tests.unit.cli import world
from tests.unit.cli.conftest import Ran, Terminal
from tests.unit.cli.fake_server import FakeServer, Refusal
from vault.api.v1.disclosure_service_pb2 import (
    DiscloseEvidenceBatchRequest,
    DiscloseEvidenceBatchResponse,
    DisclosureResult,
)

METHOD = "DiscloseEvidenceBatch"
REVOKED = (grpc.StatusCode.FAILED_PRECONDITION, "CONSENT_REVOKED")
TOO_LATE = (grpc.StatusCode.UNAVAILABLE, "RELEASE_TOO_LATE")
AWAY = Refusal(grpc.StatusCode.UNAVAILABLE)

Failing = Callable[[str], tuple[grpc.StatusCode, str] | None]
"""Returns how the disclosure of a case fails, None if it does not."""


def a_line(case: str, **changed: Any) -> dict[str, Any]:
    fields = [{"evidence_type": "postal_address", "names": ["postalCode"]}]
    return {
        "subject_id": world.SUBJECT,
        "authority": {"consent_id": world.CONSENT},
        "purpose_code": "care-at-home",
        "fields": fields,
        "case_ref": case,
        **changed,
    }


@pytest.fixture(autouse=True)
def _council(
    server: FakeServer,
    terminal: Terminal,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world.fill(server)
    server.says(METHOD, answering())
    terminal.sign_in("council", "service")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(service_fetch_many, "PAUSE_SECONDS", 0.0)


def write(*lines: dict[str, Any]) -> None:
    Path("wanted.jsonl").write_text("\n".join(json.dumps(line) for line in lines) + "\n\n")


def fetch(terminal: Terminal, *options: str, out: str = "fetched") -> Ran:
    return terminal.run("service", "fetch-many", "wanted.jsonl", "--out", out, *options)


def answering(fails: Failing = lambda _: None) -> Callable[[DiscloseEvidenceBatchRequest], Any]:
    """Return a server that discloses her address for every case but those that fail."""

    def result(case: str) -> DisclosureResult:
        failure = fails(case)
        if failure is None:
            return DisclosureResult(disclosed=world.a_disclosure())
        code, reason = failure
        status = Status(code=code.value[0], message=f"It failed: {reason}.")
        status.details.add().Pack(ErrorInfo(reason=reason, domain="vault.api.v1"))
        return DisclosureResult(failed=status.SerializeToString())

    return lambda request: DiscloseEvidenceBatchResponse(
        results=[result(one.case_ref) for one in request.disclosures]
    )


def failing(cases: Collection[str], how: tuple[grpc.StatusCode, str] = REVOKED) -> Failing:
    return lambda case: how if case in cases else None


def sent(server: FakeServer) -> list[list[str]]:
    """Return the cases of each message that was sent."""
    return [[one.case_ref for one in found.disclosures] for found in server.requests(METHOD)]


def ids(server: FakeServer) -> dict[str, str]:
    """Return the `request_id` with which each case was sent last."""
    return {
        one.case_ref: one.request_id
        for found in server.requests(METHOD)
        for one in found.disclosures
    }


def kept(kind: str, out: str = "fetched") -> list[Path]:
    return sorted(Path(out).glob(f"*.{kind}.json"))


def test_all_are_fetched_verified_and_kept(server: FakeServer, terminal: Terminal) -> None:
    write(a_line("A"), a_line("B"))

    ran = fetch(terminal)

    assert ran.exit_code == 0, ran.err
    assert "2, verified" in ran.out
    names = sorted(f"{request_id}.bundle.json" for request_id in ids(server).values())
    assert [path.name for path in kept("bundle")] == names
    assert [path.read_bytes() for path in kept("bundle")] == [world.a_bundle()] * 2


def test_what_is_kept_verifies_later_and_is_for_its_owner_alone(terminal: Terminal) -> None:
    write(a_line("A"))
    fetch(terminal)
    (bundle,), (receipt,) = kept("bundle"), kept("receipt")

    ran = terminal.run("service", "verify", str(receipt), "--bundle", str(bundle))

    assert ran.exit_code == 0, ran.err
    assert stat.S_IMODE(Path("fetched").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in Path("fetched").iterdir()} == {0o600}


def test_sixty_four_go_into_a_message(server: FakeServer, terminal: Terminal) -> None:
    write(*(a_line(str(number)) for number in range(130)))

    assert fetch(terminal).exit_code == 0
    assert [len(message) for message in sent(server)] == [64, 64, 2]


def test_many_messages_take_several_streams(
    server: FakeServer, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_fetch_many, "MOST_IN_MESSAGE", 2)
    monkeypatch.setattr(service_fetch_many, "MESSAGES_IN_STREAM", 2)
    write(*(a_line(str(number)) for number in range(7)))

    assert fetch(terminal).exit_code == 0
    assert [len(message) for message in sent(server)] == [2, 2, 2, 1]
    assert len(kept("bundle")) == 7


def test_a_run_that_is_run_again_fetches_nothing_twice(
    server: FakeServer, terminal: Terminal
) -> None:
    write(a_line("A"), a_line("B"))
    fetch(terminal)

    again = fetch(terminal)

    assert again.exit_code == 0
    assert "There already" in again.out
    assert sent(server) == [["A", "B"]]


def test_what_failed_is_sent_again_under_its_id(server: FakeServer, terminal: Terminal) -> None:
    write(a_line("A"), a_line("B"), a_line("C"))
    server.says(METHOD, answering(failing({"B"})))
    assert fetch(terminal).exit_code == 1
    first = ids(server)["B"]

    server.says(METHOD, answering())
    again = fetch(terminal)

    assert again.exit_code == 0
    assert sent(server)[-1] == ["B"]
    assert ids(server)["B"] == first
    assert len(kept("bundle")) == 3


def test_what_was_lost_before_it_was_written_is_repeated(
    server: FakeServer, terminal: Terminal
) -> None:
    """Killed between receipt and bundle, for instance: the id is the same, so it is a repeat."""
    write(a_line("A"))
    fetch(terminal)
    first = ids(server)["A"]
    kept("bundle")[0].unlink()

    assert fetch(terminal).exit_code == 0
    assert ids(server)["A"] == first
    assert len(kept("bundle")) == 1


def test_a_new_folder_fetches_anew(server: FakeServer, terminal: Terminal) -> None:
    write(a_line("A"))
    fetch(terminal)
    first = ids(server)["A"]

    fetch(terminal, out="another")

    assert ids(server)["A"] != first
    assert len(kept("bundle", "another")) == 1


def test_lines_keep_their_ids_wherever_they_stand(server: FakeServer, terminal: Terminal) -> None:
    server.says(METHOD, answering(failing({"A", "B"})))
    write(a_line("A"), a_line("B"))
    fetch(terminal)
    before = ids(server)

    write(a_line("new"), a_line("B"), a_line("A"))
    fetch(terminal)

    assert {case: ids(server)[case] for case in "AB"} == before


def test_a_line_twice_is_fetched_twice(server: FakeServer, terminal: Terminal) -> None:
    write(a_line("A"), a_line("A"))
    fetch(terminal)

    (message,) = server.requests(METHOD)
    assert len({one.request_id for one in message.disclosures}) == 2
    assert len(kept("bundle")) == 2


def test_an_id_of_its_own_is_kept(server: FakeServer, terminal: Terminal) -> None:
    write(a_line("A", request_id=world.REQUEST.upper()))
    fetch(terminal)

    assert ids(server) == {"A": world.REQUEST}


def test_what_fails_stops_no_other_and_is_told(server: FakeServer, terminal: Terminal) -> None:
    server.says(METHOD, answering(failing({"B"})))
    write(a_line("A"), a_line("B"), a_line("C"))

    ran = fetch(terminal)

    assert ran.exit_code == 1
    assert len(kept("bundle")) == 2
    assert "It failed: CONSENT_REVOKED." in ran.out
    assert "1 of 3 failed" in ran.err
    assert sent(server) == [["A", "B", "C"]]


def test_each_line_is_json_for_programs(server: FakeServer, terminal: Terminal) -> None:
    write(a_line("A"))
    fetch(terminal)
    server.says(METHOD, answering(failing({"B"})))
    write(a_line("A"), a_line("B"), a_line("C"))

    ran = fetch(terminal, "--json")

    found = [json.loads(line) for line in ran.out.splitlines()]
    assert [(one["line"], one["outcome"]) for one in found] == [
        (1, "there"),
        (2, "failed"),
        (3, "fetched"),
    ]
    assert found[1]["error"]["reason"] == "CONSENT_REVOKED"
    assert Path(found[2]["bundle"]).read_bytes() == world.a_bundle()
    assert {one["consent_id"] for one in found} == {world.CONSENT}
    assert json.loads(ran.err)["error"]["message"] == "1 of 3 failed."


def test_what_is_too_late_is_asked_for_again_at_once(
    server: FakeServer, terminal: Terminal
) -> None:
    server.says(METHOD, answering(failing({"B"}, TOO_LATE)), answering())
    write(a_line("A"), a_line("B"))

    assert fetch(terminal).exit_code == 0
    assert sent(server) == [["A", "B"], ["B"]]


def test_it_is_not_asked_for_without_end(server: FakeServer, terminal: Terminal) -> None:
    server.says(METHOD, answering(failing({"A"}, TOO_LATE)))
    write(a_line("A"))

    assert fetch(terminal).exit_code == 4
    assert len(sent(server)) == service_fetch_many.MOST_TRIES


def test_what_does_not_verify_is_not_kept(server: FakeServer, terminal: Terminal) -> None:
    write(a_line("A", subject_id=world.VAULT), a_line("B"))

    ran = fetch(terminal)

    assert ran.exit_code == 1
    assert "does not verify" in " ".join(ran.out.split())
    assert len(kept("bundle")) == len(kept("receipt")) == 1
    assert sent(server) == [["A", "B"]]


def test_a_stream_that_is_cut_leaves_what_came_and_goes_on_later(
    server: FakeServer, terminal: Terminal
) -> None:
    server.says(METHOD, answering(), AWAY)
    write(*(a_line(str(number)) for number in range(70)))

    cut = fetch(terminal)
    came = len(kept("bundle"))
    server.says(METHOD, answering())
    again = fetch(terminal)

    assert (cut.exit_code, came) == (4, 64)
    assert "6 of 70 failed" in cut.err
    assert again.exit_code == 0
    assert len(kept("bundle")) == 70
    assert len(sent(server)[-1]) == 6


def test_a_line_that_breaks_a_constraint_keeps_no_other_back(
    server: FakeServer, terminal: Terminal
) -> None:
    """Its whole message is refused: the others go without it."""

    def constrained(request: DiscloseEvidenceBatchRequest) -> Any:
        for place, one in enumerate(request.disclosures):
            if one.case_ref == "67":
                field = (f"disclosures[{place}].purpose_code", "must be a code")
                code = grpc.StatusCode.INVALID_ARGUMENT
                return Refusal(code, "FIELD_INVALID", "A field is wrong.", (field,))
        return answering()(request)

    server.says(METHOD, constrained)
    write(*(a_line(str(number)) for number in range(70)))

    ran = fetch(terminal, "--json")

    failed = [one for one in map(json.loads, ran.out.splitlines()) if one["outcome"] == "failed"]
    assert [(one["line"], one["error"]["reason"]) for one in failed] == [(68, "FIELD_INVALID")]
    assert len(kept("bundle")) == 69
    assert ran.exit_code == 1


@pytest.mark.parametrize(
    "text",
    ["", "\n\n", "{", '{"subject": "x"}', '{"request_id": "x"}', "\ufffe"],
    ids=["nothing", "blank", "no JSON", "no such field", "no id", "something else"],
)
def test_a_file_that_is_none_is_told_before_anything_is_made(
    server: FakeServer, terminal: Terminal, text: str
) -> None:
    Path("wanted.jsonl").write_text(text)

    ran = fetch(terminal)

    assert ran.exit_code == 2
    assert server.asked == []
    assert not Path("fetched").exists()


def test_a_wrong_line_is_named(terminal: Terminal) -> None:
    write(a_line("A"), a_line("B", colour="red"))

    assert "Line 2" in fetch(terminal).err


def test_a_file_that_is_not_there_is_told(terminal: Terminal) -> None:
    assert fetch(terminal).exit_code == 2


def test_a_folder_of_something_else_is_left_alone(server: FakeServer, terminal: Terminal) -> None:
    write(a_line("A"))
    Path("fetched").mkdir()
    Path("fetched/letter.txt").write_text("mine")

    assert fetch(terminal).exit_code == 2
    assert [path.name for path in Path("fetched").iterdir()] == ["letter.txt"]
    assert sent(server) == []
