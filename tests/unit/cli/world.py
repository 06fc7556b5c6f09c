# SPDX-License-Identifier: Apache-2.0
"""What a fake server tells the commands: a registry, a citizen's things, and signed receipts."""

from __future__ import annotations

import base64
import hashlib
import json
from importlib.resources import files
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from google.protobuf.timestamp_pb2 import Timestamp

from tests.unit.cli.fake_server import FakeServer
from vault.api.v1 import consent_service_pb2 as consents
from vault.api.v1 import evidence_service_pb2 as evidences
from vault.api.v1 import registry_service_pb2 as registries
from vault.api.v1 import vault_service_pb2 as vaults
from vault.api.v1.consent_pb2 import (
    Consent,
    ConsentRequest,
    Frequency,
    ItemScope,
    RequestedScope,
)
from vault.api.v1.disclosure_service_pb2 import DiscloseEvidenceResponse
from vault.api.v1.evidence_pb2 import Evidence, EvidenceField
from vault.api.v1.log_pb2 import Receipt
from vault.api.v1.registry_pb2 import (
    EvidenceFields,
    EvidenceType,
    LegalBasis,
    LocalizedText,
    Organisation,
    Purpose,
    PurposeBounds,
    PurposeTexts,
    ReceiptKey,
    Service,
)
from vault.api.v1.vault_pb2 import Acting, HistoryEntry, HistoryItem, Vault
from vault.domain.canonical import encode
from vault.server.convert.registry import purpose_texts_from

ADDRESS = "a0000000-0000-4000-8000-000000000001"
INCOME = "b0000000-0000-4000-8000-000000000002"
REQUEST = "c0000000-0000-8000-8000-000000000003"
CONSENT = "d0000000-0000-8000-8000-000000000004"
SUBJECT = "e0000000-0000-4000-8000-000000000005"
SERVICE = "f0000000-0000-8000-8000-000000000006"
ORGANISATION = "f1000000-0000-8000-8000-000000000007"
VAULT = "f2000000-0000-8000-8000-000000000008"
KEY_ID = "f3000000-0000-4000-8000-000000000009"
ORIGIN = "records.test/0"
ENTRY = 41

VALUES = {"streetName": "Heol y Bont", "postalCode": "CF10 3NQ", "addressCountry": "GB"}

_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
PUBLIC_KEY = _KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def at(text: str) -> Timestamp:
    """Return a time."""
    stamp = Timestamp()
    stamp.FromJsonString(text)
    return stamp


NOW = at("2026-11-22T14:02:07.123456Z")
MIDNIGHT = at("2026-12-25T00:00:00Z")


