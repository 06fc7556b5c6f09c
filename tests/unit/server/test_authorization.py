# SPDX-License-Identifier: Apache-2.0
"""The access table: over every RPC of the contract, and closed where it has no row."""

from __future__ import annotations

from typing import get_args

import pytest

from tests.wire import places
from vault.api.v1 import (
    audit_service_pb2,
    consent_service_pb2,
    disclosure_service_pb2,
    evidence_service_pb2,
    operations_service_pb2,
    registry_service_pb2,
    vault_service_pb2,
)
from vault.application.caller import Caller, Role
from vault.server.audit import AuditHandler
from vault.server.authorization import ACCESS, Ownership, RoleNotAllowedError, authorize
from vault.server.consent import ConsentHandler
from vault.server.disclosure import DisclosureHandler
from vault.server.evidence import EvidenceHandler
from vault.server.operations import OperationsHandler
from vault.server.registry import RegistryHandler
from vault.server.vault import VaultHandler

HANDLERS = {
    vault_service_pb2: VaultHandler,
    evidence_service_pb2: EvidenceHandler,
    consent_service_pb2: ConsentHandler,
    disclosure_service_pb2: DisclosureHandler,
    audit_service_pb2: AuditHandler,
    registry_service_pb2: RegistryHandler,
    operations_service_pb2: OperationsHandler,
}
METHODS = {
    f"/{service.full_name}/{method.name}": (handler, method)
    for module, handler in HANDLERS.items()
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
ROLES: tuple[Role, ...] = get_args(Role)


def caller(role: Role, *scopes: str) -> Caller:
    return Caller(role=role, issuer="i", sub="s", scopes=frozenset(scopes))


def test_the_table_has_a_row_for_every_rpc_and_none_besides() -> None:
    assert set(ACCESS) == set(METHODS)


@pytest.mark.parametrize("name", METHODS)
def test_every_rpc_has_a_handler(name: str) -> None:
    handler, method = METHODS[name]

    assert callable(getattr(handler, method.name, None))


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("role", ROLES)
def test_only_the_named_roles_pass(name: str, role: Role) -> None:
    row = ACCESS[name]
    who = caller(role, row.scope)

    if role in row.roles:
        authorize(who, name)
    else:
        with pytest.raises(RoleNotAllowedError):
            authorize(who, name)


@pytest.mark.parametrize("name", METHODS)
def test_nobody_passes_without_the_scope(name: str) -> None:
    row = ACCESS[name]
    others = {found.scope for found in ACCESS.values()} - {row.scope}

    for role in row.roles:
        with pytest.raises(RoleNotAllowedError):
            authorize(caller(role, *others), name)


def test_a_method_without_a_row_is_closed() -> None:
    with pytest.raises(RoleNotAllowedError):
        authorize(caller("operator", "registry"), "/vault.api.v1.RegistryService/DropEverything")


@pytest.mark.parametrize("name", METHODS)
def test_a_citizen_touches_her_own_vault_or_what_is_public(name: str) -> None:
    row = ACCESS[name]
    hers = {
        Ownership.OWN_VAULT,
        Ownership.BY_LINK_CODE,
        Ownership.OR_BY_HER_CODE,
        Ownership.OWN_VAULT_OR_SERVICE,
        Ownership.OWN_OR_RECORDED_LOOK,
        Ownership.KNOWN_LEAF,
        Ownership.PUBLIC,
    }

    assert "citizen" not in row.roles or row.ownership in hers


@pytest.mark.parametrize("name", METHODS)
def test_an_official_touches_what_a_code_opens_or_what_is_public(name: str) -> None:
    row = ACCESS[name]
    opened = {
        Ownership.OR_BY_HER_CODE,
        Ownership.OWN_VAULT_OR_SERVICE,
        Ownership.KNOWN_LEAF,
        Ownership.PUBLIC,
    }

    assert "official" not in row.roles or row.ownership in opened


@pytest.mark.parametrize("name", METHODS)
def test_staff_touch_what_is_their_service_s_or_what_is_public(name: str) -> None:
    row = ACCESS[name]
    theirs = {
        Ownership.OWN_SERVICE,
        Ownership.OWN_VAULT_OR_SERVICE,
        Ownership.OR_WOULD_BE,
        Ownership.KNOWN_LEAF,
        Ownership.PUBLIC,
    }

    assert "staff" not in row.roles or row.ownership in theirs


@pytest.mark.parametrize("name", METHODS)
def test_what_changes_anything_takes_a_request_id(name: str) -> None:
    _, method = METHODS[name]
    reads = ("Get", "List", "Preview", "Replay", "Check", "Explain", "Download", "Export")
    taken = {place.steps[-1] for place in places(method.input_type)}

    # A range is read in as many calls as it takes, and recorded once.
    is_read = method.name.startswith(reads) and method.name != "ReplayLane"

    assert is_read != ("request_id" in taken)
