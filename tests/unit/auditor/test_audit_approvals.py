# SPDX-License-Identifier: Apache-2.0
"""Whether the auditor takes a decision for hers: signed for her, for this decision, and once.

The proofs are made here as her provider and her passkey make them; an operator, who can write any
record and any payload, makes the others.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from clients.auditor.approvals import Approvals, Judgement, NotShown, Sealed, Shown
from clients.auditor.canonical import FormError, microseconds
from clients.auditor.facts import VAULT_FACTS, Facts, Item, Link, Terms
from clients.auditor.forms import read
from clients.auditor.history import Consent, Moment
from clients.auditor.provider import Signer, read_provider
from clients.auditor.record import read_facts, read_link
from tests.approving import ALGORITHMS, PRESENT, Authenticator
from tests.builders import (
    ORIGIN,
    PASSKEY,
    SALT,
    SUBJECT,
    VAULT,
    a_key,
    at,
    consent_extended,
    consent_granted,
    consent_paused,
    consent_resumed,
    passkey_added,
    passkey_removed,
)
from vault.application.approvals import ShownProof, Signed
from vault.domain import events
from vault.domain.approval import challenge_of
from vault.domain.canonical import b64, digest, encode, unb64
from vault.domain.consent import ConsentGranted
from vault.domain.events import Draft, stored_name_of
from vault.domain.passkey import PasskeyAdded, ShownPasskey
from vault.domain.sign_in import LinkCodeCreated, ShownLinkCode, SignInLinked
from vault.domain.values import NO_REGISTRY, Acting, Approval, ApprovalKind

ISSUER: Final = "https://sign-in.example"
CLIENT: Final = "the-vault"
SUB: Final = "mair"
SITE: Final = "vault.aber.example"
PAGE: Final = "https://vault.aber.example"
PROVIDER_KEYS: Final[dict[str, Key]] = {
    "ES256": ECKey.generate_key("P-256", auto_kid=True),
    "EdDSA": OKPKey.generate_key("Ed25519", auto_kid=True),
    "RS256": RSAKey.generate_key(2048, auto_kid=True),
}
KEY: Final = PROVIDER_KEYS["ES256"]
AUTHENTICATOR: Final = Authenticator()
SECOND: Final = "second"
WAIT: Final = 3600


def jwks(*keys: Key, **pinned: Any) -> bytes:
    """Return a provider's key set, and what the auditor writes beside it."""
    found = [{**key.as_dict(private=False), "kid": key.kid} for key in keys]
    return json.dumps({"keys": found, **pinned}).encode()


PROVIDER: Final = read_provider(jwks(*PROVIDER_KEYS.values()))


def granted() -> Draft:
    return consent_granted(shown_time=at(3))


def added(key: Authenticator = AUTHENTICATOR) -> Draft:
    return passkey_added(
        credential=b64(key.credential),
        algorithm=key.algorithm,
        public_key=b64(key.public_key),
    )


def let_in(code: str = "code", **changed: Any) -> Draft:
    """Return that another sign-in may be linked."""
    facts = LinkCodeCreated(
        time=at(3), salt=SALT, link_code=code, expires=at(903), wait_seconds=WAIT, **changed
    )
    return Draft(facts=facts)


def linking(code: str = "code", sign_in: str = SECOND) -> Draft:
    """Return that it was linked."""
    facts = SignInLinked(time=at(4), salt=SALT, sign_in=sign_in, means="provider", link_code=code)
    return Draft(facts=facts)


def page_of(draft: Draft) -> bytes:
    """Return what stood on her page."""
    facts = draft.facts
    if isinstance(facts, LinkCodeCreated):
        page = ShownLinkCode(good_seconds=900, wait_seconds=WAIT, shown_time=at(1), salt=SALT)
        return encode(page)
    if isinstance(facts, PasskeyAdded):
        parts = {name: getattr(facts, name) for name in a_key().__struct_fields__}
        return encode(ShownPasskey(**parts, shown_time=at(1), salt=SALT))
    return encode([getattr(facts, "terms"), draft.items])  # noqa: B009 - of several kinds


