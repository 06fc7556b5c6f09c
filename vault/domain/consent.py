# SPDX-License-Identifier: Apache-2.0
"""Consent: a request in her vault, the terms that her choice comes to, granting and revoking.

What she decides is bound to what she saw: `shown_hash` = SHA-256 of canonical `[terms, items]` as
they stood on her page (GDPR Art. 7(1)). Revoking is never harder than granting (Art. 7(3)).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct, field
from msgspec.structs import replace

from vault.domain import evidence
from vault.domain.canonical import digest, encode
from vault.domain.errors import (
    ChoiceNotOfferedError,
    ConsentExpiredError,
    ConsentRevokedError,
    FieldInvalidError,
    NotFoundError,
    RequestAlreadyClaimedError,
    RequestAlreadyDecidedError,
    RequestExpiredError,
    ShownDiffersError,
)
from vault.domain.events import Draft, Event, Facts
from vault.domain.values import (
    AskedTerms,
    GrantedFields,
    Item,
    Mode,
    RequestedFields,
    Stamp,
    Terms,
    Time,
    Value,
    later,
)
from vault.domain.vault import must_be_sound

if TYPE_CHECKING:
    from vault.domain.registry import RegistryState
    from vault.domain.state import VaultState

SHOWN_FOR_HOURS = 24
"""How long what was shown may be decided on."""

ConsentStatus = Literal["active", "expired", "revoked"]
RequestStatus = Literal["pending", "granted", "expired"]


class ConsentRequested(Facts, frozen=True, tag="consent-requested.1"):
    """A request entered her vault when she claimed it."""

    service: str
    subject: str
    consent_request_id: str
    asked: AskedTerms
    expires: Time


class ConsentGranted(Facts, frozen=True, tag="consent-granted.1"):
    """She granted a consent. `link.items` map its items to her evidence."""

    service: str
    subject: str
    consent_id: str
    consent_request_id: str
    terms: Terms


class ConsentRevoked(Facts, frozen=True, tag="consent-revoked.1"):
    """She revoked it."""

    service: str
    subject: str
    consent_id: str


class Request(Value, frozen=True):
    """A request in her vault; `consent_id` is "" until she granted it."""

    consent_request_id: str
    subject: str
    asked: AskedTerms
    time: Time
    expires: Time
    consent_id: str = ""

    def status(self, time: Time) -> RequestStatus:
        """Return what it is at a time."""
        if self.consent_id:
            return "granted"
        return "expired" if time >= self.expires else "pending"


class Refusals(Value, frozen=True):
    """How often one reason was recorded on one UTC day."""

    day: str
    count: int


class Consent(Value, frozen=True):
    """A consent and what became of it. `window` is the frequency window of the last disclosure."""

    terms: Terms
    items: tuple[Item, ...]
    subject: str
    consent_request_id: str
    granted: Time
    revoked: Time = Time("")
    disclosures: int = 0
    last_disclosure: Time = Time("")
    window: int = 0
    window_count: int = 0
    refusals: dict[str, Refusals] = field(default_factory=dict)

    @property
    def service(self) -> str:
        """Return the service that may fetch."""
        return self.terms.recipient.service

    def status(self, time: Time) -> ConsentStatus:
        """Return what it is at a time. Expiry is no event: it follows from the terms."""
        if self.revoked:
            return "revoked"
        return "expired" if time >= self.terms.end else "active"

    def item(self, number: int) -> Item:
        """Return an item by its number, which must exist."""
        return next(item for item in self.items if item.item == number)


class ItemChoice(Struct, frozen=True, kw_only=True):
    """A piece of evidence and the fields of it that she lets be seen."""

    evidence_id: str
    names: tuple[str, ...]
    mode: Mode


class Choice(Struct, frozen=True, kw_only=True):
    """What she chooses for a request; `end` None is the request's."""

    items: tuple[ItemChoice, ...]
    end: Time | None
    language: str


class Shown(Struct, frozen=True, kw_only=True):
    """When her page was made and with which salt; the digest is of what stood on it."""

    time: Time
    salt: str


