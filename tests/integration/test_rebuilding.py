# SPDX-License-Identifier: Apache-2.0
"""Every view, built anew from what an auditor was sent, is the view that the server shows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clients.cli.audit import line_of
from projections.rebuild import VIEWS
from tests.server import ROOT, Server, running
from tests.world import World, connected, new_id
from vault.api.v1 import audit_service_pb2 as audit
from vault.api.v1 import consent_service_pb2 as consent
from vault.api.v1 import disclosure_service_pb2 as disclosure


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A server on which things happened: shared, fetched, paused, stopped, asked in vain."""
    with (
        running(Server(tmp_path_factory.mktemp("rebuilding"))) as server,
        connected(server.target) as channel,
    ):
        world = World(server, channel)
        citizen, service = world.citizen(), world.service()
        first, second = world.share(citizen, service), world.share(world.mair, service)
        assert world.disclose(first).is_ok
        assert world.pause(second).is_ok
        world.ask(service)
        revoked = consent.RevokeConsentRequest(request_id=new_id(), consent_id=first.consent_id)
        token = citizen.caller.ask("ConsentService/RevokeConsent", revoked).position_token
        # Both views show it, and nothing that they follow comes after it.
        service.caller.ask(
            "ConsentService/ListConsents", consent.ListConsentsRequest(position_token=token)
        )
        service.caller.ask(
            "DisclosureService/ListChanges", disclosure.ListChangesRequest(position_token=token)
        )
        yield world


@pytest.fixture(scope="module")
def export(story: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an auditor was sent of the log."""
    origin = json.loads(story.replay_registry()[0].link)["origin"]
    request = audit.ReplayLaneRequest(request_id=new_id(), origin=origin)
    answer = story.auditor.call("AuditService/ReplayLane", request)
    records = [item.record for item in answer.messages() if item.HasField("record")]
    path = tmp_path_factory.mktemp("export") / "log.jsonl"
    path.write_bytes(b"".join(map(line_of, records)))
    return path


def rebuilt(*arguments: str) -> tuple[int, str, str]:
    """Run the command without any setting of this machine's."""
    clean = {name: value for name, value in os.environ.items() if "CITIZEN_VAULT" not in name}
    ran = subprocess.run(
        [sys.executable, "-m", "vault.main", "rebuild", *arguments],
        cwd=ROOT,
        env={**clean, "CITIZEN_VAULT_ENVIRONMENT": "development"},
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.returncode, ran.stdout, ran.stderr


def views(*arguments: str) -> list[dict[str, Any]]:
    """Return what every view comes to."""
    code, out, err = rebuilt("--json", *arguments)
    assert code == 0, err
    found: list[dict[str, Any]] = json.loads(out)["views"]
    assert [view["name"] for view in found] == [kind.name for kind in VIEWS]
    return found


def size_of(export: Path) -> int:
    return len(export.read_bytes().splitlines())


def test_an_export_comes_to_what_the_server_shows(story: World, export: Path) -> None:
    from_export = views("--from", str(export))

    assert all(view["rows"] for view in from_export)
    assert views("--shown", "--data", str(story.server.data)) == from_export
    at = f"0={size_of(export)}"
    assert views("--data", str(story.server.data), "--at", at) == from_export


def test_as_of_an_earlier_place_it_comes_to_something_else(
    story: World, export: Path, tmp_path: Path
) -> None:
    lines = export.read_bytes().splitlines(keepends=True)
    revoked = next(n for n, line in enumerate(lines) if b"consent-revoked.1" in line)
    cut = tmp_path / "cut.jsonl"
    cut.write_bytes(b"".join(lines[:revoked]))

    then = views("--from", str(cut))

    assert then == views("--data", str(story.server.data), "--at", f"0={revoked}")
    assert [v["digest"] for v in then] != [v["digest"] for v in views("--from", str(export))]


def test_an_export_is_read_without_any_database(export: Path, tmp_path: Path) -> None:
    code, out, _ = rebuilt("--from", str(export), "--data", str(tmp_path / "nowhere"))

    assert code == 0
    assert [line.split()[1] for line in out.splitlines()] == [
        f"{kind.name}.{kind.version}" for kind in VIEWS
    ]


def test_what_was_changed_or_left_out_is_told(export: Path, tmp_path: Path) -> None:
    lines = export.read_bytes().splitlines(keepends=True)
    granted = next(n for n, line in enumerate(lines) if b"consent-granted.1" in line)
    row = json.loads(lines[granted])
    changed = {
        "was changed": {
            **row,
            "facts": row["facts"].replace('"one_time":false', '"one_time":true'),
        },
        "withholds its link": {**row, "link": ""},
        "no record of a log": [],
    }
    files = {
        why: [*lines[:granted], json.dumps(value).encode() + b"\n", *lines[granted + 1 :]]
        for why, value in changed.items()
    }
    files["only a whole log"] = [*lines[:granted], *lines[granted + 1 :]]
    for why, content in files.items():
        path = tmp_path / "changed.jsonl"
        path.write_bytes(b"".join(content))
        code, out, err = rebuilt("--from", str(path))
        assert (code, out) == (1, "")
        assert why in err


@pytest.mark.parametrize(
    "arguments", [("--at", "0"), ("--at", "x=1"), ("--shown", "--from", "x"), ("--from",)]
)
def test_a_wrong_argument_is_told(arguments: tuple[str, ...]) -> None:
    assert rebuilt(*arguments)[0] == 2


def test_views_that_are_not_there_are_told(tmp_path: Path) -> None:
    code, _, err = rebuilt("--shown", "--data", str(tmp_path))

    assert code == 1
    assert "There is no view" in err
