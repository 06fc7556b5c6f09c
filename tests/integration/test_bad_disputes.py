# SPDX-License-Identifier: Apache-2.0
"""Disputes, documents and looks as they cannot be."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from tests.samples import Samples, in_days
from tests.verdict import CANARY
from tests.wire import Answer
from tests.world import LETTER, checking, disclosing_document, new_id, providing
from tests.wrong import Call, Case, Change, changed, must_be_named, putting
from vault.api.v1 import audit_service_pb2 as audit
from vault.api.v1 import disclosure_pb2, vault_pb2
from vault.api.v1 import evidence_service_pb2 as evidence


def grant(change: Change) -> Call:
    return changed("ConsentService/GrantConsent", change)


def dispute(change: Change) -> Call:
    return changed("EvidenceService/DisputeEvidence", change)


def settle_twice(samples: Any) -> Answer:
    first = samples.make("EvidenceService/ResolveDispute", "citizen")
    samples.citizen.caller.ask("EvidenceService/ResolveDispute", first)
    first.request_id = new_id()
    samples.ready()
    answer: Answer = samples.citizen.caller.call("EvidenceService/ResolveDispute", first)
    return answer


def dispute_twice(samples: Any) -> Answer:
    first = samples.make("EvidenceService/DisputeEvidence", "citizen")
    samples.citizen.caller.ask("EvidenceService/DisputeEvidence", first)
    first.request_id = new_id()
    samples.ready()
    answer: Answer = samples.citizen.caller.call("EvidenceService/DisputeEvidence", first)
    return answer


def document(*names: str, kind: str = "document") -> Call:
    selection = disclosure_pb2.FieldSelection(evidence_type=kind, names=names)
    return lambda s: s.service.caller.call(
        "DisclosureService/DiscloseDocument", disclosing_document(s.letter, fields=selection)
    )


def check(**changes: Any) -> Call:
    return lambda s: s.service.caller.call(
        "DisclosureService/CheckDisclosures", checking(s.shared, **changes)
    )


def provide_a_document(samples: Any) -> Answer:
    request = providing("document", {**LETTER})
    answer: Answer = samples.citizen.caller.call("EvidenceService/ProvideEvidence", request)
    return answer


def replace_a_document(samples: Any) -> Answer:
    request = samples.make("EvidenceService/ReplaceEvidence", "citizen")
    request.evidence_id = samples.document
    request.values = json.dumps(dict(LETTER)).encode()
    answer: Answer = samples.citizen.caller.call("EvidenceService/ReplaceEvidence", request)
    return answer


def at_two_moments(request: Any) -> None:
    request.as_of_token = CANARY
    request.as_of_time.CopyFrom(in_days(0))


LETTER_PROOF: Final = vault_pb2.Approval(kind=vault_pb2.APPROVAL_KIND_PAPER, proof=CANARY.encode())

CASES: Final[dict[str, Case]] = {
    "disputing a field that is not there": (
        dispute(putting(names=["shoeSize"])),
        "FIELD_INVALID",
        "names",
    ),
    "disputing a field that the piece lacks": (
        dispute(putting(names=["poBoxNumber"])),
        "FIELD_INVALID",
        "names",
    ),
    "disputing everything": (dispute(putting(names=["*"])), "FIELD_INVALID", "names[0]"),
    "disputing nothing": (dispute(lambda r: r.ClearField("names")), "FIELD_INVALID", "names"),
    "disputing one twice at once": (
        dispute(putting(names=["streetName"] * 2)),
        "FIELD_INVALID",
        "names",
    ),
    "disputing again": (dispute_twice, "FIELD_INVALID", "names"),
    "disputing without a word": (dispute(putting(statement="")), "FIELD_INVALID", "statement"),
    "disputing in 2,001 characters": (
        dispute(putting(statement=(CANARY * 300)[:2_001])),
        "FIELD_INVALID",
        "statement",
    ),
    "settling again": (settle_twice, "DISPUTE_RESOLVED", ""),
    "settling somehow": (
        changed("EvidenceService/ResolveDispute", lambda r: r.ClearField("outcome")),
        "FIELD_INVALID",
        "outcome",
    ),
    "a document whose content is not asked for": (
        document("title"),
        "FIELD_INVALID",
        "fields",
    ),
    "an address as a document": (
        document("postalCode", kind="postal_address"),
        "FIELD_INVALID",
        "fields",
    ),
    "a document with a field that is not granted": (
        document("content", "issuedBy"),
        "FIELD_NOT_GRANTED",
        "fields.names",
    ),
    "a document with a field that nobody knows": (
        document("content", "shoeSize"),
        "FIELD_UNKNOWN",
        "fields",
    ),
    "a document that is provided": (provide_a_document, "FIELD_INVALID", "evidence_type"),
    "a document that is replaced by values": (
        replace_a_document,
        "FIELD_INVALID",
        "evidence_id",
    ),
    "checking nothing": (
        lambda s: s.service.caller.call("DisclosureService/CheckDisclosures", b""),
        "FIELD_INVALID",
        "checks",
    ),
    "checking 101 times": (
        changed(
            "DisclosureService/CheckDisclosures",
            lambda r: r.checks.extend([r.checks[0]] * 100),
            "service",
        ),
        "FIELD_INVALID",
        "checks",
    ),
    "checking an unknown field": (
        check(
            fields=[
                disclosure_pb2.FieldSelection(evidence_type="postal_address", names=["shoeSize"])
            ]
        ),
        "FIELD_UNKNOWN",
        "checks[0].fields[0]",
    ),
    "a revision that is not there": (
        changed("EvidenceService/GetEvidence", lambda r: setattr(r, "revision", 1_000_000)),
        "NOT_FOUND",
        "",
    ),
    "a state of two moments": (
        changed("AuditService/GetVaultState", at_two_moments),
        "FIELD_INVALID",
        "as_of_time",
    ),
    "a replay to two moments": (
        changed("AuditService/ReplayVault", at_two_moments),
        "FIELD_INVALID",
        "as_of_token",
    ),
    "a state before there was one": (
        changed("AuditService/GetVaultState", lambda r: r.as_of_time.CopyFrom(in_days(-1))),
        "NOT_FOUND",
        "",
    ),
    "explaining what is no disclosure": (
        changed("AuditService/ExplainDisclosure", lambda r: setattr(r, "version", 1)),
        "NOT_FOUND",
        "",
    ),
    "a citizen's letter": (
        grant(lambda r: r.approval.CopyFrom(LETTER_PROOF)),
        "FIELD_INVALID",
        "approval.kind",
    ),
}


@pytest.mark.parametrize("what", CASES)
def test_what_is_wrong_is_named_and_changes_nothing(samples: Samples, what: str) -> None:
    must_be_named(samples, CASES[what])


def test_an_auditors_look_is_recorded_whatever_it_finds(samples: Samples) -> None:
    request = audit.ExplainDisclosureRequest(vault_id=samples.citizen.vault_id, version=1)
    before = len(samples.world.replay(samples.citizen.vault_id))

    answer = samples.world.auditor.call("AuditService/ExplainDisclosure", request)
    records = samples.world.replay(samples.citizen.vault_id)

    assert answer.reason == "NOT_FOUND"
    added = [json.loads(record.facts)["type"] for record in records[before:]]
    assert added == ["vault-read.1"] * 2


def test_a_dispute_of_a_revision_stays_with_it(samples: Samples) -> None:
    """A field that gets another value is disputed no more."""
    disputed = samples.make("EvidenceService/DisputeEvidence", "citizen")
    samples.citizen.caller.ask("EvidenceService/DisputeEvidence", disputed)
    replaced = samples.make("EvidenceService/ReplaceEvidence", "citizen")
    replaced.evidence_id = disputed.evidence_id
    values = {**json.loads(replaced.values), "streetName": "Heol Newydd"}
    replaced.values = json.dumps(values).encode()

    samples.citizen.caller.ask("EvidenceService/ReplaceEvidence", replaced)
    request = evidence.GetEvidenceRequest(evidence_id=disputed.evidence_id)
    seen = samples.citizen.caller.ask("EvidenceService/GetEvidence", request).evidence

    assert not [field.name for field in seen.fields if field.is_disputed]
