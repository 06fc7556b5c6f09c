# SPDX-License-Identifier: Apache-2.0
"""Every stored form that a vault's and the registry's history may hold, written down again.

These are the auditor's own declarations of link and facts. A stored name that is not in
`VAULT_FACTS` or `REGISTRY_FACTS`, or a field that is not declared here, is a finding. A form that
is written no more is read as it stands and judged in today's form.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final, Literal

from clients.auditor.forms import DateOrNone, Hash, HashOrNone, Names, Salt, Time, TimeOrNone

Mode = Literal["pinned", "following"]
Method = Literal["view", "store"]
Source = Literal["self-declared", "document", "issuer"]
BasisCode = Literal[
    "consent",
    "contract",
    "legal-obligation",
    "vital-interest",
    "public-task",
    "legitimate-interest",
]


# --- Link: what ties a record to its stream; it stays with the citizen -------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Acting:
    """Who acted, in what capacity, by which mandate, through which channel."""

    actor: str
    capacity: Literal[
        "self",
        "helper",
        "attorney",
        "deputy",
        "appointee",
        "parent",
        "official",
        "service",
        "operator",
        "auditor",
    ]
    mandate: str
    channel: Literal["web", "cli", "api", "counter", "phone", "letter"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """What shows that a decision is hers."""

    kind: Literal["session", "oidc-step-up", "webauthn", "staff-assisted", "paper", ""]
    proof_hash: HashOrNone


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Maps an item's number to a piece of evidence and a revision; 0 follows replacements."""

    item: int
    evidence_id: str
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryMark:
    """The registry's version on which was decided, and when it was last confirmed as the head."""

    size: int
    confirmed_time: TimeOrNone


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadMark:
    """The digest of a payload beside the record."""

    kind: str
    hash: Hash
    key_id: str
    commitment: HashOrNone


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """The first line of a record."""

    origin: str
    stream: str
    version: int
    previous_leaf: Hash
    request_key: str
    acting: Acting
    approval: Approval
    items: tuple[Item, ...]
    registry: RegistryMark
    payloads: tuple[PayloadMark, ...]
    salt: Salt


# --- Values inside facts ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Who receives."""

    service: str
    organisation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PurposeVersion:
    """A published version of a purpose."""

    code: str
    version: int
    iri: str

    @property
    def name(self) -> str:
        """Return `code@version`."""
        return f"{self.code}@{self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """The receiver's own legal basis."""

    code: BasisCode
    statute: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Frequency:
    """At most so many uses in each window of so many seconds; 0, 0 beside `one_time`."""

    count: int
    period_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeFields:
    """Fields of one type of evidence."""

    evidence_type: str
    names: Names


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedFields:
    """Fields that a service asks for."""

    evidence_type: str
    required: Names
    optional: Names


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantedFields:
    """Fields of one item that a consent names."""

    item: int
    evidence_type: str
    mode: Mode
    required: Names
    optional: Names

    @property
    def names(self) -> frozenset[str]:
        """Return every granted field."""
        return frozenset(self.required + self.optional)


@dataclass(frozen=True, slots=True, kw_only=True)
class DisclosedFields:
    """Fields of one item that left."""

    item: int
    names: Names


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedTerms1:
    """The widest terms that a request could come to, as they stood before they had a start."""

    recipient: Recipient
    purpose: PurposeVersion
    basis: Basis
    method: Method
    scope: tuple[RequestedFields, ...]
    end: Time
    frequency: Frequency
    one_time: bool
    largest_age_days: int
    retention_days: int
    storage: str
    jurisdiction: str
    notice_hash: HashOrNone


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedTerms(AskedTerms1):
    """The widest terms that a request could come to."""

    start: Time


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The terms of a consent."""

    consent_id: str
    recipient: Recipient
    purpose: PurposeVersion
    basis: Basis
    method: Method
    scope: tuple[GrantedFields, ...]
    start: Time
    end: Time
    frequency: Frequency
    one_time: bool
    largest_age_days: int
    retention_days: int
    storage: str
    jurisdiction: str
    notice_hash: HashOrNone
    language: str
    shown_time: Time
    salt: Salt


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The upper bounds of a purpose."""

    services: Names
    basis: Basis
    evidence: tuple[TypeFields, ...]
    longest_days: int
    frequency: Frequency
    retention_days: int
    method: Method
    storage: str
    jurisdiction: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldDefinition:
    """A field of an evidence type."""

    name: str
    sensitivity: str


