# SPDX-License-Identifier: Apache-2.0
"""'This is wrong': the value goes out marked until it is settled, with her words if she wants."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.house import (
    HERSELF,
    MAIR,
    NIA,
    House,
    Registered,
    Shared,
    a_choice,
    ask,
    claim_and_redeem,
    fetch,
    grant,
    new_id,
    provide_address,
    provided,
    share,
)
from vault.application.caller import Answer
from vault.application.disputes import Disputed
from vault.application.evidence import View
from vault.domain.errors import (
    DisputeResolvedError,
    EvidenceChangedError,
    FieldInvalidError,
    NotFoundError,
)

BOTH = ("postalCode", "streetName")
STATEMENT = "I moved in March; this is my old postcode."


async def dispute(
    house: House, shared: Shared, *names: str, is_shared: bool = False
) -> Answer[Disputed]:
    return await house.disputes.dispute(
        MAIR,
        HERSELF,
        new_id(),
        evidence_id=shared.evidence_id,
        names=names or ("postalCode",),
        statement=STATEMENT,
        is_shared=is_shared,
    )


async def sent(house: House, shared: Shared, *names: str) -> dict[str, Any]:
    """Fetch the address and return the one item that was sent."""
    (item,) = json.loads((await fetch(house, shared, *names)).bundle)["items"]
    return item


async def correct(house: House, shared: Shared, **changes: str) -> Answer[View]:
    return await house.evidence.replace(
        MAIR, HERSELF, new_id(), shared.evidence_id, provided(**changes)
    )


async def share_both(house: House, registered: Registered, shared: Shared) -> Shared:
    """Share the same address once more, with its street."""
    token = await ask(house, registered.service)
    request_id, _ = await claim_and_redeem(house, MAIR, registered.service, token)
    consent_id = await grant(house, MAIR, request_id, a_choice(shared.evidence_id, *BOTH))
    return replace(shared, consent_request_id=request_id, consent_id=consent_id)


async def test_a_disputed_value_goes_out_marked(house: House, shared: Shared) -> None:
    await dispute(house, shared)

    item = await sent(house, shared)

    assert [field["is_disputed"] for field in item["fields"]] == [True]
    assert [d["statement"] for d in item["disputes"]] == [""]


async def test_her_statement_travels_if_she_wants(house: House, shared: Shared) -> None:
    await dispute(house, shared, is_shared=True)

    item = await sent(house, shared)

    assert [d["statement"] for d in item["disputes"]] == [STATEMENT]


async def test_a_dispute_of_what_is_not_shared_is_not_told(house: House, shared: Shared) -> None:
    await dispute(house, shared, "streetName", is_shared=True)

    item = await sent(house, shared)

    assert item["disputes"] == []
    assert [field["is_disputed"] for field in item["fields"]] == [False]


async def test_her_statement_is_hers_to_read_and_sealed(house: House, shared: Shared) -> None:
    answer = await dispute(house, shared)

    view = await house.evidence.get(MAIR, HERSELF, shared.evidence_id)

    assert view.statements == {answer.value.dispute_id: STATEMENT}
    for path in house.folder.rglob("*"):
        if path.is_file():
            assert STATEMENT.encode() not in path.read_bytes()


async def test_a_correction_settles_it_and_says_who_holds_the_old_value(
    house: House, shared: Shared
) -> None:
    await fetch(house, shared)
    await dispute(house, shared)

    answer = await house.evidence.replace(
        MAIR, HERSELF, new_id(), shared.evidence_id, provided(postalCode="SY23 3BB")
    )

    (holder,) = answer.value.holders
    assert (holder.service, holder.revision, holder.is_current) == (shared.service.sub, 1, False)
    assert holder.names == ("postalCode",)
    assert answer.value.evidence.disputed == frozenset()
    item = await sent(house, shared)
    assert item["disputes"] == []
    after = await house.evidence.get(MAIR, HERSELF, shared.evidence_id)
    assert [h.revision for h in after.holders] == [1, 2]


async def test_a_replacement_that_changes_something_else_settles_nothing(
    house: House, shared: Shared
) -> None:
    await dispute(house, shared)

    answer = await house.evidence.replace(
        MAIR, HERSELF, new_id(), shared.evidence_id, provided(streetName="Ffordd y Mor")
    )

    assert answer.value.evidence.disputed == {"postalCode"}


async def test_she_takes_it_back_once(house: House, shared: Shared) -> None:
    dispute_id = (await dispute(house, shared)).value.dispute_id

    async def resolve() -> Answer[Disputed]:
        return await house.disputes.resolve(
            MAIR,
            HERSELF,
            new_id(),
            evidence_id=shared.evidence_id,
            dispute_id=dispute_id,
            outcome="withdrawn",
        )

    await resolve()

    with pytest.raises(DisputeResolvedError):
        await resolve()
    assert [f["is_disputed"] for f in (await sent(house, shared))["fields"]] == [False]


async def test_two_corrections_settle_what_either_put_right(house: House, shared: Shared) -> None:
    await dispute(house, shared, *BOTH)

    half = await correct(house, shared, postalCode="SY23 3BB")
    whole = await correct(house, shared, postalCode="SY23 3BB", streetName="Ffordd y Mor")

    assert half.value.evidence.disputed == {"streetName"}
    assert whole.value.evidence.disputed == frozenset()
    assert all(known.resolved for known in whole.value.evidence.disputes)


async def test_her_words_go_only_where_every_field_goes_that_they_are_about(
    house: House, registered: Registered, shared: Shared
) -> None:
    await dispute(house, shared, *BOTH, is_shared=True)
    wider = await share_both(house, registered, shared)

    item = await sent(house, shared)
    whole = await sent(house, wider, *BOTH)

    assert [(d["names"], d["statement"]) for d in item["disputes"]] == [(["postalCode"], "")]
    assert [(d["names"], d["statement"]) for d in whole["disputes"]] == [(list(BOTH), STATEMENT)]


async def test_an_old_value_that_she_shares_on_purpose_stays_marked_after_a_correction(
    house: House, registered: Registered
) -> None:
    shared = await share(house, MAIR, registered.service, mode="pinned")
    await dispute(house, shared, is_shared=True)

    await correct(house, shared, postalCode="SY23 3BB")

    item = await sent(house, shared)
    (field,) = item["fields"]
    assert (field["value"], field["is_disputed"]) == ("SY23 2AA", True)
    assert [d["statement"] for d in item["disputes"]] == [STATEMENT]


async def test_an_old_value_is_not_marked_for_what_is_wrong_with_the_new_one(
    house: House, registered: Registered
) -> None:
    shared = await share(house, MAIR, registered.service, mode="pinned")
    await correct(house, shared, postalCode="SY23 3BB")

    await dispute(house, shared, is_shared=True)

    item = await sent(house, shared)
    assert [field["is_disputed"] for field in item["fields"]] == [False]
    assert item["disputes"] == []


@pytest.mark.parametrize("names", [("noSuchField",), ("buildingNumber",)])
async def test_only_what_is_there_can_be_wrong(
    house: House, shared: Shared, names: tuple[str, ...]
) -> None:
    with pytest.raises(FieldInvalidError):
        await dispute(house, shared, *names)


async def test_nothing_is_disputed_twice(house: House, shared: Shared) -> None:
    await dispute(house, shared)

    with pytest.raises(FieldInvalidError):
        await dispute(house, shared)


async def test_a_repeat_of_what_was_sent_unmarked_is_not_sent_marked(
    house: House, shared: Shared
) -> None:
    key = new_id()
    await fetch(house, shared, request_id=key)
    await dispute(house, shared)

    with pytest.raises(EvidenceChangedError):
        await fetch(house, shared, request_id=key)


async def test_nobody_else_disputes_it(house: House, shared: Shared) -> None:
    await provide_address(house, NIA)

    with pytest.raises(NotFoundError):
        await house.disputes.dispute(
            NIA,
            HERSELF,
            new_id(),
            evidence_id=shared.evidence_id,
            names=("postalCode",),
            statement=STATEMENT,
            is_shared=False,
        )
