# SPDX-License-Identifier: Apache-2.0
"""For every RPC of the contract: a request that succeeds, with whatever has to be there before.

Each call makes a new one, so that a write succeeds as often as it is asked for. Tests of access and
of bad input begin with these and change one thing.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from google.protobuf.message import Message

from tests.server import ROOT
from tests.wire import METHODS, Caller
from tests.world import (
    ADDRESS,
    STATED,
    Citizen,
    Service,
    Shared,
    World,
    asking,
    disclosing,
    new_id,
    providing,
    publishing,
    redeeming,
    texts,
)
from vault.api.v1 import audit_service_pb2 as audit
from vault.api.v1 import consent_service_pb2 as consent
from vault.api.v1 import evidence_service_pb2 as evidence
from vault.api.v1 import registry_service_pb2 as registry
from vault.api.v1 import vault_service_pb2 as vaults

Key = tuple[str, str]
"""`Service/Method` and the role that calls."""

ROLES: Final = ("citizen", "service", "auditor", "operator")


class Samples:
    """Makes requests for one citizen and one service; a consent between them stands.

    A shared consent is used where a request only reads it or fetches under it.
    """

    def __init__(self, world: World, citizen: Citizen, service: Service) -> None:
        self.world = world
        self.citizen = citizen
        self.service = service
        self.shared: Shared = world.share(citizen, service)

    def make(self, method: str, role: str) -> Any:
        """Return a new request that succeeds when this role sends it."""
        return _MAKE[method, role](self)

    def caller(self, role: str) -> Caller:
        """Return the caller of a role."""
        match role:
            case "citizen":
                return self.citizen.caller
            case "service":
                return self.service.caller
            case "auditor":
                return self.world.auditor
            case _:
                return self.world.operator


def senders(method: str) -> tuple[str, ...]:
    """Return the roles that have a sample of a method."""
    made = tuple(role for name, role in _MAKE if name == method)
    assert made, f"{method} has no sample: write one in tests/samples.py"
    return made


def _replace_evidence(samples: Samples) -> Message:
    values = {**ADDRESS, "buildingNumber": str(secrets.randbelow(9_000) + 1)}
    return evidence.ReplaceEvidenceRequest(
        request_id=new_id(),
        evidence_id=samples.citizen.evidence["postal_address"],
        values=json.dumps(values).encode(),
        source=STATED,
    )


def _claim(samples: Samples) -> Message:
    asked = samples.world.ask(samples.service)
    return consent.ClaimRequestRequest(request_id=new_id(), handoff_token=asked.handoff_token)


def _redeem(samples: Samples) -> Message:
    asked = samples.world.ask(samples.service)
    return redeeming(asked, samples.world.claim(samples.citizen, asked))


def _preview(samples: Samples) -> Message:
    grant = _grant(samples)
    return consent.PreviewConsentRequest(
        consent_request_id=grant.consent_request_id, choice=grant.choice
    )


def _grant(samples: Samples) -> consent.GrantConsentRequest:
    asked = samples.world.ask(samples.service)
    samples.world.claim(samples.citizen, asked)
    return samples.world.previewed(samples.citizen, asked)


def _revoke(samples: Samples) -> Message:
    shared = samples.world.share(samples.citizen, samples.service)
    return consent.RevokeConsentRequest(request_id=new_id(), consent_id=shared.consent_id)


def _reinstate(samples: Samples) -> Message:
    service = samples.world.service()
    samples.world.operator.ask(
        "RegistryService/SuspendService",
        registry.SuspendServiceRequest(request_id=new_id(), service_id=service.service_id),
    )
    return registry.ReinstateServiceRequest(request_id=new_id(), service_id=service.service_id)


def _publish_type(_: Samples) -> Message:
    definition = json.loads((ROOT / "vault/evidence_types/bank_account.json").read_bytes())
    definition["evidence_type"] = f"account_{secrets.token_hex(6)}"
    return registry.PublishEvidenceTypeRequest(
        request_id=new_id(), definition=json.dumps(definition).encode()
    )


def _first_page(kind: Callable[..., Message], _: Samples) -> Message:
    return kind(page_size=2)


_MAKE: Final[dict[Key, Callable[[Samples], Message]]] = {
    ("VaultService/OpenVault", "citizen"): lambda _: vaults.OpenVaultRequest(request_id=new_id()),
    ("VaultService/GetVault", "citizen"): lambda _: vaults.GetVaultRequest(),
    ("VaultService/ListHistory", "citizen"): lambda _: vaults.ListHistoryRequest(page_size=2),
    ("EvidenceService/ProvideEvidence", "citizen"): lambda _: providing("postal_address", ADDRESS),
    ("EvidenceService/ReplaceEvidence", "citizen"): _replace_evidence,
    ("EvidenceService/GetEvidence", "citizen"): lambda s: evidence.GetEvidenceRequest(
        evidence_id=s.citizen.evidence["postal_address"]
    ),
    ("EvidenceService/ListEvidence", "citizen"): lambda _: evidence.ListEvidenceRequest(
        page_size=2
    ),
    ("ConsentService/RequestConsent", "service"): lambda s: asking(
        s.service, secrets.token_urlsafe(32)
    ),
    ("ConsentService/ClaimRequest", "citizen"): _claim,
    ("ConsentService/RedeemCode", "service"): _redeem,
    ("ConsentService/GetRequest", "citizen"): lambda s: consent.GetRequestRequest(
        consent_request_id=s.shared.asked.consent_request_id
    ),
    ("ConsentService/GetRequest", "service"): lambda s: consent.GetRequestRequest(
        consent_request_id=s.shared.asked.consent_request_id
    ),
    ("ConsentService/ListRequests", "citizen"): lambda _: consent.ListRequestsRequest(page_size=2),
    ("ConsentService/PreviewConsent", "citizen"): _preview,
    ("ConsentService/GrantConsent", "citizen"): _grant,
    ("ConsentService/RevokeConsent", "citizen"): _revoke,
    ("ConsentService/GetConsent", "citizen"): lambda s: consent.GetConsentRequest(
        consent_id=s.shared.consent_id
    ),
    ("ConsentService/GetConsent", "service"): lambda s: consent.GetConsentRequest(
        consent_id=s.shared.consent_id, subject_id=s.shared.subject_id
    ),
    ("ConsentService/ListConsents", "citizen"): lambda _: consent.ListConsentsRequest(page_size=2),
    ("DisclosureService/DiscloseEvidence", "service"): lambda s: disclosing(s.shared),
    ("AuditService/ReplayVault", "auditor"): lambda s: audit.ReplayVaultRequest(
        vault_id=s.citizen.vault_id
    ),
    ("AuditService/ReplayRegistry", "auditor"): lambda _: audit.ReplayRegistryRequest(),
    ("AuditService/GetVaultState", "auditor"): lambda s: audit.GetVaultStateRequest(
        vault_id=s.citizen.vault_id
    ),
    ("RegistryService/RegisterOrganisation", "operator"): lambda _: (
        registry.RegisterOrganisationRequest(
            request_id=new_id(), name=texts("Aber Council"), contact=texts("dp@aber.example")
        )
    ),
    ("RegistryService/RegisterService", "operator"): lambda s: registry.RegisterServiceRequest(
        request_id=new_id(), organisation_id=s.service.organisation_id, name=texts("A team")
    ),
    ("RegistryService/SuspendService", "operator"): lambda s: registry.SuspendServiceRequest(
        request_id=new_id(), service_id=s.world.service().service_id
    ),
    ("RegistryService/ReinstateService", "operator"): _reinstate,
    ("RegistryService/PublishPurpose", "operator"): lambda s: publishing(
        f"care-{secrets.token_hex(6)}", s.service.service_id
    ),
    ("RegistryService/WithdrawPurpose", "operator"): lambda s: registry.WithdrawPurposeRequest(
        request_id=new_id(), purpose_code=s.world.service().purpose_code
    ),
    ("RegistryService/PublishEvidenceType", "operator"): _publish_type,
}

_MAKE.update(
    {
        ("RegistryService/GetPurpose", role): lambda s: registry.GetPurposeRequest(
            purpose_code=s.service.purpose_code
        )
        for role in ROLES
    }
)
_MAKE.update(
    {
        (f"RegistryService/{method}", role): partial(_first_page, kind)
        for method, kind in (
            ("ListOrganisations", registry.ListOrganisationsRequest),
            ("ListServices", registry.ListServicesRequest),
            ("ListPurposes", registry.ListPurposesRequest),
            ("ListEvidenceTypes", registry.ListEvidenceTypesRequest),
            ("ListReceiptKeys", registry.ListReceiptKeysRequest),
        )
        for role in ROLES
    }
)

KEYS: Final[tuple[Key, ...]] = tuple(
    (method, role) for method in METHODS for role in senders(method)
)
"""Every method with each role that may send it."""