# --- Facts: what happened ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The second line of a record; `type` is the stored name."""

    type: str
    time: Time
    salt: Salt

    def upcast(self) -> Facts:
        """Return the same in today's form."""
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class OfRequest(Facts):
    """What happened to a request in her vault."""

    service: str
    subject: str
    consent_request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OfConsent(Facts):
    """What happened to a consent, or under it."""

    service: str
    subject: str
    consent_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultOpened(Facts):
    """She opened her vault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultRead(Facts):
    """Somebody other than herself looked."""

    what: Literal["evidence", "history", "proof", "export"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceProvided(Facts):
    """She provided a piece of evidence."""

    evidence_type: str
    schema_version: int
    issued_date: DateOrNone
    source: Source
    issuer: str
    names: Names


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceReplaced(EvidenceProvided):
    """She replaced it by a new revision."""

    changed: Names


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceProtected(Facts):
    """She protected a piece of evidence: its values are for herself alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectionLifted(Facts):
    """She protects it no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkCodeCreated(Facts):
    """She let another sign-in be linked, which then has to wait for so long."""

    link_code: str
    expires: Time
    wait_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInLinked(Facts):
    """Another way to her vault was opened; `link_code` is "" for a code on paper."""

    sign_in: str
    means: Literal["assistance-code", "provider"]
    link_code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInLinked1(Facts):
    """The same, when codes on paper were the only other ways."""

    sign_in: str
    means: Literal["assistance-code"]

    def upcast(self) -> SignInLinked:
        """Return the same in today's form."""
        return SignInLinked(**_parts(self), link_code="")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInUnlinked(Facts):
    """That way was closed."""

    sign_in: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedOutEverywhere(Facts):
    """She signed out everywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactSet(Facts):
    """She said how she is reached; what she said lies sealed beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PasskeyAdded(Facts):
    """She added a passkey, which signs for one site; credential and key are base64url."""

    passkey_id: str
    credential: str
    algorithm: Literal["ES256", "EdDSA", "RS256"]
    public_key: str
    rp_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PasskeyRemoved(Facts):
    """She removed it."""

    passkey_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceDisputed(Facts):
    """She said that fields are wrong."""

    evidence_type: str
    dispute_id: str
    names: Names
    is_shared: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeResolved(Facts):
    """A dispute was settled."""

    evidence_type: str
    dispute_id: str
    outcome: Literal["withdrawn", "corrected"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRequested(OfRequest):
    """A request entered her vault."""

    asked: AskedTerms
    expires: Time


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRequested1(OfRequest):
    """The same, of a request that started when it entered."""

    asked: AskedTerms1
    expires: Time

    def upcast(self) -> ConsentRequested:
        """Return the same in today's form."""
        asked = AskedTerms(start=self.time, **_parts(self.asked))
        return ConsentRequested(**{**_parts(self), "asked": asked})


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRequestCancelled(OfRequest):
    """The service took its request back, perhaps before it entered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRefused(OfRequest):
    """She said no."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentGranted(OfConsent):
    """She granted a consent."""

    consent_request_id: str
    terms: Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentNarrowed(OfConsent):
    """She shares less; `terms` are those from now on."""

    terms: Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentExtended(OfConsent):
    """She shares for longer; `terms` are those from now on."""

    terms: Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentPaused(OfConsent):
    """She paused it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentResumed(OfConsent):
    """She let it go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRevoked(OfConsent):
    """She revoked it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceDisclosed(OfConsent):
    """Fields left. `repeats` is the leaf of the first use with the same bytes, or ""."""

    purpose: str
    fields: tuple[DisclosedFields, ...]
    bundle_hash: Hash
    repeats: HashOrNone


@dataclass(frozen=True, slots=True, kw_only=True)
class DisclosureRefused(OfConsent):
    """The service tried and was refused."""

    purpose: str
    fields: tuple[TypeFields, ...]
    reason: str
    more_unlisted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientReported(OfConsent):
    """The service told how far the matter is, or how it was decided."""

    purpose: str
    kind: Literal["progress", "outcome"]
    status: Literal[
        "received", "in-progress", "more-needed", "granted", "refused", "withdrawn", "done"
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganisationRegistered(Facts):
    """An organisation was registered."""

    organisation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRegistered(Facts):
    """A service of an organisation was registered."""

    service: str
    organisation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSuspended(Facts):
    """Nothing goes to the service from now on."""

    service: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceReinstated(Facts):
    """The suspension ended."""

    service: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PurposePublished(Facts):
    """A version of a purpose was published."""

    purpose: PurposeVersion
    bounds: Bounds


@dataclass(frozen=True, slots=True, kw_only=True)
class PurposeWithdrawn(Facts):
    """Nothing goes out for the purpose from now on."""

    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceTypePublished(Facts):
    """A version of an evidence type was published."""

    evidence_type: str
    schema_version: int
    fields: tuple[FieldDefinition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptKeyListed(Facts):
    """From now on receipts are signed with this key."""

    key_id: str
    algorithm: str
    public_key: Hash


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneListed(Facts):
    """From now on vaults may be opened in this lane, whose log has this origin."""

    lane: int
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneReplayed(Facts):
    """An auditor read the records of a log from `first` up to, and without, `end`.

    `service`: the one whose facts alone were shown; "" if all was.
    """

    origin: str
    first: int
    end: int
    service: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogKeyListed(Facts):
    """From now on the checkpoints of the lane's log are signed with this key (C2SP signed-note)."""

    lane: int
    origin: str
    vkey: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestMade(Facts):
    """A service asked, in the request's own stream; the subject is "" if it does not know her."""

    asked: AskedTerms
    subject: str
    code_challenge: str
    expires: Time


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestMade1(Facts):
    """The same, of a citizen whom the service did not know."""

    asked: AskedTerms1
    code_challenge: str
    expires: Time

    def upcast(self) -> RequestMade:
        """Return the same in today's form."""
        asked = AskedTerms(start=self.time, **_parts(self.asked))
        return RequestMade(**{**_parts(self), "asked": asked, "subject": ""})


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestClaimed(Facts):
    """A citizen claimed it; from now on it is in her vault."""

    subject: str
    code_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRedeemed(Facts):
    """The service learned what came of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestCancelled(Facts):
    """The service took it back before anybody claimed it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultImported(Facts):
    """Her history of another deployment was brought here; what was shared there was not."""

    origin: str
    vault: str
    version: int
    leaf: Hash
    evidence: int
    consents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseStarted(Facts):
    """A server began with another program or configuration."""

    release: str
    program_hash: Hash
    configuration_hash: Hash
    events_form: int
    keys_form: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreMigrated(Facts):
    """The tables of a database have another form."""

    store: Literal["events", "keys"]
    before: int
    after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreRestored(Facts):
    """A lane was restored to `size` records, and `appended` were put back."""

    lane: int
    size: int
    appended: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUsed(Facts):
    """A key of the deployment was used otherwise than before."""

    key: Literal["wrapping", "tail"]
    key_id: str
    use: Literal["serve", "tail-replay"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdministratorActed(Facts):
    """Somebody who administers the deployment did something past the program."""

    act: Literal[
        "access-to-host",
        "access-to-database",
        "access-to-backup",
        "access-to-keys",
        "configuration",
        "other",
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRange:
    """Entries of a log, from `first` up to, and without, `end`."""

    origin: str
    first: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFaultPublished(Facts):
    """Something went wrong with these entries."""

    fault: str
    ranges: tuple[EntryRange, ...]


VAULT_FACTS: Final[dict[str, type[Facts]]] = {
    "vault-opened.1": VaultOpened,
    "vault-read.1": VaultRead,
    "vault-imported.1": VaultImported,
    "evidence-provided.1": EvidenceProvided,
    "evidence-replaced.1": EvidenceReplaced,
    "evidence-disputed.1": EvidenceDisputed,
    "dispute-resolved.1": DisputeResolved,
    "evidence-protected.1": EvidenceProtected,
    "protection-lifted.1": ProtectionLifted,
    "link-code-created.1": LinkCodeCreated,
    "sign-in-linked.1": SignInLinked1,
    "sign-in-linked.2": SignInLinked,
    "sign-in-unlinked.1": SignInUnlinked,
    "signed-out-everywhere.1": SignedOutEverywhere,
    "contact-set.1": ContactSet,
    "passkey-added.1": PasskeyAdded,
    "passkey-removed.1": PasskeyRemoved,
    "consent-requested.1": ConsentRequested1,
    "consent-requested.2": ConsentRequested,
    "consent-request-cancelled.1": ConsentRequestCancelled,
    "consent-refused.1": ConsentRefused,
    "consent-granted.1": ConsentGranted,
    "consent-narrowed.1": ConsentNarrowed,
    "consent-extended.1": ConsentExtended,
    "consent-paused.1": ConsentPaused,
    "consent-resumed.1": ConsentResumed,
    "consent-revoked.1": ConsentRevoked,
    "evidence-disclosed.1": EvidenceDisclosed,
    "disclosure-refused.1": DisclosureRefused,
    "recipient-reported.1": RecipientReported,
}
REGISTRY_FACTS: Final[dict[str, type[Facts]]] = {
    "organisation-registered.1": OrganisationRegistered,
    "service-registered.1": ServiceRegistered,
    "service-suspended.1": ServiceSuspended,
    "service-reinstated.1": ServiceReinstated,
    "purpose-published.1": PurposePublished,
    "purpose-withdrawn.1": PurposeWithdrawn,
    "evidence-type-published.1": EvidenceTypePublished,
    "receipt-key-listed.1": ReceiptKeyListed,
    "lane-listed.1": LaneListed,
    "log-key-listed.1": LogKeyListed,
}
REQUEST_FACTS: Final[dict[str, type[Facts]]] = {
    "request-made.1": RequestMade1,
    "request-made.2": RequestMade,
    "request-claimed.1": RequestClaimed,
    "request-redeemed.1": RequestRedeemed,
    "request-cancelled.1": RequestCancelled,
}
AUDIT_FACTS: Final[dict[str, type[Facts]]] = {"lane-replayed.1": LaneReplayed}
OPERATION_FACTS: Final[dict[str, type[Facts]]] = {
    "release-started.1": ReleaseStarted,
    "store-migrated.1": StoreMigrated,
    "store-restored.1": StoreRestored,
    "key-used.1": KeyUsed,
    "administrator-acted.1": AdministratorActed,
    "known-fault-published.1": KnownFaultPublished,
}


def _parts(value: Any) -> dict[str, Any]:
    return {part.name: getattr(value, part.name) for part in fields(value)}
