# SPDX-License-Identifier: Apache-2.0
"""What was fetched is shown whole: what is disputed, what she says, and what is owed for it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.unit.cli import world
from tests.unit.cli.conftest import Terminal
from tests.unit.cli.fake_server import FakeServer, Refusal
from vault.api.v1 import disclosure_service_pb2 as disclosures

UNDER = ("--consent", world.CONSENT, "--subject", world.SUBJECT, "--purpose", "care-at-home")
FETCH = ("service", "fetch", "postal_address:postalCode", *UNDER)
CHECK = ("service", "check", "postal_address:postalCode", *UNDER)
STATEMENT = "I moved in October."


@pytest.fixture(autouse=True)
def _council(server: FakeServer, terminal: Terminal) -> None:
    world.publish(server)
    terminal.sign_in("council", "service")


def disclosed(bundle: bytes) -> disclosures.DiscloseEvidenceResponse:
    digest = world.b64(hashlib.sha256(bundle).digest())
    return world.a_disclosure(bundle, bundle_hash=digest)


def test_a_disputed_value_is_marked_and_her_statement_goes_with_it(
    server: FakeServer, terminal: Terminal
) -> None:
    bundle = world.a_bundle("streetName", statement=STATEMENT)
    server.says("DiscloseEvidence", disclosed(bundle))

    ran = terminal.run(*FETCH)

    (marked,) = (line for line in ran.out.splitlines() if "DISPUTED" in line)
    assert "Heol y Bont" in marked
    assert STATEMENT in ran.out


def test_nothing_is_marked_that_nobody_disputes(server: FakeServer, terminal: Terminal) -> None:
    server.says("DiscloseEvidence", disclosed(world.a_bundle()))

    ran = terminal.run(*FETCH)

    assert "Heol y Bont" in ran.out
    assert "DISPUTED" not in ran.out
    assert "wrong" not in ran.out


def test_what_is_owed_stands_with_it(server: FakeServer, terminal: Terminal) -> None:
    server.says("DiscloseEvidence", disclosed(world.a_bundle()))

    ran = terminal.run(*FETCH)

    for shown in ("public task, An Act 2014", "2026-12-22T14:02:07", "30 days", "sensitive"):
        assert shown in ran.out


def test_what_may_only_be_viewed_says_so(server: FakeServer, terminal: Terminal) -> None:
    bundle = json.loads(world.a_bundle())
    bundle["obligations"] |= {"method": "view", "retention_days": 0, "retain_until": ""}
    server.says("DiscloseEvidence", disclosed(json.dumps(bundle).encode()))

    assert "keep no copy" in terminal.run(*FETCH).out


def test_a_bundle_of_another_form_is_not_guessed_at(server: FakeServer, terminal: Terminal) -> None:
    bundle = json.dumps({**json.loads(world.a_bundle()), "type": "bundle.9"}).encode()
    server.says("DiscloseEvidence", disclosed(bundle))

    ran = terminal.run(*FETCH)

    assert ran.exit_code == 1
    assert "Heol y Bont" not in ran.out


def permitted(*reasons: str) -> disclosures.CheckDisclosuresResponse:
    return disclosures.CheckDisclosuresResponse(
        results=[
            disclosures.DisclosureCheckResult(is_permitted=not reason, reason=reason)
            for reason in reasons
        ]
    )


def test_what_would_be_permitted_is_said_without_fetching(
    server: FakeServer, terminal: Terminal
) -> None:
    server.says("CheckDisclosures", permitted(""))

    ran = terminal.run(*CHECK)

    (asked,) = server.requests("CheckDisclosures")
    (check,) = asked.checks
    assert (check.subject_id, check.purpose_code) == (world.SUBJECT, "care-at-home")
    assert check.authority.consent_id == world.CONSENT
    assert [list(one.names) for one in check.fields] == [["postalCode"]]
    assert ran.exit_code == 0
    assert "yes" in ran.out
    assert server.requests("DiscloseEvidence") == []


def test_what_would_be_refused_is_exit_code_1_with_the_reason_and_a_step(
    server: FakeServer, terminal: Terminal
) -> None:
    server.says("CheckDisclosures", permitted("CONSENT_PAUSED"))

    ran = terminal.run(*CHECK)

    assert ran.exit_code == 1
    assert "consent paused" in ran.out
    assert "service changes --follow" in ran.err


def checks_file(folder: Path, count: int) -> str:
    check: dict[str, Any] = {
        "subject_id": world.SUBJECT,
        "authority": {"consent_id": world.CONSENT},
        "purpose_code": "care-at-home",
        "fields": [{"evidence_type": "postal_address", "names": ["postalCode"]}],
    }
    path = folder / "checks.json"
    path.write_text(json.dumps({"checks": [check] * count}))
    return str(path)


def test_many_are_checked_a_hundred_at_a_time(
    server: FakeServer, terminal: Terminal, tmp_path: Path
) -> None:
    server.says("CheckDisclosures", lambda asked: permitted(*[""] * len(asked.checks)))

    ran = terminal.run("service", "check", "--file", checks_file(tmp_path, 150), "--json")

    assert [len(one.checks) for one in server.requests("CheckDisclosures")] == [100, 50]
    assert len(json.loads(ran.out)["results"]) == 150
    assert ran.exit_code == 0


@pytest.mark.parametrize("content", ['{"checks": []}', '{"check": 1}', "[]", "no JSON"])
def test_a_file_without_checks_asks_nothing(
    server: FakeServer, terminal: Terminal, tmp_path: Path, content: str
) -> None:
    file = tmp_path / "checks.json"
    file.write_text(content)

    ran = terminal.run("service", "check", "--file", str(file))

    assert ran.exit_code == 2
    assert server.requests("CheckDisclosures") == []


@pytest.mark.parametrize("which", [(), ("postal_address:postalCode", "--file", "-")])
def test_checks_come_from_one_place(terminal: Terminal, which: tuple[str, ...]) -> None:
    assert terminal.run("service", "check", *which, *UNDER).exit_code == 2


def test_a_subject_that_is_not_known_is_a_refusal(server: FakeServer, terminal: Terminal) -> None:
    server.says("CheckDisclosures", Refusal(grpc.StatusCode.NOT_FOUND, "NOT_FOUND"))

    assert terminal.run(*CHECK).exit_code == 1
