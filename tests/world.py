# SPDX-License-Identifier: Apache-2.0
"""A small world on a running server: who is registered, who has a vault, and how one shares.

Everything happens over the wire, by the calls that anybody would make. Organisations, services and
purposes are new in each world, so that several worlds can stand on one server.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

import grpc

from tests.server import ROOT, Server
from tests.wire import Answer, Caller
from vault.api.v1 import audit_service_pb2 as audit
from vault.api.v1 import consent_pb2, disclosure_pb2, evidence_pb2, registry_pb2, vault_pb2
from vault.api.v1 import consent_service_pb2 as consent
from vault.api.v1 import disclosure_service_pb2 as disclosure
from vault.api.v1 import evidence_service_pb2 as evidence
from vault.api.v1 import registry_service_pb2 as registry
from vault.api.v1 import vault_service_pb2 as vaults
from vault.api.v1.log_pb2 import Receipt, Record

TYPES: Final = tuple(
    sorted(path.stem for path in (ROOT / "vault" / "evidence_types").glob("*.json"))
)
ADDRESS: Final[Mapping[str, object]] = {
    "buildingNumber": "14",
    "streetName": "Heol y Bont",
    "addressLocality": "Aber",
    "postalCode": "SY29 4ZZ",
    "addressCountry": "GB",
}
ADDRESS_FIELDS: Final = ("addressLocality", "buildingNumber", "postalCode", "streetName")
INCOME: Final[Mapping[str, object]] = {
    "kind": "state_pension",
    "payer": "Department for Work and Pensions",
    "amountPence": 88_620,
    "frequency": "four_weekly",
    "validFrom": "2025-04-06",
}
BANK: Final[Mapping[str, object]] = {"sortCode": "070116", "accountNumber": "33333334"}
LETTER: Final[Mapping[str, object]] = {"title": "Letter from the hospital", "kind": "letter"}
LETTER_FIELDS: Final = ("content", "kind", "title")
PURPOSE_TYPES: Final = ("postal_address", "income", "document")
CHUNK_BYTES: Final = 128 * 1024
"""The most bytes of a document in one message."""

STATED: Final = evidence_pb2.EVIDENCE_SOURCE_SELF_DECLARED

_OPTIONS: Final = (
    # A killed server comes back on the same port or another: do not wait a second to try.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_metadata_size", 64 * 1024),
    ("grpc.use_local_subchannel_pool", 1),
)


def new_id() -> str:
    """Return a random id."""
    return str(uuid4())


def texts(english: str) -> list[registry_pb2.LocalizedText]:
    """Return a text in the one language that is required."""
    return [registry_pb2.LocalizedText(language="en", text=english)]


@dataclass
class Citizen:
    """A citizen with an open vault, and her pieces of evidence by type.

    Attributes:
        assistance_code: what she gave to officials, "" if nothing.
    """

    sub: str
    caller: Caller
    vault_id: str
    evidence: dict[str, str] = field(default_factory=dict)
    assistance_code: str = ""


@dataclass(frozen=True)
class Service:
    """A registered service with a purpose of its own."""

    service_id: str
    organisation_id: str
    purpose_code: str
    caller: Caller


@dataclass(frozen=True)
class Asked:
    """A request that a service made, with the service's own secret.

    Attributes:
        handoff_token, short_code: how it is handed over; "" unless it was asked for.
    """

    consent_request_id: str
    handoff_token: str
    verifier: str
    short_code: str = ""


@dataclass(frozen=True)
class Shared:
    """A consent, and what led to it."""

    citizen: Citizen
    service: Service
    asked: Asked
    code: str
    consent_id: str
    subject_id: str
    receipt: Receipt


class World:
    """Who is registered on a server; each citizen and service has a caller of its own."""

    def __init__(self, server: Server, channel: grpc.Channel) -> None:
        """Register the evidence types, unless they are."""
        self.server = server
        self.channel = channel
        self.operator = self.caller("operator", "operator")
        self.auditor = self.caller("auditor", "auditor")
        self.official = self.caller("official", "official")
        for name in TYPES:
            definition = (ROOT / "vault" / "evidence_types" / f"{name}.json").read_bytes()
            request = registry.PublishEvidenceTypeRequest(
                request_id=f"00000000-0000-4000-8000-{TYPES.index(name):012}",
                definition=definition,
            )
            self.operator.ask("RegistryService/PublishEvidenceType", request)
        self.mair = self.citizen()
        self.assist(self.mair)
        self.council = self.service()

    def caller(self, role: str, sub: str, /, **claims: Any) -> Caller:
        """Return a caller with a token of the tests' issuer."""
        if role == "citizen":
            # Each time another: she may have signed out everywhere meanwhile.
            return Caller(self.channel, lambda: self.server.issuer.token(role, sub, **claims))
        return Caller(self.channel, self.server.issuer.token(role, sub, **claims))

    def auditor_of(self, service: Service) -> Caller:
        """Return the caller of an auditor of one service."""
        return self.caller("service-auditor", "auditor", service_id=service.service_id)

    def staff_of(self, service: Service, sub: str = "dafydd") -> Caller:
        """Return the caller of a member of a service's staff."""
        return self.caller("staff", sub, service_id=service.service_id)

    def stranger(self) -> Citizen:
        """Return a citizen without a vault."""
        sub = f"citizen-{new_id()}"
        return Citizen(sub=sub, caller=self.caller("citizen", sub), vault_id="")

    def citizen(self) -> Citizen:
        """Return a new citizen with a vault, her address and her income in it."""
        citizen = self.stranger()
        opened = citizen.caller.ask(
            "VaultService/OpenVault", vaults.OpenVaultRequest(request_id=new_id())
        )
        citizen.vault_id = opened.vault.vault_id
        self.provide(citizen, "postal_address", ADDRESS)
        self.provide(citizen, "income", INCOME)
        return citizen

    def assist(self, citizen: Citizen) -> str:
        """Have a citizen make a code, which officials know from now on, and return it."""
        request = vaults.CreateAssistanceCodeRequest(request_id=new_id())
        answer = citizen.caller.ask("VaultService/CreateAssistanceCode", request)
        citizen.assistance_code = answer.assistance_code
        return citizen.assistance_code

    def provide(self, citizen: Citizen, evidence_type: str, values: Mapping[str, object]) -> str:
        """Have a citizen provide a piece of evidence and return its id."""
        provided = citizen.caller.ask(
            "EvidenceService/ProvideEvidence", providing(evidence_type, values)
        )
        evidence_id: str = provided.evidence.evidence_id
        citizen.evidence[evidence_type] = evidence_id
        return evidence_id

    def upload(self, citizen: Citizen, content: bytes = b"", **changed: Any) -> str:
        """Have a citizen upload a document and return its id."""
        request = uploading(content or pdf(), **changed)
        uploaded = citizen.caller.ask("EvidenceService/UploadDocument", request)
        evidence_id: str = uploaded.evidence.evidence_id
        citizen.evidence["document"] = evidence_id
        return evidence_id

    def organisation(self) -> str:
        """Register an organisation and return its id."""
        request = registry.RegisterOrganisationRequest(
            request_id=new_id(), name=texts("Aber Council"), contact=texts("dp@aber.example")
        )
        answer = self.operator.ask("RegistryService/RegisterOrganisation", request)
        organisation_id: str = answer.organisation.organisation_id
        return organisation_id

    def service(self, evidence_types: Iterable[str] = PURPOSE_TYPES) -> Service:
        """Register a service of an organisation of its own, with a purpose of its own."""
        organisation_id = self.organisation()
        request = registry.RegisterServiceRequest(
            request_id=new_id(), organisation_id=organisation_id, name=texts("Discharge team")
        )
        answer = self.operator.ask("RegistryService/RegisterService", request)
        service_id: str = answer.service.service_id
        code = f"care-{secrets.token_hex(6)}"
        publishing_request = publishing(code, service_id, evidence_types)
        self.operator.ask("RegistryService/PublishPurpose", publishing_request)
        return Service(
            service_id=service_id,
            organisation_id=organisation_id,
            purpose_code=code,
            caller=self.caller("service", service_id),
        )

    def ask(self, service: Service, **changed: Any) -> Asked:
        """Have a service ask for an address: by a link, unless another way is named."""
        verifier = secrets.token_urlsafe(32)
        request = asking(service, verifier, **changed)
        answer = service.caller.ask("ConsentService/RequestConsent", request)
        return Asked(
            consent_request_id=answer.consent_request.consent_request_id,
            handoff_token=answer.handoff_token,
            verifier=verifier,
            short_code=answer.short_code,
        )

    def claim(self, citizen: Citizen, asked: Asked) -> str:
        """Have a citizen claim a request, and return the code."""
        request = consent.ClaimRequestRequest(
            request_id=new_id(), handoff_token=asked.handoff_token
        )
        code: str = citizen.caller.ask("ConsentService/ClaimRequest", request).code
        return code

    def previewed(
        self, citizen: Citizen, asked: Asked, **changed: Any
    ) -> consent.GrantConsentRequest:
        """Return the grant of what a citizen was shown."""
        choice = choosing(citizen, **changed)
        shown = citizen.caller.ask(
            "ConsentService/PreviewConsent",
            consent.PreviewConsentRequest(
                consent_request_id=asked.consent_request_id, choice=choice
            ),
        )
        return consent.GrantConsentRequest(
            request_id=new_id(),
            consent_request_id=asked.consent_request_id,
            choice=choice,
            shown=shown.shown,
        )

    def share(
        self,
        citizen: Citizen,
        service: Service,
        choice: Mapping[str, Any] | None = None,
        **changed: Any,
    ) -> Shared:
        """Have a service ask, a citizen grant, and the service redeem the code."""
        asked = self.ask(service, **changed)
        code = self.claim(citizen, asked)
        grant = self.previewed(citizen, asked, **(choice or {}))
        granted = citizen.caller.ask("ConsentService/GrantConsent", grant)
        redeemed = service.caller.ask("ConsentService/RedeemCode", redeeming(asked, code))
        return Shared(
            citizen=citizen,
            service=service,
            asked=asked,
            code=code,
            consent_id=granted.consent.consent_id,
            subject_id=redeemed.consent_request.subject_id,
            receipt=granted.receipt,
        )

    def share_document(self, citizen: Citizen, service: Service, **changed: Any) -> Shared:
        """Have a citizen share the document that she uploaded last."""
        scope = consent_pb2.RequestedScope(evidence_type="document", required=LETTER_FIELDS)
        item = consent_pb2.ItemChoice(evidence_id=citizen.evidence["document"], names=LETTER_FIELDS)
        return self.share(citizen, service, {"items": [item]}, scope=[scope], **changed)

    def disclose(self, shared: Shared, **changed: Any) -> Answer:
        """Have the service of a consent fetch the address under it."""
        return shared.service.caller.call(
            "DisclosureService/DiscloseEvidence", disclosing(shared, **changed)
        )

    def revoke(self, shared: Shared) -> Answer:
        """Have the citizen of a consent revoke it."""
        request = consent.RevokeConsentRequest(request_id=new_id(), consent_id=shared.consent_id)
        return shared.citizen.caller.call("ConsentService/RevokeConsent", request)

    def pause(self, shared: Shared) -> Answer:
        """Have the citizen of a consent pause it."""
        request = consent.PauseConsentRequest(request_id=new_id(), consent_id=shared.consent_id)
        return shared.citizen.caller.call("ConsentService/PauseConsent", request)

    def replay(self, vault_id: str, as_of_token: str = "") -> list[Record]:
        """Have the auditor replay a vault."""
        request = audit.ReplayVaultRequest(vault_id=vault_id, as_of_token=as_of_token)
        answer = self.auditor.call("AuditService/ReplayVault", request)
        assert answer.is_ok, answer.told
        items = [audit.ReplayVaultResponse.FromString(data) for data in answer.answers]
        return [item.record for item in items if item.WhichOneof("item") == "record"]

    def replay_registry(self) -> list[Record]:
        """Have the auditor replay the registry."""
        answer = self.auditor.call("AuditService/ReplayRegistry", audit.ReplayRegistryRequest())
        assert answer.is_ok, answer.told
        items = [audit.ReplayRegistryResponse.FromString(data) for data in answer.answers]
        return [item.record for item in items if item.WhichOneof("item") == "record"]


