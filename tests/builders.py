# SPDX-License-Identifier: Apache-2.0
"""Events and values for tests: small, with honest defaults, each changed by keyword.

A test of the domain begins with what happened, `happened(vault_opened(), evidence_provided())`,
calls a verb and looks at what was decided. Mair's address goes to one service; nothing is signed.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec.structs import asdict, replace

from vault.domain import registry, request, state
from vault.domain.amendment import ConsentExtended, ConsentNarrowed
from vault.domain.canonical import b64, digest
from vault.domain.choice import Choice, ItemChoice, Shown
from vault.domain.consent import ConsentGranted, ConsentPaused, ConsentResumed, ConsentRevoked
from vault.domain.contact import ContactSet
from vault.domain.disclosure import Attempt, DisclosureRefused, EvidenceDisclosed, Selection
from vault.domain.dispute import DisputeResolved, EvidenceDisputed
from vault.domain.events import Draft, Event, Facts, Link
from vault.domain.evidence import EvidenceProvided, EvidenceReplaced
from vault.domain.passkey import NewPasskey, PasskeyAdded, PasskeyRemoved
from vault.domain.registry import (
    Bounds,
    EvidenceTypePublished,
    FieldDefinition,
    OrganisationRegistered,
    PurposePublished,
    RegistryState,
    ServiceRegistered,
)
from vault.domain.report import RecipientReported
from vault.domain.request import (
    ConsentRefused,
    ConsentRequestCancelled,
    ConsentRequested,
    Question,
    RequestCancelled,
    RequestClaimed,
    RequestMade,
    RequestState,
)
from vault.domain.sign_in import SignInLinked, SignInUnlinked
from vault.domain.state import VaultState
from vault.domain.values import (
    NO_APPROVAL,
    NO_REGISTRY,
    Acting,
    AskedTerms,
    Basis,
    Capacity,
    DisclosedFields,
    Frequency,
    GrantedFields,
    Item,
    PayloadMark,
    PurposeVersion,
    Recipient,
    RequestedFields,
    Stamp,
    Terms,
    Time,
    TypeFields,
    later,
)
from vault.domain.vault import VaultOpened, VaultRead
from vault.store.record import first_leaf, link_event

ORIGIN: Final = "test/0"
VAULT: Final = "00000000-1111-8000-8000-00000000000a"
REGISTRY: Final = "00000000-1111-8000-8000-00000000000b"
REQUEST: Final = "00000000-1111-8000-8000-00000000000c"
OTHER_REQUEST: Final = "00000000-1111-8000-8000-0000000000c2"
ORGANISATION: Final = "11111111-1111-8000-8000-0000000000d1"
SERVICE: Final = "11111111-1111-8000-8000-0000000000d2"
OTHER_SERVICE: Final = "11111111-1111-8000-8000-0000000000d3"
SUBJECT: Final = "22222222-1111-4000-8000-0000000000e1"
OTHER_SUBJECT: Final = "22222222-1111-4000-8000-0000000000e2"
ADDRESS: Final = "33333333-1111-8000-8000-0000000000a1"
OTHER_ADDRESS: Final = "33333333-1111-8000-8000-0000000000a2"
INCOME: Final = "33333333-1111-8000-8000-0000000000a3"
CONSENT: Final = "44444444-1111-8000-8000-0000000000f1"
OTHER_CONSENT: Final = "44444444-1111-8000-8000-0000000000f2"
DISPUTE: Final = "55555555-1111-8000-8000-0000000000b1"
OTHER_DISPUTE: Final = "55555555-1111-8000-8000-0000000000b2"
SIGN_IN: Final = "66666666-1111-8000-8000-0000000000c1"
PASSKEY: Final = "88888888-1111-8000-8000-0000000000f1"
OTHER_SIGN_IN: Final = "66666666-1111-8000-8000-0000000000c2"
ABSENT: Final = "ffffffff-1111-8000-8000-00000000ffff"

ADDRESS_NAMES: Final = ("addressCountry", "postalCode", "streetName")
INCOME_NAMES: Final = ("amount", "payer")
SALT: Final = b64(bytes(range(16)))
NOTICE: Final = digest(b"texts")
BUNDLE: Final = digest(b"bundle")
CODE: Final = "the-code-that-came-back-through-her-browser"
VERIFIER: Final = "verifier-of-43-characters-or-more-0123456789"
DAY: Final = 86_400
ONCE: Final = Frequency(count=0, period_seconds=0)


# --- Times ---------------------------------------------------------------------------------------


def at(seconds: float = 0, *, days: int = 0) -> Time:
    """Return a time so long after 9 o'clock UTC on a Monday."""
    return later(Time("2026-03-02T09:00:00.000000Z"), days=days, seconds=seconds)