def b64(data: bytes) -> str:
    """Encode as base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def a_receipt(facts: dict[str, Any] | None = None, leaf_index: int = ENTRY) -> Receipt:
    """Return a receipt that verifies."""
    told = facts or {"type": "consent-granted.1", "time": "2026-11-22T14:02:07.123456Z"}
    facts_bytes = json.dumps(told, sort_keys=True, separators=(",", ":")).encode()
    link_hash = hashlib.sha256(b"link").digest()
    entry = b"\x01" + link_hash + hashlib.sha256(facts_bytes).digest()
    leaf_hash = hashlib.sha256(b"\x00" + entry).digest()
    signed = json.dumps(
        ["citizen-vault/receipt/1", ORIGIN, leaf_index, b64(leaf_hash)], separators=(",", ":")
    )
    return Receipt(
        facts=facts_bytes,
        link_hash=link_hash,
        origin=ORIGIN,
        leaf_index=leaf_index,
        leaf_hash=leaf_hash,
        key_id=KEY_ID,
        signature=_KEY.sign(signed.encode()),
    )


def a_piece(evidence_id: str = ADDRESS) -> Evidence:
    """Return her address, or her income."""
    kind, names = {
        ADDRESS: ("postal_address", tuple(VALUES)),
        INCOME: ("income", ("kind", "amountPence")),
    }[evidence_id]
    return Evidence(
        evidence_id=evidence_id,
        evidence_type=kind,
        schema_version=1,
        revision=1,
        provide_time=NOW,
        update_time=NOW,
        source=1,
        fields=[
            EvidenceField(name=name, sensitivity=2, source=1, update_time=NOW) for name in names
        ],
    )


def a_request(state: int = 1) -> ConsentRequest:
    """Return what the council asks."""
    return ConsentRequest(
        consent_request_id=REQUEST,
        state=state,
        service_id=SERVICE,
        organisation_id=ORGANISATION,
        purpose="care-at-home@1",
        scope=[
            RequestedScope(
                evidence_type="postal_address",
                required=["postalCode"],
                optional=["streetName"],
            ),
            RequestedScope(evidence_type="income", optional=["amountPence"]),
        ],
        end_time=MIDNIGHT,
        frequency=Frequency(count=2, period_seconds=86400),
        largest_age_days=365,
        retention_days=30,
        method=2,
        request_time=NOW,
        expire_time=MIDNIGHT,
        decision_form=2,
    )


def a_consent(state: int = 1) -> Consent:
    """Return what she granted the council."""
    consent = Consent(
        consent_id=CONSENT,
        state=state,
        service_id=SERVICE,
        organisation_id=ORGANISATION,
        subject_id=SUBJECT,
        purpose="care-at-home@1",
        legal_basis=LegalBasis(code=5, statute="An Act 2014"),
        scope=[
            ItemScope(
                item=1,
                evidence_type="postal_address",
                mode=2,
                required=["postalCode"],
                optional=["streetName"],
                evidence_id=ADDRESS,
            )
        ],
        start_time=NOW,
        end_time=MIDNIGHT,
        frequency=Frequency(count=2, period_seconds=86400),
        largest_age_days=365,
        retention_days=30,
        method=2,
        storage="GB",
        jurisdiction="GB",
        notice_hash=notice_hash(a_purpose("en", "cy")),
        language="en",
        decision_form=2,
        grant_time=NOW,
        disclosure_count=1,
        last_disclosure_time=NOW,
        consent_request_id=REQUEST,
    )
    if state == 3:
        consent.revoke_time.CopyFrom(NOW)
    return consent


def a_use(leaf_index: int = ENTRY, reason: str = "") -> HistoryEntry:
    """Return a line of history: the council looked, or was refused."""
    kind = "disclosure-refused.1" if reason else "evidence-disclosed.1"
    return HistoryEntry(
        version=4,
        time=NOW,
        type=kind,
        acting=Acting(capacity=8),
        service_id=SERVICE,
        purpose="care-at-home@1",
        consent_id=CONSENT,
        items=[
            HistoryItem(
                evidence_id=ADDRESS,
                evidence_type="postal_address",
                names=["postalCode", "streetName"],
            )
        ],
        reason=reason,
        case_ref="AC/123",
        staff_ref="jones",
        receipt=a_receipt({"type": kind, "time": "2026-11-22T14:02:07.123456Z"}, leaf_index),
    )


def a_purpose(*languages: str) -> Purpose:
    """Return the council's purpose, with texts in these languages."""
    titles = {"en": "Planning your care at home", "cy": "Cynllunio eich gofal gartref"}
    return Purpose(
        purpose_code="care-at-home",
        version=1,
        bounds=PurposeBounds(
            service_ids=[SERVICE],
            dpv_iri="https://w3id.org/dpv#ServiceProvision",
            legal_basis=LegalBasis(code=5, statute="An Act 2014"),
            evidence=[EvidenceFields(evidence_type="postal_address", names=["postalCode"])],
            longest_days=90,
            frequency_count=2,
            frequency_period_seconds=86400,
            retention_days=42,
            method=2,
            storage="GB",
            jurisdiction="GB",
        ),
        texts=[
            PurposeTexts(
                language=language,
                title=titles[language],
                why=f"why {language}",
                if_refused=f"refused {language}",
                if_stopped=f"stopped {language}",
                other_ways=f"other {language}",
                help_line="01632 960100",
            )
            for language in languages
        ],
        publish_time=NOW,
    )


def notice_hash(purpose: Purpose) -> bytes:
    """Return the digest of a purpose's texts, as the registry records it."""
    return hashlib.sha256(encode(purpose_texts_from(purpose.texts))).digest()


def a_bundle(*disputed: str, statement: str = "", **content: Any) -> bytes:
    """Return what the council gets: her address, or a document of this content.

    Args:
        disputed: the fields that she says are wrong.
    """
    kind, values = ("document", {"content": content}) if content else ("postal_address", VALUES)
    item = {
        "item": 1,
        "evidence_type": kind,
        "schema_version": 1,
        "source": "self-declared",
        "issuer": "",
        "issued_date": "2026-10-01",
        "provided": "2026-11-22T14:02:07.123456Z",
        "fields": [
            {
                "name": name,
                "value": value,
                "updated": "2026-11-22T14:02:07.123456Z",
                "sensitivity": "sensitive" if name == "postalCode" else "ordinary",
                "is_disputed": name in disputed,
            }
            for name, value in values.items()
        ],
        "disputes": [
            {"names": disputed, "time": "2026-11-22T15:00:00.000000Z", "statement": statement}
        ][: len(disputed)],
    }
    bundle = {
        "type": "bundle.2",
        "service": SERVICE,
        "subject": SUBJECT,
        "consent_id": CONSENT,
        "purpose": "care-at-home@1",
        "items": [item],
        "obligations": {
            "basis": "public-task",
            "statute": "An Act 2014",
            "method": "store",
            "retention_days": 30,
            "retain_until": "2026-12-22T14:02:07.123456Z",
            "storage": "GB",
            "jurisdiction": "GB",
        },
        "salt": b64(bytes(16)),
    }
    return json.dumps(bundle, sort_keys=True, separators=(",", ":")).encode()