def token_of(
    draft: Draft, page: bytes, *, key: Key = KEY, algorithm: str = "", **changed: Any
) -> str:
    """Return an ID token for a decision, signed at the second at which it was recorded."""
    now = microseconds(draft.facts.time) // 1_000_000
    claims = {
        "iss": ISSUER,
        "sub": SUB,
        "aud": CLIENT,
        "iat": now,
        "auth_time": now,
        "exp": now + 300,
        "nonce": challenge_of(stored_name_of(type(draft.facts)), page),
        "name": "Mair \N{LATIN SMALL LETTER W WITH CIRCUMFLEX}",
        "weight": 1.5,
        **changed,
    }
    kinds = {ECKey: "ES256", OKPKey: "EdDSA", RSAKey: "RS256"}
    header = {"alg": algorithm or kinds[type(key)], "typ": "JWT", "kid": key.kid}
    said = {name: value for name, value in claims.items() if value is not None}
    with warnings.catch_warnings():
        # RFC 9864 renames EdDSA; providers will be sending the old name for years.
        warnings.simplefilter("ignore", SecurityWarning)
        return jwt.encode(header, said, key, algorithms=[header["alg"]])


def stepped_up(draft: Draft, page: bytes | None = None, **changed: Any) -> bytes:
    """Return the sealed proof that her provider signed, opened."""
    page = page_of(draft) if page is None else page
    token = token_of(draft, page, **changed)
    proof = ShownProof(kind="oidc-step-up", shown=page.decode(), proof=token, salt=SALT)
    return encode(proof)


def by_passkey(
    draft: Draft,
    key: Authenticator = AUTHENTICATOR,
    passkey_id: str = PASSKEY,
    page: bytes | None = None,
    **changed: Any,
) -> bytes:
    """Return the sealed proof that her passkey signed, opened."""
    page = page_of(draft) if page is None else page
    challenge = unb64(challenge_of(stored_name_of(type(draft.facts)), page))
    said = {"rp_id": SITE, "origin": PAGE, **changed}
    assertion = key.sign(challenge, **said)
    signed = Signed(
        passkey_id=passkey_id,
        authenticator_data=b64(assertion.authenticator_data),
        client_data_json=b64(assertion.client_data_json),
        signature=b64(assertion.signature),
    )
    return encode(ShownProof(kind="webauthn", shown=page.decode(), proof=signed, salt=SALT))


@dataclass
class Judge:
    """The auditor, who reads one history record by record."""

    approvals: Approvals
    provider: Any = PROVIDER
    version: int = 1
    consent: Consent | None = None
    actor: str = SUBJECT

    def says(
        self,
        draft: Draft,
        proof: bytes | None,
        *,
        kind: ApprovalKind = "",
        is_sealed: bool = False,
        proof_hash: str = "",
    ) -> Judgement | None:
        """Return what he says of the next record."""
        self.version += 1
        told = json.loads(proof)["kind"] if not kind and proof else kind
        approval = Approval(kind=told, proof_hash=proof_hash or (digest(proof) if proof else ""))
        link, facts = as_read(draft, approval, self.version, self.actor)
        payload = None if is_sealed else proof
        return self.approvals.judge(link, facts, payload, self.provider, self.consent)


def as_read(
    draft: Draft, approval: Approval, version: int, actor: str = SUBJECT
) -> tuple[Link, Facts]:
    link = events.Link(
        origin=ORIGIN,
        stream=VAULT,
        version=version,
        previous_leaf=digest(b""),
        request_key="",
        acting=Acting(actor=actor, capacity="self", mandate="", channel="web"),
        approval=approval,
        items=draft.items,
        registry=NO_REGISTRY,
        payloads=(),
        salt=SALT,
    )
    return (
        read_link(encode(link).decode()),
        read_facts(encode(draft.facts).decode(), VAULT_FACTS),
    )


@pytest.fixture
def judge() -> Judge:
    return Judge(Approvals())


@pytest.fixture
def with_passkey(judge: Judge) -> Judge:
    """An auditor who saw that she added her passkey."""
    assert isinstance(judge.says(added(), stepped_up(added())), Shown)
    return judge