def a_stamp(time: Time) -> Stamp:
    """Return when an event happens, with a salt."""
    return Stamp(time=time, salt=SALT)


# --- What happened -------------------------------------------------------------------------------


def linked(drafts: Iterable[Draft], stream: str = VAULT) -> list[Event]:
    """Return drafts as events of one stream, each linked to the one before."""
    events: list[Event] = []
    for version, draft in enumerate(drafts, start=1):
        link = Link(
            origin=ORIGIN,
            stream=stream,
            version=version,
            previous_leaf=events[-1].leaf if events else first_leaf(ORIGIN, stream),
            request_key="",
            acting=_acting(draft.facts),
            approval=NO_APPROVAL,
            items=draft.items,
            registry=NO_REGISTRY,
            payloads=_marks(draft.facts),
            salt=SALT,
        )
        events.append(link_event(link, draft.facts))
    return events


def happened(*drafts: Draft) -> VaultState:
    """Return the state of a vault in which this happened."""
    after = reduce(state.fold, linked(drafts), None)
    assert after is not None
    return after


def registered(*more: Draft) -> RegistryState:
    """Return a registry with two services and one purpose, in which more happened."""
    return registry_of(*the_registry(), *more)


def registry_of(*drafts: Draft) -> RegistryState:
    """Return a registry in which this happened and nothing else."""
    events = linked(drafts, REGISTRY)
    return reduce(registry.fold, events, RegistryState(stream=REGISTRY))


def asked(*more: Draft) -> RequestState:
    """Return a request that was made, and to which more happened."""
    after = reduce(request.fold, linked([request_made(), *more], REQUEST), None)
    assert after is not None
    return after


def drafted(facts: Facts, *items: Item) -> Draft:
    """Return facts, and the items that they concern."""
    return Draft(facts=facts, items=items)


def _acting(facts: Facts) -> Acting:
    """Return who acts: the service delivers its request, all else is hers."""
    is_delivered = isinstance(facts, ConsentRequested)
    capacity: Capacity = "service" if is_delivered else "self"
    return Acting(actor="", capacity=capacity, mandate="", channel="api")


def _marks(facts: Facts) -> tuple[PayloadMark, ...]:
    match facts:
        case PurposePublished():
            return (PayloadMark(kind="texts", hash=NOTICE, key_id="", commitment=""),)
        case EvidenceProvided() | EvidenceReplaced():
            return (PayloadMark(kind="evidence", hash=BUNDLE, key_id="k", commitment=BUNDLE),)
        case ContactSet():
            return (PayloadMark(kind="contact", hash=BUNDLE, key_id="k", commitment=BUNDLE),)
        case EvidenceDisputed():
            return (PayloadMark(kind="statement", hash=BUNDLE, key_id="k", commitment=BUNDLE),)
        case _:
            return ()


# --- Events of a vault ---------------------------------------------------------------------------


def vault_opened() -> Draft:
    """Return that she opened her vault."""
    return drafted(VaultOpened(time=at(), salt=SALT))


def vault_read(time: Time | None = None) -> Draft:
    """Return that somebody other than herself looked."""
    return drafted(VaultRead(time=time or at(6), salt=SALT, what="evidence"))


