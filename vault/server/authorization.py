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
    BY_LINK_CODE = "the vault whose owner made the link code, for a sign-in that leads to none"
    OWN_SERVICE = "the service that the credential names, and subjects as that service knows them"
    OR_BY_HER_CODE = "her own vault for a citizen; for an official that of the code she gave"
    OWN_VAULT_OR_SERVICE = (
        "as OR_BY_HER_CODE for citizens and officials; for a service its own, by its subject"
    )
    OWN_OR_RECORDED_LOOK = (
        "her own vault for a citizen; for an auditor any, and the look is recorded"
    )
    RECORDED_RANGE = (
        "ranges of a log, the look recorded; for an auditor of one service the facts of that alone"
    )
    KNOWN_LEAF = "what stands in the log at a place, for whoever knows the leaf that does"
    REGISTRY = "the registry, which is the operator's to change"
    OR_WOULD_BE = (
        "the registry for an operator; for staff what it would be, for services of their own "
        "organisation, and nothing is recorded"
    )
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
_HELPED: Final = _CITIZEN | frozenset[Role]({"official"})
_SERVICE: Final = frozenset[Role]({"service"})
_STAFFED: Final = _SERVICE | frozenset[Role]({"staff"})
_BOTH: Final = _HELPED | _STAFFED
_AUDITOR: Final = frozenset[Role]({"auditor"})
_SERVICE_AUDITOR: Final = frozenset[Role]({"service-auditor"})
_OPERATOR: Final = frozenset[Role]({"operator"})
_REPLAYING: Final = _AUDITOR | _CITIZEN
_EVERYBODY: Final = _BOTH | _AUDITOR | _SERVICE_AUDITOR | _OPERATOR

