# SPDX-License-Identifier: Apache-2.0
"""Words planted as evidence and as references, and looked for wherever they must not be.

A whole journey over the wire, with calls that are refused, that fail and that are no messages at
all; then every file of the data folder, what the server wrote, and every error is searched.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from tests.canaries import repeating, search
from tests.server import Server, running
from tests.wire import Answer
from tests.world import (
    ADDRESS,
    ADDRESS_FIELDS,
    STATED,
    Citizen,
    Service,
    Shared,
    World,
    batching,
    connected,
    disclosing,
    new_id,
    providing,
    redeeming,
)
from vault.api.v1 import audit_service_pb2 as audit
from vault.api.v1 import consent_service_pb2 as consent
from vault.api.v1 import disclosure_pb2
from vault.api.v1 import evidence_service_pb2 as evidence
from vault.api.v1 import vault_service_pb2 as vaults

STREET: Final = "Heol Caneri Un"
MOVED: Final = "Heol Caneri Dau"
DIAGNOSIS: Final = "Clefyd Caneri Tri"
REFUSED: Final = "Stryd Caneri Pedwar"
CASE: Final = "CANERI-CASE-5"
STAFF: Final = "Caneri Staff Chwech"
REFERENCE: Final = "CANERI-REF-7"
STATE: Final = "caneri-state-8"
AUDIT_CASE: Final = "CANERI-AUDIT-9"
SIGN_IN: Final = "caneri-sign-in-10"
PLANTED: Final = (
    STREET,
    MOVED,
    DIAGNOSIS,
    REFUSED,
    CASE,
    STAFF,
    REFERENCE,
    STATE,
    AUDIT_CASE,
    SIGN_IN,
)
REFERENCES: Final[dict[str, Any]] = {
    "case_ref": CASE,
    "staff_ref": STAFF,
    "external_reference": REFERENCE,
}


@dataclass
class Told:
    """What is left of the journey: the folder, and every error that was told on the way."""

    folder: Path
    found_while_running: list[str]
    errors: list[Answer] = field(default_factory=list)
    bundle: bytes = b""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """A journey on a server of its own, which is then stopped."""
    server = Server(tmp_path_factory.mktemp("canaries"))
    with running(server), connected(server.target) as channel:
        world = World(server, channel)
        citizen = Citizen(SIGN_IN, world.caller("citizen", SIGN_IN), "")
        bundle, errors = journey(world, citizen, world.service())
        found = search(server.folder, PLANTED)
        assert server.stop() == 0
    return Told(server.folder, found, errors, bundle)


def journey(world: World, citizen: Citizen, service: Service) -> tuple[bytes, list[Answer]]:
    """Live through everything that can be done with evidence, and collect what went wrong."""
    errors: list[Answer] = []
    opened = citizen.caller.ask(
        "VaultService/OpenVault", vaults.OpenVaultRequest(request_id=new_id())
    )
    citizen.vault_id = opened.vault.vault_id
    world.provide(citizen, "postal_address", {**ADDRESS, "streetName": STREET})
    letter = {"hospitalName": "Ysbyty Aber", "dischargeDate": "2026-01-02", "helpNeeded": ["meals"]}
    world.provide(citizen, "care_needs", {**letter, "diagnoses": [DIAGNOSIS]})

    errors += refused_evidence(citizen)
    shared = world.share(citizen, service, **REFERENCES, state=STATE)
    fetched = world.disclose(shared, **REFERENCES).read()
    errors += refused_disclosures(world, shared)
    move(citizen)
    world.disclose(shared, **REFERENCES).read()
    errors += refused_decisions(world, citizen, service)
    world.auditor.call(
        "AuditService/ReplayVault",
        audit.ReplayVaultRequest(vault_id=citizen.vault_id, case_ref=AUDIT_CASE),
    )
    assert world.revoke(shared).is_ok
    errors.append(world.disclose(shared, **REFERENCES))
    assert not [answer.told for answer in errors if answer.is_ok]
    return fetched.bundle, errors


def refused_evidence(citizen: Citizen) -> Iterator[Answer]:
    """Provide what is refused, and what is no message."""
    wrong: tuple[tuple[str, Any], ...] = (
        ("postal_address", {**ADDRESS, "streetName": REFUSED, "postalCode": REFUSED}),
        ("postal_address", {**ADDRESS, "streetName": [REFUSED]}),
        ("postal_address", {**ADDRESS, f"{REFUSED}": "x"}),
        ("postal_address", json.dumps({"streetName": REFUSED}).encode()[:-1]),
        ("shoe_size", {"leftFoot": REFUSED}),
    )
    for evidence_type, values in wrong:
        request = providing(evidence_type, values)
        yield citizen.caller.call("EvidenceService/ProvideEvidence", request)
    data = providing("postal_address", {**ADDRESS, "streetName": REFUSED}).SerializeToString()
    yield citizen.caller.call("EvidenceService/ProvideEvidence", data[:-4])
    yield citizen.caller.call("EvidenceService/ProvideEvidence", b"\xff" + data)
    yield citizen.caller.call(
        "EvidenceService/ProvideEvidence",
        data + b"\xa2\x06\x80\x80\x10" + REFUSED.encode() * 20_000,
    )


def refused_disclosures(world: World, shared: Shared) -> Iterator[Answer]:
    """Fetch what may not be fetched, with references all the same."""
    selection = disclosure_pb2.FieldSelection(evidence_type="care_needs", names=["diagnoses"])
    yield world.disclose(shared, fields=[selection], **REFERENCES)
    batch = [batching(disclosing(shared, fields=[selection], **REFERENCES))]
    yield shared.service.caller.call("DisclosureService/DiscloseEvidenceBatch", batch)
    yield world.disclose(shared, purpose_code="none", **REFERENCES)
    yield world.disclose(shared, subject_id=new_id(), **REFERENCES)
    yield world.disclose(shared, case_ref=CASE * 100)
    request = disclosing(shared, **REFERENCES)
    world.disclose(shared, **REFERENCES).read()
    request.request_id = CASE
    yield shared.service.caller.call("DisclosureService/DiscloseEvidence", request)


def move(citizen: Citizen) -> None:
    """Replace the address."""
    request = evidence.ReplaceEvidenceRequest(
        request_id=new_id(),
        evidence_id=citizen.evidence["postal_address"],
        values=json.dumps({**ADDRESS, "streetName": MOVED}).encode(),
        source=STATED,
    )
    citizen.caller.ask("EvidenceService/ReplaceEvidence", request)


def refused_decisions(world: World, citizen: Citizen, service: Service) -> Iterator[Answer]:
    """Ask and decide wrongly."""
    asked = world.ask(service, **REFERENCES, state=STATE)
    code = world.claim(citizen, asked)
    grant = world.previewed(citizen, asked)
    grant.shown.salt = bytes(16)
    yield citizen.caller.call("ConsentService/GrantConsent", grant)
    wrong = redeeming(asked, code)
    wrong.code = STAFF
    yield service.caller.call("ConsentService/RedeemCode", wrong)
    yield citizen.caller.call(
        "ConsentService/ClaimRequest",
        consent.ClaimRequestRequest(request_id=new_id(), handoff_token=STREET),
    )
    yield citizen.caller.call(
        "ConsentService/ListConsents", consent.ListConsentsRequest(page_token=STREET)
    )


def test_the_words_were_really_there(told: Told) -> None:
    """Else the other tests say nothing."""
    items = json.loads(told.bundle)["items"]

    assert [
        found["value"]
        for item in items
        for found in item["fields"]
        if found["name"] == ADDRESS_FIELDS[-1]
    ] == [STREET]
    assert len(told.errors) > 15


def test_no_word_is_in_any_file_while_the_server_runs(told: Told) -> None:
    assert not told.found_while_running


def test_no_word_is_in_any_file_after_the_server_stopped(told: Told) -> None:
    assert not search(told.folder, PLANTED)


def test_no_word_is_in_any_error(told: Told) -> None:
    assert not repeating(told.errors, PLANTED)


def test_a_word_in_a_file_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "events.db").write_bytes(b"x" + base64.b64encode(f"ab{STREET}c".encode()))
    (tmp_path / "keys.db").write_bytes(MOVED.encode())

    assert set(search(tmp_path, PLANTED)) == {f"events.db: {STREET}", f"keys.db: {MOVED}"}
