# SPDX-License-Identifier: Apache-2.0
"""Ranges, proofs and silences over the wire, from a real server that keeps and signs its log."""

from __future__ import annotations

import hashlib
import json

import pytest

from clients.auditor.note import ED25519, Key
from clients.auditor.silence import prove_silence
from clients.auditor.trust import Trust
from clients.export.form import line_of
from tests.samples import Samples
from tests.wire import Answer, Caller
from tests.world import Shared, World, new_id
from vault.api.v1 import audit_service_pb2 as audit
from vault.api.v1 import consent_service_pb2 as consent
from vault.api.v1 import vault_service_pb2 as vaults
from vault.api.v1.log_pb2 import Record
from vault.transparency.checkpoint import open_checkpoint
from vault.transparency.note import Note, Verifier
from vault.transparency.policy import Policy
from vault.transparency.proof import InclusionProof

REPLAY = "AuditService/ReplayLane"
PROVE = "AuditService/ProveSilence"
INCLUSION = "AuditService/GetInclusionProof"
CHECKPOINT = "AuditService/GetCheckpoint"


@pytest.fixture(scope="module")
def origin(samples: Samples) -> str:
    """The name of the log."""
    return str(samples.shared.receipt.origin)


def replayed(answer: Answer) -> tuple[audit.LaneRange, list[Record]]:
    """Return the range of a replay, and its records, which are all that was announced."""
    assert answer.is_ok, answer.told
    first, *items, last = answer.messages()
    records = [item.record for item in items]
    assert last.caught_up.record_count == len(records)
    return first.range, records


def checkpoint(caller: Caller, origin: str) -> tuple[Verifier, int]:
    """Return the key of a log and the size that it signed last."""
    newest = caller.ask(CHECKPOINT, audit.GetCheckpointRequest(origin=origin))
    key = Verifier.of(newest.log_key)
    return key, open_checkpoint(Note.parse(newest.checkpoint.encode()), [key]).size


def test_a_range_is_whole_and_each_record_hashes_to_its_entry(
    world: World, samples: Samples, origin: str
) -> None:
    del samples
    request = audit.ReplayLaneRequest(request_id=new_id(), origin=origin, end_leaf_index=30)

    read, records = replayed(world.auditor.call(REPLAY, request))

    assert [record.leaf_index for record in records] == list(range(30))
    for record in records:
        parts = hashlib.sha256(record.link).digest() + hashlib.sha256(record.facts).digest()
        assert record.entry == b"\x01" + parts
    assert (read.first_leaf_index, read.end_leaf_index, read.service_id) == (0, 30, "")
    assert json.loads(read.receipt.facts)["type"] == "lane-replayed.1"


def test_a_replay_that_was_cut_goes_on(world: World, origin: str) -> None:
    request = audit.ReplayLaneRequest(request_id=new_id(), origin=origin)
    cut = world.auditor.begin(REPLAY, [request.SerializeToString()], 20.0)
    first = audit.ReplayLaneResponse.FromString(next(cut)).range
    seen = [audit.ReplayLaneResponse.FromString(next(cut)).record for _ in range(7)]
    cut.cancel()
    world.citizen()

    request.resume_leaf_index = seen[-1].leaf_index + 1
    again, rest = replayed(world.auditor.call(REPLAY, request))

    assert again == first
    assert [record.leaf_index for record in seen + rest] == list(range(first.end_leaf_index))


def test_she_finds_it_in_her_history_and_can_prove_it(samples: Samples, origin: str) -> None:
    request = audit.ReplayLaneRequest(request_id=new_id(), origin=origin)
    read, _ = replayed(samples.world.auditor.call(REPLAY, request))

    listed = samples.citizen.caller.ask(
        "VaultService/ListHistory", vaults.ListHistoryRequest(page_size=1)
    )

    (entry,) = listed.entries
    assert (entry.type, entry.version, entry.acting.capacity) == ("lane-replayed.1", 0, 10)
    assert entry.receipt.leaf_hash == read.receipt.leaf_hash
    proof = samples.citizen.caller.ask(
        INCLUSION,
        audit.GetInclusionProofRequest(
            origin=entry.receipt.origin,
            leaf_index=entry.receipt.leaf_index,
            leaf_hash=entry.receipt.leaf_hash,
        ),
    ).proof
    key, _ = checkpoint(samples.citizen.caller, origin)
    policy = Policy.parse(f"log {key.vkey}\nquorum none\n".encode())
    InclusionProof.parse(proof.encode()).verify(entry.receipt.leaf_hash, policy)