def why(judgement: Judgement | None) -> str:
    """Return why a decision is not shown to be hers; it must not be."""
    assert isinstance(judgement, NotShown), judgement
    return judgement.why


# --- By her provider -----------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", PROVIDER_KEYS)
@pytest.mark.parametrize("make", [granted, added, consent_extended, let_in])
def test_what_her_provider_signed_is_hers(
    judge: Judge, make: Callable[[], Draft], algorithm: str
) -> None:
    draft = make()

    judgement = judge.says(draft, stepped_up(draft, key=PROVIDER_KEYS[algorithm]))

    assert isinstance(judgement, Shown)
    assert (judgement.by, judgement.signer) == ("oidc-step-up", Signer(ISSUER, CLIENT, SUB))


HOUR: Final = 3600
NOW: Final = microseconds(granted().facts.time) // 1_000_000


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"nonce": digest(b"another")}, id="another decision"),
        pytest.param({"nonce": None}, id="no decision"),
        pytest.param({"iat": NOW - 2 * HOUR}, id="signed long before"),
        pytest.param({"auth_time": NOW - 2 * HOUR}, id="signed in long before"),
        pytest.param({"iat": NOW + HOUR}, id="signed long after"),
        pytest.param({"auth_time": NOW + HOUR}, id="signed in long after"),
        pytest.param({"auth_time": None}, id="nobody knows when"),
        pytest.param({"auth_time": True}, id="a truth is no time"),
        pytest.param({"auth_time": 10**40}, id="beyond every calendar"),
        pytest.param({"aud": [CLIENT, "another"]}, id="for two, asked for by nobody"),
        pytest.param({"azp": "another"}, id="asked for by another"),
        pytest.param({"sub": ""}, id="nobody's"),
        pytest.param({"sub": "she\n\x1b[2JVERIFIED"}, id="of nobody who can be named"),
        pytest.param({"key": ECKey.generate_key("P-256", auto_kid=True)}, id="another key"),
    ],
)
def test_another_token_shows_nothing(judge: Judge, changed: dict[str, Any]) -> None:
    why(judge.says(granted(), stepped_up(granted(), **changed)))


@pytest.mark.parametrize(
    "pinned",
    [
        {"issuer": "https://elsewhere.example"},
        {"client_id": "another-program"},
        {"sub": "the-operator"},
    ],
)
def test_what_the_auditor_knows_must_stand_in_the_token(
    judge: Judge, pinned: dict[str, str]
) -> None:
    as_known = {"issuer": ISSUER, "client_id": CLIENT, "sub": SUB}
    judge.provider = read_provider(jwks(KEY, **{**as_known, **pinned}))
    why(judge.says(granted(), stepped_up(granted())))

    judge.provider = read_provider(jwks(KEY, **as_known))
    assert isinstance(judge.says(granted(), stepped_up(granted())), Shown)


def test_without_the_providers_keys_nothing_is_shown(judge: Judge) -> None:
    judge.provider = None

    assert "keys of her provider" in why(judge.says(granted(), stepped_up(granted())))


def test_somebody_else_cannot_sign_in_one_history(judge: Judge) -> None:
    judge.says(added(), stepped_up(added()))

    forged = judge.says(granted(), stepped_up(granted(), sub="the-operator"))

    assert "somebody else" in why(forged)


# --- By another sign-in of hers -------------------------------------------------------------------


def by_second(judge: Judge, **changed: Any) -> Judgement | None:
    """Return what he says of a grant by the second sign-in."""
    judge.actor = SECOND
    said = judge.says(granted(), stepped_up(granted(), **{"sub": "mair-too", **changed}))
    judge.actor = SUBJECT
    return said


def test_a_sign_in_that_she_let_in_approves_for_her(judge: Judge) -> None:
    assert isinstance(judge.says(let_in(), stepped_up(let_in())), Shown)
    assert judge.says(linking(), None) is None

    judgement = by_second(judge)

    assert isinstance(judgement, Shown)
    assert judgement.signer == Signer(ISSUER, CLIENT, "mair-too")
    # The report names the first, whom the auditor may know.
    assert judge.approvals.signer == Signer(ISSUER, CLIENT, SUB)