@contextmanager
def connected(target: str) -> Iterator[grpc.Channel]:
    """Return a channel of its own connection."""
    with grpc.insecure_channel(target, options=_OPTIONS) as channel:
        yield channel


def providing(
    evidence_type: str, values: Mapping[str, object] | bytes
) -> evidence.ProvideEvidenceRequest:
    """Return what provides evidence that a citizen states herself."""
    data = values if isinstance(values, bytes) else json.dumps(values).encode()
    return evidence.ProvideEvidenceRequest(
        request_id=new_id(), evidence_type=evidence_type, values=data, source=STATED
    )


def pdf(length: int = 0) -> bytes:
    """Return a document of its own, with so many bytes of nothing in it."""
    comment = b"%" + secrets.token_hex(16).encode() + b" " * length + b"\n"
    return (
        b"%PDF-1.7\n" + comment + b"1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n"
        b"2 0 obj\n<</Type/Pages/Kids[]/Count 0>>\nendobj\n"
        b"trailer\n<</Root 1 0 R/Size 3>>\nstartxref\n0\n%%EOF\n"
    )


def uploading(content: bytes, **changed: Any) -> list[evidence.UploadDocumentRequest]:
    """Return what uploads a document: the header, then its bytes."""
    standard = {
        "request_id": new_id(),
        "values": json.dumps(dict(LETTER)).encode(),
        "media_type": "application/pdf",
    }
    header = evidence.DocumentHeader(**{**standard, **changed})
    chunks = [content[at : at + CHUNK_BYTES] for at in range(0, len(content), CHUNK_BYTES)]
    return [
        evidence.UploadDocumentRequest(header=header),
        *(evidence.UploadDocumentRequest(chunk=chunk) for chunk in chunks),
    ]


