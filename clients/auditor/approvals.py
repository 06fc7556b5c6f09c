# SPDX-License-Identifier: Apache-2.0
"""Whether a decision is shown to be hers, by the sealed proof beside its record.

    shown_hash   SHA-256(what stood on her page, canonical, salt and time within)
    challenge    SHA-256(canonical ["citizen-vault/decision/1", stored name, shown_hash])

Her provider signed the challenge as the nonce of an ID token (`provider.py`), or her passkey did
(`passkeys.py`), which she had added with such a token. What was shown must be what the record says.
An operator can write any record, and can sign for neither. One history has one signer: the ID
tokens of all its proofs name the same person, so that the operator cannot sign in as another. A
sign-in that she is shown to have let in may have another name, and the same one ever after.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from clients.auditor.canonical import (
    FormError,
    digest,
    encode,
    microseconds,
    parse_canonical,
    unb64,
)
from clients.auditor.facts import (
    ConsentExtended,
    ConsentGranted,
    ConsentResumed,
    Facts,
    Item,
    Link,
    LinkCodeCreated,
    PasskeyAdded,
    PasskeyRemoved,
    SignInLinked,
    Terms,
)
from clients.auditor.forms import Salt, Time, read
from clients.auditor.history import Consent
from clients.auditor.passkeys import verify_assertion
from clients.auditor.provider import Provider, Signer, open_token

FORM: Final = "citizen-vault/decision/1"
NEEDS_PROOF: Final = (
    ConsentGranted,
    ConsentExtended,
    ConsentResumed,
    PasskeyAdded,
    LinkCodeCreated,
)
"""Whatever else she does either stops something, or is undone as easily as it was done."""

LONGEST_AGE: Final = 3600 * 1_000_000
"""Her provider signed at most so long before it was recorded, in microseconds."""
CLOCKS_DIFFER: Final = 60 * 1_000_000
SHOWN_WITHIN: Final = 86_400 * 1_000_000

_NO_PROOF: Final = {
    "": "nothing approves it",
    "session": "she was signed in, which proves nothing beyond the operator's word",
    "staff-assisted": "an official says that she agreed",
    "paper": "an official says that a paper says so",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """The decision is hers: `by` her provider or her passkey; `challenge` is what was signed."""

    by: Literal["oidc-step-up", "webauthn"]
    challenge: str
    signer: Signer
    """Of the ID token, or of the one with which her passkey was added."""


@dataclass(frozen=True, slots=True)
class NotShown:
    """Nothing shows that it is hers."""

    why: str


@dataclass(frozen=True, slots=True)
class Sealed:
    """The proof, or that of the passkey that signed it, is sealed from this reader."""


Judgement = Shown | NotShown | Sealed


# --- The sealed proof --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class StepUpProof:
    """An ID token of her provider, and what stood on her page."""

    kind: Literal["oidc-step-up"]
    shown: str
    proof: str
    salt: Salt


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """What a passkey signed, in base64url."""

    passkey_id: str
    authenticator_data: str
    client_data_json: str
    signature: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PasskeyProof:
    """What her passkey signed, and what stood on her page."""

    kind: Literal["webauthn"]
    shown: str
    proof: Signed
    salt: Salt


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPasskey:
    """A passkey as it stood on her page."""

    credential: str
    algorithm: str
    public_key: str
    rp_id: str
    shown_time: Time
    salt: Salt


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownLinkCode:
    """What stood on her page when she let another sign-in be linked."""

    good_seconds: int
    wait_seconds: int
    shown_time: Time
    salt: Salt


# --- Judging -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Keys:
    """By whose keys decisions are judged: her provider's, and her passkeys that were not removed.

    With each passkey stands whether it is shown that she added it.
    """

    provider: Provider | None = None
    passkeys: Mapping[str, tuple[PasskeyAdded, Judgement]] = field(default_factory=dict)


@dataclass(slots=True)
class Approvals:
    """The approvals of one vault, judged record by record, each in the state before it."""

    passkeys: dict[str, tuple[PasskeyAdded, Judgement]] = field(default_factory=dict)
    used: dict[str, int] = field(default_factory=dict)
    """In which version each challenge was used."""
    signers: dict[str, Signer] = field(default_factory=dict)
    """Who approved by each sign-in of hers; nothing but a pinned one says that the first is she."""
    link_codes: dict[str, bool] = field(default_factory=dict)
    """Whether each code is shown to be hers."""
    let_in: set[str] = field(default_factory=set)
    """The sign-ins that were linked with a code of hers."""
    others: set[str] = field(default_factory=set)
    """The sign-ins that were linked with a code that is not shown to be hers."""

    @property
    def signer(self) -> Signer | None:
        """Return who approved the first of them."""
        return next(iter(self.signers.values()), None)

    def judge(
        self,
        link: Link,
        facts: Facts,
        payload: bytes | None,
        provider: Provider | None,
        consent: Consent | None = None,
    ) -> Judgement | None:
        """Return whether a record is shown to be her decision; None if it needs no proof.

        Args:
            payload: its payload of kind "approval", opened; None if it is sealed from this reader.
            provider: her sign-in provider's keys; None if they were not given.
            consent: the one concerned, as it stood before.
        """
        if isinstance(facts, PasskeyRemoved):
            self.passkeys.pop(facts.passkey_id, None)
        if isinstance(facts, SignInLinked) and facts.link_code:
            is_hers = self.link_codes.pop(facts.link_code, False)
            (self.let_in if is_hers else self.others).add(facts.sign_in)
        if not isinstance(facts, NEEDS_PROOF):
            return None
        keys = Keys(provider, self.passkeys)
        judgement = judge_approval(link, facts, payload, keys, consent)
        if isinstance(judgement, Shown):
            is_known = provider is not None and provider.is_pinned
            judgement = self._once_and_hers(link, judgement, is_known=is_known)
        if isinstance(facts, LinkCodeCreated):
            self.link_codes[facts.link_code] = isinstance(judgement, Shown)
        if isinstance(facts, PasskeyAdded):
            self.passkeys[facts.passkey_id] = (facts, judgement)
        return judgement

    def _once_and_hers(self, link: Link, shown: Shown, *, is_known: bool) -> Judgement:
        """Return whether she herself approved, and this alone.

        Args:
            is_known: whoever signed is one of those that the auditor knows to be her.
        """
        if (before := self.used.get(shown.challenge)) is not None:
            return NotShown(f"its challenge was used before, at version {before}")
        self.used[shown.challenge] = link.version
        if shown.signer in self.signers.values():
            return shown
        is_new = link.acting.actor in self.let_in and link.acting.actor not in self.signers
        if self.signers and not is_new:
            return NotShown("somebody else approved it than approved what came before")
        if link.acting.actor in self.others and not is_known:
            # Who was let in by others is not she for having been the first to approve anything.
            return NotShown("the sign-in by which it was approved is not shown to be let in by her")
        self.signers[link.acting.actor] = shown.signer
        return shown


def judge_approval(
    link: Link, facts: Facts, payload: bytes | None, keys: Keys, consent: Consent | None = None
) -> Judgement:
    """Return whether one decision is shown to be hers, as far as it can be told by itself."""
    if why := _NO_PROOF.get(link.approval.kind):
        return NotShown(why)
    if payload is None:
        return Sealed()
    if digest(payload) != link.approval.proof_hash:
        return NotShown("its proof is not the one that the record names")
    try:
        proof = _read_proof(link.approval.kind, payload)
        challenge = challenge_of(facts, proof.shown)
        _check_shown(link, facts, proof.shown, consent)
        if isinstance(proof, StepUpProof):
            return _by_provider(facts, proof.proof, challenge, keys.provider)
        return _by_passkey(facts, proof.proof, challenge, keys.passkeys)
    except FormError as error:
        return NotShown(f"its proof {error}")


def challenge_of(facts: Facts, shown: str) -> str:
    """Return what had to be signed for a decision, base64url."""
    return digest(encode([FORM, facts.type, digest(shown.encode())]).encode())


def _read_proof(kind: str, payload: bytes) -> StepUpProof | PasskeyProof:
    try:
        value = parse_canonical(payload.decode("ascii"))
    except UnicodeDecodeError:
        raise FormError("is not in the form in which it is sealed") from None
    form: Any = StepUpProof if kind == "oidc-step-up" else PasskeyProof
    proof: StepUpProof | PasskeyProof = read(form, value, "it")
    return proof


def _check_shown(link: Link, facts: Facts, shown: str, consent: Consent | None) -> None:
    """Check that what she was shown is what the record says."""
    value = parse_canonical(shown)
    if isinstance(facts, PasskeyAdded):
        page = read(ShownPasskey, value, "what was shown")
        said = [facts.credential, facts.algorithm, facts.public_key, facts.rp_id]
        if said != [page.credential, page.algorithm, page.public_key, page.rp_id]:
            raise FormError("was made for another passkey")
        _check_time(facts, page.shown_time)
        return
    if isinstance(facts, LinkCodeCreated):
        _check_link_code(facts, read(ShownLinkCode, value, "what was shown"))
        return
    if not isinstance(value, list) or len(value) != 2 or not isinstance(value[1], list):
        raise FormError("does not say what was shown")
    terms = read(Terms, value[0], "what was shown")
    items = tuple(read(Item, item, "what was shown") for item in value[1])
    if isinstance(facts, ConsentGranted | ConsentExtended):
        if (terms, items) != (facts.terms, link.items):
            raise FormError("was made for other terms than those that were recorded")
    elif isinstance(facts, ConsentResumed):
        _check_resumed(terms, items, consent)
    _check_time(facts, terms.shown_time)


def _check_link_code(facts: LinkCodeCreated, page: ShownLinkCode) -> None:
    good = microseconds(facts.expires) - microseconds(facts.time)
    if (good, facts.wait_seconds) != (page.good_seconds * 1_000_000, page.wait_seconds):
        raise FormError("was made for a code that is good, or lets wait, for another time")
    _check_time(facts, page.shown_time)


def _check_resumed(terms: Terms, items: tuple[Item, ...], consent: Consent | None) -> None:
    """Check that what she let go on is the consent as it stood, and since it was paused."""
    if consent is None:
        raise FormError("is for a consent that this reader does not see")
    now = consent.terms
    as_now = _parts(terms, shown_time=now.shown_time, salt=now.salt)
    if as_now != _parts(now) or items != tuple(consent.items.values()):
        raise FormError("was made for other terms than those that went on")
    if consent.paused and terms.shown_time < consent.paused.time:
        raise FormError("was made before the pause that it ends")


def _parts(terms: Terms, **changed: str) -> dict[str, Any]:
    """Return the fields of terms, some of them said otherwise."""
    fields = {name: getattr(terms, name) for name in Terms.__dataclass_fields__}
    return {**fields, **changed}


def _check_time(facts: Facts, shown_time: str) -> None:
    if not 0 <= microseconds(facts.time) - microseconds(shown_time) <= SHOWN_WITHIN:
        raise FormError("was made for what was not shown to her within the day before")


def _by_provider(facts: Facts, text: str, challenge: str, provider: Provider | None) -> Shown:
    if provider is None:
        raise FormError("cannot be verified without the keys of her provider (--provider-keys)")
    token = open_token(provider, text)
    if token.nonce != challenge:
        raise FormError("is signed for another decision")
    recorded = microseconds(facts.time)
    for seconds in (token.issued, token.signed_in):
        age = recorded - int(seconds * 1_000_000)
        if not -CLOCKS_DIFFER <= age <= LONGEST_AGE + CLOCKS_DIFFER:
            raise FormError("was not signed when it was recorded")
    return Shown("oidc-step-up", challenge, token.signer)


def _by_passkey(
    facts: Facts,
    signed: Signed,
    challenge: str,
    passkeys: Mapping[str, tuple[PasskeyAdded, Judgement]],
) -> Shown | Sealed:
    if isinstance(facts, PasskeyAdded):
        raise FormError("is a passkey's, and a passkey is added with her provider's")
    if signed.passkey_id not in passkeys:
        raise FormError("is of a passkey that she did not add, or had removed")
    passkey, added = passkeys[signed.passkey_id]
    if isinstance(added, NotShown):
        raise FormError("is of a passkey that nothing shows to be hers")
    verify_assertion(
        passkey,
        challenge,
        data=unb64(signed.authenticator_data),
        client_data=unb64(signed.client_data_json),
        signature=unb64(signed.signature),
    )
    return added if isinstance(added, Sealed) else Shown("webauthn", challenge, added.signer)