def test_by_one_sign_in_one_person_approves(judge: Judge) -> None:
    judge.says(let_in(), stepped_up(let_in()))
    judge.says(linking(), None)
    judge.actor = SECOND
    judge.says(added(), stepped_up(added(), sub="mair-too"))

    assert "somebody else" in why(by_second(judge, sub="the-operator"))


@pytest.mark.parametrize(
    "proof",
    [
        pytest.param(None, id="an official says so"),
        pytest.param(stepped_up(let_in(), sub="the-operator"), id="somebody else did"),
        pytest.param(stepped_up(let_in(), nonce=digest(b"another")), id="she signed otherwise"),
    ],
)
def test_a_sign_in_that_she_is_not_shown_to_have_let_in_approves_nothing(
    judge: Judge, proof: bytes | None
) -> None:
    judge.says(added(), stepped_up(added()))
    why(judge.says(let_in(), proof, kind="oidc-step-up" if proof else "staff-assisted"))
    judge.says(linking(), None)

    assert "somebody else" in why(by_second(judge))


def test_nor_if_she_approved_nothing_before(judge: Judge) -> None:
    """Else whoever an operator let in would be taken for her, and she for somebody else."""
    judge.says(let_in(), None, kind="staff-assisted")
    judge.says(linking(), None)

    assert "not shown to be let in by her" in why(by_second(judge))
    assert isinstance(judge.says(added(), stepped_up(added())), Shown)

    # But for an auditor who knows who she is.
    known = {"issuer": ISSUER, "client_id": CLIENT, "sub": [SUB, "mair-too"]}
    judge = Judge(Approvals(), provider=read_provider(jwks(KEY, **known)))
    judge.says(let_in(), None, kind="staff-assisted")
    judge.says(linking(), None)
    assert isinstance(by_second(judge), Shown)


def test_one_code_lets_one_sign_in_in(judge: Judge) -> None:
    judge.says(let_in(), stepped_up(let_in()))
    judge.says(linking(sign_in="the operator's"), None)
    judge.says(linking(), None)

    assert "somebody else" in why(by_second(judge))


def test_who_knows_all_her_sign_ins_names_them_all(judge: Judge) -> None:
    known = {"issuer": ISSUER, "client_id": CLIENT}
    judge.says(let_in(), stepped_up(let_in()))
    judge.says(linking(), None)

    judge.provider = read_provider(jwks(KEY, **known, sub=SUB))
    assert "somebody else's" in why(by_second(judge))

    judge.provider = read_provider(jwks(KEY, **known, sub=[SUB, "mair-too"]))
    assert judge.provider.is_pinned
    assert isinstance(by_second(judge), Shown)


@pytest.mark.parametrize("sub", [[1], [None], {}, 7])
def test_a_name_of_hers_is_text(sub: Any) -> None:
    with pytest.raises(FormError):
        read_provider(jwks(KEY, sub=sub))


@pytest.mark.parametrize("changed", [{"wait_seconds": 1}, {"good_seconds": 9_000}])
def test_a_code_is_good_and_lets_wait_as_it_was_shown(
    judge: Judge, changed: dict[str, int]
) -> None:
    page = encode({**json.loads(page_of(let_in())), **changed})

    assert "for another time" in why(judge.says(let_in(), stepped_up(let_in(), page)))


def test_one_challenge_is_not_good_twice(judge: Judge) -> None:
    first = judge.says(granted(), stepped_up(granted()))
    again = judge.says(granted(), stepped_up(granted()))

    assert isinstance(first, Shown)
    assert "before, at version 2" in why(again)


def test_a_token_of_other_parts_shows_nothing(judge: Judge) -> None:
    token = token_of(granted(), page_of(granted()), key=KEY).split(".")
    other = token_of(granted(), page_of(granted()), key=PROVIDER_KEYS["EdDSA"]).split(".")

    for mixed in (
        [token[0], token[1], other[2]],
        [other[0], token[1], token[2]],
        [token[0], other[1][:-1] + "A", token[2]],
        [token[0], token[1], token[2][:-4]],
        [*token, "more"],
        token[:2],
    ):
        proof = encode(
            ShownProof(
                kind="oidc-step-up",
                shown=page_of(granted()).decode(),
                proof=".".join(mixed),
                salt=SALT,
            )
        )
        why(judge.says(granted(), proof))