def assisted(citizen: Citizen, **changed: Any) -> vault_pb2.Acting:
    """Return how an official at a counter says to act for a citizen, by the code that she gave."""
    standard = {
        "capacity": vault_pb2.CAPACITY_OFFICIAL,
        "channel": vault_pb2.CHANNEL_COUNTER,
        "assistance_code": citizen.assistance_code,
    }
    return vault_pb2.Acting(**{**standard, **changed})


def asking(service: Service, verifier: str, **changed: Any) -> consent.RequestConsentRequest:
    """Return a service's question for an address, as often as it likes."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
    is_by_link = not changed.keys() & {"with_short_code", "subject_id"}
    standard = {
        "scope": [
            consent_pb2.RequestedScope(
                evidence_type="postal_address",
                required=ADDRESS_FIELDS,
                optional=["addressCountry"],
            )
        ],
        "frequency": consent_pb2.Frequency(count=1_000_000, period_seconds=86_400),
    }
    return consent.RequestConsentRequest(
        request_id=new_id(),
        purpose_code=service.purpose_code,
        code_challenge=challenge.rstrip(b"=").decode("ascii") if is_by_link else "",
        **{**standard, **changed},
    )


def choosing(citizen: Citizen, **changed: Any) -> consent_pb2.ConsentChoice:
    """Return a citizen's choice to share her address."""
    item = consent_pb2.ItemChoice(
        evidence_id=citizen.evidence["postal_address"], names=ADDRESS_FIELDS
    )
    return consent_pb2.ConsentChoice(**{"items": [item], "language": "en", **changed})


