# SPDX-License-Identifier: Apache-2.0
"""A dispute marks fields until it is settled: by her, where they came from, or by new values."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tests.builders import (
    ABSENT,
    ADDRESS,
    BUNDLE,
    DISPUTE,
    INCOME,
    OTHER_ADDRESS,
    OTHER_DISPUTE,
    SALT,
    a_stamp,
    at,
    dispute_resolved,
    evidence_disputed,
    evidence_provided,
    evidence_replaced,
    happened,
    income_provided,
    vault_opened,
)
from vault.domain import dispute as disputes
from vault.domain.dispute import DisputeResolved, EvidenceDisputed, Outcome
from vault.domain.errors import (
    DisputeResolvedError,
    FieldInvalidError,
    HistoryBrokenError,
    NotFoundError,
    VaultNotOpenError,
)
from vault.domain.events import Draft
from vault.domain.evidence import Dispute, Evidence
from vault.domain.state import VaultState
from vault.domain.values import Item, PayloadMark

PROVIDED = (vault_opened(), evidence_provided())
DISPUTED = (*PROVIDED, evidence_disputed())


def dispute(
    state: VaultState | None,
    *names: str,
    evidence_id: str = ADDRESS,
    dispute_id: str = DISPUTE,
    is_shared: bool = False,
) -> Draft:
    return disputes.dispute(
        state,
        a_stamp(at(6)),
        evidence_id=evidence_id,
        dispute_id=dispute_id,
        names=names,
        is_shared=is_shared,
    )


def resolve(
    state: VaultState | None,
    *,
    evidence_id: str = ADDRESS,
    dispute_id: str = DISPUTE,
    outcome: Outcome = "withdrawn",
) -> Draft:
    return disputes.resolve(
        state, a_stamp(at(7)), evidence_id=evidence_id, dispute_id=dispute_id, outcome=outcome
    )


def address(*drafts: Draft) -> Evidence:
    return happened(*drafts).evidence[ADDRESS]


# --- Disputing -----------------------------------------------------------------------------------


def test_a_dispute_names_the_piece_and_its_fields_in_order() -> None:
    draft = dispute(happened(*PROVIDED), "streetName", "postalCode", "streetName", is_shared=True)

    assert draft.facts == EvidenceDisputed(
        time=at(6),
        salt=SALT,
        evidence_type="postal_address",
        dispute_id=DISPUTE,
        names=("postalCode", "streetName"),
        is_shared=True,
    )
    assert draft.items == (Item(item=0, evidence_id=ADDRESS, revision=1),)


def test_a_dispute_is_about_the_revision_of_now() -> None:
    draft = dispute(happened(*PROVIDED, evidence_replaced()), "postalCode")

    assert draft.items == (Item(item=0, evidence_id=ADDRESS, revision=2),)


@pytest.mark.parametrize("names", [(), ("amount",), ("postalCode", "amount"), ("*",)])
def test_a_field_that_is_not_there_cannot_be_disputed(names: tuple[str, ...]) -> None:
    with pytest.raises(FieldInvalidError) as refused:
        dispute(happened(*PROVIDED), *names)

    assert refused.value.field == "names"


def test_a_field_that_a_replacement_left_out_cannot_be_disputed() -> None:
    given = happened(*PROVIDED, evidence_replaced(names=("streetName",), changed=()))

    with pytest.raises(FieldInvalidError):
        dispute(given, "postalCode")


def test_a_disputed_field_is_not_disputed_twice() -> None:
    with pytest.raises(FieldInvalidError) as refused:
        dispute(happened(*DISPUTED), "postalCode", "streetName", dispute_id=OTHER_DISPUTE)

    assert refused.value.field == "names"


def test_another_field_is_disputed_beside_the_first() -> None:
    draft = dispute(happened(*DISPUTED), "streetName", dispute_id=OTHER_DISPUTE)

    assert address(*DISPUTED, draft).disputed == {"postalCode", "streetName"}


def test_a_settled_field_can_be_disputed_again() -> None:
    given = happened(*DISPUTED, dispute_resolved())

    assert dispute(given, "postalCode", dispute_id=OTHER_DISPUTE).items


def test_what_is_not_there_cannot_be_disputed() -> None:
    with pytest.raises(NotFoundError):
        dispute(happened(*PROVIDED), "postalCode", evidence_id=ABSENT)


def test_nothing_is_disputed_without_a_vault() -> None:
    with pytest.raises(VaultNotOpenError):
        dispute(None, "postalCode")


def test_nothing_is_disputed_in_a_broken_history() -> None:
    with pytest.raises(HistoryBrokenError):
        dispute(replace(happened(*PROVIDED), broken_at=2), "postalCode")


# --- Settling ------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", ["withdrawn", "corrected"])
def test_settling_says_how(outcome: Outcome) -> None:
    draft = resolve(happened(*DISPUTED), outcome=outcome)

    assert draft.facts == DisputeResolved(
        time=at(7),
        salt=SALT,
        evidence_type="postal_address",
        dispute_id=DISPUTE,
        outcome=outcome,
    )
    assert draft.items == (Item(item=0, evidence_id=ADDRESS, revision=1),)


def test_a_dispute_is_settled_once() -> None:
    with pytest.raises(DisputeResolvedError):
        resolve(happened(*DISPUTED, dispute_resolved()))


def test_a_dispute_that_new_values_settled_is_not_settled_again() -> None:
    with pytest.raises(DisputeResolvedError):
        resolve(happened(*DISPUTED, evidence_replaced(time=at(7))))


@pytest.mark.parametrize(
    "changes",
    [{"dispute_id": OTHER_DISPUTE}, {"evidence_id": ABSENT}, {"evidence_id": OTHER_ADDRESS}],
)
def test_what_is_not_disputed_cannot_be_settled(changes: dict[str, Any]) -> None:
    given = happened(*DISPUTED, evidence_provided(OTHER_ADDRESS))

    with pytest.raises(NotFoundError):
        resolve(given, **changes)


def test_nothing_is_settled_without_a_vault() -> None:
    with pytest.raises(VaultNotOpenError):
        resolve(None)


def test_nothing_is_settled_in_a_broken_history() -> None:
    with pytest.raises(HistoryBrokenError):
        resolve(replace(happened(*DISPUTED), broken_at=2))


# --- What it folds to ----------------------------------------------------------------------------


def test_a_dispute_remembers_where_her_statement_lies() -> None:
    assert address(*DISPUTED).disputes == (
        Dispute(
            dispute_id=DISPUTE,
            version=3,
            mark=PayloadMark(kind="statement", hash=BUNDLE, key_id="k", commitment=BUNDLE),
            values={"postalCode": at(1)},
            is_shared=False,
            time=at(6),
        ),
    )


def test_a_settled_dispute_marks_nothing_and_is_remembered() -> None:
    piece = address(*DISPUTED, dispute_resolved())

    assert piece.disputed == frozenset()
    assert [(known.dispute_id, known.resolved) for known in piece.disputes] == [(DISPUTE, at(7))]


def test_settling_one_dispute_leaves_the_others_open() -> None:
    other = evidence_disputed(OTHER_DISPUTE, names=("streetName",))

    assert address(*DISPUTED, other, dispute_resolved()).disputed == {"streetName"}


def test_a_dispute_marks_its_own_piece_alone() -> None:
    state = happened(*DISPUTED, evidence_provided(OTHER_ADDRESS), income_provided())

    assert state.evidence[OTHER_ADDRESS].disputed == frozenset()
    assert state.evidence[INCOME].disputed == frozenset()


def test_a_new_value_settles_the_dispute_of_it() -> None:
    piece = address(*DISPUTED, evidence_replaced(time=at(8), changed=("postalCode",)))

    assert piece.disputed == frozenset()
    assert piece.disputes[0].resolved == at(8)


@pytest.mark.parametrize("changed", [(), ("streetName",)])
def test_a_replacement_that_keeps_the_disputed_value_keeps_the_dispute(
    changed: tuple[str, ...],
) -> None:
    piece = address(*DISPUTED, evidence_replaced(time=at(8), changed=changed))

    assert piece.disputed == {"postalCode"}


def test_a_dispute_of_two_fields_stands_until_both_have_new_values() -> None:
    both = evidence_disputed(names=("postalCode", "streetName"))
    one = evidence_replaced(time=at(8), changed=("postalCode",))
    all_of_it = evidence_replaced(time=at(8), changed=("postalCode", "streetName"))

    assert address(*PROVIDED, both, one).disputed == {"streetName"}
    assert address(*PROVIDED, both, one).disputes[0].is_open
    assert address(*PROVIDED, both, all_of_it).disputed == frozenset()


def test_two_replacements_settle_what_either_gave_another_value() -> None:
    both = evidence_disputed(names=("postalCode", "streetName"))
    first = evidence_replaced(time=at(8), changed=("postalCode",))
    second = evidence_replaced(time=at(9), changed=("streetName",))

    piece = address(*PROVIDED, both, first, second)

    assert piece.disputes[0].resolved == at(9)


def test_a_dispute_that_was_settled_before_keeps_its_time() -> None:
    piece = address(*DISPUTED, dispute_resolved(), evidence_replaced(time=at(9)))

    assert piece.disputes[0].resolved == at(7)


@pytest.mark.parametrize("draft", [evidence_disputed(), dispute_resolved()])
def test_a_dispute_of_what_a_history_lost_is_folded_over(draft: Draft) -> None:
    assert happened(vault_opened(), draft).evidence == {}
