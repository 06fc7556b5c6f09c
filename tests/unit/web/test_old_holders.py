# SPDX-License-Identifier: Apache-2.0
"""Who still has what was before, and whether they will see what is so now."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from clients.web.information.holders import changed_since, old_holders, outlook_of
from clients.web.information.piece import Piece
from vault.api.v1 import consent_pb2 as pb
from vault.api.v1.consent_service_pb2 import ListConsentsResponse
from vault.api.v1.evidence_pb2 import Evidence, EvidenceField, EvidenceHolder
from vault.api.v1.evidence_service_pb2 import GetEvidenceResponse

PIECE = "4172233d-ddbf-89c7-ae22-9cad92c0ad39"
FOLLOWING, PINNED = pb.EVIDENCE_MODE_FOLLOWING, pb.EVIDENCE_MODE_PINNED
ACTIVE, PAUSED = pb.CONSENT_STATE_ACTIVE, pb.CONSENT_STATE_PAUSED


def at(seconds: int) -> Timestamp:
    return Timestamp(seconds=seconds)


def sharing(state: int, mode: int = FOLLOWING, **changed: Any) -> pb.Consent:
    scope = [pb.ItemScope(evidence_id=PIECE, mode=mode)]  # type: ignore[arg-type]
    standard = {"consent_id": "consent", "state": state, "scope": scope}
    return pb.Consent(**{**standard, **changed})


def holder(service: str, time: int, *names: str) -> EvidenceHolder:
    return EvidenceHolder(
        service_id=service, consent_id="consent", names=names, last_disclosure_time=at(time)
    )


def evidence(**times: int) -> Evidence:
    fields = [EvidenceField(name=name, update_time=at(time)) for name, time in times.items()]
    return Evidence(evidence_id=PIECE, fields=fields)


@pytest.mark.parametrize(
    ("found", "outlook"),
    [
        (sharing(ACTIVE), "following"),
        (sharing(ACTIVE, PINNED), "pinned"),
        (sharing(ACTIVE, one_time=True), "following"),
        (sharing(ACTIVE, one_time=True, disclosure_count=1), "once"),
        (sharing(PAUSED), "paused"),
        (sharing(PAUSED, PINNED), "pinned"),
        (sharing(ACTIVE, scope=[]), "less"),
        (sharing(pb.CONSENT_STATE_EXPIRED), "ended"),
        (sharing(pb.CONSENT_STATE_REVOKED), "stopped"),
        (sharing(pb.CONSENT_STATE_REVOKED, PINNED), "stopped"),
    ],
    ids=[
        "following",
        "pinned",
        "not yet looked",
        "looked once",
        "paused",
        "paused and pinned",
        "left out since",
        "ended",
        "stopped",
        "stopped and pinned",
    ],
)
def test_whether_they_will_see_what_is_so_now(found: pb.Consent, outlook: str) -> None:
    assert outlook_of(found, PIECE) == outlook


def test_only_what_changed_after_they_looked_is_old() -> None:
    now = evidence(street=20, town=5)

    assert changed_since(now, holder("a", 10, "street", "town")) == ("street",)
    assert changed_since(now, holder("a", 30, "street", "town")) == ()


def test_what_is_gone_is_old() -> None:
    assert changed_since(evidence(street=5), holder("a", 10, "street", "flat")) == ("flat",)


def test_who_looked_again_has_nothing_old() -> None:
    holders = [holder("a", 10, "street"), holder("a", 30, "street"), holder("b", 10, "street")]
    found = GetEvidenceResponse(evidence=evidence(street=20), holders=holders)
    listed = ListConsentsResponse(consents=[sharing(ACTIVE)])
    here: Any = SimpleNamespace(
        acting=None,
        vault=SimpleNamespace(consents=SimpleNamespace(ListConsents=lambda _: listed)),
    )

    old = old_holders(here, Piece(here, found, is_open=False))

    assert [(one.holder.service_id, one.names, one.outlook) for one in old] == [
        ("b", ("street",), "following")
    ]