@pytest.mark.parametrize(
    "header",
    [
        pytest.param({"alg": "none"}, id="no algorithm"),
        pytest.param({"alg": None}, id="nothing for an algorithm"),
        pytest.param({"alg": "HS256"}, id="a secret of both"),
        pytest.param({"alg": "RS256"}, id="another algorithm than the key's"),
        pytest.param({"typ": "at+jwt"}, id="an access token"),
        pytest.param({"kid": "unknown"}, id="an unknown key"),
        pytest.param({"crit": ["b64"], "b64": False}, id="a rule that is not known"),
        pytest.param({"jwk": {}}, id="a key of its own"),
    ],
)
def test_what_a_header_says_otherwise_is_not_believed(judge: Judge, header: dict[str, Any]) -> None:
    # Signed by the provider all the same: it signs other tokens than these, too.
    first, claims, _ = token_of(granted(), page_of(granted())).split(".")
    said = b64(json.dumps({**json.loads(unb64(first)), **header}).encode())
    key = KEY.private_key
    r, s = decode_dss_signature(key.sign(f"{said}.{claims}".encode(), ec.ECDSA(SHA256())))
    token = f"{said}.{claims}.{b64(r.to_bytes(32) + s.to_bytes(32))}"

    proof = ShownProof(
        kind="oidc-step-up", shown=page_of(granted()).decode(), proof=token, salt=SALT
    )

    why(judge.says(granted(), encode(proof)))


# --- What was shown ------------------------------------------------------------------------------


def other_page(draft: Draft, **changed: Any) -> bytes:
    """Return a page with other terms than those that are recorded."""
    facts = draft.facts
    assert isinstance(facts, ConsentGranted)
    terms = json.loads(encode(facts.terms))
    return encode([{**terms, **changed}, draft.items])


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(other_page(granted(), end=at(days=9)), id="another end"),
        pytest.param(other_page(granted(), retention_days=1), id="kept for less long"),
        pytest.param(encode([json.loads(page_of(granted()))[0], []]), id="other evidence"),
        pytest.param(b"[]", id="nothing"),
        pytest.param(b"{}", id="no page"),
        pytest.param(b"not JSON", id="no JSON"),
        pytest.param(b"[ ]", id="not canonical"),
        pytest.param(page_of(added()), id="a passkey"),
    ],
)
def test_what_she_was_shown_must_be_what_is_recorded(judge: Judge, page: bytes) -> None:
    why(judge.says(granted(), stepped_up(granted(), page)))


def test_what_was_shown_more_than_a_day_before_shows_nothing(judge: Judge) -> None:
    old = consent_granted(shown_time=at(days=-2))

    assert "within the day" in why(judge.says(old, stepped_up(old)))


def test_a_passkey_is_added_as_it_was_shown(judge: Judge) -> None:
    other = page_of(added(Authenticator()))

    assert "another passkey" in why(judge.says(added(), stepped_up(added(), other)))


# --- Letting it go on ----------------------------------------------------------------------------


def a_paused_consent(shown_time: str = "", **changed: Any) -> tuple[Consent, bytes]:
    """Return a consent that she paused, and the page on which she lets it go on."""
    draft = granted()
    link, facts = as_read(draft, Approval(kind="session", proof_hash=""), 3)
    terms, items = json.loads(page_of(draft))
    consent = Consent(
        version=3,
        facts=facts,  # type: ignore[arg-type]
        terms=read(Terms, terms, "terms"),
        terms_version=3,
        items={item.item: item for item in link.items},
        decided=facts.time,
    )
    assert all(isinstance(item, Item) for item in link.items)
    consent.paused = Moment(4, consent_paused().facts.time)
    page = encode([{**terms, "shown_time": shown_time or at(5), "salt": SALT, **changed}, items])
    return consent, page