def evidence_provided(evidence_id: str = ADDRESS, **changes: Any) -> Draft:
    """Return that she provided her address."""
    facts = EvidenceProvided(
        time=at(1),
        salt=SALT,
        evidence_type="postal_address",
        schema_version=1,
        issued_date="",
        source="self-declared",
        issuer="",
        names=ADDRESS_NAMES,
    )
    item = Item(item=0, evidence_id=evidence_id, revision=1)
    return drafted(replace(facts, **changes), item)


def income_provided(**changes: Any) -> Draft:
    """Return that she provided her income."""
    return evidence_provided(
        **{"evidence_id": INCOME, "evidence_type": "income", "names": INCOME_NAMES, **changes}
    )


def evidence_replaced(evidence_id: str = ADDRESS, revision: int = 2, **changes: Any) -> Draft:
    """Return that she moved within her street."""
    facts = EvidenceReplaced(
        time=at(5),
        salt=SALT,
        evidence_type="postal_address",
        schema_version=1,
        issued_date="",
        source="self-declared",
        issuer="",
        names=ADDRESS_NAMES,
        changed=("postalCode",),
    )
    item = Item(item=0, evidence_id=evidence_id, revision=revision)
    return drafted(replace(facts, **changes), item)


def evidence_disputed(dispute_id: str = DISPUTE, revision: int = 1, **changes: Any) -> Draft:
    """Return that she said her postcode is wrong."""
    facts = EvidenceDisputed(
        time=at(6),
        salt=SALT,
        evidence_type="postal_address",
        dispute_id=dispute_id,
        names=("postalCode",),
        is_shared=False,
    )
    item = Item(item=0, evidence_id=ADDRESS, revision=revision)
    return drafted(replace(facts, **changes), item)


def dispute_resolved(dispute_id: str = DISPUTE, revision: int = 1, **changes: Any) -> Draft:
    """Return that she took it back."""
    facts = DisputeResolved(
        time=at(7),
        salt=SALT,
        evidence_type="postal_address",
        dispute_id=dispute_id,
        outcome="withdrawn",
    )
    item = Item(item=0, evidence_id=ADDRESS, revision=revision)
    return drafted(replace(facts, **changes), item)


def sign_in_linked(sign_in: str = SIGN_IN, time: Time | None = None) -> Draft:
    """Return that a code on paper leads to her vault."""
    facts = SignInLinked(
        time=time or at(1), salt=SALT, sign_in=sign_in, means="assistance-code", link_code=""
    )
    return drafted(facts)


def sign_in_unlinked(sign_in: str = SIGN_IN, time: Time | None = None) -> Draft:
    """Return that the code leads there no more."""
    return drafted(SignInUnlinked(time=time or at(7), salt=SALT, sign_in=sign_in))


def a_key(**changes: Any) -> NewPasskey:
    """Return the key of a passkey, the same each time."""
    private = ec.derive_private_key(42, ec.SECP256R1())
    public_key = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    key = NewPasskey(
        credential=b64(bytes(range(16))),
        algorithm="ES256",
        public_key=b64(public_key),
        rp_id="vault.aber.example",
    )
    return replace(key, **changes)


def contact_set(time: Time | None = None) -> Draft:
    """Return that she said how she is reached."""
    return drafted(ContactSet(time=time or at(6), salt=SALT))


def passkey_added(passkey_id: str = PASSKEY, time: Time | None = None, **changes: Any) -> Draft:
    """Return that she added a passkey; `changes` are of its key."""
    parts = asdict(a_key(**changes))
    return drafted(PasskeyAdded(time=time or at(2), salt=SALT, passkey_id=passkey_id, **parts))


def passkey_removed(passkey_id: str = PASSKEY, time: Time | None = None) -> Draft:
    """Return that she removed it."""
    return drafted(PasskeyRemoved(time=time or at(8), salt=SALT, passkey_id=passkey_id))


def consent_requested(request_id: str = REQUEST, **changes: Any) -> Draft:
    """Return that a request for her address entered her vault; `changes` are of what is asked."""
    facts = ConsentRequested(
        time=at(2),
        salt=SALT,
        service=SERVICE,
        subject=SUBJECT,
        consent_request_id=request_id,
        asked=asked_terms(**changes),
        expires=at(2, days=30),
    )
    return drafted(facts)