def redeeming(asked: Asked, code: str) -> consent.RedeemCodeRequest:
    """Return what redeems a code."""
    return consent.RedeemCodeRequest(
        request_id=new_id(),
        consent_request_id=asked.consent_request_id,
        code=code,
        code_verifier=asked.verifier,
    )


def disclosing(shared: Shared, **changed: Any) -> disclosure.DiscloseEvidenceRequest:
    """Return what fetches an address under a consent."""
    selection = disclosure_pb2.FieldSelection(evidence_type="postal_address", names=ADDRESS_FIELDS)
    standard = {
        "request_id": new_id(),
        "subject_id": shared.subject_id,
        "authority": disclosure_pb2.Authority(consent_id=shared.consent_id),
        "purpose_code": shared.service.purpose_code,
        "fields": [selection],
    }
    return disclosure.DiscloseEvidenceRequest(**{**standard, **changed})


def reporting(shared: Shared, **changed: Any) -> disclosure.ReportOutcomeRequest:
    """Return what tells that a matter was received."""
    standard = {
        "request_id": new_id(),
        "subject_id": shared.subject_id,
        "authority": disclosure_pb2.Authority(consent_id=shared.consent_id),
        "status": disclosure_pb2.REPORT_STATUS_RECEIVED,
    }
    return disclosure.ReportOutcomeRequest(**{**standard, **changed})


