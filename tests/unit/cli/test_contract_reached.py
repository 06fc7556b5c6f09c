# SPDX-License-Identifier: Apache-2.0
"""Every call of the contract is reached by a command; the table says which."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clients.receipts import SignedRecord
from tests.unit.cli import her_things, world
from tests.unit.cli.conftest import Terminal
from tests.unit.cli.fake_server import _MODULES, FakeServer
from vault.api.v1 import vault_pb2
from vault.api.v1.consent_service_pb2 import RequestConsentResponse
from vault.api.v1.evidence_pb2 import Dispute
from vault.api.v1.evidence_service_pb2 import GetEvidenceResponse
from vault.api.v1.vault_service_pb2 import GetContactResponse, GetVaultResponse

UNDER = ("--consent", world.CONSENT, "--subject", world.SUBJECT, "--purpose", "care-at-home")

CITIZEN = {
    "VaultService.OpenVault": "information start",
    "VaultService.GetVault": "help-code list",
    "VaultService.CreateAssistanceCode": "help-code create",
    "VaultService.CreateLinkCode": "sign-ins code --yes",
    "VaultService.LinkSignIn": "sign-ins link ABCDE-FGHJK-MNPQR-STVWX",
    "VaultService.SignOutEverywhere": "sign-ins end-all",
    "VaultService.UnlinkSignIn": f"help-code close {world.SUBJECT}",
    "VaultService.ListHistory": "history list",
    "VaultService.SetContact": "contact set --email mair@example.org",
    "VaultService.GetContact": "contact show",
    "VaultService.AddPasskey": "passkey add passkey.json --yes",
    "VaultService.RemovePasskey": f"passkey remove {world.SUBJECT}",
    "VaultService.ListPasskeys": "passkey list",
    "VaultService.ExportVault": "export --out taken",
    "VaultService.ImportVault": "import brought",
    "EvidenceService.ProvideEvidence": "information add postal_address --set postalCode=CF103NQ",
    "EvidenceService.ReplaceEvidence": "information replace a0 --set postalCode=CF103NQ",
    "EvidenceService.UploadDocument": "document add letter.pdf --set title=A --set kind=letter",
    "EvidenceService.DownloadDocument": f"document save {world.ADDRESS} saved.pdf",
    "EvidenceService.DisputeEvidence": "information wrong a0 postalCode --because I_moved",
    "EvidenceService.ResolveDispute": "information settle a0 corrected",
    "EvidenceService.ProtectEvidence": "information protect a0",
    "EvidenceService.GetEvidence": "information show a0",
    "EvidenceService.ListEvidence": "information list",
    "ConsentService.ClaimRequest": "request open https://aber.example/asked/token",
    "ConsentService.GetRequest": "request show c0",
    "ConsentService.ListRequests": "request list",
    "ConsentService.PreviewConsent": "share c0 --choose postal_address:postalCode --only-show",
    "ConsentService.GrantConsent": "share c0 --choose postal_address:postalCode --yes",
    "ConsentService.RefuseConsent": "request refuse c0",
    "ConsentService.NarrowConsent": "sharing less d0 --until 2026-11-30 --yes",
    "ConsentService.ExtendConsent": "sharing longer d0 --until 2026-12-31 --yes",
    "ConsentService.PauseConsent": "sharing pause d0",
    "ConsentService.ResumeConsent": "sharing resume d0",
    "ConsentService.RevokeConsent": "sharing stop d0",
    "ConsentService.GetConsent": "sharing show d0",
    "ConsentService.ListConsents": "sharing list",
    "ConsentService.GetConsentReceipt": "confirmation sharing d0",
}
SERVICE = {
    "ConsentService.RequestConsent": "service ask care-at-home --need postal_address:postalCode",
    "ConsentService.CancelRequest": f"service cancel {world.REQUEST}",
    "ConsentService.RedeemCode": f"service redeem {world.REQUEST} a-code",
    "DisclosureService.DiscloseEvidence": "service fetch postal_address:postalCode",
    "DisclosureService.DiscloseEvidenceBatch": "service fetch-many fetches.jsonl --out fetched",
    "DisclosureService.DiscloseDocument": "service fetch-document --out fetched.pdf",
    "DisclosureService.CheckDisclosures": "service check postal_address:postalCode",
    "DisclosureService.ReportOutcome": (
        f"service report done --consent {world.CONSENT} --subject {world.SUBJECT}"
    ),
    "DisclosureService.ListChanges": "service changes",
}
AUDITOR = {
    "AuditService.ReplayVault": f"audit replay --vault {world.VAULT} --out vault.jsonl",
    "AuditService.ReplayRegistry": "audit replay --registry --out registry.jsonl",
    "AuditService.GetVaultState": f"audit state --vault {world.VAULT}",
    "AuditService.ExplainDisclosure": f"audit explain --vault {world.VAULT} --version 4",
    "AuditService.ReplayLane": "audit log --origin test/0 --out log.jsonl",
    "AuditService.GetCheckpoint": "audit checkpoint --origin test/0",
    "AuditService.GetInclusionProof": "audit prove receipt.json",
    "AuditService.ProveSilence": (
        f"audit silence --vault {world.VAULT} --consent {world.CONSENT} --out silence.jsonl"
    ),
}
OPERATOR = {
    "RegistryService.RegisterOrganisation": (
        "registry organisation add --name en=Aber --contact en=dpo@aber.example"
    ),
    "RegistryService.RegisterService": (
        f"registry service add {world.ORGANISATION} --name en=Home_care"
    ),
    "RegistryService.SuspendService": f"registry service suspend {world.SERVICE}",
    "RegistryService.ReinstateService": f"registry service reinstate {world.SERVICE}",
    "RegistryService.PublishPurpose": "registry purpose publish object.json",
    "RegistryService.WithdrawPurpose": "registry purpose withdraw care-at-home",
    "RegistryService.PublishEvidenceType": "registry evidence-type publish object.json",
    "RegistryService.ListOrganisations": "registry organisation list",
    "RegistryService.ListServices": "registry service list",
    "RegistryService.ListPurposes": "registry purpose list",
    "RegistryService.GetPurpose": "registry purpose show care-at-home",
    "RegistryService.ListEvidenceTypes": "registry evidence-type list",
    "RegistryService.ListReceiptKeys": "registry receipt-key list",
    "OperationsService.PublishKnownFault": (
        "operate fault publish --entries log/0:4-7 --title en=A --text en=B --help-line en=C"
    ),
    "OperationsService.RecordAct": "operate act configuration --note Moved",
    "OperationsService.ListOperations": "operate list",
}
WHO = {"service": "council", "auditor": "auditor", "operator": "operator"}
FETCHING = ("fetch", "fetch-document", "check")
REACHED = [
    *((call, typed, "mair") for call, typed in CITIZEN.items()),
    *((call, typed, "council") for call, typed in SERVICE.items()),
    *((call, typed, "auditor") for call, typed in AUDITOR.items()),
    *((call, typed, "operator") for call, typed in OPERATOR.items()),
]


def test_the_table_names_every_call_of_the_contract() -> None:
    calls = {
        f"{service.name}.{method.name}"
        for module in _MODULES
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }

    assert {call for call, _, _ in REACHED} == calls


@pytest.mark.parametrize(("call", "typed", "who"), REACHED, ids=[call for call, _, _ in REACHED])
def test_a_command_reaches_the_call(
    server: FakeServer,
    terminal: Terminal,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    call: str,
    typed: str,
    who: str,
) -> None:
    world.fill(server)
    way = vault_pb2.SignIn(sign_in_id=world.SUBJECT, means=1, link_time=world.NOW)
    server.says("GetContact", GetContactResponse())
    server.says("GetVault", GetVaultResponse(vault=vault_pb2.Vault(sign_ins=[way])))
    disputed = world.a_piece()
    disputed.values = json.dumps(world.VALUES).encode()
    disputed.disputes.append(Dispute(dispute_id=world.SUBJECT, names=["postalCode"]))
    server.says("GetEvidence", GetEvidenceResponse(evidence=disputed))
    monkeypatch.chdir(tmp_path)
    Path("letter.pdf").write_bytes(b"%PDF-1.7\n%%EOF\n")
    Path("object.json").write_text(json.dumps({}))
    Path("passkey.json").write_text(json.dumps(her_things.A_CREDENTIAL))
    Path("receipt.json").write_bytes(SignedRecord.of(world.a_receipt()).as_file())
    Path("fetches.jsonl").write_text(json.dumps({"subject_id": world.SUBJECT}))
    her_things.an_exported_folder(tmp_path / "brought")
    for role in ("service", "auditor", "operator"):
        terminal.sign_in(WHO[role], role)
    if "redeem" in typed:
        ask = ("service", "ask", "care-at-home", "--need", "postal_address:postalCode")
        server.says("RequestConsent", RequestConsentResponse(consent_request=world.a_request()))
        terminal.run(*ask, "--as", "council")
    words = typed.split()
    under = UNDER if words[1] in FETCHING else ()

    ran = terminal.run(*words, *under, "--as", who)

    methods = [name for name, _ in server.asked]
    assert call.partition(".")[2] in methods, ran.err