def consent_request_cancelled(request_id: str = REQUEST, time: Time | None = None) -> Draft:
    """Return that the service took its request back."""
    facts = ConsentRequestCancelled(
        time=time or at(3),
        salt=SALT,
        service=SERVICE,
        subject=SUBJECT,
        consent_request_id=request_id,
    )
    return drafted(facts)


def consent_refused(request_id: str = REQUEST, time: Time | None = None) -> Draft:
    """Return that she said no."""
    facts = ConsentRefused(
        time=time or at(3),
        salt=SALT,
        service=SERVICE,
        subject=SUBJECT,
        consent_request_id=request_id,
    )
    return drafted(facts)


def consent_granted(*items: Item, request_id: str = REQUEST, **changes: Any) -> Draft:
    """Return that she granted it; `changes` are of the terms."""
    terms = some_terms(**changes)
    facts = ConsentGranted(
        time=at(3),
        salt=SALT,
        service=terms.recipient.service,
        subject=SUBJECT,
        consent_id=terms.consent_id,
        consent_request_id=request_id,
        terms=terms,
    )
    return drafted(facts, *(items or (an_item(),)))


def consent_paused(consent_id: str = CONSENT, time: Time | None = None) -> Draft:
    """Return that she paused it."""
    facts = ConsentPaused(
        time=time or at(5), salt=SALT, service=SERVICE, subject=SUBJECT, consent_id=consent_id
    )
    return drafted(facts)


def consent_resumed(consent_id: str = CONSENT, time: Time | None = None) -> Draft:
    """Return that she let it go on."""
    facts = ConsentResumed(
        time=time or at(6), salt=SALT, service=SERVICE, subject=SUBJECT, consent_id=consent_id
    )
    return drafted(facts)


def consent_narrowed(*items: Item, time: Time | None = None, **changes: Any) -> Draft:
    """Return that she shares less: her postcode alone, or `changes` of the terms."""
    changes = {"scope": (granted_fields(optional=()),), "shown_time": time or at(6), **changes}
    facts = ConsentNarrowed(
        time=time or at(6),
        salt=SALT,
        service=SERVICE,
        subject=SUBJECT,
        consent_id=CONSENT,
        terms=some_terms(**changes),
    )
    return drafted(facts, *(items or (an_item(),)))


def consent_extended(time: Time | None = None, **changes: Any) -> Draft:
    """Return that she shares for longer: until the 25th day, or `changes` of the terms."""
    facts = ConsentExtended(
        time=time or at(7),
        salt=SALT,
        service=SERVICE,
        subject=SUBJECT,
        consent_id=CONSENT,
        terms=some_terms(**{"end": at(days=25), "shown_time": at(6), **changes}),
    )
    return drafted(facts, an_item())


def consent_revoked(consent_id: str = CONSENT, time: Time | None = None) -> Draft:
    """Return that she revoked it."""
    facts = ConsentRevoked(
        time=time or at(8), salt=SALT, service=SERVICE, subject=SUBJECT, consent_id=consent_id
    )
    return drafted(facts)


def evidence_disclosed(time: Time | None = None, **changes: Any) -> Draft:
    """Return that her postcode left."""
    facts = EvidenceDisclosed(
        time=time or at(10),
        salt=SALT,
        service=SERVICE,
        subject=SUBJECT,
        consent_id=CONSENT,
        purpose="care@1",
        fields=(DisclosedFields(item=1, names=("postalCode",)),),
        bundle_hash=BUNDLE,
        repeats="",
    )
    return drafted(replace(facts, **changes), Item(item=1, evidence_id=ADDRESS, revision=1))


def disclosure_refused(time: Time | None = None, reason: str = "CONSENT_REVOKED") -> Draft:
    """Return that the service was refused."""
    facts = DisclosureRefused(
        time=time or at(12),
        salt=SALT,
        service=SERVICE,
        subject=SUBJECT,
        consent_id=CONSENT,
        purpose="care@1",
        fields=(TypeFields(evidence_type="postal_address", names=("postalCode",)),),
        reason=reason,
        more_unlisted=False,
    )
    return drafted(facts)


