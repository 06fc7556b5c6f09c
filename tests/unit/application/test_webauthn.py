# SPDX-License-Identifier: Apache-2.0
"""What a passkey signed: good for one challenge, on our pages, by a key that knows its owner."""

from __future__ import annotations

import dataclasses
import json
import secrets
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.approving import ALGORITHMS, ORIGIN, PRESENT, RP_ID, VERIFIED, Authenticator
from vault.application.webauthn import Assertion, check_public_key, verify
from vault.domain.canonical import b64
from vault.domain.errors import ApprovalInvalidError, FieldInvalidError
from vault.domain.passkey import Algorithm, NewPasskey

CHALLENGE = bytes(range(32))
KEY = Authenticator()


def is_good(
    key: Authenticator, assertion: Assertion, *, algorithm: Algorithm | None = None
) -> bool:
    passkey = NewPasskey(
        credential=b64(key.credential),
        algorithm=algorithm or key.algorithm,
        public_key=b64(key.public_key),
        rp_id=RP_ID,
    )
    try:
        verify(assertion, passkey, frozenset({ORIGIN}), b64(CHALLENGE))
    except ApprovalInvalidError:
        return False
    return True


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_her_passkey_signed_is_good_for_its_challenge(algorithm: Algorithm) -> None:
    key = Authenticator(algorithm)

    assert is_good(key, key.sign(CHALLENGE))
    assert not is_good(key, key.sign(bytes(32)))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_another_passkey_signed_is_not(algorithm: Algorithm) -> None:
    assert not is_good(Authenticator(algorithm), Authenticator(algorithm).sign(CHALLENGE))


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"rp_id": "elsewhere.example"}, id="signed for another site"),
        pytest.param({"flags": PRESENT}, id="who uses it was not made sure"),
        pytest.param({"flags": VERIFIED}, id="nobody was there"),
        pytest.param({"flags": 0}, id="neither"),
        pytest.param({"type": "webauthn.create"}, id="it was made, not used"),
        pytest.param({"type": "payment.get"}, id="it paid"),
        pytest.param({"challenge": b64(bytes(32))}, id="the page names another challenge"),
        pytest.param({"challenge": b64(CHALLENGE) + "="}, id="the challenge with padding"),
        pytest.param({"origin": "http://localhost:8001"}, id="another port"),
        pytest.param({"origin": "https://localhost:8000"}, id="another scheme"),
        pytest.param({"origin": f"{ORIGIN}/"}, id="no origin"),
        pytest.param({"origin": [ORIGIN]}, id="a list"),
        pytest.param({"crossOrigin": True}, id="in a frame of another site"),
        pytest.param({"crossOrigin": 0}, id="in a frame of who knows"),
    ],
)
def test_what_was_signed_otherwise_is_not_good(changed: dict[str, Any]) -> None:
    assert not is_good(KEY, KEY.sign(CHALLENGE, **changed))


def test_a_page_need_not_say_that_it_is_in_no_frame() -> None:
    signed = Authenticator()
    said = {"type": "webauthn.get", "challenge": b64(CHALLENGE), "origin": ORIGIN}

    assert is_good(signed, signed.sign_client_data(json.dumps(said).encode()))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{", id="no JSON"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'"webauthn.get"', id="a text"),
        pytest.param(b"\xff\xfe{\x00}\x00", id="UTF-16"),
        pytest.param(b"[" * 4096, id="too deep"),
        pytest.param(b'{"type":"webauthn.get"}', id="too little"),
    ],
)
def test_what_is_no_client_data_is_not_good(text: bytes) -> None:
    assert not is_good(KEY, KEY.sign_client_data(text))


def test_what_names_something_twice_is_not_good() -> None:
    good = KEY.sign(CHALLENGE).client_data_json
    twice = b'{"challenge":"another",' + good[1:]

    assert not is_good(KEY, KEY.sign_client_data(twice))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("part", ["authenticator_data", "client_data_json", "signature"])
def test_a_flipped_bit_is_not_good(algorithm: Algorithm, part: str) -> None:
    key = Authenticator(algorithm)
    assertion = key.sign(CHALLENGE)
    data = bytearray(getattr(assertion, part))
    place = secrets.randbelow(len(data) * 8)
    data[place // 8] ^= 1 << place % 8

    changed = dataclasses.replace(assertion, **{part: bytes(data)})

    assert not is_good(key, changed), f"bit {place}"


@pytest.mark.parametrize("part", ["authenticator_data", "client_data_json", "signature"])
def test_what_is_cut_short_is_not_good(part: str) -> None:
    assertion = KEY.sign(CHALLENGE)

    for size in (0, 1, 32, 36):
        cut = dataclasses.replace(assertion, **{part: getattr(assertion, part)[:size]})
        assert not is_good(KEY, cut)


# --- Keys ----------------------------------------------------------------------------------------


def spki(key: Any) -> bytes:
    return bytes(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_key_of_its_algorithm_is_taken(algorithm: Algorithm) -> None:
    check_public_key(algorithm, Authenticator(algorithm).public_key)


def compressed(key: bytes) -> bytes:
    """Return a key with one coordinate of its point, and the sign of the other."""
    x, y = key[-64:-32], key[-32:]
    algorithm = bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107")
    return b"\x30\x39" + algorithm + b"\x03\x22\x00" + bytes([2 + (y[-1] & 1)]) + x


SHORT = rsa.generate_private_key(65537, 1024)  # noqa: S505 - that it is refused is the point
P_256 = spki(ec.generate_private_key(ec.SECP256R1()))


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        pytest.param("ES256", spki(ec.generate_private_key(ec.SECP384R1())), id="P-384"),
        pytest.param("ES256", spki(ec.generate_private_key(ec.SECP256K1())), id="a coin's curve"),
        pytest.param("EdDSA", P_256, id="P-256 for EdDSA"),
        pytest.param("RS256", P_256, id="P-256 for RS256"),
        pytest.param("ES256", spki(ed25519.Ed25519PrivateKey.generate()), id="Ed25519 for ES256"),
        pytest.param("RS256", spki(SHORT), id="RSA of 1024 bits"),
        pytest.param("ES256", b"", id="nothing"),
        pytest.param("ES256", b"\x30\x00", id="an empty sequence"),
        pytest.param("ES256", P_256 + b"\x00", id="something behind it"),
        pytest.param("ES256", compressed(P_256), id="written in another way"),
        pytest.param("ES256", P_256[:-1], id="cut short"),
        pytest.param("ES256", P_256[:-1] + bytes([P_256[-1] ^ 1]), id="not on the curve"),
    ],
)
def test_another_key_is_refused(algorithm: Algorithm, key: bytes) -> None:
    with pytest.raises(FieldInvalidError) as caught:
        check_public_key(algorithm, key)

    assert caught.value.field == "public_key"