def batching(
    *disclosures: disclosure.DiscloseEvidenceRequest,
) -> disclosure.DiscloseEvidenceBatchRequest:
    """Return one message of several disclosures."""
    return disclosure.DiscloseEvidenceBatchRequest(disclosures=disclosures)


def disclosing_document(shared: Shared, **changed: Any) -> disclosure.DiscloseDocumentRequest:
    """Return what fetches a document under a consent."""
    standard = {
        "request_id": new_id(),
        "subject_id": shared.subject_id,
        "authority": disclosure_pb2.Authority(consent_id=shared.consent_id),
        "purpose_code": shared.service.purpose_code,
        "fields": disclosure_pb2.FieldSelection(evidence_type="document", names=LETTER_FIELDS),
    }
    return disclosure.DiscloseDocumentRequest(**{**standard, **changed})


def checking(shared: Shared, **changed: Any) -> disclosure.CheckDisclosuresRequest:
    """Return what asks whether an address could be fetched under a consent."""
    fetch = disclosing(shared)
    standard = {
        "subject_id": fetch.subject_id,
        "authority": fetch.authority,
        "purpose_code": fetch.purpose_code,
        "fields": fetch.fields,
    }
    check = disclosure.DisclosureCheck(**{**standard, **changed})
    return disclosure.CheckDisclosuresRequest(checks=[check])


def publishing(
    code: str,
    service_id: str,
    evidence_types: Iterable[str] = PURPOSE_TYPES,
    *,
    validate_only: bool = False,
) -> registry.PublishPurposeRequest:
    """Return the first version of a purpose for one service, with wide bounds."""
    fields = {
        "postal_address": sorted(ADDRESS),
        "income": sorted(INCOME),
        "bank_account": sorted(BANK),
        "document": LETTER_FIELDS,
    }
    return registry.PublishPurposeRequest(
        request_id=new_id(),
        purpose_code=code,
        version=1,
        validate_only=validate_only,
        bounds=registry_pb2.PurposeBounds(
            service_ids=[service_id],
            dpv_iri="https://w3id.org/dpv#PublicBenefit",
            legal_basis=registry_pb2.LegalBasis(code=registry_pb2.LEGAL_BASIS_CODE_PUBLIC_TASK),
            evidence=[
                registry_pb2.EvidenceFields(evidence_type=kind, names=fields[kind])
                for kind in evidence_types
            ],
            longest_days=90,
            frequency_count=1_000_000,
            frequency_period_seconds=86_400,
            retention_days=30,
            method=registry_pb2.PROCESSING_METHOD_STORE,
            storage="GB",
            jurisdiction="GB",
        ),
        texts=[
            registry_pb2.PurposeTexts(
                language="en",
                title="Planning your care",
                why="To plan it.",
                if_refused="A visit instead.",
                if_stopped="Nothing new is seen.",
                other_ways="By phone.",
                help_line="01632 960100",
            )
        ],
    )
