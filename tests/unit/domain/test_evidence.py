# SPDX-License-Identifier: Apache-2.0
"""Evidence: provided once, replaced by revisions; events name fields and never hold values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from tests.builders import (
    ABSENT,
    ADDRESS,
    ADDRESS_NAMES,
    BUNDLE,
    INCOME,
    SALT,
    a_stamp,
    at,
    evidence_provided,
    evidence_replaced,
    happened,
    income_provided,
    linked,
    vault_opened,
)
from vault.domain import evidence
from vault.domain.errors import (
    FieldInvalidError,
    HistoryBrokenError,
    NotFoundError,
    VaultNotOpenError,
)
from vault.domain.events import Draft
from vault.domain.evidence import Content, EvidenceProvided, EvidenceReplaced
from vault.domain.state import VaultState, fold
from vault.domain.values import Item, PayloadMark


def some_content(**changes: Any) -> Content:
    content = Content(
        schema_version=1, names=ADDRESS_NAMES, issued_date="2026-02-27", source="document"
    )
    return replace(content, **changes)


def provide(state: VaultState | None, content: Content) -> Draft:
    return evidence.provide(state, a_stamp(at(1)), ADDRESS, "postal_address", content)


def replace_address(state: VaultState | None, content: Content) -> Draft:
    return evidence.replace_by(state, a_stamp(at(5)), ADDRESS, content, ["postalCode"])


both = pytest.mark.parametrize("verb", [provide, replace_address])


def test_providing_names_the_piece_and_its_fields_in_order() -> None:
    content = some_content(names=("streetName", "addressCountry"))

    draft = provide(happened(vault_opened()), content)

    assert draft.facts == EvidenceProvided(
        time=at(1),
        salt=SALT,
        evidence_type="postal_address",
        schema_version=1,
        issued_date="2026-02-27",
        source="document",
        issuer="",
        names=("addressCountry", "streetName"),
    )
    assert draft.items == (Item(item=0, evidence_id=ADDRESS, revision=1),)


def test_replacing_makes_the_next_revision_and_names_what_changed() -> None:
    given = happened(vault_opened(), evidence_provided(), evidence_replaced())

    draft = evidence.replace_by(
        given, a_stamp(at(9)), ADDRESS, some_content(), ["streetName", "addressCountry"]
    )

    assert isinstance(draft.facts, EvidenceReplaced)
    assert draft.facts.changed == ("addressCountry", "streetName")
    assert draft.items == (Item(item=0, evidence_id=ADDRESS, revision=3),)


def test_replacing_keeps_the_type() -> None:
    given = happened(vault_opened(), income_provided())

    draft = evidence.replace_by(given, a_stamp(at(9)), INCOME, some_content(), [])

    assert isinstance(draft.facts, EvidenceReplaced)
    assert draft.facts.evidence_type == "income"


def test_what_is_not_there_cannot_be_replaced() -> None:
    given = happened(vault_opened(), evidence_provided())

    with pytest.raises(NotFoundError):
        evidence.replace_by(given, a_stamp(at(5)), ABSENT, some_content(), [])


@both
def test_nothing_is_kept_without_a_vault(
    verb: Callable[[VaultState | None, Content], Draft],
) -> None:
    with pytest.raises(VaultNotOpenError):
        verb(None, some_content())


@both
def test_nothing_is_kept_in_a_broken_history(
    verb: Callable[[VaultState | None, Content], Draft],
) -> None:
    broken = replace(happened(vault_opened(), evidence_provided()), broken_at=2)

    with pytest.raises(HistoryBrokenError):
        verb(broken, some_content())


@both
def test_evidence_of_the_future_is_refused(
    verb: Callable[[VaultState | None, Content], Draft],
) -> None:
    given = happened(vault_opened(), evidence_provided())

    with pytest.raises(FieldInvalidError) as refused:
        verb(given, some_content(issued_date="2026-03-04"))

    assert refused.value.field == "issued_date"


@both
@pytest.mark.parametrize("issued_date", ["", "2026-03-03", "2026-03-02", "1944-12-24"])
def test_evidence_of_today_wherever_she_is_or_earlier_is_kept(
    verb: Callable[[VaultState | None, Content], Draft], issued_date: str
) -> None:
    given = happened(vault_opened(), evidence_provided())

    facts = verb(given, some_content(issued_date=issued_date)).facts

    assert isinstance(facts, EvidenceProvided | EvidenceReplaced)
    assert facts.issued_date == issued_date


def test_a_revision_remembers_where_its_values_lie() -> None:
    state = happened(vault_opened(), evidence_provided(), evidence_replaced())

    versions = [revision.version for revision in state.evidence[ADDRESS].revisions]
    assert versions == [2, 3]
    assert all(revision.mark is not None for revision in state.evidence[ADDRESS].revisions)


def test_the_current_revision_is_the_last_one() -> None:
    piece = happened(vault_opened(), evidence_provided(), evidence_replaced()).evidence[ADDRESS]

    assert piece.current.revision == 2
    assert piece.revision(0) == piece.current
    assert piece.revision(1).revision == 1


def test_a_field_is_as_fresh_as_its_last_change() -> None:
    state = happened(
        vault_opened(),
        evidence_provided(names=("postalCode", "streetName")),
        evidence_replaced(names=ADDRESS_NAMES, changed=("addressCountry", "postalCode")),
    )

    assert state.evidence[ADDRESS].current.updated == {
        "addressCountry": at(5),
        "postalCode": at(5),
        "streetName": at(1),
    }


def test_a_field_that_a_replacement_leaves_out_is_gone() -> None:
    state = happened(vault_opened(), evidence_provided(), evidence_replaced(names=("postalCode",)))

    assert set(state.evidence[ADDRESS].current.updated) == {"postalCode"}


def test_evidence_ages_from_the_date_of_issue_or_else_from_when_it_was_given() -> None:
    dated = happened(vault_opened(), evidence_provided(issued_date="2026-02-27"))
    undated = happened(vault_opened(), evidence_provided())

    assert dated.evidence[ADDRESS].current.issued_time == "2026-02-27T00:00:00.000000Z"
    assert undated.evidence[ADDRESS].current.issued_time == at(1)


def test_two_pieces_of_one_type_stay_apart() -> None:
    state = happened(
        vault_opened(), evidence_provided(), evidence_provided(INCOME), evidence_replaced(INCOME)
    )

    assert len(state.evidence[ADDRESS].revisions) == 1
    assert len(state.evidence[INCOME].revisions) == 2


@pytest.mark.parametrize(("number", "found"), [(0, 2), (1, 1), (2, 2)])
def test_a_revision_is_found_by_number_and_0_is_the_current_one(number: int, found: int) -> None:
    state = happened(vault_opened(), evidence_provided(), evidence_replaced())

    piece, revision = evidence.find_revision(state, ADDRESS, number)

    assert (piece, revision.revision) == (state.evidence[ADDRESS], found)


@pytest.mark.parametrize(("evidence_id", "number"), [(ADDRESS, 3), (ABSENT, 0), (ABSENT, 1)])
def test_a_revision_that_is_not_there_is_not_found(evidence_id: str, number: int) -> None:
    state = happened(vault_opened(), evidence_provided(), evidence_replaced())

    with pytest.raises(NotFoundError):
        evidence.find_revision(state, evidence_id, number)


def test_a_revision_remembers_where_its_document_lies() -> None:
    document = PayloadMark(kind="document", hash=BUNDLE, key_id=ABSENT, commitment=BUNDLE)
    (opened, provided) = linked([vault_opened(), evidence_provided()])
    link = replace(provided.link, payloads=(*provided.link.payloads, document))

    state = fold(fold(None, opened), replace(provided, link=link))

    current = state.evidence[ADDRESS].current
    assert current.document == document
    assert current.mark is not None
    assert current.mark.kind == "evidence"


def test_what_is_no_document_has_none() -> None:
    assert happened(vault_opened(), evidence_provided()).evidence[ADDRESS].current.document is None
