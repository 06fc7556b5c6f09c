# SPDX-License-Identifier: Apache-2.0
"""Proofs of silence, and of inclusion: what they hold, who may ask, and what asking leaves."""

from __future__ import annotations

import time

import pytest

from tests.house import (
    AUDITOR,
    HERSELF,
    MAIR,
    NIA,
    ORIGIN,
    House,
    Shared,
    new_id,
    provide_address,
    share,
)
from vault.application.caller import Caller
from vault.application.silences import BothEnds
from vault.domain.canonical import unb64
from vault.domain.errors import (
    ConsentNotRevokedError,
    DeadlinePassedError,
    HistoryBrokenError,
    NotFoundError,
    RequestIdReusedError,
)
from vault.store.append import StoredRecord
from vault.store.record import leaf_of, read_event
from vault.transparency.policy import Policy
from vault.transparency.proof import InclusionProof

SOON = 10.0


async def revoke(house: House, shared: Shared) -> None:
    await house.amendments.revoke(shared.citizen, HERSELF, new_id(), shared.consent_id)


async def prove(
    house: House, shared: Shared, caller: Caller = MAIR, request_id: str = "", **changed: str
) -> tuple[list[StoredRecord], BothEnds]:
    """Prove that nothing left since a consent was revoked."""
    records: list[StoredRecord] = []
    items = house.silences.prove(
        caller,
        request_id or new_id(),
        changed.get("vault_id", shared.vault_id),
        changed.get("consent_id", shared.consent_id),
        deadline=time.monotonic() + SOON,
    )
    async for item in items:
        if isinstance(item, BothEnds):
            return records, item
        records.append(item)
    raise AssertionError


def names(records: list[StoredRecord]) -> list[str]:
    return [str(record.topic) for record in records]


def stands(house: House, proof: str, record: StoredRecord) -> bool:
    """Say whether a proof is of a record, by the key of the log."""
    policy = Policy.parse(f"log {house.logs.log_key(0)}\nquorum none\n".encode())
    parsed = InclusionProof.parse(proof.encode())
    parsed.verify(leaf_of(record.entry), policy)
    return parsed.index == record.position


async def test_the_stretch_is_linked_from_the_revocation_to_the_closing_event(
    house: House, shared: Shared
) -> None:
    await revoke(house, shared)
    await provide_address(house, MAIR)

    records, ends = await prove(house, shared)

    assert names(records) == ["consent-revoked.1", "evidence-provided.1", "vault-read.1"]
    events = [read_event(record.state or b"") for record in records]
    leaves = [event.leaf for event in events]
    assert [event.link.previous_leaf for event in events[1:]] == leaves[:-1]
    assert (events[-1].link.acting.capacity, ends.origin) == ("self", ORIGIN)
    assert stands(house, ends.revocation, records[0])
    assert stands(house, ends.closing, records[-1])


async def test_a_retry_proves_the_same_stretch(house: House, shared: Shared) -> None:
    await revoke(house, shared)
    request_id = new_id()
    first, _ = await prove(house, shared, request_id=request_id)
    await provide_address(house, MAIR)

    again, _ = await prove(house, shared, request_id=request_id)

    assert again == first
    assert (await house.names(shared.vault_id)).count("vault-read.1") == 1