def test_an_auditor_of_one_service_sees_the_facts_of_that_service(
    samples: Samples, others: Samples, origin: str
) -> None:
    request = audit.ReplayLaneRequest(request_id=new_id(), origin=origin)

    read, records = replayed(samples.caller("service-auditor").call(REPLAY, request))

    assert read.service_id == samples.service.service_id
    assert {(record.stream_id, record.version, record.link) for record in records} == {("", 0, b"")}
    facts = [json.loads(record.facts) for record in records if record.facts]
    assert "evidence-disclosed.1" in {each["type"] for each in facts}
    text = b"".join(record.SerializeToString() for record in records)
    assert others.service.service_id.encode() not in text
    for citizen in (samples.citizen, others.citizen):
        assert citizen.vault_id.encode() not in text
    mine = samples.citizen.caller.ask("VaultService/ListHistory", vaults.ListHistoryRequest())
    assert mine.entries[0].type == "lane-replayed.1"
    assert mine.entries[0].service_id == samples.service.service_id
    theirs = others.citizen.caller.ask("VaultService/ListHistory", vaults.ListHistoryRequest())
    assert mine.entries[0].receipt.leaf_hash not in {e.receipt.leaf_hash for e in theirs.entries}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"origin": "elsewhere/0"}, "NOT_FOUND"),
        ({"origin": ""}, "FIELD_INVALID"),
        ({"origin": "x" * 256}, "FIELD_INVALID"),
        ({"request_id": "1"}, "FIELD_INVALID"),
        ({"first_leaf_index": 2**64 - 1}, "FIELD_INVALID"),
        ({"end_leaf_index": 2**64 - 1}, "FIELD_INVALID"),
        ({"resume_leaf_index": 2**64 - 1}, "FIELD_INVALID"),
        ({"first_leaf_index": 9, "end_leaf_index": 9}, "FIELD_INVALID"),
        ({"case_ref": "x" * 201}, "FIELD_INVALID"),
    ],
)
def test_a_hostile_range_is_refused(
    world: World, origin: str, changed: dict[str, object], reason: str
) -> None:
    said = {"request_id": new_id(), "origin": origin, **changed}

    assert world.auditor.call(REPLAY, audit.ReplayLaneRequest(**said)).reason == reason


# --- Silence -------------------------------------------------------------------------------------


def silence(
    caller: Caller, shared: Shared, request_id: str = ""
) -> list[audit.ProveSilenceResponse]:
    """Have a proof of silence made."""
    request = audit.ProveSilenceRequest(
        request_id=request_id or new_id(),
        vault_id=shared.citizen.vault_id,
        consent_id=shared.consent_id,
    )
    answer = caller.call(PROVE, request)
    assert answer.is_ok, answer.told
    return answer.messages()


@pytest.mark.parametrize("role", ["citizen", "auditor"])
def test_the_auditors_program_verifies_the_proof(samples: Samples, origin: str, role: str) -> None:
    shared = samples.revoked()
    samples.world.provide(samples.citizen, "income", {
        "kind": "state_pension", "payer": "DWP", "amountPence": 1, "frequency": "weekly",
        "validFrom": "2025-04-06",
    })  # fmt: skip

    *items, last = silence(samples.caller(role), shared)

    records = [item.record for item in items]
    lines = [line_of(record) for record in records]
    ends = ((records[0], last.proof.revocation_proof), (records[-1], last.proof.closing_proof))
    for record, proof in ends:
        line = {"leaf_index": record.leaf_index, "origin": last.proof.origin, "proof": proof}
        lines.append(json.dumps(line).encode())
    key, _ = checkpoint(samples.citizen.caller, origin)
    found = prove_silence(lines, Trust(pinned=(Key.parse(key.vkey, ED25519),)))
    assert found.verdict == "CONSISTENT ONLY", found.line
    assert (found.consent_id, found.stream) == (shared.consent_id, samples.citizen.vault_id)
    assert found.records >= 3