def test_what_goes_on_is_what_stood_on_her_page(judge: Judge) -> None:
    judge.consent, page = a_paused_consent()

    assert isinstance(judge.says(consent_resumed(), stepped_up(consent_resumed(), page)), Shown)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"shown_time": at(4)}, id="shown before the pause"),
        pytest.param({"shown_time": at(9)}, id="shown after it went on"),
        pytest.param({"end": at(days=9)}, id="another end"),
    ],
)
def test_what_did_not_stand_there_does_not_go_on(judge: Judge, changed: dict[str, Any]) -> None:
    judge.consent, page = a_paused_consent(**changed)

    why(judge.says(consent_resumed(), stepped_up(consent_resumed(), page)))


def test_a_consent_that_is_not_seen_cannot_be_compared(judge: Judge) -> None:
    _, page = a_paused_consent()

    why(judge.says(consent_resumed(), stepped_up(consent_resumed(), page)))


# --- By her passkey ------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_her_passkey_signed_is_hers(judge: Judge, algorithm: Any) -> None:
    key = Authenticator(algorithm)
    judge.says(added(key), stepped_up(added(key)))

    judgement = judge.says(granted(), by_passkey(granted(), key))

    assert isinstance(judgement, Shown)
    assert (judgement.by, judgement.signer) == ("webauthn", Signer(ISSUER, CLIENT, SUB))


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"rp_id": "elsewhere.example"}, id="for another site"),
        pytest.param({"flags": PRESENT}, id="who uses it was not made sure"),
        pytest.param({"flags": 0x04}, id="nobody was there"),
        pytest.param({"type": "webauthn.create"}, id="it was made, not used"),
        pytest.param({"challenge": digest(b"another")}, id="another decision"),
        pytest.param({"origin": "https://elsewhere.example"}, id="on a page of another site"),
        pytest.param({"origin": f"https://{SITE}.elsewhere.example"}, id="a site that begins so"),
        pytest.param({"origin": f"https://not{SITE}"}, id="a site that ends so"),
        pytest.param({"origin": f"http://{SITE}"}, id="on a page that anybody can change"),
        pytest.param({"origin": "https://[bad"}, id="no origin"),
        pytest.param({"origin": 7}, id="a number"),
        pytest.param({"crossOrigin": True}, id="in a frame of another site"),
        pytest.param({"key": Authenticator()}, id="signed by another"),
        pytest.param({"passkey_id": SUBJECT}, id="of a passkey that is not there"),
    ],
)
def test_another_assertion_shows_nothing(with_passkey: Judge, changed: dict[str, Any]) -> None:
    why(with_passkey.says(granted(), by_passkey(granted(), **changed)))


def test_a_page_may_lie_under_the_site(with_passkey: Judge) -> None:
    proof = by_passkey(granted(), origin=f"https://pages.{SITE}")

    assert isinstance(with_passkey.says(granted(), proof), Shown)


def test_a_removed_passkey_shows_nothing(with_passkey: Judge) -> None:
    assert with_passkey.says(passkey_removed(), None) is None

    assert "removed" in why(with_passkey.says(granted(), by_passkey(granted())))


def test_a_passkey_that_an_operator_added_shows_nothing(judge: Judge) -> None:
    why(judge.says(added(), None, kind="session"))

    assert "nothing shows" in why(judge.says(granted(), by_passkey(granted())))


def test_a_passkey_does_not_add_another(with_passkey: Judge) -> None:
    second = added(Authenticator())

    why(with_passkey.says(second, by_passkey(second)))


def test_who_cannot_see_how_a_passkey_was_added_cannot_judge_by_it(judge: Judge) -> None:
    assert judge.says(added(), stepped_up(added()), is_sealed=True) == Sealed()

    assert judge.says(granted(), by_passkey(granted())) == Sealed()
    why(judge.says(granted(), by_passkey(granted(), Authenticator())))


# --- Without a proof, and with what is none ------------------------------------------------------


