# SPDX-License-Identifier: Apache-2.0
"""Logs, proofs and silences are written to files, whole or not at all, and go on after a cut."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from clients.cli import audit_log
from clients.receipts import ReceiptError, SignedRecord, unb64
from tests.unit.cli import world
from tests.unit.cli.conftest import Ran, Terminal
from tests.unit.cli.fake_server import FakeServer, Refusal
from vault.api.v1.audit_service_pb2 import (
    GetCheckpointResponse,
    GetInclusionProofResponse,
    LaneCaughtUp,
    LaneRange,
    ProveSilenceResponse,
    ReplayLaneResponse,
    ReplayRegistryResponse,
    SilenceProof,
)
from vault.api.v1.consent_service_pb2 import GetConsentReceiptResponse
from vault.api.v1.log_pb2 import Record
from vault.server.development.issuer import DevelopmentIssuer
from vault.transparency.checkpoint import Checkpoint
from vault.transparency.note import Note, Signer
from vault.transparency.proof import InclusionProof

ORIGIN = "test/0"
LOG = ("audit", "log", "--origin", ORIGIN)
CUT = Refusal(grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
LATE = Refusal(grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_PASSED")
NONE = Refusal(grpc.StatusCode.NOT_FOUND, "NOT_FOUND")


@pytest.fixture(autouse=True)
def _auditor(
    server: FakeServer, terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.fill(server)
    terminal.sign_in("auditor", "auditor")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(audit_log, "PAUSE_SECONDS", 0.0)


def a_record(index: int, facts: bytes = b'{"time":"2026-11-22T14:02:07.123456Z"}') -> Record:
    return Record(leaf_index=index, version=index + 1, link=b"{}", facts=facts, entry=bytes(65))


def the_range(first: int, end: int) -> ReplayLaneResponse:
    return ReplayLaneResponse(
        range=LaneRange(origin=ORIGIN, first_leaf_index=first, end_leaf_index=end)
    )


def sent(first: int, end: int, begin: int, *, is_cut: Refusal | None = None) -> list[Any]:
    """Return a range as a call sends it from a leaf on, perhaps cut off after two records."""
    last = min(begin + 2, end) if is_cut else end
    records = [ReplayLaneResponse(record=a_record(index)) for index in range(begin, last)]
    done = is_cut or ReplayLaneResponse(caught_up=LaneCaughtUp(record_count=last - begin))
    return [the_range(first, end), *records, done]


def indexes(file: str) -> list[int]:
    return [json.loads(line)["leaf_index"] for line in Path(file).read_bytes().splitlines()]


def left(name: str) -> list[str]:
    """Return the names of a file and of what may be left beside it."""
    return sorted(p.name for p in Path().iterdir() if name in p.name or p.suffix == ".part")


def test_a_log_is_written_as_it_is_stored(server: FakeServer, terminal: Terminal) -> None:
    server.says("ReplayLane", sent(3, 7, 3))

    ran = terminal.run(*LOG, "--from", "3", "--to", "7", "--case", "A-1", "--out", "log")

    assert ran.exit_code == 0
    assert indexes("log") == [3, 4, 5, 6]
    (asked,) = server.requests("ReplayLane")
    assert (asked.first_leaf_index, asked.end_leaf_index, asked.case_ref) == (3, 7, "A-1")
    assert left("log") == ["log"]
    assert Path("log").stat().st_mode & 0o777 == 0o600


def test_what_is_cut_off_goes_on_by_itself(server: FakeServer, terminal: Terminal) -> None:
    server.says("ReplayLane", sent(0, 5, 0, is_cut=CUT), sent(0, 5, 2, is_cut=CUT), sent(0, 5, 4))

    ran = terminal.run(*LOG, "--out", "log")

    assert ran.exit_code == 0, ran.err
    assert indexes("log") == [0, 1, 2, 3, 4]
    asked = server.requests("ReplayLane")
    assert [each.resume_leaf_index for each in asked] == [0, 2, 4]
    assert len({each.request_id for each in asked}) == 1


def test_what_is_cut_off_for_good_goes_on_with_the_same_command(
    server: FakeServer, terminal: Terminal
) -> None:
    server.says("ReplayLane", sent(0, 5, 0, is_cut=CUT), CUT)
    assert terminal.run(*LOG, "--out", "log").exit_code == 4
    assert not Path("log").exists()
    # A crash may leave half a line.
    with Path("log.part").open("ab") as file:
        file.write(b'{"leaf_index":2,"str')
    server.says("ReplayLane", sent(0, 5, 2))

    ran = terminal.run(*LOG, "--out", "log")

    assert ran.exit_code == 0, ran.err
    assert indexes("log") == [0, 1, 2, 3, 4]
    assert len({each.request_id for each in server.requests("ReplayLane")}) == 1
    assert server.requests("ReplayLane")[-1].resume_leaf_index == 2


def test_what_is_left_of_another_range_is_not_gone_on_with(
    server: FakeServer, terminal: Terminal
) -> None:
    server.says("ReplayLane", sent(0, 5, 0, is_cut=CUT), CUT)
    terminal.run(*LOG, "--out", "log")

    ran = terminal.run(*LOG, "--to", "3", "--out", "log")

    assert ran.exit_code == 2
    assert "another range" in ran.err


def test_what_is_refused_leaves_nothing(server: FakeServer, terminal: Terminal) -> None:
    server.says("ReplayLane", NONE)

    assert terminal.run(*LOG, "--out", "log").exit_code == 1
    assert left("log") == []


def test_a_file_that_is_there_is_kept(server: FakeServer, terminal: Terminal) -> None:
    Path("log").write_text("mine")

    assert terminal.run(*LOG, "--out", "log").exit_code == 2
    assert Path("log").read_text() == "mine"
    assert server.asked == []


@pytest.mark.parametrize("missing", [1, 2, 3])
def test_a_leaf_that_does_not_come_is_told(
    server: FakeServer, terminal: Terminal, missing: int
) -> None:
    items = sent(0, 3, 0)
    del items[missing]
    server.says("ReplayLane", items)

    ran = terminal.run(*LOG, "--out", "log")

    assert (ran.exit_code, Path("log").exists()) == (1, False)
    assert "finding" in ran.err


def test_the_logs_name_is_found_by_the_registry(server: FakeServer, terminal: Terminal) -> None:
    record = Record(link=b'{"origin":"demo/0"}')
    server.says("ReplayRegistry", [ReplayRegistryResponse(record=record)])
    server.says("ReplayLane", sent(0, 1, 0))

    assert terminal.run("audit", "log", "--lane", "7", "--out", "log").exit_code == 0

    assert server.requests("ReplayLane")[0].origin == "demo/7"


def test_a_checkpoint_is_kept_as_it_was_signed(server: FakeServer, terminal: Terminal) -> None:
    note = f"{ORIGIN}\n3\nroot\n\n\N{EM DASH} {ORIGIN} sig\n"
    server.says("GetCheckpoint", GetCheckpointResponse(checkpoint=note, log_key="key"))

    ran = terminal.run("audit", "checkpoint", "--origin", ORIGIN, "--out", "checkpoint")

    assert Path("checkpoint").read_text() == note
    assert "key" in ran.out


# --- An auditor of one service -------------------------------------------------------------------


@pytest.fixture
def issuer(terminal: Terminal) -> Iterator[DevelopmentIssuer]:
    """A development issuer that answers."""
    started = DevelopmentIssuer("development", "citizen-vault")
    started.start()
    terminal.environment["CITIZEN_VAULT_ISSUER"] = started.url
    yield started
    started.close()


@pytest.mark.usefixtures("issuer")
@pytest.mark.parametrize("role", ["service-auditor", "staff"])
def test_whoever_is_of_one_service_signs_in_with_it(terminal: Terminal, role: str) -> None:
    said = ("--as", "sara", "--role", role, "--service", world.SERVICE)

    ran = terminal.run("sign-in", *said)

    assert ran.exit_code == 0, ran.err
    kept = terminal.state.sign_in("sara")
    assert kept is not None
    claims = json.loads(unb64(kept.token.split(".")[1]))
    assert (claims["roles"], claims["service_id"]) == ([role], world.SERVICE)
    assert kept.service_id == world.SERVICE


@pytest.mark.usefixtures("issuer")
@pytest.mark.parametrize(
    "said",
    [
        ("--role", "service-auditor"),
        ("--role", "staff"),
        ("--role", "auditor", "--service", world.SERVICE),
    ],
)
def test_nobody_else_names_a_service(terminal: Terminal, said: tuple[str, ...]) -> None:
    assert terminal.run("sign-in", "--as", "sara", *said).exit_code == 2


# --- Silence -------------------------------------------------------------------------------------


def a_silence(count: int = 3) -> list[Any]:
    records = [ProveSilenceResponse(record=a_record(index)) for index in range(count)]
    proof = SilenceProof(revocation_proof="first", closing_proof="last", origin=ORIGIN)
    return [*records, ProveSilenceResponse(proof=proof)]


@pytest.mark.parametrize(
    ("command", "who"),
    [
        (("audit", "silence", "--vault", world.VAULT, "--consent", world.CONSENT), "auditor"),
        (("sharing", "proof", "d0"), "mair"),
    ],
)
def test_a_proof_of_silence_is_records_and_two_proofs(
    server: FakeServer, terminal: Terminal, command: tuple[str, ...], who: str
) -> None:
    server.says("ProveSilence", a_silence())

    ran = terminal.run(*command, "--out", "silence", "--as", who)

    assert ran.exit_code == 0, ran.err
    (asked,) = server.requests("ProveSilence")
    assert (asked.vault_id, asked.consent_id) == (world.VAULT, world.CONSENT)
    lines = [json.loads(line) for line in Path("silence").read_bytes().splitlines()]
    assert [line["leaf_index"] for line in lines] == [0, 1, 2, 0, 2]
    assert lines[3:] == [
        {"leaf_index": 0, "origin": ORIGIN, "proof": "first"},
        {"leaf_index": 2, "origin": ORIGIN, "proof": "last"},
    ]


@pytest.mark.parametrize("items", [a_silence()[:-1], a_silence(0), []])
def test_a_proof_that_breaks_off_leaves_no_file(
    server: FakeServer, terminal: Terminal, items: list[Any]
) -> None:
    server.says("ProveSilence", items)

    ran = terminal.run("sharing", "proof", "d0", "--out", "silence", "--as", "mair")

    assert ran.exit_code == 1
    assert left("silence") == []


# --- Receipts with proofs ------------------------------------------------------------------------


def proved() -> tuple[SignedRecord, str]:
    """Return a receipt with its proof, and the key of the log."""
    record = SignedRecord.of(world.a_receipt(leaf_index=0))
    signer = Signer(record.origin, bytes(range(32)))
    head = Checkpoint(record.origin, 1, record.leaf_hash)
    note = Note(head.body(), (signer.sign(head.body()),))
    proof = InclusionProof(0, (), note).encode().decode()
    return dataclasses.replace(record, proof=proof), signer.verifier.vkey


def shown(terminal: Terminal) -> Ran:
    return terminal.run("confirmation", "show", str(world.ENTRY), "--out", "kept", "--as", "mair")


def test_a_confirmation_is_kept_with_its_proof(server: FakeServer, terminal: Terminal) -> None:
    server.says("GetInclusionProof", GetInclusionProofResponse(proof="a proof"))

    assert shown(terminal).exit_code == 0

    kept = SignedRecord.read(Path("kept").read_bytes())
    assert kept.proof == "a proof"
    (asked,) = server.requests("GetInclusionProof")
    assert (asked.origin, asked.leaf_hash) == (kept.origin, kept.leaf_hash)


@pytest.mark.parametrize(
    "refusal", [LATE, CUT, Refusal(grpc.StatusCode.UNIMPLEMENTED)], ids=lambda r: r.code.name
)
def test_without_a_proof_yet_it_is_kept_all_the_same(
    server: FakeServer, terminal: Terminal, refusal: Refusal
) -> None:
    server.says("GetInclusionProof", refusal)

    ran = shown(terminal)

    assert ran.exit_code == 0
    assert SignedRecord.read(Path("kept").read_bytes()).proof == ""
    assert "confirmation prove kept" in ran.err


def test_what_the_log_does_not_hold_is_told_and_kept(
    server: FakeServer, terminal: Terminal
) -> None:
    server.says("GetInclusionProof", NONE)

    ran = shown(terminal)

    assert ran.exit_code == 1
    assert "does not hold what this promises" in ran.err
    assert SignedRecord.read(Path("kept").read_bytes()).proof == ""


@pytest.mark.parametrize(
    ("noun", "who"), [("confirmation", "mair"), ("audit", "auditor"), ("service", "mair")]
)
def test_a_proof_is_added_later(
    server: FakeServer, terminal: Terminal, noun: str, who: str
) -> None:
    Path("kept").write_bytes(SignedRecord.of(world.a_receipt()).as_file())
    server.says("GetInclusionProof", GetInclusionProofResponse(proof="a proof"))

    assert terminal.run(noun, "prove", "kept", "--as", who).exit_code == 0

    assert SignedRecord.read(Path("kept").read_bytes()).proof == "a proof"


def test_a_proof_is_checked_by_the_logs_key(terminal: Terminal) -> None:
    record, key = proved()
    Path("kept").write_bytes(record.as_file())

    good = terminal.run("confirmation", "check", "kept", "--log-key", key, "--as", "mair")
    other = Signer(record.origin, b"\x01" * 32).verifier.vkey
    bad = terminal.run("confirmation", "check", "kept", "--log-key", other, "--as", "mair")

    assert good.exit_code == 0, good.err
    assert "1 entries" in good.out
    assert bad.exit_code == 1
    assert "its proof" in bad.err


def test_a_proof_of_something_else_is_none() -> None:
    record, key = proved()
    for changed in (
        dataclasses.replace(record, proof=""),
        dataclasses.replace(record, leaf_index=1),
        dataclasses.replace(record, leaf_hash=hashlib.sha256(b"x").digest()),
        dataclasses.replace(record, origin="another/0"),
        dataclasses.replace(record, proof=record.proof.replace("index 0", "index 1")),
    ):
        with pytest.raises(ReceiptError) as caught:
            changed.verify_proof(key)
        assert caught.value.kind == "proof"
    assert record.verify_proof(key) == 1


@pytest.mark.parametrize("proof", [None, 7, ["x"]])
def test_a_file_whose_proof_is_no_text_is_no_receipt(proof: Any) -> None:
    found = json.loads(SignedRecord.of(world.a_receipt()).as_file())

    with pytest.raises(ReceiptError):
        SignedRecord.read(json.dumps({**found, "proof": proof}).encode())


# --- The page for people -------------------------------------------------------------------------


def test_a_report_is_made_into_a_page(terminal: Terminal) -> None:
    Path("report.json").write_text(json.dumps({"verdict": "UNSIGNED", "line": "UNSIGNED (why)"}))

    ran = terminal.run("audit", "report", "--json-report", "report.json", "--out", "report.html")

    assert ran.exit_code == 0, ran.err
    assert "UNSIGNED (why)" in Path("report.html").read_text()
    again = ("audit", "report", "--json-report", "report.json", "--out", "report.html")
    assert terminal.run(*again).exit_code == 2


def test_what_is_no_report_makes_no_page(terminal: Terminal) -> None:
    Path("report.json").write_text("{}")

    ran = terminal.run("audit", "report", "--json-report", "report.json", "--out", "report.html")

    assert (ran.exit_code, Path("report.html").exists()) == (1, False)
    assert "citizen-vault-auditor" in ran.err


# --- The receipt of a consent --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "who"),
    [
        (("confirmation", "sharing", "d0"), "mair"),
        (("service", "consent-receipt", world.CONSENT, "--subject", world.SUBJECT), "mair"),
    ],
)
def test_the_receipt_of_a_consent_is_kept_as_it_came(
    server: FakeServer, terminal: Terminal, command: tuple[str, ...], who: str
) -> None:
    data = '{"@type":"dpv:ConsentReceipt","name":"Cyngor Môn"}'.encode()
    server.says("GetConsentReceipt", GetConsentReceiptResponse(receipt=data))
    as_of = ("--as-of", "2025-11-22T15:00:00.000001Z")

    ran = terminal.run(*command, "--out", "kept", *as_of, "--as", who)

    assert ran.exit_code == 0, ran.err
    assert Path("kept").read_bytes() == data
    (asked,) = server.requests("GetConsentReceipt")
    assert asked.as_of_time == world.at("2025-11-22T15:00:00.000001Z")
    assert terminal.run(*command, "--out", "kept", "--as", who).exit_code == 2