def a_disclosure(bundle: bytes = b"", **facts: str) -> DiscloseEvidenceResponse:
    """Return a bundle and its receipt; the receipt is that of her address unless told."""
    told = {
        "type": "evidence-disclosed.1",
        "time": "2026-11-22T14:02:07.123456Z",
        "subject": SUBJECT,
        "consent_id": CONSENT,
        "bundle_hash": b64(hashlib.sha256(a_bundle()).digest()),
        **facts,
    }
    return DiscloseEvidenceResponse(bundle=bundle or a_bundle(), receipt=a_receipt(told))


def publish(server: FakeServer, *languages: str) -> None:
    """Let a server tell of the registry, with texts in these languages."""
    spoken = languages or ("en", "cy")
    name = {"en": "Aber Council", "cy": "Cyngor Aber"}
    team = {"en": "Home care", "cy": "Gofal cartref"}
    seeds = sorted(
        file.read_bytes()
        for file in files("vault.evidence_types").iterdir()
        if file.name.endswith(".json")
    )
    server.says(
        "ListOrganisations",
        registries.ListOrganisationsResponse(
            organisations=[
                Organisation(
                    organisation_id=ORGANISATION,
                    name=[LocalizedText(language=one, text=name[one]) for one in spoken],
                    contact=[LocalizedText(language="en", text="dpo@aber.example")],
                )
            ]
        ),
    )
    server.says(
        "ListServices",
        registries.ListServicesResponse(
            services=[
                Service(
                    service_id=SERVICE,
                    organisation_id=ORGANISATION,
                    name=[LocalizedText(language=one, text=team[one]) for one in spoken],
                )
            ]
        ),
    )
    server.says("GetPurpose", registries.GetPurposeResponse(purpose=a_purpose(*spoken)))
    server.says("ListPurposes", registries.ListPurposesResponse(purposes=[a_purpose(*spoken)]))
    server.says(
        "ListEvidenceTypes",
        registries.ListEvidenceTypesResponse(
            evidence_types=[
                EvidenceType(
                    evidence_type=json.loads(seed)["evidence_type"],
                    schema_version=1,
                    definition=seed,
                )
                for seed in seeds
            ]
        ),
    )
    server.says(
        "ListReceiptKeys",
        registries.ListReceiptKeysResponse(
            receipt_keys=[ReceiptKey(key_id=KEY_ID, algorithm="Ed25519", public_key=PUBLIC_KEY)]
        ),
    )


def fill(server: FakeServer) -> None:
    """Let a server tell of her things: an address, a request, a consent, a history."""
    publish(server)
    whole = a_piece()
    whole.values = json.dumps(VALUES).encode()
    server.says("OpenVault", vaults.OpenVaultResponse(vault=Vault(vault_id=VAULT, open_time=NOW)))
    server.says("GetVault", vaults.GetVaultResponse(vault=Vault(vault_id=VAULT, open_time=NOW)))
    server.says(
        "ListHistory",
        vaults.ListHistoryResponse(entries=[a_use(42, "FIELD_NOT_GRANTED"), a_use()]),
    )
    server.says(
        "ProvideEvidence",
        evidences.ProvideEvidenceResponse(evidence=a_piece(), receipt=a_receipt()),
    )
    server.says(
        "ReplaceEvidence",
        evidences.ReplaceEvidenceResponse(evidence=a_piece(), receipt=a_receipt()),
    )
    server.says("GetEvidence", evidences.GetEvidenceResponse(evidence=whole))
    server.says("ListEvidence", evidences.ListEvidenceResponse(evidence=[a_piece()]))
    server.says(
        "ClaimRequest",
        consents.ClaimRequestResponse(
            consent_request=a_request(),
            code="a-code",
            state="s",
            return_uri="https://aber.example/",
        ),
    )
    server.says("GetRequest", consents.GetRequestResponse(consent_request=a_request()))
    server.says("ListRequests", consents.ListRequestsResponse(consent_requests=[a_request()]))
    server.says(
        "GrantConsent", consents.GrantConsentResponse(consent=a_consent(), receipt=a_receipt())
    )
    server.says(
        "RevokeConsent", consents.RevokeConsentResponse(consent=a_consent(3), receipt=a_receipt())
    )
    server.says("GetConsent", consents.GetConsentResponse(consent=a_consent()))
    server.says("ListConsents", consents.ListConsentsResponse(consents=[a_consent()]))
