# SPDX-License-Identifier: Apache-2.0
"""Who may call what, over the wire: every role and credential against every RPC.

The cells stand here once more, apart from the server's own table: a new RPC, or a changed row, is
decided in two places.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final

import pytest

from tests.issuer import SCOPES, Issuer
from tests.samples import KEYS, ROLES, Samples, by_official
from tests.wire import METHODS, Caller

HELPED: Final = "citizen official"
STAFFED: Final = "service staff"
EVERYBODY: Final = "citizen official service staff auditor service-auditor operator"

CELLS: Final[dict[str, tuple[str, str]]] = {
    "VaultService/OpenVault": (HELPED, "vault"),
    "VaultService/GetVault": (HELPED, "vault"),
    "VaultService/CreateAssistanceCode": ("citizen", "vault"),
    "VaultService/UnlinkSignIn": (HELPED, "vault"),
    "VaultService/CreateLinkCode": (HELPED, "vault"),
    "VaultService/LinkSignIn": ("citizen", "vault"),
    "VaultService/SignOutEverywhere": (HELPED, "vault"),
    "VaultService/SetContact": (HELPED, "vault"),
    "VaultService/GetContact": (HELPED, "vault"),
    "VaultService/AddPasskey": ("citizen", "vault"),
    "VaultService/RemovePasskey": (HELPED, "vault"),
    "VaultService/ListPasskeys": (HELPED, "vault"),
    "VaultService/ListHistory": (HELPED, "vault"),
    "VaultService/ImportVault": ("citizen", "vault"),
    "VaultService/ExportVault": (HELPED, "vault"),
    "EvidenceService/ProvideEvidence": (HELPED, "evidence"),
    "EvidenceService/ReplaceEvidence": (HELPED, "evidence"),
    "EvidenceService/UploadDocument": (HELPED, "evidence"),
    "EvidenceService/DownloadDocument": (HELPED, "evidence"),
    "EvidenceService/DisputeEvidence": (HELPED, "evidence"),
    "EvidenceService/ResolveDispute": (HELPED, "evidence"),
    "EvidenceService/ProtectEvidence": (HELPED, "evidence"),
    "EvidenceService/GetEvidence": (HELPED, "evidence"),
    "EvidenceService/ListEvidence": (HELPED, "evidence"),
    "ConsentService/RequestConsent": (STAFFED, "consent"),
    "ConsentService/CancelRequest": (STAFFED, "consent"),
    "ConsentService/ClaimRequest": (HELPED, "consent"),
    "ConsentService/RedeemCode": (STAFFED, "consent"),
    "ConsentService/GetRequest": (f"{HELPED} {STAFFED}", "consent"),
    "ConsentService/ListRequests": (f"{HELPED} {STAFFED}", "consent"),
    "ConsentService/PreviewConsent": (HELPED, "consent"),
    "ConsentService/GrantConsent": (HELPED, "consent"),
    "ConsentService/RefuseConsent": (HELPED, "consent"),
    "ConsentService/NarrowConsent": (HELPED, "consent"),
    "ConsentService/ExtendConsent": ("citizen", "consent"),
    "ConsentService/PauseConsent": (HELPED, "consent"),
    "ConsentService/ResumeConsent": (HELPED, "consent"),
    "ConsentService/RevokeConsent": (HELPED, "consent"),
    "ConsentService/GetConsent": (f"{HELPED} {STAFFED}", "consent"),
    "ConsentService/ListConsents": (f"{HELPED} {STAFFED}", "consent"),
    "ConsentService/GetConsentReceipt": (f"{HELPED} {STAFFED}", "consent"),
    "DisclosureService/DiscloseEvidence": (STAFFED, "disclosure"),
    "DisclosureService/DiscloseEvidenceBatch": ("service", "disclosure"),
    "DisclosureService/DiscloseDocument": (STAFFED, "disclosure"),
    "DisclosureService/CheckDisclosures": (STAFFED, "disclosure"),
    "DisclosureService/ReportOutcome": (STAFFED, "disclosure"),
    "DisclosureService/ListChanges": ("service", "disclosure"),
    "AuditService/ReplayVault": ("auditor citizen", "audit"),
    "AuditService/ReplayRegistry": ("auditor service-auditor citizen", "audit"),
    "AuditService/ReplayLane": ("auditor service-auditor", "audit"),
    "AuditService/ProveSilence": ("auditor citizen", "audit"),
    "AuditService/GetInclusionProof": (EVERYBODY, "registry"),
    "AuditService/GetCheckpoint": (EVERYBODY, "registry"),
    "AuditService/GetVaultState": ("auditor citizen", "audit"),
    "AuditService/ExplainDisclosure": ("auditor citizen", "audit"),
    "RegistryService/RegisterOrganisation": ("operator", "registry"),
    "RegistryService/RegisterService": ("operator", "registry"),
    "RegistryService/SuspendService": ("operator", "registry"),
    "RegistryService/ReinstateService": ("operator", "registry"),
    "RegistryService/PublishPurpose": ("operator staff", "registry"),
    "RegistryService/WithdrawPurpose": ("operator", "registry"),
    "RegistryService/PublishEvidenceType": ("operator", "registry"),
    "OperationsService/PublishKnownFault": ("operator", "registry"),
    "OperationsService/RecordAct": ("operator", "registry"),
    "OperationsService/ListOperations": (EVERYBODY, "registry"),
    "RegistryService/ListOrganisations": (EVERYBODY, "registry"),
    "RegistryService/ListServices": (EVERYBODY, "registry"),
    "RegistryService/ListPurposes": (EVERYBODY, "registry"),
    "RegistryService/GetPurpose": (EVERYBODY, "registry"),
    "RegistryService/ListEvidenceTypes": (EVERYBODY, "registry"),
    "RegistryService/ListReceiptKeys": (EVERYBODY, "registry"),
}
"""Which roles may call, and with which scope."""

HERS_ALONE: Final = ("ConsentService/ExtendConsent", "official")
"""Comes in, to be told that nobody may do it for her."""

CREDENTIALS: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "expired": ({"exp": 1_700_000_000}, "CREDENTIAL_EXPIRED"),
    "without an end": ({"exp": None}, "CREDENTIAL_INVALID"),
    "not yet": ({"nbf": 4_000_000_000}, "CREDENTIAL_INVALID"),
    "for another audience": ({"aud": "another-server"}, "CREDENTIAL_INVALID"),
    "of another issuer": ({"iss": "https://elsewhere.example"}, "CREDENTIAL_INVALID"),
    "of an unknown role": ({"roles": ["root"]}, "CREDENTIAL_INVALID"),
    "of two roles": ({"roles": ["citizen", "operator"]}, "CREDENTIAL_INVALID"),
    "of a helper who is herself": ({"roles": ["official", "citizen"]}, "CREDENTIAL_INVALID"),
    "of no role": ({"roles": []}, "CREDENTIAL_INVALID"),
    "of nobody": ({"sub": ""}, "CREDENTIAL_INVALID"),
    "of an auditor of no service": ({"roles": ["service-auditor"]}, "CREDENTIAL_INVALID"),
    "of staff of no service": ({"roles": ["staff"]}, "CREDENTIAL_INVALID"),
    "of staff of a service by name": (
        {"roles": ["staff"], "service_id": "council"},
        "CREDENTIAL_INVALID",
    ),
    "of an auditor of a service by name": (
        {"roles": ["service-auditor"], "service_id": "council"},
        "CREDENTIAL_INVALID",
    ),
}

Make = Callable[[str, str], Any]


def role_of(method: str) -> str:
    """Return a role that may call a method."""
    return CELLS[method][0].split()[0]


def allowed() -> list[tuple[str, str]]:
    return [(method, role) for method in METHODS for role in CELLS[method][0].split()]


def denied() -> list[tuple[str, str]]:
    return [
        (method, role)
        for method in METHODS
        for role in ROLES
        if role not in CELLS[method][0].split()
    ]


@pytest.fixture(scope="module")
def made(samples: Samples) -> Make:
    """A request for each method and role. Whoever is turned away does not use it up."""
    return cache(samples.make)


def test_every_rpc_has_its_cells() -> None:
    assert CELLS.keys() == METHODS.keys()


def test_every_cell_that_allows_has_a_sample() -> None:
    assert set(KEYS) == set(allowed())


@pytest.mark.parametrize(("method", "role"), allowed())
def test_a_role_may_call_what_is_its_own(samples: Samples, method: str, role: str) -> None:
    answer = samples.caller(role).call(method, samples.make(method, role))

    assert answer.is_ok, answer.told


@pytest.mark.parametrize(("method", "role"), denied())
def test_a_role_may_not_call_what_is_others(
    samples: Samples, made: Make, method: str, role: str
) -> None:
    request = made(method, role_of(method))
    expected = "ROLE_NOT_ALLOWED"
    if (method, role) == HERS_ALONE:
        request = by_official(samples.citizen, samples.make(method, "citizen"))
        expected = "CAPACITY_NOT_ALLOWED"

    answer = samples.caller(role).call(method, request)

    assert (answer.code, answer.reason) == ("PERMISSION_DENIED", expected)


@pytest.mark.parametrize(("method", "role"), allowed())
def test_a_token_without_the_scope_is_not_enough(
    samples: Samples, made: Make, method: str, role: str
) -> None:
    subject = {"citizen": samples.citizen.sub, "service": samples.service.service_id}
    scopes = set(SCOPES[role].split()) - {CELLS[method][1]}
    of_service = role in {"staff", "service-auditor"}
    named = {"service_id": samples.service.service_id} if of_service else {}
    caller = samples.world.caller(role, subject.get(role, role), scope=" ".join(scopes), **named)

    answer = caller.call(method, made(method, role))

    assert (answer.code, answer.reason) == ("PERMISSION_DENIED", "ROLE_NOT_ALLOWED")


@pytest.mark.parametrize("method", METHODS)
def test_nobody_in_particular_may_call_nothing(samples: Samples, made: Make, method: str) -> None:
    caller = Caller(samples.world.channel, "")

    answer = caller.call(method, made(method, role_of(method)))

    assert (answer.code, answer.reason) == ("UNAUTHENTICATED", "CREDENTIAL_MISSING")


@pytest.mark.parametrize("method", METHODS)
def test_a_bad_credential_opens_nothing(samples: Samples, made: Make, method: str) -> None:
    role = role_of(method)
    callers = {
        what: samples.world.caller(role, "somebody", **claims)
        for what, (claims, _) in CREDENTIALS.items()
    }

    answers = {what: caller.call(method, made(method, role)) for what, caller in callers.items()}

    assert {answer.code for answer in answers.values()} == {"UNAUTHENTICATED"}
    assert {what: answer.reason for what, answer in answers.items()} == {
        what: reason for what, (_, reason) in CREDENTIALS.items()
    }


@pytest.mark.parametrize("method", METHODS)
def test_a_token_signed_by_somebody_else_opens_nothing(
    samples: Samples, made: Make, method: str
) -> None:
    role = role_of(method)
    caller = Caller(samples.world.channel, Issuer().token(role, "somebody"))

    answer = caller.call(method, made(method, role))

    assert (answer.code, answer.reason) == ("UNAUTHENTICATED", "CREDENTIAL_INVALID")


def test_what_a_proxy_would_say_of_the_caller_is_not_believed(samples: Samples) -> None:
    metadata = (
        ("x-user-id", samples.citizen.sub),
        ("x-forwarded-user", samples.citizen.sub),
        ("x-forwarded-client-cert", "By=citizen"),
    )
    caller = Caller(samples.world.channel, "", metadata)

    answer = caller.call("VaultService/GetVault", samples.make("VaultService/GetVault", "citizen"))

    assert answer.reason == "CREDENTIAL_MISSING"
