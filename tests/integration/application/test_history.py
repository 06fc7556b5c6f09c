# SPDX-License-Identifier: Apache-2.0
"""What she reads of her own history, and what others may: each look leaves its own line."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.house import (
    AUDITOR,
    HERSELF,
    MAIR,
    ORIGIN,
    House,
    Shared,
    fetch,
    new_id,
    provide_address,
    provided,
    revoke,
)
from vault.application.audits import CaughtUp, Moment
from vault.application.history import NEWEST, Line
from vault.domain.canonical import encode, unb64
from vault.domain.disclosure import EvidenceDisclosed
from vault.domain.errors import NotFoundError
from vault.domain.values import Acting
from vault.domain.vault import VaultRead
from vault.store.append import StoredRecord
from vault.store.command import Sizes
from vault.store.record import read_event


async def whole_history(house: House, size: int, *, only_disclosures: bool = False) -> list[Line]:
    """Read her history in pages of a size."""
    lines: list[Line] = []
    before = NEWEST
    while True:
        page = await house.citizens.history(
            MAIR,
            HERSELF,
            before=before,
            limit=size,
            only_disclosures=only_disclosures,
        )
        assert len(page.lines) <= size
        lines += page.lines
        before = page.after
        if not before:
            return lines


async def replay(
    house: House, vault_id: str, as_of: Sizes | None = None, after_version: int = 0
) -> tuple[list[StoredRecord], CaughtUp]:
    """Replay a vault as the auditor."""
    items = [
        item
        async for item in house.audits.replay_vault(
            AUDITOR,
            vault_id,
            as_of=Moment(sizes=as_of),
            after_version=after_version,
            case_ref="case-9",
        )
    ]
    records = [item for item in items if isinstance(item, StoredRecord)]
    (end,) = [item for item in items if isinstance(item, CaughtUp)]
    return records, end


@pytest.mark.parametrize("size", [1, 2, 3, 100])
async def test_pages_of_any_size_show_every_line_once_newest_first(
    house: House, shared: Shared, size: int
) -> None:
    for _ in range(3):
        await fetch(house, shared)

    lines = await whole_history(house, size)

    versions = [line.event.link.version for line in lines]
    assert versions == list(range(len(await house.records(shared.vault_id)), 0, -1))


@pytest.mark.parametrize("size", [1, 2, 100])
async def test_pages_of_uses_alone_show_every_use_once(
    house: House, shared: Shared, size: int
) -> None:
    for _ in range(4):
        await fetch(house, shared)
        await provide_address(house, MAIR)

    lines = await whole_history(house, size, only_disclosures=True)

    assert len(lines) == 4
    assert all(isinstance(line.event.facts, EvidenceDisclosed) for line in lines)


async def test_a_history_longer_than_what_is_read_at_once_is_paged_whole(
    house: House, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vault.application.history.CHUNK", 2)
    for _ in range(3):
        await fetch(house, shared)

    everything = await whole_history(house, 3)
    uses = await whole_history(house, 2, only_disclosures=True)

    assert len(everything) == len(await house.records(shared.vault_id))
    assert len(uses) == 3


async def test_a_use_says_which_piece_and_which_fields(house: House, shared: Shared) -> None:
    await fetch(house, shared)

    (line,) = await whole_history(house, 1, only_disclosures=True)

    (item,) = line.items
    assert (item.evidence_id, item.evidence_type, item.names) == (
        shared.evidence_id,
        "postal_address",
        ("postalCode",),
    )
    assert line.particulars is not None
    assert line.particulars.staff_ref == "anna"


async def test_every_line_has_a_receipt_that_verifies(house: House, shared: Shared) -> None:
    await fetch(house, shared)
    keys = (await house.registry.state()).receipt_keys

    for line in await whole_history(house, 50):
        receipt = line.receipt
        message = ["citizen-vault/receipt/1", ORIGIN, receipt.leaf_index, line.event.leaf]
        public_key = Ed25519PublicKey.from_public_bytes(unb64(keys[receipt.key_id]))
        public_key.verify(receipt.signature, encode(message))


async def test_her_own_reading_leaves_no_line(house: House, shared: Shared) -> None:
    before = await house.lane.tree_size()

    await whole_history(house, 10)
    await house.evidence.get(MAIR, HERSELF, shared.evidence_id)
    await house.evidence.list(MAIR, HERSELF)
    await house.consents.list(MAIR, HERSELF)

    assert await house.lane.tree_size() == before


# --- Auditors ------------------------------------------------------------------------------------


async def test_an_auditors_look_is_a_line_in_her_history(house: House, shared: Shared) -> None:
    await replay(house, shared.vault_id)

    (newest, *_) = await whole_history(house, 50)
    assert isinstance(newest.event.facts, VaultRead)
    assert newest.event.link.acting.capacity == "auditor"
    assert newest.particulars is not None
    assert newest.particulars.case_ref == "case-9"


async def test_an_auditor_is_known_by_a_pseudonym(house: House, shared: Shared) -> None:
    await replay(house, shared.vault_id)

    record = (await house.records(shared.vault_id))[-1]
    assert AUDITOR.sub.encode() not in (record.state or b"")
    assert read_event(record.state or b"").link.acting == Acting(
        actor=house.identifiers.pseudonym(AUDITOR.issuer, AUDITOR.sub),
        capacity="auditor",
        mandate="",
        channel="api",
    )


async def test_a_replay_shows_the_records_exactly_as_stored_its_own_look_included(
    house: House, shared: Shared
) -> None:
    records, end = await replay(house, shared.vault_id)

    assert records == await house.records(shared.vault_id)
    assert records[-1].topic == "vault-read.1"
    assert (end.count, end.sizes) == (len(records), {0: await house.lane.tree_size()})


async def test_a_replay_as_of_then_ends_there(house: House, shared: Shared) -> None:
    disclosed = await fetch(house, shared)
    await revoke(house, shared)

    records, end = await replay(house, shared.vault_id, as_of=disclosed.sizes)

    assert records[-1].topic == "evidence-disclosed.1"
    assert end.sizes == disclosed.sizes


async def test_a_replay_goes_on_after_a_version(
    house: House, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vault.application.audits.CHUNK", 2)

    records, _ = await replay(house, shared.vault_id, after_version=2)

    assert [record.version for record in records] == [3, 4, 5]


async def test_the_state_of_then_says_what_was_true_then(house: House, shared: Shared) -> None:
    disclosed = await fetch(house, shared)
    await revoke(house, shared)
    now = house.clock.now()

    then = await house.audits.state(
        AUDITOR, shared.vault_id, as_of=Moment(sizes=disclosed.sizes), case_ref=""
    )
    at_last = await house.audits.state(AUDITOR, shared.vault_id, case_ref="")

    assert then.state.consents[shared.consent_id].status(now) == "active"
    assert at_last.state.consents[shared.consent_id].status(now) == "revoked"


async def test_before_a_vault_was_opened_there_was_none(house: House, shared: Shared) -> None:
    with pytest.raises(NotFoundError):
        await house.audits.state(AUDITOR, shared.vault_id, as_of=Moment(sizes={0: 1}), case_ref="")


async def test_the_registry_is_replayed_without_a_trace(house: House) -> None:
    before = await house.lane.tree_size()

    items = [item async for item in house.audits.replay_registry()]

    names = [item.topic for item in items if isinstance(item, StoredRecord)]
    assert names[0] == "receipt-key-listed.1"
    assert names[-1] == "purpose-published.1"
    assert await house.lane.tree_size() == before


# --- Evidence ------------------------------------------------------------------------------------


async def test_what_she_gave_comes_back_as_she_gave_it(house: House, shared: Shared) -> None:
    view = await house.evidence.get(MAIR, HERSELF, shared.evidence_id)

    assert view.values == (
        b'{"addressCountry":"GB","postalCode":"SY23 2AA","streetName":"Heol y Bont"}'
    )


async def test_a_list_of_evidence_holds_no_values(house: House, shared: Shared) -> None:
    (view,) = await house.evidence.list(MAIR, HERSELF)

    assert (view.evidence.evidence_id, view.values) == (shared.evidence_id, b"")


async def test_a_replacement_says_which_fields_changed(house: House, shared: Shared) -> None:
    moved = provided(streetName="Heol y Wig", buildingNumber="3")
    await house.evidence.replace(MAIR, HERSELF, new_id(), shared.evidence_id, moved)

    (facts,) = await house.facts(shared.vault_id, "evidence-replaced.1")
    assert facts.changed == ("buildingNumber", "streetName")


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(street=st.text("abÄéŵŷж語👵-'", min_size=1, max_size=20))
async def test_any_name_of_a_street_survives(house: House, street: str) -> None:
    evidence_id = await provide_address(house, MAIR, streetName=street)

    view = await house.evidence.get(MAIR, HERSELF, evidence_id)
    assert json.loads(view.values)["streetName"] == street