def test_a_retry_of_a_proof_is_the_same(samples: Samples) -> None:
    shared, request_id = samples.revoked(), new_id()

    first = silence(samples.citizen.caller, shared, request_id)
    again = silence(samples.citizen.caller, shared, request_id)

    assert [item.record for item in first[:-1]] == [item.record for item in again[:-1]]


def test_a_consent_that_stands_has_no_silence(samples: Samples) -> None:
    request = audit.ProveSilenceRequest(
        request_id=new_id(),
        vault_id=samples.citizen.vault_id,
        consent_id=samples.shared.consent_id,
    )

    answer = samples.citizen.caller.call(PROVE, request)

    assert (answer.code, answer.reason) == ("FAILED_PRECONDITION", "CONSENT_NOT_REVOKED")


def test_anothers_silence_and_none_look_the_same(samples: Samples, others: Samples) -> None:
    hers = audit.ProveSilenceRequest(
        request_id=new_id(),
        vault_id=samples.citizen.vault_id,
        consent_id=samples.revoked().consent_id,
    )
    nobodys = audit.ProveSilenceRequest(request_id=new_id(), vault_id=new_id(), consent_id=new_id())

    answers = [others.citizen.caller.call(PROVE, request) for request in (hers, nobodys)]

    assert [answer.reason for answer in answers] == ["NOT_FOUND", "NOT_FOUND"]
    assert answers[0].told == answers[1].told


# --- Inclusion and checkpoints -------------------------------------------------------------------


def test_who_does_not_know_the_leaf_learns_nothing(samples: Samples) -> None:
    receipt = samples.shared.receipt
    for changed in (
        {"leaf_hash": bytes(32)},
        {"leaf_index": receipt.leaf_index + 1},
        {"leaf_index": 2**64 - 1},
        {"origin": "elsewhere/0"},
    ):
        said = {
            "origin": receipt.origin,
            "leaf_index": receipt.leaf_index,
            "leaf_hash": receipt.leaf_hash,
            **changed,
        }
        answer = samples.service.caller.call(INCLUSION, audit.GetInclusionProofRequest(**said))
        assert (
            answer.told
            == samples.service.caller.call(
                CHECKPOINT, audit.GetCheckpointRequest(origin="nowhere")
            ).told
        )


def test_a_leaf_has_32_bytes(samples: Samples) -> None:
    request = audit.GetInclusionProofRequest(origin="x/0", leaf_hash=b"short")

    assert samples.service.caller.call(INCLUSION, request).fields == ["leaf_hash"]


def test_a_checkpoint_is_signed_and_grows(samples: Samples, origin: str) -> None:
    key, before = checkpoint(samples.service.caller, origin)
    shared = samples.world.share(samples.world.citizen(), samples.service)
    receipt = shared.receipt
    samples.service.caller.ask(
        INCLUSION,
        audit.GetInclusionProofRequest(
            origin=origin, leaf_index=receipt.leaf_index, leaf_hash=receipt.leaf_hash
        ),
    )

    again, after = checkpoint(samples.service.caller, origin)

    assert (again, key.name) == (key, origin)
    assert after > receipt.leaf_index >= before


# --- The receipt of a consent --------------------------------------------------------------------


def test_both_sides_get_the_receipt_of_a_consent(samples: Samples) -> None:
    shared = samples.shared
    hers = consent.GetConsentReceiptRequest(consent_id=shared.consent_id)
    theirs = consent.GetConsentReceiptRequest(
        consent_id=shared.consent_id, subject_id=shared.subject_id
    )

    told = [
        json.loads(caller.ask("ConsentService/GetConsentReceipt", request).receipt)
        for caller, request in ((samples.citizen.caller, hers), (samples.service.caller, theirs))
    ]

    records = [receipt["dpv:hasRecordOfActivity"][0] for receipt in told]
    assert [record["dct:identifier"] for record in records] == [shared.consent_id] * 2
    assert records[0]["cv:receipts"] == records[1]["cv:receipts"]
