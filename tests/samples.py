# SPDX-License-Identifier: Apache-2.0
"""For every RPC of the contract: a request that succeeds, with whatever has to be there before.

Each call makes a new one, so that a write succeeds as often as it is asked for. Tests of access and
of bad input begin with these and change one thing. What an official sends is what the citizen would
send, with the code that she gave.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp

from tests.approving import Authenticator, by_step_up
from tests.server import ROOT
from tests.verdict import head
from tests.wire import METHODS, Caller
from tests.world import (
    ADDRESS,
    ADDRESS_FIELDS,
    STATED,
    Asked,
    Citizen,
    Service,
    Shared,
    World,
    asking,
    assisted,
    batching,
    checking,
    disclosing,
    disclosing_document,
    new_id,
    pdf,
    providing,
    publishing,
    redeeming,
    reporting,
    texts,
    uploading,
)
from vault.api.v1 import audit_service_pb2 as audit
from vault.api.v1 import consent_pb2, contact_pb2, evidence_pb2, operation_pb2, vault_pb2
from vault.api.v1 import consent_service_pb2 as consent
from vault.api.v1 import disclosure_service_pb2 as disclosure
from vault.api.v1 import evidence_service_pb2 as evidence
from vault.api.v1 import operations_service_pb2 as operations
from vault.api.v1 import registry_service_pb2 as registry
from vault.api.v1 import vault_service_pb2 as vaults

Key = tuple[str, str]
"""`Service/Method` and the role that calls."""

ROLES: Final = (
    "citizen", "official", "service", "staff", "auditor", "service-auditor", "operator",
)  # fmt: skip
DAY: Final = 86_400
SETTLING: Final = frozenset(
    {f"ConsentService/{name}Consent" for name in ("Narrow", "Pause", "Resume", "Revoke")}
    | {"VaultService/RemovePasskey", "VaultService/SignOutEverywhere"}
)
"""Takes a quarter of a second whenever it is taken, or made; not for a loop."""
MOST_KEPT_PASSKEYS: Final = 10
"""How many passkeys are left; 20 may be."""
MOST_WAITING: Final = 5
"""How many requests of one service are left unanswered; 20 may be."""


class Samples:
    """Makes requests for one citizen and one service; a consent between them stands.

    Shared consents, for an address and a document, are used where a request only reads them or
    fetches under them; the address was fetched once.
    """

    def __init__(self, world: World, citizen: Citizen, service: Service) -> None:
        self.world = world
        self.citizen = citizen
        self.service = service
        if not citizen.assistance_code:
            world.assist(citizen)
        self.document = world.upload(citizen)
        self.shared: Shared = world.share(citizen, service)
        self.letter: Shared = world.share_document(citizen, service)
        self.disclosed = self._disclose()
        self._asked = 0
        self._paused: Shared | None = None
        self._revoked: Shared | None = None

    def make(self, method: str, role: str) -> Any:
        """Return a new request that succeeds when this role sends it.

        It is a message; where a stream is sent, a list of them.
        """
        return _MAKE[method, role](self)

    def caller(self, role: str) -> Caller:
        """Return the caller of a role."""
        of_service = {"staff": self.world.staff_of, "service-auditor": self.world.auditor_of}
        if role in of_service:
            return of_service[role](self.service)
        return {
            "citizen": self.citizen.caller,
            "official": self.world.official,
            "service": self.service.caller,
            "auditor": self.world.auditor,
            "operator": self.world.operator,
        }[role]

    def ask(self, **changed: Any) -> Asked:
        """Have the service ask; now and then she says no to what waits for her."""
        self._asked += 1
        if self._asked % MOST_WAITING == 0:
            self._make_room()
        return self.world.ask(self.service, **changed)

    def paused(self) -> Shared:
        """Return a consent that is paused. To pause takes a while, so one serves until resumed."""
        if self._paused is None or not self._is_paused(self._paused):
            self._paused = self.world.share(self.citizen, self.service)
            assert self.world.pause(self._paused).is_ok
        return self._paused

    def revoked(self) -> Shared:
        """Return a consent that was revoked. That takes a while, so one serves."""
        if self._revoked is None:
            self._revoked = self.world.share(self.citizen, self.service)
            assert self.world.revoke(self._revoked).is_ok
        return self._revoked

    def _make_room(self) -> None:
        waiting = consent.ListRequestsRequest(only_pending=True)
        answer = self.citizen.caller.ask("ConsentService/ListRequests", waiting)
        for asked in answer.consent_requests[MOST_WAITING:]:
            refusal = consent.RefuseConsentRequest(
                request_id=new_id(), consent_request_id=asked.consent_request_id
            )
            self.citizen.caller.ask("ConsentService/RefuseConsent", refusal)

    def _is_paused(self, shared: Shared) -> bool:
        request = consent.GetConsentRequest(consent_id=shared.consent_id)
        answer = self.citizen.caller.ask("ConsentService/GetConsent", request)
        return bool(answer.consent.state == consent_pb2.CONSENT_STATE_PAUSED)

    def _disclose(self) -> int:
        """Fetch the address once, and return the version of that in her vault."""
        assert self.world.disclose(self.shared).is_ok
        request = vaults.ListHistoryRequest(page_size=1, only_disclosures=True)
        answer = self.citizen.caller.ask("VaultService/ListHistory", request)
        version: int = answer.entries[0].version
        return version


class Prepared:
    """Samples that remember how much was recorded when the last request was ready to be sent."""

    def __init__(self, samples: Samples) -> None:
        self._samples = samples
        self.head = head(samples.world.server)

    def make(self, method: str, role: str) -> Any:
        """Return a new request that succeeds when this role sends it."""
        request = self._samples.make(method, role)
        self.ready()
        return request

    def ready(self) -> None:
        """Say that whatever comes now is what is judged."""
        self.head = head(self._samples.world.server)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._samples, name)


def in_days(days: float) -> Timestamp:
    """Return a time so far from now."""
    now = Timestamp()
    now.GetCurrentTime()
    now.FromMicroseconds(now.ToMicroseconds() + int(days * DAY * 1_000_000))
    return now


def granted_time(shared: Shared) -> Timestamp:
    """Return when a consent was granted: what was true then never changes."""
    granted = Timestamp()
    granted.FromJsonString(json.loads(shared.receipt.facts)["time"])
    return granted


def by_official(citizen: Citizen, request: Any) -> Any:
    """Have what the citizen would send come from an official, to whom she gave her code."""
    first = request[0].header if isinstance(request, list) else request
    first.acting.CopyFrom(assisted(citizen))
    if "approval" in first.DESCRIPTOR.fields_by_name:
        first.approval.kind = vault_pb2.APPROVAL_KIND_STAFF_ASSISTED
    return request


def exported(citizen: Citizen) -> list[vaults.ExportVaultResponse]:
    """Have a citizen take everything away, and return its parts."""
    answer = citizen.caller.call("VaultService/ExportVault", vaults.ExportVaultRequest())
    assert answer.is_ok, answer.told
    return [vaults.ExportVaultResponse.FromString(data) for data in answer.answers]


def importing(parts: list[vaults.ExportVaultResponse]) -> list[vaults.ImportVaultRequest]:
    """Return what brings an export into another vault."""
    head = parts[0].head
    header = vaults.ImportHeader(
        request_id=new_id(),
        vault_id=head.vault_id,
        origin=head.origin,
        version=head.version,
        leaf_hash=head.leaf_hash,
    )
    messages, is_hers = [vaults.ImportVaultRequest(header=header)], False
    for part in parts:
        kind = part.WhichOneof("part")
        is_hers = kind == "record" or (is_hers and kind != "public_record")
        if is_hers and kind in {"record", "payload", "document", "chunk"}:
            messages.append(vaults.ImportVaultRequest(**{kind: getattr(part, kind)}))
    return messages


def _import(samples: Samples) -> Any:
    citizen = samples.world.citizen()
    samples.world.upload(citizen)
    return importing(exported(citizen))


def faulting(origin: str, first: int, end: int) -> operations.PublishKnownFaultRequest:
    """Return what publishes a fault of a range of entries."""
    notice = operation_pb2.FaultNotice(
        language="en",
        title="Copies went to the wrong printer",
        text="Letters were printed in another office. They were collected within an hour.",
        help_line="01970 600 000",
    )
    named = operation_pb2.EntryRange(origin=origin, first_leaf_index=first, end_leaf_index=end)
    return operations.PublishKnownFaultRequest(
        request_id=new_id(), ranges=[named], notices=[notice]
    )


def senders(method: str) -> tuple[str, ...]:
    """Return the roles that have a sample of a method."""
    made = tuple(role for name, role in _MAKE if name == method)
    assert made, f"{method} has no sample: write one in tests/samples.py"
    return made


def _open_for_somebody(_: Samples) -> Any:
    acting = vault_pb2.Acting(
        capacity=vault_pb2.CAPACITY_OFFICIAL, channel=vault_pb2.CHANNEL_COUNTER
    )
    return vaults.OpenVaultRequest(request_id=new_id(), acting=acting)


def _unlink(samples: Samples) -> Any:
    request = vaults.CreateAssistanceCodeRequest(request_id=new_id())
    made = samples.citizen.caller.ask("VaultService/CreateAssistanceCode", request)
    return vaults.UnlinkSignInRequest(
        request_id=new_id(), sign_in_id=made.vault.sign_ins[-1].sign_in_id
    )


def _add_passkey(samples: Samples) -> Any:
    citizen, key = samples.citizen, Authenticator()
    listed = citizen.caller.ask(
        "VaultService/ListPasskeys", vaults.ListPasskeysRequest(page_size=500)
    )
    kept = [one for one in listed.passkeys if not one.HasField("remove_time")]
    if len(kept) > MOST_KEPT_PASSKEYS:
        gone = vaults.RemovePasskeyRequest(request_id=new_id(), passkey_id=kept[0].passkey_id)
        citizen.caller.ask("VaultService/RemovePasskey", gone)
    request = vaults.AddPasskeyRequest(
        request_id=new_id(),
        credential=key.credential,
        algorithm=vault_pb2.PASSKEY_ALGORITHM_ES256,
        public_key=key.public_key,
        validate_only=True,
    )
    shown = citizen.caller.ask("VaultService/AddPasskey", request)
    challenge = shown.approval_challenge.challenge
    request.validate_only = False
    request.shown.CopyFrom(shown.shown)
    request.approval.CopyFrom(by_step_up(samples.world.server.issuer, citizen.sub, challenge))
    return request


def _create_link_code(samples: Samples) -> Any:
    citizen = samples.citizen
    request = vaults.CreateLinkCodeRequest(request_id=new_id(), validate_only=True)
    shown = citizen.caller.ask("VaultService/CreateLinkCode", request)
    challenge = shown.approval_challenge.challenge
    request.validate_only = False
    request.shown.CopyFrom(shown.shown)
    request.approval.CopyFrom(by_step_up(samples.world.server.issuer, citizen.sub, challenge))
    return request


def _link(samples: Samples) -> Any:
    request = _create_link_code(samples)
    made = samples.citizen.caller.ask("VaultService/CreateLinkCode", request)
    return vaults.LinkSignInRequest(request_id=new_id(), link_code=made.link_code)


def _unprotected(samples: Samples, request: Any) -> Any:
    # Another sample protects it, and an official sees and takes nothing that could give it away.
    lifting = evidence.ProtectEvidenceRequest(
        request_id=new_id(), evidence_id=samples.citizen.evidence["income"]
    )
    samples.citizen.caller.ask("EvidenceService/ProtectEvidence", lifting)
    return request


def _remove_passkey(samples: Samples) -> Any:
    added = samples.citizen.caller.ask("VaultService/AddPasskey", _add_passkey(samples))
    return vaults.RemovePasskeyRequest(request_id=new_id(), passkey_id=added.passkey.passkey_id)


def _replace_evidence(samples: Samples) -> Any:
    values = {**ADDRESS, "buildingNumber": str(secrets.randbelow(9_000) + 1)}
    return evidence.ReplaceEvidenceRequest(
        request_id=new_id(),
        evidence_id=samples.citizen.evidence["postal_address"],
        values=json.dumps(values).encode(),
        source=STATED,
    )


def _dispute(samples: Samples) -> Any:
    # A new piece each time: a field is disputed once at a time.
    provided = samples.citizen.caller.ask(
        "EvidenceService/ProvideEvidence", providing("postal_address", ADDRESS)
    )
    return evidence.DisputeEvidenceRequest(
        request_id=new_id(),
        evidence_id=provided.evidence.evidence_id,
        names=["streetName"],
        statement="I never lived there.",
        is_shared=True,
    )


def _resolve(samples: Samples) -> Any:
    request = _dispute(samples)
    disputed = samples.citizen.caller.ask("EvidenceService/DisputeEvidence", request)
    return evidence.ResolveDisputeRequest(
        request_id=new_id(),
        evidence_id=request.evidence_id,
        dispute_id=disputed.dispute_id,
        outcome=evidence_pb2.DISPUTE_OUTCOME_WITHDRAWN,
    )


def _cancel(samples: Samples) -> Any:
    asked = samples.ask()
    return consent.CancelRequestRequest(
        request_id=new_id(), consent_request_id=asked.consent_request_id
    )


def _claim(samples: Samples) -> Any:
    asked = samples.ask()
    return consent.ClaimRequestRequest(request_id=new_id(), handoff_token=asked.handoff_token)


def _claim_by_code(samples: Samples) -> Any:
    asked = samples.ask(with_short_code=True)
    return consent.ClaimRequestRequest(
        request_id=new_id(), acting=assisted(samples.citizen), short_code=asked.short_code
    )


def _redeem(samples: Samples) -> Any:
    asked = samples.ask()
    return redeeming(asked, samples.world.claim(samples.citizen, asked))


def _preview(samples: Samples) -> Any:
    grant = _grant(samples)
    return consent.PreviewConsentRequest(
        consent_request_id=grant.consent_request_id, choice=grant.choice
    )


def _grant(samples: Samples) -> consent.GrantConsentRequest:
    asked = samples.ask()
    samples.world.claim(samples.citizen, asked)
    return samples.world.previewed(samples.citizen, asked)


def _refuse(samples: Samples) -> Any:
    asked = samples.ask()
    samples.world.claim(samples.citizen, asked)
    return consent.RefuseConsentRequest(
        request_id=new_id(), consent_request_id=asked.consent_request_id
    )


def _narrow(samples: Samples) -> Any:
    shared = samples.world.share(samples.citizen, samples.service)
    return consent.NarrowConsentRequest(
        request_id=new_id(),
        consent_id=shared.consent_id,
        items=[consent_pb2.RemainingFields(item=1, names=ADDRESS_FIELDS[1:])],
        end_time=in_days(10),
        frequency_count=10,
    )


def _extend(samples: Samples) -> Any:
    shared = samples.world.share(samples.citizen, samples.service, end_time=in_days(10))
    said: dict[str, Any] = {"consent_id": shared.consent_id, "end_time": in_days(20)}
    look = consent.ExtendConsentRequest(request_id=new_id(), validate_only=True, **said)
    seen = samples.citizen.caller.ask("ConsentService/ExtendConsent", look)
    return consent.ExtendConsentRequest(request_id=new_id(), shown=seen.shown, **said)


def _pause(samples: Samples) -> Any:
    shared = samples.world.share(samples.citizen, samples.service)
    return consent.PauseConsentRequest(request_id=new_id(), consent_id=shared.consent_id)


def _resume(samples: Samples) -> Any:
    shared = samples.paused()
    request = consent.ResumeConsentRequest(
        request_id=new_id(), consent_id=shared.consent_id, validate_only=True
    )
    shown = samples.citizen.caller.ask("ConsentService/ResumeConsent", request)
    request.validate_only = False
    request.shown.CopyFrom(shown.shown)
    return request


def _revoke(samples: Samples) -> Any:
    shared = samples.world.share(samples.citizen, samples.service)
    return consent.RevokeConsentRequest(request_id=new_id(), consent_id=shared.consent_id)


def _report(samples: Samples) -> Any:
    # A new consent each time: few reports of one are taken on a day.
    return reporting(samples.world.share(samples.citizen, samples.service))


def _for_a_case(make: Callable[[Samples], Any], samples: Samples) -> Any:
    request = make(samples)
    if "case_ref" in request.DESCRIPTOR.fields_by_name:
        request.case_ref = "HD-2046"
    return request


def _reinstate(samples: Samples) -> Any:
    service = samples.world.service()
    samples.world.operator.ask(
        "RegistryService/SuspendService",
        registry.SuspendServiceRequest(request_id=new_id(), service_id=service.service_id),
    )
    return registry.ReinstateServiceRequest(request_id=new_id(), service_id=service.service_id)


def _publish_type(_: Samples) -> Any:
    definition = json.loads((ROOT / "vault/evidence_types/bank_account.json").read_bytes())
    definition["evidence_type"] = f"account_{secrets.token_hex(6)}"
    return registry.PublishEvidenceTypeRequest(
        request_id=new_id(), definition=json.dumps(definition).encode()
    )


def _first_page(kind: Callable[..., Any], _: Samples) -> Any:
    return kind(page_size=2)


def _helped(make: Callable[[Samples], Any], samples: Samples) -> Any:
    return by_official(samples.citizen, make(samples))


_CITIZENS: Final[dict[str, Callable[[Samples], Any]]] = {
    "VaultService/OpenVault": lambda _: vaults.OpenVaultRequest(request_id=new_id()),
    "VaultService/GetVault": lambda _: vaults.GetVaultRequest(),
    "VaultService/CreateAssistanceCode": lambda _: vaults.CreateAssistanceCodeRequest(
        request_id=new_id()
    ),
    "VaultService/UnlinkSignIn": _unlink,
    "VaultService/CreateLinkCode": _create_link_code,
    "VaultService/LinkSignIn": _link,
    "VaultService/SignOutEverywhere": lambda _: vaults.SignOutEverywhereRequest(
        request_id=new_id()
    ),
    "VaultService/SetContact": lambda _: vaults.SetContactRequest(
        request_id=new_id(),
        contact=contact_pb2.Contact(email=f"{new_id()}@example.org", discreet=True),
    ),
    "VaultService/GetContact": lambda s: _unprotected(s, vaults.GetContactRequest()),
    "VaultService/AddPasskey": _add_passkey,
    "VaultService/RemovePasskey": _remove_passkey,
    "VaultService/ListPasskeys": lambda _: vaults.ListPasskeysRequest(page_size=2),
    "VaultService/ListHistory": lambda _: vaults.ListHistoryRequest(page_size=2),
    "VaultService/ImportVault": _import,
    "VaultService/ExportVault": lambda s: _unprotected(s, vaults.ExportVaultRequest()),
    "EvidenceService/ProvideEvidence": lambda _: providing("postal_address", ADDRESS),
    "EvidenceService/ReplaceEvidence": _replace_evidence,
    "EvidenceService/UploadDocument": lambda _: uploading(pdf()),
    "EvidenceService/DownloadDocument": lambda s: evidence.DownloadDocumentRequest(
        evidence_id=s.document
    ),
    "EvidenceService/DisputeEvidence": _dispute,
    "EvidenceService/ResolveDispute": _resolve,
    "EvidenceService/ProtectEvidence": lambda s: evidence.ProtectEvidenceRequest(
        # A piece that no other sample shows.
        request_id=new_id(),
        evidence_id=s.citizen.evidence["income"],
        is_protected=True,
    ),
    "EvidenceService/GetEvidence": lambda s: evidence.GetEvidenceRequest(
        evidence_id=s.citizen.evidence["postal_address"]
    ),
    "EvidenceService/ListEvidence": lambda _: evidence.ListEvidenceRequest(page_size=2),
    "ConsentService/ClaimRequest": _claim,
    "ConsentService/GetRequest": lambda s: consent.GetRequestRequest(
        consent_request_id=s.shared.asked.consent_request_id
    ),
    "ConsentService/ListRequests": lambda _: consent.ListRequestsRequest(page_size=2),
    "ConsentService/PreviewConsent": _preview,
    "ConsentService/GrantConsent": _grant,
    "ConsentService/RefuseConsent": _refuse,
    "ConsentService/NarrowConsent": _narrow,
    "ConsentService/ExtendConsent": _extend,
    "ConsentService/PauseConsent": _pause,
    "ConsentService/ResumeConsent": _resume,
    "ConsentService/RevokeConsent": _revoke,
    "ConsentService/GetConsent": lambda s: consent.GetConsentRequest(
        consent_id=s.shared.consent_id
    ),
    "ConsentService/ListConsents": lambda _: consent.ListConsentsRequest(page_size=2),
    "ConsentService/GetConsentReceipt": lambda s: consent.GetConsentReceiptRequest(
        consent_id=s.shared.consent_id, as_of_time=granted_time(s.shared)
    ),
}
"""What a citizen sends in her own vault."""

_HERS_ALONE: Final = (
    "VaultService/CreateAssistanceCode",
    "VaultService/LinkSignIn",
    "VaultService/AddPasskey",
    "VaultService/ImportVault",
    "ConsentService/ExtendConsent",
)
"""What nobody may do for her."""

_MAKE: Final[dict[Key, Callable[[Samples], Any]]] = {
    **{(method, "citizen"): make for method, make in _CITIZENS.items()},
    **{
        (method, "official"): partial(_helped, make)
        for method, make in _CITIZENS.items()
        if method not in _HERS_ALONE
    },
    ("VaultService/OpenVault", "official"): _open_for_somebody,
    ("ConsentService/ClaimRequest", "official"): _claim_by_code,
    ("ConsentService/RequestConsent", "service"): lambda s: asking(
        s.service, secrets.token_urlsafe(32)
    ),
    ("ConsentService/CancelRequest", "service"): _cancel,
    ("ConsentService/RedeemCode", "service"): _redeem,
    ("ConsentService/GetRequest", "service"): lambda s: consent.GetRequestRequest(
        consent_request_id=s.shared.asked.consent_request_id
    ),
    ("ConsentService/ListRequests", "service"): lambda _: consent.ListRequestsRequest(page_size=2),
    ("ConsentService/GetConsent", "service"): lambda s: consent.GetConsentRequest(
        consent_id=s.shared.consent_id, subject_id=s.shared.subject_id
    ),
    ("ConsentService/GetConsentReceipt", "service"): lambda s: consent.GetConsentReceiptRequest(
        consent_id=s.shared.consent_id,
        subject_id=s.shared.subject_id,
        as_of_time=granted_time(s.shared),
    ),
    ("ConsentService/ListConsents", "service"): lambda _: consent.ListConsentsRequest(page_size=2),
    ("DisclosureService/DiscloseEvidence", "service"): lambda s: disclosing(s.shared),
    ("DisclosureService/DiscloseEvidenceBatch", "service"): lambda s: [
        batching(disclosing(s.shared))
    ],
    ("DisclosureService/DiscloseDocument", "service"): lambda s: disclosing_document(s.letter),
    ("DisclosureService/CheckDisclosures", "service"): lambda s: checking(s.shared),
    ("DisclosureService/ReportOutcome", "service"): _report,
    ("DisclosureService/ListChanges", "service"): lambda _: disclosure.ListChangesRequest(
        page_size=2
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
    ("OperationsService/PublishKnownFault", "operator"): lambda s: faulting(
        # The log's first entry is the registry's: it touches nobody.
        s.shared.receipt.origin,
        0,
        1,
    ),
    ("OperationsService/RecordAct", "operator"): lambda _: operations.RecordActRequest(
        request_id=new_id(),
        act=operation_pb2.ADMINISTRATOR_ACT_CONFIGURATION,
        note="The log's folder was moved to another disk.",
    ),
}

_STAFFED: Final = (
    "ConsentService/RequestConsent",
    "ConsentService/CancelRequest",
    "ConsentService/RedeemCode",
    "ConsentService/GetRequest",
    "ConsentService/ListRequests",
    "ConsentService/GetConsent",
    "ConsentService/GetConsentReceipt",
    "ConsentService/ListConsents",
    "DisclosureService/DiscloseEvidence",
    "DisclosureService/DiscloseDocument",
    "DisclosureService/CheckDisclosures",
    "DisclosureService/ReportOutcome",
)
"""What a member of staff sends as if she were the service."""

for _method in _STAFFED:
    _MAKE[_method, "staff"] = partial(_for_a_case, _MAKE[_method, "service"])
_MAKE["RegistryService/PublishPurpose", "staff"] = lambda s: publishing(
    f"care-{secrets.token_hex(6)}", s.service.service_id, validate_only=True
)

for _role in ("auditor", "citizen"):
    _MAKE["AuditService/ReplayVault", _role] = lambda s: audit.ReplayVaultRequest(
        vault_id=s.citizen.vault_id
    )
    _MAKE["AuditService/ReplayRegistry", _role] = lambda _: audit.ReplayRegistryRequest()
    _MAKE["AuditService/GetVaultState", _role] = lambda s: audit.GetVaultStateRequest(
        vault_id=s.citizen.vault_id
    )
    _MAKE["AuditService/ExplainDisclosure", _role] = lambda s: audit.ExplainDisclosureRequest(
        vault_id=s.citizen.vault_id, version=s.disclosed
    )

    _MAKE["AuditService/ProveSilence", _role] = lambda s: audit.ProveSilenceRequest(
        request_id=new_id(), vault_id=s.citizen.vault_id, consent_id=s.revoked().consent_id
    )

for _role in ("auditor", "service-auditor"):
    _MAKE["AuditService/ReplayLane", _role] = lambda s: audit.ReplayLaneRequest(
        request_id=new_id(), origin=s.shared.receipt.origin, end_leaf_index=9
    )
_MAKE["AuditService/ReplayRegistry", "service-auditor"] = lambda _: audit.ReplayRegistryRequest()

for _role in ROLES:
    _MAKE["AuditService/GetCheckpoint", _role] = lambda s: audit.GetCheckpointRequest(
        origin=s.shared.receipt.origin
    )
    _MAKE["AuditService/GetInclusionProof", _role] = lambda s: audit.GetInclusionProofRequest(
        origin=s.shared.receipt.origin,
        leaf_index=s.shared.receipt.leaf_index,
        leaf_hash=s.shared.receipt.leaf_hash,
    )
    _MAKE["OperationsService/ListOperations", _role] = lambda _: operations.ListOperationsRequest(
        page_size=2
    )
    _MAKE["RegistryService/GetPurpose", _role] = lambda s: registry.GetPurposeRequest(
        purpose_code=s.service.purpose_code
    )
    for _method, _kind in (
        ("ListOrganisations", registry.ListOrganisationsRequest),
        ("ListServices", registry.ListServicesRequest),
        ("ListPurposes", registry.ListPurposesRequest),
        ("ListEvidenceTypes", registry.ListEvidenceTypesRequest),
        ("ListReceiptKeys", registry.ListReceiptKeysRequest),
    ):
        _MAKE[f"RegistryService/{_method}", _role] = partial(_first_page, _kind)

KEYS: Final[tuple[Key, ...]] = tuple(
    (method, role) for method in METHODS for role in senders(method)
)
"""Every method with each role that may send it."""
