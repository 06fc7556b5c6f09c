# SPDX-License-Identifier: Apache-2.0
"""The registry: who may ask, for what purpose, within which bounds, for which fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.builders import (
    ABSENT,
    ADDRESS_NAMES,
    NOTICE,
    ORGANISATION,
    OTHER_SERVICE,
    SALT,
    SERVICE,
    a_purpose,
    a_stamp,
    at,
    drafted,
    evidence_type_published,
    purpose_published,
    registered,
    registry_of,
    some_bounds,
)
from vault.domain import registry
from vault.domain.errors import (
    FieldUnknownError,
    NotFoundError,
    PurposeNotAllowedError,
    RegistryConflictError,
    ServiceSuspendedError,
    VaultError,
)
from vault.domain.events import Draft
from vault.domain.registry import (
    EvidenceTypePublished,
    FieldDefinition,
    LaneListed,
    LogKeyListed,
    OrganisationRegistered,
    PurposePublished,
    PurposeWithdrawn,
    ReceiptKeyListed,
    RegistryState,
    ServiceRegistered,
    ServiceReinstated,
    ServiceSuspended,
)
from vault.domain.values import TypeFields

COMMON: dict[str, Any] = {"time": at(9), "salt": SALT}
NOW = a_stamp(at(9))
FIELDS = (FieldDefinition(name="amount", sensitivity="sensitive"),)


def suspended() -> Draft:
    return drafted(ServiceSuspended(service=SERVICE, **COMMON))


def reinstated() -> Draft:
    return drafted(ServiceReinstated(service=SERVICE, **COMMON))


def withdrawn() -> Draft:
    return drafted(PurposeWithdrawn(code="care", **COMMON))


@pytest.mark.parametrize(
    ("given", "verb", "expected"),
    [
        (
            [],
            lambda state: registry.register_organisation(state, NOW, ORGANISATION),
            OrganisationRegistered(organisation=ORGANISATION, **COMMON),
        ),
        (
            [],
            lambda state: registry.register_service(state, NOW, ABSENT, ORGANISATION),
            ServiceRegistered(service=ABSENT, organisation=ORGANISATION, **COMMON),
        ),
        (
            [],
            lambda state: registry.suspend_service(state, NOW, SERVICE),
            ServiceSuspended(service=SERVICE, **COMMON),
        ),
        (
            [suspended()],
            lambda state: registry.reinstate_service(state, NOW, SERVICE),
            ServiceReinstated(service=SERVICE, **COMMON),
        ),
        (
            [],
            lambda state: registry.publish_purpose(state, NOW, a_purpose("home"), some_bounds()),
            PurposePublished(purpose=a_purpose("home"), bounds=some_bounds(), **COMMON),
        ),
        (
            [],
            lambda state: registry.publish_purpose(state, NOW, a_purpose("care", 2), some_bounds()),
            PurposePublished(purpose=a_purpose("care", 2), bounds=some_bounds(), **COMMON),
        ),
        (
            [],
            lambda state: registry.withdraw_purpose(state, NOW, "care"),
            PurposeWithdrawn(code="care", **COMMON),
        ),
        (
            [],
            lambda state: registry.publish_evidence_type(state, NOW, "income", 2, FIELDS),
            EvidenceTypePublished(
                evidence_type="income", schema_version=2, fields=FIELDS, **COMMON
            ),
        ),
        (
            [],
            lambda _state: registry.list_receipt_key(NOW, "key", "public"),
            ReceiptKeyListed(key_id="key", algorithm="Ed25519", public_key="public", **COMMON),
        ),
        (
            [],
            lambda state: registry.list_lane(state, NOW, 1, "test/1"),
            LaneListed(lane=1, origin="test/1", **COMMON),
        ),
        (
            [],
            lambda state: registry.list_log_key(state, NOW, 1, "test/1", "test/1+key"),
            LogKeyListed(lane=1, origin="test/1", vkey="test/1+key", **COMMON),
        ),
    ],
)
def test_what_is_decided_stands_in_the_event(
    given: list[Draft], verb: Callable[[RegistryState], Draft], expected: object
) -> None:
    draft = verb(registered(*given))

    assert draft.facts == expected


@pytest.mark.parametrize(
    ("given", "verb", "error", "field"),
    [
        (
            [],
            lambda state: registry.register_service(state, NOW, SERVICE, ABSENT),
            NotFoundError,
            "",
        ),
        ([], lambda state: registry.suspend_service(state, NOW, ABSENT), NotFoundError, ""),
        (
            [suspended()],
            lambda state: registry.suspend_service(state, NOW, SERVICE),
            RegistryConflictError,
            "service_id",
        ),
        ([], lambda state: registry.reinstate_service(state, NOW, ABSENT), NotFoundError, ""),
        (
            [],
            lambda state: registry.reinstate_service(state, NOW, SERVICE),
            RegistryConflictError,
            "service_id",
        ),
        (
            [suspended(), reinstated()],
            lambda state: registry.reinstate_service(state, NOW, SERVICE),
            RegistryConflictError,
            "service_id",
        ),
        (
            [],
            lambda state: registry.publish_purpose(
                state, NOW, a_purpose("home"), some_bounds(services=(SERVICE, ABSENT))
            ),
            NotFoundError,
            "",
        ),
        (
            [],
            lambda state: registry.publish_purpose(
                state,
                NOW,
                a_purpose("home"),
                some_bounds(evidence=(TypeFields(evidence_type="income", names=("colour",)),)),
            ),
            FieldUnknownError,
            "bounds.evidence",
        ),
        (
            [],
            lambda state: registry.publish_purpose(
                state,
                NOW,
                a_purpose("home"),
                some_bounds(
                    evidence=(
                        TypeFields(evidence_type="income", names=("amount",)),
                        TypeFields(evidence_type="shoe_size", names=()),
                    )
                ),
            ),
            FieldUnknownError,
            "bounds.evidence",
        ),
        (
            [],
            lambda state: registry.publish_purpose(state, NOW, a_purpose("care", 1), some_bounds()),
            RegistryConflictError,
            "version",
        ),
        (
            [],
            lambda state: registry.publish_purpose(state, NOW, a_purpose("care", 3), some_bounds()),
            RegistryConflictError,
            "version",
        ),
        (
            [withdrawn()],
            lambda state: registry.publish_purpose(state, NOW, a_purpose("care", 2), some_bounds()),
            RegistryConflictError,
            "purpose_code",
        ),
        ([], lambda state: registry.withdraw_purpose(state, NOW, "war"), NotFoundError, ""),
        (
            [withdrawn()],
            lambda state: registry.withdraw_purpose(state, NOW, "care"),
            RegistryConflictError,
            "purpose_code",
        ),
        (
            [],
            lambda state: registry.publish_evidence_type(state, NOW, "income", 1, FIELDS),
            RegistryConflictError,
            "definition",
        ),
        (
            [],
            lambda state: registry.publish_evidence_type(state, NOW, "shoe_size", 2, FIELDS),
            RegistryConflictError,
            "definition",
        ),
    ],
)
def test_what_does_not_fit_the_registry_is_refused(
    given: list[Draft],
    verb: Callable[[RegistryState], Draft],
    error: type[VaultError],
    field: str,
) -> None:
    with pytest.raises(error) as refused:
        verb(registered(*given))

    assert refused.value.field == field


def test_a_registered_service_may_act() -> None:
    assert registered().service(SERVICE).organisation == ORGANISATION


def test_an_unknown_service_may_not_act() -> None:
    with pytest.raises(NotFoundError):
        registered().service(ABSENT)


def test_a_suspended_service_may_not_act() -> None:
    with pytest.raises(ServiceSuspendedError):
        registered(suspended()).service(SERVICE)


def test_a_suspension_leaves_other_services_alone() -> None:
    assert not registered(suspended()).service(OTHER_SERVICE).is_suspended


def test_a_reinstated_service_may_act() -> None:
    assert not registered(suspended(), reinstated()).service(SERVICE).is_suspended


def test_version_0_of_a_purpose_is_the_current_one() -> None:
    state = registered(purpose_published(version=2, longest_days=7))

    assert state.purpose("care", SERVICE).bounds.longest_days == 7
    assert state.purpose("care", SERVICE, 1).bounds.longest_days == 30
    assert state.purpose("care", SERVICE, 2).bounds.longest_days == 7


@pytest.mark.parametrize(
    ("code", "service", "version"),
    [
        ("war", SERVICE, 0),
        ("care", OTHER_SERVICE, 0),
        ("care", ABSENT, 0),
        ("care", SERVICE, 2),
        ("care", SERVICE, -1),
    ],
)
def test_a_purpose_that_is_not_published_for_the_service_is_not_allowed(
    code: str, service: str, version: int
) -> None:
    with pytest.raises(PurposeNotAllowedError) as refused:
        registered().purpose(code, service, version)

    assert refused.value.field == "purpose_code"


@pytest.mark.parametrize("version", [0, 1, 2])
def test_a_withdrawn_purpose_is_not_allowed_in_any_version(version: int) -> None:
    state = registered(purpose_published(version=2), withdrawn())

    with pytest.raises(PurposeNotAllowedError):
        state.purpose("care", SERVICE, version)


def test_a_service_that_a_later_version_leaves_out_keeps_the_earlier_one() -> None:
    state = registered(purpose_published(version=2, services=(OTHER_SERVICE,)))

    assert state.purpose("care", SERVICE, 1).purpose.version == 1
    with pytest.raises(PurposeNotAllowedError):
        state.purpose("care", SERVICE)


def test_a_purpose_keeps_the_digest_of_its_texts() -> None:
    assert registered().purpose("care", SERVICE).notice_hash == NOTICE


def test_the_current_version_of_an_evidence_type_is_the_last_one() -> None:
    state = registered(evidence_type_published("income", ("amount",), 2))

    assert state.evidence_type("income").names == {"amount"}


def test_an_unknown_evidence_type_is_refused() -> None:
    with pytest.raises(FieldUnknownError) as refused:
        registered().evidence_type("shoe_size")

    assert refused.value.field == "evidence_type"


def test_a_field_of_any_published_version_is_known() -> None:
    state = registered(evidence_type_published("income", ("amount", "currency"), 2))

    state.must_know("income", ("payer", "currency"), "fields[0]")


@pytest.mark.parametrize(
    ("evidence_type", "names"),
    [("shoe_size", ()), ("shoe_size", ("left",)), ("income", ("amount", "colour"))],
)
def test_a_field_of_no_version_is_unknown(evidence_type: str, names: tuple[str, ...]) -> None:
    with pytest.raises(FieldUnknownError) as refused:
        registered().must_know(evidence_type, names, "fields[0]")

    assert refused.value.field == "fields[0]"


def test_fields_allowed_by_a_purpose_are_those_of_the_type_alone() -> None:
    bounds = some_bounds()

    assert bounds.names_of("postal_address") == {"postalCode", "streetName"}
    assert bounds.names_of("identity") == frozenset()
    assert set(ADDRESS_NAMES) - bounds.names_of("postal_address") == {"addressCountry"}


def test_a_listed_receipt_key_can_be_looked_up() -> None:
    state = registry_of(registry.list_receipt_key(NOW, "key", "public"))

    assert state.receipt_keys == {"key": "public"}


def test_the_key_of_a_lanes_log_can_be_looked_up() -> None:
    state = registry_of(registry.list_log_key(RegistryState(stream="r"), NOW, 1, "test/1", "v"))

    assert state.log_keys == {1: "v"}


def test_a_lanes_log_has_one_key_for_ever() -> None:
    state = registry_of(registry.list_log_key(RegistryState(stream="r"), NOW, 1, "test/1", "v"))

    with pytest.raises(RegistryConflictError):
        registry.list_log_key(state, NOW, 1, "test/1", "w")


def test_each_entry_remembers_where_its_texts_lie() -> None:
    state = registered()

    assert state.organisations == {ORGANISATION: 1}
    assert state.services[OTHER_SERVICE].published == 3
    assert state.evidence_types["income"][0].published == 5
    assert state.purposes["care"][0].published == 6
