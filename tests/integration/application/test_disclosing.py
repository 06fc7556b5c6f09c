# SPDX-License-Identifier: Apache-2.0
"""A disclosure from attempt to release: exactly what was granted, recorded before it leaves."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.house import (
    HERSELF,
    MAIR,
    ORIGIN,
    House,
    Registered,
    Shared,
    fetch,
    new_id,
    provided,
    revoke,
    said,
    share,
)
from vault.domain.canonical import b64, digest, encode, unb64
from vault.domain.disclosure import Selection
from vault.domain.errors import (
    ConsentRevokedError,
    DeadlinePassedError,
    EvidenceChangedError,
    FieldNotGrantedError,
    FieldUnknownError,
    FrequencyExhaustedError,
    RequestIdReusedError,
    StateError,
)
from vault.domain.values import later


async def test_exactly_the_granted_field_leaves(house: House, shared: Shared) -> None:
    bundle = json.loads((await fetch(house, shared)).bundle)

    (item,) = bundle["items"]
    assert [(field["name"], field["value"]) for field in item["fields"]] == [
        ("postalCode", "SY23 2AA")
    ]
    assert "Heol y Bont" not in json.dumps(bundle)


async def test_a_bundle_is_canonical_and_says_what_the_receiver_owes(
    house: House, shared: Shared
) -> None:
    sent = (await fetch(house, shared)).bundle

    bundle = json.loads(sent)
    (facts,) = await house.facts(shared.vault_id, "evidence-disclosed.1")
    assert encode(bundle) == sent
    assert bundle["obligations"] == {
        "basis": "public-task",
        "jurisdiction": "GB",
        "method": "store",
        "retain_until": later(facts.time, days=10),
        "retention_days": 10,
        "statute": "Care Act 2014",
        "storage": "GB",
    }
    assert (bundle["service"], bundle["subject"]) == (shared.service.sub, shared.subject)


async def test_what_left_is_recorded_by_its_digest(house: House, shared: Shared) -> None:
    disclosed = await fetch(house, shared)

    (facts,) = await house.facts(shared.vault_id, "evidence-disclosed.1")
    assert facts.bundle_hash == digest(disclosed.bundle)
    assert encode(facts) == disclosed.receipt.facts
    assert facts.repeats == ""


async def test_a_receipt_is_signed_for_the_leaf_at_its_position(
    house: House, shared: Shared
) -> None:
    receipt = (await fetch(house, shared)).receipt

    keys = (await house.registry.state()).receipt_keys
    message = ["citizen-vault/receipt/1", ORIGIN, receipt.leaf_index, b64(receipt.leaf_hash)]
    public_key = Ed25519PublicKey.from_public_bytes(unb64(keys[receipt.key_id]))
    public_key.verify(receipt.signature, encode(message))
    assert receipt.leaf_index == await house.lane.tree_size() - 1


async def test_a_service_learns_nothing_of_her_history_from_a_receipt(
    house: House, shared: Shared
) -> None:
    receipt = (await fetch(house, shared)).receipt

    for secret in (shared.vault_id, shared.evidence_id):
        assert secret.encode() not in receipt.facts


async def test_two_disclosures_of_the_same_have_different_salts(
    house: House, shared: Shared
) -> None:
    one, other = await fetch(house, shared), await fetch(house, shared)

    assert one.bundle != other.bundle


async def test_a_following_consent_sends_the_replacement(house: House, shared: Shared) -> None:
    moved = provided(postalCode="SY23 3BY")
    await house.evidence.replace(shared.citizen, HERSELF, new_id(), shared.evidence_id, moved)

    assert b"SY23 3BY" in (await fetch(house, shared)).bundle


async def test_a_pinned_consent_sends_what_she_saw(house: House, registered: Registered) -> None:
    pinned = await share(house, MAIR, registered.other_service, mode="pinned")
    moved = provided(postalCode="SY23 3BY")
    await house.evidence.replace(pinned.citizen, HERSELF, new_id(), pinned.evidence_id, moved)

    assert b"SY23 2AA" in (await fetch(house, pinned)).bundle


async def test_a_field_that_is_not_published_is_a_mistake_and_not_an_attempt(
    house: House, shared: Shared
) -> None:
    wanted = Selection(item=0, evidence_type="postal_address", names=("colour",))
    before = await house.lane.tree_size()

    with pytest.raises(FieldUnknownError) as refused:
        await fetch(house, shared, selections=(wanted,))

    await house.disclosures.drain()
    assert refused.value.field == "fields[0]"
    assert await house.lane.tree_size() == before


async def test_a_deadline_that_passed_records_nothing(house: House, shared: Shared) -> None:
    before = await house.lane.tree_size()

    with pytest.raises(DeadlinePassedError):
        await house.disclosures.disclose(
            shared.service, new_id(), shared.attempt(), said(), house.clock.monotonic() - 1
        )

    assert await house.lane.tree_size() == before


async def test_references_come_back_and_stay_sealed(house: House, shared: Shared) -> None:
    disclosed = await house.disclosures.disclose(
        shared.service, new_id(), shared.attempt(), said(external_reference="case-17")
    )

    assert disclosed.external_reference == "case-17"
    record = (await house.records(shared.vault_id))[-1]
    assert b"case-17" not in (record.state or b"")


# --- Repeats -------------------------------------------------------------------------------------


async def test_a_repeat_sends_the_same_bytes(house: House, shared: Shared) -> None:
    request_id = new_id()
    first = await fetch(house, shared, request_id=request_id)

    again = await fetch(house, shared, request_id=request_id)

    assert again.bundle == first.bundle
    assert (first.is_repeat, again.is_repeat) == (False, True)


async def test_a_repeat_is_recorded_and_names_the_first(house: House, shared: Shared) -> None:
    request_id = new_id()
    first = await fetch(house, shared, request_id=request_id)
    await fetch(house, shared, request_id=request_id)
    third = await fetch(house, shared, request_id=request_id)

    recorded = await house.facts(shared.vault_id, "evidence-disclosed.1")
    leaf = b64(first.receipt.leaf_hash)
    assert [facts.repeats for facts in recorded] == ["", leaf, leaf]
    assert len({facts.bundle_hash for facts in recorded}) == 1
    assert third.receipt.leaf_index == first.receipt.leaf_index + 2


async def test_repeats_do_not_use_up_the_frequency(house: House, shared: Shared) -> None:
    request_id = new_id()
    for _ in range(7):
        await fetch(house, shared, request_id=request_id)

    for _ in range(4):
        await fetch(house, shared)
    with pytest.raises(FrequencyExhaustedError):
        await fetch(house, shared)


async def test_a_repeat_still_leaves_when_the_frequency_is_used_up(
    house: House, shared: Shared
) -> None:
    request_id = new_id()
    first = await fetch(house, shared, request_id=request_id)
    for _ in range(4):
        await fetch(house, shared)

    assert (await fetch(house, shared, request_id=request_id)).bundle == first.bundle


async def test_what_was_replaced_is_not_repeated(house: House, shared: Shared) -> None:
    request_id = new_id()
    first = await fetch(house, shared, request_id=request_id)
    moved = provided(postalCode="SY23 3BY")
    await house.evidence.replace(shared.citizen, HERSELF, new_id(), shared.evidence_id, moved)

    with pytest.raises(EvidenceChangedError) as refused:
        await fetch(house, shared, request_id=request_id)

    assert refused.value.receipt == first.receipt


async def test_after_she_stopped_a_repeat_gets_the_first_receipt_and_no_bytes(
    house: House, shared: Shared
) -> None:
    request_id = new_id()
    first = await fetch(house, shared, request_id=request_id)
    await revoke(house, shared)

    with pytest.raises(ConsentRevokedError) as refused:
        await fetch(house, shared, request_id=request_id)

    assert refused.value.receipt == first.receipt
    assert len(await house.facts(shared.vault_id, "evidence-disclosed.1")) == 1


async def test_a_first_attempt_that_is_refused_has_no_receipt(house: House, shared: Shared) -> None:
    with pytest.raises(StateError) as refused:
        await fetch(house, shared, "streetName")

    assert refused.value.receipt is None


async def test_another_command_under_the_same_request_id_is_refused(
    house: House, shared: Shared
) -> None:
    request_id = new_id()
    await fetch(house, shared, request_id=request_id)
    before = await house.lane.tree_size()

    with pytest.raises(RequestIdReusedError):
        await fetch(house, shared, "postalCode", request_id=request_id, purpose_code="loan")
    with pytest.raises(RequestIdReusedError):
        await house.disclosures.disclose(
            shared.service, request_id, shared.attempt(), said(staff_ref="berta")
        )

    assert await house.lane.tree_size() == before


async def test_what_was_refused_may_be_tried_again_under_the_same_request_id(
    house: House, shared: Shared
) -> None:
    request_id = new_id()
    with pytest.raises(FieldNotGrantedError):
        await fetch(house, shared, "streetName", request_id=request_id)

    assert not (await fetch(house, shared, request_id=request_id)).is_repeat


async def test_two_services_use_the_same_request_id_without_harm(
    house: House, shared: Shared, registered: Registered
) -> None:
    request_id = new_id()
    other = await share(house, MAIR, registered.other_service)

    await fetch(house, shared, request_id=request_id)

    assert not (await fetch(house, other, request_id=request_id)).is_repeat
