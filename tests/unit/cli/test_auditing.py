# SPDX-License-Identifier: Apache-2.0
"""An auditor looks back at a time, and reads on one page why something left."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tests.unit.cli import world
from tests.unit.cli.conftest import Ran, Terminal
from tests.unit.cli.fake_server import FakeServer
from vault.api.v1 import audit_pb2 as audits
from vault.api.v1.audit_service_pb2 import (
    CaughtUp,
    ExplainDisclosureResponse,
    GetVaultStateResponse,
    ReplayVaultResponse,
)
from vault.api.v1.log_pb2 import Record

EXPLAIN = ("audit", "explain", "--vault", world.VAULT, "--version", "4")
STATE = ("audit", "state", "--vault", world.VAULT)
TEXTS_HASH = hashlib.sha256(b"texts").digest()


def a_record(**more: str) -> Record:
    facts = {"type": "evidence-disclosed.1", "subject": world.SUBJECT, "repeats": "", **more}
    link, facts_bytes = b'{"version":4}', json.dumps(facts).encode()
    parts = hashlib.sha256(link).digest() + hashlib.sha256(facts_bytes).digest()
    return Record(
        leaf_index=world.ENTRY,
        stream_id=world.VAULT,
        version=4,
        entry=b"\x01" + parts,
        link=link,
        facts=facts_bytes,
    )


def an_explanation(again: int = 1, reason: str = "") -> audits.Explanation:
    consent = world.a_consent()
    consent.language, consent.notice_hash = "cy", TEXTS_HASH
    consent.decision_form = 2
    left = audits.ExplainedItem(
        item=1,
        evidence_type="postal_address",
        evidence_id="" if reason else world.ADDRESS,
        revision=0 if reason else 3,
        names=["postalCode"],
    )
    return audits.Explanation(
        record=a_record(),
        time=world.NOW,
        reason=reason,
        consent=consent,
        purpose=world.a_purpose("en", "cy"),
        texts_hash=TEXTS_HASH,
        registry_size=12,
        registry_confirmed_time=world.NOW,
        items=[left],
        decision_again=again,
    )


@pytest.fixture(autouse=True)
def _auditor(server: FakeServer, terminal: Terminal) -> None:
    world.publish(server)
    terminal.sign_in("auditor", "auditor")


def explained(server: FakeServer, terminal: Terminal, found: audits.Explanation, *more: str) -> Ran:
    server.says("ExplainDisclosure", ExplainDisclosureResponse(explanation=found))
    return terminal.run(*EXPLAIN, *more)


def test_one_page_tells_why_something_left(server: FakeServer, terminal: Terminal) -> None:
    ran = explained(server, terminal, an_explanation(), "--case", "A-1")

    (asked,) = server.requests("ExplainDisclosure")
    assert (asked.vault_id, asked.version, asked.case_ref) == (world.VAULT, 4, "A-1")
    assert ran.exit_code == 0
    for shown in (
        "2026-11-22T14:02:07.123456Z",
        "Aber Council, Home care",
        world.SUBJECT,
        world.CONSENT,
        "care-at-home@1",
        "An Act 2014",
        f"{world.ADDRESS}",
        "postal_address, 3",
        "12",
        "The same.",
    ):
        assert shown in ran.out, shown


def test_the_texts_are_those_of_her_language_whoever_reads(
    server: FakeServer, terminal: Terminal
) -> None:
    ran = explained(server, terminal, an_explanation(), "--language", "en")

    assert "why cy" in ran.out
    assert "why en" not in ran.out


@pytest.mark.parametrize("again", [1, 3], ids=["same", "not decided"])
def test_what_holds_is_exit_code_0(server: FakeServer, terminal: Terminal, again: int) -> None:
    assert explained(server, terminal, an_explanation(again)).exit_code == 0


def test_another_decision_is_exit_code_1_and_stands_out(
    server: FakeServer, terminal: Terminal
) -> None:
    ran = explained(server, terminal, an_explanation(2))

    assert ran.exit_code == 1
    assert "DIFFERENT" in ran.out


def test_other_texts_are_exit_code_1_and_stand_out(server: FakeServer, terminal: Terminal) -> None:
    found = an_explanation()
    found.texts_hash = bytes(32)

    ran = explained(server, terminal, found)

    assert ran.exit_code == 1
    assert "DIGEST IS NOT" in ran.out


@pytest.mark.parametrize("field", ["facts", "link", "entry"])
def test_a_record_that_does_not_hold_together_is_not_explained(
    server: FakeServer, terminal: Terminal, field: str
) -> None:
    found = an_explanation()
    setattr(found.record, field, b"{}")

    ran = explained(server, terminal, found)

    assert (ran.exit_code, ran.out) == (1, "")
    assert "does not hold together" in ran.err


def test_a_refused_attempt_says_why(server: FakeServer, terminal: Terminal) -> None:
    ran = explained(server, terminal, an_explanation(3, "CONSENT_PAUSED"))

    assert "nothing was sent" in ran.out
    assert "CONSENT_PAUSED" in ran.out


def test_programs_get_the_whole_explanation_and_the_exit_code(
    server: FakeServer, terminal: Terminal
) -> None:
    ran = explained(server, terminal, an_explanation(2), "--json")

    assert ran.exit_code == 1
    assert json.loads(ran.out)["explanation"]["decision_again"] == "DECISION_AGAIN_DIFFERENT"


def test_the_page_can_be_read_in_welsh(server: FakeServer, terminal: Terminal) -> None:
    ran = explained(server, terminal, an_explanation(), "--language", "cy")

    assert "Yr un fath." in ran.out
    assert "Decided again" not in ran.out


@pytest.fixture
def _then(server: FakeServer) -> None:
    piece = audits.EvidenceState(
        evidence_id=world.ADDRESS,
        evidence_type="postal_address",
        revision=2,
        update_time=world.NOW,
        disputed_names=["streetName"],
    )
    state = audits.VaultState(
        vault_id=world.VAULT,
        as_of_time=world.at("2026-11-22T15:00:00.000001Z"),
        evidence=[piece],
        consents=[world.a_consent(4)],
        consent_requests=[world.a_request(4)],
    )
    server.says("GetVaultState", GetVaultStateResponse(state=state))
    caught_up = CaughtUp(position_token="token", record_count=0)
    server.says("ReplayVault", [ReplayVaultResponse(caught_up=caught_up)])


@pytest.mark.usefixtures("_then")
def test_the_state_at_a_time_is_asked_for_to_the_microsecond(
    server: FakeServer, terminal: Terminal
) -> None:
    ran = terminal.run(*STATE, "--as-of", "2025-11-22T15:00:00.000001Z")

    (asked,) = server.requests("GetVaultState")
    assert asked.as_of_time == world.at("2025-11-22T15:00:00.000001Z")
    assert asked.as_of_token == ""
    for shown in ("2026-11-22T15:00:00.000001Z", "streetName", "paused", "refused", world.REQUEST):
        assert shown in ran.out


@pytest.mark.usefixtures("_then")
def test_a_replay_stops_at_a_time(server: FakeServer, terminal: Terminal, tmp_path: Path) -> None:
    out = ("--out", str(tmp_path / "vault.jsonl"), "--as-of", "2025-11-22T15:00:00Z")
    terminal.run("audit", "replay", "--vault", world.VAULT, *out)

    (asked,) = server.requests("ReplayVault")
    assert asked.as_of_time == world.at("2025-11-22T15:00:00Z")


@pytest.mark.usefixtures("_then")
@pytest.mark.parametrize("when", ["2999-01-01", "2026-02-30", "2025-11-22T25:00"])
def test_a_moment_that_is_none_or_has_not_come_is_a_usage_error(
    server: FakeServer, terminal: Terminal, when: str
) -> None:
    assert terminal.run(*STATE, "--as-of", when).exit_code == 2
    assert server.requests("GetVaultState") == []


def test_the_registry_is_not_replayed_to_a_time(
    server: FakeServer, terminal: Terminal, tmp_path: Path
) -> None:
    out = ("--out", str(tmp_path / "registry.jsonl"), "--as-of", "2025-11-22T15:00:00Z")

    assert terminal.run("audit", "replay", "--registry", *out).exit_code == 2
    assert server.requests("ReplayRegistry") == []
