# SPDX-License-Identifier: Apache-2.0
"""The operator's own history, over the wire: recorded once a change, and read by everybody.

A known fault reaches whoever has an entry that it touches.
"""

from __future__ import annotations

import html
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clients.auditor.facts import OPERATION_FACTS
from clients.auditor.record import read_record
from clients.cli import export_folder
from clients.export.copy import Copy
from clients.export.form import line_of
from clients.export.page import page_of
from clients.wording.words import Words
from tests.samples import exported, faulting
from tests.server import ROOT, Server, running
from tests.world import Citizen, World, assisted, connected, new_id
from vault import release
from vault.api.v1 import audit_service_pb2 as audit
from vault.api.v1 import operation_pb2
from vault.api.v1 import operations_service_pb2 as operations
from vault.api.v1 import vault_service_pb2 as vaults
from vault.api.v1.log_pb2 import Record
from vault.configuration.config import read_config
from vault.domain.canonical import unb64
from vault.fsck.check import check


@pytest.fixture
def own(tmp_path: Path) -> Server:
    """A server of one's own, not started yet."""
    return Server(tmp_path / "server")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world whose operator nobody else is."""
    server = Server(tmp_path_factory.mktemp("operated"))
    with running(server), connected(server.target) as channel:
        yield World(server, channel)


def listed(world: World, **asked: Any) -> list[operation_pb2.Operation]:
    """Return the operator's history, newest first, as an auditor reads it."""
    request = operations.ListOperationsRequest(page_size=500, **asked)
    return list(world.auditor.ask("OperationsService/ListOperations", request).operations)


def history(citizen: Citizen, **asked: Any) -> list[Any]:
    """Return a citizen's history."""
    request = vaults.ListHistoryRequest(page_size=500, **asked)
    return list(citizen.caller.ask("VaultService/ListHistory", request).entries)


def publish(world: World, first: int, end: int) -> operation_pb2.Operation:
    """Publish a fault of entries."""
    origin = listed(world)[0].receipt.origin
    request = faulting(origin, first, end)
    published: operation_pb2.Operation = world.operator.ask(
        "OperationsService/PublishKnownFault", request
    ).operation
    return published


def kinds(found: list[operation_pb2.Operation]) -> list[str]:
    return [one.type for one in found]


def test_a_start_is_recorded_once_for_each_change(own: Server) -> None:
    for _ in range(2):
        with running(own):
            pass
    own.settings["CITIZEN_VAULT_CALLS"] = "77"
    with running(own), connected(own.target) as channel:
        found = listed(World(own, channel))

    assert kinds(found) == ["release-started.1", "key-used.1", "release-started.1"]
    later, used, first = found[0].release_started, found[1].key_used, found[2].release_started
    assert later.program_hash == first.program_hash == unb64(release.program_hash())
    assert later.configuration_hash != first.configuration_hash
    assert (used.key, used.use) == ("wrapping", "serve")
    assert used.key_id.startswith("file-")


def test_several_processes_record_a_start_once(own: Server) -> None:
    own.settings["CITIZEN_VAULT_PROCESSES"] = "3"
    with running(own), connected(own.target) as channel:
        found = listed(World(own, channel))

    assert kinds(found) == ["key-used.1", "release-started.1"]