def receive(
    state: VaultState | None,
    stamp: Stamp,
    *,
    consent_request_id: str,
    subject: str,
    asked: AskedTerms,
    expires: Time,
) -> Draft:
    """Take a claimed request into her vault.

    Raises:
        VaultNotOpenError: if there is no vault.
        RequestAlreadyClaimedError: if it is there already.
    """
    if consent_request_id in must_be_sound(state).requests:
        raise RequestAlreadyClaimedError
    facts = ConsentRequested(
        time=stamp.time,
        salt=stamp.salt,
        service=asked.recipient.service,
        subject=subject,
        consent_request_id=consent_request_id,
        asked=asked,
        expires=expires,
    )
    return Draft(facts=facts)


def terms_of(
    state: VaultState | None,
    time: Time,
    *,
    consent_request_id: str,
    consent_id: str,
    choice: Choice,
    shown: Shown,
) -> tuple[Terms, tuple[Item, ...]]:
    """Return the terms and items that a choice comes to.

    Raises:
        VaultNotOpenError, NotFoundError: if there is no such request or piece of evidence.
        RequestAlreadyDecidedError, RequestExpiredError: if it waits for no answer.
        ChoiceNotOfferedError: naming what goes beyond the request or is missing.
    """
    vault = must_be_sound(state)
    request = find_request(vault, consent_request_id)
    match request.status(time):
        case "granted":
            raise RequestAlreadyDecidedError
        case "expired":
            raise RequestExpiredError
    asked = request.asked
    granted, items = _granted_fields(vault, asked, choice)
    end = choice.end or asked.end
    if end > asked.end:
        raise ChoiceNotOfferedError("choice.end_time", "It is later than the request's.")
    if end <= shown.time:
        raise ChoiceNotOfferedError("choice.end_time", "It does not lie in the future.")
    terms = Terms(
        consent_id=consent_id,
        recipient=asked.recipient,
        purpose=asked.purpose,
        basis=asked.basis,
        method=asked.method,
        scope=granted,
        start=shown.time,
        end=end,
        frequency=asked.frequency,
        one_time=asked.one_time,
        largest_age_days=asked.largest_age_days,
        retention_days=asked.retention_days,
        storage=asked.storage,
        jurisdiction=asked.jurisdiction,
        notice_hash=asked.notice_hash,
        language=choice.language,
        shown_time=shown.time,
        salt=shown.salt,
    )
    return terms, items


def shown_bytes(terms: Terms, items: tuple[Item, ...]) -> bytes:
    """Return canonical `[terms, items]`, whose SHA-256 is the shown_hash."""
    return encode([terms, items])


def grant(
    state: VaultState | None,
    registry: RegistryState,
    stamp: Stamp,
    *,
    consent_request_id: str,
    consent_id: str,
    choice: Choice,
    shown: Shown,
    shown_hash: str,
) -> Draft:
    """Grant a consent exactly as it was shown.

    Raises:
        ShownDiffersError: if the digest is not that of what the choice comes to, or it was shown
            before it was asked, in the future, or too long ago.
        ServiceSuspendedError, PurposeNotAllowedError: if the registry forbids it by now.
        See `terms_of` for the others.
    """
    terms, items = terms_of(
        state,
        stamp.time,
        consent_request_id=consent_request_id,
        consent_id=consent_id,
        choice=choice,
        shown=shown,
    )
    registry.service(terms.recipient.service)
    registry.purpose(terms.purpose.code, terms.recipient.service, terms.purpose.version)
    request = find_request(must_be_sound(state), consent_request_id)
    shown_until = later(shown.time, seconds=SHOWN_FOR_HOURS * 3600)
    if not request.time <= shown.time <= stamp.time <= shown_until or terms.end <= stamp.time:
        raise ShownDiffersError("shown")
    if digest(shown_bytes(terms, items)) != shown_hash:
        raise ShownDiffersError("shown")
    facts = ConsentGranted(
        time=stamp.time,
        salt=stamp.salt,
        service=terms.recipient.service,
        subject=request.subject,
        consent_id=consent_id,
        consent_request_id=consent_request_id,
        terms=terms,
    )
    return Draft(facts=facts, items=items)


def revoke(state: VaultState | None, stamp: Stamp, consent_id: str) -> Draft:
    """Revoke a consent.

    A broken history does not stop her: stopping must always be possible.

    Raises:
        NotFoundError: if there is none.
        ConsentRevokedError, ConsentExpiredError: if it has ended already.
    """
    if state is None:
        raise NotFoundError
    consent = find(state, consent_id)
    match consent.status(stamp.time):
        case "revoked":
            raise ConsentRevokedError
        case "expired":
            raise ConsentExpiredError
    facts = ConsentRevoked(
        time=stamp.time,
        salt=stamp.salt,
        service=consent.service,
        subject=consent.subject,
        consent_id=consent_id,
    )
    return Draft(facts=facts)


