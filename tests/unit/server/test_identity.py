# SPDX-License-Identifier: Apache-2.0
"""Access tokens: which are believed, and a corpus of those that never are."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from vault.application.caller import Caller
from vault.domain.values import Time
from vault.server.identity import (
    CredentialError,
    CredentialExpiredError,
    CredentialInvalidError,
    CredentialMissingError,
    Verifier,
)
from vault.server.issuer_keys import FetchedKeys, FixedKeys, KeySetError
from vault.server.jwt import LEEWAY_SECONDS

ISSUER, AUDIENCE, NOW = "https://issuer.example", "citizen-vault", 1_800_000_000.0

KEY = ECKey.generate_key("P-256", {"kid": "ec"})
OTHER_KEY = ECKey.generate_key("P-256", {"kid": "ec"})
ED_KEY = OKPKey.generate_key("Ed25519", {"kid": "ed"})
RSA_KEY = RSAKey.generate_key(2048, {"kid": "rsa"})
STRONG_KEY = ECKey.generate_key("P-384", {"kid": "p384"})
ENCRYPTION_KEY = ECKey.generate_key("P-256", {"kid": "enc", "use": "enc"})
PUBLIC = [key.as_dict(private=False) for key in (KEY, ED_KEY, RSA_KEY, STRONG_KEY, ENCRYPTION_KEY)]
JWKS = json.dumps(
    {"keys": [*PUBLIC, {"kty": "oct", "kid": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"}]}
).encode()

SERVICE = "0b9d3e8f-57a1-4d9f-8a3e-6d5b8b0e5a11"
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "sub": "mair",
    "aud": AUDIENCE,
    "exp": int(NOW) + 3600,
    "iat": int(NOW) - 10,
    "jti": "1",
    "client_id": "web",
    "scope": "vault evidence",
    "roles": ["citizen"],
}
HEADER = {"alg": "ES256", "typ": "at+jwt", "kid": "ec"}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(claims: dict[str, Any] | None = None, header: Any = None, key: Any = KEY) -> str:
    used = {**HEADER, **(header or {})}
    used = {name: value for name, value in used.items() if value is not None}
    body = {name: value for name, value in {**CLAIMS, **(claims or {})}.items() if value != ABSENT}
    return raw(json.dumps(used).encode(), json.dumps(body).encode(), key)


def raw(header: bytes, payload: bytes, key: Any = KEY) -> str:
    """Sign whatever the parts are, as an attacker with a key could."""
    signed = f"{b64(header)}.{b64(payload)}"
    return f"{signed}.{b64(JWSRegistry.algorithms['ES256'].sign(signed.encode(), key))}"


ABSENT = object()
GOOD = token()
GOOD_HEADER, GOOD_PAYLOAD, GOOD_SIGNATURE = GOOD.split(".")


def symmetric(algorithm: str, secret: bytes, kid: str = "ec") -> str:
    header = json.dumps({"alg": algorithm, "typ": "at+jwt", "kid": kid}).encode()
    signed = f"{b64(header)}.{GOOD_PAYLOAD}"
    return f"{signed}.{b64(hmac.digest(secret, signed.encode(), 'sha256'))}"


BAD: dict[str, str] = {
    "garbage": "garbage",
    "empty parts": "..",
    "two parts": f"{GOOD_HEADER}.{GOOD_PAYLOAD}",
    "four parts": f"{GOOD}.{GOOD_SIGNATURE}",
    "five parts, as encrypted ones have": f"{GOOD}.a.b",
    "no signature": f"{GOOD_HEADER}.{GOOD_PAYLOAD}.",
    "short signature": f"{GOOD_HEADER}.{GOOD_PAYLOAD}.{GOOD_SIGNATURE[:-4]}",
    "long signature": f"{GOOD}AAAA",
    "signature of zeros": f"{GOOD_HEADER}.{GOOD_PAYLOAD}.{b64(bytes(64))}",
    "padding": f"{GOOD}==",
    "stray character": f"{GOOD_HEADER}.{GOOD_PAYLOAD}.{GOOD_SIGNATURE[:10]}!{GOOD_SIGNATURE[10:]}",
    "line break in the payload": f"{GOOD_HEADER}.{GOOD_PAYLOAD[:8]}\n{GOOD_PAYLOAD[8:]}.x",
    "another payload": f"{GOOD_HEADER}.{b64(json.dumps({**CLAIMS, 'sub': 'x'}).encode())}."
    f"{GOOD_SIGNATURE}",
    "another key": token(key=OTHER_KEY),
    "alg none": f"{b64(json.dumps({**HEADER, 'alg': 'none'}).encode())}.{GOOD_PAYLOAD}.",
    "alg None": token(header={"alg": "None"}),
    "alg missing": token(header={"alg": None}),
    "alg a number": token(header={"alg": 256}),
    "alg a list": token(header={"alg": ["ES256"]}),
    "alg ES384": token(header={"alg": "ES384"}),
    "alg RS256 with an elliptic key": token(header={"alg": "RS256"}),
    "alg EdDSA with an elliptic key": token(header={"alg": "EdDSA"}),
    "alg HS256 with the public key": symmetric("HS256", KEY.as_pem(private=False)),
    "alg HS256 with a symmetric key of the set": symmetric("HS256", b"secret" * 4, "oct"),
    "key unknown": token(header={"kid": "other"}),
    "key missing": token(header={"kid": None}),
    "key a number": token(header={"kid": 1}),
    "key of another curve": token(header={"kid": "p384"}),
    "key for encryption": token(header={"kid": "enc"}, key=ENCRYPTION_KEY),
    "key of its own": token(header={"jwk": KEY.as_dict(private=False)}),
    "key from an address": token(header={"jku": "https://evil.example/jwks"}),
    "certificate from an address": token(header={"x5u": "https://evil.example/cert"}),
    "critical header": token(header={"crit": ["exp"]}),
    "detached payload": token(header={"b64": False, "crit": ["b64"]}),
    "compressed": token(header={"zip": "DEF"}),
    "typ JWT, an ID token's": token(header={"typ": "JWT"}),
    "typ missing": token(header={"typ": None}),
    "typ a list": token(header={"typ": ["at+jwt"]}),
    "header with a name twice": raw(
        b'{"alg":"ES256","alg":"ES256","typ":"at+jwt","kid":"ec"}', json.dumps(CLAIMS).encode()
    ),
    "header a list": raw(b"[]", json.dumps(CLAIMS).encode()),
    "header no JSON": raw(b"{", json.dumps(CLAIMS).encode()),
    "header no UTF-8": raw(b"\xff", json.dumps(CLAIMS).encode()),
    "header deep": raw(b"[" * 3000, b"{}"),
    "iss another": token({"iss": "https://evil.example"}),
    "iss with a slash more": token({"iss": f"{ISSUER}/"}),
    "iss missing": token({"iss": ABSENT}),
    "iss a list": token({"iss": [ISSUER]}),
    "aud another": token({"aud": "another"}),
    "aud missing": token({"aud": ABSENT}),
    "aud others": token({"aud": ["another", "third"]}),
    "aud a part": token({"aud": "citizen"}),
    "aud an object": token({"aud": {AUDIENCE: 1}}),
    "exp missing": token({"exp": ABSENT}),
    "exp a text": token({"exp": "2100-01-01"}),
    "exp true": token({"exp": True}),
    "exp negative": token({"exp": -1}),
    "exp past": token({"exp": int(NOW) - 6}),
    "exp endless": raw(json.dumps(HEADER).encode(), b'{"exp":1e999}'),
    "exp not a number": raw(
        json.dumps(HEADER).encode(), json.dumps({**CLAIMS, "exp": float("nan")}).encode()
    ),
    "exp enormous": raw(json.dumps(HEADER).encode(), b'{"exp":' + b"9" * 5000 + b"}"),
    "nbf to come": token({"nbf": int(NOW) + 6}),
    "nbf a text": token({"nbf": "now"}),
    "iat to come": token({"iat": int(NOW) + 60}),
    "iat missing": token({"iat": ABSENT}),
    "sub missing": token({"sub": ABSENT}),
    "sub empty": token({"sub": ""}),
    "sub a number": token({"sub": 1}),
    "sub too long": token({"sub": "x" * 256}),
    "sub with a line break": token({"sub": "a\nb"}),
    "client_id missing": token({"client_id": ABSENT}),
    "jti missing": token({"jti": ABSENT}),
    "roles missing": token({"roles": ABSENT}),
    "roles empty": token({"roles": []}),
    "roles two": token({"roles": ["citizen", "operator"]}),
    "roles a text": token({"roles": "citizen"}),
    "roles unknown": token({"roles": ["root"]}),
    "roles nested": token({"roles": [["citizen"]]}),
    "auditor of no service": token({"roles": ["service-auditor"]}),
    "auditor of a name": token({"roles": ["service-auditor"], "service_id": "council"}),
    "auditor of capitals": token({"roles": ["service-auditor"], "service_id": SERVICE.upper()}),
    "auditor of two": token({"roles": ["service-auditor"], "service_id": [SERVICE]}),
    "auditor of more": token({"roles": ["service-auditor"], "service_id": SERVICE + "\n"}),
    "scope missing": token({"scope": ABSENT}),
    "scope a list": token({"scope": ["vault"]}),
    "claim twice": raw(
        json.dumps(HEADER).encode(), b'{"sub":"a",' + json.dumps(CLAIMS).encode()[1:]
    ),
    "claims a list": raw(json.dumps(HEADER).encode(), b"[]"),
    "claims no JSON": raw(json.dumps(HEADER).encode(), b"claims"),
    "too long": token({"scope": "vault " * 2000}),
    "not ASCII": f"{GOOD}é",
}


def verifier(now: Callable[[], float] = lambda: NOW, remembered: int = 100) -> Verifier:
    return Verifier(ISSUER, AUDIENCE, FixedKeys(JWKS), now=now, remembered=remembered)


def bearer(text: str) -> list[tuple[str, str | bytes]]:
    return [("authorization", f"Bearer {text}")]


async def test_a_good_token_says_who_calls() -> None:
    caller, _ = await verifier().verify(bearer(GOOD))

    assert caller == Caller(
        role="citizen",
        issuer=ISSUER,
        sub="mair",
        scopes=frozenset({"vault", "evidence"}),
        issued=Time("2027-01-15T07:59:50.000000Z"),
    )


@pytest.mark.parametrize(
    ("said", "signed_in"),
    [
        (NOW - 300, "2027-01-15T07:55:00.000000Z"),
        (NOW - 0.25, "2027-01-15T07:59:59.750000Z"),
        (NOW + LEEWAY_SECONDS, "2027-01-15T08:00:05.000000Z"),
        (ABSENT, ""),
    ],
)
async def test_a_token_says_when_she_signed_in(said: Any, signed_in: str) -> None:
    caller, _ = await verifier().verify(bearer(token({"auth_time": said})))

    assert caller.signed_in == signed_in


@pytest.mark.parametrize("said", ["now", None, True, NOW + LEEWAY_SECONDS + 1, -1e20, 1e300, []])
async def test_a_token_that_says_so_wrongly_is_none(said: Any) -> None:
    with pytest.raises(CredentialInvalidError):
        await verifier().verify(bearer(token({"auth_time": said})))


async def test_the_token_of_a_services_auditor_says_which() -> None:
    said = {"roles": ["service-auditor"], "service_id": SERVICE}

    caller, _ = await verifier().verify(bearer(token(said)))

    assert (caller.role, caller.audited_service) == ("service-auditor", SERVICE)


async def test_the_token_of_staff_says_of_which_service() -> None:
    said = {"roles": ["staff"], "service_id": SERVICE}

    caller, _ = await verifier().verify(bearer(token(said)))

    assert (caller.role, caller.staffed_service, caller.sub) == ("staff", SERVICE, "mair")
    assert (caller.service, caller.staff_ref, caller.audited_service) == (SERVICE, "mair", "")


@pytest.mark.parametrize("named", [ABSENT, "", "council", SERVICE.upper(), [SERVICE], None])
async def test_staff_of_no_service_are_nobody(named: Any) -> None:
    with pytest.raises(CredentialInvalidError):
        await verifier().verify(bearer(token({"roles": ["staff"], "service_id": named})))


async def test_what_others_say_of_a_service_counts_for_nothing() -> None:
    for role in ("citizen", "auditor", "service"):
        caller, _ = await verifier().verify(bearer(token({"roles": [role], "service_id": SERVICE})))
        assert (caller.audited_service, caller.staffed_service) == ("", "")
        assert caller.service == ("mair" if role == "service" else "")


async def test_a_token_says_for_how_long() -> None:
    clock = [NOW]
    verifying = verifier(lambda: clock[0])
    told = []

    for clock[0] in (NOW, NOW + 60):
        _, seconds = await verifying.verify(bearer(GOOD))
        told.append(seconds)

    assert told == [3600 + 5, 3540 + 5]


@pytest.mark.parametrize(
    ("algorithm", "key"), [("EdDSA", ED_KEY), ("Ed25519", ED_KEY), ("RS256", RSA_KEY)]
)
@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
async def test_every_listed_algorithm_is_verified(algorithm: str, key: Any) -> None:
    header = {"alg": algorithm, "typ": "at+jwt", "kid": key.kid}
    signed = jwt.encode(header, CLAIMS, key, algorithms=[algorithm])

    assert (await verifier().verify(bearer(signed)))[0].sub == "mair"


@pytest.mark.parametrize("claims", [{"aud": ["x", AUDIENCE]}, {"nbf": int(NOW)}, {"acr": "high"}])
async def test_what_else_a_good_token_may_say(claims: dict[str, Any]) -> None:
    assert (await verifier().verify(bearer(token(claims))))[0].sub == "mair"


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_token_is_never_believed(name: str) -> None:
    with pytest.raises(CredentialError):
        await verifier().verify(bearer(BAD[name]))


def test_the_corpus_is_large_enough() -> None:
    assert len(BAD) >= 30


async def test_an_expired_token_is_told_so() -> None:
    with pytest.raises(CredentialExpiredError):
        await verifier().verify(bearer(BAD["exp past"]))


@pytest.mark.parametrize(
    "metadata",
    [
        [],
        [("authorization", "")],
        [("authorization", "Bearer")],
        [("authorization", "Basic bWFpcjpwYXNz")],
        [("x-authorization", f"Bearer {GOOD}")],
    ],
)
async def test_a_call_without_a_token_is_told_so(metadata: list[tuple[str, str | bytes]]) -> None:
    with pytest.raises(CredentialMissingError):
        await verifier().verify(metadata)


async def test_two_tokens_are_none() -> None:
    with pytest.raises(CredentialInvalidError):
        await verifier().verify([*bearer(GOOD), *bearer(GOOD)])


async def test_a_remembered_token_expires_all_the_same() -> None:
    clock = [NOW]
    verifying = verifier(lambda: clock[0])
    await verifying.verify(bearer(GOOD))

    clock[0] = NOW + 3600 + 5

    with pytest.raises(CredentialExpiredError):
        await verifying.verify(bearer(GOOD))


class CountingKeys(FixedKeys):
    asked = 0

    async def find(self, kid: str) -> Any:
        self.asked += 1
        return await super().find(kid)


async def test_a_token_is_verified_once() -> None:
    keys = CountingKeys(JWKS)
    verifying = Verifier(ISSUER, AUDIENCE, keys, now=lambda: NOW)

    for _ in range(3):
        await verifying.verify(bearer(GOOD))

    assert keys.asked == 1


async def test_so_many_tokens_are_remembered_and_no_more() -> None:
    keys = CountingKeys(JWKS)
    verifying = Verifier(ISSUER, AUDIENCE, keys, now=lambda: NOW, remembered=1)

    for name in ("1", "2", "1"):
        await verifying.verify(bearer(token({"jti": name})))

    assert keys.asked == 3


async def test_an_unknown_key_sends_to_the_issuer_at_most_once_a_minute() -> None:
    clock, asked = [0.0], []

    def fetch(url: str) -> bytes:
        asked.append(url)
        return JWKS

    keys = FetchedKeys("https://issuer.example/jwks", fetch, lambda: clock[0])
    for _ in range(3):
        assert await keys.find("other") is None
    clock[0] = 60.0
    assert await keys.find("other") is None

    assert len(asked) == 2


async def test_an_issuer_out_of_reach_leaves_what_was_fetched() -> None:
    clock, answers = [0.0], [JWKS]

    def fetch(_url: str) -> bytes:
        if not answers:
            raise OSError
        return answers.pop()

    keys = FetchedKeys("https://issuer.example/jwks", fetch, lambda: clock[0])
    assert await keys.find("ec") is not None
    clock[0] = 61.0
    assert await keys.find("other") is None

    assert await keys.find("ec") is not None


@pytest.mark.parametrize(
    "jwks",
    [
        b"",
        b"{}",
        b"[]",
        b'{"keys":[]}',
        b'{"keys":{}}',
        b'{"keys":[1]}',
        b'{"keys":[{"kty":"EC"}]}',
    ],
)
def test_what_is_no_key_set_is_refused(jwks: bytes) -> None:
    with pytest.raises(KeySetError):
        FixedKeys(jwks)