_ROWS: Final[Mapping[str, Access]] = {
    "VaultService/OpenVault": Access(_HELPED, "vault", Ownership.OR_BY_HER_CODE),
    "VaultService/GetVault": Access(_HELPED, "vault", Ownership.OR_BY_HER_CODE),
    "VaultService/UnlinkSignIn": Access(_HELPED, "vault", Ownership.OR_BY_HER_CODE),
    "VaultService/CreateLinkCode": Access(_HELPED, "vault", Ownership.OR_BY_HER_CODE),
    "VaultService/LinkSignIn": Access(_CITIZEN, "vault", Ownership.BY_LINK_CODE),
    "VaultService/SignOutEverywhere": Access(_HELPED, "vault", Ownership.OR_BY_HER_CODE),
    "VaultService/SetContact": Access(_HELPED, "vault", Ownership.OR_BY_HER_CODE),
    "VaultService/GetContact": Access(_HELPED, "vault", Ownership.OR_BY_HER_CODE),
    "VaultService/RemovePasskey": Access(_HELPED, "vault", Ownership.OR_BY_HER_CODE),
    "VaultService/ListPasskeys": Access(_HELPED, "vault", Ownership.OR_BY_HER_CODE),
    "VaultService/AddPasskey": Access(_CITIZEN, "vault", Ownership.OWN_VAULT),
    "VaultService/ListHistory": Access(_HELPED, "vault", Ownership.OR_BY_HER_CODE),
    "VaultService/ImportVault": Access(_CITIZEN, "vault", Ownership.OWN_VAULT),
    "VaultService/ExportVault": Access(_HELPED, "vault", Ownership.OR_BY_HER_CODE),
    "VaultService/CreateAssistanceCode": Access(_CITIZEN, "vault", Ownership.OWN_VAULT),
    "EvidenceService/ProvideEvidence": Access(_HELPED, "evidence", Ownership.OR_BY_HER_CODE),
    "EvidenceService/ReplaceEvidence": Access(_HELPED, "evidence", Ownership.OR_BY_HER_CODE),
    "EvidenceService/UploadDocument": Access(_HELPED, "evidence", Ownership.OR_BY_HER_CODE),
    "EvidenceService/DownloadDocument": Access(_HELPED, "evidence", Ownership.OR_BY_HER_CODE),
    "EvidenceService/DisputeEvidence": Access(_HELPED, "evidence", Ownership.OR_BY_HER_CODE),
    "EvidenceService/ResolveDispute": Access(_HELPED, "evidence", Ownership.OR_BY_HER_CODE),
    "EvidenceService/ProtectEvidence": Access(_HELPED, "evidence", Ownership.OR_BY_HER_CODE),
    "EvidenceService/GetEvidence": Access(_HELPED, "evidence", Ownership.OR_BY_HER_CODE),
    "EvidenceService/ListEvidence": Access(_HELPED, "evidence", Ownership.OR_BY_HER_CODE),
    "ConsentService/RequestConsent": Access(_STAFFED, "consent", Ownership.OWN_SERVICE),
    "ConsentService/CancelRequest": Access(_STAFFED, "consent", Ownership.OWN_SERVICE),
    "ConsentService/RedeemCode": Access(_STAFFED, "consent", Ownership.OWN_SERVICE),
    "ConsentService/ClaimRequest": Access(_HELPED, "consent", Ownership.OR_BY_HER_CODE),
    "ConsentService/PreviewConsent": Access(_HELPED, "consent", Ownership.OR_BY_HER_CODE),
    "ConsentService/GrantConsent": Access(_HELPED, "consent", Ownership.OR_BY_HER_CODE),
    "ConsentService/RefuseConsent": Access(_HELPED, "consent", Ownership.OR_BY_HER_CODE),
    "ConsentService/NarrowConsent": Access(_HELPED, "consent", Ownership.OR_BY_HER_CODE),
    "ConsentService/ExtendConsent": Access(_HELPED, "consent", Ownership.OR_BY_HER_CODE),
    "ConsentService/PauseConsent": Access(_HELPED, "consent", Ownership.OR_BY_HER_CODE),
    "ConsentService/ResumeConsent": Access(_HELPED, "consent", Ownership.OR_BY_HER_CODE),
    "ConsentService/RevokeConsent": Access(_HELPED, "consent", Ownership.OR_BY_HER_CODE),
    "ConsentService/GetRequest": Access(_BOTH, "consent", Ownership.OWN_VAULT_OR_SERVICE),
    "ConsentService/ListRequests": Access(_BOTH, "consent", Ownership.OWN_VAULT_OR_SERVICE),
    "ConsentService/GetConsent": Access(_BOTH, "consent", Ownership.OWN_VAULT_OR_SERVICE),
    "ConsentService/ListConsents": Access(_BOTH, "consent", Ownership.OWN_VAULT_OR_SERVICE),
    "ConsentService/GetConsentReceipt": Access(_BOTH, "consent", Ownership.OWN_VAULT_OR_SERVICE),
    "DisclosureService/DiscloseEvidence": Access(_STAFFED, "disclosure", Ownership.OWN_SERVICE),
    "DisclosureService/DiscloseEvidenceBatch": Access(
        _SERVICE, "disclosure", Ownership.OWN_SERVICE
    ),
    "DisclosureService/DiscloseDocument": Access(_STAFFED, "disclosure", Ownership.OWN_SERVICE),
    "DisclosureService/CheckDisclosures": Access(_STAFFED, "disclosure", Ownership.OWN_SERVICE),
    "DisclosureService/ReportOutcome": Access(_STAFFED, "disclosure", Ownership.OWN_SERVICE),
    "DisclosureService/ListChanges": Access(_SERVICE, "disclosure", Ownership.OWN_SERVICE),
    "AuditService/ReplayVault": Access(_REPLAYING, "audit", Ownership.OWN_OR_RECORDED_LOOK),
    "AuditService/GetVaultState": Access(_REPLAYING, "audit", Ownership.OWN_OR_RECORDED_LOOK),
    "AuditService/ExplainDisclosure": Access(_REPLAYING, "audit", Ownership.OWN_OR_RECORDED_LOOK),
    "AuditService/ReplayRegistry": Access(_REPLAYING | _SERVICE_AUDITOR, "audit", Ownership.PUBLIC),
    "AuditService/ReplayLane": Access(
        _AUDITOR | _SERVICE_AUDITOR, "audit", Ownership.RECORDED_RANGE
    ),
    "AuditService/ProveSilence": Access(_REPLAYING, "audit", Ownership.OWN_OR_RECORDED_LOOK),
    "AuditService/GetInclusionProof": Access(_EVERYBODY, "registry", Ownership.KNOWN_LEAF),
    "AuditService/GetCheckpoint": Access(_EVERYBODY, "registry", Ownership.PUBLIC),
    "RegistryService/RegisterOrganisation": Access(_OPERATOR, "registry", Ownership.REGISTRY),
    "RegistryService/RegisterService": Access(_OPERATOR, "registry", Ownership.REGISTRY),
    "RegistryService/SuspendService": Access(_OPERATOR, "registry", Ownership.REGISTRY),
    "RegistryService/ReinstateService": Access(_OPERATOR, "registry", Ownership.REGISTRY),
    "RegistryService/PublishPurpose": Access(
        _OPERATOR | frozenset[Role]({"staff"}), "registry", Ownership.OR_WOULD_BE
    ),
    "RegistryService/WithdrawPurpose": Access(_OPERATOR, "registry", Ownership.REGISTRY),
    "RegistryService/PublishEvidenceType": Access(_OPERATOR, "registry", Ownership.REGISTRY),
    "OperationsService/PublishKnownFault": Access(_OPERATOR, "registry", Ownership.REGISTRY),
    "OperationsService/RecordAct": Access(_OPERATOR, "registry", Ownership.REGISTRY),
    "OperationsService/ListOperations": Access(_EVERYBODY, "registry", Ownership.PUBLIC),
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