def find(state: VaultState, consent_id: str) -> Consent:
    """Return a consent.

    Raises:
        NotFoundError: if there is none.
    """
    consent = state.consents.get(consent_id)
    if consent is None:
        raise NotFoundError
    return consent


def find_request(state: VaultState, consent_request_id: str) -> Request:
    """Return a request.

    Raises:
        NotFoundError: if there is none.
    """
    request = state.requests.get(consent_request_id)
    if request is None:
        raise NotFoundError
    return request


def _granted_fields(
    vault: VaultState, asked: AskedTerms, choice: Choice
) -> tuple[tuple[GrantedFields, ...], tuple[Item, ...]]:
    """Number the chosen items, in the order of her choice, and match each with what was asked."""
    open_fields = list(asked.scope)
    granted: list[GrantedFields] = []
    items: list[Item] = []
    chosen_ids: set[str] = set()
    for number, chosen in enumerate(choice.items, start=1):
        path = f"choice.items[{number - 1}]"
        piece = evidence.find(vault, chosen.evidence_id)
        if chosen.evidence_id in chosen_ids:
            raise ChoiceNotOfferedError(path, "This piece of evidence is chosen twice.")
        chosen_ids.add(chosen.evidence_id)
        fields = _take(open_fields, piece.evidence_type, frozenset(chosen.names))
        if fields is None:
            raise ChoiceNotOfferedError(path, "The request does not ask for this.")
        names = set(chosen.names)
        if not names:
            raise FieldInvalidError(f"{path}.names", "Nothing is chosen.")
        if not names.issuperset(fields.required):
            raise ChoiceNotOfferedError(f"{path}.names", "A required field is missing.")
        if not names.issubset(piece.current.updated):
            raise ChoiceNotOfferedError(f"{path}.names", "The evidence does not have this field.")
        granted.append(
            GrantedFields(
                item=number,
                evidence_type=piece.evidence_type,
                mode=chosen.mode,
                required=fields.required,
                optional=tuple(sorted(names - set(fields.required))),
            )
        )
        revision = piece.current.revision if chosen.mode == "pinned" else 0
        items.append(Item(item=number, evidence_id=chosen.evidence_id, revision=revision))
    if any(fields.required for fields in open_fields):
        raise ChoiceNotOfferedError("choice.items", "Something that is required is missing.")
    if not granted:
        raise FieldInvalidError("choice.items", "Nothing is chosen.")
    return tuple(granted), tuple(items)


def _take(
    open_fields: list[RequestedFields], evidence_type: str, names: frozenset[str]
) -> RequestedFields | None:
    for fields in open_fields:
        asked_names = names.issubset(fields.required + fields.optional)
        if fields.evidence_type == evidence_type and asked_names:
            open_fields.remove(fields)
            return fields
    return None


def requested(state: VaultState, event: Event, facts: ConsentRequested) -> VaultState:
    """Fold `ConsentRequested`."""
    del event
    request = Request(
        consent_request_id=facts.consent_request_id,
        subject=facts.subject,
        asked=facts.asked,
        time=facts.time,
        expires=facts.expires,
    )
    return replace(state, requests={**state.requests, facts.consent_request_id: request})


def granted(state: VaultState, event: Event, facts: ConsentGranted) -> VaultState:
    """Fold `ConsentGranted`."""
    consent = Consent(
        terms=facts.terms,
        items=event.link.items,
        subject=facts.subject,
        consent_request_id=facts.consent_request_id,
        granted=facts.time,
    )
    requests = state.requests
    request = requests.get(facts.consent_request_id)
    if request is not None:
        answered = replace(request, consent_id=facts.consent_id)
        requests = {**requests, facts.consent_request_id: answered}
    return replace(state, requests=requests, consents={**state.consents, facts.consent_id: consent})


def revoked(state: VaultState, event: Event, facts: ConsentRevoked) -> VaultState:
    """Fold `ConsentRevoked`."""
    del event
    consent = state.consents.get(facts.consent_id)
    if consent is None:
        return state
    ended = replace(consent, revoked=facts.time)
    return replace(state, consents={**state.consents, facts.consent_id: ended})
