# SPDX-License-Identifier: Apache-2.0
"""Who may call what: the one table over every RPC (OWASP API1, API5).

The role and scope are checked here, before a message is read. The ownership rule says by what the
use case finds what it may touch; nothing that is not found by it exists for the caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal

from vault.application.caller import Caller, Role
from vault.domain.errors import VaultError

Scope = Literal["vault", "evidence", "consent", "disclosure", "audit", "registry"]

PACKAGE: Final = "vault.api.v1"


class Ownership(Enum):
    """By what a use case finds what the caller may touch."""

    OWN_VAULT = "the vault to which the caller's sign-in leads, never one that a message names"
    OWN_SERVICE = "the service that the credential names, and subjects as that service knows them"
    OWN_VAULT_OR_SERVICE = "her own vault for a citizen; for a service its own, by its subject"
    RECORDED_LOOK = "any vault, by its id; the look is recorded in it before anything is sent"
    REGISTRY = "the registry, which is the operator's to change"
    PUBLIC = "what is registered, which everybody may see"


class RoleNotAllowedError(VaultError):
    """This role can never call this method, or the token lacks its scope."""

    reason = "ROLE_NOT_ALLOWED"
    message = "This role may not call this method, or the access token lacks its scope."


@dataclass(frozen=True, slots=True)
class Access:
    """One row: which roles may call, with which scope, and how what they touch is found."""

    roles: frozenset[Role]
    scope: Scope
    ownership: Ownership


_CITIZEN: Final = frozenset[Role]({"citizen"})
_SERVICE: Final = frozenset[Role]({"service"})
_BOTH: Final = _CITIZEN | _SERVICE
_AUDITOR: Final = frozenset[Role]({"auditor"})
_OPERATOR: Final = frozenset[Role]({"operator"})
_EVERYBODY: Final = _BOTH | _AUDITOR | _OPERATOR

_ROWS: Final[Mapping[str, Access]] = {
    "VaultService/OpenVault": Access(_CITIZEN, "vault", Ownership.OWN_VAULT),
    "VaultService/GetVault": Access(_CITIZEN, "vault", Ownership.OWN_VAULT),
    "VaultService/ListHistory": Access(_CITIZEN, "vault", Ownership.OWN_VAULT),
    "EvidenceService/ProvideEvidence": Access(_CITIZEN, "evidence", Ownership.OWN_VAULT),
    "EvidenceService/ReplaceEvidence": Access(_CITIZEN, "evidence", Ownership.OWN_VAULT),
    "EvidenceService/GetEvidence": Access(_CITIZEN, "evidence", Ownership.OWN_VAULT),
    "EvidenceService/ListEvidence": Access(_CITIZEN, "evidence", Ownership.OWN_VAULT),
    "ConsentService/RequestConsent": Access(_SERVICE, "consent", Ownership.OWN_SERVICE),
    "ConsentService/ClaimRequest": Access(_CITIZEN, "consent", Ownership.OWN_VAULT),
    "ConsentService/RedeemCode": Access(_SERVICE, "consent", Ownership.OWN_SERVICE),
    "ConsentService/GetRequest": Access(_BOTH, "consent", Ownership.OWN_VAULT_OR_SERVICE),
    "ConsentService/ListRequests": Access(_CITIZEN, "consent", Ownership.OWN_VAULT),
    "ConsentService/PreviewConsent": Access(_CITIZEN, "consent", Ownership.OWN_VAULT),
    "ConsentService/GrantConsent": Access(_CITIZEN, "consent", Ownership.OWN_VAULT),
    "ConsentService/RevokeConsent": Access(_CITIZEN, "consent", Ownership.OWN_VAULT),
    "ConsentService/GetConsent": Access(_BOTH, "consent", Ownership.OWN_VAULT_OR_SERVICE),
    "ConsentService/ListConsents": Access(_CITIZEN, "consent", Ownership.OWN_VAULT),
    "DisclosureService/DiscloseEvidence": Access(_SERVICE, "disclosure", Ownership.OWN_SERVICE),
    "AuditService/ReplayVault": Access(_AUDITOR, "audit", Ownership.RECORDED_LOOK),
    "AuditService/ReplayRegistry": Access(_AUDITOR, "audit", Ownership.PUBLIC),
    "AuditService/GetVaultState": Access(_AUDITOR, "audit", Ownership.RECORDED_LOOK),
    "RegistryService/RegisterOrganisation": Access(_OPERATOR, "registry", Ownership.REGISTRY),
    "RegistryService/RegisterService": Access(_OPERATOR, "registry", Ownership.REGISTRY),
    "RegistryService/SuspendService": Access(_OPERATOR, "registry", Ownership.REGISTRY),
    "RegistryService/ReinstateService": Access(_OPERATOR, "registry", Ownership.REGISTRY),
    "RegistryService/PublishPurpose": Access(_OPERATOR, "registry", Ownership.REGISTRY),
    "RegistryService/WithdrawPurpose": Access(_OPERATOR, "registry", Ownership.REGISTRY),
    "RegistryService/PublishEvidenceType": Access(_OPERATOR, "registry", Ownership.REGISTRY),
    "RegistryService/ListOrganisations": Access(_EVERYBODY, "registry", Ownership.PUBLIC),
    "RegistryService/ListServices": Access(_EVERYBODY, "registry", Ownership.PUBLIC),
    "RegistryService/ListPurposes": Access(_EVERYBODY, "registry", Ownership.PUBLIC),
    "RegistryService/GetPurpose": Access(_EVERYBODY, "registry", Ownership.PUBLIC),
    "RegistryService/ListEvidenceTypes": Access(_EVERYBODY, "registry", Ownership.PUBLIC),
    "RegistryService/ListReceiptKeys": Access(_EVERYBODY, "registry", Ownership.PUBLIC),
}

ACCESS: Final[Mapping[str, Access]] = {f"/{PACKAGE}.{name}": row for name, row in _ROWS.items()}
"""The table, by full method. A method that has no row is closed to everybody."""


def authorize(caller: Caller, method: str) -> None:
    """Let a caller through to a method.

    Raises:
        RoleNotAllowedError: if its row does not name the role, or the token lacks the scope.
    """
    row = ACCESS.get(method)
    if row is None or caller.role not in row.roles or row.scope not in caller.scopes:
        raise RoleNotAllowedError