def test_anybody_who_has_the_files_can_make_their_digest() -> None:
    command = (
        "find projections vault -type f -not -path '*/__pycache__/*' | LC_ALL=C sort"
        " | xargs sha256sum | sha256sum"
    )
    done = subprocess.run(
        ["/bin/sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True
    )

    made = subprocess.run(
        [sys.executable, "-c", "from vault.release import program_hash; print(program_hash())"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert unb64(made.stdout.strip()).hex() == done.stdout.split()[0]


def test_an_act_is_recorded_with_its_note_and_a_retry_repeats_nothing(place: World) -> None:
    request = operations.RecordActRequest(
        request_id=new_id(),
        act=operation_pb2.ADMINISTRATOR_ACT_ACCESS_TO_BACKUP,
        note="The backup of Monday was opened to test it.",
    )

    first = place.operator.ask("OperationsService/RecordAct", request).operation
    again = place.operator.ask("OperationsService/RecordAct", request).operation
    request.note = "Another note."
    other = place.operator.call("OperationsService/RecordAct", request)

    assert first.version == again.version
    assert first.administrator_acted.note == "The backup of Monday was opened to test it."
    assert other.code == "ALREADY_EXISTS"
    assert kinds(listed(place)).count("administrator-acted.1") == 1


def test_whoever_has_an_entry_in_a_fault_sees_it_and_nobody_else(place: World) -> None:
    mair, other = place.citizen(), place.citizen()
    hers = history(mair)[0]
    before = len(history(other))

    published = publish(place, hers.receipt.leaf_index, hers.receipt.leaf_index + 1)

    newest = history(mair)[0]
    assert newest.type == "known-fault-published.1"
    assert newest.version == 0
    assert newest.known_fault.fault_id == published.known_fault.fault_id
    assert list(newest.known_fault.leaf_indexes) == [hers.receipt.leaf_index]
    assert not newest.known_fault.has_more
    assert not newest.known_fault.ranges
    assert newest.known_fault.notices[0].title == "Copies went to the wrong printer"
    assert newest.receipt.leaf_index == published.receipt.leaf_index
    assert len(history(other)) == before
    # Among who saw what it stands, too: there she looks for what went wrong.
    assert history(mair, only_disclosures=True)[0].known_fault.fault_id


def test_a_fault_stands_where_it_was_published_and_pages_go_past_it(place: World) -> None:
    mair = place.citizen()
    entries = history(mair)
    first, last = entries[-1].receipt.leaf_index, entries[0].receipt.leaf_index
    publish(place, first, last + 1)
    publish(place, last, last + 1)
    place.provide(mair, "bank_account", {"sortCode": "070116", "accountNumber": "33333334"})
    whole = history(mair)

    pages, token = [], ""
    while True:
        page = mair.caller.ask(
            "VaultService/ListHistory", vaults.ListHistoryRequest(page_size=1, page_token=token)
        )
        pages += page.entries
        token = page.next_page_token
        if not token:
            break

    assert [one.type for one in whole[:3]] == [
        "evidence-provided.1",
        "known-fault-published.1",
        "known-fault-published.1",
    ]
    assert len(whole[2].known_fault.leaf_indexes) == len(entries)
    assert [one.receipt.leaf_index for one in pages] == [one.receipt.leaf_index for one in whole]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"end_leaf_index": 1_000_000}, "does not reach so far"),
        ({"origin": "elsewhere/0"}, "no such log"),
        ({"first_leaf_index": 2, "end_leaf_index": 2}, "after its beginning"),
    ],
)
def test_a_fault_of_entries_that_are_not_there_is_refused(
    place: World, change: dict[str, Any], told: str
) -> None:
    request = faulting(listed(place)[0].receipt.origin, 0, 1)
    request.ranges[0].MergeFrom(operation_pb2.EntryRange(**change))
    before = len(listed(place))

    answer = place.operator.call("OperationsService/PublishKnownFault", request)

    assert answer.code == "INVALID_ARGUMENT"
    assert told in answer.message
    assert len(listed(place)) == before


def test_overlapping_ranges_are_refused(place: World) -> None:
    request = faulting(listed(place)[0].receipt.origin, 0, 3)
    request.ranges.add(origin=request.ranges[0].origin, first_leaf_index=2, end_leaf_index=4)

    answer = place.operator.call("OperationsService/PublishKnownFault", request)

    assert (answer.code, "overlap" in answer.message) == ("INVALID_ARGUMENT", True)


def test_auditors_replay_it_with_the_lane(place: World) -> None:
    published = publish(place, 0, 1)
    request = audit.ReplayLaneRequest(request_id=new_id(), origin=published.receipt.origin)
    answer = place.auditor.call("AuditService/ReplayLane", request)
    messages = [audit.ReplayLaneResponse.FromString(data) for data in answer.answers]
    records: list[Record] = [one.record for one in messages if one.WhichOneof("item") == "record"]
    (found,) = [one for one in records if one.leaf_index == published.receipt.leaf_index]

    record = read_record(line_of(found), OPERATION_FACTS)

    assert record.facts is not None
    assert record.facts.type == "known-fault-published.1"
    assert record.faults == ()