def recipient_reported(time: Time | None = None, **changes: Any) -> Draft:
    """Return that the service told that it received the matter, or `changes` of that."""
    facts = RecipientReported(
        time=time or at(13),
        salt=SALT,
        service=SERVICE,
        subject=SUBJECT,
        consent_id=CONSENT,
        purpose="care@1",
        kind="progress",
        status="received",
    )
    return drafted(replace(facts, **changes))


def a_consent(**changes: Any) -> tuple[Draft, ...]:
    """Return everything up to a consent for her address; `changes` are of the terms."""
    return (
        vault_opened(),
        evidence_provided(),
        income_provided(),
        consent_requested(),
        consent_granted(**changes),
    )


# --- Events of the registry and of a request -----------------------------------------------------


def the_registry() -> tuple[Draft, ...]:
    """Return how an organisation, two services, two evidence types and a purpose came to be."""
    common: dict[str, Any] = {"time": at(), "salt": SALT}
    services = [
        ServiceRegistered(service=service, organisation=ORGANISATION, **common)
        for service in (SERVICE, OTHER_SERVICE)
    ]
    return (
        drafted(OrganisationRegistered(organisation=ORGANISATION, **common)),
        *(drafted(service) for service in services),
        evidence_type_published("postal_address", ADDRESS_NAMES),
        evidence_type_published("income", INCOME_NAMES),
        purpose_published(),
    )


def evidence_type_published(
    evidence_type: str, names: tuple[str, ...], schema_version: int = 1
) -> Draft:
    """Return that a version of an evidence type was published."""
    facts = EvidenceTypePublished(
        time=at(),
        salt=SALT,
        evidence_type=evidence_type,
        schema_version=schema_version,
        fields=tuple(FieldDefinition(name=name, sensitivity="ordinary") for name in names),
    )
    return drafted(facts)


def purpose_published(code: str = "care", version: int = 1, **changes: Any) -> Draft:
    """Return that a purpose was published; `changes` are of its bounds."""
    purpose = a_purpose(code, version)
    return drafted(
        PurposePublished(time=at(), salt=SALT, purpose=purpose, bounds=some_bounds(**changes))
    )


def request_made(**changes: Any) -> Draft:
    """Return that the service asked for her address; `changes` are of what is asked."""
    facts = RequestMade(
        time=at(),
        salt=SALT,
        asked=asked_terms(**changes),
        subject="",
        code_challenge=digest(VERIFIER.encode()),
        expires=at(days=30),
    )
    return drafted(facts)


def request_claimed(code: str = CODE) -> Draft:
    """Return that she took it into her vault."""
    code_hash = digest(code.encode())
    return drafted(RequestClaimed(time=at(1), salt=SALT, subject=SUBJECT, code_hash=code_hash))


def request_cancelled() -> Draft:
    """Return that the service took it back."""
    return drafted(RequestCancelled(time=at(1), salt=SALT))


# --- Values --------------------------------------------------------------------------------------


def a_purpose(code: str = "care", version: int = 1) -> PurposeVersion:
    """Return a version of a purpose."""
    return PurposeVersion(code=code, version=version, iri="https://w3id.org/dpv#ServiceProvision")


def some_bounds(**changes: Any) -> Bounds:
    """Return the bounds of the purpose: address and income, a month, four a day."""
    bounds = Bounds(
        services=(SERVICE,),
        basis=Basis(code="public-task", statute="Care Act 2014 s.9"),
        evidence=(
            TypeFields(evidence_type="income", names=INCOME_NAMES),
            TypeFields(evidence_type="postal_address", names=("postalCode", "streetName")),
        ),
        longest_days=30,
        frequency=Frequency(count=4, period_seconds=DAY),
        retention_days=90,
        method="store",
        storage="GB",
        jurisdiction="GB",
    )
    return replace(bounds, **changes)


