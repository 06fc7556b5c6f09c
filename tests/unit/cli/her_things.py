# SPDX-License-Identifier: Apache-2.0
"""More of a citizen's things for a fake server: what is wrong, documents, codes, looking back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.unit.cli import world
from tests.unit.cli.fake_server import FakeServer
from vault.api.v1 import audit_service_pb2 as audits
from vault.api.v1 import consent_service_pb2 as consents
from vault.api.v1 import evidence_service_pb2 as evidences
from vault.api.v1 import vault_service_pb2 as vaults
from vault.api.v1.audit_pb2 import EvidenceState, Explanation, VaultState
from vault.api.v1.consent_pb2 import Consent, ConsentDifference, RemovedFields
from vault.api.v1.contact_pb2 import Contact
from vault.api.v1.evidence_pb2 import Dispute, Evidence, EvidenceField, EvidenceHolder
from vault.api.v1.vault_pb2 import Passkey, SignIn, Vault

DOCUMENT = "a1000000-0000-4000-8000-000000000011"
DISPUTE = "a2000000-0000-4000-8000-000000000012"
SIGN_IN = "a6000000-0000-4000-8000-000000000016"
GONE = "a7000000-0000-4000-8000-000000000017"
CODE = "a3000000-0000-4000-8000-000000000013"
OTHER_REQUEST = "c1000000-0000-8000-8000-000000000014"

PASSKEY = "a5000000-0000-8000-8000-000000000015"

A_CREDENTIAL = {
    "rawId": "AAECAwQFBgcICQoLDA0ODw",
    "response": {"publicKey": "MFkw", "publicKeyAlgorithm": -7},
    "type": "public-key",
}
STATEMENT = "I moved in May."
LATER = world.at("2027-02-01T00:00:00Z")
EARLIER = world.at("2026-12-01T00:00:00Z")
CONTENT = b"%PDF-1.7\n" + bytes(300_000)


def a_disputed_piece() -> Evidence:
    """Return her address, of which she says that the postcode is wrong."""
    piece = world.a_piece()
    piece.values = json.dumps(world.VALUES).encode()
    piece.fields[1].is_disputed = True
    piece.disputes.append(
        Dispute(
            dispute_id=DISPUTE,
            names=["postalCode"],
            dispute_time=world.NOW,
            statement=STATEMENT,
            is_shared=True,
        )
    )
    return piece


def a_holder(revision: int = 1, *, is_current: bool = True) -> EvidenceHolder:
    """Return that the council received her address."""
    return EvidenceHolder(
        service_id=world.SERVICE,
        consent_id=world.CONSENT,
        purpose="care-at-home@1",
        revision=revision,
        names=["postalCode"],
        last_disclosure_time=world.NOW,
        is_current=is_current,
    )


def a_document(content: bytes = CONTENT) -> Evidence:
    """Return a letter of hers, as its content is."""
    values = {
        "title": "Letter",
        "kind": "letter",
        "content": {
            "sha256": world.b64(hashlib.sha256(content).digest()),
            "sizeBytes": len(content),
            "mediaType": "application/pdf",
        },
    }
    return Evidence(
        evidence_id=DOCUMENT,
        evidence_type="document",
        schema_version=1,
        revision=1,
        provide_time=world.NOW,
        update_time=world.NOW,
        source=2,
        issued_date="2026-05-01",
        fields=[
            EvidenceField(name=name, sensitivity=2, source=2, update_time=world.NOW)
            for name in values
        ],
        values=json.dumps(values).encode(),
    )


def a_download(
    content: bytes = CONTENT, sent: bytes | None = None
) -> list[evidences.DownloadDocumentResponse]:
    """Return how a document comes; `sent` in its place is not what was announced."""
    whole = content if sent is None else sent
    return [
        evidences.DownloadDocumentResponse(evidence=a_document(content)),
        *(
            evidences.DownloadDocumentResponse(chunk=whole[begin : begin + 65536])
            for begin in range(0, len(whole), 65536)
        ),
    ]


def a_narrowed_consent() -> Consent:
    """Return what is left when she shares the postcode alone."""
    consent = world.a_consent()
    del consent.scope[0].optional[:]
    return consent


def a_difference() -> ConsentDifference:
    """Return that the street is shared no more, and not so long, and not so often."""
    difference = ConsentDifference(
        removed=[RemovedFields(item=1, evidence_type="postal_address", names=["streetName"])],
        end_time_before=world.MIDNIGHT,
        end_time_after=EARLIER,
    )
    difference.frequency_before.count, difference.frequency_after.count = 2, 1
    difference.frequency_before.period_seconds = 86400
    difference.frequency_after.period_seconds = 86400
    return difference


def an_explanation(decision: int = 1, *, is_same: bool = True) -> Explanation:
    """Return why the council could look."""
    consent = world.a_consent()
    consent.language, consent.notice_hash, consent.decision_form = "en", bytes(32), 2
    return Explanation(
        time=world.NOW,
        consent=consent,
        purpose=world.a_purpose("en", "cy"),
        texts_hash=bytes(32) if is_same else b"\x01" * 32,
        registry_size=9,
        registry_confirmed_time=world.NOW,
        decision_again=decision,
    )


def a_state() -> VaultState:
    """Return what was true of her things."""
    return VaultState(
        vault_id=world.VAULT,
        version=9,
        evidence=[
            EvidenceState(
                evidence_id=world.ADDRESS,
                evidence_type="postal_address",
                revision=3,
                update_time=world.NOW,
                names=["postalCode", "streetName"],
                disputed_names=["postalCode"],
            )
        ],
        consents=[world.a_consent(4)],
        consent_requests=[world.a_request(5)],
        as_of_time=world.NOW,
    )


def fill(server: FakeServer, *, is_disputed: bool = False) -> None:
    """Let a server tell of all her things; `is_disputed`: of her address the postcode is wrong."""
    world.fill(server)
    receipt = world.a_receipt()
    code = SignIn(sign_in_id=CODE, means=1, link_time=world.NOW)
    mine = SignIn(sign_in_id=SIGN_IN, means=2, link_time=world.NOW, wait_end_time=world.NOW)
    gone = SignIn(sign_in_id=GONE, means=2, link_time=world.NOW, unlink_time=world.NOW)
    place = Vault(
        vault_id=world.VAULT,
        open_time=world.NOW,
        sign_ins=[mine, gone, code],
        sign_in_id=SIGN_IN,
        sign_out_time=world.NOW,
    )
    request = world.a_request(4)
    address = a_disputed_piece()
    if not is_disputed:
        address.fields[1].is_disputed = False
        del address.disputes[:]

    server.says("GetVault", vaults.GetVaultResponse(vault=place))
    server.says(
        "CreateAssistanceCode",
        vaults.CreateAssistanceCodeResponse(assistance_code="ABCDE-FGHJK-MNPQR-STVWX", vault=place),
    )
    server.says("LinkSignIn", vaults.LinkSignInResponse(vault=place))
    server.says("SignOutEverywhere", vaults.SignOutEverywhereResponse(sign_out_time=world.NOW))
    server.says("ProtectEvidence", evidences.ProtectEvidenceResponse(evidence=world.a_piece()))
    server.says("UnlinkSignIn", vaults.UnlinkSignInResponse(vault=place))
    contact = Contact(email="mair@example.org", discreet=True, muted_kinds=[2])
    server.says("GetContact", vaults.GetContactResponse(contact=contact, set_time=world.NOW))
    server.says("SetContact", vaults.SetContactResponse(contact=contact, set_time=world.NOW))
    passkey = Passkey(passkey_id=PASSKEY, rp_id="vault.example", add_time=world.NOW)
    server.says("ListPasskeys", vaults.ListPasskeysResponse(passkeys=[passkey]))
    server.says("RemovePasskey", vaults.RemovePasskeyResponse(passkey=passkey))
    server.says(
        "ListEvidence",
        evidences.ListEvidenceResponse(evidence=[world.a_piece(), a_document()]),
    )
    server.says("GetEvidence", _by_id({world.ADDRESS: address, DOCUMENT: a_document()}))
    server.says(
        "DisputeEvidence",
        evidences.DisputeEvidenceResponse(
            evidence=a_disputed_piece(), dispute_id=DISPUTE, receipt=receipt, holders=[a_holder()]
        ),
    )
    server.says(
        "ResolveDispute",
        evidences.ResolveDisputeResponse(evidence=world.a_piece(), receipt=receipt),
    )
    server.says(
        "ReplaceEvidence",
        evidences.ReplaceEvidenceResponse(
            evidence=world.a_piece(), receipt=receipt, holders=[a_holder(is_current=False)]
        ),
    )
    server.says(
        "UploadDocument",
        evidences.UploadDocumentResponse(
            evidence=a_document(), receipt=receipt, holders=[a_holder(is_current=False)]
        ),
    )
    server.says("DownloadDocument", lambda _: a_download())
    server.says(
        "RefuseConsent",
        consents.RefuseConsentResponse(consent_request=request, receipt=receipt),
    )
    server.says(
        "NarrowConsent",
        consents.NarrowConsentResponse(
            consent=a_narrowed_consent(), difference=a_difference(), receipt=receipt
        ),
    )
    server.says(
        "PauseConsent",
        consents.PauseConsentResponse(consent=a_paused_consent(), receipt=receipt),
    )
    server.says("GetVaultState", audits.GetVaultStateResponse(state=a_state()))
    server.says("ExplainDisclosure", audits.ExplainDisclosureResponse(explanation=an_explanation()))


def an_exported_folder(folder: Path) -> None:
    """Write the files of an export that holds no record."""
    folder.mkdir()
    described = {
        "form": "citizen-vault/export/1",
        "vault_id": world.VAULT,
        "origin": "elsewhere/0",
        "version": 1,
        "leaf": "A" * 43,
        "time": "2026-11-22T12:00:00.000000Z",
    }
    (folder / "export.json").write_text(json.dumps(described))
    for name in ("history", "payloads", "registry", "registry_payloads"):
        (folder / f"{name}.jsonl").touch()


def a_paused_consent() -> Consent:
    """Return what she paused."""
    consent = world.a_consent(4)
    consent.pause_time.CopyFrom(world.NOW)
    return consent


def _by_id(pieces: dict[str, Evidence]) -> Callable[[Any], evidences.GetEvidenceResponse]:
    def answer(request: Any) -> evidences.GetEvidenceResponse:
        return evidences.GetEvidenceResponse(evidence=pieces[request.evidence_id])

    return answer
