# SPDX-License-Identifier: Apache-2.0
"""How one fetches what she shares, and checks what came with it."""

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from clients.connection import Connection
from clients.demo import receipts
from clients.demo.expectations import Expectations
from clients.demo.story import new_id
from clients.demo.things import Thing
from clients.receipts import b64
from vault.api.v1.disclosure_pb2 import Authority, FieldSelection
from vault.api.v1.disclosure_service_pb2 import DiscloseEvidenceRequest, DiscloseEvidenceResponse
from vault.api.v1.log_pb2 import Receipt


@dataclass(frozen=True, slots=True)
class Permission:
    """What a fetch names: what she permitted, whom it is about, what for, and who looks."""

    consent_id: str
    subject_id: str
    purpose_code: str
    case_ref: str
    staff_ref: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came: the values by type and field, the confirmation, and when.

    Attributes:
        wrong: the fields of which she says that they are wrong.
        statements: her own words to that, as far as she lets them go along.
    """

    values: Mapping[tuple[str, str], Any]
    wrong: frozenset[tuple[str, str]]
    statements: tuple[str, ...]
    receipt: Receipt
    recorded: dt.datetime
    arrived: dt.datetime
    position_token: str


def fetch(
    asker: Connection, permission: Permission, things: Iterable[Thing]
) -> DiscloseEvidenceResponse:
    """Ask for fields under a permission."""
    answer: DiscloseEvidenceResponse = asker.disclosures.DiscloseEvidence(
        DiscloseEvidenceRequest(
            request_id=new_id(),
            subject_id=permission.subject_id,
            authority=Authority(consent_id=permission.consent_id),
            purpose_code=permission.purpose_code,
            fields=[
                FieldSelection(evidence_type=thing.evidence_type, names=thing.names)
                for thing in things
            ],
            case_ref=permission.case_ref,
            staff_ref=permission.staff_ref,
        )
    )
    return answer


def read(
    answer: DiscloseEvidenceResponse, keys: Mapping[str, bytes], expect: Expectations
) -> Fetched:
    """Check the confirmation of what came, then read it."""
    arrived = dt.datetime.now(dt.UTC)
    facts = receipts.check(expect, answer.receipt, keys)
    expect.equal("the entry's kind", facts["type"], "evidence-disclosed.1")
    digest = b64(hashlib.sha256(answer.bundle).digest())
    expect.equal("the entry names exactly what came", facts["bundle_hash"], digest)
    recorded = dt.datetime.fromisoformat(str(facts["time"]))
    expect.true("it was recorded before it came", came=recorded < arrived)
    items = json.loads(answer.bundle)["items"]
    return Fetched(
        values=values_of(answer.bundle),
        wrong=frozenset(
            (item["evidence_type"], field["name"])
            for item in items
            for field in item["fields"]
            if field["is_disputed"]
        ),
        statements=tuple(dispute["statement"] for item in items for dispute in item["disputes"]),
        receipt=answer.receipt,
        recorded=recorded,
        arrived=arrived,
        position_token=answer.position_token,
    )


def values_of(bundle: bytes) -> dict[tuple[str, str], Any]:
    """Return the values in what is sent, by type and field."""
    return {
        (item["evidence_type"], field["name"]): field["value"]
        for item in json.loads(bundle)["items"]
        for field in item["fields"]
    }