def asked_terms(**changes: Any) -> AskedTerms:
    """Return what the service asks: her postcode, and her street if she likes."""
    bounds = some_bounds()
    terms = AskedTerms(
        recipient=Recipient(service=SERVICE, organisation=ORGANISATION),
        purpose=a_purpose(),
        basis=bounds.basis,
        method=bounds.method,
        scope=(requested_fields(),),
        start=at(),
        end=at(days=20),
        frequency=bounds.frequency,
        one_time=False,
        largest_age_days=0,
        retention_days=30,
        storage=bounds.storage,
        jurisdiction=bounds.jurisdiction,
        notice_hash=NOTICE,
    )
    return replace(terms, **changes)


def requested_fields(
    evidence_type: str = "postal_address",
    required: tuple[str, ...] = ("postalCode",),
    optional: tuple[str, ...] = ("streetName",),
) -> RequestedFields:
    """Return fields that a service asks for."""
    return RequestedFields(evidence_type=evidence_type, required=required, optional=optional)


def a_question(**changes: Any) -> Question:
    """Return what a service asks, where everything that may be left out is."""
    question = Question(
        purpose_code="care",
        scope=(requested_fields(),),
        start=None,
        end=None,
        frequency=None,
        largest_age_days=0,
        retention_days=30,
        expires=None,
        subject="",
        code_challenge=digest(VERIFIER.encode()),
    )
    return replace(question, **changes)


def a_choice(*items: ItemChoice, **changes: Any) -> Choice:
    """Return that she chooses the required field of her address, and nothing more."""
    choice = Choice(items=items or (an_item_choice(),), start=None, end=None, language="en")
    return replace(choice, **changes)


def an_item_choice(evidence_id: str = ADDRESS, **changes: Any) -> ItemChoice:
    """Return that she chooses the postcode of a piece of evidence."""
    chosen = ItemChoice(evidence_id=evidence_id, names=("postalCode",), mode="following")
    return replace(chosen, **changes)


def a_page(time: Time | None = None) -> Shown:
    """Return that her page was made just before she granted."""
    return Shown(time=time or at(3), salt=SALT)


def some_terms(**changes: Any) -> Terms:
    """Return the terms of a consent for her postcode and street: four a day until the 20th day."""
    offered = asked_terms()
    terms = Terms(
        consent_id=CONSENT,
        recipient=offered.recipient,
        purpose=offered.purpose,
        basis=offered.basis,
        method=offered.method,
        scope=(granted_fields(),),
        start=at(3),
        end=offered.end,
        frequency=offered.frequency,
        one_time=False,
        largest_age_days=0,
        retention_days=offered.retention_days,
        storage=offered.storage,
        jurisdiction=offered.jurisdiction,
        notice_hash=offered.notice_hash,
        language="en",
        shown_time=at(3),
        salt=SALT,
    )
    return replace(terms, **changes)


def granted_fields(item: int = 1, **changes: Any) -> GrantedFields:
    """Return postcode and street of one item."""
    fields = GrantedFields(
        item=item,
        evidence_type="postal_address",
        mode="following",
        required=("postalCode",),
        optional=("streetName",),
    )
    return replace(fields, **changes)


def an_item(item: int = 1, evidence_id: str = ADDRESS, revision: int = 0) -> Item:
    """Return to which evidence an item leads; revision 0 follows replacements."""
    return Item(item=item, evidence_id=evidence_id, revision=revision)


def an_attempt(*selections: Selection, **changes: Any) -> Attempt:
    """Return that the service fetches her postcode."""
    attempt = Attempt(
        service=SERVICE,
        subject=SUBJECT,
        consent_id=CONSENT,
        purpose_code="care",
        selections=selections or (a_selection(),),
    )
    return replace(attempt, **changes)


def a_selection(*names: str, **changes: Any) -> Selection:
    """Return fields of the consent's only address."""
    selection = Selection(item=0, evidence_type="postal_address", names=names or ("postalCode",))
    return replace(selection, **changes)