async def test_a_stretch_longer_than_what_is_read_at_once_is_whole(
    house: House, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vault.application.silences.CHUNK", 2)
    await revoke(house, shared)
    for _ in range(3):
        await provide_address(house, MAIR)

    records, _ = await prove(house, shared)

    assert [r.version for r in records] == list(range(records[0].version, records[0].version + 5))


async def test_an_auditors_proof_names_the_auditor(house: House, shared: Shared) -> None:
    await revoke(house, shared)

    records, _ = await prove(house, shared, AUDITOR)

    acting = read_event(records[-1].state or b"").link.acting
    assert acting.capacity == "auditor"
    assert acting.actor == house.identifiers.pseudonym(AUDITOR.issuer, AUDITOR.sub)


async def test_of_a_consent_that_stands_nothing_is_proved_or_left(
    house: House, shared: Shared
) -> None:
    with pytest.raises(ConsentNotRevokedError):
        await prove(house, shared)

    assert "vault-read.1" not in await house.names(shared.vault_id)


@pytest.mark.parametrize("caller", [MAIR, AUDITOR])
async def test_there_is_no_such_vault_or_consent(
    house: House, shared: Shared, caller: Caller
) -> None:
    await revoke(house, shared)
    before = await house.lane.tree_size()

    for changed in (
        {"consent_id": new_id()},
        {"vault_id": new_id()},
        {"vault_id": house.identifiers.registry_stream},
        {"vault_id": house.identifiers.audit_stream},
    ):
        with pytest.raises(NotFoundError):
            await prove(house, shared, caller, **changed)

    assert await house.lane.tree_size() == before


async def test_nobody_elses_is_proved_to_a_citizen(house: House, shared: Shared) -> None:
    await revoke(house, shared)
    await provide_address(house, NIA)

    with pytest.raises(NotFoundError):
        await prove(house, shared, NIA)


async def test_a_request_id_names_one_consent(house: House, shared: Shared) -> None:
    other = await share(house, MAIR, shared.service)
    await revoke(house, shared)
    await revoke(house, other)
    request_id = new_id()
    await prove(house, shared, request_id=request_id)

    with pytest.raises(RequestIdReusedError):
        await prove(house, other, request_id=request_id)


async def test_what_no_checkpoint_covers_yet_is_told_and_a_retry_has_it(
    house: House, shared: Shared
) -> None:
    await revoke(house, shared)
    request_id = new_id()
    house.logs.is_late = True

    with pytest.raises(DeadlinePassedError):
        await prove(house, shared, request_id=request_id)

    house.logs.is_late = False
    records, _ = await prove(house, shared, request_id=request_id)
    assert names(records) == ["consent-revoked.1", "vault-read.1"]


async def test_a_record_that_is_gone_is_shown_as_gone(
    house: House, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    await revoke(house, shared)
    await prove(house, shared)
    monkeypatch.setattr("vault.application.silences.event_of", lambda _: None)

    with pytest.raises(HistoryBrokenError):
        await prove(house, shared)


# --- Inclusion -----------------------------------------------------------------------------------


async def test_who_knows_the_leaf_gets_the_proof(house: House, shared: Shared) -> None:
    record = (await house.records(shared.vault_id))[2]

    proof = await house.log_proofs.inclusion(
        ORIGIN, record.position, leaf_of(record.entry), deadline=time.monotonic() + SOON
    )

    assert stands(house, proof, record)


@pytest.mark.parametrize("aside", [1, -1, 10**6, 2**64 - 100])
async def test_who_does_not_know_the_leaf_learns_nothing(
    house: House, shared: Shared, aside: int
) -> None:
    record = (await house.records(shared.vault_id))[2]

    for origin, index, leaf in (
        (ORIGIN, record.position + aside, leaf_of(record.entry)),
        (ORIGIN, record.position, bytes(32)),
        (ORIGIN, record.position, b""),
        ("test/7", record.position, leaf_of(record.entry)),
    ):
        with pytest.raises(NotFoundError):
            await house.log_proofs.inclusion(origin, index, leaf, deadline=0)


async def test_a_checkpoint_is_of_the_log_that_is_named(house: House) -> None:
    newest = await house.log_proofs.checkpoint(ORIGIN)

    assert newest.note.splitlines()[0] == ORIGIN
    assert newest.log_key == house.logs.log_key(0)
    with pytest.raises(NotFoundError):
        await house.log_proofs.checkpoint("test/7")


async def test_the_leaf_of_a_receipt_is_what_is_asked_with(house: House, shared: Shared) -> None:
    page = await house.citizens.history(MAIR, HERSELF, limit=1, only_disclosures=False)
    receipt = page.lines[0].receipt

    proof = await house.log_proofs.inclusion(
        receipt.origin, receipt.leaf_index, receipt.leaf_hash, deadline=time.monotonic() + SOON
    )

    assert stands(house, proof, (await house.records(shared.vault_id))[-1])
    assert receipt.leaf_hash == unb64(page.lines[0].event.leaf)