def test_an_official_who_helps_sees_it_too(place: World) -> None:
    mair = place.citizen()
    place.assist(mair)
    hers = history(mair)[0].receipt.leaf_index
    publish(place, hers, hers + 1)

    request = vaults.ListHistoryRequest(page_size=500, acting=assisted(mair))
    seen = place.official.ask("VaultService/ListHistory", request).entries

    assert [one.type for one in seen][:2] == ["vault-read.1", "known-fault-published.1"]


@pytest.mark.parametrize("language", ["en", "cy"])
def test_the_page_that_she_takes_away_tells_of_it(
    place: World, tmp_path: Path, language: str
) -> None:
    mair, nia = place.citizen(), place.citizen()
    entries = [one.receipt.leaf_index for one in history(mair)]
    published = publish(place, min(entries), min(entries) + 1)
    pages, words = dict[str, str](), Words(language)
    for citizen in (mair, nia):
        folder = tmp_path / citizen.sub
        with export_folder.new_folder(str(folder), words) as writing:
            export_folder.write(writing, exported(citizen), words, lambda _: None)
        copy = Copy(folder, words)
        session: Any = SimpleNamespace(words=words, published=copy.published)
        pages[citizen.sub] = html.unescape(page_of(session, copy))

    # There is none in Welsh: then she is told in English.
    (notice,) = published.known_fault.notices
    for told in (notice.title, notice.text, notice.help_line, f": {min(entries)}."):
        assert told in pages[mair.sub], told
    assert f'<h2 id="faults-title">{words("export.faults")}</h2>' in pages[mair.sub]
    assert "faults-title" not in pages[nia.sub]
    assert notice.text not in pages[nia.sub]


@pytest.fixture(scope="module")
def lanes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A deployment whose vaults lie in a lane of their own."""
    folder = tmp_path_factory.mktemp("lanes")
    (folder / "lanes").write_text("0 full\n1 takes-new-vaults lane-1.db\n")
    server = Server(folder / "server")
    server.settings["CITIZEN_VAULT_LANES_FILE"] = str(folder / "lanes")
    with running(server), connected(server.target) as channel:
        yield World(server, channel)


def test_a_fault_of_one_lane_touches_nobody_in_another(lanes: World) -> None:
    """The same place is another entry in each log."""
    mair = lanes.citizen()
    entries = history(mair)
    places, origin = [one.receipt.leaf_index for one in entries], entries[0].receipt.origin
    first = listed(lanes)[0].receipt.origin
    assert (first[-2:], origin[-2:]) == ("/0", "/1")

    for named in (first, origin):
        request = faulting(named, min(places), max(places) + 1)
        lanes.operator.ask("OperationsService/PublishKnownFault", request)

    faults = [one for one in history(mair) if one.HasField("known_fault")]
    assert len(faults) == 1
    assert list(faults[0].known_fault.leaf_indexes) == sorted(places)


def test_what_lies_in_several_lanes_is_exported_and_checked(lanes: World, tmp_path: Path) -> None:
    parts = exported(lanes.citizen())
    with export_folder.new_folder(str(tmp_path / "all"), Words("en")) as folder:
        export_folder.write(folder, parts, Words("en"), lambda _: None)

    done = subprocess.run(
        [sys.executable, "-m", "clients.auditor", "history", str(tmp_path / "all"), "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    settings = {
        **lanes.server.settings,
        "CITIZEN_VAULT_DATA": str(lanes.server.data),
        "CITIZEN_VAULT_ENVIRONMENT": "development",
    }
    report = check(read_config(settings), lambda *_: None)

    answer = json.loads(done.stdout)
    assert (answer["findings"], answer["proved"]["unproved"]) == ([], 0)
    assert report.is_clean, report.as_text()
    assert len(report.heads) == 4
