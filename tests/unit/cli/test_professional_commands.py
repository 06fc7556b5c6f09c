# SPDX-License-Identifier: Apache-2.0
"""What services, auditors and operators do: secrets kept, bundles verified, files whole."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import stat
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.unit.cli import world
from tests.unit.cli.conftest import Terminal
from tests.unit.cli.fake_server import CALL_ID, FakeServer, Refusal
from vault.api.v1.audit_pb2 import EvidenceState, VaultState
from vault.api.v1.audit_service_pb2 import (
    CaughtUp,
    GetVaultStateResponse,
    ReplayRegistryResponse,
    ReplayVaultResponse,
)
from vault.api.v1.consent_service_pb2 import (
    GetRequestResponse,
    RedeemCodeResponse,
    RequestConsentResponse,
)
from vault.api.v1.disclosure_service_pb2 import DiscloseEvidenceResponse
from vault.api.v1.log_pb2 import Record
from vault.api.v1.registry_service_pb2 import PublishPurposeResponse

LINK = f"http://127.0.0.1:8000/asked/{world.REQUEST}.{'x' * 43}"
ASK = ("service", "ask", "care-at-home", "--need", "postal_address:postalCode,streetName")
FETCH = (
    *("service", "fetch", "postal_address:postalCode"),
    *("--consent", world.CONSENT, "--subject", world.SUBJECT, "--purpose", "care-at-home"),
)
RECORD = Record(
    leaf_index=7,
    stream_id=world.VAULT,
    version=1,
    entry=b"\x01" + bytes(64),
    link=b'{"version":1}',
    facts=b'{"type":"vault-opened.1"}',
)


@pytest.fixture(autouse=True)
def _published(server: FakeServer, terminal: Terminal) -> None:
    world.fill(server)
    server.says(
        "RequestConsent",
        RequestConsentResponse(consent_request=world.a_request(), handoff_uri=LINK),
    )
    server.says("RedeemCode", RedeemCodeResponse(consent_request=world.a_request()))
    server.says("DiscloseEvidence", world.a_disclosure())
    terminal.sign_in("council", "service")


def replayed(count: int) -> list[Any]:
    return [
        ReplayVaultResponse(record=RECORD),
        ReplayVaultResponse(caught_up=CaughtUp(position_token="token", record_count=count)),
    ]


def test_asking_prints_the_link_whole(terminal: Terminal) -> None:
    ran = terminal.run(*ASK)

    assert ran.exit_code == 0
    assert LINK in ran.out.splitlines()


def test_the_challenge_is_that_of_the_verifier_that_is_redeemed(
    server: FakeServer, terminal: Terminal
) -> None:
    terminal.run(*ASK)
    terminal.run("service", "redeem", world.REQUEST, "the-code")

    (asked,) = server.requests("RequestConsent")
    (redeemed,) = server.requests("RedeemCode")
    digest = hashlib.sha256(redeemed.code_verifier.encode()).digest()
    assert asked.code_challenge == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert redeemed.code == "the-code"


def test_asking_again_with_the_same_request_id_sends_the_same(
    server: FakeServer, terminal: Terminal
) -> None:
    again = ("--request-id", world.CONSENT, "--return-uri", "https://aber.example/back")
    terminal.run(*ASK, *again)
    terminal.run(*ASK, *again)

    first, second = server.requests("RequestConsent")
    assert first == second


def test_what_is_asked_is_one_entry_for_each_type(server: FakeServer, terminal: Terminal) -> None:
    terminal.run(
        *ASK,
        *("--may", "postal_address:uprn", "--may", "income:amountPence"),
        *("--times", "4", "--every-days", "30", "--until", "2026-12-24", "--keep-days", "30"),
    )

    (asked,) = server.requests("RequestConsent")
    address, income = asked.scope
    assert (list(address.required), list(address.optional)) == (
        ["postalCode", "streetName"],
        ["uprn"],
    )
    assert (list(income.required), list(income.optional)) == ([], ["amountPence"])
    assert (asked.frequency.count, asked.frequency.period_seconds) == (4, 30 * 86400)
    assert asked.end_time == world.MIDNIGHT


def test_a_code_with_a_foreign_state_is_not_redeemed(
    server: FakeServer, terminal: Terminal
) -> None:
    terminal.run(*ASK, "--return-uri", "https://aber.example/back")

    ran = terminal.run("service", "redeem", world.REQUEST, "the-code", "--state", "another")

    assert ran.exit_code == 1
    assert server.requests("RedeemCode") == []


def test_a_code_without_its_secret_is_not_redeemed(terminal: Terminal) -> None:
    ran = terminal.run("service", "redeem", world.REQUEST, "the-code")

    assert ran.exit_code == 1
    assert "not kept here" in ran.err


def test_what_is_kept_is_for_its_owner_alone(terminal: Terminal) -> None:
    terminal.run(*ASK)

    home = terminal.state.home
    assert {path.name for path in home.iterdir()} >= {"sign-ins.json", "requests.json"}
    assert [path.name for path in home.iterdir() if path.stat().st_mode & 0o077] == []
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert [path.name for path in home.iterdir() if "council" in path.name] == []


def test_what_was_fetched_is_shown_with_its_proof(terminal: Terminal) -> None:
    ran = terminal.run(*FETCH)

    assert ran.exit_code == 0, ran.err
    for shown in ("CF10 3NQ", "Postcode", f"{world.ENTRY} of {world.ORIGIN}", world.KEY_ID):
        assert shown in ran.out


@pytest.mark.parametrize(
    "response",
    [
        world.a_disclosure(world.a_bundle() + b" "),
        world.a_disclosure(bundle_hash=world.b64(bytes(32))),
        world.a_disclosure(subject=world.CONSENT),
        world.a_disclosure(consent_id=world.SUBJECT),
    ],
    ids=["other bytes", "other digest", "other subject", "other consent"],
)
def test_what_does_not_verify_is_neither_shown_nor_written(
    server: FakeServer, terminal: Terminal, tmp_path: Path, response: DiscloseEvidenceResponse
) -> None:
    server.says("DiscloseEvidence", response)

    ran = terminal.run(*FETCH, "--json", "--bundle", str(tmp_path / "bundle"))

    assert (ran.exit_code, ran.out) == (1, "")
    assert not (tmp_path / "bundle").exists()


def test_a_key_that_is_kept_counts_more_than_one_that_is_listed(
    terminal: Terminal, tmp_path: Path
) -> None:
    keys = tmp_path / "keys.json"
    other = {"key_id": world.KEY_ID, "algorithm": "Ed25519", "public_key": world.b64(bytes(32))}
    keys.write_text(json.dumps({"receipt_keys": [other]}))

    ran = terminal.run(*FETCH, "--receipt-key", str(keys))

    assert (ran.exit_code, ran.out) == (1, "")


def test_bundle_and_receipt_are_written_and_verify_without_a_server(
    server: FakeServer, terminal: Terminal, tmp_path: Path
) -> None:
    bundle, receipt, keys = (str(tmp_path / name) for name in ("bundle", "receipt", "keys"))
    terminal.run(*FETCH, "--bundle", bundle, "--receipt", receipt)
    Path(keys).write_text(terminal.run("registry", "receipt-key", "list", "--json").out)
    asked_before = len(server.asked)

    ran = terminal.run("service", "verify", receipt, "--bundle", bundle, "--receipt-key", keys)

    assert ran.exit_code == 0
    assert "verifies" in ran.out
    assert Path(bundle).read_bytes() == world.a_bundle()
    assert stat.S_IMODE(Path(bundle).stat().st_mode) == 0o600
    assert len(server.asked) == asked_before


def test_a_file_that_is_there_stops_before_anything_is_fetched(
    server: FakeServer, terminal: Terminal, tmp_path: Path
) -> None:
    (tmp_path / "bundle").write_bytes(b"an earlier one")

    ran = terminal.run(*FETCH, "--bundle", str(tmp_path / "bundle"))

    assert ran.exit_code == 2
    assert server.requests("DiscloseEvidence") == []


def test_the_consent_of_a_request_is_found(server: FakeServer, terminal: Terminal) -> None:
    granted = world.a_request(2)
    granted.consent_id, granted.subject_id = world.CONSENT, world.SUBJECT
    server.says("GetRequest", GetRequestResponse(consent_request=granted))

    terminal.run("service", "fetch", "postal_address#2:postalCode", "--request", world.REQUEST)

    (fetched,) = server.requests("DiscloseEvidence")
    assert fetched.authority.consent_id == world.CONSENT
    assert (fetched.subject_id, fetched.purpose_code) == (world.SUBJECT, "care-at-home")
    assert fetched.fields[0].item == 2


def test_a_refusal_names_the_field_the_call_and_what_to_do(
    server: FakeServer, terminal: Terminal
) -> None:
    server.says(
        "DiscloseEvidence",
        Refusal(
            grpc.StatusCode.FAILED_PRECONDITION,
            "FIELD_NOT_GRANTED",
            "This consent does not cover that.",
            (("fields[0].names", "This consent does not cover that."),),
        ),
    )

    ran = terminal.run(*FETCH)

    assert (ran.exit_code, ran.out) == (1, "")
    assert ran.err.count("does not cover") == 1
    for told in ("fields[0].names", "citizen-vault service consent", CALL_ID):
        assert told in ran.err


def test_a_refusal_is_json_for_programs(server: FakeServer, terminal: Terminal) -> None:
    refusal = Refusal(grpc.StatusCode.FAILED_PRECONDITION, "CONSENT_REVOKED", "It was revoked.")
    server.says("DiscloseEvidence", refusal)

    ran = terminal.run(*FETCH, "--json")

    assert json.loads(ran.err)["error"] == {
        "code": "FAILED_PRECONDITION",
        "reason": "CONSENT_REVOKED",
        "message": "It was revoked.",
        "fields": [],
        "call_id": CALL_ID,
    }


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, 1),
        (grpc.StatusCode.NOT_FOUND, 1),
        (grpc.StatusCode.UNAUTHENTICATED, 3),
        (grpc.StatusCode.PERMISSION_DENIED, 3),
        (grpc.StatusCode.DEADLINE_EXCEEDED, 4),
        (grpc.StatusCode.INTERNAL, 1),
    ],
)
def test_the_exit_code_tells_the_kind_of_error(
    server: FakeServer, terminal: Terminal, code: grpc.StatusCode, exit_code: int
) -> None:
    server.says("DiscloseEvidence", Refusal(code, "SOME_REASON"))

    assert terminal.run(*FETCH).exit_code == exit_code


def test_no_server_is_unreachable_and_tells_the_request_id(terminal: Terminal) -> None:
    terminal.environment["CITIZEN_VAULT_TARGET"] = "127.0.0.1:1"

    ran = terminal.run("registry", "service", "suspend", world.SERVICE)

    assert ran.exit_code == 4
    assert re.search(r"safely: [0-9a-f-]{36}", ran.err)


def test_a_replay_is_written_as_it_is_stored(
    server: FakeServer, terminal: Terminal, tmp_path: Path
) -> None:
    out = tmp_path / "vault.jsonl"
    server.says("ReplayVault", replayed(1))

    ran = terminal.run("audit", "replay", "--vault", world.VAULT, "--out", str(out))

    assert ran.exit_code == 0
    assert "token" in ran.out
    assert [json.loads(line) for line in out.read_text().splitlines()] == [
        {
            "leaf_index": 7,
            "stream_id": world.VAULT,
            "version": 1,
            "entry": world.b64(RECORD.entry),
            "link": '{"version":1}',
            "facts": '{"type":"vault-opened.1"}',
        }
    ]
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "answer", [replayed(2), replayed(1)[:1]], ids=["one too few", "never caught up"]
)
def test_a_replay_that_is_not_whole_leaves_no_file(
    server: FakeServer, terminal: Terminal, tmp_path: Path, answer: list[Any]
) -> None:
    server.says("ReplayVault", answer)

    ran = terminal.run("audit", "replay", "--vault", world.VAULT, "--out", str(tmp_path / "file"))

    assert ran.exit_code == 1
    assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == []


def test_the_history_of_the_registry_is_its_own_call(
    server: FakeServer, terminal: Terminal, tmp_path: Path
) -> None:
    server.says("ReplayRegistry", [ReplayRegistryResponse(caught_up=CaughtUp())])

    ran = terminal.run("audit", "replay", "--registry", "--out", str(tmp_path / "registry.jsonl"))

    assert ran.exit_code == 0
    assert (tmp_path / "registry.jsonl").read_bytes() == b""


@pytest.mark.parametrize("which", [(), ("--registry", "--vault", world.VAULT)])
def test_a_replay_is_of_one_history(
    terminal: Terminal, tmp_path: Path, which: tuple[str, ...]
) -> None:
    ran = terminal.run("audit", "replay", "--out", str(tmp_path / "file"), *which)

    assert ran.exit_code == 2


def test_the_state_is_shown_in_the_times_of_the_records(
    server: FakeServer, terminal: Terminal
) -> None:
    piece = EvidenceState(
        evidence_id=world.ADDRESS,
        evidence_type="postal_address",
        revision=1,
        update_time=world.NOW,
    )
    state = VaultState(
        vault_id=world.VAULT,
        version=3,
        last_time=world.NOW,
        evidence=[piece],
        consents=[world.a_consent()],
    )
    server.says("GetVaultState", GetVaultStateResponse(state=state))

    ran = terminal.run("audit", "state", "--vault", world.VAULT, "--as-of", "token")

    assert ran.exit_code == 0
    assert "2026-11-22T14:02:07.123456Z" in ran.out
    assert world.ADDRESS in ran.out
    assert server.requests("GetVaultState")[0].as_of_token == "token"


def test_a_purpose_is_published_from_its_json(server: FakeServer, terminal: Terminal) -> None:
    server.says("PublishPurpose", PublishPurposeResponse(purpose=world.a_purpose("en")))
    purpose = {"purpose_code": "care-at-home", "version": 1, "bounds": {"longest_days": 90}}

    ran = terminal.run("registry", "purpose", "publish", "-", typed=json.dumps(purpose))

    (request,) = server.requests("PublishPurpose")
    assert ran.exit_code == 0
    assert (request.purpose_code, request.bounds.longest_days) == ("care-at-home", 90)
    assert request.request_id


def test_a_purpose_with_a_field_that_is_none_is_a_usage_error(
    server: FakeServer, terminal: Terminal
) -> None:
    ran = terminal.run("registry", "purpose", "publish", "-", typed='{"purpose": 1}')

    assert ran.exit_code == 2
    assert server.requests("PublishPurpose") == []


def test_calls_are_told_when_asked_for(terminal: Terminal) -> None:
    ran = terminal.run("registry", "service", "list", "--explain")

    assert re.search(r"RegistryService\.ListServices +[0-9.]+ ms +OK", ran.err)