@pytest.mark.parametrize("kind", ["", "session", "staff-assisted", "paper"])
def test_what_has_no_proof_is_named(judge: Judge, kind: ApprovalKind) -> None:
    assert why(judge.says(granted(), b"{}", kind=kind or "session"))
    link, facts = as_read(granted(), Approval(kind=kind, proof_hash=""), 2)

    assert why(judge.approvals.judge(link, facts, None, PROVIDER))


def test_what_is_sealed_is_not_called_unproved(judge: Judge) -> None:
    assert judge.says(granted(), stepped_up(granted()), is_sealed=True) == Sealed()


@pytest.mark.parametrize("make", [consent_paused, passkey_removed])
def test_stopping_needs_no_proof(judge: Judge, make: Callable[[], Draft]) -> None:
    assert judge.says(make(), None) is None


def test_the_proof_of_one_record_is_not_that_of_another(judge: Judge) -> None:
    other = digest(b"the proof that the record names")

    said = judge.says(granted(), stepped_up(granted()), proof_hash=other)

    assert "not the one that the record names" in why(said)


def changed_proof(**changed: Any) -> bytes:
    return encode({**json.loads(stepped_up(granted())), **changed})


@pytest.mark.parametrize(
    "proof",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xff", id="no text"),
        pytest.param(b"[]", id="a list"),
        pytest.param(stepped_up(granted()) + b" ", id="not canonical"),
        pytest.param(changed_proof(kind="webauthn"), id="said to be a passkey's"),
        pytest.param(changed_proof(more=""), id="more than belongs there"),
        pytest.param(changed_proof(proof={}), id="an object"),
        pytest.param(changed_proof(salt="short"), id="no salt"),
    ],
)
def test_what_is_no_proof_shows_nothing(judge: Judge, proof: bytes) -> None:
    why(judge.says(granted(), proof or b"", kind="oidc-step-up", proof_hash=digest(proof)))


def test_every_bit_of_a_proof_counts(with_passkey: Judge) -> None:
    known = replace(with_passkey.approvals)
    for proof in (stepped_up(granted()), by_passkey(granted())):
        for place in range(0, len(proof) * 8, 37):
            data = bytearray(proof)
            data[place // 8] ^= 1 << place % 8
            judge = Judge(replace(known, used={}))

            judgement = judge.says(
                granted(), bytes(data), kind="oidc-step-up", proof_hash=digest(bytes(data))
            )

            assert _is_harmless(proof, bytes(data)) or why(judgement), f"bit {place}"


def _is_harmless(proof: bytes, changed: bytes) -> bool:
    """Say whether only the salt was changed, into another one."""
    try:
        before, after = (dict[str, Any](json.loads(text)) for text in (proof, changed))
    except (ValueError, TypeError):
        return False
    return {**before, "salt": ""} == {**after, "salt": ""}


# --- Keys ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{}", b'{"keys":{}}', b"\xff", b'{"keys":[],"keys":[]}']
)
def test_what_is_no_key_set_is_refused(text: bytes) -> None:
    with pytest.raises(FormError):
        read_provider(text)


SHORT: Final = {"kty": "RSA", "n": b64((2**1022 + 1).to_bytes(128)), "e": "AQAB", "kid": "short"}


def named(key: Key, **changed: Any) -> Mapping[str, Any]:
    return {**key.as_dict(private=False), "kid": key.kid, **changed}


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(named(KEY, use="enc"), id="for encryption"),
        pytest.param(named(KEY, crv="P-384"), id="of another curve"),
        pytest.param(named(KEY, x="AA"), id="not on the curve"),
        pytest.param(named(KEY, x=7), id="a number"),
        pytest.param({"kty": "oct", "k": "c2VjcmV0", "kid": "secret"}, id="a secret"),
        pytest.param({**KEY.as_dict(private=False), "kid": 7}, id="without a name"),
        pytest.param("key", id="a text"),
        pytest.param(SHORT, id="RSA of 1023 bits"),
    ],
)
def test_a_key_that_does_not_verify_is_left_out(key: Any) -> None:
    provider = read_provider(json.dumps({"keys": [key]}).encode())

    assert provider.keys == {}
